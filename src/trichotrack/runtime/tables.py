"""Readings as tables: one row per capture and sign, one per object. Values only; who writes them escapes them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from trichotrack.problems import Problem
from trichotrack.runtime.reading import Reading

Cell = str | int | float | bool | None

READING_COLUMNS = (
    "file", "sha256", "width", "height", "um_per_px", "scale_source", "area_cm2", "quality_ok", "quality_flags", "sign",
    "status", "reason", "count", "estimate", "reader_low", "reader_high", "density_per_cm2", "presence", "author",
    "model", "model_sha256", "software", "warnings", "notice",
    "scalp_share",
)  # fmt: skip
OBJECT_COLUMNS = (
    "id", "file", "sign", "x", "y", "tip_x", "tip_y", "root_width_um", "tip_width_um", "score",
)  # fmt: skip
PROBLEM_COLUMNS = ("file", "problem", "remedy")


def reading_rows(readings: Iterable[Reading]) -> Iterator[tuple[Cell, ...]]:
    """Rows under READING_COLUMNS. A refused sign has a reason and empty numbers, never 0."""
    for reading in readings:
        scale, model = reading.scale, reading.model
        for name, sign in reading.signs.items():
            low, high = sign.reader_interval or (None, None)
            yield (
                reading.file, reading.sha256, reading.width, reading.height, scale.um_per_px if scale else None,
                scale.source if scale else None, reading.area_cm2, reading.quality.ok, "; ".join(reading.quality.flags),
                name, sign.status, sign.reason, sign.count, sign.estimate, low, high, sign.density_per_cm2,
                sign.presence, reading.author, model.name if model else None, model.sha256 if model else None,
                reading.software, "; ".join(reading.warnings), model.notice if model else None,
                reading.scalp_share,
            )  # fmt: skip


def object_rows(readings: Iterable[Reading]) -> Iterator[tuple[Cell, ...]]:
    """Rows under OBJECT_COLUMNS: original px, as a labelled set's objects.csv names them; ids count within a file."""
    for reading in readings:
        for mark in reading.objects:
            yield (
                mark.id, reading.file, mark.sign, mark.x, mark.y, mark.tip_x, mark.tip_y, mark.root_width_um,
                mark.tip_width_um, mark.score,
            )  # fmt: skip


def problem_rows(problems: Iterable[Problem]) -> Iterator[tuple[Cell, ...]]:
    """Rows under PROBLEM_COLUMNS: what could not be read."""
    for problem in problems:
        yield problem.place, problem.message, problem.remedy

"""Checking a labelled folder to the bottom: its tables, every image they name, and what they say together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from trichotrack.labels.check_images import Seen, alike, look_at
from trichotrack.labels.check_levels import level_problems
from trichotrack.labels.check_scales import area_problems, scale_problems
from trichotrack.labels.check_tables import patient_problems, spot_problems
from trichotrack.labels.read import condensed, parse_folder
from trichotrack.problems import Problem


@dataclass(frozen=True)
class Checked:
    """What a check found. errors must be mended: nothing reads the folder, or figures would be wrong. warnings are to
    be looked at: each may be right. captures, labels, objects: rows that could be read. pictures: images opened.
    """

    errors: tuple[Problem, ...]
    warnings: tuple[Problem, ...]
    captures: int
    labels: int
    objects: int
    pictures: int


Findings = tuple[list[Problem], list[Problem]]
"""(errors, warnings)"""


def check_labels(folder: Path, on_capture: Callable[[], None] | None = None, *, images: bool = True) -> Checked:
    """Everything that is wrong or odd in a folder, at once; images one by one, so that memory stays that of one.

    on_capture: called after each image, for a progress bar. images: open them; without, only tables are judged.
    """
    parsed = parse_folder(folder)
    seen = look_at(parsed, on_capture) if images else Seen()
    found: Sequence[Findings] = (
        (list(parsed.problems), []),
        (list(seen.problems), []),
        alike(parsed, seen),
        patient_problems(parsed),
        level_problems(parsed),
        spot_problems(parsed),
        scale_problems(parsed),
        area_problems(parsed, seen.sizes),
    )
    return Checked(
        errors=tuple(condensed(problem for errors, _ in found for problem in errors)),
        warnings=tuple(condensed(problem for _, warnings in found for problem in warnings)),
        captures=len(parsed.captures),
        labels=len(parsed.labels),
        objects=len(parsed.objects),
        pictures=len(seen.sizes),
    )

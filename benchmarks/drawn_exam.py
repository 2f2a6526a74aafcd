"""Drawn captures read by the Counter that `analyze` uses, and compared with what was drawn."""

from __future__ import annotations

import multiprocessing
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from drawn_marks import IGNORED_SIGN, TOLERANCE_MM, Field, is_refused, points_of, scores_of
from over_people import figure, median, sums_of
from readers import OpenCounter, open_counter

from trichotrack.detect.matching import match
from trichotrack.evaluate.figures import summarise
from trichotrack.evaluate.points import CaptureScore
from trichotrack.runtime.reading import MarkedObject
from trichotrack.synth.priors import Priors
from trichotrack.synth.render import SyntheticCapture, SyntheticObject, capture_rng, render_capture

__all__ = ["FIELDS", "IGNORED_SIGN", "TOLERANCE_MM", "Field"]

LEAST_SHAFT_PX = 5.0
"""Thinner shafts than this, in px of the model's scale, are left out of the width error."""


COILED = "pigtail_hair"
"""Root to tip is not the way it grows: its direction says little, and figures are told with it and without."""

FIELDS = (Field("70×", (1280, 1024), 2.82), Field("20×", (1280, 960), 5.7))


@dataclass(frozen=True)
class Job:
    """One capture to draw: by capture_rng(*drawn_by) of a field and priors."""

    drawn_by: tuple[int, int, int]
    field: Field
    priors: Priors


@dataclass(frozen=True)
class Examined:
    """One drawn capture read. widths: (sign, end, drawn, found) in µm of matched shafts. angles: (sign, tip in view,
    degrees between the drawn and the found direction) of matched hairs; where the tip is out of view, the drawn
    direction is that to where the shaft leaves the picture. refused: the model saw too little scalp; all is missed."""

    field: str
    scores: tuple[CaptureScore, ...]
    widths: tuple[tuple[str, str, float, float], ...]
    angles: tuple[tuple[str, bool, float], ...]
    refused: bool = False


def unclipped(priors: Priors) -> Priors:
    """The same priors without clipped scalps, of which some signs would be refused."""
    return replace(priors, scalp=replace(priors.scalp, clipped_chance=0.0))


def examine(counter: OpenCounter, capture: SyntheticCapture, field: str, name: str) -> Examined:
    """capture read at its own scale; name: of the capture, which is resampled in intervals."""
    reading = counter.read(capture.image, um_per_px=capture.um_per_px, preparation=capture.preparation)
    scores = scores_of(reading, capture, counter.spec, name)
    tolerance_px = TOLERANCE_MM * 1000 / capture.um_per_px
    widths, angles = [], []
    for sign in dict.fromkeys(score.sign for score in scores):
        drawn = [item for item in capture.objects if item.sign == sign]
        found = [item for item in reading.objects if item.sign == sign]
        for i, j in match(points_of(drawn), points_of(found), tolerance_px):
            widths += [(sign, *pair) for pair in _widths(drawn[i], found[j])]
            angles += [(sign, drawn[i].tip_in_view, angle) for angle in _angle(drawn[i], found[j])]
    return Examined(field, tuple(scores), tuple(widths), tuple(angles), is_refused(reading))


def _widths(drawn: SyntheticObject, found: MarkedObject) -> Iterator[tuple[str, float, float]]:
    if drawn.tip_x is None or found.root_width_um is None:
        return
    yield "root", drawn.root_width_um, found.root_width_um
    if drawn.tip_width_um is not None and drawn.tip_in_view and found.tip_width_um is not None:
        yield "tip", drawn.tip_width_um, found.tip_width_um


def _angle(drawn: SyntheticObject, found: MarkedObject) -> Iterator[float]:
    if drawn.tip_x is None or drawn.tip_y is None or found.tip_x is None or found.tip_y is None:
        return
    first, second = (
        np.arctan2(item.tip_y - item.y, item.tip_x - item.x)  # type: ignore[operator]
        for item in (drawn, found)
    )
    yield float(abs(np.degrees(np.angle(np.exp(1j * (first - second))))))


def examine_all(model: Path, jobs: Sequence[Job], *, processes: int = 1) -> list[Examined]:
    """Every job drawn and read, in their order; no sign is refused for what the model's validation missed."""
    began, examined = time.monotonic(), []
    with multiprocessing.get_context("spawn").Pool(processes, _start, (model,)) as pool:
        for done, one in enumerate(pool.imap(_examine_job, jobs), 1):
            examined.append(one)
            if done % 20 == 0 or done == len(jobs):
                left = (time.monotonic() - began) / done * (len(jobs) - done)
                print(f"{done} of {len(jobs)} captures, about {left / 60:.0f} min left", file=sys.stderr)
    return examined


_COUNTER: list[OpenCounter] = []
"""Of this process."""


def _start(model: Path) -> None:
    _COUNTER.append(open_counter(model).unrefusing())


def _examine_job(job: Job) -> Examined:
    rng = capture_rng(*job.drawn_by)
    capture = render_capture(rng, size_px=job.field.size_px, um_per_px=job.field.um_per_px, priors=job.priors)
    return examine(_COUNTER[0], capture, job.field.name, "/".join(map(str, job.drawn_by)))


def signs_of(examined: Sequence[Examined]) -> list[str]:
    """Those scored anywhere, in the model's order."""
    return list(dict.fromkeys(score.sign for one in examined for score in one.scores))


def refused_of(examined: Sequence[Examined]) -> int:
    """How many captures the model refused, for showing too little scalp."""
    return sum(one.refused for one in examined)


def figures_of(examined: Sequence[Examined], least_width_um: float) -> dict[str, Any]:
    """By sign: F1, precision, recall, count error, error of direction and width; the two also over all signs."""
    scores = [score for one in examined for score in one.scores]
    told: dict[str, Any] = {}
    for sign, figures in summarise(scores).items():
        counts = sums_of((s.patient, (s.predicted, s.reference)) for s in scores if s.sign == sign)
        told[sign] = {
            "captures": figures.captures,
            "labelled": figures.labelled,
            "predicted": figures.predicted,
            **{name: asdict(getattr(figures, name)) for name in ("f1", "precision", "recall", "count_mae")},
            "bias_percent": asdict(figure(counts, lambda s: 100 * (s[..., 0] / s[..., 1] - 1))),
            **_shaft_figures(examined, {sign}, least_width_um),
        }
    return {
        "captures": len(examined),
        "refused_captures": refused_of(examined),
        "signs": told,
        "all_signs": _shaft_figures(examined, set(told), least_width_um),
        "all_but_coiled": _shaft_figures(examined, set(told) - {COILED}, least_width_um),
    }


def _shaft_figures(examined: Sequence[Examined], signs: set[str], least_width_um: float) -> dict[str, Any]:
    def names() -> Iterator[tuple[str, Examined]]:
        return ((one.scores[0].patient, one) for one in examined if one.scores)

    errors = [
        (name, end, 100 * abs(found / drawn - 1))
        for name, one in names()
        for sign, end, drawn, found in one.widths
        if sign in signs and drawn >= least_width_um
    ]
    angles = [(name, in_view, angle) for name, one in names() for sign, in_view, angle in one.angles if sign in signs]
    return {
        "width_error_percent": asdict(median([(name, error) for name, _, error in errors])),
        "root_width_error_percent": asdict(median([(name, error) for name, end, error in errors if end == "root"])),
        "tip_width_error_percent": asdict(median([(name, error) for name, end, error in errors if end == "tip"])),
        "direction_error_deg": asdict(median([(name, angle) for name, _, angle in angles])),
        "whole_direction_error_deg": asdict(median([(name, angle) for name, in_view, angle in angles if in_view])),
    }

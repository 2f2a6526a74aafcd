"""Which unlabelled captures would teach a model most: those it doubts, unlike each other and unlike the labelled ones.

Diversity is the k-centre greedy core-set of Sener and Savarese (2018, arXiv 1708.00489): again and again the capture
that is farthest from all that are labelled or chosen, in the space of what the network sees. Uncertainty is the entropy
of a detector's scores, summed over a capture (as in Wu, Chen and Huang 2022, arXiv 2204.07965), which weights that
distance.
"""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from trichotrack.detect.decode import LOWEST_SCORE
from trichotrack.geometry import Scale
from trichotrack.labels.tables import CaptureRow, LabelSet
from trichotrack.problems import InputError, Problem
from trichotrack.runtime.counter import Counter
from trichotrack.runtime.reading import MarkedObject

HELD_OUT = ("val", "test")
"""Splits of which nothing is suggested: what is chosen by a model would no longer test it fairly."""


@dataclass(frozen=True, eq=False)
class Looked:
    """What a model sees in one capture. features: (D,); doubt: bits, the entropy of its marks; marks: how many."""

    file: str
    patient: str
    features: NDArray[np.float32]
    doubt: float = 0.0
    marks: int = 0


@dataclass(frozen=True)
class Suggestion:
    """One capture to label next.

    doubt: bits, summed over marks. distance: to the nearest capture that is labelled or ranked before, in standard
    deviations of what the network sees; None for the first where nothing is labelled. nearest: that capture.
    """

    rank: int
    file: str
    patient: str
    doubt: float
    marks: int
    distance: float | None
    nearest: str
    why: str


@dataclass(frozen=True)
class Suggested:
    """suggestions: best first. candidates: unlabelled captures that were compared. labelled: those already known.

    problems: captures that could not be read.
    """

    suggestions: tuple[Suggestion, ...]
    candidates: int
    labelled: int
    problems: tuple[Problem, ...] = ()


def suggest(
    counter: Counter,
    labelset: LabelSet,
    captures: int,
    *,
    signs: Collection[str] = (),
    on_capture: Callable[[int, int], None] | None = None,
) -> Suggested:
    """Ranks the captures of labelset that have no label, best first; at most `captures` of them.

    A capture is labelled where the reference says anything of it, and of `signs` where these are given; then only marks
    of these signs are doubted. Captures of the splits val and test are passed over. on_capture: told (done, of all).
    Kept in memory of each capture are its features alone. Raises InputError where there is nothing to rank, the model
    gives no features, or does not know a sign; a capture that cannot be read becomes a problem in the result.
    """
    _check(counter, captures, signs)
    known = {label.file for label in labelset.labels if label.rater == "" and (not signs or label.sign in signs)}
    labelled = [row for row in labelset.captures if row.file in known]
    open_ = [row for row in labelset.captures if row.file not in known and row.split not in HELD_OUT]
    if not open_:
        raise InputError(
            f"{labelset.folder}: nothing to rank: each of its {len(labelset.captures)} captures is labelled, or kept "
            "for val or test. List further captures in captures.csv, without lines in labels.csv."
        )
    seen: list[list[Looked]] = [[], []]
    problems: list[Problem] = []
    total = len(open_) + len(labelled)
    doubting = _doubting(counter)
    for group, rows in enumerate((open_, labelled)):
        for row in rows:
            try:
                seen[group].append(look(doubting, labelset.folder / row.file, row, signs, doubted=group == 0))
            except InputError as error:
                problems += error.problems
            if on_capture:
                on_capture(len(seen[0]) + len(seen[1]) + len(problems), total)
    return Suggested(tuple(ranked(seen[0], seen[1], captures)), len(seen[0]), len(seen[1]), tuple(problems))


def look(counter: Counter, path: Path, row: CaptureRow, signs: Collection[str] = (), *, doubted: bool = True) -> Looked:
    """One capture as counter sees it; its marks too where it is to be doubted. Raises InputError as Counter does."""
    scale = None if row.um_per_px is None else Scale(row.um_per_px, "table")
    features = counter.features(path, scale=scale)
    if not doubted:
        return Looked(row.file, row.patient, features)
    objects = counter.read(path, scale=scale, preparation=row.preparation).objects
    marks = [mark for mark in objects if not signs or mark.sign in signs]
    return Looked(row.file, row.patient, features, doubt_of(marks), len(marks))


def doubt_of(marks: Iterable[MarkedObject]) -> float:
    """Σ −p log₂ p − (1 − p) log₂(1 − p) over the marks' scores p: a mark at 0.5 is one bit, one at 0 or 1 none."""
    p = np.clip([1.0 if mark.score is None else mark.score for mark in marks], 1e-12, 1 - 1e-12)
    return float(-(p * np.log2(p) + (1 - p) * np.log2(1 - p)).sum())


def ranked(candidates: Sequence[Looked], labelled: Sequence[Looked], count: int) -> list[Suggestion]:
    """The first `count` of candidates by k-centre greedy, each distance weighted by (doubt + mean doubt) / 2 × mean.

    So a capture without any doubt counts half as much as one of mean doubt, and is still reached where it is unlike all
    others. Features are divided by their standard deviation over all captures. Ties go to the earlier candidate.
    """
    if not candidates:
        return []
    every = np.stack([one.features for one in (*candidates, *labelled)]).astype(np.float64)
    spread = every.std(axis=0)
    every /= np.where(spread > 0, spread, 1.0) * np.sqrt(max(int((spread > 0).sum()), 1))
    points, centres = every[: len(candidates)], every[len(candidates) :]
    doubt = np.array([one.doubt for one in candidates])
    mean = doubt.mean()
    weight = (doubt + mean) / (2 * mean) if mean else np.ones(len(candidates))
    distance = np.full(len(candidates), np.inf)
    nearest = [""] * len(candidates)
    for centre, one in zip(centres, labelled, strict=True):
        _approach(distance, nearest, points, centre, one.file)
    left = np.ones(len(candidates), np.bool_)
    chosen: list[Suggestion] = []
    while len(chosen) < count and left.any():
        # Nothing to be far from yet: the most doubted one.
        gain = weight if np.isinf(distance).all() else distance * weight
        at = int(np.argmax(np.where(left, gain, -1.0)))
        chosen.append(_suggestion(len(chosen) + 1, candidates[at], float(distance[at]), nearest[at], float(mean)))
        left[at] = False
        _approach(distance, nearest, points, points[at], candidates[at].file)
    return chosen


def _approach(
    distance: NDArray[np.float64],
    nearest: list[str],
    points: NDArray[np.float64],
    centre: NDArray[np.float64],
    name: str,
) -> None:
    """Takes centre (D,) into distance (N,) and nearest (N,), in place."""
    new = np.sqrt(np.square(points - centre).sum(axis=1))
    for closer in np.flatnonzero(new < distance):
        nearest[closer] = name
    np.minimum(distance, new, out=distance)


def _suggestion(rank: int, one: Looked, distance: float, nearest: str, mean_doubt: float) -> Suggestion:
    compared = f", {one.doubt / mean_doubt:.1f} times the mean" if mean_doubt else ""
    why = f"{one.doubt:.1f} bits of doubt in {one.marks} marks{compared}"
    far = distance if nearest else None
    if far is not None:
        why += f"; {far:.2f} SD from the nearest, {nearest}"
    return Suggestion(rank, one.file, one.patient, one.doubt, one.marks, far, nearest, why)


def _check(counter: Counter, captures: int, signs: Collection[str]) -> None:
    if captures < 1:
        raise InputError(f"{captures} captures were asked for; ask for 1 or more.")
    if "features" not in counter.spec.outputs:
        raise counter.model_file.refused("gives no features, by which captures are told apart")
    if unknown := sorted(set(signs) - set(counter.spec.sign_names)):
        raise InputError(
            f"the model does not count {', '.join(unknown)}; it counts {', '.join(counter.spec.sign_names)}."
        )


def _doubting(counter: Counter) -> Counter:
    """The same model, telling every mark it doubts: thresholds low, and no sign refused for what it missed."""
    spec = counter.spec
    signs = tuple(
        dataclasses.replace(channel, threshold=LOWEST_SCORE, clipped=None, recall=None, recall_se=None)
        for channel in spec.signs
    )
    low = copy.copy(counter)
    low.model_file = dataclasses.replace(counter.model_file, spec=dataclasses.replace(spec, signs=signs))
    return low

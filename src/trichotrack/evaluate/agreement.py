"""How far two or more readers of the same captures agree: places, classes and counts, with intervals."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trichotrack.detect.matching import match
from trichotrack.evaluate.agreement_result import (
    Agreement,
    AllReaders,
    ClassAgreement,
    Limits,
    PairAgreement,
    SignAgreement,
)
from trichotrack.evaluate.classes import class_agreement, wider
from trichotrack.evaluate.figures import Figure, summarise
from trichotrack.evaluate.points import CaptureScore
from trichotrack.evaluate.readers import Reader, Readings
from trichotrack.evaluate.run import DEFAULT_TOLERANCE_MM
from trichotrack.labels.patients import patients_notice
from trichotrack.labels.tables import CaptureRow, ObjectRow
from trichotrack.problems import InputError, Problem
from trichotrack.signs import DOTS, STRUCTURE
from trichotrack.stats.agreement import bland_altman, icc, icc_components, icc_of, limits_of

ANY_STRUCTURE, ANY_HAIR = "any structure", "any hair"

Points = NDArray[np.float64]
Statistic = Callable[[NDArray[np.float64]], NDArray[np.float64]]


@dataclass(frozen=True)
class _Of:
    """What is compared in one row: its name, and the signs that it is the sum of."""

    name: str
    signs: tuple[str, ...]


@dataclass(frozen=True)
class _Counted:
    """One row in one capture by two readers; pairs: (sign by first, by second) of the matched, None: not compared."""

    capture: CaptureRow
    counts: tuple[int, int]
    excused: tuple[int, int] = (0, 0)
    pairs: tuple[tuple[str, str], ...] | None = None


def agree(
    readings: Readings,
    *,
    signs: Sequence[str] = (),
    ignored_signs: Sequence[str] = (),
    tolerance_mm: float = DEFAULT_TOLERANCE_MM,
    resamples: int = 2000,
) -> Agreement:
    """Compares every pair of readers over the captures that both read; where there are more, all of them too.

    signs: those to compare; by default each that two readers labelled, and the sum of hairs and black dots, "any
    structure", beside "any hair" where there are dots among them. ignored_signs: left out of sums and classes; a mark
    on one of them by the other reader is neither right nor wrong. tolerance_mm: two marks so near, one to one, are of
    one structure; captures without a scale are counted only.
    Intervals (95 %): of F1, class agreement and count error by resampling patients; of κ, ICC and limits of agreement
    the closed form, and where a patient has several captures (for κ, always) each end is the farther one of that and
    of resampling patients. One patient gives none.
    Raises InputError where no pair of readers can be compared, with all reasons.
    """
    if not (tolerance_mm > 0 and math.isfinite(tolerance_mm)):
        raise InputError(f"a tolerance of {tolerance_mm} mm matches nothing; give a positive one.")
    unknown = [name for name in (*signs, *ignored_signs) if name not in readings.signs]
    if unknown:
        raise InputError(f"{', '.join(unknown)}: no such sign; there are {', '.join(readings.signs)}.")
    problems: list[Problem] = []
    pairs = []
    for first, second in itertools.combinations(readings.readers, 2):
        found = _pair(readings, first, second, signs, ignored_signs, tolerance_mm, resamples)
        if found.signs:
            pairs.append(found)
        else:
            remedy = "Both must have labelled a sign exhaustively, or by count, in two captures at least."
            problems.append(Problem(f"{first.name} and {second.name}", found.refused, remedy))
    if not pairs:
        raise InputError(problems)
    together = _together(readings, signs, ignored_signs, resamples) if len(readings.readers) > 2 else ()
    names = tuple(reader.name for reader in readings.readers)
    refused = tuple(f"{problem.place}: {problem.message}" for problem in problems)
    notice = patients_notice(readings.captures.values())
    return Agreement(names, tolerance_mm, tuple(ignored_signs), tuple(pairs), together, refused, notice)


def _pair(
    readings: Readings,
    first: Reader,
    second: Reader,
    wanted: Sequence[str],
    ignored: Sequence[str],
    tolerance_mm: float,
    resamples: int,
) -> PairAgreement:
    by_both = [name for name in readings.signs if _captures_with(readings, (first, second), name)]
    rows = _rows(readings, by_both, wanted, ignored)
    found, used = [], {}
    refusals = []
    for row in rows:
        counted = _counted(readings, (first, second), row, ignored, tolerance_mm)
        if len(counted) < 2:
            refusals.append(f"{row.name}: {len(counted)} captures read by both, 2 needed")
            continue
        used.update({one.capture.file: one.capture for one in counted})
        found.append(_sign_agreement(row, counted, resamples))
    wholes = [row for row in rows if row.name == ANY_STRUCTURE]
    classes, refused = _classes(readings, (first, second), wholes, ignored, tolerance_mm, resamples)
    if not found:
        refused = "; ".join(refusals) or "no sign was labelled exhaustively or by count by both in the same capture"
    read = [{file for file, _ in reader.labels} for reader in (first, second)]
    return PairAgreement(
        first.name,
        second.name,
        captures=len(used),
        patients=len({capture.patient for capture in used.values()}),
        one_only=len(read[0] ^ read[1]),
        without_scale=sum(capture.um_per_px is None for capture in used.values()),
        signs=tuple(found),
        classes=classes,
        refused=refused,
        left_out=tuple(refusals),
    )


def _captures_with(readings: Readings, readers: Sequence[Reader], sign: str) -> list[str]:
    return [file for file in readings.captures if all(reader.count(file, sign) is not None for reader in readers)]


def _rows(readings: Readings, by_both: Sequence[str], wanted: Sequence[str], ignored: Sequence[str]) -> list[_Of]:
    """The signs to compare, then their sums. A parent is no part of a sum where its children are."""
    singles = [_Of(name, (name,)) for name in (wanted or by_both) if name not in ignored]
    parents = {readings.signs[name].parent for name in by_both}
    of_group = [
        name for name in by_both
        if name not in ignored and name not in parents and readings.signs[name].group == STRUCTURE
    ]  # fmt: skip
    sums = []
    if len(of_group) > 1:
        sums.append(_Of(ANY_STRUCTURE, tuple(of_group)))
    hairs = tuple(name for name in of_group if name not in DOTS)
    if 1 < len(hairs) < len(of_group):
        sums.append(_Of(ANY_HAIR, hairs))
    return singles + (sums if not wanted else sums[:1])


def _counted(
    readings: Readings, readers: tuple[Reader, Reader], row: _Of, ignored: Sequence[str], tolerance_mm: float
) -> list[_Counted]:
    """One row in every capture that both readers say it of."""
    found = []
    for file, capture in readings.captures.items():
        marked = [_all_marked(reader, file, row.signs) for reader in readers]
        first, second = marked
        if first is None or second is None or capture.um_per_px is None:
            counts = [_total(reader, file, row.signs) for reader in readers]
            if counts[0] is not None and counts[1] is not None:
                found.append(_Counted(capture, (counts[0], counts[1])))
            continue
        tolerance_px = tolerance_mm * 1000 / capture.um_per_px
        excusing = [
            [one for one in reader.objects.get(file, []) if one.sign in ignored and one.sign not in row.signs]
            for reader in readers
        ]
        matched = match(_points(first), _points(second), tolerance_px)
        # A mark of one on what the other called an ignored sign is neither right nor wrong.
        excused = (
            len(match(_points(first), _points(second + excusing[1]), tolerance_px)) - len(matched),
            len(match(_points(first + excusing[0]), _points(second), tolerance_px)) - len(matched),
        )
        pairs = tuple((first[i].sign, second[j].sign) for i, j in matched)
        found.append(_Counted(capture, (len(first), len(second)), excused, pairs))
    return found


def _all_marked(reader: Reader, file: str, signs: Sequence[str]) -> list[ObjectRow] | None:
    parts = [reader.marked(file, sign) for sign in signs]
    return None if any(part is None for part in parts) else [one for part in parts for one in part or ()]


def _total(reader: Reader, file: str, signs: Sequence[str]) -> int | None:
    counts = [reader.count(file, sign) for sign in signs]
    return None if any(count is None for count in counts) else sum(count or 0 for count in counts)


def _points(marked: Iterable[ObjectRow]) -> Points:
    return np.array([(one.x, one.y) for one in marked], np.float64).reshape(-1, 2)


def _sign_agreement(row: _Of, counted: Sequence[_Counted], resamples: int) -> SignAgreement:
    scores = []
    for one in counted:
        right = None if one.pairs is None else len(one.pairs)
        missed, false = (
            (None, None)
            if right is None
            else (one.counts[0] - right - one.excused[0], one.counts[1] - right - one.excused[1])
        )
        scores.append(
            CaptureScore(one.capture.patient, one.capture.file, row.name, right, false, missed, *one.counts[::-1])
        )
    figures = summarise(scores, resamples=resamples)[row.name]
    counts = np.array([one.counts for one in counted], np.float64)
    patients = [one.capture.patient for one in counted]
    refused: dict[str, str] = {}
    if not figures.located:
        refused["f1"] = "no capture with a scale has its places marked by both"
    shared, why = _icc(counts, patients, resamples)
    limits, why_not = _limits(counts, patients, resamples)
    refused |= {name: reason for name, reason in (("icc", why), ("limits", why_not)) if reason}
    return SignAgreement(
        row.name,
        captures=figures.captures,
        patients=figures.patients,
        located=figures.located,
        first=figures.labelled,
        second=figures.predicted,
        matched=sum(score.tp or 0 for score in scores),
        f1=figures.f1,
        count_mae=figures.count_mae,
        icc=shared,
        limits=limits,
        refused=refused,
    )


def _icc(counts: Points, patients: Sequence[str], resamples: int) -> tuple[Figure | None, str]:
    try:
        closed = icc(counts)
    except InputError as error:
        return None, str(error)
    return wider(closed, icc_components(counts), icc_of, patients, resamples), ""


def _limits(counts: Points, patients: Sequence[str], resamples: int) -> tuple[Limits | None, str]:
    try:
        closed = bland_altman(counts[:, 0], counts[:, 1])
    except InputError as error:
        return None, str(error)
    differences = counts[:, 1] - counts[:, 0]
    components = np.column_stack([np.ones(len(counts)), differences, differences**2])
    bias, lower, upper = (
        wider(estimate, components, lambda sums, i=i: limits_of(sums)[..., i], patients, resamples)  # type: ignore[misc]
        for i, estimate in enumerate((closed.bias, closed.lower, closed.upper))
    )
    return Limits(bias, closed.sd, lower, upper), ""


def _classes(
    readings: Readings,
    readers: tuple[Reader, Reader],
    wholes: Sequence[_Of],
    ignored: Sequence[str],
    tolerance_mm: float,
    resamples: int,
) -> tuple[ClassAgreement | None, str]:
    """Of the structures that both marked, those called the same; and why not, where that cannot be told."""
    if not wholes:
        return None, "fewer than two signs of one group were labelled by both: no class to agree on"
    whole = wholes[0]
    counted = [one for one in _counted(readings, readers, whole, ignored, tolerance_mm) if one.pairs is not None]
    found = [(one.capture.patient, one.pairs or ()) for one in counted]
    return class_agreement(found, whole.signs, resamples)


def _together(
    readings: Readings, wanted: Sequence[str], ignored: Sequence[str], resamples: int
) -> tuple[AllReaders, ...]:
    """ICC(2,1) over all readers at once."""
    readers = readings.readers
    by_all = [name for name in readings.signs if _captures_with(readings, readers, name)]
    found = []
    for row in _rows(readings, by_all, wanted, ignored):
        counts, patients = [], []
        for file, capture in readings.captures.items():
            of_readers = [_total(reader, file, row.signs) for reader in readers]
            if None not in of_readers:
                counts.append(of_readers)
                patients.append(capture.patient)
        table = np.array(counts, np.float64).reshape(-1, len(readers))
        value, refused = _icc(table, patients, resamples)
        found.append(AllReaders(row.name, len(counts), len(set(patients)), value, refused))
    return tuple(found)

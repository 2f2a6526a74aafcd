"""A model read over labelled captures and compared with the labels."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from trichotrack.detect.decode import chance_of_any
from trichotrack.detect.matching import match
from trichotrack.evaluate.classes import CapturePairs, class_agreement
from trichotrack.evaluate.evaluation import Comparison, Evaluation
from trichotrack.evaluate.figures import summarise
from trichotrack.evaluate.points import CaptureScore, sweep_capture
from trichotrack.evaluate.presence import CapturePresence, presence_of
from trichotrack.evaluate.provenance import labels_sha256
from trichotrack.geometry import Scale
from trichotrack.labels.derive import with_parents
from trichotrack.labels.folds import FOLD
from trichotrack.labels.masks import on_mask, read_mask
from trichotrack.labels.patients import patients_notice
from trichotrack.labels.tables import CaptureRow, LabelRow, LabelSet, ObjectRow
from trichotrack.pictures import Mark
from trichotrack.problems import InputError, Problem
from trichotrack.runtime.reading import MarkedObject, ModelRef, Reading
from trichotrack.runtime.spec import SEEN_DIGITS, ModelSpec
from trichotrack.signs import STRUCTURE, Sign

DEFAULT_TOLERANCE_MM = 0.15
"""For a model whose spec names none."""

TELLS_PRESENCE = ("exhaustive", "count", "presence")
"""Levels of labels that say whether a capture has a sign."""


class Reader(Protocol):
    """What reads captures: a Counter, or anything that gives readings by the same model."""

    @property
    def spec(self) -> ModelSpec: ...

    @property
    def model(self) -> ModelRef: ...

    def read(self, capture: Path, *, scale: Scale | None, preparation: str) -> Reading: ...


@dataclass(frozen=True)
class _Known:
    """The labels of one rater, by capture."""

    labels: Mapping[tuple[str, str], LabelRow]
    objects: Mapping[str, list[ObjectRow]]

    def level_of(self, file: str, sign: str) -> str:
        """One of labels.rows.LEVELS, or "" where nothing is known."""
        label = self.labels.get((file, sign))
        return label.level if label else ""


@dataclass(frozen=True)
class _Tolerance:
    """How near a mark must be: in mm, or, of a model without scales, in px of images of a long side."""

    mm: float | None
    px: float | None = None
    long_side_px: int | None = None

    def in_capture(self, scale: Scale | None, reading: Reading) -> float | None:
        """In px of the original; None where nothing says how far that is, and marks are only counted."""
        if self.mm is not None:
            return self.mm * 1000 / scale.um_per_px if scale else None
        if self.px is None or self.long_side_px is None:
            return None
        return self.px * max(reading.width, reading.height) / self.long_side_px


@dataclass
class _Tally:
    """What has been found so far, over captures."""

    scores: list[CaptureScore] = field(default_factory=list)
    comparisons: list[Comparison] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    unlabelled: dict[str, int] = field(default_factory=dict)
    refused: dict[str, int] = field(default_factory=dict)
    patients: set[str] = field(default_factory=set)
    pairs: list[CapturePairs] = field(default_factory=list)
    presences: list[CapturePresence] = field(default_factory=list)
    digests: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0


def evaluate(
    reader: Reader,
    labelset: LabelSet,
    *,
    split: str | None = None,
    tolerance_mm: float | None = None,
    rater: str = "",
    signs: Sequence[str] = (),
    ignored_signs: Sequence[str] | None = None,
    name: str = "",
    resamples: int = 2000,
    on_capture: Callable[[int, int], None] | None = None,
) -> Evaluation:
    """Reads each labelled capture and compares its marks with rater's labels (blank: the reference).

    split: only captures of that split. tolerance_mm: a mark within it of a labelled point is right, one to one; by
    default that of the model's spec. A model trained without scales is judged by its own tolerance in px of the
    resampled image, and by no other. signs: those to compare; by default all that the model counts and the labels
    hold. A sign that others declare as their parent is counted as their sum where the model has no channel for it.
    ignored_signs: a mark on one of these is neither right nor wrong; by default those of the model's spec that the
    labels know. name: of the data, by default that of the folder. on_capture: told (done, of all).
    A capture that is not exhaustively labelled for a sign says nothing of it; one labelled by number, or read without
    a scale, is counted only. Where of some captures only a sign's presence is known, it is said how well captures with
    it are told from those without. Where a capture has a valid_area, what lies off it is neither right nor wrong.
    Raises InputError where nothing can be compared; a capture that cannot be read becomes a problem in the result.
    """
    tolerance = _tolerance(reader.spec, tolerance_mm)
    hashed = labels_sha256(labelset, rater)
    labelset = with_parents(labelset)
    if ignored_signs is None:
        ignored_signs = [sign for sign in reader.spec.ignored if sign in labelset.signs and sign not in signs]
    known = _known(labelset, rater)
    captures = _chosen(labelset, split)
    channels = _comparable(reader.spec, labelset, known, signs, ignored_signs)
    tally = _Tally(unlabelled=dict.fromkeys(channels, 0), refused=dict.fromkeys(channels, 0))
    for done, capture in enumerate(captures, 1):
        _compare(reader, labelset, capture, known, channels, tolerance, ignored_signs, tally)
        if on_capture:
            on_capture(done, len(captures))
    return Evaluation(
        model=reader.model,
        data=name or labelset.folder.resolve().name,
        split=split,
        rater=rater,
        tolerance_mm=tolerance.mm,
        ignored_signs=tuple(ignored_signs),
        captures=len(tally.comparisons),
        patients=len(tally.patients),
        signs=summarise(tally.scores, resamples=resamples),
        scores=tuple(tally.scores),
        unlabelled=tally.unlabelled,
        refused=tally.refused,
        comparisons=tuple(tally.comparisons),
        problems=tuple(tally.problems),
        seconds=tally.seconds,
        classes=class_agreement([(one.patient, one.pairs) for one in tally.pairs], list(channels), resamples)[0],
        patients_notice=patients_notice(captures),
        splits=Counter(capture.split for capture in captures if capture.split),
        presence={
            sign: presence_of(sign, tally.presences)
            for sign in dict.fromkeys(told.sign for told in tally.presences)
            if any(known.level_of(capture.file, sign) == "presence" for capture in captures)
        },
        presences=tuple(tally.presences),
        pairs=tuple(tally.pairs),
        tolerance_px=tolerance.px,
        long_side_px=tolerance.long_side_px,
        labels_sha256=hashed,
        seen=_seen(reader.spec, tally.digests),
        seen_wholly=reader.spec.seen_wholly,
        by_fold=_by_fold(labelset.captures, {one.file for one in tally.comparisons}),
    )


def _by_fold(captures: Sequence[CaptureRow], evaluated: Collection[str]) -> dict[str, tuple[int, int]]:
    """How many of a set's captures are evaluated and how many there are, by fold; nothing of a set without folds."""
    of_fold: dict[str, list[bool]] = {}
    for capture in captures:
        if fold := capture.extra.get(FOLD):
            of_fold.setdefault(fold, []).append(capture.file in evaluated)
    return {fold: (sum(those), len(those)) for fold, those in sorted(of_fold.items())}


def _seen(spec: ModelSpec, digests: Mapping[str, str]) -> dict[str, str] | None:
    """Of the captures (file to SHA-256) those that the model saw, and what they did for it; None: not known."""
    seen = spec.seen
    if seen is None:
        return None
    short = {file: digest[:SEEN_DIGITS] for file, digest in digests.items()}
    return {file: seen[digest] for file, digest in short.items() if digest in seen}


def _tolerance(spec: ModelSpec, given_mm: float | None) -> _Tolerance:
    if spec.um_per_px is None:
        if given_mm is not None:
            own = f"within {spec.tolerance_px:g} px" if spec.tolerance_px else "by number alone"
            raise InputError(
                f"the model {spec.name} was trained without scales: mm mean nothing to it, and it is judged {own} in "
                f"images of a long side of {spec.long_side_px} px. Leave the tolerance out."
            )
        return _Tolerance(None, spec.tolerance_px, spec.long_side_px)
    mm = (spec.tolerance_mm or DEFAULT_TOLERANCE_MM) if given_mm is None else given_mm
    if not mm > 0:
        raise InputError(f"a tolerance of {mm} mm matches nothing; give a positive one.")
    return _Tolerance(mm)


def _compare(
    reader: Reader,
    labelset: LabelSet,
    capture: CaptureRow,
    known: _Known,
    channels: Mapping[str, tuple[str, ...]],
    tolerance: _Tolerance,
    ignored_signs: Sequence[str],
    tally: _Tally,
) -> None:
    """One capture into the tally."""
    labels = {sign: known.labels.get((capture.file, sign)) for sign in channels}
    scored = [sign for sign, label in labels.items() if label is not None and label.level in {"exhaustive", "count"}]
    told = [sign for sign in channels if known.level_of(capture.file, sign) in TELLS_PRESENCE]
    for sign in channels:
        tally.unlabelled[sign] += sign not in told
    if not told:
        return
    started = time.perf_counter()
    try:
        scale = None if capture.um_per_px is None else Scale(capture.um_per_px, "table")
        path = labelset.folder / capture.file
        reading = reader.read(path, scale=scale, preparation=capture.preparation)
        mask = _mask(labelset, capture, reading)
    except InputError as error:
        tally.problems += error.problems
        return
    tally.seconds += time.perf_counter() - started
    tally.digests[capture.file] = reading.sha256
    objects = [marked for marked in known.objects.get(capture.file, []) if on_mask(mask, marked.x, marked.y)]
    marks = [marked for marked in reading.objects if on_mask(mask, marked.x, marked.y)]
    if mask is not None and scale and reading.area_cm2 is not None:
        reading = replace(reading, area_cm2=scale.area_cm2(reading.width, reading.height) * float(mask.mean()))
    tolerance_px = tolerance.in_capture(scale, reading)
    ignored_xy = _points(marked for marked in objects if marked.sign in ignored_signs)
    labelled: list[Mark] = []
    predicted: list[Mark] = []
    for sign in told:
        if any(reading.signs[channel].status == "refused" for channel in channels[sign] if channel in reading.signs):
            tally.refused[sign] += 1
            continue
        truth = [marked for marked in objects if marked.sign == sign]
        label = labels[sign]
        present = bool(truth) if label is None or label.value is None else label.value > 0
        chance = _chance(reading, channels[sign], mask)
        tally.patients.add(capture.patient)
        tally.presences.append(CapturePresence(capture.patient, capture.file, sign, present, chance))
        if sign not in scored:
            continue
        found = [marked for marked in marks if marked.sign in channels[sign]]
        tally.scores.append(_score(capture, labels[sign], truth, found, ignored_xy, tolerance_px, reading))
        if not _is_drawn_as_children(sign, scored, labelset.signs):
            labelled += [_mark(marked, sign) for marked in truth]
            predicted += [_mark(marked, sign) for marked in found]
    if tolerance_px is not None:
        named_by = [sign for sign in scored if _tells_class(sign, labels[sign], channels, reading, labelset.signs)]
        named = [one for one in objects if one.sign in named_by]
        marked = [one for one in marks if one.sign in named_by]
        matched = match(_points(named), _points(marked), tolerance_px)
        pairs = [(named[i].sign, marked[j].sign) for i, j in matched]
        tally.pairs.append(CapturePairs(capture.patient, capture.file, pairs))
    tally.comparisons.append(Comparison(capture.file, capture.patient, tuple(labelled), tuple(predicted)))


def _tells_class(
    sign: str,
    label: LabelRow | None,
    channels: Mapping[str, tuple[str, ...]],
    reading: Reading,
    signs: Mapping[str, Sign],
) -> bool:
    """Whether a structure of sign has that name beside others: its places are labelled, and the model counts itself."""
    return (
        label is not None
        and label.level == "exhaustive"
        and channels[sign] == (sign,)
        and reading.signs[sign].status == "counted"
        and signs[sign].group == STRUCTURE
        and not any(signs[other].parent == sign for other in channels)
    )


def _mask(labelset: LabelSet, capture: CaptureRow, reading: Reading) -> NDArray[np.bool_] | None:
    if not capture.valid_area:
        return None
    return read_mask(labelset.folder / capture.valid_area, (reading.width, reading.height))


def _chance(reading: Reading, channels: Sequence[str], mask: NDArray[np.bool_] | None) -> float:
    """That any mark of the channels on the mask (H, W; None: the whole picture) is right, as the reading has it.

    The marks off it are divided out of its presences; those too weak to be listed are where they are.
    """
    chance = chance_of_any(np.array([reading.signs[channel].presence or 0.0 for channel in channels]))
    if mask is None:
        return chance
    marks = [marked for marked in reading.objects if marked.sign in channels]
    off, on = (
        np.array([marked.score or 0.0 for marked in marks if on_mask(mask, marked.x, marked.y) is there])
        for there in (False, True)
    )
    none_off = 1.0 - chance_of_any(off)
    return 1.0 - min(1.0, (1.0 - chance) / none_off) if none_off > 0 else chance_of_any(on)


def _score(
    capture: CaptureRow,
    label: LabelRow | None,
    truth: Sequence[ObjectRow],
    found: Sequence[MarkedObject],
    ignored_xy: NDArray[np.float64],
    tolerance_px: float | None,
    reading: Reading,
) -> CaptureScore:
    sign = label.sign if label else ""
    by_number = label is not None and label.level == "count"
    if by_number or tolerance_px is None:
        counts = (len(found), round(label.value or 0) if label and by_number else len(truth))
        return CaptureScore(capture.patient, capture.file, sign, None, None, None, *counts, reading.area_cm2)
    scores = np.array([1.0 if marked.score is None else marked.score for marked in found], np.float64)
    sweep = sweep_capture(
        _points(truth),
        (_points(found), scores),
        ignored_xy,
        tolerance_px,
        patient=capture.patient,
        file=capture.file,
        sign=sign,
        area_cm2=reading.area_cm2,
    )
    return sweep.at(0.0)  # the reader has applied the model's thresholds


def _known(labelset: LabelSet, rater: str) -> _Known:
    labels = {(label.file, label.sign): label for label in labelset.labels if label.rater == rater}
    if not labels:
        raters = sorted({label.rater or "the reference (blank)" for label in labelset.labels})
        raise InputError(f"{labelset.folder}: no label is by rater {rater!r}; there are labels by {', '.join(raters)}.")
    objects: dict[str, list[ObjectRow]] = {}
    for marked in labelset.objects:
        if marked.rater == rater:
            objects.setdefault(marked.file, []).append(marked)
    return _Known(labels, objects)


def _chosen(labelset: LabelSet, split: str | None) -> list[CaptureRow]:
    captures = [capture for capture in labelset.captures if split is None or capture.split == split]
    if not captures:
        splits = sorted({capture.split for capture in labelset.captures if capture.split})
        known = f"there are {', '.join(splits)}" if splits else "none is split yet: `trichotrack labels split` does it"
        raise InputError(f"{labelset.folder}: no capture is in split {split!r}; {known}.")
    return captures


def _comparable(
    spec: ModelSpec, labelset: LabelSet, known: _Known, wanted: Sequence[str], ignored: Sequence[str]
) -> dict[str, tuple[str, ...]]:
    """The model's channels that count each sign to compare; InputError where a wanted sign cannot be."""
    scored = {label.sign for label in known.labels.values() if label.level in TELLS_PRESENCE}
    unknown = [sign for sign in (*wanted, *ignored) if sign not in labelset.signs]
    if unknown:
        raise InputError(
            f"{', '.join(unknown)}: no such sign in {labelset.folder}; it knows {', '.join(labelset.signs)}."
        )
    channels = {}
    faults = []
    for sign in wanted or [name for name in labelset.signs if name in scored and name not in ignored]:
        counted = channels_of(sign, spec.sign_names, labelset.signs)
        if counted and sign in scored:
            channels[sign] = counted
        elif counted:
            faults.append(f"{sign} is nowhere labelled exhaustively, by number or by presence")
        else:
            faults.append(f"{sign} is not counted by the model")
    if (wanted and faults) or not channels:
        told = "; ".join(faults) or f"{labelset.folder} has nothing labelled exhaustively, by number or by presence"
        raise InputError(f"{told}. The model {spec.name} counts {', '.join(spec.sign_names)}.")
    return channels


def channels_of(sign: str, counted: Sequence[str], signs: Mapping[str, Sign]) -> tuple[str, ...]:
    """The model's signs that together count `sign`: itself, or all its children; () where any of them is missing."""
    if sign in counted:
        return (sign,)
    children = [other.name for other in signs.values() if other.parent == sign]
    parts = [channels_of(child, counted, signs) for child in children]
    return tuple(channel for part in parts for channel in part) if all(parts) else ()


def _is_drawn_as_children(sign: str, scored: Sequence[str], signs: Mapping[str, Sign]) -> bool:
    return any(signs[other].parent == sign for other in scored if other in signs)


def _points(marked: Iterable[ObjectRow | MarkedObject]) -> NDArray[np.float64]:
    return np.array([(one.x, one.y) for one in marked], np.float64).reshape(-1, 2)


def _mark(marked: ObjectRow | MarkedObject, sign: str) -> Mark:
    tip = None if marked.tip_x is None or marked.tip_y is None else (marked.tip_x, marked.tip_y)
    return sign, marked.x, marked.y, tip

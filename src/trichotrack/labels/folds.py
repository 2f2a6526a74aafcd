"""Folds and held-out groups: patients shared out so that each part shows each sign, nobody divided."""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence

import numpy as np

from trichotrack.labels.rows import CAPTURE_COLUMNS
from trichotrack.labels.split import patients_to_draw, split_by_patient
from trichotrack.labels.tables import CaptureRow, LabelSet
from trichotrack.problems import InputError

FOLD = "fold"
"""The column of captures.csv that says in which fold a capture validates: 1, 2 and so on; empty for `test`."""

Units = dict[str, tuple[str, ...]]
"""Patients who stay together, by a name of their unit; each patient in one unit."""


def shown_in(labelset: LabelSet) -> dict[str, set[str]]:
    """By sign of the reference labels: the patients in whom it is seen (marked, counted above 0, or present)."""
    patient_of = {capture.file: capture.patient for capture in labelset.captures}
    shown: dict[str, set[str]] = {label.sign: set() for label in labelset.labels if not label.rater}
    for label in labelset.labels:
        if label.value and not label.rater:
            shown[label.sign].add(patient_of[label.file])
    for marked in labelset.objects:
        if not marked.rater:
            shown.setdefault(marked.sign, set()).add(patient_of[marked.file])
    return shown


def column_of(capture: CaptureRow, column: str) -> str:
    """A column of captures.csv, one of its own or one that was added; "" where it is not there."""
    if column in CAPTURE_COLUMNS:
        return str(getattr(capture, column) or "")
    return capture.extra.get(column, "")


def units_by(labelset: LabelSet, column: str = "") -> Units:
    """Patients each for themselves; with a column (`device`, `clinic`), all who share a value of it together.

    A patient seen with two devices ties these together. Raises InputError where the column is not there or has gaps.
    """
    if not column:
        return {patient: (patient,) for patient in sorted({capture.patient for capture in labelset.captures})}
    _refuse_gaps(labelset, column)
    unit_of: dict[tuple[str, str], str] = {}
    members: dict[str, set[tuple[str, str]]] = {}
    for capture in sorted(labelset.captures, key=lambda row: (column_of(row, column), row.patient)):
        nodes = {("patient", capture.patient), ("value", column_of(capture, column))}
        joined = {unit_of[node] for node in nodes if node in unit_of}
        name = min(joined, default=column_of(capture, column))
        together = nodes.union(*(members.pop(other) for other in joined))
        members[name] = together
        unit_of |= dict.fromkeys(together, name)
    return {
        name: tuple(sorted(patient for kind, patient in nodes if kind == "patient"))
        for name, nodes in sorted(members.items())
    }


def _refuse_gaps(labelset: LabelSet, column: str) -> None:
    if column in {"file", "patient", "split", FOLD}:
        raise InputError(f"--by {column}: name a column that groups patients, such as device or clinic.")
    values = [column_of(capture, column) for capture in labelset.captures]
    if not any(values):
        added = sorted({name for capture in labelset.captures for name in capture.extra})
        raise InputError(
            f"--by {column}: captures.csv has nothing in that column. Fill it in"
            + (f", or name another; beyond the usual ones there are {', '.join(added)}." if added else ".")
        )
    if blank := [capture.file for capture, value in zip(labelset.captures, values, strict=True) if not value]:
        raise InputError(
            f"--by {column}: it is empty for {len(blank)} of {len(values)} captures (first {blank[0]}). Fill it in: "
            "what is of an unknown group cannot be held out."
        )


def share_out(
    labelset: LabelSet, units: Units, shares: Mapping[str, float], seed: int, placed: Mapping[str, str] | None = None
) -> dict[str, str]:
    """By patient, the part it goes to; units stay whole, each sign is spread over the parts as evenly as they allow.

    Iterative stratification (Sechidis, Tsoumakas & Vlahavas 2011): the rarest sign still to be placed first, its units
    to the part that lacks it most, then to the one that lacks patients most, then structures. Large units go first,
    then the quarter richest in structures, within a quarter in an order drawn by seed. Parts keep their size: none
    takes more patients than its share, rounded up, while another has room. Only labelled patients count, and each unit
    has one. placed: by patient, the part of those who stay where they are; shares are of them and of units together.
    Raises InputError where there are fewer units than
    parts that are empty.
    """
    placed = placed or {}
    empty = [part for part in shares if part not in placed.values()]
    if len(units) < len(empty):
        raise InputError(
            f"{len(units)} groups of patients cannot be shared among {len(empty)} parts ({', '.join(empty)}): each "
            "part needs one of its own. Ask for fewer parts, or group by another column."
        )
    counted = patients_to_draw(labelset)
    size = {name: len(counted.intersection(members)) for name, members in units.items()}
    people = counted & ({patient for members in units.values() for patient in members} | placed.keys())
    drawn = np.random.default_rng(seed).permutation(len(units)).tolist()
    order = dict(zip(units, drawn, strict=True))
    amount = _structures(labelset, units)
    richest = sorted(units, key=lambda name: (-amount[name], name))
    quarter = {name: 4 * place // len(units) for place, name in enumerate(richest)}
    shown = shown_in(labelset)
    has = {name: {sign: len(shown[sign] & set(people)) for sign in shown} for name, people in units.items()}
    there = {part: {patient for patient, where in placed.items() if where == part} for part in shares}
    lacking = {
        part: {sign: share * len(shown[sign] & people) - len(shown[sign] & there[part]) for sign in shown}
        for part, share in shares.items()
    }
    room = {part: share * len(people) - len(there[part]) for part, share in shares.items()}
    load = dict.fromkeys(shares, 0.0)
    left, part_of = set(units), dict[str, str]()
    while left:
        waiting = {sign: [name for name in left if has[name][sign]] for sign in shown}
        sign = min((sign for sign in shown if waiting[sign]), key=lambda sign: (len(waiting[sign]), sign), default="")
        name = min(waiting.get(sign, left), key=lambda unit: (-size[unit], quarter[unit], order[unit]))
        # Parts that would stay empty come first once the units are only just enough for them.
        roomy = [part for part in shares if room[part] > 0] or list(shares)
        open_to = empty if len(left) <= len(empty) else roomy
        part = max(open_to, key=lambda part: (lacking[part].get(sign, 0.0), room[part], -load[part] / shares[part]))
        part_of |= dict.fromkeys(units[name], part)
        left.remove(name)
        empty = [other for other in empty if other != part]
        room[part] -= size[name]
        load[part] += amount[name] * size[name]
        for other, patients in has[name].items():
            lacking[part][other] -= patients
    return part_of


def _labelled(labelset: LabelSet, units: Units) -> Units:
    """Units of whom anything is known: the others are not drawn."""
    counted = patients_to_draw(labelset)
    return {name: people for name, people in units.items() if counted.intersection(people)}


def _structures(labelset: LabelSet, units: Units) -> dict[str, float]:
    """Structures marked or counted a capture, by unit."""
    unit_of = {patient: name for name, people in units.items() for patient in people}
    captures: dict[str, int] = defaultdict(int)
    amount: dict[str, float] = defaultdict(float)
    where = {capture.file: unit_of[capture.patient] for capture in labelset.captures if capture.patient in unit_of}
    for name in where.values():
        captures[name] += 1
    for marked in labelset.objects:
        if not marked.rater and marked.file in where:
            amount[where[marked.file]] += 1
    for label in labelset.labels:
        if label.level == "count" and not label.rater and label.file in where:
            amount[where[label.file]] += label.value or 0
    return {name: amount[name] / max(1, captures[name]) for name in units}


def with_folds(labelset: LabelSet, folds: int, seed: int, *, by: str = "") -> LabelSet:
    """The set with `fold` 1 to folds for every capture that is not of split `test`; `split` by fold 1.

    Each patient is in one fold, and validates once when each fold in turn does. Who has no reference label is in none,
    and always trains.
    """
    if folds < 2:
        raise InputError(f"--folds {folds}: at least 2, so that one can validate while the rest is learnt from.")
    kept = _only(labelset, lambda row: row.split != "test")
    names = {str(number): 1 / folds for number in range(1, folds + 1)}
    fold_of = share_out(kept, _labelled(kept, units_by(kept, by)), names, seed)
    captures = tuple(
        dataclasses.replace(
            row,
            split=row.split if row.split == "test" else "train",
            extra={**row.extra, FOLD: "" if row.split == "test" else fold_of.get(row.patient, "")},
        )
        for row in labelset.captures
    )
    return use_fold(dataclasses.replace(labelset, captures=captures), 1)


def use_fold(labelset: LabelSet, fold: int) -> LabelSet:
    """The set with `val` for the captures of a fold and `train` for the other folds'; `test` stays as it is."""
    known = {capture.extra.get(FOLD, "") for capture in labelset.captures} - {""}
    if str(fold) not in known:
        there = ", ".join(sorted(known, key=lambda name: (len(name), name))) or "none; --folds 5 makes them"
        raise InputError(f"--fold {fold}: no capture is of that fold. Folds there are: {there}.")
    captures = tuple(
        row
        if row.split == "test" or not row.extra.get(FOLD)
        else dataclasses.replace(row, split="val" if row.extra[FOLD] == str(fold) else "train")
        for row in labelset.captures
    )
    return dataclasses.replace(labelset, captures=captures)


def without_folds(labelset: LabelSet) -> LabelSet:
    """The set with `fold` empty wherever it is there: folds of an earlier draw say nothing of another split."""
    captures = tuple(
        dataclasses.replace(row, extra={**row.extra, FOLD: ""}) if FOLD in row.extra else row
        for row in labelset.captures
    )
    return dataclasses.replace(labelset, captures=captures)


def hold_out(labelset: LabelSet, column: str, values: Collection[str], val: float, seed: int) -> LabelSet:
    """The set with `test` for every patient with a capture whose column has one of values; others: split_by_patient.

    val: share of the other patients that validate.
    """
    _refuse_gaps(labelset, column)
    known = sorted({column_of(capture, column) for capture in labelset.captures})
    if absent := sorted(set(values) - set(known)):
        raise InputError(f"--hold-out {', '.join(absent)}: column {column} has {', '.join(known)}.")
    apart = {capture.patient for capture in labelset.captures if column_of(capture, column) in values}
    others = _only(labelset, lambda row: row.patient not in apart)
    if not others.captures:
        raise InputError(f"--hold-out {', '.join(sorted(values))}: every patient has captures of it; nobody is left.")
    shares = {"train": round(1 - val, 9), "val": val} if val else {"train": 1.0}
    split_of = {row.patient: row.split for row in split_by_patient(others, shares, seed).captures}
    captures = tuple(
        dataclasses.replace(row, split="test" if row.patient in apart else split_of[row.patient])
        for row in labelset.captures
    )
    return dataclasses.replace(labelset, captures=captures)


def split_by_groups(labelset: LabelSet, column: str, shares: Mapping[str, float], seed: int) -> LabelSet:
    """The set with `split` filled so that no value of a column is in two splits. shares: of the patients, add to 1.

    Groups in which nobody has a reference label train.
    """
    part_of = share_out(labelset, _labelled(labelset, units_by(labelset, column)), shares, seed)
    captures = tuple(dataclasses.replace(row, split=part_of.get(row.patient, "train")) for row in labelset.captures)
    return dataclasses.replace(labelset, captures=captures)


def with_every_sign(labelset: LabelSet) -> LabelSet:
    """The set split as it is, but patients exchanged where a split lacks a sign that as many patients as splits show.

    Only as many as that takes, and never so that another split loses its last patient with a sign; sets in which no
    sign is missing anywhere are given back unchanged.
    """
    split_of = {capture.patient: capture.split for capture in labelset.captures}
    splits = sorted(set(split_of.values()))
    known = patients_to_draw(labelset)
    shown = shown_in(labelset)
    for sign in sorted(shown, key=lambda name: (len(shown[name]), name)):
        if len(shown[sign]) < len(splits):
            continue
        for split in splits:
            if not any(split_of[patient] == split for patient in shown[sign]):
                _exchange(split_of, shown, sign, split, known)
    captures = tuple(dataclasses.replace(row, split=split_of[row.patient]) for row in labelset.captures)
    return dataclasses.replace(labelset, captures=captures)


def _exchange(
    split_of: dict[str, str], shown: Mapping[str, set[str]], sign: str, split: str, known: Collection[str]
) -> None:
    """Moves one patient with sign into split and one of split back, where that costs no split its last of a sign.

    known: those who may go back.
    """

    def lacking(assigned: Mapping[str, str]) -> int:
        return sum(
            not any(assigned[patient] == name for patient in people)
            for people in shown.values()
            for name in set(assigned.values())
        )

    before = lacking(split_of)
    signs = {patient: {name for name, people in shown.items() if patient in people} for patient in split_of}
    pairs: Sequence[tuple[int, str, str]] = sorted(
        (len(signs[giver] ^ signs[taker]), giver, taker)
        for giver in shown[sign]
        if split_of[giver] != split
        for taker in known
        if split_of[taker] == split
    )
    for _, giver, taker in pairs:
        tried = {**split_of, giver: split, taker: split_of[giver]}
        if lacking(tried) < before:
            split_of.update(tried)
            return


def _only(labelset: LabelSet, keep: Callable[[CaptureRow], bool]) -> LabelSet:
    captures = tuple(row for row in labelset.captures if keep(row))
    files = {row.file for row in captures}
    return dataclasses.replace(
        labelset,
        captures=captures,
        labels=tuple(label for label in labelset.labels if label.file in files),
        objects=tuple(marked for marked in labelset.objects if marked.file in files),
    )

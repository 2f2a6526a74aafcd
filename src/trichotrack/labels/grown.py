"""Sets that have grown since they were split: nobody moves, and what is new goes where it spoils no figure."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Mapping

from trichotrack.labels.folds import FOLD, share_out, units_by
from trichotrack.labels.split import patients_to_draw
from trichotrack.labels.tables import LabelSet
from trichotrack.problems import InputError

Place = tuple[str, str]
"""(split, fold); the fold is "" where there are none, and in `test`."""


def with_known_splits(labelset: LabelSet) -> LabelSet:
    """The set with the split and fold of its patient for every capture that has none yet."""
    return _placed(labelset, _places(labelset))


def shares_there(labelset: LabelSet) -> dict[str, float]:
    """Of the patients that a draw counts and that have a split, the share of each split."""
    split_of = {patient: split for patient, (split, _) in _places(labelset).items()}
    counted = Counter(split_of[patient] for patient in sorted(patients_to_draw(labelset) & split_of.keys()))
    return {split: patients / counted.total() for split, patients in counted.items()}


def add_patients(labelset: LabelSet, shares: Mapping[str, float], seed: int, *, by: str = "") -> LabelSet:
    """The set with a split for every capture, those who have one staying in it.

    Captures go with their patient; by: patients with those who share a value of that column. The others are drawn
    towards shares of all patients, old and new together; where there are folds, evenly into these, whatever shares
    says. Who has no reference label trains. Raises InputError where patients of one value are in two places already.
    """
    place_of = _places(labelset)
    split_of_fold = {fold: split for split, fold in place_of.values() if fold}
    counted = patients_to_draw(labelset)
    new = {}
    for name, people in units_by(labelset, by).items():
        there = sorted({place_of[patient] for patient in people if patient in place_of})
        if len(there) > 1:
            where = ", ".join(split + (f" (fold {fold})" if fold else "") for split, fold in there)
            raise InputError(
                f"--by {by}: patients of {name} are in {where} already, so it cannot be kept together. Give --add "
                "without --by, or --replace to draw everybody anew."
            )
        place_of |= dict.fromkeys(people, there[0] if there else ("train", ""))
        if not there and counted.intersection(people):
            new[name] = people
    drawn = {patient for people in new.values() for patient in people}
    placed = {
        patient: fold if split_of_fold else split
        for patient, (split, fold) in place_of.items()
        if patient in counted - drawn and (fold or not split_of_fold)
    }
    if split_of_fold:
        shares = dict.fromkeys(sorted(split_of_fold), 1 / len(split_of_fold))
    part_of = share_out(labelset, new, shares, seed, placed) if new else {}
    place_of |= {
        patient: (split_of_fold[part], part) if split_of_fold else (part, "") for patient, part in part_of.items()
    }
    return _placed(labelset, place_of)


def _places(labelset: LabelSet) -> dict[str, Place]:
    """By patient who has a split: where that is."""
    split_of = {row.patient: row.split for row in labelset.captures if row.split}
    fold_of = {row.patient: row.extra[FOLD] for row in labelset.captures if row.extra.get(FOLD)}
    return {patient: (split, fold_of.get(patient, "")) for patient, split in split_of.items()}


def _placed(labelset: LabelSet, place_of: Mapping[str, Place]) -> LabelSet:
    folded = any(fold for _, fold in place_of.values())
    captures = []
    for row in labelset.captures:
        split, fold = place_of.get(row.patient, ("", ""))
        extra = {**row.extra, FOLD: fold} if folded else row.extra
        captures.append(dataclasses.replace(row, split=split, extra=extra))
    return dataclasses.replace(labelset, captures=tuple(captures))

"""Splits by patient: no patient is in two, and each split sees the same mixture of signs."""

from __future__ import annotations

import dataclasses
import math
from collections import defaultdict
from collections.abc import Mapping, Sequence

from trichotrack.labels.tables import LabelSet
from trichotrack.problems import InputError, with_extra

MAX_STRATA = 8


def split_by_patient(labelset: LabelSet, fractions: Mapping[str, float], seed: int) -> LabelSet:
    """The set with `split` filled for every capture, all captures of a patient alike.

    fractions: share of the labelled patients for each split, such as {"train": 0.8, "val": 0.2}; they add to 1. These
    are ordered by the rarest sign they show and their number of objects a capture, cut into blocks of equal size, and
    each block is shared out (scikit-learn's stratified split). Who has no reference label trains, for nothing could be
    measured there. Same set, fractions and seed: same split, whatever the order of the rows. Raises InputError where
    there are fewer labelled patients than splits.
    """
    if not fractions or min(fractions.values()) <= 0 or not math.isclose(sum(fractions.values()), 1, abs_tol=1e-6):
        shares = ", ".join(f"{name} {share:g}" for name, share in fractions.items())
        raise InputError(f"the shares of a split are above 0 and add to 1 (got {shares or 'none'}).")
    everybody, drawn = _by_mixture(labelset), patients_to_draw(labelset)
    patients = [patient for patient in everybody if patient in drawn]
    if len(patients) < len(fractions):
        whom, more = ("labelled patients", "Label") if len(patients) < len(everybody) else ("patients", "Add")
        raise InputError(
            f"{len(patients)} {whom} cannot be shared among {len(fractions)} splits ({', '.join(fractions)}): "
            f"each split needs a patient of its own. {more} patients or ask for fewer splits."
        )
    split_of = dict.fromkeys(everybody, "train")
    total = len(patients)
    smallest_first = sorted(fractions, key=lambda name: (fractions[name], name))
    for left, name in zip(range(len(fractions), 1, -1), smallest_first, strict=False):
        size = min(max(1, round(fractions[name] * total)), len(patients) - (left - 1))
        chosen = _draw(patients, size, seed)
        split_of |= dict.fromkeys(chosen, name)
        patients = [patient for patient in patients if patient not in chosen]
    split_of |= dict.fromkeys(patients, smallest_first[-1])
    captures = tuple(dataclasses.replace(row, split=split_of[row.patient]) for row in labelset.captures)
    return dataclasses.replace(labelset, captures=captures)


def patients_to_draw(labelset: LabelSet) -> set[str]:
    """Those of whom a reference label tells something; where there is none at all, everybody."""
    files = {label.file for label in labelset.labels if not label.rater}
    everybody = {capture.patient for capture in labelset.captures}
    return {capture.patient for capture in labelset.captures if capture.file in files} or everybody


def _draw(patients: Sequence[str], size: int, seed: int) -> set[str]:
    """size of the patients (in order of mixture), drawn evenly along that order."""
    try:
        from sklearn.model_selection import train_test_split
    except ImportError:
        raise InputError(f"a split needs scikit-learn. {with_extra('labels')}") from None
    strata = max(1, min(MAX_STRATA, size, (len(patients) - size), len(patients) // 2))
    block = [position * strata // len(patients) for position in range(len(patients))]
    _, chosen = train_test_split(patients, test_size=size, random_state=seed, stratify=block if strata > 1 else None)
    return set(chosen)


def _by_mixture(labelset: LabelSet) -> list[str]:
    """Patients, those with the rarest signs first, then by objects a capture, then by name."""
    patient_of = {capture.file: capture.patient for capture in labelset.captures}
    captures: dict[str, int] = defaultdict(int)
    for patient in patient_of.values():
        captures[patient] += 1
    amount: dict[str, float] = defaultdict(float)
    shown: dict[str, set[str]] = defaultdict(set)
    for marked in labelset.objects:
        amount[patient_of[marked.file]] += 1
        shown[marked.sign].add(patient_of[marked.file])
    for label in labelset.labels:
        if label.value:
            shown[label.sign].add(patient_of[label.file])
            amount[patient_of[label.file]] += label.value if label.level == "count" else 0
    rarity = sorted(shown, key=lambda sign: (len(shown[sign]), sign))
    rarest = {
        patient: next((rank for rank, sign in enumerate(rarity) if patient in shown[sign]), len(rarity))
        for patient in captures
    }
    return sorted(captures, key=lambda patient: (rarest[patient], amount[patient] / captures[patient], patient))

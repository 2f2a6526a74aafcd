"""What a labelled set holds, in figures."""

from __future__ import annotations

import dataclasses
from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import Any

from trichotrack.labels.tables import LabelSet


@dataclass(frozen=True)
class SignSummary:
    """One sign in one split ("" where there is none) by one rater ("": the reference).

    levels: captures labelled at each level. objects: marked in them. unlabelled: captures where it is unknown.
    counted: sum of the values at level count. present: captures at level presence whose value is 1.
    """

    split: str
    sign: str
    rater: str
    levels: dict[str, int]
    unlabelled: int
    objects: int
    counted: int
    present: int


@dataclass(frozen=True)
class SetSummary:
    """captures and patients by split; um_per_px: least and most, None where no capture has a scale."""

    captures: dict[str, int]
    patients: dict[str, int]
    without_scale: int
    um_per_px: tuple[float, float] | None
    preparations: dict[str, int]
    signs: tuple[SignSummary, ...]

    def to_dict(self) -> dict[str, Any]:
        return dataclasses.asdict(self)


def summarise(labelset: LabelSet) -> SetSummary:
    """Captures, patients, scales and, for each split, sign and rater, what is labelled at which level."""
    split_of = {capture.file: capture.split for capture in labelset.captures}
    captures = Counter(split_of.values())
    patients: dict[str, set[str]] = defaultdict(set)
    for capture in labelset.captures:
        patients[capture.split].add(capture.patient)
    levels: dict[tuple[str, str, str], Counter[str]] = defaultdict(Counter)
    counted: Counter[tuple[str, str, str]] = Counter()
    present: Counter[tuple[str, str, str]] = Counter()
    for label in labelset.labels:
        key = (split_of[label.file], label.sign, label.rater)
        levels[key][label.level] += 1
        if label.level == "count":
            counted[key] += round(label.value or 0)
        elif label.level == "presence":
            present[key] += bool(label.value)
    objects = Counter((split_of[marked.file], marked.sign, marked.rater) for marked in labelset.objects)
    scales = [capture.um_per_px for capture in labelset.captures if capture.um_per_px is not None]
    return SetSummary(
        captures=dict(sorted(captures.items())),
        patients={split: len(names) for split, names in sorted(patients.items())},
        without_scale=len(labelset.captures) - len(scales),
        um_per_px=(min(scales), max(scales)) if scales else None,
        preparations=dict(Counter(capture.preparation for capture in labelset.captures)),
        signs=tuple(
            SignSummary(
                split=key[0],
                sign=key[1],
                rater=key[2],
                levels=dict(levels[key]),
                unlabelled=captures[key[0]] - levels[key].total(),
                objects=objects[key],
                counted=counted[key],
                present=present[key],
            )
            for key in sorted(levels)
        ),
    )

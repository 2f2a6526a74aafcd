"""Which of a model's marks go out for correction: those that no label has settled."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from trichotrack.detect.matching import match
from trichotrack.labels.exchange.marks import Mark
from trichotrack.labels.tables import CaptureRow, LabelSet, ObjectRow


def unsettled(
    labelset: LabelSet, found: Mapping[str, Sequence[tuple[ObjectRow, float | None]]], min_distance_um: float | None
) -> dict[str, tuple[Mark, ...]]:
    """By file, the model's marks (with score) as predictions, under ids that no object has.

    Left out is what labels have said already: a sign that is exhaustively labelled in the capture, and a mark within
    min_distance_um of a labelled structure of its exclusive group, one to one (a model that gives no distance, or a
    capture without a scale: only marks on the very place).
    """
    complete = {(label.file, label.sign) for label in labelset.labels if label.level == "exhaustive"}
    objects: dict[str, list[ObjectRow]] = {}
    for row in labelset.objects:
        objects.setdefault(row.file, []).append(row)
    taken = {row.id for row in labelset.objects}
    number, marks = 0, {}
    for capture in labelset.captures:
        left = [one for one in found.get(capture.file, ()) if (capture.file, one[0].sign) not in complete]
        kept = []
        for row, score in _apart(left, objects.get(capture.file, []), capture, labelset, min_distance_um):
            number += 1
            while f"p{number}" in taken:
                number += 1
            named = ObjectRow(
                f"p{number}", capture.file, row.sign, row.x, row.y, tip_x=row.tip_x, tip_y=row.tip_y,
                root_width_um=row.root_width_um, tip_width_um=row.tip_width_um,
            )  # fmt: skip
            kept.append(Mark(named, "prediction", score))
        if kept:
            marks[capture.file] = tuple(kept)
    return marks


def _apart(
    found: Sequence[tuple[ObjectRow, float | None]],
    labelled: Sequence[ObjectRow],
    capture: CaptureRow,
    labelset: LabelSet,
    min_distance_um: float | None,
) -> list[tuple[ObjectRow, float | None]]:
    """The marks that are no labelled structure."""
    near_px = min_distance_um / capture.um_per_px if min_distance_um and capture.um_per_px else 0.0

    def rival(name: str) -> str:
        return labelset.signs[name].group or f"alone: {name}"

    there: set[int] = set()
    for kind in {rival(row.sign) for row, _ in found}:
        mine = [i for i, (row, _) in enumerate(found) if rival(row.sign) == kind]
        others = [row for row in labelled if rival(row.sign) == kind]
        there |= {mine[i] for i, _ in match(_points([found[i][0] for i in mine]), _points(others), near_px)}
    return [one for i, one in enumerate(found) if i not in there]


def _points(rows: Sequence[ObjectRow]) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    return np.array([(row.x, row.y) for row in rows], np.float64).reshape(-1, 2)

"""Point F1, count error and bias as torchmetrics: per sign, over a sweep of thresholds, from one decoding."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torchmetrics import Metric

from trichotrack.detect.detections import Detections
from trichotrack.detect.matching import match
from trichotrack.model.sample import Structures
from trichotrack.stats.resample import cluster_bootstrap

Values = NDArray[np.float64]

THRESHOLDS = np.round(np.arange(0.05, 0.951, 0.025), 3)


@dataclass(frozen=True)
class SignFigures:
    """One sign at its threshold, over whole captures. Intervals are 95 %, patients resampled.

    bias: mean of predicted less labelled count per capture. false_per_cm2: false positives per cm² of scalp.
    """

    threshold: float
    f1: float
    f1_interval: tuple[float, float]
    precision: float
    recall: float
    recall_interval: tuple[float, float]
    false_per_cm2: float
    false_per_cm2_interval: tuple[float, float]
    count_mae: float
    count_mae_interval: tuple[float, float]
    bias: float
    captures: int
    patients: int
    labelled: int


class PointF1(Metric):
    """Right, false and missed points per sign and threshold, matched one to one within a tolerance.

    A detection that matches no labelled point but an ignored one is neither right nor wrong. Signs that are not
    exhaustively labelled in a capture are passed over there. State: a row for each capture and sign: sign, patient,
    labelled, area in cm², then right and false at each threshold.
    """

    full_state_update = False

    def __init__(self, signs: int, tolerance_px: float) -> None:
        super().__init__()
        self.signs, self.tolerance_px = signs, tolerance_px
        self.add_state("rows", [], dist_reduce_fx="cat")

    def update(
        self,
        found: Detections,
        known: Structures,
        exhaustive: NDArray[np.bool_],
        *,
        patient: int,
        area_cm2: float,
    ) -> None:
        """One capture. found: decoded at the lowest threshold; known: what is labelled; both canonical px."""
        for sign in np.flatnonzero(exhaustive):
            here = found.take(found.sign == sign)
            reference = known.xy[known.channel == sign]
            counts = [
                counts_at(here.xy[here.score >= threshold], reference, known.ignored, self.tolerance_px)
                for threshold in THRESHOLDS
            ]
            row = np.concatenate([[sign, patient, len(reference), area_cm2], np.array(counts, np.float64).T.ravel()])
            self.rows.append(torch.from_numpy(row)[None].to(self.device))

    def compute(self) -> Tensor:
        """F1 (signs, thresholds); nan for a sign nowhere labelled exhaustively, 0 where nothing was labelled or found."""
        rows = self._rows()
        f1 = np.full((self.signs, len(THRESHOLDS)), np.nan)
        for sign in range(self.signs):
            of_sign = rows[rows[:, 0] == sign]
            if len(of_sign):
                right, false = _counts(of_sign)
                f1[sign] = _f1(right.sum(0), false.sum(0), of_sign[:, 2].sum())
        return torch.from_numpy(f1)

    def figures(self, ceilings: Sequence[float]) -> list[SignFigures | None]:
        """Each sign at the threshold of its best F1 among those with at most ceilings[sign] false positives per cm².

        Where none keeps the ceiling, the highest threshold. None for a sign nowhere labelled exhaustively.
        """
        rows, f1 = self._rows(), self.compute().numpy()
        chosen = []
        for sign, ceiling in enumerate(ceilings):
            of_sign = rows[rows[:, 0] == sign]
            if not len(of_sign):
                chosen.append(None)
                continue
            allowed = _counts(of_sign)[1].sum(0) / of_sign[:, 3].sum() <= ceiling
            at = int(np.argmax(np.where(allowed, f1[sign], -1))) if allowed.any() else len(THRESHOLDS) - 1
            chosen.append(_figures(of_sign, at))
        return chosen

    def _rows(self) -> NDArray[np.float64]:
        rows = self.rows if isinstance(self.rows, list) else [self.rows]
        return torch.cat(rows).cpu().numpy() if rows else np.zeros((0, 4 + 2 * len(THRESHOLDS)))


def _counts(rows: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    counts = rows[:, 4:].reshape(len(rows), 2, len(THRESHOLDS))
    return counts[:, 0], counts[:, 1]


def _f1(right: Values, false: Values, labelled: Values) -> Values:
    return 2 * right / np.maximum(right + false + labelled, 1)


def _figures(rows: NDArray[np.float64], at: int) -> SignFigures:
    right, false = (counts[:, at] for counts in _counts(rows))
    labelled, area_cm2 = rows[:, 2], rows[:, 3]
    error = right + false - labelled
    # Columns: right, false, labelled, area, |error|, captures; one line for each patient.
    sums = np.stack([right, false, labelled, area_cm2, np.abs(error), np.ones(len(rows))], axis=1)
    patients = np.unique(rows[:, 1])
    clusters = np.stack([sums[rows[:, 1] == patient].sum(0) for patient in patients])

    def f1(s: Values) -> Values:
        return _f1(s[..., 0], s[..., 1], s[..., 2])

    def recall(s: Values) -> Values:
        return s[..., 0] / np.maximum(s[..., 2], 1)

    def false_per_cm2(s: Values) -> Values:
        return s[..., 1] / s[..., 3]

    def count_mae(s: Values) -> Values:
        return s[..., 4] / s[..., 5]

    whole = sums.sum(0)
    return SignFigures(
        threshold=float(THRESHOLDS[at]),
        f1=float(f1(whole)),
        f1_interval=cluster_bootstrap(clusters, f1),
        precision=float(whole[0] / max(whole[0] + whole[1], 1)),
        recall=float(recall(whole)),
        recall_interval=cluster_bootstrap(clusters, recall),
        false_per_cm2=float(false_per_cm2(whole)),
        false_per_cm2_interval=cluster_bootstrap(clusters, false_per_cm2),
        count_mae=float(count_mae(whole)),
        count_mae_interval=cluster_bootstrap(clusters, count_mae),
        bias=float(error.mean()),
        captures=len(rows),
        patients=len(patients),
        labelled=int(labelled.sum()),
    )


def counts_at(
    found: NDArray[np.float64], reference: NDArray[np.float64], ignored: NDArray[np.float64], tolerance_px: float
) -> tuple[int, int]:
    """(right, false) of found (N, 2) against reference (M, 2); those left over that match ignored ones count as neither."""
    pairs = match(found, reference, tolerance_px)
    left_over = np.delete(found, pairs[:, 0], axis=0)
    excused = len(match(left_over, ignored, tolerance_px)) if len(ignored) else 0
    return len(pairs), len(left_over) - excused

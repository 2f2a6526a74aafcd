"""Right, false and missed points of one capture and sign, at every threshold at once, and the threshold to use."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trichotrack.detect.matching import gains
from trichotrack.problems import InputError

DEFAULT_THRESHOLD = 0.5
"""For a sign that nothing was labelled or found of: nothing speaks for another."""

_NEVER = 1 - 1e-6
"""A threshold is below 1, since the runtime refuses others; no score of a sigmoid is above this."""


@dataclass(frozen=True)
class CaptureScore:
    """One sign in one capture, counted and compared with its label.

    tp, fp, fn: points matched, false and missed; None where only the number is labelled. predicted, reference: the
    counts (predicted leaves out detections matched to an ignored object). area_cm2: None without a scale.
    """

    patient: str
    file: str
    sign: str
    tp: int | None
    fp: int | None
    fn: int | None
    predicted: int
    reference: int
    area_cm2: float | None = None

    @property
    def errors(self) -> int:
        """Points false or missed, or how far the count is off where only the number is labelled."""
        if self.fp is None or self.fn is None:
            return abs(self.predicted - self.reference)
        return self.fp + self.fn


@dataclass(frozen=True, eq=False)
class Sweep:
    """One exhaustively labelled sign in one capture, at every threshold.

    scores: (N,) best first. right, excused: (N,) bool, what the detections at or above scores[k] add to the number
    matched to a labelled object, and to the number matched to an ignored one. reference: objects labelled.
    """

    patient: str
    file: str
    sign: str
    reference: int
    scores: NDArray[np.float64]
    right: NDArray[np.bool_]
    excused: NDArray[np.bool_]
    area_cm2: float | None = None

    def at(self, threshold: float) -> CaptureScore:
        """The counts of detections scored at or above threshold."""
        kept = self.scores >= threshold
        tp = int(self.right[kept].sum())
        predicted = int(kept.sum() - self.excused[kept].sum())
        fp, fn = predicted - tp, self.reference - tp
        return CaptureScore(
            self.patient, self.file, self.sign, tp, fp, fn, predicted, self.reference, area_cm2=self.area_cm2
        )


def sweep_capture(
    reference_xy: NDArray[np.floating],
    detected: tuple[NDArray[np.floating], NDArray[np.floating]],
    ignored_xy: NDArray[np.floating],
    tolerance_px: float,
    *,
    patient: str = "",
    file: str = "",
    sign: str = "",
    area_cm2: float | None = None,
) -> Sweep:
    """Compares detections (xy (N, 2), scores (N,)) with labelled (R, 2) and ignored (G, 2) points, all in one unit.

    At every threshold the number of right detections is that of the largest one-to-one matching within tolerance_px.
    Of the others, as many as can be matched to ignored objects beside it are excused: neither right nor wrong.
    """
    xy, scores = np.asarray(detected[0], np.float64).reshape(-1, 2), np.asarray(detected[1], np.float64).ravel()
    if len(xy) != len(scores) or not np.isfinite(scores).all():
        raise InputError(f"{len(xy)} detections and {len(scores)} scores: each detection needs one finite score.")
    order = np.argsort(-scores, kind="stable")
    xy, scores = xy[order], scores[order]
    reference = np.asarray(reference_xy, np.float64).reshape(-1, 2)
    ignored = np.asarray(ignored_xy, np.float64).reshape(-1, 2)
    right = gains(xy, reference, tolerance_px)
    # A largest matching of the labelled points extends to one of labelled and ignored ones together, so what the
    # union gains beyond it is what ignored objects excuse; no detection can gain the former and not the latter.
    excused = gains(xy, np.concatenate([reference, ignored]), tolerance_px) & ~right if len(ignored) else right & False
    return Sweep(patient, file, sign, len(reference), scores, right, excused, area_cm2)


def score_capture(
    reference_xy: NDArray[np.floating],
    detected: tuple[NDArray[np.floating], NDArray[np.floating]],
    ignored_xy: NDArray[np.floating],
    tolerance_px: float,
    threshold: float,
) -> tuple[int, int, int]:
    """(right, false, missed) of the detections at or above threshold; arguments as sweep_capture."""
    score = sweep_capture(reference_xy, detected, ignored_xy, tolerance_px).at(threshold)
    return score.tp or 0, score.fp or 0, score.fn or 0


AS_GOOD_SHARE = 0.15
"""A model's thresholds may cost so much of what the best F1 on the captures that they are chosen on lacks to 1: F1
hardly moves around its best, while the number counted does, and the number is what is read. Chosen by the bundled model
on one half of 200 drawn captures and measured on the other, F1 of tapering and short vellus hairs was 0.782 and 0.736
at the best threshold, their sums 21 and 27 % low; with 0.03 and 0.04 as good (this share) 0.769 and 0.708, 7 % low and
1 % high. On 168 real captures of people kept apart, where the best F1 is 0.87, 0.02 (this share) made the mean error of
the count of hairs 1.49 instead of 1.59, at the same F1."""


@dataclass(frozen=True)
class Choice:
    """The threshold chosen for a sign, and what it reaches on the captures that it was chosen on.

    limited: the ceiling of false positives held it above the threshold of the best F1. f1: NaN where none is labelled.
    """

    sign: str
    threshold: float
    f1: float
    precision: float
    recall: float
    false_positives_per_cm2: float | None
    limited: bool = False


def best_thresholds(
    sweeps: Iterable[Sweep],
    *,
    max_fp_per_cm2: Mapping[str, float] | None = None,
    as_good: float = 0.0,
) -> dict[str, Choice]:
    """For each sign the threshold of the best pooled F1 whose false positives stay under the sign's ceiling, if any.

    The threshold lies halfway between two scores, so that rounding elsewhere changes no count. max_fp_per_cm2: ceilings
    by sign. as_good: an F1 below the best by this share of what the best lacks to 1 is as good. Of those thresholds the
    one that counts nearest to what is labelled is taken; of all whose count is off by no more than its standard error,
    √(false + missed), which these captures cannot tell apart, the one in the middle. Raises InputError for a ceiling on
    captures without a scale.
    """
    by_sign: dict[str, list[Sweep]] = {}
    for sweep in sweeps:
        by_sign.setdefault(sweep.sign, []).append(sweep)
    ceilings = max_fp_per_cm2 or {}
    return {sign: _best(sign, of_sign, ceilings.get(sign), as_good) for sign, of_sign in by_sign.items()}


def _best(sign: str, sweeps: list[Sweep], ceiling: float | None, as_good: float) -> Choice:
    reference = sum(sweep.reference for sweep in sweeps)
    area_cm2 = sum(sweep.area_cm2 or 0.0 for sweep in sweeps)
    if ceiling is not None and not area_cm2:
        raise InputError(f"{sign}: a ceiling of {ceiling:g} false positives per cm² needs captures with a scale.")
    scores = np.concatenate([sweep.scores for sweep in sweeps])
    order = np.argsort(-scores, kind="stable")
    scores = scores[order]
    right = np.concatenate([sweep.right for sweep in sweeps])[order]
    wrong = ~right & ~np.concatenate([sweep.excused for sweep in sweeps])[order]
    on_area = np.concatenate([np.full(len(sweep.scores), sweep.area_cm2 is not None) for sweep in sweeps])[order]
    last = np.flatnonzero(np.diff(scores, append=-np.inf))  # a threshold takes all of a run of equal scores
    tp, fp = np.cumsum(right)[last], np.cumsum(wrong)[last]
    measured_fp = np.cumsum(wrong & on_area)[last]
    if not reference or not len(last):
        return Choice(sign, DEFAULT_THRESHOLD, float("nan") if not reference else 0.0, float("nan"), 0.0, None)
    f1 = 2 * tp / (tp + fp + reference)
    allowed = np.ones(len(last), np.bool_) if ceiling is None else measured_fp <= ceiling * area_cm2
    if not allowed.any():
        return Choice(sign, min((1 + scores[0]) / 2, _NEVER), 0.0, float("nan"), 0.0, 0.0, limited=True)
    reached = float(f1[allowed].max())
    good = np.flatnonzero(allowed & (f1 >= reached - as_good * (1 - reached)))
    upper = scores[last]
    thresholds = (upper + np.append(upper[1:], upper[-1])) / 2
    at = _middle_of_the_least_biased(good, thresholds, fp=fp, fn=reference - tp)
    return Choice(
        sign,
        threshold=float(min(thresholds[at], _NEVER)),
        f1=float(f1[at]),
        precision=float(tp[at] / max(tp[at] + fp[at], 1)),
        recall=float(tp[at] / reference),
        false_positives_per_cm2=float(measured_fp[at] / area_cm2) if area_cm2 else None,
        limited=bool(reached < f1.max()),
    )


def _middle_of_the_least_biased(
    among: NDArray[np.intp], thresholds: NDArray[np.float64], *, fp: NDArray[np.int64], fn: NDArray[np.int64]
) -> int:
    """The index, among those given, whose count is right, or off by no more than chance would have it."""
    off = np.abs(fp - fn)[among]
    tied = among[off <= np.maximum(off.min(), np.sqrt((fp + fn)[among]))]
    middle = (thresholds[tied].max() + thresholds[tied].min()) / 2
    return int(tied[np.argmin(np.abs(thresholds[tied] - middle))])

"""How well captures with a sign are told from those without it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from trichotrack.evaluate.figures import Figure
from trichotrack.problems import InputError

RESAMPLES = 400
"""Of patients: fewer than for other figures, since each resample is ranked anew, in training at every validation."""


@dataclass(frozen=True)
class PresenceFigures:
    """How well captures with a sign are told from those without it, by the chance that one of its marks is right.

    captures, patients: of which presence is known; present: captures with the sign. Intervals over people.
    """

    captures: int
    patients: int
    present: int
    auroc: Figure
    average_precision: Figure


def presence_figures(patients: Sequence[str], present: Sequence[bool], chances: Sequence[float]) -> PresenceFigures:
    """AUROC and average precision over captures, with 95 % intervals from resampling patients, captures and all.

    patients, present, chances: of each capture. Raises InputError where scikit-learn is not installed.
    """
    try:
        from sklearn.metrics import average_precision_score, roc_auc_score
    except ImportError:
        raise InputError('Figures of presence need scikit-learn. Run pip install "trichotrack[labels]".') from None

    truth, chance = np.array(present, np.bool_), np.array(chances, np.float64)
    names, whose = np.unique(np.array(patients), return_inverse=True)
    times = np.random.default_rng(0).multinomial(len(names), np.full(len(names), 1 / len(names)), size=RESAMPLES)

    def figure(score: Callable[..., float]) -> Figure:
        if truth.all() or not truth.any():
            return Figure(None)
        drawn = [times[i][whose] for i in range(RESAMPLES)]
        # A resample of one kind only defines neither figure.
        usable = [weight for weight in drawn if weight[truth].any() and weight[~truth].any()]
        values = [score(truth, chance, sample_weight=weight) for weight in usable]
        value = float(score(truth, chance))
        if len(names) < 2 or not values:
            return Figure(value)
        low, high = np.quantile(values, [0.025, 0.975])
        return Figure(value, float(low), float(high))

    return PresenceFigures(
        len(truth), len(names), int(truth.sum()), figure(roc_auc_score), figure(average_precision_score)
    )

"""How well captures with a sign are told from those without it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trichotrack.evaluate.figures import Figure
from trichotrack.problems import InputError, with_extra

Score = Callable[..., float]
Size = Callable[[float, float], float]
"""How much a model's ranking weighs, by its captures with the sign and without it."""

RESAMPLES = 400
"""Of patients: fewer than for other figures, since each resample is ranked anew, in training at every validation."""


@dataclass(frozen=True)
class CapturePresence:
    """Whether a sign is in a capture, and the chance that the model gives it."""

    patient: str
    file: str
    sign: str
    present: bool
    chance: float


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


def presence_of(sign: str, captures: Sequence[CapturePresence], models: Sequence[int] | None = None) -> PresenceFigures:
    """presence_figures of a sign, of those captures of which its presence is known."""
    chosen = [i for i, told in enumerate(captures) if told.sign == sign]
    told = [captures[i] for i in chosen]
    return presence_figures(
        [one.patient for one in told],
        [one.present for one in told],
        [one.chance for one in told],
        None if models is None else [models[i] for i in chosen],
    )


def presence_figures(
    patients: Sequence[str], present: Sequence[bool], chances: Sequence[float], models: Sequence[int] | None = None
) -> PresenceFigures:
    """AUROC and average precision over captures, with 95 % intervals from resampling patients, captures and all.

    patients, present, chances: of each capture. models: by which model each was read, by default one. The chances of
    two models are not on one scale, so captures are ranked against those of the same model alone: the AUROC is the
    share of all such pairs in order, the average precision the mean of the models' by captures with the sign. A model
    whose captures all have the sign, or all lack it, ranks nothing. Raises InputError where scikit-learn is not
    installed.
    """
    try:
        from sklearn.metrics import average_precision_score, roc_auc_score
    except ImportError:
        raise InputError(f"Figures of presence need scikit-learn. {with_extra('labels')}") from None

    truth, chance = np.array(present, np.bool_), np.array(chances, np.float64)
    of_model = [np.array(models or [0] * len(truth)) == model for model in sorted(set(models or [0]))]
    names, whose = np.unique(np.array(patients), return_inverse=True)
    times = np.random.default_rng(0).multinomial(len(names), np.full(len(names), 1 / len(names)), size=RESAMPLES)

    def pooled(score: Score, size: Size, weight: NDArray[np.float64]) -> float:
        """The mean over models, each by its size; NaN where none ranks anything."""
        total, sizes = 0.0, 0.0
        for own in of_model:
            w, t = weight[own], truth[own]
            positive, negative = float(w[t].sum()), float(w[~t].sum())
            if positive and negative:
                total += size(positive, negative) * float(score(t, chance[own], sample_weight=w))
                sizes += size(positive, negative)
        return total / sizes if sizes else float("nan")

    def figure(score: Score, size: Size) -> Figure:
        value = pooled(score, size, np.ones(len(truth)))
        if not np.isfinite(value):
            return Figure(None)
        values = np.array([pooled(score, size, drawn[whose].astype(np.float64)) for drawn in times])
        values = values[np.isfinite(values)]
        if len(names) < 2 or not len(values):
            return Figure(value)
        low, high = np.quantile(values, [0.025, 0.975])
        return Figure(value, float(low), float(high))

    auroc = figure(roc_auc_score, lambda positive, negative: positive * negative)
    precision = figure(average_precision_score, lambda positive, _: positive)
    return PresenceFigures(len(truth), len(names), int(truth.sum()), auroc, precision)

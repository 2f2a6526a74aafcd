"""Figures of a model or a reader from counts per capture, with intervals over people."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trichotrack.evaluate.points import CaptureScore
from trichotrack.runtime.spec import ModelSpec
from trichotrack.stats.resample import cluster_bootstrap

Sums = NDArray[np.float64]

_TP, _FP, _FN, _FALSE_ON_AREA, _AREA, _ABSOLUTE, _SIGNED, _CAPTURES = range(8)
_STATISTICS: dict[str, Callable[[Sums], Sums]] = {
    "precision": lambda s: s[..., _TP] / (s[..., _TP] + s[..., _FP]),
    "recall": lambda s: s[..., _TP] / (s[..., _TP] + s[..., _FN]),
    "f1": lambda s: 2 * s[..., _TP] / (2 * s[..., _TP] + s[..., _FP] + s[..., _FN]),
    "count_mae": lambda s: s[..., _ABSOLUTE] / s[..., _CAPTURES],
    "bias": lambda s: s[..., _SIGNED] / s[..., _CAPTURES],
    "false_positives_per_cm2": lambda s: s[..., _FALSE_ON_AREA] / s[..., _AREA],
}


@dataclass(frozen=True)
class Figure:
    """A value with its 95 % interval from resampling people; None where undefined or where one person says nothing."""

    value: float | None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class SignFigures:
    """One sign over a set of captures.

    located: captures where every instance is labelled, so that points were matched; captures: those and the ones
    where only the number is labelled. labelled, predicted: total counts over captures. count_mae and bias (predicted
    less labelled): counts per capture. recall_se and false_positives_per_cm2_se: standard errors over people.
    """

    sign: str
    patients: int
    captures: int
    located: int
    labelled: int
    predicted: int
    precision: Figure
    recall: Figure
    f1: Figure
    count_mae: Figure
    bias: Figure
    false_positives_per_cm2: Figure
    recall_se: float | None = None
    false_positives_per_cm2_se: float | None = None


def summarise(scores: Iterable[CaptureScore], *, resamples: int = 2000, seed: int = 0) -> dict[str, SignFigures]:
    """Figures by sign, pooled over captures; intervals by resampling patients with all their captures."""
    by_sign: dict[str, list[CaptureScore]] = {}
    for score in scores:
        by_sign.setdefault(score.sign, []).append(score)
    return {sign: _figures(sign, of_sign, resamples, seed) for sign, of_sign in by_sign.items()}


def _figures(sign: str, scores: list[CaptureScore], resamples: int, seed: int) -> SignFigures:
    people = _sums_by_patient(scores)
    total = people.sum(axis=0)
    figures = {}
    for name, statistic in _STATISTICS.items():
        with np.errstate(divide="ignore", invalid="ignore"):
            value = float(statistic(total))
        low, high = cluster_bootstrap(people, statistic, n=resamples, seed=seed)
        figures[name] = Figure(_known(value), _known(low), _known(high))
    return SignFigures(
        sign=sign,
        patients=len(people),
        captures=len(scores),
        located=sum(score.tp is not None for score in scores),
        labelled=sum(score.reference for score in scores),
        predicted=sum(score.predicted for score in scores),
        recall_se=_recall_se(people),
        false_positives_per_cm2_se=_false_positives_se(people),
        **figures,
    )


def _sums_by_patient(scores: list[CaptureScore]) -> Sums:
    """(patients, components), in the order of first appearance."""
    rows: dict[str, Sums] = {}
    for score in scores:
        row = rows.setdefault(score.patient, np.zeros(8))
        error = score.predicted - score.reference
        row[[_ABSOLUTE, _SIGNED, _CAPTURES]] += abs(error), error, 1
        if score.tp is not None:
            row[[_TP, _FP, _FN]] += score.tp, score.fp or 0, score.fn or 0
            if score.area_cm2 is not None:
                row[[_FALSE_ON_AREA, _AREA]] += score.fp or 0, score.area_cm2
    return np.array(list(rows.values()))


def _recall_se(people: Sums) -> float | None:
    hits, misses = people[:, _TP].sum(), people[:, _FN].sum()
    if not hits + misses:
        return None
    smoothed = (hits + 0.5) / (hits + misses + 1)
    binomial = math.sqrt(smoothed * (1 - smoothed) / (hits + misses))
    return _larger(_ratio_se(people[:, _TP], people[:, _TP] + people[:, _FN]), binomial)


def _false_positives_se(people: Sums) -> float | None:
    area_cm2 = people[:, _AREA].sum()
    if not area_cm2:
        return None
    poisson = math.sqrt(people[:, _FALSE_ON_AREA].sum() + 0.5) / area_cm2
    return _larger(_ratio_se(people[:, _FALSE_ON_AREA], people[:, _AREA]), poisson)


def _ratio_se(numerator: Sums, denominator: Sums) -> float | None:
    """Standard error of a ratio of sums over people, linearised (Cochran 1977, section 6.3); None for one person."""
    count = len(numerator)
    if count < 2:
        return None
    residual = numerator - numerator.sum() / denominator.sum() * denominator
    return math.sqrt(count / (count - 1) * float((residual**2).sum())) / float(denominator.sum())


def _larger(over_people: float | None, of_counts: float) -> float:
    """The error over people, but never less than that of independent counts: no false positive is not none ever."""
    return max(over_people or 0.0, of_counts)


def _known(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def with_figures(spec: ModelSpec, figures: dict[str, SignFigures]) -> ModelSpec:
    """The spec with each sign's recall and false positives per cm², and their standard errors, as measured."""
    channels = []
    for channel in spec.signs:
        measured = figures.get(channel.sign.name)
        if measured is None:
            channels.append(channel)
            continue
        channels.append(
            dataclasses.replace(
                channel,
                recall=measured.recall.value,
                recall_se=measured.recall_se,
                false_positives_per_cm2=measured.false_positives_per_cm2.value,
                false_positives_per_cm2_se=measured.false_positives_per_cm2_se,
            )
        )
    return dataclasses.replace(spec, signs=tuple(channels))

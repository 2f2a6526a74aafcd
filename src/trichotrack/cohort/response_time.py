"""Time to SALT ≤ 20: by the visit at which it was seen (Kaplan–Meier), and as between two visits (Turnbull)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from trichotrack.cohort.endpoints import THRESHOLD, AnalysisSet
from trichotrack.cohort.people import CohortPatient
from trichotrack.problems import InputError

Array = NDArray[np.float64]

RESAMPLES = 500

LEAST_FOLLOWED = 5
"""Patients still followed, below which a share by a month rests on too few to be told in a sentence."""

_TOLERANCE, _MOST_STEPS = 1e-10, 20_000


@dataclass(frozen=True)
class ResponseInterval:
    """When a patient first had SALT ≤ 20: after month left (last seen above it) and at or before month right.

    right: inf where it was never seen. left: the last assessment, 0 where there was none after the start.
    """

    patient: str
    left: float
    right: float

    @property
    def seen(self) -> bool:
        return math.isfinite(self.right)


def response_interval(patient: CohortPatient) -> ResponseInterval:
    left = 0.0
    for one in patient.followed:
        if one.total <= THRESHOLD:
            return ResponseInterval(patient.id, left, one.month)
        left = one.month
    return ResponseInterval(patient.id, left, math.inf)


@dataclass(frozen=True)
class Step:
    """Share that has reached SALT ≤ 20 by a month, with its 95 % interval. at_risk: still followed without it."""

    month: float
    share: float
    low: float
    high: float
    at_risk: int


@dataclass(frozen=True)
class TurnbullStep:
    """A stretch of months in which the estimate puts a share of the patients. Within it, when is not known.

    left, right: months, right inf for those who had not reached it when last seen. by: share up to right.
    low, high: 95 % percentile interval of `by`, resampling patients.
    """

    left: float
    right: float
    mass: float
    by: float
    low: float
    high: float


@dataclass(frozen=True)
class ResponseTime:
    """Both estimates, and the data they rest on. median: month by which half have reached it (Kaplan–Meier), or inf."""

    intervals: tuple[ResponseInterval, ...]
    steps: tuple[Step, ...]
    median: float
    turnbull: tuple[TurnbullStep, ...]

    @property
    def told(self) -> Step | None:
        """The last step at which at least LEAST_FOLLOWED were still followed; None where there is none."""
        return next((step for step in reversed(self.steps) if step.at_risk >= LEAST_FOLLOWED), None)


def response_time(people: AnalysisSet, *, resamples: int = RESAMPLES, seed: int = 0) -> ResponseTime:
    """Of the analysis set. Raises InputError where nobody was seen after treatment start."""
    intervals = tuple(response_interval(outcome.patient) for outcome in people.outcomes)
    if not any(one.seen or one.left > 0 for one in intervals):
        raise InputError("nobody was seen after treatment start: there is no time to response.")
    steps, median = kaplan_meier(intervals)
    return ResponseTime(intervals, steps, median, turnbull_steps(intervals, resamples=resamples, seed=seed))


def kaplan_meier(intervals: Sequence[ResponseInterval]) -> tuple[tuple[Step, ...], float]:
    """Steps at the months at which responses were seen (lifelines; log-log interval), and the median month."""
    from lifelines import KaplanMeierFitter  # type: ignore[import-untyped]

    months = np.array([one.right if one.seen else one.left for one in intervals])
    seen = np.array([one.seen for one in intervals])
    fitter = KaplanMeierFitter().fit(months, event_observed=seen)
    curve, bounds = fitter.survival_function_, fitter.confidence_interval_
    steps = []
    for month in sorted({float(one.right) for one in intervals if one.seen}):
        low, high = (1 - float(value) for value in bounds.loc[month])
        low, high = sorted((low, high))
        at_risk = int(fitter.event_table["at_risk"].loc[month])
        steps.append(Step(month, 1 - float(curve.loc[month].iloc[0]), low, high, at_risk))
    return tuple(steps), float(fitter.median_survival_time_)


def turnbull(left: ArrayLike, right: ArrayLike, weights: ArrayLike | None = None) -> tuple[Array, Array]:
    """The non-parametric maximum likelihood for events in (left, right], right inf where none was seen; Turnbull 1976.

    weights: how often each observation counts, (n,) or (B, n) for B resamples at once. Gives the innermost stretches
    (m, 2), left end open, and the share in each, (m,) or (B, m).

    Own code, since visits of different patients meet at their edges: closed intervals, as in lifelines' estimator,
    would let (0, 3] and (3, 6] share month 3.
    """
    lower, upper = np.asarray(left, dtype=np.float64), np.asarray(right, dtype=np.float64)
    if lower.shape != upper.shape or lower.ndim != 1 or not len(lower) or not (lower < upper).all():
        raise InputError("interval-censored times need left < right for each observation.")
    stretches = _innermost(lower, upper)
    inside = (lower[:, None] <= stretches[:, 0]) & (stretches[:, 1] <= upper[:, None])
    times = np.ones(len(lower)) if weights is None else np.asarray(weights, dtype=np.float64)
    many = np.atleast_2d(times)
    mass = np.full((len(many), len(stretches)), 1 / len(stretches))
    for _ in range(_MOST_STEPS):
        chance = np.maximum(mass @ inside.T, 1e-300)
        fresh = mass * ((many / chance) @ inside) / many.sum(axis=1, keepdims=True)
        moved = float(np.abs(fresh - mass).max())
        mass = fresh
        if moved < _TOLERANCE:
            break
    return stretches, mass if times.ndim == 2 else mass[0]


def _innermost(lower: Array, upper: Array) -> Array:
    """Stretches (l, r] with l a left end, r a right end, and no end of either kind between them."""
    lefts, rights = np.unique(lower), np.unique(upper)
    found = []
    for left in lefts:
        right = rights[rights > left][0]
        if not ((lefts > left) & (lefts < right)).any():
            found.append((left, right))
    return np.array(found)


def turnbull_steps(
    intervals: Sequence[ResponseInterval], *, resamples: int = RESAMPLES, seed: int = 0
) -> tuple[TurnbullStep, ...]:
    """The estimate with percentile intervals over resampled patients."""
    left, right = np.array([one.left for one in intervals]), np.array([one.right for one in intervals])
    stretches, mass = turnbull(left, right)
    by = np.cumsum(mass)
    low = high = np.full(len(mass), np.nan)
    if resamples and len(intervals) > 1:
        rng = np.random.default_rng(seed)
        draws = rng.multinomial(len(intervals), np.full(len(intervals), 1 / len(intervals)), size=resamples)
        drawn = np.cumsum(turnbull(left, right, draws)[1], axis=1)
        low, high = np.quantile(drawn, [0.025, 0.975], axis=0)
    return tuple(
        TurnbullStep(float(a), float(b), float(m), min(1.0, float(s)), float(lo), min(1.0, float(hi)))
        for (a, b), m, s, lo, hi in zip(stretches, mass, by, low, high, strict=True)
    )

"""What a model's misses and false marks do to densities and their ratio, and how far that can be undone.

A model with recall r that makes f false marks per cm² shows r·d + f where the density is d. Of two visits read by one
model, r and f are the same, so they cancel or stay as a whole:

- *whether* it changed needs no correction: equal densities are shown as equal rates, whatever r and f;
- *by how much* does: the ratio R of densities is shown as ρ = (r·d·R + f) / (r·d + f), so R − 1 = (ρ − 1)·μ/(μ − f), μ
  being the rate shown at baseline. Recall drops out; false marks pull ρ towards 1, and the correction undoes that.

The uncertainty of f and of μ goes into the interval. Both sides of 1 keep their probability, so a corrected interval
leaves out "no change" exactly where the uncorrected one does.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trichotrack.problems import InputError
from trichotrack.stats.rates import Stratum, beta_of_share, common_rate_ratio

Array = NDArray[np.float64]

_NODES = 24
"""Equally likely values by which an uncertain quantity is stood for."""


@dataclass(frozen=True)
class ReaderError:
    """A model's figures for one sign, with their standard errors. recall: above 0, at most 1. false marks: per cm²."""

    recall: float
    recall_se: float
    false_positives_per_cm2: float
    false_positives_per_cm2_se: float

    def __post_init__(self) -> None:
        values = (self.recall, self.recall_se, self.false_positives_per_cm2, self.false_positives_per_cm2_se)
        if not all(math.isfinite(value) and value >= 0 for value in values) or not 0 < self.recall <= 1:
            told = f"{self.false_positives_per_cm2} ± {self.false_positives_per_cm2_se} false marks per cm²"
            raise InputError(f"recall {self.recall} ± {self.recall_se} and {told} are no figures of a model.")


@dataclass(frozen=True)
class Corrected:
    """value with its interval; value NaN where it is not defined, high inf where it is open."""

    value: float
    low: float
    high: float


def corrected_density(count: float, exposure: float, error: ReaderError, confidence: float = 0.95) -> Corrected:
    """(count / exposure − f) / r per cm², not below 0; exposure in cm².

    Interval: Garwood's for the rate shown, averaged over f (gamma) and r (beta) of these means and standard errors.
    Without error, recall 1 and no false mark, it is Garwood's.
    """
    from scipy.special import gammainc

    Stratum(count, exposure, 0, exposure)
    tail = _tail(confidence)
    false = _false_marks(error)[:, None]
    recall = _recalls(error)[None, :]
    value = max(0.0, (count / exposure - error.false_positives_per_cm2) / error.recall)

    def upto(density: float, shape: float) -> float:
        return float(gammainc(shape, (density * recall + false) * exposure).mean()) if shape else 1.0

    low = 0.0 if upto(0.0, count) >= tail else _solve(lambda d: upto(d, count) - tail, 0.0, max(value, 1.0))
    if upto(0.0, count + 1) >= 1 - tail:
        return Corrected(value, 0.0, 0.0)
    high = _solve(lambda d: upto(d, count + 1) - (1 - tail), 0.0, max(2 * value, 8 / exposure))
    return Corrected(value, min(low, value), max(high, value))


def corrected_rate_ratio(
    strata: Sequence[Stratum], error: ReaderError, *, cv: float, confidence: float = 0.95
) -> Corrected:
    """The ratio of densities behind the ratio of rates shown; both visits read by one model with this error.

    Value: the ratio at which, given each site's total and its false marks, the follow-up counts are those expected
    (without false marks: conditional maximum likelihood); 0 where no more is left than false marks, and NaN where the
    baseline does not exceed them. Interval: that of `common_rate_ratio` for the ratio shown, carried to
    R at each of many values of f (gamma) and of the sum of rates (gamma, CV included), and averaged. The correction
    never moves a ratio towards 1; where both rates may lie below f no more than that is used.
    Raises InputError where strata is empty.
    """
    shown = common_rate_ratio(strata, cv=cv, confidence=confidence)
    count0, count1 = sum(s.count0 for s in strata), sum(s.count1 for s in strata)
    weight = sum(s.exposure0 * s.exposure1 / (s.exposure0 + s.exposure1) for s in strata)
    rate0 = sum(s.count0 * s.exposure1 / (s.exposure0 + s.exposure1) for s in strata) / weight
    rate1 = sum(s.count1 * s.exposure0 / (s.exposure0 + s.exposure1) for s in strata) / weight
    false = error.false_positives_per_cm2
    if count0 + count1 == 0:
        return Corrected(math.nan, shown.low, shown.high)
    value = _value(strata, false) if rate0 > false else math.nan
    tail = _tail(confidence)
    spread = _sum_of_rates(strata, rate0, rate1, weight, cv)[:, None]
    nodes = spread, _false_marks(error)[None, :]
    low = 0.0
    if count1 and _ratio_upto(0.0, strata, nodes, cv, lower_end=True) < tail:
        low = _end(strata, nodes, cv, tail, lower_end=True)
    high = _end(strata, nodes, cv, 1 - tail, lower_end=False) if count0 else math.inf
    if not math.isnan(value):
        low, high = min(low, value), max(high, value)
    return Corrected(value, low, high)


def _value(strata: Sequence[Stratum], false: float) -> float:
    from scipy.optimize import brentq

    k0, a0, k1, a1 = np.array([(s.count0, s.exposure0, s.count1, s.exposure1) for s in strata]).T

    def excess(log_ratio: float) -> float:
        ratio = math.exp(log_ratio)
        density = np.maximum(0.0, (k0 + k1 - false * (a0 + a1)) / (a0 + ratio * a1))
        return float((a1 * (ratio * density + false) - k1).sum())

    reach = math.log(1e6)
    if excess(-reach) >= 0:
        return 0.0
    return math.exp(float(brentq(excess, -reach, reach, xtol=1e-12))) if excess(reach) > 0 else math.nan


def ratio_probability(ratio: float, strata: Sequence[Stratum], error: ReaderError, *, cv: float) -> tuple[float, float]:
    """(for the lower end, for the upper): probability that the ratio of densities is at most `ratio`.

    The interval of `corrected_rate_ratio` holds `ratio` where the first is at least its tail and the second at most 1
    less its tail: quicker than the interval, for simulation.
    """
    weight = sum(s.exposure0 * s.exposure1 / (s.exposure0 + s.exposure1) for s in strata)
    rate0 = sum(s.count0 * s.exposure1 / (s.exposure0 + s.exposure1) for s in strata) / weight
    rate1 = sum(s.count1 * s.exposure0 / (s.exposure0 + s.exposure1) for s in strata) / weight
    nodes = _sum_of_rates(strata, rate0, rate1, weight, cv)[:, None], _false_marks(error)[None, :]
    return (
        _ratio_upto(ratio, strata, nodes, cv, lower_end=True),
        _ratio_upto(ratio, strata, nodes, cv, lower_end=False),
    )


def _ratio_upto(
    ratio: float, strata: Sequence[Stratum], nodes: tuple[Array, Array], cv: float, *, lower_end: bool
) -> float:
    total, false = nodes
    shown = (ratio * total + false * (1 - ratio)) / (total - false * (1 - ratio))
    # Where both rates may lie within the false marks, R is only known to lie beyond ρ, on the same side of 1.
    beyond = max(ratio, 1.0) if lower_end else min(ratio, 1.0)
    found = _shown_upto(np.where(total > 2 * false, np.maximum(shown, 0.0), beyond), strata, cv)
    return float(found.mean())


def _shown_upto(ratio: Array, strata: Sequence[Stratum], cv: float) -> Array:
    """Probability that the ratio of rates shown is at most these, as `common_rate_ratio` has it."""
    from scipy.special import betainc, expit

    count0, count1 = sum(s.count0 for s in strata), sum(s.count1 for s in strata)
    a, b, shift = beta_of_share(count0, count1, cv)
    totals = np.array([s.count0 + s.count1 for s in strata])
    areas = np.array([s.exposure1 / s.exposure0 for s in strata])
    odds = ratio[..., None] * areas
    share = (odds / (1 + odds)) @ totals / totals.sum()
    with np.errstate(divide="ignore"):
        log_odds = np.log(share) - np.log1p(-share)
    return np.asarray(betainc(a, b, expit(log_odds - shift)), dtype=np.float64)


def _end(strata: Sequence[Stratum], nodes: tuple[Array, Array], cv: float, target: float, *, lower_end: bool) -> float:
    """The ratio up to which this probability lies; inf (or 0) where none has it."""

    def excess(log_ratio: float) -> float:
        return _ratio_upto(math.exp(log_ratio), strata, nodes, cv, lower_end=lower_end) - target

    from scipy.optimize import brentq

    reach = math.log(1e6)
    if excess(reach) < 0:
        return math.inf
    if excess(-reach) > 0:
        return 0.0
    return math.exp(float(brentq(excess, -reach, reach, xtol=1e-9)))


def _sum_of_rates(strata: Sequence[Stratum], rate0: float, rate1: float, weight: float, cv: float) -> Array:
    """Equally likely values of the sum of both rates shown, per cm²."""
    from scipy.special import gammaincinv

    variance = sum(
        (s.count0 + 0.25) * (s.exposure1 / (s.exposure0 + s.exposure1)) ** 2
        + (s.count1 + 0.25) * (s.exposure0 / (s.exposure0 + s.exposure1)) ** 2
        for s in strata
    ) / weight**2 + cv**2 * (rate0**2 + rate1**2)
    total = rate0 + rate1 + 0.25 / weight
    shape = total**2 / variance
    return np.asarray(gammaincinv(shape, _midpoints()) * total / shape, dtype=np.float64)


def _false_marks(error: ReaderError) -> Array:
    """Equally likely false marks per cm²: gamma, or half-normal where none were seen."""
    from scipy.special import gammaincinv, ndtri

    mean, spread = error.false_positives_per_cm2, error.false_positives_per_cm2_se
    if spread <= 1e-6 * mean or spread == 0:
        return np.array([mean])
    if mean == 0:
        return np.asarray(spread * ndtri(0.5 + _midpoints() / 2), dtype=np.float64)
    shape = (mean / spread) ** 2
    return np.asarray(gammaincinv(shape, _midpoints()) * mean / shape, dtype=np.float64)


def _recalls(error: ReaderError) -> Array:
    """Equally likely recalls: beta; a normal cut at 1 where no beta of one hump has them, as where none was missed."""
    from scipy.special import betaincinv, ndtri

    mean, spread = error.recall, error.recall_se
    if not spread:
        return np.array([mean])
    size = mean * (1 - mean) / spread**2 - 1
    drawn = (
        betaincinv(mean * size, (1 - mean) * size, _midpoints())
        if size >= 1
        else np.minimum(1.0, mean + spread * ndtri(_midpoints()))
    )
    return np.maximum(np.asarray(drawn, dtype=np.float64), 1e-3)


def _midpoints() -> Array:
    return (np.arange(_NODES) + 0.5) / _NODES


def _solve(excess: Callable[[float], float], low: float, high: float) -> float:
    from scipy.optimize import brentq

    while excess(high) < 0:
        high *= 2
        if high > 1e12:
            return math.inf
    return float(brentq(excess, low, high, xtol=1e-9))


def _tail(confidence: float) -> float:
    if not 0 < confidence < 1:
        raise InputError(f"a confidence of {confidence} is not between 0 and 1.")
    return (1 - confidence) / 2

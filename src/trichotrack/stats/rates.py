"""Counts on an area: one density, and the ratio of two densities, exactly or nearly so and closed in form.

Counts may be fractions: repeats of one field are averaged and share one exposure, so two pictures with 3 and 4 black
dots are 3.5 events on the area of one. The binomial and Poisson tails are then continued by the beta and gamma
functions, which agree with the sums at whole counts and never act as if the average were more events than it is.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from trichotrack.problems import InputError

Array = NDArray[np.float64]


@dataclass(frozen=True)
class RateRatio:
    """Rate at follow-up over rate at baseline. ratio: NaN where nothing was counted, inf where baseline is zero.

    low, high: 0 and inf where a count leaves that side open. p: two-sided, against a ratio of 1.
    """

    ratio: float
    low: float
    high: float
    p: float


@dataclass(frozen=True)
class Stratum:
    """Two counts of one site: baseline (0) and follow-up (1), each with its exposure in cm²."""

    count0: float
    exposure0: float
    count1: float
    exposure1: float

    def __post_init__(self) -> None:
        for count, exposure in ((self.count0, self.exposure0), (self.count1, self.exposure1)):
            _check(count, exposure)


def poisson_interval(count: float, exposure: float = 1.0, confidence: float = 0.95) -> tuple[float, float]:
    """Exact interval for count / exposure, count being Poisson; Garwood 1936. count >= 0, exposure > 0 (cm²)."""
    from scipy.special import gammaincinv

    _check(count, exposure)
    tail = _tail(confidence)
    low = float(gammaincinv(count, tail)) if count > 0 else 0.0
    return low / exposure, float(gammaincinv(count + 1, 1 - tail)) / exposure


def weighted_poisson_interval(
    counts: Sequence[float], weights: Sequence[float], confidence: float = 0.95
) -> tuple[float, float]:
    """Interval for Σ weight × count of independent Poisson counts: the gamma interval of Fay and Feuer 1997.

    weights: share of a site / its exposure, so that the sum is a directly standardised density. With one site, or
    equal weights, it is Garwood's.
    """
    from scipy.special import gammaincinv

    count, weight = np.asarray(counts, dtype=np.float64), np.asarray(weights, dtype=np.float64)
    if count.shape != weight.shape or not len(count) or (count < 0).any() or not (weight > 0).all():
        raise InputError(f"a weighted density needs counts >= 0, each with a weight > 0; got {counts} and {weights}.")
    tail = _tail(confidence)
    mean, variance, largest = float(weight @ count), float(weight**2 @ count), float(weight.max())
    low = float(gammaincinv(mean**2 / variance, tail)) * variance / mean if mean > 0 else 0.0
    mean, variance = mean + largest, variance + largest**2
    return low, float(gammaincinv(mean**2 / variance, 1 - tail)) * variance / mean


def rate_ratio(count0: float, exposure0: float, count1: float, exposure1: float, confidence: float = 0.95) -> RateRatio:
    """Two Poisson counts, nothing added to their noise.

    Given their sum, the follow-up count is binomial with p = A₁RR / (A₀ + A₁RR). p-value: doubled mid-p, at most 1.
    Interval: Jeffreys on that binomial, mapped to the ratio; open where a count is zero.
    """
    stratum = Stratum(count0, exposure0, count1, exposure1)
    total = count0 + count1
    if total == 0:
        return RateRatio(math.nan, 0.0, math.inf, 1.0)
    low, high = _beta_interval(count1 + 0.5, count0 + 0.5, confidence)
    odds = exposure0 / exposure1
    return RateRatio(
        _ratio([stratum]),
        low / (1 - low) * odds if count1 else 0.0,
        high / (1 - high) * odds if count0 else math.inf,
        float(mid_p_value(count0, count1, exposure1 / (exposure0 + exposure1))),
    )


def mid_p_value(count0: ArrayLike, count1: ArrayLike, share: ArrayLike) -> Array:
    """2·(P(X < count1) + ½·P(X = count1)) or its mirror image, at most 1, for X binomial(count0 + count1, share).

    share: part of the exposure that belongs to the follow-up, A₁ / (A₀ + A₁). Arrays are broadcast.
    """
    from scipy.special import betainc

    k0, k1, p = (np.asarray(value, dtype=np.float64) for value in (count0, count1, share))
    k0, k1, p = np.broadcast_arrays(k0, k1, p)
    # P(X <= k) is I(1 - p; n - k, k + 1); where a parameter is 0 the tail is 0 or 1.
    upto = np.where(k0 > 0, betainc(np.maximum(k0, 1e-300), k1 + 1, 1 - p), 1.0)
    below = np.where(k1 > 0, betainc(k0 + 1, np.maximum(k1, 1e-300), 1 - p), 0.0)
    lower = (upto + below) / 2
    return np.asarray(np.minimum(1.0, 2 * np.minimum(lower, 1 - lower)))


def rate_ratio_wald(
    count0: float, exposure0: float, count1: float, exposure1: float, cv: float, confidence: float = 0.95
) -> RateRatio:
    """Wald on the log rate with 0.5 added to each count, and a between-capture CV (0.15 for 15 %) at each visit.

    Simple and well known, but at few events it says nothing where a fall to zero is plain to see, and zero is less
    significant to it than one: `common_rate_ratio` is what verdicts use.
    """
    from scipy.special import ndtri

    Stratum(count0, exposure0, count1, exposure1)
    log_ratio, error = _wald(count0, exposure0, count1, exposure1, cv)
    reach = float(ndtri(1 - _tail(confidence))) * float(error)
    centre = float(log_ratio)
    p = float(wald_p_value(count0, exposure0, count1, exposure1, cv))
    return RateRatio(math.exp(centre), math.exp(centre - reach), math.exp(centre + reach), p)


def wald_p_value(count0: ArrayLike, exposure0: ArrayLike, count1: ArrayLike, exposure1: ArrayLike, cv: float) -> Array:
    """Two-sided p of `rate_ratio_wald`; arrays are broadcast."""
    from scipy.special import ndtr

    log_ratio, error = _wald(count0, exposure0, count1, exposure1, cv)
    return np.asarray(2 * ndtr(-np.abs(log_ratio) / error))


def _wald(
    count0: ArrayLike, exposure0: ArrayLike, count1: ArrayLike, exposure1: ArrayLike, cv: float
) -> tuple[Array, Array]:
    k0, a0, k1, a1 = (np.asarray(value, dtype=np.float64) for value in (count0, exposure0, count1, exposure1))
    log_ratio = np.log((k1 + 0.5) * a0 / ((k0 + 0.5) * a1))
    return log_ratio, np.sqrt(1 / (k0 + 0.5) + 1 / (k1 + 0.5) + 2 * cv**2)


def common_rate_ratio(strata: Sequence[Stratum], *, cv: float, confidence: float = 0.95) -> RateRatio:
    """The ratio that several sites share, with a between-capture CV at each visit beside the Poisson noise.

    Ratio: conditional maximum likelihood, where Σ count1 equals its expectation given each site's total. Noise: given
    the sum, the follow-up count would be binomial; a CV at each visit, the same at all sites, makes p waver. Where
    both errors are gamma and the exposures equal, p is Beta(1/cv², 1/cv²) exactly; here the Beta of the counts and that
    of the errors are combined into one by 1/a → 1/a + cv², the mean of the log odds kept. One is added to each count,
    which at equal exposure and no CV is the conditional mid-p exactly (½P(X<=k) + ½P(X<k) of n is P(X<=k) of n + 1).
    p and interval are of one piece: the interval excludes 1 where p is below 1 - confidence.

    Sites with different area ratios make the sum's variance smaller than the binomial taken here: on the safe side.
    Size of the 5 % test, by enumeration from 5 to 300 events, CV 0 to 30 %, areas 1:2 to 2:1: 2.5 to 5.0 %.
    Raises InputError where strata is empty.
    """
    if not strata:
        raise InputError("a rate ratio needs at least one site that both visits share.")
    count0, count1 = sum(s.count0 for s in strata), sum(s.count1 for s in strata)
    if count0 + count1 == 0:
        return RateRatio(math.nan, 0.0, math.inf, 1.0)
    a, b, shift = _widened(np.asarray(count1), np.asarray(count0), cv)
    ends = [
        _ratio_at(strata, float(np.log(end) - np.log1p(-end) + shift))
        for end in _beta_interval(float(a), float(b), confidence)
    ]
    ratio = _ratio(strata)
    return RateRatio(
        ratio,
        min(ends[0], ratio) if count1 else 0.0,
        max(ends[1], ratio) if count0 else math.inf,
        float(overdispersed_p_value(count0, count1, null_share(strata), cv)),
    )


def common_p_value(strata: Sequence[Stratum], *, cv: float) -> float:
    """The p of `common_rate_ratio` alone: quicker."""
    count0, count1 = sum(s.count0 for s in strata), sum(s.count1 for s in strata)
    return float(overdispersed_p_value(count0, count1, null_share(strata), cv)) if count0 + count1 else 1.0


def common_ratio(strata: Sequence[Stratum]) -> float:
    """The ratio of `common_rate_ratio` alone; NaN where nothing was counted."""
    return _ratio(strata) if any(s.count0 + s.count1 for s in strata) else math.nan


def equivalence_interval(strata: Sequence[Stratum], *, cv: float, level: float) -> RateRatio:
    """`common_rate_ratio` with the interval of two one-sided tests, each at `level`: its confidence is 1 - 2·level.

    The ratio is shown to lie within a margin where this interval does (Schuirmann 1987); level below 0.5.
    """
    return common_rate_ratio(strata, cv=cv, confidence=1 - 2 * level)


def null_share(strata: Sequence[Stratum]) -> float:
    """Part of all events expected at follow-up were nothing to change, given each site's total."""
    total = sum(s.count0 + s.count1 for s in strata)
    if total == 0:
        return sum(s.exposure1 for s in strata) / sum(s.exposure0 + s.exposure1 for s in strata)
    return sum((s.count0 + s.count1) * s.exposure1 / (s.exposure0 + s.exposure1) for s in strata) / total


def overdispersed_p_value(count0: ArrayLike, count1: ArrayLike, share: ArrayLike, cv: float) -> Array:
    """Two-sided p of `common_rate_ratio`. share: as `null_share` gives it. Arrays are broadcast."""
    from scipy.special import betainc, expit

    k0, k1, p = (np.asarray(value, dtype=np.float64) for value in (count0, count1, share))
    a, b, shift = _widened(k1, k0, cv)
    lower = betainc(a, b, expit(np.log(p) - np.log1p(-p) - shift))
    return np.asarray(2 * np.minimum(lower, 1 - lower))


def change_needed(count0: float, share: float, *, cv: float, level: float) -> tuple[int | None, int | None]:
    """(most events at follow-up that are a fall, fewest that are a rise) at a two-sided level; whole counts.

    None where not even zero would be a fall, or no number a rise. share: as `null_share` gives it.
    """
    expected = count0 * share / (1 - share)
    below = np.arange(math.ceil(expected) + 1)
    falls = below[(overdispersed_p_value(count0, below, share, cv) <= level) & (below < expected)]
    fall = int(falls.max()) if len(falls) else None
    low, high = math.floor(expected), max(8, 2 * math.ceil(expected))
    while overdispersed_p_value(count0, high, share, cv) > level:
        low, high = high, 2 * high
        if high > 10**9:  # a large CV puts any rise within the noise
            return fall, None
    while high - low > 1:
        # All in between at once, or where these are many, every so-manieth.
        asked = np.unique(np.linspace(low + 1, high, min(high - low, 512)).astype(np.int64))
        significant = (overdispersed_p_value(count0, asked, share, cv) <= level) & (asked > expected)
        first = int(np.argmax(significant))
        low, high = (int(asked[first - 1]) if first else low), int(asked[first])
    return fall, high


def wilson_interval(successes: float, total: float, confidence: float = 0.95) -> tuple[float, float]:
    """Interval for a proportion; Wilson 1927. 0 <= successes <= total, total > 0."""
    from scipy.special import ndtri

    if not 0 <= successes <= total or total <= 0:
        raise InputError(f"{successes} of {total} is not a proportion.")
    z = float(ndtri(1 - _tail(confidence)))
    share = successes / total
    centre = (share + z**2 / (2 * total)) / (1 + z**2 / total)
    reach = z * math.sqrt(share * (1 - share) / total + z**2 / (4 * total**2)) / (1 + z**2 / total)
    return max(0.0, centre - reach), min(1.0, centre + reach)


def beta_of_share(count0: ArrayLike, count1: ArrayLike, cv: float) -> tuple[Array, Array, Array]:
    """(a, b, shift) of `common_rate_ratio`: log odds of the follow-up's share, less shift, are those of Beta(a, b)."""
    return _widened(np.asarray(count1, dtype=np.float64), np.asarray(count0, dtype=np.float64), cv)


def _widened(count1: Array, count0: Array, cv: float) -> tuple[Array, Array, Array]:
    """Beta parameters of counts + 1 with the CV in them, and what their mean log odds lost by it."""
    from scipy.special import digamma

    a, b = count1 + 1.0, count0 + 1.0
    wide_a, wide_b = a / (1 + a * cv**2), b / (1 + b * cv**2)
    return wide_a, wide_b, (digamma(a) - digamma(b)) - (digamma(wide_a) - digamma(wide_b))


def _ratio(strata: Sequence[Stratum]) -> float:
    count0, count1 = sum(s.count0 for s in strata), sum(s.count1 for s in strata)
    if count0 == 0:
        return math.inf
    return _ratio_at(strata, math.log(count1 / count0)) if count1 else 0.0


def _ratio_at(strata: Sequence[Stratum], log_odds: float) -> float:
    """The rate ratio at which the expected share of follow-up events has these log odds."""
    if len(strata) == 1:
        return math.exp(min(log_odds - math.log(strata[0].exposure1 / strata[0].exposure0), 700.0))
    totals = np.array([s.count0 + s.count1 for s in strata])
    log_area = np.log([s.exposure1 / s.exposure0 for s in strata])
    log_area, totals = log_area[totals > 0], totals[totals > 0]
    if np.ptp(log_area) < 1e-12:
        return math.exp(min(log_odds - float(log_area[0]), 700.0))
    from scipy.optimize import brentq
    from scipy.special import expit, logit

    def excess(log_ratio: float) -> float:
        # Of the two shares the smaller is compared: next to 1 a float holds no more digits.
        side = 1.0 if log_odds <= 0 else -1.0
        mean = float(totals @ expit(side * (log_ratio + log_area)) / totals.sum())
        return side * (float(logit(mean)) - side * log_odds)

    ends = log_odds - float(log_area.max()), log_odds - float(log_area.min())
    return math.exp(min(float(brentq(excess, *ends, xtol=1e-12)), 700.0))


def _beta_interval(a: float, b: float, confidence: float) -> tuple[float, float]:
    from scipy.special import betaincinv

    tail = _tail(confidence)
    # The upper end by the mirrored tail: 1 - tail loses digits.
    low, high = float(betaincinv(a, b, tail)), 1 - float(betaincinv(b, a, tail))
    tiny = np.finfo(np.float64).tiny
    return max(low, float(tiny)), min(high, 1 - 1e-16)


def _tail(confidence: float) -> float:
    if not 0 < confidence < 1:
        raise InputError(f"a confidence of {confidence} is not between 0 and 1.")
    return (1 - confidence) / 2


def _check(count: float, exposure: float) -> None:
    if not (math.isfinite(count) and count >= 0):
        raise InputError(f"a count of {count} is not a number from 0 up.")
    if not (math.isfinite(exposure) and exposure > 0):
        raise InputError(f"an exposure of {exposure} cm² is not above 0.")

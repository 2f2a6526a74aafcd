"""Structures followed one by one from one visit to the next: kept, lost, gained; did their number change?

Only those lost and those gained speak of a change: given how many there are of both, and no change, each is as likely
the one as the other (McNemar 1947). Two independent counts would also have to carry the chance of which hairs happened
to lie in the field; here these are the same hairs.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from trichotrack.problems import InputError
from trichotrack.stats.rates import RateRatio, mid_p_value

Array = NDArray[np.float64]

_STEPS = 80
"""Halvings of the range of the logarithm: to the last digit."""


@dataclass(frozen=True)
class Followed:
    """Structures of one kind in the skin that both visits show. kept: at both visits; lost, gained: at one of them."""

    kept: int
    lost: int
    gained: int

    def __post_init__(self) -> None:
        if min(self.kept, self.lost, self.gained) < 0:
            raise InputError(f"numbers of structures are not below 0: got {self}.")

    @property
    def before(self) -> int:
        return self.kept + self.lost

    @property
    def after(self) -> int:
        return self.kept + self.gained

    def __add__(self, other: Followed) -> Followed:
        return Followed(self.kept + other.kept, self.lost + other.lost, self.gained + other.gained)


def paired_ratio(followed: Followed, *, cv: float = 0.0, confidence: float = 0.95) -> RateRatio:
    """Number at follow-up over number at baseline of the same skin, with its interval and the p against no change.

    p: McNemar's mid-p, which keeps its 5 % where the exact test is far below and the asymptotic one at times above
    (Fagerland, Lydersen and Laake 2013). Interval: the score interval for a ratio of paired proportions (Nam and
    Blackwelder 2002, Tang et al. 2003), whose test of "no change" is McNemar's; it is drawn out to 1 where the mid-p
    does not reject. cv: a variation of each visit's count beyond that, such as of the reader between two pictures; it
    widens the variance of lost and gained, and with it both. low is 0 and high inf where a visit counted none.
    """
    low, high = paired_interval(followed.kept, followed.lost, followed.gained, cv=cv, confidence=confidence)
    p = float(paired_p_value(followed.kept, followed.lost, followed.gained, cv=cv))
    before, after = followed.before, followed.after
    ratio = after / before if before else (math.inf if after else math.nan)
    return RateRatio(ratio, float(low), float(high), p)


def paired_p_value(kept: ArrayLike, lost: ArrayLike, gained: ArrayLike, *, cv: float = 0.0) -> Array:
    """Two-sided p of `paired_ratio`. Arrays are broadcast.

    With a cv, lost and gained are both made smaller by what it adds to their variance (an effective number, as of a
    quasi-likelihood); the binomial tail is then continued by the beta function.
    """
    m, g, n = _three(kept, lost, gained)
    apart = g + n
    spread = apart + cv**2 * ((m + g) ** 2 + (m + n) ** 2)
    share = np.divide(apart, spread, out=np.ones_like(apart), where=spread > 0)
    return np.where(apart > 0, mid_p_value(g * share, n * share, 0.5), 1.0)


def paired_interval(
    kept: ArrayLike, lost: ArrayLike, gained: ArrayLike, *, cv: float = 0.0, confidence: float = 0.95
) -> tuple[Array, Array]:
    """(low, high) of `paired_ratio`. Arrays are broadcast."""
    from scipy.special import ndtri

    if not 0 < confidence < 1:
        raise InputError(f"a confidence of {confidence} is not between 0 and 1.")
    m, g, n = _three(kept, lost, gained)
    z = float(ndtri((1 + confidence) / 2))
    low = np.where(m + n > 0, _end(m, g, n, z, cv), 0.0)
    high = np.where(m + g > 0, _end(m, g, n, -z, cv), math.inf)
    open_ = paired_p_value(m, g, n, cv=cv) > 1 - confidence
    none = m + g + n == 0
    low = np.where(none, 0.0, np.where(open_, np.minimum(low, 1.0), low))
    return low, np.where(none, math.inf, np.where(open_, np.maximum(high, 1.0), high))


def _end(m: Array, g: Array, n: Array, z: float, cv: float) -> Array:
    """The ratio at which the score statistic is z; it falls as the ratio rises."""
    low, high = np.full(m.shape, -14.0), np.full(m.shape, 14.0)
    for _ in range(_STEPS):
        middle = (low + high) / 2
        above = _score(m, g, n, np.exp(middle), cv) > z
        low, high = np.where(above, middle, low), np.where(above, high, middle)
    return np.asarray(np.exp((low + high) / 2))


def _score(m: Array, g: Array, n: Array, ratio: Array, cv: float) -> Array:
    """(after − ratio·before) over its standard deviation were that the true ratio.

    The numbers expected under the ratio are those of maximum likelihood: that of the gained solves a quadratic.
    """
    total = m + g + n
    a = ratio * (1 + ratio)
    b = (1 - ratio**2) * total - ratio**2 * n - g
    c = -ratio * (1 - ratio) * n * total
    gained = (-b + np.sqrt(np.maximum(b * b - 4 * a * c, 0.0))) / (2 * a)
    variance = ratio * (total * (1 - ratio) + (1 + ratio) * gained)
    before, after = m + g, m + n
    variance = np.maximum(variance, 0.0) + cv**2 * (after**2 + (ratio * before) ** 2)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.nan_to_num((after - ratio * before) / np.sqrt(variance), nan=0.0))


def _three(kept: ArrayLike, lost: ArrayLike, gained: ArrayLike) -> tuple[Array, Array, Array]:
    m, g, n = np.broadcast_arrays(*(np.asarray(value, np.float64) for value in (kept, lost, gained)))
    return m, g, n

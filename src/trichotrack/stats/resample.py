"""Intervals by resampling whole people: the captures of one person are not independent."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from trichotrack.problems import InputError

_CHUNK = 250
"""Resamples drawn at once: bounds memory to about _CHUNK × people × components numbers."""


def cluster_bootstrap(
    clusters: NDArray[np.floating],
    statistic: Callable[[NDArray[np.float64]], NDArray[np.float64]],
    *,
    n: int = 2000,
    seed: int = 0,
    confidence: float = 0.95,
) -> tuple[float, float]:
    """Percentile interval of a statistic of sums, resampling clusters (people) with replacement.

    clusters: (P, K), one row a person, each column a component that adds over people (true positives, false
    positives, misses …). statistic: sums (…, K) to values (…), vectorised; NaN where undefined (0 / 0). n: resamples.
    Returns (low, high) at the given confidence over the resamples where the statistic is defined; (NaN, NaN) where it
    never is. With one person nothing is known of the spread between people: (NaN, NaN). Efron 1979; few people
    (under about 20) make percentile intervals somewhat too short.
    Raises InputError where clusters is not (P, K), is not finite, or n or confidence make no sense.
    """
    sums = np.asarray(clusters, dtype=np.float64)
    if sums.ndim != 2 or not np.isfinite(sums).all():
        raise InputError(f"a bootstrap needs a finite table of (people, components), not one of shape {sums.shape}.")
    if n < 1 or not 0 < confidence < 1:
        raise InputError(f"{n} resamples at confidence {confidence} make no interval.")
    people = len(sums)
    if people < 2:
        return float("nan"), float("nan")
    rng = np.random.default_rng(seed)
    values = []
    for start in range(0, n, _CHUNK):
        draws = min(_CHUNK, n - start)
        times = rng.multinomial(people, np.full(people, 1 / people), size=draws)
        with np.errstate(divide="ignore", invalid="ignore"):
            values.append(np.asarray(statistic(times @ sums), dtype=np.float64).reshape(draws))
    drawn = np.concatenate(values)
    drawn = drawn[np.isfinite(drawn)]
    if not len(drawn):
        return float("nan"), float("nan")
    low, high = np.quantile(drawn, [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(low), float(high)

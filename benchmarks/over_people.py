"""Figures from sums over people, with intervals by resampling people."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

import numpy as np
from numpy.typing import NDArray

from trichotrack.evaluate.figures import Figure
from trichotrack.stats.resample import cluster_bootstrap

Sums = NDArray[np.float64]


def ratio(rows: Iterable[tuple[str, float, float]], *, resamples: int = 2000) -> Figure:
    """Sum over sum, of rows (person, numerator, denominator)."""
    return figure(((person, (above, below)) for person, above, below in rows), _quotient, resamples=resamples)


def figure(
    rows: Iterable[tuple[str, tuple[float, ...]]], statistic: Callable[[Sums], Sums], *, resamples: int = 2000
) -> Figure:
    """A statistic of sums (..., K), of rows (person, K components)."""
    people: dict[str, Sums] = {}
    for person, components in rows:
        people[person] = people.get(person, 0.0) + np.array(components, np.float64)
    sums = np.array(list(people.values()))
    with np.errstate(divide="ignore", invalid="ignore"):
        value = float(statistic(sums.sum(axis=0)))
    return Figure(_known(value), *map(_known, cluster_bootstrap(sums, statistic, n=resamples)))


def _quotient(sums: Sums) -> Sums:
    return np.asarray(sums[..., 0] / sums[..., 1])


def _known(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None

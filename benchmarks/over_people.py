"""Figures of sums and medians over people (or over drawn captures), with intervals by resampling them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from trichotrack.evaluate.figures import Figure
from trichotrack.stats.rates import poisson_interval
from trichotrack.stats.resample import cluster_bootstrap

Sums = NDArray[np.float64]


def sums_of(rows: Iterable[tuple[str, Sequence[float]]]) -> dict[str, Sums]:
    """Rows (person, K components) added up by person."""
    people: dict[str, Sums] = {}
    for person, components in rows:
        people[person] = people.get(person, np.zeros(len(components))) + np.array(components, np.float64)
    return people


def figure(people: Mapping[str, Sums], statistic: Callable[[Sums], Sums], *, resamples: int = 2000) -> Figure:
    """A statistic of sums (..., K), vectorised, of the K sums of each person."""
    sums = np.array(list(people.values()))
    with np.errstate(divide="ignore", invalid="ignore"):
        value = float(statistic(sums.sum(axis=0)))
    return Figure(_known(value), *map(_known, cluster_bootstrap(sums, statistic, n=resamples)))


def ratio(rows: Iterable[tuple[str, float, float]]) -> Figure:
    """Sum over sum, of rows (person, numerator, denominator)."""
    return figure(sums_of((person, (above, below)) for person, above, below in rows), _quotient)


def rate(rows: Iterable[tuple[str, int, float]]) -> Figure:
    """Marks per cm², of rows (person, marks, cm²). Each end is the farther of two: over people, and exact Poisson.

    None found is not none ever: resampling people who have none would say 0 to 0.
    """
    kept = list(rows)
    marks, area_cm2 = sum(row[1] for row in kept), sum(row[2] for row in kept)
    if not area_cm2:
        return Figure(None)
    over_people = ratio(kept)
    low, high = poisson_interval(marks, area_cm2)
    ends = [low if over_people.low is None else over_people.low, high if over_people.high is None else over_people.high]
    return Figure(marks / area_cm2, min(low, ends[0]), max(high, ends[1]))


def f1_of(sums: Sums) -> Sums:
    """F1 of sums (..., 3): right, false and missed."""
    return np.asarray(2 * sums[..., 0] / (2 * sums[..., 0] + sums[..., 1] + sums[..., 2]))


def median(rows: Sequence[tuple[str, float]], *, resamples: int = 400, seed: int = 0) -> Figure:
    """Median of rows (person, value), with its interval from resampling people with all their values."""
    if not rows:
        return Figure(None)
    names, values = [person for person, _ in rows], np.array([value for _, value in rows])
    people, index = np.unique(names, return_inverse=True)
    order = np.argsort(values, kind="stable")
    value = float(np.median(values))
    if len(people) < 2:
        return Figure(value)
    rng = np.random.default_rng(seed)
    times = rng.multinomial(len(people), np.full(len(people), 1 / len(people)), size=resamples)
    weights = np.cumsum(times[:, index[order]], axis=1)
    # Of an even number the lower of the two in the middle: between so many values it makes no difference.
    at = np.argmax(weights >= weights[:, -1:] / 2, axis=1)
    drawn = values[order][at][weights[:, -1] > 0]
    low, high = np.quantile(drawn, [0.025, 0.975])
    return Figure(value, float(low), float(high))


def difference(
    first: Mapping[str, Sums], second: Mapping[str, Sums], statistic: Callable[[Sums], Sums], *, resamples: int = 2000
) -> Figure:
    """The statistic of second less that of first; the two have other people, each resampled on their own."""
    values, drawn = [], []
    for seed, people in enumerate((first, second)):
        sums = np.array(list(people.values()))
        times = np.random.default_rng(seed).multinomial(len(sums), np.full(len(sums), 1 / len(sums)), size=resamples)
        with np.errstate(divide="ignore", invalid="ignore"):
            values.append(float(statistic(sums.sum(axis=0))))
            drawn.append(statistic(times @ sums))
    low, high = np.nanquantile(drawn[1] - drawn[0], [0.025, 0.975])
    return Figure(_known(values[1] - values[0]), _known(low), _known(high))


def said(figure_: Mapping[str, float | None], form: str = ".3f") -> str:
    """A figure, as a mapping, for a person."""
    value, low, high = (figure_[key] for key in ("value", "low", "high"))
    if value is None:
        return "-"
    return f"{value:{form}}" + (f" ({low:{form}} to {high:{form}})" if low is not None and high is not None else "")


def _quotient(sums: Sums) -> Sums:
    return np.asarray(sums[..., 0] / sums[..., 1])


def _known(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None

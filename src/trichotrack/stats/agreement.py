"""How far readers agree: Cohen's κ on classes, ICC(2,1) and Bland–Altman limits on counts."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from trichotrack.problems import InputError

Array = NDArray[np.float64]

LIMITS_Z = 1.96
"""Limits of agreement lie so many standard deviations from the bias: 95 % of normal differences are between them."""

MIN_COUNTS = 2
"""Captures below which counts say nothing of agreement."""


@dataclass(frozen=True)
class Estimate:
    """A value with its interval; low and high are NaN where none can be formed."""

    value: float
    low: float = math.nan
    high: float = math.nan


@dataclass(frozen=True)
class BlandAltman:
    """Second reader less first, over n captures: bias, SD of the differences, and the limits of agreement."""

    n: int
    bias: Estimate
    sd: float
    lower: Estimate
    upper: Estimate


def kappa_of(tables: ArrayLike) -> Array:
    """Cohen's κ of tables (..., C, C) of counts, rows by one reader and columns by the other (Cohen 1960).

    NaN where chance alone would agree wholly (both readers used one and the same class) or nothing was classed.
    """
    share, by_chance = _observed_and_chance(np.asarray(tables, np.float64))
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(by_chance < 1, (share - by_chance) / (1 - by_chance), math.nan)


def kappa(table: ArrayLike, *, confidence: float = 0.95) -> Estimate:
    """Cohen's κ of one table (C, C), with the large-sample interval of Fleiss, Cohen and Everitt (1969).

    The interval takes the classed structures as independent; those of one person are not, so where people are known
    they should be resampled too. It has no width where the readers never differ: NaN is given there. Raises
    InputError for a table that is not square or holds no count.
    """
    from scipy.special import ndtri

    counts = np.asarray(table, np.float64)
    if counts.ndim != 2 or counts.shape[0] != counts.shape[1] or (counts < 0).any() or not np.isfinite(counts).all():
        raise InputError(f"κ needs a square table of counts, not one of shape {counts.shape}.")
    n = float(counts.sum())
    if not n:
        raise InputError("κ of no structure at all is not defined.")
    value = float(kappa_of(counts))
    if not math.isfinite(value):
        raise InputError(f"both readers put all {n:g} structures in one class: κ is not defined.")
    p = counts / n
    rows, columns = p.sum(axis=1), p.sum(axis=0)
    by_chance = float(rows @ columns)
    own = float((np.diag(p) * (1 - (rows + columns) * (1 - value)) ** 2).sum())
    across = (columns[:, None] + rows[None, :]) ** 2
    other = float((p * across).sum() - (np.diag(p) * np.diag(across)).sum()) * (1 - value) ** 2
    square = own + other - (value - by_chance * (1 - value)) ** 2
    se = math.sqrt(max(0.0, square) / n) / (1 - by_chance)
    if se < 1e-12:
        return Estimate(value)
    reach = float(ndtri((1 + confidence) / 2)) * se
    return Estimate(value, max(-1.0, value - reach), min(1.0, value + reach))


def _observed_and_chance(tables: Array) -> tuple[Array, Array]:
    total = tables.sum(axis=(-2, -1))
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.trace(tables, axis1=-2, axis2=-1) / total
        by_chance = (tables.sum(axis=-1) * tables.sum(axis=-2)).sum(axis=-1) / total**2
    return np.asarray(share), np.where(total > 0, by_chance, 1.0)


def icc_components(counts: ArrayLike) -> Array:
    """(n, k) counts of n captures by k readers as (n, 3 + k) components that add over captures, for `icc_of`."""
    x = np.asarray(counts, np.float64)
    return np.column_stack([np.ones(len(x)), x.sum(axis=1) ** 2, (x**2).sum(axis=1), x])


def icc_of(sums: ArrayLike) -> Array:
    """ICC(2,1) of sums (..., 3 + k) of `icc_components`; NaN where the counts do not vary at all.

    (MSR − MSE) / (MSR + (k−1)·MSE + k·(MSC − MSE)/n): two-way random effects, absolute agreement, one reader (Shrout
    and Fleiss 1979; McGraw and Wong 1996 call it ICC(A,1)).
    """
    n, between, within, error, k = _mean_squares(np.asarray(sums, np.float64))
    below = between + (k - 1) * error + k * (within - error) / n
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(below > 1e-12 * (1 + np.abs(between)), (between - error) / below, math.nan)


def icc(counts: ArrayLike, *, confidence: float = 0.95) -> Estimate:
    """ICC(2,1) of counts (n, k), n captures by k readers, with the interval of McGraw and Wong (1996), table 7.

    The interval rests on Satterthwaite's degrees of freedom and takes captures as independent and counts as normal. It
    has no width where the readers never differ: NaN is given there. Raises InputError for fewer than two captures or
    readers, for counts that are not finite, and where they do not vary.
    """
    from scipy.special import fdtri

    x = _counts(counts)
    sums = icc_components(x).sum(axis=0)
    value = float(icc_of(sums))
    if not math.isfinite(value):
        raise InputError(f"all {x.size} counts are {x.flat[0]:g}: without any variation there is no ICC.")
    n_, between_, within_, error_, k = _mean_squares(sums)
    n, between, within, error = float(n_), float(between_), float(within_), float(error_)
    if max(within, error) <= 1e-12 * between:
        return Estimate(value)
    a, b = k * value / (n * (1 - value)), 1 + k * value * (n - 1) / (n * (1 - value))
    df = (a * within + b * error) ** 2 / ((a * within) ** 2 / (k - 1) + (b * error) ** 2 / ((n - 1) * (k - 1)))
    tail = (1 + confidence) / 2
    upper_f, lower_f = float(fdtri(n - 1, df, tail)), float(fdtri(df, n - 1, tail))
    rest = k * within + (k * n - k - n) * error
    low = n * (between - upper_f * error) / (upper_f * rest + n * between)
    high = n * (lower_f * between - error) / (rest + n * lower_f * between)
    return Estimate(value, low, min(1.0, high))


def _mean_squares(sums: Array) -> tuple[Array, Array, Array, Array, int]:
    """(captures, between captures, between readers, error, readers); each but the last of the shape of sums[..., 0]."""
    k = sums.shape[-1] - 3
    n, squared_rows, squares, columns = sums[..., 0], sums[..., 1], sums[..., 2], sums[..., 3:]
    with np.errstate(divide="ignore", invalid="ignore"):
        middle = columns.sum(axis=-1) ** 2 / (n * k)
        rows_ss = np.maximum(squared_rows / k - middle, 0.0)
        columns_ss = np.maximum((columns**2).sum(axis=-1) / n - middle, 0.0)
        error_ss = squares - middle - rows_ss - columns_ss
        error_ss = np.where(error_ss > 1e-12 * (1 + squares), error_ss, 0.0)  # what rounding leaves is none
        error = error_ss / ((n - 1) * (k - 1))
        return n, rows_ss / (n - 1), columns_ss / (k - 1), error, k


def limits_of(sums: ArrayLike, z: float = LIMITS_Z) -> Array:
    """(..., 3): bias, lower and upper limit of sums (..., 3) over captures of 1, the difference and its square."""
    s = np.asarray(sums, np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        bias = s[..., 1] / s[..., 0]
        sd = np.sqrt(np.maximum(s[..., 2] - s[..., 0] * bias**2, 0.0) / (s[..., 0] - 1))
        return np.stack([bias, bias - z * sd, bias + z * sd], axis=-1)


def bland_altman(first: ArrayLike, second: ArrayLike, *, confidence: float = 0.95, z: float = LIMITS_Z) -> BlandAltman:
    """Bias (second less first) and limits of agreement, bias ± z·SD (Bland and Altman 1986), with their intervals.

    first, second: (n,) counts of the same captures. Bias: Student's t. Limits: exact for normal differences, from the
    noncentral t (Carkeet 2015), where the paper of 1986 approximates. Captures are taken as independent. Raises
    InputError for fewer than two captures, and where the differences do not vary.
    """
    from scipy.special import stdtrit
    from scipy.stats import nct

    x = _counts(np.column_stack([np.asarray(first, np.float64), np.asarray(second, np.float64)]))
    differences = x[:, 1] - x[:, 0]
    n = len(differences)
    bias, sd = float(differences.mean()), float(differences.std(ddof=1))
    if sd <= 1e-12 * (1 + abs(bias)):
        raise InputError(f"the two differ by {bias:g} in each of {n} captures: limits need differences that vary.")
    tail, step = (1 + confidence) / 2, sd / math.sqrt(n)
    reach = float(stdtrit(n - 1, tail)) * step
    near, far = (float(nct.ppf(p, n - 1, z * math.sqrt(n))) * step for p in (1 - tail, tail))
    return BlandAltman(
        n,
        Estimate(bias, bias - reach, bias + reach),
        sd,
        Estimate(bias - z * sd, bias - far, bias - near),
        Estimate(bias + z * sd, bias + near, bias + far),
    )


def _counts(counts: ArrayLike) -> Array:
    x = np.asarray(counts, np.float64)
    if x.ndim != 2 or x.shape[1] < 2:
        raise InputError(f"agreement needs counts of (captures, two or more readers), not of shape {x.shape}.")
    if not np.isfinite(x).all():
        raise InputError("agreement needs counts that are finite.")
    if len(x) < MIN_COUNTS:
        raise InputError(f"{len(x)} captures read by all of them say nothing of agreement; {MIN_COUNTS} needed.")
    return x

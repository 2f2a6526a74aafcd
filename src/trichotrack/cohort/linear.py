"""Least squares on the improvement rate, with intervals that do not assume equal scatter (HC3)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Slope:
    """Difference of the improvement rate, in percentage points, with its 95 % interval."""

    name: str
    points: float
    low: float
    high: float
    p: float


@dataclass(frozen=True)
class LinearFit:
    """rows: by predictor. residual_df: patients beyond parameters. problem: why there is no fit, or ""."""

    rows: tuple[Slope, ...]
    patients: int
    residual_df: int
    problem: str = ""


def fit_linear(names: Sequence[str], x: Array, rate_percent: Array) -> LinearFit:
    """Ordinary least squares (statsmodels) with the HC3 covariance of MacKinnon and White 1985 and t quantiles."""
    with_one = np.column_stack([np.ones(len(x)), x])
    spare = len(x) - with_one.shape[1]
    if not names or spare < 1:
        return LinearFit((), len(x), spare, f"{len(x)} patients for {len(names)} predictors")
    if np.linalg.matrix_rank(with_one) < with_one.shape[1]:
        return LinearFit((), len(x), spare, "some predictors follow from the others: leave one out")
    import statsmodels.api as sm

    fit = sm.OLS(rate_percent, with_one).fit()
    if float(fit.get_influence().hat_matrix_diag.max()) > 1 - 1e-9:
        return LinearFit((), len(x), spare, "a predictor tells one patient alone from all others: leave it out")
    robust = fit.get_robustcov_results("HC3", use_t=True)
    bounds = np.asarray(robust.conf_int())
    rows = tuple(
        Slope(name, float(robust.params[j]), float(bounds[j, 0]), float(bounds[j, 1]), float(robust.pvalues[j]))
        for j, name in enumerate(names, start=1)
    )
    return LinearFit(rows, len(x), spare)

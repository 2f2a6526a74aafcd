"""One patient's counts over many visits: a log-linear trend with treatment periods, honest about few visits."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trichotrack.problems import InputError

Array = NDArray[np.float64]

MIN_VISITS = 5
MIN_EVENTS = 20
MIN_DF = 3
"""Visits beyond the number of terms below which nothing is fitted: their t quantile is above 3."""

_ROUNDS = 25


@dataclass(frozen=True)
class Term:
    """A factor on the rate for one more of this covariate (a month; being on a drug), with its interval and p."""

    name: str
    ratio: float
    low: float
    high: float
    p: float


@dataclass(frozen=True)
class CountTrend:
    """terms: in the order of the covariates. df: of t. dispersion: of Pearson residuals; 1 is Poisson and the CV."""

    terms: tuple[Term, ...]
    df: int
    dispersion: float


def count_trend(
    counts: Array, exposures_cm2: Array, covariates: Array, names: Sequence[str], *, cv: float, confidence: float = 0.95
) -> CountTrend:
    """Negative-binomial regression (log link, log-exposure offset) of site counts by visit, sites as fixed effects.

    counts, exposures_cm2: (visits, sites), NaN in both where a site was not counted at a visit. covariates:
    (visits, terms), without the constant. The CV is one a visit, shared by its sites, so a visit is one observation:
    its summed count, with the exposure that its sites' areas weigh by their relative densities, fitted in turn with
    the trend. The interval is the wider of two: of the variance μ + cv²·μ² with normal quantiles, right where the CV
    is; and of that times the Pearson dispersion with Student's t, right where it is not.
    Raises InputError where visits or events are fewer than MIN_VISITS, MIN_EVENTS or MIN_DF beyond the terms allow, or
    the covariates cannot be told apart.
    """
    visits, terms = covariates.shape
    events = float(np.nansum(counts))
    df = visits - terms - 1
    if visits < MIN_VISITS:
        raise InputError(f"a trend needs {MIN_VISITS} visits; there are {visits}.")
    if events < MIN_EVENTS:
        raise InputError(f"a trend needs {MIN_EVENTS} events over all visits; there are {events:.0f}.")
    if df < MIN_DF:
        raise InputError(f"{visits} visits are too few for {terms} terms; {terms + 1 + MIN_DF} are needed.")
    design = np.column_stack([np.ones(visits), covariates])
    if np.linalg.matrix_rank(design) < terms + 1:
        raise InputError("the covariates cannot be told apart: one is a combination of the others.")
    fitted = _fitted(np.nan_to_num(counts), np.nan_to_num(exposures_cm2), design, cv)
    from scipy.special import ndtr, ndtri, stdtr, stdtrit

    upper = (1 + confidence) / 2
    dispersion = float(fitted.pearson_chi2) / df
    spread = math.sqrt(dispersion)
    reach = max(float(ndtri(upper)), float(stdtrit(df, upper)) * spread)
    errors = np.sqrt(np.diag(fitted.normalized_cov_params))
    told = []
    for name, value, error in zip(names, fitted.params[1:], errors[1:], strict=True):
        z = abs(value) / error
        p = 2 * max(float(ndtr(-z)), float(stdtr(df, -z / spread)) if spread > 0 else 0.0)
        ends = [math.exp(min(700.0, max(-700.0, value + side * reach * error))) for side in (-1, 1)]
        told.append(Term(name, math.exp(value), ends[0], ends[1], p))
    return CountTrend(tuple(told), df, dispersion)


def _fitted(counts: Array, areas: Array, design: Array, cv: float):  # type: ignore[no-untyped-def]
    import warnings

    import statsmodels.api as sm

    kept = counts.sum(0) > 0
    counts, areas = counts[:, kept], areas[:, kept]
    family = sm.families.NegativeBinomial(alpha=cv**2) if cv else sm.families.Poisson()
    rate = np.ones(len(counts))
    result = None
    for _ in range(_ROUNDS if counts.shape[1] > 1 else 1):
        density = counts.sum(0) / (areas * rate[:, None]).sum(0)
        exposure = np.maximum(areas @ density, 1e-12)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            result = sm.GLM(counts.sum(1), design, family=family, offset=np.log(exposure)).fit(scale=1.0)
        before, rate = rate, np.exp(np.clip(design @ result.params, -50, 50))
        if np.allclose(before, rate, rtol=1e-4):
            break
    if result is None or not np.isfinite(result.params).all() or np.abs(result.params[1:]).max() > 20:
        raise InputError("the trend has no finite estimate: the events lie in too few of the visits.")
    return result

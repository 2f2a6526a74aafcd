"""Logistic regression twice, side by side: maximum likelihood and Firth's, each with profile likelihood intervals."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from firthmodels import FirthLogisticRegression

Array = NDArray[np.float64]

FEW_EVENTS = 10.0
"""Events per variable below which maximum likelihood is warned about."""

_CRITICAL_95 = 3.841458820694124 / 2
_FARTHEST = 60.0
"""Log odds ratio (of a standardised predictor) beyond which a bound is taken for open."""
_FAR = 15.0
"""Log odds ratio (of a standardised predictor) that stands for infinity where a bound is searched from there."""
_MOST_STEPS, _LONGEST_STEP = 100, 5.0


@dataclass(frozen=True)
class Odds:
    """An odds ratio with its 95 % profile interval and likelihood-ratio p. ratio: 0 or inf where it has no maximum."""

    ratio: float
    low: float
    high: float
    p: float


@dataclass(frozen=True)
class OddsRow:
    """One predictor in both fits."""

    name: str
    likelihood: Odds
    firth: Odds


@dataclass(frozen=True)
class LogisticFit:
    """A multivariable logistic regression. events: the rarer outcome's number, on which events_per_variable rests.

    separated: predictors whose maximum-likelihood odds ratio is 0 or infinite. problem: why there is no fit, or "".
    """

    rows: tuple[OddsRow, ...]
    patients: int
    responders: int
    events: int
    separated: tuple[str, ...]
    problem: str = ""

    @property
    def events_per_variable(self) -> float:
        return self.events / len(self.rows) if self.rows else math.nan


def fit_logistic(names: Sequence[str], x: Array, y: Array) -> LogisticFit:
    """Both fits of y (n,), 0 or 1, on x (n, k), with an intercept.

    Maximum likelihood by statsmodels; Firth 1993 by firthmodels, p by its penalised likelihood ratio (Heinze and
    Schemper 2002). Separation after Konis 2007. Profile bounds are open where the likelihood never falls enough.
    """
    responders, patients = int(y.sum()), len(y)
    events = min(responders, patients - responders)
    if problem := _why_not(names, x, events):
        return LogisticFit((), patients, responders, events, (), problem)
    scale = x.std(axis=0)
    z = (x - x.mean(axis=0)) / scale
    directions = separation(z, y)
    likelihood = _likelihood(z, y, scale, directions)
    firth = _firth(z, y, scale)
    rows = tuple(OddsRow(*row) for row in zip(names, likelihood, firth, strict=True))
    separated = tuple(name for name, way in zip(names, directions, strict=True) if way)
    return LogisticFit(rows, patients, responders, events, separated)


def _why_not(names: Sequence[str], x: Array, events: int) -> str:
    if not names:
        return "no predictor that varies"
    if events == 0:
        return "everyone has the same outcome"
    if len(x) <= len(names) + 1:
        return f"{len(x)} patients for {len(names)} predictors"
    with_one = np.column_stack([np.ones(len(x)), (x - x.mean(axis=0)) / x.std(axis=0)])
    if np.linalg.matrix_rank(with_one) < with_one.shape[1]:
        return "some predictors follow from the others: leave one out"
    return ""


def separation(z: Array, y: Array) -> tuple[int, ...]:
    """By predictor: +1 where its maximum-likelihood odds ratio is infinite, −1 where it is 0, 0 where it is finite."""
    from firthmodels import detect_separation

    return tuple(int(way) for way in detect_separation(z, y).directions[: z.shape[1]])


def _likelihood(z: Array, y: Array, scale: Array, directions: Sequence[int]) -> list[Odds]:
    limit, best = maximum_likelihood(z, y)
    coefficients = limit if any(directions) else _by_statsmodels(z, y)
    found = []
    for j in range(z.shape[1]):
        others = np.delete(z, j, axis=1)

        def fall(beta: float, j: int = j, others: Array = others) -> float:
            return best - maximum_likelihood(others, y, beta * z[:, j])[1]

        way = directions[j]
        centre = way * _FAR if way else float(coefficients[j])
        low = -math.inf if way < 0 else _bound(fall, centre, -1)
        high = math.inf if way > 0 else _bound(fall, centre, 1)
        ratio = _exp(way * math.inf if way else centre / scale[j])
        found.append(Odds(ratio, _exp(low / scale[j]), _exp(high / scale[j]), _p_value(2 * fall(0.0))))
    return found


def _by_statsmodels(z: Array, y: Array) -> Array:
    import statsmodels.api as sm

    fit = sm.Logit(y, np.column_stack([np.ones(len(y)), z])).fit(disp=0, maxiter=100, tol=1e-10)
    return np.asarray(fit.params[1:], dtype=np.float64)


def maximum_likelihood(z: Array, y: Array, offset: Array | None = None) -> tuple[Array, float]:
    """(coefficients without the intercept, log likelihood) by Newton's steps, halved where they overshoot.

    Beside statsmodels since profiles go far out, and to the limit under separation, where that overflows or gives up.
    """
    x = np.column_stack([np.ones(len(y)), z])
    fixed = np.zeros(len(y)) if offset is None else offset
    side = 2 * y - 1
    beta = np.zeros(x.shape[1])
    best = _log_likelihood(side * fixed)
    for _ in range(_MOST_STEPS):
        chance = _expit(fixed + x @ beta)
        information = (x * (chance * (1 - chance))[:, None]).T @ x
        step = np.linalg.lstsq(information, x.T @ (y - chance), rcond=1e-12)[0]
        step *= min(1.0, _LONGEST_STEP / max(float(np.abs(step).max()), 1e-300))
        while (reached := _log_likelihood(side * (fixed + x @ (beta + step)))) < best - 1e-12:
            step /= 2
            if float(np.abs(step).max()) < 1e-12:
                return beta[1:], best
        gained, beta, best = reached - best, beta + step, reached
        if gained < 1e-12:
            break
    return beta[1:], best


def _log_likelihood(margins: Array) -> float:
    return -float(np.logaddexp(0.0, -margins).sum())


def _expit(values: Array) -> Array:
    from scipy.special import expit

    return np.asarray(expit(values), dtype=np.float64)


def _bound(fall: Callable[[float], float], centre: float, way: int) -> float:
    """Where the profile log likelihood has fallen by 1.92 on one side of its maximum."""
    from scipy.optimize import brentq

    near, step = centre, 0.5
    while abs(far := near + way * step) < _FARTHEST + _FAR:
        if fall(far) > _CRITICAL_95:
            low, high = min(near, far), max(near, far)
            return float(brentq(lambda beta: fall(beta) - _CRITICAL_95, low, high, xtol=1e-7))
        near, step = far, step * 1.5
    return way * math.inf


def firth_model(z: Array, y: Array, tolerance: float = 1e-6) -> FirthLogisticRegression:
    """A fitted FirthLogisticRegression; tolerance: of its gradient and its last step."""
    from firthmodels import FirthLogisticRegression

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return FirthLogisticRegression(backend="numpy", max_iter=200, gtol=tolerance, xtol=tolerance).fit(z, y)


def _firth(z: Array, y: Array, scale: Array) -> list[Odds]:
    """Closely where it converges; what does not (a bound, a p) at the looser tolerance, or NaN."""
    tries = [_firth_figures(z, y, tolerance) for tolerance in (1e-6, 1e-4)]
    figures = np.where(np.isfinite(tries[0]), tries[0], tries[1])
    ratios = [[_exp(value / scale[j]) for value in figures[j, :3]] for j in range(len(scale))]
    return [Odds(ratio, low, high, float(p)) for (ratio, low, high), p in zip(ratios, figures[:, 3], strict=True)]


def _firth_figures(z: Array, y: Array, tolerance: float) -> Array:
    """(k, 4): coefficient, profile bounds, and p of the penalised likelihood ratio."""
    model = firth_model(z, y, tolerance)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.lrt(list(range(z.shape[1])))
        bounds = np.asarray(model.conf_int(alpha=0.05, method="pl", max_iter=200))[: z.shape[1]]
    return np.column_stack([model.coef_, bounds, np.asarray(model.lrt_pvalues_)[: z.shape[1]]])


def _p_value(twice_fall: float) -> float:
    from scipy.stats import chi2

    return float(chi2.sf(max(0.0, twice_fall), 1))


def _exp(value: float) -> float:
    return math.inf if value > 700 else math.exp(value)  # NaN stays NaN

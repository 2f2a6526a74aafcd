"""How well a prediction would do on the next patients: AUC and calibration, corrected for optimism."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trichotrack.cohort.logistic import firth_model, maximum_likelihood
from trichotrack.problems import InputError

Array = NDArray[np.float64]

FEWEST_RESAMPLES = 20


@dataclass(frozen=True)
class Figure:
    """As found on the data it was fitted to, the mean optimism, and what is left."""

    apparent: float
    optimism: float

    @property
    def corrected(self) -> float:
        return self.apparent - self.optimism


@dataclass(frozen=True)
class Prediction:
    """Of Firth's model, its intercept set so that the mean prediction is the mean response (FLIC, Puhr 2017).

    slope: 1 is right, below 1 predictions are too extreme. in_the_large: log odds by which predictions are too low
    (above 0) or too high. resamples: those that could be used. figures: None with fewer than FEWEST_RESAMPLES.
    """

    auc: Figure
    slope: Figure
    in_the_large: Figure
    resamples: int


def predict(x: Array, y: Array, *, resamples: int = 300, seed: int = 0) -> Prediction | None:
    """Optimism by the bootstrap of Harrell 1996: each resample's model is judged on it and on all patients.

    x: (n, k), no column constant. y: (n,), 0 or 1. None where too few resamples can be fitted.
    """
    z = (x - x.mean(axis=0)) / x.std(axis=0)
    own = _judged(_linear_predictor(z, y, z), y)
    rng = np.random.default_rng(seed)
    falls = []
    for _ in range(resamples):
        rows = rng.integers(0, len(y), len(y))
        if 0 < y[rows].sum() < len(y):
            try:
                inside = _judged(_linear_predictor(z[rows], y[rows], z[rows]), y[rows])
                outside = _judged(_linear_predictor(z[rows], y[rows], z), y)
            except (ValueError, np.linalg.LinAlgError):
                continue
            falls.append(inside - outside)
    differences = np.array([fall for fall in falls if np.isfinite(fall).all()])
    if len(differences) < FEWEST_RESAMPLES or not np.isfinite(own).all():
        return None
    figures = [Figure(float(a), float(b)) for a, b in zip(own, differences.mean(axis=0), strict=True)]
    return Prediction(figures[0], figures[1], figures[2], len(differences))


def _linear_predictor(z: Array, y: Array, at: Array) -> Array:
    """Log odds at other rows, of Firth's model with its intercept corrected. Constant columns are passed over."""
    varies = z.std(axis=0) > 0
    model = firth_model(z[:, varies], y)
    slopes = np.asarray(model.coef_, dtype=np.float64)
    return shift(z[:, varies] @ slopes, y) + at[:, varies] @ slopes


def shift(log_odds: Array, y: Array) -> float:
    """What must be added to log odds for their mean chance to be that of y: calibration in the large."""
    from scipy.optimize import brentq
    from scipy.special import expit

    if not 0 < y.mean() < 1:
        raise InputError("calibration needs both outcomes.")
    reach = float(np.abs(log_odds).max()) + abs(math.log(y.mean() / (1 - y.mean()))) + 1
    return float(brentq(lambda a: float(expit(log_odds + a).mean() - y.mean()), -reach, reach, xtol=1e-10))


def _judged(log_odds: Array, y: Array) -> Array:
    """AUC, calibration slope and calibration in the large."""
    slope = float(maximum_likelihood(log_odds[:, None], y)[0][0]) if np.ptp(log_odds) > 0 else math.nan
    return np.array([auc(log_odds, y), slope if abs(slope) < 50 else math.nan, shift(log_odds, y)])


def auc(scores: Array, y: Array) -> float:
    """Chance that a responder scores above a non-responder, ties counting half; Mann and Whitney 1947."""
    from scipy.stats import rankdata

    ranks = rankdata(scores)
    ones = float(y.sum())
    return float((ranks[y == 1].sum() - ones * (ones + 1) / 2) / (ones * (len(y) - ones)))

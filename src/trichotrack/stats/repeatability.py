"""How much counts of one place differ when the probe is lifted and placed again, and what change that hides.

Repeats of one group (a patient, visit, site and field) are all of the same scalp, relocated between captures.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trichotrack.problems import InputError, Problem

Array = NDArray[np.float64]

MIN_DF = 2
"""Degrees of freedom below which nothing is estimated."""

_UPPER = 0.8

MIN_MEAN = 5.0
"""Mean count of a group below which its logarithms say little; it is left out, and told of."""


@dataclass(frozen=True)
class Repeats:
    """Relocated repeats of one place: patient, and each repeat's count and exposure in cm²."""

    patient: str
    counts: tuple[float, ...]
    exposures_cm2: tuple[float, ...]


@dataclass(frozen=True)
class Repeatability:
    """Repeatability of one outcome, pooled over groups and patients.

    s_w: within-group SD of the log rate, counting noise included, with its 95 % chi-square interval. mdc_fall,
    mdc_rise: ratios beyond which a change of one capture's rate is more than repeats differ (95 %, Student's t):
    exp(∓ t·√2·s_w). cv: what remains beyond Poisson noise, as verdicts allow for it, with an interval (cv_low, cv_high)
    from that of s_w. cv_to_judge_by: its upper 80 % bound, so that verdicts which take it keep their error although it
    is an estimate. patients, groups, df: what it rests on. left_out: groups with a mean below MIN_MEAN.
    """

    s_w: float
    s_w_low: float
    s_w_high: float
    mdc_fall: float
    mdc_rise: float
    cv: float
    cv_low: float
    cv_high: float
    cv_to_judge_by: float
    patients: int
    groups: int
    df: int
    left_out: int = 0


def repeatability(groups: Sequence[Repeats], confidence: float = 0.95) -> Repeatability:
    """s_w² = Σ within-group squares of log((count + ½) / area) / Σ (repeats − 1); chi-square interval, Student's t.

    cv² = Σ (n−1)(s² − m) / Σ (n−1)(m² − s²/n) over groups of n repeats with mean m and variance s² of their counts
    on the group's mean area: the moment estimate of what a negative binomial has beyond Poisson; not below 0. Its ends
    are where chi-square quantiles of the whole within-group variance leave it.
    Raises InputError with fewer than MIN_DF degrees of freedom, and for counts or areas that cannot be.
    """
    from scipy.special import chdtri, stdtrit

    kept, left_out = _checked(groups)
    df = sum(len(group.counts) - 1 for group in kept)
    if df < MIN_DF:
        message = f"{len(kept)} groups of relocated repeats with {df} degrees of freedom show no repeatability"
        remedy = "Lift and place the probe again at more fields, three captures each."
        if left_out:
            message += f" ({left_out} left out: fewer than {MIN_MEAN:g} events on average)"
        raise InputError(Problem("repeats", message, remedy))
    squares = sum(float(np.var(_log_rates(group)) * len(group.counts)) for group in kept)
    s_w = math.sqrt(squares / df)
    tail = (1 - confidence) / 2
    narrow, wide = math.sqrt(df / float(chdtri(df, tail))), math.sqrt(df / float(chdtri(df, 1 - tail)))
    reach = float(stdtrit(df, 1 - tail)) * math.sqrt(2) * s_w
    moments = [_moments(group) for group in kept]
    variance = sum(n1 * s2 for n1, _, s2 in moments) / df
    mean = sum(n1 * m for n1, m, _ in moments) / df
    square = max(1e-12, sum(n1 * (m**2 - s2 / (n1 + 1)) for n1, m, s2 in moments) / df)

    def beyond(factor: float) -> float:
        return math.sqrt(max(0.0, variance * factor**2 - mean) / square)

    return Repeatability(
        s_w, s_w * narrow, s_w * wide, math.exp(-reach), math.exp(reach),
        beyond(1.0), beyond(narrow), beyond(wide), beyond(math.sqrt(df / float(chdtri(df, _UPPER)))),
        len({group.patient for group in kept}), len(kept), df, left_out,
    )  # fmt: skip


def _checked(groups: Sequence[Repeats]) -> tuple[list[Repeats], int]:
    kept, left_out, problems = [], 0, []
    for number, group in enumerate(groups, start=1):
        counts, areas = group.counts, group.exposures_cm2
        if len(counts) != len(areas) or any(not (math.isfinite(k) and k >= 0) for k in counts):
            problems.append(Problem("repeats", f"group {number} of {group.patient} has counts that cannot be"))
        elif any(not (math.isfinite(a) and a > 0) for a in areas):
            problems.append(Problem("repeats", f"group {number} of {group.patient} has an area that is not above 0"))
        elif len(counts) > 1:
            if sum(counts) / len(counts) < MIN_MEAN:
                left_out += 1
            else:
                kept.append(group)
    if problems:
        raise InputError(problems)
    return kept, left_out


def _log_rates(group: Repeats) -> Array:
    return np.asarray(np.log((np.asarray(group.counts) + 0.5) / np.asarray(group.exposures_cm2)), dtype=np.float64)


def _moments(group: Repeats) -> tuple[int, float, float]:
    """(n − 1, mean, variance) of a group's counts, carried to its mean area."""
    areas = np.asarray(group.exposures_cm2)
    counts = np.asarray(group.counts) * areas.mean() / areas
    return len(counts) - 1, float(counts.mean()), float(counts.var(ddof=1))

"""What a change takes to be seen: power between two visits of one patient, and between two arms of patients."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trichotrack.problems import InputError, Problem
from trichotrack.stats.rates import overdispersed_p_value

Array = NDArray[np.float64]

MOST_FIELDS = 200
MOST_PATIENTS = 5000


def visit_power(
    events0: float, events1: float, *, exposure_ratio: float = 1.0, cv: float, level: float = 0.05
) -> float:
    """Chance that the test of verdicts shows a change, and on the right side.

    events0, events1: expected at baseline and follow-up; exposure_ratio: follow-up area / baseline area. cv: between
    captures at each visit, gamma, and known. Exact sums over negative binomials (Poisson without CV).
    """
    share = exposure_ratio / (1 + exposure_ratio)
    (k0, p0), (k1, p1) = count_mass(events0, cv), count_mass(events1, cv)
    side = (
        k1[None, :] / exposure_ratio < k0[:, None]
        if events1 < events0 * exposure_ratio
        else (k1[None, :] / exposure_ratio > k0[:, None])
    )
    told = (overdispersed_p_value(k0[:, None], k1[None, :], share, cv) <= level) & side
    return float(p0 @ told @ p1)


def count_mass(mean: float, cv: float) -> tuple[Array, Array]:
    """Counts and their probabilities: negative binomial (Poisson without CV); above about 400 values a coarser grid.

    Raises InputError where mean is no number from 0 up.
    """
    from scipy import stats

    if not (math.isfinite(mean) and mean >= 0):
        raise InputError(f"{mean} expected events are not a number from 0 up.")
    if mean == 0:
        return np.zeros(1), np.ones(1)
    spread = math.sqrt(mean + (cv * mean) ** 2)
    low, high = max(0, math.floor(mean - 7 * spread)), math.ceil(mean + 9 * spread + 12)
    step = max(1, (high - low) // 400)
    edges = np.arange(low, high + step, step)
    one = stats.nbinom(1 / cv**2, 1 / (1 + cv**2 * mean)) if cv else stats.poisson(mean)
    upto = one.cdf(edges + step - 1)
    mass = np.diff(upto, prepend=one.cdf(low - 1))
    return np.asarray(edges + (step - 1) / 2, dtype=np.float64), np.asarray(mass / mass.sum(), dtype=np.float64)


@dataclass(frozen=True)
class FieldsNeeded:
    """fields: a site at each visit for the power asked for; None where no number up to MOST_FIELDS reaches it.

    power: with so many. limit: power with unlimited fields: below the one asked for, the CV hides the change.
    """

    fields: int | None
    power: float
    limit: float


def fields_needed(
    ratio: float, events_per_field: float, *, sites: int = 1, cv: float, level: float = 0.05, power: float = 0.8
) -> FieldsNeeded:
    """Fields a site at each of two visits for a rate ratio to be shown. events_per_field: expected at baseline.

    The CV is one a visit: more fields do not lessen it. Raises InputError with every fault.
    """
    _check(
        ("ratio", ratio, 0 <= ratio < math.inf and ratio != 1, "Give a ratio other than 1, such as 0.5."),
        ("events_per_field", events_per_field, 0 < events_per_field < math.inf, "Give the events expected in a field."),
        ("sites", sites, sites >= 1, "Give the number of sites, 1 or more."),
        *_common(cv, level, power),
    )

    def with_fields(number: float) -> float:
        events = number * sites * events_per_field
        return visit_power(events, ratio * events, cv=cv, level=level)

    limit = with_fields(max(MOST_FIELDS, 1e5 / (sites * events_per_field)))
    if with_fields(MOST_FIELDS) < power:
        return FieldsNeeded(None, with_fields(MOST_FIELDS), limit)
    low, high = 0, 1
    while with_fields(high) < power:
        low, high = high, min(2 * high, MOST_FIELDS)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if with_fields(middle) >= power else (middle, high)
    return FieldsNeeded(high, with_fields(high), limit)


@dataclass(frozen=True)
class PatientsNeeded:
    """per_arm: patients in each of two arms; None where more than MOST_PATIENTS. power: with so many.

    sd: of the log change of one patient in either arm (treated, control): patients differ, and counts waver.
    """

    per_arm: int | None
    power: float
    sd: tuple[float, float]


def patients_needed(
    ratio: float,
    control_ratio: float,
    events: float,
    *,
    between_patients: float,
    cv: float,
    level: float = 0.05,
    power: float = 0.8,
) -> PatientsNeeded:
    """Patients in each arm for a t test on the log change from baseline to follow-up, two-sided.

    ratio, control_ratio: expected change in either arm. events: expected in one patient at baseline, over all fields
    and sites. between_patients: SD of the true log change between patients of an arm. Noise of one patient's log
    change: 1/events + 1/(ratio·events) + 2·CV². Power by the noncentral t distribution. Raises InputError with every
    fault.
    """
    _check(
        ("ratio", ratio, 0 < ratio < math.inf, "Give a ratio above 0, such as 0.5."),
        ("control_ratio", control_ratio, 0 < control_ratio < math.inf and control_ratio != ratio,
         "Give a ratio above 0 that differs from that of the treated."),
        ("events", events, 0 < events < math.inf, "Give the events expected in one patient at baseline."),
        ("between_patients", between_patients, 0 <= between_patients < math.inf, "Give an SD, such as 0.6."),
        *_common(cv, level, power),
    )  # fmt: skip
    sd = tuple(
        math.sqrt(between_patients**2 + 1 / events + 1 / (arm * events) + 2 * cv**2) for arm in (ratio, control_ratio)
    )
    effect = abs(math.log(ratio / control_ratio))

    def with_patients(number: int) -> float:
        return arms_power(number, effect, (sd[0], sd[1]), level)

    if with_patients(MOST_PATIENTS) < power:
        return PatientsNeeded(None, with_patients(MOST_PATIENTS), (sd[0], sd[1]))
    low, high = 1, MOST_PATIENTS
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if with_patients(middle) >= power else (middle, high)
    return PatientsNeeded(high, with_patients(high), (sd[0], sd[1]))


def arms_power(per_arm: int, effect: float, sd: tuple[float, float], level: float = 0.05) -> float:
    """Power of the two-sided t test between two arms of per_arm patients each (2 or more); effect on the log scale."""
    from scipy.stats import nct, t

    df = 2 * per_arm - 2
    error = math.sqrt((sd[0] ** 2 + sd[1] ** 2) / per_arm)
    reach = float(t.ppf(1 - level / 2, df))
    shift = effect / error
    if shift > reach + 8:  # the noncentral t loses its digits there, and power has none to miss
        return 1.0
    other_side = float(nct.cdf(-reach, df, shift)) if shift < 5 else 0.0
    return float(nct.sf(reach, df, shift)) + other_side


def _common(cv: float, level: float, power: float) -> tuple[tuple[str, float, bool, str], ...]:
    return (
        ("cv", cv, 0 <= cv <= 1, "Give it as a share, such as 0.15 for 15 %."),
        ("level", level, 0 < level < 0.5, "Give it as a share, such as 0.05."),
        ("power", power, 0.1 <= power < 1, "Give it as a share from 0.1, such as 0.8."),
    )


def _check(*values: tuple[str, float, bool, str]) -> None:
    wrong = [
        Problem("power", "cannot be", remedy, column=name, value=f"{value:g}")
        for name, value, ok, remedy in values
        if not ok
    ]
    if wrong:
        raise InputError(wrong)

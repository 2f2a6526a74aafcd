"""Densities of a sign over visits by arm: generalised estimating equations on counts, clustered by patient."""

from __future__ import annotations

import math
import warnings
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trichotrack.problems import InputError

Array = NDArray[np.float64]

FEW_CLUSTERS = 40
"""Patients below which the covariance is the bias-reduced one of Mancl and DeRouen 2001, with t quantiles."""

BASELINE_OFFSET = 0.5
"""Added to a baseline count before its logarithm is taken, so that none may have been found."""


@dataclass(frozen=True)
class VisitCount:
    """One outcome of one patient at a month since treatment start. count on area_cm2 > 0; arm "" where there is one."""

    patient: str
    arm: str
    month: float
    count: float
    area_cm2: float


@dataclass(frozen=True)
class Density:
    """Per cm² of an arm at a visit, with its 95 % interval. low, high: NaN of nothing counted, or of one patient."""

    arm: str
    month: float
    patients: int
    count: float
    area_cm2: float
    density: float
    low: float
    high: float


@dataclass(frozen=True)
class Ratio:
    """Ratio of two densities at a visit. against: "baseline", or the arm it is compared with, adjusted for baseline."""

    arm: str
    month: float
    against: str
    ratio: float
    low: float
    high: float
    p: float


@dataclass(frozen=True)
class CountsOverVisits:
    """densities by arm and visit; ratios against baseline within an arm, and between arms at each visit.

    covariance: as printed. notes: what could not be formed, and who was left out.
    """

    outcome: str
    patients: int
    covariance: str
    densities: tuple[Density, ...]
    ratios: tuple[Ratio, ...]
    notes: tuple[str, ...]


def in_windows(rows: Sequence[VisitCount], months: Sequence[float], window: float) -> list[tuple[float, VisitCount]]:
    """(month of the plan, row). Baseline (0) is the last visit on or before treatment start.

    The others are the nearest within ± window, each visit used once.
    """
    patients: dict[str, list[VisitCount]] = {}
    for row in rows:
        patients.setdefault(row.patient, []).append(row)
    found = []
    for visits in patients.values():
        before = [row for row in visits if row.month <= 0]
        if before:
            found.append((0.0, max(before, key=lambda row: row.month)))
        taken: set[float] = set()
        for month in months:
            near = [
                row
                for row in visits
                if row.month > 0 and row.month not in taken and abs(row.month - month) <= window + 1e-9
            ]
            if month > 0 and near:
                row = min(near, key=lambda row: abs(row.month - month))
                taken.add(row.month)
                found.append((month, row))
    return found


def counts_over_visits(
    rows: Sequence[VisitCount], outcome: str, months: Sequence[float], window: float
) -> CountsOverVisits:
    """GEE with log link and log-area offset, clustered by patient (statsmodels).

    Working independence: with a dozen patients the exchangeable one often has no solution, and where it has one its
    intervals are too short. The covariance does not rest on the choice.

    First every arm × visit; then, where there are two arms or more, the visits after baseline, adjusted for the log of
    the baseline density. Raises InputError where no patient has two visits in the plan.
    """
    planned = in_windows(rows, months, window)
    by_patient: dict[str, int] = {}
    for _, row in planned:
        by_patient[row.patient] = by_patient.get(row.patient, 0) + 1
    if not any(number > 1 for number in by_patient.values()):
        raise InputError(f"no patient has {outcome} at two visits within the windows: there is nothing to compare.")
    notes = []
    empty = _empty_cells(planned)
    notes += [
        f"Nothing was counted {_in(arm)}at month {month:g}: a ratio to zero has no interval here, so it has none."
        for arm, month in empty
    ]
    lone = _lone_cells(planned)
    notes += [
        f"Only one patient {_in(arm)}at month {month:g}: no interval."
        for arm, month in lone
        if (arm, month) not in empty
    ]
    used = [(month, row) for month, row in planned if (row.arm, month) not in {*empty, *lone}]
    if not used:
        raise InputError("no arm has two patients at a visit within the windows: too few for an interval.")
    cells = sorted({(row.arm, month) for month, row in used})
    fit = _fit(used, _cell_design(used, cells))
    densities = _densities(planned, cells, fit)
    ratios = _against_baseline(cells, fit)
    arms = sorted({row.arm for _, row in planned})
    if len(arms) > 1:
        between, more = _between_arms(used, arms)
        ratios += between
        notes += more
    covariance = (
        f"bias-reduced (Mancl and DeRouen), t with {fit.spare:g} degrees of freedom, for {fit.clusters} patients"
        if fit.clusters < FEW_CLUSTERS
        else f"robust, for {fit.clusters} patients"
    )
    return CountsOverVisits(outcome, len(by_patient), covariance, densities, tuple(ratios), tuple(notes))


def _in(arm: str) -> str:
    return f"in {arm} " if arm else ""


def _empty_cells(planned: Sequence[tuple[float, VisitCount]]) -> list[tuple[str, float]]:
    sums: dict[tuple[str, float], float] = {}
    for month, row in planned:
        sums[row.arm, month] = sums.get((row.arm, month), 0.0) + row.count
    return sorted(key for key, total in sums.items() if total == 0)


def _lone_cells(planned: Sequence[tuple[float, VisitCount]]) -> list[tuple[str, float]]:
    """Arms × visits of one patient: nothing tells how much patients differ there."""
    patients = Counter((row.arm, month) for month, row in planned)
    return sorted(key for key, number in patients.items() if number == 1)


@dataclass(frozen=True)
class _Fit:
    parameters: Array
    covariance: Array
    clusters: int
    spare: float

    def contrast(self, weights: Array) -> tuple[float, float, float, float]:
        """(log estimate, low, high, p) of a sum of parameters."""
        from scipy.stats import norm, t

        estimate = float(weights @ self.parameters)
        error = math.sqrt(max(0.0, float(weights @ self.covariance @ weights)))
        law: Any = t(self.spare) if self.clusters < FEW_CLUSTERS else norm
        reach = float(law.ppf(0.975)) * error
        p = float(2 * law.sf(abs(estimate) / error)) if error > 0 else math.nan
        return estimate, estimate - reach, estimate + reach, p


def _cell_design(used: Sequence[tuple[float, VisitCount]], cells: Sequence[tuple[str, float]]) -> Array:
    return np.array([[float(cell == (row.arm, month)) for cell in cells] for month, row in used])


def _fit(used: Sequence[tuple[float, VisitCount]], x: Array) -> _Fit:
    import statsmodels.api as sm

    clusters = len({row.patient for _, row in used})
    spare = clusters - x.shape[1]
    if spare < 1:
        raise InputError(f"{clusters} patients are too few for {x.shape[1]} arms × visits: ask for fewer months.")
    counts = np.array([row.count for _, row in used])
    offset = np.log([row.area_cm2 for _, row in used])
    model = sm.GEE(
        counts, x, groups=np.array([row.patient for _, row in used]), family=sm.families.Poisson(),
        cov_struct=sm.cov_struct.Independence(), offset=offset,
    )  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            fit = model.fit(cov_type="bias_reduced" if clusters < FEW_CLUSTERS else "robust", maxiter=200)
        except np.linalg.LinAlgError:
            raise InputError(
                f"{clusters} patients in {x.shape[1]} arms × visits determine no interval: ask for fewer months."
            ) from None
    return _Fit(np.asarray(fit.params), np.asarray(fit.cov_params()), clusters, float(spare))


def _densities(
    planned: Sequence[tuple[float, VisitCount]], cells: Sequence[tuple[str, float]], fit: _Fit
) -> tuple[Density, ...]:
    found = []
    for arm, month in sorted({(row.arm, month) for month, row in planned}):
        here = [row for at, row in planned if (row.arm, at) == (arm, month)]
        count, area = sum(row.count for row in here), sum(row.area_cm2 for row in here)
        density, low, high = count / area, math.nan, math.nan
        if (arm, month) in cells:
            unit = np.array([float(cell == (arm, month)) for cell in cells])
            density, low, high = (math.exp(value) for value in fit.contrast(unit)[:3])
        found.append(Density(arm, month, len(here), count, area, density, low, high))
    return tuple(found)


def _against_baseline(cells: Sequence[tuple[str, float]], fit: _Fit) -> list[Ratio]:
    found = []
    for arm, month in cells:
        if month > 0 and (arm, 0.0) in cells:
            weights = np.array([float(cell == (arm, month)) - float(cell == (arm, 0.0)) for cell in cells])
            log, low, high, p = fit.contrast(weights)
            found.append(Ratio(arm, month, "baseline", math.exp(log), math.exp(low), math.exp(high), p))
    return found


def _between_arms(used: Sequence[tuple[float, VisitCount]], arms: Sequence[str]) -> tuple[list[Ratio], list[str]]:
    """Each arm against the first, at each visit after baseline, given the baseline density."""
    before = {row.patient: row for month, row in used if month == 0}
    rows = [(month, row) for month, row in used if month > 0 and row.patient in before]
    lone = _lone_cells(rows)
    rows = [(month, row) for month, row in rows if (row.arm, month) not in lone]
    without = len({row.patient for month, row in used if month > 0} - set(before))
    notes = [f"{without} patients without a baseline are not in the comparison of arms."] if without else []
    cells = sorted({(row.arm, month) for month, row in rows})
    if not any((arms[0], month) in cells and arm != arms[0] for arm, month in cells):
        return [], [*notes, "No visit after baseline has two arms to compare."]
    base = np.log([(before[row.patient].count + BASELINE_OFFSET) / before[row.patient].area_cm2 for _, row in rows])
    x = np.column_stack([_cell_design(rows, cells), base - base.mean()])
    if np.ptp(base) < 1e-9:
        x = x[:, :-1]
    try:
        fit = _fit(rows, x)
    except InputError as error:
        return [], [*notes, f"Arms were not compared: {error}"]
    found = []
    for arm, month in cells:
        if arm != arms[0] and (arms[0], month) in cells:
            weights = np.zeros(x.shape[1])
            weights[cells.index((arm, month))], weights[cells.index((arms[0], month))] = 1.0, -1.0
            log, low, high, p = fit.contrast(weights)
            found.append(Ratio(arm, month, arms[0], math.exp(log), math.exp(low), math.exp(high), p))
    return found, notes


def told(found: CountsOverVisits) -> list[str]:
    """Densities and ratios, one sentence each; what holds for all of them last."""
    from trichotrack.cohort.sentences import number_text, p_text
    from trichotrack.visits.series import label_of

    name = label_of(found.outcome)
    said = []
    for one in found.densities:
        interval = "" if math.isnan(one.low) else f" (95 % {number_text(one.low)}–{number_text(one.high)})"
        said.append(
            f"{one.arm or 'All'}, month {one.month:g}: {number_text(one.density)} {name} per cm²{interval}, "
            f"{one.patients} patients, {one.area_cm2:.3g} cm²."
        )
    for ratio in found.ratios:
        against = "baseline" if ratio.against == "baseline" else f"{ratio.against}, given baseline"
        said.append(
            f"{ratio.arm or 'All'}, month {ratio.month:g} over {against}: {number_text(ratio.ratio)} times "
            f"(95 % {number_text(ratio.low)}–{number_text(ratio.high)}), p {p_text(ratio.p)}."
        )
    said += found.notes
    said.append(f"GEE, log link, log-area offset, clustered by patient; covariance {found.covariance}.")
    said.append(
        "Intervals are not adjusted for the number of visits looked at. A fall of active signs is not regrowth."
    )
    return said

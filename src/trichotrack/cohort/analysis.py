"""The whole analysis of a cohort: who responded, when, what goes with it, how well that predicts, adverse events."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from trichotrack.cohort.endpoints import (
    AnalysisSet,
    Endpoint,
    EventRate,
    LossOfBenefit,
    Rates,
    Settings,
    Subgroup,
    analysis_set,
    endpoints,
    event_rates,
    improvement_rates,
    loss_of_benefit,
    subgroups,
)
from trichotrack.cohort.linear import LinearFit, fit_linear
from trichotrack.cohort.logistic import LogisticFit, OddsRow, fit_logistic
from trichotrack.cohort.people import Cohort, Kind
from trichotrack.cohort.prediction import Prediction, predict
from trichotrack.cohort.response_time import ResponseTime, response_time
from trichotrack.cohort.terms import Term, continuous, design, parse_terms, usual_terms
from trichotrack.problems import InputError

Who = Literal["all", "completers"]

RESAMPLES = 200


@dataclass(frozen=True)
class Regressions:
    """The logistic regression with its prediction, and least squares on the improvement rate of completers.

    who: whose response the logistic regression is about. by_years: duration as years where the main fit cuts it at
    four, all else the same; None where it does not. *_left_out: why patients are not in it, and how many (0: a remark).
    """

    who: Who
    logistic: LogisticFit
    logistic_left_out: tuple[tuple[str, int], ...]
    by_years: OddsRow | None
    prediction: Prediction | None
    linear: LinearFit
    linear_left_out: tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class CohortAnalysis:
    """Everything that is told of a cohort. time: None where nobody was seen after treatment start."""

    cohort: Cohort
    settings: Settings
    people: AnalysisSet
    endpoints: tuple[Endpoint, ...]
    rates: Rates
    loss: LossOfBenefit
    subgroups: tuple[Subgroup, ...]
    time: ResponseTime | None
    regressions: Regressions
    events: tuple[EventRate, ...]


def analyse(
    cohort: Cohort,
    settings: Settings | None = None,
    *,
    predictors: Sequence[str] = (),
    who: Who = "all",
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> CohortAnalysis:
    """predictors: as `parse_terms` takes them, the usual ones where empty. resamples: of every bootstrap.

    Raises InputError where nobody can be analysed or a predictor is not there.
    """
    settings = settings or Settings()
    # Baseline SALT is known of everyone, whether or not a column holds it.
    kinds: dict[str, Kind] = {**cohort.kinds, "salt0": "number"}
    terms = parse_terms(predictors, kinds) if predictors else usual_terms(cohort)
    people = analysis_set(cohort, settings)
    if not people.outcomes:
        reasons = sorted({reason for _, reason in people.left_out})
        raise InputError(f"no patient of {cohort.name} can be analysed: {'; '.join(reasons)}.")
    followed = any(outcome.patient.followed for outcome in people.outcomes)
    return CohortAnalysis(
        cohort,
        settings,
        people,
        endpoints(people),
        improvement_rates(people),
        loss_of_benefit(people, settings.loss),
        subgroups(people, cohort),
        response_time(people, resamples=resamples, seed=seed) if followed else None,
        regress(people, terms, cohort, asked=bool(predictors), who=who, resamples=resamples, seed=seed),
        event_rates(cohort),
    )


def regress(
    people: AnalysisSet,
    terms: Sequence[Term],
    cohort: Cohort,
    *,
    asked: bool,
    who: Who,
    resamples: int,
    seed: int,
) -> Regressions:
    """asked: the terms are a person's choice; else least squares also takes the AA type."""
    outcomes = people.outcomes if who == "all" else people.completers
    main = design(outcomes, terms, cohort.kinds)
    logistic = fit_logistic(main.names, main.x, main.responded)
    years = None
    if any(term.column == "duration_years" and term.sign in {"<=", "<"} for term in terms) and logistic.rows:
        other = design(outcomes, continuous(terms), cohort.kinds)
        fit = fit_logistic(other.names, other.x, other.responded)
        years = next((row for row in fit.rows if row.name.startswith("duration")), None)
    prediction = predict(main.x, main.responded, resamples=resamples, seed=seed) if logistic.rows else None
    wider = tuple(terms)
    if not asked and "aa_type" in cohort.kinds:
        wider += (Term("aa_type"),)
    rated = design([outcome for outcome in people.completers if outcome.rate is not None], wider, cohort.kinds)
    percents = np.array([100 * (outcome.rate or 0.0) for outcome in rated.outcomes], dtype=np.float64)
    return Regressions(
        who, logistic, main.left_out, years, prediction, fit_linear(rated.names, rated.x, percents), rated.left_out
    )

"""Trends of one patient's signs over many visits, with treatment periods as covariates: a description, no verdict."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from trichotrack.problems import InputError
from trichotrack.stats.trend import MIN_DF, MIN_VISITS, CountTrend, Term, count_trend
from trichotrack.visits.comparable import unreviewed, why_not_comparable
from trichotrack.visits.judging import USUAL, Judging
from trichotrack.visits.series import ACTIVE_LOAD, ReadCapture, SiteCount, label_of, outcomes_of, site_visit_counts
from trichotrack.visits.wording import change_text, interval_text

DAYS_A_MONTH = 30.4375
TIME = "month"

CAVEAT = (
    "Trends describe; their intervals are 95 % each, however many there are. Whether a sign changed is what the "
    "verdicts say. A difference beside a drug is not its effect: time, other treatment and the course of the disease "
    "go with it."
)


@dataclass(frozen=True)
class TreatmentPeriod:
    """start, end: outermost possible days; None: unknown start, or going on. stopped: at an end that nobody knows."""

    drug: str
    start: dt.date | None
    end: dt.date | None
    stopped: bool = False

    def covers(self, day: dt.date) -> bool:
        """Whether a visit counts as on the drug: after the day it began (nothing changed on that), until its end."""
        return (self.start is None or self.start < day) and (self.end is None or day <= self.end)


@dataclass(frozen=True)
class SignTrend:
    """One outcome's trend. refused: why there is none ("" where there is). left_out: sites, visits, drugs passed over.

    terms: a factor a month, then one for each drug while on it. visits, events, sites: what it rests on. df and
    dispersion: as in `stats.trend.CountTrend`.
    """

    name: str
    label: str
    primary: bool
    refused: str = ""
    terms: tuple[Term, ...] = ()
    visits: int = 0
    events: float = 0.0
    sites: tuple[str, ...] = ()
    df: int = 0
    dispersion: float = 1.0
    left_out: tuple[str, ...] = ()

    @property
    def sentences(self) -> tuple[str, ...]:
        if self.refused:
            return (f"{self.label}: no trend, {self.refused}.",)
        told = [
            (
                f"{self.label}: {change_text(term.ratio)} a month"
                if term.name == TIME
                else f"On {term.name}, beside that: {change_text(term.ratio)}"
            )
            + f" (95 % interval {interval_text(term.low, term.high)})"
            for term in self.terms
        ]
        rests = f", over {self.visits} visits and {self.events:.0f} events at {', '.join(self.sites)}"
        return (told[0] + rests + ".", *(f"{text}." for text in told[1:]))


def patient_trends(
    captures: Sequence[ReadCapture],
    periods: Sequence[TreatmentPeriod] = (),
    *,
    synthetic: bool = False,
    judging: Judging = USUAL,
) -> tuple[SignTrend, ...]:
    """The trend of each outcome over all visits of one patient, in the order of `outcomes_of`."""
    return tuple(_trend(captures, periods, name, synthetic=synthetic, cv=judging.cv) for name in outcomes_of(captures))


def _trend(
    captures: Sequence[ReadCapture], periods: Sequence[TreatmentPeriod], name: str, *, synthetic: bool, cv: float
) -> SignTrend:
    label = label_of(name)
    label = label[0].upper() + label[1:]
    dates = {capture.visit_id: capture.date for capture in captures}
    kept, left_out = _comparable(site_visit_counts(captures, name), dates, name)
    visits = sorted({visit for visit, _ in kept}, key=lambda visit: (dates[visit], visit))
    sites = sorted({site for _, site in kept})

    def refused(why: str) -> SignTrend:
        return SignTrend(name, label, name == ACTIVE_LOAD, why, left_out=tuple(left_out))

    why = "" if synthetic else unreviewed(capture for count in kept.values() for capture in count.used)
    if why:
        return refused(why)
    if len(visits) < MIN_VISITS:
        return refused(f"it needs {MIN_VISITS} visits that may be compared, and there are {len(visits)}")
    counts = np.full((len(visits), len(sites)), np.nan)
    areas = counts.copy()
    for (visit, site), count in kept.items():
        at = visits.index(visit), sites.index(site)
        counts[at], areas[at] = count.count, count.exposure_cm2
    days = [dates[visit] for visit in visits]
    columns, names, passed_over = _covariates(days, periods)
    left_out += passed_over
    try:
        found: CountTrend = count_trend(counts, areas, columns, names, cv=cv)
    except InputError as error:
        return refused(str(error).rstrip("."))
    return SignTrend(
        name, label, name == ACTIVE_LOAD, "", found.terms, len(visits), float(np.nansum(counts)), tuple(sites),
        found.df, found.dispersion, tuple(left_out),
    )  # fmt: skip


def _comparable(
    counts: dict[tuple[int, str], SiteCount], dates: dict[int, dt.date], name: str
) -> tuple[dict[tuple[int, str], SiteCount], list[str]]:
    """Counts that may be compared with the first at their site; and what was left out, with the reason."""
    kept: dict[tuple[int, str], SiteCount] = {}
    left_out = []
    for site in sorted({site for _, site in counts}):
        at = sorted((visit for visit, where in counts if where == site), key=lambda visit: (dates[visit], visit))
        for visit in at:
            reason = why_not_comparable(counts[at[0], site], counts[visit, site], name)
            if reason:
                left_out.append(f"{site} on {dates[visit].isoformat()}: {reason}")
            else:
                kept[visit, site] = counts[visit, site]
    return kept, left_out


def _covariates(
    days: Sequence[dt.date], periods: Sequence[TreatmentPeriod]
) -> tuple[np.ndarray[tuple[int, int], np.dtype[np.float64]], list[str], list[str]]:
    """(visits, terms): months since the first visit, then each drug that can be told apart; names; those left out."""
    columns = [np.array([(day - days[0]).days / DAYS_A_MONTH for day in days])]
    names, left_out = [TIME], []
    for drug in dict.fromkeys(period.drug for period in periods):
        on = np.array([float(any(p.drug == drug and p.covers(day) for p in periods)) for day in days])
        tried = np.column_stack([np.ones(len(days)), *columns, on])
        if any(p.drug == drug and p.stopped for p in periods):
            left_out.append(f"{drug}: stopped on a day not known")
        elif on.min() == on.max():
            when = "every visit" if on.max() else "no visit"
            left_out.append(f"{drug}: taken at {when}")
        elif np.linalg.matrix_rank(tried) <= len(columns) + 1:
            left_out.append(f"{drug}: not to be told apart from time and the treatments before it")
        elif len(days) - len(columns) - 2 < MIN_DF:
            left_out.append(f"{drug}: too few visits for one more term")
        else:
            columns.append(on)
            names.append(drug)
    return np.column_stack(columns), names, left_out

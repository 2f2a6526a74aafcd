"""What an analysis says, in sentences, the same on the terminal and on the page: never more than the data hold."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from trichotrack.cohort.analysis import CohortAnalysis
from trichotrack.cohort.endpoints import percent
from trichotrack.cohort.logistic import FEW_EVENTS, LogisticFit, Odds
from trichotrack.cohort.people import SALT_NOTE
from trichotrack.cohort.prediction import Prediction
from trichotrack.cohort.response_time import LEAST_FOLLOWED, ResponseTime, Step, TurnbullStep

POLARISED = ("totalis", "universalis")
"""AA types whose responses tend to be all or nothing, so that a mean describes nobody."""

OLD_BASELINE_MONTHS = 3.0
"""A baseline older than this is said to be: SALT moves within months."""


@dataclass(frozen=True)
class Section:
    """A heading and what is said under it."""

    name: str
    title: str
    sentences: tuple[str, ...]


def sections(found: CohortAnalysis) -> tuple[Section, ...]:
    parts = [
        ("people", "Who was analysed", _people(found)),
        ("response", "Who responded", _response(found)),
        ("subgroups", "Response by subgroup", _subgroups(found)),
        ("time", "When", _time(found)),
        ("logistic", "What goes with response", _logistic(found)),
        ("prediction", "How well that predicts", _prediction(found.regressions.prediction)),
        ("linear", "What goes with the improvement rate", _linear(found)),
        ("events", "Adverse events", _events(found)),
    ]
    return tuple(Section(name, title, tuple(sentences)) for name, title, sentences in parts)


def _people(found: CohortAnalysis) -> list[str]:
    people, settings = found.people, found.settings
    total, seen = len(people.outcomes), len(people.completers)
    said = [f"Analysis set: {people.name}; {total} of {people.treated}."]
    for reason in sorted({reason for _, reason in people.left_out}):
        names = [patient for patient, why in people.left_out if why == reason]
        said.append(f"Left out, {reason}: {_listed(names)}.")
    low, high = settings.month - settings.window, settings.month + settings.window
    said.append(
        f"{seen} of {total} were assessed at {settings.month:g} months ({low:g} to {high:g}; the nearest assessment "
        f"counts): the completers. The other {total - seen} count as non-responders unless completers are named."
    )
    old = [-one.patient.baseline.month for one in people.outcomes if one.patient.baseline is not None]
    if beyond := sum(months > OLD_BASELINE_MONTHS for months in old):
        said.append(
            f"Baseline SALT is more than {OLD_BASELINE_MONTHS:g} months older than the start of treatment in {beyond} "
            f"of {total} (the oldest {max(old):.0f} months): what changed before the start passes for response there."
        )
    said.append(SALT_NOTE)
    return [*said, *found.cohort.notes]


def _response(found: CohortAnalysis) -> list[str]:
    first = found.endpoints[0]
    month = f"{found.settings.month:g} months"
    said = [
        f"{first.name} at {month}: {first.imputed}, whoever was not assessed counted as a non-responder.",
        f"Among completers: {first.completers}.",
        "Completers leave out those who stopped, and read higher where they stopped for want of a response.",
    ]
    rates = found.rates
    if rates.known:
        said.append(
            f"Improvement rate of {rates.known} completers: mean {percent(rates.mean)} %, median "
            f"{percent(rates.median)} %; {rates.worse} worse than at baseline (kept as negative rates)."
        )
    present = {str(outcome.patient.facts.get("aa_type", "")) for outcome in found.people.outcomes}
    if polarised := [name for name in POLARISED if name in present]:
        said.append(
            f"In {' and '.join(polarised)} responses can be all or nothing, and a mean then describes nobody: "
            "each patient is shown by AA type."
        )
    loss = found.loss
    if loss.reached:
        said.append(
            f"Loss of benefit (SALT {loss.sign} 20 points worse than when SALT ≤ 20 was first seen): {loss.share} who "
            f"were seen again, of {loss.reached} who ever reached SALT ≤ 20. Sources differ on ≥ and >; this is "
            f"{loss.sign}."
        )
    return said


def _subgroups(found: CohortAnalysis) -> list[str]:
    if not found.subgroups:
        return ["No column divides the patients."]
    return [
        "Wilson intervals. Subgroups were not compared with one another: of many groups some differ by chance.",
    ]


def _time(found: CohortAnalysis) -> list[str]:
    time = found.time
    if time is None:
        return ["Nobody was seen after treatment start."]
    ever = sum(one.seen for one in time.intervals)
    said = [f"SALT ≤ 20 was seen at some visit in {ever} of {len(time.intervals)}."]
    last = time.told
    if last:
        reached = math.isfinite(time.median) and time.median <= last.month
        median = f"half by month {time.median:.3g}" if reached else "half is not reached"
        said.append(
            f"Kaplan–Meier, by the visit at which it was seen: {percent(last.share)} %{_interval(last)} by month "
            f"{last.month:.3g}; {median}."
        )
        said += _turnbull(time, last.month)
        said.append("Both suppose that those who stopped had the prospects of those who stayed.")
    if time.steps and last is not time.steps[-1]:
        said.append(f"At later visits fewer than {LEAST_FOLLOWED} were still followed: too few to tell a share by.")
    return said


def _interval(step: Step | TurnbullStep) -> str:
    """As in "(95 % 30–53)", after a space; "" where all were alike, of which no interval can be made so."""
    alike = step.high - step.low < 1e-9
    return "" if alike else f" (95 % {percent(step.low)}–{percent(step.high)})"


def _turnbull(time: ResponseTime, month: float) -> list[str]:
    steps = [step for step in time.turnbull if step.right <= month and step.mass > 0.0005]
    if not steps:
        return []
    parts = [f"{percent(step.mass)} % between months {step.left:.3g} and {step.right:.3g}" for step in steps[:6]]
    more = "; …" if len(steps) > 6 else ""
    last = steps[-1]
    told = (
        "It came between two visits, not at one (interval-censored, Turnbull): "
        f"{'; '.join(parts)}{more}: {percent(last.by)} %{_interval(last)} by month {last.right:.3g}."
    )
    return [told]


def _logistic(found: CohortAnalysis) -> list[str]:
    regressions = found.regressions
    fit = regressions.logistic
    who = "the analysis set" if regressions.who == "all" else "the completers"
    said = _left_out(regressions.logistic_left_out)
    if fit.problem:
        return [f"No logistic regression: {fit.problem}.", *said]
    said = [
        f"Logistic regression of SALT ≤ 20 on {len(fit.rows)} predictors together, in {who}.",
        f"{fit.patients} patients, {fit.responders} responders.",
        *said,
        events_per_variable(fit),
    ]
    for row in fit.rows:
        if row.name in fit.separated:
            said.append(
                f"Separation: {row.name} splits the responses in these patients completely or nearly so. Maximum "
                f"likelihood has no finite odds ratio ({odds_text(row.likelihood)}); Firth's is {odds_text(row.firth)}."
            )
    clear = [row for row in fit.rows if row.firth.low > 1 or row.firth.high < 1]
    said += [
        f"{_capital(row.name)}: odds ratio {odds_text(row.firth)} (Firth), p {p_text(row.firth.p)}." for row in clear
    ]
    if len(clear) < len(fit.rows):
        said.append(
            f"Firth's interval holds 1 for the other {len(fit.rows) - len(clear)}: their direction is not settled."
        )
    if regressions.by_years:
        row = regressions.by_years
        said.append(
            f"Duration as years instead of the cut at 4: odds ratio {odds_text(row.firth)} a year (Firth), "
            f"p {p_text(row.firth.p)}."
        )
    said.append("An odds ratio here goes with response in this cohort; it is not the effect of changing anything.")
    return said


def events_per_variable(fit: LogisticFit) -> str:
    """The warning, or the plain number where there are events enough."""
    number = f"{fit.events_per_variable:.1f} events per variable"
    if fit.events_per_variable < FEW_EVENTS:
        return f"{number}: maximum-likelihood estimates inflate; Firth's stand beside."
    return f"{number}."


def _prediction(prediction: Prediction | None) -> list[str]:
    if prediction is None:
        return ["Prediction could not be judged: too few resamples could be fitted."]
    area, slope, large = prediction.auc, prediction.slope, prediction.in_the_large
    return [
        f"AUC {area.apparent:.2f} on the patients it was fitted to, {area.corrected:.2f} corrected for optimism.",
        f"Calibration slope {slope.apparent:.2f}, {slope.corrected:.2f} corrected"
        + (": its predictions are too extreme for new patients." if slope.corrected < 0.9 else "."),
        f"Calibration in the large {signed(large.apparent)}, {signed(large.corrected)} corrected (log odds; 0: right).",
        f"Firth's model with its intercept corrected; {prediction.resamples} bootstrap resamples.",
        "None of this is validation in other patients.",
    ]


def _linear(found: CohortAnalysis) -> list[str]:
    fit = found.regressions.linear
    left_out = _left_out(found.regressions.linear_left_out)
    if fit.problem:
        return [f"No least squares: {fit.problem}.", *left_out]
    said = [
        f"Least squares on the improvement rate of {fit.patients} completers, {len(fit.rows)} predictors, HC3.",
        "The rate is undefined at a baseline SALT of 0; negative rates are kept.",
        *left_out,
    ]
    clear = [row for row in fit.rows if row.low > 0 or row.high < 0]
    said += [
        f"{_capital(row.name)}: {signed(row.points, 1)} points (95 % {signed(row.low, 1)} to {signed(row.high, 1)}), "
        f"p {p_text(row.p)}."
        for row in clear
    ]
    if not clear:
        said.append("Every interval holds 0: no direction is settled.")
    return said


def _events(found: CohortAnalysis) -> list[str]:
    if found.cohort.events is None:
        return ["Adverse events were not recorded: that is not the same as none."]
    any_event, severe, *kinds = found.events
    said = [f"At least one adverse event, of all treated: {any_event.patients}."]
    said += [f"{_capital(one.kind)}: {one.patients}." for one in kinds]
    if any(event.grade is None for event in found.cohort.events):
        said.append("Some events have no grade.")
    none = "" if severe.patients.events else f" None seen in {severe.patients.total} leaves up to "
    none += "" if severe.patients.events else f"{percent(severe.patients.high)} % possible."
    return [*said, f"Grade 3 or more: {severe.patients}.{none}", *found.cohort.event_notes]


def _left_out(reasons: Sequence[tuple[str, int]]) -> list[str]:
    return [f"{number} left out: {reason}." if number else f"{_capital(reason)}." for reason, number in reasons]


def odds_text(odds: Odds) -> str:
    """As "8.1 (95 % 1.2–60)"; "0" and "∞" where there is no maximum."""
    return f"{number_text(odds.ratio)} (95 % {number_text(odds.low)}–{number_text(odds.high)})"


def number_text(value: float) -> str:
    """Two digits: "0.041", "8.1", "58"; "∞" and, for what is not known, "not found"."""
    if math.isnan(value):
        return "not found"
    if math.isinf(value):
        return "∞"
    if value == 0:
        return "0"
    if value < 1e-4:
        return "< 0.0001"
    places = max(0, 1 - math.floor(math.log10(abs(value))))
    return f"{value:,.{places}f}"


def signed(value: float, places: int = 2) -> str:
    """With its sign; −0.00 is 0.00."""
    text = f"{value:+.{places}f}".replace("-", "−")
    return text[1:] if not text.strip("+−0.") else text


def p_text(p: float) -> str:
    return "not found" if math.isnan(p) else "< 0.001" if p < 0.001 else f"{p:.3f}"


def _capital(text: str) -> str:
    """Its first letter large, but for names such as eGFR."""
    return text[:1].upper() + text[1:] if text[1:2] == text[1:2].lower() else text


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(names[:10])
    return f"{len(names)} ({shown}{', …' if len(names) > 10 else ''})"

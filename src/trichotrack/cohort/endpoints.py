"""Who responded: SALT endpoints at a month, by non-responder imputation and among completers, and by subgroup."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from trichotrack.cohort.people import Cohort, CohortPatient
from trichotrack.problems import InputError
from trichotrack.stats.rates import wilson_interval

THRESHOLD = 20.0
"""Response is SALT at or below it: SALT ≤ 20."""

FALLS = (30, 50, 75, 90)
"""SALT30, 50, 75 and 90: SALT fell by at least that many percent of its baseline."""

LOSS_POINTS = 20.0
"""Loss of benefit: SALT that many points worse than when SALT ≤ 20 was first seen."""

LossRule = Literal["at-least", "more-than"]


@dataclass(frozen=True)
class Settings:
    """What the endpoints hang on. month, window: the assessment nearest to month, within ± window months.

    min_salt: patients with less at baseline are left out. loss: whether 20 points worse count as loss of benefit
    ("at-least", ≥) or only more ("more-than", >): sources differ.
    """

    month: float = 9.0
    window: float = 1.5
    min_salt: float = 0.0
    loss: LossRule = "at-least"

    def __post_init__(self) -> None:
        if not (self.month > 0 and 0 <= self.window < self.month):
            raise InputError(f"month {self.month:g} ± {self.window:g} is no window after treatment start.")
        if self.loss not in {"at-least", "more-than"}:
            raise InputError(f"loss {self.loss!r} is not at-least or more-than.")


@dataclass(frozen=True)
class Share:
    """events of total, with the 95 % Wilson interval (NaN where total is 0)."""

    events: int
    total: int
    low: float
    high: float

    @property
    def share(self) -> float:
        return self.events / self.total if self.total else float("nan")

    def __str__(self) -> str:
        if not self.total:
            return "0 of 0"
        return f"{self.events} of {self.total} ({percent(self.share)} %; 95 % {percent(self.low)}–{percent(self.high)})"


def percent(share: float) -> str:
    """A share as whole percent: "41"; one decimal below 1 %."""
    value = 100 * share
    return f"{value:.1f}" if 0 < value < 0.95 else f"{value:.0f}"


def share_of(events: int, total: int) -> Share:
    low, high = wilson_interval(events, total) if total else (float("nan"), float("nan"))
    return Share(events, total, low, high)


@dataclass(frozen=True)
class Outcome:
    """One patient of the analysis set at the month. salt: None without an assessment in the window.

    rate: (SALT₀ − SALT) / SALT₀, negative when worse; None where SALT is unknown or SALT₀ is 0.
    """

    patient: CohortPatient
    salt0: float
    salt: float | None

    @property
    def rate(self) -> float | None:
        return None if self.salt is None or self.salt0 == 0 else (self.salt0 - self.salt) / self.salt0

    @property
    def completer(self) -> bool:
        return self.salt is not None

    @property
    def responded(self) -> bool:
        """SALT ≤ 20 seen in the window. False also where nothing was seen: non-responder imputation."""
        return self.salt is not None and self.salt <= THRESHOLD

    def fell(self, by_percent: float) -> bool:
        """SALT fell by at least that much of its baseline, seen in the window."""
        return self.rate is not None and self.rate >= by_percent / 100 - 1e-9


@dataclass(frozen=True)
class AnalysisSet:
    """The patients that the endpoints are about, and who was left out of the treated ones, and why."""

    outcomes: tuple[Outcome, ...]
    left_out: tuple[tuple[str, str], ...]
    treated: int
    name: str

    @property
    def completers(self) -> tuple[Outcome, ...]:
        return tuple(outcome for outcome in self.outcomes if outcome.completer)


def analysis_set(cohort: Cohort, settings: Settings) -> AnalysisSet:
    """All treated patients with a baseline SALT above 20 (and of at least min_salt), whether or not they stayed.

    Not those who were not assessed at the month since it had not passed when the data end: nobody yet knows.
    """
    outcomes, left_out = [], []
    for patient in cohort.patients:
        salt0 = patient.salt0
        salt = patient.salt_at(settings.month, settings.window)
        if salt0 is None:
            left_out.append((patient.id, "no SALT on or before treatment start"))
        elif salt0 <= THRESHOLD:
            left_out.append((patient.id, "SALT ≤ 20 already at baseline"))
        elif salt0 < settings.min_salt:
            left_out.append((patient.id, f"SALT below {settings.min_salt:g} at baseline"))
        elif salt is None and patient.until < settings.month + settings.window:
            month = f"month {settings.month:g} ± {settings.window:g}"
            left_out.append((patient.id, f"{month} had not passed on {cohort.until}, the last day of the data"))
        else:
            outcomes.append(Outcome(patient, salt0, salt))
    at_least = f" of at least {settings.min_salt:g}" if settings.min_salt > THRESHOLD else " above 20"
    name = f"all treated patients with a baseline SALT{at_least}"
    return AnalysisSet(tuple(outcomes), tuple(left_out), len(cohort.patients), name)


@dataclass(frozen=True)
class Endpoint:
    """One yes/no endpoint: imputed counts whoever was not assessed as a non-responder, completers leaves them out."""

    name: str
    imputed: Share
    completers: Share


def endpoints(people: AnalysisSet) -> tuple[Endpoint, ...]:
    """SALT ≤ 20, then SALT30, 50, 75 and 90."""
    rules: list[tuple[str, Callable[[Outcome], bool]]] = [("SALT ≤ 20", lambda outcome: outcome.responded)]
    rules += [(f"SALT{fall}", lambda outcome, fall=fall: outcome.fell(fall)) for fall in FALLS]  # type: ignore[misc]
    total, seen = len(people.outcomes), len(people.completers)
    found = []
    for name, rule in rules:
        events = sum(rule(outcome) for outcome in people.outcomes)
        found.append(Endpoint(name, share_of(events, total), share_of(events, seen)))
    return tuple(found)


@dataclass(frozen=True)
class Rates:
    """Improvement rates of the completers, as shares. undefined: completers with SALT₀ of 0; worse: rates below 0."""

    known: int
    mean: float
    median: float
    worse: int
    undefined: int


def improvement_rates(people: AnalysisSet) -> Rates:
    import statistics

    rates = [rate for outcome in people.completers if (rate := outcome.rate) is not None]
    mean, median = (statistics.fmean(rates), statistics.median(rates)) if rates else (float("nan"), float("nan"))
    return Rates(len(rates), mean, median, sum(rate < 0 for rate in rates), len(people.completers) - len(rates))


@dataclass(frozen=True)
class LossOfBenefit:
    """Of those who reached SALT ≤ 20 and were seen again: who became 20 points worse than when it was first seen."""

    share: Share
    reached: int
    rule: LossRule

    @property
    def sign(self) -> str:
        return "≥" if self.rule == "at-least" else ">"


def loss_of_benefit(people: AnalysisSet, rule: LossRule) -> LossOfBenefit:
    """At any visit, whatever the month. Those not seen again after SALT ≤ 20 are not counted either way."""
    reached = lost = again = 0
    for outcome in people.outcomes:
        followed = outcome.patient.followed
        first = next((i for i, one in enumerate(followed) if one.total <= THRESHOLD), None)
        if first is None:
            continue
        reached += 1
        later = [round(one.total - followed[first].total, 6) for one in followed[first + 1 :]]
        again += bool(later)
        lost += any(rise > LOSS_POINTS or (rule == "at-least" and rise >= LOSS_POINTS) for rise in later)
    return LossOfBenefit(share_of(lost, again), reached, rule)


@dataclass(frozen=True)
class Subgroup:
    """Response (SALT ≤ 20) in one group of one column; the imputed and the completers' share side by side."""

    column: str
    group: str
    imputed: Share
    completers: Share


CUTS: dict[str, float] = {"duration_years": 4.0, "salt0": 95.0}
"""Columns of numbers that are shown in two groups: duration ≤ 4 years, baseline SALT ≥ 95."""


def subgroups(people: AnalysisSet, cohort: Cohort) -> tuple[Subgroup, ...]:
    """Response by AA type, sex, the two cuts, every yes/no column and every other column of at most eight groups."""
    found: list[Subgroup] = []
    for column in ordered(dict.fromkeys([*cohort.kinds, "salt0"])):
        kind = cohort.kinds.get(column, "number")
        if column in CUTS or kind != "number":
            labels = [
                group_of(outcome.salt0 if column == "salt0" else outcome.patient.facts.get(column), column, kind)
                for outcome in people.outcomes
            ]
            groups = _group_order(column, labels)
            if 1 < len(groups) <= 8:
                found += [_subgroup(column, group, people.outcomes, labels) for group in groups]
    return tuple(found)


def ordered(columns: Iterable[str]) -> list[str]:
    """Columns in the order a reader expects: AA type, sex, duration, baseline SALT, then as in the table."""
    first = ["aa_type", "sex", "duration_years", "salt0"]
    names = list(columns)
    return [name for name in first if name in names] + [name for name in names if name not in first]


def group_of(fact: float | str | None, column: str, kind: str) -> str:
    """The group that a value falls into, as printed; "not known" for None."""
    if fact is None:
        return "not known"
    if isinstance(fact, str):
        return fact
    if column == "duration_years":
        return "≤ 4 years" if fact <= CUTS[column] else "> 4 years"
    if column == "salt0":
        return "≥ 95" if fact >= CUTS[column] else "< 95"
    return ("yes" if fact else "no") if kind == "yes/no" else f"{fact:g}"


def _group_order(column: str, labels: Sequence[str]) -> list[str]:
    from trichotrack.visits.history import AA_TYPES

    known = {"aa_type": AA_TYPES, "duration_years": ("≤ 4 years", "> 4 years"), "salt0": ("< 95", "≥ 95")}
    order = list(known.get(column, ("no", "yes")))
    return sorted(set(labels), key=lambda label: (order.index(label) if label in order else 99, label))


def _subgroup(column: str, group: str, outcomes: Sequence[Outcome], labels: Sequence[str]) -> Subgroup:
    inside = [outcome for outcome, label in zip(outcomes, labels, strict=True) if label == group]
    events = sum(outcome.responded for outcome in inside)
    return Subgroup(
        column, group, share_of(events, len(inside)), share_of(events, sum(outcome.completer for outcome in inside))
    )


@dataclass(frozen=True)
class EventRate:
    """Patients with at least one adverse event of a kind. by_grade: worst grade a patient had to how many patients."""

    kind: str
    patients: Share
    by_grade: tuple[tuple[str, int], ...]


def event_rates(cohort: Cohort) -> tuple[EventRate, ...]:
    """Any adverse event, any of grade 3 or more, then each kind (most frequent first), of all treated patients."""
    if cohort.events is None:
        return ()
    total = len(cohort.patients)
    kinds: dict[str, dict[str, int]] = {}
    for event in cohort.events:
        grades = kinds.setdefault(event.kind, {})
        grades[event.patient] = max(grades.get(event.patient, 0), event.grade or 0)
    worst: dict[str, int] = {}
    for grades in kinds.values():
        for patient, grade in grades.items():
            worst[patient] = max(worst.get(patient, 0), grade)
    severe = {patient: grade for patient, grade in worst.items() if grade >= 3}
    named = sorted(kinds.items(), key=lambda item: (-len(item[1]), item[0]))
    return tuple(
        EventRate(kind, share_of(len(grades), total), _by_grade(grades))
        for kind, grades in [("any adverse event", worst), ("any of grade 3 or more", severe), *named]
    )


def _by_grade(grades: dict[str, int]) -> tuple[tuple[str, int], ...]:
    values = sorted(grades.values())
    return tuple(
        ("grade not told" if grade == 0 else f"grade {grade}", values.count(grade)) for grade in sorted(set(values))
    )

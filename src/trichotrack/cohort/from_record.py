"""A cohort from the record: patients who had one treatment, their SALT, reviewed counts and adverse events since."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from trichotrack.cohort.counts import VisitCount
from trichotrack.cohort.people import DAYS_PER_MONTH, AdverseEvent, Cohort, CohortPatient, Fact, Kind, SaltAt
from trichotrack.cohort.score import POINTS, SignsFound
from trichotrack.problems import InputError, Problem
from trichotrack.visits.comparable import unreviewed, why_not_comparable
from trichotrack.visits.dates import first_day, last_day
from trichotrack.visits.readings import counted_reading, current_reading, reviewed_by
from trichotrack.visits.series import ACTIVE_LOAD, EARLY_REGROWTH, ReadCapture, count_in, site_visit_counts

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from trichotrack.visits.schema import Patient, Treatment

LANDMARK_MONTHS = (0.0, 2.0)
LANDMARK_WINDOW = 0.5
LANDMARK_OUTCOMES = (ACTIVE_LOAD, EARLY_REGROWTH, "black_dot", "broken_hair", "tapering_hair", "short_vellus_hair")
"""Densities that become columns such as active_load_m0 (last visit on or before the start) and active_load_m2."""

NOT_AT_FIRST = "the site was not counted at baseline"
NOT_AT_ALL = "the site was not counted at all the visits compared"


@dataclass(frozen=True)
class Treated:
    """A patient of the record with the full date on which the treatment began, and its arm: drug and first dose."""

    row: Patient
    start: date
    arm: str

    def month(self, day: date) -> float:
        return (day - self.start).days / DAYS_PER_MONTH


def treated(session: Session, drug: str) -> tuple[list[Treated], list[str]]:
    """Patients who had drug, by pseudonym; and who had it but is left out, since only part of the date is known.

    Raises InputError naming the drugs of the record where drug is blank or nobody had it.
    """
    from sqlalchemy import select

    from trichotrack.visits.schema import Patient, Treatment

    drugs = sorted(set(session.scalars(select(Treatment.drug))))
    named = [one for one in drugs if one.casefold() == drug.casefold()]
    if not named:
        listed = ", ".join(drugs) or "none"
        message = "is not a treatment of the record" if drug else "is missing: month 0 is the start of a treatment"
        raise InputError(Problem("--drug", message, f"The record has {listed}.", value=drug))
    found, notes = [], []
    for patient in session.scalars(select(Patient).order_by(Patient.id)):
        rows = [one for one in patient.treatments if one.drug in named]
        if not rows:
            continue
        begin = _start(rows)
        if begin is None:
            notes.append(f"{patient.id} is left out: the start of {drug} is not known to the day.")
        else:
            day, first = begin
            arm = " ".join(part for part in (first.drug, first.dose, first.unit) if part)
            found.append(Treated(patient, day, arm))
    return found, notes


def _start(rows: Sequence[Treatment]) -> tuple[date, Treatment] | None:
    """The earliest start and its row; None where any row may have begun before it."""
    starts = [(first_day(row.start), last_day(row.start), row) for row in rows]
    if any(first is None for first, _, _ in starts):
        return None
    earliest = min(starts, key=lambda start: start[0] or date.max)
    return (earliest[0], earliest[2]) if earliest[0] is not None and earliest[0] == earliest[1] else None


def cohort_of_record(session: Session, drug: str, name: str) -> Cohort:
    """Patients who had drug, with what was entered since its start. Raises InputError where there is none."""
    people, notes = treated(session, drug)
    if not people:
        raise InputError(Problem("record", f"has nobody whose start of {drug} is known to the day"))
    until = _last_day(session)
    patients = [_patient(one, until) for one in people]
    kinds: dict[str, Kind] = {}
    for patient in patients:
        for column, fact in patient.facts.items():
            kinds.setdefault(column, "group" if isinstance(fact, str) else "number")
    events, event_notes = _events(session, people, drug)
    synthetic = any(one.row.synthetic for one in people)
    return Cohort(
        name, tuple(patients), kinds, events, synthetic=synthetic, notes=tuple(notes), event_notes=tuple(event_notes),
        until=until,
    )  # fmt: skip


def _last_day(session: Session) -> date | None:
    """The last day on which a patient of the record, treated or not, was seen: of a visit or a SALT."""
    from sqlalchemy import func, select

    from trichotrack.visits.schema import Salt, Visit

    days = [session.scalar(select(func.max(model.date))) for model in (Visit, Salt)]
    return max((day for day in days if day is not None), default=None)


def _events(
    session: Session, people: Sequence[Treated], drug: str
) -> tuple[tuple[AdverseEvent, ...] | None, list[str]]:
    """Adverse events that may have begun on or after the start, and what that leaves open.

    None where no event of any patient was entered: that does not say that none happened.
    """
    from sqlalchemy import select

    from trichotrack.visits import schema

    if session.scalar(select(schema.AdverseEvent.id).limit(1)) is None:
        return None, []
    kinds: dict[str, str] = {}
    found, before, unsure = [], 0, 0
    for one in people:
        for event in one.row.events:
            first, last = first_day(event.start), last_day(event.start)
            if last is not None and last < one.start:
                before += 1
                continue
            unsure += first is None or first < one.start
            # "Acne" and "acne" are one kind.
            found.append(AdverseEvent(one.row.id, kinds.setdefault(event.kind.casefold(), event.kind), event.grade))
    without = sum(not one.row.events for one in people)
    notes = [
        (before, f"Not counted, since they began before {drug}: {before}."),
        (unsure, f"Counted, though their dates leave open whether they began before {drug}: {unsure}."),
        (without, f"{without} of {len(people)} have no adverse event entered: that is not the same as none."),
    ]
    return tuple(found), [text for number, text in notes if number]


def _patient(one: Treated, until: date | None) -> CohortPatient:
    row = one.row
    facts: dict[str, Fact] = {"arm": one.arm}
    facts |= {column: text for column, text in (("aa_type", row.aa_type), ("sex", row.sex)) if text}
    if row.birth_year is not None:
        facts["age"] = float(one.start.year - row.birth_year)
    first, last = first_day(row.onset), last_day(row.onset)
    if first and last:
        middle = (first.toordinal() + last.toordinal()) / 2
        facts["duration_years"] = round(max(0.0, one.start.toordinal() - middle) / 365.25, 1)
    visits = list(_visits(row))
    for outcome in LANDMARK_OUTCOMES:
        facts |= _landmarks(visit_counts(one, outcome, visits)[0], outcome)
    salt = sorted((SaltAt(one.month(s.date), round(s.total, 6)) for s in row.salt), key=lambda at: at.month)
    return CohortPatient(row.id, facts, tuple(salt), math.inf if until is None else one.month(until))


def _landmarks(rows: Sequence[VisitCount], outcome: str) -> dict[str, Fact]:
    facts: dict[str, Fact] = {}
    for month in LANDMARK_MONTHS:
        near = (
            [row for row in rows if row.month <= 0]
            if month == 0
            else [row for row in rows if row.month > 0 and abs(row.month - month) <= LANDMARK_WINDOW]
        )
        if near:
            row = max(near, key=lambda r: r.month) if month == 0 else min(near, key=lambda r: abs(r.month - month))
            facts[f"{outcome}_m{month:g}"] = row.count / row.area_cm2
    return facts


def visit_counts(
    one: Treated, outcome: str, visits: Sequence[tuple[date, Sequence[ReadCapture]]]
) -> tuple[list[VisitCount], list[str]]:
    """One outcome at each visit, over the sites that its visits share; and why a site of a visit was left out.

    From readings that a person reviewed or a validated model made, and that may be compared with baseline (the last
    visit on or before the start, else the first): another device, scale, preparation, model, reader or cut-off would
    pass for a change.
    """
    counts = site_visit_counts([c for _, captures in visits for c in captures if not unreviewed([c])], outcome)
    days = {captures[0].visit_id: day for day, captures in visits}
    counted = sorted({visit for visit, _ in counts}, key=lambda visit: days[visit])
    if not counted:
        return [], []
    first = next((visit for visit in reversed(counted) if days[visit] <= one.start), counted[0])
    usable: dict[int, set[str]] = {}
    left_out = []
    for (visit, site), count in counts.items():
        reason = why_not_comparable(counts[first, site], count, outcome) if (first, site) in counts else NOT_AT_FIRST
        if reason:
            left_out.append(reason)
        else:
            usable.setdefault(visit, set()).add(site)
    shared = sorted(set.intersection(*usable.values())) if usable else []
    left_out += [NOT_AT_ALL for sites in usable.values() for _ in sites - set(shared)]
    rows = []
    for visit in sorted(usable, key=lambda visit: days[visit]) if shared else []:
        sites = [counts[visit, site] for site in shared]
        area_cm2 = sum(site.exposure_cm2 or 0.0 for site in sites)
        rows.append(
            VisitCount(one.row.id, one.arm, one.month(days[visit]), sum(site.count for site in sites), area_cm2)
        )
    return rows, left_out


def counts_of_record(session: Session, drug: str, outcome: str) -> tuple[list[VisitCount], list[str]]:
    """Rows for `counts_over_visits`, and who was left out."""
    people, notes = treated(session, drug)
    rows, left_out, waiting = [], Counter[str](), 0
    for one in people:
        visits = list(_visits(one.row))
        found, reasons = visit_counts(one, outcome, visits)
        rows += found
        left_out.update(reasons)
        waiting += sum(bool(unreviewed(captures)) for _, captures in visits)
    if waiting:
        notes.append(f"{waiting} visits have readings that nobody reviewed: those readings are left out.")
    notes += [f"Left out at {number} sites of visits: {reason}." for reason, number in left_out.most_common()]
    if any(one.row.synthetic for one in people):
        notes.append("Synthetic patients are among them, made by a program: no clinical meaning.")
    return rows, notes


def _visits(patient: Patient) -> Iterable[tuple[date, list[ReadCapture]]]:
    for visit in patient.visits:
        captures = []
        for capture in visit.captures:
            current = current_reading(capture)
            captures.append(
                ReadCapture(
                    visit.id, visit.date, capture.site, capture.field, capture.preparation, capture.device,
                    counted_reading(capture), bool(reviewed_by(current)), current.vellus_cutoff_um,
                )
            )  # fmt: skip
        if captures:
            yield visit.date, captures


def signs_of_record(session: Session, drug: str) -> list[tuple[str, str, list[SignsFound]]]:
    """(patient, AA type, signs at each visit) for the score.

    A reading has tapering hairs as one class: none found means neither subtype; some found does not tell which, and
    the score is refused, unless the model names exclamation_mark_hair and tapered_hair.
    """
    people, _ = treated(session, drug)
    return [
        (one.row.id, one.row.aa_type, [_signs(one, day, captures) for day, captures in _visits(one.row)])
        for one in people
    ]


def _signs(one: Treated, day: date, captures: Sequence[ReadCapture]) -> SignsFound:
    present = {name: _present(captures, name) for name in POINTS}
    tapering = _present(captures, "tapering_hair")
    reason = ""
    for name in ("exclamation_mark_hair", "tapered_hair"):
        if present[name] is None and tapering is not None:
            present[name] = None if tapering else False
            if tapering:
                reason = "tapering hairs were found, but not told apart into exclamation-mark and tapered hairs"
    reviewed = all(capture.reviewed for capture in captures)
    return SignsFound(one.row.id, one.month(day), present, "yes" if reviewed else "", reason)


def _present(captures: Sequence[ReadCapture], name: str) -> bool | None:
    """Found in some capture; absent where each capture counted it as none; else not known."""
    counts = [count_in(capture.reading, name)[0] for capture in captures]
    if any(counts):
        return True
    return None if None in counts or not counts else False

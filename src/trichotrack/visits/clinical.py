"""Eyebrow and eyelash ClinRO, laboratory values and adverse events in the record."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from trichotrack.labels.cells import Row, parse_number
from trichotrack.visits.rows import (
    Added,
    TableKind,
    add_row,
    columns_of,
    day_in,
    patient_in,
    put,
    span_in,
    whole_in,
    words,
)  # fmt: skip

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

QUALIFIERS = ("<", ">")
GRADES = (1, 5)
"""Adverse events: 1 mild, 2 moderate, 3 severe, 4 life-threatening, 5 death."""


def add_clinro(session: Session, cells: Mapping[str, str]) -> Added:
    """Eyebrow and eyelash grades on one day, cells by the columns of CLINRO. Raises InputError with every fault."""
    return add_row(session, CLINRO, cells)


def add_lab(session: Session, cells: Mapping[str, str]) -> Added:
    """One laboratory value, cells by the columns of LABS. Raises InputError with every fault."""
    return add_row(session, LABS, cells)


def add_event(session: Session, cells: Mapping[str, str]) -> Added:
    """One adverse event, cells by the columns of EVENTS. Raises InputError with every fault."""
    return add_row(session, EVENTS, cells)


def _clinro(session: Session, row: Row) -> Added:
    from trichotrack.visits.schema import ClinRO

    key = {"patient_id": patient_in(session, row), "date": day_in(row)}
    grades = {column: whole_in(row, column, 0, 3, "a grade from 0 to 3") for column in ("eyebrow", "eyelash")}
    if row.ok and not any(grade is not None for grade in grades.values()):
        row.fault("eyebrow", "is missing, and so is eyelash", "Give at least one of them.")
    return put(session, row, ClinRO, key, grades)


def _lab(session: Session, row: Row) -> Added:
    from trichotrack.visits.schema import Lab

    key = {"patient_id": patient_in(session, row), "date": day_in(row), "name": words(row, "name", required=True)}
    qualifier, value = _value(row)
    low, high = row.optional_number("low"), row.optional_number("high")
    if low is not None and high is not None and high < low:
        row.fault("high", f"is below the lower end of the range, {low:g}", "Exchange or mend them.")
    _check_bound(session, row, key, qualifier)
    facts = {"qualifier": qualifier, "value": value, "unit": words(row, "unit"), "low": low, "high": high}
    return put(session, row, Lab, key, facts)


def _check_bound(session: Session, row: Row, key: Mapping[str, object], qualifier: str) -> None:
    """A blank of the record may be filled in, but a value is no bound that lacks its sign, nor the other way round."""
    from sqlalchemy import select

    from trichotrack.visits.schema import Lab

    known = session.scalars(select(Lab.qualifier).filter_by(**key)).one_or_none() if row.ok else None
    if known is not None and known != qualifier:
        remedy = "Mend the row, or the record with `trichotrack amend`."
        row.fault("qualifier", f"differs from the record, which has {known!r}", remedy)


def _value(row: Row) -> tuple[str, float | None]:
    """Qualifier and number: "<5" in the column value, or each in its own."""
    text, qualifier = row.text("value", required=True), row.text("qualifier")
    if text[:1] in QUALIFIERS and not qualifier:
        qualifier, text = text[0], text[1:].strip()
    if qualifier not in ("", *QUALIFIERS):
        row.fault("qualifier", "is neither < nor >", "Leave it empty for a plain value.")
    if not text:
        if row.ok:
            row.fault("value", "has no number", "Write such as 5 or <5.")
        return qualifier, None
    number = parse_number(text, row.table.separator)
    if isinstance(number, str):
        row.fault("value", number, "Write a number such as 4.2 or <5, without its unit.")
        return qualifier, None
    return qualifier, number


def _event(session: Session, row: Row) -> Added:
    from trichotrack.visits.schema import AdverseEvent

    patient, kind = patient_in(session, row), words(row, "kind", required=True)
    start, end = span_in(row)
    grade = whole_in(row, "grade", *GRADES, "a grade from 1 to 5")
    return put(
        session, row, AdverseEvent, {"patient_id": patient, "kind": kind, "start": start}, {"grade": grade, "end": end}
    )


CLINRO = TableKind(
    "clinro",
    columns_of(
        ("patient", "date"),
        eyebrow="grade 0 (full) to 3 (none); empty not assessed",
        eyelash="grade 0 (full) to 3 (none); empty not assessed",
    ),
    ("patient", "date"),
    _clinro,
    whole=frozenset({"eyebrow", "eyelash"}),
)

LABS = TableKind(
    "labs",
    columns_of(
        ("patient", "date"),
        name="name of the laboratory value; one a patient and day",
        qualifier="`<` or `>` where the value is a bound; may be typed with the value",
        value="number, in the unit of its column",
        unit="such as U/L",
        low="lower end of the reference range, same unit",
        high="upper end of the reference range, same unit",
    ),
    ("patient", "date", "name", "value"),
    _lab,
    numbers=frozenset({"value", "low", "high"}),
)

EVENTS = TableKind(
    "events",
    columns_of(
        ("patient",),
        kind="what happened, such as acne",
        grade="1 mild, 2 moderate, 3 severe, 4 life-threatening, 5 death; empty unknown",
        start="year, year-month or year-month-day; empty unknown",
        end="likewise; empty while it goes on",
    ),
    ("patient", "kind"),
    _event,
    whole=frozenset({"grade"}),
)

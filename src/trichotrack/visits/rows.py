"""Rows of tables into the record: checked, idempotent, all faults at once, never silently overwritten."""

from __future__ import annotations

import dataclasses
import datetime as dt
import re
import unicodedata
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from trichotrack.labels.cells import Row, rows_of
from trichotrack.labels.spreadsheet import Table, number_text
from trichotrack.problems import InputError, Problem
from trichotrack.visits.dates import first_day, full_date, last_day

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from trichotrack.visits.schema import Base, Patient

MAX_TEXT = 2000
"""Letters of one cell: what Excel, CSV and both databases hold without cutting it."""

ADDED_AT = "when it came into the record (UTC); left out: now"

_PSEUDONYM = re.compile(r"[^\W_][\w.-]{0,63}\Z")


@dataclass(frozen=True)
class Added:
    """What a command changed: rows new, completed (an end or a response filled in), and known already."""

    new: int = 0
    completed: int = 0
    known: int = 0

    def __str__(self) -> str:
        parts = [(self.new, "added"), (self.completed, "completed"), (self.known, "already in the record")]
        return ", ".join(f"{number} {what}" for number, what in parts if number) or "nothing to add"

    def __add__(self, other: Added) -> Added:
        return Added(self.new + other.new, self.completed + other.completed, self.known + other.known)

    def to_dict(self) -> dict[str, int]:
        return dataclasses.asdict(self)


@dataclass(frozen=True)
class TableKind:
    """A table of the record as people exchange it.

    columns: what each holds, with its unit. required: those that an import must have. numbers, whole: columns of
    numbers and of whole numbers; the others are text. add: takes one row into the record, noting its faults.
    """

    name: str
    columns: Mapping[str, str]
    required: tuple[str, ...]
    add: Callable[[Session, Row], Added]
    numbers: frozenset[str] = field(default=frozenset())
    whole: frozenset[str] = field(default=frozenset())


def check_patient_id(patient: str) -> None:
    """Raises InputError where patient cannot be a pseudonym: letters, digits, `_`, `.` and `-`, at most 64."""
    if not _PSEUDONYM.match(patient):
        raise InputError(
            Problem("patient", "is not a pseudonym", "Use letters, digits, '_', '.' and '-' (at most 64): P001.",
                    value=patient)
        )  # fmt: skip


def patient_of(session: Session, patient: str) -> Patient:
    """The patient's row. Raises InputError naming those that are near where there is none."""
    import difflib

    from sqlalchemy import select

    from trichotrack.visits.schema import Patient

    found = session.get(Patient, patient)
    if found is None:
        known = list(session.scalars(select(Patient.id)))
        near = difflib.get_close_matches(patient, known, n=1)
        remedy = f"Did you mean {near[0]}? " if near else ""
        remedy += f"Add one with `trichotrack patient add {patient}`."
        raise InputError(Problem("record", "there is no such patient", remedy, column="patient", value=patient))
    return found


def add_row(session: Session, kind: TableKind, cells: Mapping[str, str]) -> Added:
    """One row, cells by column. Raises InputError with every fault."""
    columns = tuple(kind.columns)
    texts = tuple(cells.get(column, "").strip() for column in columns)
    return add_table(session, kind, Table(kind.name, columns, ((0, texts),)))


def import_file(session: Session, kind: TableKind, path: Path) -> Added:
    """A table (CSV, .xlsx or Parquet): all of it or, where anything is wrong, nothing and every fault told."""
    from trichotrack.visits.table_files import read_file

    return add_table(session, kind, read_file(path, kind))


def add_table(session: Session, kind: TableKind, table: Table) -> Added:
    """Adds rows one by one, each noting its faults in the list they share; raises all of them at the end."""
    unknown = [column for column in table.columns if column and column not in kind.columns]
    if unknown:
        remedy = f"Columns are {', '.join(kind.columns)}."
        raise InputError(
            [Problem(table.name, "is not a column of this table", remedy, 1, column) for column in unknown]
        )
    problems: list[Problem] = []
    done = sum((kind.add(session, row) for row in rows_of(table, problems)), Added())
    if problems:
        raise InputError([problem if problem.row else dataclasses.replace(problem, row=None) for problem in problems])
    return done


def put(session: Session, row: Row, model: type[Base], key: Mapping[str, object], facts: Mapping[str, object]) -> Added:
    """A row with this key: new, completed where the record is blank, or known; what contradicts it is a fault."""
    from sqlalchemy import select

    when = moment(row, "added_at")
    if not row.ok:
        return Added()
    known = session.scalars(select(model).filter_by(**key)).one_or_none()
    if known is None:
        session.add(model(**{**({"added_at": when} if when else {}), **key, **facts}))
        session.flush()
        return Added(new=1)
    return complete(row, known, facts)


def complete(row: Row, known: object, facts: Mapping[str, object]) -> Added:
    """Fills what is blank in a row of the record; facts that contradict it are faults, and then nothing is filled."""
    blank = ("", None)
    told = {column: value for column, value in facts.items() if value not in blank}
    differing = [column for column, value in told.items() if getattr(known, column) not in (*blank, value)]
    for column in differing:
        row.fault(
            column,
            f"differs from the record, which has {getattr(known, column)!r}",
            "Mend the row, or the record with `trichotrack amend`.",
        )
    filled = {column: value for column, value in told.items() if getattr(known, column) in blank}
    if differing:
        return Added()
    for column, value in filled.items():
        setattr(known, column, value)
    return Added(completed=1) if filled else Added(known=1)


def words(row: Row, column: str, *, required: bool = False) -> str:
    """A cell of text, its spaces made single. Letters that cannot be printed, and very long texts, are faults."""
    text = " ".join(row.text(column, required=required).split())
    if any(unicodedata.category(letter) in {"Cc", "Cs", "Cn"} for letter in text):
        row.fault(column, "holds letters that cannot be printed", "Type it again.")
        return ""
    if len(text) > MAX_TEXT:
        row.fault(column, f"is longer than {MAX_TEXT} letters", "Shorten it.")
        return ""
    return text


def pseudonym_in(row: Row) -> str:
    """The pseudonym of a row; whether the record has such a patient is not asked."""
    patient = row.text("patient", required=True)
    if patient:
        try:
            check_patient_id(patient)
        except InputError as error:
            row.fault("patient", error.problems[0].message, error.problems[0].remedy)
    return patient


def patient_in(session: Session, row: Row) -> str:
    """The patient of a row, who must be in the record."""
    patient = row.text("patient", required=True)
    if patient:
        try:
            patient_of(session, patient)
        except InputError as error:
            row.fault("patient", error.problems[0].message, error.problems[0].remedy)
    return patient


def day_in(row: Row, column: str = "date") -> dt.date:
    """A full date that must be there; 0001-01-01 (noted) where it is not."""
    day = row.date(column) if row.text(column, required=True) else ""
    if day and first_day(day) != last_day(day):
        row.fault(column, "is not a full date", "Write it as 2026-03-04 (year-month-day).")
    return full_date(day) if row.ok and day else dt.date.min


def span_in(row: Row) -> tuple[str, str]:
    """start and end, partial dates or "", the end not before the start."""
    start, end = row.date("start"), row.date("end")
    first, last = first_day(start), last_day(end)
    if first and last and last < first:
        row.fault("end", f"lies before the start, {start}", "Exchange or mend them.")
    return start, end


def choice_in(row: Row, column: str, choices: Collection[str]) -> str:
    """One of the choices; blank where none is given, or (noted) another."""
    text = row.text(column)
    if text and text not in choices:
        row.fault(column, f"is not one of {', '.join(choices)}", "")
        return ""
    return text


def whole_in(row: Row, column: str, low: int, high: int, what: str) -> int | None:
    """A whole number from low to high; None where blank or (noted) something else."""
    number = row.optional_number(column)
    if number is not None and not (number.is_integer() and low <= number <= high):
        row.fault(column, f"is not {what}", f"Write a whole number from {low} to {high}, or leave it empty.")
        return None
    return None if number is None else int(number)


def moment(row: Row, column: str) -> dt.datetime | None:
    """Date and time (UTC) as an export has it; None where blank or (noted) something else."""
    text = row.cells.get(column, "")
    if not text:
        return None
    try:
        return dt.datetime.fromisoformat(text).replace(tzinfo=None)
    except ValueError:
        row.fault(column, "is not a date with a time", "Write it as 2026-03-04T09:30:00, or leave it empty.")
        return None


def flag_in(row: Row, column: str) -> bool:
    """1 or 0; blank is 0."""
    return choice_in(row, column, ("0", "1")) == "1"


def columns_of(names: Sequence[str], **meanings: str) -> dict[str, str]:
    """Columns with their meanings; every table of the history begins with these and ends with when it was added."""
    common = {"patient": "pseudonym", "date": "day of the visit or assessment, year-month-day"}
    return {**{name: common[name] for name in names}, **meanings, "added_at": ADDED_AT}


def cell_text(value: object) -> str:
    """A value of the record as the text cell of a table."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(int(value))
    if isinstance(value, float):
        return number_text(value)
    return value.isoformat() if isinstance(value, dt.date) else str(value)

"""A cohort from a folder of tables: patients, salt and, where there are any, events; every fault told at once."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path

from trichotrack.cohort.people import DAYS_PER_MONTH, AdverseEvent, Cohort, CohortPatient, Fact, Kind, SaltAt
from trichotrack.labels.cells import Row, parse_number, rows_of
from trichotrack.labels.read import condensed
from trichotrack.labels.spreadsheet import Table, find_table, read_table
from trichotrack.problems import InputError, Problem
from trichotrack.visits.history import AA_TYPES, SEXES

COLUMNS: Mapping[str, tuple[str, ...]] = {
    "patients": (
        "patient", "aa_type", "sex", "age", "duration_years", "atopic", "pulse", "salt0", "eyebrow", "eyelash", "arm",
        "start", "synthetic",
    ),
    "salt": ("patient", "month", "date", "salt"),
    "events": ("patient", "kind", "grade"),
}  # fmt: skip
"""Columns with a meaning, by table; patients may have any others, which become predictors to choose from."""

REQUIRED: Mapping[str, tuple[str, ...]] = {
    "patients": ("patient",),
    "salt": ("patient", "salt"),
    "events": ("patient", "kind"),
}

SALT0_ROUNDING = 0.5
"""A salt0 typed beside a baseline of salt.csv may differ from it by no more."""

_RANGES: Mapping[str, tuple[float, float]] = {
    "age": (0, 120), "duration_years": (0, 100), "salt0": (0, 100), "eyebrow": (0, 3), "eyelash": (0, 3),
}  # fmt: skip
_YES = {"1": 1.0, "yes": 1.0, "true": 1.0, "y": 1.0, "0": 0.0, "no": 0.0, "false": 0.0, "n": 0.0}
_FIXED: Mapping[str, Kind] = {
    "aa_type": "group", "sex": "group", "arm": "group", "age": "number", "duration_years": "number",
    "atopic": "yes/no", "pulse": "yes/no", "salt0": "number", "eyebrow": "number", "eyelash": "number",
}  # fmt: skip
_NOT_FACTS = ("patient", "start", "synthetic")


def read_cohort(folder: Path) -> Cohort:
    """The cohort of a folder with patients, salt and (optional) events as .csv or .xlsx.

    Raises InputError with all problems of all tables.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise InputError(Problem(str(folder), "is not a folder", "Name the folder with patients.csv and salt.csv."))
    problems: list[Problem] = []
    tables = {stem: _table(folder, stem, problems, required=stem != "events") for stem in COLUMNS}
    patients, salt_table, events_table = (tables[stem] for stem in COLUMNS)
    people, kinds = _people(patients, problems) if patients else ({}, {})
    starts = {row.cells.get("patient", ""): row.cells.get("start", "") for row in _rows(patients)}
    salt = _salt(salt_table, people, starts, problems, check=patients is not None) if salt_table else {}
    _check_salt0(patients, people, salt, problems)
    events = _events(events_table, people, problems, check=patients is not None) if events_table else None
    until = max((day for row in _rows(salt_table) if (day := full_day(row.cells.get("date", "")))), default="")
    if not problems and not people:
        problems.append(Problem("patients.csv", "has no patient", "Write one row a patient."))
    if problems:
        raise InputError(condensed(problems))
    return Cohort(
        folder.resolve().name,
        tuple(
            CohortPatient(name, facts, tuple(salt.get(name, ())), _months(full_day(starts.get(name, "")), until))
            for name, facts in people.items()
        ),
        kinds,
        events,
        synthetic=any(_YES.get(row.cells.get("synthetic", "").lower()) for row in _rows(patients)),
        until=date.fromisoformat(until) if until else None,
    )


def _months(start: str, day: str) -> float:
    """From one full date to another; infinite where either is not told."""
    if not start or not day:
        return math.inf
    return (date.fromisoformat(day) - date.fromisoformat(start)).days / DAYS_PER_MONTH


def _table(folder: Path, stem: str, problems: list[Problem], *, required: bool) -> Table | None:
    path = find_table(folder, stem, problems, required=required)
    return read_table(path, COLUMNS[stem], REQUIRED[stem], problems) if path else None


def _rows(table: Table | None) -> list[Row]:
    return rows_of(table, []) if table else []


def _people(table: Table, problems: list[Problem]) -> tuple[dict[str, dict[str, Fact]], dict[str, Kind]]:
    rows = rows_of(table, problems)
    columns = [column for column in table.columns if column and column not in _NOT_FACTS]
    kinds = {column: _FIXED.get(column) or _kind(table, rows, column) for column in columns}
    people: dict[str, dict[str, Fact]] = {}
    for row in rows:
        name = row.text("patient", required=True)
        if name in people:
            row.fault("patient", "is in this table twice", "Keep one row a patient.")
        row.date("start")
        _yes_no(row, "synthetic")
        facts = {column: fact for column in columns if (fact := _fact(row, column, kinds[column])) is not None}
        if name:
            people.setdefault(name, facts)
    return people, kinds


def _kind(table: Table, rows: Sequence[Row], column: str) -> Kind:
    """yes/no where every cell is; number where most are (the others are then faults); else group."""
    cells = [cell for row in rows if (cell := row.cells[column])]
    if cells and all(cell.lower() in _YES for cell in cells):
        return "yes/no"
    numbers = sum(not isinstance(parse_number(cell, table.separator), str) for cell in cells)
    return "number" if cells and numbers > len(cells) / 2 else "group"


def _fact(row: Row, column: str, kind: Kind) -> Fact | None:
    if column in {"aa_type", "sex"}:
        choices, what = (AA_TYPES, "type of alopecia areata") if column == "aa_type" else (SEXES, "sex")
        return (row.choice(column, choices, what) or None) if row.text(column) else None
    if kind == "yes/no":
        return _yes_no(row, column)
    if kind == "group":
        return row.text(column) or None
    number = row.optional_number(column)
    low, high = _RANGES.get(column, (float("-inf"), float("inf")))
    if number is not None and not low <= number <= high:
        row.fault(column, f"is not between {low:g} and {high:g}", "Mend it, or leave the cell empty.")
        return None
    return number


def _yes_no(row: Row, column: str) -> float | None:
    text = row.cells.get(column, "").lower()
    if not text:
        return None
    if text not in _YES:
        row.fault(column, "is neither yes nor no", "Write 1 or 0.")
        return None
    return _YES[text]


def _known(row: Row, people: Mapping[str, object], *, check: bool) -> str:
    name = row.text("patient", required=True)
    if check and name and name not in people:
        row.fault("patient", "is not in the table of patients", "Add the patient there, or mend the name.")
    return name


def month_of(row: Row, start: str) -> float | None:
    """A row's month since treatment start, from its month or its date; None (noted) where it has neither."""
    month, day = row.optional_number("month"), row.date("date")
    if month is not None:
        return month
    if not day:
        if row.ok:
            row.fault("month", "is missing, and so is the date", "Give the month since treatment start, or the date.")
        return None
    if len(start) != len("2026-03-04") or len(day) != len(start):
        remedy = "Give start in the table of patients and date here as full dates, or the month here."
        row.fault("date", "cannot be counted from the start of treatment", remedy)
        return None
    return _months(start, day)


def full_day(text: str) -> str:
    """A cell as a full ISO date, or "" where it is blank, partial or (noted elsewhere) no date."""
    from trichotrack.labels.cells import parse_date

    day, fault = parse_date(text) if text else ("", "")
    return day if not fault and len(day) == len("2026-03-04") else ""


def _salt(
    table: Table, people: Mapping[str, object], starts: Mapping[str, str], problems: list[Problem], *, check: bool
) -> dict[str, list[SaltAt]]:
    found: dict[str, list[SaltAt]] = {}
    for row in rows_of(table, problems):
        name = _known(row, people, check=check)
        month = month_of(row, full_day(starts.get(name, "")))
        total = row.optional_number("salt") if row.text("salt", required=True) else None
        if total is not None and not 0 <= total <= 100:
            row.fault("salt", "is not between 0 and 100", "SALT is the percentage of the scalp without hair.")
        if not row.ok or month is None or total is None:
            continue
        if any(abs(one.month - month) < 1e-6 for one in found.get(name, ())):
            row.fault("month", "has a SALT of this patient already", "Keep one row a patient and assessment.")
            continue
        found.setdefault(name, []).append(SaltAt(month, total))
    return {name: sorted(ones, key=lambda one: one.month) for name, ones in found.items()}


def _check_salt0(
    table: Table | None, people: dict[str, dict[str, Fact]], salt: dict[str, list[SaltAt]], problems: list[Problem]
) -> None:
    """A salt0 of the table of patients becomes the assessment at month 0, or must agree with the one that is there."""
    for row in rows_of(table, problems) if table else []:
        name = row.cells.get("patient", "")
        told = people.get(name, {}).get("salt0") if row.cells.get("salt0") else None
        before = [one.total for one in salt.get(name, []) if one.month <= 0]
        if isinstance(told, float) and not before:
            salt[name] = [SaltAt(0.0, told), *salt.get(name, [])]
        elif isinstance(told, float) and abs(before[-1] - told) > SALT0_ROUNDING:
            row.fault("salt0", f"differs from the last SALT on or before treatment start, {before[-1]:g}", "Mend one.")


def _events(
    table: Table, people: Mapping[str, object], problems: list[Problem], *, check: bool
) -> tuple[AdverseEvent, ...]:
    found = []
    for row in rows_of(table, problems):
        name, kind = _known(row, people, check=check), row.text("kind", required=True)
        grade = row.optional_number("grade")
        if grade is not None and grade not in {1, 2, 3, 4, 5}:
            row.fault("grade", "is not a grade from 1 to 5", "Use CTCAE grades, or leave the cell empty.")
        if row.ok:
            found.append(AdverseEvent(name, kind, None if grade is None else int(grade)))
    return tuple(found)

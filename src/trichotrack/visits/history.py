"""Patients, treatments and SALT in the record: checked, idempotent, all faults at once, never silently overwritten."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from trichotrack.labels.cells import Row, rows_of
from trichotrack.labels.spreadsheet import Table, read_table
from trichotrack.problems import InputError, Problem
from trichotrack.visits.dates import first_day, full_date, last_day

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from trichotrack.visits.schema import Patient

AA_TYPES = ("patchy", "multiplex", "ophiasis", "totalis", "universalis")
SEXES = ("female", "male", "other")

SALT_WEIGHTS: Mapping[str, float] = {"top": 0.40, "back": 0.24, "left": 0.18, "right": 0.18}
"""Share of the scalp of each region; SALT is the weighted sum of their percentages of loss."""

SALT_ROUNDING = 0.5
"""A total typed beside its regions may differ from their weighted sum by no more."""

TREATMENT_COLUMNS = ("patient", "drug", "dose", "unit", "route", "start", "end", "stop_reason", "response")
SALT_COLUMNS = ("patient", "date", "top", "back", "left", "right", "total")

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

    def to_dict(self) -> dict[str, int]:
        return dataclasses.asdict(self)


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


def add_patient(
    session: Session,
    patient: str,
    *,
    aa_type: str = "",
    sex: str = "",
    birth_year: int | None = None,
    onset: str = "",
    synthetic: bool = False,
) -> Added:
    """A patient by pseudonym. One that is there already takes what was blank, and must agree in the rest.

    onset: partial date. Raises InputError with every fault; synthetic cannot be changed later, as verdicts hang on it.
    """
    from trichotrack.visits.schema import Patient

    check_patient_id(patient)
    problems = [
        Problem("patient", f"is not one of {', '.join(choices)}", column=column, value=value)
        for column, value, choices in (("aa_type", aa_type, AA_TYPES), ("sex", sex, SEXES))
        if value and value not in choices
    ]
    if birth_year is not None and not 1900 <= birth_year <= 2100:
        problems.append(Problem("patient", "is not a year of birth", column="birth_year", value=str(birth_year)))
    try:
        last_day(onset)
    except InputError as error:
        problems.append(Problem("patient", str(error), column="onset"))
    if problems:
        raise InputError(problems)
    facts = {"aa_type": aa_type, "sex": sex, "birth_year": birth_year, "onset": onset}
    known = session.get(Patient, patient)
    if known is None:
        session.add(Patient(id=patient, synthetic=synthetic, **facts))
        session.flush()
        return Added(new=1)
    if synthetic and not known.synthetic:
        raise InputError(Problem("patient", "is in the record as a person, not as synthetic", value=patient))
    added, differing = _complete(known, facts)
    if differing:
        raise InputError(
            [
                Problem(
                    "patient",
                    f"differs from the record, which has {getattr(known, column)!r}",
                    column=column,
                    value=str(facts[column]),
                )
                for column in differing
            ]
        )
    return added


def add_treatment(session: Session, cells: Mapping[str, str]) -> Added:
    """One treatment, cells by TREATMENT_COLUMNS (patient and drug at least). Raises InputError with every fault."""
    return _add_rows(session, [_single("treatment", TREATMENT_COLUMNS, cells)], _treatment)


def add_salt(session: Session, cells: Mapping[str, str]) -> Added:
    """SALT on one day, cells by SALT_COLUMNS: four regions, or total, or both. Raises InputError with every fault."""
    return _add_rows(session, [_single("salt", SALT_COLUMNS, cells)], _salt)


def import_treatments(session: Session, path: Path) -> Added:
    """A table (CSV or .xlsx) of treatments; all of it or, where anything is wrong, nothing and every fault told."""
    return _import(session, path, TREATMENT_COLUMNS, ("patient", "drug"), _treatment)


def import_salt(session: Session, path: Path) -> Added:
    """A table (CSV or .xlsx) of SALT by date; all of it or, where anything is wrong, nothing and every fault told."""
    return _import(session, path, SALT_COLUMNS, ("patient", "date"), _salt)


def _import(
    session: Session, path: Path, columns: Sequence[str], required: Sequence[str], add: Callable[[Session, Row], Added]
) -> Added:
    problems: list[Problem] = []
    table = read_table(path, columns, required, problems)
    if table is None or problems:
        raise InputError(problems)
    unknown = [column for column in table.columns if column and column not in columns]
    if unknown:
        raise InputError(
            [Problem(table.name, "is not a column of this table", f"Columns are {', '.join(columns)}.", 1, column)
             for column in unknown]
        )  # fmt: skip
    return _add_rows(session, rows_of(table, problems), add)


def _single(name: str, columns: Sequence[str], cells: Mapping[str, str]) -> Row:
    table = Table(name, tuple(columns), ((0, tuple(cells.get(column, "").strip() for column in columns)),))
    return rows_of(table, [])[0]


def _add_rows(session: Session, rows: Sequence[Row], add: Callable[[Session, Row], Added]) -> Added:
    """Adds rows one by one, each noting its faults in the list they share; raises all of them at the end."""
    done = [add(session, row) for row in rows]
    problems = rows[0].problems if rows else []
    if problems:
        raise InputError([problem if problem.row else dataclasses.replace(problem, row=None) for problem in problems])
    return Added(sum(a.new for a in done), sum(a.completed for a in done), sum(a.known for a in done))


def _patient_in(session: Session, row: Row) -> str:
    patient = row.text("patient", required=True)
    if patient:
        try:
            patient_of(session, patient)
        except InputError as error:
            row.fault("patient", error.problems[0].message, error.problems[0].remedy)
    return patient


def _treatment(session: Session, row: Row) -> Added:
    from sqlalchemy import select

    from trichotrack.visits.schema import Treatment

    patient = _patient_in(session, row)
    drug = row.text("drug", required=True)
    start, end = row.date("start"), row.date("end")
    first, last = first_day(start), last_day(end)
    if first and last and last < first:
        row.fault("end", f"lies before the start, {start}", "Exchange or mend them.")
    if not row.ok:
        return Added()
    key = {"patient_id": patient, "drug": drug, "start": start}
    key |= {column: row.text(column) for column in ("dose", "unit", "route")}
    known = session.scalars(select(Treatment).filter_by(**key)).one_or_none()
    facts: dict[str, object] = {"end": end, "stop_reason": row.text("stop_reason"), "response": row.text("response")}
    if known is None:
        session.add(Treatment(**key, **facts))
        session.flush()
        return Added(new=1)
    return _complete_in(row, known, facts)


def _salt(session: Session, row: Row) -> Added:
    from sqlalchemy import select

    from trichotrack.visits.schema import Salt

    patient = _patient_in(session, row)
    day = row.date("date") if row.text("date", required=True) else ""
    if day and first_day(day) != last_day(day):
        row.fault("date", "is not a full date", "Write it as 2026-03-04 (year-month-day).")
    regions = {region: _percent(row, region) for region in SALT_WEIGHTS}
    total = _salt_total(row, regions, _percent(row, "total"))
    if not row.ok or total is None:
        return Added()
    known = session.scalars(select(Salt).filter_by(patient_id=patient, date=full_date(day))).one_or_none()
    if known is None:
        session.add(Salt(patient_id=patient, date=full_date(day), total=total, **regions))
        session.flush()
        return Added(new=1)
    return _complete_in(row, known, {"total": total, **regions})


def _percent(row: Row, column: str) -> float | None:
    number = row.optional_number(column)
    if number is not None and not 0 <= number <= 100:
        row.fault(column, "is not a percentage from 0 to 100", "Write the loss in percent of this region.")
        return None
    return number


def _salt_total(row: Row, regions: Mapping[str, float | None], total: float | None) -> float | None:
    """The total, given or as the weighted sum of the regions; None (noted) where they do not give one."""
    given = {region: value for region, value in regions.items() if value is not None}
    if not row.ok:
        return None
    if given and len(given) < len(SALT_WEIGHTS):
        missing = ", ".join(region for region in SALT_WEIGHTS if region not in given)
        row.fault("total", f"cannot be formed: {missing} missing", "Give all four regions, or the total alone.")
        return None
    if not given:
        if total is None:
            row.fault("total", "is missing, and so are the regions", "Give all four regions, or the total.")
        return total
    weighted = sum(weight * given[region] for region, weight in SALT_WEIGHTS.items())
    if total is not None and abs(total - weighted) > SALT_ROUNDING:
        row.fault("total", f"is not the weighted sum of the regions, {weighted:.1f}", "Mend one of them.")
        return None
    return weighted


def _complete_in(row: Row, known: object, facts: Mapping[str, object]) -> Added:
    added, differing = _complete(known, facts)
    for column in differing:
        row.fault(
            column,
            f"differs from the record, which has {getattr(known, column)!r}",
            "The record is not overwritten: mend the row.",
        )
    return added


def _complete(known: object, facts: Mapping[str, object]) -> tuple[Added, list[str]]:
    """Fills what is blank in a row of the record; (what was done, the facts that contradict it: then nothing was)."""
    blank = ("", None)
    told = {column: value for column, value in facts.items() if value not in blank}
    differing = [column for column, value in told.items() if getattr(known, column) not in (*blank, value)]
    if differing:
        return Added(), differing
    filled = {column: value for column, value in told.items() if getattr(known, column) in blank}
    for column, value in filled.items():
        setattr(known, column, value)
    return (Added(completed=1) if filled else Added(known=1)), []

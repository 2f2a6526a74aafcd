"""What was entered wrongly put right: the row changes, and what it was is kept with who changed it and why."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from trichotrack.geometry import Scale
from trichotrack.labels.cells import Row, parse_date, parse_number
from trichotrack.labels.spreadsheet import Table
from trichotrack.problems import InputError, Problem
from trichotrack.visits.add import PREPARATIONS
from trichotrack.visits.amendments import Amended, told
from trichotrack.visits.clinical import CLINRO, EVENTS, LABS
from trichotrack.visits.history import PATIENTS, SALT, SALT_WEIGHTS, TREATMENTS, patient_of
from trichotrack.visits.plan import kept_name
from trichotrack.visits.rows import TableKind, add_row, cell_text, day_in, patient_in, words
from trichotrack.visits.stored import CAPTURES, PHOTOS_KIND, VISITS

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from trichotrack.visits.schema import Base, Capture, Patient, Photo, Visit

KINDS: Mapping[str, TableKind] = {
    kind.name: kind for kind in (PATIENTS, TREATMENTS, SALT, CLINRO, LABS, EVENTS, VISITS, CAPTURES, PHOTOS_KIND)
}
"""Tables that can be amended. A reading is corrected by a review instead."""

_OF_CAPTURES = ("patient", "date", "site", "field", "n", "preparation", "device", "um_per_px")
_OF_PHOTOS = ("patient", "date", "view")
_FIXED = {"patients": ("patient", "synthetic")}
"""By table: columns that stay as they are, beside `added_at`."""


@dataclass(frozen=True)
class Done:
    """rows: what was amended. to_reread: captures that count in no figure until they are read anew."""

    rows: tuple[Amended, ...]
    to_reread: int = 0


def columns_of(table: str) -> tuple[str, ...]:
    """Columns of a table that can be amended. Raises InputError for another table."""
    if table not in KINDS:
        remedy = f"Tables are {', '.join(KINDS)}. A reading is corrected by a review."
        raise InputError(Problem("amend", "is not a table that can be amended", remedy, value=table))
    if table == CAPTURES.name:
        return _OF_CAPTURES
    if table == PHOTOS_KIND.name:
        return _OF_PHOTOS
    fixed = ("added_at", *_FIXED.get(table, ()))
    return tuple(column for column in KINDS[table].columns if column not in fixed)


def amend(
    session: Session,
    table: str,
    patient: str,
    where: Mapping[str, str],
    changes: Mapping[str, str] | None,
    *,
    author: str,
    reason: str,
) -> Done:
    """Sets cells of a patient's rows, or withdraws the rows; of each, what it was is kept.

    where: cells that the rows have, by column; one row must have them all, of captures at least one. changes: new
    cells by column, "" for unknown, held against the rules of the table; None: the rows are withdrawn, a capture or
    a photograph with its picture and readings. A total of SALT follows its regions. A capture of which the scale or
    the preparation changes counts in no figure until it is read anew. Raises InputError with every fault.
    """
    columns = columns_of(table)
    kind = KINDS[table]
    problems = [
        Problem(option, f"the table {table} has no column {name} to give", f"Columns are {', '.join(known)}.")
        for option, given, known in (("--where", where, tuple(kind.columns)), ("--set", changes or {}, columns))
        for name in given
        if name not in known
    ]
    who, why = " ".join(author.split()), " ".join(reason.split())
    problems += [
        Problem(option, "is missing", remedy)
        for option, text, remedy in (
            ("--author", who, "Give the name of the person who amends the record."),
            ("--reason", why, "Say why, such as 'typed 40 for 4'."),
        )
        if not text
    ]
    if problems:
        raise InputError(problems)
    chosen = _chosen(kind, patient_of(session, patient), where)
    done: list[tuple[TableKind, dict[str, str], dict[str, str] | None]] = []
    for row, was in chosen:
        if changes is None:
            done += [(of, cells, None) for of, cells in _withdraw(session, kind, row, was)]
        elif (became := _set(session, kind, row, was, changes)) != was:
            done.append((kind, was, became))
    to_reread = sum(row.to_reread for row, _ in chosen) if kind is CAPTURES and changes is not None else 0
    return Done(tuple(_keep(session, of, patient, was, now, who, why) for of, was, now in done), to_reread)


def _keep(
    session: Session, kind: TableKind, patient: str, was: Mapping[str, str], became: Mapping[str, str] | None,
    author: str, reason: str,
) -> Amended:  # fmt: skip
    from trichotrack.visits.schema import Amendment

    def plain(cells: Mapping[str, str]) -> dict[str, str]:
        return {column: cell for column, cell in cells.items() if cell}

    def as_json(cells: Mapping[str, str]) -> str:
        return json.dumps(plain(cells), ensure_ascii=False)

    kept = Amendment(
        patient_id=patient, table_name=kind.name, was=as_json(was), became="" if became is None else as_json(became),
        author=author, reason=reason,
    )  # fmt: skip
    session.add(kept)
    session.flush()
    return told(kind.name, plain(was), None if became is None else plain(became), author, reason, kept.added_at.date())


def _chosen(kind: TableKind, patient: Patient, where: Mapping[str, str]) -> list[tuple[Any, dict[str, str]]]:
    """The rows that have these cells, each with all of its cells. Raises InputError where there is none, or several."""
    rows = [(row, _cells(kind, row)) for row in _rows_of(kind, patient)]
    found = [(row, cells) for row, cells in rows if all(_same(kind, c, cells[c], told) for c, told in where.items())]
    asked = ", ".join(f"{column} {value}" for column, value in where.items())
    if not found:
        there = "; ".join(_shown(cells) for _, cells in rows[:_SHOWN]) + ("; …" if len(rows) > _SHOWN else "")
        message = f"{patient.id} has no row with {asked}" if asked else f"{patient.id} has no row there"
        remedy = f"The table has: {there}." if there else "The table has none of this patient."
        raise InputError(Problem(kind.name, message, remedy))
    if len(found) > 1 and kind is not CAPTURES:
        there = "; ".join(_shown(cells) for _, cells in found[:_SHOWN]) + ("; …" if len(found) > _SHOWN else "")
        message = f"{len(found)} rows of {patient.id} have {asked}" if asked else f"{patient.id} has {len(found)} rows"
        raise InputError(Problem(kind.name, message, f"Say which by --where: {there}."))
    return found


_SHOWN = 6


def _shown(cells: Mapping[str, str]) -> str:
    return told("", {column: cell for column, cell in cells.items() if cell}, None, "", "", dt.date.min).row or "one"


def _same(kind: TableKind, column: str, cell: str, asked: str) -> bool:
    if column in kind.numbers | kind.whole and cell:
        return parse_number(asked.strip()) == float(cell)
    if column == "site":
        return cell.casefold() == asked.strip().casefold()
    return asked.strip() == cell or (parse_date(asked.strip())[0] == cell != "")


def _rows_of(kind: TableKind, patient: Patient) -> Sequence[Base]:
    if kind is PATIENTS:
        return [patient]
    if kind is CAPTURES:
        return [capture for visit in patient.visits for capture in visit.captures]
    found: Mapping[str, Sequence[Base]] = {
        "treatments": patient.treatments, "salt": patient.salt, "clinro": patient.clinro, "labs": patient.labs,
        "events": patient.events, "visits": patient.visits, "photos": patient.photos,
    }  # fmt: skip
    return found[kind.name]


def _cells(kind: TableKind, row: Any) -> dict[str, str]:
    """A row of the record as the cells of its table."""
    aside: dict[str, Any] = {}
    if kind is CAPTURES:
        picture = row.picture
        aside = {"patient": row.visit.patient_id, "date": row.visit.date}
        aside |= {"width": picture.width, "height": picture.height}
    elif "patient" in kind.columns:
        aside = {"patient": row.id if kind is PATIENTS else row.patient_id}
    return {c: cell_text(aside[c] if c in aside else getattr(row, c)) for c in kind.columns}


def _set(
    session: Session, kind: TableKind, row: Any, was: Mapping[str, str], changes: Mapping[str, str]
) -> dict[str, str]:
    """The row with these cells, as the record has it then. Raises InputError with every fault."""
    cells = {**was, **{column: value.strip() for column, value in changes.items()}}
    if kind is SALT and not changes.keys().isdisjoint(SALT_WEIGHTS) and "total" not in changes:
        cells["total"] = ""
    if kind is PATIENTS:
        return _set_facts(session, row, cells, changes)
    if kind is CAPTURES:
        return _set_capture(session, row, was, cells)
    if kind is VISITS:
        return _set_visit(session, row, cells)
    if kind is PHOTOS_KIND:
        return _set_photo(session, row, cells)
    session.delete(row)
    session.flush()
    others = _ids(session, type(row))
    if not add_row(session, kind, cells).new:
        message = "has another row with these cells already"
        raise InputError(Problem(kind.name, message, "Withdraw one of the two with --withdraw.", value=_shown(cells)))
    session.expire_all()
    (new,) = _ids(session, type(row)) - others
    return _cells(kind, session.get_one(type(row), new))


def _ids(session: Session, model: Any) -> set[int]:
    from sqlalchemy import select

    return set(session.scalars(select(model.id)))


def _set_facts(session: Session, row: Patient, cells: Mapping[str, str], changes: Mapping[str, str]) -> dict[str, str]:
    for column in changes:
        setattr(row, column, None if column == "birth_year" else "")
    session.flush()
    add_row(session, PATIENTS, {**cells, "synthetic": ""})
    return _cells(PATIENTS, row)


def _set_visit(session: Session, row: Visit, cells: Mapping[str, str]) -> dict[str, str]:
    asked, problems = _row_of(VISITS, cells)
    patient, day = patient_in(session, asked), day_in(asked)
    _refuse(problems)
    if (patient, day) != (row.patient_id, row.date):
        there = _visit_at(session, patient, day)
        if there is None:
            row.patient_id, row.date = patient, day
            session.flush()
        else:
            for capture in list(row.captures):
                _move(session, capture, there)
            if not row.captures and row in session:
                session.delete(row)
    session.flush()
    session.expire_all()
    return {**cells, "patient": patient, "date": day.isoformat()}


def _set_capture(session: Session, row: Capture, was: Mapping[str, str], cells: Mapping[str, str]) -> dict[str, str]:
    from trichotrack.visits import schema

    asked, problems = _row_of(CAPTURES, cells)
    patient, day = patient_in(session, asked), day_in(asked)
    site, field, n, preparation, device = (
        words(asked, column, required=column == "site") for column in ("site", "field", "n", "preparation", "device")
    )
    if preparation != row.preparation and preparation not in PREPARATIONS:
        asked.fault("preparation", "is not a preparation", f"It is one of {', '.join(PREPARATIONS)}.")
    um_per_px = asked.positive_number("um_per_px")
    rescaled = um_per_px != _row_of(CAPTURES, was)[0].positive_number("um_per_px")
    if rescaled and um_per_px is not None:
        try:
            Scale(um_per_px, "option")
        except InputError as error:
            asked.fault("um_per_px", str(error).rstrip("."), "Mend it.")
    _refuse(problems)
    if rescaled:
        row.um_per_px, row.scale_source = um_per_px, (row.scale_source or "option") if um_per_px else ""
    row.to_reread = row.to_reread or rescaled or preparation != row.preparation
    row.preparation, row.device = preparation, device
    spot = (site if site == row.site else site.casefold(), field, n)
    there = _visit_at(session, patient, day)
    if spot != (row.site, row.field, row.n) or there is not row.visit:
        if there is None:
            there = schema.Visit(patient_id=patient, date=day)
            session.add(there)
            session.flush()
        _move(session, row, there, spot)
    session.flush()
    return _cells(CAPTURES, row)


def _set_photo(session: Session, row: Photo, cells: Mapping[str, str]) -> dict[str, str]:
    asked, problems = _row_of(PHOTOS_KIND, cells)
    patient, day, view = patient_in(session, asked), day_in(asked), words(asked, "view")
    _refuse(problems)
    row.patient_id, row.date, row.view = patient, day, view
    session.flush()
    return _cells(PHOTOS_KIND, row)


def _row_of(kind: TableKind, cells: Mapping[str, str]) -> tuple[Row, list[Problem]]:
    problems: list[Problem] = []
    table = Table(kind.name, tuple(kind.columns), (), "")
    return Row(table, 0, dict(cells), problems), problems


def _refuse(problems: Sequence[Problem]) -> None:
    """Raises InputError where there are any; what is typed has no row number."""
    if problems:
        raise InputError([dataclasses.replace(problem, row=None) for problem in problems])


def _visit_at(session: Session, patient: str, day: dt.date) -> Visit | None:
    from sqlalchemy import select

    from trichotrack.visits.schema import Visit

    return session.scalars(select(Visit).filter_by(patient_id=patient, date=day)).one_or_none()


def _move(session: Session, capture: Capture, visit: Visit, spot: tuple[str, str, str] | None = None) -> None:
    """To that visit and spot, which must be free; the visit that it leaves goes when it was its last capture."""
    site, field, n = spot or (capture.site, capture.field, capture.n)
    left = capture.visit
    for other in visit.captures:
        if other is not capture and (other.site, other.field, other.n) == (site, field, n):
            message = f"the visit of {visit.patient_id} on {visit.date} has another capture there, {other.file}"
            raise InputError(Problem(CAPTURES.name, message, "Give another n.", column="site", value=site))
    suffix = capture.file[capture.file.rfind(".") :] if "." in capture.file else ""
    capture.site, capture.field, capture.n = site, field, n
    capture.file = kept_name(site, field, n, suffix)
    capture.visit = visit
    session.flush()
    if left is not visit:
        session.expire(left, ["captures"])
        if not left.captures:
            session.delete(left)
            session.flush()


def _withdraw(
    session: Session, kind: TableKind, row: Any, was: dict[str, str]
) -> list[tuple[TableKind, dict[str, str]]]:
    """The rows that went, each with its table: a visit goes with its captures, and with its last capture."""
    gone = [(kind, was)]
    if kind is PATIENTS:
        kept = [name for name in KINDS if name not in (kind.name, CAPTURES.name) and _rows_of(KINDS[name], row)]
        if kept:
            message = f"has rows in {', '.join(kept)}"
            raise InputError(Problem("patients", message, "Withdraw or move those first.", value=was["patient"]))
    if kind is VISITS:
        gone = [*((CAPTURES, _cells(CAPTURES, capture)) for capture in row.captures), *gone]
        for capture in list(row.captures):
            session.delete(capture)
    visit = row.visit if kind is CAPTURES else None
    session.delete(row)
    session.flush()
    if visit is not None:
        session.expire(visit, ["captures"])
        if not visit.captures:
            gone.append((VISITS, _cells(VISITS, visit)))
            session.delete(visit)
            session.flush()
    return gone

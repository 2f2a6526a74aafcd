"""What was amended in the record: each row as it was and as it became, by whom and why."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from trichotrack.labels.cells import Row
from trichotrack.visits.rows import Added, TableKind, columns_of, moment, pseudonym_in, put, words

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy.orm import Session


@dataclass(frozen=True)
class Amended:
    """One row put right. row: what tells it from others ("date 2026-03-04"). changes: (column, was, is) of those that
    changed; empty where the row was withdrawn. day: when (UTC).
    """

    table: str
    row: str
    changes: tuple[tuple[str, str, str], ...]
    author: str
    reason: str
    day: date

    @property
    def sentence(self) -> str:
        """As printed: "salt, date 2026-03-04: top 40 → 4"."""
        changed = "; ".join(f"{column} {was or 'blank'} → {now or 'blank'}" for column, was, now in self.changes)
        return f"{self.table}, {self.row}: {changed or 'withdrawn'}" if self.row else f"{self.table}: {changed}"


_TELLING = ("date", "drug", "dose", "start", "name", "kind", "site", "field", "n", "view")
"""Columns that tell one row of a patient from another, in the order in which they are said."""

_FOLLOWING = ("file", "to_reread")
"""Columns that follow from others: not said to have changed."""


def amended(session: Session, patient: str) -> tuple[Amended, ...]:
    """Every amendment of a patient's rows, the first one first."""
    from sqlalchemy import select

    from trichotrack.visits.schema import Amendment

    mine = select(Amendment).where(Amendment.patient_id == patient)
    rows = session.scalars(mine.order_by(Amendment.added_at, Amendment.id))
    return tuple(
        told(row.table_name, json.loads(row.was), json.loads(row.became) if row.became else None, row.author,
             row.reason, row.added_at.date())
        for row in rows
    )  # fmt: skip


def told(
    table: str, was: Mapping[str, str], became: Mapping[str, str] | None, author: str, reason: str, day: date
) -> Amended:
    """was, became: cells by column, blank ones left out; became None: the row was withdrawn.

    No other patient is named: this is told of the one whose row it was.
    """
    row = ", ".join(f"{column} {was[column]}" for column in _TELLING if was.get(column))
    columns = [column for column in dict.fromkeys((*was, *(became or {}))) if column not in _FOLLOWING]
    changes = [(column, was.get(column, ""), became.get(column, "")) for column in columns] if became else []
    changes = [
        ("patient", "this one", "another") if one[0] == "patient" and one[1] != one[2] else one for one in changes
    ]
    return Amended(table, row, tuple(change for change in changes if change[1] != change[2]), author, reason, day)


def _amendment(session: Session, row: Row) -> Added:
    from trichotrack.visits.schema import Amendment

    patient = pseudonym_in(row)
    key: dict[str, object] = {"patient_id": patient, "was": _cells(row, "was", required=True)}
    key |= {"became": _cells(row, "became"), "added_at": moment(row, "added_at")}
    key |= {column: words(row, column, required=True) for column in ("table_name", "author", "reason")}
    return put(session, row, Amendment, key, {}) if row.text("added_at", required=True) else Added()


def _cells(row: Row, column: str, *, required: bool = False) -> str:
    """A cell that holds another row's cells as JSON; "" where blank, or (noted) where it does not."""
    text = row.text(column, required=required)
    try:
        cells = json.loads(text) if text else {}
    except ValueError:
        cells = None
    if not (isinstance(cells, dict) and all(isinstance(value, str) for value in cells.values())):
        row.fault(column, "is not a row's cells as JSON", "Take the table as it was exported.")
        return ""
    return text


AMENDMENTS = TableKind(
    "amendments",
    columns_of(
        ("patient",),
        table_name="the table of the row",
        was="its cells before, as JSON; blank ones are left out",
        became="its cells after, likewise; empty where it was withdrawn",
        author="who amended it",
        reason="why",
    )
    | {"added_at": "when it was amended (UTC)"},
    ("patient", "table_name", "was", "author", "reason", "added_at"),
    _amendment,
)

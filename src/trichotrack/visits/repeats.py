"""Relocated repeats, from the record or a table: captures of one field on one visit, the probe lifted in between."""

from __future__ import annotations

import fnmatch
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from trichotrack.labels.cells import rows_of
from trichotrack.labels.spreadsheet import read_table
from trichotrack.problems import InputError, Problem
from trichotrack.stats.repeatability import Repeats
from trichotrack.visits.readings import counted_reading
from trichotrack.visits.series import ACTIVE_LOAD, count_in

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from trichotrack.visits.schema import Capture

COLUMNS = ("patient", "visit", "site", "field", "repeat", "count", "area_cm2")
"""Of a table of repeats: one row a capture. repeat: any label."""


def repeats_in_record(session: Session, relocated: str, name: str = ACTIVE_LOAD) -> tuple[Repeats, ...]:
    """Groups of relocated repeats of one outcome, over all patients; made-up ones only where there are no others.

    relocated: which captures are: a pattern on the label of the repeat ({n} of the file name), such as "r*" or "*"
    where every repeat was. Captures without scale, or where the outcome was refused, are passed over.
    Raises InputError where nothing in the record fits.
    """
    from sqlalchemy import select
    from sqlalchemy.orm import joinedload, selectinload

    from trichotrack.visits import schema

    rows = session.scalars(
        select(schema.Capture).options(
            joinedload(schema.Capture.visit).joinedload(schema.Visit.patient),
            selectinload(schema.Capture.readings).selectinload(schema.StoredReading.reviews),
        )
    )
    groups: dict[tuple[str, int, str, str], list[tuple[float, float]]] = {}
    synthetic = set()
    for capture in rows:
        if fnmatch.fnmatchcase(capture.n, relocated) and (found := _counted(capture, name)):
            key = (capture.visit.patient_id, capture.visit_id, capture.site, capture.field)
            groups.setdefault(key, []).append(found)
            if capture.visit.patient.synthetic:
                synthetic.add(key)
    kept = {key: values for key, values in groups.items() if len(values) > 1}
    made_up = {key for key in kept if key in synthetic}
    if len(made_up) < len(kept):
        kept = {key: values for key, values in kept.items() if key not in made_up}
    if not kept:
        message = f"no field has two captures on one visit whose repeat fits {relocated!r}, with scale and this outcome"
        remedy = "Name relocated repeats so ('vertex_1_r1' with '{site}_{field}_{n}'), or give a table with --table."
        raise InputError(Problem("record", message, remedy))
    return tuple(
        Repeats(patient, tuple(k for k, _ in values), tuple(a for _, a in values))
        for (patient, *_), values in sorted(kept.items())
    )


def _counted(capture: Capture, name: str) -> tuple[float, float] | None:
    reading = counted_reading(capture)
    count, _ = count_in(reading, name)
    return (float(count), reading.area_cm2) if count is not None and reading.area_cm2 else None


def repeats_in_table(path: Path) -> tuple[Repeats, ...]:
    """Groups of relocated repeats of a table (CSV or .xlsx) with COLUMNS; site, field and visit may be blank.

    Raises InputError with every fault.
    """
    problems: list[Problem] = []
    table = read_table(path, COLUMNS, ("patient", "count", "area_cm2"), problems)
    if table is None or problems:
        raise InputError(problems)
    groups: dict[Sequence[str], list[tuple[float, float]]] = {}
    for row in rows_of(table, problems):
        patient = row.text("patient", required=True)
        count, area = row.number_at("count"), row.number_at("area_cm2")
        if count < 0:
            row.fault("count", "is below zero", "Write how many were counted.")
        if area <= 0:
            row.fault("area_cm2", "is not above zero", "Write the area of the capture in cm².")
        if row.ok:
            key = (patient, *(row.text(column) for column in ("visit", "site", "field")))
            groups.setdefault(key, []).append((count, area))
    if problems:
        raise InputError(problems)
    return tuple(
        Repeats(key[0], tuple(k for k, _ in values), tuple(a for _, a in values)) for key, values in groups.items()
    )

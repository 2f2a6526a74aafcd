"""Counts over visits from a folder: counts.csv, beside patients.csv with each patient's arm and start."""

from __future__ import annotations

from pathlib import Path

from trichotrack.cohort.counts import VisitCount
from trichotrack.cohort.tables import full_day, month_of
from trichotrack.labels.cells import rows_of
from trichotrack.labels.read import condensed
from trichotrack.labels.spreadsheet import find_table, read_table
from trichotrack.problems import InputError, Problem

COLUMNS = ("patient", "month", "date", "outcome", "count", "area_cm2")


def read_counts(folder: Path, outcome: str) -> list[VisitCount]:
    """Rows of one outcome; fields and sites of one visit added up. A blank count is not known, and never 0.

    Raises InputError with every fault.
    """
    problems: list[Problem] = []
    if not folder.is_dir():
        raise InputError(Problem(str(folder), "is not a folder", "Name the folder with patients.csv and counts.csv."))
    people_path = find_table(folder, "patients", problems, required=True)
    people = read_table(people_path, ("patient", "arm", "start"), ("patient",), problems) if people_path else None
    known = {row.cells.get("patient", ""): row.cells for row in (rows_of(people, []) if people else [])}
    path = find_table(folder, "counts", problems, required=True)
    table = read_table(path, COLUMNS, ("patient", "outcome", "count", "area_cm2"), problems) if path else None
    sums: dict[tuple[str, float], tuple[float, float]] = {}
    outcomes: set[str] = set()
    for row in rows_of(table, problems) if table else []:
        name = row.text("patient", required=True)
        if people and name and name not in known:
            row.fault("patient", "is not in the table of patients", "Add the patient there, or mend the name.")
        here = row.text("outcome", required=True)
        month = month_of(row, full_day(known.get(name, {}).get("start", "")))
        count, area = row.optional_number("count"), row.positive_number("area_cm2")
        if count is not None and count < 0:
            row.fault("count", "is below zero", "Write a count, or leave it empty where nobody could count.")
        if area is None and count is not None and row.ok:
            row.fault("area_cm2", "is missing", "Write the scalp area that was counted, in cm².")
        outcomes.add(here)
        if row.ok and month is not None and count is not None and area is not None and here == outcome:
            total, exposure = sums.get((name, month), (0.0, 0.0))
            sums[name, month] = (total + count, exposure + area)
    if table and not problems and outcome not in outcomes:
        listed = ", ".join(sorted(outcomes)) or "none"
        problems.append(Problem(table.name, f"has no outcome {outcome}", f"It has {listed}.", column="outcome"))
    if problems:
        raise InputError(condensed(problems))
    return [
        VisitCount(name, known[name].get("arm", ""), month, count, area)
        for (name, month), (count, area) in sums.items()
    ]

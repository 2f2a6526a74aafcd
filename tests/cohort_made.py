"""Small made-up cohorts for tests: folders of tables, and patients as values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from trichotrack.cohort.people import AdverseEvent, Cohort, CohortPatient, Kind, SaltAt

Rows = Sequence[Sequence[object]]

SOUND: dict[str, Rows] = {
    "patients": [
        ["patient", "aa_type", "sex", "age", "duration_years", "atopic", "ferritin", "centre"],
        ["007", "patchy", "female", 31, 2.5, 1, 40.5, "north"],
        ["8", "totalis", "male", 44, 12, 0, "", "south"],
        ["9", "ophiasis", "", "", "", "", 22, "north"],
    ],
    "salt": [
        ["patient", "month", "salt"],
        ["007", 0, 60],
        ["007", 3, 40],
        ["007", 9, 12.5],
        ["8", -1, 100],
        ["8", 8.5, 100],
        ["9", 0, 55],
    ],
    "events": [["patient", "kind", "grade"], ["8", "acne", 1], ["8", "acne", 2], ["9", "herpes zoster", ""]],
}


def write_tables(
    folder: Path, tables: Mapping[str, Rows], *, separator: str = ",", decimal: str = ".", bom: bool = False
) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for stem, rows in tables.items():
        lines = [
            separator.join(str(cell).replace(".", decimal) if isinstance(cell, float) else str(cell) for cell in row)
            for row in rows
        ]
        text = "\r\n".join(lines) + "\r\n"
        (folder / f"{stem}.csv").write_bytes(text.encode("utf-8-sig" if bom else "utf-8"))
    return folder


def person(name: str, salt: Mapping[float, float], **facts: float | str) -> CohortPatient:
    return CohortPatient(name, facts, tuple(SaltAt(month, total) for month, total in sorted(salt.items())))


def cohort(*people: CohortPatient, events: Sequence[AdverseEvent] | None = None) -> Cohort:
    kinds: dict[str, Kind] = {}
    for one in people:
        for column, fact in one.facts.items():
            kinds.setdefault(column, "group" if isinstance(fact, str) else "number")
    return Cohort("made", people, kinds, None if events is None else tuple(events))

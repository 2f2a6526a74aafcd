"""The record as tidy tables with a codebook: one row per capture and sign; what was refused is NA, never 0."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from trichotrack.cohort.write import write_table
from trichotrack.visits.readings import MODEL, counted_reading, current_reading, reviewed_by

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from trichotrack.visits.schema import Capture, Patient, Visit

NA = "NA"

CODEBOOK: dict[str, tuple[tuple[str, str, str], ...]] = {
    "counts": (
        ("patient", "pseudonym", "text"),
        ("date", "day of the visit", "year-month-day"),
        ("site", "scalp site", "text"),
        ("field", "spot within the site; captures of one field are repeats, to be averaged", "text"),
        ("n", "repeat within the field", "text"),
        ("capture", "SHA-256 of the picture's bytes: the same capture in every row that has it", "text"),
        ("preparation", "of the scalp", "none, unclipped, clipped, shaved, dye, fibres, tattoo"),
        ("device", "as typed", "text"),
        ("sign", "as in the vocabulary of signs", "text"),
        ("status", "counted, or refused for the reason", "counted, refused"),
        ("reason", "why it was refused; blank where counted", "text"),
        ("count", "marks of the sign in the capture; NA where refused, which is not 0", "marks or NA"),
        ("area_cm2", "scalp that was counted; NA without a scale", "cm² or NA"),
        ("density_per_cm2", "count / area_cm2; NA where either is", "per cm² or NA"),
        ("um_per_px", "scale; NA where none is known", "µm per pixel or NA"),
        ("scale_source", "where the scale came from", "option, field-width, table, dicom, device-profile, calibration"),
        ("model", "name of the model whose reading it is, or was before a person corrected it; NA: by a person alone",
         "text or NA"),
        ("model_sha256", "its file", "text or NA"),
        ("vellus_cutoff_um", "calibre below which a hair is vellus in this reading", "µm"),
        ("author", "who made the reading: model, or a person's name", "text"),
        ("reviewer", "person who made or accepted the reading; NA: nobody reviewed it", "text or NA"),
        ("synthetic", "1: made by a program, no person", "0, 1"),
    ),
    "patients": (
        ("patient", "pseudonym", "text"),
        ("aa_type", "type of alopecia areata", "patchy, multiplex, ophiasis, totalis, universalis or blank"),
        ("sex", "", "female, male, other or blank"),
        ("birth_year", "", "year or blank"),
        ("onset", "partial date as typed", "year, year-month or day"),
        ("synthetic", "1: made by a program, no person", "0, 1"),
    ),
    "salt": (
        ("patient", "pseudonym", "text"),
        ("date", "day of the assessment", "year-month-day"),
        ("salt", "Severity of Alopecia Tool; terminal hair only", "0 to 100"),
        ("top", "loss on top; blank where only the total is known", "0 to 100 % or blank"),
        ("back", "loss at the back", "0 to 100 % or blank"),
        ("left", "loss on the left", "0 to 100 % or blank"),
        ("right", "loss on the right", "0 to 100 % or blank"),
    ),
    "treatments": (
        ("patient", "pseudonym", "text"),
        ("drug", "as typed", "text"),
        ("dose", "as typed", "text"),
        ("unit", "as typed", "text"),
        ("route", "as typed", "text"),
        ("start", "partial date as typed", "year, year-month or day, or blank"),
        ("end", "partial date as typed; blank: unknown or going on", "year, year-month or day, or blank"),
        ("stop_reason", "as typed", "text"),
        ("response", "as typed", "text"),
    ),
}  # fmt: skip
"""By table: column, meaning, unit or values."""


def export_record(session: Session, folder: Path) -> dict[str, int]:
    """Writes counts, patients, salt, treatments and codebook (.csv) into folder; rows by table.

    Of each capture the reading that counts: the newest by a person, else the newest by a model.
    """
    from sqlalchemy import select

    from trichotrack.visits.schema import Patient

    people = list(session.scalars(select(Patient).order_by(Patient.id)))
    rows: dict[str, list[list[object]]] = {
        "counts": [row for patient in people for visit in patient.visits for row in _visit(patient, visit)],
        "patients": [[p.id, p.aa_type, p.sex, p.birth_year, p.onset, p.synthetic] for p in people],
        "salt": [[p.id, s.date.isoformat(), s.total, s.top, s.back, s.left, s.right] for p in people for s in p.salt],
        "treatments": [
            [p.id, t.drug, t.dose, t.unit, t.route, t.start, t.end, t.stop_reason, t.response]
            for p in people
            for t in p.treatments
        ],
    }
    folder.mkdir(parents=True, exist_ok=True)
    for table, columns in CODEBOOK.items():
        write_table(folder / f"{table}.csv", [column for column, _, _ in columns], rows[table])
    code = [[table, *column] for table, columns in CODEBOOK.items() for column in columns]
    write_table(folder / "codebook.csv", ("table", "column", "meaning", "unit_or_values"), code)
    return {table: len(found) for table, found in rows.items()}


def _visit(patient: Patient, visit: Visit) -> Iterator[list[object]]:
    for capture in visit.captures:
        yield from _capture(patient, visit, capture)


def _capture(patient: Patient, visit: Visit, capture: Capture) -> Iterator[list[object]]:
    current = current_reading(capture)
    reading = counted_reading(capture)
    scale, model = reading.scale, reading.model
    area = reading.area_cm2
    for name, sign in reading.signs.items():
        counted = sign.status == "counted" and sign.count is not None
        density = sign.count / area if counted and sign.count is not None and area else NA
        yield [
            patient.id, visit.date.isoformat(), capture.site, capture.field, capture.n, capture.sha256,
            capture.preparation, capture.device, name, sign.status, sign.reason or "",
            sign.count if counted else NA, area or NA, density,
            scale.um_per_px if scale else NA, scale.source if scale else NA,
            model.name if model else NA, model.sha256 if model else NA, current.vellus_cutoff_um,
            MODEL if current.author == MODEL else current.author, reviewed_by(current) or NA, patient.synthetic,
        ]  # fmt: skip

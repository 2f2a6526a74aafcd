"""Lists of the record, and a patient's signs by visit as a table of text or JSON."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from trichotrack.visits.readings import current_reading, reviewed_by
from trichotrack.visits.series import SeriesPoint
from trichotrack.visits.story import PatientStory

if TYPE_CHECKING:
    from sqlalchemy.orm import Session


def patients(session: Session) -> list[dict[str, Any]]:
    """Every patient with the number of visits, the last of them, and what is known."""
    from sqlalchemy import func, select

    from trichotrack.visits.schema import Patient, Visit

    rows = session.execute(
        select(Patient, func.count(Visit.id), func.max(Visit.date))
        .outerjoin(Visit)
        .group_by(Patient.id)
        .order_by(Patient.id)
    )
    return [
        {
            "patient": patient.id, "synthetic": patient.synthetic, "aa_type": patient.aa_type, "sex": patient.sex,
            "birth_year": patient.birth_year, "onset": patient.onset, "visits": number,
            "last_visit": last.isoformat() if last else None,
        }
        for patient, number, last in rows
    ]  # fmt: skip


def visits(session: Session, patient: str = "") -> list[dict[str, Any]]:
    """Every visit, of one patient or of all, with its sites, captures, and how many of these are reviewed."""
    from sqlalchemy import select
    from sqlalchemy.orm import selectinload

    from trichotrack.visits.history import patient_of
    from trichotrack.visits.schema import Capture, StoredReading, Visit

    query = select(Visit).order_by(Visit.patient_id, Visit.date)
    if patient:
        query = query.where(Visit.patient_id == patient_of(session, patient).id)
    loaded = selectinload(Visit.captures).selectinload(Capture.readings).selectinload(StoredReading.reviews)
    return [
        {
            "patient": visit.patient_id,
            "date": visit.date.isoformat(),
            "sites": sorted({capture.site for capture in visit.captures}),
            "captures": len(visit.captures),
            "reviewed": sum(bool(reviewed_by(current_reading(capture))) for capture in visit.captures),
        }
        for visit in session.scalars(query.options(loaded))
    ]


def sign_table(story: PatientStory) -> list[list[str]]:
    """Rows of text: a header, then each outcome by visit: density, its interval, and the verdict against baseline."""
    verdicts = {(v.name, v.visit_id): v.outcome for v in story.verdicts if v.against == "baseline"}
    rows = [["per cm²", *(visit.date.isoformat() for visit in story.visits)]]
    for series in story.series:
        points = {point.visit_id: point for point in series.pooled}
        cells = [
            "\n".join(
                part for part in (_point_text(points.get(visit.id)), verdicts.get((series.name, visit.id))) if part
            )
            for visit in story.visits
        ]
        rows.append([series.label, *cells])
    return rows


def _point_text(point: SeriesPoint | None) -> str:
    if point is None:
        return "not counted"
    if point.density_per_cm2 is None or point.low is None or point.high is None:
        return f"{point.count:.3g} (no scale)"
    return f"{point.density_per_cm2:.1f}\n{point.low:.1f}–{point.high:.1f}"


def story_json(story: PatientStory) -> dict[str, Any]:
    """The story without pictures and marks, for machines. A bound that is open is null."""
    return {
        "patient": asdict(story.patient),
        "headline": story.headline,
        "visits": [
            {"date": visit.date.isoformat(), "captures": len(visit.captures),
             "reviewed": sum(capture.reviewed for capture in visit.captures)}
            for visit in story.visits
        ],
        "series": [
            {
                "name": series.name, "label": series.label, "primary": series.primary,
                "pooled_sites": list(series.pooled_sites), "pooled": _points(series.pooled),
                "sites": {site: _points(points) for site, points in series.sites.items()},
            }
            for series in story.series
        ],
        "verdicts": [_plain(asdict(verdict)) for verdict in story.verdicts],
        "treatments": [_plain(asdict(treatment)) for treatment in story.treatments],
        "salt": [_plain(asdict(point)) for point in story.salt],
        "notices": list(story.notices),
        "assumptions": list(story.assumptions),
        "models": list(story.models),
    }  # fmt: skip


def _points(points: Sequence[SeriesPoint]) -> list[dict[str, Any]]:
    return [_plain(asdict(point)) for point in points]


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    return {key: _value(value) for key, value in values.items() if key not in {"visit_id", "reference_visit_id", "id"}}


def _value(value: Any) -> Any:
    import datetime as dt

    if isinstance(value, dict):
        return _plain(value)
    if isinstance(value, (list, tuple)):
        return [_value(each) for each in value]
    if isinstance(value, dt.date):
        return value.isoformat()
    return None if isinstance(value, float) and not math.isfinite(value) else value

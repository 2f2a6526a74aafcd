"""Lists of the record, and a patient's signs by visit as a table of text or JSON."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from trichotrack.visits.readings import counted_reading
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


def visits(session: Session, patient: str = "", *, last: int | None = None) -> list[dict[str, Any]]:
    """Visits, of one patient or of all, with their sites, captures, and how many of these are reviewed.

    last: only so many, the newest. In the order of patient and date.
    """
    from sqlalchemy import case, func, select

    from trichotrack.visits.history import patient_of
    from trichotrack.visits.schema import Capture, Visit

    chosen = select(Visit.id, Visit.patient_id, Visit.date)
    if patient:
        chosen = chosen.where(Visit.patient_id == patient_of(session, patient).id)
    if last is not None:
        chosen = chosen.order_by(Visit.date.desc(), Visit.id.desc()).limit(last)
    visit = chosen.subquery()
    reviewed = func.coalesce(func.sum(case((Capture.reviewed, 1), else_=0)), 0)
    rows = session.execute(
        select(visit.c.id, visit.c.patient_id, visit.c.date, func.count(Capture.id), reviewed)
        .outerjoin(Capture, Capture.visit_id == visit.c.id)
        .group_by(visit.c.id, visit.c.patient_id, visit.c.date)
    ).all()
    sites: dict[int, list[str]] = {}
    of_visit = select(Capture.visit_id, Capture.site).join(visit, Capture.visit_id == visit.c.id).distinct()
    for visit_id, site in session.execute(of_visit):
        sites.setdefault(visit_id, []).append(site)
    return [
        {"patient": name, "date": day.isoformat(), "sites": sorted(sites.get(visit_id, ())), "captures": captures,
         "reviewed": seen}
        for visit_id, name, day, captures, seen in sorted(rows, key=lambda row: (row[1], row[2]))
    ]  # fmt: skip


SHOWN_VISITS = 100


def needs_review(session: Session, patient: str = "", *, shown: int = SHOWN_VISITS) -> dict[str, Any]:
    """What awaits review: unreviewed captures in all, and the first visits that have them, by date."""
    from sqlalchemy import func, not_, select

    from trichotrack.visits.history import patient_of
    from trichotrack.visits.schema import Capture, Visit

    open_ones = select(Capture.visit_id, func.count().label("unreviewed")).where(not_(Capture.reviewed))
    if patient:
        mine = select(Visit.id).where(Visit.patient_id == patient_of(session, patient).id)
        open_ones = open_ones.where(Capture.visit_id.in_(mine))
    by_visit = open_ones.group_by(Capture.visit_id).subquery()
    whole = session.scalar(select(func.coalesce(func.sum(by_visit.c.unreviewed), 0)))
    captures = select(func.count()).where(Capture.visit_id == Visit.id).scalar_subquery()
    rows = session.execute(
        select(Visit.patient_id, Visit.date, by_visit.c.unreviewed, captures)
        .join(by_visit, by_visit.c.visit_id == Visit.id)
        .order_by(Visit.date, Visit.patient_id)
        .limit(shown)
    )
    keys = ("patient", "date", "unreviewed", "captures")
    told = [dict(zip(keys, (name, day.isoformat(), *counts), strict=True)) for name, day, *counts in rows]
    return {"unreviewed": int(whole or 0), "visits": told}


def clinical_tables(session: Session, patient: str) -> dict[str, list[dict[str, str]]]:
    """What is known of a patient beside the captures, by table, as the cells of an export."""
    from trichotrack.visits.history import patient_of
    from trichotrack.visits.transfer import CLINICAL, rows_of_record

    found = patient_of(session, patient)
    return {
        kind.name: [
            {column: cell for column, cell in zip(kind.columns, row, strict=True) if column != "added_at"}
            for row in rows_of_record(session, kind, found.id)
        ]
        for kind in CLINICAL
    }


def sign_counts(session: Session, patient: str) -> list[dict[str, Any]]:
    """Marks of each sign in a patient's current readings, by visit: summed over the captures where it was counted."""
    from sqlalchemy import select
    from sqlalchemy.orm import selectinload

    from trichotrack.visits.history import patient_of
    from trichotrack.visits.schema import Capture, Visit

    mine = select(Visit).where(Visit.patient_id == patient_of(session, patient).id).order_by(Visit.date)
    rows = []
    for visit in session.scalars(mine.options(selectinload(Visit.captures).selectinload(Capture.readings))):
        signs: dict[str, list[int]] = {}
        for capture in visit.captures:
            for name, sign in counted_reading(capture).signs.items():
                if sign.count is not None:
                    signs.setdefault(name, []).append(sign.count)
        rows += [
            {"date": visit.date.isoformat(), "sign": name, "count": sum(counts), "captures": len(counts)}
            for name, counts in signs.items()
        ]
    return rows


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

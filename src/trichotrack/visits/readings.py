"""Readings of a capture in the record: which one counts, and who stands for it."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from trichotrack.geometry import Scale
from trichotrack.problems import InputError, Problem
from trichotrack.runtime.reading import Reading, SignReading
from trichotrack.visits.dates import full_date
from trichotrack.visits.history import patient_of

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from trichotrack.visits.schema import Capture, StoredReading

MODEL = "model"
"""Author of readings that no person made."""

KEPT_PICTURE = "read from the smaller picture that the record keeps, not from the original"
"""Warning of a reading: such a one is not compared with one of an original, unless people reviewed both."""


def current_reading(capture: Capture) -> StoredReading:
    """The reading that counts: the newest by a person, else the newest by a model. Every capture has one."""
    return max(capture.readings, key=lambda reading: (reading.author != MODEL, reading.added_at, reading.id))


TO_REREAD = "its scale or preparation was amended since it was read; `trichotrack reread` reads it anew"
"""Why nothing is counted in a capture after such an amendment."""


def counted_reading(capture: Capture) -> Reading:
    """The reading that counts, as figures take it: every sign is refused where the capture is to be read anew."""
    reading = Reading.from_json(current_reading(capture).reading)
    if not capture.to_reread:
        return reading
    scale = amended_scale(capture, reading)
    share = 1.0 if reading.scalp_share is None else reading.scalp_share
    return dataclasses.replace(
        reading, scale=scale, area_cm2=scale.area_cm2(reading.width, reading.height) * share if scale else None,
        signs=dict.fromkeys(reading.signs, SignReading("refused", TO_REREAD)), objects=(),
    )  # fmt: skip


def amended_scale(capture: Capture, reading: Reading) -> Scale | None:
    """The scale of a capture: that of its reading, until the record's is amended."""
    if not capture.to_reread:
        return reading.scale
    return Scale(capture.um_per_px, capture.scale_source or "option") if capture.um_per_px else None  # type: ignore[arg-type]


def reviewed_by(reading: StoredReading) -> str:
    """Who made the reading, or accepted it (the last to do so); "" where only a model stands for it.

    `schema.keep_reviewed` is the same rule in SQL.
    """
    if reading.author != MODEL and not reading.awaits_review:
        return reading.author
    return reading.reviews[-1].author if reading.reviews else ""


def accept_readings(session: Session, patient: str, author: str, date: str = "") -> int:
    """Marks a patient's current readings (of all visits, or one) as reviewed by author; how many were not yet."""
    from trichotrack.visits.schema import Review

    author = author.strip()
    if not author or author == MODEL:
        raise InputError(Problem("review", "has no author", "Give the name of the person who looked at them."))
    found = patient_of(session, patient)
    visits = [visit for visit in found.visits if not date or visit.date == full_date(date)]
    if not visits:
        message = f"{patient} has no visit" + (f" on {date}" if date else "")
        raise InputError(Problem("record", message, "Add it with `trichotrack visit add`."))
    current = [current_reading(capture) for visit in visits for capture in visit.captures]
    pending = [reading for reading in current if not reviewed_by(reading)]
    session.add_all(Review(reading_id=reading.id, author=author) for reading in pending)
    session.flush()
    return len(pending)

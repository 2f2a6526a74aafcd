"""Captures into the record: read one by one, then written all at once."""

from __future__ import annotations

import dataclasses
import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, get_args

import numpy as np
from PIL import Image

from trichotrack.capture import Capture, read_capture
from trichotrack.geometry import Scale, resample
from trichotrack.labels.tables import Preparation
from trichotrack.problems import InputError, Problem
from trichotrack.runtime.reading import Reading
from trichotrack.signs import VELLUS_CUTOFF_UM
from trichotrack.visits.plan import PlannedCapture, VisitPlan
from trichotrack.visits.record import open_record

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

PICTURE_SIDE_PX = 1280
"""Longest side of the picture kept for people; about 150 kB each."""

PREPARATIONS: tuple[str, ...] = get_args(Preparation)


class Reader(Protocol):
    """What reads a capture: `runtime.counter.Counter`, or anything like it."""

    def read(self, capture: Capture, /, *, scale: Scale | None, preparation: str) -> Reading: ...


@dataclass(frozen=True)
class VisitAdded:
    """added: new captures with their readings. known: there already. problems: files that could not be read."""

    added: int
    known: int
    problems: tuple[Problem, ...]
    readings: tuple[Reading, ...]


@dataclass(frozen=True)
class _Read:
    planned: PlannedCapture
    reading: Reading
    jpeg: bytes
    size_px: tuple[int, int]


def add_visit(
    record: str | Path,
    plan: VisitPlan,
    counter: Reader,
    *,
    um_per_px: float | None = None,
    field_width_mm: float | None = None,
    preparation: str = "none",
    device: str = "",
    vellus_cutoff_um: float = VELLUS_CUTOFF_UM,
    progress: Callable[[PlannedCapture], None] | None = None,
) -> VisitAdded:
    """Reads the plan's captures and writes them to the record in one transaction, begun after the last was read.

    A capture that cannot be read becomes a problem and the others go on; where none can, nothing is written. The
    patient is begun if not yet there. um_per_px or field_width_mm (of the whole image): neither for a model without
    scale. device: its name and zoom step. progress: called before each capture.
    Raises InputError for wrong options, and where the record cannot be written.
    """
    if preparation not in PREPARATIONS:
        remedy = f"It is one of {', '.join(PREPARATIONS)}."
        raise InputError(Problem("visit", "is not a preparation", remedy, value=preparation))
    if um_per_px is not None and field_width_mm is not None:
        raise InputError(Problem("visit", "the scale is given twice", "Give um_per_px or the width of the field."))
    read: list[_Read] = []
    problems: list[Problem] = []
    for planned in plan.captures:
        if progress:
            progress(planned)
        try:
            read.append(_read(planned, counter, um_per_px, field_width_mm, preparation))
        except InputError as error:
            problems += [dataclasses.replace(problem, place=planned.file) for problem in error.problems]
    if read:
        with open_record(record, create=True) as session:
            _store(session, plan, read, preparation=preparation, device=device.strip(), cutoff_um=vellus_cutoff_um)
    return VisitAdded(len(read), len(plan.known), tuple(problems), tuple(each.reading for each in read))


def _read(
    planned: PlannedCapture, counter: Reader, um_per_px: float | None, field_width_mm: float | None, preparation: str
) -> _Read:
    capture = read_capture(planned.path)
    if capture.sha256 != planned.sha256:
        raise InputError(Problem(planned.file, "changed while it was read", "Run the command again."))
    scale = None
    if um_per_px is not None:
        scale = Scale(um_per_px, "option")
    elif field_width_mm is not None:
        scale = Scale.from_field_width(field_width_mm, capture.width)
    reading = counter.read(capture, scale=scale, preparation=preparation)
    jpeg, size_px = kept_picture(capture)
    return _Read(planned, dataclasses.replace(reading, file=planned.kept_name), jpeg, size_px)


def kept_picture(capture: Capture) -> tuple[bytes, tuple[int, int]]:
    """What the record keeps of a picture: (JPEG without EXIF, (width, height)), upright, PICTURE_SIDE_PX at most."""
    factor = min(1.0, PICTURE_SIDE_PX / max(capture.width, capture.height))
    size_px = max(1, round(capture.width * factor)), max(1, round(capture.height * factor))
    shown = resample(np.ascontiguousarray(capture.pixels), size_px)
    stream = io.BytesIO()
    Image.fromarray(shown).save(stream, "JPEG", quality=82)
    return stream.getvalue(), size_px


def _store(
    session: Session, plan: VisitPlan, read: list[_Read], *, preparation: str, device: str, cutoff_um: float
) -> None:
    from sqlalchemy import select

    from trichotrack.visits import schema

    if session.get(schema.Patient, plan.patient) is None:
        session.add(schema.Patient(id=plan.patient))
        session.flush()
    found = select(schema.Visit).filter_by(patient_id=plan.patient, date=plan.date)
    visit = session.scalars(found).one_or_none() or schema.Visit(patient_id=plan.patient, date=plan.date)
    session.add(visit)
    for each in read:
        planned, reading = each.planned, each.reading
        visit.captures.append(
            schema.Capture(
                sha256=planned.sha256,
                file=planned.kept_name,
                site=planned.site,
                field=planned.field,
                n=planned.n,
                preparation=preparation,
                device=device,
                um_per_px=reading.scale.um_per_px if reading.scale else None,
                scale_source=reading.scale.source if reading.scale else "",
                picture=schema.Picture(width=each.size_px[0], height=each.size_px[1], jpeg=each.jpeg),
                readings=[
                    schema.StoredReading(
                        author=reading.author,
                        model_name=reading.model.name if reading.model else "",
                        model_sha256=reading.model.sha256 if reading.model else "",
                        vellus_cutoff_um=cutoff_um,
                        reading=reading.to_json(),
                    )
                ],
            )
        )
    session.flush()

"""A patient's visits read anew by another model: new readings beside the old ones, human corrections carried over."""

from __future__ import annotations

import dataclasses
import hashlib
import io
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from trichotrack.capture import capture_of, find_captures, read_capture
from trichotrack.geometry import Scale
from trichotrack.problems import InputError, Problem
from trichotrack.runtime.reading import Reading
from trichotrack.signs import VELLUS_CUTOFF_UM
from trichotrack.visits.add import Reader
from trichotrack.visits.carry import Unmatched, carry_over
from trichotrack.visits.readings import KEPT_PICTURE, MODEL, amended_scale, current_reading
from trichotrack.visits.record import open_record

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from trichotrack.visits.schema import Capture, StoredReading


@dataclass(frozen=True)
class Reread:
    """read: captures with a new reading. known: those that this model had read just so. kept_pictures: of read, how
    many without the original. carried: human readings carried over. unmatched: (date, file, mark) for a person to see.
    unjudged: signs counted in carried readings that the person did not judge.
    """

    read: int
    known: int
    kept_pictures: int
    carried: int
    unmatched: tuple[tuple[date, str, Unmatched], ...]
    problems: tuple[Problem, ...]
    unjudged: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Old:
    """A capture as the record has it. scale and size: of the original. entered: the row's scale and preparation."""

    capture_id: int
    entered: tuple[float | None, str]
    sha256: str
    file: str
    preparation: str
    day: date
    scale: Scale | None
    size_px: tuple[int, int]
    jpeg: bytes


def reread_patient(
    record: str | Path,
    patient: str,
    counter: Reader,
    *,
    captures: Path | None = None,
    vellus_cutoff_um: float = VELLUS_CUTOFF_UM,
    progress: Callable[[str], None] | None = None,
) -> Reread:
    """Reads every capture of the patient with counter and adds the readings in one transaction, after the last.

    captures: a folder with original files, found by content whatever their names; a capture whose original is not
    there is read from the picture that the record keeps, and its reading says so. Raises InputError where there is no
    such patient or the record cannot be written.
    """
    with open_record(record) as session:
        olds = _olds(session, patient)
    originals = _originals(captures) if captures is not None else {}
    read: list[tuple[_Old, Reading]] = []
    problems: list[Problem] = []
    for old in olds:
        if progress:
            progress(old.file)
        try:
            read.append((old, _read(old, originals.get(old.sha256), counter)))
        except InputError as error:
            problems += [dataclasses.replace(problem, place=old.file) for problem in error.problems]
    told = Reread(0, 0, 0, 0, (), tuple(problems))
    if read:
        with open_record(record, write=True) as session:
            for old, reading in read:
                told = _store(session, told, old, reading, vellus_cutoff_um)
    return told


def _olds(session: Session, patient: str) -> list[_Old]:
    from trichotrack.visits.history import patient_of

    return [_old(capture, visit.date) for visit in patient_of(session, patient).visits for capture in visit.captures]


def _old(capture: Capture, day: date) -> _Old:
    last = Reading.from_json(current_reading(capture).reading)
    size, jpeg = (last.width, last.height), capture.picture.jpeg
    scale = amended_scale(capture, last)
    entered = capture.um_per_px, capture.preparation
    return _Old(capture.id, entered, capture.sha256, capture.file, capture.preparation, day, scale, size, jpeg)


def _originals(folder: Path) -> dict[str, Path]:
    """Files of a folder, and those below it, by sha256."""
    found = {}
    for path in find_captures([folder]):
        try:
            found[hashlib.sha256(path.read_bytes()).hexdigest()] = path
        except OSError:
            continue  # not this one then: the kept picture is read, and it is said
    return found


def _read(old: _Old, original: Path | None, counter: Reader) -> Reading:
    if original is not None:
        reading = counter.read(read_capture(original), scale=old.scale, preparation=old.preparation)
        return dataclasses.replace(reading, file=old.file, sha256=old.sha256)
    with Image.open(io.BytesIO(old.jpeg)) as image:
        small = capture_of(np.array(image.convert("RGB")), old.file)
    fx, fy = old.size_px[0] / small.width, old.size_px[1] / small.height
    scale = dataclasses.replace(old.scale, um_per_px=old.scale.um_per_px * fx) if old.scale else None
    reading = counter.read(small, scale=scale, preparation=old.preparation)
    objects = tuple(
        dataclasses.replace(
            mark, x=mark.x * fx, y=mark.y * fy, tip_x=None if mark.tip_x is None else mark.tip_x * fx,
            tip_y=None if mark.tip_y is None else mark.tip_y * fy,
        )
        for mark in reading.objects
    )  # fmt: skip
    return dataclasses.replace(
        reading, file=old.file, sha256=old.sha256, width=old.size_px[0], height=old.size_px[1], scale=old.scale,
        objects=objects, warnings=(*reading.warnings, KEPT_PICTURE),
    )  # fmt: skip


def _store(session: Session, told: Reread, old: _Old, reading: Reading, cutoff_um: float) -> Reread:
    from trichotrack.visits.schema import Capture, StoredReading, reading_sha256

    capture = session.get_one(Capture, old.capture_id)
    if (capture.um_per_px, capture.preparation) != old.entered:
        message = "was amended while it was read; nothing was written"
        raise InputError(Problem(old.file, message, "Run the command again."))
    text = reading.to_json()
    by_model = [stored for stored in capture.readings if stored.author == MODEL]
    newest = max(by_model, key=lambda stored: (stored.added_at, stored.id), default=None)
    sha256 = reading_sha256(text)
    capture.to_reread = False
    if newest is not None and newest.sha256 == sha256:
        return dataclasses.replace(told, known=told.known + 1)
    current = current_reading(capture)
    facts = {
        "capture_id": capture.id, "model_name": reading.model.name if reading.model else "",
        "model_sha256": reading.model.sha256 if reading.model else "", "vellus_cutoff_um": cutoff_um,
    }  # fmt: skip
    session.add(StoredReading(author=MODEL, reading=text, **facts))
    session.flush()
    told = dataclasses.replace(
        told, read=told.read + 1, kept_pictures=told.kept_pictures + (KEPT_PICTURE in reading.warnings)
    )
    if current.author == MODEL:
        return told
    person = Reading.from_json(current.reading)
    base = _base(by_model, current.id, person.corrects)
    carried = carry_over(person, Reading.from_json(base.reading) if base else None, reading, corrects=sha256)
    session.add(
        StoredReading(
            author=current.author, reading=carried.reading.to_json(),
            awaits_review=current.awaits_review or bool(carried.unmatched or carried.unjudged), **facts,
        )
    )  # fmt: skip
    session.flush()
    unmatched = tuple((old.day, old.file, mark) for mark in carried.unmatched)
    unjudged = tuple(dict.fromkeys((*told.unjudged, *carried.unjudged)))
    return dataclasses.replace(told, carried=told.carried + 1, unmatched=told.unmatched + unmatched, unjudged=unjudged)


def _base(by_model: list[StoredReading], before: int, corrects: str | None) -> StoredReading | None:
    """The model's reading that a person corrected: the one it names, else the last before it."""
    named = [stored for stored in by_model if stored.sha256 == corrects]
    earlier = [stored for stored in by_model if stored.id < before]
    return max(named or earlier, key=lambda stored: stored.id, default=None)

"""Visits, captures, readings, reviews and photographs as tables with files beside them, for export and import.

Beside the tables lie pictures/SHA256.jpg (of a capture), photos/SHA256.jpg and readings/SHA256.json.
"""

from __future__ import annotations

import hashlib
import io
import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image

from trichotrack.labels.cells import Row
from trichotrack.problems import InputError
from trichotrack.runtime.reading import Reading
from trichotrack.visits.dates import full_date
from trichotrack.visits.rows import (
    ADDED_AT,
    Added,
    TableKind,
    columns_of,
    complete,
    day_in,
    flag_in,
    moment,
    patient_in,
    put,
    whole_in,
    words,
)  # fmt: skip

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from trichotrack.visits.schema import Capture, StoredReading

PICTURES, PHOTOS, READINGS = "pictures", "photos", "readings"
"""Folders of files, by the sha256 in their table."""

_MAX_SIDE_PX = 100_000
_SHA256 = re.compile(r"[0-9a-f]{64}\Z")


def stored_kinds(folder: Path) -> tuple[TableKind, ...]:
    """The tables with files in folder, in the order in which they are imported."""
    return VISITS, *(_with_files(kind, add, folder) for kind, add in _WITH_FILES)


def _with_files(kind: TableKind, add: Callable[[Path, Session, Row], Added], folder: Path) -> TableKind:
    return TableKind(kind.name, kind.columns, kind.required, partial(add, folder), kind.numbers, kind.whole)


def _without_files(_session: Session, row: Row) -> Added:
    row.fault(next(iter(row.cells)), "cannot be imported without its files", "Import the whole folder of an export.")
    return Added()


def _visit(session: Session, row: Row) -> Added:
    from trichotrack.visits.schema import Visit

    return put(session, row, Visit, {"patient_id": patient_in(session, row), "date": day_in(row)}, {})


def _capture(folder: Path, session: Session, row: Row) -> Added:
    from sqlalchemy import select

    from trichotrack.visits import schema

    sha256, patient, day = _sha256(row), patient_in(session, row), day_in(row)
    slot = {"site": words(row, "site", required=True), "field": words(row, "field"), "n": words(row, "n")}
    facts: dict[str, object] = {**slot}
    facts |= {column: words(row, column) for column in ("file", "preparation", "device", "scale_source")}
    facts["to_reread"] = flag_in(row, "to_reread")
    um_per_px, when = row.positive_number("um_per_px"), moment(row, "added_at")
    size = _size(row)
    if not row.ok:
        return Added()
    known = session.scalars(select(schema.Capture).filter_by(sha256=sha256)).one_or_none()
    if known is not None:
        if (known.visit.patient_id, known.visit.date) != (patient, day):
            row.fault("sha256", f"is in the record, at {known.visit.patient_id} on {known.visit.date}", "Mend the row.")
            return Added()
        return complete(row, known, {**facts, "um_per_px": um_per_px})
    visit = session.scalars(select(schema.Visit).filter_by(patient_id=patient, date=day)).one_or_none()
    if visit is None:
        row.fault("date", f"{patient} has no visit on this day", "Add it to the table of visits.")
        return Added()
    taken = session.scalars(select(schema.Capture).filter_by(visit_id=visit.id, **slot)).one_or_none()
    if taken is not None:
        row.fault("site", f"another capture, {taken.file}, has this site, field and n at this visit", "Give another n.")
        return Added()
    jpeg = _jpeg(row, folder / PICTURES, size)
    if jpeg is None:
        return Added()
    picture = schema.Picture(width=size[0], height=size[1], jpeg=jpeg)
    added = {"added_at": when} if when else {}
    session.add(
        schema.Capture(visit_id=visit.id, sha256=sha256, um_per_px=um_per_px, picture=picture, **facts, **added)
    )
    session.flush()
    return Added(new=1)


def _sha256(row: Row) -> str:
    text = row.text("sha256", required=True)
    if text and not _SHA256.match(text):
        row.fault("sha256", "is not a sha256: 64 digits and letters a to f", "Take the table as it was exported.")
    return text if row.ok else ""


def _size(row: Row) -> tuple[int, int]:
    sides = [whole_in(row, column, 1, _MAX_SIDE_PX, "a number of pixels") for column in ("width", "height")]
    for column, side in zip(("width", "height"), sides, strict=True):
        if side is None and row.ok:
            row.fault(column, "the cell is empty", "Fill it in.")
    return sides[0] or 0, sides[1] or 0


def _jpeg(row: Row, folder: Path, size_px: tuple[int, int]) -> bytes | None:
    """The picture that belongs to a row; None (noted) where it is not there, or is not such a picture."""
    name = f"{folder.name}/{row.text('sha256')}.jpg"
    try:
        jpeg = (folder / f"{row.text('sha256')}.jpg").read_bytes()
        with Image.open(io.BytesIO(jpeg)) as image:
            fits = image.format == "JPEG" and image.size == size_px and not image.getexif()
    except OSError:
        row.fault("sha256", f"{name} is missing or damaged", "Take the whole folder of the export.")
        return None
    if not fits:
        row.fault("sha256", f"{name} is not a JPEG of this width and height without EXIF", "Export it again.")
        return None
    return jpeg


def _capture_of(session: Session, row: Row) -> Capture | None:
    from sqlalchemy import select

    from trichotrack.visits.schema import Capture

    sha256 = row.text("capture", required=True)
    found = session.scalars(select(Capture).filter_by(sha256=sha256)).one_or_none() if sha256 else None
    if sha256 and found is None:
        row.fault("capture", "no capture in the record has this content", "Add it to the table of captures.")
    return found


def _reading(folder: Path, session: Session, row: Row) -> Added:
    from trichotrack.visits.schema import StoredReading

    capture, author = _capture_of(session, row), words(row, "author", required=True)
    facts: dict[str, object] = {"author": author}
    facts |= {column: words(row, column) for column in ("model_name", "model_sha256")}
    facts["vellus_cutoff_um"] = row.number_at("vellus_cutoff_um")
    facts["awaits_review"] = flag_in(row, "awaits_review")
    when = moment(row, "added_at") if row.text("added_at", required=True) else None
    sha256 = _sha256(row)
    text = _json(row, folder / READINGS) if row.ok else None
    if not row.ok or capture is None or text is None or when is None:
        return Added()
    known = _stored(session, capture.id, sha256, when)
    if known is not None:
        return complete(row, known, facts)
    session.add(StoredReading(capture_id=capture.id, reading=text, added_at=when, **facts))
    session.flush()
    return Added(new=1)


def _stored(session: Session, capture_id: int, sha256: str, when: object) -> StoredReading | None:
    from sqlalchemy import select

    from trichotrack.visits.schema import StoredReading

    wanted = {"capture_id": capture_id, "sha256": sha256, "added_at": when}
    return session.scalars(select(StoredReading).filter_by(**wanted)).one_or_none()


def _json(row: Row, folder: Path) -> str | None:
    """The JSON that belongs to a row; None (noted) where it is not there, is another, or is no reading."""
    name = f"{folder.name}/{row.text('sha256')}.json"
    try:
        data = (folder / f"{row.text('sha256')}.json").read_bytes()
    except OSError:
        row.fault("sha256", f"{name} is missing", "Take the whole folder of the export.")
        return None
    if hashlib.sha256(data).hexdigest() != row.text("sha256"):
        row.fault("sha256", f"{name} is not what was exported: its content has another sha256", "Export it again.")
        return None
    try:
        Reading.from_json(data.decode())
    except (InputError, UnicodeDecodeError) as error:
        row.fault("sha256", f"{name}: {str(error).rstrip('.')}", "Export it again.")
        return None
    return data.decode()


def _review(_folder: Path, session: Session, row: Row) -> Added:
    from trichotrack.visits.schema import Review

    capture, author = _capture_of(session, row), words(row, "author", required=True)
    read_at = moment(row, "read_at") if row.text("read_at", required=True) else None
    when = moment(row, "added_at") if row.text("added_at", required=True) else None
    if not row.ok or capture is None:
        return Added()
    reading = _stored(session, capture.id, row.text("reading"), read_at)
    if reading is None:
        row.fault("reading", "no reading of this capture has this content and time", "Add it to the table of readings.")
        return Added()
    return put(session, row, Review, {"reading_id": reading.id, "author": author, "added_at": when}, {})


def _photo(folder: Path, session: Session, row: Row) -> Added:
    from sqlalchemy import select

    from trichotrack.visits.schema import Photo

    sha256, patient, day = _sha256(row), patient_in(session, row), day_in(row)
    facts, size = {column: words(row, column) for column in ("view", "file")}, _size(row)
    if not row.ok:
        return Added()
    known = session.scalars(select(Photo).filter_by(sha256=sha256)).one_or_none()
    if known is not None and (known.patient_id, known.date) != (patient, day):
        row.fault("sha256", f"is in the record, at {known.patient_id} on {known.date}", "Mend the row.")
        return Added()
    if known is not None:
        return complete(row, known, facts)
    jpeg = _jpeg(row, folder / PHOTOS, size)
    if jpeg is None:
        return Added()
    key = {"sha256": sha256, "patient_id": patient, "date": full_date(day.isoformat())}
    return put(session, row, Photo, key, {**facts, "width": size[0], "height": size[1], "jpeg": jpeg})


VISITS = TableKind("visits", columns_of(("patient", "date")), ("patient", "date"), _visit)

CAPTURES = TableKind(
    "captures",
    {
        "sha256": "of the original file: what the capture is known by",
        "patient": "pseudonym",
        "date": "day of the visit",
        "file": "what the record calls it: site, field and repeat, not the name of the original file",
        "site": "such as vertex",
        "field": "spot within the site; captures of one field are repeats",
        "n": "number of the repeat",
        "preparation": "none, unclipped, clipped, shaved, dye, fibres or tattoo",
        "device": "device and zoom step",
        "um_per_px": "scale, µm per pixel of the original; empty unknown",
        "scale_source": "where the scale comes from: option, field-width, …",
        "to_reread": "1 where the scale or the preparation was amended and nobody has read the capture anew since",
        "width": "px, of the kept picture",
        "height": "px, of the kept picture",
        "added_at": ADDED_AT,
    },
    ("sha256", "patient", "date", "site", "width", "height"),
    _without_files,
    numbers=frozenset({"um_per_px"}),
    whole=frozenset({"to_reread", "width", "height"}),
)

READINGS_KIND = TableKind(
    "readings",
    {
        "capture": "sha256 of the capture",
        "sha256": "of the reading's JSON",
        "author": "`model`, or the name of the person",
        "model_name": "name of the model",
        "model_sha256": "of the model's file",
        "vellus_cutoff_um": "µm of calibre below which a hair is vellus",
        "awaits_review": "1 where corrections were carried over and nobody has accepted them yet",
        "added_at": "when it was added (UTC); the newest by a person counts, else the newest by a model",
    },
    ("capture", "sha256", "author", "vellus_cutoff_um", "added_at"),
    _without_files,
    numbers=frozenset({"vellus_cutoff_um"}),
    whole=frozenset({"awaits_review"}),
)

REVIEWS = TableKind(
    "reviews",
    {
        "capture": "sha256 of the capture",
        "reading": "sha256 of the reading's JSON",
        "read_at": "`added_at` of the reading",
        "author": "who accepted it",
        "added_at": "when it was accepted (UTC)",
    },
    ("capture", "reading", "read_at", "author", "added_at"),
    _without_files,
)

PHOTOS_KIND = TableKind(
    "photos",
    {
        "sha256": "of the original file",
        "patient": "pseudonym",
        "date": "day it was taken",
        "view": "such as vertex or face",
        "file": "what the record calls it: its view, not the name of the original file",
        "width": "px, of the kept picture",
        "height": "px, of the kept picture",
        "added_at": ADDED_AT,
    },
    ("sha256", "patient", "date", "width", "height"),
    _without_files,
    whole=frozenset({"width", "height"}),
)

_WITH_FILES = ((CAPTURES, _capture), (READINGS_KIND, _reading), (REVIEWS, _review), (PHOTOS_KIND, _photo))

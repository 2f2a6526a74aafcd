"""The tables of the record. Readings and their acceptance are only ever added; they go with a capture withdrawn."""

from __future__ import annotations

import datetime as dt
import hashlib
from typing import Any

from sqlalchemy import (
    Connection,
    Double,
    ForeignKey,
    Index,
    LargeBinary,
    MetaData,
    UniqueConstraint,
    case,
    event,
    false,
    func,
    or_,
    select,
    text,
    true,
    update,
)  # fmt: skip
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from trichotrack.visits.readings import MODEL

SCHEMA_VERSION = 3
"""Of these tables. An older record is brought up to it by migrations/; a newer one is refused."""


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC).replace(tzinfo=None, microsecond=0)


class Base(DeclarativeBase):
    """Constraints have names, so that later versions can change them."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {float: Double}  # noqa: RUF012  SQLAlchemy's own name, read once


class RecordInfo(Base):
    """One row: what wrote this record."""

    __tablename__ = "record_info"

    schema_version: Mapped[int] = mapped_column(primary_key=True)
    created_by: Mapped[str]
    created_at: Mapped[dt.datetime] = mapped_column(default=_now)


class Patient(Base):
    """id: the pseudonym. synthetic: made up, and said so wherever it is shown.

    onset, current_onset (of the present episode), last_regrowth: partial dates as typed. atopy: "" unknown, "none", or
    some of `history.ATOPY` with "; " between.
    """

    __tablename__ = "patients"

    id: Mapped[str] = mapped_column(primary_key=True)
    synthetic: Mapped[bool] = mapped_column(default=False)
    aa_type: Mapped[str] = mapped_column(default="")
    sex: Mapped[str] = mapped_column(default="")
    birth_year: Mapped[int | None]
    onset: Mapped[str] = mapped_column(default="")
    current_onset: Mapped[str] = mapped_column(default="")
    last_regrowth: Mapped[str] = mapped_column(default="")
    atopy: Mapped[str] = mapped_column(default="")
    added_at: Mapped[dt.datetime] = mapped_column(default=_now)

    visits: Mapped[list[Visit]] = relationship(back_populates="patient", order_by="Visit.date")
    treatments: Mapped[list[Treatment]] = relationship(back_populates="patient", order_by="Treatment.id")
    salt: Mapped[list[Salt]] = relationship(back_populates="patient", order_by="Salt.date")
    clinro: Mapped[list[ClinRO]] = relationship(order_by="ClinRO.date")
    labs: Mapped[list[Lab]] = relationship(order_by="Lab.date, Lab.name")
    events: Mapped[list[AdverseEvent]] = relationship(order_by="AdverseEvent.start, AdverseEvent.id")
    photos: Mapped[list[Photo]] = relationship(order_by="Photo.date, Photo.id")


class Visit(Base):
    """One patient on one day."""

    __tablename__ = "visits"
    __table_args__ = (UniqueConstraint("patient_id", "date"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    patient_id: Mapped[str] = mapped_column(ForeignKey("patients.id"), index=True)
    date: Mapped[dt.date]
    added_at: Mapped[dt.datetime] = mapped_column(default=_now)

    patient: Mapped[Patient] = relationship(back_populates="visits")
    captures: Mapped[list[Capture]] = relationship(back_populates="visit", order_by="Capture.id")


class Capture(Base):
    """One picture, once in the whole record (sha256 of its bytes). file: its name below the folder it came from.

    reviewed: whether a person made or accepted the reading that counts. It follows from readings and reviews, and is
    kept up with every one of them, so that what awaits review is found among 240,000 captures at once. to_reread: its
    scale or preparation was amended since it was read, so that no reading counts until it is read anew.
    """

    __tablename__ = "captures"
    __table_args__ = (
        UniqueConstraint("visit_id", "site", "field", "n"),
        Index(
            "ix_captures_unreviewed", "visit_id",
            sqlite_where=text("NOT reviewed"), postgresql_where=text("NOT reviewed"),
        ),
    )  # fmt: skip

    id: Mapped[int] = mapped_column(primary_key=True)
    visit_id: Mapped[int] = mapped_column(ForeignKey("visits.id"), index=True)
    sha256: Mapped[str] = mapped_column(unique=True)
    file: Mapped[str]
    site: Mapped[str]
    field: Mapped[str]
    n: Mapped[str]
    preparation: Mapped[str]
    device: Mapped[str]
    um_per_px: Mapped[float | None]
    scale_source: Mapped[str]
    reviewed: Mapped[bool] = mapped_column(default=False)
    to_reread: Mapped[bool] = mapped_column(default=False)
    added_at: Mapped[dt.datetime] = mapped_column(default=_now)

    visit: Mapped[Visit] = relationship(back_populates="captures")
    picture: Mapped[Picture] = relationship(back_populates="capture", cascade="save-update, merge, delete")
    readings: Mapped[list[StoredReading]] = relationship(
        back_populates="capture", order_by="StoredReading.id", cascade="save-update, merge, delete"
    )


class Picture(Base):
    """The capture for people to look at: upright, at most 1280 px a side, JPEG without EXIF.

    In the record itself, not in files beside it: so it is there when the folder is gone, and one file is the backup.
    A table of its own, read only where pictures are shown.
    """

    __tablename__ = "pictures"

    capture_id: Mapped[int] = mapped_column(ForeignKey("captures.id"), primary_key=True)
    width: Mapped[int]
    height: Mapped[int]
    jpeg: Mapped[bytes] = mapped_column(LargeBinary)

    capture: Mapped[Capture] = relationship(back_populates="picture")


def _reading_sha256(context: Any) -> str:
    return reading_sha256(context.get_current_parameters()["reading"])


def reading_sha256(reading: str) -> str:
    """What tells one reading of a capture from another: the sha256 of its JSON."""
    return hashlib.sha256(reading.encode()).hexdigest()


class StoredReading(Base):
    """One reading by a model ("model") or a person (the name). reading: JSON of trichotrack.reading/1.

    awaits_review: a person's corrections, carried over to a newer model's reading in a way the person has not seen:
    it counts, but is not reviewed until somebody accepts it. sha256: of the JSON.
    """

    __tablename__ = "readings"
    __table_args__ = (Index("uq_readings_content", "capture_id", "sha256", "added_at", unique=True),)

    id: Mapped[int] = mapped_column(primary_key=True)
    capture_id: Mapped[int] = mapped_column(ForeignKey("captures.id"), index=True)
    author: Mapped[str]
    model_name: Mapped[str]
    model_sha256: Mapped[str]
    vellus_cutoff_um: Mapped[float]
    awaits_review: Mapped[bool] = mapped_column(default=False)
    sha256: Mapped[str] = mapped_column(default=_reading_sha256)
    reading: Mapped[str]
    added_at: Mapped[dt.datetime] = mapped_column(default=_now)

    capture: Mapped[Capture] = relationship(back_populates="readings")
    reviews: Mapped[list[Review]] = relationship(
        back_populates="reading", order_by="Review.id", cascade="save-update, merge, delete"
    )


class Review(Base):
    """A person looked at this reading and accepts it as it is."""

    __tablename__ = "reviews"

    id: Mapped[int] = mapped_column(primary_key=True)
    reading_id: Mapped[int] = mapped_column(ForeignKey("readings.id"), index=True)
    author: Mapped[str]
    added_at: Mapped[dt.datetime] = mapped_column(default=_now)

    reading: Mapped[StoredReading] = relationship(back_populates="reviews")


class Treatment(Base):
    """One drug at one dose; another dose is another row. start, end: partial dates as typed, "" unknown or going on.

    taper: the steps down from dose, in the same unit, as "2025-10-16 16; 2025-11-13 8": a partial date and a dose each.
    """

    __tablename__ = "treatments"
    __table_args__ = (UniqueConstraint("patient_id", "drug", "dose", "unit", "route", "start"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    patient_id: Mapped[str] = mapped_column(ForeignKey("patients.id"), index=True)
    drug: Mapped[str]
    dose: Mapped[str]
    unit: Mapped[str]
    route: Mapped[str]
    start: Mapped[str]
    end: Mapped[str]
    taper: Mapped[str] = mapped_column(default="")
    stop_reason: Mapped[str]
    response: Mapped[str]
    added_at: Mapped[dt.datetime] = mapped_column(default=_now)

    patient: Mapped[Patient] = relationship(back_populates="treatments")


class Salt(Base):
    """SALT on one day; regions None where only the total is known."""

    __tablename__ = "salt"
    __table_args__ = (UniqueConstraint("patient_id", "date"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    patient_id: Mapped[str] = mapped_column(ForeignKey("patients.id"), index=True)
    date: Mapped[dt.date]
    total: Mapped[float]
    top: Mapped[float | None]
    back: Mapped[float | None]
    left: Mapped[float | None]
    right: Mapped[float | None]
    added_at: Mapped[dt.datetime] = mapped_column(default=_now)

    patient: Mapped[Patient] = relationship(back_populates="salt")


class ClinRO(Base):
    """Eyebrow and eyelash assessment on one day, grades 0 (full) to 3 (none); None where not assessed."""

    __tablename__ = "clinro"
    __table_args__ = (UniqueConstraint("patient_id", "date"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    patient_id: Mapped[str] = mapped_column(ForeignKey("patients.id"), index=True)
    date: Mapped[dt.date]
    eyebrow: Mapped[int | None]
    eyelash: Mapped[int | None]
    added_at: Mapped[dt.datetime] = mapped_column(default=_now)


class Lab(Base):
    """One laboratory value. qualifier: "<" or ">" where the value is a bound. low, high: the reference range."""

    __tablename__ = "labs"
    __table_args__ = (UniqueConstraint("patient_id", "date", "name"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    patient_id: Mapped[str] = mapped_column(ForeignKey("patients.id"), index=True)
    date: Mapped[dt.date]
    name: Mapped[str]
    qualifier: Mapped[str] = mapped_column(default="")
    value: Mapped[float]
    unit: Mapped[str]
    low: Mapped[float | None]
    high: Mapped[float | None]
    added_at: Mapped[dt.datetime] = mapped_column(default=_now)


class AdverseEvent(Base):
    """An adverse event. grade: 1 (mild) to 5 (death), None unknown. start, end: partial dates as typed."""

    __tablename__ = "events"
    __table_args__ = (UniqueConstraint("patient_id", "kind", "start"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    patient_id: Mapped[str] = mapped_column(ForeignKey("patients.id"), index=True)
    kind: Mapped[str]
    grade: Mapped[int | None]
    start: Mapped[str]
    end: Mapped[str]
    added_at: Mapped[dt.datetime] = mapped_column(default=_now)


class Photo(Base):
    """A clinical photograph, kept as pictures are: upright, at most 1280 px a side, JPEG without EXIF.

    sha256: of the file that was given, once in the whole record. view: such as "vertex" or "face". file: its name.
    """

    __tablename__ = "photos"

    id: Mapped[int] = mapped_column(primary_key=True)
    patient_id: Mapped[str] = mapped_column(ForeignKey("patients.id"), index=True)
    date: Mapped[dt.date]
    sha256: Mapped[str] = mapped_column(unique=True)
    view: Mapped[str]
    file: Mapped[str]
    width: Mapped[int]
    height: Mapped[int]
    jpeg: Mapped[bytes] = mapped_column(LargeBinary, deferred=True)
    added_at: Mapped[dt.datetime] = mapped_column(default=_now)


class Amendment(Base):
    """One row of the record put right, or withdrawn. was, became: its cells as JSON; became "" where it was withdrawn.

    patient_id: whose row it was; no reference, since that row too may have been withdrawn. table_name: as exported.
    """

    __tablename__ = "amendments"

    id: Mapped[int] = mapped_column(primary_key=True)
    patient_id: Mapped[str] = mapped_column(index=True)
    table_name: Mapped[str]
    was: Mapped[str]
    became: Mapped[str]
    author: Mapped[str]
    reason: Mapped[str]
    added_at: Mapped[dt.datetime] = mapped_column(default=_now)


def keep_reviewed(connection: Connection, capture_id: int | None = None) -> None:
    """Works out `captures.reviewed`, of one capture or of all, by the rule of `readings.reviewed_by`."""
    accepted = select(Review.id).where(Review.reading_id == StoredReading.id).exists()
    by_person = (StoredReading.author != MODEL) & StoredReading.awaits_review.is_(False)
    reviewed = (
        select(case((or_(by_person, accepted), true()), else_=false()))
        .where(StoredReading.capture_id == Capture.id)
        .order_by(
            case((StoredReading.author == MODEL, 1), else_=0), StoredReading.added_at.desc(), StoredReading.id.desc()
        )
        .limit(1)
        .correlate(Capture)
        .scalar_subquery()
    )
    changed = update(Capture).values(reviewed=func.coalesce(reviewed, false()))
    connection.execute(changed if capture_id is None else changed.where(Capture.id == capture_id))


@event.listens_for(StoredReading, "after_insert")
def _reading_added(_mapper: object, connection: Connection, added: StoredReading) -> None:
    keep_reviewed(connection, added.capture_id)


@event.listens_for(Review, "after_insert")
def _review_added(_mapper: object, connection: Connection, added: Review) -> None:
    found = connection.scalar(select(StoredReading.capture_id).where(StoredReading.id == added.reading_id))
    keep_reviewed(connection, found)

"""The tables of the record. Readings and their acceptance are only ever added, never changed or removed."""

from __future__ import annotations

import datetime as dt

from sqlalchemy import ForeignKey, LargeBinary, MetaData, UniqueConstraint
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

SCHEMA_VERSION = 1
"""Of these tables. A record with a higher one was written by a newer trichotrack and is refused."""


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


class RecordInfo(Base):
    """One row: what wrote this record."""

    __tablename__ = "record_info"

    schema_version: Mapped[int] = mapped_column(primary_key=True)
    created_by: Mapped[str]
    created_at: Mapped[dt.datetime] = mapped_column(default=_now)


class Patient(Base):
    """id: the pseudonym. synthetic: made up, and said so wherever it is shown. onset: partial date as typed."""

    __tablename__ = "patients"

    id: Mapped[str] = mapped_column(primary_key=True)
    synthetic: Mapped[bool] = mapped_column(default=False)
    aa_type: Mapped[str] = mapped_column(default="")
    sex: Mapped[str] = mapped_column(default="")
    birth_year: Mapped[int | None]
    onset: Mapped[str] = mapped_column(default="")
    added_at: Mapped[dt.datetime] = mapped_column(default=_now)

    visits: Mapped[list[Visit]] = relationship(back_populates="patient", order_by="Visit.date")
    treatments: Mapped[list[Treatment]] = relationship(back_populates="patient", order_by="Treatment.id")
    salt: Mapped[list[Salt]] = relationship(back_populates="patient", order_by="Salt.date")


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
    """One picture, once in the whole record (sha256 of its bytes). file: its name below the folder it came from."""

    __tablename__ = "captures"
    __table_args__ = (UniqueConstraint("visit_id", "site", "field", "n"),)

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
    added_at: Mapped[dt.datetime] = mapped_column(default=_now)

    visit: Mapped[Visit] = relationship(back_populates="captures")
    picture: Mapped[Picture] = relationship(back_populates="capture")
    readings: Mapped[list[StoredReading]] = relationship(back_populates="capture", order_by="StoredReading.id")


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


class StoredReading(Base):
    """One reading by a model ("model") or a person (the name). reading: JSON of trichotrack.reading/1."""

    __tablename__ = "readings"

    id: Mapped[int] = mapped_column(primary_key=True)
    capture_id: Mapped[int] = mapped_column(ForeignKey("captures.id"), index=True)
    author: Mapped[str]
    model_name: Mapped[str]
    model_sha256: Mapped[str]
    vellus_cutoff_um: Mapped[float]
    reading: Mapped[str]
    added_at: Mapped[dt.datetime] = mapped_column(default=_now)

    capture: Mapped[Capture] = relationship(back_populates="readings")
    reviews: Mapped[list[Review]] = relationship(back_populates="reading", order_by="Review.id")


class Review(Base):
    """A person looked at this reading and accepts it as it is."""

    __tablename__ = "reviews"

    id: Mapped[int] = mapped_column(primary_key=True)
    reading_id: Mapped[int] = mapped_column(ForeignKey("readings.id"), index=True)
    author: Mapped[str]
    added_at: Mapped[dt.datetime] = mapped_column(default=_now)

    reading: Mapped[StoredReading] = relationship(back_populates="reviews")


class Treatment(Base):
    """One drug at one dose; another dose is another row. start, end: partial dates as typed, "" unknown or going on."""

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

"""Everything a report needs of one patient, as values: no session, no database rows."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Literal

from trichotrack.capture import natural_key
from trichotrack.runtime.reading import Reading
from trichotrack.visits.amendments import Amended, amended
from trichotrack.visits.dates import first_day, last_day
from trichotrack.visits.judging import USUAL, Judging
from trichotrack.visits.notices import assumptions, notices
from trichotrack.visits.readings import TO_REREAD, counted_reading, current_reading, reviewed_by
from trichotrack.visits.series import ReadCapture, SignSeries, sign_series
from trichotrack.visits.trend import SignTrend, TreatmentPeriod, patient_trends
from trichotrack.visits.verdict import Verdict, headline, patient_verdicts

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from trichotrack.visits.schema import Capture, Patient


@dataclass(frozen=True)
class PatientFacts:
    """id: the pseudonym. onset, current_onset, last_regrowth: partial dates as typed ("2011", "2011-05").

    atopy: "none", or such as "dermatitis; asthma". Unknown is "" or None.
    """

    id: str
    synthetic: bool = False
    aa_type: str = ""
    sex: str = ""
    birth_year: int | None = None
    onset: str = ""
    current_onset: str = ""
    last_regrowth: str = ""
    atopy: str = ""


@dataclass(frozen=True)
class CaptureStory:
    """One capture and its current reading (a person's before a model's, the newest of these).

    picture: upright JPEG without EXIF, picture_size_px (width, height); map points of the reading from
    (reading.width, reading.height) to it, per axis. n: the repeat within the field. reviewed: a person made or accepted
    the current reading (reviewed_by). earlier_readings: how many others are kept. to_reread: why nothing is counted,
    where its scale or preparation was amended since it was read; else "".
    """

    id: int
    file: str
    sha256: str
    site: str
    field: str
    n: str
    preparation: str
    device: str
    reading: Reading
    reviewed: bool
    reviewed_by: str
    earlier_readings: int
    picture: bytes
    picture_size_px: tuple[int, int]
    to_reread: str = ""


@dataclass(frozen=True)
class VisitStory:
    """One visit, with its captures ordered by site, field and repeat."""

    id: int
    date: date
    captures: tuple[CaptureStory, ...]


@dataclass(frozen=True)
class TreatmentStory:
    """One treatment at one dose. start, end: partial dates as typed, "" unknown or going on.

    start_day, end_day: the days between which to draw its bar: first possible day of start, last possible of end;
    None where unknown (start) or going on (end). taper: steps down, for `history.taper_steps`.
    """

    id: int
    drug: str
    dose: str
    unit: str
    route: str
    start: str
    end: str
    start_day: date | None
    end_day: date | None
    stop_reason: str
    response: str
    taper: str = ""

    @property
    def label(self) -> str:
        """As printed: "drug A 4 mg/day"."""
        return " ".join(part for part in (self.drug, self.dose, self.unit) if part)


@dataclass(frozen=True)
class SaltPoint:
    """Severity of Alopecia Tool, 0 to 100: Σ regional % × weight (top 40, back 24, left 18, right 18)."""

    date: date
    total: float
    top: float | None = None
    back: float | None = None
    left: float | None = None
    right: float | None = None


@dataclass(frozen=True)
class ClinROPoint:
    """Eyebrow and eyelash on one day, graded by a person 0 (full) to 3 (none); None where not assessed."""

    date: date
    eyebrow: int | None = None
    eyelash: int | None = None


@dataclass(frozen=True)
class EventStory:
    """One adverse event. grade: 1 (mild) to 5 (death), None unknown. start, end: partial dates as typed.

    A blank start is unknown, a blank end unknown or going on.
    """

    kind: str
    grade: int | None = None
    start: str = ""
    end: str = ""


RangePlace = Literal["above", "below", "within", "open", ""]


@dataclass(frozen=True)
class LabValue:
    """One laboratory value. qualifier: "<" or ">" where the value is a bound. low, high: reference range, same unit."""

    date: date
    name: str
    value: float
    unit: str = ""
    qualifier: str = ""
    low: float | None = None
    high: float | None = None

    @property
    def place(self) -> RangePlace:
        """Where it lies: an end of the range belongs to it; "open" where a bound leaves it so, "" without a range.

        What lies below a limit of detection is not below 0.
        """
        if self.low is None and self.high is None:
            return ""
        low = -math.inf if self.low is None else self.low
        high = math.inf if self.high is None else self.high
        least = min(0.0, self.value) if self.qualifier == "<" else self.value
        most = math.inf if self.qualifier == ">" else self.value
        if least > high or (self.qualifier == ">" and least >= high):
            return "above"
        if most < low or (self.qualifier == "<" and most <= low):
            return "below"
        return "within" if low <= least and most <= high else "open"


@dataclass(frozen=True)
class PatientStory:
    """One patient over the visits, ready to print.

    headline: the one sentence for page one ("Activity signs fell; regrowth not shown."). visits and salt by date,
    treatments by start. series: the active load first, then early regrowth where counted, then each sign in the order
    of the vocabulary. verdicts: by visit, then outcome in the order of series, baseline before previous (at the first
    follow-up these are the same comparison, given once as baseline). notices: what must be said beside the figures
    (synthetic, starter model, unreviewed, captures refused …), most important first. assumptions: what the figures
    rest on (assumed CV, vellus cut-off, intervals, multiplicity), for the methods box. models: "name (sha256…)".
    clinro, labs by date, events by start; empty where nothing was entered, which is not the same as none. amended: what
    was put right in the record, the first one first.
    """

    patient: PatientFacts
    headline: str
    visits: tuple[VisitStory, ...]
    series: tuple[SignSeries, ...]
    verdicts: tuple[Verdict, ...]
    treatments: tuple[TreatmentStory, ...]
    salt: tuple[SaltPoint, ...]
    notices: tuple[str, ...]
    assumptions: tuple[str, ...]
    models: tuple[str, ...]
    clinro: tuple[ClinROPoint, ...] = ()
    events: tuple[EventStory, ...] = ()
    labs: tuple[LabValue, ...] = ()
    amended: tuple[Amended, ...] = ()

    def verdicts_at(self, visit_id: int) -> tuple[Verdict, ...]:
        return tuple(verdict for verdict in self.verdicts if verdict.visit_id == visit_id)


def patient_story(session: Session, patient_id: str, *, judging: Judging = USUAL) -> PatientStory:
    """The story of one patient in the record. judging: what the verdicts allow for.

    Raises InputError where there is no such patient. A patient without visits has a story with treatments and SALT.
    """
    from trichotrack.visits.history import patient_of

    found = patient_of(session, patient_id)
    visits = _visits(session, found)
    captures = [_read_capture(visit, capture, cutoff) for visit, stored in visits for capture, cutoff in stored]
    series = sign_series(captures)
    verdicts = patient_verdicts(captures, synthetic=found.synthetic, judging=judging)
    told = tuple(visit for visit, _ in visits)
    return PatientStory(
        patient=PatientFacts(
            found.id,
            found.synthetic,
            found.aa_type,
            found.sex,
            found.birth_year,
            found.onset,
            found.current_onset,
            found.last_regrowth,
            found.atopy,
        ),
        headline=headline(verdicts) if captures else "No visit so far.",
        visits=told,
        series=series,
        verdicts=verdicts,
        treatments=_treatments(found),
        salt=tuple(SaltPoint(s.date, s.total, s.top, s.back, s.left, s.right) for s in found.salt),
        notices=notices(captures, series, synthetic=found.synthetic),
        assumptions=assumptions(captures, judging),
        models=tuple(
            dict.fromkeys(
                f"{model.name} (sha256 {model.sha256[:12]})"
                for capture in captures
                if (model := capture.reading.model) is not None
            )
        ),
        clinro=tuple(ClinROPoint(one.date, one.eyebrow, one.eyelash) for one in found.clinro),
        events=tuple(EventStory(one.kind, one.grade, one.start, one.end) for one in found.events),
        labs=tuple(
            LabValue(one.date, one.name, one.value, one.unit, one.qualifier, one.low, one.high) for one in found.labs
        ),
        amended=amended(session, found.id),
    )


def patient_trend(session: Session, patient_id: str, *, judging: Judging = USUAL) -> tuple[SignTrend, ...]:
    """The trends of one patient in the record, with the treatment periods. Raises InputError for an unknown patient."""
    from trichotrack.visits.history import patient_of

    found = patient_of(session, patient_id)
    stored = [(visit, one) for visit, captures in _visits(session, found) for one in captures]
    captures = [_read_capture(visit, capture, cutoff) for visit, (capture, cutoff) in stored]
    periods = [
        TreatmentPeriod(t.drug, t.start_day, t.end_day, stopped=t.end_day is None and bool(t.stop_reason))
        for t in _treatments(found)
    ]
    return patient_trends(captures, periods, synthetic=found.synthetic, judging=judging)


def _visits(session: Session, patient: Patient) -> list[tuple[VisitStory, list[tuple[CaptureStory, float]]]]:
    """Each visit, and its captures with the vellus cut-off each was read with."""
    from sqlalchemy import select
    from sqlalchemy.orm import joinedload, selectinload

    from trichotrack.visits import schema

    rows = session.scalars(
        select(schema.Visit)
        .where(schema.Visit.patient_id == patient.id)
        .order_by(schema.Visit.date)
        .options(
            selectinload(schema.Visit.captures).options(
                joinedload(schema.Capture.picture),
                selectinload(schema.Capture.readings).selectinload(schema.StoredReading.reviews),
            )
        )
    )
    visits = []
    for row in rows:
        stored = [_capture(capture) for capture in row.captures]
        stored.sort(key=lambda pair: natural_key(f"{pair[0].site}/{pair[0].field}/{pair[0].n}"))
        visits.append((VisitStory(row.id, row.date, tuple(capture for capture, _ in stored)), stored))
    return visits


def _capture(row: Capture) -> tuple[CaptureStory, float]:
    current = current_reading(row)
    reviewer = reviewed_by(current)
    story = CaptureStory(
        id=row.id,
        file=row.file,
        sha256=row.sha256,
        site=row.site,
        field=row.field,
        n=row.n,
        preparation=row.preparation,
        device=row.device,
        reading=counted_reading(row),
        reviewed=bool(reviewer),
        reviewed_by=reviewer,
        earlier_readings=len(row.readings) - 1,
        picture=row.picture.jpeg,
        picture_size_px=(row.picture.width, row.picture.height),
        to_reread=TO_REREAD if row.to_reread else "",
    )
    return story, current.vellus_cutoff_um


def _read_capture(visit: VisitStory, capture: CaptureStory, cutoff_um: float) -> ReadCapture:
    return ReadCapture(
        visit.id, visit.date, capture.site, capture.field, capture.preparation, capture.device, capture.reading,
        reviewed=capture.reviewed, vellus_cutoff_um=cutoff_um,
    )  # fmt: skip


def _treatments(patient: Patient) -> tuple[TreatmentStory, ...]:
    told = [
        TreatmentStory(
            t.id, t.drug, t.dose, t.unit, t.route, t.start, t.end, first_day(t.start), last_day(t.end), t.stop_reason,
            t.response, t.taper,
        )
        for t in patient.treatments
    ]  # fmt: skip
    return tuple(sorted(told, key=lambda t: (t.start_day or date.min, t.end_day or date.max, t.id)))

"""Everything a report needs of one patient, as values: no session, no database rows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from trichotrack.runtime.reading import Reading
from trichotrack.visits.series import SignSeries
from trichotrack.visits.verdict import Verdict


@dataclass(frozen=True)
class PatientFacts:
    """id: the pseudonym. onset: partial date as typed ("2011", "2011-05"). Unknown is "" or None."""

    id: str
    synthetic: bool = False
    aa_type: str = ""
    sex: str = ""
    birth_year: int | None = None
    onset: str = ""


@dataclass(frozen=True)
class CaptureStory:
    """One capture and its current reading (a person's before a model's, the newest of these).

    picture: upright JPEG without EXIF, picture_size_px (width, height); map points of the reading from
    (reading.width, reading.height) to it, per axis. n: the repeat within the field. reviewed: a person made or accepted
    the current reading (reviewed_by). earlier_readings: how many others are kept.
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
    None where unknown (start) or going on (end).
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
class PatientStory:
    """One patient over the visits, ready to print.

    headline: the one sentence for page one ("Activity signs fell; regrowth not shown."). visits and salt by date,
    treatments by start. series: the active load first, then early regrowth where counted, then each sign in the order
    of the vocabulary. verdicts: by visit, then outcome in the order of series, baseline before previous (at the first
    follow-up these are the same comparison, given once as baseline). notices: what must be said beside the figures
    (synthetic, starter model, unreviewed, captures refused …), most important first. assumptions: what the figures
    rest on (assumed CV, vellus cut-off, intervals, multiplicity), for the methods box. models: "name (sha256…)".
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

    def verdicts_at(self, visit_id: int) -> tuple[Verdict, ...]:
        return tuple(verdict for verdict in self.verdicts if verdict.visit_id == visit_id)

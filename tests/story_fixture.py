"""A made-up patient's story for the tests of the report, in the shape that visits/ gives it. No person, no capture."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from dataclasses import replace
from datetime import date

import numpy as np
from PIL import Image, ImageDraw

from trichotrack.geometry import Scale
from trichotrack.runtime.reading import MarkedObject, ModelRef, Quality, Reading, SignReading
from trichotrack.visits.series import ReadCapture, sign_series
from trichotrack.visits.story import (
    CaptureStory,
    ClinROPoint,
    EventStory,
    LabValue,
    PatientFacts,
    PatientStory,
    SaltPoint,
    TreatmentStory,
    VisitStory,
)
from trichotrack.visits.verdict import headline, patient_verdicts

DATES = (date(2025, 9, 3), date(2025, 10, 29), date(2025, 12, 30), date(2026, 3, 4))
SITES = ("vertex", "occipital")
FIELDS = ("a", "b")
SHARE = {"vertex": 1.2, "occipital": 0.7}
SIZE_PX = (640, 480)
SCALE = Scale(5.7, "field-width")
MODEL = ModelRef(
    "starter",
    "9f1c8a0d6b7e45c2a3914f0e8d2b7c6a5f4e3d2c1b0a99887766554433221100",
    1,
    validated=False,
    notice="Starter model trained on synthetic captures only; its figures are not validated on patients.",
)
COUNTS = {
    "black_dot": (22, 14, 7, 2),
    "broken_hair": (9, 8, 4, 3),
    "tapering_hair": (2, 2, 1, 0),
    "short_vellus_hair": (4, 9, 12, 11),
}
VELLUS_REFUSAL = "2.1 px per 30 µm short vellus hair; 3 needed"
DEFOCUS = "The capture is out of focus."


def skin(rng: np.random.Generator, objects: Sequence[MarkedObject]) -> bytes:
    """A JPEG with a stroke or a dot where each object is."""
    width, height = SIZE_PX
    noise = np.asarray(
        Image.fromarray(rng.integers(0, 255, (height // 16, width // 16), dtype=np.uint8)).resize(
            SIZE_PX, Image.Resampling.BICUBIC
        ),
        dtype=np.float64,
    )
    base = np.array([222, 184, 165]) + (noise[..., None] - 128) * 0.12
    image = Image.fromarray(np.clip(base, 0, 255).astype(np.uint8))
    draw = ImageDraw.Draw(image)
    for item in objects:
        if item.tip_x is None or item.tip_y is None:
            draw.ellipse((item.x - 5, item.y - 5, item.x + 5, item.y + 5), fill=(45, 32, 30))
        else:
            thin = item.sign == "short_vellus_hair"
            draw.line(
                (item.x, item.y, item.tip_x, item.tip_y),
                fill=(150, 115, 95) if thin else (50, 36, 32),
                width=2 if thin else 5,
            )
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=80)
    return buffer.getvalue()


def an_object(rng: np.random.Generator, number: int, sign: str) -> MarkedObject:
    x, y = float(rng.uniform(30, SIZE_PX[0] - 30)), float(rng.uniform(30, SIZE_PX[1] - 30))
    if sign == "black_dot":
        return MarkedObject(str(number), sign, x, y, score=0.9)
    angle, length = rng.uniform(0, 2 * math.pi), {"broken_hair": 40}.get(sign, 90)
    tip = x + length * math.cos(angle), y + length * math.sin(angle)
    return MarkedObject(str(number), sign, x, y, *tip, score=0.8)


def a_capture(visit: int, site: str, field: str, *, refuse_vellus: bool = False, flag: bool = False) -> CaptureStory:
    rng = np.random.default_rng([visit, SITES.index(site), FIELDS.index(field)])
    counts = {name: round(by_visit[visit] * SHARE[site]) for name, by_visit in COUNTS.items()}
    names = [name for name, count in counts.items() for _ in range(count)]
    objects = tuple(an_object(rng, i, name) for i, name in enumerate(names))
    picture = skin(rng, objects)
    signs = {
        name: SignReading("counted", count=count, estimate=float(count), density_per_cm2=count / 0.1)
        for name, count in counts.items()
    }
    if refuse_vellus:
        signs["short_vellus_hair"] = SignReading("refused", VELLUS_REFUSAL)
        objects = tuple(item for item in objects if item.sign != "short_vellus_hair")
    file = f"v{visit + 1}/{site}_{field}_1.jpg"
    reading = Reading(
        file=file,
        sha256=f"{visit}{SITES.index(site)}{FIELDS.index(field)}".ljust(64, "0"),
        width=SIZE_PX[0],
        height=SIZE_PX[1],
        scale=SCALE,
        area_cm2=SCALE.area_cm2(*SIZE_PX),
        quality=Quality(not flag, (DEFOCUS,) if flag else ()),
        author="model",
        software="trichotrack 0.1.0",
        signs=signs,
        objects=objects,
        model=MODEL,
    )
    return CaptureStory(
        id=visit * 10 + SITES.index(site) * 2 + FIELDS.index(field),
        file=file,
        sha256=reading.sha256,
        site=site,
        field=field,
        n="1",
        preparation="none",
        device="",
        reading=reading,
        reviewed=False,
        reviewed_by="",
        earlier_readings=0,
        picture=picture,
        picture_size_px=SIZE_PX,
    )


def a_treatment(number: int, drug: str, dose: str, start: str, end: str, **more: object) -> TreatmentStory:
    """start, end: partial dates; "" going on."""
    starts, ends = _days(start), _days(end)
    basic = TreatmentStory(
        id=number,
        drug=drug,
        dose=dose,
        unit="mg/day" if dose else "",
        route="oral",
        start=start,
        end=end,
        start_day=starts[0] if starts else None,
        end_day=ends[1] if ends else None,
        stop_reason="",
        response="",
    )
    return replace(basic, **more)  # type: ignore[arg-type]


def _days(text: str) -> tuple[date, date] | None:
    parts = [int(part) for part in text.split("-") if part]
    if not parts:
        return None
    if len(parts) == 1:
        return date(parts[0], 1, 1), date(parts[0], 12, 31)
    if len(parts) == 2:
        return date(parts[0], parts[1], 1), date(parts[0], parts[1], 28)
    return date(*parts), date(*parts)


TREATMENTS = (
    a_treatment(1, "herbal medicine", "", "2011", "2012", stop_reason="no effect", response="none"),
    a_treatment(2, "methotrexate", "15", "2013", "2014-06", stop_reason="no effect", response="none"),
    a_treatment(3, "DPCP", "", "2016", "2018", route="topical", stop_reason="dermatitis", response="patchy regrowth"),
    a_treatment(4, "tofacitinib", "10", "2023-05", "2024-05", stop_reason="no effect", response="none"),
    a_treatment(5, "drug A", "4", "2025-09-03", "2026-01-10", response="regrowth"),
    a_treatment(6, "methylprednisolone", "500", "2025-09-03", "2025-09-05", route="intravenous", stop_reason="pulse"),
    a_treatment(7, "methylprednisolone", "24", "2025-09-06", "2025-10-15", stop_reason="taper"),
    a_treatment(8, "methylprednisolone", "8", "2025-10-16", "2025-12-24", stop_reason="taper ended"),
    a_treatment(9, "drug B", "50", "2026-01", "2026-02-10"),
    a_treatment(10, "drug B", "25", "2026-02-11", ""),
)

SALT = (
    SaltPoint(DATES[0], 100, 100, 100, 100, 100),
    SaltPoint(date(2025, 10, 1), 92),
    SaltPoint(DATES[1], 55, 60, 50, 50, 55),
    SaltPoint(DATES[2], 4, 5, 3, 2, 5),
    SaltPoint(DATES[3], 0, 0, 0, 0, 0),
)


CLINRO = (ClinROPoint(DATES[0], 3, 2), ClinROPoint(DATES[2], 1), ClinROPoint(DATES[3], 0, 1))
EVENTS = (
    EventStory("acne", 1, "2025-10", ""),
    EventStory("herpes zoster", 3, "2025-11-02", "2025-11-20"),
    EventStory("headache", None, "", ""),
)
LABS = (
    LabValue(DATES[0], "ALT", 31, "U/L", high=40),
    LabValue(DATES[2], "alt", 52.5, "U/L", high=40),
    LabValue(DATES[0], "haemoglobin", 118, "g/L", low=130, high=175),
    LabValue(DATES[3], "haemoglobin", 134, "g/L", low=130, high=175),
    LabValue(DATES[3], "CRP", 5, "mg/L", "<", low=0, high=5),
    LabValue(DATES[3], "eGFR", 60, "mL/min", ">", low=90),
    LabValue(DATES[3], "zinc", 9.5, "µmol/L"),
)


def as_read(visit: VisitStory, capture: CaptureStory) -> ReadCapture:
    return ReadCapture(
        visit.id,
        visit.date,
        capture.site,
        capture.field,
        capture.preparation,
        capture.device,
        capture.reading,
        capture.reviewed,
    )


def a_story() -> PatientStory:
    """Four visits, two sites, two fields each: two captures refuse vellus hair at visit 2, one is out of focus."""
    visits = tuple(
        VisitStory(
            v + 1,
            day,
            tuple(
                a_capture(
                    v,
                    site,
                    field,
                    refuse_vellus=v == 1,
                    flag=(v, site, field) == (2, "vertex", "b"),
                )
                for site in SITES
                for field in FIELDS
            ),
        )
        for v, day in enumerate(DATES)
    )
    captures = [as_read(visit, capture) for visit in visits for capture in visit.captures]
    verdicts = patient_verdicts(captures, synthetic=True)
    return PatientStory(
        patient=PatientFacts("P001", synthetic=True, aa_type="totalis", sex="male", birth_year=2000, onset="2011"),
        headline=headline(verdicts),
        visits=visits,
        series=sign_series(captures),
        verdicts=verdicts,
        treatments=TREATMENTS,
        salt=SALT,
        notices=(
            "Synthetic patient: made by a program; no person, no clinical meaning.",
            MODEL.notice,
            "None of the 16 readings has been reviewed by a person.",
        ),
        assumptions=(
            "Density intervals: exact Poisson (Garwood), 95 %.",
            "Repeatability between captures: CV 15 %, assumed, not measured here.",
            "Vellus cut-off: 30 µm.",
            "Active load is the primary outcome, held to 5 % over the series; Holm for the other signs.",
        ),
        models=("starter (9f1c8a0d…)",),
    )


def with_clinic(story: PatientStory) -> PatientStory:
    """The same patient with all that a clinic enters beside captures, and a taper."""
    facts = replace(story.patient, current_onset="2025-03", last_regrowth="2018", atopy="dermatitis; asthma")
    taper = a_treatment(
        11,
        "prednisolone",
        "24",
        "2025-09-06",
        "2025-12-24",
        taper="2025-10-16 16; 2025-11 8",
        stop_reason="taper ended",
    )
    treatments = (*story.treatments, taper)
    return replace(story, patient=facts, treatments=treatments, clinro=CLINRO, events=EVENTS, labs=LABS)


def first_visit_only(story: PatientStory) -> PatientStory:
    """The same patient, seen once."""
    first = story.visits[0]
    series = sign_series([as_read(first, capture) for capture in first.captures])
    return replace(
        story, visits=(first,), series=series, verdicts=(), salt=story.salt[:1], headline="One visit so far."
    )

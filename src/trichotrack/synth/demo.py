"""Makes data/demo: a small labelled set and one synthetic patient over four visits. Nobody in it is a person."""

from __future__ import annotations

import csv
import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from trichotrack.labels.tables import CaptureRow, LabelSet
from trichotrack.problems import InputError
from trichotrack.synth.draw import draw_person
from trichotrack.synth.patients import Course, Field, draw_field, draw_pose, scalp_at
from trichotrack.synth.priors import Priors, ScalpPriors, SkinPriors
from trichotrack.synth.render import MARGIN_UM, photograph
from trichotrack.synth.write import NOTICE, Rows, Series, clinic_camera, label_set, rows_of, save_capture, write_series

DEMO_SEED = 11
"""Of data/demo. Not 0: that is the trainings' usual seed, and their captures would be drawn from the same numbers."""

PATIENT = "P001"
SITES = ("vertex", "occipital")
FIELDS = 3
SIZE_PX = (720, 576)
UM_PER_PX = 5.8
FIRST_VISIT = dt.date(2026, 1, 12)
VISITS = tuple(FIRST_VISIT + dt.timedelta(weeks=weeks) for weeks in (0, 8, 16, 28))

LABELLED_PRIORS = Priors(
    scalp=ScalpPriors(
        units_per_cm2=(90, 130), sign_mix=(1.6, 1.4, 1.4, 1.3, 0.6, 0.4, 0.3, 0.6, 0.6), sign_absent=0.2,
        rare_absent=0.3, patch_share=(0.6, 2.0), shaved_chance=0.0, tattooed_chance=0.0,
    )
)  # fmt: skip
"""Mostly inside patches, so that sixty captures hold enough of every sign to learn from."""

LABELLED = Series(
    captures=60,
    captures_per_person=3,
    sizes_px=((640, 512), (720, 576), (768, 576)),
    um_per_px=(5.7, 6.0),
    splits=(("train", 0.6), ("val", 0.2), ("test", 0.2)),
)

COURSES = {
    "vertex": Course(
        (0.24, 0.15, 0.13, 0.13, 0.0, 0.35), responding=0.96, resolve_weeks=5, vellus_weeks=5, terminal_weeks=7
    ),
    "occipital": Course(
        (0.20, 0.12, 0.11, 0.12, 0.0, 0.45), responding=0.93, resolve_weeks=6.5, vellus_weeks=7, terminal_weeks=8
    ),
}
"""Of the response, by site. Assumed. Totalis at the first visit: no terminal hair."""

SALT_WEIGHTS = {"top": 0.40, "back": 0.24, "left": 0.18, "right": 0.18}

SALT: tuple[tuple[int, tuple[int, int, int, int]], ...] = (
    (0, (100, 100, 100, 100)),
    (8, (55, 70, 60, 65)),
    (12, (15, 30, 20, 20)),
    (16, (0, 0, 0, 0)),
    (28, (0, 0, 0, 0)),
)
"""Weeks and regional scores (top, back, left, right), shaped like a published case: to 0 in 16 weeks, then held."""


@dataclass(frozen=True)
class Scenario:
    """What a patient goes through from the first visit on.

    courses: by site. salt: weeks and regional scores (top, back, left, right). treatments: drug, dose, unit, route,
    weeks of start and end (None: it goes on), stop_reason, response.
    """

    courses: Mapping[str, Course]
    salt: tuple[tuple[int, tuple[int, int, int, int]], ...]
    treatments: tuple[tuple[str, int, str, str, int, int | None, str, str], ...]


SCENARIOS = {
    "response": Scenario(
        COURSES,
        SALT,
        (
            ("drug A", 4, "mg/day", "oral", 0, 16, "SALT 0 reached", "complete"),
            ("drug B", 50, "mg/day", "oral", 16, 22, "dose reduced", "regrowth held"),
            ("drug B", 25, "mg/day", "oral", 22, None, "", "regrowth held"),
        ),
    ),
    "no-response": Scenario(
        {site: replace(course, responding=0.0) for site, course in COURSES.items()},
        tuple((weeks, (100, 100, 100, 100)) for weeks, _ in SALT),
        (
            ("drug A", 4, "mg/day", "oral", 0, 16, "no response", "none"),
            ("drug B", 50, "mg/day", "oral", 16, None, "", "none"),
        ),
    ),
    "relapse": Scenario(
        {site: replace(course, relapsing=0.8) for site, course in COURSES.items()},
        (*SALT[:4], (22, (35, 30, 30, 30)), (28, (75, 70, 70, 70))),
        (
            ("drug A", 4, "mg/day", "oral", 0, 16, "SALT 0 reached", "complete"),
            ("drug A", 4, "mg/day", "oral", 28, None, "", ""),
        ),
    ),
}  # fmt: skip
"""By the names of `trichotrack synth patient --course`; all assumed. One seed draws the same first visit for each."""

TREATMENT_COLUMNS = ("patient", "drug", "dose", "unit", "route", "start", "end", "stop_reason", "response")
SALT_COLUMNS = ("patient", "date", "top", "back", "left", "right", "total")
CORRESPONDENCE_COLUMNS = ("file", "id", "site", "field", "structure", "follicle", "sign")
PATIENT_COLUMNS = ("patient", "synthetic", "aa_type", "sex", "birth_year", "onset")


@dataclass(frozen=True)
class Made:
    """What was written: the labelled set, and the truth of the patient's captures."""

    labelled: LabelSet
    truth: LabelSet


def patient_priors() -> Priors:
    """Of the demonstration patient: dark hair on light skin, one well kept device, few nuisances."""
    return Priors(
        scalp=ScalpPriors(
            units_per_cm2=(75, 85),
            curly_chance=0.0,
            lying_hairs_per_cm2=(0, 4),
            fragments_per_cm2=(0, 4),
            shaved_chance=0.0,
            tattooed_chance=0.0,
            fibre_chance=0.0,
        ),
        skin=SkinPriors(
            melanin=(0.25, 0.45),
            erythema=(0.05, 0.15),
            hair_melanin=(0.6, 0.4, 0, 0, 0),
            white_share=(0, 0),
            white_regrowth_share=(0, 0),
        ),
        camera=replace(clinic_camera(), jpeg_chance=0.0),
    )


def write_demo(folder: Path, seed: int = DEMO_SEED, on_capture: Callable[[], None] | None = None) -> Made:
    """Writes folder/labelled and folder/patient. Raises InputError where either is there and not empty."""
    for part in (folder / "labelled", folder / "patient"):
        if part.exists() and any(part.iterdir()):
            raise InputError(f"{part} is not empty. Remove it or give another folder.")
    labelled = write_series(folder / "labelled", LABELLED, seed, priors=LABELLED_PRIORS, on_capture=on_capture)
    return Made(labelled, write_patient(folder / "patient", seed, on_capture=on_capture))


def captures_in_demo() -> int:
    """How many captures write_demo renders, for a progress bar."""
    return LABELLED.captures + len(VISITS) * len(SITES) * (FIELDS + 1)


def write_patient(
    folder: Path, seed: int, on_capture: Callable[[], None] | None = None, course: str = "response"
) -> LabelSet:
    """One synthetic patient over four visits: a folder a visit, the record's tables, and the truth of every capture.

    Every site has three fields, the first of them taken twice. Beside the visits' folders: captures.csv, labels.csv,
    objects.csv and signs.yaml with every structure, correspondence.csv (which of them is the same structure, and which
    grows from the same follicle, in other captures of its field), patient.csv, treatments.csv, salt.csv and scale.csv.
    course: one of SCENARIOS.

    Raises InputError where folder is not empty.
    """
    from trichotrack.labels.write import write_labels

    if folder.exists() and any(folder.iterdir()):
        raise InputError(f"{folder} is not empty. Give a new folder.")
    scenario = SCENARIOS[course]
    priors = patient_priors()
    person = draw_person(np.random.default_rng([seed, 100]), priors)
    radius_um = 0.5 * float(np.hypot(*SIZE_PX)) * UM_PER_PX + 2 * MARGIN_UM
    rows: list[Rows] = []
    same: list[tuple[object, ...]] = []
    for number, site in enumerate(SITES):
        for place in range(1, FIELDS + 1):
            rng = np.random.default_rng([seed, 101, number, place])
            field = draw_field(rng, radius_um, priors, person, scenario.courses[site])
            for visit, date in enumerate(VISITS):
                for repeat in (1, 2) if place == 1 else (1,):
                    shot = np.random.default_rng([seed, 102, number, place, visit, repeat])
                    name = f"{site}_{place}_{repeat}"
                    taken, links = _take(folder, field, shot, priors, date, name)
                    rows.append(taken)
                    same += links
                    if on_capture is not None:
                        on_capture()
    truth = label_set(folder, rows)
    write_labels(truth, folder)
    _write_table(folder / "correspondence.csv", CORRESPONDENCE_COLUMNS, same)
    _write_record(folder, [row.capture.file for row in rows], seed, course)
    return truth


def _take(
    folder: Path, field: Field, rng: np.random.Generator, priors: Priors, date: dt.date, name: str
) -> tuple[Rows, list[tuple[object, ...]]]:
    """The capture's rows, and a row of correspondence.csv for each of its objects."""
    weeks = (date - FIRST_VISIT).days / 7
    pose = draw_pose(rng)
    scalp = scalp_at(field, weeks, rng)
    capture = photograph(scalp, rng, size_px=SIZE_PX, um_per_px=UM_PER_PX, priors=priors.camera, pose=pose)
    file = f"{date.isoformat()}/{name}.jpg"
    site, place, _ = name.split("_")
    row = CaptureRow(
        file=file, patient=PATIENT, visit=str(VISITS.index(date) + 1), site=site, field=place, date=date.isoformat(),
        device="synthetic", valid_area=save_capture(folder, file, capture),
    )  # fmt: skip
    prefix = f"{date.isoformat()}/{name}-{site}{place}"
    follicles = {structure.id: structure.follicle for structure in scalp.structures}
    links: list[tuple[object, ...]] = [
        (file, f"{prefix}{item.id}", site, place, item.id, follicles[item.id], item.sign) for item in capture.objects
    ]
    return rows_of(capture, row, prefix), links


def _write_record(folder: Path, files: Sequence[str], seed: int, course: str) -> None:
    scenario = SCENARIOS[course]
    _write_table(folder / "patient.csv", PATIENT_COLUMNS, [(PATIENT, "yes", "totalis", "male", 2000, "2011")])
    _write_table(folder / "salt.csv", SALT_COLUMNS, [_salt_row(weeks, regions) for weeks, regions in scenario.salt])
    treatments: list[tuple[object, ...]] = [
        (PATIENT, "drug C", "", "", "topical", "2011", "2013", "no response", "none"),
        (PATIENT, "drug D", 15, "mg/week", "oral", "2019-03", "2020-02", "no response", "none"),
    ]
    for *drug, start, end, stop_reason, response in scenario.treatments:
        dates = (_date(start), "" if end is None else _date(end))
        treatments.append((PATIENT, *drug, *dates, stop_reason, response))
    _write_table(folder / "treatments.csv", TREATMENT_COLUMNS, treatments)
    _write_table(folder / "scale.csv", ("file", "um_per_px"), [(file, UM_PER_PX) for file in files])
    told = "" if course == "response" else f" Course: {course}."
    text = f"{NOTICE}. Seed {seed}.{told} Scale of every capture: {UM_PER_PX} µm per pixel.\n"
    (folder / "README.txt").write_text(text, encoding="utf-8")


def _salt_row(weeks: int, regions: tuple[int, int, int, int]) -> tuple[object, ...]:
    total = sum(share * weight for share, weight in zip(regions, SALT_WEIGHTS.values(), strict=True))
    return (PATIENT, _date(weeks), *regions, round(total, 2))


def _date(weeks: int) -> str:
    return (FIRST_VISIT + dt.timedelta(weeks=weeks)).isoformat()


def _write_table(path: Path, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(rows)

"""How long each question on a large record takes: 2,000 patients of 10 visits with 12 captures each.

uv run benchmarks/record_speed.py [--patients 2000] [--visits 10] [--captures 12] [--rounds 5] [--folder DIR]

The record is filled by SQL, since the question is how it answers, not how it is written. Every capture has a reading of
about 20 marks; the first eight visits of each patient are reviewed. Pictures are small but for the patients whose story
is asked for: theirs have the size of real ones (150 kB). A question is timed from opening the record to its answer,
in turn with the others; beside the time on the clock stands the processor's, which other work on the machine does not
lengthen.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import os
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image
from records import RESULTS, write_record

from trichotrack.capture import Quality
from trichotrack.geometry import Scale
from trichotrack.runtime.reading import MarkedObject, ModelRef, Reading, SignReading
from trichotrack.visits.overview import clinical_tables, needs_review, patients, sign_counts, visits
from trichotrack.visits.record import open_record
from trichotrack.visits.schema import reading_sha256
from trichotrack.visits.story import patient_story

LIMIT_MS = 200
SIGNS = {"black_dot": 6, "broken_hair": 4, "tapering_hair": 2, "short_vellus_hair": 3, "terminal_hair": 5}
SITES = ("frontal", "vertex", "occipital", "left temporal")
MODEL = ModelRef("made", "a" * 64, 1, validated=True)
SIZE_PX, UM_PER_PX = (1280, 1024), 2.82
PLACEHOLDER = "0" * 64
POOL, ASKED = 60, 5
REAL_PICTURE_BYTES = 150_000
WHEN = "2026-01-01 00:00:00.000000"


def a_reading(rng: np.random.Generator) -> str:
    counts = {name: int(rng.poisson(mean)) for name, mean in SIGNS.items()}
    names = [name for name, count in counts.items() for _ in range(count)]
    marks = tuple(
        MarkedObject(
            str(i), name, *(round(float(rng.uniform(0, side)), 1) for side in SIZE_PX), round_to(rng, 900),
            round_to(rng, 900), round_to(rng, 70), round_to(rng, 60), round(float(rng.uniform(0.5, 1)), 3),
        )
        for i, name in enumerate(names)
    )  # fmt: skip
    scale = Scale(UM_PER_PX, "option")
    area = scale.area_cm2(*SIZE_PX)
    signs = {
        name: SignReading("counted", None, count, count * 1.05, None, count / area, 0.98)
        for name, count in counts.items()
    }
    return Reading(
        "vertex_1_1.jpg", PLACEHOLDER, *SIZE_PX, scale, area, Quality(), "model", "trichotrack", signs, marks, MODEL
    ).to_json()


def round_to(rng: np.random.Generator, high: float) -> float:
    return round(float(rng.uniform(0, high)), 1)


def jpeg(size_px: tuple[int, int], rng: np.random.Generator | None = None, quality: int = 80) -> bytes:
    shape = (size_px[1], size_px[0], 3)
    pixels = np.full(shape, 180, np.uint8) if rng is None else rng.normal(180, 12, shape).clip(0, 255).astype(np.uint8)
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "JPEG", quality=quality)
    return stream.getvalue()


def fill(path: Path, patient_count: int, visit_count: int, capture_count: int) -> None:
    rng = np.random.default_rng(0)
    pool = [a_reading(rng) for _ in range(POOL)]
    small, real = jpeg((64, 48)), jpeg((1280, 1024), rng, quality=20)
    real += b"\0" * max(0, REAL_PICTURE_BYTES - len(real))
    with open_record(path, create=True):
        pass
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA journal_mode=OFF")
    connection.execute("PRAGMA synchronous=OFF")
    add = connection.executemany
    names = [f"P{i:04d}" for i in range(patient_count)]
    facts = ("patients", "id, synthetic, aa_type, sex, onset, current_onset, last_regrowth, atopy, added_at")
    add(insert(*facts), ((name, 0, "totalis", "female", "2011", "2024", "", "none", WHEN) for name in names))
    for number, name in enumerate(names):
        clinical(connection, name)
        for visit in range(visit_count):
            visit_id = number * visit_count + visit + 1
            day = date(2024, 1, 1) + timedelta(days=30 * visit + number % 28)
            connection.execute(insert("visits", "id, patient_id, date, added_at"), (visit_id, name, str(day), WHEN))
            rows = list(captures(visit_id, capture_count, pool, reviewed=visit < 0.8 * visit_count))
            columns = "id, visit_id, sha256, file, site, field, n, preparation, device, um_per_px, scale_source"
            add(insert("captures", f"{columns}, reviewed, added_at"), (row[0] for row in rows))
            picture = real if number % max(1, patient_count // ASKED) == 0 else small
            add(insert("pictures", "capture_id, width, height, jpeg"), ((r[0][0], 1280, 1024, picture) for r in rows))
            columns = "id, capture_id, author, model_name, model_sha256, vellus_cutoff_um, awaits_review, sha256"
            add(insert("readings", f"{columns}, reading, added_at"), (row[1] for row in rows))
            if visit < 0.8 * visit_count:
                add(insert("reviews", "reading_id, author, added_at"), ((row[0][0], "A. Kim", WHEN) for row in rows))
    connection.commit()
    connection.close()


def insert(table: str, columns: str) -> str:
    return f"INSERT INTO {table} ({columns}) VALUES ({', '.join('?' * len(columns.split(',')))})"  # noqa: S608


def captures(visit_id: int, count: int, pool: list[str], *, reviewed: bool) -> Iterator[tuple[tuple[object, ...], ...]]:
    for i in range(count):
        own = (visit_id - 1) * count + i + 1
        sha256 = hashlib.sha256(str(own).encode()).hexdigest()
        site, field = SITES[i % len(SITES)], str(i // len(SITES) + 1)
        text = pool[own % POOL].replace(PLACEHOLDER, sha256)
        yield (
            (own, visit_id, sha256, f"{site}_{field}_1.jpg", site, field, "1", "none", "X1 70x", UM_PER_PX, "option",
             reviewed, WHEN),
            (own, own, "model", "made", "a" * 64, 30.0, False, reading_sha256(text), text, WHEN),
        )  # fmt: skip


def clinical(connection: sqlite3.Connection, name: str) -> None:
    columns = "patient_id, drug, dose, unit, route, start, end, taper, stop_reason, response, added_at"
    for number in range(5):
        row = (name, f"drug {number}", "4", "mg/day", "oral", f"202{number}", "", "", "", "regrowth", WHEN)
        connection.execute(insert("treatments", columns), row)
    for month in range(1, 11):
        day = datetime(2024, month, 5).date().isoformat()  # noqa: DTZ001
        connection.execute(insert("salt", "patient_id, date, total, added_at"), (name, day, 100.0 - 8 * month, WHEN))
        connection.execute(insert("clinro", "patient_id, date, eyebrow, added_at"), (name, day, 2, WHEN))
        row = (name, day, "ALT", "", 31.0, "U/L", WHEN)
        connection.execute(insert("labs", "patient_id, date, name, qualifier, value, unit, added_at"), row)


def timed(path: Path, ask: Callable[[object], object]) -> tuple[float, float]:
    """Milliseconds on the clock and of the processor."""
    started, used = time.perf_counter(), time.process_time()
    with open_record(path) as session:
        ask(session)
    return 1000 * (time.perf_counter() - started), 1000 * (time.process_time() - used)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    for name, default in (("patients", 2000), ("visits", 10), ("captures", 12), ("rounds", 5)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--folder", type=Path, help="where to make the record; default: a temporary folder")
    parser.add_argument("--out", type=Path, default=RESULTS)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=given.folder) as folder:
        path = Path(folder) / "record.sqlite"
        fill(path, given.patients, given.visits, given.captures)
        size_mb = path.stat().st_size / 1e6
        asked = [f"P{i:04d}" for i in range(0, given.patients, max(1, given.patients // ASKED))][:ASKED]
        figures = questions(path, asked, given.rounds)
    for name, times in figures.items():
        print(f"{name:45s} {times['median_ms']:7.1f} ms ({times['median_cpu_ms']:.1f} ms of the processor)")
    sizes = {name: getattr(given, name) for name in ("patients", "visits", "captures", "rounds")}
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    write_record(
        "record-speed", "sqlite", {**sizes, "record_mb": round(size_mb), "load": load, "limit_ms": LIMIT_MS,
                                   "questions": figures}, out=given.out,
    )  # fmt: skip


def asking(ask: Callable[[object, str], object], patient: str, session: object) -> object:
    return ask(session, patient)


def questions(path: Path, asked: list[str], rounds: int) -> dict[str, dict[str, float]]:
    of_patient: dict[str, Callable[[object, str], object]] = {
        "a patient's story, pictures and all": patient_story,  # type: ignore[dict-item]
        "a patient's visits": visits,  # type: ignore[dict-item]
        "a patient's treatments, SALT and the rest": clinical_tables,  # type: ignore[dict-item]
        "a patient's counts by sign and visit": sign_counts,  # type: ignore[dict-item]
        "what of a patient needs review": needs_review,  # type: ignore[dict-item]
    }
    of_all: dict[str, Callable[[object], object]] = {
        "what needs review, of all patients": needs_review,  # type: ignore[dict-item]
        "the newest 100 visits, of all patients": lambda session: visits(session, last=100),  # type: ignore[arg-type]
        "the list of all patients": patients,  # type: ignore[dict-item]
    }
    found: dict[str, list[tuple[float, float]]] = {}
    for turn in range(rounds + 1):  # the first loads what is imported late
        for label, ask in of_patient.items():
            found.setdefault(label, []).append(timed(path, partial(asking, ask, asked[turn % len(asked)])))
        for label, ask_all in of_all.items():
            found.setdefault(label, []).append(timed(path, ask_all))
    return {
        label: {
            "median_ms": statistics.median(clock for clock, _ in times[1:]),
            "worst_ms": max(clock for clock, _ in times[1:]),
            "median_cpu_ms": statistics.median(cpu for _, cpu in times[1:]),
            "worst_cpu_ms": max(cpu for _, cpu in times[1:]),
        }
        for label, times in found.items()
    }


if __name__ == "__main__":
    main()

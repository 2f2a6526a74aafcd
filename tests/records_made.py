"""Generated records for properties of the record: any text that may be typed, all tables, several readings."""

from __future__ import annotations

import datetime as dt
import io

from hypothesis import strategies as st
from PIL import Image

from trichotrack.visits.add import add_visit
from trichotrack.visits.history import AA_TYPES, add_patient, add_salt, add_treatment
from trichotrack.visits.plan import plan_visit
from trichotrack.visits.readings import accept_readings
from trichotrack.visits.record import open_record
from trichotrack.visits.schema import (
    AdverseEvent,
    Base,
    Capture,
    ClinRO,
    Lab,
    Patient,
    Photo,
    Picture,
    Review,
    Salt,
    StoredReading,
    Treatment,
    Visit,
)
from visits_made import SIGNS, MadeReader, reading, write_visit

TRICKY = (
    "=1+1", "'=1", "-5", "+x", "@home", "007", "1,5", "1.50", "a;b", 'say "hi"', "TRUE", "2026-03-04", "_x000D_",
    "sep=;", "é µ −", "한글", "a, b; c\"d'", "None", "nan", "1e5",
)  # fmt: skip
SPACES = ("Cc", "Cs", "Cn", "Zs", "Zl", "Zp")

texts = st.one_of(
    st.sampled_from(("", *TRICKY)),
    st.text(st.characters(exclude_categories=SPACES), max_size=8).map(lambda text: " ".join(text.split())),
)
some_text = texts.filter(bool)
numbers = st.one_of(st.none(), st.floats(0, 1e6, allow_subnormal=False).map(abs), st.integers(0, 100).map(float))
days = st.dates(dt.date(2000, 1, 1), dt.date(2030, 12, 31))
moments = st.datetimes(dt.datetime(2020, 1, 1), dt.datetime(2030, 1, 1)).map(lambda when: when.replace(microsecond=0))  # noqa: DTZ001
partial_dates = st.one_of(
    st.just(""), days.map(lambda day: day.isoformat()), days.map(lambda day: day.isoformat()[:7]),
    days.map(lambda day: day.isoformat()[:4]),
)  # fmt: skip
hashes = st.text("0123456789abcdef", min_size=64, max_size=64)


def jpeg(width, height):
    stream = io.BytesIO()
    Image.new("RGB", (width, height), (200, 170, 150)).save(stream, "JPEG")
    return stream.getvalue()


def _unique(items, key):
    return list({key(item): item for item in items}.values())


@st.composite
def patients(draw, name):
    def some(strategy):
        return draw(st.lists(strategy, max_size=2))

    def clinical(model, key, **columns):
        rows = some(st.builds(model, added_at=moments, **columns))
        return _unique(rows, lambda row: tuple(getattr(row, part) for part in key))

    return Patient(
        id=name,
        synthetic=draw(st.booleans()),
        aa_type=draw(st.sampled_from(("", *AA_TYPES))),
        sex=draw(st.sampled_from(("", "female", "male", "other"))),
        birth_year=draw(st.one_of(st.none(), st.integers(1900, 2020))),
        onset=draw(partial_dates),
        current_onset=draw(partial_dates),
        last_regrowth=draw(partial_dates),
        atopy=draw(st.sampled_from(("", "none", "dermatitis; asthma"))),
        added_at=draw(moments),
        visits=[draw(visits(name, day)) for day in sorted(set(some(days)))],
        treatments=clinical(
            Treatment, ("drug", "dose", "unit", "route", "start"), drug=some_text, dose=texts, unit=texts, route=texts,
            start=st.just(""), end=partial_dates, taper=st.sampled_from(("", "2025-10 16; 2025-11-13 8 mg")),
            stop_reason=texts, response=texts,
        ),
        salt=clinical(Salt, ("date",), date=days, total=st.floats(0, 100).map(abs)),
        clinro=clinical(ClinRO, ("date",), date=days, eyebrow=st.integers(0, 3), eyelash=st.sampled_from((None, 0, 3))),
        labs=clinical(
            Lab, ("date", "name"), date=days, name=some_text, qualifier=st.sampled_from(("", "<", ">")),
            value=st.floats(-1e9, 1e9, allow_subnormal=False).map(lambda x: x + 0.0), unit=texts, low=st.none(),
            high=numbers,
        ),
        events=clinical(
            AdverseEvent, ("kind", "start"), kind=some_text, grade=st.sampled_from((None, 1, 5)), start=partial_dates,
            end=st.just(""),
        ),
        photos=clinical(
            Photo, ("sha256",), date=days, sha256=hashes, view=texts, file=texts, width=st.just(8), height=st.just(6),
            jpeg=st.just(jpeg(8, 6)),
        ),
    )  # fmt: skip


@st.composite
def visits(draw, name, day):
    slots = draw(st.lists(st.tuples(some_text, texts, texts), max_size=2, unique=True))
    return Visit(date=day, added_at=draw(moments), captures=[draw(captures(slot)) for slot in slots])


@st.composite
def captures(draw, slot):
    made = draw(st.lists(st.tuples(moments, st.integers(0, 5), st.booleans()), min_size=1, max_size=3, unique=True))
    site, field, n = slot
    um_per_px = draw(numbers)
    return Capture(
        sha256=draw(hashes), file=draw(texts), site=site, field=field, n=n, preparation="none", device=draw(texts),
        um_per_px=um_per_px or None, scale_source=draw(texts), added_at=draw(moments),
        picture=Picture(width=9, height=7, jpeg=jpeg(9, 7)),
        readings=[draw(readings(i, *one)) for i, one in enumerate(made)],
    )  # fmt: skip


@st.composite
def readings(draw, number, when, count, by_person):
    author = "A. Kim" if by_person else "model"
    made = reading({**dict.fromkeys(SIGNS, count), "black_dot": number}, author=author)
    stored = StoredReading(
        author=author, model_name=draw(texts), model_sha256="a" * 64, vellus_cutoff_um=30.0, reading=made.to_json(),
        awaits_review=by_person and draw(st.booleans()), added_at=when,
    )  # fmt: skip
    stored.reviews = draw(st.lists(st.builds(Review, author=some_text, added_at=moments), max_size=1))
    return stored


@st.composite
def records(draw):
    """A list of patients, each with all that is known of them, ready to be stored."""
    names = draw(st.lists(st.sampled_from(("P001", "007", "x.y-z", "환자1")), max_size=3, unique=True))
    return [draw(patients(name)) for name in names]


def begun_record(path, folder, *, mark=0):
    """A small record at path: a patient with a treatment, SALT and a visit of two captures, accepted by A. Kim.

    mark: other numbers, other pictures.
    """
    with open_record(path, create=True) as session:
        add_patient(session, "P001", aa_type="totalis", onset="2011", atopy="asthma;dermatitis")
        add_treatment(session, {"patient": "P001", "drug": "drug A", "start": "2026", "taper": "2026-02  8;2026-03 4"})
        add_salt(session, {"patient": "P001", "date": "2026-03-04", "total": "62.5"})
    visit = write_visit(folder, {"vertex_1_1": 8, "vertex_1_2": 10}, mark=mark)
    plan = plan_visit(visit, "{site}_{field}_{n}", patient="P001", day=dt.date(2026, 3, 4))
    add_visit(path, plan, MadeReader(), um_per_px=10.0)
    with open_record(path, write=True) as session:
        accept_readings(session, "P001", "A. Kim")
    return path


def store(path, made):
    with open_record(path, create=True) as session:
        session.add_all(made)


def contents(path):
    """Everything the record holds, by table, without its internal numbers: what refers to a row holds that row."""
    with open_record(path) as session:
        tables = {table.name: table for table in Base.metadata.sorted_tables if table.name != "record_info"}
        found = {name: list(session.execute(table.select()).mappings()) for name, table in tables.items()}
    by_id = {name: {row["id"]: row for row in rows} for name, rows in found.items() if name != "pictures"}

    def plain(name, row):
        values = []
        for column in tables[name].columns:
            value = row[column.name]
            (reference,) = column.foreign_keys or (None,)
            if reference is not None:
                parent = reference.column.table.name
                value = plain(parent, by_id[parent][value])
            elif column.name == "id" and name != "patients":
                continue
            values.append((column.name, value))
        return tuple(values)

    return {name: sorted((plain(name, row) for row in rows), key=repr) for name, rows in found.items()}

"""Visits read anew: new readings beside the old ones, human corrections carried over by position."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from test_visits_cli import run
from trichotrack.cli.app import app
from trichotrack.geometry import Scale
from trichotrack.problems import InputError, Problem
from trichotrack.runtime.counter import Counter
from trichotrack.runtime.reading import MarkedObject, ModelRef, SignReading
from trichotrack.visits.add import add_visit
from trichotrack.visits.carry import KEPT, NEW, TOLERANCE_UM, carry_over
from trichotrack.visits.plan import plan_visit
from trichotrack.visits.readings import accept_readings
from trichotrack.visits.record import open_record
from trichotrack.visits.reread import KEPT_PICTURE, reread_patient
from trichotrack.visits.schema import Capture, StoredReading
from trichotrack.visits.story import patient_story
from visits_made import MadeReader, reading, write_visit

OTHER = ModelRef("other", "b" * 64, 1, validated=True)
UM_PER_PX = 10.0
NEAR, FAR = 0.9 * TOLERANCE_UM / UM_PER_PX, 1.1 * TOLERANCE_UM / UM_PER_PX


def marks(*places, sign="black_dot"):
    return tuple(MarkedObject(str(i), sign, float(x), 50.0) for i, x in enumerate(places))


def read_as(objects, *, author="model", refused=(), signs=("black_dot", "broken_hair")):
    counted = {name: sum(mark.sign == name for mark in objects) for name in signs}
    made = reading(counted, author=author, scale=Scale(UM_PER_PX, "option"), refused=refused, model=OTHER)
    return dataclasses.replace(made, objects=tuple(objects))


def carried(person, base, new, **options):
    return carry_over(
        read_as(person, author="A. Kim"), read_as(base), read_as(new, **options), corrects="c" * 64
    )  # fmt: skip


def xs(told):
    return sorted(mark.x for mark in told.reading.objects)


def test_what_a_person_struck_out_is_struck_out_again():
    told = carried(marks(100), base=marks(100, 200), new=marks(100 + NEAR, 200 - NEAR))
    assert xs(told) == [100 + NEAR]
    assert told.unmatched == ()


def test_what_a_person_added_is_kept_where_the_new_model_misses_it():
    told = carried(marks(100, 300), base=marks(100), new=marks(100))
    assert xs(told) == [100, 300]
    assert [(mark.x, mark.what) for mark in told.unmatched] == [(300, KEPT)]


def test_what_the_new_model_alone_finds_is_counted_and_told():
    told = carried(marks(100), base=marks(100), new=marks(100, 100 + NEAR + FAR))
    assert [(mark.x, mark.what) for mark in told.unmatched] == [(100 + NEAR + FAR, NEW)]
    assert told.reading.signs["black_dot"] == SignReading("counted", count=2, density_per_cm2=pytest.approx(20))


def test_a_pair_takes_its_place_from_the_new_model_and_its_sign_from_the_person():
    told = carried(marks(100, sign="broken_hair"), base=marks(100), new=marks(100 + NEAR))
    (mark,) = told.reading.objects
    assert (mark.sign, mark.x) == ("broken_hair", 100 + NEAR)
    assert {name: sign.count for name, sign in told.reading.signs.items()} == {"black_dot": 0, "broken_hair": 1}
    assert (told.reading.author, told.reading.corrects, told.reading.model) == ("A. Kim", "c" * 64, OTHER)


def test_beyond_the_tolerance_two_marks_are_two_structures():
    told = carried(marks(100), base=marks(100), new=marks(100 + FAR))
    assert {mark.what for mark in told.unmatched} == {KEPT, NEW}


def test_none_of_a_sign_that_the_person_never_judged_is_not_the_person_s_word():
    told = carried(marks(100), base=marks(100), new=marks(100), signs=("black_dot", "broken_hair", "yellow_dot"))
    assert told.reading.signs["yellow_dot"].count == 0
    assert (told.unmatched, told.unjudged) == ((), ("yellow_dot",))
    assert carried(marks(100), base=marks(100), new=marks(100)).unjudged == ()


def test_a_sign_that_the_new_model_refuses_is_counted_where_the_person_counted_it():
    told = carried(marks(100, sign="broken_hair"), base=(), new=(), refused=("broken_hair",))
    assert (told.reading.signs["broken_hair"].status, told.reading.signs["broken_hair"].count) == ("counted", 1)


places = st.lists(st.integers(0, 40).map(lambda i: 15.0 * i), max_size=12, unique=True)


@given(places, places, places)
def test_no_mark_of_a_person_is_ever_lost_and_each_mark_is_one_structure(person, base, new):
    told = carried(marks(*person), marks(*base), marks(*new))
    assert set(person) <= set(xs(told)), "marks 15 px apart are 150 µm apart: pairs are exact"
    assert set(xs(told)) == set(person) | (set(new) - set(base))
    assert told.reading.signs["black_dot"].count == len(told.reading.objects) == len(set(xs(told)))
    assert {mark.x for mark in told.unmatched} == set(person) ^ (set(new) - (set(base) - set(person)))


@given(places, places)
def test_the_same_model_again_changes_nothing_a_person_said(person, base):
    told = carried(marks(*person), marks(*base), marks(*base))
    assert set(xs(told)) == set(person)


class OtherReader(MadeReader):
    """Finds one mark more of each sign than MadeReader does, with another model."""

    def __init__(self):
        super().__init__(OTHER)

    def read(self, capture, /, *, scale, preparation):
        made = super().read(capture, scale=scale, preparation=preparation)
        extra = MarkedObject("extra", "black_dot", 70.0, 50.0)
        signs = {**made.signs, "black_dot": SignReading("counted", count=made.signs["black_dot"].count + 1)}
        return dataclasses.replace(made, objects=(*made.objects, extra), signs=signs)


@pytest.fixture
def record(tmp_path):
    path = tmp_path / "trichotrack.sqlite"
    for i, day in enumerate((dt.date(2026, 3, 4), dt.date(2026, 6, 1))):
        folder = write_visit(tmp_path / "originals" / str(i), {"vertex_1_1": 2, "frontal_1_1": 3}, mark=i)
        plan = plan_visit(folder, "{site}_{field}_{n}", patient="P001", day=day)
        add_visit(path, plan, MadeReader(), um_per_px=10.0)
    return path


def stored(record):
    with open_record(record) as session:
        return [
            (row.author, row.model_sha256, row.reading, row.added_at)
            for row in session.scalars(select(StoredReading).order_by(StoredReading.id))
        ]


def correct(record, **changes):
    """A. Kim's reading of the first capture: the first black dot struck out."""
    with open_record(record, write=True) as session:
        capture = session.scalars(select(Capture).order_by(Capture.id)).first()
        base = capture.readings[0]
        from trichotrack.runtime.reading import Reading

        read = Reading.from_json(base.reading)
        objects = tuple(mark for mark in read.objects if mark.id != "black_dot0")
        signs = {**read.signs, "black_dot": SignReading("counted", count=read.signs["black_dot"].count - 1)}
        mine = dataclasses.replace(read, author="A. Kim", objects=objects, signs=signs, corrects=base.sha256)
        facts = {"model_name": "made", "model_sha256": "a" * 64, "vellus_cutoff_um": 30.0}
        session.add(StoredReading(capture_id=capture.id, author="A. Kim", reading=mine.to_json(), **facts))


def test_new_readings_are_added_and_nothing_is_overwritten(record, tmp_path):
    before = stored(record)
    told = reread_patient(record, "P001", OtherReader(), captures=tmp_path / "originals")
    assert (told.read, told.known, told.kept_pictures, told.problems) == (4, 0, 0, ())
    after = stored(record)
    assert after[:4] == before
    assert [(author, model) for author, model, *_ in after[4:]] == [("model", "b" * 64)] * 4
    again = reread_patient(record, "P001", OtherReader(), captures=tmp_path / "originals")
    assert (again.read, again.known) == (0, 4)
    assert stored(record) == after


def test_corrections_are_carried_over_and_wait_for_a_look_where_marks_differ(record, tmp_path):
    correct(record)
    with open_record(record, write=True) as session:
        accept_readings(session, "P001", "A. Kim")
    told = reread_patient(record, "P001", OtherReader(), captures=tmp_path / "originals")
    assert (told.carried, [(day, mark.what) for day, _, mark in told.unmatched]) == (1, [(dt.date(2026, 3, 4), NEW)])
    with open_record(record) as session:
        first = patient_story(session, "P001").visits[0].captures[0]
        count = patient_story(session, "P001").visits[1].captures[0].reading.signs["black_dot"].count
    assert first.reading.model == OTHER
    assert first.reading.signs["black_dot"].count == count - 1, "the dot that was struck out stays so"
    assert (first.reviewed, first.earlier_readings) == (False, 3)
    with open_record(record, write=True) as session:
        assert accept_readings(session, "P001", "B. Lee") == 4
    with open_record(record) as session:
        assert patient_story(session, "P001").visits[0].captures[0].reviewed_by == "B. Lee"
        assert {capture.reviewed for capture in session.scalars(select(Capture))} == {True}


def test_without_the_originals_the_kept_pictures_are_read_and_it_is_said(record):
    told = reread_patient(record, "P001", OtherReader())
    assert (told.read, told.kept_pictures) == (4, 4)
    with open_record(record) as session:
        notices = patient_story(session, "P001").notices
    assert any(KEPT_PICTURE in notice.lower() for notice in notices)


def test_a_capture_that_cannot_be_read_is_told_and_the_others_go_on(record, tmp_path):
    class Moody(OtherReader):
        def read(self, capture, /, *, scale, preparation):
            if "frontal" in capture.file:
                raise InputError(Problem(capture.file, "is too odd to read"))
            return super().read(capture, scale=scale, preparation=preparation)

    told = reread_patient(record, "P001", Moody(), captures=tmp_path / "originals")
    assert (told.read, [problem.place for problem in told.problems]) == (2, ["frontal_1_1.png"] * 2)


def test_by_command_the_unmatched_marks_are_listed_with_what_to_do(record, tmp_path, monkeypatch):
    def bundled():
        reader = OtherReader()
        reader.spec = SimpleNamespace(vellus_cutoff_um=30.0)
        return reader

    monkeypatch.setattr(Counter, "bundled", staticmethod(bundled))
    correct(record)
    told = run(app, "reread", "P001", "--record", record, "--captures", tmp_path / "originals")
    assert f"2026-03-04  frontal_1_1.png  black_dot at 70, 50: {NEW}" in told
    assert "4 captures of P001 read anew, 0 read just so before." in told
    assert "1 mark without a counterpart: look at them, then accept with `trichotrack record accept P001`" in told
    machine = json.loads(run(app, "reread", "P001", "--record", record, "--captures", tmp_path / "originals", "--json"))
    assert (machine["read"], machine["known"], machine["unmatched"]) == (0, 4, [])
    assert "P001  2026-03-04  2 of 2 captures unreviewed" in run(app, "record", "pending", "--record", record)
    assert "black_dot: " in run(app, "patient", "counts", "P001", "--record", record)

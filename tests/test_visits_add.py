from __future__ import annotations

import datetime as dt
import io
import sqlite3
import subprocess
import sys
import textwrap

import pytest
from PIL import Image

from trichotrack.problems import InputError
from trichotrack.visits.add import add_visit
from trichotrack.visits.history import add_patient
from trichotrack.visits.plan import against_record, plan_visit
from trichotrack.visits.readings import accept_readings
from trichotrack.visits.record import open_record
from trichotrack.visits.series import ACTIVE_LOAD
from trichotrack.visits.story import patient_story
from visits_made import MadeReader, write_capture, write_visit

PATTERN = "{site}_{field}_{n}"
DAY = dt.date(2026, 3, 4)
NAMES = {"vertex_1_1": 8, "vertex_1_2": 10, "vertex_2_1": 6, "frontal_1_1": 12}


@pytest.fixture
def record(tmp_path):
    return tmp_path / "trichotrack.sqlite"


def add(record, folder, *, patient="P001", day=DAY, reader=None, pattern=PATTERN, **options):
    plan = plan_visit(folder, pattern, patient=patient, day=day)
    if record.exists():
        with open_record(record) as session:
            plan = against_record(session, plan)
    options.setdefault("um_per_px", 10.0)
    return add_visit(record, plan, reader or MadeReader(), **options), plan


def story(record, patient="P001"):
    with open_record(record) as session:
        return patient_story(session, patient)


def test_names_are_parsed_and_every_misfit_is_told_before_anything_is_read(tmp_path, record):
    folder = write_visit(tmp_path / "visit", NAMES)
    for mark, name in enumerate(("overview.png", "left_temporal_1_1.png", "Vertex_1_1.bmp"), start=90):
        write_capture(folder / name, 1, mark=mark)
    (folder / "copy_1_1.png").write_bytes((folder / "vertex_2_1.png").read_bytes())
    (folder / "notes.txt").write_text("x")
    plan = plan_visit(folder, PATTERN, patient="P001", day=DAY)
    assert {misfit.place: misfit.message for misfit in plan.misfits} == {
        "overview.png": "its name does not fit the pattern",
        "left_temporal_1_1.png": "its name does not fit the pattern",
        "vertex_1_1.png": "has the same site vertex, field 1, n 1 as Vertex_1_1.bmp",
        "vertex_2_1.png": "is the same picture as copy_1_1.png",
    }
    assert "1 other file is passed over (.txt)." in plan.notes
    assert not record.exists()


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        ("{field}_{n}", "has no {site}"),
        ("{site}_{zone}", "unknown field {zone}"),
        ("{site}{n}", "nothing separates two fields"),
        ("{site", "a brace is not closed"),
    ],
)
def test_a_pattern_that_makes_no_sense_is_refused(tmp_path, pattern, said):
    folder = write_visit(tmp_path / "visit", NAMES)
    with pytest.raises(InputError, match=said):
        plan_visit(folder, pattern, patient="P001", day=DAY)


def test_patient_and_date_in_names_must_agree(tmp_path):
    folder = write_visit(
        tmp_path / "visit", {"P001-20260304-vertex-1": 1, "P002-20260304-vertex-2": 2, "P001-20260305-vertex-3": 3}
    )
    plan = plan_visit(folder, "{patient}-{date}-{site}-{n}", patient="P001", day=DAY)
    assert len(plan.captures) == 1
    assert [misfit.message for misfit in plan.misfits] == [
        "its name says 20260305, not 2026-03-04",
        "its name says patient P002, not P001",
    ]
    assert "taken as repeats" not in " ".join(plan.notes)


def test_without_field_the_captures_of_a_site_are_repeats_and_it_is_said(tmp_path):
    folder = write_visit(tmp_path / "visit", {"vertex_1": 1, "vertex_2": 2})
    plan = plan_visit(folder, "{site}_{n}", patient="P001", day=DAY)
    assert "taken as repeats of one spot" in plan.notes[0]


def test_the_record_keeps_of_a_name_only_what_it_says_of_the_spot(tmp_path, record):
    folder = write_visit(tmp_path / "visit" / "Kim Minji", {"KIM-MINJI_Vertex_1_2": 3})
    added, _ = add(record, folder.parent, pattern="{any}_{site}_{field}_{n}")
    assert [reading.file for reading in added.readings] == ["vertex_1_2.png"]
    assert [one.file for visit in story(record).visits for one in visit.captures] == ["vertex_1_2.png"]
    assert b"inji" not in record.read_bytes()


def test_a_visit_is_read_and_stored_with_its_densities(tmp_path, record):
    added, _ = add(record, write_visit(tmp_path / "visit", NAMES))
    assert (added.added, added.known, added.problems) == (4, 0, ())
    told = story(record)
    (visit,) = told.visits
    assert [(c.site, c.field, c.n) for c in visit.captures] == [
        ("frontal", "1", "1"), ("vertex", "1", "1"), ("vertex", "1", "2"), ("vertex", "2", "1"),
    ]  # fmt: skip
    dots = next(series for series in told.series if series.name == "black_dot")
    area = 60 * 80 * (10e-4) ** 2
    assert dots.sites["vertex"][0].count == (8 + 10) / 2 + 6
    assert dots.sites["vertex"][0].exposure_cm2 == pytest.approx(2 * area)
    assert dots.pooled[0].count == 15 + 12
    assert told.series[0].name == ACTIVE_LOAD
    assert told.series[0].pooled[0].count == 3 * (15 + 12)
    assert told.notices[0] == "Made model: nothing it says is true."
    assert told.notices[1].startswith("4 of 4 readings are unreviewed")


def test_run_twice_it_reads_and_adds_nothing_twice(tmp_path, record):
    folder = write_visit(tmp_path / "visit", NAMES)
    add(record, folder)
    before = story(record)
    reader = MadeReader()
    added, plan = add(record, folder, reader=reader)
    assert (added.added, added.known, len(plan.captures), plan.misfits) == (0, 4, 0, ())
    assert reader.read_files == []
    assert story(record) == before


def test_a_renamed_copy_of_a_known_capture_is_known_by_its_content(tmp_path, record):
    folder = write_visit(tmp_path / "visit", NAMES)
    add(record, folder)
    (folder / "vertex_1_1.png").rename(folder / "vertex_9_9.png")
    added, _ = add(record, folder)
    assert (added.added, added.known) == (0, 4)


def test_the_same_picture_at_another_patient_or_visit_is_a_misfit(tmp_path, record):
    folder = write_visit(tmp_path / "visit", NAMES)
    add(record, folder)
    for patient, day in (("P002", DAY), ("P001", dt.date(2026, 6, 1))):
        _, plan = add(record, folder, patient=patient, day=day)
        assert plan.captures == ()
        assert all("is the same picture as" in misfit.message for misfit in plan.misfits)
        assert "of P001 on 2026-03-04" in plan.misfits[0].message
    assert len(story(record).visits) == 1


def test_another_picture_in_a_taken_place_is_a_misfit_and_nothing_is_overwritten(tmp_path, record):
    add(record, write_visit(tmp_path / "visit", NAMES))
    _, plan = add(record, write_visit(tmp_path / "again", {"vertex_1_1": 20}, mark=3))
    assert "is another picture than vertex_1_1.png, which this visit has at site vertex" in plan.misfits[0].message


def test_a_bad_capture_is_told_and_the_others_are_kept(tmp_path, record):
    folder = write_visit(tmp_path / "visit", NAMES)
    write_capture(folder / "vertex_3_1.png", -34, mark=70)  # value 66: the reader refuses it
    (folder / "vertex_4_1.png").write_bytes(b"")
    (folder / "vertex_5_1.jpg").write_text("not a picture")
    added, _ = add(record, folder)
    assert added.added == 4
    assert [problem.place for problem in added.problems] == ["vertex_3_1.png", "vertex_4_1.png", "vertex_5_1.jpg"]
    write_capture(folder / "vertex_4_1.png", 5, mark=71)  # mended: the next run adds it alone
    again, _ = add(record, folder)
    assert (again.added, again.known) == (1, 4)


def test_where_nothing_can_be_read_there_is_no_empty_visit(tmp_path, record):
    folder = tmp_path / "visit"
    write_capture(folder / "vertex_1_1.png", -34)
    added, _ = add(record, folder)
    assert added.added == 0
    assert not record.exists()


def test_the_kept_picture_is_upright_small_and_without_exif(tmp_path, record):
    folder = tmp_path / "visit"
    folder.mkdir()
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by 90 degrees
    exif[0x010F] = "secret maker"
    Image.new("RGB", (2000, 1000), (108, 108, 108)).save(folder / "vertex_1_1.jpg", exif=exif)
    add(record, folder)
    (capture,) = story(record).visits[0].captures
    assert capture.picture_size_px == (640, 1280)
    assert (capture.reading.width, capture.reading.height) == (1000, 2000)
    kept = Image.open(io.BytesIO(capture.picture))
    assert kept.size == (640, 1280)
    assert not kept.getexif()
    assert b"secret" not in capture.picture
    assert capture.reading.file == "vertex_1_1.jpg", "the clinic's own path is not kept"


def test_the_width_of_the_field_gives_each_capture_its_scale(tmp_path, record):
    add(record, write_visit(tmp_path / "visit", NAMES), um_per_px=None, field_width_mm=0.8)
    assert story(record).visits[0].captures[0].reading.scale.um_per_px == pytest.approx(10)


def test_wrong_options_are_refused_before_reading(tmp_path, record):
    folder = write_visit(tmp_path / "visit", NAMES)
    with pytest.raises(InputError, match="is not a preparation"):
        add(record, folder, preparation="combed")
    with pytest.raises(InputError, match="the scale is given twice"):
        add(record, folder, field_width_mm=8.0)


def test_a_new_site_and_a_new_patient_are_pointed_out(tmp_path, record):
    add(record, write_visit(tmp_path / "visit", NAMES))
    other = write_visit(tmp_path / "next", {"vertx_1_1": 3}, mark=5)
    with open_record(record) as session:
        later = against_record(session, plan_visit(other, PATTERN, patient="P001", day=dt.date(2026, 6, 1)))
        new = against_record(session, plan_visit(other, PATTERN, patient="P002", day=DAY))
    assert "P001 has no earlier captures at vertx (but at frontal, vertex)." in later.notes
    assert "P002 is new in this record." in new.notes


def two_visits(tmp_path, record):
    names = [f"{site}_{field}_1" for site in ("vertex", "frontal") for field in (1, 2, 3)]
    add(record, write_visit(tmp_path / "v1", dict.fromkeys(names, 12), mark=1))
    add(record, write_visit(tmp_path / "v2", dict.fromkeys(names, 1), mark=2), day=dt.date(2026, 6, 1))


def test_verdicts_wait_for_review_and_then_carry_the_reviewer(tmp_path, record):
    two_visits(tmp_path, record)
    assert {verdict.outcome for verdict in story(record).verdicts} == {"cannot tell"}
    with open_record(record, write=True) as session:
        assert accept_readings(session, "P001", "A. Kim", "2026-03-04") == 6
    assert {verdict.outcome for verdict in story(record).verdicts} == {"cannot tell"}
    with open_record(record, write=True) as session:
        assert accept_readings(session, "P001", "A. Kim") == 6
        assert accept_readings(session, "P001", "B. Lee") == 0
    told = story(record)
    assert told.headline == "Activity signs fell; regrowth not shown. Terminal hairs fell."
    assert {capture.reviewed_by for visit in told.visits for capture in visit.captures} == {"A. Kim"}
    assert not any("unreviewed" in notice for notice in told.notices)


def test_a_synthetic_patient_shows_verdicts_and_says_synthetic_first(tmp_path, record):
    with open_record(record, create=True) as session:
        add_patient(session, "P001", synthetic=True)
    two_visits(tmp_path, record)
    told = story(record)
    assert told.headline == "Synthetic patient: Activity signs fell; regrowth not shown. Terminal hairs fell."
    assert told.notices[0].startswith("Synthetic patient: made up")
    assert all(verdict.sentence.startswith("Synthetic patient: ") for verdict in told.verdicts)


def test_a_person_s_reading_counts_before_a_model_s_and_both_are_kept(tmp_path, record):
    from sqlalchemy import select

    from trichotrack.visits.schema import Capture, StoredReading
    from visits_made import SIGNS, reading

    add(record, write_visit(tmp_path / "visit", {"vertex_1_1": 8}))
    marked = reading(dict.fromkeys(SIGNS, 3), author="A. Kim")
    with open_record(record, write=True) as session:
        capture = session.scalars(select(Capture)).one()
        facts = {"model_name": "made", "model_sha256": "a" * 64, "vellus_cutoff_um": 30.0}
        session.add(StoredReading(capture_id=capture.id, author="A. Kim", reading=marked.to_json(), **facts))
        later = reading(dict.fromkeys(SIGNS, 9))
        session.add(StoredReading(capture_id=capture.id, author="model", reading=later.to_json(), **facts))
    (kept,) = story(record).visits[0].captures
    assert kept.reading.signs["black_dot"].count == 3
    assert (kept.reviewed, kept.reviewed_by, kept.earlier_readings) == (True, "A. Kim", 2)


def test_killed_while_writing_it_leaves_nothing_half_done(tmp_path, record):
    add(record, write_visit(tmp_path / "v1", NAMES, mark=1))
    folder = write_visit(tmp_path / "v2", NAMES, mark=2)
    script = f"""
        import datetime as dt, os, signal, sys
        from pathlib import Path
        sys.path.insert(0, {str(tmp_path.parent)!r}); sys.path.insert(0, {sys.path[0]!r})
        from visits_made import MadeReader
        from sqlalchemy import event
        from sqlalchemy.orm import Session
        from trichotrack.visits.add import add_visit
        from trichotrack.visits.plan import plan_visit
        event.listen(Session, "before_commit", lambda _: os.kill(os.getpid(), signal.SIGKILL))
        plan = plan_visit(Path({str(folder)!r}), {PATTERN!r}, patient="P001", day=dt.date(2026, 6, 1))
        add_visit({str(record)!r}, plan, MadeReader(), um_per_px=10.0)
    """
    if not hasattr(__import__("signal"), "SIGKILL"):
        pytest.skip("kill -9 needs POSIX")
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True, check=False)
    assert done.returncode == -9, done.stderr
    connection = sqlite3.connect(record)
    try:
        tables = ("visits", "captures", "pictures", "readings")
        counted = [connection.execute(f"SELECT count(*) FROM {t}").fetchone()[0] for t in tables]  # noqa: S608
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    finally:
        connection.close()
    assert counted == [1, 4, 4, 4]
    added, _ = add(record, folder, day=dt.date(2026, 6, 1))
    assert added.added == 4

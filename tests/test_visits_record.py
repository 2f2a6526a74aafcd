from __future__ import annotations

import datetime as dt
import sqlite3

import pytest

from trichotrack.problems import InputError
from trichotrack.visits.dates import first_day, full_date, last_day
from trichotrack.visits.history import (
    SALT_WEIGHTS,
    add_patient,
    add_salt,
    add_treatment,
    import_salt,
    import_treatments,
)
from trichotrack.visits.readings import accept_readings
from trichotrack.visits.record import open_record
from trichotrack.visits.schema import SCHEMA_VERSION
from trichotrack.visits.story import patient_story


@pytest.fixture
def record(tmp_path):
    path = tmp_path / "trichotrack.sqlite"
    with open_record(path, create=True) as session:
        add_patient(session, "P001", aa_type="totalis", onset="2011")
    return path


def story(record, patient="P001"):
    with open_record(record) as session:
        return patient_story(session, patient)


def rows(record, table):
    connection = sqlite3.connect(record)
    try:
        return connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]  # noqa: S608
    finally:
        connection.close()


def test_a_transaction_that_fails_leaves_nothing_behind(record):
    def half_done():
        with open_record(record, write=True) as session:
            add_patient(session, "P002")
            add_treatment(session, {"patient": "P001", "drug": "drug A"})
            raise RuntimeError

    with pytest.raises(RuntimeError):
        half_done()
    assert (rows(record, "patients"), rows(record, "treatments")) == (1, 0)


def test_a_new_record_whose_first_command_fails_is_begun_again_by_the_next(tmp_path):
    path = tmp_path / "new.sqlite"
    with pytest.raises(RuntimeError), open_record(path, create=True):
        raise RuntimeError
    with open_record(path, create=True) as session:
        add_patient(session, "P001")
    assert rows(path, "patients") == 1


def test_foreign_keys_are_held_and_the_journal_is_a_write_ahead_log(record):
    from sqlalchemy import text

    with open_record(record) as session:
        assert session.scalar(text("PRAGMA foreign_keys")) == 1
        assert session.scalar(text("PRAGMA journal_mode")) == "wal"
    with pytest.raises(InputError, match="nothing was written"), open_record(record, write=True) as session:
        session.execute(
            text("INSERT INTO visits (patient_id, date, added_at) VALUES ('P999', '2026-01-01', '2026-01-01')")
        )


def test_a_record_of_a_newer_version_is_refused_in_a_sentence_and_left_alone(record):
    connection = sqlite3.connect(record)
    connection.execute("UPDATE record_info SET schema_version = 99")
    connection.commit()
    connection.close()
    with (
        pytest.raises(InputError, match=rf"newer trichotrack \(record version 99; this one reads {SCHEMA_VERSION}\)"),
        open_record(record),
    ):
        pass


def test_what_is_no_record_is_refused_in_a_sentence(tmp_path):
    text = tmp_path / "notes.txt"
    text.write_text("This is not a database, and long enough.")
    other = tmp_path / "other.sqlite"
    connection = sqlite3.connect(other)
    connection.execute("CREATE TABLE things (id)")
    connection.commit()
    connection.close()
    damaged = tmp_path / "damaged.sqlite"
    damaged.write_bytes(b"SQLite format 3\0" + b"\xff" * 4000)
    for path, said in (
        (tmp_path / "none.sqlite", "there is no record here"),
        (tmp_path, "is a folder"),
        (text, "is not a SQLite file"),
        (other, "not a record of trichotrack"),
        (damaged, "cannot be used as a record"),
    ):
        with pytest.raises(InputError, match=said), open_record(path):
            pass
    with pytest.raises(InputError, match="folder does not exist"), open_record(tmp_path / "a" / "b", create=True):
        pass
    with pytest.raises(InputError, match="not a record"), open_record(other, create=True):
        pass


def test_a_second_writer_waits_rather_than_loses_what_it_read(record, monkeypatch):
    monkeypatch.setattr("trichotrack.visits.record.BUSY_TIMEOUT_MS", 50)
    with open_record(record, write=True) as first:
        add_patient(first, "P002")
        with pytest.raises(InputError, match="Another program is writing"), open_record(record, write=True):
            pass
        with open_record(record):
            pass  # reading goes on meanwhile
    assert rows(record, "patients") == 2


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [
        ("2011", dt.date(2011, 1, 1), dt.date(2011, 12, 31)),
        ("2012-02", dt.date(2012, 2, 1), dt.date(2012, 2, 29)),
        ("2026-03-04", dt.date(2026, 3, 4), dt.date(2026, 3, 4)),
        ("", None, None),
    ],
)
def test_a_partial_date_spans_the_days_it_can_mean(text, first, last):
    assert (first_day(text), last_day(text)) == (first, last)


@pytest.mark.parametrize(
    "text",
    [
        "04.03.2026",
        "2026-3-4",
        "20260304",
        "2026-02-30",
        "2026-13",
        "2026-00",
        "2026-03-00",
        "0000",
        "soon",
        "2026-03-04 ",
    ],
)
def test_what_is_no_iso_date_is_refused(text):
    with pytest.raises(InputError, match="is not a date"):
        full_date(text)
    with pytest.raises(InputError, match="is not a date"):
        last_day(text)


def test_a_visit_needs_a_full_date():
    assert full_date("2026-03-04") == dt.date(2026, 3, 4)
    with pytest.raises(InputError, match="write it as 2026-03-04"):
        full_date("2026-03")


def test_all_faults_of_a_patient_are_told_at_once(record):
    with open_record(record, write=True) as session, pytest.raises(InputError) as caught:
        add_patient(session, "P003", aa_type="spotty", sex="f", birth_year=98, onset="spring")
    assert [problem.column for problem in caught.value.problems] == ["aa_type", "sex", "birth_year", "onset"]
    with open_record(record, write=True) as session, pytest.raises(InputError, match="not a pseudonym"):
        add_patient(session, "Jane Doe")


def test_adding_a_patient_again_fills_blanks_and_never_overwrites(record):
    with open_record(record, write=True) as session:
        assert str(add_patient(session, "P001", sex="male")) == "1 completed"
        assert str(add_patient(session, "P001", sex="male")) == "1 already in the record"
    with open_record(record, write=True) as session, pytest.raises(InputError, match="differs from the record"):
        add_patient(session, "P001", sex="female")
    with open_record(record, write=True) as session, pytest.raises(InputError, match="not as synthetic"):
        add_patient(session, "P001", synthetic=True)
    assert (story(record).patient.sex, story(record).patient.aa_type) == ("male", "totalis")


def test_treatments_take_partial_dates_and_are_completed_later(record):
    cells = {"patient": "P001", "drug": "drug A", "dose": "4", "unit": "mg/day", "start": "2026-01"}
    with open_record(record, write=True) as session:
        assert add_treatment(session, cells).new == 1
        assert add_treatment(session, cells).known == 1
        assert add_treatment(session, {**cells, "end": "2026-05-20", "stop_reason": "remission"}).completed == 1
    (told,) = story(record).treatments
    assert (told.label, told.start_day, told.end_day) == ("drug A 4 mg/day", dt.date(2026, 1, 1), dt.date(2026, 5, 20))
    with open_record(record, write=True) as session, pytest.raises(InputError, match="which has '2026-05-20'"):
        add_treatment(session, {**cells, "end": "2026-06-01"})


def test_a_table_of_treatments_is_imported_whole_or_not_at_all_with_every_fault(record, tmp_path):
    table = tmp_path / "treatments.csv"
    table.write_text(
        "patient;drug;dose;unit;start;end\n"
        "P001;drug A;4;mg/day;2026-01;\n"
        "P002;drug B;50-25;mg/day;2026-05;\n"
        "P001;;4;mg/day;2026;\n"
        "P001;drug C;1;mg;2026-05;2026-01\n"
        "P001;drug D;1;mg;03/04/2026;\n",
        encoding="utf-8-sig",
    )
    with pytest.raises(InputError) as caught, open_record(record, write=True) as session:
        import_treatments(session, table)
    found = [(problem.row, problem.column) for problem in caught.value.problems]
    assert found == [(3, "patient"), (4, "drug"), (5, "end"), (6, "start")]
    assert rows(record, "treatments") == 0
    table.write_text("patient,drug,dose,unit,start\nP001,drug A,4,mg/day,2026-01\nP001,drug B,50,mg/day,2026-05\n")
    for expected in ("2 added", "2 already in the record"):
        with open_record(record, write=True) as session:
            assert str(import_treatments(session, table)) == expected


def test_a_column_nobody_knows_is_refused_rather_than_lost(record, tmp_path):
    table = tmp_path / "treatments.csv"
    table.write_text("patient,drug,tapered\nP001,drug A,slow\n")
    with (
        pytest.raises(InputError, match="column tapered: is not a column"),
        open_record(record, write=True) as session,
    ):
        import_treatments(session, table)


def test_salt_weights_are_the_published_ones_and_make_a_whole():
    assert SALT_WEIGHTS == {"top": 0.40, "back": 0.24, "left": 0.18, "right": 0.18}
    assert sum(SALT_WEIGHTS.values()) == pytest.approx(1)


@pytest.mark.parametrize(
    ("cells", "total"),
    [
        ({"top": "100", "back": "100", "left": "100", "right": "100"}, 100),
        ({"top": "100", "back": "0", "left": "0", "right": "0"}, 40),
        ({"top": "10", "back": "20", "left": "30", "right": "40"}, 21.4),
        ({"top": "10", "back": "20", "left": "30", "right": "40", "total": "21"}, 21.4),
        ({"total": "62.5"}, 62.5),
    ],
)
def test_salt_is_the_weighted_sum_of_its_regions_or_the_total_given(record, cells, total):
    with open_record(record, write=True) as session:
        add_salt(session, {"patient": "P001", "date": "2026-03-04", **cells})
    (point,) = story(record).salt
    assert point.total == pytest.approx(total)


@pytest.mark.parametrize(
    ("cells", "said"),
    [
        ({"top": "10", "back": "20"}, "left, right missing"),
        ({}, "is missing, and so are the regions"),
        (
            {"top": "10", "back": "20", "left": "30", "right": "40", "total": "40"},
            "not the weighted sum of the regions, 21.4",
        ),
        ({"total": "120"}, "not a percentage"),
        ({"total": "many"}, "is not a number"),
        ({"total": "12", "date": "2026-03"}, "not a full date"),
        ({"total": "12", "patient": "P009"}, "no such patient"),
    ],
)
def test_salt_that_cannot_be_is_refused_in_words(record, cells, said):
    with pytest.raises(InputError, match=said), open_record(record, write=True) as session:
        add_salt(session, {"patient": "P001", "date": "2026-03-04", **cells})
    assert rows(record, "salt") == 0


def test_a_table_of_salt_is_imported_once_and_contradictions_are_refused(record, tmp_path):
    table = tmp_path / "salt.csv"
    table.write_text(
        "patient,date,top,back,left,right,total\nP001,2026-01-05,100,100,100,100,\nP001,2026-04-05,,,,,30.5\n"
    )
    for expected in ("2 added", "2 already in the record"):
        with open_record(record, write=True) as session:
            assert str(import_salt(session, table)) == expected
    table.write_text("patient,date,total\nP001,2026-04-05,31.5\n")
    said = r"row 2, column total: differs from the record, which has 30.5"
    with pytest.raises(InputError, match=said), open_record(record, write=True) as session:
        import_salt(session, table)


def test_a_mistyped_patient_is_answered_with_the_nearest(record):
    with open_record(record) as session, pytest.raises(InputError, match="Did you mean P001"):
        patient_story(session, "P01")


def test_a_patient_without_visits_has_a_story_and_nothing_to_accept(record):
    told = story(record)
    assert (told.headline, told.visits, told.verdicts) == ("No visit so far.", (), ())
    with open_record(record, write=True) as session, pytest.raises(InputError, match="has no visit"):
        accept_readings(session, "P001", "A. Kim")

"""The record in PostgreSQL: the same promises as in one SQLite file."""

from __future__ import annotations

import importlib.util

import pytest

import postgres_server
from records_made import begun_record, contents
from test_visits_killed import COMMIT, killed
from trichotrack.problems import InputError
from trichotrack.visits import upgrade
from trichotrack.visits.amend import amend
from trichotrack.visits.freeze import freeze_record
from trichotrack.visits.history import add_patient
from trichotrack.visits.overview import needs_review, sign_counts, visits
from trichotrack.visits.record import open_record, record_exists, shown
from trichotrack.visits.schema import Base
from trichotrack.visits.story import patient_story
from trichotrack.visits.transfer import export_record, import_record

BINARIES = postgres_server.programs()

pytestmark = [
    pytest.mark.skipif(BINARIES is None, reason="PostgreSQL is not installed (Debian: apt-get install postgresql)"),
    pytest.mark.skipif(importlib.util.find_spec("pg8000") is None, reason="pg8000 is not installed"),
]


@pytest.fixture(scope="module")
def databases():
    with postgres_server.server(BINARIES) as new_database:
        yield new_database


@pytest.fixture
def url(databases, request):
    return databases(request.node.name[:50])


def test_it_holds_what_sqlite_holds_and_gives_the_same_hash(url, tmp_path):
    begun_record(url, tmp_path / "visit")
    with open_record(url) as session:
        export_record(session, tmp_path / "out")
        sha256 = freeze_record(session, tmp_path / "frozen")
        told = patient_story(session, "P001")
        lists = visits(session), needs_review(session), sign_counts(session, "P001")
    path = tmp_path / "trichotrack.sqlite"
    with open_record(path, create=True) as session:
        import_record(session, tmp_path / "out")
    assert contents(path) == contents(url)
    with open_record(path) as session:
        assert freeze_record(session, tmp_path / "again") == sha256
        assert patient_story(session, "P001").series == told.series
        assert (visits(session), needs_review(session), sign_counts(session, "P001")) == lists
    with open_record(url, write=True) as session:
        assert all(added.new == 0 for added in import_record(session, tmp_path / "out").values())


def test_what_was_entered_wrongly_is_amended_as_in_sqlite(url, tmp_path):
    path = tmp_path / "trichotrack.sqlite"
    by = {"author": "A. Kim", "reason": "typed wrongly"}
    told = []
    for place in (url, path):
        begun_record(place, tmp_path / "visit")
        with open_record(place, write=True) as session:
            done = [
                *amend(session, "salt", "P001", {"date": "2026-03-04"}, {"total": "6.25"}, **by).rows,
                *amend(session, "treatments", "P001", {}, {"start": "2026-01-20"}, **by).rows,
                *amend(session, "captures", "P001", {"n": "1"}, {"um_per_px": "5", "date": "2026-03-05"}, **by).rows,
                *amend(session, "captures", "P001", {"n": "2"}, None, **by).rows,
            ]
        told.append([one.sentence for one in done])
    assert told[0] == told[1]
    assert len(told[0]) == 5, "the visit went with its last capture"
    with open_record(url) as session:
        assert [visit.date.isoformat() for visit in patient_story(session, "P001").visits] == ["2026-03-05"]
        assert len(patient_story(session, "P001").amended) == 5


def test_a_failed_or_killed_import_leaves_nothing(url, tmp_path):
    begun_record(tmp_path / "there.sqlite", tmp_path / "visit")
    with open_record(tmp_path / "there.sqlite") as session:
        export_record(session, tmp_path / "out")
    with open_record(url, create=True) as session:
        add_patient(session, "P002")
    before = contents(url)

    def work():
        with open_record(url, write=True) as session:
            import_record(session, tmp_path / "out")

    for moment in (12, COMMIT):
        assert killed(work, moment)
        assert contents(url) == before
    (tmp_path / "out" / "salt.csv").write_text("patient,date,total\nP001,2026-13-01,5\n")
    with pytest.raises(InputError):
        work()
    assert contents(url) == before


def test_a_second_writer_waits_rather_than_loses_what_it_read(url, monkeypatch):
    monkeypatch.setattr("trichotrack.visits.record.BUSY_TIMEOUT_MS", 50)
    with open_record(url, create=True) as first:
        add_patient(first, "P001")
        with pytest.raises(InputError, match="Another program is writing"), open_record(url, write=True):
            pass
    with open_record(url, write=True) as first:
        add_patient(first, "P002")
        with open_record(url) as other:  # reading goes on meanwhile
            assert [row["patient"] for row in visits(other)] == []


def test_the_steps_lead_to_the_tables_of_this_version(url):
    from alembic import command
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext
    from sqlalchemy import create_engine

    engine = create_engine(url)
    with engine.begin() as connection:
        command.upgrade(upgrade._config(connection), "head")
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []
    engine.dispose()


def test_what_is_no_record_is_refused_in_a_sentence_without_the_password(url):
    from sqlalchemy import create_engine, text

    assert not record_exists(url)
    assert "secret" not in shown(url)
    with pytest.raises(InputError, match="there is no record here"), open_record(url):
        pass
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE things (id integer)"))
    engine.dispose()
    with pytest.raises(InputError, match="is a database, but not a record") as caught, open_record(url):
        pass
    assert "secret" not in str(caught.value)


def test_a_newer_record_is_refused(url):
    from sqlalchemy import text

    with open_record(url, create=True) as session:
        session.execute(text("UPDATE record_info SET schema_version = 99"))
    with pytest.raises(InputError, match="newer trichotrack"), open_record(url):
        pass


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ("postgresql+pg8000://me:secret@/x?unix_sock=/nowhere/.s.PGSQL.1", "cannot be reached"),
        ("mysql://me:secret@host/x", "neither a file nor a PostgreSQL database"),
        ("postgresql+nothing://me:secret@host/x", "unknown driver"),
        ("postgresql://me:secret@host:port/x", "is not a URL"),
    ],
)
def test_a_database_that_cannot_be_reached_is_said_without_the_password(place, said):
    with pytest.raises(InputError, match=said) as caught, open_record(place):
        pass
    assert "secret" not in str(caught.value)

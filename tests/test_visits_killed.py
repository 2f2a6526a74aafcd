"""Killed at any moment (kill -9), the record loses nothing that was confirmed and shows nothing half-done."""

from __future__ import annotations

import os
import signal
import sqlite3

import pytest
from sqlalchemy import Engine, event

from records_made import begun_record, contents
from test_visits_upgrade import VERSION_1
from trichotrack.visits.history import add_patient
from trichotrack.visits.record import open_record
from trichotrack.visits.reread import reread_patient
from trichotrack.visits.schema import SCHEMA_VERSION
from trichotrack.visits.transfer import export_record, import_record
from visits_made import MODEL, MadeReader

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="kill -9 and fork need POSIX")

STATEMENTS = (1, 4, 9, 20, 35)
"""How many statements the process has run when it is killed."""

COMMIT = "commit"


def killed(work, moment):
    """Runs work in a process of its own and kills it at the moment; whether it lived to be killed there."""
    child = os.fork()
    if child == 0:
        try:
            _die_at(moment)
            work()
        finally:
            os._exit(0)  # reached only where the moment never came
    return os.WIFSIGNALED(os.waitpid(child, 0)[1])


def _die_at(moment):
    def die(*_arguments):
        os.kill(os.getpid(), signal.SIGKILL)

    if moment == COMMIT:
        event.listen(Engine, "commit", die)
        return
    run = []

    def count(*_arguments):
        run.append(1)
        if len(run) == moment:
            die()

    event.listen(Engine, "after_cursor_execute", count)


def whole(path):
    connection = sqlite3.connect(path)
    try:
        return connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    finally:
        connection.close()


@pytest.fixture
def record(tmp_path):
    return begun_record(tmp_path / "trichotrack.sqlite", tmp_path / "visit")


@pytest.mark.parametrize("moment", [*STATEMENTS, COMMIT])
def test_an_import_that_is_killed_leaves_the_record_as_it_was(record, tmp_path, moment):
    other = begun_record(tmp_path / "other.sqlite", tmp_path / "others", mark=3)
    with open_record(other) as session:
        export_record(session, tmp_path / "out")
    for path in (tmp_path / "out").glob("*.csv"):
        path.write_text(path.read_text().replace("P001", "P002"))
    before = contents(record)

    def work():
        with open_record(record, write=True) as session:
            import_record(session, tmp_path / "out")

    assert killed(work, moment)
    assert whole(record)
    assert contents(record) == before
    work()  # the next one finds the record free
    assert len(contents(record)["patients"]) == 2


@pytest.mark.parametrize("moment", [1, 6, 14, 30, COMMIT])
def test_an_upgrade_that_is_killed_leaves_the_old_record(tmp_path, moment):
    path = tmp_path / "old.sqlite"
    connection = sqlite3.connect(path)
    connection.executescript(VERSION_1.read_text(encoding="utf-8"))
    connection.close()

    def work():
        with open_record(path, write=True):
            pass

    def version():
        connection = sqlite3.connect(path)
        try:
            return connection.execute("SELECT schema_version FROM record_info").fetchone()[0]
        finally:
            connection.close()

    assert killed(work, moment)
    assert (whole(path), version()) == (True, 1)
    work()
    assert version() == SCHEMA_VERSION


def test_a_reread_that_is_killed_leaves_no_reading(record):
    class Other(MadeReader):
        def read(self, capture, /, *, scale, preparation):
            made = super().read(capture, scale=scale, preparation=preparation)
            return made.__class__(**{**made.__dict__, "software": "another"})

    before = contents(record)
    for moment in (12, COMMIT):
        assert killed(lambda: reread_patient(record, "P001", Other(MODEL)), moment)
        assert contents(record) == before
    assert reread_patient(record, "P001", Other(MODEL)).read == 2


def test_what_was_confirmed_is_there_after_a_kill(record):
    def work():
        for number in range(2, 5):
            with open_record(record, write=True) as session:
                add_patient(session, f"P00{number}")
        os.kill(os.getpid(), signal.SIGKILL)

    assert killed(work, moment=10**6)
    assert len(contents(record)["patients"]) == 4


def test_an_export_that_is_killed_leaves_no_folder_that_looks_whole(record, tmp_path):
    def work():
        with open_record(record) as session:
            export_record(session, tmp_path / "out")

    assert killed(work, 9)
    assert not (tmp_path / "out").exists()
    work()
    assert (tmp_path / "out" / "patients.csv").is_file()

"""An older record is brought up to the tables of this version, whole or not at all."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from trichotrack.problems import InputError
from trichotrack.visits import upgrade
from trichotrack.visits.history import add_patient
from trichotrack.visits.record import open_record
from trichotrack.visits.schema import SCHEMA_VERSION, Base, reading_sha256
from trichotrack.visits.story import patient_story

VERSION_1 = Path(__file__).parent / "record_v1.sql"
"""A record as version 1 wrote it: one patient, two visits of one capture, the first reviewed by A. Kim."""


@pytest.fixture
def old(tmp_path):
    path = tmp_path / "old.sqlite"
    connection = sqlite3.connect(path)
    connection.executescript(VERSION_1.read_text(encoding="utf-8"))
    connection.execute("PRAGMA journal_mode=WAL")
    connection.close()
    return path


def ask(path, query):
    connection = sqlite3.connect(path)
    try:
        return connection.execute(query).fetchall()
    finally:
        connection.close()


def test_a_record_of_version_1_is_read_and_is_of_this_version_then(old):
    with open_record(old) as session:
        told = patient_story(session, "P001")
    assert [visit.captures[0].reviewed_by for visit in told.visits] == ["A. Kim", ""]
    assert (told.treatments[0].label, told.salt[0].total) == ("drug A 4 mg/day", 62.5)
    assert ask(old, "SELECT schema_version FROM record_info") == [(SCHEMA_VERSION,)]
    assert ask(old, "SELECT reviewed FROM captures ORDER BY id") == [(1,), (0,)]
    for reading, sha256 in ask(old, "SELECT reading, sha256 FROM readings"):
        assert sha256 == reading_sha256(reading)


def test_writing_to_a_record_of_version_1_upgrades_it_in_the_same_transaction(old):
    with pytest.raises(InputError), open_record(old, write=True) as session:
        add_patient(session, "P 002")
    assert ask(old, "SELECT schema_version FROM record_info") == [(1,)]
    with open_record(old, write=True) as session:
        add_patient(session, "P002")
    assert ask(old, "SELECT id FROM patients ORDER BY id") == [("P001",), ("P002",)]


def test_an_upgrade_that_fails_leaves_the_record_as_it_was(old, monkeypatch):
    before = ask(old, "SELECT sql FROM sqlite_master ORDER BY name")

    whole = upgrade.upgrade_tables

    def broken(connection, version):
        whole(connection, version)
        raise InputError("The power went.")

    monkeypatch.setattr(upgrade, "upgrade_tables", broken)
    with pytest.raises(InputError, match="The power went"), open_record(old):
        pass
    assert ask(old, "SELECT sql FROM sqlite_master ORDER BY name") == before
    assert ask(old, "SELECT schema_version FROM record_info") == [(1,)]


def test_the_steps_lead_to_the_same_tables_as_a_new_record_has(old, tmp_path):
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    new = tmp_path / "new.sqlite"
    with open_record(new, create=True):
        pass
    for path in (old, new):
        with open_record(path, write=True) as session:
            context = MigrationContext.configure(session.connection(), opts={"compare_type": True})
            assert compare_metadata(context, Base.metadata) == []
    versions = "SELECT version_num FROM alembic_version"
    assert ask(old, versions) == ask(new, versions) == [(f"{SCHEMA_VERSION:04d}",)]


def test_the_first_step_makes_the_tables_of_version_1(old, tmp_path):
    from alembic import command
    from sqlalchemy import create_engine

    again = tmp_path / "again.sqlite"
    engine = create_engine(f"sqlite:///{again}")
    with engine.begin() as connection:
        command.upgrade(upgrade._config(connection), "0001")
    engine.dispose()
    columns = (
        'SELECT m.name, c.name, c.type, c."notnull", c.pk FROM sqlite_master AS m, pragma_table_info(m.name) AS c '
        "WHERE m.type = 'table' AND m.name <> 'alembic_version' ORDER BY 1, 2"
    )
    indices = (
        'SELECT m.name, i."unique", group_concat(c.name) FROM sqlite_master AS m, pragma_index_list(m.name) AS i, '
        "pragma_index_info(i.name) AS c WHERE m.name <> 'alembic_version' GROUP BY m.name, i.name ORDER BY 1, 2, 3"
    )
    assert ask(old, columns) == ask(again, columns)
    assert ask(old, indices) == ask(again, indices)


def test_the_steps_are_packaged():
    steps = Path(upgrade.__file__).parent / "migrations" / "versions"
    assert [path.name[:5] for path in sorted(steps.glob("v*.py"))] == [
        f"v{n:04d}" for n in range(1, SCHEMA_VERSION + 1)
    ]

"""The record out and in again."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from records_made import begun_record, contents, records, store
from trichotrack.problems import InputError
from trichotrack.visits.record import open_record
from trichotrack.visits.schema import Base
from trichotrack.visits.stored import READINGS_KIND
from trichotrack.visits.table_files import FORMATS
from trichotrack.visits.transfer import KINDS, export_record, import_record

PHASES = (Phase.explicit, Phase.generate)
"""No shrinking: an example is a whole record, with files."""


def export(path, out, form="csv"):
    with open_record(path) as session:
        return export_record(session, out, form)


def take_in(path, source):
    with open_record(path, create=True) as session:
        return import_record(session, source)


def files(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("form", FORMATS)
def test_export_then_import_into_an_empty_record_is_the_identity(form):
    @settings(max_examples=6, suppress_health_check=list(HealthCheck), phases=PHASES)
    @given(records())
    def identity(made):
        with tempfile.TemporaryDirectory() as folder:
            here, out = Path(folder) / "here.sqlite", Path(folder) / "out"
            there, again = Path(folder) / "there.sqlite", Path(folder) / "again"
            store(here, made)
            export(here, out, form)
            take_in(there, out)
            assert contents(there) == contents(here)
            if form == "csv":
                export(there, again, form)
                assert files(again) == files(out)

    identity()


def test_every_column_of_every_table_is_exported_or_a_number_of_the_database_itself():
    exported = {kind.name: set(kind.columns) for kind in KINDS}
    exported["pictures"] = exported["captures"]
    own = {"id", "patient_id", "visit_id", "capture_id", "reading_id", "jpeg", "reviewed"}
    left = {
        f"{table.name}.{column.name}"
        for table in Base.metadata.sorted_tables
        if table.name != "record_info"
        for column in table.columns
        if column.name not in own | exported[table.name]
    }
    assert left == {"readings.reading"}, "the JSON lies in a file of its own"


@pytest.fixture
def record(tmp_path):
    return begun_record(tmp_path / "trichotrack.sqlite", tmp_path / "visit")


def test_imported_twice_it_adds_nothing_twice(record, tmp_path):
    export(record, tmp_path / "out")
    other = tmp_path / "other.sqlite"
    take_in(other, tmp_path / "out")
    before = contents(other)
    done = take_in(other, tmp_path / "out")
    assert all((added.new, added.completed) == (0, 0) for added in done.values())
    assert done["captures"].known == done["readings"].known == done["reviews"].known == 2
    assert contents(other) == before == contents(record)


def test_all_faults_of_all_tables_are_told_at_once_and_nothing_is_kept(record, tmp_path):
    out = tmp_path / "out"
    export(record, out)
    for path in (out / "pictures").iterdir():
        path.write_bytes(b"")
    (out / "salt.csv").write_text("patient,date,total\nP001,2026-13-01,5\nP009,2026-01-01,5\n")
    (out / "labs.csv").write_text("patient,date,name,value\nP001,2026-01-01,ALT,many\n")
    other = tmp_path / "other.sqlite"
    with pytest.raises(InputError) as caught:
        take_in(other, out)
    told = [(problem.place, problem.column) for problem in caught.value.problems]
    assert told == [
        ("captures.csv", "sha256"), ("captures.csv", "sha256"), ("salt.csv", "date"), ("salt.csv", "patient"),
        ("labs.csv", "value"),
    ], "readings and reviews of the faulty captures are not told again"  # fmt: skip
    with pytest.raises(InputError, match="not a record"), open_record(other):
        pass


def test_a_reading_that_was_changed_on_the_way_is_refused(record, tmp_path):
    out = tmp_path / "out"
    export(record, out)
    path = next((out / READINGS_KIND.name).iterdir())
    path.write_text(path.read_text().replace('"count": 8', '"count": 2').replace('"count": 10', '"count": 2'))
    with pytest.raises(InputError, match="its content has another sha256"):
        take_in(tmp_path / "other.sqlite", out)


def test_one_table_alone_may_be_imported_into_the_record(record, tmp_path):
    (tmp_path / "events.csv").write_text(
        "patient;kind;grade;start;end\nP001;acne;2;2026-04;\nP001;eGFR decline;1;2026;2026-09\n"
    )
    assert {name: str(added) for name, added in take_in(record, tmp_path / "events.csv").items()} == {
        "events": "2 added"
    }
    with pytest.raises(InputError, match="Tables are named patients, visits"):
        take_in(record, tmp_path / "other.csv")


def test_captures_without_their_files_are_refused_in_a_sentence(record, tmp_path):
    from trichotrack.visits.rows import import_file
    from trichotrack.visits.stored import CAPTURES

    export(record, tmp_path / "out")
    with pytest.raises(InputError, match="without its files"), open_record(record, write=True) as session:
        import_file(session, CAPTURES, tmp_path / "out" / "captures.csv")


def test_an_export_never_writes_over_anything_and_leaves_no_part(record, tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("x")
    with pytest.raises(InputError, match="is not an empty folder"):
        export(record, tmp_path / "out")
    with pytest.raises(InputError, match="is not a format"):
        export(record, tmp_path / "new", "json")
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(("new", "out."))] == []


def test_a_capture_without_a_reading_is_refused(record, tmp_path):
    out = tmp_path / "out"
    export(record, out)
    for name in ("readings.csv", "reviews.csv"):
        (out / name).unlink()
    with pytest.raises(InputError, match="has no reading"):
        take_in(tmp_path / "other.sqlite", out)


def test_a_hash_that_leads_out_of_the_folder_is_refused(record, tmp_path):
    out = tmp_path / "out"
    export(record, out)
    for name in ("captures.csv", "readings.csv"):
        lines = (out / name).read_text().splitlines()
        cells = [line.split(",") for line in lines[1:]]
        place = lines[0].split(",").index("sha256")
        for row in cells:
            row[place] = "../" + row[place]
        (out / name).write_text("\n".join([lines[0], *map(",".join, cells)]))
    with pytest.raises(InputError) as caught:
        take_in(tmp_path / "other.sqlite", out)
    assert {problem.message.split(":")[0] for problem in caught.value.problems} >= {"is not a sha256"}


def test_an_export_is_for_its_owner_alone_and_takes_no_folder_away(record, tmp_path):
    (tmp_path / "out.part").mkdir()
    (tmp_path / "out.part" / "mine.txt").write_text("x")
    export(record, tmp_path / "out")
    assert (tmp_path / "out.part" / "mine.txt").is_file()
    if hasattr(__import__("os"), "getuid"):
        assert (tmp_path / "out").stat().st_mode & 0o077 == 0

"""A snapshot that an analysis can name."""

from __future__ import annotations

import pytest

from records_made import begun_record
from trichotrack.problems import InputError
from trichotrack.visits.freeze import freeze_record, same_as_record, verify_snapshot
from trichotrack.visits.history import add_patient
from trichotrack.visits.record import open_record
from trichotrack.visits.transfer import import_record


@pytest.fixture
def record(tmp_path):
    return begun_record(tmp_path / "trichotrack.sqlite", tmp_path / "visit")


def freeze(path, out):
    with open_record(path) as session:
        return freeze_record(session, out)


def test_the_same_contents_have_the_same_hash_whatever_record_holds_them(record, tmp_path):
    sha256 = freeze(record, tmp_path / "one")
    with open_record(tmp_path / "other.sqlite", create=True) as session:
        import_record(session, tmp_path / "one")
    assert freeze(tmp_path / "other.sqlite", tmp_path / "two") == sha256 == verify_snapshot(tmp_path / "two")
    assert len(sha256) == 64


def test_a_snapshot_that_was_touched_is_refused_and_every_difference_named(record, tmp_path):
    out = tmp_path / "frozen"
    freeze(record, out)
    (out / "salt.csv").write_text((out / "salt.csv").read_text().replace("62.5", "26.5"))
    (out / "notes.txt").write_text("x")
    gone = next((out / "readings").iterdir())
    gone.unlink()
    with pytest.raises(InputError) as caught:
        verify_snapshot(out)
    assert [problem.place for problem in caught.value.problems] == [f"readings/{gone.name}", "notes.txt", "salt.csv"]


def test_a_manifest_that_was_touched_is_refused(record, tmp_path):
    sha256 = freeze(record, tmp_path / "frozen")
    manifest = tmp_path / "frozen" / "freeze.json"
    manifest.write_text(manifest.read_text().replace(sha256, "0" * 64))
    with pytest.raises(InputError, match="names another sha256"):
        verify_snapshot(tmp_path / "frozen")
    manifest.write_text("{}")
    with pytest.raises(InputError, match=r"is not a trichotrack\.snapshot/1"):
        verify_snapshot(tmp_path / "frozen")
    with pytest.raises(InputError, match="is no snapshot"):
        verify_snapshot(tmp_path)


def test_it_is_said_whether_the_record_has_changed_since(record, tmp_path):
    sha256 = freeze(record, tmp_path / "frozen")
    with open_record(record) as session:
        assert same_as_record(session, sha256)
    with open_record(record, write=True) as session:
        add_patient(session, "P002")
    with open_record(record) as session:
        assert not same_as_record(session, sha256)

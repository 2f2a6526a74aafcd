"""Questions on the record answered by the database."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from sqlalchemy import select

from records_made import begun_record, records, store
from trichotrack.visits.overview import needs_review, sign_counts, visits
from trichotrack.visits.readings import current_reading, reviewed_by
from trichotrack.visits.record import open_record
from trichotrack.visits.schema import Capture, Review, StoredReading, keep_reviewed
from visits_made import reading


@settings(max_examples=8, suppress_health_check=list(HealthCheck), phases=(Phase.generate,))
@given(records())
def test_what_the_database_calls_reviewed_is_what_the_readings_say(made):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "record.sqlite"
        store(path, made)
        with open_record(path, write=True) as session:
            captures = list(session.scalars(select(Capture)))
            said = {capture.id: bool(reviewed_by(current_reading(capture))) for capture in captures}
            assert dict(session.execute(select(Capture.id, Capture.reviewed)).all()) == said
            keep_reviewed(session.connection())
            assert dict(session.execute(select(Capture.id, Capture.reviewed)).all()) == said
            assert needs_review(session)["unreviewed"] == list(said.values()).count(False)
            assert sum(visit["reviewed"] for visit in visits(session)) == list(said.values()).count(True)
            assert sum(visit["captures"] for visit in visits(session)) == len(said)


@pytest.fixture
def record(tmp_path):
    return begun_record(tmp_path / "trichotrack.sqlite", tmp_path / "visit")


def test_a_new_reading_by_a_model_makes_an_accepted_capture_unreviewed_again(record):
    with open_record(record, write=True) as session:
        capture = session.scalars(select(Capture).order_by(Capture.id)).first()
        assert needs_review(session) == {"unreviewed": 0, "visits": []}
        facts = {"model_name": "", "model_sha256": "", "vellus_cutoff_um": 30.0}
        later = StoredReading(
            capture_id=capture.id, author="model", reading=reading({"black_dot": 1}).to_json(), **facts
        )
        session.add(later)
        session.flush()
        assert needs_review(session, "P001") == {
            "unreviewed": 1,
            "visits": [{"patient": "P001", "date": "2026-03-04", "unreviewed": 1, "captures": 2}],
        }
        session.add(Review(reading_id=later.id, author="A. Kim"))
        session.flush()
        assert needs_review(session)["unreviewed"] == 0


def test_signs_are_counted_over_the_captures_of_each_visit(record):
    with open_record(record) as session:
        dots, *_ = sign_counts(session, "P001")
    assert dots == {"date": "2026-03-04", "sign": "black_dot", "count": 18, "captures": 2}


def test_the_newest_visits_alone_may_be_asked_for(record, tmp_path):
    with open_record(record) as session:
        assert visits(session, last=1) == visits(session, "P001") != []

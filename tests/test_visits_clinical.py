"""ClinRO, laboratory values, adverse events, photographs, tapers and history in the record."""

from __future__ import annotations

import io
import json

import pytest
from PIL import Image
from sqlalchemy import select

from test_visits_cli import run
from trichotrack.cli.app import app
from trichotrack.problems import InputError
from trichotrack.visits.clinical import CLINRO, LABS, add_clinro, add_event, add_lab
from trichotrack.visits.history import TaperStep, add_patient, add_treatment, taper_steps
from trichotrack.visits.photos import add_photos
from trichotrack.visits.record import open_record
from trichotrack.visits.rows import import_file
from trichotrack.visits.schema import AdverseEvent, ClinRO, Lab, Photo
from trichotrack.visits.story import patient_story


@pytest.fixture
def record(tmp_path):
    path = tmp_path / "trichotrack.sqlite"
    with open_record(path, create=True) as session:
        add_patient(session, "P001")
    return path


def add(record, function, **cells):
    with open_record(record, write=True) as session:
        return str(function(session, {"patient": "P001", **cells}))


def faults(record, function, **cells):
    with pytest.raises(InputError) as caught, open_record(record, write=True) as session:
        function(session, {"patient": "P001", **cells})
    return [problem.column for problem in caught.value.problems]


def only(record, model):
    with open_record(record) as session:
        row = session.scalars(select(model)).one()
        session.expunge(row)
        return row


def test_clinro_grades_are_0_to_3_and_completed_later(record):
    assert add(record, add_clinro, date="2026-03-04", eyebrow="2") == "1 added"
    assert add(record, add_clinro, date="2026-03-04", eyebrow="2", eyelash="0") == "1 completed"
    assert add(record, add_clinro, date="2026-03-04", eyelash="0") == "1 already in the record"
    assert (only(record, ClinRO).eyebrow, only(record, ClinRO).eyelash) == (2, 0)
    assert faults(record, add_clinro, date="2026-03-04", eyebrow="1") == ["eyebrow"]
    assert faults(record, add_clinro, date="2026-04", eyebrow="4", eyelash="1.5") == ["date", "eyebrow", "eyelash"]
    assert faults(record, add_clinro, date="2026-04-01") == ["eyebrow"]


def test_a_laboratory_value_has_unit_and_range_and_may_be_a_bound(record):
    day = {"date": "2026-03-04", "name": "TSH"}
    assert add(record, add_lab, **day, value="<0,01", unit="mU/L", low="0.4", high="4") == "1 added"
    kept = only(record, Lab)
    assert (kept.qualifier, kept.value, kept.unit, kept.low, kept.high) == ("<", 0.01, "mU/L", 0.4, 4.0)
    assert add(record, add_lab, **day, value="< 0.01") == "1 already in the record"
    assert faults(record, add_lab, **day, value="0.01") == ["qualifier"]
    assert faults(record, add_lab, **day, value="<0.02") == ["value"]
    assert faults(record, add_lab, **day, value="normal", low="5", high="4") == ["value", "high"]
    assert faults(record, add_lab, **day, value="<") == ["value"]


def test_an_adverse_event_has_a_grade_of_1_to_5_and_partial_dates(record):
    event = {"kind": "acne", "start": "2026"}
    assert add(record, add_event, **event) == "1 added"
    assert add(record, add_event, **event, grade="2", end="2026-05-01") == "1 completed"
    assert (only(record, AdverseEvent).grade, only(record, AdverseEvent).end) == (2, "2026-05-01")
    assert faults(record, add_event, kind="acne", grade="6", start="2026", end="2025") == ["end", "grade"]
    assert faults(record, add_event, grade="0") == ["kind", "grade"]


def test_tables_are_imported_whole_with_every_fault(record, tmp_path):
    table = tmp_path / "bloods.csv"
    table.write_text(
        "patient;date;name;value;unit\nP001;2026-03-04;ALT;31,5;U/L\nP001;2026-03-04;;x;\nP9;2026;ALT;1;\n"
    )
    with pytest.raises(InputError) as caught, open_record(record, write=True) as session:
        import_file(session, LABS, table)
    assert [(p.row, p.column) for p in caught.value.problems] == [
        (3, "name"), (3, "value"), (4, "patient"), (4, "date"),
    ]  # fmt: skip
    table = tmp_path / "brows.csv"
    table.write_text("patient,date,eyebrow\nP001,2026-03-04,3\nP001,2026-06-04,1\n")
    for said in ("2 added", "2 already in the record"):
        with open_record(record, write=True) as session:
            assert str(import_file(session, CLINRO, table)) == said


def test_a_taper_is_kept_in_one_form_and_read_back_as_steps(record):
    add(record, add_treatment, drug="drug A", dose="24", start="2025-09", taper="2025-10-16  16 ;2025-11 8")
    with open_record(record) as session:
        (told,) = patient_story(session, "P001").treatments
    assert told.taper == "2025-10-16 16; 2025-11 8"
    assert taper_steps(told.taper) == (TaperStep("2025-10-16", "16"), TaperStep("2025-11", "8"))
    for wrong in ("slowly", "2025-11 8; 2025-10 16", "2025-13-01 8", "2025-08 16"):
        assert faults(record, add_treatment, drug="drug B", start="2025-09", taper=wrong) == ["taper"]


def test_the_history_of_the_disease_is_filled_in_and_never_overwritten(record):
    with open_record(record, write=True) as session:
        add_patient(session, "P001", current_onset="2024-05", last_regrowth="2023", atopy="asthma; dermatitis")
    with open_record(record) as session:
        told = patient_story(session, "P001").patient
    assert (told.current_onset, told.last_regrowth, told.atopy) == ("2024-05", "2023", "dermatitis; asthma")
    for wrong in ({"atopy": "none; asthma"}, {"atopy": "eczema"}, {"last_regrowth": "2022"}):
        with pytest.raises(InputError), open_record(record, write=True) as session:
            add_patient(session, "P001", **wrong)


def test_text_that_no_table_could_hold_is_refused(record):
    for wrong in ("a\x00b", "a\x07b", "x" * 2001):
        assert faults(record, add_treatment, drug=wrong) == ["drug"]
    assert add(record, add_treatment, drug=" drug \n A ") == "1 added"
    with open_record(record) as session:
        assert patient_story(session, "P001").treatments[0].drug == "drug A"


def test_photographs_are_kept_upright_small_and_without_exif_once(record, tmp_path):
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = 6, "secret maker"
    Image.new("RGB", (1600, 800), (180, 150, 130)).save(tmp_path / "top.jpg", exif=exif)
    for said in ("1 added", "1 already in the record"):
        with open_record(record, write=True) as session:
            told = add_photos(session, "P001", [tmp_path / "top.jpg"], date="2026-03-04", view="vertex")
            assert str(told) == said
    with open_record(record) as session:
        photo = session.scalars(select(Photo)).one()
        kept, facts = photo.jpeg, (photo.width, photo.height, photo.view, photo.file)
    assert facts == (640, 1280, "vertex", "vertex.jpg"), "a file name may be a person's"
    assert not Image.open(io.BytesIO(kept)).getexif()
    assert b"secret" not in kept
    with pytest.raises(InputError, match=r"same photograph as vertex\.jpg"), open_record(record, write=True) as session:
        add_photos(session, "P001", [tmp_path / "top.jpg"], date="2026-03-05")


def test_the_rest_of_the_record_by_command(tmp_path, monkeypatch):
    monkeypatch.setenv("TRICHOTRACK_RECORD", str(tmp_path / "clinic.sqlite"))
    Image.new("RGB", (64, 48), (180, 150, 130)).save(tmp_path / "face.png")
    day = ("--date", "2026-03-04")
    run(app, "patient", "add", "P001", "--current-onset", "2025", "--atopy", "dermatitis")
    assert run(app, "clinro", "add", "P001", *day, "--eyebrow", "2") == "ClinRO of P001: 1 added.\n"
    assert (
        run(app, "lab", "add", "P001", *day, "--name", "ALT", "--value", "31")
        == "Laboratory values of P001: 1 added.\n"
    )
    assert run(app, "event", "add", "P001", "--kind", "acne") == "Adverse events of P001: 1 added.\n"
    assert run(app, "photo", "add", "P001", tmp_path / "face.png", *day) == "Photographs of P001: 1 added.\n"
    run(app, "treatment", "add", "P001", "--drug", "drug A", "--taper", "2026-02 2")
    told = json.loads(run(app, "patient", "show", "P001", "--json"))
    assert {name: len(rows) for name, rows in told.items()} == {
        "patients": 1, "treatments": 1, "salt": 0, "clinro": 1, "labs": 1, "events": 1, "photos": 1,
        "amendments": 0,
    }  # fmt: skip
    assert "clinro:\n  patient P001, date 2026-03-04, eyebrow 2\n" in run(app, "patient", "show", "P001")
    assert "Every reading has been reviewed" in run(app, "record", "pending")
    assert "No capture yet" in run(app, "patient", "counts", "P001")
    out = tmp_path / "out"
    assert "labs: 1" in run(app, "record", "export", "--out", out, "--format", "parquet")
    assert "labs: 1 added" in run(app, "record", "import", out, "--record", tmp_path / "other.sqlite")
    assert run(app, "lab", "import", out / "labs.parquet").endswith("1 already in the record.\n")
    assert "Snapshot" in run(app, "record", "freeze", "--out", tmp_path / "frozen")
    assert "The record is still the same." in run(app, "record", "freeze", "--verify", tmp_path / "frozen")


@pytest.mark.parametrize(
    "command",
    ["clinro add", "clinro import", "lab add", "lab import", "event add", "event import", "photo add", "patient show",
     "patient counts", "record export", "record import", "record freeze", "record pending", "reread"],
)  # fmt: skip
def test_every_command_has_help_with_an_example(command):
    told = " ".join(run(app, *command.split(), "--help").split())
    assert f"Example: trichotrack {command}" in told

"""`trichotrack report`: from the record to a file, and errors in a sentence."""

from __future__ import annotations

import datetime as dt
import json

import pytest
from typer.testing import CliRunner

from trichotrack.cli.app import app
from trichotrack.report.voice import voice
from trichotrack.visits.add import add_visit
from trichotrack.visits.history import add_patient, add_salt, add_treatment
from trichotrack.visits.plan import plan_visit
from trichotrack.visits.record import open_record
from visits_made import MadeReader, write_visit


@pytest.fixture(scope="module")
def record(tmp_path_factory):
    """A synthetic patient seen twice, with a treatment and SALT."""
    folder = tmp_path_factory.mktemp("record")
    path = folder / "record.sqlite"
    with open_record(path, create=True) as session:
        add_patient(session, "P001", aa_type="totalis", onset="2011", synthetic=True)
        add_treatment(session, {"patient": "P001", "drug": "drug A", "dose": "4", "unit": "mg/day", "start": "2026"})
        add_salt(session, {"patient": "P001", "date": "2026-03-04", "total": "95"})
    for i, (day, count) in enumerate([(dt.date(2026, 3, 4), 40), (dt.date(2026, 6, 3), 4)]):
        visit = write_visit(folder / day.isoformat(), {"vertex_1_1": count, "occipital_1_1": count}, mark=i + 1)
        plan = plan_visit(visit, "{site}_{field}_{n}", patient="P001", day=day)
        add_visit(path, plan, MadeReader(), um_per_px=40)
    return path


def run(*arguments: object):
    return CliRunner().invoke(app, ["report", *map(str, arguments)])


def test_report_writes_a_page_and_prints_a_line_per_outcome(record, tmp_path):
    out = tmp_path / "report.html"
    result = run("P001", "--record", record, "--out", out)
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert lines[0] == "Synthetic patient: Activity signs fell; terminal hairs fell." or lines[0].startswith(
        "Synthetic"
    )
    assert any(line.startswith("Synthetic patient: Active load fell since baseline") for line in lines)
    assert lines[-1] == f"Report: {out}"
    text = out.read_text("utf-8")
    assert voice()("page.footer") in text
    assert "drug A" in text
    assert text.count("data:image/jpeg;base64,") == 4
    assert [one.name for one in tmp_path.iterdir()] == ["report.html"]


def test_report_for_machines_has_the_same_verdicts(record, tmp_path):
    out = tmp_path / "report.html"
    result = run("P001", "--record", record, "--out", out, "--json")
    told = json.loads(result.stdout)
    assert told["report"] == str(out)
    assert told["synthetic"] is True
    assert {one["name"]: one["outcome"] for one in told["outcomes"]}["active_load"] == "fell"


def test_report_writes_beside_the_caller_by_default(record, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert run("P001", "--record", record).exit_code == 0
    assert (tmp_path / "report-P001.html").is_file()


def test_report_writes_a_pdf_on_the_paper_asked_for(record, tmp_path):
    pytest.importorskip("typst")
    out = tmp_path / "report.pdf"
    result = run("P001", "--record", record, "--out", out, "--paper", "letter", "--date-format", "D MMM YYYY")
    assert result.exit_code == 0, result.output
    assert out.read_bytes().startswith(b"%PDF-")
    assert b"612" in out.read_bytes()
    assert result.stderr == ""
    assert [one.name for one in tmp_path.iterdir()] == ["report.pdf"]


def test_letters_without_a_font_are_warned_about(record, tmp_path):
    pytest.importorskip("typst")
    named = tmp_path / "named.sqlite"
    named.write_bytes(record.read_bytes())
    with open_record(named, write=True) as session:
        add_treatment(session, {"patient": "P001", "drug": "drug \ue000", "start": "2026"})
    result = run("P001", "--record", named, "--out", tmp_path / "report.pdf", "--json")
    assert result.exit_code == 0
    assert "Warning" in result.stderr
    assert "U+E000" in result.stderr
    assert json.loads(result.stdout)["missing_letters"] == ["\ue000"]


def test_dates_and_decimals_are_printed_as_asked_for(record, tmp_path):
    out = tmp_path / "report.html"
    result = run("P001", "--record", record, "--out", out, "--date-format", "DD.MM.YYYY", "--decimal", "comma")
    assert result.exit_code == 0
    assert "03.06.2026" in out.read_text("utf-8")


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [("--language", "tlh", "not a language"), ("--date-format", "MM/DD", "DD.MM.YYYY"), ("--paper", "a0", "a4")],
)
def test_a_wrong_setting_is_told_with_what_there_is(record, tmp_path, option, value, said):
    result = run("P001", "--record", record, "--out", tmp_path / "report.html", option, value)
    assert result.exit_code == 2
    assert said in result.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("patient", "out", "said"),
    [
        ("P002", "report.html", "no such patient"),
        ("P001", "record.sqlite", "not the name of an HTML or PDF file"),
        ("P001", "nowhere/report.html", "folder does not exist"),
    ],
)
def test_wrong_input_is_one_sentence_and_writes_nothing(record, tmp_path, patient, out, said):
    before = record.read_bytes()
    result = run(patient, "--record", record, "--out", tmp_path / out)
    assert result.exit_code == 2
    assert said in result.stderr
    assert "Traceback" not in result.stderr
    assert list(tmp_path.iterdir()) == []
    assert record.read_bytes() == before


def test_without_a_record_report_says_how_to_begin_one(tmp_path):
    result = run("P001", "--record", tmp_path / "none.sqlite", "--out", tmp_path / "report.html")
    assert result.exit_code == 2
    assert "there is no record here" in result.stderr

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

from trichotrack.cli.patient import patient_app
from trichotrack.cli.record import record_app
from trichotrack.cli.salt import salt_app
from trichotrack.cli.treatment import treatment_app
from trichotrack.cli.visit import visit_app
from trichotrack.problems import InputError
from trichotrack.runtime.counter import Counter
from visits_made import MadeReader, write_capture, write_visit

NAMES = {f"{site}_{field}_1": 12 for site in ("vertex", "frontal") for field in (1, 2, 3)}
ADD = ["--date", "2026-03-04", "--pattern", "{site}_{field}_{n}", "--um-per-px", "10"]


@pytest.fixture(autouse=True)
def workplace(tmp_path, monkeypatch):
    """Each test in a folder of its own; the starter model is one that counts brightness."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TRICHOTRACK_RECORD", raising=False)

    def bundled():
        reader = MadeReader()
        reader.spec = SimpleNamespace(um_per_px=6.0, vellus_cutoff_um=30.0)
        return reader

    monkeypatch.setattr(Counter, "bundled", staticmethod(bundled))
    return tmp_path


def run(app, *arguments, exit_code=0):
    """What a command prints; an InputError, which `trichotrack` prints and exits 2 with, counts as that."""
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    if isinstance(result.exception, InputError):
        assert exit_code == 2, result.exception
        return result.stdout + str(result.exception)
    assert result.exit_code == exit_code, (result.output, result.exception)
    return result.stdout


def test_names_as_parsed_are_shown_before_the_captures_are_added(workplace):
    write_visit(workplace / "v1", NAMES)
    told = run(visit_app, "add", "P001", "v1", *ADD)
    assert "frontal_1_1.png: site frontal, field 1, n 1" in told
    assert "P001 is new in this record." not in told, "there was no record to be new in"
    assert "a new record" in told
    assert "6 captures added." in told
    assert "Made model: nothing it says is true." in told
    again = run(visit_app, "add", "P001", "v1", *ADD)
    assert "Nothing new: every capture is at this visit already." in again


def test_a_wrong_pattern_names_every_file_and_writes_nothing(workplace):
    write_visit(workplace / "v1", NAMES)
    wrong = [*ADD[:3], "{site}-{field}", *ADD[4:]]
    told = run(visit_app, "add", "P001", "v1", *wrong, exit_code=2)
    assert told.count("its name does not fit the pattern") == 6
    assert "Nothing was written" in told
    assert not (workplace / "trichotrack.sqlite").exists()


def test_misfits_stop_it_without_yes_and_are_left_out_with_it(workplace):
    folder = write_visit(workplace / "v1", NAMES)
    write_capture(folder / "overview.png", 3, mark=99)
    told = run(visit_app, "add", "P001", "v1", *ADD, exit_code=2)
    assert "add the other 6 captures with --yes" in told
    assert not (workplace / "trichotrack.sqlite").exists()
    assert "6 captures added" in run(visit_app, "add", "P001", "v1", *ADD, "--yes", exit_code=3)


def test_a_dry_run_shows_and_writes_nothing(workplace):
    write_visit(workplace / "v1", NAMES)
    told = run(visit_app, "add", "P001", "v1", *ADD, "--dry-run")
    assert "site vertex" in told
    assert not (workplace / "trichotrack.sqlite").exists()


def test_a_capture_that_cannot_be_read_exits_3_and_the_others_are_kept(workplace):
    folder = write_visit(workplace / "v1", NAMES)
    (folder / "vertex_7_1.jpg").write_bytes(b"")
    told = json.loads(run(visit_app, "add", "P001", "v1", *ADD, "--json", exit_code=3))
    assert told["added"] == 6
    assert "is empty (0 bytes)" in told["problems"][0]


def test_a_missing_scale_and_a_partial_date_are_said(workplace):
    write_visit(workplace / "v1", NAMES)
    assert "--um-per-px or --field-width-mm" in run(visit_app, "add", "P001", "v1", *ADD[:4], exit_code=2)
    assert "'2026-03' is not a date" in run(visit_app, "add", "P001", "v1", "--date", "2026-03", *ADD[2:], exit_code=2)


def test_signs_by_visit_with_verdicts_after_review(workplace, monkeypatch):
    monkeypatch.setenv("TRICHOTRACK_RECORD", str(workplace / "clinic.sqlite"))
    write_visit(workplace / "v1", NAMES, mark=1)
    write_visit(workplace / "v2", dict.fromkeys(NAMES, 1), mark=2)
    run(visit_app, "add", "P001", "v1", *ADD)
    run(visit_app, "add", "P001", "v2", "--date", "2026-06-01", *ADD[2:])
    assert "have not been reviewed" in run(visit_app, "show", "P001")
    assert "12 readings of P001 are now reviewed by A. Kim." in run(record_app, "accept", "P001", "--author", "A. Kim")
    told = run(visit_app, "show", "P001")
    assert "Activity signs fell; regrowth not shown." in told
    assert "Active load fell since baseline: -92 %" in told
    assert "216 events at baseline, 18 at this visit" in told
    assert "−" not in told, "code pages lack the true minus"
    machine = json.loads(run(visit_app, "show", "P001", "--json"))
    assert machine["verdicts"][0]["outcome"] == "fell"
    assert machine["series"][0]["pooled"][0]["count"] == 216
    assert "Infinity" not in json.dumps(machine)
    assert "P001  2026-06-01  6 captures at frontal, vertex, 6 reviewed" in run(visit_app, "list", "P001")


def test_the_rest_of_the_record_by_command(workplace):
    assert "Patient P001: 1 added." in run(patient_app, "add", "P001", "--aa-type", "totalis", "--onset", "2011")
    told = run(
        treatment_app, "add", "P001", "--drug", "drug A", "--dose", "4", "--unit", "mg/day", "--start", "2026-01"
    )
    assert told == "Treatment of P001: 1 added.\n"
    regions = ["--top", "60", "--back", "40", "--left", "30", "--right", "35"]
    assert run(salt_app, "add", "P001", "--date", "2026-03-04", *regions) == "SALT of P001: 1 added.\n"
    assert "2026-13" in run(treatment_app, "add", "P001", "--drug", "B", "--start", "2026-13", exit_code=2)
    assert "P001: totalis, 0 visits" in run(patient_app, "list")
    assert json.loads(run(patient_app, "list", "--json"))[0]["patient"] == "P001"
    (workplace / "salt.csv").write_text("patient,date,total\nP001,2026-06-01,20\n")
    assert run(salt_app, "import", "salt.csv") == "SALT of salt.csv: 1 added.\n"
    (workplace / "treatments.csv").write_text("patient,drug,start\nP001,drug B,2026-05\n")
    assert run(treatment_app, "import", "treatments.csv") == "Treatments of treatments.csv: 1 added.\n"
    told = run(visit_app, "show", "P001")
    assert "No visit so far." in told


def test_a_command_on_no_record_says_how_to_begin_one(workplace):
    assert "there is no record here" in run(visit_app, "show", "P001", exit_code=2)
    assert not (workplace / "trichotrack.sqlite").exists()


@pytest.mark.parametrize(
    ("app", "command"),
    [(visit_app, "add"), (visit_app, "show"), (visit_app, "list"), (record_app, "accept"), (patient_app, "add"),
     (patient_app, "list"), (treatment_app, "add"), (treatment_app, "import"), (salt_app, "add"), (salt_app, "import"),
     ],
)  # fmt: skip
def test_every_command_has_help_with_an_example(app, command):
    assert "Example: trichotrack" in " ".join(run(app, command, "--help").split())

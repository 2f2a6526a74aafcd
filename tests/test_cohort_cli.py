"""`trichotrack cohort` as a person runs it: on the shipped synthetic cohort, on broken tables, and on a record."""

from __future__ import annotations

import csv
import importlib
import json
import re
import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest
from sqlalchemy import select
from typer.testing import CliRunner

from cohort_made import write_tables
from trichotrack.cli.cohort import cohort_app
from trichotrack.cohort.analysis import analyse
from trichotrack.cohort.from_record import cohort_of_record, counts_of_record
from trichotrack.cohort.sentences import sections
from trichotrack.cohort.tables import read_cohort
from trichotrack.problems import InputError
from trichotrack.report.cohort_page import render_cohort
from trichotrack.visits.record import open_record
from trichotrack.visits.schema import AdverseEvent, Capture, Patient, Review, Salt, StoredReading, Treatment, Visit
from visits_made import MODEL, reading

ROOT = Path(__file__).resolve().parents[1]
SHIPPED = ROOT / "data" / "cohort"


def run(*arguments, exit_code=0):
    """What a command prints; an InputError, which `trichotrack` prints and exits 2 with, counts as that."""
    result = CliRunner().invoke(cohort_app, [str(argument) for argument in arguments])
    if isinstance(result.exception, InputError):
        assert exit_code == 2, result.exception
        return result.stdout + str(result.exception)
    assert result.exit_code == exit_code, (result.output, result.exception)
    return result.stdout


def rows_of(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def shipped(tmp_path_factory):
    out = tmp_path_factory.mktemp("cohort") / "report"
    return run(SHIPPED, "--out", out, "--resamples", 25), out


def test_the_shipped_cohort_is_what_its_script_writes(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(SHIPPED))
    script = importlib.import_module("make")
    monkeypatch.setattr(script, "FOLDER", tmp_path)
    script.main()
    sys.modules.pop("make")
    for name in ("patients.csv", "salt.csv", "events.csv"):
        assert (tmp_path / name).read_bytes() == (SHIPPED / name).read_bytes()
    assert "synthetic" in (SHIPPED / "README.md").read_text(encoding="utf-8")


def test_the_shipped_cohort_keeps_the_published_counts(shipped):
    values = json.loads((shipped[1] / "results.json").read_text(encoding="utf-8"))
    people = values["analysis_set"]
    assert (people["treated"], people["patients"], people["completers"]) == (86, 86, 70)
    response = {(one["endpoint"], one["set"]): one for one in values["endpoints"]}
    completers = response["SALT ≤ 20", "completers"]
    assert completers["events"] == 29
    assert [round(completers[name]) for name in ("percent", "low", "high")] == [41, 31, 53]
    assert response["SALT ≤ 20", "non-responders imputed"]["total"] == 86
    types = {
        one["group"]: one for one in values["subgroups"] if one["column"] == "aa_type" and one["set"] == "completers"
    }
    assert (types["multiplex"]["events"], types["multiplex"]["total"]) == (10, 11)
    assert round(types["ophiasis"]["percent"]) == 30
    events = {one["kind"]: round(one["percent"], 1) for one in values["adverse_events"]}
    assert events["any adverse event"] == 25.6
    assert events["eGFR decline"] == 18.6
    assert events["elevated liver enzymes"] == 3.5
    assert events["any of grade 3 or more"] == 0


def test_terminal_page_and_json_say_the_same_sentences(shipped):
    told, out = shipped
    page = (out / "cohort.html").read_text(encoding="utf-8")
    said = json.loads((out / "results.json").read_text(encoding="utf-8"))["sentences"]
    assert sum(map(len, said.values())) > 25
    for sentence in (sentence for ones in said.values() for sentence in ones):
        assert sentence in told
        escaped = sentence.replace("&", "&amp;").replace(">", "&gt;").replace("<", "&lt;").replace("'", "&#39;")
        assert escaped in page


def test_what_must_be_said_is_said(shipped):
    told, out = shipped
    page = (out / "cohort.html").read_text(encoding="utf-8")
    for sentence in (
        "Synthetic cohort: made by a program. No person, no clinical meaning.",
        "3.6 events per variable: maximum-likelihood estimates inflate; Firth",
        "SALT counts terminal hair only",
        "whoever was not assessed counted as a non-responder",
        "each patient is shown by AA type",
        "None seen in 86 leaves up to 4 % possible",
    ):
        assert sentence in told
        assert sentence in page
    assert "not a medical device" in page


def test_the_page_shows_each_patient_and_needs_nothing_but_itself(shipped):
    page = (shipped[1] / "cohort.html").read_text(encoding="utf-8")
    assert len(set(re.findall(r"<title>(S\d{3}): ", page))) == 86
    assert "default-src 'none'" in page
    assert "<script" not in page
    assert not re.search(r"(src|href)=[\"']?https?:", page)
    assert page.count('role="img"') == 3


def test_tables_are_tidy(shipped):
    out = shipped[1]
    odds = rows_of(out / "odds_ratios.csv")
    assert len(odds) == 16
    assert {row["fit"] for row in odds} == {"maximum likelihood", "Firth"}
    people = rows_of(out / "outcomes.csv")
    assert len(people) == 86
    assert all(row["salt"] == "" and row["responded"] == "0" for row in people if row["assessed"] == "0")
    assert sum(row["by_month"] != "inf" for row in people) == 29


def test_the_tutorial_is_what_its_script_makes(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    before = set(sys.modules)
    script = importlib.import_module("cohort_page")
    page = script.page()
    for name in set(sys.modules) - before:
        if name in {"cohort_page", "pages"}:
            del sys.modules[name]
    assert script.DOCUMENT.read_text(encoding="utf-8") == page, "run `uv run benchmarks/cohort_page.py`"
    assert "29 of 70, 41 % (31–53)" in page
    assert "10 of 11, 91 % (62–98)" in page


SEPARATED = {
    "patients": [["patient", "aa_type", "pulse", "note"]]
    + [[f"P{i}", "<b>&", int(i < 6), "x"] for i in range(20)],
    "salt": [["patient", "month", "salt"]]
    + [[f"P{i}", month, value] for i in range(20) for month, value in ((0, 80), (9, 10 if i < 4 or i == 5 else 60))],
}  # fmt: skip


def test_separation_is_named_and_typed_texts_cannot_become_markup(tmp_path):
    tables = {**SEPARATED, "patients": [[*row[:1], "patchy" if i else "aa_type", *row[2:3], "a<b>&" if i else "note"]
                                         for i, row in enumerate(SEPARATED["patients"])]}  # fmt: skip
    found = analyse(read_cohort(write_tables(tmp_path, tables)), predictors=["pulse"], resamples=0)
    said = " ".join(sentence for one in sections(found) for sentence in one.sentences)
    assert "Separation: pulse history" in said
    assert "∞" in said
    assert "Adverse events were not recorded: that is not the same as none." in said
    assert "Prediction could not be judged" in said
    page = render_cohort(found)
    assert "a<b>&" not in page
    assert "∞" in page


def test_the_sign_of_the_loss_of_benefit_is_printed_as_set(tmp_path):
    told = run(SHIPPED, "--out", tmp_path, "--loss", "more-than", "--predictors", "pulse,sex", "--resamples", 0)
    assert "Loss of benefit (SALT > 20 points worse" in told
    assert "on 2 predictors together" in told


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--loss", "ever"], "neither at-least nor more-than"),
        (["--month", "1"], "no window after treatment start"),
        (["--predictors", "puls"], "Did you mean pulse?"),
        (["--min-salt", "101"], "no patient of cohort can be analysed"),
    ],
)
def test_wrong_use_is_told_in_a_sentence(tmp_path, arguments, said):
    assert said in run(SHIPPED, "--out", tmp_path / "out", *arguments, exit_code=2)


def test_a_file_in_the_place_of_the_folder_and_a_missing_source_are_told(tmp_path):
    (tmp_path / "file").write_text("x", encoding="utf-8")
    assert "is a file" in run(SHIPPED, "--out", tmp_path / "file", exit_code=2)
    assert "is not a folder" in run(tmp_path / "nowhere", "--out", tmp_path / "out", exit_code=2)


def test_nobody_seen_after_the_start_still_gives_a_page(tmp_path):
    tables = {
        "patients": [["patient"], ["A"], ["B"]],
        "salt": [["patient", "month", "salt"], ["A", 0, 60], ["B", 0, 70]],
    }
    told = run(write_tables(tmp_path / "study", tables), "--out", tmp_path / "out")
    assert "Nobody was seen after treatment start." in told
    assert "0 of 2" in told
    assert (tmp_path / "out" / "cohort.html").is_file()


def test_cohort_room_never_imports_the_report():
    files = sorted((ROOT / "src" / "trichotrack" / "cohort").glob("*.py"))
    assert len(files) > 10
    assert not [file.name for file in files if re.search(r"trichotrack\.(report|cli|model)", file.read_text("utf-8"))]


def test_help_of_every_command_has_an_example_and_loads_nothing_heavy():
    code = (
        "import sys\nfrom typer.testing import CliRunner\nfrom trichotrack.cli.cohort import cohort_app\n"
        "for name in ('who', 'counts', 'score', 'export'):\n"
        "    out = CliRunner().invoke(cohort_app, [name, '--help']).output\n"
        "    assert 'Example' in out, out\n"
        "assert 'Example' in CliRunner().invoke(cohort_app, ['--help']).output\n"
        "assert not {'scipy', 'pandas', 'lifelines', 'statsmodels', 'sqlalchemy'} & set(sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert not done.returncode, done.stderr


SIGNS = {"black_dot": 4, "broken_hair": 2, "tapering_hair": 0, "upright_regrowing_hair": 3, "pigtail_hair": 0}


@pytest.fixture
def record(tmp_path):
    """Two patients who had drug A, one whose start is known to the year, and one who had drug B."""
    path = tmp_path / "clinic.sqlite"
    with open_record(path, create=True) as session:
        for i, (name, drug, start) in enumerate(
            [("P1", "drug A", "2026-01-10"), ("P2", "drug A", "2026-01-20"), ("P3", "drug A", "2025"),
             ("P4", "drug B", "2026-01-01")]
        ):  # fmt: skip
            session.add(Patient(id=name, aa_type="patchy", sex="female", birth_year=1990, onset="2024", synthetic=True))
            session.flush()
            session.add(Treatment(patient_id=name, drug=drug, dose="4", unit="mg", route="", start=start, end="",
                                  stop_reason="", response=""))  # fmt: skip
            for day, total in ((date(2026, 1, 8), 60), (date(2026, 10, 12), 10 + 30 * i)):
                session.add(Salt(patient_id=name, date=day, total=total))
            for day, black_dots in ((date(2026, 1, 5), 8), (date(2026, 3, 15), 4)):
                visit = Visit(patient_id=name, date=day)
                session.add(visit)
                session.flush()
                for field in ("a", "b"):
                    key = f"{name}{day}{field}".ljust(64, "0")
                    capture = Capture(
                        visit_id=visit.id, sha256=key, file="a.jpg", site="vertex", field=field, n="1",
                        preparation="none", device="", um_per_px=2.8, scale_source="option",
                    )  # fmt: skip
                    session.add(capture)
                    session.flush()
                    made = reading(SIGNS | {"black_dot": black_dots, "short_vellus_hair": 0}, model=MODEL,
                                   refused=("short_vellus_hair",), sha256=key)  # fmt: skip
                    stored = StoredReading(
                        capture_id=capture.id, author="model", model_name="made", model_sha256="a" * 64,
                        vellus_cutoff_um=30.0, reading=made.to_json(),
                    )  # fmt: skip
                    session.add(stored)
                    session.flush()
                    if name != "P2":
                        session.add(Review(reading_id=stored.id, author="Dr A. Kim"))
    return path


def test_a_record_gives_months_since_the_start_and_only_reviewed_densities(record):
    with open_record(record) as session:
        found = cohort_of_record(session, "drug a", "clinic")
    first, second = found.patients
    assert [first.id, second.id] == ["P1", "P2"]
    assert found.synthetic
    assert first.salt0 == 60
    assert first.followed[0].month == pytest.approx(9.03, abs=0.01)
    assert first.facts["age"] == 36
    assert first.facts["duration_years"] == pytest.approx(1.5, abs=0.1)
    assert first.facts["black_dot_m0"] == pytest.approx(80), "8 on 0.1 cm² in each of two fields"
    assert first.facts["active_load_m2"] == pytest.approx(60)
    assert "black_dot_m0" not in second.facts, "nobody reviewed the readings"
    assert "short_vellus_hair_m0" not in first.facts, "refused is not zero"
    assert any("P3" in note for note in found.notes)


def test_of_a_running_record_whoever_s_month_is_to_come_is_left_out_and_an_old_baseline_is_said(record, tmp_path):
    with open_record(record) as session:
        session.add(Patient(id="P5", synthetic=True))
        session.flush()
        session.add(Treatment(patient_id="P5", drug="drug A", dose="4", unit="mg", route="", start="2026-09-01", end="",
                              stop_reason="", response=""))  # fmt: skip
        session.add(Salt(patient_id="P5", date=date(2026, 8, 30), total=90))
        session.add(Salt(patient_id="P1", date=date(2025, 6, 1), total=55))
        session.delete(session.scalars(select(Salt).filter_by(patient_id="P1", date=date(2026, 1, 8))).one())
    told = run(record, "--drug", "drug A", "--out", tmp_path / "out")
    assert "Left out, month 9 ± 1.5 had not passed on 2026-10-12, the last day of the data: 1 (P5)." in told
    assert "more than 3 months older than the start of treatment in 1 of 2 (the oldest 7 months)" in told


def with_events(record, *events):
    """(patient, kind, grade, start) of each."""
    with open_record(record) as session:
        for patient, kind, grade, start in events:
            session.add(AdverseEvent(patient_id=patient, kind=kind, grade=grade, start=start, end=""))


def test_a_record_without_any_event_says_not_recorded_and_never_none(record, tmp_path):
    told = run(record, "--drug", "drug A", "--out", tmp_path / "out")
    assert "Adverse events were not recorded: that is not the same as none." in told
    assert "adverse event, of all treated" not in told
    assert rows_of(tmp_path / "out" / "adverse_events.csv") == []


def test_adverse_events_of_a_record_are_counted_by_patient_since_the_start_of_the_drug(record, tmp_path):
    with_events(
        record, ("P1", "Acne", 1, "2026-02-01"), ("P1", "acne", 2, "2026-04-01"), ("P1", "headache", None, "2026"),
        ("P2", "herpes zoster", 3, "2026-03-05"), ("P2", "acne", 1, "2026-01-19"), ("P4", "nausea", 1, "2026-02-01"),
    )  # fmt: skip
    told = run(record, "--drug", "drug A", "--out", tmp_path / "out")
    assert "At least one adverse event, of all treated: 2 of 2" in told
    assert "Acne: 1 of 2" in told, "one patient, in either spelling"
    assert "Grade 3 or more: 1 of 2" in told
    assert "Some events have no grade." in told
    assert "Not counted, since they began before drug A: 1." in told
    assert "Counted, though their dates leave open whether they began before drug A: 1." in told
    assert "nausea" not in told.lower(), "P4 never had drug A"
    assert "not recorded" not in told
    rates = {row["kind"]: row for row in rows_of(tmp_path / "out" / "adverse_events.csv")}
    assert rates["Acne"]["by_grade"] == "grade 2: 1", "the worst a patient had"
    page = (tmp_path / "out" / "cohort.html").read_text(encoding="utf-8")
    assert "began before drug A: 1." in page


def test_patients_without_an_entered_event_are_told_apart_from_patients_without_events(record):
    with_events(record, ("P4", "nausea", 1, "2026-02-01"))
    with open_record(record) as session:
        found = cohort_of_record(session, "drug A", "clinic")
    assert found.events == ()
    assert found.event_notes == ("2 of 2 have no adverse event entered: that is not the same as none.",)


@pytest.mark.parametrize("command", ["who", "counts", "score", "export"])
def test_a_record_on_a_server_is_named_by_its_url_and_no_password_is_printed(command, tmp_path):
    told = run(command, "postgresql+pg8000://clinic:geheim@localhost:1/hair", "--out", tmp_path / "out", exit_code=2)
    assert "geheim" not in told
    assert "***@localhost" in told
    assert "is not a folder" not in told


def moved(path, patient, day, **columns):
    """The second visit's captures of a patient, changed."""
    with open_record(path, write=True) as session:
        visit = next(v for v in session.get(Patient, patient).visits if v.date == day)
        for capture in visit.captures:
            for name, value in columns.items():
                setattr(capture, name, value)


def test_counts_of_a_record_compare_only_sites_that_were_captured_alike(record):
    with open_record(record) as session:
        rows, notes = counts_of_record(session, "drug A", "black_dot")
    assert [(row.patient, row.count, row.area_cm2) for row in rows] == [("P1", 16, 0.2), ("P1", 8, 0.2)]
    assert any("Synthetic patients are among them" in note for note in notes)
    moved(record, "P1", date(2026, 3, 15), device="other")
    with open_record(record) as session:
        rows, notes = counts_of_record(session, "drug A", "black_dot")
        cohort = cohort_of_record(session, "drug A", "clinic")
    assert [row.count for row in rows] == [16]
    assert "Left out at 1 sites of visits: other device (not stated; now other)." in notes
    assert "black_dot_m2" not in cohort.patients[0].facts
    moved(record, "P1", date(2026, 3, 15), device="", site="occipital")
    with open_record(record) as session:
        rows, notes = counts_of_record(session, "drug A", "black_dot")
    assert [row.count for row in rows] == [16]
    assert "Left out at 1 sites of visits: the site was not counted at baseline." in notes


def test_a_record_needs_the_treatment_named(record, tmp_path):
    told = run(record, "--out", tmp_path / "out", exit_code=2)
    assert "drug A, drug B" in told
    told = run(record, "--drug", "drug A", "--out", tmp_path / "out")
    assert "SALT ≤ 20 at 9 months: 1 of 2" in told
    assert "P3 is left out" in told


def test_counts_of_a_record_leave_out_what_nobody_reviewed(record, tmp_path):
    told = run("counts", record, "--drug", "drug A", "--out", tmp_path / "out", exit_code=2)
    assert "too few" in told
    tables = {
        "patients": [["patient", "arm"], *([f"p{i}", "AB"[i % 2]] for i in range(12))],
        "counts": [["patient", "month", "outcome", "count", "area_cm2"]]
        + [[f"p{i}", month, "black_dot", 10 + i - 2 * month, 0.5] for i in range(12) for month in (0, 2)],
    }
    told = run("counts", write_tables(tmp_path / "study", tables), "--out", tmp_path / "two", "--outcome", "black_dot",
               "--months", "2")  # fmt: skip
    assert "bias-reduced" in told
    assert len(rows_of(tmp_path / "two" / "densities.csv")) == 4
    values = json.loads((tmp_path / "two" / "counts.json").read_text(encoding="utf-8"))
    assert {one["against"] for one in values["ratios"]} == {"baseline", "A"}
    assert "list of months" in run("counts", tmp_path / "study", "--out", tmp_path, "--months", "two", exit_code=2)


def test_the_score_of_a_record_is_refused_where_readings_wait_and_given_where_they_do_not(record, tmp_path):
    told = run("score", record, "--drug", "drug A", "--out", tmp_path / "out")
    assert "not validated for JAK inhibitors" in told
    assert "1 of 2 patients have a score" in told
    assert "1 refused: the readings have not been reviewed." in told
    scores = {row["patient"]: row for row in rows_of(tmp_path / "out" / "scores.csv")}
    assert scores["P1"]["score"] == "-1", "black dots and broken hairs down, upright regrowing up"
    assert scores["P2"]["score"] == ""


def test_the_export_has_a_row_for_each_capture_and_sign_and_na_where_it_was_refused(record, tmp_path):
    told = run("export", record, "--out", tmp_path / "tables")
    assert "counts.csv (96)" in told, "4 patients × 2 visits × 2 fields × 6 signs"
    rows = rows_of(tmp_path / "tables" / "counts.csv")
    refused = [row for row in rows if row["status"] == "refused"]
    assert {row["sign"] for row in refused} == {"short_vellus_hair"}
    assert all(row["count"] == row["density_per_cm2"] == "NA" and row["reason"] for row in refused)
    zero = [row for row in rows if row["sign"] == "pigtail_hair"]
    assert all(row["count"] == "0" for row in zero), "counted as none is 0"
    assert {row["reviewer"] for row in rows if row["patient"] == "P2"} == {"NA"}
    assert {row["reviewer"] for row in rows if row["patient"] == "P1"} == {"Dr A. Kim"}
    code = rows_of(tmp_path / "tables" / "codebook.csv")
    for table in ("counts", "patients", "salt", "treatments"):
        with (tmp_path / "tables" / f"{table}.csv").open(encoding="utf-8") as file:
            header = file.readline().strip().split(",")
        assert header == [row["column"] for row in code if row["table"] == table]
    assert read_cohort_of_export(tmp_path / "tables") == 4


def read_cohort_of_export(folder):
    """Patients and SALT of an export, once starts are filled in, are tables that the command takes."""
    for stem in ("counts", "treatments", "codebook"):
        (folder / f"{stem}.csv").unlink()
    rows = rows_of(folder / "patients.csv")
    write_tables(folder, {"patients": [["patient", "aa_type", "start"],
                                       *([row["patient"], row["aa_type"], "2026-01-10"] for row in rows)]})  # fmt: skip
    return len(read_cohort(folder).patients)


def test_baseline_salt_is_a_predictor_of_a_record_too(record, tmp_path):
    told = run(record, "--drug", "drug A", "--out", tmp_path / "out", "--resamples", 0, "--predictors", "salt0>=50")
    assert "not a column" not in told

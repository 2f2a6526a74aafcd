"""What was entered wrongly is put right by a name and with a reason, and what it was is kept."""

from __future__ import annotations

import datetime as dt
import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select
from typer.testing import CliRunner

from records_made import begun_record, contents
from test_visits_cli import run
from trichotrack.cli.app import app
from trichotrack.problems import InputError
from trichotrack.visits.add import add_visit
from trichotrack.visits.amend import KINDS, amend, columns_of
from trichotrack.visits.change_matched import picture_of
from trichotrack.visits.history import add_patient, add_salt, add_treatment
from trichotrack.visits.plan import plan_visit
from trichotrack.visits.readings import TO_REREAD
from trichotrack.visits.record import open_record
from trichotrack.visits.reread import reread_patient
from trichotrack.visits.schema import Amendment, Capture, Patient, Review, Salt, StoredReading, Treatment, Visit
from trichotrack.visits.story import patient_story
from trichotrack.visits.transfer import export_record, import_record
from visits_made import MadeReader, write_visit

BY = {"author": "A. Kim", "reason": "typed wrongly"}
DAYS = dt.date(2026, 3, 4), dt.date(2026, 6, 1)


@pytest.fixture
def record(tmp_path):
    """A patient with a treatment, SALT and two visits of three captures; a second patient with nothing."""
    path = tmp_path / "trichotrack.sqlite"
    with open_record(path, create=True) as session:
        add_patient(session, "P001", aa_type="totalis")
        add_patient(session, "P002")
        add_treatment(session, {"patient": "P001", "drug": "drug A", "dose": "4", "start": "2026-01"})
        add_treatment(session, {"patient": "P001", "drug": "drug A", "dose": "8", "start": "2026-02"})
        add_salt(
            session, {"patient": "P001", "date": "2026-03-04", "top": "40", "back": "4", "left": "3", "right": "3"}
        )
    for i, day in enumerate(DAYS):
        names = {"vertex_1_1": 2, "vertex_1_2": 4, "frontal_1_1": 3}
        folder = write_visit(tmp_path / "originals" / str(i), names, mark=i)
        plan = plan_visit(folder, "{site}_{field}_{n}", patient="P001", day=day)
        add_visit(path, plan, MadeReader(), um_per_px=10.0)
    return path


def change(path, table, where=None, changes=None, patient="P001", **by):
    with open_record(path, write=True) as session:
        return amend(session, table, patient, where or {}, changes, **{**BY, **by})


def faults(path, *arguments, **options):
    with pytest.raises(InputError) as caught:
        change(path, *arguments, **options)
    return str(caught.value)


def rows(path, model):
    with open_record(path) as session:
        found = list(session.scalars(select(model).order_by(model.id)))
        session.expunge_all()
    return found


def story(path, patient="P001"):
    with open_record(path) as session:
        return patient_story(session, patient)


def captures(path, patient="P001"):
    return [capture for visit in story(path, patient).visits for capture in visit.captures]


def test_a_total_follows_its_region_and_what_it_was_is_kept_with_a_name_and_a_reason(record):
    before = rows(record, Salt)[0]
    done = change(record, "salt", {"date": "2026-03-04"}, {"top": "4"})
    after = rows(record, Salt)[0]
    assert (after.top, after.total, after.added_at) == (
        4,
        pytest.approx(0.4 * 4 + 0.24 * 4 + 0.36 * 3),
        before.added_at,
    )
    assert [one.sentence for one in done.rows] == ["salt, date 2026-03-04: top 40 → 4; total 18.04 → 3.64"]
    (kept,) = rows(record, Amendment)
    assert (kept.author, kept.reason, kept.table_name) == ("A. Kim", "typed wrongly", "salt")
    assert json.loads(kept.was)["top"] == "40"
    assert story(record).amended == done.rows


def test_the_rules_of_the_table_hold_and_a_fault_changes_nothing(record):
    before = contents(record)
    told = faults(record, "salt", {}, {"top": "400", "date": "2026-13-01"})
    assert "is not a percentage" in told
    assert "is not a date" in told
    assert "before the start" in faults(record, "treatments", {"dose": "4"}, {"end": "2025"})
    assert "no column colour" in faults(record, "salt", {"colour": "red"}, {"top": "4"})
    assert "no column synthetic" in faults(record, "patients", {}, {"synthetic": "1"})
    assert "no such patient" in faults(record, "salt", {}, {"patient": "P003"})
    assert "--author" in (told := faults(record, "salt", {}, {"top": "4"}, author=" ", reason=""))
    assert "--reason" in told
    assert "can be amended" in faults(record, "readings", {}, {"author": "me"})
    assert contents(record) == before


def test_one_row_must_be_meant(record):
    told = faults(record, "treatments", {"drug": "drug A"}, {"dose": "2"})
    assert "2 rows of P001 have drug drug A" in told
    assert "dose 4, start 2026-01; drug drug A, dose 8, start 2026-02" in told
    told = faults(record, "salt", {"date": "2026-03-05"}, {"total": "2"})
    assert "no row with date 2026-03-05. The table has: date 2026-03-04." in told
    assert "has none of this patient" in faults(record, "salt", {}, {"total": "2"}, patient="P002")


def test_what_tells_a_row_from_others_can_be_amended_unless_another_row_has_it(record):
    change(record, "treatments", {"dose": "4"}, {"start": "2026-01-20", "unit": "mg/day"})
    assert [(t.dose, t.unit, t.start) for t in story(record).treatments] == [
        ("4", "mg/day", "2026-01-20"),
        ("8", "", "2026-02"),
    ]
    told = faults(record, "treatments", {"dose": "4"}, {"dose": "8", "start": "2026-02", "unit": ""})
    assert "another row with these cells" in told
    assert len(rows(record, Treatment)) == 2


def test_facts_of_a_patient_are_put_right_or_made_unknown(record):
    change(record, "patients", {}, {"aa_type": "patchy", "onset": "2011"})
    assert (story(record).patient.aa_type, story(record).patient.onset) == ("patchy", "2011")
    change(record, "patients", {}, {"aa_type": "", "onset": ""})
    assert (story(record).patient.aa_type, story(record).patient.onset) == ("", "")


def test_a_row_of_another_patient_is_moved_and_neither_report_names_the_other(record):
    change(record, "salt", {}, {"patient": "P002"})
    assert (story(record).salt, [point.total for point in story(record, "P002").salt]) == ((), [pytest.approx(18.04)])
    assert "P002" not in story(record).amended[0].sentence


def test_captures_of_an_amended_scale_count_in_no_figure_until_they_are_read_anew(record, tmp_path):
    before = {one.id: one.reading for one in captures(record)}
    done = change(record, "captures", {"date": "2026-03-04"}, {"um_per_px": "5"})
    assert (len(done.rows), done.to_reread) == (3, 3)
    first, second = story(record).visits
    for capture in first.captures:
        assert {(sign.status, sign.reason) for sign in capture.reading.signs.values()} == {("refused", TO_REREAD)}
        assert capture.reading.area_cm2 == pytest.approx(before[capture.id].area_cm2 / 4)
        with pytest.raises(InputError, match="reads it anew"):
            picture_of(capture)
    assert all(sign.status == "counted" for capture in second.captures for sign in capture.reading.signs.values())
    assert {point.date for series in story(record).series for point in series.pooled} == {DAYS[1]}
    assert any(TO_REREAD in notice for notice in story(record).notices)
    told = reread_patient(record, "P001", MadeReader(), captures=tmp_path / "originals")
    assert (told.read, told.known) == (3, 3)
    for capture in story(record).visits[0].captures:
        assert (capture.to_reread, capture.reading.scale.um_per_px) == ("", 5)
        assert capture.reading.signs["black_dot"].count == before[capture.id].signs["black_dot"].count


def test_a_scale_amended_and_put_back_needs_no_new_reading_but_a_look_whether_it_does(record, tmp_path):
    for scale in ("5", "10"):
        change(record, "captures", {}, {"um_per_px": scale})
    assert all(capture.to_reread for capture in captures(record))
    assert reread_patient(record, "P001", MadeReader(), captures=tmp_path / "originals").read == 0
    assert not any(capture.to_reread for capture in captures(record))


def test_the_model_is_told_an_amended_preparation(record, tmp_path):
    change(record, "captures", {"site": "Vertex"}, {"preparation": "clipped"})
    assert [capture.to_reread != "" for capture in captures(record)] == [False, True, True] * 2
    reread_patient(record, "P001", MadeReader(), captures=tmp_path / "originals")
    status = {(one.site, one.reading.signs["broken_hair"].status) for one in captures(record)}
    assert status == {("vertex", "refused"), ("frontal", "counted")}
    assert "is not a preparation" in faults(record, "captures", {}, {"preparation": "cliped"})
    assert "micrometres" in faults(record, "captures", {}, {"um_per_px": "2820"}).lower()


def test_a_capture_amended_while_it_is_read_is_read_again(record, tmp_path):
    class Slow(MadeReader):
        def read(self, capture, /, *, scale, preparation):
            if not self.read_files:
                change(record, "captures", {}, {"um_per_px": "4"})
            return super().read(capture, scale=scale, preparation=preparation)

    with pytest.raises(InputError, match="amended while it was read"):
        reread_patient(record, "P001", Slow(), captures=tmp_path / "originals")
    assert all(capture.to_reread for capture in captures(record))


def test_device_and_place_need_no_new_reading(record):
    done = change(record, "captures", {"date": "2026-03-04", "n": "2"}, {"device": "X1 70x", "site": "Crown", "n": "1"})
    assert done.to_reread == 0
    (moved,) = [capture for capture in captures(record) if capture.device]
    assert (moved.site, moved.n, moved.file, moved.to_reread) == ("crown", "1", "crown_1_1.png", "")
    told = faults(record, "captures", {"date": "2026-06-01", "n": "2"}, {"n": "1"})
    assert "has another capture there, vertex_1_1.png" in told


def test_a_visit_is_moved_to_its_day_or_its_patient_and_joins_one_that_is_there(record):
    change(record, "visits", {"date": "2026-03-04"}, {"date": "2026-03-05"})
    assert [visit.date for visit in story(record).visits] == [dt.date(2026, 3, 5), DAYS[1]]
    change(record, "visits", {"date": "2026-03-05"}, {"patient": "P002", "date": "2026-06-01"})
    change(record, "captures", {"site": "frontal"}, {"date": "2026-06-02"})
    assert [(v.date, len(v.captures)) for v in story(record).visits] == [(DAYS[1], 2), (dt.date(2026, 6, 2), 1)]
    change(record, "visits", {"date": "2026-06-02"}, {"date": "2026-06-01"})
    assert [(v.date, len(v.captures)) for v in story(record).visits] == [(DAYS[1], 3)]
    assert "has another capture there" in faults(record, "visits", {}, {"patient": "P002"})
    assert [len(visit.captures) for visit in story(record, "P002").visits] == [3]


def test_what_is_withdrawn_goes_and_its_cells_stay(record):
    change(record, "captures", {"date": "2026-03-04", "n": "2"})
    assert (len(rows(record, Capture)), len(rows(record, StoredReading))) == (5, 5)
    done = change(record, "visits", {"date": "2026-03-04"})
    assert [one.table for one in done.rows] == ["captures", "captures", "visits"]
    done = change(record, "captures", {})
    assert [one.table for one in done.rows] == ["captures", "captures", "captures", "visits"]
    assert [rows(record, model) for model in (Visit, Capture, StoredReading, Review)] == [[]] * 4
    assert "has rows in treatments, salt" in faults(record, "patients")
    for where in ({"dose": "4"}, {"dose": "8"}):
        change(record, "treatments", where)
    change(record, "salt")
    change(record, "patients")
    with open_record(record) as session:
        assert list(session.scalars(select(Patient.id))) == ["P002"]
    assert json.loads(rows(record, Amendment)[-1].was)["aa_type"] == "totalis"


@settings(max_examples=25, suppress_health_check=list(HealthCheck), deadline=None)
@given(st.floats(0, 100), st.sampled_from(("top", "back", "left", "right")))
def test_amended_there_and_back_a_row_is_what_it_was(record, value, region):
    (before,) = rows(record, Salt)
    was = repr(getattr(before, region))
    change(record, "salt", {}, {region: repr(value)})
    assert getattr(rows(record, Salt)[0], region) == value
    change(record, "salt", {}, {region: was})
    (after,) = rows(record, Salt)
    facts = ("date", "total", "top", "back", "left", "right", "added_at")
    assert [getattr(after, name) for name in facts] == [getattr(before, name) for name in facts]


def test_an_amended_record_is_exported_and_taken_in_whole(tmp_path):
    record = begun_record(tmp_path / "here.sqlite", tmp_path / "captures")
    change(record, "captures", {"n": "1"}, {"um_per_px": "5", "device": 'X1 "70x"'})
    change(record, "treatments", {}, None)
    with open_record(record) as session:
        export_record(session, tmp_path / "out")
    with open_record(tmp_path / "there.sqlite", create=True) as session:
        import_record(session, tmp_path / "out")
    assert contents(tmp_path / "there.sqlite") == contents(record)
    assert [one.sentence for one in story(tmp_path / "there.sqlite").amended] == [
        one.sentence for one in story(record).amended
    ]
    with open_record(record, write=True) as session:
        assert {
            str(added) for name, added in import_record(session, tmp_path / "out").items() if name == "amendments"
        } == {"2 already in the record"}


def test_every_column_can_be_amended_but_what_the_record_itself_keeps():
    left = {name: set(kind.columns) - set(columns_of(name)) - {"added_at"} for name, kind in KINDS.items()}
    assert {name: columns for name, columns in left.items() if columns} == {
        "patients": {"patient", "synthetic"},
        "captures": {"sha256", "file", "scale_source", "to_reread", "width", "height"},
        "photos": {"sha256", "file", "width", "height"},
    }


def test_by_command_it_says_what_changed_and_what_to_do_next(record):
    by = ("--author", "A. Kim", "--reason", "typed 10 for 5", "--record", record)
    told = run(app, "amend", "captures", "P001", "--where", "date=2026-03-04", "--set", "um_per_px=5", *by)
    assert "P001, captures, date 2026-03-04, site vertex, field 1, n 2: um_per_px 10 → 5" in told
    assert "3 captures to be read anew, in no figure until then: `trichotrack reread P001 --captures FOLDER`" in told
    assert "Nothing to amend" in run(app, "amend", "salt", "P001", "--set", "top=40", *by)
    machine = json.loads(run(app, "amend", "salt", "P001", "--set", "top=30", "--json", *by))
    assert machine["amended"][0]["changes"] == [["top", "40", "30"], ["total", "18.04", "14.04"]]
    shown = run(app, "patient", "show", "P001", "--record", record)
    assert "salt, date 2026-03-04: top 40 → 30; total 18.04 → 14.04 (A. Kim: typed 10 for 5)" in shown
    for faulty, remedy in ((("--set", "top"), "COLUMN=VALUE"), ((), "--withdraw")):
        result = CliRunner().invoke(app, [str(part) for part in ("amend", "salt", "P001", *faulty, *by)])
        assert (result.exit_code, remedy in result.output) == (2, True)
    run(app, "report", "P001", "--record", record, "--out", record.parent / "report.html")
    page = (record.parent / "report.html").read_text(encoding="utf-8")
    assert "What was amended in the record" in page
    assert "typed 10 for 5" in page
    assert "Further rows amended likewise: 2" in page


def test_adding_captures_again_with_another_scale_says_how_to_change_it(record, tmp_path):
    again = ("visit", "add", "P001", tmp_path / "originals" / "0", "--date", "2026-03-04", "--record", record)
    pattern = ("--pattern", "{site}_{field}_{n}")
    told = run(app, *again, *pattern, "--um-per-px", "5", "--device", "X1")
    assert "note: already there with µm per px 10, not 5: `trichotrack amend` changes it" in told
    assert "note: already there with device none, not X1" in told
    assert "note:" not in run(app, *again, *pattern, "--um-per-px", "10")

"""Whose captures an import brings: by name, by table, or admittedly not known; nobody's day or name is guessed."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imports_made import BY_NAME, bring_in, save_images
from labels_fixture import save_csv, save_image, save_xlsx
from trichotrack.labels.cells import parse_date
from trichotrack.labels.file_names import NamePattern
from trichotrack.labels.importers.common import Annotation, Annotations, Mark
from trichotrack.labels.patients import UNKNOWN_PATIENTS, patients_notice
from trichotrack.labels.read import read_labels
from trichotrack.labels.split import split_by_patient
from trichotrack.labels.tables import CaptureRow
from trichotrack.labels.write import write_labels, write_split
from trichotrack.problems import InputError


def dots(*names: str) -> Annotations:
    return Annotations([Annotation(f"{name}.xml", (name,), marks=(Mark("dot", 5, 6),)) for name in names])


def refused(folder: Path, found: Annotations, **options: object) -> list[str]:
    with pytest.raises(InputError) as caught:
        bring_in(found, folder, **options)
    assert not (folder / "out").exists()
    return [str(problem) for problem in caught.value.problems]


@pytest.mark.parametrize(
    ("pattern", "name", "date"),
    [
        ("{patient}_{date:%Y%m%d}_{n}", "P1_20260304_2.jpg", "2026-03-04"),
        ("{patient}_{date:%Y-%m-%d}", "P1_2026-03-04.jpg", "2026-03-04"),
        ("{patient}_{date:%d.%m.%Y}", "P1_4.3.2026.jpg", "2026-03-04"),
        ("{patient}_{date:%d%m%y}", "P1_040326.jpg", "2026-03-04"),
        ("{patient}_{date:%d%b%Y}", "P1_04Mar2026.jpg", "2026-03-04"),
        ("{patient}/{date:%Y/%m/%d}/{n}", "set/P1/2026/03/04/1.jpg", "2026-03-04"),
        ("{patient}_{date:%Y_%m_%d}_{n}", "P1_2026_03_04_1.jpg", "2026-03-04"),
        ("{patient}_{date:%Y%m%d%H%M}", "P1_202603041530.jpg", "2026-03-04"),
        ("{patient}_{date:%Y%m}", "P1_202603.jpg", "2026-03"),
        ("{patient}_{date:%Y}", "P1_2026.jpg", "2026"),
    ],
)
def test_a_date_in_a_name_is_read_by_its_form(pattern: str, name: str, date: str) -> None:
    fields, fault = NamePattern(pattern).read(name)
    assert (fields.get("date"), fault) == (date, "")


@pytest.mark.parametrize(
    ("form", "text", "said"),
    [
        ("%Y%m%d", "20261304", "20261304 is not a date of the form %Y%m%d"),
        ("%Y%m%d", "20260230", "20260230 is not a date"),
        ("%Y%m%d", "2026304", "does not fit the pattern"),
        ("%Y%m%d", "202603041", "does not fit the pattern"),
        ("%d%m%Y", "4032026", "does not fit the pattern"),
        ("%d%m%y", "040371", "may be of 1971 or 2071"),
    ],
)
def test_a_date_that_can_be_read_in_two_ways_or_none_is_told(form: str, text: str, said: str) -> None:
    fields, fault = NamePattern(f"{{patient}}_{{date:{form}}}").read(f"P1_{text}.jpg")
    assert fields == {}
    assert said in fault


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ("", "a form is missing"),
        ("%m%d", "has no year"),
        ("%Y%d", "has a day and no month"),
        ("%Y%m%m", "names a part twice"),
        ("%y%Y", "in two ways"),
        ("%Y%q", "has parts other than"),
        ("%Y%", "has parts other than"),
        ("%x", "has parts other than"),
        ("%Y%j", "has parts other than"),
    ],
)
def test_a_form_that_gives_no_one_date_is_refused(form: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        NamePattern(f"{{patient}}_{{date:{form}}}")


@given(
    day=st.dates(dt.date(1900, 1, 1), dt.date(2100, 1, 1)),
    form=st.sampled_from(["%Y%m%d", "%d%m%Y", "%m%d%Y", "%Y-%m-%d", "%d.%m.%Y", "%d%b%Y"]),
    patient=st.text("Pab019", min_size=1),
)
def test_every_day_written_in_a_form_is_read_back(day: dt.date, form: str, patient: str) -> None:
    name = f"{patient}_{day.strftime(form)}_1.png"
    fields, _ = NamePattern(f"{{patient}}_{{date:{form}}}_{{n}}").read(name)
    assert fields == {"patient": patient, "date": day.isoformat(), "n": "1"}


@given(st.text("%YmdyHbB-_./ {}:x", max_size=8))
def test_whatever_a_form_is_it_gives_a_date_or_is_refused_in_a_sentence(form: str) -> None:
    try:
        pattern = NamePattern(f"{{patient}}_{{date:{form}}}")
    except InputError:
        return
    fields, fault = pattern.read("P1_2026.jpg")
    assert fault or parse_date(fields["date"]) == (fields["date"], "")


def test_every_name_that_does_not_fit_is_shown_and_so_is_what_the_first_told(tmp_path: Path) -> None:
    names = ["P1_20260304", "P2_20261304", "P3", "P4_04032026", "P5_20260305"]
    save_images(tmp_path / "images", names)
    with pytest.raises(InputError) as caught:
        bring_in(dots(*names), tmp_path, pattern="{patient}_{date:%Y%m%d}")
    assert [problem.value for problem in caught.value.problems] == [f"{name}.jpg" for name in names[1:4]]
    examples = getattr(caught.value, "examples", [])
    assert examples[0] == ("P1_20260304.jpg", {"patient": "P1", "date": "2026-03-04"})


def test_a_date_without_a_form_is_never_guessed(tmp_path: Path) -> None:
    save_images(tmp_path / "images", ["P1_04-03-2026"])
    told = refused(tmp_path, dots("P1_04-03-2026"), pattern="{patient}_{date}")
    assert "may be 2026-03-04 or 2026-04-03: say how it is written" in told[0]


def test_without_patients_nothing_is_imported_and_the_remedy_names_all_ways(tmp_path: Path) -> None:
    save_images(tmp_path / "images")
    (told,) = refused(tmp_path, dots("P1_1"), pattern="")
    assert all(way in told for way in ("--pattern", "--table", "--file-is-patient", "no split can keep"))


def test_a_table_tells_of_each_file_what_a_name_cannot(tmp_path: Path) -> None:
    save_images(tmp_path / "images")
    rows = [["File", "patient", "visit", "um_per_px", "preparation", "date", "age"],
            ["P1_1.jpg", "007", "v1", 2.5, "", "2026-03-04", 41],
            ["images/P1_2", "007", "v2", "", "dye", "", ""],
            ["P2_1.jpg", "8", "", "", "clipped", "", 7]]  # fmt: skip
    save_xlsx(tmp_path, {"list": rows})
    options = {"pattern": "", "table": tmp_path / "list.xlsx", "um_per_px": 4.0}
    summary, labelset = bring_in(dots("P1_1", "P1_2", "P2_1"), tmp_path, **options)
    assert [(c.patient, c.visit, c.um_per_px, c.preparation, c.date, dict(c.extra)) for c in labelset.captures] == [
        ("007", "v1", 2.5, "none", "2026-03-04", {"age": "41"}),
        ("007", "v2", 4.0, "dye", "", {"age": ""}),
        ("8", "", 4.0, "clipped", "", {"age": "7"}),
    ]
    assert summary.examples[0][1] == {"patient": "007", "visit": "v1", "date": "2026-03-04", "age": "41"}


def test_files_that_a_table_lacks_and_rows_that_have_no_file_are_told_at_once(tmp_path: Path) -> None:
    save_images(tmp_path / "images")
    rows = [["file", "patient"], ["P1_1.jpg", "1"], ["p9_9.jpg", "9"], ["P1_1", "1"], ["P2_1.jpg", "2"]]
    save_csv(tmp_path, {"list": rows})
    found = dots("P1_1", "P1_2")
    told = "\n".join(refused(tmp_path, found, pattern="", table=tmp_path / "list.csv"))
    assert "row 3, column file: is not among the images (got 'p9_9.jpg')" in told
    assert "is annotated, and has no row (got 'P1_2.jpg')" in told
    assert "is in rows 2, 4 (got 'P1_1.jpg')" in told
    assert "P2_1" not in told  # it is there, and only not annotated


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([["file", "visit"], ["P1_1.jpg", "1"]], "the column is missing"),
        ([["file", "patient"], ["P1_1.jpg", ""]], "no patient is named"),
        ([["file", "patient"], ["../P1_1.jpg", "1"]], "leads out of the folder"),
        ([["file", "patient", "date"], ["P1_1.jpg", "1", "04/03/2026"]], "may be 2026-03-04 or 2026-04-03"),
        ([["file", "patient", "um_per_px"], ["P1_1.jpg", "1", "20x"]], "is not a number"),
    ],
)
def test_a_table_with_a_fault_is_refused_with_the_row(tmp_path: Path, rows: list[list[object]], said: str) -> None:
    save_images(tmp_path / "images", ["P1_1"])
    save_csv(tmp_path, {"list": rows})
    assert said in "\n".join(refused(tmp_path, dots("P1_1"), pattern="", table=tmp_path / "list.csv"))


def test_a_table_that_is_not_there_and_two_ways_at_once_are_refused(tmp_path: Path) -> None:
    save_images(tmp_path / "images", ["P1_1"])
    assert "is not a file" in refused(tmp_path, dots("P1_1"), pattern="", table=tmp_path / "gone.csv")[0]
    assert "Give one" in refused(tmp_path, dots("P1_1"), pattern=BY_NAME, table=tmp_path / "gone.csv")[0]


def test_files_taken_as_patients_are_stamped_and_the_stamp_outlives_splitting_and_rewriting(tmp_path: Path) -> None:
    save_images(tmp_path / "images", ["a/x", "b/x", "y"])
    summary, labelset = bring_in(dots("a/x", "b/x", "y"), tmp_path, pattern="", file_is_patient=True)
    assert [capture.patient for capture in labelset.captures] == ["a/x", "b/x", "y"]
    assert summary.patients_notice == UNKNOWN_PATIENTS
    write_split(split_by_patient(labelset, {"train": 0.5, "val": 0.5}, 0), tmp_path / "out")
    again = read_labels(tmp_path / "out")
    assert {capture.split for capture in again.captures} == {"train", "val"}
    write_labels(again, tmp_path / "copy")
    assert patients_notice(read_labels(tmp_path / "copy").captures) == UNKNOWN_PATIENTS


def test_what_else_a_name_tells_is_kept_where_the_patient_is_not_known(tmp_path: Path) -> None:
    save_images(tmp_path / "images", ["vertex_1", "vertex_2"])
    found = dots("vertex_1", "vertex_2")
    _, labelset = bring_in(found, tmp_path, pattern="{site}_{n}", file_is_patient=True)
    assert [(c.patient, c.site) for c in labelset.captures] == [("vertex_1", "vertex"), ("vertex_2", "vertex")]


def test_a_table_may_know_some_patients_and_the_notice_counts_the_others(tmp_path: Path) -> None:
    save_images(tmp_path / "images")
    save_csv(tmp_path, {"list": [["file", "patient"], ["P1_1.jpg", "1"], ["P1_2.jpg", ""], ["P2_1.jpg", "2"]]})
    options = {"pattern": "", "table": tmp_path / "list.csv", "file_is_patient": True}
    summary, labelset = bring_in(dots("P1_1", "P1_2", "P2_1"), tmp_path, **options)
    assert [capture.patient for capture in labelset.captures] == ["1", "P1_2", "2"]
    assert summary.patients_notice == f"{UNKNOWN_PATIENTS} (1 of 3 captures)"


def test_files_that_differ_in_their_ending_alone_are_two_patients(tmp_path: Path) -> None:
    save_images(tmp_path / "images", ["x"])
    save_image(tmp_path / "images" / "x.jpeg", seed=1)
    found = Annotations([Annotation("s", (name,), marks=(Mark("dot", 1, 1),)) for name in ("x.jpg", "x.jpeg")])
    _, labelset = bring_in(found, tmp_path, pattern="", file_is_patient=True)
    assert sorted(capture.patient for capture in labelset.captures) == ["x.jpeg", "x.jpg"]


def test_known_patients_need_no_notice() -> None:
    assert patients_notice([CaptureRow("a.jpg", "1"), CaptureRow("b.jpg", "2")]) == ""
    assert patients_notice([]) == ""


def test_patients_who_may_be_one_under_two_names_are_told(tmp_path: Path) -> None:
    names = ["P1_1", "p01_2", "P-1_3", "P10_1", "1-1_1", "11_1"]
    save_images(tmp_path / "images", names)
    summary, labelset = bring_in(dots(*names), tmp_path)
    (note,) = [note for note in summary.notes if "one person" in note]
    assert note.startswith("patients called P-1 and P1 and p01:")
    assert len({capture.patient for capture in labelset.captures}) == 6  # told, never joined

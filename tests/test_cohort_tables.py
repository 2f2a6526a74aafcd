from __future__ import annotations

import math
from datetime import date

import pytest

from cohort_made import SOUND, write_tables
from trichotrack.cohort.tables import read_cohort
from trichotrack.problems import InputError


def faults_of(folder):
    with pytest.raises(InputError) as caught:
        read_cohort(folder)
    return [str(problem) for problem in caught.value.problems]


@pytest.mark.parametrize(
    "form", [{}, {"separator": ";", "decimal": ",", "bom": True}, {"separator": "\t"}], ids=["plain", "excel", "tabs"]
)
def test_a_folder_reads_the_same_however_a_spreadsheet_saved_it(tmp_path, form):
    cohort = read_cohort(write_tables(tmp_path / "study", SOUND, **form))
    first, second, third = cohort.patients
    assert first.id == "007"
    assert first.facts["ferritin"] == 40.5
    assert first.facts["centre"] == "north"
    assert second.salt0 == 100, "the last SALT on or before the start, here a month before"
    assert second.salt_at(9, 1.5) == 100
    assert "ferritin" not in second.facts, "blank is not known, and never 0"
    assert third.salt_at(9, 1.5) is None
    assert cohort.kinds["atopic"] == "yes/no"
    assert cohort.kinds["centre"] == "group"
    assert {(event.patient, event.kind) for event in cohort.events} == {("8", "acne"), ("9", "herpes zoster")}
    assert cohort.name == "study"


def test_workbooks_are_read_too(tmp_path):
    openpyxl = pytest.importorskip("openpyxl")
    for stem, rows in SOUND.items():
        book = openpyxl.Workbook()
        for row in rows:
            book.active.append(list(row))
        book.save(tmp_path / f"{stem}.xlsx")
    assert [patient.id for patient in read_cohort(tmp_path).patients] == ["007", "8", "9"]


def test_every_fault_of_every_table_is_told_at_once(tmp_path):
    broken = {
        "patients": [
            ["patient", "aa_type", "age", "eyebrow", "salt0", "ferritin", "start"],
            ["P1", "alopecia", 31, 2, 60, 40, "2026-01-01"],
            ["P1", "patchy", 300, 5, "", 41, "2026"],
            ["P2", "patchy", 30, 1, 50, "low", "03.04.2026"],
        ],
        "salt": [
            ["patient", "month", "date", "salt"],
            ["P1", 0, "", 80],
            ["P1", 0, "", 80],
            ["P3", 0, "", 50],
            ["P2", "", "", 40],
            ["P2", "", "2026-05-01", 40],
            ["P2", 3, "", 130],
        ],
        "events": [["patient", "kind", "grade"], ["P2", "", 1], ["P2", "acne", 7]],
    }
    told = faults_of(write_tables(tmp_path, broken))
    expected = [
        ("patients.csv, row 2", "is not a type of alopecia areata"),
        ("patients.csv, row 2", "differs from the last SALT on or before treatment start, 80"),
        ("patients.csv, row 3", "twice"),
        ("patients.csv, row 3", "not between 0 and 120"),
        ("patients.csv, row 3", "not between 0 and 3"),
        ("patients.csv, row 4", "is not a number"),
        ("patients.csv, row 4", "may be 2026-03-04 or 2026-04-03"),
        ("salt.csv, row 3", "already"),
        ("salt.csv, row 4", "not in the table of patients"),
        ("salt.csv, row 5", "missing, and so is the date"),
        ("salt.csv, row 6", "cannot be counted from the start"),
        ("salt.csv, row 7", "not between 0 and 100"),
        ("events.csv, row 2", "empty"),
        ("events.csv, row 3", "not a grade"),
    ]
    for place, message in expected:
        assert any(place in fault and message in fault for fault in told), (place, message, told)
    assert len(told) == len(expected), told


def test_a_folder_without_its_tables_names_them_all(tmp_path):
    told = faults_of(tmp_path)
    assert any("patients.csv" in fault for fault in told)
    assert any("salt.csv" in fault for fault in told)
    assert "not a folder" in faults_of(tmp_path / "nowhere")[0]


def test_data_end_on_the_last_day_of_the_table_and_never_where_months_are_told(tmp_path):
    tables = {
        "patients": [["patient", "start"], ["1", "2026-01-01"], ["2", "2026-06-01"], ["3", ""]],
        "salt": [["patient", "date", "month", "salt"], ["1", "2026-01-01", "", 50], ["1", "2026-10-01", "", 10],
                 ["2", "2026-06-01", "", 60], ["3", "", 0, 70]],
    }  # fmt: skip
    found = read_cohort(write_tables(tmp_path, tables))
    assert found.until == date(2026, 10, 1)
    assert [round(one.until, 2) for one in found.patients] == [8.97, 4.01, math.inf]
    assert read_cohort(write_tables(tmp_path / "months", SOUND)).until is None


def test_dates_count_from_the_start_and_a_salt0_of_the_patients_table_is_the_baseline(tmp_path):
    tables = {
        "patients": [["patient", "start", "salt0"], ["A", "2026-01-01", 70], ["B", "2026-01-01", ""]],
        "salt": [
            ["patient", "date", "salt"],
            ["A", "2026-10-02", 10],
            ["B", "2026-01-01", 90],
            ["B", "2026-01-08", 80],
        ],
    }
    first, second = read_cohort(write_tables(tmp_path, tables)).patients
    assert first.salt0 == 70
    assert first.followed[0].month == pytest.approx(9.0, abs=0.01)
    assert second.salt0 == 90
    assert read_cohort(tmp_path).events is None, "no table of events is not the same as no events"

"""Labelled folders as people save them."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from labels_fixture import save_csv, save_xlsx, sound_tables
from trichotrack.labels.cells import parse_date, parse_number, parse_path
from trichotrack.labels.read import read_labels
from trichotrack.problems import InputError, Problem


def problems_of(folder: Path) -> tuple[Problem, ...]:
    with pytest.raises(InputError) as caught:
        read_labels(folder)
    return caught.value.problems


def test_a_sound_folder_reads_alike_from_every_spreadsheet(tmp_path: Path) -> None:
    read = []
    for name, habits in {
        "plain": {},
        "german": {"separator": ";", "decimal": ",", "bom": True},
        "tabs": {"separator": "\t", "decimal": ","},
        "comma_and_decimal_comma": {"decimal": ","},
    }.items():
        folder = tmp_path / name
        folder.mkdir()
        save_csv(folder, sound_tables(), **habits)
        read.append(read_labels(folder))
    (tmp_path / "xlsx").mkdir()
    save_xlsx(tmp_path / "xlsx", sound_tables())
    read.append(read_labels(tmp_path / "xlsx"))
    for labelset in read:
        assert labelset.captures == read[0].captures
        assert labelset.labels == read[0].labels
        assert labelset.objects == read[0].objects
    first = read[0]
    assert first.captures[0].patient == "007"
    assert [row.um_per_px for row in first.captures] == [2.5, 2.5, None]
    assert (first.objects[0].x, first.objects[0].y, first.objects[0].tip_x) == (12.5, 20.25, None)
    assert [(row.level, row.value) for row in first.labels[2:]] == [("count", 3), ("presence", 1)]


def ten_faults() -> dict[str, list[list[object]]]:
    tables = sound_tables()
    tables["captures"] += [
        ["images/d.jpg", "10", "", "", "", 2.5, "none", "03/04/2026", "train", ""],
        ["images/e.jpg", "11", "", "", "", 0.00282, "none", "", "train", ""],
        ["images/f.jpg", "8", "", "", "", 2.5, "none", "", "train", ""],
        ["images/g.jpg", "12", "", "", "", 2.5, "bald", "", "train", ""],
        ["C:\\scans\\h.jpg", "13", "", "", "", 2.5, "none", "", "train", ""],
    ]
    tables["labels"] += [
        ["images/d.jpg", "black_dots", "exhaustive", "", ""],
        ["images/d.jpg", "broken_hair", "all", "", ""],
        ["images/e.jpg", "broken_hair", "presence", 2, ""],
    ]
    tables["objects"] += [
        ["3", "images/a.jpg", "black_dot", "12 px", 20, "", "", ""],
        ["2", "images/a.jpg", "black_dot", 14, 25, "", "", ""],
    ]
    return tables


@pytest.mark.parametrize("form", ["csv", "xlsx"])
def test_ten_faults_of_a_folder_are_reported_at_once(tmp_path: Path, form: str) -> None:
    if form == "csv":
        save_csv(tmp_path, ten_faults(), separator=";", decimal=",", bom=True)
    else:
        save_xlsx(tmp_path, ten_faults())
    problems = problems_of(tmp_path)
    assert {(p.place, p.row, p.column, p.value) for p in problems} == {
        (f"captures.{form}", 5, "date", "03/04/2026"),
        (f"captures.{form}", 6, "um_per_px", "0,00282" if form == "csv" else "0.00282"),
        (f"captures.{form}", 7, "split", "train"),
        (f"captures.{form}", 8, "preparation", "bald"),
        (f"captures.{form}", 9, "file", "C:\\scans\\h.jpg"),
        (f"labels.{form}", 6, "sign", "black_dots"),
        (f"labels.{form}", 7, "level", "all"),
        (f"labels.{form}", 8, "value", "2"),
        (f"objects.{form}", 4, "x", "12 px"),
        (f"objects.{form}", 5, "id", "2"),
    }
    assert len(problems) == 10
    remedies = {(p.place.split(".")[0], p.row): p.remedy for p in problems}
    assert "2026-03-04" in remedies["captures", 5]
    assert "micrometres" in remedies["captures", 6]
    assert "one split" in remedies["captures", 7]
    assert "none, unclipped, clipped, shaved" in remedies["captures", 8]
    assert "relative to the folder" in remedies["captures", 9]
    assert "Did you mean black_dot?" in remedies["labels", 6]
    assert "exhaustive, partial, count, presence" in remedies["labels", 7]
    assert "0 where it is absent" in remedies["labels", 8]
    assert "without unit" in remedies["objects", 4]
    assert "Keep one" in remedies["objects", 5]


CAPTURE, LABEL, OBJECT = "captures", "labels", "objects"


@pytest.mark.parametrize(
    ("table", "row", "where"),
    [
        (LABEL, ["images/zzz.jpg", "black_dot", "partial", "", ""], ("labels.csv", "file", "images/zzz.jpg")),
        (OBJECT, ["9", "images/zzz.jpg", "black_dot", 1, 1, "", "", ""], ("objects.csv", "file", "images/zzz.jpg")),
        (OBJECT, ["9", "images/c.jpg", "black_dot", 1, 1, "", "", ""], ("objects.csv", "sign", "black_dot")),
        (OBJECT, ["9", "images/a.jpg", "black_dot", 1, 1, "", "", "bob"], ("objects.csv", "sign", "black_dot")),
        (OBJECT, ["9", "images/b.jpg", "black_dot", 1, 1, "", "", ""], ("objects.csv", "sign", "black_dot")),
        (OBJECT, ["9", "images/a.jpg", "black_dot", -1, 1, "", "", ""], ("objects.csv", "x", "-1")),
        (OBJECT, ["9", "images/a.jpg", "black_dot", "nan", 1, "", "", ""], ("objects.csv", "x", "nan")),
        (OBJECT, ["9", "images/a.jpg", "black_dot", "1e999", 1, "", "", ""], ("objects.csv", "x", "1e999")),
        (OBJECT, ["9", "images/a.jpg", "black_dot", 1, "", "", "", ""], ("objects.csv", "y", "")),
        (OBJECT, ["9", "images/a.jpg", "black_dot", 1, 1, 5, "", ""], ("objects.csv", "tip_y", "")),
        (OBJECT, ["", "images/a.jpg", "black_dot", 1, 1, "", "", ""], ("objects.csv", "id", "")),
        (LABEL, ["images/c.jpg", "black_dot", "count", -1, ""], ("labels.csv", "value", "-1")),
        (LABEL, ["images/c.jpg", "black_dot", "count", 2.5, ""], ("labels.csv", "value", "2.5")),
        (LABEL, ["images/c.jpg", "black_dot", "count", "", ""], ("labels.csv", "value", "")),
        (LABEL, ["images/c.jpg", "black_dot", "presence", "yes", ""], ("labels.csv", "value", "yes")),
        (LABEL, ["images/c.jpg", "black_dot", "exhaustive", 4, ""], ("labels.csv", "value", "4")),
        (LABEL, ["images/a.jpg", "black_dot", "partial", "", ""], ("labels.csv", "sign", "images/a.jpg, black_dot")),
        (CAPTURE, ["images/a.jpg", "1", "", "", "", "", "", "", "", ""], ("captures.csv", "file", "images/a.jpg")),
        (CAPTURE, ["../a.jpg", "1", "", "", "", "", "", "", "", ""], ("captures.csv", "file", "../a.jpg")),
        (CAPTURE, ["images/d.jpg", "", "", "", "", "", "", "", "", ""], ("captures.csv", "patient", "")),
        (CAPTURE, ["images/d.jpg", "1", "", "", "", "20x", "", "", "", ""], ("captures.csv", "um_per_px", "20x")),
        (CAPTURE, ["images/d.jpg", "1", "", "", "", "", "", "", "", "/m"], ("captures.csv", "valid_area", "/m")),
        (CAPTURE, ["images/d.jpg", "1", "", "", "", "", "", "", "", "", "more"], ("captures.csv", "", "more")),
    ],
)  # fmt: skip
def test_one_fault_gives_one_problem(
    tmp_path: Path, table: str, row: list[object], where: tuple[str, str, str]
) -> None:
    tables = sound_tables()
    tables[table].append(row)
    save_csv(tmp_path, tables)
    (problem,) = problems_of(tmp_path)
    assert (problem.place, problem.column, problem.value) == where
    assert problem.row == len(tables[table])
    assert problem.remedy


def test_a_missing_column_is_told_once_and_the_rest_is_still_read(tmp_path: Path) -> None:
    tables = sound_tables()
    position = tables["captures"][0].index("patient")
    for row in tables["captures"]:
        del row[position]
    tables["captures"][1][tables["captures"][0].index("date")] = "03/04/2026"
    save_csv(tmp_path, tables)
    assert [(p.row, p.column) for p in problems_of(tmp_path)] == [(1, "patient"), (2, "date")]


def test_a_fault_repeated_down_a_column_is_told_once_with_its_rows(tmp_path: Path) -> None:
    tables = sound_tables()
    tables["captures"] += [[f"images/{n}.jpg", str(n), "", "", "", 2820, "none"] for n in range(100, 110)]
    save_csv(tmp_path, tables)
    (problem,) = problems_of(tmp_path)
    assert problem.row == 5
    assert "the same in row 6, 7, 8, 9, 10 and 4 more" in problem.message


def test_header_case_and_spacing_do_not_matter_and_other_columns_are_kept(tmp_path: Path) -> None:
    tables = sound_tables()
    tables["captures"][0] = [" File ", "PATIENT", "Visit", "Site", "Field", "um per px", "Preparation", "Date", "Split",
                             "valid-area", "Nurse's note", ""]  # fmt: skip
    for row in tables["captures"][1:]:
        row += ["=SUM", ""]
    tables["captures"].append([""] * 12)
    save_csv(tmp_path, tables)
    labelset = read_labels(tmp_path)
    assert len(labelset.captures) == 3
    assert labelset.captures[0].um_per_px == 2.5
    assert dict(labelset.captures[0].extra) == {"Nurse's note": "=SUM"}


def test_backslashes_become_slashes(tmp_path: Path) -> None:
    tables = sound_tables()
    for name in ("labels", "objects"):
        for row in tables[name][1:]:
            row[:2] = [str(cell).replace("/", "\\") for cell in row[:2]]
    save_csv(tmp_path, tables)
    assert {row.file for row in read_labels(tmp_path).labels} == {"images/a.jpg", "images/b.jpg", "images/c.jpg"}


def test_an_escaped_formula_is_read_without_its_quote(tmp_path: Path) -> None:
    tables = sound_tables()
    tables["captures"][1][1] = "'=7"
    tables["captures"][2][1] = "O'Neil"
    save_csv(tmp_path, tables)
    assert [row.patient for row in read_labels(tmp_path).captures[:2]] == ["=7", "O'Neil"]


def test_workbook_cells_are_read_as_they_look(tmp_path: Path) -> None:
    import openpyxl

    tables = sound_tables()
    tables["captures"][1][1] = 7.0
    tables["captures"][1][7] = dt.datetime(2026, 3, 4)  # noqa: DTZ001
    tables["captures"][2][1] = 8
    tables["labels"][4][3] = True
    save_xlsx(tmp_path, tables)
    book = openpyxl.load_workbook(tmp_path / "captures.xlsx")
    book.active.cell(3, 2).number_format = "000"
    book.create_sheet("notes", 0).append(["not", "the", "table"])
    book.worksheets[1].title = "Captures"
    book.save(tmp_path / "captures.xlsx")
    labelset = read_labels(tmp_path)
    assert [row.patient for row in labelset.captures] == ["7", "008", "9"]
    assert labelset.captures[0].date == "2026-03-04"
    assert labelset.labels[3].value == 1


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("file;patient\na.jpg;Müller".encode("cp1252"), "cp1252"),
        ("file;patient\na.jpg;Müller".encode("utf-16"), "UTF-16"),
        ("file;patient\na.jpg;Müller".encode("utf-16-le"), "UTF-16"),
        (b"\xff\xd8\xff\xe0\x00\x10JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00" + 200 * b"\x93", "no table"),
        (b"PK\x03\x04rest", "workbook named .csv"),
        (b"", "no header"),
        (b"\n\n", "no header"),
        (b'file,patient\n"a.jpg' + b"x" * 200_000, "is not CSV"),
        (b"file,patient,file\n", "two columns have this name"),
    ],
)
def test_a_file_that_is_no_utf8_table_is_named_with_what_it_is(tmp_path: Path, content: bytes, said: str) -> None:
    save_csv(tmp_path, sound_tables())
    (tmp_path / "captures.csv").write_bytes(content)
    told = [p for p in problems_of(tmp_path) if said in p.message]
    assert [p.place for p in told] == ["captures.csv"]
    assert told[0].remedy


def test_the_row_of_the_first_foreign_letter_is_shown(tmp_path: Path) -> None:
    save_csv(tmp_path, sound_tables())
    (tmp_path / "captures.csv").write_bytes("file;patient\na.jpg;1\nb.jpg;Müller".encode("cp1252"))
    (problem,) = problems_of(tmp_path)
    assert (problem.row, problem.value) == (3, "b.jpg;Müller")


def test_tables_missing_twice_there_or_broken_are_told(tmp_path: Path) -> None:
    save_csv(tmp_path, sound_tables())
    (tmp_path / "captures.xlsx").write_bytes(b"not a workbook")
    (tmp_path / "labels.csv").unlink()
    assert [p.place for p in problems_of(tmp_path)] == ["captures.csv and captures.xlsx", "labels.csv"]
    (tmp_path / "captures.csv").unlink()
    assert [p.place for p in problems_of(tmp_path)] == ["captures.xlsx", "labels.csv"]
    assert [p.message for p in problems_of(tmp_path / "nowhere")] == ["is not a folder"]


def test_objects_may_be_absent(tmp_path: Path) -> None:
    tables = sound_tables()
    del tables["objects"]
    save_csv(tmp_path, tables)
    assert read_labels(tmp_path).objects == ()


SIGNS_YAML = """
signs:
  hair: {group: null, label: any hair}
  downy_hair: {parent: hair, width_um: [10, 30], colour: [1, 2, 3]}
"""


def test_signs_of_signs_yaml_may_be_named(tmp_path: Path) -> None:
    tables = sound_tables()
    tables["labels"].append(["images/c.jpg", "downy_hair", "exhaustive", "", ""])
    save_csv(tmp_path, tables)
    (tmp_path / "signs.yaml").write_text(SIGNS_YAML)
    signs = read_labels(tmp_path).signs
    assert (signs["hair"].group, signs["hair"].label, signs["hair"].parent) == (None, "any hair", None)
    downy = signs["downy_hair"]
    assert (downy.group, downy.parent, downy.label, downy.width_um) == ("structure", "hair", "downy hair", (10, 30))
    assert "black_dot" in signs


@pytest.mark.parametrize(
    "text",
    [
        "signs: [hair]",
        "- hair",
        "signs: {black_dot: {}}",
        "signs: {7: {}}",
        "signs: {hair: {parent: nothing}}",
        "signs: {one: {parent: two}, two: {parent: one}}",
        "signs: {hair: {role: main}}",
        "signs: {hair: {width_um: thin}}",
        "signs: {hair: {colour: [1, 2, 999]}}",
        "signs: {hair: {colour: null}}",
        "signs: {hair: {shape: round}}",
        "signs: {hair: [",
    ],
)
def test_a_faulty_signs_yaml_is_told_and_hides_no_other_fault(tmp_path: Path, text: str) -> None:
    tables = sound_tables()
    tables["labels"].append(["images/c.jpg", "my_sign", "all", "", ""])
    save_csv(tmp_path, tables)
    (tmp_path / "signs.yaml").write_text(text)
    problems = problems_of(tmp_path)
    assert {p.place for p in problems} == {"signs.yaml", "labels.csv"}
    assert [p.column for p in problems if p.place == "labels.csv"] == ["level"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-03-04", "2026-03-04"),
        ("2026-03", "2026-03"),
        ("2026", "2026"),
        ("2026/3/4", "2026-03-04"),
        ("20260304", "2026-03-04"),
        ("2026-03-04 10:30:00", "2026-03-04"),
        ("25.12.2026", "2026-12-25"),
        ("12/25/2026", "2026-12-25"),
        ("03/03/2026", "2026-03-03"),
    ],
)
def test_dates_with_one_meaning_become_iso(text: str, expected: str) -> None:
    assert parse_date(text) == (expected, "")


@pytest.mark.parametrize("text", ["03/04/2026", "3.4.2026", "03/04/26", "31/02/2026", "2026-13", "2026-02-30", "March"])
def test_dates_with_two_meanings_or_none_are_refused(text: str) -> None:
    date, fault = parse_date(text)
    assert not date
    assert fault


def test_an_ambiguous_date_is_told_with_both_meanings() -> None:
    assert parse_date("03/04/2026")[1] == "may be 2026-03-04 or 2026-04-03"


@pytest.mark.parametrize(
    ("text", "separator", "expected"),
    [
        ("3.5", ",", 3.5),
        ("3,5", ";", 3.5),
        ("3,5", ",", 3.5),
        ("1,234", ";", 1.234),
        ("-1e-3", ",", -0.001),
        ("\u22123,5", ";", -3.5),
        (".5", "", 0.5),
    ],
)
def test_numbers(text: str, separator: str, expected: float) -> None:
    assert parse_number(text, separator) == expected


def test_a_comma_that_may_mark_thousands_is_refused() -> None:
    assert parse_number("1,234", ",") == "may be 1234 or 1.234"
    assert parse_number("1,234.5", ";") == "is not a number"


@pytest.mark.parametrize("text", ["/a.jpg", "\\\\server\\a.jpg", "C:\\a.jpg", "c:a.jpg", "..", "a/../../b.jpg"])
def test_paths_that_leave_the_folder_are_refused(text: str) -> None:
    assert parse_path(text)[0] == ""
    assert parse_path(text)[1]


def test_paths_inside_the_folder_are_made_plain() -> None:
    assert parse_path(".\\images\\x\\..\\a.jpg") == ("images/a.jpg", "")

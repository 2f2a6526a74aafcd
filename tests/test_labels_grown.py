"""Sets that grow after their split: nobody who was tested ever trains, and nobody needs to be drawn anew."""

from __future__ import annotations

import dataclasses
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner, Result

from labels_fixture import save_csv, save_image, save_xlsx, sound_tables
from test_labels_split import patients_with, splits
from trichotrack.cli.labels import labels_app
from trichotrack.labels.grown import add_patients, with_known_splits
from trichotrack.labels.read import read_labels
from trichotrack.labels.split import split_by_patient
from trichotrack.labels.tables import CaptureRow, LabelSet
from trichotrack.labels.write import write_labels
from trichotrack.problems import InputError

SHARES = {"train": 0.6, "val": 0.2, "test": 0.2}


def run(*arguments: object) -> Result:
    return CliRunner().invoke(labels_app, [str(argument) for argument in arguments])


def grown(old: LabelSet, new: LabelSet, *captures: CaptureRow) -> LabelSet:
    """new (which begins with the patients of old), with the splits and folds of old; and unlabelled captures."""
    row_of = {row.file: row for row in old.captures}
    kept = tuple(row_of.get(row.file, row) for row in new.captures)
    return dataclasses.replace(new, captures=(*kept, *captures))


@settings(max_examples=30, deadline=None)
@given(old=st.integers(6, 20), new=st.integers(1, 20), seed=st.integers(0, 9))
def test_nobody_moves_and_new_patients_bring_the_set_nearer_to_its_shares(old: int, new: int, seed: int) -> None:
    counts = [n % 5 for n in range(old + new)]
    before = split_by_patient(patients_with(counts[:old]), SHARES, 0)
    after = splits(add_patients(grown(before, patients_with(counts)), SHARES, seed))
    assert {patient: after[patient] for patient in splits(before)} == splits(before)
    sizes = Counter(after.values())
    assert sizes.total() == old + new
    for name, share in SHARES.items():
        assert sizes[name] <= max(Counter(splits(before).values())[name], share * (old + new) + 1)


def test_a_new_capture_goes_where_its_patient_is() -> None:
    before = split_by_patient(patients_with([2] * 10), SHARES, 0)
    more = grown(before, before, *(CaptureRow(f"new{n}.jpg", f"P{n}") for n in range(10)))
    assert splits(with_known_splits(more)) == splits(before)
    assert with_known_splits(before) == before


def test_new_patients_of_a_clinic_go_where_the_clinic_is() -> None:
    def at(labelset: LabelSet) -> LabelSet:
        clinics = (dataclasses.replace(row, device="ABC"[int(row.patient[1:]) % 3]) for row in labelset.captures)
        return dataclasses.replace(labelset, captures=tuple(clinics))

    old, new = at(patients_with([2] * 6)), at(patients_with([2] * 9))
    part_of = {"A": "train", "B": "val", "C": "test"}
    before = dataclasses.replace(
        old, captures=tuple(dataclasses.replace(row, split=part_of[row.device]) for row in old.captures)
    )
    done = add_patients(grown(before, new), SHARES, 0, by="device")
    assert {(row.device, row.split) for row in done.captures} == set(part_of.items())
    mixed = dataclasses.replace(before.captures[0], split="test"), dataclasses.replace(before.captures[1], split="test")
    torn = dataclasses.replace(before, captures=(*mixed, *before.captures[2:]))
    with pytest.raises(InputError, match="patients of A are in test, train already"):
        add_patients(grown(torn, new), SHARES, 0, by="device")


# --- the command ------------------------------------------------------------------------------------------------------


def saved(tmp_path: Path, people: int = 20) -> Path:
    write_labels(patients_with([n % 4 + 1 for n in range(people)]), tmp_path / "set")
    return tmp_path / "set"


def grow(folder: Path, people: int, *captures: CaptureRow) -> LabelSet:
    """Writes the set with so many labelled patients in all, and unlabelled captures; gives what was there before."""
    before = read_labels(folder)
    write_labels(grown(before, patients_with([n % 4 + 1 for n in range(people)]), *captures), folder)
    return before


def test_a_split_is_blank_or_the_patients_own(tmp_path: Path) -> None:
    tables = sound_tables()
    tables["captures"].append([*tables["captures"][2][:8], "", ""])
    tables["captures"][-1][0] = "images/new.jpg"
    save_csv(tmp_path, tables)
    assert [row.split for row in read_labels(tmp_path).captures] == ["train", "val", "", ""]
    tables["captures"][-1][8] = "test"
    save_csv(tmp_path, tables)
    with pytest.raises(
        InputError, match=r"patient 8 is in two splits \(val in row 3\) \(got 'test'\).*Write one split"
    ):
        read_labels(tmp_path)


def test_captures_of_known_patients_and_new_patients_are_added_and_nobody_moves(tmp_path: Path) -> None:
    folder = saved(tmp_path)
    assert run("split", folder, "--val", 0.2, "--test", 0.2).exit_code == 0
    before = grow(folder, 25, *(CaptureRow(f"new{n}.jpg", f"P{n}") for n in range(20)))
    refused = str(run("split", folder, "--val", 0.2, "--test", 0.2).exception)
    assert "is split already" in refused
    assert "--add to leave everybody where they are" in refused
    assert "--replace to draw everybody anew" in refused
    done = run("split", folder, "--add")
    assert done.exit_code == 0, done.exception
    after = splits(read_labels(folder))
    assert {patient: after[patient] for patient in splits(before)} == splits(before)
    assert Counter(after.values()) == {"train": 15, "val": 5, "test": 5}
    assert run("split", folder, "--add").exit_code == 0
    assert splits(read_labels(folder)) == after


def test_shares_that_are_asked_for_are_drawn_from_the_new_patients(tmp_path: Path) -> None:
    folder = saved(tmp_path)
    assert run("split", folder, "--val", 0.2).exit_code == 0
    grow(folder, 30)
    assert run("split", folder, "--add", "--val", 0.2, "--test", 0.2).exit_code == 0
    after = splits(read_labels(folder))
    assert Counter(after.values()) == {"train": 18, "val": 6, "test": 6}
    assert {int(patient[1:]) >= 20 for patient, split in after.items() if split == "test"} == {True}
    grow(folder, 32)
    assert "test: would have 2 patients" not in str(run("split", folder, "--add").exception)


def test_a_new_part_that_can_show_nothing_is_refused(tmp_path: Path) -> None:
    folder = saved(tmp_path)
    assert run("split", folder, "--val", 0.2).exit_code == 0
    grow(folder, 22)
    refused = str(run("split", folder, "--add", "--test", 0.1).exception)
    assert "test: would have" in refused
    assert "val: would have" not in refused


def test_a_new_patient_goes_to_a_fold_and_no_fold_loses_anybody(tmp_path: Path) -> None:
    folder = saved(tmp_path, people=10)
    assert run("split", folder, "--folds", 5).exit_code == 0
    before = grow(folder, 15, CaptureRow("new.jpg", "P3"))
    done = run("split", folder, "--add")
    assert done.exit_code == 0, done.exception
    after = read_labels(folder)
    fold_of = {row.patient: row.extra["fold"] for row in after.captures}
    assert all(fold_of[row.patient] == row.extra["fold"] for row in (*before.captures, *after.captures))
    assert Counter(fold_of.values()) == dict.fromkeys("12345", 3)
    assert {row.split for row in after.captures if row.extra["fold"] == "1"} == {"val"}
    assert run("split", folder, "--fold", 2).exit_code == 0
    assert {row.split for row in read_labels(folder).captures if row.extra["fold"] != "2"} == {"train"}


def test_an_addition_reaches_a_workbook(tmp_path: Path) -> None:
    columns = ["file", "patient", "visit", "site", "field", "um_per_px", "preparation", "split"]
    part_of = ["train"] * 12 + ["val"] * 4
    rows = [[f"{n}.jpg", f"P{n}", "", "", "", 2.5, "none", part] for n, part in enumerate(part_of)]
    rows += [["new.jpg", "P15", "", "", "", 2.5, "none", ""], ["19.jpg", "P19", "", "", "", 2.5, "none", ""]]
    save_xlsx(tmp_path, {"captures": [columns, *rows]})
    labels = [[f"{n}.jpg", "black_dot", "count", 1] for n in range(16)]
    save_csv(tmp_path, {"labels": [["file", "sign", "level", "value"], *labels]})
    done = run("split", tmp_path, "--add")
    assert done.exit_code == 0, done.exception
    assert [row.split for row in read_labels(tmp_path).captures] == [*part_of, "val", "train"]
    assert "train: 1 of 13 patients have no reference label." in done.output


def test_a_split_without_folds_leaves_no_folds_of_an_earlier_one(tmp_path: Path) -> None:
    folder = saved(tmp_path)
    assert run("split", folder, "--folds", 5).exit_code == 0
    assert run("split", folder, "--val", 0.2, "--replace").exit_code == 0
    assert {row.extra["fold"] for row in read_labels(folder).captures} == {""}
    assert "Folds there are: none" in str(run("split", folder, "--fold", 2).exception)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (("--replace",), "give one of them"),
        (("--folds", 5), "--folds 5 draws everybody anew"),
        (("--fold", 2), "--fold 2 draws nobody"),
        (("--by", "device", "--hold-out", "A"), "write test as the split"),
    ],
)
def test_what_draws_otherwise_does_not_go_with_an_addition(
    tmp_path: Path, options: tuple[object, ...], reason: str
) -> None:
    folder = saved(tmp_path)
    assert run("split", folder).exit_code == 0
    assert reason in str(run("split", folder, "--add", *options).exception)


def test_shares_do_not_go_with_an_addition_to_folds(tmp_path: Path) -> None:
    folder = saved(tmp_path)
    assert run("split", folder, "--folds", 5).exit_code == 0
    grow(folder, 25)
    assert "the set has folds" in str(run("split", folder, "--add", "--val", 0.2).exception)


def test_an_addition_to_a_set_without_a_split_is_a_split(tmp_path: Path) -> None:
    folder = saved(tmp_path)
    assert run("split", folder, "--add", "--val", 0.2).exit_code == 0
    assert Counter(splits(read_labels(folder)).values()) == {"train": 16, "val": 4}


def test_new_captures_of_people_who_train_are_suggested_before_they_have_a_split(tmp_path: Path) -> None:
    folder = saved(tmp_path, people=8)
    assert run("split", folder, "--val", 0.5).exit_code == 0
    split_of = splits(read_labels(folder))
    before = grow(folder, 8, *(CaptureRow(f"new{n}.jpg", f"P{n}", um_per_px=6.0) for n in range(8)))
    for seed, row in enumerate((*before.captures, *(CaptureRow(f"new{n}.jpg", f"P{n}") for n in range(8)))):
        save_image(folder / row.file, seed=seed)
    out = tmp_path / "next.csv"
    done = run("suggest", folder, "--captures", 20, "--out", out)
    assert out.is_file(), done.exception
    named = {line.split(",")[2] for line in out.read_text(encoding="utf-8-sig").splitlines()[1:]}
    assert named == {patient for patient, split in split_of.items() if split == "train"}

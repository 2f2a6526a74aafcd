"""Folds, held-out devices, and splits that say what they can show."""

from __future__ import annotations

import dataclasses
import json
from collections import Counter, defaultdict
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner, Result

from labels_fixture import save_csv, save_xlsx
from test_labels_split import patients_with, splits
from trichotrack.cli.labels import labels_app
from trichotrack.labels.enough import LEAST_PATIENTS, parts_of, perfect, refuse_too_few
from trichotrack.labels.folds import hold_out, split_by_groups, units_by, use_fold, with_every_sign, with_folds
from trichotrack.labels.read import read_labels
from trichotrack.labels.split import split_by_patient
from trichotrack.labels.tables import CaptureRow, LabelRow, LabelSet
from trichotrack.labels.write import write_labels
from trichotrack.problems import InputError


def folds_of(labelset: LabelSet) -> dict[str, str]:
    found: dict[str, set[str]] = defaultdict(set)
    for row in labelset.captures:
        found[row.patient].add(row.extra["fold"])
    assert all(len(names) == 1 for names in found.values())
    return {patient: names.pop() for patient, names in found.items()}


def on_devices(devices: list[str], *, also: dict[int, str] | None = None) -> LabelSet:
    """A patient for each of devices, with one capture on it; those of `also` have one more on another device."""
    captures = [CaptureRow(f"{n}.jpg", f"P{n}", device=device) for n, device in enumerate(devices)]
    captures += [CaptureRow(f"{n}b.jpg", f"P{n}", device=device) for n, device in (also or {}).items()]
    labels = tuple(LabelRow(row.file, "black_dot", "presence", 1.0) for row in captures)
    return LabelSet(Path(), tuple(captures), labels, ())


@settings(max_examples=30, deadline=None)
@given(
    counts=st.lists(st.integers(0, 6), min_size=5, max_size=40),
    rare=st.frozensets(st.integers(0, 39)),
    folds=st.integers(2, 5),
    seed=st.integers(0, 99),
)
def test_every_patient_is_in_one_fold_and_folds_are_of_one_size(
    counts: list[int], rare: frozenset[int], folds: int, seed: int
) -> None:
    labelset = patients_with(counts, rare=rare)
    sizes = Counter(folds_of(with_folds(labelset, folds, seed)).values())
    assert set(sizes) == {str(n) for n in range(1, folds + 1)}
    assert max(sizes.values()) - min(sizes.values()) <= 1
    assert sizes.total() == len(counts)


def test_folds_depend_on_their_seed_and_not_on_the_order_of_rows() -> None:
    labelset = patients_with([n % 7 for n in range(40)])
    turned = dataclasses.replace(
        labelset, captures=labelset.captures[::-1], labels=labelset.labels[::-1], objects=labelset.objects[::-1]
    )
    first = folds_of(with_folds(labelset, 5, 0))
    assert folds_of(with_folds(turned, 5, 0)) == first
    assert folds_of(with_folds(labelset, 5, 1)) != first


def test_a_sign_of_as_many_patients_as_folds_is_in_each_fold() -> None:
    labelset = patients_with([n // 2 for n in range(50)], rare=frozenset(range(0, 50, 10)))
    for seed in range(10):
        fold_of = folds_of(with_folds(labelset, 5, seed))
        assert len({fold_of[f"P{n}"] for n in range(0, 50, 10)}) == 5
        load = Counter(dict.fromkeys("12345", 0))
        for n in range(50):
            load[fold_of[f"P{n}"]] += n // 2
        assert max(load.values()) < 1.25 * min(load.values())


def test_each_fold_in_turn_validates_and_the_test_is_nobodys() -> None:
    labelset = split_by_patient(patients_with([n % 5 for n in range(24)]), {"train": 0.75, "test": 0.25}, 0)
    tested = {row.patient for row in labelset.captures if row.split == "test"}
    done = with_folds(labelset, 3, 0)
    validated: Counter[str] = Counter()
    for fold in (1, 2, 3):
        used = splits(use_fold(done, fold))
        assert {patient for patient, split in used.items() if split == "test"} == tested
        validated.update(patient for patient, split in used.items() if split == "val")
    assert set(validated) == set(used) - tested
    assert set(validated.values()) == {1}
    with pytest.raises(InputError, match="Folds there are: 1, 2, 3"):
        use_fold(done, 4)
    with pytest.raises(InputError, match="none; --folds 5 makes them"):
        use_fold(labelset, 1)


@settings(max_examples=50, deadline=None)
@given(
    devices=st.lists(st.sampled_from("ABCDE"), min_size=6, max_size=25),
    also=st.dictionaries(st.integers(0, 5), st.sampled_from("ABCDE"), max_size=2),
    seed=st.integers(0, 9),
)
def test_no_device_and_no_patient_is_in_two_splits(devices: list[str], also: dict[int, str], seed: int) -> None:
    labelset = on_devices(devices, also=also)
    units = units_by(labelset, "device")
    assert sorted(patient for people in units.values() for patient in people) == sorted(splits(labelset))
    shares = {"train": 0.7, "val": 0.3}
    if len(units) < 2:
        with pytest.raises(InputError, match="cannot be shared among 2 parts"):
            split_by_groups(labelset, "device", shares, seed)
        return
    done = split_by_groups(labelset, "device", shares, seed)
    assert set(splits(done).values()) == {"train", "val"}
    by_device: dict[str, set[str]] = defaultdict(set)
    for row in done.captures:
        by_device[row.device].add(row.split)
    assert all(len(found) == 1 for found in by_device.values())


def test_devices_go_to_the_split_that_lacks_patients_most() -> None:
    done = split_by_groups(on_devices(list("A" * 12 + "B" * 5 + "C" * 3)), "device", {"train": 0.75, "val": 0.25}, 0)
    assert {row.device: row.split for row in done.captures} == {"A": "train", "B": "val", "C": "train"}


def test_a_device_held_out_is_the_test_with_all_captures_of_its_patients() -> None:
    labelset = on_devices(list("A" * 10 + "B" * 4), also={0: "B"})
    done = hold_out(labelset, "device", ["B"], 0.3, 0)
    used = splits(done)
    assert {patient for patient, split in used.items() if split == "test"} == {"P0", "P10", "P11", "P12", "P13"}
    assert Counter(used.values()) == {"train": 6, "val": 3, "test": 5}
    with pytest.raises(InputError, match="--hold-out X: column device has A, B"):
        hold_out(labelset, "device", ["X"], 0.3, 0)
    with pytest.raises(InputError, match="nobody is left"):
        hold_out(labelset, "device", ["A", "B"], 0.3, 0)


def test_a_column_with_gaps_or_none_is_refused() -> None:
    labelset = on_devices(["A", "B", ""])
    with pytest.raises(InputError, match=r"empty for 1 of 3 captures \(first 2.jpg\)"):
        units_by(labelset, "device")
    with pytest.raises(InputError, match="has nothing in that column"):
        units_by(labelset, "clinic")
    with pytest.raises(InputError, match="groups patients"):
        units_by(labelset, "split")


def test_patients_are_exchanged_where_a_split_lacks_a_sign_that_others_can_spare() -> None:
    labelset = patients_with([3] * 20, rare=frozenset({0, 1, 2}))
    train_has_all = dataclasses.replace(
        labelset,
        captures=tuple(
            dataclasses.replace(row, split="val" if row.patient in {"P16", "P17", "P18", "P19"} else "train")
            for row in labelset.captures
        ),
    )
    done = splits(with_every_sign(train_has_all))
    assert Counter(done.values()) == {"train": 16, "val": 4}
    assert sorted(done[f"P{n}"] for n in range(3)) == ["train", "train", "val"]
    assert with_every_sign(with_every_sign(train_has_all)) == with_every_sign(train_has_all)


@settings(max_examples=30, deadline=None)
@given(
    counts=st.lists(st.integers(0, 3), min_size=6, max_size=25),
    rare=st.frozensets(st.integers(0, 24)),
    seed=st.integers(0, 50),
)
def test_an_exchange_keeps_sizes_and_leaves_no_more_gaps(counts: list[int], rare: frozenset[int], seed: int) -> None:
    before = split_by_patient(patients_with(counts, rare=rare), {"train": 0.8, "val": 0.2}, seed)
    after = with_every_sign(before)
    assert Counter(splits(after).values()) == Counter(splits(before).values())

    def gaps(labelset: LabelSet) -> int:
        return sum(
            count.patients == 0 for part in parts_of(labelset, lambda row: row.split) for count in part.signs.values()
        )

    assert gaps(after) <= gaps(before)
    if gaps(before) == 0:
        assert after == before


def test_four_people_are_the_least_that_exclude_a_coin() -> None:
    assert [perfect(n) for n in (1, 3, 4, 39)] == ["21 to 100 %", "44 to 100 %", "51 to 100 %", "91 to 100 %"]
    assert LEAST_PATIENTS == 4


def test_a_part_counts_its_people_signs_and_structures() -> None:
    labelset = split_by_patient(patients_with([2] * 10, rare=frozenset({1})), {"train": 0.5, "val": 0.5}, 0)
    train, val = sorted(parts_of(labelset, lambda row: row.split), key=lambda part: part.name)
    assert (train.name, train.patients, train.captures) == ("train", 5, 10)
    dots = train.signs["black_dot"]
    assert (dots.patients, dots.known, dots.structures) == (5, 5, 20)
    assert train.signs["pigtail_hair"].patients + val.signs["pigtail_hair"].patients == 1
    refuse_too_few([train, val], ["black_dot"], "")
    with pytest.raises(InputError, match=r"pigtail_hair.*21 to 100 %|no patients with pigtail_hair"):
        refuse_too_few([train, val], ["pigtail_hair"], "")
    with pytest.raises(InputError, match="not labelled"):
        refuse_too_few([train], ["terminal_hair"], "")


# --- the command ------------------------------------------------------------------------------------------------------


def with_labels_of(labelset: LabelSet, people: int) -> LabelSet:
    """The set with labels of the first so many patients alone."""
    patient_of = {row.file: int(row.patient[1:]) for row in labelset.captures}
    return dataclasses.replace(
        labelset,
        labels=tuple(label for label in labelset.labels if patient_of[label.file] < people),
        objects=tuple(marked for marked in labelset.objects if patient_of[marked.file] < people),
    )


@settings(max_examples=30, deadline=None)
@given(people=st.integers(6, 30), labelled=st.integers(4, 30), seed=st.integers(0, 20))
def test_patients_without_a_label_train_and_shares_are_of_the_others(people: int, labelled: int, seed: int) -> None:
    labelset = with_labels_of(patients_with([n % 4 for n in range(people)], rare=frozenset({0, 1})), labelled)
    captures = tuple(dataclasses.replace(row, device=row.patient) for row in labelset.captures)
    labelset = dataclasses.replace(labelset, captures=captures)
    unlabelled = {f"P{n}" for n in range(labelled, people)}
    for done in (
        with_every_sign(split_by_patient(labelset, {"train": 0.5, "val": 0.25, "test": 0.25}, seed)),
        split_by_groups(labelset, "device", {"train": 0.5, "val": 0.25, "test": 0.25}, seed),
    ):
        used = splits(done)
        assert {used[patient] for patient in unlabelled} <= {"train"}
        held_out = Counter(used.values())
        assert all(abs(held_out[name] - 0.25 * min(labelled, people)) <= 1 for name in ("val", "test"))
    folded = with_folds(labelset, 4, seed)
    assert {patient for patient, fold in folds_of(folded).items() if not fold} == unlabelled
    for fold in (1, 2, 3, 4):
        used = splits(use_fold(folded, fold))
        assert {used[patient] for patient in unlabelled} <= {"train"}
        assert Counter(used.values())["val"] in {min(labelled, people) // 4, min(labelled, people) // 4 + 1}


def test_where_nobody_has_a_reference_label_all_are_drawn() -> None:
    labelset = with_labels_of(patients_with([1] * 10), 0)
    assert Counter(splits(split_by_patient(labelset, {"train": 0.6, "val": 0.4}, 0)).values()) == {"train": 6, "val": 4}


def test_fewer_labelled_patients_than_splits_are_refused() -> None:
    with pytest.raises(InputError, match=r"1 labelled patients cannot be shared among 2 splits.*Label patients"):
        split_by_patient(with_labels_of(patients_with([1] * 10), 1), {"train": 0.6, "val": 0.4}, 0)


def run(*arguments: object) -> Result:
    return CliRunner().invoke(labels_app, [str(argument) for argument in arguments])


def set_of(tmp_path: Path, people: int) -> Path:
    labelset = patients_with([n % 4 + 1 for n in range(people)], rare=frozenset({0, 1}))
    write_labels(labelset, tmp_path / "set")
    return tmp_path / "set"


def test_a_split_with_too_few_to_test_on_is_refused_with_the_interval_and_the_way_out(tmp_path: Path) -> None:
    folder = set_of(tmp_path, 10)
    refused = str(run("split", folder, "--val", 0.2).exception)
    assert "val: would have 2 patients" in refused
    assert "34 to 100 %" in refused
    assert "--val 0.4 gives 4" in refused
    assert "--folds 5" in refused
    assert not any(row.split for row in read_labels(folder).captures)
    assert run("split", folder, "--val", 0.2, "--allow-few").exit_code == 0
    assert "1 patient with pigtail_hair" in str(
        run("split", folder, "--val", 0.4, "--replace", "--sign", "pigtail_hair").exception
    )


def test_only_labelled_patients_count_as_people_to_measure_on(tmp_path: Path) -> None:
    folder = tmp_path / "set"
    whole = patients_with([n % 4 + 1 for n in range(24)])
    write_labels(with_labels_of(whole, 6), folder)
    refused = str(run("split", folder, "--val", 0.2, "--test", 0.2).exception)
    assert "val: would have 1 patient; " in refused
    assert "test: would have 1 patient; " in refused
    assert "--folds 5" in refused
    write_labels(with_labels_of(whole, 20), folder)
    done = run("split", folder, "--val", 0.2, "--test", 0.2)
    assert done.exit_code == 0, done.exception
    assert "val: 4 patients; a share of 80 %" in done.output
    assert "train: 4 of 16 patients have no reference label." in done.output
    told = json.loads(run("split", folder, "--val", 0.2, "--test", 0.2, "--json").output)
    assert {part["name"]: (part["patients"], part["labelled"]) for part in told["splits"]} == {
        "train": (16, 12), "val": (4, 4), "test": (4, 4),
    }  # fmt: skip


def test_a_clinic_held_out_counts_its_labelled_patients_alone(tmp_path: Path) -> None:
    labelset = with_labels_of(patients_with([1] * 20), 16)
    captures = tuple(
        dataclasses.replace(row, device="A" if int(row.patient[1:]) < 12 else "B") for row in labelset.captures
    )
    write_labels(dataclasses.replace(labelset, captures=captures), tmp_path)
    done = run("split", tmp_path, "--by", "device", "--hold-out", "B", "--val", 0.4)
    assert "test: 4 of 8 patients are labelled; a share of 80 %" in done.output
    write_labels(dataclasses.replace(with_labels_of(labelset, 15), captures=captures), tmp_path)
    refused = str(run("split", tmp_path, "--by", "device", "--hold-out", "B", "--val", 0.4).exception)
    assert "test: would have 3 labelled patients; " in refused


def test_folds_are_written_used_and_told(tmp_path: Path) -> None:
    folder = set_of(tmp_path, 10)
    done = run("split", folder, "--folds", 5)
    assert done.exit_code == 0
    assert (
        "all folds: 10 patients; a share of 80 % measured over them has a 95 % interval of 49 to 94 %." in done.output
    )
    assert "pigtail_hair (2 of 10)" in done.output
    first = read_labels(folder)
    assert {row.split for row in first.captures if row.extra["fold"] == "1"} == {"val"}
    told = json.loads(run("split", folder, "--fold", 2, "--json").output)
    assert [part["patients"] for part in told["folds"]] == [2] * 5
    assert told["patients"] == {"train": 8, "val": 2}
    second = read_labels(folder)
    assert {row.split for row in second.captures if row.extra["fold"] == "2"} == {"val"}
    assert {row.split for row in second.captures if row.extra["fold"] != "2"} == {"train"}
    assert "is split already" in str(run("split", folder, "--val", 0.4).exception)
    assert "is split already" in str(run("split", folder, "--folds", 4, "--fold", 2).exception)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (("--folds", 5, "--val", 0.4), "each fold validate in turn, so --val has nothing to draw"),
        (("--fold", 2, "--val", 0.4), "--fold 2 takes the folds that are there and draws nobody"),
        (("--fold", 2, "--test", 0.4), "--fold 2 takes the folds that are there and draws nobody"),
        (("--fold", 2, "--by", "device"), "--fold 2 takes the folds that are there and draws nobody"),
    ],
)
def test_no_option_is_left_without_effect(tmp_path: Path, options: tuple[object, ...], reason: str) -> None:
    folder = set_of(tmp_path, 10)
    assert run("split", folder, "--folds", 5).exit_code == 0
    assert reason in str(run("split", folder, *options, "--replace").exception)


def test_somebody_is_left_to_train_on(tmp_path: Path) -> None:
    folder = set_of(tmp_path, 10)
    for options in (("--val", 0.6, "--test", 0.4), ("--val", 0.7, "--test", 0.4, "--by", "patient")):
        assert "somebody must be left" in str(run("split", folder, *options).exception)


def test_folds_reach_a_workbook(tmp_path: Path) -> None:
    columns = ["file", "patient", "visit", "site", "field", "um_per_px", "preparation"]
    rows = [[f"{n}.jpg", f"P{n}", "", "", "", 2.5, "none"] for n in range(6)]
    save_xlsx(tmp_path, {"captures": [columns, *rows]})
    save_csv(
        tmp_path,
        {"labels": [["file", "sign", "level", "value"], *([f"{n}.jpg", "black_dot", "count", 1] for n in range(6))]},
    )
    assert run("split", tmp_path, "--folds", 3).exit_code == 0
    captures = read_labels(tmp_path).captures
    assert Counter(row.extra["fold"] for row in captures) == {"1": 2, "2": 2, "3": 2}
    assert Counter(row.split for row in captures) == {"val": 2, "train": 4}


def test_a_clinic_can_be_held_out_by_a_column_of_the_users_own(tmp_path: Path) -> None:
    labelset = patients_with([1] * 16, captures_each=1)
    captures = tuple(
        dataclasses.replace(row, extra={"clinic": "Seoul" if n < 4 else "Bonn"})
        for n, row in enumerate(labelset.captures)
    )
    write_labels(dataclasses.replace(labelset, captures=captures), tmp_path)
    assert run("split", tmp_path, "--by", "clinic", "--hold-out", "Seoul", "--val", 0.34).exit_code == 0
    found = {(row.extra["clinic"], row.split) for row in read_labels(tmp_path).captures}
    assert found == {("Seoul", "test"), ("Bonn", "train"), ("Bonn", "val")}
    assert "needs the column" in str(run("split", tmp_path, "--hold-out", "Seoul").exception)
    assert "nothing in that column" in str(run("split", tmp_path, "--by-device").exception)

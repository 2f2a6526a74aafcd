"""The arms of the benchmark of label levels know what they say they know, and the same people test in each."""

import json
import sys
from collections import Counter as Tally
from dataclasses import replace
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))

import levels as bench

from labelled_folder import write_folder
from trichotrack.labels.read import read_labels
from trichotrack.labels.tables import CaptureRow
from trichotrack.model.plan import Plan

PLAN = Plan(("black_dot", "terminal_hair"), ("intermediate_hair",))


@pytest.fixture(scope="module")
def labels(tmp_path_factory):
    known = read_labels(write_folder(tmp_path_factory.mktemp("bench") / "tiny", people=9))
    return replace(known, captures=tuple(replace(row, split="") for row in known.captures))


def levels_of(labels, split):
    files = {row.file for row in labels.captures if row.split == split}
    return Tally(label.level for label in labels.labels if label.file in files and label.sign in PLAN.signs)


def test_every_arm_tests_on_the_same_people_and_trains_on_none_of_them(labels):
    arms = {arm: bench.degraded(labels, PLAN, arm, captures=None, seed=0) for arm in bench.ARMS}
    tested = {arm: {row.patient for row in known.captures if row.split == "test"} for arm, known in arms.items()}
    assert len({frozenset(people) for people in tested.values()}) == 1
    for arm, known in arms.items():
        assert not tested[arm] & {row.patient for row in known.captures if row.split != "test"}
        assert set(levels_of(known, "test")) == {"exhaustive"}
    assert set(levels_of(arms["count"], "train")) == set(levels_of(arms["count"], "val")) == {"count"}
    assert set(levels_of(arms["presence"], "train")) == {"presence"}
    assert set(levels_of(arms["marked20+counts"], "train")) == {"exhaustive", "count"}
    assert set(levels_of(arms["marked20+partial"], "train")) == {"exhaustive", "partial"}
    assert set(levels_of(arms["marked20"], "val")) == {"exhaustive"}
    assert sum(levels_of(arms["marked20"], "train").values()) < sum(levels_of(arms["exhaustive"], "train").values())
    half = [arms[arm].objects for arm in ("marked20+partial", "marked20+as-if-all")]
    assert half[0] == half[1]
    assert len(half[0]) < len(arms["exhaustive"].objects)


def test_numbers_and_presences_are_those_of_the_structures(labels):
    number = Tally((item.file, item.sign) for item in labels.objects)
    for arm in ("count", "presence"):
        known = bench.degraded(labels, PLAN, arm, captures=None, seed=0)
        for label in known.labels:
            count = number[label.file, label.sign]
            expected = {"count": count, "presence": count > 0, "exhaustive": None}[label.level]
            assert label.value == expected


@pytest.mark.parametrize("others", ["train", "val"])
def test_people_kept_out_before_are_those_that_test(labels, others):
    kept = "test" if others == "val" else "val"
    rows = [CaptureRow(f"{i}.png", f"p{i}", split=kept if i < 3 else others) for i in range(20)]
    shared = bench.shared_out(replace(labels, captures=tuple(rows)), 0)
    assert {name for name, split in shared.items() if split == "test"} == {"p0", "p1", "p2"}
    assert Tally(shared.values())["val"] == round(0.15 * 17)


def test_a_table_has_a_line_for_each_cell_and_sign_and_a_record_of_another_recipe_is_none(tmp_path):
    figure = {"value": 0.5, "low": 0.4, "high": 0.6}
    told = dict.fromkeys(("f1", "recall", "count_mae", "bias", "auroc", "average_precision", "pointing"), figure)
    recipe = bench.Recipe("hair70x", "count", steps=7)
    cell = {"recipe": bench.asdict(recipe), "signs": {"hair": {**told, "pointing_by_chance": 0.1}}}
    assert bench.table([cell]).splitlines()[2].startswith("| hair70x | `hair` | count | 7 | 0.500 (0.400 to 0.600) |")
    path = bench.path_of("level-cell", bench.name_of(recipe), out=tmp_path / bench.CELLS)
    path.parent.mkdir()
    path.write_text(json.dumps(cell), encoding="utf-8")
    assert bench.kept_cell(recipe, tmp_path) == cell
    assert bench.kept_cell(replace(recipe, learning_rate=2e-3), tmp_path) is None

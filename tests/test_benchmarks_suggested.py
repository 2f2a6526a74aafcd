"""The comparison of suggested with random captures: what is compared, and that a stopped run goes on."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path

import pytest

from labelled_folder import write_folder

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


@pytest.fixture
def suggested(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    before = set(sys.modules)
    yield importlib.import_module("suggested")
    for name in set(sys.modules) - before:
        if getattr(sys.modules[name], "__file__", None) and BENCHMARKS in Path(sys.modules[name].__file__).parents:
            del sys.modules[name]


def cell(*people, f1):
    return {
        "right_false_missed_by_person": list(people),
        "figures": {"kept_apart": {"f1": {"value": f1}}},
        "people": len(people),
    }


def test_seeds_are_pooled_by_person_and_each_seed_told_beside(suggested):
    better = [cell([8, 1, 1], [9, 0, 2], f1=0.8), cell([6, 1, 3], [9, 2, 0], f1=0.7)]
    worse = [cell([4, 4, 4], [4, 4, 4], f1=0.5), cell([5, 5, 5], [5, 5, 5], f1=0.6)]
    told = suggested.compared({"suggested": better, "random": worse})
    assert told["suggested_f1"]["value"] == pytest.approx(2 * 32 / (2 * 32 + 4 + 6))
    assert told["random_f1"]["value"] == pytest.approx(0.5)
    assert told["f1_less"]["value"] == pytest.approx(64 / 74 - 0.5)
    assert told["f1_less"]["low"] > 0
    assert told["f1_less_by_seed"] == [0.3, 0.1]


def test_random_captures_are_the_seeds_own_and_those_of_a_smaller_number_among_them(suggested, tmp_path):
    pool = suggested.pool_of(
        suggested.with_parents(suggested.read_labels(write_folder(tmp_path / "real", people=8, as_real=True))),
        suggested.PLAN,
    )
    drawn = suggested.random_files(pool, 4, seed=0)
    assert suggested.random_files(pool, 2, seed=0) == drawn[:2]
    assert len(set(drawn)) == 4
    assert any(suggested.random_files(pool, 4, seed=seed) != drawn for seed in (1, 2, 3))


def test_a_run_trains_both_ways_measures_the_difference_and_goes_on_where_it_was(suggested, tmp_path, monkeypatch):
    labels = write_folder(tmp_path / "real", people=6, as_real=True)
    recipe = suggested.Recipe(
        "scratch", backbone="mobilenetv4_conv_small", frozen=0, crop_px=96, batch_size=2, learning_rate=1e-4
    )
    command = ["--labels", str(labels), "--captures", "2", "--seeds", "0", "--steps", "1", "--workers", "0"]
    command += ["--out", str(tmp_path / "results")]
    path = suggested.main(command, recipe=recipe)
    record = json.loads(path.read_text("utf-8"))
    assert (record["pool"], record["captures"]) == (4, 2)
    assert set(record["people_by_seed"]) == {"suggested", "random"}
    assert record["f1_less"]["value"] is not None or record["suggested_f1"]["value"] in (0.0, None)
    cells = sorted((path.parent / "cells").glob("suggested-cell-*.json"))
    assert len(cells) == 2
    monkeypatch.setattr(suggested, "run_cell", lambda *_, **__: pytest.fail("a cell that is there was trained again"))
    assert json.loads(suggested.main(command, recipe=recipe).read_text("utf-8"))["f1_less"] == record["f1_less"]

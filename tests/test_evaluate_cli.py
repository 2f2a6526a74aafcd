"""`trichotrack evaluate` at the command line: a table, files, JSON, and exit status."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import typer
from PIL import Image
from typer.testing import CliRunner

from test_evaluate_run import SIDE_PX, FakeCounter, labelset_of
from trichotrack.cli.evaluate import evaluate
from trichotrack.labels.write import write_labels

app = typer.Typer()
app.command()(evaluate)


@pytest.fixture
def labels(tmp_path: Path) -> Path:
    folder = tmp_path / "demo"
    labelset = labelset_of(
        [("a.png", "black_dot", 20, 20), ("b.png", "black_dot", 50, 50)],
        [("a.png", "black_dot", "exhaustive", None), ("b.png", "black_dot", "exhaustive", None),
         ("b.png", "broken_hair", "exhaustive", None)],
        folder=folder,
    )  # fmt: skip
    write_labels(labelset, folder)
    for name in ("a.png", "b.png"):
        Image.fromarray(np.full((SIDE_PX, SIDE_PX, 3), 180, np.uint8)).save(folder / name)
    return folder


@pytest.fixture
def counter(monkeypatch: pytest.MonkeyPatch) -> FakeCounter:
    fake = FakeCounter({"a.png": [("black_dot", 20, 20)], "b.png": [("black_dot", 150, 150)]})
    monkeypatch.setattr("trichotrack.runtime.counter.Counter", lambda *_, **__: fake)
    return fake


def test_a_table_of_figures_with_what_must_be_known_to_judge_them(labels, counter):
    result = CliRunner().invoke(app, ["model.onnx", str(labels)])
    assert result.exit_code == 0, result.output
    assert "black_dot" in result.output
    assert "2 captures of 2 patients" in " ".join(result.output.split())
    assert "broken_hair: not labelled in 1 capture," in " ".join(result.output.split())
    assert max(map(len, result.output.splitlines())) <= 80


def test_captures_that_a_model_may_have_been_taught_by_are_told(labels, counter):
    told = " ".join(CliRunner().invoke(app, ["model.onnx", str(labels)]).output.split())
    assert "Of all captures 1 of split train and 1 of split val: of a model" in told
    assert "--split test takes the others" in told
    told = " ".join(CliRunner().invoke(app, ["model.onnx", str(labels), "--split", "val"]).output.split())
    assert "chosen, with its thresholds, by split val of this folder are too good" in told


def test_presences_have_a_table_of_their_own_within_80_columns(labels, counter):
    table = (labels / "labels.csv").read_text("utf-8").splitlines()
    rows = [f"{name},broken_hair,presence,{value}," for name, value in (("a.png", 1), ("b.png", 0))]
    kept = [line for line in table if "broken_hair" not in line]
    (labels / "labels.csv").write_text("\n".join([*kept, *rows]) + "\n", "utf-8")
    done = CliRunner().invoke(app, ["model.onnx", str(labels)])
    assert done.exit_code == 0, done.output
    assert "AUROC" in done.output
    assert max(map(len, done.output.splitlines())) <= 80


def test_a_model_without_scales_is_judged_in_px_and_nobody_is_told_of_mm(labels, counter):
    counter.spec = replace(
        counter.spec, um_per_px=None, min_distance_um=None, long_side_px=400, min_distance_px=8.0, tolerance_px=16.0
    )
    result = CliRunner().invoke(app, ["model.onnx", str(labels)])
    told = " ".join(result.output.split())
    assert "marks within 16 px of a label, one to one, in images resampled to a long side of 400 px" in told
    assert "not to be held against those of a model that goes by scale" in told
    record = json.loads(CliRunner().invoke(app, ["model.onnx", str(labels), "--json"]).stdout)
    assert (record["tolerance_mm"], record["tolerance_px"], record["long_side_px"]) == (None, 16.0, 400)
    refused = CliRunner().invoke(app, ["model.onnx", str(labels), "--tolerance-mm", "0.1"])
    assert "mm mean nothing to it" in str(refused.exception)


def test_out_keeps_figures_counts_and_pictures(labels, counter, tmp_path):
    out = tmp_path / "out"
    result = CliRunner().invoke(app, ["model.onnx", str(labels), "--out", str(out)])
    assert result.exit_code == 0, result.output
    record = json.loads((out / "evaluation.json").read_text(encoding="utf-8"))
    assert record["data"]["name"] == "demo"
    assert {"command", "date", "machine", "versions"} <= record.keys()
    assert len((out / "captures.csv").read_text(encoding="utf-8").splitlines()) == 4
    assert [path.name for path in (out / "worst").iterdir()] == ["01_b.jpg"]


def test_json_is_all_that_is_printed(labels, counter):
    result = CliRunner().invoke(app, ["model.onnx", str(labels), "--json", "--split", "val", "--sign", "black_dot"])
    record = json.loads(result.stdout)
    data = {"name": "demo", "split": "val", "rater": "", "captures": 1, "patients": 1, "splits": {"val": 1}}
    assert data.items() <= record["data"].items()
    assert list(record["signs"]) == ["black_dot"]


def test_captures_that_cannot_be_read_are_told_and_give_exit_status_3(labels, counter):
    del counter.found["b.png"]
    result = CliRunner().invoke(app, ["model.onnx", str(labels)])
    assert result.exit_code == 3
    assert "is damaged" in result.stderr
    assert "1 capture of 1 patient;" in " ".join(result.output.split())

"""Where nobody knows the patients, every figure says so: on screen, in the files and under each picture."""

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
from trichotrack.evaluate import evaluation as evaluation_module
from trichotrack.evaluate.run import evaluate as run
from trichotrack.labels.patients import FILE, PATIENT_SOURCE, UNKNOWN_PATIENTS
from trichotrack.labels.read import read_labels
from trichotrack.labels.tables import LabelSet
from trichotrack.labels.write import write_labels

app = typer.Typer()
app.command()(evaluate)
FOUND = {"a.png": [("black_dot", 20, 20)], "b.png": [("black_dot", 150, 150)]}


def written(folder: Path, *unknown: str) -> LabelSet:
    """Two captures with a dot each; those called unknown are of no known patient."""
    labelset = labelset_of(
        [("a.png", "black_dot", 20, 20), ("b.png", "black_dot", 50, 50)],
        [("a.png", "black_dot", "exhaustive", None), ("b.png", "black_dot", "exhaustive", None)],
        folder=folder,
    )
    captures = tuple(
        replace(row, extra={PATIENT_SOURCE: FILE if row.file in unknown else ""}) for row in labelset.captures
    )
    write_labels(replace(labelset, captures=captures), folder)
    for name in ("a.png", "b.png"):
        Image.fromarray(np.full((SIDE_PX, SIDE_PX, 3), 180, np.uint8)).save(folder / name)
    return read_labels(folder)


def test_unknown_patients_are_told_on_screen_in_json_and_under_pictures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(tmp_path / "set", "a.png", "b.png")
    monkeypatch.setattr("trichotrack.runtime.counter.Counter", lambda *_, **__: FakeCounter(FOUND))
    captions: list[str] = []
    compare = evaluation_module.compare

    def kept(*arguments: object) -> object:
        captions.append(str(arguments[-1]))
        return compare(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(evaluation_module, "compare", kept)
    shown = CliRunner().invoke(app, ["model.onnx", str(tmp_path / "set"), "--out", str(tmp_path / "out")])
    assert shown.exit_code == 0, shown.output
    said = f"{UNKNOWN_PATIENTS[0].upper()}{UNKNOWN_PATIENTS[1:]}."
    assert said in " ".join(shown.output.split())
    record = json.loads((tmp_path / "out" / "evaluation.json").read_text(encoding="utf-8"))
    assert record["data"]["patients_notice"] == UNKNOWN_PATIENTS
    assert captions
    assert all(said in caption for caption in captions)


def test_the_notice_is_of_the_captures_that_were_evaluated(tmp_path: Path) -> None:
    labelset = written(tmp_path / "set", "b.png")
    assert run(FakeCounter(FOUND), labelset).patients_notice == f"{UNKNOWN_PATIENTS} (1 of 2 captures)"
    assert run(FakeCounter(FOUND), labelset, split="val").patients_notice == UNKNOWN_PATIENTS
    known = written(tmp_path / "known")
    assert run(FakeCounter(FOUND), known).patients_notice == ""
    assert "patients_notice" not in run(FakeCounter(FOUND), known).to_dict()["data"]

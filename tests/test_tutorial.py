"""The tutorial's files are saved and its commands run, each as it stands and in its order."""

from __future__ import annotations

import re
import runpy
import shlex
import shutil
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from trichotrack.cli.app import app
from trichotrack.labels.read import read_labels

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "tutorial.md"
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
ONE_STEP = [
    "--trainer.max_epochs=1", "--trainer.limit_train_batches=1", "--trainer.check_val_every_n_epoch=1",
    "--trainer.precision=32-true", "--trainer.accelerator=cpu", "--trainer.enable_progress_bar=false",
    "--data.init_args.workers=0", "--data.init_args.crop_px=96",
]  # fmt: skip


def blocks() -> list[tuple[str, str]]:
    return FENCE.findall(PAGE.read_text(encoding="utf-8"))


def commands() -> list[str]:
    return [line for language, body in blocks() if not language for line in body.splitlines()]


def files() -> dict[str, str]:
    """By the name in the first line."""
    saved = [body for language, body in blocks() if language]
    return {body.splitlines()[0].removeprefix("# "): body for body in saved}


def run(line: str, status: int = 0) -> str:
    """One command in this process, as far as a step of training, that is to end with status; what it printed."""
    words = shlex.split(line)
    assert words[:2] == ["uv", "run"], line
    if words[2] == "train.py":
        from trichotrack.model.cli import main

        main([*words[3:], *ONE_STEP])
        return ""
    if words[2] not in {"trichotrack", "export.py"}:
        runpy.run_path(words[2], run_name="__main__")
        return ""
    result = CliRunner().invoke(app, words[3:] if words[2] == "trichotrack" else ["export-model", *words[3:]])
    assert result.exit_code == status, f"{line}\n{result.output}\n{result.exception!r}"
    return result.output


def test_every_file_and_command_of_the_tutorial_is_one_to_save_or_to_run():
    assert set(files()) == {"to_yolo.py", "classes.yaml"}
    assert all(line.startswith("uv run ") for line in commands())
    verbs = [" ".join(shlex.split(line)[2:5]) for line in commands()]
    for verb in ("labels import", "labels check", "labels split", "labels describe", "labels suggest"):
        assert any(f"trichotrack {verb}" in done for done in verbs), verb


def test_the_script_makes_a_yolo_set_whose_boxes_lie_on_the_labels(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shutil.copytree(ROOT / "data" / "demo" / "labelled", tmp_path / "data" / "demo" / "labelled")
    (tmp_path / "to_yolo.py").write_text(files()["to_yolo.py"], encoding="utf-8")
    run("uv run to_yolo.py")
    labelled = read_labels(tmp_path / "data" / "demo" / "labelled")
    dots = [o for o in labelled.objects if o.file == "images/S001_1.jpg" and o.sign == "black_dot"]
    lines = [line.split() for line in (tmp_path / "my-yolo" / "labels" / "S001_1.txt").read_text().splitlines()]
    found = [(float(x) * 640, float(y) * 512) for number, x, y, *_ in lines if number == "0"]
    assert len(dots) == len(found) > 0
    assert np.array(sorted(found)) == pytest.approx(np.array(sorted((o.x, o.y) for o in dots)))
    assert len(list((tmp_path / "my-yolo" / "labels").iterdir())) == len(labelled.captures)


@pytest.mark.slow
def test_the_tutorial_runs_from_a_fresh_clone_to_readings_by_a_model_of_ones_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shutil.copytree(ROOT / "data" / "demo", tmp_path / "data" / "demo")
    shutil.copytree(ROOT / "configs", tmp_path / "configs")
    for name, body in files().items():
        (tmp_path / name).write_text(body, encoding="utf-8")
    *before, suggest, add = commands()
    for line in before:
        run(line)
    # Here everything is labelled, as the tutorial says.
    assert "nothing to rank: each of its 60 captures" in run(suggest, status=2)
    split = (tmp_path / "my-labels" / "captures.csv").read_text(encoding="utf-8")
    run(add)
    assert (tmp_path / "my-labels" / "captures.csv").read_text(encoding="utf-8") == split
    made = (
        "my-labels/described/plan.yaml",
        "my-model.onnx",
        "my-evaluation/evaluation.json",
        "my-readings/readings.csv",
    )
    for file in made:
        assert (tmp_path / file).stat().st_size > 200, file
    labelled = read_labels(tmp_path / "my-labels")
    assert len({row.patient for row in labelled.captures}) == 20
    assert {row.split for row in labelled.captures} == {"train", "val", "test"}

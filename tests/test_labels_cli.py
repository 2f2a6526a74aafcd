"""`trichotrack labels` as a person runs it."""

from __future__ import annotations

import json
from pathlib import Path

from typer.testing import CliRunner, Result

from labels_fixture import save_csv, save_image, save_images, sound_tables
from test_labels_import import save_voc
from trichotrack.cli.labels import labels_app
from trichotrack.labels.read import read_labels


def run(*arguments: object) -> Result:
    return CliRunner().invoke(labels_app, [str(argument) for argument in arguments])


def test_import_split_describe_and_check_follow_each_other(tmp_path: Path) -> None:
    for n in range(5):
        save_image(tmp_path / "images" / f"P{n}_1.jpg", seed=n)
        save_voc(tmp_path / "xml", f"P{n}_1", [("dot", 1, 1, 9, 9)])
    (tmp_path / "map.yaml").write_text("map: {dot: black_dot}\npreparation: clipped")
    out = tmp_path / "out"
    done = run("import", "voc", tmp_path / "xml", "--images", tmp_path / "images", "--map", tmp_path / "map.yaml",
               "--pattern", "{patient}_{n}", "--um-per-px", 2.5, "--out", out)  # fmt: skip
    assert done.exit_code == 0
    assert "patient P0, n 1" in done.output
    assert "5 captures of 5 patients, 5 of 5 objects" in done.output
    split = run("split", out, "--val", 0.4, "--allow-few", "--json")
    assert json.loads(split.output)["patients"] == {"train": 3, "val": 2}
    assert run("split", out, "--val", 0.4, "--allow-few").exit_code == 0
    assert "is split already" in str(run("split", out, "--val", 0.2, "--allow-few").exception)
    assert run("split", out, "--val", 0.2, "--allow-few", "--replace").exit_code == 0
    described = json.loads(run("describe", out, "--json").output)
    assert described["um_per_px"] == [2.5, 2.5]
    assert [(s["split"], s["objects"]) for s in described["signs"]] == [("train", 4), ("val", 1)]
    assert "2.5 to 2.5 µm per px" in run("describe", out).output
    checked = run("check", out)
    assert checked.exit_code == 0
    assert "No errors, 1 warning: 5 captures, 5 labels, 5 objects, 5 pictures opened." in checked.stdout
    assert "makes a picture of 64x48 px" in checked.stdout
    assert {row.preparation for row in read_labels(out).captures} == {"clipped"}


def test_check_lists_every_problem_and_exits_with_2(tmp_path: Path) -> None:
    tables = sound_tables()
    tables["captures"][1][5] = 0.0025
    save_csv(tmp_path, tables)
    save_images(tmp_path)
    (tmp_path / "images" / "c.jpg").unlink()
    done = run("check", tmp_path)
    assert done.exit_code == 2
    assert "captures.csv, row 2, column um_per_px" in done.output
    assert "captures.csv, row 4, column file: does not exist" in done.output
    assert "2 errors, " in done.output
    told = json.loads(run("check", tmp_path, "--json", "--tables-only").output)
    assert [(p["table"], p["row"], p["column"], p["value"]) for p in told["problems"]] == [
        ("captures.csv", 2, "um_per_px", "0.0025")
    ]

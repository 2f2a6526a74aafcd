"""`trichotrack labels import` as a person runs it: one command for every format, and a table of what became of it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from imports_made import save_images
from labels_fixture import save_csv
from test_labels_import_formats import CVAT, coco, label_studio, labelme, region, task, yolo
from test_labels_import_imagej import COUNTER
from trichotrack.cli.labels import labels_app
from trichotrack.labels.read import read_labels


def run(*arguments: object) -> Result:
    words = ["import", *map(str, arguments)]
    return CliRunner().invoke(labels_app, words, terminal_width=200)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    save_images(tmp_path / "images")
    (tmp_path / "map.yaml").write_text("map: {dot: black_dot, hair: broken_hair, Type 1: black_dot, Type 2: null}")
    return tmp_path


def sources(folder: Path) -> dict[str, Path]:
    """A source of each format, with at least one black dot in P1_1."""
    dot = region("keypointlabels", {"x": 50, "y": 50, "width": 0.4}, "dot")
    (folder / "annotations.xml").write_text(CVAT)
    (folder / "counter.xml").write_text(COUNTER)
    save_csv(folder, {"counts": [["file", "dot"], ["P1_1.jpg", 3]], "seen": [["file", "dot"], ["P1_1", 1]]})
    save_images(folder / "by-class", ["dot/P1_1"])
    (folder / "voc").mkdir()
    box = "<bndbox><xmin>1</xmin><ymin>2</ymin><xmax>3</xmax><ymax>4</ymax></bndbox>"
    (folder / "voc" / "P1_1.xml").write_text(f"<annotation><object><name>dot</name>{box}</object></annotation>")
    return {
        "coco": coco(folder, [{"id": 1, "image_id": 1, "category_id": 1, "bbox": [1, 2, 3, 4]}]),
        "yolo": yolo(folder, {"labels/P1_1.txt": "0 0.5 0.5 0.1 0.1\n"}),
        "voc": folder / "voc",
        "cvat": folder / "annotations.xml",
        "label-studio": label_studio(folder, task("P1_1.jpg", dot)),
        "labelme": labelme(folder, [("dot", "point", [[1, 2]])]),
        "imagej": folder / "counter.xml",
        "counts": folder / "counts.csv",
        "presence": folder / "seen.csv",
        "folders": folder / "by-class",
    }


def test_every_format_is_imported_by_the_same_command(folder: Path) -> None:
    for form, source in sources(folder).items():
        out = folder / f"out-{form}"
        images = [] if form == "folders" else ["--images", folder / "images"]
        done = run(form, source, *images, "--map", folder / "map.yaml",
                   "--pattern", "{patient}_{n}", "--um-per-px", 2.5, "--out", out)  # fmt: skip
        assert done.exit_code == 0, (form, done.output, done.exception)
        labelset = read_labels(out, check_images=True)
        assert labelset.captures[0].patient == "P1", form
        assert labelset.captures[0].um_per_px == 2.5
        assert labelset.labels[0].sign == "black_dot", form
        assert "patient P1, n 1" in done.output
        assert "Classes" in done.output


def test_json_has_what_became_of_each_class(folder: Path) -> None:
    source = sources(folder)["imagej"]
    done = run("imagej", source, "--images", folder / "images", "--map", folder / "map.yaml",
               "--file-is-patient", "--out", folder / "out", "--json")  # fmt: skip
    told = json.loads(done.output)
    assert told["classes"] == [
        {"name": "Type 1", "sign": "black_dot", "read": 2, "taken": 2, "kinds": {"point": 2}, "dropped": {}},
        {"name": "Type 2", "sign": None, "read": 2, "taken": 0, "kinds": {},
         "dropped": {"class Type 2 is left out by the map": 2}},
    ]  # fmt: skip
    assert told["patients_notice"].startswith("patients unknown: each file counted as its own patient")
    assert told["images_left_out"] == {"not annotated: unknown, and left out": 2}


def test_an_import_that_is_refused_shows_what_the_first_names_told_and_everything_wrong(folder: Path) -> None:
    source = sources(folder)["cvat"]
    program = "from trichotrack.cli.app import main; main()"
    options = ["--images", str(folder / "images"), "--pattern", "P{patient}_{n}", "--out", str(folder / "out")]
    command = [sys.executable, "-c", program, "labels", "import", "cvat", str(source), *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "patient 1, n 1" in done.stderr
    assert "is not a sign (7 objects) (got 'dot')" in done.stderr
    assert "is not a sign (3 objects) (got 'hair')" in done.stderr
    assert 'map:\n  "dot": SIGN\n  "hair": SIGN\n' in done.stderr
    assert "Traceback" not in done.stderr
    assert not (folder / "out").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["coco", "--vectors"], "--vectors says nothing of coco: it is for voc"),
        (["counts", "--level", "partial"], "--level partial says nothing of counts"),
        (["voc", "--exclusive"], "--exclusive says nothing of voc"),
        (["folders", "--missing-is-empty"], "--missing-is-empty says nothing of folders"),
        (["counts", "--empty-is-unknown"], "--empty-is-unknown says nothing of counts"),
        (["coco", "--empty-is-unknown", "--missing-is-empty"], "cannot mean both"),
        (["folders", "--images", "elsewhere"], "--images says nothing of folders"),
        (["yolo", "--tip-first"], "--tip-first says nothing of yolo"),
        (["cvat", "--by-annotator"], "--by-annotator says nothing of cvat: it is for label-studio"),
        (["coco", "--um-per-px", "0"], "µm"),
        (["coco", "--preparation", "bald"], "is not one of"),
    ],
)
def test_options_that_say_nothing_of_a_format_are_refused(folder: Path, arguments: list[str], said: str) -> None:
    source = sources(folder)[arguments[0]]
    done = run(arguments[0], source, *arguments[1:], "--out", folder / "out", "--pattern", "{patient}_{n}")
    assert said in str(done.exception)


def test_an_import_to_the_folder_of_its_images_says_how_they_are_found(folder: Path) -> None:
    source = sources(folder)["yolo"]
    given = ["yolo", source, "--pattern", "{patient}_{n}", "--map", folder / "map.yaml", "--out", folder]
    (folder / "by-class" / "dot" / "P1_1.jpg").unlink()
    refused = run(*given)
    said = f"what lies in {folder / 'images'} is passed over (3 images), for imports to {folder} put theirs there"
    assert said in str(refused.exception)
    assert "with --in-place, or name another --out" in str(refused.exception)
    save_csv(folder, {"captures": [["file", "patient"], ["P1_1.jpg", "P1"]]})
    by_table = run("yolo", source, "--table", folder / "captures.csv", "--map", folder / "map.yaml", "--out", folder)
    assert str(by_table.exception) == str(refused.exception)
    (folder / "captures.csv").unlink()
    done = run(*given, "--in-place")
    assert done.exit_code == 0, done.exception
    assert [capture.file for capture in read_labels(folder, check_images=True).captures] == ["images/P1_1.jpg"]


def test_the_images_are_looked_for_where_the_source_is(folder: Path) -> None:
    source = sources(folder)["cvat"]
    done = run("cvat", source, "--pattern", "{patient}_{n}", "--out", folder / "out", "--map", folder / "map.yaml")
    assert done.exit_code != 0  # by-class/dot/P1_1.jpg has that name too
    assert "may be of several images (by-class/dot/P1_1.jpg, images/P1_1.jpg)" in str(done.exception)
    (folder / "by-class" / "dot" / "P1_1.jpg").unlink()
    done = run("cvat", source, "--pattern", "{patient}_{n}", "--out", folder / "out", "--map", folder / "map.yaml")
    assert done.exit_code == 0, done.exception

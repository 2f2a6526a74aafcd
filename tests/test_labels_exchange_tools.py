"""What each tool itself does with an export, and the commands that write and merge it."""

from __future__ import annotations

import csv
import dataclasses
import json
import re
import shutil
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner, Result

from labels_fixture import save_xlsx
from test_labels_exchange import ALL, DOT, folder_of
from tiny_model import build_tiny_model, scalp
from trichotrack.cli.labels import labels_app
from trichotrack.labels.exchange import coco, cvat, label_studio
from trichotrack.labels.exchange.merge import merge
from trichotrack.labels.exchange.predictions import unsettled
from trichotrack.labels.importers.assemble import assemble
from trichotrack.labels.importers.coco import read_coco
from trichotrack.labels.importers.common import ImportOptions
from trichotrack.labels.read import read_labels
from trichotrack.labels.tables import CaptureRow, LabelRow, LabelSet, ObjectRow
from trichotrack.labels.write import write_labels
from trichotrack.signs import SIGN

HERE = Path(__file__).parent


def run(*arguments: object) -> Result:
    return CliRunner().invoke(labels_app, [str(argument) for argument in arguments])


def studio() -> list[dict]:
    return json.loads(label_studio.texts(ALL, SIGN)["tasks.json"])


def read_studio(tasks: object, folder: Path) -> label_studio.Corrected:
    path = folder / "back.json"
    path.write_text(json.dumps(tasks))
    return label_studio.read(path, ALL)


def copied(task: dict) -> dict:
    """What Label Studio makes of a prediction that a person takes as a start: the same regions, in an annotation."""
    return {"result": task["predictions"][0]["result"], "parent_prediction": 1}


def test_cvat_draws_a_dot_as_a_point_a_hair_as_a_line_and_a_box_as_a_rectangle() -> None:
    root = ET.fromstring(cvat.texts(ALL, SIGN)["annotations.xml"])  # noqa: S314 (our own)
    shapes = [(shape.tag, shape.get("label"), shape.get("source")) for shape in root.find("image")]
    assert shapes == [
        ("points", "black_dot", "manual"), ("polyline", "terminal_hair", "manual"), ("box", "yellow_dot", "manual"),
        ("points", "black_dot", "auto"), ("polyline", "terminal_hair", "auto"),
    ]  # fmt: skip
    guess = {a.get("name"): a.text for a in root.find("image")[3]}
    assert guess == {"id": "p1", "origin": "prediction", "score": "0.9"}
    constructor = json.loads(cvat.texts(ALL, SIGN)["labels.json"])
    assert [label["name"] for label in constructor] == list(ALL.signs)
    declared = {attribute["name"] for attribute in constructor[0]["attributes"]}
    assert {a.get("name") for a in root.iter("attribute") if a.get("name")} <= declared


def test_coco_tells_predictions_from_labels_and_gives_them_a_score() -> None:
    content = json.loads(coco.texts(ALL, SIGN)["annotations.json"])
    told = [(entry["attributes"]["origin"], entry.get("score")) for entry in content["annotations"]]
    assert told == [("label", None)] * 3 + [("prediction", 0.9), ("prediction", 0.6)]
    assert content["annotations"][1]["keypoints"] == [100, 100, 2, 150, 60, 2]
    assert content["annotations"][1]["bbox"] == [100, 60, 50, 40]
    assert content["annotations"][2]["bbox"] == [280, 185, 40, 30]


def test_coco_written_here_is_coco_that_is_imported_here(tmp_path: Path) -> None:
    for name in ("P1_a.jpg", "P2_b.jpg"):
        Image.new("RGB", (640, 480)).save(tmp_path / name)
    renamed = [
        dataclasses.replace(sheet, file=name) for sheet, name in zip(ALL.sheets, ("P1_a.jpg", "P2_b.jpg"), strict=True)
    ]
    text = coco.texts(dataclasses.replace(ALL, sheets=tuple(renamed)), SIGN)["annotations.json"]
    (tmp_path / "a.json").write_text(text)
    assemble(read_coco(tmp_path / "a.json"), tmp_path, tmp_path / "out", ImportOptions("{patient}_{n}"))
    found = {(row.sign, row.x, row.y, row.tip_x, row.tip_y) for row in read_labels(tmp_path / "out").objects}
    # Predictions are no labels.
    labels = [mark.row for sheet in ALL.sheets for mark in sheet.marks if mark.origin == "label"]
    assert found == {(row.sign, row.x, row.y, row.tip_x, row.tip_y) for row in labels}


def test_label_studio_has_labels_as_annotations_and_predictions_as_predictions() -> None:
    task = studio()[0]
    assert task["data"]["image"] == "/data/local-files/?d=a.jpg"
    kinds = [[result["type"] for result in task[part][0]["result"]] for part in ("annotations", "predictions")]
    assert kinds[0] == ["keypointlabels", "keypointlabels", "keypointlabels", "relation", "rectanglelabels"]
    assert task["predictions"][0]["model_version"] == "tiny"
    assert task["predictions"][0]["score"] == pytest.approx(0.75)
    config = ET.fromstring(label_studio.texts(ALL, SIGN)["config.xml"])  # noqa: S314 (our own)
    controls = {control.get("name"): {label.get("value") for label in control} for control in config if len(control)}
    used = {
        (result["from_name"], *result["value"][result["type"]])
        for part in ("annotations", "predictions") for result in task[part][0]["result"] if result["type"] != "relation"
    }  # fmt: skip
    assert all(label in controls[control] for control, label in used)


def test_a_task_that_nobody_saved_was_not_looked_at(tmp_path: Path) -> None:
    tasks = studio()
    tasks[0]["annotations"] = [{"result": [], "was_cancelled": True}]
    done, summary = merge(folder_of(ALL), ALL, read_studio(tasks, tmp_path))
    assert done == folder_of(ALL)
    assert (summary.captures, summary.not_back) == (1, 1)


def test_predictions_beside_a_saved_annotation_are_not_deleted_but_those_left_out_of_a_copy_are(tmp_path: Path) -> None:
    tasks = studio()
    _, summary = merge(folder_of(ALL), ALL, read_studio(tasks, tmp_path))
    assert summary.predictions["untouched"] == 2
    copy = copied(tasks[0])
    copy["result"] = [result for result in copy["result"] if result.get("id") != "m4"]  # p1 is struck
    tasks[0]["annotations"].append(copy)
    _, summary = merge(folder_of(ALL), ALL, read_studio(tasks, tmp_path))
    assert (summary.predictions["untouched"], summary.predictions["deleted"]) == (1, 1)
    assert summary.labels["kept"] == 3


def test_a_hair_drawn_in_label_studio_is_a_root_and_a_tip_in_a_relation(tmp_path: Path) -> None:
    tasks = studio()
    size = {"original_width": 640, "original_height": 480, "to_name": "image"}
    new = [
        {**size, "id": "aB3", "from_name": "sign", "type": "keypointlabels",
         "value": {"x": 50, "y": 50, "keypointlabels": ["terminal_hair"]}},
        {**size, "id": "xY9", "from_name": "tip", "type": "keypointlabels",
         "value": {"x": 75, "y": 25, "keypointlabels": ["tip"]}},
    ]  # fmt: skip
    tasks[0]["annotations"][0]["result"] += [*new, {"type": "relation", "from_id": "xY9", "to_id": "aB3"}]
    done, summary = merge(folder_of(ALL), ALL, read_studio(tasks, tmp_path))
    assert done.objects[-1] == ObjectRow("10", "a.jpg", "terminal_hair", 320, 240, 480, 120)
    assert summary.added == 1
    tasks[0]["annotations"][0]["result"].pop()
    assert any("is a tip without a root" in str(problem) for problem in read_studio(tasks, tmp_path).problems)


def test_a_turned_rectangle_keeps_its_centre_and_sides(tmp_path: Path) -> None:
    tasks = studio()
    box = next(result for result in tasks[0]["annotations"][0]["result"] if result["type"] == "rectanglelabels")
    # Turned by 90° about its top-left corner, which is put where the centre stays.
    box["value"] |= {"rotation": 90, "x": 100 * (300 + 15) / 640, "y": 100 * (200 - 20) / 480}
    found = [one.row for one in read_studio(tasks, tmp_path).sheets["a.jpg"] if one.row.id == "9"]
    assert (found[0].x, found[0].y, found[0].box_w, found[0].box_h) == pytest.approx((300, 200, 40, 30))


def test_of_two_annotations_the_change_wins_and_two_changes_are_a_problem(tmp_path: Path) -> None:
    tasks = studio()
    second = json.loads(json.dumps(tasks[0]["annotations"][0]))
    second["result"][0]["value"]["x"] = 50
    tasks[0]["annotations"].append(second)
    done, summary = merge(folder_of(ALL), ALL, read_studio(tasks, tmp_path))
    assert done.objects[0] == dataclasses.replace(DOT.row, x=320)
    assert (summary.labels["moved"], summary.labels["kept"]) == (1, 2)
    tasks[0]["annotations"][0]["result"][0]["value"]["x"] = 60
    assert "changed 7 differently" in str(read_studio(tasks, tmp_path).problems[0])


def test_what_labels_have_settled_is_not_predicted() -> None:
    captures = (CaptureRow("a.jpg", "P1", um_per_px=10.0), CaptureRow("b.jpg", "P2"))
    labels = (LabelRow("a.jpg", "terminal_hair", "partial"), LabelRow("b.jpg", "black_dot", "exhaustive"))
    objects = (ObjectRow("p1", "a.jpg", "terminal_hair", 100, 100),)
    labelset = LabelSet(Path("f"), captures, labels, objects)
    found = {
        "a.jpg": [
            (ObjectRow("1", "a.jpg", "black_dot", 104, 100), 0.9),  # a structure has one sign, and this is labelled
            (ObjectRow("2", "a.jpg", "terminal_hair", 108, 100), 0.8),  # 80 µm off: another
            (ObjectRow("3", "a.jpg", "yellow_dot", 100, 100), 0.7),  # of no exclusive group
        ],
        "b.jpg": [(ObjectRow("1", "b.jpg", "black_dot", 5, 5), 0.9)],
    }
    out = unsettled(labelset, found, min_distance_um=60.0)
    assert {mark.row.id: (mark.row.sign, mark.score) for mark in out["a.jpg"]} == {
        "p2": ("terminal_hair", 0.8), "p3": ("yellow_dot", 0.7),
    }  # fmt: skip
    assert "b.jpg" not in out


@pytest.fixture
def labelled(tmp_path: Path) -> Path:
    """Two captures, the second stored on its side; one dot labelled of two that the tiny model finds in the first."""
    folder = tmp_path / "set"
    (folder / "images").mkdir(parents=True)
    first = scalp(320, 240, {"black_dot": [(60, 60), (200, 150)]})
    Image.fromarray(first).save(folder / "images" / "a.png")
    second = scalp(320, 240, {"broken_hair": [(100, 40)]})
    exif = Image.Exif()
    exif[0x0112] = 6  # stored turned: to be shown turned right by 90°
    Image.fromarray(np.ascontiguousarray(np.rot90(second))).save(folder / "images" / "b.jpg", quality=95, exif=exif)
    captures = (CaptureRow("images/a.png", "P1", um_per_px=6.0), CaptureRow("images/b.jpg", "P2", um_per_px=6.0))
    labels = (LabelRow("images/a.png", "black_dot", "partial"),)
    objects = (ObjectRow("1", "images/a.png", "black_dot", 60.5, 60.5),)
    write_labels(LabelSet(folder, captures, labels, objects), folder)
    return folder


@pytest.mark.parametrize(
    ("form", "file"), [("coco", "annotations.json"), ("cvat", "annotations.xml"), ("label-studio", "tasks.json")]
)
def test_predictions_go_out_are_accepted_and_come_back(form: str, file: str, labelled: Path, tmp_path: Path) -> None:
    model = build_tiny_model(tmp_path / "tiny.onnx")
    out = tmp_path / "out"
    done = run("export", form, labelled, "--out", out, "--with-predictions", model)
    assert done.exit_code == 0, done.output
    assert "2 captures, 1 label and 2 predictions of black_dot, broken_hair" in done.output
    if form == "label-studio":
        tasks = json.loads((out / file).read_text(encoding="utf-8"))
        for task in tasks:
            task["annotations"].append(copied(task))
        (out / file).write_text(json.dumps(tasks))
    before = (labelled / "objects.csv").read_text()
    plain = run("merge", labelled, out / file)
    assert plain.exit_code == 0, plain.output
    assert "Nothing was changed" in plain.output
    tried = run("merge", labelled, out / file, "--accept-untouched", "--exhaustive", "--dry-run", "--json")
    assert json.loads(tried.output)["predictions"]["accepted"] == 2
    assert (labelled / "objects.csv").read_text() == before
    taken = run("merge", labelled, out / file, "--accept-untouched", "--exhaustive", "--rater", "")
    assert taken.exit_code == 0, taken.output
    labelset = read_labels(labelled, check_images=True)
    places = {(row.file, row.sign, round(row.x, -1), round(row.y, -1)) for row in labelset.objects}
    assert places == {
        ("images/a.png", "black_dot", 60, 60), ("images/a.png", "black_dot", 200, 150),
        ("images/b.jpg", "broken_hair", 100, 40),  # in upright px, though the file is stored turned
    }  # fmt: skip
    assert {row.level for row in labelset.labels} == {"exhaustive"}
    assert len(labelset.labels) == 4
    assert (labelled / "objects.csv.bak").read_text() == before
    assert "Nothing was changed" in run("merge", labelled, out / file, "--accept-untouched", "--exhaustive").output


def exchanged(tmp_path: Path) -> Path:
    """The labels of one drawn capture that the tools' own files tell of."""
    folder = tmp_path / "labelled"
    shutil.copytree(HERE / "exchanged", folder)
    (folder / "images").mkdir()
    Image.new("RGB", (640, 512), (200, 160, 140)).save(folder / "images" / "S001_1.jpg")
    return folder


def test_what_label_studio_itself_gave_back_is_merged_by_id(tmp_path: Path) -> None:
    # Written by Label Studio 1.23.2 of one exported demo capture, in which a mark was moved, one deleted, one added.
    folder, out = exchanged(tmp_path), tmp_path / "out"
    before = read_labels(folder)
    assert run("export", "label-studio", folder, "--out", out).exit_code == 0
    shutil.copy(HERE / "label_studio_1_23_2.json", out / "corrected.json")
    done = run("merge", folder, out / "corrected.json", "--json")
    assert done.exit_code == 0, done.output
    told = json.loads(done.output)["labels"]
    assert {key: told[key] for key in ("moved", "reclassified", "deleted")} == {
        "moved": 1,
        "reclassified": 0,
        "deleted": 1,
    }
    was, now = ({row.id: row for row in labels.objects} for labels in (before, read_labels(folder)))
    changed = [row for name, row in now.items() if was.get(name) != row]
    assert {(row.sign, row.x, row.y) for row in changed} == {
        ("tapering_hair", 256.44, 9.9),
        ("black_dot", 320, 256),
    }
    assert set(was) - set(now) == {"S001_1-f21"}


def test_what_cvats_own_library_gave_back_is_merged_by_id(tmp_path: Path) -> None:
    """Datumaro 1.13.12, by CVAT's makers, read the export of the demo captures' first, moved a point and a line,
    deleted one, added a point and a line, and wrote this file."""
    folder, out = exchanged(tmp_path), tmp_path / "out"
    before = read_labels(folder)
    assert run("export", "cvat", folder, "--out", out).exit_code == 0
    shutil.copy(HERE / "cvat_by_datumaro_1_13_12.xml", out / "corrected.xml")
    done = run("merge", folder, out / "corrected.xml", "--json")
    assert done.exit_code == 0, done.output
    told = json.loads(done.output)["labels"]
    assert (told["moved"], told["reclassified"], told["deleted"]) == (2, 0, 1)
    was, now = ({row.id: row for row in labels.objects} for labels in (before, read_labels(folder)))
    changed = [row for name, row in now.items() if was.get(name) != row]
    assert {(row.sign, row.x, row.y, row.tip_x) for row in changed} == {
        ("tapering_hair", 200, 100, None),
        ("tapering_hair", 33.35, 236.36, 226.32),
        ("black_dot", 300, 200, None),
        ("broken_hair", 310, 210, 330),
    }
    assert set(was) - set(now) == {"S001_1-f54"}


def test_an_export_is_not_written_over_and_a_merge_needs_it(labelled: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert run("export", "cvat", labelled, "--out", out, "--sign", "black_dot").exit_code == 0
    assert "holds an export already" in str(run("export", "cvat", labelled, "--out", out).exception)
    (tmp_path / "back.xml").write_bytes((out / "annotations.xml").read_bytes())
    assert "is not there" in str(run("merge", labelled, tmp_path / "back.xml").exception)
    assert run("merge", labelled, tmp_path / "back.xml", "--exported", out).exit_code == 0
    (out / "export.json").write_text('{"schema": "trichotrack.export/1", "sheets": [{}]}')
    assert "is damaged" in str(run("merge", labelled, out / "annotations.xml").exception)
    assert "no such sign" in str(
        run("export", "coco", labelled, "--out", tmp_path / "o", "--sign", "freckle").exception
    )


@pytest.mark.parametrize("option", [["--dry-run"], []])
def test_a_merge_into_a_workbook_is_refused_even_if_it_were_only_tried(
    labelled: Path, tmp_path: Path, option: list[str]
) -> None:
    assert run("export", "cvat", labelled, "--out", tmp_path / "out").exit_code == 0
    for stem in ("labels", "objects"):
        rows = list(csv.reader((labelled / f"{stem}.csv").read_text().splitlines()))
        save_xlsx(labelled, {stem: rows})
        (labelled / f"{stem}.csv").unlink()
    before = sorted(labelled.iterdir())
    back = tmp_path / "out" / "annotations.xml"
    assert "Nothing was changed" in run("merge", labelled, back).output
    back.write_text(re.sub(r"<points.*?</points>", "", back.read_text(), flags=re.DOTALL))
    refused = run("merge", labelled, back, *option)
    assert str(refused.exception).count("would stand beside a .csv of the same table. Save it as CSV UTF-8") == 2
    assert sorted(labelled.iterdir()) == before


def test_a_capture_that_the_model_cannot_read_is_told_and_the_others_go_out(labelled: Path, tmp_path: Path) -> None:
    (labelled / "images" / "b.jpg").write_bytes(b"not an image")
    model = build_tiny_model(tmp_path / "tiny.onnx")
    done = run("export", "coco", labelled, "--out", tmp_path / "out", "--with-predictions", model)
    assert done.exit_code == 3
    assert "1 capture, 1 label and 1 prediction" in done.output
    assert "1 capture could not be read" in done.output

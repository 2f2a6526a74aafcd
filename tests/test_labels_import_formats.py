"""Each format as its tool writes it: every point to the pixel, every class told of, nothing lost silently."""

from __future__ import annotations

import json
import math
import shutil
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imports_made import MAP, bring_in, levels_of, objects_of, save_images, save_turned
from labels_fixture import save_csv, save_xlsx
from trichotrack.labels.importers import shapes
from trichotrack.labels.importers.coco import read_coco
from trichotrack.labels.importers.common import ClassMap
from trichotrack.labels.importers.cvat import read_cvat
from trichotrack.labels.importers.folders import read_folders
from trichotrack.labels.importers.label_studio import read_label_studio
from trichotrack.labels.importers.labelme import read_labelme
from trichotrack.labels.importers.value_tables import read_values
from trichotrack.labels.importers.voc import read_voc
from trichotrack.labels.importers.yolo import read_yolo
from trichotrack.problems import InputError

NO = None


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three images of 64 x 48 px in images/."""
    save_images(tmp_path / "images")
    return tmp_path


def coco(folder: Path, annotations: list[dict[str, Any]], **changes: Any) -> Path:
    content = {
        "info": {"description": "", "version": "1.0", "year": 2026},
        "licenses": [{"id": 1, "name": "", "url": ""}],
        "images": [{"id": 1, "file_name": "P1_1.jpg", "width": 64, "height": 48, "license": 0, "date_captured": 0}],
        "categories": [{"id": 1, "name": "dot", "supercategory": ""}],
        "annotations": annotations,
    }
    (folder / "instances.json").write_text(json.dumps(content | changes))
    return folder / "instances.json"


def test_coco_polygons_without_a_box_are_at_their_centre(folder: Path) -> None:
    polygon = [[10, 20, 14, 20, 14, 26, 10.5, 26], [8, 21, 9, 22, 8, 22]]
    annotations = [
        {"id": 1, "image_id": 1, "category_id": 1, "segmentation": polygon, "area": 24.0, "iscrowd": 0},
        {"id": 2, "image_id": 1, "category_id": 1, "segmentation": {"counts": "abc", "size": [48, 64]}, "iscrowd": 0},
        {"id": 3, "image_id": 1, "category_id": 1, "bbox": [1, 2, 4, 6], "segmentation": polygon,
         "attributes": {"occluded": False}},
    ]  # fmt: skip
    summary, labelset = bring_in(read_coco(coco(folder, annotations)), folder)
    assert objects_of(labelset) == [
        ("P1_1", "black_dot", 11, 23, NO, NO, 6, 6),
        ("P1_1", "black_dot", 3, 5, NO, NO, 4, 6),
    ]
    assert levels_of(labelset) == {("P1_1", "black_dot"): "partial"}
    assert summary.dropped == {"its box has no area": 1}
    assert summary.notes["marks whose attributes are not kept"] == 1


def test_coco_keypoints_that_are_not_called_root_are_told_of(folder: Path) -> None:
    mark = {"id": 1, "image_id": 1, "category_id": 1, "bbox": [1, 2, 4, 6], "keypoints": [1, 2, 2, 5, 8, 2]}
    categories = [{"id": 1, "name": "hair", "keypoints": ["base", "end"]}]
    path = coco(folder, [mark], categories=categories)
    summary, _ = bring_in(read_coco(path), folder)
    assert summary.notes["marks of hair with keypoints (base, end), none of them the root"] == 1
    assert summary.notes[
        "marks of broken_hair at the centre of a box or outline: its root, where a hair is, is not told"
    ]
    shutil.rmtree(folder / "out")
    _, labelset = bring_in(read_coco(path, root="base", tip="end"), folder)
    assert objects_of(labelset) == [("P1_1", "broken_hair", 1, 2, 5, 8, 4, 6)]


def test_a_class_of_the_map_that_the_source_does_not_list_was_not_looked_for(folder: Path) -> None:
    mark = {"id": 1, "image_id": 1, "category_id": 1, "bbox": [1, 2, 4, 6]}
    _, labelset = bring_in(read_coco(coco(folder, [mark])), folder)
    assert levels_of(labelset) == {("P1_1", "black_dot"): "exhaustive"}  # the map names hair as well
    categories = [{"id": 1, "name": "dot"}, {"id": 2, "name": "hair"}, {"id": 3, "name": "yellow_dot"}]
    source = coco(folder, [mark], categories=categories)
    summary, labelset = bring_in(read_coco(source), folder, overwrite=True)
    assert {sign for _, sign in levels_of(labelset)} == {"black_dot", "broken_hair", "yellow_dot"}
    assert summary.notes["captures said to be without yellow_dot, of which nothing was marked anywhere"] == 1


def yolo(folder: Path, labels: dict[str, str], head: str = "names: [dot, hair]\nnc: 2\n") -> Path:
    for name, text in labels.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    (folder / "data.yaml").write_text(head)
    return folder / "data.yaml"


def test_yolo_boxes_oriented_boxes_and_outlines(folder: Path) -> None:
    oriented, outline = "1 0.25 0.5 0.375 0.25 0.5 0.5 0.375 0.75", "1 0.1 0.1 0.2 0.1 0.2 0.3 0.15 0.4 0.1 0.3"
    lines = f"0 0.5 0.25 0.125 0.25\n{oriented}\n\n{outline}\n"
    source = yolo(folder, {"labels/P1_1.txt": lines, "labels/P2_1.txt": ""})
    summary, labelset = bring_in(read_yolo(source), folder)
    assert objects_of(labelset) == [
        ("P1_1", "black_dot", 32, 12, NO, NO, 8, 12),
        ("P1_1", "broken_hair", 24, 24, NO, NO, 16, 24),
        ("P1_1", "broken_hair", 9.6, 12, NO, NO, 6.4, 14.4),
    ]
    assert levels_of(labelset) == {
        (name, sign): "exhaustive" for name in ("P1_1", "P2_1") for sign in ("black_dot", "broken_hair")
    }
    assert summary.images_left_out == {"not annotated: unknown, and left out": 1}
    assert [(line.name, line.kinds) for line in summary.classes] == [
        ("dot", {"box": 1}),
        ("hair", {"box": 1, "outline": 1}),
    ]


def test_an_image_without_a_yolo_file_is_empty_only_where_a_person_says_so(folder: Path) -> None:
    source = yolo(folder, {"labels/P1_1.txt": "0 0.5 0.25 0.125 0.25\n"})
    _, labelset = bring_in(read_yolo(source), folder, missing_is_empty=True)
    assert levels_of(labelset)["P2_1", "black_dot"] == "exhaustive"
    assert {o.file for o in labelset.objects} == {"images/P1_1.jpg"}


@pytest.mark.parametrize(
    ("layout", "head"),
    [
        ("{split}/{kind}", "train: ../train/images\nval: ../valid/images\nnames: ['dot']\n"),  # as Roboflow writes it
        ("{kind}/{split}", "path: ../datasets/x\ntrain: images/train\nval: images/valid\nnames:\n  0: dot\n"),
    ],
)
def test_yolo_splits_are_hints_and_files_of_one_name_are_kept_apart(tmp_path: Path, layout: str, head: str) -> None:
    names = ["P1_1", "P2_1"]
    places = {"train": names, "valid": ["P1_1"]}
    labels = {}
    for split, of_split in places.items():
        save_images(tmp_path / "set" / layout.format(split=split, kind="images"), of_split)
        x = 0.25 if split == "train" else 0.75
        labels |= {f"{layout.format(split=split, kind='labels')}/{n}.txt": f"0 {x} 0.5 0.1 0.1" for n in of_split}
    source = yolo(tmp_path / "set", labels, head)
    shutil.copytree(tmp_path / "set", tmp_path / "images")
    _, labelset = bring_in(read_yolo(source), tmp_path)
    told = {c.file.removeprefix("images/"): (c.split, c.extra["split_hint"]) for c in labelset.captures}
    assert told == {
        f"{layout.format(split=split, kind='images')}/{name}.jpg": ("", "val" if split == "valid" else "train")
        for split, of_split in places.items()
        for name in of_split
    }
    assert {(("valid" in o.file), o.x) for o in labelset.objects} == {(False, 16), (True, 48)}


def test_yolo_key_points_give_root_and_tip(folder: Path) -> None:
    head = "names: {0: hair}\nkpt_shape: [2, 3]\nkpt_names:\n  0:\n  - tip\n  - root\n"
    points = ("0.75 0.25 2 0.25 0.5 2", "0.75 0.25 0 0.25 0.5 1", ".75 .25 2 0 0 0")
    lines = "".join(f"0 0.5 0.5 0.25 0.5 {given}\n" for given in points)
    summary, labelset = bring_in(read_yolo(yolo(folder, {"labels/P1_1.txt": lines}, head)), folder)
    assert objects_of(labelset) == [
        ("P1_1", "broken_hair", 16, 24, 48, 12, 16, 24),
        ("P1_1", "broken_hair", 16, 24, NO, NO, 16, 24),
    ]
    assert summary.dropped == {"its root is not marked": 1}
    with pytest.raises(InputError, match="kpt_names calls none of them base"):
        read_yolo(folder / "data.yaml", root="base")


def test_yolo_with_classes_txt_beside_the_images(folder: Path) -> None:
    (folder / "images" / "classes.txt").write_text("dot\nhair\n")
    (folder / "images" / "P1_1.txt").write_text("1 0.5 0.5 0.25 0.25\n")
    (folder / "images" / "README.txt").write_text("not a label")
    _, labelset = bring_in(read_yolo(folder / "images"), folder)
    assert objects_of(labelset) == [("P1_1", "broken_hair", 32, 24, NO, NO, 16, 12)]


def test_images_called_nearly_or_just_as_files_that_are_no_labels_keep_their_yolo_labels(tmp_path: Path) -> None:
    names = ["Valdez_1", "Tester_1", "Notes_2", "classes"]
    save_images(tmp_path / "images", names)
    labels = {f"images/{name}.txt": "0 0.5 0.5 0.1 0.1\n" for name in names}
    others = {"images/README.txt": "no label", "README.roboflow.txt": "no label", "train.txt": "images/Valdez_1.jpg"}
    source = yolo(tmp_path, labels | others)
    summary, labelset = bring_in(read_yolo(source), tmp_path, pattern="", file_is_patient=True, missing_is_empty=True)
    assert sorted(Path(o.file).stem for o in labelset.objects) == sorted(names)
    (note,) = [note for note in summary.notes if "text files" in note]
    assert note.endswith(": README.roboflow.txt, images/README.txt, train.txt")
    assert summary.notes[note] == 3


def test_yolo_text_files_outside_the_folders_of_labels_are_named(folder: Path) -> None:
    texts = {"labels/P1_1.txt": "0 0.5 0.5 0.1 0.1\n", "labels/classes.txt": "dot\nhair\n", "images/P1_2.txt": ""}
    summary, labelset = bring_in(read_yolo(yolo(folder, texts)), folder)
    assert [capture.file for capture in labelset.captures] == ["images/P1_1.jpg"]
    assert any(note.endswith(": images/P1_2.txt, labels/classes.txt") for note in summary.notes)


def test_yolo_images_may_lie_elsewhere_and_a_set_without_labels_names_what_was_there(tmp_path: Path) -> None:
    save_images(tmp_path / "images", ["test"])
    source = yolo(tmp_path / "set", {"test.txt": "0 0.5 0.5 0.1 0.1\n"})
    assert len(read_yolo(source, images=tmp_path / "images").images) == 1
    with pytest.raises(InputError, match=r"has no label file .*, but test\.txt"):
        read_yolo(source)


@pytest.mark.parametrize("form", ["coco", "cvat", "yolo"])
def test_images_listed_without_a_mark_are_told_and_on_request_unknown(folder: Path, form: str) -> None:
    listed = [{"id": n, "file_name": f"{name}.jpg"} for n, name in enumerate(("P1_1", "P1_2", "P2_1"), start=1)]
    mark = {"id": 1, "image_id": 1, "category_id": 1, "bbox": [1, 2, 4, 6]}
    images = [f'<image name="{one["file_name"]}">' for one in listed]
    (folder / "a.xml").write_text(
        f'<annotations>{images[0]}<points label="dot" points="1,2"/></image>{"</image>".join(images[1:])}</image>'
        "</annotations>"
    )
    found = {
        "coco": lambda: read_coco(coco(folder, [mark], images=listed)),
        "cvat": lambda: read_cvat(folder / "a.xml"),
        "yolo": lambda: read_yolo(
            yolo(folder, {"labels/P1_1.txt": "0 .5 .5 .1 .1", "labels/P1_2.txt": "", "labels/P2_1.txt": ""})
        ),
    }[form]
    summary, labelset = bring_in(found(), folder)
    assert levels_of(labelset)["P2_1", "black_dot"] == "exhaustive"
    (note,) = [note for note in summary.notes if note.startswith("2 of 3 images hold no mark at all")]
    assert "taken as showing none" in note
    assert note.endswith(": P1_2.jpg; P2_1.jpg")
    summary, labelset = bring_in(found(), folder, empty_is_unknown=True, overwrite=True)
    assert {row.file for row in labelset.labels} == {"images/P1_1.jpg"}
    assert len(labelset.captures) == 3
    assert summary.notes["2 of 3 images hold no mark at all: left unknown: P1_2.jpg; P2_1.jpg"] == 2


def test_an_image_with_predictions_alone_is_unknown_where_empty_ones_are_and_one_with_a_tag_is_not(
    folder: Path,
) -> None:
    predicted = '<points label="dot" points="1,2"><attribute name="origin">prediction</attribute></points>'
    (folder / "a.xml").write_text(
        f'<annotations><image name="P1_1.jpg"><points label="dot" points="3,4"/><points label="hair" points="3,4"/>'
        f'</image><image name="P1_2.jpg">{predicted}</image><image name="P2_1.jpg"><tag label="yellow_dot"/></image>'
        "</annotations>"
    )
    _, labelset = bring_in(read_cvat(folder / "a.xml"), folder)
    assert levels_of(labelset)["P1_2", "broken_hair"] == "exhaustive"
    summary, labelset = bring_in(read_cvat(folder / "a.xml"), folder, empty_is_unknown=True, overwrite=True)
    assert {row.file for row in labelset.labels} == {"images/P1_1.jpg", "images/P2_1.jpg"}
    assert levels_of(labelset)["P2_1", "broken_hair"] == "exhaustive"
    assert sum(summary.dropped.values()) == 1


def test_images_without_annotation_that_a_person_calls_empty_are_named(folder: Path) -> None:
    source = yolo(folder, {"labels/P1_1.txt": "0 0.5 0.25 0.125 0.25\n"})
    summary, _ = bring_in(read_yolo(source), folder, missing_is_empty=True)
    assert summary.notes["2 of 3 images hold no mark at all: taken as showing none: P1_2.jpg; P2_1.jpg"] == 2
    with pytest.raises(InputError, match="Give one"):
        bring_in(read_yolo(source), folder, missing_is_empty=True, empty_is_unknown=True, overwrite=True)


def test_of_many_images_without_a_mark_the_first_are_named(tmp_path: Path) -> None:
    names = [f"P{n}_1" for n in range(1, 9)]
    save_images(tmp_path / "images", names)
    labels = {f"labels/{name}.txt": "" for name in names[1:]}
    source = yolo(tmp_path, {"labels/P1_1.txt": "0 0.5 0.5 0.1 0.1\n", **labels})
    summary, _ = bring_in(read_yolo(source), tmp_path)
    (note,) = [note for note in summary.notes if note.startswith("7 of 8 images")]
    assert note.endswith(": P2_1.jpg; P3_1.jpg; P4_1.jpg; P5_1.jpg; P6_1.jpg; …")


def test_nothing_is_said_of_empty_images_where_they_are_not_taken_as_showing_none(folder: Path) -> None:
    source = yolo(folder, {"labels/P1_1.txt": "0 0.5 0.25 0.125 0.25\n", "labels/P2_1.txt": ""})
    summary, _ = bring_in(read_yolo(source), folder, level="partial")
    assert not any("no mark at all" in note for note in summary.notes)


def test_yolo_shares_are_of_the_upright_image(tmp_path: Path) -> None:
    save_turned(tmp_path / "images" / "P4_1.jpg")
    source = yolo(tmp_path, {"labels/P4_1.txt": "0 0.75 0.25 0.1 0.1\n"})
    summary, labelset = bring_in(read_yolo(source), tmp_path)
    assert objects_of(labelset) == [("P4_1", "black_dot", 48, 12, NO, NO, 6.4, 4.8)]
    assert any("EXIF" in note for note in summary.notes)


CVAT = """<?xml version="1.0" encoding="utf-8"?>
<annotations>
  <version>1.1</version>
  <meta><task><id>7</id><name>scalps</name><size>2</size><mode>annotation</mode><overlap>0</overlap>
    <labels><label><name>hair</name><color>#33ddff</color><type>any</type><attributes><attribute>
      <name>subtype</name><mutable>False</mutable><input_type>text</input_type><default_value></default_value>
      <values></values></attribute></attributes></label></labels></task>
    <dumped>2026-03-04 10:00:00.000000+00:00</dumped></meta>
  <image id="0" name="clinic/P1_1.jpg" width="64" height="48">
    <points label="dot" source="manual" occluded="0" points="10.25,20.75;11.50,3.12" z_order="0"></points>
    <polyline label="hair" source="manual" occluded="1" points="30.12,20.46;31.00,10.00;33.50,3.00" z_order="0">
      <attribute name="subtype">exclamation</attribute></polyline>
    <box label="dot" source="manual" occluded="0" xtl="10.00" ytl="20.00" xbr="15.00" ybr="28.00" z_order="0"></box>
    <box label="dot" source="manual" occluded="0" xtl="20.00" ytl="20.00" xbr="24.00" ybr="28.00" rotation="90.00"
      z_order="0"></box>
    <polygon label="dot" source="semi-auto" occluded="0" points="40.00,30.00;44.00,30.00;44.00,36.00" z_order="0">
    </polygon>
    <ellipse label="dot" source="manual" occluded="0" cx="50.00" cy="40.00" rx="3.00" ry="2.00" z_order="0"></ellipse>
    <skeleton label="hair" source="manual" z_order="0">
      <points label="tip" source="manual" outside="0" occluded="0" points="5.00,6.00"></points>
      <points label="root" source="manual" outside="0" occluded="0" points="1.50,2.50"></points></skeleton>
    <skeleton label="hair" source="manual" z_order="0">
      <points label="root" source="manual" outside="0" occluded="0" points="7.00,8.00"></points>
      <points label="tip" source="manual" outside="1" occluded="0" points="9.00,9.00"></points></skeleton>
    <mask label="dot" source="manual" occluded="0" rle="3, 4" left="1" top="2" width="4" height="2" z_order="0"></mask>
    <tag label="yellow_dot" source="manual"></tag>
  </image>
  <image id="1" name="P2_1.jpg" width="64" height="48"></image>
</annotations>
"""


def test_cvat_keeps_points_lines_skeletons_boxes_and_tags(folder: Path) -> None:
    (folder / "annotations.xml").write_text(CVAT)
    summary, labelset = bring_in(read_cvat(folder / "annotations.xml"), folder)
    assert objects_of(labelset) == [
        ("P1_1", "black_dot", 10.25, 20.75, NO, NO, NO, NO),
        ("P1_1", "black_dot", 11.5, 3.12, NO, NO, NO, NO),
        ("P1_1", "broken_hair", 30.12, 20.46, 33.5, 3, NO, NO),
        ("P1_1", "black_dot", 12.5, 24, NO, NO, 5, 8),
        ("P1_1", "black_dot", 22, 24, NO, NO, 8, 4),
        ("P1_1", "black_dot", 42, 33, NO, NO, 4, 6),
        ("P1_1", "black_dot", 50, 40, NO, NO, 6, 4),
        ("P1_1", "broken_hair", 1.5, 2.5, 5, 6, NO, NO),
        ("P1_1", "broken_hair", 7, 8, NO, NO, NO, NO),
    ]
    assert levels_of(labelset) == {
        ("P1_1", "black_dot"): "partial",  # the mask is of one more
        ("P1_1", "broken_hair"): "exhaustive",
        ("P1_1", "yellow_dot"): "presence 1",
        ("P2_1", "black_dot"): "exhaustive",
        ("P2_1", "broken_hair"): "exhaustive",
    }
    assert summary.dropped == {"a mask has no root and no outline that could be read": 1}
    assert summary.notes == {
        "marks whose attributes are not kept": 1,
        "1 of 2 images hold no mark at all: taken as showing none (never opened? --empty-is-unknown): P2_1.jpg": 1,
    }
    assert [(line.name, line.sign, line.read, line.taken) for line in summary.classes] == [
        ("dot", "black_dot", 7, 6), ("hair", "broken_hair", 3, 3), ("yellow_dot", "yellow_dot", 1, 1),
    ]  # fmt: skip


def test_a_tag_of_what_is_elsewhere_marked_is_presence_where_nothing_is_marked(folder: Path) -> None:
    tagged = CVAT.replace('height="48"></image>', 'height="48"><tag label="hair" source="manual"></tag></image>')
    (folder / "annotations.xml").write_text(tagged)
    _, labelset = bring_in(read_cvat(folder / "annotations.xml"), folder, exclusive=True)
    assert levels_of(labelset)["P2_1", "broken_hair"] == "presence 1"  # there, and not marked: no zero
    assert levels_of(labelset)["P2_1", "yellow_dot"] == "presence 0"  # --exclusive: not tagged is absent


def test_lines_drawn_from_the_tip_are_turned_round_and_key_points_are_not(folder: Path) -> None:
    (folder / "annotations.xml").write_text(CVAT)
    _, labelset = bring_in(read_cvat(folder / "annotations.xml"), folder, tip_first=True)
    hairs = [one for one in objects_of(labelset) if one[1] == "broken_hair"]
    assert [one[2:6] for one in hairs] == [(33.5, 3, 30.12, 20.46), (1.5, 2.5, 5, 6), (7, 8, NO, NO)]


def region(kind: str, value: dict[str, Any], label: str, number: str = "aB3_x") -> dict[str, Any]:
    return {
        "original_width": 64, "original_height": 48, "image_rotation": 0, "value": {**value, kind: [label]},
        "id": number, "from_name": "label", "to_name": "image", "type": kind, "origin": "manual",
    }  # fmt: skip


def task(image: str, *results: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """As Label Studio 1.x exports a task."""
    annotation = {
        "id": 11, "completed_by": 1, "result": list(results), "was_cancelled": False, "ground_truth": False,
        "created_at": "2026-03-04T10:00:00.000000Z", "updated_at": "2026-03-04T10:00:00.000000Z",
        "draft_created_at": None, "lead_time": 5.2, "prediction": {}, "result_count": len(results),
        "unique_id": "7c0e", "import_id": None, "last_action": None, "bulk_created": False, "task": 5, "project": 2,
        "updated_by": 1, "parent_prediction": None, "parent_annotation": None, "last_created_by": None,
    }  # fmt: skip
    whole = {
        "id": 5, "annotations": [annotation], "file_upload": "3f2e1a9b-P1_1.jpg", "drafts": [], "predictions": [],
        "data": {"image": image}, "meta": {}, "created_at": "2026-03-04T09:00:00Z", "inner_id": 1,
        "total_annotations": 1, "cancelled_annotations": 0, "total_predictions": 0, "comment_count": 0,
    }  # fmt: skip
    return whole | changes


def label_studio(folder: Path, *tasks: dict[str, Any]) -> Path:
    (folder / "export.json").write_text(json.dumps(list(tasks)))
    return folder / "export.json"


def test_label_studio_percent_become_pixels(folder: Path) -> None:
    vector = {
        "vertices": [
            {"id": "v2", "x": 75, "y": 50, "prevPointId": "v1", "isBezier": False},
            {"id": "v1", "x": 25, "y": 25, "prevPointId": None, "isBezier": False},
        ],
        "closed": False,
    }
    first = task(
        "/data/upload/2/3f2e1a9b-P1_1.jpg",
        region("rectanglelabels", {"x": 25, "y": 50, "width": 12.5, "height": 25, "rotation": 0}, "dot"),
        region("rectanglelabels", {"x": 50, "y": 50, "width": 12.5, "height": 25, "rotation": 90}, "dot"),
        region("keypointlabels", {"x": 12.5, "y": 75, "width": 0.4}, "hair"),
        region("ellipselabels", {"x": 50, "y": 50, "radiusX": 6.25, "radiusY": 12.5, "rotation": 0}, "dot"),
        region("polygonlabels", {"points": [[25, 25], [50, 25], [50, 50]], "closed": True}, "dot"),
        region("vectorlabels", vector, "hair"),
        region("brushlabels", {"format": "rle", "rle": [0, 1, 2]}, "dot"),
        {"value": {"choices": ["yellow_dot"]}, "id": "c1", "from_name": "signs", "to_name": "image", "type": "choices"},
    )
    second = task("/data/local-files/?d=clinic/P%32_1.jpg", id=6, file_upload=None)
    summary, labelset = bring_in(read_label_studio(label_studio(folder, first, second)), folder)
    assert objects_of(labelset) == [
        ("P1_1", "black_dot", 20, 30, NO, NO, 8, 12),
        ("P1_1", "black_dot", 26, 28, NO, NO, 12, 8),
        ("P1_1", "broken_hair", 8, 36, NO, NO, NO, NO),
        ("P1_1", "black_dot", 32, 24, NO, NO, 8, 12),
        ("P1_1", "black_dot", 24, 18, NO, NO, 16, 12),
        ("P1_1", "broken_hair", 16, 12, 48, 24, NO, NO),
    ]
    assert levels_of(labelset) == {
        ("P1_1", "black_dot"): "partial",
        ("P1_1", "broken_hair"): "exhaustive",
        ("P1_1", "yellow_dot"): "presence 1",
        ("P2_1", "black_dot"): "exhaustive",
        ("P2_1", "broken_hair"): "exhaustive",
    }
    assert summary.dropped == {"a brush mask has no point that could be taken": 1}


def test_label_studio_key_points_in_a_relation_are_root_and_tip(folder: Path) -> None:
    root = region("keypointlabels", {"x": 25, "y": 25, "width": 0.4}, "hair", "r1")
    tip = region("keypointlabels", {"x": 75, "y": 50, "width": 0.4}, "tip", "t1")
    dot = region("keypointlabels", {"x": 50, "y": 50, "width": 0.4}, "dot", "d1")
    joined = {"from_id": "r1", "to_id": "t1", "type": "relation", "direction": "right"}
    strange = {"from_id": "r1", "to_id": "d1", "type": "relation", "direction": "right"}
    source = label_studio(folder, task("P1_1.jpg", tip, root, dot, joined, strange))
    summary, labelset = bring_in(read_label_studio(source), folder)
    assert objects_of(labelset) == [
        ("P1_1", "broken_hair", 16, 12, 48, 24, NO, NO),
        ("P1_1", "black_dot", 32, 24, NO, NO, NO, NO),
    ]
    assert summary.notes == {"relations that are not kept": 1}


def test_predictions_that_nobody_accepted_are_not_labels(folder: Path) -> None:
    mark = {"id": 1, "image_id": 1, "category_id": 1, "bbox": [1, 2, 4, 6]}
    predicted = {**mark, "id": 2, "attributes": {"id": "", "origin": "prediction", "score": 0.9}}
    summary, labelset = bring_in(read_coco(coco(folder, [mark, predicted])), folder)
    assert len(labelset.objects) == 1
    assert levels_of(labelset) == {("P1_1", "black_dot"): "partial"}
    assert sum(summary.dropped.values()) == 1
    attribute = '<attribute name="origin">prediction</attribute>'
    guess = f'<points label="dot" source="auto" occluded="0" points="1.00,2.00" z_order="0">{attribute}</points>'
    (folder / "a.xml").write_text(f'<annotations><image id="0" name="P1_1.jpg">{guess}</image></annotations>')
    summary, labelset = bring_in(read_cvat(folder / "a.xml"), folder, overwrite=True)
    assert not labelset.objects
    assert summary.notes["marks that a model made in CVAT (source auto)"] == 1


def test_label_studio_tasks_nobody_finished_are_unknown(folder: Path) -> None:
    dot = region("keypointlabels", {"x": 12.5, "y": 75, "width": 0.4}, "dot")
    skipped = task("P2_1.jpg", id=7)
    skipped["annotations"][0]["was_cancelled"] = True
    untouched = task("P1_2.jpg", annotations=[])
    source = label_studio(folder, task("a/P1_1.jpg", dot), skipped, untouched)
    summary, labelset = bring_in(read_label_studio(source), folder)
    assert [capture.file for capture in labelset.captures] == ["images/P1_1.jpg"]
    assert summary.notes["tasks without a finished annotation: unknown, and left out"] == 2


def test_label_studio_annotations_of_two_people_are_two_raters_only_on_request(folder: Path) -> None:
    one = task("P1_1.jpg", region("keypointlabels", {"x": 50, "y": 50, "width": 0.4}, "dot"))
    other = task("P1_1.jpg", region("keypointlabels", {"x": 25, "y": 25, "width": 0.4}, "dot"))
    other["annotations"][0]["completed_by"] = {"id": 2, "email": "b@example.org"}
    one["annotations"] += other["annotations"]
    source = label_studio(folder, one)
    with pytest.raises(InputError, match="has 2 annotations, and nothing says which holds"):
        bring_in(read_label_studio(source), folder)
    _, labelset = bring_in(read_label_studio(source, by_annotator=True), folder)
    assert [(o.rater, o.x) for o in labelset.objects] == [("annotator 1", 32), ("b@example.org", 16)]
    assert len(labelset.captures) == 1


def test_label_studio_regions_of_two_classes_or_on_a_turned_view_are_not_taken(folder: Path) -> None:
    double = region("keypointlabels", {"x": 50, "y": 50, "width": 0.4}, "dot")
    double["value"]["keypointlabels"] = ["dot", "hair"]
    turned = region("keypointlabels", {"x": 50, "y": 50, "width": 0.4}, "dot") | {"image_rotation": 90}
    summary, labelset = bring_in(read_label_studio(label_studio(folder, task("P1_1.jpg", double, turned))), folder)
    assert not labelset.objects
    assert summary.dropped == {
        "it has several classes": 2,
        "its image was turned in Label Studio while it was drawn": 1,
    }
    assert set(levels_of(labelset).values()) == {"partial"}


def labelme(folder: Path, shapes_of: list[tuple[str, str, list[list[float]]]], **changes: Any) -> Path:
    """As LabelMe 5 saves an image's annotations."""
    content = {
        "version": "5.4.1",
        "flags": {"yellow_dot": True, "pigtail_hair": False},
        "shapes": [
            {"label": label, "points": points, "group_id": None, "description": "", "shape_type": kind, "flags": {},
             "mask": None}
            for label, kind, points in shapes_of
        ],
        "imagePath": "..\\images\\P1_1.jpg", "imageData": None, "imageHeight": 48, "imageWidth": 64,
    }  # fmt: skip
    (folder / "json").mkdir(exist_ok=True)
    (folder / "json" / "P1_1.json").write_text(json.dumps(content | changes))
    return folder / "json"


def test_labelme_shapes_and_flags(folder: Path) -> None:
    source = labelme(
        folder,
        [
            ("dot", "point", [[10.5, 20.25]]),
            ("hair", "line", [[1.5, 2.5], [5, 6]]),
            ("hair", "linestrip", [[30, 20], [31, 10], [33.5, 3]]),
            ("dot", "rectangle", [[15, 28], [10, 20]]),
            ("dot", "polygon", [[40, 30], [44, 30], [44, 36]]),
            ("dot", "circle", [[20, 20], [23, 24]]),
            ("dot", "mask", [[1, 2], [5, 6]]),
            ("hair", "line", [[5, 5], [5, 5]]),
        ],
    )
    summary, labelset = bring_in(read_labelme(source), folder)
    assert objects_of(labelset) == [
        ("P1_1", "black_dot", 10.5, 20.25, NO, NO, NO, NO),
        ("P1_1", "broken_hair", 1.5, 2.5, 5, 6, NO, NO),
        ("P1_1", "broken_hair", 30, 20, 33.5, 3, NO, NO),
        ("P1_1", "black_dot", 12.5, 24, NO, NO, 5, 8),
        ("P1_1", "black_dot", 42, 33, NO, NO, 4, 6),
        ("P1_1", "black_dot", 20, 20, NO, NO, 10, 10),
    ]
    assert levels_of(labelset) == {
        ("P1_1", "black_dot"): "partial",
        ("P1_1", "broken_hair"): "partial",
        ("P1_1", "yellow_dot"): "presence 1",
    }
    assert summary.dropped == {
        "a mask of 2 points is not read": 1,
        "its line does not lead from one point to another": 1,
    }


def test_voc_says_what_of_an_object_is_not_kept(folder: Path) -> None:
    (folder / "xml").mkdir()
    marked = "<name>dot</name><pose>Left</pose><truncated>0</truncated><difficult>0</difficult>"
    (folder / "xml" / "P1_1.xml").write_text(
        "<annotation><folder>x</folder><filename>P1_1.jpg</filename><path>C:\\x\\P1_1.jpg</path>"
        "<source><database>Unknown</database></source><size><width>64</width><height>48</height><depth>3</depth></size>"
        f"<segmented>0</segmented><object>{marked}<bndbox><xmin>10</xmin><ymin>20</ymin><xmax>15</xmax><ymax>40</ymax>"
        "</bndbox></object></annotation>"
    )
    summary, labelset = bring_in(read_voc(folder / "xml"), folder)
    assert objects_of(labelset) == [("P1_1", "black_dot", 12.5, 30, NO, NO, 5, 20)]
    assert levels_of(labelset) == {("P1_1", "black_dot"): "exhaustive"}
    assert summary.notes == {
        "marks whose <pose> is not kept": 1,
        "captures where broken_hair of the map is unknown: nothing was marked of it anywhere": 1,
    }


@pytest.mark.parametrize("save", [save_csv, save_xlsx])
def test_a_table_of_counts_is_read_and_names_the_patients(folder: Path, save: Any) -> None:
    rows = [["file", "patient", "dot", "hair", "dirt"], ["P1_1.jpg", "007", 3, "", 9], ["P2_1", "8", 0, 12, ""]]
    save(folder, {"counts": rows})
    source = next(folder.glob("counts.*"))
    summary, labelset = bring_in(read_values(source, "count"), folder, pattern="")
    assert levels_of(labelset) == {
        ("P1_1", "black_dot"): "count 3",
        ("P2_1", "black_dot"): "count 0",
        ("P2_1", "broken_hair"): "count 12",
    }
    assert [(capture.patient, dict(capture.extra)) for capture in labelset.captures] == [("007", {}), ("8", {})]
    assert summary.dropped == {"class dirt is left out by the map": 1}


def test_a_table_with_a_line_for_each_class_and_rater(folder: Path) -> None:
    rows = [["file", "sign", "count", "rater"], ["P1_1.jpg", "dot", 3, "a"], ["P1_1.jpg", "dot", 4, "b"]]
    save_csv(folder, {"counts": rows})
    _, labelset = bring_in(read_values(folder / "counts.csv", "count"), folder)
    assert [(row.sign, row.level, row.value, row.rater) for row in labelset.labels] == [
        ("black_dot", "count", 3, "a"), ("black_dot", "count", 4, "b"),
    ]  # fmt: skip


def test_a_table_of_presence_leaves_blanks_unknown_unless_told_otherwise(folder: Path) -> None:
    save_csv(folder, {"seen": [["file", "dot", "hair"], ["P1_1.jpg", "yes", ""], ["P1_2.jpg", 0, 1]]})
    _, labelset = bring_in(read_values(folder / "seen.csv", "presence"), folder)
    known = {("P1_1", "black_dot"): "presence 1", ("P1_2", "black_dot"): "presence 0",
             ("P1_2", "broken_hair"): "presence 1"}  # fmt: skip
    assert levels_of(labelset) == known
    options = {"exclusive": True, "overwrite": True}
    _, labelset = bring_in(read_values(folder / "seen.csv", "presence"), folder, **options)
    assert levels_of(labelset) == known | {("P1_1", "broken_hair"): "presence 0"}


def test_a_presence_may_be_written_as_any_number_and_what_stands_for_nothing_is_unknown(folder: Path) -> None:
    save_csv(folder, {"seen": [["file", "dot", "hair"], ["P1_1", "1.0", "n/a"], ["P1_2", "0.0", "NaN"],
                               ["P2_1", "NA", "-"]]})  # fmt: skip
    _, labelset = bring_in(read_values(folder / "seen.csv", "presence"), folder)
    assert levels_of(labelset) == {("P1_1", "black_dot"): "presence 1", ("P1_2", "black_dot"): "presence 0"}
    save_csv(folder, {"counts": [["file", "dot"], ["P1_1", "3.0"], ["P1_2", "#N/A"], ["P2_1", "\u2013"]]})
    _, labelset = bring_in(read_values(folder / "counts.csv", "count"), folder, overwrite=True)
    assert levels_of(labelset) == {("P1_1", "black_dot"): "count 3"}


@pytest.mark.parametrize("kind", ["presence", "count"])
def test_a_column_of_something_else_is_told_once_unless_the_map_leaves_it_out(folder: Path, kind: Any) -> None:
    rows = [["file", "dot", "device_type", "dirt"], ["P1_1", 1, "Canon", "a bit"], ["P1_2", 0, "Nikon", 1],
            ["P2_1", "", "-", ""]]  # fmt: skip
    save_csv(folder, {"table": rows})
    with pytest.raises(InputError) as caught:
        bring_in(read_values(folder / "table.csv", kind), folder)
    (told,) = caught.value.problems
    assert (told.place, told.value) == ("class", "device_type")
    assert "in 2 cells (the first, 'Canon' in row 2" in told.message
    assert "device_type: null" in told.remedy
    left_out = ClassMap({**MAP.classes, "device_type": None})
    summary, labelset = bring_in(read_values(folder / "table.csv", kind), folder, class_map=left_out)
    assert levels_of(labelset) == {("P1_1", "black_dot"): f"{kind} 1", ("P1_2", "black_dot"): f"{kind} 0"}
    assert summary.dropped == {
        "class device_type is left out by the map": 2,
        "class dirt is left out by the map": 2,
    }


def test_the_cells_that_are_wrong_are_told_each_where_others_of_their_column_are_right(folder: Path) -> None:
    rows = [["file", "dot", "stage"], ["P1_1", 1, 1], ["P1_2", "yes", 2], ["P2_1", "perhaps", 3]]
    save_csv(folder, {"table": rows})
    with pytest.raises(InputError) as caught:
        bring_in(read_values(folder / "table.csv", "presence"), folder)
    assert [(p.place, p.row, p.column, p.value) for p in caught.value.problems] == [
        ("class", None, "", "stage"), ("table.csv", 4, "dot", "perhaps"),
    ]  # fmt: skip


def test_two_classes_that_are_one_sign_are_added_and_unknown_where_one_is(folder: Path) -> None:
    save_csv(folder, {"c": [["file", "short", "long"], ["P1_1.jpg", 3, 4], ["P1_2.jpg", 5, ""]]})
    both = ClassMap({"short": "broken_hair", "long": "broken_hair"})
    _, labelset = bring_in(read_values(folder / "c.csv", "count"), folder, class_map=both)
    assert levels_of(labelset) == {("P1_1", "broken_hair"): "count 7"}
    save_csv(folder, {"c": [["file", "short", "long"], ["P1_1.jpg", 1, ""], ["P1_2.jpg", 0, ""], ["P2_1.jpg", 0, 0]]})
    found = read_values(folder / "c.csv", "presence")
    _, labelset = bring_in(found, folder, class_map=both, overwrite=True)
    assert levels_of(labelset) == {("P1_1", "broken_hair"): "presence 1", ("P2_1", "broken_hair"): "presence 0"}


@pytest.mark.parametrize("above", ["", "train/"])
def test_folders_by_class_say_what_is_there_and_nothing_of_the_rest(tmp_path: Path, above: str) -> None:
    images = tmp_path / "images"
    save_images(images, [f"{above}dot/P1_1", f"{above}hair/P2_1", f"{above}dirt/P3_1"])
    shutil.copy(images / f"{above}dot/P1_1.jpg", images / f"{above}hair/P1_1.jpg")  # a capture that shows both
    summary, labelset = bring_in(read_folders(images, tmp_path / "out"), tmp_path)
    assert levels_of(labelset) == {
        ("P1_1", "black_dot"): "presence 1",
        ("P1_1", "broken_hair"): "presence 1",
        ("P2_1", "broken_hair"): "presence 1",
    }
    assert len(labelset.captures) == 3
    assert {capture.extra.get("split_hint", "") for capture in labelset.captures} == {above.rstrip("/")}
    assert sum(summary.notes.values()) == 1
    options = {"exclusive": True, "overwrite": True}
    _, labelset = bring_in(read_folders(images, tmp_path / "out"), tmp_path, **options)
    assert levels_of(labelset)["P3_1", "black_dot"] == "presence 0"
    assert levels_of(labelset)["P2_1", "black_dot"] == "presence 0"


def test_a_size_of_the_unturned_image_is_refused_with_the_reason(tmp_path: Path) -> None:
    save_turned(tmp_path / "images" / "P4_1.jpg")
    (tmp_path / "annotations.xml").write_text(
        '<annotations><image id="0" name="P4_1.jpg" width="48" height="64"/></annotations>'
    )
    with pytest.raises(InputError) as caught:
        bring_in(read_cvat(tmp_path / "annotations.xml"), tmp_path)
    (told,) = caught.value.problems
    assert told.message == "says 48x64 px, the size of P4_1.jpg before its EXIF orientation turns it (64x48 upright)"
    assert "remove the orientation tag" in told.remedy


def test_a_sign_said_absent_and_marked_is_refused(folder: Path) -> None:
    from trichotrack.labels.importers.common import Annotation, Annotations, ClassValue, Mark

    said = Annotation("x", ("P1_1",), marks=(Mark("dot", 1, 1),), values=(ClassValue("dot", "presence", 0),))
    with pytest.raises(InputError, match="says black_dot is absent, and marks 1 of it"):
        bring_in(Annotations([said]), folder)


def test_an_image_annotated_twice_is_refused(folder: Path) -> None:
    (folder / "annotations.xml").write_text(CVAT.replace('name="P2_1.jpg"', 'name="P1_1.jpg"'))
    with pytest.raises(InputError, match=r"annotates P1_1\.jpg, as annotations\.xml, clinic/P1_1\.jpg does"):
        bring_in(read_cvat(folder / "annotations.xml"), folder)


def test_classes_nobody_named_are_all_listed_with_how_often(folder: Path) -> None:
    (folder / "annotations.xml").write_text(CVAT.replace('"dot"', '"Dot"').replace('"hair"', '"Haar"'))
    with pytest.raises(InputError) as caught:
        bring_in(read_cvat(folder / "annotations.xml"), folder)
    assert [(p.value, p.message) for p in caught.value.problems] == [
        ("Dot", "is not a sign (7 objects)"), ("Haar", "is not a sign (3 objects)"),
    ]  # fmt: skip


@given(
    centre=st.tuples(st.floats(0, 4000), st.floats(0, 4000)),
    size=st.tuples(st.floats(0.01, 500), st.floats(0.01, 500)),
    degrees=st.floats(-360, 360),
)
def test_a_box_turned_about_its_centre_keeps_it(
    centre: tuple[float, float], size: tuple[float, float], degrees: float
) -> None:
    first = (centre[0] - size[0] / 2, centre[1] - size[1] / 2)
    second = (centre[0] + size[0] / 2, centre[1] + size[1] / 2)
    around = shapes.turned(shapes.corners(first, second), centre, degrees)
    mark = shapes.box("x", first, second, around)
    assert math.dist((mark.x, mark.y), centre) < 1e-6
    assert all(math.isclose(math.dist(at, centre), math.dist(first, centre), abs_tol=1e-6) for at in around)


@given(x=st.floats(0, 1), y=st.floats(0, 1))
def test_a_yolo_centre_is_where_its_shares_say(tmp_path_factory: pytest.TempPathFactory, x: float, y: float) -> None:
    from trichotrack.labels.importers.images import Raster
    from trichotrack.labels.importers.matching import _in_pixels

    folder = tmp_path_factory.mktemp("yolo")
    source = yolo(folder, {"labels/a.txt": f"0 {x!r} {y!r} 0.1 0.2\n"})
    (annotation,) = read_yolo(source).images
    (mark,) = _in_pixels(annotation, Raster(640, 480, 1)).marks
    assert math.isclose(mark.x, x * 640, abs_tol=1e-9)
    assert math.isclose(mark.y, y * 480, abs_tol=1e-9)
    assert mark.box is not None
    assert math.isclose(mark.box[0], 64, abs_tol=1e-9)


WIDTH, HEIGHT = 640, 480
SPOT = st.tuples(st.integers(0, WIDTH * 100), st.integers(0, HEIGHT * 100)).map(lambda at: (at[0] / 100, at[1] / 100))
SCENE = st.tuples(
    st.lists(SPOT, min_size=1, max_size=5),
    st.lists(st.tuples(SPOT, SPOT).filter(lambda line: line[0] != line[1]), min_size=1, max_size=5),
)
Scene = tuple[list[tuple[float, float]], list[tuple[tuple[float, float], tuple[float, float]]]]


def percent(at: tuple[float, float]) -> dict[str, float]:
    return {"x": at[0] / WIDTH * 100, "y": at[1] / HEIGHT * 100}


def as_coco(folder: Path, scene: Scene) -> Path:
    marks = [[x, y, 2, 0, 0, 0] for x, y in scene[0]] + [[*root, 2, *tip, 2] for root, tip in scene[1]]
    names = ["dot"] * len(scene[0]) + ["hair"] * len(scene[1])
    annotations = [
        {"id": n, "image_id": 1, "category_id": 1 + (name == "hair"), "keypoints": mark}
        for n, (name, mark) in enumerate(zip(names, marks, strict=True))
    ]
    categories = [{"id": n, "name": name, "keypoints": ["root", "tip"]} for n, name in ((1, "dot"), (2, "hair"))]
    return coco(folder, annotations, categories=categories)


def as_cvat(folder: Path, scene: Scene) -> Path:
    shapes_of = "".join(f'<points label="dot" points="{x},{y}"/>' for x, y in scene[0]) + "".join(
        f'<polyline label="hair" points="{a},{b};{c},{d}"/>' for (a, b), (c, d) in scene[1]
    )
    (folder / "a.xml").write_text(f'<annotations><image name="P1_1.jpg">{shapes_of}</image></annotations>')
    return folder / "a.xml"


def as_labelme(folder: Path, scene: Scene) -> Path:
    marks = [("dot", "point", [list(at)]) for at in scene[0]]
    return labelme(folder, marks + [("hair", "line", [list(root), list(tip)]) for root, tip in scene[1]])


def as_label_studio(folder: Path, scene: Scene) -> Path:
    of_image = {"original_width": WIDTH, "original_height": HEIGHT}
    results = [region("keypointlabels", {**percent(at), "width": 0.4}, "dot") | of_image for at in scene[0]]
    for root, tip in scene[1]:
        ends = [{"id": "a", **percent(root), "prevPointId": None}, {"id": "b", **percent(tip), "prevPointId": "a"}]
        results.append(region("vectorlabels", {"vertices": ends, "closed": False}, "hair") | of_image)
    return label_studio(folder, task("P1_1.jpg", *results))


def as_voc(folder: Path, scene: Scene) -> Path:
    (folder / "voc").mkdir(exist_ok=True)
    objects = "".join(
        f"<object><name>hair</name><bndbox><xmin>{a}</xmin><ymin>{b}</ymin><xmax>{c}</xmax><ymax>{d}</ymax></bndbox></object>"
        for (a, b), (c, d) in scene[1]
    )
    (folder / "voc" / "P1_1.xml").write_text(f"<annotation>{objects}</annotation>")
    return folder / "voc"


@given(scene=SCENE)
def test_the_same_points_and_lines_are_the_same_marks_in_every_format(
    tmp_path_factory: pytest.TempPathFactory, scene: Scene
) -> None:
    folder = tmp_path_factory.mktemp("scene")
    readers = {
        "coco": lambda: read_coco(as_coco(folder, scene)),
        "cvat": lambda: read_cvat(as_cvat(folder, scene)),
        "labelme": lambda: read_labelme(as_labelme(folder, scene)),
        "label-studio": lambda: read_label_studio(as_label_studio(folder, scene)),
        "voc": lambda: read_voc(as_voc(folder, scene), vectors=True),
    }
    wanted = [("dot", *at, None) for at in scene[0]] + [("hair", *root, tip) for root, tip in scene[1]]
    for form, read in readers.items():
        found = read()
        assert not found.problems, form
        marks = found.images[0].marks
        expected = wanted[len(scene[0]) :] if form == "voc" else wanted
        assert [mark.class_name for mark in marks] == [name for name, *_ in expected], form
        for mark, (_, x, y, tip) in zip(marks, expected, strict=True):
            assert mark.unusable == "", form
            assert math.dist((mark.x, mark.y), (x, y)) < 1e-9, form
            assert (mark.tip is None) == (tip is None), form
            assert mark.tip is None or math.dist(mark.tip, tip) < 1e-9, form

"""Files that are broken, enormous or meant ill: each is refused in a sentence, and nothing is written or fetched."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from imports_made import bring_in, levels_of, save_images
from labels_fixture import save_csv
from trichotrack.labels.importers.coco import read_coco
from trichotrack.labels.importers.common import Annotations
from trichotrack.labels.importers.cvat import read_cvat
from trichotrack.labels.importers.folders import read_folders
from trichotrack.labels.importers.imagej import read_imagej
from trichotrack.labels.importers.label_studio import read_label_studio
from trichotrack.labels.importers.labelme import read_labelme
from trichotrack.labels.importers.value_tables import read_values
from trichotrack.labels.importers.voc import read_voc
from trichotrack.labels.importers.yolo import read_yolo
from trichotrack.problems import InputError

Reader = Callable[[Path], Annotations]
JSON_READERS: dict[str, Reader] = {"coco": read_coco, "label-studio": read_label_studio, "labelme": read_labelme}
XML_READERS: dict[str, Reader] = {"cvat": read_cvat, "voc": read_voc, "imagej": read_imagej}

BOMB = (
    '<?xml version="1.0"?><!DOCTYPE l [<!ENTITY a "aaaaaaaaaa">'
    + "".join(f'<!ENTITY {one} "{f"&{of};" * 10}">' for of, one in zip("abcdefgh", "bcdefghi", strict=True))
    + "]><annotations><image name='&i;'/></annotations>"
)
FETCHING = '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/hostname">]><annotation><filename>&x;</filename></annotation>'


def told(read: Reader, source: Path) -> str:
    """What a reader says is wrong; it raises InputError or notes it, and nothing else."""
    try:
        return "\n".join(map(str, read(source).problems))
    except InputError as error:
        return str(error)


@pytest.mark.parametrize("text", [BOMB, FETCHING, FETCHING.encode("utf-16").decode("latin-1")])
@pytest.mark.parametrize("form", XML_READERS)
def test_documents_that_declare_entities_are_refused(tmp_path: Path, form: str, text: str) -> None:
    (tmp_path / "P1_1.xml").write_bytes(text.encode("latin-1"))
    assert "declares a document type" in told(XML_READERS[form], tmp_path / "P1_1.xml")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"<annotations>",
        b"\x00\xff\xfe",
        b"<a></b>",
        b'<?xml version="1.0" encoding="rot13"?><a/>',
        b"<a>\xff</a>",
        b"<a>&undeclared;</a>",
        b"PK\x03\x04",
    ],
)
@pytest.mark.parametrize("form", XML_READERS)
def test_xml_that_is_none_is_refused(tmp_path: Path, form: str, data: bytes) -> None:
    (tmp_path / "P1_1.xml").write_bytes(data)
    assert "is not readable XML" in told(XML_READERS[form], tmp_path / "P1_1.xml")


def test_xml_nested_without_end_is_read_or_refused(tmp_path: Path) -> None:
    (tmp_path / "a.xml").write_text("<annotations>" + "<image>" * 50_000 + "</image>" * 50_000 + "</annotations>")
    assert "has no name" in told(read_cvat, tmp_path / "a.xml")


@pytest.mark.parametrize(
    "text",
    ["", "{", '{"images": [', "[" * 100_000, "\x00", "nonsense", '"' + "\\ud800" * 3, "1" * 5000, "\xff\xfe"],
)
@pytest.mark.parametrize("form", JSON_READERS)
def test_json_that_is_none_is_refused(tmp_path: Path, form: str, text: str) -> None:
    (tmp_path / "P1_1.json").write_bytes(text.encode("latin-1"))
    assert "is not JSON" in told(JSON_READERS[form], tmp_path / "P1_1.json")


@pytest.mark.parametrize("content", [1, None, "x", [1], [[]], {"images": 1}, {"shapes": [1]}, {"shapes": {}}, [{}], {}])
@pytest.mark.parametrize("form", JSON_READERS)
def test_json_of_another_make_is_refused(tmp_path: Path, form: str, content: object) -> None:
    (tmp_path / "P1_1.json").write_text(json.dumps(content))
    assert told(JSON_READERS[form], tmp_path / "P1_1.json")


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.just(10**400),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["x", "y", "d", "rle"]), inner, max_size=3)
    ),
    max_leaves=6,
)


def coco_with(value: Any, key: str) -> Any:
    mark = {"id": 1, "image_id": 1, "category_id": 1, "bbox": [1, 2, 3, 4], "keypoints": [1, 2, 2]}
    image = {"id": 1, "file_name": "P1_1.jpg", "width": 64, "height": 48}
    category = {"id": 1, "name": "dot", "keypoints": ["root"]}
    for entry in (mark, image, category):
        if key in entry or key == "segmentation":
            entry[key] = value
    return {"images": [image], "categories": [category], "annotations": [mark]}


def label_studio_with(value: Any, key: str) -> Any:
    inner = {"x": 1, "y": 2, "width": 3, "height": 4, "rotation": 0, "rectanglelabels": ["dot"]}
    result = {
        "type": "rectanglelabels",
        "original_width": 64,
        "original_height": 48,
        "image_rotation": 0,
        "value": inner,
    }
    annotation = {"result": [result], "completed_by": 1, "was_cancelled": False}
    task = {"id": 1, "data": {"image": "P1_1.jpg"}, "annotations": [annotation]}
    for entry in (inner, result, annotation, task):
        if key in entry or (key in {"points", "vertices", "radiusX"} and entry is inner):
            entry[key] = value
    return [task]


def labelme_with(value: Any, key: str) -> Any:
    shape = {"label": "dot", "points": [[1, 2], [3, 4]], "shape_type": "rectangle", "group_id": None}
    whole = {"shapes": [shape], "flags": {}, "imagePath": "P1_1.jpg", "imageWidth": 64, "imageHeight": 48}
    for entry in (shape, whole):
        if key in entry:
            entry[key] = value
    return whole


KEYS = {
    "coco": (
        coco_with,
        ["id", "image_id", "category_id", "bbox", "keypoints", "file_name", "width", "name", "segmentation"],
    ),
    "label-studio": (
        label_studio_with,
        ["x", "width", "rotation", "rectanglelabels", "type", "original_width", "image_rotation", "value", "result",
         "completed_by", "was_cancelled", "id", "data", "annotations", "points", "vertices", "radiusX"],
    ),
    "labelme": (
        labelme_with,
        ["label", "points", "shape_type", "group_id", "shapes", "flags", "imagePath", "imageWidth"],
    ),
}  # fmt: skip


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(form=st.sampled_from(sorted(KEYS)), value=JSON_VALUES, data=st.data())
def test_whatever_stands_in_a_field_it_is_read_or_told_of(
    tmp_path: Path, form: str, value: object, data: st.DataObject
) -> None:
    make, keys = KEYS[form]
    key = data.draw(st.sampled_from(keys))
    source = tmp_path / "P1_1.json"
    source.write_text(json.dumps(make(value, key)))  # NaN and Infinity as Python, and some tools, write them
    if not (tmp_path / "images").is_dir():
        save_images(tmp_path / "images", ["P1_1"])
    try:
        _, labelset = bring_in(JSON_READERS[form](source), tmp_path, overwrite=True, keep_classes=True)
    except InputError:
        return
    assert all(0 <= o.x <= 64 and 0 <= o.y <= 48 for o in labelset.objects)


@pytest.mark.parametrize("number", ["NaN", "Infinity", "1e999", "9" * 400, '"5"', "true", "null"])
@pytest.mark.parametrize("form", JSON_READERS)
def test_numbers_that_are_none_leave_the_mark_out_and_its_sign_partial(tmp_path: Path, form: str, number: str) -> None:
    save_images(tmp_path / "images", ["P1_1"])
    make, key = {
        "coco": (coco_with, "bbox"), "label-studio": (label_studio_with, "x"), "labelme": (labelme_with, "points"),
    }[form]  # fmt: skip
    value = {"coco": ["?", 2, 3, 4], "label-studio": "?", "labelme": [["?", 2], [3, 4]]}[form]
    content = make(value, key)
    if form == "coco":
        del content["categories"][0]["keypoints"]
    (tmp_path / "P1_1.json").write_text(json.dumps(content).replace('"?"', number))
    summary, labelset = bring_in(JSON_READERS[form](tmp_path / "P1_1.json"), tmp_path)
    assert not labelset.objects
    assert sum(summary.dropped.values()) == 1
    assert levels_of(labelset)["P1_1", "black_dot"] == "partial"


@pytest.mark.parametrize("number", ["nan", "inf", "1e999", "x", "", "1_0e9999"])
def test_cvat_numbers_that_are_none_leave_the_mark_out(tmp_path: Path, number: str) -> None:
    save_images(tmp_path / "images", ["P1_1"])
    shapes = f'<points label="dot" points="1,2;{number},3"/><box label="dot" xtl="{number}" ytl="1" xbr="2" ybr="3"/>'
    (tmp_path / "a.xml").write_text(
        f'<annotations><image id="0" name="P1_1.jpg" width="64" height="48">{shapes}</image></annotations>'
    )
    summary, labelset = bring_in(read_cvat(tmp_path / "a.xml"), tmp_path)
    assert not labelset.objects
    assert summary.dropped == {"its coordinates are not finite numbers": 2}


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("0 nan 0.5 0.1 0.1", "is not a line of numbers"),
        ("0 0.5 0.5 0.1", "neither a box nor an outline"),
        ("0 0.5 0.5 0.1 0.1 0.9", "neither a box nor an outline"),
        ("7 0.5 0.5 0.1 0.1", "a class that has no name"),
        ("0.5 0.5 0.5 0.1 0.1", "a class that has no name"),
        ("-1 0.5 0.5 0.1 0.1", "a class that has no name"),
        ("0 320 240 20 20", "are not shares of the image"),
        ("0 1e300 0.5 0.1 0.1", "are not shares of the image"),
        ("dot 0.5 0.5 0.1 0.1", "is not a line of numbers"),
        ("\x00", "is not a line of numbers"),
    ],
)
def test_a_yolo_line_that_cannot_be_read_is_told_with_its_row(tmp_path: Path, line: str, said: str) -> None:
    (tmp_path / "labels").mkdir()
    (tmp_path / "labels" / "P1_1.txt").write_text(f"0 0.5 0.5 0.1 0.1\n{line}\n")
    (tmp_path / "data.yaml").write_text("names: [dot]\n")
    (problem,) = read_yolo(tmp_path / "data.yaml").problems
    assert said in problem.message
    assert problem.row == 2


@pytest.mark.parametrize(
    "head",
    [
        "", "names", "names: 3", "names: []", "names: {dot: 0}", "names: [dot", "- names", "names: {true: dot}",
        "names: [dot]\nkpt_shape: 3", "names: [dot]\nkpt_shape: [2, 9]", "names: [dot]\nkpt_shape: [2, 3]",
        "names: [dot]\nkpt_shape: [2, 3]\nkpt_names: 5", "a: &a [*a]\nnames: *a",
        "!!python/object/apply:os.system ['x']",
    ],
)  # fmt: skip
def test_a_data_yaml_that_names_no_classes_is_refused(tmp_path: Path, head: str) -> None:
    (tmp_path / "labels").mkdir()
    (tmp_path / "labels" / "P1_1.txt").write_text("")
    (tmp_path / "data.yaml").write_text(head)
    with pytest.raises(InputError):
        read_yolo(tmp_path / "data.yaml")


def test_paths_that_lead_elsewhere_find_nothing_but_the_images(tmp_path: Path) -> None:
    save_images(tmp_path / "images", ["P1_1"])
    save_images(tmp_path / "secret", ["P8_1"])
    names = ["../secret/P8_1.jpg", str(tmp_path / "secret" / "P8_1.jpg"), "../../P1_1.jpg", "file:///P8_1.jpg"]
    images = [{"id": n, "file_name": name, "width": 64, "height": 48} for n, name in enumerate(names)]
    (tmp_path / "c.json").write_text(json.dumps({"images": images, "categories": [], "annotations": []}))
    summary, labelset = bring_in(read_coco(tmp_path / "c.json"), tmp_path)
    assert [capture.file for capture in labelset.captures] == ["images/P1_1.jpg"]
    assert summary.images_left_out["annotated, but the image is not there"] == 3


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([["file", "dot"], ["P1_1.jpg", "1.5"]], "a count is a whole number from zero"),
        ([["file", "dot"], ["P1_1.jpg", "-3"]], "a count is a whole number from zero"),
        ([["file", "dot"], ["P1_1.jpg", "many"]], "is not a number"),
        ([["file", "dot"], ["P1_1.jpg", "inf"]], "is not a finite number"),
        ([["file", "dot"], ["P1_1.jpg", "1e999"]], "is not a finite number"),
        ([["file", "dot"], ["", "1"]], "the cell is empty"),
        ([["file", "dot"], ["P1_1.jpg", "1"], ["P1_1.jpg", "2"]], "says dot again, as row 2 does"),
        ([["name", "dot"], ["P1_1.jpg", "1"]], "the column is missing"),
        ([["file", "dot", "dot"], ["P1_1.jpg", "1", "2"]], "two columns have this name"),
    ],
)
def test_a_table_of_counts_with_a_fault_is_told_of_it(tmp_path: Path, rows: list[list[object]], said: str) -> None:
    def read(source: Path) -> Annotations:
        found = read_values(source, "count")
        found.problems += [value.fault for image in found.images for value in image.values if value.fault]
        return found

    save_csv(tmp_path, {"counts": rows})
    assert said in told(read, tmp_path / "counts.csv")


def test_workbooks_that_are_none_or_unpack_to_too_much_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read(source: Path) -> Annotations:
        return read_values(source, "count")

    (tmp_path / "a.xlsx").write_bytes(b"PK\x03\x04 no")
    assert "is not a readable .xlsx workbook" in told(read, tmp_path / "a.xlsx")
    content = {"[Content_Types].xml": b"<Types/>", "xl/workbook.xml": b"<workbook", "_rels/.rels": b"<Relationships/>"}
    with zipfile.ZipFile(tmp_path / "b.xlsx", "w") as archive:
        for name, data in content.items():
            archive.writestr(name, data)
    assert "is not a readable .xlsx workbook" in told(read, tmp_path / "b.xlsx")
    monkeypatch.setattr("trichotrack.labels.spreadsheet.MAX_UNPACKED_BYTES", 2**20)
    with zipfile.ZipFile(tmp_path / "c.xlsx", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/workbook.xml", bytes(3 * 2**20))
    assert "unpacks to 3 MiB, more than the 1 that are read" in told(read, tmp_path / "c.xlsx")


@pytest.mark.parametrize("read", [*JSON_READERS.values(), *XML_READERS.values(), read_yolo])
def test_what_is_not_there_or_a_folder_without_anything_is_refused(tmp_path: Path, read: Reader) -> None:
    (tmp_path / "empty").mkdir()
    for source in (tmp_path / "gone.json", tmp_path / "empty"):
        with pytest.raises(InputError) as caught:
            read(source)
        assert str(source) in str(caught.value)
        assert caught.value.problems[0].remedy


def test_folders_without_classes_are_refused(tmp_path: Path) -> None:
    save_images(tmp_path / "images")
    with pytest.raises(InputError, match="holds no image in a folder of a class"):
        read_folders(tmp_path / "images", tmp_path / "out")


def test_a_file_beyond_the_bound_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("trichotrack.labels.importers.sources.MAX_FILE_BYTES", 10)
    (tmp_path / "c.json").write_text(json.dumps({"images": [], "categories": []}))
    assert "more than the" in told(read_coco, tmp_path / "c.json")

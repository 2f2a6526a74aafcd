"""Labels out to COCO, CVAT and Label Studio and back: nothing lost, and what a person changed wins."""

from __future__ import annotations

import dataclasses
import importlib
import json
import math
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trichotrack.labels.exchange.marks import Corrected, Export, Mark, Sheet, read_manifest
from trichotrack.labels.exchange.merge import merge
from trichotrack.labels.tables import CaptureRow, LabelRow, LabelSet, ObjectRow
from trichotrack.problems import InputError
from trichotrack.signs import SIGN

FORMS = {"coco": "annotations.json", "cvat": "annotations.xml", "label_studio": "tasks.json"}
SIGNS = ("black_dot", "terminal_hair", "yellow_dot")
WIDTH, HEIGHT = 640, 480
NUMBERS = ("x", "y", "tip_x", "tip_y", "root_width_um", "tip_width_um", "box_w", "box_h")


def sent_back(form: str, export: Export, edited: Export, folder: Path) -> Corrected:
    """What a tool gives back that keeps all it was given: edited as it would write it, read against the export."""
    tool = importlib.import_module(f"trichotrack.labels.exchange.{form}")
    written = tool.texts(edited, SIGN)
    path = folder / FORMS[form]
    path.write_bytes(written[FORMS[form]].encode())
    return tool.read(path, export)


def sheet(file: str, *marks: Mark, labelled: bool = True) -> Sheet:
    return Sheet(file, WIDTH, HEIGHT, marks, labelled=labelled)


def export_of(*sheets: Sheet) -> Export:
    return Export("coco", SIGNS, sheets, model="tiny")


def folder_of(export: Export, level: str = "exhaustive") -> LabelSet:
    """The folder that an export came from: its labels, at level."""
    objects = tuple(mark.row for one in export.sheets for mark in one.marks if mark.origin == "label")
    keys = dict.fromkeys((row.file, row.sign, row.rater) for row in objects)
    labels = tuple(LabelRow(file, sign, level, rater=rater) for file, sign, rater in keys)
    captures = tuple(CaptureRow(one.file, "P1") for one in export.sheets)
    return LabelSet(Path("folder"), captures, labels, objects)


def edited(export: Export, edit: Callable[[Mark], list[Mark]], *added: Mark) -> Export:
    """Every mark through edit; added ones into the first capture."""
    sheets = [
        dataclasses.replace(one, marks=tuple(new for mark in one.marks for new in edit(mark))) for one in export.sheets
    ]
    sheets[0] = dataclasses.replace(sheets[0], marks=(*sheets[0].marks, *added))
    return dataclasses.replace(export, sheets=tuple(sheets))


def changed(mark: Mark, **changes: object) -> Mark:
    return dataclasses.replace(mark, row=dataclasses.replace(mark.row, **changes))


# Names as a table may hold them: no control characters, no blanks at the ends.
words = st.text(
    st.characters(exclude_categories=("C", "Zl", "Zp"), exclude_characters="\ufffe\uffff"), min_size=1, max_size=8
).map(str.strip).filter(bool)  # fmt: skip
positive = st.none() | st.floats(0.01, 500)


@st.composite
def rows(draw: st.DrawFn, file: str) -> ObjectRow:
    tip = draw(st.none() | st.tuples(st.floats(-50, WIDTH + 50), st.floats(-50, HEIGHT + 50)))
    box = draw(st.none() | st.tuples(st.floats(0.01, 300), st.floats(0.01, 300)))
    return ObjectRow(
        "", file, draw(st.sampled_from(SIGNS)), draw(st.floats(0, WIDTH)), draw(st.floats(0, HEIGHT)),
        *(tip or (None, None)), draw(positive), draw(positive), *(box or (None, None)), draw(st.just("") | words),
    )  # fmt: skip


@st.composite
def exports(draw: st.DrawFn, *, predictions: bool = False) -> Export:
    names = draw(st.lists(words, min_size=1, max_size=3, unique=True))
    sheets, number = [], 0
    ids = draw(st.lists(words, min_size=9, max_size=9, unique=True))
    for name in names:
        marks = []
        for row in draw(st.lists(rows(f"images/{name}.jpg"), max_size=3)):
            as_model = predictions and draw(st.booleans())
            named = dataclasses.replace(
                row, id=ids[number], **({"rater": "", "box_w": None, "box_h": None} if as_model else {})
            )
            marks.append(Mark(named, "prediction", 0.75) if as_model else Mark(named))
            number += 1
        sheets.append(sheet(f"images/{name}.jpg", *marks))
    return export_of(*sheets)


def assert_same(found: ObjectRow, expected: ObjectRow) -> None:
    for name in ("id", "file", "sign", "rater"):
        assert getattr(found, name) == getattr(expected, name)
    for name in NUMBERS:
        one, other = getattr(found, name), getattr(expected, name)
        assert (one is None) == (other is None), name
        assert one is None or abs(one - other) <= 1e-6, name


@pytest.mark.parametrize("form", FORMS)
@given(export=exports(predictions=True))
@settings(max_examples=60)
def test_what_goes_out_comes_back_the_same(form: str, export: Export, tmp_path_factory: pytest.TempPathFactory) -> None:
    back = sent_back(form, export, export, tmp_path_factory.getbasetemp())
    assert not back.problems
    assert list(back.sheets) == [one.file for one in export.sheets]
    for one in export.sheets:
        sent = {mark.row.id: mark for mark in one.marks if form != "label_studio" or mark.origin == "label"}
        # Label Studio keeps predictions apart; they come back once a person has saved them.
        assert {found.row.id for found in back.sheets[one.file]} == set(sent)
        for found in back.sheets[one.file]:
            assert_same(found.row, sent[found.row.id].row)
            assert found.detailed


@pytest.mark.parametrize("form", FORMS)
@given(export=exports(predictions=True))
@settings(max_examples=40)
def test_export_and_merge_leave_a_folder_as_it_was(
    form: str, export: Export, tmp_path_factory: pytest.TempPathFactory
) -> None:
    labelset = folder_of(export)
    done, summary = merge(labelset, export, sent_back(form, export, export, tmp_path_factory.getbasetemp()))
    assert done == labelset
    assert summary.changes == 0
    origins = [mark.origin for one in export.sheets for mark in one.marks]
    assert summary.labels["kept"] == origins.count("label")
    assert summary.predictions["untouched"] == origins.count("prediction")


def test_the_manifest_holds_the_whole_export(tmp_path: Path) -> None:
    export = export_of(sheet("a.jpg", DOT, HAIR, BOX, GUESS), sheet("b.jpg", labelled=False))
    (tmp_path / "export.json").write_text(export.to_json(), encoding="utf-8")
    assert read_manifest(tmp_path / "export.json") == export


DOT = Mark(ObjectRow("7", "a.jpg", "black_dot", 10.123456, 20.0))
HAIR = Mark(ObjectRow("8", "a.jpg", "terminal_hair", 100, 100, 150, 60, 70.5, 40.25))
BOX = Mark(ObjectRow("9", "a.jpg", "yellow_dot", 300, 200, box_w=40, box_h=30))
GUESS = Mark(ObjectRow("p1", "a.jpg", "black_dot", 400, 300), "prediction", 0.9)
SURE = Mark(ObjectRow("p2", "a.jpg", "terminal_hair", 500, 300, 520, 250), "prediction", 0.6)
ALL = export_of(sheet("a.jpg", DOT, HAIR, BOX, GUESS, SURE), sheet("b.jpg"))
KEYED = ("coco", "cvat")
"""Formats in which labels and predictions come back together."""


def as_saved(form: str, export: Export) -> Export:
    """In Label Studio a person saves what is to come back: as an annotation."""
    if form in KEYED:
        return export
    return edited(export, lambda mark: [dataclasses.replace(mark, origin="label")])


@pytest.mark.parametrize("form", FORMS)
def test_what_a_person_changed_wins(form: str, tmp_path: Path) -> None:
    changes = {
        "7": lambda m: [changed(m, x=12.5)],
        "8": lambda m: [changed(m, sign="yellow_dot", tip_x=None, tip_y=None)],
        "9": lambda _: [],
        "p1": lambda m: [changed(m, y=310.0)],
        "p2": lambda _: [],
    }
    new = Mark(ObjectRow("", "a.jpg", "black_dot", 50, 60))
    after = as_saved(form, edited(ALL, lambda m: changes[m.row.id](m), new))
    done, summary = merge(folder_of(ALL), ALL, sent_back(form, ALL, after, tmp_path))
    rows = {row.id: row for row in done.objects}
    assert rows["7"] == dataclasses.replace(DOT.row, x=12.5)
    assert rows["8"] == dataclasses.replace(HAIR.row, sign="yellow_dot", tip_x=None, tip_y=None)
    assert "9" not in rows
    # What is new has an id of its own, and its sign is known in part: nobody said that it is all.
    assert {(row.sign, round(row.x, 6), round(row.y, 6)) for row in done.objects if row.id in {"9", "10", "11"}} == {
        ("black_dot", 400, 310), ("black_dot", 50, 60),
    }  # fmt: skip
    assert summary.labels == {"kept": 0, "moved": 1, "reclassified": 1, "deleted": 1}
    assert summary.predictions == {"untouched": 0, "accepted": 0, "moved": 1, "reclassified": 0, "deleted": 1}
    assert (summary.added, summary.captures, summary.changes) == (1, 2, 5)


@pytest.mark.parametrize("form", FORMS)
@given(data=st.data())
@settings(max_examples=40)
def test_any_correction_comes_back_whole_and_merging_it_again_changes_nothing(
    form: str, data: st.DataObject, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.getbasetemp()
    export = data.draw(exports(predictions=True))
    kinds = st.sampled_from(["keep", "move", "reclassify", "delete"])

    def edit(mark: Mark) -> list[Mark]:
        kind = data.draw(kinds)
        if kind == "delete":
            return []
        if kind == "move":
            return [changed(mark, x=(mark.row.x + 7) % WIDTH, y=(mark.row.y + 5) % HEIGHT)]
        if kind == "reclassify":
            return [changed(mark, sign=SIGNS[(SIGNS.index(mark.row.sign) + 1) % 3])]
        return [mark]

    labelset = folder_of(export, "partial")
    after = as_saved(form, edited(export, edit))
    was = {mark.row.id: mark for one in export.sheets for mark in one.marks}
    now = {mark.row.id: mark.row for one in after.sheets for mark in one.marks}
    labels_left = [now[i] for i, mark in was.items() if mark.origin == "label" and i in now]
    taken = [now[i] for i, mark in was.items() if mark.origin == "prediction" and i in now and now[i] != mark.row]
    back = sent_back(form, export, after, folder)
    done, summary = merge(labelset, export, back)
    found = {row.id: row for row in done.objects}
    for expected in labels_left:
        assert_same(found.pop(expected.id), expected)
    left = sorted((row.file, row.sign, round(row.x, 6), round(row.y, 6)) for row in found.values())
    # Two marks that now coincide in all are one.
    assert set(left) == {(row.file, row.sign, round(row.x, 6), round(row.y, 6)) for row in taken}
    again, second = merge(done, export, back)
    assert again == done
    assert second.changes == 0
    assert second.already >= summary.changes - sum(
        summary.labels[what] for what in ("moved", "reclassified", "deleted")
    ) - sum(summary.new_rows.values())


@pytest.mark.parametrize("form", KEYED)
def test_what_a_tool_rounds_is_no_change(form: str, tmp_path: Path) -> None:
    def rounded(mark: Mark) -> list[Mark]:
        values = {name: None if (v := getattr(mark.row, name)) is None else round(v, 2) for name in NUMBERS}
        return [changed(mark, **values)]

    done, summary = merge(folder_of(ALL), ALL, sent_back(form, ALL, edited(ALL, rounded), tmp_path))
    assert done == folder_of(ALL)
    assert summary.changes == 0


@pytest.mark.parametrize("form", FORMS)
def test_untouched_predictions_are_labels_only_where_somebody_says_so(form: str, tmp_path: Path) -> None:
    back = sent_back(form, ALL, as_saved(form, ALL), tmp_path)
    left, summary = merge(folder_of(ALL), ALL, back)
    assert left == folder_of(ALL)
    assert summary.predictions["untouched"] == 2
    taken, summary = merge(folder_of(ALL), ALL, back, accept_untouched=True, rater="ben")
    assert summary.predictions["accepted"] == 2
    assert [(row.id, row.x, row.rater) for row in taken.objects[3:]] == [("10", 400, "ben"), ("11", 500, "ben")]
    levels = {(row.file, row.sign): row.level for row in taken.labels if row.rater == "ben"}
    assert levels == {("a.jpg", "black_dot"): "partial", ("a.jpg", "terminal_hair"): "partial"}


@pytest.mark.parametrize("form", KEYED)
def test_one_prediction_is_accepted_by_its_origin(form: str, tmp_path: Path) -> None:
    after = edited(ALL, lambda m: [dataclasses.replace(m, origin="label") if m is GUESS else m])
    done, summary = merge(folder_of(ALL), ALL, sent_back(form, ALL, after, tmp_path))
    assert (summary.predictions["accepted"], summary.predictions["untouched"]) == (1, 1)
    assert done.objects[-1] == dataclasses.replace(GUESS.row, id="10")


def test_a_capture_that_is_exhaustive_is_said_to_be_so_empty_or_not(tmp_path: Path) -> None:
    after = edited(ALL, lambda m: [] if m.origin == "prediction" else [m])
    back = sent_back("coco", ALL, after, tmp_path)
    done, _ = merge(folder_of(ALL, "partial"), ALL, back, exhaustive=True)
    assert {(row.file, row.sign): row.level for row in done.labels} == {
        (file, sign): "exhaustive" for file in ("a.jpg", "b.jpg") for sign in SIGNS
    }
    undecided = sent_back("coco", ALL, ALL, tmp_path)
    with pytest.raises(InputError, match=r"1 predictions of black_dot in a\.jpg were left as they were"):
        merge(folder_of(ALL), ALL, undecided, exhaustive=True)
    assert merge(folder_of(ALL), ALL, undecided, exhaustive=True, accept_untouched=True)


def test_a_count_stands_beside_objects_only_where_they_are_as_many(tmp_path: Path) -> None:
    export = export_of(sheet("a.jpg"))
    counted = LabelSet(Path("folder"), (CaptureRow("a.jpg", "P1"),), (LabelRow("a.jpg", "black_dot", "count", 1),), ())
    back = sent_back("coco", export, edited(export, lambda m: [m], changed(DOT, id="")), tmp_path)
    with pytest.raises(InputError, match="where labels says count"):
        merge(counted, export, back)
    done, _ = merge(counted, export, back, exhaustive=True)
    assert {row.sign: row.level for row in done.labels}["black_dot"] == "exhaustive"
    more = sent_back(
        "coco", export, edited(export, lambda m: [m], changed(DOT, id=""), changed(DOT, id="", x=99)), tmp_path
    )
    with pytest.raises(InputError, match=r"2 of black_dot are marked in a\.jpg, where labels says count 1"):
        merge(counted, export, more, exhaustive=True)
    other, _ = merge(counted, export, more, rater="ben")
    assert {(row.rater, row.level) for row in other.labels} == {("", "count"), ("ben", "partial")}


def test_a_copy_that_kept_the_id_is_a_mark_of_its_own(tmp_path: Path) -> None:
    after = edited(ALL, lambda m: [changed(m, x=m.row.x + 30), m] if m is DOT else [m])
    done, summary = merge(folder_of(ALL), ALL, sent_back("cvat", ALL, after, tmp_path))
    rows = {row.id: row for row in done.objects}
    assert rows["7"] == DOT.row
    assert (rows["10"].sign, rows["10"].x) == ("black_dot", DOT.row.x + 30)
    assert (summary.added, summary.labels["kept"]) == (1, 3)


def test_marks_that_lost_their_attributes_are_known_by_their_place(tmp_path: Path) -> None:
    tool = importlib.import_module("trichotrack.labels.exchange.coco")
    content = json.loads(tool.texts(ALL, SIGN)["annotations.json"])
    for entry in content["annotations"]:
        del entry["attributes"]
        entry["id"] += 1000
    content["annotations"][1]["category_id"] = 1  # the hair is a black dot now
    path = tmp_path / "back.json"
    path.write_text(json.dumps(content))
    done, summary = merge(folder_of(ALL), ALL, tool.read(path, ALL))
    assert done.objects == (DOT.row, dataclasses.replace(HAIR.row, sign="black_dot"), BOX.row)
    assert (summary.labels["kept"], summary.labels["reclassified"], summary.predictions["untouched"]) == (2, 1, 2)


def test_captures_that_did_not_come_back_are_as_they_were(tmp_path: Path) -> None:
    other = Mark(ObjectRow("20", "b.jpg", "black_dot", 5, 5))
    export = export_of(sheet("a.jpg", DOT), sheet("b.jpg", other))
    back = sent_back("coco", export, dataclasses.replace(export, sheets=export.sheets[:1]), tmp_path)
    done, summary = merge(folder_of(export), export, back)
    assert done == folder_of(export)
    assert (summary.captures, summary.not_back) == (1, 1)


def test_what_both_sides_changed_is_told_and_what_one_side_changed_stands(tmp_path: Path) -> None:
    here = folder_of(ALL)
    moved = dataclasses.replace(here, objects=(dataclasses.replace(DOT.row, x=11.5), *here.objects[1:]))
    untouched = sent_back("coco", ALL, ALL, tmp_path)
    assert merge(moved, ALL, untouched)[0] == moved
    there = sent_back("coco", ALL, edited(ALL, lambda m: [changed(m, x=15) if m is DOT else m]), tmp_path)
    with pytest.raises(InputError, match=r"7 in a\.jpg was changed in the folder since the export"):
        merge(moved, ALL, there)
    gone = dataclasses.replace(here, objects=here.objects[1:])
    with pytest.raises(InputError, match=r"7 in a\.jpg was removed in the folder"):
        merge(gone, ALL, there)


def test_all_that_is_wrong_is_told_at_once(tmp_path: Path) -> None:
    tool = importlib.import_module("trichotrack.labels.exchange.coco")
    content = json.loads(tool.texts(ALL, SIGN)["annotations.json"])
    content["categories"].append({"id": 9, "name": "freckle", "keypoints": ["root"]})
    content["annotations"][0]["category_id"] = 9
    content["annotations"][1]["keypoints"][0] = -30
    content["annotations"][2]["keypoints"] = [0, 0, 0, 0, 0, 0]
    content["annotations"][2]["bbox"] = [1, 2, math.nan, 4]
    content["annotations"][3]["image_id"] = 77
    content["images"].append({"id": 5, "file_name": "../../z.jpg", "width": 1, "height": 1})
    content["images"][1]["width"] = 320
    path = tmp_path / "back.json"
    path.write_text(json.dumps(content))
    with pytest.raises(InputError) as caught:
        merge(folder_of(ALL), ALL, tool.read(path, ALL))
    told = str(caught.value)
    for reason in (
        "freckle", "lies outside the image", "neither a root nor a box", "does not list", "not one of those exported",
        "320x480 px there and 640x480 here",
    ):  # fmt: skip
        assert reason in told


def test_a_file_that_came_back_without_any_label_is_refused(tmp_path: Path) -> None:
    marks = [Mark(ObjectRow(str(i), "a.jpg", "black_dot", 10 * i + 5, 5)) for i in range(12)]
    export = export_of(sheet("a.jpg", *marks))
    back = sent_back("cvat", export, edited(export, lambda _: []), tmp_path)
    with pytest.raises(InputError, match="none of the 12 labels that were exported is in it"):
        merge(folder_of(export), export, back)


@pytest.mark.parametrize(
    ("form", "text", "reason"),
    [
        ("coco", "[1]", "is not COCO"),
        ("coco", "{", "is not JSON"),
        ("coco", "[" * 100_000, "is not JSON"),
        ("cvat", "<annotations>", "is not XML"),
        ("cvat", '<!DOCTYPE x [<!ENTITY a "b">]><annotations>&a;</annotations>', "document type"),
        ("cvat", '<annotations><track id="0"/></annotations>', "not CVAT for images"),
        ("cvat", "PK\x03\x04", "is not XML"),
        ("label_studio", '[{"image": "a.jpg"}]', "not Label Studio's JSON"),
    ],
)
def test_what_is_no_file_of_the_tool_is_refused_in_a_sentence(
    form: str, text: str, reason: str, tmp_path: Path
) -> None:
    tool = importlib.import_module(f"trichotrack.labels.exchange.{form}")
    (tmp_path / "back").write_text(text)
    with pytest.raises(InputError, match=reason):
        tool.read(tmp_path / "back", ALL)


def test_a_name_that_xml_cannot_hold_is_refused_before_anything_is_written() -> None:
    tool = importlib.import_module("trichotrack.labels.exchange.cvat")
    with pytest.raises(InputError, match="holds a character that XML cannot"):
        tool.texts(export_of(sheet("a.jpg", changed(DOT, id="a\x01"))), SIGN)

"""COCO: an annotation a structure, with the keypoints root and tip, a box, and our own in `attributes`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from trichotrack.labels.exchange.marks import (
    ORIGINS,
    Corrected,
    Export,
    Mark,
    Names,
    Returned,
    finite,
    positive,
    read_json,
)
from trichotrack.labels.tables import ObjectRow
from trichotrack.problems import InputError, Problem
from trichotrack.signs import Sign

FILE = "annotations.json"


def texts(export: Export, signs: Mapping[str, Sign]) -> dict[str, str]:
    """The COCO file, by its name.

    A structure's box is its own where it has one, else what its root and tip span. `score` is there for predictions
    alone, and `attributes` says the id, the origin, and what COCO has no place for.
    """
    number_of = {name: number for number, name in enumerate(export.signs, start=1)}
    annotations: list[dict[str, Any]] = []
    for image_id, sheet in enumerate(export.sheets, start=1):
        for mark in sheet.marks:
            annotations.append(_annotation(mark, len(annotations) + 1, image_id, number_of[mark.row.sign]))
    content = {
        "info": {"description": "trichotrack labels; x, y in px of the upright image from its top-left corner"},
        "images": [
            {"id": number, "file_name": sheet.file, "width": sheet.width, "height": sheet.height}
            for number, sheet in enumerate(export.sheets, start=1)
        ],
        "categories": [
            {"id": number, "name": name, "supercategory": signs[name].group or name,
             "keypoints": ["root", "tip"], "skeleton": [[1, 2]]}
            for name, number in number_of.items()
        ],
        "annotations": annotations,
    }  # fmt: skip
    return {FILE: json.dumps(content, ensure_ascii=False, indent=1, allow_nan=False) + "\n"}


def _annotation(mark: Mark, number: int, image_id: int, category_id: int) -> dict[str, Any]:
    row = mark.row
    tip = None if row.tip_x is None or row.tip_y is None else (row.tip_x, row.tip_y)
    box = _box(row, tip)
    attributes: dict[str, Any] = {"id": row.id, "origin": mark.origin, "box": row.box_w is not None}
    for name in ("root_width_um", "tip_width_um", "rater"):
        if value := getattr(row, name):
            attributes[name] = value
    annotation = {
        "id": number,
        "image_id": image_id,
        "category_id": category_id,
        "keypoints": [row.x, row.y, 2, *((*tip, 2) if tip else (0, 0, 0))],
        "num_keypoints": 2 if tip else 1,
        "bbox": box,
        "area": box[2] * box[3],
        "segmentation": [],
        "iscrowd": 0,
        "attributes": attributes,
    }
    return annotation if mark.score is None else {**annotation, "score": mark.score}


def _box(row: ObjectRow, tip: tuple[float, float] | None) -> list[float]:
    if row.box_w is not None and row.box_h is not None:
        return [row.x - row.box_w / 2, row.y - row.box_h / 2, row.box_w, row.box_h]
    to_x, to_y = tip or (row.x, row.y)
    return [min(row.x, to_x), min(row.y, to_y), abs(to_x - row.x), abs(to_y - row.y)]


def read(path: Path, export: Export) -> Corrected:
    """What a COCO file gives back. Raises InputError where it is none; what is wrong within it becomes problems."""
    content = read_json(path)
    parts = ("images", "categories", "annotations")
    if not isinstance(content, dict) or not all(_is_table(content.get(part)) for part in parts):
        remedy = "Name a COCO file: an object with images, annotations and categories."
        raise InputError(Problem(str(path), "is not COCO", remedy))
    problems: list[Problem] = []
    names, place = Names(export), path.name
    files: dict[Any, str] = {}
    sheets: dict[str, list[Returned]] = {}
    for image in content["images"]:
        size = (finite(image.get("width")), finite(image.get("height")))
        sheet = names.find(str(image.get("file_name")), size, place, problems)
        if sheet is not None:
            files[_key(image.get("id"))] = sheet.file
            sheets[sheet.file] = []
    listed = {_key(image.get("id")) for image in content["images"]}
    categories = {_key(category.get("id")): category for category in content["categories"]}
    for entry in content["annotations"]:
        where = f"{place}, annotation {entry.get('id', '?')}"
        category, image_id = categories.get(_key(entry.get("category_id"))), _key(entry.get("image_id"))
        if category is None or image_id not in listed:
            problems.append(Problem(where, "names an image or a category that the file does not list"))
        elif image_id in files:
            returned = _returned(entry, category, files[image_id], where)
            if isinstance(returned, Problem):
                problems.append(returned)
            else:
                sheets[files[image_id]].append(returned)
    return Corrected({file: tuple(marks) for file, marks in sheets.items()}, tuple(problems))


def _is_table(raw: object) -> bool:
    return isinstance(raw, list) and all(isinstance(entry, dict) for entry in raw)


def _key(raw: object) -> int | str | None:
    return raw if isinstance(raw, int | str) else None


def _returned(entry: Mapping[str, Any], category: Mapping[str, Any], file: str, where: str) -> Returned | Problem:
    raw = entry.get("attributes")
    attributes = raw if isinstance(raw, dict) else {}
    points = [_keypoint(entry, category, name) for name in ("root", "tip")]
    box = entry.get("bbox")
    sides = [finite(side) for side in box] if isinstance(box, list) and len(box) == 4 else []
    left, top, width, height = sides if len(sides) == 4 else (None, None, None, None)
    sized = width is not None and height is not None and width > 0 and height > 0
    root, tip = points
    drawn_as_box = root is None
    if root is None:
        if left is None or top is None or width is None or height is None or not sized:
            return Problem(where, "has neither a root nor a box", "Mark its root in the tool, or remove it.")
        root, tip = (left + width / 2, top + height / 2), None
    keeps_box = sized and (bool(attributes.get("box")) or (drawn_as_box and "id" not in attributes))
    row = ObjectRow(
        id=str(attributes.get("id", "")),
        file=file,
        sign=str(category.get("name", "")),
        x=root[0],
        y=root[1],
        tip_x=tip[0] if tip else None,
        tip_y=tip[1] if tip else None,
        root_width_um=positive(attributes.get("root_width_um")),
        tip_width_um=positive(attributes.get("tip_width_um")),
        box_w=width if keeps_box else None,
        box_h=height if keeps_box else None,
        rater=str(attributes.get("rater", "")),
    )
    origin = str(attributes.get("origin", ""))
    return Returned(where, row, detailed="id" in attributes, origin=origin if origin in ORIGINS else "")


def _keypoint(entry: Mapping[str, Any], category: Mapping[str, Any], wanted: str) -> tuple[float, float] | None:
    raw = category.get("keypoints")
    names = [str(name).strip().lower() for name in raw] if isinstance(raw, list) else []
    flat = entry.get("keypoints")
    if wanted not in names or not isinstance(flat, list):
        return None
    at = 3 * names.index(wanted)
    x, y, seen = [finite(value) for value in flat[at : at + 3]] if len(flat) >= at + 3 else (None, None, None)
    return None if x is None or y is None or not seen or seen < 0 else (x, y)

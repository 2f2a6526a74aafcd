"""CVAT for images 1.1: points for a root alone, a polyline from root to tip, a rectangle for what has a box."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
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
    colour,
    finite,
    positive,
    read_text,
)
from trichotrack.labels.spreadsheet import number_text
from trichotrack.labels.tables import ObjectRow
from trichotrack.problems import InputError, Problem
from trichotrack.signs import Sign

FILE, LABELS_FILE = "annotations.xml", "labels.json"

ATTRIBUTES = ("id", "origin", "score", "rater", "root_width_um", "tip_width_um", "box_w", "box_h")
_FORBIDDEN = re.compile(r"[^\t\n\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 cannot hold, and the carriage return, which it does not keep."""

_IGNORED = frozenset({"tag"})
_SHAPES = frozenset({"points", "polyline", "box"})


def texts(export: Export, signs: Mapping[str, Sign]) -> dict[str, str]:
    """The annotations, and the labels with their attributes for CVAT's constructor (Raw). Raises InputError."""
    _refuse_unwritable(export)
    root = ET.Element("annotations")
    ET.SubElement(root, "version").text = "1.1"
    labels = ET.SubElement(ET.SubElement(ET.SubElement(root, "meta"), "task"), "labels")
    for name in export.signs:
        label = ET.SubElement(labels, "label")
        ET.SubElement(label, "name").text = name
        ET.SubElement(label, "color").text = colour(signs[name])
        ET.SubElement(label, "type").text = "any"
        attributes = ET.SubElement(label, "attributes")
        for attribute in _attributes():
            element = ET.SubElement(attributes, "attribute")
            for key, value in attribute.items():
                shown = "\n".join(value) if isinstance(value, list) else str(value)
                ET.SubElement(element, key).text = shown
    for number, sheet in enumerate(export.sheets):
        image = ET.SubElement(
            root, "image", id=str(number), name=sheet.file, width=str(sheet.width), height=str(sheet.height)
        )
        for mark in sheet.marks:
            _shape(image, mark)
    ET.indent(root)
    body = ET.tostring(root, encoding="unicode")
    constructor = [
        {"name": name, "color": colour(signs[name]), "type": "any", "attributes": _attributes()}
        for name in export.signs
    ]
    return {
        FILE: f'<?xml version="1.0" encoding="utf-8"?>\n{body}\n',
        LABELS_FILE: json.dumps(constructor, ensure_ascii=False, indent=1) + "\n",
    }


def _refuse_unwritable(export: Export) -> None:
    remedy = "Rename it, or export as coco or label-studio."
    problems = [
        Problem("objects", "holds a character that XML cannot", remedy, column=column, value=repr(text))
        for sheet in export.sheets
        for column, text in [
            ("file", sheet.file),
            *((name, getattr(mark.row, name)) for mark in sheet.marks for name in ("id", "rater", "sign")),
        ]
        if _FORBIDDEN.search(text)
    ]
    if problems:
        raise InputError(list(dict.fromkeys(problems)))


def _attributes() -> list[dict[str, Any]]:
    return [
        {"name": name, "mutable": False, "input_type": "select", "default_value": "label", "values": list(ORIGINS)}
        if name == "origin"
        else {"name": name, "mutable": False, "input_type": "text", "default_value": "", "values": [""]}
        for name in ATTRIBUTES
    ]


def _shape(image: ET.Element, mark: Mark) -> None:
    row = mark.row
    common = {"label": row.sign, "source": "auto" if mark.origin == "prediction" else "manual", "occluded": "0"}
    root = f"{row.x!r},{row.y!r}"
    boxed = row.box_w is not None and row.box_h is not None
    if row.tip_x is not None and row.tip_y is not None:
        shape = ET.SubElement(image, "polyline", common, points=f"{root};{row.tip_x!r},{row.tip_y!r}")
    elif row.box_w is not None and row.box_h is not None:
        corners = {
            "xtl": row.x - row.box_w / 2, "ytl": row.y - row.box_h / 2,
            "xbr": row.x + row.box_w / 2, "ybr": row.y + row.box_h / 2,
        }  # fmt: skip
        shape = ET.SubElement(image, "box", common, **{key: repr(value) for key, value in corners.items()})
    else:
        shape = ET.SubElement(image, "points", common, points=root)
    shape.set("z_order", "0")
    values: dict[str, object] = {"id": row.id, "origin": mark.origin, "score": mark.score, "rater": row.rater}
    values |= {"root_width_um": row.root_width_um, "tip_width_um": row.tip_width_um}
    values |= {"box_w": row.box_w, "box_h": row.box_h} if boxed and shape.tag == "polyline" else {}
    for name, value in values.items():
        if value not in {None, ""}:
            text = number_text(value) if isinstance(value, int | float) else str(value)
            ET.SubElement(shape, "attribute", name=name).text = text


def read(path: Path, export: Export) -> Corrected:
    """What a file of CVAT for images gives back. Raises InputError where it is none."""
    text = read_text(path)
    if re.search(r"<!(DOCTYPE|ENTITY)", text, re.IGNORECASE):
        raise InputError(Problem(str(path), "declares a document type, which CVAT never writes", "Export it again."))
    try:
        root = ET.fromstring(text)  # noqa: S314  # no document type, so no entities of its own
    except (ET.ParseError, ValueError) as error:
        raise InputError(Problem(str(path), f"is not XML ({error})", "Export it again.")) from None
    if root.tag != "annotations" or root.find("track") is not None:
        remedy = 'Export it as "CVAT for images 1.1" (not for video), and give the annotations.xml in the .zip.'
        raise InputError(Problem(str(path), "is not CVAT for images", remedy))
    problems: list[Problem] = []
    names, sheets = Names(export), {}
    for image in root.iter("image"):
        size = (finite(image.get("width")), finite(image.get("height")))
        sheet = names.find(image.get("name", ""), size, path.name, problems)
        if sheet is None:
            continue
        marks = []
        for number, shape in enumerate(image, start=1):
            where = f"{path.name}, {sheet.file}, shape {number}"
            if shape.tag in _IGNORED:
                continue
            returned = _returned(shape, sheet.file, where)
            if isinstance(returned, Problem):
                problems.append(returned)
            else:
                marks.append(returned)
        sheets[sheet.file] = tuple(marks)
    return Corrected(sheets, tuple(problems))


def _returned(shape: ET.Element, file: str, where: str) -> Returned | Problem:
    if shape.tag not in _SHAPES:
        remedy = "Draw points for a root, a polyline from root to tip, or a rectangle."
        return Problem(where, f"is a {shape.tag}, which is not read", remedy, value=shape.get("label", ""))
    values = {element.get("name", ""): element.text or "" for element in shape.iter("attribute")}
    box_w, box_h = positive(values.get("box_w", "")), positive(values.get("box_h", ""))
    if shape.tag == "box":
        corners = [finite(shape.get(corner, "")) for corner in ("xtl", "ytl", "xbr", "ybr")]
        left, top, right, bottom = corners
        if left is None or top is None or right is None or bottom is None or right <= left or bottom <= top:
            return Problem(where, "is a rectangle without extent", "Draw it again, or remove it.")
        points = [((left + right) / 2, (top + bottom) / 2)]
        box_w, box_h = right - left, bottom - top
    else:
        found = [_point(part) for part in shape.get("points", "").split(";")]
        points = [point for point in found if point is not None]
        most = 2 if shape.tag == "points" else len(points)
        if len(points) != len(found) or not 0 < len(points) <= most:
            message = f"has {len(found)} points; one is a root, two are root and tip"
            return Problem(where, message, "Draw each structure as a shape of its own.")
    tip = points[-1] if len(points) > 1 else None
    row = ObjectRow(
        id=values.get("id", ""),
        file=file,
        sign=shape.get("label", ""),
        x=points[0][0],
        y=points[0][1],
        tip_x=tip[0] if tip else None,
        tip_y=tip[1] if tip else None,
        root_width_um=positive(values.get("root_width_um", "")),
        tip_width_um=positive(values.get("tip_width_um", "")),
        box_w=box_w if box_h else None,
        box_h=box_h if box_w else None,
        rater=values.get("rater", ""),
    )
    origin = values.get("origin", "")
    return Returned(where, row, detailed="id" in values, origin=origin if origin in ORIGINS else "")


def _point(text: str) -> tuple[float, float] | None:
    x, _, y = text.partition(",")
    at = finite(x), finite(y)
    return None if at[0] is None or at[1] is None else (at[0], at[1])

"""CVAT for images 1.1 (XML): points, polylines, boxes, polygons, ellipses, skeletons and tags.

Read by own code: datumaro 1.13 keeps points and polylines and rounds them to a hundredth of a pixel; labelformat 0.1
reads boxes alone, and supervision 0.31 does not know the format.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Callable, Mapping
from pathlib import Path

from trichotrack.labels.importers import shapes
from trichotrack.labels.importers.common import PREDICTED, Annotation, Annotations, ClassValue, Mark
from trichotrack.labels.importers.shapes import Point
from trichotrack.labels.importers.sources import finite_text, read_xml, whole_size
from trichotrack.problems import InputError, Problem

_REMEDY = "Export the task as 'CVAT for images 1.1', and name its annotations.xml."


def read_cvat(source: Path, *, root: str = "root", tip: str = "tip") -> Annotations:
    """The annotations.xml of a task, job or project.

    Each point of <points> is an object; a <polyline> runs from root to tip in the order drawn; a <skeleton> has its
    root and tip where its points of these names are; boxes (turned ones too), polygons and ellipses are at their
    centre; a <tag> says that its class is present in the image. Every image listed is taken as annotated; CVAT lists
    those that nobody opened, too (empty_is_unknown). Attributes are not kept. Raises InputError where source is no such
    file; faults inside are noted.
    """
    source = Path(source)
    if source.suffix.lower() == ".zip":
        raise InputError(Problem(str(source), "is an archive", "Unpack it, and name the annotations.xml in it."))
    document = read_xml(source, _REMEDY)
    if document.tag != "annotations":
        raise InputError(Problem(str(source), f"is not of CVAT: it begins with <{document.tag[:40]}>", _REMEDY))
    if document.find("track") is not None:
        raise InputError(Problem(str(source), "holds tracks of a video", _REMEDY))
    listed = [label for label in document.iterfind("meta//label") if (label.findtext("type") or "").strip() != "tag"]
    names = frozenset((label.findtext("name") or "").strip() for label in listed)
    found = Annotations(declared=names or None)
    for number, element in enumerate(document.iter("image"), start=1):
        name = element.get("name", "").strip()
        if not name:
            found.problems.append(Problem(source.name, f"image {number} has no name", _REMEDY))
            continue
        size = whole_size(finite_text(element.get("width")), finite_text(element.get("height")))
        marks: list[Mark] = []
        values: list[ClassValue] = []
        for shape in element:
            label = shape.get("label", "").strip()
            if shape.find("attribute") is not None:
                found.notes["marks whose attributes are not kept"] += 1
            if shape.get("source") == "auto":
                found.notes["marks that a model made in CVAT (source auto)"] += 1
            if any(one.get("name") == "origin" and one.text == "prediction" for one in shape.iter("attribute")):
                marks.append(shapes.unusable(label, PREDICTED))
            elif shape.tag == "tag":
                values.append(ClassValue(label, "presence", 1))
            else:
                marks += _marks(shape, label, root, tip)
        place = f"{source.name}, {name}"
        found.images.append(Annotation(place, (name,), size, tuple(marks), tuple(dict.fromkeys(values))))
    if not found.images and not found.problems:
        found.problems.append(Problem(source.name, "lists no image", _REMEDY))
    return found


def _marks(shape: ET.Element, label: str, root: str, tip: str) -> list[Mark]:
    if shape.tag == "skeleton":
        joints = {
            joint.get("label", "").strip().lower(): joint
            for joint in shape.findall("points")
            if joint.get("outside", "0") != "1"
        }
        ends = [_points(joints[end.lower()]) if end.lower() in joints else [] for end in (root, tip)]
        if ends[0] is None or ends[1] is None:
            return [shapes.unusable(label, shapes.NOT_FINITE, "keypoints")]
        return [shapes.keypoints(label, ends[0][0] if ends[0] else None, ends[1][0] if ends[1] else None)]
    reader = _READERS.get(shape.tag)
    if reader is None:
        return [shapes.unusable(label, f"a {shape.tag} has no root and no outline that could be read")]
    marks = reader(shape, label)
    return [shapes.unusable(label, shapes.NOT_FINITE)] if marks is None else marks


def _points(shape: ET.Element) -> list[Point] | None:
    """The points written as x,y;x,y; None where one of them is not two finite numbers."""
    points = []
    for pair in shape.get("points", "").split(";"):
        numbers = [finite_text(number) for number in pair.split(",")]
        if len(numbers) != 2 or numbers[0] is None or numbers[1] is None:
            return None
        points.append((numbers[0], numbers[1]))
    return points


def _numbers(shape: ET.Element, *names: str) -> tuple[float, ...] | None:
    numbers = [finite_text(shape.get(name)) for name in names]
    return None if None in numbers else tuple(number for number in numbers if number is not None)


def _dots(shape: ET.Element, label: str) -> list[Mark] | None:
    points = _points(shape)
    return None if points is None else [shapes.point(label, at) for at in points]


def _polyline(shape: ET.Element, label: str) -> list[Mark] | None:
    points = _points(shape)
    return None if points is None else [shapes.line(label, points)]


def _polygon(shape: ET.Element, label: str) -> list[Mark] | None:
    points = _points(shape)
    return None if points is None else [shapes.outline(label, points)]


def _box(shape: ET.Element, label: str) -> list[Mark] | None:
    sides = _numbers(shape, "xtl", "ytl", "xbr", "ybr")
    return None if sides is None else _turned_box(shape, label, (sides[0], sides[1]), (sides[2], sides[3]))


def _ellipse(shape: ET.Element, label: str) -> list[Mark] | None:
    sizes = _numbers(shape, "cx", "cy", "rx", "ry")
    if sizes is None:
        return None
    x, y, half_w, half_h = sizes
    return _turned_box(shape, label, (x - half_w, y - half_h), (x + half_w, y + half_h))


def _turned_box(shape: ET.Element, label: str, first: Point, second: Point) -> list[Mark] | None:
    degrees = finite_text(shape.get("rotation", "0"))
    if degrees is None:
        return None
    centre = ((first[0] + second[0]) / 2, (first[1] + second[1]) / 2)
    around = shapes.turned(shapes.corners(first, second), centre, degrees) if degrees else ()
    return [shapes.box(label, first, second, around)]


_READERS: Mapping[str, Callable[[ET.Element, str], list[Mark] | None]] = {
    "points": _dots, "polyline": _polyline, "polygon": _polygon, "box": _box, "ellipse": _ellipse,
}  # fmt: skip

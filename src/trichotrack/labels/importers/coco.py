"""COCO annotations: keypoints named root and tip give a hair; boxes and polygons give a centre and a size.

Read by own code: supervision 0.31 reads the boxes and loses the keypoints, labelformat 0.1 knows boxes and masks
alone, and datumaro 1.13 reads keypoints only where files are named as its own exports are.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trichotrack.labels.importers import shapes
from trichotrack.labels.importers.common import PREDICTED, Annotation, Annotations, Mark
from trichotrack.labels.importers.shapes import Point
from trichotrack.labels.importers.sources import finite, finites, read_json_object, whole_size
from trichotrack.problems import Problem

_REMEDY = "Name a COCO file: an object with images, annotations and categories."


@dataclass(frozen=True)
class _Category:
    """root and tip: positions of these keypoints, None where the category has none of that name."""

    name: str
    keypoints: tuple[str, ...]
    root: int | None
    tip: int | None


def read_coco(source: Path, *, root: str = "root", tip: str = "tip") -> Annotations:
    """One COCO file.

    A category with a keypoint called root has its objects there, with a tip where one is marked; any other has them at
    the centre of the box (or, without one, of the polygons). As COCO means it, a listed image without annotations has
    none of any category; tools list images that nobody opened, too (empty_is_unknown). Crowds and objects without a
    place leave their sign partial in that capture. Coordinates are taken as they stand. Raises InputError where source
    is no JSON object; faults inside are noted.
    """
    source = Path(source)
    content = read_json_object(source, _REMEDY)
    found, place = Annotations(), source.name
    listed = _by_id(content, "images", "file_name", place, found.problems)
    categories = {
        key: _category(entry, root, tip)
        for key, entry in _by_id(content, "categories", "name", place, found.problems).items()
    }
    found.declared = frozenset(category.name for category in categories.values())
    marks: dict[Any, list[Mark]] = defaultdict(list)
    for entry in _entries(content, "annotations", place, found.problems):
        category = categories.get(_key(entry.get("category_id")))
        image_id = _key(entry.get("image_id"))
        if category is None or image_id not in listed:
            what = "category_id" if category is None else "image_id"
            message = f"annotation {entry.get('id', '?')} has a {what} that the file does not list"
            remedy = "Export the annotations again."
            found.problems.append(Problem(place, message, remedy, column=what, value=str(entry.get(what))[:80]))
            continue
        marks[image_id].append(_mark(entry, category, found.notes))
    for image_id, entry in listed.items():
        size = whole_size(entry.get("width"), entry.get("height"))
        name = str(entry["file_name"])
        found.images.append(Annotation(f"{place}, {name}", (name,), size, tuple(marks[image_id])))
    return found


def _entries(content: Mapping[str, Any], key: str, place: str, problems: list[Problem]) -> list[dict[str, Any]]:
    entries = content.get(key)
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        problems.append(Problem(place, "holds no list of objects", "Export it as COCO.", column=key))
        return []
    return entries


def _by_id(
    content: Mapping[str, Any], key: str, needed: str, place: str, problems: list[Problem]
) -> dict[Any, dict[str, Any]]:
    found: dict[Any, dict[str, Any]] = {}
    for position, entry in enumerate(_entries(content, key, place, problems)):
        identity = _key(entry.get("id"))
        if identity is None or not isinstance(entry.get(needed), str):
            message = f"entry {position} of {key} has no id or no {needed}"
            problems.append(Problem(place, message, "Export it as COCO.", column=key))
        elif identity in found:
            problems.append(Problem(place, "an id is there twice", "Keep one.", column=key, value=str(identity)))
        else:
            found[identity] = entry
    return found


def _key(raw: Any) -> int | str | None:
    return raw if isinstance(raw, int | str) else None


def _category(entry: Mapping[str, Any], root: str, tip: str) -> _Category:
    raw = entry.get("keypoints")
    names = tuple(str(name).strip().lower() for name in raw) if isinstance(raw, list) else ()
    positions = [names.index(name) if (name := wanted.lower()) in names else None for wanted in (root, tip)]
    return _Category(str(entry["name"]).strip(), names, *positions)


def _mark(entry: Mapping[str, Any], category: _Category, notes: Counter[str]) -> Mark:
    bounds = finites(entry.get("bbox"), 4)
    sized = (bounds[2], bounds[3]) if bounds and bounds[2] > 0 and bounds[3] > 0 else None
    if entry.get("iscrowd"):
        return shapes.unusable(category.name, "it is a crowd")
    attributes = entry.get("attributes")
    if isinstance(attributes, dict) and attributes.get("origin") == "prediction":
        return shapes.unusable(category.name, PREDICTED)
    if attributes:
        notes["marks whose attributes are not kept"] += 1
    if category.root is not None:
        root, tip = _keypoint(entry, category.root), _keypoint(entry, category.tip)
        return shapes.keypoints(category.name, root, tip, sized)
    if entry.get("keypoints") and category.keypoints:
        notes[f"marks of {category.name} with keypoints ({', '.join(category.keypoints)}), none of them the root"] += 1
    if bounds is not None and sized is not None:
        return shapes.box(category.name, (bounds[0], bounds[1]), (bounds[0] + sized[0], bounds[1] + sized[1]))
    points = _polygon_points(entry.get("segmentation"))
    return shapes.outline(category.name, points) if points else shapes.unusable(category.name, shapes.NO_AREA)


def _polygon_points(raw: Any) -> list[Point]:
    """The points of all polygons of a segmentation; none where it is a mask, or not all are finite."""
    if not isinstance(raw, list):
        return []
    numbers: list[float] = []
    for part in raw:
        if not isinstance(part, list) or len(part) % 2:
            return []
        values = [finite(number) for number in part]
        if None in values:
            return []
        numbers += [value for value in values if value is not None]
    return list(zip(numbers[::2], numbers[1::2], strict=True))


def _keypoint(entry: Mapping[str, Any], position: int | None) -> Point | None:
    if position is None:
        return None
    raw = entry.get("keypoints")
    point = finites(raw[3 * position : 3 * position + 3], 3) if isinstance(raw, list) else None
    return None if point is None or point[2] <= 0 else (point[0], point[1])

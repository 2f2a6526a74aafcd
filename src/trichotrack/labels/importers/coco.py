"""COCO annotations: boxes give a centre and a size, keypoints named root and tip give a hair."""

from __future__ import annotations

import json
import math
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trichotrack.labels.importers.common import (
    AnnotatedImage,
    ImportOptions,
    ImportSummary,
    Mark,
    assemble,
    images_in,
)
from trichotrack.problems import InputError, Problem


@dataclass(frozen=True)
class _Category:
    """root and tip: positions of these keypoints, None where the category has none of that name."""

    name: str
    root: int | None
    tip: int | None


def import_coco(
    annotations: Path, images_dir: Path, out: Path, options: ImportOptions, *, root: str = "root", tip: str = "tip"
) -> ImportSummary:
    """One COCO file to a labelled folder at out.

    A category with a keypoint called root has its objects there, with a tip where one is marked; any other has them at
    the centre of the box. As COCO means it, a listed image without annotations has none of any class. Crowds and
    objects without a place leave their sign partial in that capture. Coordinates are taken as they stand. Raises
    InputError with all problems at once, having written nothing.
    """
    annotations, images_dir, out = Path(annotations), Path(images_dir), Path(out)
    problems: list[Problem] = []
    place = annotations.name
    content = _content(annotations)
    listed = _by_id(content, "images", "file_name", place, problems)
    categories = {
        key: _category(entry, root, tip)
        for key, entry in _by_id(content, "categories", "name", place, problems).items()
    }
    marks: dict[Any, list[Mark]] = defaultdict(list)
    for entry in _entries(content, "annotations", place, problems):
        number = entry.get("id", "?")
        category = categories.get(_key(entry.get("category_id")))
        image_id = _key(entry.get("image_id"))
        if category is None or image_id not in listed:
            what = "category_id" if category is None else "image_id"
            message = f"annotation {number} has a {what} that the file does not list"
            remedy = "Export the annotations again."
            problems.append(Problem(place, message, remedy, column=what, value=str(entry.get(what))))
            continue
        marks[image_id].append(_mark(entry, category))
    available = images_in(images_dir, out, in_place=options.in_place)
    by_name: dict[str, list[Path]] = defaultdict(list)
    for path in available.values():
        by_name[path.name].append(path)
    dropped: Counter[str] = Counter()
    images = []
    for image_id, entry in listed.items():
        name = str(entry["file_name"]).replace("\\", "/")
        found = [available[name]] if name in available else by_name.get(name.rsplit("/", 1)[-1], [])
        if len(found) > 1:
            problems.append(Problem(place, "the file may be one of several", "Name it with its folder.", value=name))
        elif not found:
            dropped["its image is not there"] += len(marks[image_id])
        else:
            images.append(AnnotatedImage(f"{place}, {name}", found[0], _size(entry), tuple(marks[image_id])))
    return assemble(images, images_dir, out, options, dropped, problems)


def _content(path: Path) -> dict[str, Any]:
    remedy = "Name a COCO file: an object with images, annotations and categories."
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise InputError(Problem(str(path), f"cannot be read ({error.strerror})", remedy)) from None
    except (ValueError, RecursionError) as error:
        raise InputError(Problem(str(path), f"is not JSON ({error})", remedy)) from None
    if not isinstance(content, dict):
        raise InputError(Problem(str(path), "is not a JSON object", remedy))
    return content


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
    names = [str(name).strip().lower() for name in raw] if isinstance(raw, list) else []
    positions = [names.index(name) if (name := wanted.lower()) in names else None for wanted in (root, tip)]
    return _Category(str(entry["name"]).strip(), *positions)


def _size(entry: Mapping[str, Any]) -> tuple[int, int] | None:
    width, height = entry.get("width"), entry.get("height")
    return (width, height) if isinstance(width, int) and isinstance(height, int) and width and height else None


def _mark(entry: Mapping[str, Any], category: _Category) -> Mark:
    box = _numbers(entry.get("bbox"), 4)
    size = (box[2], box[3]) if box and box[2] > 0 and box[3] > 0 else None
    unusable = "it is a crowd" if entry.get("iscrowd") else ""
    if category.root is not None:
        root = _keypoint(entry, category.root)
        if root is None:
            return Mark(category.name, 0, 0, unusable=unusable or "its root is not marked")
        return Mark(category.name, *root, tip=_keypoint(entry, category.tip), box=size, unusable=unusable)
    if box is None or size is None:
        return Mark(category.name, 0, 0, unusable=unusable or "its box has no area")
    return Mark(category.name, box[0] + box[2] / 2, box[1] + box[3] / 2, box=size, unusable=unusable)


def _keypoint(entry: Mapping[str, Any], position: int | None) -> tuple[float, float] | None:
    if position is None:
        return None
    raw = entry.get("keypoints")
    point = _numbers(raw[3 * position : 3 * position + 3], 3) if isinstance(raw, list) else None
    return None if point is None or point[2] <= 0 else (point[0], point[1])


def _numbers(raw: Any, length: int) -> tuple[float, ...] | None:
    if not isinstance(raw, list) or len(raw) != length:
        return None
    if not all(isinstance(n, int | float) and not isinstance(n, bool) and math.isfinite(n) for n in raw):
        return None
    return tuple(float(n) for n in raw)

"""LabelMe: a JSON file for each image, with points, lines, line strips, rectangles, polygons, circles and flags.

Read by own code: supervision 0.31 reads rectangles and polygons alone, and datumaro 1.13 does not know the format.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from trichotrack.labels.importers import shapes
from trichotrack.labels.importers.common import Annotation, Annotations, ClassValue, Mark
from trichotrack.labels.importers.shapes import Point
from trichotrack.labels.importers.sources import files_below, finites, read_json_object, text, whole_size
from trichotrack.problems import InputError, Problem

_REMEDY = "Name the folder of the .json files that LabelMe saved."


def read_labelme(source: Path) -> Annotations:
    """A folder of LabelMe's files.

    A line or line strip runs from root to tip in the order drawn; rectangles, polygons and circles are at their centre.
    A flag of the image that is set says that its class is present; one that is not set says nothing, for flags begin
    unset. Raises InputError where there is no such file; faults inside are noted.
    """
    found = Annotations()
    for file in files_below(Path(source), ".json", _REMEDY):
        try:
            content = read_json_object(file, _REMEDY)
        except InputError as error:
            found.problems += error.problems
            continue
        entries = content.get("shapes")
        if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
            message = "is not of LabelMe: it holds no list called shapes"
            found.problems.append(Problem(file.name, message, _REMEDY))
            continue
        marks = [mark for entry in entries for mark in _marks(entry)]
        kept = ("description", "flags", "group_id")
        for key in kept:
            if often := sum(bool(entry.get(key)) for entry in entries):
                found.notes[f"marks whose {key} is not kept"] += often
        flags = content.get("flags")
        raised = flags.items() if isinstance(flags, dict) else ()
        values = [ClassValue(str(name), "presence", 1) for name, flag in raised if flag is True]
        size = whole_size(content.get("imageWidth"), content.get("imageHeight"))
        names = tuple(name for name in (text(content.get("imagePath")), file.stem) if name)
        found.images.append(Annotation(file.name, names, size, tuple(marks), tuple(values)))
    return found


def _marks(entry: Mapping[str, Any]) -> list[Mark]:
    label, kind = text(entry.get("label")), text(entry.get("shape_type")) or "polygon"
    raw = entry.get("points")
    pairs = [finites(pair, 2) for pair in raw] if isinstance(raw, list) else []
    points: list[Point] = [(pair[0], pair[1]) for pair in pairs if pair is not None]
    if not pairs or len(points) < len(pairs):
        return [shapes.unusable(label, shapes.NOT_FINITE)]
    if kind in {"point", "points"}:
        return [shapes.point(label, at) for at in points]
    if kind in {"line", "linestrip"}:
        return [shapes.line(label, points)]
    if kind == "polygon":
        return [shapes.outline(label, points)]
    if len(points) == 2 and kind == "rectangle":
        return [shapes.box(label, points[0], points[1])]
    if len(points) == 4 and kind in {"rectangle", "oriented_rectangle"}:
        return [shapes.box(label, points[0], points[2], points)]
    if len(points) == 2 and kind == "circle":
        (x, y), radius = points[0], math.dist(*points)
        return [shapes.box(label, (x - radius, y - radius), (x + radius, y + radius))]
    return [shapes.unusable(label, f"a {kind[:40]} of {len(points)} points is not read")]

"""Label Studio's JSON export: rectangles, key points, ellipses, polygons and vectors in percent, and choices.

Read by own code: neither supervision 0.31 nor labelformat 0.1 reads this export.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from trichotrack.labels.importers import shapes
from trichotrack.labels.importers.common import Annotation, Annotations, ClassValue, Mark
from trichotrack.labels.importers.shapes import Point
from trichotrack.labels.importers.sources import finite, read_json, text, whole_size
from trichotrack.problems import InputError, Problem

_REMEDY = "Export the project as JSON (not JSON-MIN) from Label Studio, and name that file."
_UPLOADED = re.compile(r"[0-9a-f]{8}-(.+)")
"""Label Studio puts eight digits before the names of uploaded files."""


@dataclass
class _Said:
    """What one annotation says of its image. regions: marks by the id of their region."""

    marks: list[Mark] = field(default_factory=list)
    regions: dict[str, Mark] = field(default_factory=dict)
    values: list[ClassValue] = field(default_factory=list)
    sizes: set[tuple[int, int]] = field(default_factory=set)


def read_label_studio(source: Path, *, tip: str = "tip", by_annotator: bool = False) -> Annotations:
    """A JSON export.

    Percent become pixels by the size that each result states. A vector runs from root to tip in the order drawn; so
    does a relation from a key point to one of the label called tip. Rectangles (turned ones too), ellipses and polygons
    are at their centre. A choice says that its class is present in the image. Brush masks have no point that could be
    taken: they are dropped, and leave their sign partial. Tasks without an annotation, or whose annotation was
    cancelled, are unknown. by_annotator: each annotation of a task is of a rater of its own; without it, a task with
    several is refused. Raises InputError where source is no such file; faults inside are noted.
    """
    source = Path(source)
    tasks = read_json(source, _REMEDY)
    if not isinstance(tasks, list) or not all(isinstance(task, dict) for task in tasks):
        raise InputError(Problem(str(source), "is not a list of tasks", _REMEDY))
    found = Annotations()
    for number, task in enumerate(tasks, start=1):
        place = f"{source.name}, task {task.get('id', number)}"
        names, entries = _names(task), task.get("annotations")
        if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries) or not names:
            lacking = "no list of annotations" if names else "no data with the path of an image"
            found.problems.append(Problem(place, f"has {lacking}", _REMEDY))
            continue
        done = [entry for entry in entries if not entry.get("was_cancelled")]
        if not done:
            found.notes["tasks without a finished annotation: unknown, and left out"] += 1
        if len(done) > 1 and not by_annotator:
            message = f"has {len(done)} annotations, and nothing says which holds"
            found.problems.append(Problem(place, message, "Keep each as a rater's own with --by-annotator."))
            continue
        for entry in done:
            _annotation(entry, place, names, found, tip=tip, by_annotator=by_annotator)
    return found


def _annotation(
    entry: Mapping[str, Any],
    place: str,
    names: tuple[str, ...],
    found: Annotations,
    *,
    tip: str,
    by_annotator: bool,
) -> None:
    results = entry.get("result")
    if not isinstance(results, list) or not all(isinstance(result, dict) for result in results):
        found.problems.append(Problem(place, "has an annotation without a list of results", _REMEDY))
        return
    said = _Said()
    regions = Counter(text(result.get("id")) for result in results)
    for result in results:
        _take(result, said, found, regions[text(result.get("id"))])
    _join(results, said, found, tip)
    if len(said.sizes) > 1:
        found.problems.append(Problem(place, "states two sizes of its image", "Annotate the image again."))
        return
    size = said.sizes.pop() if said.sizes else None
    rater = _annotator(entry.get("completed_by")) if by_annotator else ""
    values = tuple(dict.fromkeys(said.values))
    found.images.append(Annotation(place, names, size, tuple(said.marks), values, rater=rater))


def _annotator(raw: Any) -> str:
    if isinstance(raw, dict):
        raw = raw.get("email") or raw.get("id")
    return text(raw) or (f"annotator {raw}" if isinstance(raw, int) else "annotator ?")


def _names(task: Mapping[str, Any]) -> tuple[str, ...]:
    """What the task's image may be called: its path, then its name without what Label Studio puts before it."""
    data = task.get("data")
    cells = data.values() if isinstance(data, dict) else ()
    address = next((cell for cell in cells if isinstance(cell, str) and re.search(r"\.\w{3,4}($|[?&])", cell)), "")
    if not address:
        return ()
    parts = urlsplit(address.replace("\\", "/")) if "]" not in address and "[" not in address else None
    path = address if parts is None else parse_qs(parts.query).get("d", [unquote(parts.path)])[0]
    last = path.rsplit("/", 1)[-1]
    uploaded = _UPLOADED.fullmatch(last)
    return (path, uploaded[1]) if uploaded else (path,)


def _take(result: Mapping[str, Any], said: _Said, found: Annotations, of_region: int) -> None:
    """Adds one result to what its annotation says. of_region: how many results share its id."""
    value, kind = result.get("value"), text(result.get("type"))
    if kind == "relation":
        return
    if not isinstance(value, dict):
        found.notes[f"results of type {kind or '?'} that are not kept"] += 1
        return
    if kind == "choices":
        chosen = value.get("choices")
        if of_region > 1 or "x" in value or not isinstance(chosen, list):
            found.notes["choices for a region that are not kept"] += 1
            return
        said.values += [ClassValue(text(name), "presence", 1) for name in chosen]
        return
    if not kind.endswith("labels"):
        if of_region == 1 or "x" not in value:
            found.notes[f"results of type {kind or '?'} that are not kept"] += 1
        return  # of a region and its labels in two results of one id, the one with the labels has the shape as well
    size = whole_size(result.get("original_width"), result.get("original_height"))
    if size is not None:
        said.sizes.add(size)
    labels = value.get(kind)
    names = [text(name) for name in labels] if isinstance(labels, list) and labels else [""]
    mark = _mark(names[0], value, size, result.get("image_rotation"))
    if len(names) > 1:
        said.marks += [shapes.unusable(name, "it has several classes") for name in names]
    else:
        said.marks.append(mark)
        said.regions[text(result.get("id"))] = mark


def _join(results: list[Any], said: _Said, found: Annotations, tip: str) -> None:
    """Key points that a relation joins to one called tip become a hair of both."""
    used: set[int] = set()
    for result in results:
        if text(result.get("type")) != "relation":
            continue
        ends = [said.regions.get(text(result.get(end))) for end in ("from_id", "to_id")]
        root_mark, tip_mark = ends[::-1] if result.get("direction") == "left" else ends
        kinds = {mark.kind for mark in ends if mark is not None and not mark.unusable}
        if root_mark is None or tip_mark is None or kinds != {"point"} or tip_mark.class_name.lower() != tip.lower():
            found.notes["relations that are not kept"] += 1
            continue
        place = next(at for at, mark in enumerate(said.marks) if mark is root_mark)
        at = (root_mark.x, root_mark.y), (tip_mark.x, tip_mark.y)
        said.marks[place] = shapes.keypoints(root_mark.class_name, *at)
        used.add(id(tip_mark))
    said.marks = [mark for mark in said.marks if id(mark) not in used]


def _mark(name: str, value: Mapping[str, Any], size: tuple[int, int] | None, rotation: Any) -> Mark:
    if {"rle", "format", "imageDataURL"} & value.keys():
        return shapes.unusable(name, "a brush mask has no point that could be taken")
    if size is None:
        return shapes.unusable(name, "the size of its image is not told")
    if rotation:
        return shapes.unusable(name, "its image was turned in Label Studio while it was drawn")
    if isinstance(value.get("vertices"), list):
        return _vector(name, value, size)
    if isinstance(value.get("points"), list):
        pairs = [(pair[0], pair[1]) if isinstance(pair, list) and len(pair) == 2 else () for pair in value["points"]]
        points = _pixels(pairs, size)
        return shapes.unusable(name, shapes.NOT_FINITE) if points is None else shapes.outline(name, points)
    at = _pixels([(value.get("x"), value.get("y"))], size)
    turn = finite(value.get("rotation", 0))
    if at is None or turn is None:
        return shapes.unusable(name, shapes.NOT_FINITE)
    (x, y) = at[0]
    if "radiusX" in value:
        half = _pixels([(value.get("radiusX"), value.get("radiusY"))], size)
        first, second = ((x - half[0][0], y - half[0][1]), (x + half[0][0], y + half[0][1])) if half else ((x, y),) * 2
        about: Point = (x, y)
    elif "height" in value:
        sides = _pixels([(value.get("width"), value.get("height"))], size)
        first, second = (x, y), (x + sides[0][0], y + sides[0][1]) if sides else (x, y)
        about = first  # Label Studio turns a rectangle about its corner
    else:
        return shapes.point(name, at[0])
    around = shapes.turned(shapes.corners(first, second), about, turn) if turn else ()
    return shapes.box(name, first, second, around)


def _vector(name: str, value: Mapping[str, Any], size: tuple[int, int]) -> Mark:
    """Vertices follow each other by prevPointId, whatever their order in the list."""
    vertices = [vertex for vertex in value["vertices"] if isinstance(vertex, dict)]
    following = {text(vertex.get("prevPointId")): vertex for vertex in vertices}
    chain: list[Mapping[str, Any]] = []
    at = following.get("")
    while at is not None and len(chain) < len(vertices):
        chain.append(at)
        at = following.get(text(at.get("id")) or "\x00")
    points = _pixels([(vertex.get("x"), vertex.get("y")) for vertex in chain], size)
    if points is None:
        return shapes.unusable(name, shapes.NOT_FINITE, "line")
    if value.get("closed"):
        return shapes.outline(name, points)
    if len(chain) < len(vertices) or len(chain) < len(value["vertices"]):
        return shapes.unusable(name, "its line is not one chain of points", "line")
    return shapes.line(name, points)


def _pixels(pairs: list[tuple[Any, ...]], size: tuple[int, int]) -> list[Point] | None:
    """Percent of width and height as pixels; None where a pair is not two finite numbers."""
    points = []
    for pair in pairs:
        numbers = [finite(number) for number in pair]
        if len(numbers) != 2 or numbers[0] is None or numbers[1] is None:
            return None
        points.append((numbers[0] / 100 * size[0], numbers[1] / 100 * size[1]))
    return points

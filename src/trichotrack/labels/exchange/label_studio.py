"""Label Studio: labels as annotations, predictions as predictions; a root and its tip are key points, in a relation.

Coordinates are per cent of the upright image. A task's data keep our own of each region, which come back unchanged.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote
from xml.sax.saxutils import quoteattr

from trichotrack.labels.exchange.marks import (
    Corrected,
    Export,
    Mark,
    Names,
    Returned,
    Sheet,
    colour,
    finite,
    positive,
    read_json,
    same_place,
)
from trichotrack.labels.tables import ObjectRow
from trichotrack.problems import InputError, Problem
from trichotrack.signs import Sign

FILE, CONFIG_FILE = "tasks.json", "config.xml"

ROOT, TIP, BOX = "sign", "tip", "box"
"""Names of the controls of the labelling interface."""

LOCAL_FILES = "/data/local-files/?d="
"""How Label Studio serves files of its own disk, by their path below its document root."""

_POINT_SIZE = 0.4


def texts(export: Export, signs: Mapping[str, Sign]) -> dict[str, str]:
    """The tasks to import, and the labelling interface that they need."""
    tasks = [_task(sheet, export.model) for sheet in export.sheets]
    return {
        FILE: json.dumps(tasks, ensure_ascii=False, indent=1, allow_nan=False) + "\n",
        CONFIG_FILE: _config(export.signs, signs),
    }


def _config(names: Sequence[str], signs: Mapping[str, Sign]) -> str:
    labels = [f"    <Label value={quoteattr(name)} background={quoteattr(colour(signs[name]))}/>" for name in names]
    return "\n".join([
        "<View>",
        '  <Image name="image" value="$image" zoom="true" zoomControl="true"/>',
        f'  <KeyPointLabels name="{ROOT}" toName="image" strokeWidth="2">',
        *labels,
        "  </KeyPointLabels>",
        f'  <KeyPointLabels name="{TIP}" toName="image" strokeWidth="1">',
        f'    <Label value="{TIP}" background="#888888"/>',
        "  </KeyPointLabels>",
        f'  <RectangleLabels name="{BOX}" toName="image">',
        *labels,
        "  </RectangleLabels>",
        "</View>",
        "",
    ])  # fmt: skip


def _task(sheet: Sheet, model: str) -> dict[str, Any]:
    regions = {f"m{number}": mark for number, mark in enumerate(sheet.marks, start=1)}
    of_origin = {
        origin: {region: mark for region, mark in regions.items() if mark.origin == origin}
        for origin in ("label", "prediction")
    }
    predicted = of_origin["prediction"]
    scores = [mark.score for mark in predicted.values() if mark.score is not None]
    task: dict[str, Any] = {
        "data": {
            "image": LOCAL_FILES + quote(sheet.file),
            "file": sheet.file,
            "marks": {region: _kept(mark) for region, mark in regions.items()},
        },
        "annotations": [{"result": _results(of_origin["label"], sheet)}] if sheet.labelled else [],
        "predictions": [],
    }
    if predicted:
        prediction = {"model_version": model or "model", "result": _results(predicted, sheet)}
        task["predictions"] = [{**prediction, "score": sum(scores) / len(scores)} if scores else prediction]
    return task


def _kept(mark: Mark) -> dict[str, Any]:
    """What Label Studio has no place for."""
    row = mark.row
    values: dict[str, Any] = {"id": row.id, "origin": mark.origin, "score": mark.score, "rater": row.rater}
    values |= {"root_width_um": row.root_width_um, "tip_width_um": row.tip_width_um}
    if row.tip_x is not None:
        values |= {"box_w": row.box_w, "box_h": row.box_h}
    return {name: value for name, value in values.items() if value not in {None, ""}}


def _results(regions: Mapping[str, Mark], sheet: Sheet) -> list[dict[str, Any]]:
    results = []
    for region, mark in regions.items():
        row = mark.row
        score = {} if mark.score is None else {"score": mark.score}
        if row.tip_x is not None and row.tip_y is not None:
            results.append({**_point(region, ROOT, row.sign, (row.x, row.y), sheet), **score})
            results.append(_point(f"{region}t", TIP, TIP, (row.tip_x, row.tip_y), sheet))
            relation = {"type": "relation", "from_id": region, "to_id": f"{region}t", "direction": "right"}
            results.append(relation)
        elif row.box_w is not None and row.box_h is not None:
            results.append({**_rectangle(region, row, sheet), **score})
        else:
            results.append({**_point(region, ROOT, row.sign, (row.x, row.y), sheet), **score})
    return results


def _region(region: str, control: str, sheet: Sheet) -> dict[str, Any]:
    return {
        "id": region,
        "from_name": control,
        "to_name": "image",
        "original_width": sheet.width,
        "original_height": sheet.height,
        "image_rotation": 0,
    }


def _point(region: str, control: str, label: str, xy: tuple[float, float], sheet: Sheet) -> dict[str, Any]:
    value = {"x": 100 * xy[0] / sheet.width, "y": 100 * xy[1] / sheet.height, "width": _POINT_SIZE}
    return {
        **_region(region, control, sheet),
        "type": "keypointlabels",
        "value": {**value, "keypointlabels": [label]},
    }


def _rectangle(region: str, row: ObjectRow, sheet: Sheet) -> dict[str, Any]:
    width, height = row.box_w or 0.0, row.box_h or 0.0
    value = {
        "x": 100 * (row.x - width / 2) / sheet.width,
        "y": 100 * (row.y - height / 2) / sheet.height,
        "width": 100 * width / sheet.width,
        "height": 100 * height / sheet.height,
        "rotation": 0,
        "rectanglelabels": [row.sign],
    }
    return {**_region(region, BOX, sheet), "type": "rectanglelabels", "value": value}


@dataclass(frozen=True)
class _Drawn:
    """A region as it came back: where it is, what it is called, and for a rectangle its sides in px."""

    region: str
    control: str
    label: str
    x: float
    y: float
    box: tuple[float, float] | None = None


def read(path: Path, export: Export) -> Corrected:
    """What a JSON export of Label Studio gives back. Raises InputError where it is none.

    A task without an annotation (or with cancelled ones alone) was not looked at. Several annotations of one task are
    taken together, a region that one of them changed as changed; where two changed it, that is a problem.
    """
    tasks = read_json(path)
    if not isinstance(tasks, list) or not all(isinstance(t, dict) and isinstance(t.get("data"), dict) for t in tasks):
        raise InputError(Problem(str(path), "is not Label Studio's JSON", "Export as JSON (not JSON-MIN or CSV)."))
    problems: list[Problem] = []
    names = Names(export)
    sheets: dict[str, tuple[Returned, ...]] = {}
    overlooked: set[str] = set()
    for number, task in enumerate(tasks, start=1):
        where = f"{path.name}, task {task.get('id', number)}"
        sheet = names.find(str(task["data"].get("file", "")), (None, None), where, problems)
        if sheet is None:
            continue
        annotations = [one for one in _dicts(task.get("annotations")) if not one.get("was_cancelled")]
        if not annotations:
            continue
        if sheet.file in sheets:
            problems.append(Problem(where, f"{sheet.file} has a task before", "Keep one of the two."))
            continue
        found = [_annotation(one, task["data"], sheet, where, problems) for one in annotations]
        sheets[sheet.file] = _together(found, sheet, where, problems)
        predicted = {mark.row.id for mark in sheet.marks if mark.origin == "prediction"}
        shown = {returned.row.id for returned in sheets[sheet.file]} & predicted
        if not shown and not any(one.get("parent_prediction") for one in annotations):
            overlooked |= predicted
    return Corrected(sheets, tuple(problems), frozenset(overlooked))


def _dicts(raw: object) -> list[dict[str, Any]]:
    return [entry for entry in raw if isinstance(entry, dict)] if isinstance(raw, list) else []


def _annotation(
    annotation: Mapping[str, Any], data: Mapping[str, Any], sheet: Sheet, where: str, problems: list[Problem]
) -> list[Returned]:
    """The marks of one annotation: roots and rectangles, each with its tip."""
    results = _dicts(annotation.get("result"))
    drawn = [one for one in (_drawn(result, sheet, where, problems) for result in results) if one is not None]
    tips = {one.region: one for one in drawn if one.control == TIP}
    roots = {one.region: one for one in drawn if one.control != TIP}
    ends = _pairs(results, roots, tips, where, problems)
    raw = data.get("marks")
    kept = raw if isinstance(raw, dict) else {}
    marks = []
    for region, one in roots.items():
        own = kept.get(region)
        values = own if isinstance(own, dict) else {}
        tip = ends.get(region)
        box = one.box or (positive(values.get("box_w")), positive(values.get("box_h")))
        row = ObjectRow(
            id=str(values.get("id", "")),
            file=sheet.file,
            sign=one.label,
            x=one.x,
            y=one.y,
            tip_x=tip.x if tip else None,
            tip_y=tip.y if tip else None,
            root_width_um=positive(values.get("root_width_um")),
            tip_width_um=positive(values.get("tip_width_um")),
            box_w=box[0] if box[1] else None,
            box_h=box[1] if box[0] else None,
            rater=str(values.get("rater", "")),
        )
        # That a prediction is in an annotation does not say that anybody looked at it: only a change does.
        marks.append(Returned(f"{where}, region {region}", row, detailed=bool(values)))
    return marks


def _drawn(result: Mapping[str, Any], sheet: Sheet, where: str, problems: list[Problem]) -> _Drawn | None:
    kind = str(result.get("type", ""))
    if kind == "relation":
        return None
    place = f"{where}, region {result.get('id', '?')}"
    value = result.get("value")
    values = value if isinstance(value, dict) else {}
    labels = values.get(kind)
    x, y = finite(values.get("x")), finite(values.get("y"))
    if kind not in {"keypointlabels", "rectanglelabels"} or x is None or y is None:
        remedy = "Mark roots and tips as key points, or draw rectangles."
        problems.append(Problem(place, f"is a {kind or 'result'}, which is not read", remedy))
        return None
    for side, known in (("original_width", sheet.width), ("original_height", sheet.height)):
        if finite(result.get(side, known)) != known:
            message = f"was drawn on an image of another size than {sheet.file}"
            problems.append(Problem(place, message, "Annotate the images as they are.", value=str(result[side])))
            return None
    if not isinstance(labels, list) or len(labels) != 1:
        problems.append(Problem(place, "has no sign, or several", "Give it one label.", value=str(labels)))
        return None
    region, control, label = str(result.get("id", "")), str(result.get("from_name", "")), str(labels[0])
    x, y = x * sheet.width / 100, y * sheet.height / 100
    if kind == "keypointlabels":
        return _Drawn(region, TIP if control == TIP else ROOT, label, x, y)
    sides = positive(values.get("width")), positive(values.get("height"))
    if sides[0] is None or sides[1] is None:
        problems.append(Problem(place, "is a rectangle without extent", "Draw it again, or remove it."))
        return None
    width, height = sides[0] * sheet.width / 100, sides[1] * sheet.height / 100
    turn = math.radians(finite(values.get("rotation")) or 0.0)  # about the top-left corner
    centre_x = x + width / 2 * math.cos(turn) - height / 2 * math.sin(turn)
    centre_y = y + width / 2 * math.sin(turn) + height / 2 * math.cos(turn)
    return _Drawn(region, BOX, label, centre_x, centre_y, (width, height))


def _pairs(
    results: Iterable[Mapping[str, Any]],
    roots: Mapping[str, _Drawn],
    tips: Mapping[str, _Drawn],
    where: str,
    problems: list[Problem],
) -> dict[str, _Drawn]:
    """The tip of each root that has one: by relation, else (as exported) by its region's name."""
    ends: dict[str, list[_Drawn]] = {}
    paired = set()
    related = [(str(one.get("from_id")), str(one.get("to_id"))) for one in results if one.get("type") == "relation"]
    for one, other in [*related, *((other, one) for one, other in related), *((t.removesuffix("t"), t) for t in tips)]:
        if one in roots and other in tips and other not in paired:
            paired.add(other)
            ends.setdefault(one, []).append(tips[other])
    remedy = "Join it to its root by a relation, or remove it."
    problems += [Problem(f"{where}, region {tip}", "is a tip without a root", remedy) for tip in tips.keys() - paired]
    problems += [
        Problem(f"{where}, region {root}", f"has {len(found)} tips", "Leave it one.")
        for root, found in ends.items()
        if len(found) > 1
    ]
    return {root: found[0] for root, found in ends.items()}


def _together(
    annotations: Sequence[list[Returned]], sheet: Sheet, where: str, problems: list[Problem]
) -> tuple[Returned, ...]:
    """The marks of several annotations of one task; of those with one id, the one that was changed."""
    if len(annotations) == 1:
        return tuple(annotations[0])
    was = {mark.row.id: mark.row for mark in sheet.marks}
    marks: list[Returned] = []
    of_id: dict[str, list[Returned]] = {}
    for returned in (one for annotation in annotations for one in annotation):
        of_id.setdefault(returned.row.id, []).append(returned)
    for identity, found in of_id.items():
        if not identity or identity not in was:
            marks += found
            continue
        changed = [one for one in found if not same_place(one.row, was[identity]) or one.row.sign != was[identity].sign]
        if any(one.row != changed[0].row for one in changed[1:]):
            message = f"two annotations of {sheet.file} changed {identity} differently"
            problems.append(Problem(where, message, "Keep one annotation of the task, and export again."))
        marks.append((changed or found)[0])
    return tuple(marks)

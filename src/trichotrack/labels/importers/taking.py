"""What annotations say, taken as labels and objects: which signs are known of which capture, and at what level."""

from __future__ import annotations

import dataclasses
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from trichotrack.labels.importers.common import Annotation, Annotations, ImportOptions, Mark
from trichotrack.labels.importers.images import Raster
from trichotrack.labels.importers.matching import AnnotatedImage, Tally
from trichotrack.labels.tables import LabelRow, ObjectRow
from trichotrack.problems import Problem


@dataclass(frozen=True)
class _Scope:
    """What was looked for. marked: signs that are marked anywhere, so that no mark of them is absence; valued: the
    classes by which a sign is told for whole images.
    """

    classes: Mapping[str, str | None]
    marked: frozenset[str]
    valued: Mapping[str, frozenset[str]]


def take(
    images: Sequence[AnnotatedImage],
    files: Sequence[str],
    classes: Mapping[str, str | None],
    options: ImportOptions,
    *,
    found: Annotations,
    tally: Tally,
    problems: list[Problem],
) -> tuple[list[LabelRow], list[ObjectRow]]:
    """(labels, objects) of images, whose files they are filed as.

    classes: sign of each class, None to leave it out. A sign that is marked anywhere, or was to be, is labelled in
    every capture, at the level of the options: partial where something of it could not be taken; by what is
    said of the whole image where nothing of it is marked there. A sign that is only told for whole images is labelled
    where it is told (exclusive: absent elsewhere). Where nothing is said and the options take that as unknown, an image
    has no label. Notes where an image says absent and marks one.
    """
    scope = _scope(images, classes, found)
    labels: list[LabelRow] = []
    objects: list[ObjectRow] = []
    for image, file in zip(images, files, strict=True):
        for rater, annotation in image.annotations.items():
            seen, missing = Counter[str](), Counter[str]()
            for raw in annotation.marks:
                mark = _turned_round(raw) if options.tip_first else raw
                sign = classes[mark.class_name]
                why, hidden = _why_not(mark, sign, image.raster)
                tally.read[mark.class_name] += 1
                if sign is None or why:
                    tally.dropped[mark.class_name, why] += 1
                    missing[sign or ""] += hidden
                    continue
                seen[sign] += 1
                tally.taken[mark.class_name] += 1
                tally.kinds[mark.class_name, mark.kind] += 1
                objects.append(_object(str(len(objects) + 1), file, sign, mark, rater))
            stated = _stated(annotation, scope, options, tally)
            problems += _contradictions(annotation, stated, seen + missing)
            if not (options.empty_is_unknown and annotation.is_empty):
                labels += _labels(scope, options, stated, seen, missing, file=file, rater=rater)
    return labels, objects


def _scope(images: Sequence[AnnotatedImage], classes: Mapping[str, str | None], found: Annotations) -> _Scope:
    marked: set[str] = set()
    valued: dict[str, set[str]] = defaultdict(set)
    for image in images:
        for annotation in image.annotations.values():
            marked |= {sign for mark in annotation.marks if (sign := classes[mark.class_name])}
            for value in annotation.values:
                if sign := classes[value.class_name]:
                    valued[sign].add(value.class_name)
    # A class that the source lists and nobody marked was looked for, and found absent. A map alone says no such thing.
    if found.places and (marked or not valued):
        sought = classes.keys() & (found.declared or frozenset())
        marked |= {sign for name in sought if (sign := classes[name]) and sign not in valued}
    return _Scope(classes, frozenset(marked), {sign: frozenset(names) for sign, names in valued.items()})


def _why_not(mark: Mark, sign: str | None, raster: Raster) -> tuple[str, bool]:
    """(why a mark is not taken, "" where it is; whether it is in the image all the same)."""
    if sign is None:
        return f"class {mark.class_name} is left out by the map", False
    if mark.unusable:
        return mark.unusable, True
    if not (0 <= mark.x <= raster.width and 0 <= mark.y <= raster.height):
        return "its point lies outside the image", False
    return "", False


def _labels(
    scope: _Scope,
    options: ImportOptions,
    stated: Mapping[str, LabelRow],
    seen: Counter[str],
    missing: Counter[str],
    *,
    file: str,
    rater: str,
) -> list[LabelRow]:
    labels = []
    for sign in sorted(scope.marked | scope.valued.keys()):
        if not (seen[sign] or missing[sign]) and sign in stated:
            labels.append(dataclasses.replace(stated[sign], file=file, rater=rater))
        elif sign in scope.marked:
            labels.append(LabelRow(file, sign, "partial" if missing[sign] else options.level, rater=rater))
    return labels


def _contradictions(annotation: Annotation, stated: Mapping[str, LabelRow], marks: Counter[str]) -> list[Problem]:
    return [
        Problem(annotation.source, f"says {sign} is absent, and marks {marks[sign]} of it", "Mend one of the two.")
        for sign, row in stated.items()
        if row.value == 0 and marks[sign]
    ]


def _turned_round(mark: Mark) -> Mark:
    if mark.kind != "line" or mark.tip is None:
        return mark
    return dataclasses.replace(mark, x=mark.tip[0], y=mark.tip[1], tip=(mark.x, mark.y))


def _object(number: str, file: str, sign: str, mark: Mark, rater: str) -> ObjectRow:
    """To a millionth of a pixel: beyond it stand the traces of per cent and shares."""
    x, y = round(mark.x, 6), round(mark.y, 6)
    tip_x, tip_y = (round(mark.tip[0], 6), round(mark.tip[1], 6)) if mark.tip else (None, None)
    box_w, box_h = (round(mark.box[0], 6) or None, round(mark.box[1], 6) or None) if mark.box else (None, None)
    if box_w is None or box_h is None:
        box_w = box_h = None
    return ObjectRow(number, file, sign, x, y, tip_x=tip_x, tip_y=tip_y, box_w=box_w, box_h=box_h, rater=rater)


def _stated(annotation: Annotation, scope: _Scope, options: ImportOptions, tally: Tally) -> dict[str, LabelRow]:
    """What is said of whole signs. Of several classes that are one sign, one present is enough; absence takes all."""
    said: dict[str, dict[str, LabelRow]] = defaultdict(dict)
    for value in annotation.values:
        sign = scope.classes[value.class_name]
        tally.read[value.class_name] += 1
        if sign is None:
            tally.dropped[value.class_name, f"class {value.class_name} is left out by the map"] += 1
            continue
        tally.taken[value.class_name] += 1
        tally.kinds[value.class_name, value.level] += 1
        said[sign][value.class_name] = LabelRow("", sign, value.level, value.value)
    stated = {}
    if options.exclusive:
        stated = {sign: LabelRow("", sign, "presence", 0) for sign in scope.valued.keys() - scope.marked}
    for sign, rows in said.items():
        values, whole = [row.value or 0 for row in rows.values()], rows.keys() == scope.valued[sign]
        if all(row.level == "count" for row in rows.values()):
            if whole:
                stated[sign] = LabelRow("", sign, "count", sum(values))
        elif whole or any(values):
            stated[sign] = LabelRow("", sign, "presence", float(any(values)))
    return stated

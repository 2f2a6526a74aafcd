"""What shows only in the images: missing or damaged ones, objects outside, masks that do not fit, pictures twice."""

from __future__ import annotations

import dataclasses
import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from trichotrack.capture import Capture, read_capture
from trichotrack.labels.alike import PictureHash, near_pairs, picture_hash
from trichotrack.labels.folds import FOLD
from trichotrack.labels.read import ParsedFolder, condensed
from trichotrack.labels.tables import CaptureRow, ObjectRow
from trichotrack.problems import InputError, Problem

PAIRS_NAMED = 3

Row = tuple[int, CaptureRow]


@dataclass(frozen=True)
class Seen:
    """What was seen in the images. problems: errors of single images. sizes: (width, height), px, by file; pictures:
    by file, the SHA-256 of the pixels and the hash that tells near-duplicates. Both only of those that could be read.
    """

    problems: tuple[Problem, ...] = ()
    sizes: dict[str, tuple[int, int]] = dataclasses.field(default_factory=dict)
    pictures: dict[str, tuple[str, PictureHash | None]] = dataclasses.field(default_factory=dict)


def image_problems(parsed: ParsedFolder, on_capture: Callable[[], None] | None = None) -> list[Problem]:
    """Errors that the images show: missing or unreadable, objects outside, masks that do not fit, identical ones."""
    seen = look_at(parsed, on_capture)
    return condensed([*seen.problems, *_identical(parsed, seen)])


def look_at(parsed: ParsedFolder, on_capture: Callable[[], None] | None = None) -> Seen:
    """Opens every image and mask of a folder, one at a time."""
    table = parsed.names.get("captures", "captures.csv")
    seen = Seen()
    problems: list[Problem] = []
    objects: dict[str, list[tuple[int, ObjectRow]]] = defaultdict(list)
    for number, marked in parsed.objects:
        objects[marked.file].append((number, marked))
    for number, row in parsed.captures:
        place = Problem(table, "", "", row=number, column="file", value=row.file)
        capture = _read(parsed.folder, row.file, place, problems)
        if capture is not None:
            seen.sizes[row.file] = (capture.width, capture.height)
            seen.pictures[row.file] = (_digest(capture), picture_hash(capture.pixels))
            problems += _outside(parsed.names["objects"], objects[row.file], capture)
            problems += _mask_problems(parsed.folder, table, number, row, capture)
        if on_capture is not None:
            on_capture()
    return dataclasses.replace(seen, problems=tuple(condensed(problems)))


def alike(parsed: ParsedFolder, seen: Seen) -> tuple[list[Problem], list[Problem]]:
    """(errors, warnings): pictures that are there twice, by content, and those that look the same.

    Looking the same is an error over two splits or folds, since figures would then be taken on what was learnt.
    Repeats of one patient, visit, site and field may look the same.
    """
    errors = _identical(parsed, seen)
    warnings: list[Problem] = []
    rows = [row for row in parsed.captures if row[1].file in seen.pictures]
    near = near_pairs([seen.pictures[row.file][1] for _, row in rows])
    of_people: dict[tuple[str, str], list[tuple[Row, Row]]] = defaultdict(list)
    for i, j, _ in near:
        first, second = rows[i], rows[j]
        if seen.pictures[first[1].file][0] == seen.pictures[second[1].file][0]:
            continue  # told of as the same image
        if first[1].patient != second[1].patient:
            one, other = sorted((first[1].patient, second[1].patient))
            of_people[one, other].append((first, second))
        elif _spot(first[1]) != _spot(second[1]):
            warnings.append(_other_spot(parsed, first, second))
    for (one, other), pairs in of_people.items():
        split = any(map(_apart, pairs))
        (errors if split else warnings).append(_two_people(parsed, (one, other), pairs, split=split))
    return errors, warnings


def _identical(parsed: ParsedFolder, seen: Seen) -> list[Problem]:
    """Pictures whose pixels are the same as those of an earlier row."""
    table = parsed.names.get("captures", "captures.csv")
    problems: list[Problem] = []
    first: dict[str, Row] = {}
    for number, row in parsed.captures:
        if row.file in seen.pictures:
            twin = first.setdefault(seen.pictures[row.file][0], (number, row))
            if twin[0] != number and twin[1].file != row.file:
                problems.append(_twice(table, number, row, twin))
    return problems


def _digest(capture: Capture) -> str:
    """Of the pixels, so that another name, format without loss, or EXIF does not make another picture."""
    digest = hashlib.sha256(repr(capture.pixels.shape).encode())
    digest.update(capture.pixels.data if capture.pixels.flags.c_contiguous else capture.pixels.tobytes())
    return digest.hexdigest()


def _spot(row: CaptureRow) -> tuple[str, str, str, str]:
    return row.patient, row.visit, row.site, row.field


def _twice(table: str, number: int, row: CaptureRow, twin: Row) -> Problem:
    if row.patient != twin[1].patient:
        message = f"is the same image as row {twin[0]} of another patient ({twin[1].patient}, here {row.patient})"
        remedy = "Find out whose it is: in two splits it would make results look better than they are."
    else:
        message = f"is the same image as row {twin[0]}"
        remedy = "Remove one of the two: it would count twice."
    return Problem(table, message, remedy, row=number, column="file", value=row.file)


def _apart(pair: tuple[Row, Row]) -> str:
    """The splits, or else the folds, that two captures are in, where these differ: of folds each tests once."""
    for what, names in (
        ("splits", [row.split for _, row in pair]),
        ("folds", [row.extra.get(FOLD, "") for _, row in pair]),
    ):
        if all(names) and names[0] != names[1]:
            return f"two {what} ({names[1]} and {names[0]})"
    return ""


def _two_people(parsed: ParsedFolder, people: tuple[str, str], pairs: list[tuple[Row, Row]], *, split: bool) -> Problem:
    first, second = next(filter(_apart, pairs), pairs[0])
    named = _some(f"{b.file} and {a.file} (rows {nb} and {na})" for (na, a), (nb, b) in pairs)
    several = f"{len(pairs)} pictures" if len(pairs) > 1 else "a picture"
    message = f"patients {people[0]} and {people[1]} have {several} in common, as it looks: {named}"
    if split:
        message += f"; they are in {_apart((first, second))}"
    remedy = (
        "Look at both. If it is one person, give both one patient id and split anew; if a file was filed wrongly, mend "
        "its row."
    )
    return Problem(parsed.names["captures"], message, remedy, row=second[0], column="file", value=second[1].file)


def _other_spot(parsed: ParsedFolder, first: Row, second: Row) -> Problem:
    return Problem(
        parsed.names["captures"],
        f"looks the same as {first[1].file} in row {first[0]}, which is said to be of another visit, site or field",
        "Look at both: a picture that was filed twice counts as two fields.",
        row=second[0],
        column="file",
        value=second[1].file,
    )


def _some(names: Iterable[str]) -> str:
    named = list(names)
    more = f" and {len(named) - PAIRS_NAMED} more" if len(named) > PAIRS_NAMED else ""
    return ", ".join(named[:PAIRS_NAMED]) + more


def _read(folder: Path, file: str, place: Problem, problems: list[Problem]) -> Capture | None:
    try:
        return read_capture(folder / file)
    except InputError as error:
        cause = error.problems[0]
        problems.append(dataclasses.replace(place, message=cause.message, remedy=cause.remedy))
        return None


def _outside(table: str, objects: list[tuple[int, ObjectRow]], capture: Capture) -> list[Problem]:
    size = f"the image is {capture.width}x{capture.height} px"
    return [
        Problem(table, f"lies outside the image ({size})", "Give it in pixels of the image as it is stored upright.",
                row=number, column=column, value=f"{value:g}")
        for number, marked in objects
        for column, value, limit in (("x", marked.x, capture.width), ("y", marked.y, capture.height))
        if value > limit
    ]  # fmt: skip


def _mask_problems(folder: Path, table: str, number: int, row: CaptureRow, capture: Capture) -> list[Problem]:
    problems: list[Problem] = []
    if not row.valid_area:
        return problems
    place = Problem(table, "", "", row=number, column="valid_area", value=row.valid_area)
    mask = _read(folder, row.valid_area, place, problems)
    if mask is None:
        return problems
    message = ""
    if (mask.width, mask.height) != (capture.width, capture.height):
        message = f"is {mask.width}x{mask.height} px while {row.file} is {capture.width}x{capture.height}"
    elif not mask.pixels.any():
        message = "is black throughout: no scalp would be valid"
    if message:
        remedy = "Draw it white where the scalp is valid, at the size of its image."
        problems.append(dataclasses.replace(place, message=message, remedy=remedy))
    return problems

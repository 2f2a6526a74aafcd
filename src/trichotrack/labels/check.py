"""Checking a labelled folder to the bottom: its tables, and every image they name."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

from trichotrack.capture import Capture, read_capture
from trichotrack.labels.read import ParsedFolder, condensed, parse_folder
from trichotrack.labels.tables import CaptureRow, ObjectRow
from trichotrack.problems import InputError, Problem


def check_labels(folder: Path, on_capture: Callable[[], None] | None = None) -> list[Problem]:
    """Every problem of a folder: what read_labels finds, and what shows only in the images.

    on_capture: called after each image, for a progress bar.
    """
    parsed = parse_folder(folder)
    return parsed.problems + image_problems(parsed, on_capture)


def image_problems(parsed: ParsedFolder, on_capture: Callable[[], None] | None = None) -> list[Problem]:
    """Missing or unreadable images and masks, objects outside the image, and images that are there twice."""
    table = parsed.names.get("captures", "captures.csv")
    problems: list[Problem] = []
    objects: dict[str, list[tuple[int, ObjectRow]]] = defaultdict(list)
    for number, marked in parsed.objects:
        objects[marked.file].append((number, marked))
    first: dict[str, tuple[int, CaptureRow]] = {}
    for number, row in parsed.captures:
        capture = _read(
            parsed.folder, row.file, Problem(table, "", "", row=number, column="file", value=row.file), problems
        )
        if capture is not None:
            twin = first.setdefault(capture.sha256, (number, row))
            if twin[0] != number and twin[1].file != row.file:
                problems.append(_twice(table, number, row, twin))
            problems += _outside(parsed.names["objects"], objects[row.file], capture)
            problems += _mask_problems(parsed.folder, table, number, row, capture)
        if on_capture is not None:
            on_capture()
    return condensed(problems)


def _read(folder: Path, file: str, place: Problem, problems: list[Problem]) -> Capture | None:
    try:
        return read_capture(folder / file)
    except InputError as error:
        cause = error.problems[0]
        problems.append(
            Problem(place.place, cause.message, cause.remedy, row=place.row, column=place.column, value=place.value)
        )
        return None


def _twice(table: str, number: int, row: CaptureRow, twin: tuple[int, CaptureRow]) -> Problem:
    if row.patient != twin[1].patient:
        message = f"is the same image as row {twin[0]} of another patient ({twin[1].patient}, here {row.patient})"
        remedy = "Find out whose it is: in two splits it would make results look better than they are."
    else:
        message = f"is the same image as row {twin[0]}"
        remedy = "Remove one of the two: it would count twice."
    return Problem(table, message, remedy, row=number, column="file", value=row.file)


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
        problems.append(Problem(table, message, remedy, row=number, column="valid_area", value=row.valid_area))
    return problems

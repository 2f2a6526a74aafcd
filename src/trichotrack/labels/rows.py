"""Rows of the three tables as values, and what must hold between them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import TypeVar, cast, get_args

from trichotrack.geometry import MAX_UM_PER_PX, MIN_UM_PER_PX
from trichotrack.labels.cells import Row, rows_of
from trichotrack.labels.spreadsheet import Table
from trichotrack.labels.tables import SPLITS, CaptureRow, LabelRow, Level, ObjectRow, Preparation
from trichotrack.problems import Problem
from trichotrack.signs import Sign

CAPTURE_COLUMNS = (
    "file", "patient", "visit", "site", "field", "um_per_px", "preparation", "date", "device", "split", "valid_area",
)  # fmt: skip
LABEL_COLUMNS = ("file", "sign", "level", "value", "rater")
OBJECT_COLUMNS = (
    "id", "file", "sign", "x", "y", "tip_x", "tip_y", "root_width_um", "tip_width_um", "box_w", "box_h", "rater",
)  # fmt: skip
COLUMNS = {"captures": CAPTURE_COLUMNS, "labels": LABEL_COLUMNS, "objects": OBJECT_COLUMNS}
REQUIRED = {"captures": CAPTURE_COLUMNS[:7], "labels": LABEL_COLUMNS[:3], "objects": OBJECT_COLUMNS[:5]}

LEVELS: tuple[str, ...] = get_args(Level)
PREPARATIONS: tuple[str, ...] = get_args(Preparation)

Value = TypeVar("Value", CaptureRow, LabelRow, ObjectRow)
Numbered = list[tuple[int, Value]]
"""Values with the row of their table that they were read from."""


def captures_from(table: Table, problems: list[Problem]) -> Numbered[CaptureRow]:
    found: Numbered[CaptureRow] = []
    for row in rows_of(table, problems):
        preparation = row.text("preparation").lower()
        row.cells["preparation"] = preparation or "none"
        um_per_px = row.optional_number("um_per_px")
        if um_per_px is not None and not MIN_UM_PER_PX <= um_per_px <= MAX_UM_PER_PX:
            row.fault(
                "um_per_px",
                f"is outside {MIN_UM_PER_PX:g} to {MAX_UM_PER_PX:g} µm per pixel",
                "Give micrometres (not millimetres, not a magnification) per pixel, or leave the cell empty.",
            )
        split = row.text("split").lower()
        if split not in SPLITS:
            row.fault("split", "is not a split", "Write train, val or test, or leave the cell empty.")
        capture = CaptureRow(
            file=row.path("file", required=True),
            patient=_patient(row),
            visit=row.text("visit"),
            site=row.text("site"),
            field=row.text("field"),
            um_per_px=um_per_px,
            preparation=row.choice("preparation", PREPARATIONS, "preparation"),
            date=row.date("date"),
            device=row.text("device"),
            split=split,
            valid_area=row.path("valid_area"),
            extra={name: cell for name, cell in row.cells.items() if name and name not in CAPTURE_COLUMNS},
        )
        if capture.file:
            found.append((row.number, capture))
    _refuse_repeats(table.name, "file", ((number, capture.file) for number, capture in found), problems)
    _refuse_two_splits(table.name, found, problems)
    return found


def labels_from(table: Table, signs: Mapping[str, Sign] | None, problems: list[Problem]) -> Numbered[LabelRow]:
    """signs: those that may be named; None where signs.yaml could not be read, and any may."""
    found: Numbered[LabelRow] = []
    for row in rows_of(table, problems):
        row.cells["level"] = row.text("level").lower()
        level = row.choice("level", LEVELS, "level")
        label = LabelRow(
            file=row.path("file", required=True),
            sign=_sign(row, signs),
            level=cast("Level", level),
            value=_value(row, level),
            rater=row.text("rater"),
        )
        if label.file and label.sign:
            found.append((row.number, label))
    keys = ((number, f"{label.file}, {label.sign}{_by(label.rater)}") for number, label in found)
    _refuse_repeats(table.name, "sign", keys, problems)
    return found


def objects_from(table: Table, signs: Mapping[str, Sign] | None, problems: list[Problem]) -> Numbered[ObjectRow]:
    """signs: as for labels_from."""
    found: Numbered[ObjectRow] = []
    for row in rows_of(table, problems):
        marked = ObjectRow(
            id=row.text("id", required=True),
            file=row.path("file", required=True),
            sign=_sign(row, signs),
            x=row.number_at("x"),
            y=row.number_at("y"),
            tip_x=row.optional_number("tip_x"),
            tip_y=row.optional_number("tip_y"),
            root_width_um=row.positive_number("root_width_um"),
            tip_width_um=row.positive_number("tip_width_um"),
            box_w=row.positive_number("box_w"),
            box_h=row.positive_number("box_h"),
            rater=row.text("rater"),
        )
        for column, value in (("x", marked.x), ("y", marked.y)):
            if value < 0:
                row.fault(column, "lies outside the image", "Count pixels from the top-left corner of the image.")
        for one, other in (("tip_x", "tip_y"), ("tip_y", "tip_x"), ("box_w", "box_h"), ("box_h", "box_w")):
            if row.cells.get(one) and not row.cells.get(other):
                row.fault(other, f"is empty while {one} is given", "Give both or neither.")
        if marked.file and marked.sign:
            found.append((row.number, marked))
    _refuse_repeats(table.name, "id", ((number, marked.id) for number, marked in found if marked.id), problems)
    return found


def refuse_unlisted(
    names: Mapping[str, str],
    captures: Numbered[CaptureRow],
    labels: Numbered[LabelRow],
    objects: Numbered[ObjectRow],
    problems: list[Problem],
) -> None:
    """Labels and objects of captures that are not listed. names: the file of each table, for the problems' place."""
    files = {capture.file for _, capture in captures}
    remedy = f"List it in {names['captures']}, spelt the same, or remove the row."
    rows = [("labels", number, label.file) for number, label in labels]
    rows += [("objects", number, marked.file) for number, marked in objects]
    problems.extend(
        Problem(names[table], "the capture is not listed", remedy, row=number, column="file", value=file)
        for table, number, file in rows
        if file not in files
    )


def refuse_unlabelled(
    names: Mapping[str, str],
    captures: Numbered[CaptureRow],
    labels: Numbered[LabelRow],
    objects: Numbered[ObjectRow],
    problems: list[Problem],
) -> None:
    """Objects of listed captures whose sign has no label row there, or one that does not go with objects."""
    files = {capture.file for _, capture in captures}
    levels: dict[tuple[str, str, str], str] = {
        (label.file, label.sign, label.rater): label.level for _, label in labels
    }
    said = {(label.file, label.sign, label.rater): _said(label) for _, label in labels}
    listed = Counter((marked.file, marked.sign, marked.rater) for _, marked in objects)
    seen: set[tuple[str, str, str]] = set()
    for number, marked in objects:
        key = (marked.file, marked.sign, marked.rater)
        level = levels.get(key)
        if key in seen or marked.file not in files or level not in {None, "count", "presence"}:
            continue  # a level that is none is noted in labels.csv
        seen.add(key)
        where = f"{marked.sign} in {marked.file}{_by(marked.rater)}"
        problems.append(
            Problem(
                names["objects"],
                f"{names['labels']} has no row for {where}"
                if level is None
                else f"objects are listed ({listed[key]}) while {names['labels']} says {said[key]} for {where}",
                f"Write exhaustive (all are marked) or partial (some are) in {names['labels']}.",
                row=number,
                column="sign",
                value=marked.sign,
            )
        )


def _patient(row: Row) -> str:
    patient = row.text("patient")
    if "patient" in row.cells and not patient:
        row.fault(
            "patient",
            "no patient is named",
            "Give each person a pseudonym: without one, captures of one person cannot be kept in one split.",
        )
    return patient


def _said(label: LabelRow) -> str:
    return label.level if label.value is None else f"{label.level} {label.value:g}"


def _sign(row: Row, signs: Mapping[str, Sign] | None) -> str:
    if signs is None:
        return row.text("sign", required=True)
    return row.choice("sign", signs.keys(), "known sign", "Declare signs beyond the vocabulary in signs.yaml.")


def _value(row: Row, level: str) -> float | None:
    value = row.optional_number("value") if row.ok or level in LEVELS else None
    blank = not row.text("value")
    if level == "presence" and (blank or (value is not None and value not in {0, 1})):
        row.fault("value", "presence is neither 0 nor 1", "Write 1 where the sign is present, 0 where it is absent.")
    elif level == "count" and (blank or (value is not None and (value < 0 or not value.is_integer()))):
        row.fault("value", "a count is a whole number from zero", "Write how many there are.")
    elif level in {"exhaustive", "partial"} and not blank:
        row.fault("value", f"{level} takes no value", "Leave the cell empty, or write count as the level.")
    return value


def _by(rater: str) -> str:
    return f" by rater {rater}" if rater else ""


def _refuse_repeats(place: str, column: str, keys: Iterable[tuple[int, str]], problems: list[Problem]) -> None:
    first: dict[str, int] = {}
    for number, key in keys:
        if key in first:
            message = f"is listed already in row {first[key]}"
            problems.append(Problem(place, message, "Keep one of the two rows.", row=number, column=column, value=key))
        else:
            first[key] = number


def _refuse_two_splits(place: str, captures: Numbered[CaptureRow], problems: list[Problem]) -> None:
    """A patient in two splits. A blank one says that the capture is not split yet, and goes with any other."""
    first: dict[str, tuple[int, str]] = {}
    told: set[str] = set()
    for number, capture in captures:
        if not capture.patient or not capture.split:
            continue
        row, split = first.setdefault(capture.patient, (number, capture.split))
        if split != capture.split and capture.patient not in told:
            told.add(capture.patient)
            problems.append(
                Problem(
                    place,
                    f"patient {capture.patient} is in two splits ({split} in row {row})",
                    "Write one split for all captures of that patient; or empty the column for all of them, and "
                    "`trichotrack labels split --add` draws where they go.",
                    row=number,
                    column="split",
                    value=capture.split,
                )
            )

"""What goes out to an annotation tool and what comes back: marks of captures, the same for every format."""

from __future__ import annotations

import dataclasses
import json
import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from trichotrack.capture import FORMATS
from trichotrack.labels.tables import LabelSet, ObjectRow
from trichotrack.problems import InputError, Problem
from trichotrack.signs import Sign

SCHEMA = "trichotrack.export/1"
MANIFEST = "export.json"
"""Beside the tool's own files: what was exported, so that a corrected file is compared with it."""

SAME_PX = 0.02
"""Places no farther apart are the same: tools round to a hundredth of a pixel, and nobody moves a mark by less."""

MAX_FILE_BYTES = 512 * 2**20
"""A larger file is no export of captures that people marked."""

Origin = Literal["label", "prediction"]
ORIGINS: tuple[str, ...] = get_args(Origin)


@dataclass(frozen=True)
class Mark:
    """One structure sent out. origin: a label of the folder, or a model's prediction with its score.

    row: as in objects.csv, in upright original px. The id of a prediction is of the export alone.
    """

    row: ObjectRow
    origin: Origin = "label"
    score: float | None = None


@dataclass(frozen=True)
class Sheet:
    """One capture sent out: its upright size in px, and its marks. labelled: a person has said something of it."""

    file: str
    width: int
    height: int
    marks: tuple[Mark, ...]
    labelled: bool = True


@dataclass(frozen=True)
class Export:
    """All that was sent out. form: coco, cvat or label-studio. signs: of the marks. model: whose predictions."""

    form: str
    signs: tuple[str, ...]
    sheets: tuple[Sheet, ...]
    model: str = ""

    def to_json(self) -> str:
        raw = {"schema": SCHEMA, **dataclasses.asdict(self)}
        return json.dumps(raw, ensure_ascii=False, indent=1, allow_nan=False) + "\n"


@dataclass(frozen=True)
class Returned:
    """One mark as a tool gave it back.

    where: for messages. row: its id is "" where the tool has none. detailed: False where the tool lost the
    attributes, so that widths, boxes and rater say nothing. origin: "" where the tool does not say.
    """

    where: str
    row: ObjectRow
    detailed: bool = True
    origin: str = ""


@dataclass(frozen=True)
class Corrected:
    """What came back. sheets: by capture; one that is not there was not looked at. problems: what cannot be used.

    overlooked: ids of predictions that no person was shown as part of what they saved: not deleted, not looked at.
    """

    sheets: Mapping[str, tuple[Returned, ...]]
    problems: tuple[Problem, ...] = ()
    overlooked: frozenset[str] = frozenset()


def upright_size(path: Path, name: str) -> tuple[int, int]:
    """(width, height) of an image as its EXIF orientation shows it, from its header alone. Raises InputError."""
    from PIL import Image

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(path, formats=FORMATS) as image:
                width, height = image.size
                turned = image.getexif().get(0x0112, 1) in {5, 6, 7, 8}
    except Exception as error:  # noqa: BLE001 (headers fail in many ways)
        message = f"is not an image that can be read ({type(error).__name__})"
        raise InputError(Problem(name, message, "Replace or remove it.")) from None
    return (height, width) if turned else (width, height)


def export_of(
    labelset: LabelSet,
    form: str,
    *,
    signs: Sequence[str] = (),
    predictions: Mapping[str, Sequence[Mark]] | None = None,
    model: str = "",
    captures: Sequence[str] | None = None,
) -> Export:
    """What of a folder goes out: every object of signs, and predictions by file.

    signs: by default those that the folder labels. captures: only these files. Raises InputError with all that is
    wrong: an unknown sign, an image that cannot be read.
    """
    chosen = signs_of(labelset, signs, predictions or {})
    files = [capture.file for capture in labelset.captures if captures is None or capture.file in set(captures)]
    labelled = {label.file for label in labelset.labels if label.sign in chosen}
    objects: dict[str, list[Mark]] = {}
    for row in labelset.objects:
        if row.sign in chosen:
            objects.setdefault(row.file, []).append(Mark(row))
    problems: list[Problem] = []
    sheets = []
    for file in files:
        try:
            width, height = upright_size(labelset.folder / file, file)
        except InputError as error:
            problems += error.problems
            continue
        marks = [*objects.get(file, []), *(predictions or {}).get(file, ())]
        sheets.append(Sheet(file, width, height, tuple(marks), labelled=file in labelled))
    if not files:
        problems.append(Problem(str(labelset.folder), "holds no capture to export"))
    if problems:
        raise InputError(problems)
    return Export(form, chosen, tuple(sheets), model)


def signs_of(labelset: LabelSet, wanted: Sequence[str], predictions: Mapping[str, Sequence[Mark]]) -> tuple[str, ...]:
    """The signs to send out: wanted, else those labelled or predicted, else all; in the order of the vocabulary."""
    unknown = [name for name in wanted if name not in labelset.signs]
    if unknown:
        raise InputError(
            f"{', '.join(unknown)}: no such sign in {labelset.folder}; it knows {', '.join(labelset.signs)}."
        )
    named = set(wanted) or {label.sign for label in labelset.labels}
    named |= {mark.row.sign for marks in predictions.values() for mark in marks}
    return tuple(name for name in labelset.signs if not named or name in named)


def read_manifest(path: Path) -> Export:
    """The export that a manifest tells of. Raises InputError where it is none."""
    raw = read_json(path)
    remedy = f"Give the {MANIFEST} that `trichotrack labels export` wrote."
    if not isinstance(raw, dict) or raw.pop("schema", None) != SCHEMA:
        raise InputError(Problem(str(path), "is not what an export wrote", remedy))
    try:
        sheets = tuple(
            Sheet(**{**sheet, "marks": tuple(Mark(**{**m, "row": ObjectRow(**m["row"])}) for m in sheet["marks"])})
            for sheet in raw["sheets"]
        )
        return Export(**{**raw, "signs": tuple(raw["signs"]), "sheets": sheets})
    except (TypeError, KeyError, AttributeError, ValueError) as error:
        raise InputError(Problem(str(path), f"is damaged ({error})", remedy)) from None


def read_text(path: Path) -> str:
    """The text of a file, UTF-8, of a size that an export may have. Raises InputError."""
    try:
        size = path.stat().st_size
        if size > MAX_FILE_BYTES:
            message = f"has {size / 2**20:.0f} MiB, more than the {MAX_FILE_BYTES // 2**20} that are read"
            raise InputError(Problem(str(path), message, "Export fewer captures at a time."))
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise InputError(Problem(str(path), f"cannot be read ({error.strerror})", "Check the path.")) from None
    except UnicodeDecodeError:
        raise InputError(Problem(str(path), "is not UTF-8 text", "Export it again; unpack a .zip first.")) from None


def read_json(path: Path) -> Any:
    """What a JSON file holds. Raises InputError where it is not JSON."""
    try:
        return json.loads(read_text(path))
    except (ValueError, RecursionError) as error:
        raise InputError(Problem(str(path), f"is not JSON ({error})", "Export it again.")) from None


def colour(sign: Sign) -> str:
    """The colour of a sign as tools take it: #rrggbb."""
    return "#{:02x}{:02x}{:02x}".format(*sign.colour)


def finite(raw: object) -> float | None:
    """A number of a file, or the text of one, where it is finite."""
    if isinstance(raw, bool) or not isinstance(raw, int | float | str):
        return None
    try:
        number = float(raw)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def positive(raw: object) -> float | None:
    """As finite, where it is above zero."""
    number = finite(raw)
    return number if number is not None and number > 0 else None


def same_place(one: ObjectRow, other: ObjectRow, tolerance_px: float = SAME_PX) -> bool:
    """Whether root, tip and box are the same, but for what tools round."""
    sides = ("x", "y", "tip_x", "tip_y", "box_w", "box_h")
    pairs = [(getattr(one, side), getattr(other, side)) for side in sides]
    return all(a is b or (a is not None and b is not None and abs(a - b) <= tolerance_px) for a, b in pairs)


class Names:
    """The captures of an export, found by the names that tools give them back under."""

    def __init__(self, export: Export) -> None:
        self.sheets = {sheet.file: sheet for sheet in export.sheets}
        self.by_tail: dict[str, list[Sheet]] = {}
        for sheet in export.sheets:
            self.by_tail.setdefault(sheet.file.rsplit("/", 1)[-1], []).append(sheet)

    def find(
        self, name: str, size: tuple[float | None, float | None], place: str, problems: list[Problem]
    ) -> Sheet | None:
        """The capture called name, whole or (where that is one capture's alone) without folders; None, noted, if none.

        size: (width, height) as the tool says, None where it does not. Another size is noted, and the capture is none.
        """
        path = name.replace("\\", "/")
        sheet = self.sheets.get(name) or self.sheets.get(path)
        if sheet is None:
            tails = self.by_tail.get(path.rsplit("/", 1)[-1], [])
            sheet = tails[0] if len(tails) == 1 else None
        if sheet is None:
            remedy = "Give what came back of this export, and nothing else."
            problems.append(Problem(place, "the capture is not one of those exported", remedy, value=name))
            return None
        given = tuple(
            known if side is None else side for side, known in zip(size, (sheet.width, sheet.height), strict=True)
        )
        if given != (sheet.width, sheet.height):
            message = f"{sheet.file} is {given[0]:g}x{given[1]:g} px there and {sheet.width}x{sheet.height} here"
            problems.append(Problem(place, message, "Annotate the images as they are, neither resized nor turned."))
            return None
        return sheet

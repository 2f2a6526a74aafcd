"""Writing a labelled folder: the three tables and, for signs beyond the vocabulary, signs.yaml."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

from trichotrack.labels.rows import CAPTURE_COLUMNS, LABEL_COLUMNS, OBJECT_COLUMNS
from trichotrack.labels.signs_file import signs_text
from trichotrack.labels.spreadsheet import csv_text, escape, number_text
from trichotrack.labels.tables import CaptureRow, LabelSet
from trichotrack.problems import InputError, Problem


def write_labels(labelset: LabelSet, folder: Path) -> None:
    """The three tables (and signs.yaml where signs go beyond the vocabulary), each replaced whole or not at all.

    What is written is read back first: InputError, and nothing is replaced, where read_labels would refuse it.
    Tables saved there as .xlsx are refused, for a folder with two versions of a table cannot be read.
    """
    folder = Path(folder)
    refuse_workbooks(folder, ("captures", "labels", "objects"))
    texts = {
        "captures.csv": captures_text(labelset.captures),
        "labels.csv": _text(LABEL_COLUMNS, labelset.labels),
        "objects.csv": _text(OBJECT_COLUMNS, labelset.objects),
    }
    signs = signs_text(labelset.signs)
    if signs:
        texts["signs.yaml"] = signs
    folder.mkdir(parents=True, exist_ok=True)
    _refuse_unreadable(texts)
    for name, text in texts.items():
        replace_text(folder / name, text)
    if not signs:
        (folder / "signs.yaml").unlink(missing_ok=True)


def write_captures(labelset: LabelSet, folder: Path) -> None:
    """captures.csv alone, leaving the other tables (and any column of their own) as they are."""
    refuse_workbooks(folder, ("captures",))
    replace_text(Path(folder) / "captures.csv", captures_text(labelset.captures))


def captures_text(captures: Sequence[CaptureRow]) -> str:
    """captures.csv, with the extra columns of any capture after the known ones."""
    extras = list(dict.fromkeys(name for capture in captures for name in capture.extra))
    lines = (
        [_cell(getattr(capture, column)) for column in CAPTURE_COLUMNS]
        + [escape(capture.extra.get(name, "")) for name in extras]
        for capture in captures
    )
    return csv_text([*CAPTURE_COLUMNS, *map(escape, extras)], lines)


def refuse_workbooks(folder: Path, stems: Iterable[str]) -> None:
    """Raises InputError where a table that is to be written as CSV is there as .xlsx."""
    books = [name for stem in stems if (Path(folder) / (name := f"{stem}.xlsx")).exists()]
    if books:
        raise InputError(
            [
                Problem(name, "would stand beside a .csv of the same table", "Save it as CSV UTF-8 and remove it.")
                for name in books
            ]
        )


def replace_text(path: Path, text: str) -> None:
    """Writes text to path as UTF-8 with `\\n` ends: whole, or (on failure) not at all."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as file:
            file.write(text)
        Path(temporary).chmod(0o666 & ~_umask())
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _umask() -> int:
    umask = os.umask(0)
    os.umask(umask)
    return umask


def _refuse_unreadable(texts: dict[str, str]) -> None:
    from trichotrack.labels.read import parse_folder

    with tempfile.TemporaryDirectory() as scratch:
        for name, text in texts.items():
            (Path(scratch) / name).write_text(text, encoding="utf-8", newline="")
        _, problems = parse_folder(Path(scratch))
    if problems:
        raise InputError(problems)


def _text(columns: Sequence[str], rows: Iterable[object]) -> str:
    return csv_text(columns, ([_cell(getattr(row, column)) for column in columns] for row in rows))


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, int | float):
        return number_text(float(value))
    return escape(str(value))

"""Writing a labelled folder: the three tables and, for signs beyond the vocabulary, signs.yaml."""

from __future__ import annotations

import io
import os
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

from trichotrack.labels.cells import parse_path
from trichotrack.labels.rows import CAPTURE_COLUMNS, COLUMNS, LABEL_COLUMNS, OBJECT_COLUMNS
from trichotrack.labels.signs_file import signs_text
from trichotrack.labels.spreadsheet import column_names, csv_text, escape, number_text, table_sheet, unescape
from trichotrack.labels.tables import CaptureRow, LabelSet
from trichotrack.problems import InputError, Problem


def write_labels(labelset: LabelSet, folder: Path) -> None:
    """The three tables (and signs.yaml where signs go beyond the vocabulary), each replaced whole or not at all.

    What is written is read back first: InputError, and nothing is replaced, where read_labels would refuse it.
    Tables saved there as .xlsx are refused, for a folder with two versions of a table cannot be read.
    """
    folder = Path(folder)
    refuse_workbooks(folder)
    texts = readable_texts(labelset)
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        replace_file(folder / name, text.encode())
    if "signs.yaml" not in texts:
        (folder / "signs.yaml").unlink(missing_ok=True)


def readable_texts(labelset: LabelSet) -> dict[str, str]:
    """What write_labels writes, by file name. Raises InputError with all that read_labels would refuse in it."""
    from trichotrack.labels.read import parse_folder

    texts = {
        "captures.csv": captures_text(labelset.captures),
        "labels.csv": _text(LABEL_COLUMNS, labelset.labels),
        "objects.csv": _text(OBJECT_COLUMNS, labelset.objects),
    }
    if signs := signs_text(labelset.signs):
        texts["signs.yaml"] = signs
    with tempfile.TemporaryDirectory() as scratch:
        for name, text in texts.items():
            (Path(scratch) / name).write_bytes(text.encode())
        problems = parse_folder(Path(scratch)).problems
    if problems:
        raise InputError(problems)
    return texts


def write_split(labelset: LabelSet, folder: Path) -> None:
    """The captures' splits and folds into captures.csv or captures.xlsx, leaving the other tables as they are."""
    book = Path(folder) / "captures.xlsx"
    if book.exists():
        _write_split_xlsx(labelset, book)
    else:
        replace_file(Path(folder) / "captures.csv", captures_text(labelset.captures).encode())


def _write_split_xlsx(labelset: LabelSet, path: Path) -> None:
    import openpyxl

    columns = {"split": {capture.file: capture.split for capture in labelset.captures}}
    if any("fold" in capture.extra for capture in labelset.captures):
        columns["fold"] = {capture.file: capture.extra.get("fold", "") for capture in labelset.captures}
    book = openpyxl.load_workbook(path)
    sheet = table_sheet(book, path.stem)
    header = column_names([str(cell.value or "").strip() for cell in sheet[1]], CAPTURE_COLUMNS)
    place = {name: header.index(name) + 1 for name in columns if name in header}
    for name in columns:
        place.setdefault(name, max(len(header), *place.values(), 0) + 1)
        sheet.cell(1, place[name], name)
    for number in range(2, sheet.max_row + 1):
        file, _ = parse_path(unescape(str(sheet.cell(number, header.index("file") + 1).value or "").strip()))
        for name, value_of in columns.items():
            if file in value_of:
                sheet.cell(number, place[name], value_of[file])
    content = io.BytesIO()
    book.save(content)
    replace_file(path, content.getvalue())


def captures_text(captures: Sequence[CaptureRow]) -> str:
    """captures.csv, with the extra columns of any capture after the known ones."""
    extras = list(dict.fromkeys(name for capture in captures for name in capture.extra))
    lines = (
        [_cell(getattr(capture, column)) for column in CAPTURE_COLUMNS]
        + [escape(capture.extra.get(name, "")) for name in extras]
        for capture in captures
    )
    return csv_text([*CAPTURE_COLUMNS, *map(escape, extras)], lines)


def refuse_workbooks(folder: Path) -> None:
    """Raises InputError where write_labels would, for tables of the folder that are saved as .xlsx."""
    books = [book for stem in COLUMNS if (book := folder / f"{stem}.xlsx").exists()]
    if books:
        remedy = "Save it as CSV UTF-8 and remove it."
        raise InputError([Problem(str(book), "would stand beside a .csv of the same table", remedy) for book in books])


def replace_file(path: Path, content: bytes) -> None:
    """Writes content to path: whole, or (on failure) not at all."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        part.write_bytes(content)
        part.replace(path)
    except OSError as error:
        remedy = "Close it in the spreadsheet; check the rights to the folder and the room on the disk."
        raise InputError(Problem(str(path), f"cannot be written ({error.strerror})", remedy)) from None
    finally:
        part.unlink(missing_ok=True)


def _text(columns: Sequence[str], rows: Iterable[object]) -> str:
    return csv_text(columns, ([_cell(getattr(row, column)) for column in columns] for row in rows))


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, int | float):
        return number_text(value)
    return escape(str(value))

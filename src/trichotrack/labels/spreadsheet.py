"""A table as a spreadsheet leaves it: CSV or .xlsx, read into text cells with the row numbers a person sees."""

from __future__ import annotations

import csv
import datetime as dt
import io
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trichotrack.problems import Problem, with_extra

SEPARATORS = ",;\t"
MAX_UNPACKED_BYTES = 512 * 2**20
"""Of a workbook: a million filled cells take some 40 MiB."""
_FORMULA = re.compile(r"'*[=+\-@]")
_ESCAPED_FORMULA = re.compile(r"'+[=+\-@]")
_PLAIN_NUMBER = re.compile(r"[+-]?[0-9]+([.,][0-9]*)?([eE][+-]?[0-9]+)?\Z")
_SAVE_AS_UTF8 = "Save it as 'CSV UTF-8' (or as .xlsx) and try again."


@dataclass(frozen=True)
class Table:
    """Text cells of one table. name: the file's name. separator: as found ("" for .xlsx), for reading numbers.

    columns: header names, known ones in the case they are known by. rows: (row number as a spreadsheet shows it, cells
    as wide as the header).
    """

    name: str
    columns: tuple[str, ...]
    rows: tuple[tuple[int, tuple[str, ...]], ...]
    separator: str = ","


def escape(text: str) -> str:
    """Text that a spreadsheet would take for a formula, with a quote before it; numbers stay numbers."""
    return f"'{text}" if _FORMULA.match(text) and not _PLAIN_NUMBER.match(text) else text


def unescape(text: str) -> str:
    """What `escape` was given."""
    return text[1:] if _ESCAPED_FORMULA.match(text) else text


def csv_text(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """The CSV of already escaped cells: `,`, one header line, line feeds. Cells that hold any separator are quoted."""
    lines = [",".join(_quoted(cell) for cell in row) for row in [columns, *rows]]
    return "\n".join(lines) + "\n"


def _quoted(cell: str) -> str:
    if any(mark in cell for mark in ',;\t"\r\n') or cell != cell.strip():
        return '"' + cell.replace('"', '""') + '"'
    return cell


def find_table(folder: Path, stem: str, problems: list[Problem], *, required: bool) -> Path | None:
    """The path of stem.csv or stem.xlsx in folder; None (noted where required) without one, or with both."""
    wanted = (f"{stem}.csv", f"{stem}.xlsx")
    found = sorted(path for path in folder.iterdir() if path.name.lower() in wanted)
    if len(found) > 1:
        names = " and ".join(path.name for path in found)
        problems.append(Problem(names, "are two versions of one table", "Remove or rename the one that is not meant."))
        return None
    if not found:
        if required:
            problems.append(Problem(f"{stem}.csv", f"is not in {folder}", f"Put {' or '.join(wanted)} there."))
        return None
    return found[0]


def read_table(path: Path, known: Sequence[str], required: Sequence[str], problems: list[Problem]) -> Table | None:
    """The table at path (.csv or .xlsx), its faults of form appended to problems; None where it cannot be read.

    known: columns with a meaning, matched whatever their case and spacing. required: those that must be there.
    """
    if path.suffix.lower() == ".xlsx":
        records, separator = _xlsx_records(path, problems), ""
    else:
        records, separator = _csv_records(path, problems)
    if records is None:
        return None
    return table_from_records(path.name, records, separator, known, required, problems)


def table_from_records(
    name: str,
    records: Sequence[Sequence[str]],
    separator: str,
    known: Sequence[str],
    required: Sequence[str],
    problems: list[Problem],
) -> Table | None:
    """Records (the header first) as a Table; None where the header does not serve."""
    if not records or not any(records[0]):
        problems.append(Problem(name, "has no header line", f"Begin it with the columns {', '.join(known)}.", row=1))
        return None
    columns = column_names(records[0], known)
    width = len(columns)
    problems.extend(
        Problem(name, "the column is missing", "Add it to the header line.", row=1, column=column)
        for column in required
        if column not in columns
    )
    twice = sorted({column for column in columns if column and columns.count(column) > 1})
    problems.extend(
        Problem(name, "two columns have this name", "Rename or remove one.", row=1, column=column) for column in twice
    )
    if twice:
        return None
    rows = []
    for number, record in enumerate(records[1:], start=2):
        cells = [unescape(cell) for cell in record]
        if not any(cells):
            continue
        surplus = [cell for cell in cells[width:] if cell]
        surplus += [cell for column, cell in zip(columns, cells, strict=False) if cell and not column]
        if surplus:
            problems.append(
                Problem(
                    name,
                    f"has cells beyond the {sum(map(bool, columns))} columns of the header",
                    "Quote cells that hold the separator (or a decimal comma), or name the column.",
                    row=number,
                    value=surplus[0],
                )
            )
            continue
        rows.append((number, tuple(cells[:width] + [""] * (width - len(cells)))))
    return Table(name, columns, tuple(rows), separator)


def column_names(header: Sequence[str], known: Sequence[str]) -> tuple[str, ...]:
    """Header cells as column names: known ones in their spelling; nameless ones at the end are left off."""
    names = [unescape(cell) for cell in header]
    while names and not names[-1]:
        names.pop()
    lookup = {column.lower(): column for column in known}
    return tuple(lookup.get(re.sub(r"[\s-]+", "_", name.lower()), name) for name in names)


def _csv_records(path: Path, problems: list[Problem]) -> tuple[list[list[str]] | None, str]:
    try:
        raw = path.read_bytes()
    except OSError as error:
        problems.append(Problem(path.name, f"cannot be read ({error.strerror})", "Close it elsewhere; check rights."))
        return None, ","
    text = _decoded(path.name, raw, problems)
    if text is None:
        return None, ","
    separator = ","
    first, _, rest = text.partition("\n")
    declared = re.fullmatch(r"sep=(.)", first.strip())
    if declared:  # a line that Excel writes and reads, and does not number
        separator, text = declared.group(1), rest
    else:
        bare = re.sub(r'"[^"]*"', "", first)
        separator = max(SEPARATORS, key=bare.count)
    try:
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
        return [[cell.strip() for cell in record] for record in reader], separator
    except csv.Error as error:
        problems.append(Problem(path.name, f"is not CSV ({error})", "Save it again from the spreadsheet."))
        return None, separator


def _decoded(name: str, raw: bytes, problems: list[Problem]) -> str | None:
    if raw[:4] == b"PK\x03\x04":
        problems.append(Problem(name, "is an Excel workbook named .csv", "Name it .xlsx."))
        return None
    # Text in UTF-16 has a zero in every second place, or says so at its start; any other zero is no text's.
    zeros = max(raw[start:200:2].count(0) for start in (0, 1))
    if raw[:2] not in {b"\xff\xfe", b"\xfe\xff"} and 0 in raw[:200] and zeros < len(raw[:200]) // 4:
        problems.append(Problem(name, "is no table: it holds something else than text", _SAVE_AS_UTF8))
        return None
    if raw[:2] in {b"\xff\xfe", b"\xfe\xff"} or 0 in raw[:200]:
        problems.append(Problem(name, "is saved as UTF-16 ('Unicode text'), not UTF-8", _SAVE_AS_UTF8))
        return None
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        row = raw.count(b"\n", 0, error.start) + 1
        line = raw.splitlines()[row - 1].decode("cp1252", errors="replace")
        problems.append(
            Problem(
                name,
                "is not UTF-8: it looks saved in a Windows code page (cp1252), where letters such as ä or µ differ",
                _SAVE_AS_UTF8,
                row=row,
                value=line.strip()[:80],
            )
        )
        return None


def _xlsx_records(path: Path, problems: list[Problem]) -> list[list[str]] | None:
    import zipfile
    import zlib
    from xml.etree.ElementTree import ParseError

    try:
        import openpyxl
    except ImportError:
        problems.append(Problem(path.name, "needs openpyxl to be read", with_extra("labels")))
        return None
    try:
        with zipfile.ZipFile(path) as archive:
            unpacked = sum(member.file_size for member in archive.infolist())
        if unpacked > MAX_UNPACKED_BYTES:
            message = (
                f"unpacks to {unpacked / 2**20:.0f} MiB, more than the {MAX_UNPACKED_BYTES / 2**20:.0f} that are read"
            )
            problems.append(Problem(path.name, message, "Save it again as .xlsx, or as CSV UTF-8."))
            return None
        book = openpyxl.load_workbook(path, read_only=True, data_only=True)
        try:
            sheet = table_sheet(book, path.stem)
            return [[_xlsx_cell(cell) for cell in row] for row in sheet.iter_rows()]
        finally:
            book.close()
    except (OSError, KeyError, ValueError, TypeError, IndexError, AttributeError, EOFError,
            ParseError, zlib.error, zipfile.BadZipFile) as error:  # fmt: skip
        problems.append(Problem(path.name, f"is not a readable .xlsx workbook ({error})", "Save it again as .xlsx."))
        return None


def table_sheet(book: Any, stem: str) -> Any:
    """The sheet of an openpyxl workbook that is called as the table, else its first."""
    sheets = book.worksheets
    return next((sheet for sheet in sheets if sheet.title.strip().lower() == stem.lower()), sheets[0])


def _xlsx_cell(cell: Any) -> str:
    """A workbook's cell as CSV would have it: 7.0 is 7 (shown as 007: 007), a date is ISO, TRUE is 1."""
    value = cell.value
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(int(value))
    if isinstance(value, int | float):
        text = number_text(value)
        shown = cell.number_format
        return text.zfill(len(shown)) if shown and set(shown) == {"0"} else text
    if isinstance(value, dt.datetime):
        return value.date().isoformat() if value.time() == dt.time() else value.isoformat(sep=" ")
    return str(value).strip()


def number_text(number: float) -> str:
    """The shortest text that reads back as the same number; whole numbers without a point."""
    number = float(number)
    return str(int(number)) if number.is_integer() and abs(number) < 1e15 else repr(number)

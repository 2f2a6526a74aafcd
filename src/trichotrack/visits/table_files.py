"""Tables of the record as files: CSV, .xlsx and Parquet, written and read so that every cell comes back as it was."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trichotrack.labels.spreadsheet import Table, csv_text, escape, number_text, read_table, table_from_records
from trichotrack.problems import InputError, Problem

if TYPE_CHECKING:
    from trichotrack.visits.rows import TableKind

FORMATS = ("csv", "xlsx", "parquet")
"""By which a table's file ends."""


def read_file(path: Path, kind: TableKind) -> Table:
    """The table at path. Raises InputError with every fault of its form."""
    problems: list[Problem] = []
    known = tuple(kind.columns)
    if path.suffix.lower() == ".parquet":
        records = _parquet_records(path)
        table = table_from_records(path.name, records, "", known, kind.required, problems)
    else:
        table = read_table(path, known, kind.required, problems)
    if table is None or problems:
        raise InputError(problems)
    return table


def write_file(path: Path, kind: TableKind, rows: Iterable[Sequence[str]]) -> None:
    """Rows of text cells, as wide as the kind's columns, in the format that path's suffix names."""
    columns = tuple(kind.columns)
    suffix = path.suffix.lower()
    if suffix == ".parquet":
        _write_parquet(path, kind, columns, rows)
    elif suffix == ".xlsx":
        _write_xlsx(path, kind, columns, rows)
    else:
        path.write_bytes(csv_bytes(kind, rows))


def csv_bytes(kind: TableKind, rows: Iterable[Sequence[str]]) -> bytes:
    """Rows of text cells as a CSV file."""
    return csv_text(tuple(kind.columns), ([escape(cell) for cell in row] for row in rows)).encode()


def _write_xlsx(path: Path, kind: TableKind, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    import openpyxl

    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet(kind.name)
    sheet.append(list(columns))
    for row in rows:
        typed = [_typed(kind, name, cell, text=escape) for name, cell in zip(columns, row, strict=True)]
        sheet.append([_kept(value, cell) for value, cell in zip(typed, row, strict=True)])
    book.save(path)


def _kept(value: Any, cell: str) -> Any:
    """A workbook keeps 16 digits: a number that has more stays text, which is read back as the same number."""
    return cell if isinstance(value, float) and float(f"{value:.16g}") != value else value


def _write_parquet(path: Path, kind: TableKind, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    import pyarrow as pa  # type: ignore[import-untyped]
    import pyarrow.parquet as pq  # type: ignore[import-untyped]

    cells = list(zip(*rows, strict=True)) or [()] * len(columns)
    types = [pa.float64() if c in kind.numbers else pa.int64() if c in kind.whole else pa.string() for c in columns]
    arrays = [
        pa.array([_typed(kind, name, cell, text=str) for cell in column], kept)
        for name, column, kept in zip(columns, cells, types, strict=True)
    ]
    pq.write_table(pa.Table.from_arrays(arrays, names=list(columns)), path)


def _typed(kind: TableKind, column: str, cell: str, *, text: Any) -> Any:
    if not cell:
        return None
    if column in kind.numbers:
        return float(cell)
    return int(cell) if column in kind.whole else text(cell)


def _parquet_records(path: Path) -> list[list[str]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(path)
    except (OSError, pa.ArrowException) as error:
        told = str(error).splitlines()[0]
        raise InputError(Problem(path.name, f"is not a readable Parquet file ({told})", "Write it again.")) from None
    columns = [[_text(cell) for cell in column.to_pylist()] for column in table.columns]
    return [[escape(str(name)) for name in table.column_names], *(list(row) for row in zip(*columns, strict=True))]


def _text(cell: object) -> str:
    """A Parquet cell as CSV would have it."""
    if cell is None:
        return ""
    if isinstance(cell, bool):
        return str(int(cell))
    if isinstance(cell, float):
        return "" if cell != cell else number_text(cell)  # noqa: PLR0124  NaN is how pandas writes a blank
    return escape(str(cell).strip())

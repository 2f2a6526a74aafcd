"""Tables of counts or of presence per capture: a column for each class, or a line for each capture and class."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Literal

from trichotrack.labels.cells import parse_number
from trichotrack.labels.importers.common import Annotation, Annotations, ClassValue
from trichotrack.labels.rows import CAPTURE_COLUMNS
from trichotrack.labels.spreadsheet import Table, read_table
from trichotrack.problems import InputError, Problem

Kind = Literal["count", "presence"]

_VALUE_COLUMNS = ("count", "presence", "value")
_YES_AND_NO = {"true": 1.0, "false": 0.0, "yes": 1.0, "no": 0.0}
_BLANK = frozenset({"", "-", "\u2013", "\u2014", "na", "n/a", "n.a.", "#n/a", "nan"})
"""What spreadsheets and people write, in any case, where nothing is known (\u2013 and \u2014 are dashes)."""


def read_values(source: Path, kind: Kind) -> Annotations:
    """A .csv or .xlsx table with a column file.

    With the columns sign and count (or presence, or value), each line is of one class; else every column that is none
    of captures.csv is a class. A blank cell is unknown, as is one with a dash, n/a or NaN. A value that cannot be used
    carries its fault, for the map may leave its class out. A wide table with a column patient serves as the table of
    the captures too. Raises InputError where source cannot be read as such; other faults inside are noted.
    """
    source = Path(source)
    if not source.is_file():
        raise InputError(Problem(str(source), "is not a file", "Name a table (.csv or .xlsx) with a column file."))
    problems: list[Problem] = []
    known = (*CAPTURE_COLUMNS, "sign", *_VALUE_COLUMNS, "rater")
    table = read_table(source, known, ("file",), problems)
    if table is None or "file" not in table.columns:
        raise InputError(problems)
    valued = next((column for column in (kind, "value") if column in table.columns), "")
    by_line = "sign" in table.columns and bool(valued)
    found = Annotations(problems=problems, places=False)
    if not by_line and "patient" in table.columns:
        found.table = source
    _collect(table, kind, valued if by_line else "", found)
    return found


def _collect(table: Table, kind: Kind, valued: str, found: Annotations) -> None:
    """valued: the column of the values where each line is of one class, "" where the columns are the classes."""
    classes = [] if valued else [name for name in table.columns if name and name not in {*CAPTURE_COLUMNS, "rater"}]
    said: dict[tuple[str, str], list[ClassValue]] = {}
    rows: dict[tuple[str, str, str], int] = {}
    for number, cells in table.rows:
        row = dict(zip(table.columns, cells, strict=True))
        if not row["file"]:
            found.problems.append(Problem(table.name, "the cell is empty", "Fill it in.", row=number, column="file"))
            continue
        key = (row["file"], row.get("rater", ""))
        values = said.setdefault(key, [])
        given = [(row["sign"], valued, row[valued])] if valued else [(name, name, row[name]) for name in classes]
        for name, column, text in given:
            first = rows.setdefault((*key, name), number)
            if first != number:
                message = f"says {name or 'a class without a name'} again, as row {first} does"
                found.problems.append(Problem(table.name, message, "Keep one of them.", row=number, value=row["file"]))
            elif text.lower() not in _BLANK:
                value = _value(text, kind, table.separator)
                if isinstance(value, str):
                    remedy = "Write 1 or 0." if kind == "presence" else "Write how many there are."
                    fault = Problem(table.name, value, remedy, row=number, column=column, value=text[:80])
                    values.append(ClassValue(name, kind, math.nan, fault))
                else:
                    values.append(ClassValue(name, kind, value))
    for (file, rater), values in said.items():
        found.images.append(Annotation(f"{table.name}, {file}", (file,), values=tuple(values), rater=rater))


def _value(text: str, kind: Kind, separator: str) -> float | str:
    """A cell's value, or what is wrong with it."""
    answer = _YES_AND_NO.get(text.lower()) if kind == "presence" else None
    number = parse_number(text, separator) if answer is None else answer
    if kind == "presence":
        return number if number in {0, 1} else "presence is neither 0 nor 1"
    if isinstance(number, str):
        return number
    return number if number >= 0 and number.is_integer() else "a count is a whole number from zero"

"""One row of a table, read cell by cell; whatever is wrong is noted with its place and remedy, and reading goes on."""

from __future__ import annotations

import datetime as dt
import difflib
import math
import posixpath
import re
from collections.abc import Collection
from dataclasses import dataclass

from trichotrack.labels.spreadsheet import Table
from trichotrack.problems import Problem

_NUMBER = re.compile(r"[+-]?([0-9]+([.,][0-9]*)?|[.,][0-9]+)([eE][+-]?[0-9]+)?\Z")
_THOUSANDS = re.compile(r"[+-]?[0-9]{1,3}(,[0-9]{3})+\Z")
_ISO = re.compile(r"([0-9]{4})[-/.]([0-9]{1,2})[-/.]([0-9]{1,2})([ T].*)?\Z")
_PARTIAL_ISO = re.compile(r"([0-9]{4})(-(0[1-9]|1[0-2]))?\Z")
_COMPACT_ISO = re.compile(r"((?:19|20)[0-9]{2})([0-9]{2})([0-9]{2})\Z")
_YEAR_LAST = re.compile(r"([0-9]{1,2})[-/. ]+([0-9]{1,2})[-/. ]+([0-9]{4})\Z")


def parse_number(text: str, separator: str = "") -> float | str:
    """Text as a finite number, or what is wrong with it.

    A comma is a decimal comma; in a table separated by commas, 1,234 may be either and is refused.
    """
    plain = text.replace("\u2212", "-").replace("\xa0", "")
    if separator == "," and _THOUSANDS.match(plain):
        return f"may be {plain.replace(',', '')} or {plain.replace(',', '.', 1)}"
    if plain.lower().lstrip("+-") in {"nan", "inf", "infinity"}:
        return "is not a finite number"
    if not _NUMBER.match(plain):
        return "is not a number"
    number = float(plain.replace(",", "."))
    return number if math.isfinite(number) else "is not a finite number"


def parse_date(text: str) -> tuple[str, str]:
    """(ISO date or partial ISO date, what is wrong or ""). Day and month are never guessed."""
    if _PARTIAL_ISO.match(text):
        return text, ""
    if match := _ISO.match(text) or _COMPACT_ISO.match(text):
        candidates = [(int(match[1]), int(match[2]), int(match[3]))]
    elif match := _YEAR_LAST.match(text):
        first, second, year = int(match[1]), int(match[2]), int(match[3])
        candidates = [(year, second, first), (year, first, second)]
    else:
        return "", "is not a date"
    found = sorted({day for parts in candidates if (day := _day(parts))})
    if not found:
        return "", "is not a date of the calendar"
    if len(found) > 1:
        return "", f"may be {' or '.join(found)}"
    return found[0], ""


def _day(parts: tuple[int, int, int]) -> str:
    try:
        return dt.date(*parts).isoformat()
    except ValueError:
        return ""


def parse_path(text: str) -> tuple[str, str]:
    """(path inside the folder, with `/`; what is wrong or "")."""
    path = text.replace("\\", "/")
    if path.startswith("/") or re.match(r"[A-Za-z]:", path):
        return "", "is an absolute path"
    path = posixpath.normpath(path)
    if path == ".." or path.startswith("../"):
        return "", "leads out of the folder"
    return path, ""


@dataclass
class Row:
    """A row under reading. `ok` turns False once one of its cells cannot be used."""

    table: Table
    number: int
    cells: dict[str, str]
    problems: list[Problem]
    ok: bool = True

    def fault(self, column: str, message: str, remedy: str) -> None:
        self.ok = False
        value = self.cells.get(column, "")
        self.problems.append(Problem(self.table.name, message, remedy, row=self.number, column=column, value=value))

    def text(self, column: str, *, required: bool = False) -> str:
        text = self.cells.get(column, "")
        if required and column not in self.cells:
            self.ok = False  # the missing column itself is noted once, in the header
        elif required and not text:
            self.fault(column, "the cell is empty", "Fill it in.")
        return text

    def optional_number(self, column: str) -> float | None:
        """None where blank or (noted) not a number."""
        text = self.cells.get(column, "")
        if not text:
            return None
        number = parse_number(text, self.table.separator)
        if isinstance(number, str):
            self.fault(column, number, "Write a number such as 412.5, without unit or thousands mark.")
            return None
        return number

    def positive_number(self, column: str) -> float | None:
        number = self.optional_number(column)
        if number is not None and number <= 0:
            self.fault(column, "is not above zero", "Write a positive number, or leave the cell empty.")
            return None
        return number

    def number_at(self, column: str) -> float:
        """A number that must be there; NaN (noted) where it is not."""
        number = self.optional_number(column) if self.text(column, required=True) else None
        return math.nan if number is None else number

    def date(self, column: str) -> str:
        text = self.cells.get(column, "")
        if not text:
            return ""
        date, fault = parse_date(text)
        if fault:
            self.fault(column, fault, "Write it as 2026-03-04 (year-month-day).")
        return date

    def path(self, column: str, *, required: bool = False) -> str:
        text = self.text(column, required=required)
        if not text:
            return ""
        path, fault = parse_path(text)
        if fault:
            self.fault(column, fault, "Write it relative to the folder of the tables, such as images/a.jpg.")
        return path

    def choice(self, column: str, choices: Collection[str], what: str, remedy: str = "") -> str:
        text = self.text(column, required=True)
        if text and text not in choices:
            near = difflib.get_close_matches(text.lower(), choices, n=1)
            remedy = remedy or f"Write one of {', '.join(choices)}."
            self.fault(column, f"is not a {what}", f"Did you mean {near[0]}? {remedy}" if near else remedy)
        return text


def rows_of(table: Table, problems: list[Problem]) -> list[Row]:
    """The rows of a table, ready to be read."""
    return [Row(table, number, dict(zip(table.columns, cells, strict=True)), problems) for number, cells in table.rows]

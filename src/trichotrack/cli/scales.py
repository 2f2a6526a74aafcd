"""A table of scales: which capture has how many µm per pixel, and how the scalp was prepared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from trichotrack.geometry import Scale
from trichotrack.labels.cells import Row, rows_of
from trichotrack.labels.spreadsheet import read_table
from trichotrack.problems import InputError, Problem
from trichotrack.signs import REFUSED_BY_PREPARATION

COLUMNS = ("file", "um_per_px", "field_width_mm", "preparation")


@dataclass(frozen=True)
class ScaleRow:
    """One line: um_per_px or field_width_mm, and the preparation ("" where the table has none)."""

    file: str
    um_per_px: float | None
    field_width_mm: float | None
    preparation: str

    def scale(self, width_px: int) -> Scale | None:
        """Of a capture width_px wide; None where the line gives none."""
        if self.um_per_px is not None:
            return Scale(self.um_per_px, "table")
        if self.field_width_mm is not None:
            return Scale(Scale.from_field_width(self.field_width_mm, width_px).um_per_px, "table")
        return None


def read_scales(path: Path) -> list[ScaleRow]:
    """The lines of a CSV or .xlsx table with `file` and `um_per_px` or `field_width_mm`; captures.csv is one.

    Raises InputError with all that is wrong in it.
    """
    problems: list[Problem] = []
    table = read_table(path, COLUMNS, ("file",), problems) if path.is_file() else None
    if table is None:
        raise InputError(problems or Problem(str(path), "does not exist", "Name a table with file and um_per_px."))
    found = [_row(row) for row in rows_of(table, problems)]
    if not {"um_per_px", "field_width_mm"} & set(table.columns):
        problems.append(Problem(table.name, "has neither um_per_px nor field_width_mm", "Add one of the columns."))
    if problems:
        raise InputError(problems)
    return found


def _row(row: Row) -> ScaleRow:
    um_per_px, field_width_mm = row.optional_number("um_per_px"), row.optional_number("field_width_mm")
    if um_per_px is not None:
        try:
            Scale(um_per_px, "table")
        except InputError as error:
            row.fault("um_per_px", str(error).partition(". ")[0], "Give micrometres per pixel of the original image.")
    if field_width_mm is not None and not 0 < field_width_mm < 1000:
        row.fault("field_width_mm", "is not the width of a field in mm", "Give the width of the whole image in mm.")
    preparation = row.text("preparation").lower()
    if preparation and preparation not in REFUSED_BY_PREPARATION:
        row.fault("preparation", "is not a preparation", f"Use one of {', '.join(REFUSED_BY_PREPARATION)}.")
    return ScaleRow(row.text("file", required=True).replace("\\", "/"), um_per_px, field_width_mm, preparation)


def rows_for(captures: Sequence[Path], rows: Sequence[ScaleRow], table: Path) -> dict[Path, ScaleRow]:
    """The line of each capture that has one: by path from the table's folder or from here, else by a name alone.

    A name without folder that several captures bear says nothing of any of them. Raises InputError where two lines
    speak of one capture and differ.
    """
    by_path: dict[Path, list[ScaleRow]] = {}
    for row in rows:
        for base in (table.parent, Path()):
            by_path.setdefault((base / row.file).resolve(), []).append(row)
    bearers: dict[str, int] = {}
    for capture in captures:
        bearers[capture.name] = bearers.get(capture.name, 0) + 1
    by_name: dict[str, list[ScaleRow]] = {}
    for row in rows:
        if "/" not in row.file and bearers.get(row.file) == 1:
            by_name.setdefault(row.file, []).append(row)
    found: dict[Path, ScaleRow] = {}
    problems = []
    for capture in captures:
        lines = dict.fromkeys(by_path.get(capture.resolve()) or by_name.get(capture.name) or [])
        if len(lines) > 1:
            problems.append(Problem(table.name, f"says two things of {capture.as_posix()}", "Keep one of the lines."))
        elif lines:
            found[capture] = next(iter(lines))
    if problems:
        raise InputError(problems)
    return found

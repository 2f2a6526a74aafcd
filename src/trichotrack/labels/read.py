"""Reading a labelled folder: every problem of its tables is found and raised at once."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from trichotrack.labels import rows
from trichotrack.labels.rows import Numbered
from trichotrack.labels.signs_file import read_signs
from trichotrack.labels.spreadsheet import Table, find_table, read_table
from trichotrack.labels.tables import CaptureRow, LabelRow, LabelSet, ObjectRow
from trichotrack.problems import InputError, Problem
from trichotrack.signs import SIGN, Sign

STEMS = ("captures", "labels", "objects")
ROWS_NAMED = 5


@dataclass(frozen=True)
class ParsedFolder:
    """What can be read of a folder, and what is wrong with it. names: the file of each table."""

    folder: Path
    captures: Numbered[CaptureRow]
    labels: Numbered[LabelRow]
    objects: Numbered[ObjectRow]
    signs: Mapping[str, Sign]
    names: Mapping[str, str]
    problems: list[Problem]

    @property
    def labelset(self) -> LabelSet:
        """To be used only where there are no problems."""
        return LabelSet(
            folder=self.folder,
            captures=tuple(row for _, row in self.captures),
            labels=tuple(row for _, row in self.labels),
            objects=tuple(row for _, row in self.objects),
            signs=self.signs,
        )


def read_labels(folder: Path, *, check_images: bool = False) -> LabelSet:
    """The labelled data of a folder: captures, labels and objects as .csv or .xlsx, and signs.yaml.

    check_images: also open every image (slow), as `check_labels` does. Raises InputError with all problems found.
    """
    parsed = parse_folder(folder)
    problems = list(parsed.problems)
    if check_images:
        from trichotrack.labels.check_images import image_problems

        problems += image_problems(parsed)
    if problems:
        raise InputError(problems)
    return parsed.labelset


def parse_folder(folder: Path) -> ParsedFolder:
    """Everything that can be read of a folder's tables, with every problem of them."""
    folder = Path(folder)
    problems: list[Problem] = []
    if not folder.is_dir():
        remedy = "Name the folder that holds captures.csv, labels.csv and objects.csv."
        return ParsedFolder(folder, [], [], [], SIGN, {}, [Problem(str(folder), "is not a folder", remedy)])
    signs, signs_known = read_signs(folder / "signs.yaml", problems)
    tables = {stem: _table(folder, stem, problems, required=stem != "objects") for stem in STEMS}
    names = {stem: table.name if table else f"{stem}.csv" for stem, table in tables.items()}
    captures_table, labels_table, objects_table = (tables[stem] for stem in STEMS)
    known = signs if signs_known else None
    captures = rows.captures_from(captures_table, problems) if captures_table else []
    labels = rows.labels_from(labels_table, known, problems) if labels_table else []
    objects = rows.objects_from(objects_table, known, problems) if objects_table else []
    if captures_table and "file" in captures_table.columns:
        rows.refuse_unlisted(names, captures, labels, objects, problems)
    if labels_table and not {"file", "sign", "level"} - set(labels_table.columns):
        rows.refuse_unlabelled(names, captures, labels, objects, problems)
    return ParsedFolder(folder, captures, labels, objects, signs, names, condensed(problems))


def condensed(problems: Iterable[Problem]) -> list[Problem]:
    """Problems, those that differ in nothing but the row told once with the rows they are in."""
    alike: dict[Problem, list[Problem]] = {}
    for problem in problems:
        alike.setdefault(dataclasses.replace(problem, row=None), []).append(problem)
    return [_with_rows(group) for group in alike.values()]


def _with_rows(group: list[Problem]) -> Problem:
    first, further = group[0], [problem.row for problem in group[1:]]
    if not further:
        return first
    named = ", ".join(str(row) for row in further[:ROWS_NAMED])
    more = f" and {len(further) - ROWS_NAMED} more" if len(further) > ROWS_NAMED else ""
    return dataclasses.replace(first, message=f"{first.message}; the same in row {named}{more}")


def _table(folder: Path, stem: str, problems: list[Problem], *, required: bool) -> Table | None:
    path = find_table(folder, stem, problems, required=required)
    return read_table(path, rows.COLUMNS[stem], rows.REQUIRED[stem], problems) if path else None

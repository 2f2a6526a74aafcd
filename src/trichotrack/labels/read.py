"""Reading a labelled folder: every problem of its tables is found and raised at once."""

from __future__ import annotations

from pathlib import Path

from trichotrack.labels import rows
from trichotrack.labels.signs_file import read_signs
from trichotrack.labels.spreadsheet import Table, read_table
from trichotrack.labels.tables import LabelSet
from trichotrack.problems import InputError, Problem


def read_labels(folder: Path, *, check_images: bool = False) -> LabelSet:
    """The labelled data of a folder: captures, labels and objects as .csv or .xlsx, and signs.yaml.

    check_images: also open every image (slow), as `check_labels` does. Raises InputError with all problems found.
    """
    labelset, problems = parse_folder(folder)
    if check_images:
        from trichotrack.labels.check import image_problems

        problems += image_problems(labelset)
    if problems:
        raise InputError(problems)
    return labelset


def parse_folder(folder: Path) -> tuple[LabelSet, list[Problem]]:
    """What can be read of a folder, and every problem of its tables."""
    folder = Path(folder)
    problems: list[Problem] = []
    if not folder.is_dir():
        remedy = "Name the folder that holds captures.csv, labels.csv and objects.csv."
        return LabelSet(folder, (), (), ()), [Problem(str(folder), "is not a folder", remedy)]
    signs = read_signs(folder / "signs.yaml", problems)
    tables = {
        stem: _table(folder, stem, problems, required=stem != "objects") for stem in ("captures", "labels", "objects")
    }
    captures = [] if tables["captures"] is None else rows.captures_from(tables["captures"], problems)
    labels = [] if tables["labels"] is None else rows.labels_from(tables["labels"], signs, problems)
    objects = [] if tables["objects"] is None else rows.objects_from(tables["objects"], signs, problems)
    if tables["captures"] is not None and tables["labels"] is not None:
        names = {stem: table.name if table else f"{stem}.csv" for stem, table in tables.items()}
        rows.refuse_contradictions(names, captures, labels, objects, problems)
    labelset = LabelSet(
        folder=folder,
        captures=tuple(row for _, row in captures),
        labels=tuple(row for _, row in labels),
        objects=tuple(row for _, row in objects),
        signs=signs,
    )
    return labelset, problems


def _table(folder: Path, stem: str, problems: list[Problem], *, required: bool) -> Table | None:
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
    return read_table(found[0], rows.COLUMNS[stem], rows.REQUIRED[stem], problems)

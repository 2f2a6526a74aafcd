"""Whose each capture is and when it was taken: by the pattern of its name, by a table, or not known at all."""

from __future__ import annotations

import dataclasses
import re
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any, cast

from trichotrack.labels.cells import parse_date
from trichotrack.labels.file_names import NamePattern
from trichotrack.labels.importers.common import ImportOptions
from trichotrack.labels.importers.images import ImageIndex
from trichotrack.labels.patients import FILE, PATIENT_SOURCE
from trichotrack.labels.rows import CAPTURE_COLUMNS, captures_from
from trichotrack.labels.spreadsheet import Table, read_table
from trichotrack.labels.tables import CaptureRow
from trichotrack.problems import InputError, Problem

CAPTURE_FIELDS = ("patient", "visit", "site", "field", "date", "device", "split")
EXAMPLES_SHOWN = 5
_NOT_OF_NAMES = ("file", "um_per_px", "preparation", "valid_area", PATIENT_SOURCE)

_NOBODY = "\x00"
"""Stands for a blank patient while a table is read."""

Examples = list[tuple[str, Mapping[str, str]]]


def identify(
    names: Sequence[str],
    available: Collection[str],
    options: ImportOptions,
    problems: list[Problem],
    *,
    not_kept: Collection[str] = (),
) -> tuple[list[CaptureRow], Examples]:
    """(a row for each of names, with file = name; the first names with what was read from them).

    names: paths of the annotated images, with `/`; available: of all images there are. not_kept: columns of the
    table that are no property of the capture. Notes every name that tells no patient as a problem.
    """
    if options.pattern and options.table:
        raise InputError("--pattern and --table are given, and both tell the patients. Give one.")
    preparation = cast("Any", options.preparation or options.class_map.preparation)
    plain = CaptureRow("", "", um_per_px=options.um_per_px, preparation=preparation)
    if options.table:
        rows = _from_table(names, available, options, plain, problems, not_kept)
    elif options.pattern:
        rows = _from_names(names, options, plain, problems)
    else:
        rows = [dataclasses.replace(plain, file=name) for name in names]
        if not options.file_is_patient:
            problems.append(
                Problem(
                    "patients",
                    "are unknown: without them no split can keep a patient's captures together",
                    "Say how file names are built (--pattern '{patient}_{n}'), or give a table with the columns file "
                    "and patient (--table captures.xlsx). Where nobody knows, --file-is-patient counts each file as a "
                    "patient, and every figure will say so.",
                )
            )
    examples: Examples = [(row.file, _told(row)) for row in rows[:EXAMPLES_SHOWN]]
    if options.file_is_patient:
        rows = _files_as_patients(rows)
    return rows, examples


def alike(patients: Collection[str]) -> list[str]:
    """Patients whose names differ in capitals, marks or leading zeros alone: perhaps one person under two names."""
    groups: dict[str, set[str]] = defaultdict(set)
    for patient in patients:
        bare = re.sub(r"(?<![0-9])[\W_]+|[\W_]+(?![0-9])", "", patient.casefold())  # 1-1 is not 11
        groups[re.sub(r"(?<![0-9])0+(?=[0-9])", "", bare)].add(patient)
    return [" and ".join(sorted(group)) for group in groups.values() if len(group) > 1]


def _told(row: CaptureRow) -> dict[str, str]:
    told = {name: getattr(row, name) for name in CAPTURE_FIELDS}
    return {name: cell for name, cell in {**told, **row.extra}.items() if cell}


def _files_as_patients(rows: list[CaptureRow]) -> list[CaptureRow]:
    """Where no patient is told, the file's path without ending (with it, where two files differ in nothing else)."""
    stems = Counter(PurePosixPath(row.file).with_suffix("").as_posix() for row in rows)

    def stamped(row: CaptureRow) -> CaptureRow:
        if row.patient:
            return row
        stem = PurePosixPath(row.file).with_suffix("").as_posix()
        patient = stem if stems[stem] == 1 else row.file
        return dataclasses.replace(row, patient=patient, extra={**row.extra, PATIENT_SOURCE: FILE})

    return [stamped(row) for row in rows]


def _from_names(
    names: Sequence[str], options: ImportOptions, plain: CaptureRow, problems: list[Problem]
) -> list[CaptureRow]:
    pattern = NamePattern(options.pattern)
    if "patient" not in pattern.fields and not options.file_is_patient:
        raise InputError(f"the pattern {options.pattern!r} has no {{patient}}: splits keep patients apart.")
    taken = [name for name in _NOT_OF_NAMES if name in pattern.fields]
    if taken:
        raise InputError(f"the pattern {options.pattern!r} names {', '.join(taken)}, which no file name gives.")
    rows = []
    for name in names:
        fields, fault = pattern.read(name)
        if not fault and fields.get("date"):
            fields["date"], fault = parse_date(fields["date"])
            fault = fault and f"the date {fault}: say how it is written, such as {{date:%d%m%Y}}"
        if fault:
            problems.append(Problem("file name", fault, "Rename it or mend the pattern.", value=name))
            fields = {}
        known = {key: text for key, text in fields.items() if key in CAPTURE_FIELDS}
        extra = {key: text for key, text in fields.items() if key not in CAPTURE_FIELDS}
        rows.append(dataclasses.replace(plain, file=name, extra=extra, **cast("dict[str, Any]", known)))
    return rows


def _from_table(
    names: Sequence[str],
    available: Collection[str],
    options: ImportOptions,
    plain: CaptureRow,
    problems: list[Problem],
    not_kept: Collection[str],
) -> list[CaptureRow]:
    path = options.table
    if path is None or not path.is_file():
        raise InputError(Problem(str(path), "is not a file", "Name the table of the captures (.csv or .xlsx)."))
    required = ("file",) if options.file_is_patient else ("file", "patient")
    before = len(problems)
    table = read_table(path, CAPTURE_COLUMNS, required, problems)
    if table is None or len(problems) > before:
        return [dataclasses.replace(plain, file=name) for name in names]
    told = captures_from(_with_patients(table) if options.file_is_patient else table, problems)
    index, all_index = ImageIndex(names), ImageIndex(available)
    found: dict[str, list[tuple[int, CaptureRow]]] = defaultdict(list)
    for number, row in told:
        matches = index.find([row.file])
        place = Problem(table.name, "", row=number, column="file", value=row.file)
        if len(matches) > 1:
            several = f"may be one of several images ({', '.join(matches)})"
            problems.append(dataclasses.replace(place, message=several, remedy="Write it with its folder."))
        elif matches:
            found[matches[0]].append((number, row))
        elif not all_index.find([row.file]):
            remedy = "Mend the name, put the image there, or remove the row."
            problems.append(dataclasses.replace(place, message="is not among the images", remedy=remedy))
    rows = []
    for name in names:
        given = found.get(name, [])
        if len(given) != 1:
            twice = f"is in rows {', '.join(str(number) for number, _ in given)}"
            message = twice if given else "is annotated, and has no row"
            remedy = "Keep one of them." if given else "Add a row for it."
            problems.append(Problem(table.name, message, remedy, column="file", value=name))
        rows.append(_merged(name, given[0][1], table.columns, plain, not_kept) if given else _named(plain, name))
    return rows


def _with_patients(table: Table) -> Table:
    """The table with every blank patient named as nobody, so that its other cells are read as usual."""
    columns = table.columns if "patient" in table.columns else (*table.columns, "patient")
    place = columns.index("patient")
    rows = []
    for number, cells in table.rows:
        padded = [*cells, ""][: len(columns)]
        padded[place] = padded[place] or _NOBODY
        rows.append((number, tuple(padded)))
    return dataclasses.replace(table, columns=columns, rows=tuple(rows))


def _named(plain: CaptureRow, name: str) -> CaptureRow:
    return dataclasses.replace(plain, file=name)


def _merged(
    name: str, row: CaptureRow, columns: Collection[str], plain: CaptureRow, not_kept: Collection[str]
) -> CaptureRow:
    """A table's row for the image called name; what it leaves blank is as the options say."""
    return dataclasses.replace(
        row,
        file=name,
        patient="" if row.patient == _NOBODY else row.patient,
        um_per_px=plain.um_per_px if row.um_per_px is None else row.um_per_px,
        preparation=row.preparation if "preparation" in columns else plain.preparation,
        extra={key: text for key, text in row.extra.items() if key not in not_kept},
    )

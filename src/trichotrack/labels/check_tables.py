"""What the tables show without any picture: people who may be one, and structures marked twice."""

from __future__ import annotations

import re
from collections import defaultdict
from pathlib import PurePosixPath

import numpy as np

from trichotrack.labels.read import ParsedFolder
from trichotrack.labels.tables import ObjectRow
from trichotrack.problems import Problem

SPOT_UM = 5.0
"""Roots of one group nearer than this are one structure marked twice, or two hairs of one opening: 1 of 9,738 objects
of hair-follicles-70x is so near to another, and is a second hair."""

SPOT_PX = 2.0
"""The same where there is no scale."""

MOST_IN_A_CELL = 8
"""Objects remembered in a square of that side: enough to find those near another, however many are at one spot."""

FEW = 5
"""Captures below which file names that serve as patients are no news."""


def patient_problems(parsed: ParsedFolder) -> tuple[list[Problem], list[Problem]]:
    """(errors, warnings): patients spelt in two ways, and file names in place of patients."""
    table = parsed.names.get("captures", "captures.csv")
    if not parsed.captures and not parsed.problems:
        return [Problem(table, "lists no capture", "Write one line for each capture.")], []
    warnings = []
    spelt: dict[str, tuple[int, str]] = {}
    told = set()
    for number, row in parsed.captures:
        if not row.patient:
            continue
        first = spelt.setdefault(_plain(row.patient), (number, row.patient))
        if first[1] != row.patient and row.patient not in told:
            told.add(row.patient)
            warnings.append(
                Problem(
                    table,
                    f"is spelt nearly as {first[1]} in row {first[0]}: are they one person?",
                    "If so, spell them alike: splits keep apart what is spelt differently.",
                    row=number,
                    column="patient",
                    value=row.patient,
                )
            )
    named = [row for _, row in parsed.captures if row.patient]
    if len(named) >= FEW and all(row.patient == PurePosixPath(row.file).stem for row in named):
        warnings.append(
            Problem(
                table,
                f"the patient of each of the {len(named)} captures is its file name: captures of one person cannot be "
                "kept in one split, and figures would look better than they are",
                "Fill in who each capture is of; if each is of another person, this is right.",
                column="patient",
                value=named[0].patient,
            )
        )
    return [], warnings


def _plain(patient: str) -> str:
    """Without what is easily typed otherwise: case, spaces and punctuation, leading zeros."""
    letters = re.sub(r"[^\w]|_", "", patient.casefold())
    return re.sub(r"(?<!\d)0+(?=\d)", "", letters) or patient


def spot_problems(parsed: ParsedFolder) -> tuple[list[Problem], list[Problem]]:
    """(errors, warnings): the same structure listed twice, and two of one group at one place."""
    table = parsed.names.get("objects", "objects.csv")
    scale = {row.file: row.um_per_px for _, row in parsed.captures}
    groups: dict[tuple[str, str, str], list[tuple[int, ObjectRow]]] = defaultdict(list)
    for number, marked in parsed.objects:
        sign = parsed.signs.get(marked.sign)
        if np.isfinite((marked.x, marked.y)).all():
            apart = marked.sign if sign is None or sign.group is None else f"group {sign.group}"
            groups[marked.file, marked.rater, apart].append((number, marked))
    errors, warnings = [], []
    for (file, _, _), members in groups.items():
        um = scale.get(file)
        within_px = SPOT_UM / um if um else SPOT_PX
        for i, j in _near(members, within_px):
            (first, one), (second, other) = members[i], members[j]
            place = Problem(table, "", "", row=second, column="x", value=f"{other.x:g}, {other.y:g}")
            if (one.sign, one.x, one.y, one.tip_x, one.tip_y) == (
                other.sign, other.x, other.y, other.tip_x, other.tip_y,
            ):  # fmt: skip
                errors.append(
                    _said(place, f"is the same {other.sign} in {file} as row {first}", "Remove one: it counts twice.")
                )
            else:
                distance_px = float(np.hypot(one.x - other.x, one.y - other.y))
                apart = f"{distance_px * um:.1f} µm" if um else f"{distance_px:.1f} px"
                warnings.append(
                    _said(
                        place,
                        f"{other.sign} in {file} is {apart} from the {one.sign} of row {first}",
                        "One structure has one sign and one row; two hairs of one opening may be so near.",
                    )
                )
    return errors, warnings


def _said(place: Problem, message: str, remedy: str) -> Problem:
    return Problem(place.place, message, remedy, row=place.row, column=place.column, value=place.value)


def _near(members: list[tuple[int, ObjectRow]], within_px: float) -> list[tuple[int, int]]:
    """(j, i), j before i: for each position i the first earlier one within within_px. Time grows with their number."""
    cells: dict[tuple[int, int], list[int]] = defaultdict(list)
    pairs = []
    for i, (_, one) in enumerate(members):
        column, line = int(one.x // within_px), int(one.y // within_px)
        beside = (j for dx in (-1, 0, 1) for dy in (-1, 0, 1) for j in cells.get((column + dx, line + dy), ()))
        near = (j for j in beside if np.hypot(members[j][1].x - one.x, members[j][1].y - one.y) <= within_px)
        earlier = next(near, None)
        if earlier is not None:
            pairs.append((earlier, i))
        if len(cells[column, line]) < MOST_IN_A_CELL:
            cells[column, line].append(i)
    return pairs

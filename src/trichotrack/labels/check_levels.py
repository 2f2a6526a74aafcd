"""What labels say against one another and against the objects, and signs of which nothing can be learnt."""

from __future__ import annotations

import math
from collections import Counter, defaultdict

from trichotrack.labels.enough import readers_alone
from trichotrack.labels.read import ParsedFolder
from trichotrack.labels.tables import LabelRow
from trichotrack.problems import Problem
from trichotrack.signs import SIGN, refused_by_preparation

Key = tuple[str, str, str]
"""(file, sign, rater)"""

Bounds = tuple[float, float]
"""Fewest and most structures that a label allows."""


def level_problems(parsed: ParsedFolder) -> tuple[list[Problem], list[Problem]]:
    """(errors, warnings) of labels.csv. Objects under `count` or `presence` are found on reading already."""
    objects = Counter((marked.file, marked.sign, marked.rater) for _, marked in parsed.objects)
    rows: dict[Key, tuple[int, LabelRow]] = {
        (label.file, label.sign, label.rater): (number, label) for number, label in parsed.labels
    }
    bounds = {key: _bounds(label, objects[key]) for key, (_, label) in rows.items()}
    errors, warnings = _families(parsed, rows, bounds)
    table = parsed.names.get("labels", "labels.csv")
    for key, (number, label) in rows.items():
        if label.level == "partial" and not objects[key]:
            warnings.append(
                Problem(
                    table,
                    "partial says that some are marked, and none is: nothing can be learnt of it here",
                    "Mark some, write exhaustive if there are none, or remove the row.",
                    row=number,
                    column="level",
                    value=f"{label.sign}, partial",
                )
            )
    if alone := readers_alone((label for _, label in parsed.labels), table):
        warnings.append(alone)
    return errors, warnings + _empty(parsed, bounds) + _unseen(parsed, rows, bounds)


def _bounds(label: LabelRow, objects: int) -> Bounds:
    if label.level == "exhaustive":
        return objects, objects
    if label.level == "count" and label.value is not None:
        return label.value, label.value
    if label.level == "presence" and label.value == 0:
        return 0, 0
    return (1 if label.level == "presence" else objects), math.inf


def _families(
    parsed: ParsedFolder, rows: dict[Key, tuple[int, LabelRow]], bounds: dict[Key, Bounds]
) -> tuple[list[Problem], list[Problem]]:
    """A sign against its kinds: fewer hairs than thick hairs cannot be; more than all kinds together is odd."""
    children: dict[str, list[str]] = defaultdict(list)
    for sign in parsed.signs.values():
        if sign.parent is not None:
            children[sign.parent].append(sign.name)
    table = parsed.names.get("labels", "labels.csv")
    errors: list[Problem] = []
    warnings: list[Problem] = []
    for (file, name, rater), (number, label) in rows.items():
        if name not in children:
            continue
        of_kinds = [bounds.get((file, child, rater), (0, math.inf)) for child in children[name]]
        fewest, most = (sum(bound[end] for bound in of_kinds) for end in (0, 1))
        least, largest = bounds[file, name, rater]
        kinds = ", ".join(children[name])
        said = f"{label.level}{'' if label.value is None else f' {label.value:g}'}"
        if largest < fewest:
            message = f"{largest:g} {name} in {file} ({said}), while its kinds ({kinds}) are at least {fewest:g}"
            found = errors
        elif least > most:
            message = f"{least:g} {name} in {file} ({said}), while its kinds ({kinds}) are {most:g} together"
            found = warnings
        else:
            continue
        remedy = f"Mend one of them, or leave the row of {name} away: it follows from its kinds."
        found.append(Problem(table, message, remedy, row=number, column="sign", value=name))
    return errors, warnings


def _empty(parsed: ParsedFolder, bounds: dict[Key, Bounds]) -> list[Problem]:
    """Signs that are declared and never labelled, or labelled and nowhere there."""
    labelled: dict[str, int] = defaultdict(int)
    there: dict[str, float] = defaultdict(float)
    for (_, name, _), (fewest, _) in bounds.items():
        labelled[name] += 1
        there[name] += fewest
    parents = {sign.parent for sign in parsed.signs.values()}
    problems = [
        Problem(
            "signs.yaml",
            "the sign is declared, and no capture is labelled for it",
            "Label it, or remove it: a class without an example is not learnt.",
            column="signs",
            value=name,
        )
        for name in parsed.signs
        if name not in SIGN and name not in parents and name not in labelled
    ]
    table = parsed.names.get("labels", "labels.csv")
    first = {label.sign: number for number, label in reversed(parsed.labels)}
    problems += [
        Problem(
            table,
            f"{name} is labelled in {count} captures and there in none: nothing is learnt or measured of it",
            "Right if it does not occur here; then leave it out of a training's signs.",
            row=first[name],
            column="sign",
            value=name,
        )
        for name, count in labelled.items()
        if not there[name]
    ]
    return problems


def _unseen(parsed: ParsedFolder, rows: dict[Key, tuple[int, LabelRow]], bounds: dict[Key, Bounds]) -> list[Problem]:
    """Signs said to be there that the preparation of the scalp imitates, or that the scale is too coarse to show."""
    table = parsed.names.get("labels", "labels.csv")
    captures = {capture.file: capture for _, capture in parsed.captures if capture.preparation}
    problems = []
    for key, (number, label) in rows.items():
        capture, sign = captures.get(label.file), parsed.signs.get(label.sign)
        if capture is None or sign is None or bounds[key][0] == 0:
            continue
        reason = refused_by_preparation(sign, capture.preparation)
        remedy = "A trained model will refuse it there; check the preparation, or leave the row away."
        if reason is None and capture.um_per_px is not None:
            reason = sign.too_coarse(capture.um_per_px)
            remedy = "A trained model will refuse it there; check um_per_px, or leave the row away."
        if reason:
            problems.append(
                Problem(table, f"it cannot be judged: {reason}", remedy, row=number, column="sign", value=label.sign)
            )
    return problems

"""The readers of labelled folders, brought side by side: which of them says what of which capture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from trichotrack.labels.derive import with_parents
from trichotrack.labels.tables import CaptureRow, LabelRow, LabelSet, ObjectRow
from trichotrack.problems import InputError, Problem
from trichotrack.signs import Sign

REFERENCE = "reference"
"""How a blank rater is called."""


@dataclass(frozen=True)
class Reader:
    """One reader. labels: by (file, sign). objects: by file. Parents of signs are derived as in training."""

    name: str
    labels: Mapping[tuple[str, str], LabelRow]
    objects: Mapping[str, list[ObjectRow]]

    def marked(self, file: str, sign: str) -> list[ObjectRow] | None:
        """All objects of sign in the capture; None where this reader does not say that it is all of them."""
        label = self.labels.get((file, sign))
        if label is None or label.level != "exhaustive":
            return None
        return [one for one in self.objects.get(file, []) if one.sign == sign]

    def count(self, file: str, sign: str) -> int | None:
        """How many there are; None where this reader does not say."""
        label = self.labels.get((file, sign))
        if label is not None and label.level == "count":
            return round(label.value or 0)
        found = self.marked(file, sign)
        return None if found is None else len(found)


@dataclass(frozen=True)
class Readings:
    """Readers of one set of captures, by file; signs: all that may be named, a parent after its children."""

    captures: Mapping[str, CaptureRow]
    signs: Mapping[str, Sign]
    readers: tuple[Reader, ...]


def readers_of(labelsets: Sequence[LabelSet], wanted: Sequence[str] = ()) -> Readings:
    """Every rater of the folders as a reader, or those wanted, in that order.

    A blank rater is called `reference`, or by its folder where there are several folders. A capture is the same in
    two folders where its file is called the same. Raises InputError with all reasons: a reader that is not there,
    fewer than two, a capture that two folders give to different patients or scales.
    """
    sets = [with_parents(labelset) for labelset in labelsets]
    problems: list[Problem] = []
    captures: dict[str, CaptureRow] = {}
    signs: dict[str, Sign] = {}
    for labelset in sets:
        for name, sign in labelset.signs.items():
            known = signs.setdefault(name, sign)
            if (known.group, known.parent) != (sign.group, sign.parent):
                message = f"{name} has another group or parent than in {sets[0].folder}"
                problems.append(Problem(f"{labelset.folder}/signs.yaml", message, "Declare it the same in both."))
        for capture in labelset.captures:
            problems += _differing(captures.setdefault(capture.file, capture), capture, labelset)
    found = _named(sets)
    problems += [
        Problem("readers", f"{name} read none of it", f"Name some of {', '.join(found)}.")
        for name in wanted
        if name not in found
    ]
    chosen = [found[name] for name in dict.fromkeys(wanted or found) if name in found]
    if len(chosen) < 2 and not problems:
        folders = ", ".join(str(labelset.folder) for labelset in sets)
        message = f"{len(chosen)} reader in {folders} ({', '.join(found) or 'none'}); agreement needs two"
        remedy = "Give each reader a name in the rater column (labels.csv and objects.csv), or a folder of their own."
        problems.append(Problem("readers", message, remedy))
    if problems:
        raise InputError(problems)
    return Readings(captures, signs, tuple(chosen))


def _differing(known: CaptureRow, capture: CaptureRow, labelset: LabelSet) -> list[Problem]:
    """What the same capture has otherwise in another folder."""
    remedy = "Correct the captures table of one of the folders."
    return [
        Problem(f"{labelset.folder}/captures", f"{capture.file} has {was!r} in the other folder", remedy,
                column=column, value=str(now))
        for column in ("patient", "um_per_px")
        if (was := getattr(known, column)) != (now := getattr(capture, column))
    ]  # fmt: skip


def _named(sets: Sequence[LabelSet]) -> dict[str, Reader]:
    """Readers by name, in the order of the folders; a name met twice has its folder before it."""
    several = len(sets) > 1
    raters = [(labelset, sorted({label.rater for label in labelset.labels})) for labelset in sets]
    names = [rater for _, of_set in raters for rater in of_set]
    found: dict[str, Reader] = {}
    for labelset, of_set in raters:
        folder = labelset.folder.resolve().name
        for rater in of_set:
            name = rater or (folder if several else REFERENCE)
            if name in found or (rater and names.count(rater) > 1):
                name = f"{folder}/{name}" if f"{folder}/{name}" not in found else f"{labelset.folder}/{name}"
            found[name] = _reader(name, labelset, rater)
    return found


def _reader(name: str, labelset: LabelSet, rater: str) -> Reader:
    objects: dict[str, list[ObjectRow]] = {}
    for marked in labelset.objects:
        if marked.rater == rater:
            objects.setdefault(marked.file, []).append(marked)
    labels = {(label.file, label.sign): label for label in labelset.labels if label.rater == rater}
    return Reader(name, labels, objects)

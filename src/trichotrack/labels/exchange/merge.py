"""What people corrected in a tool, brought back by id: what a person changed wins, and nothing is lost."""

from __future__ import annotations

import dataclasses
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from trichotrack.labels.exchange.marks import SAME_PX, Corrected, Export, Mark, Returned, Sheet, same_place
from trichotrack.labels.tables import LabelRow, LabelSet, ObjectRow
from trichotrack.problems import InputError, Problem

GONE_AT_LEAST = 10
"""So many labels gone at once, and none left, are a file that came back without them, not a correction."""

PLACE = ("x", "y", "tip_x", "tip_y", "box_w", "box_h")
DETAILS = ("root_width_um", "tip_width_um", "rater")


@dataclass(frozen=True)
class MergeSummary:
    """What became of each mark.

    captures: that came back; not_back: exported, but not in the file or not looked at. labels: kept, moved (place, tip,
    box, width or rater), reclassified, deleted. predictions: untouched (not taken), accepted, moved, reclassified,
    deleted. added: marks that a person made. already: marks taken or added by an earlier merge. new_rows: lines added
    to the labels table, by level.
    """

    captures: int
    not_back: int
    labels: Mapping[str, int]
    predictions: Mapping[str, int]
    added: int
    already: int
    new_rows: Mapping[str, int]

    @property
    def changes(self) -> int:
        """Objects that are not as they were in the folder."""
        taken = sum(count for what, count in self.predictions.items() if what in {"accepted", "moved", "reclassified"})
        changed = sum(count for what, count in self.labels.items() if what != "kept")
        return taken + changed + self.added + sum(self.new_rows.values())

    def to_dict(self) -> dict[str, Any]:
        return dataclasses.asdict(self)


@dataclass
class _Merging:
    """A merge under way."""

    labelset: LabelSet
    rater: str
    accept_untouched: bool
    objects: dict[str, ObjectRow]
    problems: list[Problem]
    labels: Counter[str] = field(default_factory=Counter)
    predictions: Counter[str] = field(default_factory=Counter)
    new: list[ObjectRow] = field(default_factory=list)
    undecided: Counter[tuple[str, str]] = field(default_factory=Counter)
    by_kind: dict[tuple[str, str, str], list[ObjectRow]] = field(default_factory=dict)
    last_id: int = 0
    added: int = 0
    already: int = 0

    def __post_init__(self) -> None:
        for row in self.objects.values():
            self.by_kind.setdefault((row.file, row.sign, row.rater), []).append(row)
            # Beyond 15 digits a spreadsheet would not keep a number.
            if row.id.isascii() and row.id.isdecimal() and len(row.id) <= 15:
                self.last_id = max(self.last_id, int(row.id))


def merge(
    labelset: LabelSet,
    export: Export,
    corrected: Corrected,
    *,
    accept_untouched: bool = False,
    exhaustive: bool = False,
    rater: str = "",
) -> tuple[LabelSet, MergeSummary]:
    """The folder with what came back, and what became of each mark.

    A mark is known by its id; one that a tool gave back without an id by its place. accept_untouched: predictions that
    nobody changed are right. exhaustive: in the captures that came back, all of every exported sign is marked now.
    rater: who made or took what is new. A sign new to a capture is labelled `partial`, unless exhaustive.
    Raises InputError with all problems: those of the file, what cannot be placed or named, a mark that was changed both
    there and in the folder since the export, and a level that cannot stand beside objects.
    """
    files = {capture.file for capture in labelset.captures}
    work = _Merging(
        labelset, rater, accept_untouched, {row.id: row for row in labelset.objects}, list(corrected.problems)
    )
    work.problems += [
        Problem("captures", "was exported and is not in the folder any more", "Put it back.", value=sheet.file)
        for sheet in export.sheets
        if sheet.file in corrected.sheets and sheet.file not in files
    ]
    work.problems += _unknown_signs(labelset, corrected)
    back = [sheet for sheet in export.sheets if sheet.file in corrected.sheets and sheet.file in files]
    for sheet in back:
        _merge_sheet(work, sheet, corrected.sheets[sheet.file], corrected.overlooked)
    deleted = work.labels["deleted"]
    if deleted >= GONE_AT_LEAST and deleted == work.labels.total():
        message = f"none of the {deleted} labels that were exported is in it"
        work.problems.append(Problem("export", message, "Load the export into the tool first, labels and all."))
    before = {(label.file, label.sign, label.rater): label for label in labelset.labels}
    objects = [*work.objects.values(), *work.new]
    rows = dict(before)
    if exhaustive:
        _all_marked(rows, export, [sheet.file for sheet in back], objects, work)
    for row in objects:
        _labelled(rows, row, work.problems)
    if work.problems:
        raise InputError(list(dict.fromkeys(work.problems)))
    levels = Counter(label.level for key, label in rows.items() if before.get(key) != label)
    done = dataclasses.replace(labelset, labels=tuple(rows.values()), objects=tuple(objects))
    return done, MergeSummary(
        captures=len(back),
        not_back=len(export.sheets) - len(back),
        labels=_counts(work.labels, ("kept", "moved", "reclassified", "deleted")),
        predictions=_counts(work.predictions, ("untouched", "accepted", "moved", "reclassified", "deleted")),
        added=work.added,
        already=work.already,
        new_rows={str(level): count for level, count in levels.items()},
    )


def _counts(found: Counter[str], names: Sequence[str]) -> dict[str, int]:
    return {name: found[name] for name in names}


def _unknown_signs(labelset: LabelSet, corrected: Corrected) -> list[Problem]:
    met = Counter(one.row.sign for marks in corrected.sheets.values() for one in marks)
    remedy = "Declare it in signs.yaml, or use one of the signs exported."
    return [
        Problem("class", f"is not a sign ({count} marks)", remedy, value=name or "(empty)")
        for name, count in sorted(met.items())
        if name not in labelset.signs
    ]


def _merge_sheet(work: _Merging, sheet: Sheet, returned: Sequence[Returned], overlooked: frozenset[str]) -> None:
    """One capture that came back."""
    known, others = _identified(sheet, returned)
    for mark in sheet.marks:
        found = known.get(mark.row.id)
        row = None if found is None else _settled(found, mark.row)
        if row is not None and found is not None and row != mark.row:
            _check_place(work, sheet, row, found.where)
        if mark.origin == "label":
            _label(work, mark.row, row)
        else:
            _prediction(work, mark, row, found, overlooked)
    for one in others:
        _check_place(work, sheet, one.row, one.where)
        if _take(work, dataclasses.replace(one.row, rater=one.row.rater or work.rater)):
            work.added += 1


def _identified(sheet: Sheet, returned: Sequence[Returned]) -> tuple[dict[str, Returned], list[Returned]]:
    """(by id of what was exported, the marks that are new). Of copies with one id the nearest keeps it."""
    was = {mark.row.id: mark.row for mark in sheet.marks}
    by_id: dict[str, list[Returned]] = {}
    others: list[Returned] = []
    for one in returned:
        (by_id.setdefault(one.row.id, []) if one.row.id in was else others).append(one)
    known: dict[str, Returned] = {}
    for identity, found in by_id.items():
        found.sort(key=lambda one: (_distance(one.row, was[identity]), one.row.sign != was[identity].sign))
        known[identity] = found[0]
        others += found[1:]
    new = []
    for one in others:
        free = [row for identity, row in was.items() if identity not in known]
        near = [row for row in free if not one.row.id and _distance(one.row, row) <= SAME_PX]
        if near:
            known[near[0].id] = one
        else:
            new.append(one)
    return known, new


def _distance(one: ObjectRow, other: ObjectRow) -> float:
    return math.hypot(one.x - other.x, one.y - other.y)


def _settled(found: Returned, was: ObjectRow) -> ObjectRow:
    """What came back under the id it had: what the tool only rounded, or lost, is as it was."""
    values = {name: getattr(found.row, name) for name in (*PLACE, *DETAILS)}
    kept = (
        values if found.detailed else {**values, **{name: getattr(was, name) for name in ("box_w", "box_h", *DETAILS)}}
    )
    for name in (*PLACE, "root_width_um", "tip_width_um"):
        value, before = kept[name], getattr(was, name)
        if value is not None and before is not None and abs(value - before) <= (SAME_PX if name in PLACE else 1e-6):
            kept[name] = before
    return dataclasses.replace(was, sign=found.row.sign, **kept)


def _check_place(work: _Merging, sheet: Sheet, row: ObjectRow, where: str) -> None:
    if 0 <= row.x <= sheet.width and 0 <= row.y <= sheet.height:
        return
    message = f"lies outside the image ({sheet.width}x{sheet.height} px)"
    value = f"{row.x:g}, {row.y:g}"
    work.problems.append(Problem(where, message, "Move it inside, or remove it.", value=value))


def _label(work: _Merging, was: ObjectRow, now: ObjectRow | None) -> None:
    """A label of the folder: was as exported, now as it came back (None: deleted)."""
    here = work.objects.get(was.id)
    if now == was:
        work.labels["kept"] += 1  # and what the folder did since stands
        return
    if here == now:
        work.labels["kept"] += 1  # done before
        return
    if here != was:
        what = "removed" if here is None else "changed"
        message = f"{was.id} in {was.file} was {what} in the folder since the export, and changed in the tool"
        work.problems.append(Problem("objects", message, "Undo one of the two.", column="id", value=was.id))
        return
    if now is None:
        del work.objects[was.id]
        work.labels["deleted"] += 1
        return
    work.objects[was.id] = now
    work.labels["moved" if now.sign == was.sign else "reclassified"] += 1


def _prediction(
    work: _Merging, mark: Mark, now: ObjectRow | None, found: Returned | None, overlooked: frozenset[str]
) -> None:
    """A model's mark: taken only where a person changed it or said that it is right."""
    was = mark.row
    if now is None:
        left = was.id in overlooked
        work.predictions["untouched" if left else "deleted"] += 1
        work.undecided[was.file, was.sign] += left
        return
    if now == was:
        if not (work.accept_untouched or (found is not None and found.origin == "label")):
            work.predictions["untouched"] += 1
            work.undecided[was.file, was.sign] += 1
            return
        what = "accepted"
    else:
        what = "moved" if now.sign == was.sign else "reclassified"
    if _take(work, dataclasses.replace(now, rater=now.rater or work.rater)):
        work.predictions[what] += 1


def _take(work: _Merging, row: ObjectRow) -> bool:
    """A new object, under an id of its own; False where an earlier merge has brought it."""
    there = work.by_kind.setdefault((row.file, row.sign, row.rater), [])
    if any(same_place(other, row) for other in there):
        work.already += 1
        return False
    work.last_id += 1
    taken = dataclasses.replace(row, id=str(work.last_id))
    there.append(taken)
    work.new.append(taken)
    return True


def _labelled(rows: dict[tuple[str, str, str], LabelRow], marked: ObjectRow, problems: list[Problem]) -> None:
    """A line of the labels table for an object: partial where there is none yet."""
    key = (marked.file, marked.sign, marked.rater)
    label = rows.setdefault(key, LabelRow(marked.file, marked.sign, "partial", rater=marked.rater))
    if label.level in {"count", "presence"}:
        message = f"objects of {marked.sign} in {marked.file} came back, where labels says {label.level}"
        remedy = "Take them as another reader's (--rater), or say exhaustive or partial in the labels table first."
        problems.append(Problem("labels", message, remedy, column="level", value=label.level))


def _all_marked(
    rows: dict[tuple[str, str, str], LabelRow],
    export: Export,
    files: Iterable[str],
    objects: Sequence[ObjectRow],
    work: _Merging,
) -> None:
    """Every exported sign exhaustive in the captures that came back."""
    number = Counter((row.file, row.sign, row.rater) for row in objects)
    for file in files:
        for sign in export.signs:
            if left := work.undecided[file, sign]:
                message = f"{left} predictions of {sign} in {file} were left as they were: nobody said they are right"
                remedy = "Delete the wrong ones in the tool and give --accept-untouched, or leave out --exhaustive."
                work.problems.append(Problem("export", message, remedy))
            key = (file, sign, work.rater)
            label = rows.get(key)
            counted = label is not None and label.level == "count" and label.value == number[key]
            present = label is not None and label.level == "presence" and bool(label.value) == bool(number[key])
            if label is None or label.level == "partial" or counted or present:
                rows[key] = LabelRow(file, sign, "exhaustive", rater=work.rater)
            elif label.level != "exhaustive":
                message = (
                    f"{number[key]} of {sign} are marked in {file}, where labels says {label.level} {label.value:g}"
                )
                work.problems.append(Problem("labels", message, "Find out which is right.", column="value"))

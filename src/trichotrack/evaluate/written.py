"""An evaluation read back from the folder that `trichotrack evaluate --out` wrote."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

from trichotrack.evaluate.agreement_result import ClassAgreement
from trichotrack.evaluate.classes import CapturePairs
from trichotrack.evaluate.evaluation import (
    CAPTURE_COLUMNS,
    CAPTURES,
    CLASS_COLUMNS,
    CLASSES,
    SCHEMA,
    SUMMARY,
    Evaluation,
)
from trichotrack.evaluate.figures import Figure, SignFigures
from trichotrack.evaluate.points import CaptureScore
from trichotrack.evaluate.presence import CapturePresence, PresenceFigures
from trichotrack.labels.spreadsheet import read_table
from trichotrack.problems import InputError, Problem
from trichotrack.runtime.reading import ModelRef

AGAIN = "Evaluate again, with --out."

Value = TypeVar("Value")


class _Row:
    """A line of a table that was written: its cells by column, faults noted as they are met."""

    def __init__(self, path: Path, number: int, cells: Mapping[str, str], problems: list[Problem]) -> None:
        self.path, self.number, self.cells, self.problems = path, number, cells, problems

    def __getitem__(self, column: str) -> str:
        return self.cells[column]

    def number_of(self, column: str, kind: Callable[[str], Value]) -> Value | None:
        """The cell as a number of that kind; None where it is blank, or no such number (noted)."""
        text = self.cells[column].replace(",", ".")  # as a spreadsheet saves it where decimals have a comma
        if not text:
            return None
        try:
            value = kind(text)
        except ValueError:
            value = None
        if value is None or not 0 <= float(text) < math.inf:
            self.problems.append(
                Problem(str(self.path), "is no such number", AGAIN, self.number, column, self.cells[column])
            )
        return value


def read_evaluation(folder: Path) -> Evaluation:
    """The evaluation that write_evaluation left in folder, without marks to draw.

    Raises InputError naming all that keeps it from being read.
    """
    record = _record(folder / SUMMARY)
    problems: list[Problem] = []
    captures = list(_rows(folder / CAPTURES, CAPTURE_COLUMNS, problems))
    pairs = _pairs(_rows(folder / CLASSES, CLASS_COLUMNS, problems))
    scores = tuple(score for score in map(_score, captures) if score)
    presences = tuple(told for told in map(_presence, captures) if told)
    if problems:
        raise InputError(problems)
    try:
        return _evaluation(record, scores, presences, pairs, {row["file"]: row["seen"] for row in captures})
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise InputError(_unusable(folder / SUMMARY, f"lacks what an evaluation has ({error})")) from None


def _record(path: Path) -> Mapping[str, Any]:
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        place, what = path, f"cannot be read ({error.strerror})"
        if not path.parent.is_dir():
            place, what = path.parent, "is no folder"
        raise InputError(Problem(str(place), what, "Give folders that `trichotrack evaluate --out` wrote.")) from None
    except ValueError as error:
        raise InputError(_unusable(path, f"is not JSON ({error})")) from None
    schema = record.get("schema") if isinstance(record, dict) else type(record).__name__
    if schema != SCHEMA:
        raise InputError(_unusable(path, f"is of the format {schema!r}, not {SCHEMA!r}"))
    if record.get("folds"):
        raise InputError(
            Problem(str(path), "is itself pooled from several", "Give the evaluations of single models; leave it out.")
        )
    return dict(record)


def _unusable(path: Path, what: str) -> Problem:
    return Problem(str(path), what, AGAIN)


def _rows(path: Path, columns: tuple[str, ...], problems: list[Problem]) -> Iterator[_Row]:
    if not path.is_file():
        problems.append(Problem(str(path), "is not there", AGAIN))
        return
    faults: list[Problem] = []
    table = read_table(path, columns, columns, faults)
    problems += [Problem(str(path), fault.message, AGAIN, fault.row, fault.column, fault.value) for fault in faults]
    if table is None or faults:
        return
    for number, cells in table.rows:
        yield _Row(path, number, dict(zip(table.columns, cells, strict=True)), problems)


def _score(row: _Row) -> CaptureScore | None:
    reference, predicted = row.number_of("labelled", int), row.number_of("predicted", int)
    right, false, missed = (row.number_of(column, int) for column in ("right", "false", "missed"))
    area_cm2 = row.number_of("area_cm2", float)
    if reference is None or predicted is None:
        return None
    return CaptureScore(
        row["patient"], row["file"], row["sign"], right, false, missed, predicted, reference, area_cm2
    )  # fmt: skip


def _presence(row: _Row) -> CapturePresence | None:
    present, chance = row.number_of("present", int), row.number_of("chance", float)
    if present is None or chance is None:
        return None
    return CapturePresence(row["patient"], row["file"], row["sign"], bool(present), chance)


def _pairs(rows: Iterator[_Row]) -> tuple[CapturePairs, ...]:
    found: dict[tuple[str, str], list[tuple[str, str]]] = {}
    for row in rows:
        pairs = found.setdefault((row["patient"], row["file"]), [])
        pairs += [(row["labelled"], row["predicted"])] * (row.number_of("structures", int) or 0)
    return tuple(CapturePairs(patient, file, pairs) for (patient, file), pairs in found.items())


def _evaluation(
    record: Mapping[str, Any],
    scores: tuple[CaptureScore, ...],
    presences: tuple[CapturePresence, ...],
    pairs: tuple[CapturePairs, ...],
    seen: Mapping[str, str],
) -> Evaluation:
    data, known = record["data"], record["data"].get("seen")
    classes = record["classes"]
    return Evaluation(
        model=ModelRef(**record["model"]),
        data=data["name"],
        split=data["split"],
        rater=data["rater"],
        tolerance_mm=record["tolerance_mm"],
        ignored_signs=tuple(record["ignored_signs"]),
        captures=int(data["captures"]),
        patients=int(data["patients"]),
        signs={sign: SignFigures(**_figures(told)) for sign, told in record["signs"].items()},
        scores=scores,
        unlabelled=dict(record["unlabelled"]),
        refused=dict(record["refused"]),
        comparisons=(),
        problems=tuple(Problem(**problem) for problem in record["problems"]),
        seconds=float(record["seconds"]),
        classes=None if classes is None else ClassAgreement(**_figures(classes)),
        patients_notice=data.get("patients_notice", ""),
        tolerance_px=record.get("tolerance_px"),
        long_side_px=record.get("long_side_px"),
        splits=dict(data["splits"]),
        presence={sign: PresenceFigures(**_figures(told)) for sign, told in record.get("presence", {}).items()},
        presences=presences,
        pairs=pairs,
        labels_sha256=data["labels_sha256"],
        seen=None if known is None else {file: split for file, split in seen.items() if split},
        seen_wholly=bool(known and known["complete"]),
        by_fold={fold: (int(evaluated), int(there)) for fold, (evaluated, there) in data.get("by_fold", {}).items()},
    )


def _figures(told: Mapping[str, Any]) -> dict[str, Any]:
    """A record of figures with each as the Figure that it was, and lists as tuples."""
    return {name: Figure(**value) if isinstance(value, dict) else _tuples(value) for name, value in told.items()}


def _tuples(value: object) -> object:
    return tuple(map(_tuples, value)) if isinstance(value, list) else value

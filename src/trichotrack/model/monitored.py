"""Can the figure by which a training is judged be measured on its validation captures? Asked before any step."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np
from lightning import Trainer
from lightning.pytorch.callbacks import EarlyStopping, ModelCheckpoint

from trichotrack.model.sample import EXHAUSTIVE
from trichotrack.problems import InputError, Problem

if TYPE_CHECKING:
    from trichotrack.model.datasets import LabelledCapture

F1 = "val/f1"
FEW_PEOPLE = 4
"""Of fewer validation people it is said that they are few; a split into such few is refused unless asked for."""


def monitored(trainer: Trainer) -> list[str]:
    """The figures that decide on best.ckpt and on when to stop."""
    judges = [c for c in trainer.callbacks if isinstance(c, (EarlyStopping, ModelCheckpoint))]
    return sorted({judge.monitor for judge in judges if judge.monitor})


def validation_captures(trainer: Trainer) -> list[LabelledCapture]:
    """The labelled captures of the validation; none where it is drawn."""
    sources = getattr(getattr(trainer.datamodule, "val", None), "sources", ())
    return [source.capture for source in sources if hasattr(source, "capture")]


def check_monitored(names: Iterable[str], signs: tuple[str, ...], captures: list[LabelledCapture]) -> None:
    """Raises InputError where an F1 of names cannot be measured on captures, before Lightning fails after an epoch.

    An F1 needs at least one labelled structure of the sign (of any sign for `val/f1`) in captures that are labelled
    exhaustively; where none is, every checkpoint would be as good as another. Captures without any exhaustive label
    are not this function's to judge.
    """
    if not captures:
        return
    marked: Counter[str] = Counter()
    located = any((capture.levels == EXHAUSTIVE).any() for capture in captures)
    for capture in captures:
        for channel in np.flatnonzero(capture.levels == EXHAUSTIVE):
            marked[signs[channel]] += int((capture.structures.channel == channel).sum())
    some = [sign for sign in signs if marked[sign]]
    remedy = (
        f"Monitor one of {', '.join(f'{F1}/{sign}' for sign in some)} (best.monitor, and the monitor of early stopping)"
        if some
        else "Label some of them exhaustively"
    )
    remedy += ", or split the patients otherwise (`trichotrack labels split`)."
    problems = []
    for name in names:
        sign = name.removeprefix(f"{F1}/")
        if name == F1 and located and not some:
            what = "no structure of any sign of the plan"
        elif name.startswith(f"{F1}/") and sign not in signs:
            problems.append(Problem(name, f"is to be monitored, but the plan seeks {', '.join(signs)}", remedy))
            continue
        elif name.startswith(f"{F1}/") and located and not marked[sign]:
            what = f"no {sign}"
        else:
            continue
        message = f"cannot be measured: {what} is labelled in the {_captures(captures, 'validation ')}"
        problems.append(Problem(name, message, remedy))
    if problems:
        raise InputError(problems)


def who_validates(captures: list[LabelledCapture]) -> str:
    """A sentence on who decides which checkpoint is best; "" for drawn captures."""
    if not captures:
        return ""
    people = len({capture.row.patient for capture in captures})
    said = f"Validation: {_captures(captures)} of {people} {'people' if people > 1 else 'person'}"
    few = "; so few say little of others, so that the figures are not to be quoted" if people < FEW_PEOPLE else ""
    return f"{said}{few}."


def _captures(captures: list[LabelledCapture], kind: str = "") -> str:
    return f"{len(captures)} {kind}capture{'s' * (len(captures) != 1)}"

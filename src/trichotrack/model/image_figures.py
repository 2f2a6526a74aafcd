"""Figures where only the number or the presence of a sign is known, and the threshold to use there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torchmetrics import Metric

from trichotrack.detect.decode import chance_of_any
from trichotrack.detect.detections import Detections
from trichotrack.evaluate.figures import Figure, SignFigures, summarise
from trichotrack.evaluate.points import AS_GOOD_SHARE, DEFAULT_THRESHOLD, CaptureScore, best_thresholds
from trichotrack.evaluate.presence import presence_figures
from trichotrack.model.metrics import PointFigures, Validated, by_capture_and_sign
from trichotrack.model.sample import COUNT, EXHAUSTIVE, PRESENCE
from trichotrack.problems import InputError

if TYPE_CHECKING:
    from lightning import Trainer

COLUMNS = 6
"""Of the table that ImageFigures keeps."""


@dataclass(frozen=True, eq=False)
class Scored:
    """Marks of one sign in one capture. level: COUNT or PRESENCE; value: the number, or 1 or 0; scores (N,)."""

    patient: str
    file: str
    sign: str
    level: int
    value: int
    scores: NDArray[np.float64]

    @property
    def chance(self) -> float:
        """That at least one mark is right, were they independent."""
        return chance_of_any(self.scores)

    def at(self, threshold: float) -> CaptureScore:
        """The number of marks scored at or above threshold; of the places nothing is known."""
        predicted = int((self.scores >= threshold).sum())
        return CaptureScore(self.patient, self.file, self.sign, None, None, None, predicted, self.value)


class ImageFigures(Metric):
    """Marks of signs of which a capture's labels tell only the number or the presence.

    State: a row for each mark (capture, patient, sign, level, value, score), and one of score nan where none was found.
    """

    full_state_update = False

    def __init__(self, signs: Sequence[str]) -> None:
        super().__init__()
        self.signs = tuple(signs)
        self.add_state("rows", [], dist_reduce_fx="cat")

    def update(
        self,
        found: Detections,
        levels: NDArray[np.int64],
        values: NDArray[np.float64],
        *,
        capture: int,
        patient: int,
    ) -> None:
        """One capture. found: decoded at LOWEST_SCORE; levels, values: (C,), of the capture."""
        for sign in np.flatnonzero(np.isin(levels, (COUNT, PRESENCE)) & np.isfinite(values)):
            scores = found.take(found.sign == sign).score
            rows = np.full((max(len(scores), 1), COLUMNS), np.nan)
            rows[:, :5] = capture, patient, sign, levels[sign], values[sign]
            rows[: len(scores), 5] = scores
            self.rows.append(torch.from_numpy(rows).to(self.device))

    def compute(self) -> torch.Tensor:
        """Captures told of so far."""
        return torch.tensor(len(self.scored()))

    def scored(self) -> list[Scored]:
        """What was told so far, one for each capture and sign."""
        return [self._scored(part) for part in by_capture_and_sign(self.rows)]

    def _scored(self, rows: NDArray[np.float64]) -> Scored:
        capture, patient, sign, level, value = rows[0, :5]
        scores = rows[np.isfinite(rows[:, 5]), 5]
        return Scored(str(int(patient)), str(int(capture)), self.signs[int(sign)], int(level), int(value), scores)


def validated(points: PointFigures, images: ImageFigures) -> dict[str, Validated]:
    """By sign, all that is labelled of it at one threshold, chosen by the best that is (see metrics.Validated)."""
    sweeps, scored = points.sweeps(), images.scored()
    chosen = best_thresholds(sweeps, max_fp_per_cm2=points.ceilings, as_good=AS_GOOD_SHARE)
    found = {}
    for sign in points.signs:
        of_sign = [one for one in scored if one.sign == sign]
        counted = [one for one in of_sign if one.level == COUNT]
        located = [sweep for sweep in sweeps if sweep.sign == sign]
        if located:
            threshold, by = chosen[sign].threshold, "f1"
        elif counted:
            threshold, by = least_error(counted), "count"
        elif of_sign:
            threshold, by = best_balance(of_sign), "presence"
        else:
            continue
        scores = [sweep.at(threshold) for sweep in located] + [one.at(threshold) for one in counted]
        figures = summarise(scores)[sign] if scores else nothing_counted(sign)
        presence = None
        if len(of_sign) > len(counted):
            known = [(s.patient, s.reference > 0, chance_of_any(s.scores)) for s in located]
            known += [(one.patient, one.value > 0, one.chance) for one in of_sign]
            presence = presence_figures(*zip(*known, strict=True))
        found[sign] = Validated(threshold, figures, by, presence)
    return found


def least_error(scored: Sequence[Scored]) -> float:
    """The threshold at which numbers of marks are nearest to the numbers labelled, by the mean absolute error.

    Halfway between two scores; of equal errors that of the smaller bias, then the higher.
    """
    candidates = _between(np.concatenate([one.scores for one in scored]))
    predicted = np.array([(one.scores[None] >= candidates[:, None]).sum(1) for one in scored])
    error = predicted - np.array([one.value for one in scored])[:, None]
    best = np.lexsort((-candidates, np.abs(error.sum(0)), np.abs(error).sum(0)))[0]
    return float(candidates[best])


def best_balance(scored: Sequence[Scored]) -> float:
    """The threshold at which "has a mark" tells present from absent best: by sensitivity + specificity (Youden 1950).

    Halfway between two scores; of equal sums the higher. DEFAULT_THRESHOLD where all are of one kind.
    """
    present = np.array([one.value > 0 for one in scored])
    if present.all() or not present.any():
        return DEFAULT_THRESHOLD
    highest = np.array([one.scores.max(initial=0.0) for one in scored])
    candidates = _between(highest)
    told = highest[None] >= candidates[:, None]
    balance = told[:, present].mean(1) - told[:, ~present].mean(1)
    return float(candidates[np.lexsort((-candidates, -balance))[0]])


def _between(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Thresholds between neighbouring scores (and 0 and 1): one for each way to part them."""
    levels = np.unique(np.concatenate([[0.0], scores, [1.0]]))
    return (levels[1:] + levels[:-1]) / 2


def nothing_counted(sign: str) -> SignFigures:
    """Figures of a sign of which validation knows no number."""
    unknown = Figure(None)
    return SignFigures(sign, 0, 0, 0, 0, 0, unknown, unknown, unknown, unknown, unknown, unknown)


def means(found: Mapping[str, Validated]) -> dict[str, float]:
    """Figures to choose a checkpoint by, each the mean over the signs that it could be taken of, if any.

    f1: over signs with located structures, 0 for one of which no mark is right. count_mae: over signs with a number.
    auroc, average_precision: over signs with captures that are known to have and to lack them.
    """
    values: dict[str, list[float]] = {}
    for one in found.values():
        measured = dict(one.measured)
        if one.figures.located and one.figures.labelled:
            measured.setdefault("f1", 0.0)
        if not one.figures.labelled:
            measured.pop("f1", None)
        for name in MEANS:
            if name in measured:
                values.setdefault(name, []).append(measured[name])
    if any(one.figures.located for one in found.values()):
        values.setdefault("f1", [0.0])
    return {name: float(np.mean(each)) for name, each in values.items()}


MEANS = ("f1", "count_mae", "auroc", "average_precision")


def refuse_unmeasured(trainer: Trainer) -> None:
    """Raises InputError where a checkpoint is to be chosen by a figure that the validation labels cannot give."""
    captures = getattr(getattr(trainer, "datamodule", None), "val", None)
    sources = getattr(captures, "sources", None)
    monitors = [m for callback in trainer.callbacks if (m := getattr(callback, "monitor", None))]
    wrong = sorted({m for m in monitors if m.removeprefix("val/").split("/")[0] in MEANS})
    if not sources or not wrong or not hasattr(sources[0], "capture"):
        return
    levels = np.array([source.capture.levels for source in sources])
    values = np.array([source.capture.values for source in sources])
    located, counted, known = (levels == level for level in (EXHAUSTIVE, COUNT, PRESENCE))
    present = np.where(known | counted, values > 0, False)
    absent = np.where(known | counted, values == 0, False)
    for i, source in enumerate(sources):
        channels = source.capture.structures.channel
        has = np.isin(np.arange(levels.shape[1]), channels)
        present[i] |= located[i] & has
        absent[i] |= located[i] & ~has
    ranked = known.any(0) & present.any(0) & absent.any(0)
    can = {
        "f1": located.any(),
        "count_mae": (located | counted).any(),
        "auroc": ranked.any(),
        "average_precision": ranked.any(),
    }
    able = [f"val/{name}" for name, possible in can.items() if possible]
    for monitor in wrong:
        if not can[monitor.removeprefix("val/").split("/")[0]]:
            remedy = "; ".join(f"best.monitor {name} with best.mode {MODES[name]}" for name in able)
            raise InputError(
                f"{monitor} cannot be measured with the labels of split 'val'. "
                + (f"Choose by what can: {remedy}." if able else "Label captures of that split.")
            )


MODES = {"val/f1": "max", "val/count_mae": "min", "val/auroc": "max", "val/average_precision": "max"}

"""Point F1, count error and bias as a torchmetric; what is right and what is false is decided in evaluate.points."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torchmetrics import Metric

from trichotrack.detect.detections import Detections
from trichotrack.evaluate.figures import SignFigures, summarise
from trichotrack.evaluate.points import AS_GOOD_SHARE, Sweep, best_thresholds, sweep_capture
from trichotrack.evaluate.presence import PresenceFigures
from trichotrack.model.sample import Structures

COLUMNS = 8
"""Of the table that PointFigures keeps."""


@dataclass(frozen=True)
class Validated:
    """One sign at the threshold chosen for it, and what it reaches there.

    chosen_by: `f1` where structures are located, else `count` (the smallest mean error of the number), else
    `presence` (the best balanced accuracy of "has any mark"). clipped: the same of whatever is counted as this sign on
    clipped scalps, where such were drawn.
    """

    threshold: float
    figures: SignFigures
    chosen_by: str = "f1"
    presence: PresenceFigures | None = None
    clipped: Validated | None = None

    @property
    def measured(self) -> dict[str, float]:
        """Figures that could be taken, by name, and the threshold."""
        figures = {name: getattr(self.figures, name) for name in ("f1", "count_mae", "bias")}
        if self.presence:
            figures |= {"auroc": self.presence.auroc, "average_precision": self.presence.average_precision}
        known = {name: figure.value for name, figure in figures.items() if figure.value is not None}
        return {**known, "threshold": self.threshold}


def by_capture_and_sign(rows: Tensor | list[Tensor]) -> list[NDArray[np.float64]]:
    """The rows of each capture (column 0) and sign (column 2), in that order. rows: (N, K) tables, one or a list."""
    parts = rows if isinstance(rows, list) else [rows]
    if not parts or not sum(map(len, parts)):
        return []
    table = torch.cat(parts).cpu().numpy().astype(np.float64)
    ordered = table[np.lexsort((table[:, 2], table[:, 0]))]
    starts = np.flatnonzero(np.any(np.diff(ordered[:, [0, 2]], axis=0), axis=1)) + 1
    return np.split(ordered, starts)


class PointFigures(Metric):
    """Figures per sign over whole captures, points matched one to one within a tolerance.

    A detection that matches no labelled point but an ignored one is neither right nor wrong; a sign that is not
    exhaustively labelled in a capture is passed over there. State: a row for each detection of each capture and sign
    (capture, patient, sign, labelled, area in cm², score, right, excused), and one of score nan where none was found.
    """

    full_state_update = False

    def __init__(self, signs: Sequence[str], tolerance_px: float, ceilings: Mapping[str, float] | None = None) -> None:
        super().__init__()
        self.signs, self.tolerance_px, self.ceilings = tuple(signs), tolerance_px, dict(ceilings or {})
        self.add_state("rows", [], dist_reduce_fx="cat")

    def update(
        self,
        found: Detections,
        known: Structures,
        exhaustive: NDArray[np.bool_],
        *,
        capture: int,
        patient: int,
        area_cm2: float,
    ) -> None:
        """One capture. found: decoded at LOWEST_SCORE; known: what is labelled; both canonical px. area_cm2: or nan."""
        for sign in np.flatnonzero(exhaustive):
            here = found.take(found.sign == sign)
            reference = known.xy[known.channel == sign]
            sweep = sweep_capture(reference, (here.xy, here.score), known.ignored, self.tolerance_px)
            rows = np.full((max(len(here), 1), COLUMNS), np.nan)
            rows[:, :5] = capture, patient, sign, len(reference), area_cm2
            rows[: len(here), 5:] = np.stack([sweep.scores, sweep.right, sweep.excused], axis=1)
            self.rows.append(torch.from_numpy(rows.astype(np.float32)).to(self.device))

    def compute(self) -> Tensor:
        """F1 of each sign (signs,) at its threshold; nan for one nowhere labelled exhaustively."""
        values = {sign: validated.figures.f1.value for sign, validated in self.validated().items()}
        return torch.tensor([math.nan if (f1 := values.get(sign)) is None else f1 for sign in self.signs])

    def validated(self) -> dict[str, Validated]:
        """By sign, at the threshold that best_thresholds chooses under its ceiling of false positives per cm²."""
        sweeps = self.sweeps()
        thresholds = best_thresholds(sweeps, max_fp_per_cm2=self.ceilings, as_good=AS_GOOD_SHARE)
        figures = summarise(sweep.at(thresholds[sweep.sign].threshold) for sweep in sweeps)
        return {sign: Validated(thresholds[sign].threshold, figures[sign]) for sign in self.signs if sign in figures}

    def sweeps(self) -> list[Sweep]:
        """What was told so far, one for each capture and sign."""
        return [self._sweep(part) for part in by_capture_and_sign(self.rows)]

    def _sweep(self, rows: NDArray[np.float64]) -> Sweep:
        capture, patient, sign, reference, area_cm2 = rows[0, :5]
        found = rows[np.isfinite(rows[:, 5])]
        return Sweep(
            patient=str(int(patient)),
            file=str(int(capture)),
            sign=self.signs[int(sign)],
            reference=int(reference),
            scores=found[:, 5],
            right=found[:, 6] > 0,
            excused=found[:, 7] > 0,
            area_cm2=float(area_cm2) if math.isfinite(area_cm2) else None,
        )


def gathered(figures: Metric, columns: int, dtype: torch.dtype = torch.float32) -> AbstractContextManager[None]:
    """Within it, the table `rows` of figures has the rows of all processes; for one process nothing changes.

    columns, dtype: of that table.
    """
    if not figures.rows:
        # torchmetrics gathers tables of one width and kind alone.
        figures.rows.append(torch.empty((0, columns), dtype=dtype, device=figures.device))
    return figures.sync_context()

"""What a decoder gives: points with their sign and score."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Detections:
    """N structures found in one image, best score first.

    xy: float64 (N, 2), pixels of whichever image the caller names. sign: int64 (N,), index into the model's signs.
    score: float64 (N,), 0 to 1. shaft: float64 (N, 5) as the graph gives it (unit direction root to tip x and y, log
    length, log width at root, log width at tip; µm), or (N, 0) where the model has no such head.
    """

    xy: NDArray[np.float64]
    sign: NDArray[np.int64]
    score: NDArray[np.float64]
    shaft: NDArray[np.float64] = field(default_factory=lambda: np.zeros((0, 0)))

    def __post_init__(self) -> None:
        count = len(self.xy)
        if self.shaft.shape[0] != count:
            object.__setattr__(self, "shaft", np.zeros((count, 0)))
        if self.xy.shape != (count, 2) or self.sign.shape != (count,) or self.score.shape != (count,):
            raise ValueError(
                f"detections disagree in length: xy {self.xy.shape}, sign {self.sign.shape}, score {self.score.shape}"
            )

    def __len__(self) -> int:
        return len(self.xy)

    @classmethod
    def empty(cls, shaft_width: int = 0) -> Detections:
        return cls(np.zeros((0, 2)), np.zeros(0, np.int64), np.zeros(0), np.zeros((0, shaft_width)))

    def take(self, index: NDArray[np.bool_] | NDArray[np.int64]) -> Detections:
        """Those that index (a mask or positions) names."""
        return Detections(self.xy[index], self.sign[index], self.score[index], self.shaft[index])

"""Grids to points: the one decoder, for training, export and runtime alike."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from trichotrack.detect.detections import Detections

LOWEST_SCORE = 0.05
"""Peaks below it tell nothing: they are never counted, whatever threshold is chosen, nor do they speak for presence."""


ASIDE = 0.2
"""A shaft is read as the mean of four places so far aside of its root along both axes, in cells: on drawn captures that
takes a twentieth off the error of widths and directions as the root's own cell alone gives them."""


def local_maxima(logits: NDArray[np.floating]) -> NDArray[np.bool_]:
    """Where logits (C, h, w) peak in their 3×3 neighbourhood: (C, h, w).

    Strictly above the four neighbours before a cell in raster order, not below the four after (so a tie between
    neighbours gives one peak), and above at least one of them: a flat image has no peak. Outside counts as -inf.
    """
    padded = np.pad(logits, ((0, 0), (1, 1), (1, 1)), constant_values=-np.inf)
    height, width = logits.shape[1:]
    peak = np.ones(logits.shape, np.bool_)
    rises = np.zeros(logits.shape, np.bool_)
    for dy, dx in ((-1, -1), (-1, 0), (-1, 1), (0, -1), (0, 1), (1, -1), (1, 0), (1, 1)):
        neighbour = padded[:, 1 + dy : 1 + dy + height, 1 + dx : 1 + dx + width]
        peak &= logits > neighbour if (dy, dx) < (0, 0) else logits >= neighbour
        rises |= (logits > neighbour) & ~np.isneginf(neighbour)
    return peak & rises


def valid_cells(mask: NDArray[np.bool_], stride: int) -> NDArray[np.bool_]:
    """Cells (h, w) whose centre lies on mask (H, W), H and W multiples of stride: valid scalp, not padding."""
    return mask[stride // 2 :: stride, stride // 2 :: stride]


def decode(
    peaks: NDArray[np.floating],
    offset: NDArray[np.floating] | None = None,
    shaft: NDArray[np.floating] | None = None,
    *,
    stride: int,
    thresholds: Sequence[float],
    groups: Sequence[str | None],
    min_distance_px: float,
    valid: NDArray[np.bool_] | None = None,
) -> Detections:
    """Structures in one image, canonical px, best score first.

    peaks: (C, h, w), 0 where there is no peak. offset: (2, h, w) as x, y in cells from the cell's centre; None: the
    centre. shaft: (5, h, w), read around the point, between cells (see ASIDE). thresholds: C scores; a peak counts at
    or above its own. groups: C names; signs of one group (or, where None, of one channel) keep only the best of those
    nearer than min_distance_px to one another: one structure, one sign. valid: (h, w), see valid_cells; elsewhere
    nothing is found, nor does it outdo what is.
    """
    above = peaks >= np.asarray(thresholds, peaks.dtype)[:, None, None]
    above &= peaks > 0
    if valid is not None:
        above &= valid
    sign, row, column = np.nonzero(above)
    score = peaks[sign, row, column].astype(np.float64)
    xy = np.stack([column, row], axis=1).astype(np.float64) + 0.5
    if offset is not None:
        xy = xy + offset[:, row, column].T.astype(np.float64)
    attributes = np.zeros((len(xy), 0)) if shaft is None else around(shaft, xy)
    found = Detections(xy * float(stride), sign.astype(np.int64), score, attributes)
    # Ties are broken by place, then channel, so that order never depends on how the grid was cut into tiles.
    found = found.take(np.lexsort((found.sign, found.xy[:, 0], found.xy[:, 1], -found.score)))
    return found.take(one_per_structure(found, groups, min_distance_px))


def around(grid: NDArray[np.floating], xy: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean (N, K) of a grid (K, h, w) at the four places ASIDE of each point (N, 2) in cells; see between."""
    aside = ASIDE * np.array([[-1, -1], [-1, 1], [1, -1], [1, 1]])
    return np.asarray(np.mean([between(grid, xy + step) for step in aside], axis=0))


def between(grid: NDArray[np.floating], xy: NDArray[np.float64]) -> NDArray[np.float64]:
    """Values (N, K) of a grid (K, h, w) at points (N, 2) in cells, linear between the cells' centres.

    Beyond the outermost centres their values go on.
    """
    last = np.array(grid.shape[:0:-1]) - 1
    place = np.clip(xy - 0.5, 0, last)
    first = np.floor(place).astype(np.int64)
    (x, y), (right, below) = first.T, np.minimum(first + 1, last).T
    along, down = (place - first).T
    upper = grid[:, y, x] * (1 - along) + grid[:, y, right] * along
    lower = grid[:, below, x] * (1 - along) + grid[:, below, right] * along
    return np.asarray((upper * (1 - down) + lower * down).T, np.float64)


def one_per_structure(found: Detections, groups: Sequence[str | None], min_distance_px: float) -> NDArray[np.bool_]:
    """Mask (N,) of those kept of detections sorted best first: greedy, the better of two rivals stays."""
    rival_of = np.array([f"group {name}" if name else f"channel {i}" for i, name in enumerate(groups)])[found.sign]
    keep = np.ones(len(found), np.bool_)
    for rivals in (np.flatnonzero(rival_of == name) for name in np.unique(rival_of)):
        _suppress(found.xy[rivals], rivals, keep, min_distance_px)
    return keep


def _suppress(
    xy: NDArray[np.float64], index: NDArray[np.int64], keep: NDArray[np.bool_], min_distance_px: float
) -> None:
    # Sorted by x, each point's rivals lie in one run: quadratic only in how many share a strip.
    by_x = np.argsort(xy[:, 0], kind="stable")
    xs = xy[by_x, 0]
    for i in range(len(xy)):
        if not keep[index[i]]:
            continue
        left = np.searchsorted(xs, xy[i, 0] - min_distance_px, "left")
        right = np.searchsorted(xs, xy[i, 0] + min_distance_px, "right")
        near = by_x[left:right]
        near = near[near > i]
        close = np.hypot(*(xy[near] - xy[i]).T) < min_distance_px
        keep[index[near[close]]] = False


def chance_of_any(scores: NDArray[np.floating]) -> float:
    """That at least one of the marks scored so is right, were they independent and their scores probabilities."""
    return 1.0 - float(np.prod(1.0 - np.asarray(scores, np.float64)))

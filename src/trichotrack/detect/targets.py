"""Points to grids: what the network is asked to give for a set of roots.

A cell (row i, column j) of stride s covers canonical pixels [s·j, s·(j+1)) × [s·i, s·(i+1)); its centre is at
(j + 0.5, i + 0.5) in cells. The offset is from that centre to the point, in cells, so it lies in [-0.5, 0.5).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

REACH_SIGMA = 4.0
"""A Gaussian is cut off this many sigma from its point, where it is below 0.0004."""


def cells_of(points_px: NDArray[np.floating], grid_hw: tuple[int, int], stride: int) -> NDArray[np.int64]:
    """(N, 2) row and column of the cell that holds each point (x, y); points on the far edge belong to the last."""
    cells = np.floor(np.asarray(points_px, np.float64).reshape(-1, 2)[:, ::-1] / stride).astype(np.int64)
    return np.clip(cells, 0, np.array(grid_hw) - 1)


def heatmap(
    points_px: NDArray[np.floating], grid_hw: tuple[int, int], *, stride: int, sigma_px: float
) -> NDArray[np.float32]:
    """Height (h, w), 0 to 1: exactly 1 in the cell that holds a point, a Gaussian of the true distance around it.

    points_px: (N, 2) canonical px. sigma_px: canonical px. Overlapping Gaussians keep the larger value, as in
    CornerNet (Law & Deng 2018).
    """
    height, width = grid_hw
    grid = np.zeros(grid_hw, np.float32)
    sigma = sigma_px / stride
    reach = int(np.ceil(REACH_SIGMA * sigma)) + 1
    points = np.asarray(points_px, np.float64).reshape(-1, 2) / stride
    for (x, y), (row, column) in zip(points, cells_of(points_px, grid_hw, stride), strict=True):
        top, bottom = max(0, row - reach), min(height, row + reach + 1)
        left, right = max(0, column - reach), min(width, column + reach + 1)
        dy = np.arange(top, bottom) + 0.5 - y
        dx = np.arange(left, right) + 0.5 - x
        bump = np.exp(-(dy[:, None] ** 2 + dx[None, :] ** 2) / (2 * sigma**2)).astype(np.float32)
        patch = grid[top:bottom, left:right]
        np.maximum(patch, bump, out=patch)
        grid[row, column] = 1.0
    return grid


def offsets(points_px: NDArray[np.floating], grid_hw: tuple[int, int], stride: int) -> NDArray[np.float32]:
    """Offset (2, h, w) as x, y in cells where a point lies, 0 elsewhere; of two points in a cell the last is kept."""
    grid = np.zeros((2, *grid_hw), np.float32)
    points = np.asarray(points_px, np.float64).reshape(-1, 2)
    cells = cells_of(points, grid_hw, stride)
    if len(points):
        grid[:, cells[:, 0], cells[:, 1]] = (points / stride - (cells[:, ::-1] + 0.5)).T
    return grid


def discs(
    points_px: NDArray[np.floating], grid_hw: tuple[int, int], *, stride: int, radius_px: float
) -> NDArray[np.bool_]:
    """Mask (h, w): cells whose centre lies within radius_px of a point; where a loss must not look."""
    height, width = grid_hw
    mask = np.zeros(grid_hw, np.bool_)
    radius = radius_px / stride
    rows, columns = np.arange(height) + 0.5, np.arange(width) + 0.5
    for x, y in np.asarray(points_px, np.float64).reshape(-1, 2) / stride:
        top, bottom = np.searchsorted(rows, y - radius), np.searchsorted(rows, y + radius, "right")
        left, right = np.searchsorted(columns, x - radius), np.searchsorted(columns, x + radius, "right")
        near = (rows[top:bottom, None] - y) ** 2 + (columns[None, left:right] - x) ** 2 <= radius**2
        mask[top:bottom, left:right] |= near
    return mask

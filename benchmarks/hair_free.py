"""Where a labelled capture shows no hair, and how many marks lie there."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]

CLEAR_OF_HAIR_UM = 400.0
"""Hair-free: farther than this from every labelled shaft."""

CELL_PX = 4
"""Area is reckoned in cells of so many px, by their centres."""


@dataclass(frozen=True)
class Share:
    """Marks on a part of a capture, and its area."""

    marks: int
    area_cm2: float


def distance_to_shafts(points: Points, roots: Points, tips: Points) -> Points:
    """Distance (N,) of points (N, 2) from the nearest segment between roots (M, 2) and tips (M, 2); inf with none.

    A tip of nan leaves the root alone.
    """
    if not len(roots):
        return np.full(len(points), np.inf)
    along = np.where(np.isfinite(tips), tips - roots, 0.0)
    square = np.maximum((along**2).sum(axis=1), 1e-12)
    offset = points[:, None] - roots[None]
    share = np.clip((offset * along).sum(axis=2) / square, 0.0, 1.0)
    return np.asarray(np.hypot(*np.moveaxis(offset - share[..., None] * along, 2, 0)).min(axis=1))


def shares(
    marks: Points,
    shafts: tuple[Points, Points],
    valid: NDArray[np.bool_],
    um_per_px: float,
    *,
    border_px: float,
) -> tuple[Share, Share]:
    """Marks and area (whole capture, its hair-free part), both without a border and without invalid scalp.

    marks: (N, 2), px. shafts: roots and tips (M, 2) of everything labelled. valid: bool (H, W).
    """
    height, width = valid.shape
    rows, columns = np.arange(0, height, CELL_PX), np.arange(0, width, CELL_PX)
    centres = np.stack(np.meshgrid(columns, rows), axis=-1).reshape(-1, 2) + CELL_PX / 2
    cell_cm2 = (CELL_PX * um_per_px / 1e4) ** 2
    clear_px = CLEAR_OF_HAIR_UM / um_per_px
    found: list[tuple[int, int]] = []
    for points in (centres, np.asarray(marks, np.float64).reshape(-1, 2)):
        seen = points[_seen(points, valid, border_px)]
        found.append((len(seen), int((distance_to_shafts(seen, *shafts) > clear_px).sum())))
    cells, on = found
    return Share(on[0], cells[0] * cell_cm2), Share(on[1], cells[1] * cell_cm2)


def _seen(points: Points, valid: NDArray[np.bool_], border_px: float) -> NDArray[np.bool_]:
    height, width = valid.shape
    inside = ((points >= border_px) & (points < np.array([width, height]) - border_px)).all(axis=1)
    column, row = np.clip(points.astype(np.int64), 0, (width - 1, height - 1)).T
    return np.asarray(inside & valid[row, column])

"""From a rough placement to a map: small pieces of skin found again one by one, a robust affine, a smooth rest."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trichotrack.visits.skin_texture import Texture

Points = NDArray[np.float64]
Map = Callable[[Points], Points]

PIECE_PX, STEP_PX = 32, 20
"""Side of a piece of skin and distance of neighbours, on the grid of the texture (0.4 and 0.24 mm at 12 µm)."""

MOST_PIECES = 500

LEAST_KNOWN = 0.35
"""A piece of which hair hides more than the rest is passed over."""

LEAST_CORRELATION = 0.25

AFFINE_UM = 70.0
"""Stretch that an affine map does not tell: pieces further off its best fit are taken for wrong."""

SMOOTHING = 0.02
"""Of the thin plate over pieces, in mm: some ten pieces share one bend."""


@dataclass(frozen=True)
class Pieces:
    """Pieces of skin found again: centre in the first capture and place in the second, px each, (N, 2)."""

    here: Points
    there: Points

    def __len__(self) -> int:
        return len(self.here)

    def take(self, which: NDArray[np.bool_]) -> Pieces:
        return Pieces(self.here[which], self.there[which])


def find_pieces(first: Texture, second: Texture, guess: Map, reach_px: int) -> tuple[Pieces, int]:
    """(pieces found again within reach_px of where guess puts them, how many were looked for).

    guess: px of the first capture to px of the second. reach_px: on the grid, along each axis.
    """
    centres = _centres(first)
    layers, known = _warped(first, second, guess)
    half, wide = PIECE_PX // 2, PIECE_PX // 2 + reach_px
    piece, piece_known = _cut(first.layers, first.known, centres, half)
    around, around_known = _cut(layers, known, centres, wide)
    value, number = _correlation(piece, piece_known, around, around_known, 2 * reach_px + 1)
    seen = (piece_known.mean(axis=(1, 2)) >= LEAST_KNOWN) & (around_known.mean(axis=(1, 2)) >= LEAST_KNOWN)
    value[number < LEAST_KNOWN * PIECE_PX**2 / 2] = 0.0
    flat = value.reshape(len(value), -1)
    best = flat.argmax(axis=1)
    row, column = np.unravel_index(best, value.shape[1:])
    inside = (row > 0) & (row < 2 * reach_px) & (column > 0) & (column < 2 * reach_px)
    found = seen & inside & (flat[np.arange(len(flat)), best] >= LEAST_CORRELATION)
    offset = np.stack([_subpixel(value, row, column, axis=2), _subpixel(value, row, column, axis=1)], axis=1)
    at = centres + np.stack([column, row], axis=1) + offset - reach_px
    here, there = first.px(centres[found]), guess(first.px(at[found]))
    return Pieces(here, there), int(seen.sum())


def _centres(texture: Texture) -> Points:
    height, width = texture.shape
    half = PIECE_PX // 2
    step = STEP_PX
    while ((height - PIECE_PX) // step + 1) * ((width - PIECE_PX) // step + 1) > MOST_PIECES:
        step += 4
    x, y = np.meshgrid(np.arange(half, width - half + 1, step), np.arange(half, height - half + 1, step))
    return np.stack([x.ravel(), y.ravel()], axis=1).astype(np.float64)


def _warped(first: Texture, second: Texture, guess: Map) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The second texture where guess puts it on the first's grid."""
    from scipy.ndimage import map_coordinates

    height, width = first.shape
    # The map is smooth: it is asked at every eighth pixel, and drawn out between.
    rows, columns = np.arange(0, height + 8, 8) + 0.5, np.arange(0, width + 8, 8) + 0.5
    x, y = np.meshgrid(columns, rows)
    sparse = second.grid(guess(first.px(np.stack([x.ravel(), y.ravel()], axis=1)))).reshape(*x.shape, 2)
    fine = np.meshgrid(np.arange(height) / 8, np.arange(width) / 8, indexing="ij")
    source = np.stack([map_coordinates(sparse[..., axis], fine, order=1) for axis in (1, 0)]) - 0.5
    known = map_coordinates(second.known, source, order=1) > 0.5
    layers = np.stack([map_coordinates(layer, source, order=1) for layer in second.layers])
    return layers * known, known.astype(np.float32)


def _cut(
    layers: NDArray[np.float32], known: NDArray[np.float32], centres: Points, half: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Squares of side 2·half around centres: (N, C, S, S) and (N, S, S); what lies outside is not known."""
    beyond = ((half, half), (half, half))
    layers, known = np.pad(layers, ((0, 0), *beyond)), np.pad(known, beyond)
    corners = centres.astype(int)
    cut = [(slice(y, y + 2 * half), slice(x, x + 2 * half)) for x, y in corners]
    return np.stack([layers[:, rows, columns] for rows, columns in cut]), np.stack([known[at] for at in cut])


def _correlation(
    piece: NDArray[np.float32],
    piece_known: NDArray[np.float32],
    around: NDArray[np.float32],
    around_known: NDArray[np.float32],
    shifts: int,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Normalised correlation (N, shifts, shifts) under both masks, and the number of pixels compared."""
    from scipy.fft import irfft2, rfft2

    shape = around.shape[-2:]

    def spectrum(values: NDArray[np.float32]) -> NDArray[np.complex64]:
        return np.asarray(rfft2(values, shape), np.complex64)

    def back(values: NDArray[np.complex64]) -> NDArray[np.float64]:
        return np.asarray(irfft2(values, shape)[..., :shifts, :shifts], np.float64)

    mine, mine_known = np.conj(spectrum(piece)), np.conj(spectrum(piece_known))
    mine_square = np.conj(spectrum((piece**2).sum(axis=1)))
    other, other_known, other_square = spectrum(around), spectrum(around_known), spectrum((around**2).sum(axis=1))
    number = back(mine_known * other_known)
    energy = np.maximum(back(mine_square * other_known), 1.0) * np.maximum(back(mine_known * other_square), 1.0)
    return back((mine * other).sum(axis=1)) / np.sqrt(energy), number


def _subpixel(
    value: NDArray[np.float64], row: NDArray[np.intp], column: NDArray[np.intp], *, axis: int
) -> NDArray[np.float64]:
    """The top of the parabola through a peak and its two neighbours along an axis, within half a pixel of the peak."""
    number = np.arange(len(value))
    last = value.shape[1] - 1
    at = [np.clip(row, 1, last - 1), np.clip(column, 1, last - 1)]
    before, after = list(at), list(at)
    before[axis - 1], after[axis - 1] = at[axis - 1] - 1, at[axis - 1] + 1
    low, middle, high = (value[number, r, c] for r, c in (before, at, after))
    bend = low - 2 * middle + high
    offset = np.divide(low - high, 2 * bend, out=np.zeros_like(bend), where=bend < -1e-9)
    return np.asarray(np.clip(offset, -0.5, 0.5))


def affine_of(pieces: Pieces, um_per_px: float) -> tuple[NDArray[np.float64], NDArray[np.bool_]] | None:
    """The affine (2, 3) on which most pieces agree (RANSAC), and which those are (N,); None where there is none."""
    from skimage.measure import ransac
    from skimage.transform import AffineTransform

    if len(pieces) < 4:
        return None
    # Seeded: the same captures always give the same map.
    model, inliers = ransac(  # type: ignore[no-untyped-call]
        (pieces.here, pieces.there), AffineTransform, min_samples=3, residual_threshold=AFFINE_UM / um_per_px,
        max_trials=300, rng=0,
    )  # fmt: skip
    if model is None or inliers is None or inliers.sum() < 4:
        return None
    return np.asarray(model.params[:2], np.float64), np.asarray(inliers, np.bool_)


def affine_map(matrix: NDArray[np.float64]) -> Map:
    """The map that (2, 3) is."""
    return lambda points: np.asarray(points @ matrix[:, :2].T + matrix[:, 2])


def smooth_map(pieces: Pieces, matrix: NDArray[np.float64], um_per_px: float) -> Map:
    """The affine and, on top, a smoothed thin plate (Duchon 1977) through what it leaves of each piece."""
    from scipy.interpolate import RBFInterpolator

    linear, offset = matrix[:, :2], matrix[:, 2]
    rest = pieces.there - (pieces.here @ linear.T + offset)
    to_mm = um_per_px / 1000.0
    if len(pieces) < 6:
        return affine_map(matrix)
    bend = RBFInterpolator(pieces.here * to_mm, rest, smoothing=SMOOTHING * len(pieces) / 100, degree=1)
    return lambda points: np.asarray(points @ linear.T + offset + bend(np.asarray(points, np.float64) * to_mm))

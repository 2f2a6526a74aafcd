"""Where one capture lies in another, by turn and shift: masked correlation of their skin, all shifts at once.

Correlation under masks after Padfield 2012 (IEEE Trans. Image Process. 21:2706), times the root of the number of pixels
compared, so that a high value over a sliver does not outdo a good one over half the field.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trichotrack.visits.skin_texture import Texture

LEAST_COMMON = 0.3
"""Of the known skin of the smaller capture: shifts that leave less in common are not looked at."""


@dataclass(frozen=True)
class Placed:
    """One way the second capture may lie on the first. matrix: (2, 3), px of the first to px of the second.

    peak: correlation times the root of the pixels compared.
    """

    matrix: NDArray[np.float64]
    peak: float
    turn_deg: float


def place(first: Texture, second: Texture, turns_deg: Sequence[float]) -> Placed:
    """The best shift and, of turns_deg, turn. Both textures are on grids of the same µm per px."""
    from scipy.fft import irfft2, next_fast_len, rfft2

    height, width = first.shape
    reach = int(np.ceil(np.hypot(*second.shape)))
    shape = (next_fast_len(height + reach, real=True), next_fast_len(width + reach, real=True))
    here, here_known = rfft2(first.layers, shape), rfft2(first.known, shape)
    here_square = rfft2((first.layers**2).sum(axis=0), shape)
    best: tuple[float, float, NDArray[np.float64]] | None = None
    for turn in turns_deg:
        layers, known, to_turned = _turned(second, turn)
        there = np.conj(rfft2(layers, shape))
        there_known = np.conj(rfft2(known, shape))
        there_square = np.conj(rfft2((layers**2).sum(axis=0), shape))
        number = irfft2(here_known * there_known, shape)
        energy = irfft2(here_square * there_known, shape) * irfft2(here_known * there_square, shape)
        product = irfft2((here * there).sum(axis=0), shape)
        enough = number > LEAST_COMMON * min(first.known.sum(), second.known.sum())
        value = np.where(enough, product / np.sqrt(np.maximum(energy, 1.0)) * np.sqrt(np.maximum(number, 0.0)), 0.0)
        row, column = np.unravel_index(int(np.argmax(value)), value.shape)
        if best is None or value[row, column] > best[0]:
            shift = np.array([_signed(column, width, shape[1]), _signed(row, height, shape[0])], np.float64)
            # A point of the first, less the shift, is the same point of the turned second.
            inverse = np.linalg.inv(to_turned[:, :2])
            matrix = np.column_stack([inverse, inverse @ (-shift - to_turned[:, 2])])
            best = float(value[row, column]), float(turn), matrix
    if best is None:
        raise ValueError("no turn was given to look at")
    return Placed(_in_px(best[2], first, second), best[0], best[1])


def _signed(index: np.intp, size: int, period: int) -> float:
    return float(index if index <= size else index - period)


def _turned(texture: Texture, turn_deg: float) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float64]]:
    """(layers, known) turned about the middle on a grid that holds them whole, and (2, 3) from old to new px."""
    from scipy.ndimage import affine_transform

    angle = np.deg2rad(turn_deg)
    spin = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    height, width = texture.shape
    size = np.array([width, height], np.float64)
    wide = np.ceil(np.abs(spin) @ size)
    offset = wide / 2 - spin @ size / 2
    start = spin.T @ (np.array([0.5, 0.5]) - offset) - 0.5
    shape = (int(wide[1]), int(wide[0]))
    turned = [
        affine_transform(layer, spin.T[::-1, ::-1], start[::-1], output_shape=shape, order=1)
        for layer in (*texture.layers, texture.known)
    ]
    known = (turned[-1] > 0.5).astype(np.float32)
    return np.stack(turned[:-1]) * known, known, np.column_stack([spin, offset])


def _in_px(matrix: NDArray[np.float64], first: Texture, second: Texture) -> NDArray[np.float64]:
    into, out = first.grid(np.ones((1, 2)))[0], second.px(np.ones((1, 2)))[0]
    return np.column_stack([out[:, None] * matrix[:, :2] * into, out * matrix[:, 2]])

"""Near-duplicates: one picture filed twice, saved again, made smaller, brighter, mirrored or turned.

A difference hash (is each cell of a small grey picture brighter than its neighbour on the left?) in the eight
orientations of a square. What all pictures of a device have alike is left out first: black surroundings of a round
field, and the fall of light from middle to edge. It tells one photograph from another, not one place from another:
repeats of a field, for which the probe was lifted, are as far apart as strangers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from trichotrack.geometry import resample

CELLS = 17
"""Side of the small picture: 17 rows of 16 comparisons make 272 bits."""

NEAR_SHARE = 0.15
"""Of the bits that both pictures have: pictures that differ in no more are near-duplicates.

Over the 308,896 pairs of captures of different people in hair-follicles-70x, 32 differ in 0 to 9 % (by eye one
photograph, with and without a measuring circle drawn in) and the next in 25 %; two captures of one person differ in
29 % or more, synthetic repeats of one field in 37 % or more. Cut to the circle that fits in the picture, the 32 differ
in 10 % at most, the next in 18 %. Saved again at quality 50, at half the size, 15 % brighter, blurred, mirrored or
turned, a capture differs from itself in 4 % at most, with a strip blackened in 9 %, cut by 2 % on each side in 13 %;
cut by 5 % in 15 to 29 %, which is not found."""

LEAST_BITS = 90
"""In common, below which nothing is said: a third of the picture."""

BLACK = 12
"""Brightness (0 to 255) of a cell that is no skin: the surroundings of a round field, a black strip."""

MIN_CONTRAST = 1.0
"""Standard deviation of the cells (0 to 255), light evened out, below which a picture shows nothing to tell it by."""

_BLOCK = 256


@dataclass(frozen=True, eq=False)
class PictureHash:
    """bits and known: bool (8, 272), for each orientation, the picture's own first; known where there is skin."""

    bits: NDArray[np.bool_]
    known: NDArray[np.bool_]


def picture_hash(pixels: NDArray[np.uint8]) -> PictureHash | None:
    """The hash of pixels uint8 (H, W, 3); None where the picture is blank."""
    small = resample(np.asarray(Image.fromarray(pixels).convert("L")), (CELLS, CELLS)).astype(np.float64)
    skin = ~_grown(small <= BLACK)
    if skin.sum() * 16 < LEAST_BITS * CELLS:
        return None
    even = np.where(skin, small - _light(small, skin), 0.0)
    if even[skin].std() < MIN_CONTRAST:
        return None
    bits, known = [], []
    for quarter in range(4):
        cells, seen = np.rot90(even, quarter), np.rot90(skin, quarter)
        for way, there in ((cells, seen), (cells[:, ::-1], seen[:, ::-1])):
            bits.append((way[:, 1:] > way[:, :-1]).ravel())
            known.append((there[:, 1:] & there[:, :-1]).ravel())
    return PictureHash(np.stack(bits), np.stack(known))


def _grown(black: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """With the cells beside black ones, which are part black."""
    padded = np.pad(black, 1)
    beside = [padded[dy : dy + CELLS, dx : dx + CELLS] for dy in range(3) for dx in range(3)]
    return np.asarray(np.any(beside, axis=0), np.bool_)


def _light(small: NDArray[np.float64], skin: NDArray[np.bool_]) -> NDArray[np.float64]:
    """The light over the field: a surface of second order fitted to the skin."""
    y, x = np.mgrid[-1 : 1 : CELLS * 1j, -1 : 1 : CELLS * 1j]
    terms = np.stack([np.ones_like(x), x, y, x * y, x * x, y * y], axis=-1)
    weights, *_ = np.linalg.lstsq(terms[skin], small[skin], rcond=None)
    return np.asarray(terms @ weights, np.float64)


def near_pairs(hashes: Sequence[PictureHash | None], share: float = NEAR_SHARE) -> list[tuple[int, int, float]]:
    """(i, j, share of bits that differ) for every pair i < j that differs in so many or fewer, however it is turned.

    Memory grows with the number of pictures, not with its square.
    """
    there = [(i, found) for i, found in enumerate(hashes) if found is not None]
    if len(there) < 2:
        return []
    known = np.stack([found.known for _, found in there]).astype(np.float32)
    ones = np.stack([found.bits for _, found in there]).astype(np.float32) * known
    noughts = known - ones
    pairs = []
    for start in range(0, len(there), _BLOCK):
        rows = slice(start, start + _BLOCK)
        least = np.full((len(known[rows]), len(there)), np.inf, np.float32)
        for way in range(known.shape[1]):
            common = known[rows, way] @ known[:, 0].T
            differ = ones[rows, way] @ noughts[:, 0].T + noughts[rows, way] @ ones[:, 0].T
            least = np.where(common >= LEAST_BITS, np.minimum(least, differ / np.maximum(common, 1)), least)
        for row, column in zip(*np.nonzero(least <= share), strict=True):
            if start + row < column:
                pairs.append((there[start + row][0], there[int(column)][0], float(least[row, column])))
    return pairs

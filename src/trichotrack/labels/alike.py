"""Near-duplicates: one picture filed twice, saved again, made smaller, brighter, mirrored or turned.

A difference hash (is each cell of a small grey picture brighter than its neighbour on the left?) in the eight
orientations of a square. It tells one photograph from another, not one place from another: repeats of a field, for
which the probe was lifted, are as far apart as strangers.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from trichotrack.geometry import resample

CELLS = 17
"""Side of the small picture: 17 rows of 16 comparisons make 272 bits."""

NEAR_BITS = 45
"""Pictures that differ in no more of the 272 bits are near-duplicates.

Over the 308,896 pairs of captures of different people in hair-follicles-70x, 32 differ in 0 to 16 bits (by eye one
photograph, with and without a measuring circle drawn in) and the next in 68; two captures of one person differ in 67
or more, synthetic repeats of one field in 113 or more. Saved again at quality 50, at half the size, 15 % brighter,
blurred, with a strip blackened, mirrored or turned, a capture differs from itself in 11 at most; cut by 2 % on each
side in 36; cut by 5 % in up to 68, which is not always found."""

MIN_CONTRAST = 2.0
"""Standard deviation of the small picture (0 to 255) below which it shows nothing to tell it by."""

_BLOCK = 256

Hash = NDArray[np.bool_]
"""(8, 272): the bits of each orientation, the picture's own first."""


def picture_hash(pixels: NDArray[np.uint8]) -> Hash | None:
    """The hash of pixels uint8 (H, W, 3); None where the picture is blank."""
    grey = np.asarray(Image.fromarray(pixels).convert("L"))
    small = resample(grey, (CELLS, CELLS)).astype(np.int16)
    if small.std() < MIN_CONTRAST:
        return None
    turned = [np.rot90(small, quarter) for quarter in range(4)]
    return np.stack([(cells[:, 1:] > cells[:, :-1]).ravel() for way in turned for cells in (way, way[:, ::-1])])


def near_pairs(hashes: Sequence[Hash | None], bits: int = NEAR_BITS) -> list[tuple[int, int, int]]:
    """(i, j, bits that differ) for every pair i < j that differs in so many bits or fewer, in whichever orientation.

    Memory grows with the number of pictures, not with its square.
    """
    known = [i for i, found in enumerate(hashes) if found is not None]
    if len(known) < 2:
        return []
    stacked = np.stack([found for found in hashes if found is not None]).astype(np.float32)
    upright, ones = stacked[:, 0], stacked[:, 0].sum(axis=1)
    pairs = []
    for start in range(0, len(known), _BLOCK):
        block = stacked[start : start + _BLOCK]
        differ = np.min(
            [
                block[:, way].sum(axis=1)[:, None] + ones[None] - 2 * block[:, way] @ upright.T
                for way in range(block.shape[1])
            ],
            axis=0,
        )
        for row, column in zip(*np.nonzero(differ <= bits), strict=True):
            if start + row < column:
                pairs.append((known[start + row], known[int(column)], round(float(differ[row, column]))))
    return pairs

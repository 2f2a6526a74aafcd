"""The mask that captures.csv names as valid_area: where a capture shows scalp that the labels speak of."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from trichotrack.capture import read_capture
from trichotrack.problems import InputError, Problem


def read_mask(path: Path, size_px: tuple[int, int]) -> NDArray[np.bool_]:
    """A valid_area image as (height, width): True where it is not black. size_px: (width, height) of its capture.

    Raises InputError for what cannot be read, is of another size, has transparent parts, or is black throughout.
    """
    mask = read_capture(path)
    if _transparent(path):
        message = "has transparent parts, which may mean valid or not"
    elif (mask.width, mask.height) != size_px:
        message = f"is {mask.width}×{mask.height} px while its capture is {size_px[0]}×{size_px[1]}"
    elif not mask.pixels.any():
        message = "is black throughout: no scalp would be valid"
    else:
        return np.asarray(mask.pixels.any(axis=2))
    raise InputError(Problem(mask.file, message, "Draw it white where the scalp is valid, at the size of its image."))


def _transparent(path: Path) -> bool:
    with Image.open(path) as image:
        if "A" not in image.getbands() and "transparency" not in image.info:
            return False
        return bool((np.asarray(image.convert("RGBA").getchannel("A")) < 255).any())


def on_mask(mask: NDArray[np.bool_] | None, x: float, y: float) -> bool:
    """Whether a point, px, lies on mask (H, W), at its border where it lies outside; None: everywhere."""
    if mask is None:
        return True
    height, width = mask.shape
    return bool(mask[min(max(int(y), 0), height - 1), min(max(int(x), 0), width - 1)])

"""Pixel convention, physical scale, and the one resampler.

(x, y), x to the right, y down; (0, 0) is the top-left corner of the image, so the centre of the first pixel is
(0.5, 0.5). Sizes are (width, height) here; arrays are (height, width, 3).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from trichotrack.problems import InputError

ScaleSource = Literal["option", "field-width", "table", "dicom", "device-profile", "calibration"]

MIN_UM_PER_PX, MAX_UM_PER_PX = 0.2, 100.0
"""Outside these a scale is a mistake of unit: a 200x trichoscope has about 0.5 µm/px, a handheld camera about 20."""


@dataclass(frozen=True)
class Scale:
    """Micrometres per pixel of the original image, and where that number came from."""

    um_per_px: float
    source: ScaleSource

    def __post_init__(self) -> None:
        if self.source not in get_args(ScaleSource):
            raise InputError(f"scale source {self.source!r} is not one of {', '.join(get_args(ScaleSource))}.")
        if not MIN_UM_PER_PX <= self.um_per_px <= MAX_UM_PER_PX:
            raise InputError(
                f"a scale of {self.um_per_px:g} µm per pixel is outside {MIN_UM_PER_PX:g} to {MAX_UM_PER_PX:g}. "
                "Give micrometres (not millimetres) per pixel of the original image, not a magnification."
            )

    @classmethod
    def from_field_width(cls, field_width_mm: float, width_px: int) -> Scale:
        """From the width of the whole image on the scalp, in mm."""
        return cls(field_width_mm * 1000.0 / width_px, "field-width")

    def area_cm2(self, width_px: int, height_px: int) -> float:
        """Area of a width x height image on the scalp, cm²."""
        return width_px * height_px * (self.um_per_px / 1e4) ** 2


def size_at(size_px: tuple[int, int], um_per_px: float, wanted_um_per_px: float) -> tuple[int, int]:
    """(width, height) of an image after resampling to wanted_um_per_px: rounded, at least 1 px."""
    factor = um_per_px / wanted_um_per_px
    return max(1, round(size_px[0] * factor)), max(1, round(size_px[1] * factor))


def size_with_long_side(size_px: tuple[int, int], long_side_px: int) -> tuple[int, int]:
    """(width, height) of an image whose longer side is to have long_side_px, rounded, at least 1 px.

    What a model trained without scales takes, in training and at run time alike.
    """
    factor = long_side_px / max(size_px)
    return max(1, round(size_px[0] * factor)), max(1, round(size_px[1] * factor))


def resample(image: NDArray[np.uint8], size_px: tuple[int, int]) -> NDArray[np.uint8]:
    """The one resampler: antialiased (Pillow's triangle filter, widened when shrinking), training and runtime alike.

    image: uint8 (H, W, 3) or (H, W). size_px: (width, height) wanted.
    """
    if (image.shape[1], image.shape[0]) == tuple(size_px):
        return image
    return np.asarray(Image.fromarray(image).resize(size_px, Image.Resampling.BILINEAR))


def map_points(points: NDArray[np.floating], from_px: tuple[int, int], to_px: tuple[int, int]) -> NDArray[np.float64]:
    """Points (N, 2) of an image of size from_px, in the pixels of its resampled version of size to_px.

    Sizes are rounded when resampling, so each axis has its own factor: out size / in size.
    """
    factor = np.array([to_px[0] / from_px[0], to_px[1] / from_px[1]], dtype=np.float64)
    return np.asarray(points, dtype=np.float64).reshape(-1, 2) * factor


def pad_to_multiple(image: NDArray[np.uint8], multiple: int, value: int) -> NDArray[np.uint8]:
    """Image (H, W, 3), padded right and below with value until H and W are multiples of multiple."""
    height, width = image.shape[:2]
    bottom, right = -height % multiple, -width % multiple
    if not (bottom or right):
        return image
    return np.pad(image, ((0, bottom), (0, right), (0, 0)), constant_values=value)

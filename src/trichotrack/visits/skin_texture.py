"""What of a capture stays when the hair moves: the fine relief and colour of the skin, with the shafts left out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trichotrack.geometry import map_points, resample, size_at

Floats = NDArray[np.float32]

HAIR_WINDOW_UM = 420.0
"""The skin's own brightness is sought over this: wider than any shaft, narrower than the light's slope."""

SKIN_RANK = 75.0
"""The percentile taken for it: hair is darker, as a rule, and may cover more than half."""

HAIR_SPREADS = 3.0
"""What differs from that by more robust standard deviations is hair, glare or dirt, and says nothing of the place."""

TEXTURE_UM = 160.0
"""Slower changes than this are light and vignetting; they are taken out."""

LEAST_SPREAD = 0.004
"""Of log brightness: flatter skin is not stretched to full contrast, for there would be only noise."""

MOST_DARKER = 0.25
"""Of log brightness: what is darker than the skin around it by more is no skin."""

CLIP = 3.0


@dataclass(frozen=True)
class Texture:
    """Of one capture on a coarser grid.

    layers: (C, H, W), of unit local variance, 0 where not known: log brightness and the log ratio of red to blue.
    known: (H, W), 1 where skin is seen, 0 under hair, glare or what is not scalp. size_px: (width, height) of the
    capture itself. um_per_px: of this grid.
    """

    layers: Floats
    known: Floats
    size_px: tuple[int, int]
    um_per_px: float

    @property
    def shape(self) -> tuple[int, int]:
        return int(self.known.shape[0]), int(self.known.shape[1])

    def grid(self, points: NDArray[np.floating]) -> NDArray[np.float64]:
        """Points (N, 2) of the capture, px of this grid."""
        height, width = self.shape
        return map_points(points, self.size_px, (width, height))

    def px(self, points: NDArray[np.floating]) -> NDArray[np.float64]:
        """Points (N, 2) of this grid, px of the capture."""
        height, width = self.shape
        return map_points(points, (width, height), self.size_px)


def skin_texture(
    pixels: NDArray[np.uint8], um_per_px: float, at_um: float, valid: NDArray[np.bool_] | None = None
) -> Texture:
    """The texture of pixels, uint8 (H, W, 3) at um_per_px, on a grid of at_um. valid: (H, W), where scalp is seen."""
    from scipy.ndimage import binary_erosion, gaussian_filter

    size = size_at((pixels.shape[1], pixels.shape[0]), um_per_px, at_um)
    colours = np.log(np.float32(4.0) + resample(pixels, size).astype(np.float32))
    brightness = colours @ np.array([0.3, 0.59, 0.11], np.float32)
    known = _skin(brightness, at_um)
    if valid is not None:
        shown = np.where(valid, np.uint8(255), np.uint8(0))
        known &= resample(np.ascontiguousarray(shown), size) > 127
    known = binary_erosion(known, border_value=1)
    mask = known.astype(np.float32)
    sigma = TEXTURE_UM / at_um

    def mean(layer: Floats) -> Floats:
        return np.asarray(gaussian_filter(layer, sigma, mode="constant"), np.float32)

    weight = mean(mask) + np.float32(1e-3)
    layers = []
    for layer in (brightness, colours[..., 0] - colours[..., 2]):
        relief = layer - mean(mask * layer) / weight
        spread = np.sqrt(mean(mask * relief * relief) / weight)
        layers.append(np.clip(relief / (spread + np.float32(LEAST_SPREAD)), -CLIP, CLIP) * mask)
    return Texture(np.stack(layers), mask, (pixels.shape[1], pixels.shape[0]), at_um)


def _skin(brightness: Floats, at_um: float) -> NDArray[np.bool_]:
    """Where brightness (H, W) is that of the skin around: first by rank, which stands dense hair, then by mean."""
    from scipy.ndimage import gaussian_filter, percentile_filter, zoom

    # Ranks are taken on every other pixel of a fine grid.
    step = max(1, round(24.0 / at_um))
    coarse = brightness[::step, ::step]
    around = percentile_filter(coarse, SKIN_RANK, size=round(HAIR_WINDOW_UM / (at_um * step)) | 1, mode="nearest")
    if step > 1:
        around = zoom(around, step, order=1, mode="nearest", grid_mode=True)
        around = around[: brightness.shape[0], : brightness.shape[1]]
    off = brightness - around
    sigma = HAIR_WINDOW_UM / at_um / 3
    for _ in range(2):
        middle, spread = _densest(off)
        mask = (np.abs(off - middle) < HAIR_SPREADS * spread).astype(np.float32)
        weight = gaussian_filter(mask, sigma, mode="constant")
        off = brightness - gaussian_filter(mask * brightness, sigma, mode="constant") / (weight + np.float32(1e-3))
    middle, spread = _densest(off)
    return np.asarray((np.abs(off - middle) < HAIR_SPREADS * spread) & (weight > 0.02))


def _densest(values: Floats) -> tuple[float, float]:
    """Middle and standard deviation of the densest quarter of values, were these normal: skin among hair."""
    ordered = np.sort(values[values > -MOST_DARKER][::3])
    count = max(2, len(ordered) // 4)
    widths = ordered[count - 1 :] - ordered[: len(ordered) - count + 1]
    at = int(np.argmin(widths))
    # A quarter of a normal distribution lies within 0.3186 standard deviations of its mean.
    return float(ordered[at : at + count].mean()), max(float(widths[at]) / (2 * 0.3186), 1e-4)

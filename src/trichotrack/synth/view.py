"""From the scalp in µm to the pixels of a photograph, and noise that stays on the scalp when the probe moves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.float32]
"""(H, W, 3) or (H, W), 0 to 1."""


@dataclass(frozen=True)
class Pose:
    """How the probe lies: its centre on the scalp, its turn, and how much the skin is stretched along and across."""

    shift_um: tuple[float, float] = (0.0, 0.0)
    turn_deg: float = 0.0
    stretch: tuple[float, float] = (1.0, 1.0)


@dataclass(frozen=True)
class View:
    """size_px: (width, height). to_px: (2, 3), from µm on the scalp to px of the image."""

    size_px: tuple[int, int]
    um_per_px: float
    to_px: NDArray[np.float64]

    @classmethod
    def of(cls, size_px: tuple[int, int], um_per_px: float, pose: Pose) -> View:
        turn = np.deg2rad(pose.turn_deg)
        spin = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
        linear = spin @ np.diag(pose.stretch) / um_per_px
        centre = np.array(size_px, np.float64) / 2
        offset = centre - linear @ np.array(pose.shift_um)
        return cls(size_px, um_per_px, np.column_stack([linear, offset]))

    def coarser(self, factor: int) -> View:
        """The same field with pixels factor times as large; the last row and column may reach beyond it."""
        width, height = (-(-side // factor) for side in self.size_px)
        return View((width, height), self.um_per_px * factor, self.to_px / factor)

    def ground(self, cell_um: float) -> View:
        """A grid that holds the field, laid on the scalp itself: its cells are the same whatever photographs them."""
        corners = np.array([(0, 0), (1, 0), (0, 1), (1, 1)]) * np.array(self.size_px)
        um = (corners - self.to_px[:, 2]) @ np.linalg.inv(self.to_px[:, :2]).T
        first = np.floor(um.min(axis=0) / cell_um)
        width, height = (int(n) for n in np.ceil(um.max(axis=0) / cell_um) - first + 1)
        return View((width, height), cell_um, np.column_stack([np.eye(2) / cell_um, -first]))

    @property
    def shape(self) -> tuple[int, int]:
        return self.size_px[1], self.size_px[0]

    def px(self, points_um: NDArray[np.float64]) -> NDArray[np.float64]:
        """Points (N, 2) of the scalp in px of the image."""
        return np.asarray(points_um @ self.to_px[:, :2].T + self.to_px[:, 2])

    def span_px(self, length_um: float) -> float:
        """A length on the scalp, in px."""
        return length_um / self.um_per_px

    def near(self, xy: NDArray[np.float64], reach_px: float) -> NDArray[np.bool_]:
        """Which points (N, 2) in px lie in the image or within reach_px of it."""
        return np.asarray(((xy > -reach_px) & (xy < np.array(self.size_px) + reach_px)).all(axis=-1))

    def um_across(self) -> tuple[Image, Image]:
        """x and y on the scalp (µm) of each pixel centre, (H, W) each."""
        linear = np.linalg.inv(self.to_px[:, :2]).astype(np.float32)
        x = np.arange(self.size_px[0], dtype=np.float32)[None] + np.float32(0.5 - self.to_px[0, 2])
        y = np.arange(self.size_px[1], dtype=np.float32)[:, None] + np.float32(0.5 - self.to_px[1, 2])
        return linear[0, 0] * x + linear[0, 1] * y, linear[1, 0] * x + linear[1, 1] * y

    def holds(self, xy: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Which points (N, 2) in px lie in the image."""
        return np.asarray((xy >= 0).all(axis=-1) & (xy < np.array(self.size_px)).all(axis=-1))


def noise(
    rng: np.random.Generator,
    view: View,
    radius_um: float,
    cell_um: float,
    *,
    stretch: float = 1.0,
    angle: float = 0.0,
) -> Image:
    """Smooth noise (H, W) of about unit variance, fixed to the scalp: the same rng gives the same bumps in any view.

    cell_um: size of a bump; stretch: how much longer it is along angle (radians).
    """
    cells = np.array([cell_um * stretch, cell_um])
    count = 2 * np.ceil(radius_um / cells).astype(int) + 4
    lattice = rng.standard_normal((count[1], count[0]), dtype=np.float32)
    spin = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    # Coarse noise is sampled on a coarse grid and enlarged: nobody sees the difference, and it costs a tenth.
    factor = 1
    while cell_um / view.um_per_px / factor >= 6 and min(view.shape) // factor >= 32:
        factor *= 2
    coarse = view.coarser(factor)
    linear = np.diag(1.0 / cells) @ spin @ np.linalg.inv(coarse.to_px[:, :2])
    # From the centre of a pixel to the lattice, whose own points are at whole numbers.
    start = count / 2 - linear @ coarse.to_px[:, 2] + linear @ np.array([0.5, 0.5])
    flags = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
    matrix = np.column_stack([linear, start])
    small = cv2.warpAffine(lattice, matrix, coarse.size_px, flags=flags, borderMode=cv2.BORDER_REFLECT)
    return enlarged(small * np.float32(1.3), factor, view)


def enlarged(image: Image, factor: int, view: View) -> Image:
    """What was painted in view.coarser(factor), in the pixels of view."""
    if factor == 1:
        return image
    size = (image.shape[1] * factor, image.shape[0] * factor)
    full = cv2.resize(image, size, interpolation=cv2.INTER_LINEAR)
    return np.asarray(full[: view.shape[0], : view.shape[1]])


def in_colour(grey: NDArray[np.floating], colour: Sequence[float] = (1.0, 1.0, 1.0), base: float = 0.0) -> Image:
    """base + grey times colour, (H, W, 3) of grey (H, W); faster than broadcasting over three colours."""
    return np.asarray(cv2.merge([grey * np.float32(value) + np.float32(base) for value in colour]), np.float32)


def blurred(image: Image, sigma_px: float) -> Image:
    """Gaussian blur; a wide one is done on a smaller image."""
    if sigma_px < 0.15:
        return image
    if sigma_px > 6 and min(image.shape[:2]) > 64:
        half = cv2.resize(image, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
        soft = blurred(half, sigma_px / 2)
        return np.asarray(cv2.resize(soft, (image.shape[1], image.shape[0]), interpolation=cv2.INTER_LINEAR))
    return np.asarray(cv2.GaussianBlur(image, (0, 0), sigma_px, borderType=cv2.BORDER_REPLICATE))


def bump(
    shape: tuple[int, ...],
    xy: tuple[float, float],
    sigma_px: tuple[float, float],
    *,
    angle: float = 0.0,
    flat: float = 2.0,
) -> tuple[tuple[slice, slice], Image] | None:
    """exp(-½ rᶠˡᵃᵗ) around xy (px), cut to an image of shape: the region it covers and its values; None if outside.

    flat > 2 gives a plateau. sigma_px: along angle (radians), and across.
    """
    reach = (3.0 if flat < 3 else 2.2) * max(sigma_px)
    x0, x1 = int(max(0, xy[0] - reach)), int(min(shape[1], xy[0] + reach + 1))
    y0, y1 = int(max(0, xy[1] - reach)), int(min(shape[0], xy[1] + reach + 1))
    if x0 >= x1 or y0 >= y1:
        return None
    dx = np.arange(x0, x1, dtype=np.float32)[None] + np.float32(0.5 - xy[0])
    dy = np.arange(y0, y1, dtype=np.float32)[:, None] + np.float32(0.5 - xy[1])
    cos, sin = np.float32(np.cos(angle)), np.float32(np.sin(angle))
    along = (dx * cos + dy * sin) / np.float32(sigma_px[0])
    across = (dy * cos - dx * sin) / np.float32(sigma_px[1])
    square = along * along + across * across
    if flat != 2.0:
        square = square ** np.float32(flat / 2)
    return (slice(y0, y1), slice(x0, x1)), np.exp(np.float32(-0.5) * square)

"""Large images in pieces: each peak belongs to the one tile whose core holds it, so no seam counts twice."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trichotrack.problems import InputError

Grids = dict[str, NDArray[np.floating]]
"""Outputs of a network by name, each (channels, h, w)."""


@dataclass(frozen=True)
class Span:
    """Rows and columns [top, bottom) × [left, right) of an image, px."""

    top: int
    left: int
    bottom: int
    right: int

    def slices(self, stride: int = 1, *, within: Span | None = None) -> tuple[slice, slice]:
        """Slices of a grid of cells of stride px whose first cell is at within's corner (None: the image's)."""
        top, left = (within.top, within.left) if within else (0, 0)
        return (
            slice((self.top - top) // stride, (self.bottom - top) // stride),
            slice((self.left - left) // stride, (self.right - left) // stride),
        )


@dataclass(frozen=True)
class Tile:
    """core: what this tile answers for; the cores of all tiles cover the image once. window: core and its halo."""

    core: Span
    window: Span


def tiles(height: int, width: int, *, core_px: int, halo_px: int, stride: int) -> list[Tile]:
    """Tiles of an image of height × width px (multiples of stride), row by row.

    Cores have sides of core_px at most, as equal as the stride allows. A window reaches halo_px beyond its core, or to
    the image's border: there it sees what the whole image would see. All corners are multiples of stride, so that
    every tile's grid lies on the grid of the whole. Raises InputError where sizes are no multiples of stride.
    """
    for name, value, least in (
        ("height", height, 1), ("width", width, 1), ("core_px", core_px, 1), ("halo_px", halo_px, 0)
    ):  # fmt: skip
        if value % stride or value < least:
            raise InputError(f"{name} {value} is not a positive multiple of the stride {stride}.")
    found = []
    for top, bottom in _cuts(height, core_px, stride):
        for left, right in _cuts(width, core_px, stride):
            first = max(0, top - halo_px), max(0, left - halo_px)
            last = min(height, bottom + halo_px), min(width, right + halo_px)
            found.append(Tile(Span(top, left, bottom, right), Span(*first, *last)))
    return found


def _cuts(length: int, core_px: int, stride: int) -> list[tuple[int, int]]:
    count = -(-length // core_px)
    edges = [length // stride * i // count * stride for i in range(count + 1)]
    return list(itertools.pairwise(edges))


Network = Callable[[NDArray[np.uint8]], Mapping[str, NDArray[np.floating]]]
"""Image (H, W, 3) to grids (channels, H / stride, W / stride) by name."""


def tiled(
    network: Network, image: NDArray[np.uint8], *, core_px: int, halo_px: int, total_stride: int, stride: int
) -> Iterator[tuple[tuple[slice, slice], Grids]]:
    """Tile by tile, (rows, columns) of the whole image's grid and the grids there: no more than a tile is held.

    image: sides are multiples of total_stride, as core_px and halo_px are. Equal to the same cells of network(image)
    where no cell sees farther than halo_px.
    """
    height, width = image.shape[:2]
    for tile in tiles(height, width, core_px=core_px, halo_px=halo_px, stride=total_stride):
        rows, columns = tile.window.slices()
        rows_in, columns_in = tile.core.slices(stride, within=tile.window)
        parts = network(image[rows, columns])
        yield tile.core.slices(stride), {name: part[:, rows_in, columns_in] for name, part in parts.items()}


def map_tiles(
    network: Network, image: NDArray[np.uint8], *, core_px: int, halo_px: int, total_stride: int, stride: int
) -> Grids:
    """The grids of the whole image, computed tile by tile; arguments as `tiled`."""
    height, width = image.shape[:2]
    whole: Grids = {}
    for (rows, columns), parts in tiled(
        network, image, core_px=core_px, halo_px=halo_px, total_stride=total_stride, stride=stride
    ):
        for name, part in parts.items():
            if name not in whole:
                whole[name] = np.empty((part.shape[0], height // stride, width // stride), part.dtype)
            whole[name][:, rows, columns] = part
    return whole

"""Tiles partition the plane, and what is found in tiles is what is found in the whole image."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trichotrack.detect.decode import decode, local_maxima
from trichotrack.detect.tiling import Span, map_tiles, tiles
from trichotrack.problems import InputError

STRIDE, TOTAL = 4, 16
cells = st.integers(1, 12)


@given(rows=cells, columns=cells, core=cells, halo=st.integers(0, 4))
def test_cores_partition_the_plane(rows: int, columns: int, core: int, halo: int) -> None:
    times = np.zeros((rows * TOTAL, columns * TOTAL), int)
    for tile in tiles(rows * TOTAL, columns * TOTAL, core_px=core * TOTAL, halo_px=halo * TOTAL, stride=TOTAL):
        times[tile.core.slices()] += 1
        assert times[tile.core.slices()].size > 0
    assert (times == 1).all()


@given(rows=cells, columns=cells, core=cells, halo=st.integers(0, 4))
def test_tiles_lie_on_the_stride_within_the_image_and_hold_their_halo(
    rows: int, columns: int, core: int, halo: int
) -> None:
    height, width = rows * TOTAL, columns * TOTAL
    for tile in tiles(height, width, core_px=core * TOTAL, halo_px=halo * TOTAL, stride=TOTAL):
        c, w = tile.core, tile.window
        assert all(edge % TOTAL == 0 for edge in (c.top, c.left, c.bottom, c.right, w.top, w.left, w.bottom, w.right))
        assert max(c.bottom - c.top, c.right - c.left) <= core * TOTAL
        assert w == Span(
            max(0, c.top - halo * TOTAL),
            max(0, c.left - halo * TOTAL),
            min(height, c.bottom + halo * TOTAL),
            min(width, c.right + halo * TOTAL),
        )


def network(image: np.ndarray) -> dict[str, np.ndarray]:
    """Mean over 3×3 cells, then the peaks of that mean: a cell sees 1 (mean) + 1 (peak) cells around it."""
    grey = image[..., 0].astype(np.float64)
    grid = grey.reshape(grey.shape[0] // STRIDE, STRIDE, grey.shape[1] // STRIDE, STRIDE).mean(axis=(1, 3))
    padded = np.pad(grid, 1)
    height, width = grid.shape
    mean = sum(padded[y : y + height, x : x + width] for y in range(3) for x in range(3)) / 9 / 255
    logits = np.stack([mean, 1 - mean])
    return {"peaks": np.where(local_maxima(logits), logits, 0.0), "mean": mean[None]}


@settings(deadline=None, max_examples=60)
@given(
    seed=st.integers(0, 2**32 - 1),
    rows=cells,
    columns=cells,
    core=st.integers(1, 5),
    levels=st.sampled_from([2, 3, 255]),
)
def test_tiled_grids_and_detections_equal_those_of_the_whole_image(
    seed: int, rows: int, columns: int, core: int, levels: int
) -> None:
    # Few grey levels in large blocks force ties between neighbours, also across seams.
    rng = np.random.default_rng(seed)
    blocks = rng.integers(0, levels, (rows * TOTAL // STRIDE, columns * TOTAL // STRIDE, 3), dtype=np.uint8)
    image = np.repeat(np.repeat(blocks, STRIDE, axis=0), STRIDE, axis=1) * np.uint8(255 // levels)
    whole = network(image)
    tiled = map_tiles(network, image, core_px=core * TOTAL, halo_px=TOTAL, total_stride=TOTAL, stride=STRIDE)
    for name, grid in whole.items():
        np.testing.assert_array_equal(tiled[name], grid)
    found = [
        decode(
            grids["peaks"], stride=STRIDE, thresholds=(0.3, 0.3), groups=("structure", None), min_distance_px=3 * STRIDE
        )
        for grids in (whole, tiled)
    ]
    np.testing.assert_array_equal(found[0].xy, found[1].xy)
    np.testing.assert_array_equal(found[0].score, found[1].score)


def test_a_halo_smaller_than_what_a_cell_sees_would_be_noticed() -> None:
    image = np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)
    tiled = map_tiles(network, image, core_px=16, halo_px=0, total_stride=TOTAL, stride=STRIDE)
    assert (tiled["mean"] != network(image)["mean"]).any()


@pytest.mark.parametrize("wrong", [{"height": 40}, {"width": 0}, {"core_px": 0}, {"core_px": 20}, {"halo_px": 8}])
def test_sizes_off_the_stride_are_refused(wrong: dict[str, int]) -> None:
    sizes = {"height": 64, "width": 64, "core_px": 32, "halo_px": 16} | wrong
    with pytest.raises(InputError, match="multiple of the stride 16"):
        tiles(sizes["height"], sizes["width"], core_px=sizes["core_px"], halo_px=sizes["halo_px"], stride=16)

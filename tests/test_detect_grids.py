"""Points to grids and back."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import map_coordinates

from trichotrack.detect.decode import ASIDE, around, between, decode, local_maxima, valid_cells
from trichotrack.detect.targets import cells_of, discs, heatmap, offsets

STRIDE = 4


@st.composite
def sparse_points(draw):
    """Points in a grid of up to 30 x 30 cells, no two nearer than 3 cells in both axes."""
    h, w = draw(st.integers(4, 30)), draw(st.integers(4, 30))
    spots = draw(st.sets(st.tuples(st.integers(0, (h - 1) // 3), st.integers(0, (w - 1) // 3)), max_size=12))
    fractions = st.floats(0, 0.999)
    points = [
        (min(3 * j + draw(fractions), w - 0.001) * STRIDE, min(3 * i + draw(fractions), h - 0.001) * STRIDE)
        for i, j in sorted(spots)
    ]
    return np.array(points, np.float64).reshape(-1, 2), (h, w)


@given(sparse_points())
@settings(deadline=None)
def test_points_come_back_from_their_grid_within_a_hundredth_of_a_cell(case):
    points, grid = case
    heat = heatmap(points, grid, stride=STRIDE, sigma_px=6.0)
    peaks = (heat * local_maxima(heat[None])[0])[None]
    found = decode(
        peaks, offsets(points, grid, STRIDE), stride=STRIDE, thresholds=[0.99], groups=[None], min_distance_px=4.0
    )
    assert len(found) == len(points)
    for point in points:
        assert np.abs(found.xy - point).max(axis=1).min() < 0.01 * STRIDE


@given(st.integers(1, 12), st.integers(1, 12), st.floats(-5, 5))
def test_a_flat_image_has_no_peaks(h, w, level):
    assert not local_maxima(np.full((2, h, w), level)).any()


@given(st.integers(0, 2**32 - 1), st.integers(2, 4))
def test_no_two_neighbours_both_peak_however_many_ties(seed, levels):
    logits = np.random.default_rng(seed).integers(0, levels, (1, 9, 11)).astype(float)
    peak = local_maxima(logits)[0]
    rows, columns = np.nonzero(peak)
    for i in range(len(rows)):
        near = (np.abs(rows - rows[i]) <= 1) & (np.abs(columns - columns[i]) <= 1)
        assert near.sum() == 1


@given(st.integers(0, 999), st.integers(1, 7), st.integers(1, 7))
def test_between_cells_a_grid_is_read_as_scipy_reads_it_and_beyond_its_edge_it_goes_on(seed, h, w):
    rng = np.random.default_rng(seed)
    grid, xy = rng.normal(size=(3, h, w)), rng.uniform(-1, 1 + max(h, w), (20, 2))
    theirs = [map_coordinates(layer, xy.T[::-1] - 0.5, order=1, mode="nearest") for layer in grid]
    np.testing.assert_allclose(between(grid, xy), np.array(theirs).T, atol=1e-12)


def test_a_shaft_is_read_around_its_root_and_not_from_its_cell_alone():
    peaks = np.zeros((1, 5, 5))
    peaks[0, 2, 2] = 0.9
    offset = np.zeros((2, 5, 5))
    offset[:, 2, 2] = 0.25, -0.5
    shaft = np.random.default_rng(0).normal(size=(5, 5, 5))
    found = decode(peaks, offset, shaft, stride=STRIDE, thresholds=[0.5], groups=[None], min_distance_px=4.0)
    assert found.xy.tolist() == [[2.75 * STRIDE, 2.0 * STRIDE]]
    corners = [(2.75 + x, 2.0 + y) for x in (-ASIDE, ASIDE) for y in (-ASIDE, ASIDE)]
    assert found.shaft[0] == pytest.approx(between(shaft, np.array(corners)).mean(axis=0))
    # What is the same all around stays what it is.
    even = np.ones((5, 5, 5)) * np.arange(5.0)[:, None, None]
    assert around(even, np.array([[0.0, 0.0], [2.6, 3.1], [5.0, 5.0]])).tolist() == [[0, 1, 2, 3, 4]] * 3


def test_the_cell_of_a_point_is_the_one_that_holds_it():
    points = np.array([[0.0, 0.0], [3.99, 4.0], [39.9, 39.9], [40.0, 40.0]])
    assert cells_of(points, (10, 10), STRIDE).tolist() == [[0, 0], [1, 0], [9, 9], [9, 9]]


def test_a_heat_map_is_one_only_where_a_point_lies():
    heat = heatmap(np.array([[10.0, 6.0], [31.0, 25.0]]), (10, 10), stride=STRIDE, sigma_px=8.0)
    assert np.argwhere(heat >= 1).tolist() == [[1, 2], [6, 7]]


def test_one_structure_keeps_one_sign_of_its_group_and_other_groups_stand_apart():
    peaks = np.zeros((3, 8, 8), np.float32)
    peaks[0, 2, 2], peaks[1, 2, 3], peaks[2, 2, 2] = 0.8, 0.9, 0.5
    found = decode(
        peaks, stride=STRIDE, thresholds=[0.3] * 3, groups=["structure", "structure", None], min_distance_px=10.0
    )
    assert sorted(zip(found.sign.tolist(), found.score.round(2).tolist(), strict=True)) == [(1, 0.9), (2, 0.5)]


def test_a_chain_of_near_marks_loses_only_the_rivals_of_those_kept():
    peaks = np.zeros((1, 3, 20), np.float32)
    peaks[0, 1, [2, 4, 6]] = 0.9, 0.8, 0.7
    found = decode(peaks, stride=STRIDE, thresholds=[0.3], groups=[None], min_distance_px=9.0)
    assert found.xy[:, 0].tolist() == [10.0, 26.0]


def test_a_disc_covers_the_cells_within_its_radius():
    mask = discs(np.array([[22.0, 22.0]]), (11, 11), stride=STRIDE, radius_px=4.0)
    assert np.argwhere(mask).tolist() == [[4, 5], [5, 4], [5, 5], [5, 6], [6, 5]]


def test_what_is_not_valid_is_not_found_and_does_not_outdo_what_is():
    peaks = np.zeros((1, 6, 6))
    peaks[0, 2, 2], peaks[0, 2, 4] = 0.6, 0.9
    mask = np.ones((24, 24), np.bool_)
    mask[:, 18:] = False  # the centre of column 4 lies at 18 px
    options = {"stride": STRIDE, "thresholds": [0.3], "groups": [None], "min_distance_px": 12.0}
    assert decode(peaks, **options).score.tolist() == [0.9]
    assert decode(peaks, **options, valid=valid_cells(mask, STRIDE)).score.tolist() == [0.6]

"""The matcher: one to one, as many pairs as can be, then the nearest; symmetric and independent of order."""

from __future__ import annotations

from itertools import combinations, permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from trichotrack.detect.matching import gains, match
from trichotrack.problems import InputError


def points(max_size: int, *, grid: bool = False):
    """Points in a small square, so that they compete; on a grid they tie exactly."""
    coordinate = st.integers(0, 4).map(float) if grid else st.floats(0, 10, allow_subnormal=False)
    return st.integers(0, max_size).flatmap(lambda n: arrays(np.float64, (n, 2), elements=coordinate))


def brute_force(a: np.ndarray, b: np.ndarray, tolerance: float) -> tuple[int, float]:
    """(number of pairs, total distance) of the best matching, by trying all of them."""
    distance = np.hypot(*(a[:, None] - b[None]).transpose(2, 0, 1)) if len(a) and len(b) else np.zeros((len(a), len(b)))
    for size in range(min(len(a), len(b)), 0, -1):
        totals = [
            sum(distance[i, j] for i, j in zip(rows, columns, strict=True))
            for rows in combinations(range(len(a)), size)
            for columns in permutations(range(len(b)), size)
            if all(distance[i, j] <= tolerance for i, j in zip(rows, columns, strict=True))
        ]
        if totals:
            return size, min(totals)
    return 0, 0.0


def total_distance(a: np.ndarray, b: np.ndarray, pairs: np.ndarray) -> float:
    return float(np.hypot(*(a[pairs[:, 0]] - b[pairs[:, 1]]).T).sum())


@given(points(5), points(5), st.floats(0.5, 6))
@settings(max_examples=60, deadline=None)
def test_no_matching_has_more_pairs_or_as_many_at_less_distance(a, b, tolerance):
    pairs = match(a, b, tolerance)
    size, total = brute_force(a, b, tolerance)
    assert len(pairs) == size
    assert total_distance(a, b, pairs) == pytest.approx(total, abs=1e-9)


@given(points(12), points(12), st.floats(0, 6))
@settings(max_examples=60, deadline=None)
def test_pairs_are_one_to_one_and_within_the_tolerance(a, b, tolerance):
    pairs = match(a, b, tolerance)
    assert len(set(pairs[:, 0].tolist())) == len(set(pairs[:, 1].tolist())) == len(pairs)
    assert (np.hypot(*(a[pairs[:, 0]] - b[pairs[:, 1]]).T) <= tolerance).all()


@given(points(12, grid=True), points(12, grid=True), st.integers(0, 3), st.randoms(use_true_random=False))
@settings(max_examples=100, deadline=None)
def test_swapping_or_shuffling_the_points_matches_the_same_places_even_in_ties(a, b, tolerance, random):
    def places(first, second, pairs):
        return sorted((*first[i], *second[j]) for i, j in pairs)

    expected = places(a, b, match(a, b, tolerance))
    assert places(a, b, match(b, a, tolerance)[:, ::-1]) == expected
    shuffled_a = a[random.sample(range(len(a)), len(a))]
    shuffled_b = b[random.sample(range(len(b)), len(b))]
    assert places(shuffled_a, shuffled_b, match(shuffled_a, shuffled_b, tolerance)) == expected


@given(points(10, grid=True), points(8, grid=True), st.floats(0, 3))
@settings(max_examples=100, deadline=None)
def test_gains_sum_to_the_number_of_pairs_of_every_prefix(a, b, tolerance):
    running = np.cumsum(gains(a, b, tolerance))
    assert [int(n) for n in running] == [len(match(a[: k + 1], b, tolerance)) for k in range(len(a))]


def test_two_pairs_farther_apart_come_before_one_very_near():
    a, b = np.array([[0.0, 0], [1.0, 0]]), np.array([[1.0, 0], [2.0, 0]])
    assert match(a, b, tolerance=1.0).tolist() == [[0, 0], [1, 1]]


def test_a_point_exactly_at_the_tolerance_is_matched_both_ways():
    a, b = np.array([[0.1, 0.1]]), np.array([[0.1, 0.4]])
    tolerance = float(np.hypot(*(a - b)[0]))
    assert len(match(a, b, tolerance)) == len(match(b, a, tolerance)) == 1


def test_nothing_matches_nothing():
    none, one = np.empty((0, 2)), np.array([[1.0, 2.0]])
    assert match(none, one, 5).shape == match(one, none, 5).shape == match(none, none, 5).shape == (0, 2)
    assert gains(one, none, 5).tolist() == [False]


@pytest.mark.parametrize(
    ("a", "tolerance", "said"),
    [
        ([[np.nan, 0.0]], 1.0, "not finite"),
        ([[np.inf, 0.0]], 1.0, "not finite"),
        ([[1.0, 2.0, 3.0]], 1.0, r"\(N, 2\)"),
        ([[1.0, 2.0]], -1.0, "tolerance"),
        ([[1.0, 2.0]], np.nan, "tolerance"),
    ],
)
def test_points_and_tolerances_that_mean_nothing_are_refused(a, tolerance, said):
    for matcher in (match, gains):
        with pytest.raises(InputError, match=said):
            matcher(np.array(a), np.array([[1.0, 2.0]]), tolerance)


def test_crowded_captures_match_completely():
    rng = np.random.default_rng(0)
    a = rng.uniform(0, 1000, (300, 2))
    shuffle = rng.permutation(300)
    pairs = match(a, a[shuffle] + 0.25, tolerance=40)
    assert len(pairs) == 300
    assert (shuffle[pairs[:, 1]] == pairs[:, 0]).all()

"""One-to-one matching of two sets of points within a tolerance: the one matcher, for metrics, raters and visits."""

from __future__ import annotations

from collections import deque

import numpy as np
from numpy.typing import NDArray

from trichotrack.problems import InputError

Points = NDArray[np.float64]

_MARGIN = 1e-9
"""Candidates are sought a little beyond the tolerance, where rounding cannot lose one; exact distances decide."""


def match(a: NDArray[np.floating], b: NDArray[np.floating], tolerance: float) -> NDArray[np.int64]:
    """One-to-one pairs of a and b no farther apart than tolerance: as many as possible, then the least total distance.

    a: (N, 2). b: (M, 2), in the unit of tolerance. Returns (K, 2) indices (into a, into b), ordered by the first.
    Symmetric, and independent of the order of the points, ties included: points are sorted before they are matched.
    Raises InputError for points that are not finite or not (N, 2), or a tolerance that is negative or not finite.
    """
    first, second = _points(a), _points(b)
    _check_tolerance(tolerance)
    order_a, order_b = _sorted_order(first), _sorted_order(second)
    first, second = first[order_a], second[order_b]
    swapped = (len(first), first.tolist()) > (len(second), second.tolist())
    if swapped:
        first, second = second, first
    pairs = _match_sorted(first, second, tolerance)
    if swapped:
        pairs = pairs[:, ::-1]
    pairs = np.stack([order_a[pairs[:, 0]], order_b[pairs[:, 1]]], axis=1)
    return pairs[np.argsort(pairs[:, 0], kind="stable")]


def gains(a: NDArray[np.floating], b: NDArray[np.floating], tolerance: float) -> NDArray[np.bool_]:
    """Which points of a, added one after the other, raise the largest number of pairs with b.

    The first k flags sum to len(match(a[:k], b, tolerance)), for every k: one pass serves every threshold of a list
    sorted by score. The matchable subsets of a are the independent sets of a transversal matroid (Edmonds and
    Fulkerson 1965), so an augmenting path from each point in turn finds the rank of every prefix.
    a: (N, 2). b: (M, 2). Returns (N,) bool. Raises InputError as match does.
    """
    first, second = _points(a), _points(b)
    _check_tolerance(tolerance)
    gained = np.zeros(len(first), np.bool_)
    near: list[list[int]] = [[] for _ in range(len(first))]
    for i, j, _ in _neighbours(first, second, tolerance):
        near[i].append(j)
    partner: dict[int, int] = {}
    for start in range(len(first)):
        gained[start] = _augment(start, near, partner)
    return gained


def _augment(start: int, near: list[list[int]], partner: dict[int, int]) -> bool:
    """Breadth-first augmenting path from `start`; updates partner (b index -> a index) where there is one."""
    came_from: dict[int, int] = {}  # b index -> the a index that reached it
    held: dict[int, int] = {}  # a index -> the b index it holds now
    queue = deque([start])
    while queue:
        i = queue.popleft()
        for j in near[i]:
            if j in came_from:
                continue
            came_from[j] = i
            if j in partner:
                held[partner[j]] = j
                queue.append(partner[j])
                continue
            _flip(j, start, came_from, held, partner)
            return True
    return False


def _flip(free: int, start: int, came_from: dict[int, int], held: dict[int, int], partner: dict[int, int]) -> None:
    """Give each point on the path from `start` to the free b point the b point it reached."""
    j = free
    while True:
        i = came_from[j]
        partner[j] = i
        if i == start:
            return
        j = held[i]


def _match_sorted(a: Points, b: Points, tolerance: float) -> NDArray[np.int64]:
    """As match, for points in canonical order: rows (into a), columns (into b)."""
    candidates = _neighbours(a, b, tolerance)
    if not candidates:
        return np.empty((0, 2), np.int64)
    rows = np.array([i for i, _, _ in candidates], np.int64)
    columns = np.array([j for _, j, _ in candidates], np.int64)
    distances = np.array([d for _, _, d in candidates], np.float64) / (tolerance or 1.0)
    alone = (np.bincount(rows)[rows] == 1) & (np.bincount(columns)[columns] == 1)
    pairs = list(zip(rows[alone], columns[alone], strict=True))
    if not alone.all():
        pairs += _assigned(rows[~alone], columns[~alone], distances[~alone])
    return np.array(pairs, np.int64).reshape(-1, 2)


def _assigned(
    rows: NDArray[np.int64], columns: NDArray[np.int64], distances: NDArray[np.float64]
) -> list[tuple[np.int64, np.int64]]:
    """Contested candidates: each connected group of them is an assignment of its own."""
    from scipy.optimize import linear_sum_assignment
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    first_column = int(rows.max()) + 1
    nodes = first_column + int(columns.max()) + 1
    graph = coo_array((np.ones(len(rows)), (rows, columns + first_column)), shape=(nodes, nodes))
    group = connected_components(graph, directed=False)[1][rows]
    order = np.argsort(group, kind="stable")
    starts = np.flatnonzero(np.diff(group[order], prepend=-1))
    pairs = []
    for members in np.split(order, starts[1:]):
        in_a, at_row = np.unique(rows[members], return_inverse=True)
        in_b, at_column = np.unique(columns[members], return_inverse=True)
        # A pair outside the tolerance costs more than all pairs within it together: the number of pairs comes first.
        outside = min(len(in_a), len(in_b)) + 1.0
        cost = np.full((len(in_a), len(in_b)), outside)
        cost[at_row, at_column] = distances[members]
        chosen = np.stack(linear_sum_assignment(cost), axis=1)
        pairs += [(in_a[i], in_b[j]) for i, j in chosen if cost[i, j] < outside]
    return pairs


def _neighbours(a: Points, b: Points, tolerance: float) -> list[tuple[int, int, float]]:
    """(i, j, distance) for every pair within the tolerance, i ascending, j ascending."""
    if not len(a) or not len(b):
        return []
    by_x = np.argsort(b[:, 0], kind="stable")
    xs = b[by_x, 0]
    reach = tolerance + _MARGIN * (tolerance + np.abs(a[:, 0]))
    left, right = np.searchsorted(xs, a[:, 0] - reach), np.searchsorted(xs, a[:, 0] + reach, side="right")
    counts = right - left
    rows = np.repeat(np.arange(len(a)), counts)
    columns = by_x[np.arange(counts.sum()) + np.repeat(left - np.cumsum(counts) + counts, counts)]
    distances = np.hypot(*(a[rows] - b[columns]).T)
    within = np.flatnonzero(distances <= tolerance)
    within = within[np.lexsort((columns[within], rows[within]))]
    return list(zip(rows[within].tolist(), columns[within].tolist(), distances[within].tolist(), strict=True))


def _sorted_order(points: Points) -> NDArray[np.int64]:
    return np.lexsort((points[:, 1], points[:, 0])).astype(np.int64)


def _points(values: NDArray[np.floating]) -> Points:
    points = np.asarray(values, np.float64)
    if points.size == 0:
        return points.reshape(0, 2)
    if points.ndim != 2 or points.shape[1] != 2:
        raise InputError(f"points to match must be of shape (N, 2), not {points.shape}.")
    if not np.isfinite(points).all():
        raise InputError(f"{int((~np.isfinite(points)).any(axis=1).sum())} of {len(points)} points are not finite.")
    return points


def _check_tolerance(tolerance: float) -> None:
    if not 0 <= tolerance < np.inf:
        raise InputError(f"a matching tolerance must be finite and not negative, not {tolerance}.")

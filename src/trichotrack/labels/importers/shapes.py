"""Drawn shapes as marks: a point is itself, a line runs from root to tip, a box or an outline is at its centre."""

from __future__ import annotations

import math
from collections.abc import Sequence

from trichotrack.labels.importers.common import Mark

Point = tuple[float, float]

NOT_FINITE = "its coordinates are not finite numbers"


def unusable(name: str, why: str, kind: str = "") -> Mark:
    """A structure that is there and cannot be placed."""
    return Mark(name, 0, 0, kind=kind, unusable=why)


def point(name: str, at: Point) -> Mark:
    return Mark(name, *at, kind="point")


def line(name: str, points: Sequence[Point]) -> Mark:
    """The first point is the root and the last one the tip; what lies between is the way of the shaft, and not kept."""
    if len(points) < 2 or points[0] == points[-1]:
        return unusable(name, "its line does not lead from one point to another", "line")
    return Mark(name, *points[0], tip=points[-1], kind="line")


def box(name: str, first: Point, second: Point, turned: Sequence[Point] = ()) -> Mark:
    """A box of two opposite corners, or of the four corners of a turned one."""
    around = turned or corners(first, second)
    mark = outline(name, around)
    beside = zip(around, [*around[1:], around[0]], strict=True)
    has_area = mark.box is not None and sum(x * v - u * y for (x, y), (u, v) in beside) != 0
    return Mark(name, mark.x, mark.y, box=mark.box, kind="box", unusable="" if has_area else NO_AREA)


NO_AREA = "its box has no area"


def outline(name: str, points: Sequence[Point]) -> Mark:
    """At the centre of the upright box around all points; box is that box."""
    if not points:
        return unusable(name, "its outline has no points", "outline")
    left, right = min(x for x, _ in points), max(x for x, _ in points)
    top, bottom = min(y for _, y in points), max(y for _, y in points)
    size = (right - left, bottom - top)
    empty = not (size[0] and size[1])
    return Mark(
        name,
        (left + right) / 2,
        (top + bottom) / 2,
        box=None if empty else size,
        kind="outline",
        unusable="its outline has no area" if empty else "",
    )


def keypoints(name: str, root: Point | None, tip: Point | None, box_size: tuple[float, float] | None = None) -> Mark:
    if root is None:
        return unusable(name, "its root is not marked", "keypoints")
    return Mark(name, *root, tip=tip, box=box_size, kind="keypoints")


def turned(points: Sequence[Point], about: Point, degrees: float) -> list[Point]:
    """Points turned clockwise on the screen (x to the right, y down)."""
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return [
        (
            about[0] + (x - about[0]) * cos - (y - about[1]) * sin,
            about[1] + (x - about[0]) * sin + (y - about[1]) * cos,
        )
        for x, y in points
    ]


def corners(first: Point, second: Point) -> list[Point]:
    return [first, (second[0], first[1]), second, (first[0], second[1])]

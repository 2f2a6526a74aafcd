"""Hair shafts and black dots as antialiased shapes: drawn supersampled as polygons, then averaged down."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from trichotrack.synth.scalp import YELLOW_DOT, Floats, Structure
from trichotrack.synth.view import Image, View, blurred, bump

SUBPIXEL_BITS = 4
UNDER_SKIN_UM = 75.0
"""How far under translucent skin a fully veiled shaft is still painted, until the blur takes over."""

CLEAR_OF_SKIN_UM = 130.0
"""So far from its root a shaft lies above the skin."""

SKIN_EDGE_UM = 14.0
"""Over so much the skin over a root gives way to a shaft above it, standard deviation."""

COVER_CELL_UM = 5.0
"""Cells of the grid on which it is told what lies over what: less than half of the thinnest hair."""

EDGE_PX = 0.5
"""fillPoly also fills the pixels its outline touches: half a (supersampled) pixel too much on each side."""


@dataclass(frozen=True)
class Layer:
    """Premultiplied colour (H, W, 3) and coverage (H, W), both 0 to 1."""

    colour: Image
    cover: Image


def paint_shafts(structures: list[Structure], view: View, light: Floats) -> Layer:
    """All structures in painter's order (the first lies lowest). light: unit vector towards the light, in the image."""
    fine = 3 if view.um_per_px > 4.0 else 2
    height, width = view.shape
    canvas = np.zeros((height * fine, width * fine, 4), np.uint8)
    for structure in structures:
        if structure.sign == YELLOW_DOT:
            continue
        if len(structure.path_um) == 1:
            _paint_dot(canvas, structure, view, fine)
        else:
            _paint_shaft(canvas, structure, view, fine, light)
    small = cv2.resize(canvas, (width, height), interpolation=cv2.INTER_AREA)
    layer = small.astype(np.float32) * np.float32(1 / 255)
    return Layer(layer[..., :3], layer[..., 3])


def _fill(canvas: NDArray[np.uint8], outlines_px: list[Floats], fine: int, colour: Floats, opacity: float) -> None:
    points = [np.round((outline * fine - 0.5) * 2**SUBPIXEL_BITS).astype(np.int32) for outline in outlines_px]
    rgb = np.clip(colour, 0, 1) * opacity * 255
    value = (float(rgb[0]), float(rgb[1]), float(rgb[2]), opacity * 255)
    cv2.fillPoly(canvas, points, value, lineType=cv2.LINE_8, shift=SUBPIXEL_BITS)


def _paint_dot(canvas: NDArray[np.uint8], dot: Structure, view: View, fine: int) -> None:
    rng = np.random.default_rng(dot.seed)
    radius = view.span_px(dot.width_root_um) / 2
    angle = np.linspace(0, 2 * np.pi, 25)[:-1]
    wobble = 1.0 + 0.10 * rng.normal() * np.cos(2 * angle + rng.uniform(0, 6)) + 0.05 * rng.normal(size=len(angle))
    ring = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    centre = view.px(dot.path_um)[0]
    colour = np.array(dot.colour)
    edge = max(0.2, radius - EDGE_PX / fine)
    _fill(canvas, [centre + ring * (edge * wobble)[:, None]], fine, colour * 1.15 + 0.03, dot.opacity)
    inner = centre + rng.normal(0, 0.12, 2) * radius
    _fill(canvas, [inner + 0.65 * ring * (edge * wobble)[:, None]], fine, colour, dot.opacity)
    if rng.random() < 0.3:
        glint = centre + rng.normal(0, 0.3, 2) * radius
        _fill(canvas, [glint + 0.16 * edge * ring], fine, colour + rng.uniform(0.1, 0.5), dot.opacity)


def _paint_shaft(canvas: NDArray[np.uint8], hair: Structure, view: View, fine: int, light: Floats) -> None:
    path = view.px(hair.path_um)
    reach = view.span_px(float(hair.width_um.max())) + 2
    near = np.flatnonzero(view.near(path, reach))
    if not near.size:
        return
    rng = np.random.default_rng(hair.seed)
    end = _end_profile(rng, hair.end)
    drawn = slice(max(near[0] - 3, 0), near[-1] + 4)
    path, width = path[drawn], hair.width_um[drawn]
    if drawn.start == 0 and hair.veil > 0 and hair.sign is not None:
        # It goes on under the skin, which `root_veil` lays over it.
        path = np.vstack([view.px(hair.path_um[:1] - UNDER_SKIN_UM * hair.veil * hair.heading_um()), path])
        width = np.concatenate([0.7 * width[:1], width])
    # No edge is quite smooth.
    width = width * (1.0 + 0.025 * rng.standard_normal(len(width)))
    half = np.maximum(width / view.um_per_px / 2 - EDGE_PX / fine, 0.05)
    tangent = np.gradient(path, axis=0)
    tangent /= np.maximum(np.hypot(tangent[:, 0], tangent[:, 1])[:, None], 1e-9)
    normal = np.stack([-tangent[:, 1], tangent[:, 0]], axis=1)
    colour = np.array(hair.colour)
    # Pigment darkens the edges, where light goes the longest way: a white hair has little to darken them.
    pigment = min(1.0, 2.0 * (1.0 - float(colour.mean())))
    edge = colour * (1.0 - pigment * (1.0 - rng.uniform(0.6, 0.9)))
    _fill(canvas, [_strip(path, normal, tangent, half, 1.0, end)], fine, edge, hair.opacity)
    if half.max() * fine < 2.0:
        return
    _fill(canvas, [_strip(path, normal, tangent, half, 0.68, end)], fine, colour, hair.opacity)
    side = float(np.sign(normal.mean(axis=0) @ light) or 1.0)
    gloss = np.clip(colour + (0.01 + 0.3 * rng.random() ** 3) * np.array([0.92, 0.97, 1.05]), 0, 1)
    offset = side * rng.uniform(0.05, 0.5)
    streaks = []
    for piece in _pieces(rng, len(path)):
        # A highlight fades in and out: its width does, which is the same at this size.
        lens = rng.uniform(0.05, 0.17) * np.sin(np.linspace(0.05, 3.09, len(path[piece])))
        middle = path[piece] + normal[piece] * (half[piece] * offset)[:, None]
        streaks.append(_strip(middle, normal[piece], tangent[piece], half[piece] * lens, 1.0, None))
    if streaks:
        _fill(canvas, streaks, fine, gloss, hair.opacity)


def _pieces(rng: np.random.Generator, count: int) -> list[slice]:
    """Stretches of the shaft that carry a highlight."""
    pieces = []
    at = int(rng.integers(0, 3))
    while at < count - 2:
        last = at + int(rng.integers(3, 14))
        pieces.append(slice(at, min(last, count)))
        at = last + int(rng.integers(0, 7))
    return pieces


def _end_profile(rng: np.random.Generator, end: str) -> Floats:
    """(K, 2): position across the shaft (-1 to 1) and along it (in half-widths) of the points of the free end."""
    across = np.linspace(1, -1, 9)
    skew = rng.normal(0, 0.27) * across
    if end == "cut":
        along = skew + rng.uniform(0.05, 0.5) * np.sqrt(1 - across**2)
    elif end == "fracture":
        along = skew + rng.normal(0, 0.45, len(across))
    elif end == "pointed":
        along = 2.0 * (1 - across**2)
    else:
        prongs = rng.choice([-1.6, 1.2], len(across)) + rng.normal(0, 0.5, len(across))
        along = skew + prongs
        across = across * 1.15
    return np.stack([across, along - along.mean()], axis=1)


def _strip(path: Floats, normal: Floats, tangent: Floats, half: Floats, share: float, end: Floats | None) -> Floats:
    """Outline (N, 2) of a band along the path, share of its half-width to each side, and the profile of its end."""
    left = path + normal * (half * share)[:, None]
    right = path - normal * (half * share)[:, None]
    if end is None:
        return np.concatenate([left, right[::-1]])
    across, along = end[:, :1] * share, end[:, 1:] * share
    tip = path[-1] + half[-1] * (across * normal[-1] + along * tangent[-1])
    return np.concatenate([left[:-1], tip, right[-2::-1]])


def subsurface(structures: list[Structure], view: View) -> Image:
    """(H, W), 0 to 1: how much of each shaft shines through the skin behind its root."""
    height, width = view.shape
    near, deep = (np.zeros((-(-height // 2), -(-width // 2)), np.uint8) for _ in range(2))
    for hair in structures:
        if hair.subsurface_um <= 0 or len(hair.path_um) < 2:
            continue
        if not view.near(view.px(hair.path_um[:1]), view.span_px(hair.subsurface_um + 100.0))[0]:
            continue
        back = -hair.heading_um()
        darkness = hair.opacity * max(0.0, 1.0 - 1.4 * float(np.mean(hair.colour)))
        # The deeper, the paler and the more blurred: drawn from the far end, so that the near end stays dark.
        for share in np.linspace(1, -0.15, 10):
            ends_um = hair.path_um[0] + hair.subsurface_um * np.array([[share], [share - 0.14]]) * back
            ends = np.round(view.px(ends_um) * 8 - 8).astype(int).tolist()
            thick = max(1, round(view.span_px(hair.width_root_um * (0.95 + 0.35 * max(share, 0.0))) / 2))
            value = darkness * min(1.0, 1.0 - share)
            cv2.line(deep, ends[0], ends[1], int(245 * value**0.65), thick, cv2.LINE_AA, 4)
            if share < 0.75:
                cv2.line(near, ends[0], ends[1], int(225 * value**1.6), thick, cv2.LINE_AA, 4)
    if not deep.any():
        return np.zeros(view.shape, np.float32)
    soft = blurred(deep.astype(np.float32) * np.float32(1 / 255), view.span_px(34.0) / 2)
    soft = np.maximum(soft, blurred(near.astype(np.float32) * np.float32(1 / 255), view.span_px(11.0) / 2))
    return np.asarray(cv2.resize(soft, (width, height), interpolation=cv2.INTER_LINEAR))


def root_veil(structures: list[Structure], view: View) -> Image:
    """(H, W), 0 to 1: how much skin lies over the shafts, which hides the first part of each."""
    veil = np.zeros(view.shape, np.float32)
    rooted = [hair for hair in structures if hair.sign not in (None, YELLOW_DOT)]
    rooted = [hair for hair in rooted if view.near(view.px(hair.path_um[:1]), view.span_px(300.0))[0]]
    for hair in rooted:
        if hair.veil <= 0:
            continue
        dot = len(hair.path_um) == 1
        across = view.span_px((0.45 if dot else 0.85) * hair.width_root_um + 12.0)
        along = view.span_px(0.45 * hair.width_root_um + 10.0 + (45.0 if dot else UNDER_SKIN_UM) * hair.veil)
        ahead = hair.heading_um()
        # Centred behind the root: there the shaft is three quarters seen, as where the readers of real captures put it.
        x, y = view.px(hair.path_um[:1] - 1.15 * along * view.um_per_px * ahead)[0]
        angle = float(np.arctan2(*(view.to_px[:, :2] @ ahead)[::-1]))
        found = bump(veil.shape, (float(x), float(y)), (along, across), angle=angle, flat=2.2 if not dot else 3.0)
        if found is not None:
            region, cover = found
            most = 0.35 + 0.65 * hair.veil if dot else 0.85 + 0.25 * hair.veil
            veil[region] = np.maximum(veil[region], np.float32(min(most, 1.0)) * cover)
    above = np.zeros(view.shape, np.uint8)
    for hair in structures:
        if len(hair.path_um) > 1:
            _mark_above(above, hair, view)
    veil *= 1.0 - blurred(above.astype(np.float32), view.span_px(SKIN_EDGE_UM))
    return veil


def _mark_above(above: NDArray[np.uint8], hair: Structure, view: View) -> None:
    """1 where a shaft already lies above the skin, over its neighbours' roots as well."""
    clear = 0
    if hair.sign is not None:
        step = float(np.hypot(*(hair.path_um[1] - hair.path_um[0])))
        clear = int(np.ceil(CLEAR_OF_SKIN_UM / max(step, 1e-6)))
    path = view.px(hair.path_um)[clear:]
    near = np.flatnonzero(view.near(path, 20.0))
    if near.size < 2:
        return
    drawn = slice(max(near[0] - 2, 0), near[-1] + 3)
    tangent = np.gradient(path[drawn], axis=0)
    normal = np.stack([-tangent[:, 1], tangent[:, 0]], axis=1)
    normal /= np.maximum(np.hypot(normal[:, 0], normal[:, 1])[:, None], 1e-9)
    # Wider by what the edge of the skin takes.
    half = (hair.width_um[clear:][drawn] / 2 + SKIN_EDGE_UM) / view.um_per_px
    outline = _strip(path[drawn], normal, tangent, half, 1.0, None)
    cv2.fillPoly(above, [np.round((outline - 0.5) * 16).astype(np.int32)], 1.0, cv2.LINE_8, 4)


def height_map(structures: list[Structure], view: View) -> Image:
    """(H, W), 0 to 1: how far what is seen there rises out of the plane of focus."""
    coarse = 4
    height, width = view.shape
    small = np.zeros((-(-height // coarse), -(-width // coarse)), np.float32)
    for hair in structures:
        if hair.lift <= 0.05 or len(hair.path_um) < 2:
            continue
        path = view.px(hair.path_um)
        along = np.linspace(0, hair.length_um, len(path))
        rise = hair.lift * (1 - np.exp(-along / 1800.0))
        thick = max(2, round(view.span_px(2.0 * float(hair.width_um.max()) + 60.0) / coarse))
        near = view.near(path, thick * coarse)
        points = np.round(path * 16 / coarse).astype(int).tolist()
        for i in range(0, len(path) - 1, 3):
            j = min(i + 3, len(path) - 1)
            if near[[i, j]].any():
                cv2.line(small, points[i], points[j], float(rise[i]), thick, cv2.LINE_8, 4)
    soft = blurred(small, view.span_px(60.0) / coarse)
    return np.asarray(cv2.resize(soft, (width, height), interpolation=cv2.INTER_LINEAR))


def order(structures: list[Structure]) -> list[Structure]:
    """Painter's order: dots and thin hair below, thick hair above, hair that lies across on top."""
    return sorted(structures, key=lambda s: (s.sign is None, len(s.path_um) > 1, float(s.width_um.max()), s.id))


def owners(structures: list[Structure], view: View, least_um: float) -> NDArray[np.int16]:
    """(H, W): the index of the uppermost of structures (in painter's order) whose shaft covers a px; else -1.

    least_um: a thinner shaft is taken as so wide, for grids that are coarser than a hair.
    """
    owner = np.full(view.shape, -1, np.int16)
    for index, structure in enumerate(structures):
        if len(structure.path_um) == 1:
            continue
        path = np.round(view.px(structure.path_um) * 2**SUBPIXEL_BITS).astype(np.int32)
        wide = max(1, round(view.span_px(max(least_um, float(np.median(structure.width_um))))))
        cv2.polylines(owner, [path], isClosed=False, color=index, thickness=wide, shift=SUBPIXEL_BITS)
    return owner


ROOT_UM, NEAR_ROOT_UM, END_UM = 60.0, 200.0, 120.0
"""By so much of a shaft its root, where it goes from there, and its free end are seen."""


def seen_share(structures: list[Structure], view: View) -> NDArray[np.float64]:
    """(N, 2), 0 to 1: of each structure (in painter's order), how much of its root and of its free end lies uncovered.

    Of a root: the less of what is seen right there and of what is seen of where the shaft goes. A dot is all root, and
    what lies outside the image counts as seen. It is told on a grid of the scalp and not of the image, so that another
    magnification sees the same.
    """
    ground = view.ground(COVER_CELL_UM)
    owner = np.full(ground.shape, -1, np.int32)
    for index, structure in enumerate(structures):
        if structure.sign == YELLOW_DOT:
            continue
        centre = ground.px(structure.path_um)
        half = np.maximum(ground.span_px(1.0) * structure.width_um / 2, 0.6)
        if len(centre) == 1:
            x, y = np.round(centre[0] * 16 - 8).astype(int)
            cv2.circle(owner, (int(x), int(y)), int(half[0] * 16), index, -1, cv2.LINE_8, 4)
            continue
        tangent = np.gradient(centre, axis=0)
        normal = np.stack([-tangent[:, 1], tangent[:, 0]], axis=1)
        normal /= np.maximum(np.hypot(*normal.T)[:, None], 1e-9)
        outline = _strip(centre, normal, tangent, half, 1.0, None)
        cv2.fillPoly(owner, [np.round((outline - 0.5) * 16).astype(np.int32)], index, cv2.LINE_8, 4)

    def seen(index: int, points: Floats) -> float:
        points = points[view.holds(view.px(points))]
        if not len(points):
            return 1.0
        x, y = np.floor(ground.px(points)).astype(int).T
        return float((owner[y, x] == index).mean())

    share = np.ones((len(structures), 2))
    for index, structure in enumerate(structures):
        if structure.sign == YELLOW_DOT:
            # Skin, not hair: it is seen around whatever grows from it.
            continue
        if len(structure.path_um) == 1:
            share[index, 0] = seen(index, _on_dot(structure))
            continue
        whole = structure.length_um
        root, near_root = (seen(index, _along(structure, 0.0, min(um, whole))) for um in (ROOT_UM, NEAR_ROOT_UM))
        share[index] = min(root, near_root), seen(index, _along(structure, max(whole - END_UM, 0.0), whole))
    return share


def _on_dot(dot: Structure) -> Floats:
    """(9, 2) µm: points that stand for a dot."""
    angle = np.linspace(0, 2 * np.pi, 9)[:-1]
    ring = 0.25 * dot.width_root_um * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return np.asarray(dot.path_um[0] + np.concatenate([np.zeros((1, 2)), ring]))


def _along(hair: Structure, start_um: float, stop_um: float) -> Floats:
    """(20, 2) µm: points of a shaft, so far from its root."""
    along = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(hair.path_um, axis=0).T))])
    wanted = np.linspace(start_um, stop_um, 20)
    return np.stack([np.interp(wanted, along, hair.path_um[:, axis]) for axis in (0, 1)], axis=1)

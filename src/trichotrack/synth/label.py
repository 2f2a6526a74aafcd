"""What of a scalp a photograph shows, and what of it is labelled: nothing is drawn that nobody could label."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from trichotrack.synth.camera import Camera, blur_um_at
from trichotrack.synth.scalp import YELLOW_DOT, Floats, Scalp, Skin, Structure
from trichotrack.synth.shafts import order, seen_share
from trichotrack.synth.view import View

LEAST_SEEN = 0.5
"""A dot, or an end by which a sign is told, of which other hair leaves less is not drawn: nobody could label it."""

LEAST_ROOT_SEEN = 0.1
"""The same of a shaft's root, or of its first part: less than of an end, since a hair that comes out from under another
tells where it grows. With it drawn roots lie as near to one another as those that readers mark on real, clipped scalps:
1.2, 4.1 and 19 % have another within 40, 60 and 100 µm (real: 2.0, 4.6 and 18 %; with 0.5: 0.2, 1.8 and 13 %; with none
that must be seen: 3.9, 8.3 and 22 %).
"""

LEAST_CONTRAST = 0.02
"""Of full scale: what is paler nobody would mark."""

LEAST_TINT = 0.06
"""The same of a yellow dot, of its strongest channel."""

LUMINANCE = np.array([0.30, 0.59, 0.11])

LEAST_VISIBLE_UM = 200.0
"""A shaft cut shorter by the border of the image cannot be told from a stub: it is taken out."""

TOLD_BY_THEIR_END = ("broken_hair", "upright_regrowing_hair", "pigtail_hair")
"""Signs that nobody can tell where the free end is out of view."""

TOLD_BY_TIP = (*TOLD_BY_THEIR_END, "tapering_hair")
"""Signs that nobody can tell where an overlay hides the free end."""

TOLD_BY_ITS_SHAPE = ("broken_hair", "tapering_hair", "upright_regrowing_hair")
"""Signs that nobody can tell where other hair hides the free end. A pigtail hair is told by its coil."""


@dataclass(frozen=True)
class SyntheticObject:
    """One labelled structure. x, y: root, or centre of a dot, px. tip: the free end or, where the shaft leaves the
    image (tip_in_view False), the point where it does; None for a dot. Widths (µm) are those at root and tip.
    """

    id: str
    sign: str
    x: float
    y: float
    tip_x: float | None
    tip_y: float | None
    root_width_um: float
    tip_width_um: float | None
    tip_in_view: bool


def in_view(scalp: Scalp, view: View, camera: Camera | None = None) -> tuple[list[Structure], list[SyntheticObject]]:
    """The structures to draw, in painter's order, and the objects to label.

    What nobody could label is not drawn: a root under other hair, a sign whose telling end mostly is, a shaft that the
    border cuts so short that its sign cannot be told, or (where the camera is known) a hair so pale and blurred that it
    drowns in the noise. So every hair that is drawn with its root in the image has its label.
    """
    reach = view.span_px(float(max((s.width_um.max() for s in scalp.structures), default=0.0)))
    size = np.array(view.size_px)
    near = []
    for structure in order(list(scalp.structures)):
        path = view.px(structure.path_um)
        if (path.max(axis=0) > -reach).all() and (path.min(axis=0) < size + reach).all() and _telling(structure, view):
            if camera is not None and faint(structure, scalp.skin, view, camera):
                continue
            near.append(structure)
    share = seen_share(near, view)
    rooted = [s.sign is not None and bool(view.holds(view.px(s.path_um[:1]))[0]) for s in near]
    shown = [
        s
        for s, (root, end), is_rooted in zip(near, share, rooted, strict=True)
        if not is_rooted or _discerned(s, root, end)
    ]
    objects = [labelled(s, view) for s in shown if s.sign and view.holds(view.px(s.path_um[:1]))[0]]
    return shown, sorted(objects, key=lambda item: (item.y, item.x))


def faint(structure: Structure, skin: Skin, view: View, camera: Camera) -> bool:
    """Whether a structure whose root is in view cannot be seen there: its contrast after blur, against the noise."""
    root = view.px(structure.path_um[:1])[0]
    if structure.sign is None or not view.holds(root):
        return False
    if structure.sign == YELLOW_DOT:
        # It differs from skin by its colour, not by its brightness.
        gap = float(np.abs(np.array(structure.colour) - np.array(skin.colour)).max())
        return bool(structure.opacity * gap * camera.exposure < LEAST_TINT)
    gap = abs(float(LUMINANCE @ (np.array(structure.colour) - np.array(skin.colour))))
    width, spread = structure.width_root_um, 2.35 * blur_um_at(camera, view, root)
    kept = width / np.hypot(width, spread)
    if len(structure.path_um) == 1:
        kept = kept**2
    return bool(structure.opacity * gap * kept * camera.exposure < max(LEAST_CONTRAST, camera.noise))


def _discerned(structure: Structure, root: float, end: float) -> bool:
    """Whether other hair leaves enough of a structure to label it; root, end: the shares that are seen of them."""
    if len(structure.path_um) == 1:
        return root >= LEAST_SEEN
    return root >= LEAST_ROOT_SEEN and (end >= LEAST_SEEN or structure.sign not in TOLD_BY_ITS_SHAPE)


def _telling(structure: Structure, view: View) -> bool:
    """Whether what the image shows of a structure tells its sign. True for what has no sign or no root in view."""
    if structure.sign is None or len(structure.path_um) == 1 or not view.holds(view.px(structure.path_um[:1]))[0]:
        return True
    part = shaft_in_view(structure, view)
    if part.whole:
        return True
    length = float(np.hypot(*np.diff(part.path_px, axis=0).T).sum()) * view.um_per_px
    if structure.sign in TOLD_BY_THEIR_END:
        return False
    if structure.sign == "tapering_hair":
        return length >= 2 * LEAST_VISIBLE_UM and part.width_um[-1] >= 1.5 * structure.width_root_um
    return length >= LEAST_VISIBLE_UM


@dataclass(frozen=True)
class ShaftInView:
    """The part of a shaft from its root to where it first leaves the image.

    path_px: (N, 2). width_um: (N,), its calibre there. whole: whether that is all of it.
    """

    path_px: Floats
    width_um: Floats
    whole: bool


def shaft_in_view(structure: Structure, view: View) -> ShaftInView:
    """Of a structure with a shaft, whose root lies in the image."""
    path, width = view.px(structure.path_um), structure.width_um
    inside = view.holds(path)
    if inside.all():
        return ShaftInView(path, width, whole=True)
    out = int(np.argmin(inside))
    if out == 0:
        return ShaftInView(path[:1], width[:1], whole=False)
    start, stop = path[out - 1], path[out]
    step = stop - start
    with np.errstate(divide="ignore", invalid="ignore"):
        leaves = np.where(step > 0, (np.array(view.size_px) - start) / step, -start / step)
    # Where it does not move along an axis it does not leave by it.
    low = float(np.clip(np.min(leaves[step != 0.0], initial=1.0), 0.0, 1.0))
    last = width[out - 1] + low * (width[out] - width[out - 1])
    border = np.clip(start + low * step, 0.0, view.size_px)
    return ShaftInView(np.vstack([path[:out], border]), np.append(width[:out], last), whole=False)


def labelled(structure: Structure, view: View) -> SyntheticObject:
    """The label of a structure whose root lies in the image."""
    x, y = (float(value) for value in view.px(structure.path_um[:1])[0])
    base = SyntheticObject(
        structure.id, structure.sign or "", x, y, None, None, structure.width_root_um, None, tip_in_view=True
    )
    if len(structure.path_um) == 1:
        return base
    part = shaft_in_view(structure, view)
    return replace(
        base,
        tip_x=float(part.path_px[-1, 0]),
        tip_y=float(part.path_px[-1, 1]),
        tip_width_um=float(part.width_um[-1]),
        tip_in_view=part.whole,
    )

"""One synthetic capture: a scalp in µm, photographed."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from trichotrack.synth.camera import compressed, draw_camera, expose, paint_surface, with_depth
from trichotrack.synth.draw import draw_scalp
from trichotrack.synth.folds import root_folds
from trichotrack.synth.label import LEAST_VISIBLE_UM, TOLD_BY_TIP, SyntheticObject, in_view, shaft_in_view
from trichotrack.synth.overlays import laid_over, lay_out
from trichotrack.synth.priors import CameraPriors, Priors
from trichotrack.synth.scalp import Floats, Scalp, Structure
from trichotrack.synth.shafts import height_map, owners, paint_shafts, root_veil, subsurface
from trichotrack.synth.skin import paint_skin, scale_plates
from trichotrack.synth.view import Image, Pose, View, blurred, in_colour

THROUGH_SKIN = (0.10, 0.23, 0.36)
"""Added to the dimmed skin over a shaft below it, times the brightness of the skin: grey-blue, as on real captures."""

HALO = (0.5, 0.74, 1.0)
"""How much of each colour the halo of hair takes, of what it takes of blue. Red goes furthest, and loses least."""

HALO_UM = ((45.0, 0.4), (110.0, 0.6))
"""How far light spreads in the skin, standard deviation, and the share of it that does."""

SHADE = (0.75, 0.95, 1.2)
"""How much of each colour the shadow of a hair takes: light that goes through skin comes out warm."""

GROOVE, RIM = (-0.85, -0.78, -0.68), (0.33, 0.40, 0.50)
"""How much of each colour the deepest fold at a root takes, and its rim adds: bluish, as the skin over a shaft is."""

NO_HAIR, UNNAMED = -1, -2
"""In `SyntheticCapture.strands`: bare skin or a dot, and a hair whose root is not to be seen."""

STRAND_LEAST_UM = 26.0
"""A thinner shaft is as wide in `SyntheticCapture.strands`: a cell of the network, and a bit."""

VALID_STEP_PX = 2.0
"""Steps along a shaft in which it is looked where an overlay hides it."""

MARGIN_UM = 900.0
"""Scalp known beyond the corner of the field: hairs rooted there lie in."""

LEAST_REACH_UM = 5500.0
"""Scalp known around the middle of a small field: as far as of one of 20×, so that as much long hair crosses it."""


@dataclass(frozen=True)
class SyntheticCapture:
    """image: uint8 (H, W, 3) RGB. objects: every structure whose root lies on valid scalp.

    valid: (H, W), where the image shows scalp: not the tool-bar strip, black bands, text or the frame of a round field.
    strands: (H, W), the index of the object whose shaft is there on valid scalp, UNNAMED if it has none, else NO_HAIR.
    """

    image: NDArray[np.uint8]
    um_per_px: float
    objects: tuple[SyntheticObject, ...]
    preparation: str
    valid: NDArray[np.bool_]
    strands: NDArray[np.int16]


def capture_rng(seed: int, epoch: int, index: int) -> np.random.Generator:
    """The generator of one capture: the same three numbers give the same capture, on any worker."""
    return np.random.default_rng([seed, epoch, index])


def render_capture(
    rng: np.random.Generator,
    *,
    size_px: tuple[int, int] = (640, 512),
    um_per_px: float = 6.0,
    priors: Priors | None = None,
) -> SyntheticCapture:
    """A capture of a new scalp. size_px: (width, height). All randomness comes from rng."""
    priors = priors or Priors()
    scalp = draw_scalp(rng, reach_um(size_px, um_per_px), priors)
    return photograph(scalp, rng, size_px=size_px, um_per_px=um_per_px, priors=priors.camera)


def reach_um(size_px: tuple[int, int], um_per_px: float) -> float:
    """How far from the middle of a field its scalp is to be known."""
    return max(0.5 * float(np.hypot(*size_px)) * um_per_px + MARGIN_UM, LEAST_REACH_UM)


def photograph(
    scalp: Scalp,
    rng: np.random.Generator,
    *,
    size_px: tuple[int, int],
    um_per_px: float,
    priors: CameraPriors | None = None,
    pose: Pose | None = None,
) -> SyntheticCapture:
    """A capture of scalp. rng gives light, focus, noise and nuisances, the same whatever grows on the scalp."""
    view = View.of(size_px, um_per_px, pose or Pose())
    camera = draw_camera(rng, priors or CameraPriors())
    sheet = lay_out(camera.overlays, view)
    shown, objects = _on_valid(*in_view(scalp, view, camera), sheet.valid, view)
    image, relief = paint_skin(scalp, view)
    folds = root_folds(shown, view)
    under = subsurface(shown, view) * (1.0 - folds.over)
    image *= in_colour(under, base=1.0, colour=(-0.42,) * 3)
    brightness = camera.through * float(np.mean(scalp.skin.colour))
    image += in_colour(under, [brightness * value for value in THROUGH_SKIN])
    image *= in_colour(folds.dark, GROOVE, base=1.0)
    image *= in_colour(folds.bright, RIM, base=1.0)
    layer = paint_shafts(shown, view, camera.light)
    image = _shaded(image, layer.cover, view, camera.light, camera.shadow)
    if scalp.skin.halo > 0:
        # Light hair takes less. Over a shaft below it, the skin is dark already.
        darkness = np.clip(layer.cover - np.float32(1.4) * layer.colour.mean(axis=-1), 0, 1)
        image *= _halo(darkness, view, scalp.skin.halo)
    roots = np.array([[item.x, item.y] for item in objects]).reshape(-1, 2)
    image = paint_surface(image, relief, view, camera, roots, scale_plates(scalp, view))
    bare = (1.0 - root_veil(shown, view)) * (1.0 - folds.over)
    shafts = layer.colour + in_colour(np.float32(0.012) * relief.fine * layer.cover)
    shafts *= in_colour(bare)
    image *= in_colour(1.0 - layer.cover * bare)
    image += shafts
    image = with_depth(image, height_map(shown, view), view, camera)
    pixels = expose(image, view, camera)
    if camera.overlays.kinds:
        pixels = laid_over(pixels, sheet)
    preparation = "clipped" if scalp.clipped else "unclipped"
    strands = _strands(shown, objects, view, sheet.valid)
    return SyntheticCapture(compressed(pixels, camera), um_per_px, tuple(objects), preparation, sheet.valid, strands)


def _strands(
    shown: list[Structure], objects: list[SyntheticObject], view: View, valid: NDArray[np.bool_]
) -> NDArray[np.int16]:
    """SyntheticCapture.strands."""
    number = {item.id: i for i, item in enumerate(objects)}
    # One more at the end, for -1: where there is no shaft.
    named = np.array([*(number.get(structure.id, UNNAMED) for structure in shown), NO_HAIR], np.int16)
    return np.where(valid, named[owners(shown, view, STRAND_LEAST_UM)], np.int16(NO_HAIR))


def _on_valid(
    shown: list[Structure], objects: list[SyntheticObject], valid: NDArray[np.bool_], view: View
) -> tuple[list[Structure], list[SyntheticObject]]:
    """What is drawn and labelled where overlays hide parts of the field: a root under one has no label.

    A tip under one moves to where the shaft goes under; a shaft of which that leaves too little is not drawn either.
    """
    if valid.all():
        return shown, objects
    of_id = {structure.id: structure for structure in shown}
    kept, gone = [], set()
    for item in objects:
        if not _seen(valid, np.array([item.x]), np.array([item.y])).all():
            continue
        if item.tip_x is None or item.tip_y is None:
            kept.append(item)
            continue
        part = shaft_in_view(of_id[item.id], view)
        along = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(part.path_px, axis=0).T))])
        at = np.linspace(0.0, along[-1], max(2, int(np.ceil(along[-1] / VALID_STEP_PX))))
        xs, ys = (np.interp(at, along, part.path_px[:, axis]) for axis in (0, 1))
        hidden = np.flatnonzero(~_seen(valid, xs, ys))
        if not hidden.size:
            kept.append(item)
            continue
        last = int(hidden[0]) - 1
        if item.sign in TOLD_BY_TIP or at[last] * view.um_per_px < 2 * LEAST_VISIBLE_UM:
            gone.add(item.id)
        else:
            width = float(np.interp(at[last], along, part.width_um))
            x, y = float(xs[last]), float(ys[last])
            kept.append(replace(item, tip_x=x, tip_y=y, tip_width_um=width, tip_in_view=False))
    return [s for s in shown if s.id not in gone], kept


def _seen(valid: NDArray[np.bool_], x: Floats, y: Floats) -> NDArray[np.bool_]:
    """Which places (px, (N,) each) are valid; what lies just off the image, as a tip on its border may, is its edge."""
    height, width = valid.shape
    return np.asarray(valid[np.clip(y.astype(int), 0, height - 1), np.clip(x.astype(int), 0, width - 1)])


def _shaded(image: Image, cover: Image, view: View, light: Floats, strength: float) -> Image:
    """Skin under the soft, warm shadow of the hair, which falls away from the light."""
    reach = view.span_px(24.0)
    away = np.column_stack([np.eye(2), np.round(-light * reach)])
    shadow = np.asarray(cv2.warpAffine(cover, away, view.size_px, borderMode=cv2.BORDER_REPLICATE), np.float32)
    soft = np.float32(-strength) * blurred(shadow, 1.2 * reach)
    return np.asarray(image * in_colour(soft, SHADE, base=1.0))


def _halo(darkness: Image, view: View, strength: float) -> Image:
    """(H, W, 3) factors: light that would have come back beside a hair, through the skin, is lost in the hair."""
    spread = np.zeros(view.shape, np.float32)
    for sigma_um, share in HALO_UM:
        spread += np.float32(share) * blurred(darkness, view.span_px(sigma_um))
    return np.exp(in_colour(np.float32(-strength) * spread, HALO))

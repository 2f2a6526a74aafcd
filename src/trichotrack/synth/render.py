"""One synthetic capture: a scalp in µm, photographed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trichotrack.synth.camera import draw_camera, expose, paint_surface, with_depth
from trichotrack.synth.draw import draw_scalp
from trichotrack.synth.label import SyntheticObject, in_view
from trichotrack.synth.priors import CameraPriors, Priors
from trichotrack.synth.scalp import Floats, Scalp
from trichotrack.synth.shafts import height_map, paint_shafts, root_veil, subsurface
from trichotrack.synth.skin import paint_skin
from trichotrack.synth.view import Image, Pose, View, blurred

MARGIN_UM = 900.0
"""Scalp known beyond the corner of the field: hairs rooted there lie in."""


@dataclass(frozen=True)
class SyntheticCapture:
    """image: uint8 (H, W, 3) RGB. objects: every hair and black dot whose root lies in the image."""

    image: NDArray[np.uint8]
    um_per_px: float
    objects: tuple[SyntheticObject, ...]
    preparation: str = "none"


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
    radius_um = 0.5 * float(np.hypot(*size_px)) * um_per_px + MARGIN_UM
    scalp = draw_scalp(rng, radius_um, priors)
    return photograph(scalp, rng, size_px=size_px, um_per_px=um_per_px, priors=priors.camera)


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
    shown, objects = in_view(scalp, view, camera)
    image, relief = paint_skin(scalp, view)
    under = subsurface(shown, view)[..., None]
    image += under * (np.float32(0.42) * image + np.array([0.02, 0.05, 0.09], np.float32) - image)
    layer = paint_shafts(shown, view, camera.light)
    image = _shaded(image, layer.cover, view, camera.light, camera.shadow)
    roots = np.array([[item.x, item.y] for item in objects]).reshape(-1, 2)
    image = paint_surface(image, relief, view, camera, roots)
    bare = 1.0 - root_veil(shown, view)
    shafts = layer.colour + (np.float32(0.012) * relief.fine * layer.cover)[..., None]
    shafts *= bare[..., None]
    image *= (1.0 - layer.cover * bare)[..., None]
    image += shafts
    image = with_depth(image, height_map(shown, view), view, camera)
    preparation = "clipped" if scalp.clipped else "none"
    return SyntheticCapture(expose(image, view, camera), um_per_px, tuple(objects), preparation)


def _shaded(image: Image, cover: Image, view: View, light: Floats, strength: float) -> Image:
    """Skin under the soft shadow of the hair, which falls away from the light."""
    reach = view.span_px(22.0)
    shift = np.round(-light * reach).astype(int)
    shadow = np.roll(cover, (int(shift[1]), int(shift[0])), axis=(0, 1))
    return np.asarray(image * (1.0 - np.float32(strength) * blurred(shadow, reach))[..., None])

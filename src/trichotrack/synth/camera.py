"""What photographing does to a scalp: sheen, glare, bubbles, scale, focus, white balance, noise and compression."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

from trichotrack.synth.blobs import Blob, paint_blob
from trichotrack.synth.overlays import Overlays, draw_overlays
from trichotrack.synth.priors import CameraPriors
from trichotrack.synth.scalp import Floats, log_within, within
from trichotrack.synth.skin import Relief
from trichotrack.synth.view import Image, View, blurred, enlarged, in_colour

TILT, DEPTH = 1.2, 0.6
"""How much of the depth blur a tilted probe gives in the corner, and the share of depth_um that is its most."""

CLEAR_OF_ROOTS_UM = 170.0
"""Nothing opaque lies nearer to a root than this, beside its own size: a hidden root must not be labelled."""


@dataclass(frozen=True)
class Camera:
    """The settings of one photograph. cast: (3,), share of blue added to the right, below and at the rim.

    through: how much of the light under the skin comes back over a shaft, of `THROUGH_SKIN`.
    """

    light: Floats
    shadow: float
    through: float
    haze: float
    haze_colour: Floats
    roughness: float
    glint: float
    glint_threshold: float
    defocus_um: float
    depth_um: float
    tilt: Floats
    optics_px: float
    gains: Floats
    cast: Floats
    exposure: float
    flare: float
    contrast: float
    slope: float
    vignette: float
    vignette_centre: Floats
    noise: float
    sharpening: float
    chromatic_px: float
    jpeg_quality: int | None
    blobs: tuple[Blob, ...]
    overlays: Overlays
    seed: int


def draw_camera(rng: np.random.Generator, priors: CameraPriors) -> Camera:
    """Settings drawn from priors."""
    angle = rng.uniform(0, 2 * np.pi)
    gains = np.array([within(rng, limits) for limits in (priors.red_gain, priors.green_gain, priors.blue_gain)])
    shine = float(rng.random() >= priors.polarised_chance)
    low, high = priors.jpeg_quality
    return Camera(
        light=np.array([np.cos(angle), np.sin(angle)]),
        shadow=within(rng, priors.shadow),
        through=within(rng, priors.through),
        haze=within(rng, priors.haze) * shine,
        haze_colour=_haze_colour(rng),
        roughness=log_within(rng, priors.roughness),
        glint=within(rng, priors.glint) * shine,
        glint_threshold=within(rng, priors.glint_threshold),
        defocus_um=within(rng, priors.defocus_um),
        depth_um=within(rng, priors.depth_defocus_um),
        tilt=rng.uniform(-0.5, 0.5, 2),
        optics_px=within(rng, priors.optics_px),
        gains=gains,
        cast=within(rng, priors.cast) * rng.uniform((-1, -1, -0.4), (1, 1, 1)),
        exposure=within(rng, priors.exposure),
        flare=within(rng, priors.flare),
        contrast=within(rng, priors.contrast),
        slope=within(rng, priors.slope),
        vignette=within(rng, priors.vignette),
        vignette_centre=rng.uniform(0.35, 0.65, 2),
        noise=log_within(rng, priors.noise) if priors.noise[0] > 0 else within(rng, priors.noise),
        sharpening=within(rng, priors.sharpening) * float(rng.random() < priors.sharpening_chance),
        chromatic_px=within(rng, priors.chromatic_px),
        jpeg_quality=int(rng.integers(low, high + 1)) if rng.random() < priors.jpeg_chance else None,
        blobs=_draw_blobs(rng, priors),
        overlays=draw_overlays(rng, priors.overlays),
        seed=int(rng.integers(2**31)),
    )


def _haze_colour(rng: np.random.Generator) -> Floats:
    """White to bluish, as the ring light is."""
    grey = rng.uniform(0.62, 0.82)
    return np.array([grey * rng.uniform(0.93, 1.03), grey, min(1.0, grey * rng.uniform(1.0, 1.2))])


def _draw_blobs(rng: np.random.Generator, priors: CameraPriors) -> tuple[Blob, ...]:
    blobs = []
    counts = {
        "bubble": int(rng.integers(0, priors.bubbles + 1)) * int(rng.random() < priors.bubbles_chance),
        "glare": int(rng.integers(0, priors.glare_blobs + 1)) * int(rng.random() < priors.glare_chance),
    }
    sizes = {"bubble": (50.0, 380.0), "glare": (30.0, 200.0)}
    for kind, count in counts.items():
        for _ in range(count):
            place = (float(rng.random()), float(rng.random()))
            strength = float(rng.uniform(0.35, 1.0))
            blobs.append(Blob(kind, place, log_within(rng, sizes[kind]), strength, int(rng.integers(2**31))))
    return tuple(blobs)


def paint_surface(
    image: Image, relief: Relief, view: View, camera: Camera, roots_px: Floats, scale: tuple[Blob, ...] = ()
) -> Image:
    """Skin (H, W, 3) under its sheen, with scale, bubbles and glare that keep clear of roots_px (N, 2)."""
    rng = np.random.default_rng(camera.seed)
    if camera.haze + camera.glint > 0:
        image = _with_sheen(image, relief, view, camera, rng)
    for blob in (*scale, *camera.blobs):
        xy = np.array(blob.place) * view.size_px
        clear = view.span_px(blob.radius_um * 1.4 + CLEAR_OF_ROOTS_UM)
        if not len(roots_px) or np.hypot(*(roots_px - xy).T).min() > clear:
            paint_blob(image, blob, xy, view)
    return np.asarray(image)


def _with_sheen(image: Image, relief: Relief, view: View, camera: Camera, rng: np.random.Generator) -> Image:
    """Image under what the surface mirrors: a soft haze, and within its thicker parts clusters of fine glints."""
    coarse = view.coarser(4)
    patch = _cloud(rng, coarse, 2600.0) + 0.7 * _cloud(rng, coarse, 900.0) + 0.3 * _cloud(rng, coarse, 260.0)
    haze = np.clip(np.float32(camera.haze) * (np.float32(0.55) + np.float32(0.34) * patch), 0, 1)
    # Where little light is mirrored, the deeper and yellower layers show.
    tint = np.array([0.012, 0.0, -0.05], np.float32) * np.clip(-patch, 0, 1.5)[..., None] * np.float32(camera.haze)
    lit = np.clip(np.float32(0.15) + np.float32(0.8) * patch, 0, 1.6) * np.float32(camera.glint)
    haze, lit = enlarged(haze, 4, view), enlarged(lit, 4, view)
    slope = cv2.Sobel(relief.furrows, cv2.CV_32F, 1, 0, ksize=3) * np.float32(camera.light[0])
    slope += cv2.Sobel(relief.furrows, cv2.CV_32F, 0, 1, ksize=3) * np.float32(camera.light[1])
    texture = relief.fine + np.float32(0.5) * slope
    rough = np.clip(np.float32(camera.roughness) * (texture + relief.broad - relief.furrows), -0.7, 0.7)
    sheen = haze * (1 + rough)
    sheen += np.clip(texture + np.float32(0.3) * relief.broad - np.float32(camera.glint_threshold), 0, 1.5) * lit
    # What mirrors fully is rare: coverage tends to 1 without reaching it.
    sheen = 1 - np.exp(-np.maximum(sheen, 0))
    image = image + enlarged(tint, 4, view)
    image *= in_colour(sheen, (-1.0,) * 3, base=1.0)
    image += in_colour(sheen, camera.haze_colour.tolist())
    return image


def _cloud(rng: np.random.Generator, view: View, cell_um: float) -> Image:
    """Smooth noise (H, W) of about unit variance, fixed to the image: light, not skin."""
    width, height = view.size_px
    cells = [max(2, int(np.ceil(view.um_per_px * side / cell_um)) + 1) for side in (height, width)]
    lattice = rng.standard_normal(cells, dtype=np.float32)
    return np.asarray(cv2.resize(lattice, (width, height), interpolation=cv2.INTER_CUBIC) * np.float32(1.2))


def blur_um_at(camera: Camera, view: View, xy_px: Floats) -> float:
    """Blur at a place of the skin (px), standard deviation in µm: lens, focus, and the tilt of the probe."""
    place = xy_px / np.array(view.size_px) - 0.5
    tilted = min(1.0, TILT * abs(float(camera.tilt @ place)))
    lens_um = camera.optics_px * view.um_per_px
    return float(np.sqrt(lens_um**2 + camera.defocus_um**2 + (tilted * DEPTH * camera.depth_um) ** 2))


def with_depth(image: Image, height: Image, view: View, camera: Camera) -> Image:
    """Image (H, W, 3) blurred by lens and focus; more where height (H, W) or the tilt of the probe leaves focus."""
    width, tall = view.size_px
    x = np.linspace(-0.5, 0.5, width, dtype=np.float32)[None]
    y = np.linspace(-0.5, 0.5, tall, dtype=np.float32)[:, None]
    tilted = np.abs(np.float32(camera.tilt[0]) * x + np.float32(camera.tilt[1]) * y)
    amount = np.clip(TILT * tilted + height, 0, 1)
    focus = float(np.hypot(camera.optics_px, view.span_px(camera.defocus_um)))
    image = blurred(image, max(focus, 0.2))
    soft = blurred(image, max(0.2, DEPTH * view.span_px(camera.depth_um)))
    soft -= image
    soft *= in_colour(amount)
    image += soft
    return image


def expose(image: Image, view: View, camera: Camera) -> NDArray[np.uint8]:
    """uint8 (H, W, 3) of a scene (H, W, 3), which is overwritten: colour, vignette, noise, sharpening."""
    rng = np.random.default_rng(camera.seed + 1)
    image *= _light(view, camera)
    # Contrast of brightness only: stretched channel by channel, dull colours would turn garish.
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    image += in_colour(np.float32(camera.contrast - 1) * (grey - np.float32(0.45)))
    # Light scattered in the lens lifts what is dark.
    image *= np.float32(1 - camera.flare)
    image += np.float32(0.5 * camera.flare * camera.exposure)
    if camera.chromatic_px > 0.1:
        image = _chromatic(image, camera.chromatic_px)
    if camera.noise > 0:
        image += _sensor_noise(rng, grey, camera.noise)
    if camera.sharpening > 0.05:
        image += np.float32(camera.sharpening) * (image - blurred(image, 1.2))
    image *= np.float32(255)
    return np.asarray(cv2.convertScaleAbs(np.clip(image, 0, 255, out=image)), np.uint8)


def compressed(pixels: NDArray[np.uint8], camera: Camera) -> NDArray[np.uint8]:
    """Pixels (H, W, 3) as the device's JPEG gives them back."""
    if camera.jpeg_quality is None:
        return pixels
    _, packed = cv2.imencode(".jpg", pixels[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, camera.jpeg_quality])
    unpacked = np.asarray(cv2.imdecode(packed, cv2.IMREAD_COLOR), np.uint8)
    return np.ascontiguousarray(unpacked[..., ::-1])


def _light(view: View, camera: Camera) -> Image:
    """(H, W, 3) factors: exposure, white balance, vignette, and the cast that changes over the field. All smooth."""
    coarse = view.coarser(8)
    width, height = coarse.size_px
    x = np.arange(width, dtype=np.float32)[None] / width
    y = np.arange(height, dtype=np.float32)[:, None] / height
    rim = (x - np.float32(camera.vignette_centre[0])) ** 2 + (y - np.float32(camera.vignette_centre[1])) ** 2
    light = np.float32(camera.exposure) * (1 - np.float32(camera.vignette) * np.clip(1.96 * rim, 0, 1))
    towards = (np.float32(camera.slope) * camera.light).astype(np.float32)
    light = light * (1 + towards[0] * (x - np.float32(0.5)) + towards[1] * (y - np.float32(0.5)))
    cast = camera.cast.astype(np.float32)
    blue = cast[0] * (x - np.float32(0.5)) + cast[1] * (y - np.float32(0.5)) + cast[2] * (2 * rim - np.float32(0.4))
    shares = np.array([-0.1, -0.2, 1.0], np.float32)
    gains = camera.gains.astype(np.float32) * (1 + blue[..., None] * shares)
    return enlarged(np.asarray(light[..., None] * gains, np.float32), 8, view)


def _chromatic(image: Image, amount_px: float) -> Image:
    """Red and blue enlarged and shrunk by amount_px in the corner, about the centre."""
    height, width = image.shape[:2]
    out = image.copy()
    corner = 0.5 * float(np.hypot(width, height))
    for channel, sign in ((0, 1.0), (2, -1.0)):
        factor = 1.0 + sign * amount_px / corner
        matrix = np.array([[factor, 0, (1 - factor) * width / 2], [0, factor, (1 - factor) * height / 2]])
        flags = cv2.INTER_LINEAR
        out[..., channel] = cv2.warpAffine(
            np.ascontiguousarray(image[..., channel]), matrix, (width, height), flags=flags,
            borderMode=cv2.BORDER_REPLICATE,
        )  # fmt: skip
    return out


def _sensor_noise(rng: np.random.Generator, grey: Image, amount: float) -> Image:
    """Noise that grows with the root of brightness; the noise of colour is coarser, as demosaicing leaves it."""
    height, width = grey.shape
    table = _white_noise()
    rows, columns = (np.arange(side) + int(rng.integers(len(table))) for side in (height, width))
    common = table.take(rows, axis=0, mode="wrap").take(columns, axis=1, mode="wrap")
    colour = rng.standard_normal((-(-height // 2), -(-width // 2), 3), dtype=np.float32)
    colour *= np.float32(0.7)
    colour = cv2.resize(colour, (width, height), interpolation=cv2.INTER_LINEAR)
    colour += in_colour(common)
    colour *= in_colour(np.float32(amount) * np.sqrt(np.clip(grey, 0.04, 1) * np.float32(2.0)))
    return np.asarray(colour)


@cache
def _white_noise() -> Image:
    """(1031, 1031) of unit variance, from which each capture takes its own part: drawing it anew costs more."""
    return np.random.default_rng(7).standard_normal((1031, 1031), dtype=np.float32)

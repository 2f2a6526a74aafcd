"""What photographing does to a scalp: sheen, glare, bubbles, scale, focus, white balance, noise and compression."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from trichotrack.synth.priors import CameraPriors, Range
from trichotrack.synth.scalp import Floats, log_within, within
from trichotrack.synth.skin import Relief
from trichotrack.synth.view import Image, View, blurred, enlarged

TILT, DEPTH = 1.2, 0.6
"""How much of the depth blur a tilted probe gives in the corner, and the share of depth_um that is its most."""

CLEAR_OF_ROOTS_UM = 170.0
"""Nothing opaque lies nearer to a root than this, beside its own size: a hidden root must not be labelled."""


@dataclass(frozen=True)
class Blob:
    """Something on the lens or the skin: kind `glare`, `bubble` or `flake`; place as a share of the image, size µm."""

    kind: str
    place: tuple[float, float]
    radius_um: float
    strength: float
    seed: int


@dataclass(frozen=True)
class Camera:
    """The settings of one photograph."""

    light: Floats
    shadow: float
    haze: float
    haze_colour: Floats
    glint: float
    glint_share: float
    defocus_um: float
    depth_um: float
    tilt: Floats
    optics_px: float
    gains: Floats
    exposure: float
    contrast: float
    vignette: float
    vignette_centre: Floats
    noise: float
    sharpening: float
    chromatic_px: float
    jpeg_quality: int | None
    blobs: tuple[Blob, ...]
    seed: int


def draw_camera(rng: np.random.Generator, priors: CameraPriors) -> Camera:
    """Settings drawn from priors."""
    angle = rng.uniform(0, 2 * np.pi)
    red, blue = within(rng, priors.red_gain), within(rng, priors.blue_gain)
    low, high = priors.jpeg_quality
    return Camera(
        light=np.array([np.cos(angle), np.sin(angle)]),
        shadow=float(rng.uniform(0.05, 0.4)),
        haze=within(rng, priors.haze),
        haze_colour=_haze_colour(rng),
        glint=within(rng, priors.glint),
        glint_share=float(rng.uniform(0.8, 1.7)),
        defocus_um=_skewed(rng, priors.defocus_um),
        depth_um=within(rng, priors.depth_defocus_um),
        tilt=rng.uniform(-0.5, 0.5, 2),
        optics_px=within(rng, priors.optics_px),
        gains=np.array([red, 1.0, blue]),
        exposure=within(rng, priors.exposure),
        contrast=float(rng.uniform(0.85, 1.2)),
        vignette=within(rng, priors.vignette),
        vignette_centre=rng.uniform(0.35, 0.65, 2),
        noise=within(rng, priors.noise),
        sharpening=within(rng, priors.sharpening) * float(rng.random() < 0.5),
        chromatic_px=within(rng, priors.chromatic_px),
        jpeg_quality=int(rng.integers(low, high + 1)) if rng.random() < priors.jpeg_chance else None,
        blobs=_draw_blobs(rng, priors),
        seed=int(rng.integers(2**31)),
    )


def _skewed(rng: np.random.Generator, limits: Range) -> float:
    """Within limits, more often near the lower one."""
    return limits[0] + (limits[1] - limits[0]) * float(rng.random() * rng.random() ** 0.5)


def _haze_colour(rng: np.random.Generator) -> Floats:
    """White to bluish, as the ring light is."""
    grey = rng.uniform(0.72, 0.9)
    return np.array([grey * rng.uniform(0.93, 1.0), grey, min(1.0, grey * rng.uniform(1.0, 1.2))])


def _draw_blobs(rng: np.random.Generator, priors: CameraPriors) -> tuple[Blob, ...]:
    blobs = []
    counts = {
        "flake": int(rng.integers(1, 16)) * int(rng.random() < 0.5),
        "bubble": int(rng.integers(0, priors.bubbles + 1)) * int(rng.random() < 0.33),
        "glare": int(rng.integers(0, priors.glare_blobs + 1)) * int(rng.random() < 0.5),
    }
    sizes = {"flake": (30.0, 210.0), "bubble": (50.0, 380.0), "glare": (30.0, 200.0)}
    for kind, count in counts.items():
        for _ in range(count):
            place = (float(rng.random()), float(rng.random()))
            strength = float(rng.uniform(0.35, 1.0))
            blobs.append(Blob(kind, place, log_within(rng, sizes[kind]), strength, int(rng.integers(2**31))))
    return tuple(blobs)


def paint_surface(image: Image, relief: Relief, view: View, camera: Camera, roots_px: Floats) -> Image:
    """Skin (H, W, 3) under its sheen, with scale, bubbles and glare that keep clear of roots_px (N, 2)."""
    rng = np.random.default_rng(camera.seed)
    coarse = view.coarser(4)
    patch = _cloud(rng, coarse, 2600.0) + 0.8 * _cloud(rng, coarse, 800.0) + 0.45 * _cloud(rng, coarse, 220.0)
    where = enlarged(np.clip(np.float32(camera.haze - 0.5) + 0.38 * patch, 0, 1), 4, view)
    # Where little light is mirrored, the deeper and yellower layers show.
    tint = np.array([0.012, 0.0, -0.055], np.float32) * np.clip(-patch, 0, 1.5)[..., None] * np.float32(camera.haze)
    slope = cv2.Sobel(relief.furrows, cv2.CV_32F, 1, 0, ksize=3) * np.float32(camera.light[0])
    slope += cv2.Sobel(relief.furrows, cv2.CV_32F, 0, 1, ksize=3) * np.float32(camera.light[1])
    texture = relief.fine + np.float32(0.5) * slope
    haze = where * np.clip(0.62 + 0.2 * texture - 0.3 * relief.furrows, 0.1, 1.3)
    glint = np.clip(texture - np.float32(camera.glint_share), 0, 1.5) * (0.12 + where) * np.float32(camera.glint)
    sheen = np.clip(0.85 * haze + glint, 0, 0.95)[..., None]
    image = image + enlarged(tint, 4, view)
    image += sheen * (camera.haze_colour.astype(np.float32) - image)
    for blob in camera.blobs:
        xy = np.array(blob.place) * view.size_px
        clear = view.span_px(blob.radius_um * 1.4 + CLEAR_OF_ROOTS_UM)
        if not len(roots_px) or np.hypot(*(roots_px - xy).T).min() > clear:
            _paint_blob(image, blob, xy, view)
    return np.asarray(image)


def _cloud(rng: np.random.Generator, view: View, cell_um: float) -> Image:
    """Smooth noise (H, W) of about unit variance, fixed to the image: light, not skin."""
    width, height = view.size_px
    cells = [max(2, int(np.ceil(view.um_per_px * side / cell_um)) + 1) for side in (height, width)]
    lattice = rng.standard_normal(cells, dtype=np.float32)
    return np.asarray(cv2.resize(lattice, (width, height), interpolation=cv2.INTER_CUBIC) * np.float32(1.2))


def _paint_blob(image: Image, blob: Blob, xy: Floats, view: View) -> None:
    rng = np.random.default_rng(blob.seed)
    radius = view.span_px(blob.radius_um)
    reach = int(2.0 * radius + 4)
    x0, y0 = (int(v) - reach for v in xy)
    left, top = max(x0, 0), max(y0, 0)
    region = image[top : max(y0 + 2 * reach, 0), left : max(x0 + 2 * reach, 0)]
    if not region.size:
        return
    mask = np.zeros(region.shape[:2], np.uint8)
    centre = xy - np.array([left, top])
    angle = np.linspace(0, 2 * np.pi, 33)[:-1]
    ring = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    rough = {"flake": 0.30, "bubble": 0.03, "glare": 0.25}[blob.kind]
    waves = sum(rng.normal(0, rough / k) * np.cos(k * angle + rng.uniform(0, 6.28)) for k in (2, 3, 4, 5, 7))
    squash = np.array([1.0, 1.0 if blob.kind == "bubble" else rng.uniform(0.45, 1.0)])
    spin = rng.uniform(0, np.pi)
    turn = np.array([[np.cos(spin), -np.sin(spin)], [np.sin(spin), np.cos(spin)]])
    outline = centre + (ring * (radius * np.clip(1 + waves, 0.35, 1.8))[:, None] * squash) @ turn.T
    points = [np.round(outline * 16).astype(np.int32)]
    if blob.kind == "bubble":
        thick = max(1, round(radius * 0.12))
        cv2.polylines(mask, points, isClosed=True, color=255, thickness=thick, lineType=cv2.LINE_AA, shift=4)
        dark = blurred(mask.astype(np.float32) / np.float32(255), max(0.6, radius * 0.06))
        region *= 1.0 - np.float32(0.45 * blob.strength) * dark[..., None]
        spot = centre + radius * 0.45 * np.array([np.cos(blob.seed % 7), np.sin(blob.seed % 7)])
        mask[:] = 0
        cv2.circle(
            mask, tuple(np.round(spot * 16).astype(int)), int(16 * max(1.0, radius * 0.16)), 255, -1, cv2.LINE_AA, 4
        )
        colour, soft = np.array([1.0, 1.0, 1.0], np.float32), max(0.6, radius * 0.08)
    else:
        cv2.fillPoly(mask, points, 255, lineType=cv2.LINE_AA, shift=4)
        tint = [0.88, 0.86, 0.80] if blob.kind == "flake" else [0.97, 0.98, 1.0]
        colour, soft = np.array(tint, np.float32), max(0.5, radius * (0.06 if blob.kind == "flake" else 0.45))
    cover = blurred(mask.astype(np.float32) / np.float32(255), soft)[..., None] * np.float32(blob.strength)
    if blob.kind == "flake":
        grain = rng.uniform(0.1, 1.0, (7, 7)).astype(np.float32)
        size = (region.shape[1], region.shape[0])
        cover = cover * cv2.resize(grain, size, interpolation=cv2.INTER_CUBIC)[..., None]
    region += np.clip(cover, 0, 1) * (colour - region)


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
    amount = np.clip(TILT * tilted + height, 0, 1)[..., None]
    focus = float(np.hypot(camera.optics_px, view.span_px(camera.defocus_um)))
    image = blurred(image, max(focus, 0.2))
    soft = blurred(image, max(0.2, DEPTH * view.span_px(camera.depth_um)))
    soft -= image
    soft *= amount
    image += soft
    return image


def expose(image: Image, view: View, camera: Camera) -> NDArray[np.uint8]:
    """uint8 (H, W, 3) of a scene (H, W, 3), which is overwritten: colour, vignette, noise, sharpening, compression."""
    rng = np.random.default_rng(camera.seed + 1)
    width, height = view.size_px
    x = (np.arange(width, dtype=np.float32)[None] / width - np.float32(camera.vignette_centre[0])) * 1.4
    y = (np.arange(height, dtype=np.float32)[:, None] / height - np.float32(camera.vignette_centre[1])) * 1.4
    light = np.float32(camera.exposure) * (1.0 - np.float32(camera.vignette) * np.clip(x * x + y * y, 0, 1))
    image *= light[..., None]
    image *= camera.gains.astype(np.float32)
    # Contrast of brightness only: stretched channel by channel, dull colours would turn garish.
    grey = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)
    image += (np.float32(camera.contrast - 1) * (grey - np.float32(0.45)))[..., None]
    if camera.chromatic_px > 0.1:
        image = _chromatic(image, camera.chromatic_px)
    image += _sensor_noise(rng, grey, camera.noise)
    if camera.sharpening > 0.05:
        image += np.float32(camera.sharpening) * (image - blurred(image, 1.2))
    pixels = (np.clip(image, 0, 1) * np.float32(255) + np.float32(0.5)).astype(np.uint8)
    if camera.jpeg_quality is None:
        return pixels
    _, packed = cv2.imencode(".jpg", pixels[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, camera.jpeg_quality])
    unpacked = np.asarray(cv2.imdecode(packed, cv2.IMREAD_COLOR), np.uint8)
    return np.ascontiguousarray(unpacked[..., ::-1])


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
    common = rng.standard_normal((height, width, 1), dtype=np.float32)
    colour = rng.standard_normal((-(-height // 2), -(-width // 2), 3), dtype=np.float32)
    colour = cv2.resize(colour, (width, height), interpolation=cv2.INTER_LINEAR)
    scale = np.float32(amount) * np.sqrt(np.clip(grey, 0.04, 1) * np.float32(2.0))
    colour *= np.float32(0.7)
    colour += common
    colour *= scale[..., None]
    return np.asarray(colour)

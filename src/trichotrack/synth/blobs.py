"""Roundish things over the skin: contact glare and immersion bubbles on the lens, and plates of scale."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from trichotrack.synth.scalp import Floats
from trichotrack.synth.view import Image, View, blurred


@dataclass(frozen=True)
class Blob:
    """Something on the lens: kind `glare` or `bubble`; place as a share of the image, size µm. Or scale: `flake`."""

    kind: str
    place: tuple[float, float]
    radius_um: float
    strength: float
    seed: int


def paint_blob(image: Image, blob: Blob, xy: Floats, view: View) -> None:
    """Blob with its centre at xy (px), painted over image (H, W, 3)."""
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

"""The skin: tone, mottling, vessels, openings and spots, furrows, and the sheen of its surface."""

from __future__ import annotations

import cv2
import numpy as np

from trichotrack.synth.scalp import Scalp
from trichotrack.synth.view import Image, View, blurred, bump, noise

RED = np.array([0.35, 1.0, 0.85], np.float32)
BROWN = np.array([0.55, 0.85, 1.0], np.float32)


def paint_skin(scalp: Scalp, view: View) -> tuple[Image, Image]:
    """The skin without hair or sheen (H, W, 3), and its relief (H, W), about -1 to 1, for the sheen."""
    rng = np.random.default_rng(scalp.skin.seed)
    skin, radius = scalp.skin, scalp.radius_um
    image = np.empty((*view.shape, 3), np.float32)
    image[:] = np.array(skin.colour, np.float32)
    mottle = np.float32(0.035 * skin.mottle)
    redness = noise(rng, view, radius, 900.0) + 0.6 * noise(rng, view, radius, 260.0)
    brown = noise(rng, view, radius, 1500.0) + 0.5 * noise(rng, view, radius, 180.0)
    image -= (mottle * redness)[..., None] * RED
    image -= (mottle * brown)[..., None] * BROWN
    relief = _relief(rng, scalp, view)
    image *= (1.0 + np.float32(0.05 + 0.06 * skin.furrow_depth) * relief)[..., None]
    _paint_vessels(image, scalp, view)
    _paint_marks(image, scalp, view)
    return np.clip(image, 0.01, 1.0), relief


def _relief(rng: np.random.Generator, scalp: Scalp, view: View) -> Image:
    skin, radius = scalp.skin, scalp.radius_um
    relief = np.zeros(view.shape, np.float32)
    for share, turn in ((1.0, 0.0), (0.8, 1.1), (0.45, 2.0)):
        mesh = noise(
            rng, view, radius, skin.furrow_um * share, stretch=skin.furrow_stretch, angle=skin.furrow_angle + turn
        )
        # Furrows run where smooth noise changes sign: a mesh of winding lines.
        relief -= np.float32(0.9 * skin.furrow_depth) * np.exp(-((mesh / np.float32(0.16)) ** 2))
    for cell, amount in ((70.0, 0.35), (32.0, 0.4), (15.0, 0.45)):
        if cell > 0.8 * view.um_per_px:
            relief += np.float32(amount) * noise(
                rng, view, radius, cell, stretch=1.0 + 0.5 * (skin.furrow_stretch - 1.0), angle=skin.furrow_angle
            )
    return relief


def _paint_vessels(image: Image, scalp: Scalp, view: View) -> None:
    if not scalp.vessels:
        return
    mask = np.zeros(view.shape, np.uint8)
    rng = np.random.default_rng(scalp.skin.seed + 1)
    for vessel in scalp.vessels:
        points = np.round(view.px(vessel) * 16 - 8).astype(np.int32)
        thick = max(1, round(view.span_px(rng.uniform(8, 26))))
        cv2.polylines(mask, [points], isClosed=False, color=int(rng.integers(60, 200)), thickness=thick,
                      lineType=cv2.LINE_AA, shift=4)  # fmt: skip
    soft = blurred(mask.astype(np.float32) * np.float32(1 / 255), view.span_px(9.0))
    image *= 1.0 - soft[..., None] * np.array([0.08, 0.34, 0.28], np.float32)


def _paint_marks(image: Image, scalp: Scalp, view: View) -> None:
    for kind, flat in (("yellow", 3.5), ("opening", 2.5), ("freckle", 3.0), ("dirt", 6.0)):
        for mark in (mark for mark in scalp.marks if mark.kind == kind):
            x, y = view.px(np.array([mark.xy_um]))[0]
            size = max(view.span_px(mark.radius_um) * 0.75, 0.5)
            found = bump(image.shape, (float(x), float(y)), (size * mark.stretch, size), angle=mark.angle, flat=flat)
            if found is not None:
                region, cover = found
                cover = (cover * np.float32(mark.strength))[..., None]
                image[region] += cover * (np.array(mark.colour, np.float32) - image[region])

"""The skin: tone, mottling, vessels, openings and spots, furrows, and the sheen of its surface."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from trichotrack.synth.blobs import Blob
from trichotrack.synth.scalp import Scalp
from trichotrack.synth.view import Image, View, blurred, bump, enlarged, in_colour, noise

RED = np.array([0.35, 1.0, 0.85], np.float32)
FURROW = (0.75, 1.05, 1.15)
PALE = np.array([0.82, 0.79, 0.73], np.float32)
BROWN = np.array([0.55, 0.85, 1.0], np.float32)


@dataclass(frozen=True)
class Relief:
    """Of the surface, (H, W) each: furrows 0 to 1; fine and broad, its grain below and above 40 µm."""

    furrows: Image
    fine: Image
    broad: Image


def paint_skin(scalp: Scalp, view: View) -> tuple[Image, Relief]:
    """The skin (H, W, 3) without hair or sheen, and its relief."""
    rng = np.random.default_rng(scalp.skin.seed)
    skin = scalp.skin
    image = _tone(rng, scalp, view)
    relief = _relief(rng, scalp, view)
    shade = np.float32(0.10 * skin.furrow_depth) * relief.furrows
    shade -= np.float32(0.010 + 0.018 * skin.grain) * (relief.fine + relief.broad)
    image *= in_colour(-shade, FURROW, base=1.0)
    _paint_vessels(image, scalp, view)
    _paint_marks(image, scalp, view)
    _paint_sweat_glands(image, scalp, view)
    _paint_cuffs(image, scalp, view)
    return np.clip(image, 0.01, 1.0), relief


def _tone(rng: np.random.Generator, scalp: Scalp, view: View) -> Image:
    """Colour (H, W, 3) of even skin: its tone, mottled red and brown. Painted coarsely, as nothing in it is fine."""
    skin, radius = scalp.skin, scalp.radius_um
    coarse = view.coarser(4)
    redness = noise(rng, coarse, radius, 900.0) + 0.6 * noise(rng, coarse, radius, 260.0)
    brown = noise(rng, coarse, radius, 1500.0) + 0.5 * noise(rng, coarse, radius, 180.0)
    mottle = redness[..., None] * RED + brown[..., None] * BROWN
    tone = np.array(skin.colour, np.float32) * (1.0 - np.float32(0.035 * skin.mottle) * np.clip(mottle, -3, 3))
    image = enlarged(np.asarray(tone, np.float32), 4, view)
    if skin.network > 0:
        image *= in_colour(np.float32(-0.22 * skin.network) * _network(rng, scalp, view), BROWN.tolist(), base=1.0)
    return image


def _network(rng: np.random.Generator, scalp: Scalp, view: View) -> Image:
    """(H, W), 0 to 1: the brown mesh of pigment, its holes some 100 to 200 µm wide, here and there faded."""
    coarse = view.coarser(2)
    cell = rng.uniform(90.0, 170.0)
    first, second = (noise(rng, coarse, scalp.radius_um, cell) for _ in range(2))
    mesh = np.exp(-((np.minimum(np.abs(first), np.abs(second)) * np.float32(4.0)) ** 2))
    mesh *= np.clip(np.float32(0.5) + np.float32(0.5) * noise(rng, coarse, scalp.radius_um, 900.0), 0, 1)
    return enlarged(mesh, 2, view)


def _relief(rng: np.random.Generator, scalp: Scalp, view: View) -> Relief:
    skin, radius = scalp.skin, scalp.radius_um
    furrows = np.zeros(view.shape, np.float32)
    across_um = view.um_across()
    for share, turn, width in ((1.0, 0.0, 0.10), (0.8, 1.15, 0.12), (0.55, 2.2, 0.16)):
        angle = skin.furrow_angle + turn
        spacing = skin.furrow_um * share
        # Sets of nearly parallel creases that cross: the rhombic mesh of skin. They wander, fade and return.
        wander = noise(rng, view, radius, 2.5 * spacing, stretch=skin.furrow_stretch, angle=angle)
        wander += 0.35 * noise(rng, view, radius, 0.8 * spacing)
        phase = np.float32(1 / spacing) * (
            np.float32(np.cos(angle)) * across_um[1] - np.float32(np.sin(angle)) * across_um[0]
        )
        phase += np.float32(0.3) * wander
        ridge = phase - np.round(phase)
        line = np.exp(-((ridge * np.float32(1 / width)) ** 2))
        depth = np.clip(0.45 + 0.55 * noise(rng, view, radius, 1.6 * spacing, stretch=2.0, angle=angle), 0, 1.2)
        np.maximum(furrows, line * depth, out=furrows)
    fine, broad = np.zeros(view.shape, np.float32), np.zeros(view.shape, np.float32)
    for cell, amount, long in ((150.0, 0.6, 1.6), (60.0, 0.7, 2.0), (26.0, 0.8, 3.2), (12.0, 0.95, 1.4)):
        if cell > 0.8 * view.um_per_px:
            stretch = 1.0 + (long - 1.0) * (skin.furrow_stretch - 1.0)
            grain = fine if cell < 40 else broad
            grain += np.float32(amount) * noise(rng, view, radius, cell, stretch=stretch, angle=skin.furrow_angle)
    # What rises shines: its grain is brighter than the ground between is dark.
    fine += np.float32(0.22) * (fine * fine - np.float32(fine.var()))
    return Relief(furrows, fine, broad)


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
    image *= in_colour(soft, (-0.08, -0.34, -0.28), base=1.0)


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


def _paint_sweat_glands(image: Image, scalp: Scalp, view: View) -> None:
    """Openings of sweat glands: pale tiny dots of 30 to 70 µm, anywhere but in an opening of hair."""
    rng = np.random.default_rng([scalp.skin.seed, 2])
    side_um = 2 * scalp.radius_um
    count = int(rng.poisson(scalp.skin.sweat_per_cm2 * (side_um / 1e4) ** 2))
    xy = view.px(rng.uniform(-scalp.radius_um, scalp.radius_um, (count, 2)))
    sizes, strengths = rng.uniform(13.0, 28.0, count), rng.uniform(0.12, 0.5, count)
    for place in np.flatnonzero(view.holds(xy)):
        size = max(view.span_px(sizes[place]), 0.5)
        found = bump(image.shape, (float(xy[place, 0]), float(xy[place, 1])), (size, size), flat=2.5)
        if found is not None:
            region, cover = found
            image[region] += np.float32(strengths[place]) * cover[..., None] * (PALE - image[region])


def _paint_cuffs(image: Image, scalp: Scalp, view: View) -> None:
    """Scale around follicles: a pale, uneven ring at the opening. Hair is painted over it."""
    if scalp.skin.cuff <= 0:
        return
    pale = PALE * np.float32(1 - 0.4 * scalp.skin.melanin)
    for mark in scalp.marks:
        rng = np.random.default_rng([scalp.skin.seed, 3, *(int(v) % 2**31 for v in mark.xy_um)])
        if mark.kind != "opening" or rng.random() > scalp.skin.cuff:
            continue
        x, y = view.px(np.array([mark.xy_um]))[0]
        radius = max(view.span_px(rng.uniform(80.0, 170.0)) * 0.7, 1.0)
        found = bump(image.shape, (float(x), float(y)), (radius * rng.uniform(1.0, 1.5), radius), angle=mark.angle)
        if found is not None:
            region, cover = found
            grain = cv2.resize(
                rng.uniform(0.0, 1.0, (6, 6)).astype(np.float32), cover.shape[::-1], interpolation=cv2.INTER_CUBIC
            )
            # Highest between the centre and the rim.
            ring = np.clip(np.float32(3.2) * cover * (1 - np.float32(0.8) * cover), 0, 1) * grain
            image[region] += np.float32(rng.uniform(0.2, 0.8)) * ring[..., None] * (pale - image[region])


def scale_plates(scalp: Scalp, view: View) -> tuple[Blob, ...]:
    """The plates of scale in view; they stay on the scalp when the probe moves."""
    rng = np.random.default_rng([scalp.skin.seed, 4])
    count = int(rng.poisson(scalp.skin.flakes_per_cm2 * (2 * scalp.radius_um / 1e4) ** 2))
    xy = view.px(rng.uniform(-scalp.radius_um, scalp.radius_um, (count, 2)))
    radii, strengths = np.exp(rng.uniform(np.log(20.0), np.log(125.0), count)), rng.uniform(0.15, 0.85, count)
    size = np.array(view.size_px)
    return tuple(
        Blob("flake", (float(at[0]), float(at[1])), float(radii[i]), float(strengths[i]), int(scalp.skin.seed + i))
        for i, at in enumerate(xy / size)
        if view.near(xy[i : i + 1], view.span_px(130.0))[0]
    )

"""The folds into which a shaft throws the skin where it leaves it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trichotrack.synth.scalp import Structure
from trichotrack.synth.view import Image, View, bump

FOLDS_UM = 230.0
"""No fold lies further behind a root."""

FULL_WIDTH_UM = 60.0
"""A thinner shaft raises so much less skin."""

AHEAD_UM = 30.0
"""No fold is centred further ahead of a root."""

STEEPEST_LIP = 0.7
"""Angle between the lip and the line across the shaft, in radians."""


@dataclass(frozen=True)
class Folds:
    """Of the skin behind roots, (H, W) each, 0 to 1.

    dark: grooves, and where the skin is so thin that the shaft below it shows. bright: the rims beside the grooves.
    over: the lip of skin that lies over the shaft where it comes out.
    """

    dark: Image
    bright: Image
    over: Image


def root_folds(structures: list[Structure], view: View) -> Folds:
    """On real captures at 70× a shaft seen again behind the lip of its skin is easily taken for another root."""
    folds = Folds(*(np.zeros(view.shape, np.float32) for _ in range(3)))
    for hair in structures:
        if hair.folds > 0 and len(hair.path_um) > 1 and view.near(view.px(hair.path_um[:1]), view.span_px(FOLDS_UM))[0]:
            _fold(folds, hair, view)
    folds.dark[:] *= 1.0 - folds.over
    return folds


def _fold(folds: Folds, hair: Structure, view: View) -> None:
    rng = np.random.default_rng([hair.seed, 1])
    depth = hair.folds * min(1.0, hair.width_root_um / FULL_WIDTH_UM) * rng.uniform(0.3, 1.3)
    dark = max(0.0, 1.0 - 1.4 * float(np.mean(hair.colour)))
    ahead = hair.heading_um()
    aside = np.array([-ahead[1], ahead[0]])
    root, half_um = hair.path_um[0], 0.5 * hair.width_root_um
    reach = rng.uniform(60.0, FOLDS_UM)
    for _ in range(int(rng.integers(1, 4))):
        at = root - rng.uniform(45.0, reach) * ahead + half_um * rng.normal(0, 0.3) * aside
        size = (rng.uniform(14.0, 42.0), half_um * rng.uniform(0.45, 0.9))
        _paint(folds.dark, view, at, ahead, size, depth * dark * rng.uniform(0.4, 0.9))
    lip = root - rng.uniform(-5.0, 40.0) * ahead
    turned = _turned(aside, ahead, np.clip(rng.normal(0, 0.35), -STEEPEST_LIP, STEEPEST_LIP))
    _paint(folds.over, view, lip, turned, (1.1 * half_um + 8.0, rng.uniform(8.0, 17.0)), depth * rng.uniform(0.0, 1.1))
    half_um += rng.uniform(0.0, 18.0)
    bow, tilt = rng.uniform(-0.5, 0.8), rng.normal(0, 0.3)
    behind = rng.uniform(-5.0, 20.0)
    while behind < reach:
        thick = rng.uniform(5.0, 14.0)
        strength = depth * (1.0 - behind / (FOLDS_UM + 100.0)) * rng.uniform(0.3, 1.0)
        wide, off = half_um * rng.uniform(0.6, 1.2), half_um * rng.normal(0, 0.2)
        turn = tilt + rng.normal(0, 0.22)
        # Three pieces end to end make it a curve.
        for side in (-1.0, 0.0, 1.0):
            at = root + (off + 0.65 * wide * side) * aside
            at = at - (behind + 0.4 * bow * wide * side * side - np.tan(turn) * 0.65 * wide * side) * ahead
            if (at - root) @ ahead > AHEAD_UM:
                continue
            along = _turned(aside, ahead, turn + 0.7 * bow * side)
            _paint(folds.dark, view, at, along, (0.45 * wide, thick), strength * max(dark, 0.3))
            _paint(folds.bright, view, at - 1.7 * thick * ahead, along, (0.45 * wide, 0.8 * thick), strength)
        behind += rng.uniform(18.0, 48.0)


def _turned(first: NDArray[np.float64], second: NDArray[np.float64], angle: float) -> NDArray[np.float64]:
    return np.asarray(np.cos(angle) * first + np.sin(angle) * second)


def _paint(
    image: Image,
    view: View,
    at_um: NDArray[np.float64],
    along: NDArray[np.float64],
    sigma_um: tuple[float, float],
    strength: float,
) -> None:
    """A bump of strength at a place of the scalp; sigma_um: along the unit vector `along`, and across it."""
    x, y = view.px(at_um[None])[0]
    angle = float(np.arctan2(*(view.to_px[:, :2] @ along)[::-1]))
    sigma = (max(view.span_px(sigma_um[0]), 0.6), max(view.span_px(sigma_um[1]), 0.6))
    # What is thinner than a px is as much paler.
    strength = min(1.0, strength) * min(1.0, view.span_px(sigma_um[1]) / 0.6)
    found = bump(image.shape, (float(x), float(y)), sigma, angle=angle)
    if found is not None:
        region, cover = found
        image[region] = np.maximum(image[region], np.float32(strength) * cover)

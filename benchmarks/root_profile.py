"""How dark captures are along a shaft, from behind its root to where it lies free, and beside it: real and drawn.

uv run benchmarks/root_profile.py --labels local/hair70x [--every 6] [--drawn 110]

0 is the skin around, 1 the shaft itself, in green light. Told are, over thick hairs of clipped scalps, the darkness by
distance, how rough it is behind the root (against its mean over 70 µm), and how much darker it is behind the root than
at the lightest place between: above 0, the shaft is seen again behind the lip of its skin. Beside the shaft, in each
colour, 0 is the skin 220 to 260 µm away: what is above 0 is the halo of a hair that lies alone.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from trichotrack.labels.read import read_labels
from trichotrack.synth.priors import Priors
from trichotrack.synth.render import capture_rng, render_capture

Floats = NDArray[np.float64]
Shaft = tuple[float, float, float, float]

AT_UM = np.arange(-300.0, 121.0, 10.0)
"""Along the shaft from the root; ahead is positive."""

ACROSS_UM = np.arange(-15.0, 16.0, 5.0)
"""Light is averaged so far to both sides of the axis."""

AROUND_UM = 300.0
"""The skin is the 65th percentile of the light within so much of the root."""

LEAST_LENGTH_UM, LEAST_CONTRAST = 180.0, 25.0
"""Of a shaft, and between it and the skin (of 255): a shorter or paler one tells nothing."""

BESIDE_AT_UM = (100.0, 130.0, 160.0)
"""Ahead of the root, where it is looked across the shaft."""

BESIDE_UM = np.arange(-260.0, 261.0, 4.0)
AWAY_UM = (15.0, 30.0, 50.0, 80.0, 120.0)
"""From the edge of the shaft, where it is half as dark as in the middle."""

ALONE_UM = 330.0
"""Another shaft within so much makes a halo of its own."""

ROUGH_OVER = 7
QUANTILES = (0.1, 0.25, 0.5, 0.75, 0.9)
DRAWN_SEED, UM_PER_PX = 777_002, 2.82
"""Of the drawn captures; the scale also of real ones that tell none."""


def profiles(image: NDArray[np.uint8], shafts: Iterable[Shaft], um_per_px: float) -> Iterator[Floats]:
    """Darkness at AT_UM of each shaft (root x, y, tip x, y in px) of an image (H, W, 3) RGB that is clear enough."""
    green = cv2.GaussianBlur(image[..., 1].astype(np.float32), (0, 0), 1.0)
    size = np.array(green.shape[::-1])
    reach = int(AROUND_UM / um_per_px)
    for x, y, tip_x, tip_y in shafts:
        length = float(np.hypot(tip_x - x, tip_y - y))
        if not length * um_per_px > LEAST_LENGTH_UM:
            continue
        ahead = np.array([tip_x - x, tip_y - y]) / length
        middle = np.array([x, y]) + AT_UM[:, None] / um_per_px * ahead
        if (middle < 20.0 / um_per_px).any() or (middle > size - 2).any():
            continue
        places = middle[:, None] + ACROSS_UM[None, :, None] / um_per_px * np.array([-ahead[1], ahead[0]]) - 0.5
        maps = places.astype(np.float32)
        seen = cv2.remap(green, maps[..., 0], maps[..., 1], cv2.INTER_LINEAR).mean(axis=1)
        around = green[max(0, int(y) - reach) : int(y) + reach, max(0, int(x) - reach) : int(x) + reach]
        skin, shaft = float(np.percentile(around, 65)), float(seen[AT_UM >= 60].mean())
        if skin - shaft >= LEAST_CONTRAST:
            yield (skin - seen) / (skin - shaft)


def beside(image: NDArray[np.uint8], shafts: list[Shaft], um_per_px: float) -> Iterator[Floats]:
    """(3, len(AWAY_UM)): red, green and blue darkness beside each lonely, clear shaft of an image (H, W, 3) RGB."""
    light = image.astype(np.float32)
    size = np.array(light.shape[1::-1])
    spread = np.linspace(0, 1, 8)[:, None]
    lines = [np.array([x, y]) + spread * np.array([tip_x - x, tip_y - y]) for x, y, tip_x, tip_y in shafts]
    for number, (x, y, tip_x, tip_y) in enumerate(shafts):
        length = float(np.hypot(tip_x - x, tip_y - y))
        if not length * um_per_px > LEAST_LENGTH_UM + 40.0:
            continue
        ahead = np.array([tip_x - x, tip_y - y]) / length
        middle = np.array([x, y]) + BESIDE_AT_UM[1] / um_per_px * ahead
        others = [line for other, line in enumerate(lines) if other != number]
        if others and np.hypot(*(np.concatenate(others) - middle).T).min() * um_per_px < ALONE_UM:
            continue
        across = BESIDE_UM[:, None] / um_per_px * np.array([-ahead[1], ahead[0]])
        places = np.array([x, y]) + across[:, None] + np.array(BESIDE_AT_UM)[None, :, None] / um_per_px * ahead
        if (places < 1).any() or (places > size - 2).any():
            continue
        maps = (places - 0.5).astype(np.float32)
        seen = cv2.remap(light, maps[..., 0], maps[..., 1], cv2.INTER_LINEAR).mean(axis=1)
        skin, shaft = seen[np.abs(BESIDE_UM) > 220].mean(axis=0), seen[np.abs(BESIDE_UM) < 12].mean(axis=0)
        if skin[1] - shaft[1] < LEAST_CONTRAST:
            continue
        dark = (skin - seen) / (skin - shaft)
        sides = [dark[BESIDE_UM >= 0], dark[BESIDE_UM <= 0][::-1]]
        if any(side[:, 1].min() >= 0.5 for side in sides):
            continue
        step = float(np.diff(BESIDE_UM[:2])[0])
        edges = [step * int(np.argmax(side[:, 1] < 0.5)) for side in sides]
        at = step * np.arange(len(sides[0]))
        found = [
            [np.interp(edge + np.array(AWAY_UM), at, side[:, colour]) for colour in range(3)]
            for side, edge in zip(sides, edges, strict=True)
        ]
        yield np.mean(found, axis=0)


def roughness(profile: Floats) -> float:
    """Standard deviation, 20 to 200 µm behind the root, against the mean over ROUGH_OVER places."""
    smooth = np.convolve(profile, np.full(ROUGH_OVER, 1.0 / ROUGH_OVER), "same")
    return float((profile - smooth)[(AT_UM >= -200) & (AT_UM <= -20)].std())


def seen_again(profile: Floats) -> float:
    """The darkest place 50 to 200 µm behind the root, less the lightest between it and the root."""
    behind = np.flatnonzero((AT_UM >= -200) & (AT_UM <= -50))
    darkest = behind[np.argmax(profile[behind])]
    return float(profile[darkest] - profile[(AT_UM[darkest] < AT_UM) & (AT_UM <= 10)].min())


Scene = tuple[NDArray[np.uint8], list[Shaft], list[Shaft], float]
"""An image, its thick shafts, all its shafts, and µm per px."""


def real_scenes(folder: Path, every: int) -> Iterator[Scene]:
    """Of every so many captures of a labelled folder; hair marked as thin or as no hair is not thick."""
    labels = read_labels(folder)
    for row in labels.captures[::every]:
        image = cv2.imread(str(folder / row.file), cv2.IMREAD_COLOR_RGB)
        found = [item for item in labels.objects if item.file == row.file and item.tip_x is not None]
        shafts = [(item.x, item.y, item.tip_x, item.tip_y) for item in found]
        thick = [shaft for shaft, item in zip(shafts, found, strict=True) if item.sign in ("premium", "single")]
        yield np.asarray(image, np.uint8), thick, shafts, float(row.um_per_px or UM_PER_PX)


def drawn_scenes(captures: int) -> Iterator[Scene]:
    """So many drawn clipped scalps; terminal hairs are thick."""
    priors = Priors()
    priors = replace(priors, scalp=replace(priors.scalp, clipped_chance=1.0))
    for i in range(captures):
        rng = capture_rng(DRAWN_SEED, 0, i)
        capture = render_capture(rng, size_px=(800, 640), um_per_px=UM_PER_PX, priors=priors)
        found = [item for item in capture.objects if item.tip_x is not None and item.tip_y is not None]
        shafts = [(item.x, item.y, item.tip_x, item.tip_y) for item in found]
        thick = [shaft for shaft, item in zip(shafts, found, strict=True) if item.sign == "terminal_hair"]
        yield capture.image, thick, shafts, UM_PER_PX


def told(name: str, scenes: Iterable[Scene]) -> str:
    """Quantiles of what is found in scenes, as lines."""
    found: list[Floats] = []
    halos: list[Floats] = []
    for image, thick, shafts, um_per_px in scenes:
        found += profiles(image, thick, um_per_px)
        halos += beside(image, shafts, um_per_px)

    def said(values: NDArray[np.floating]) -> str:
        return " ".join(f"{value:6.3f}" for value in np.quantile(values, QUANTILES))

    stack, halo = np.array(found), np.array(halos)
    lines = [f"{name}: {len(stack)} hairs, {len(halo)} alone; quantiles {', '.join(map(str, QUANTILES))}"]
    lines += [f"  {at:5.0f} µm       {said(stack[:, i])}" for i, at in enumerate(AT_UM) if at % 40 == 0]
    lines += [f"  roughness      {said(np.array([roughness(one) for one in found]))}"]
    lines += [f"  seen again     {said(np.array([seen_again(one) for one in found]))}"]
    for i, colour in enumerate(("red", "green", "blue")):
        lines += [f"  {colour:5s} {away:3.0f} µm   {said(halo[:, i, k])}" for k, away in enumerate(AWAY_UM)]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--labels", type=Path, required=True)
    parser.add_argument("--every", type=int, default=6)
    parser.add_argument("--drawn", type=int, default=110, help="captures to draw")
    options = parser.parse_args()
    print(told("real", real_scenes(options.labels, options.every)))
    print(told("drawn", drawn_scenes(options.drawn)))


if __name__ == "__main__":
    main()

"""How dark captures are along the axis of a shaft, from behind its root to where it lies free: real beside drawn.

uv run benchmarks/root_profile.py --labels local/hair70x [--every 6] [--drawn 110]

0 is the skin around, 1 the shaft itself, in green light. Told are, over thick hairs of clipped scalps, the darkness by
distance, how rough it is behind the root (against its mean over 70 µm), and how much darker it is behind the root than
at the lightest place between: above 0, the shaft is seen again behind the lip of its skin.
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


def roughness(profile: Floats) -> float:
    """Standard deviation, 20 to 200 µm behind the root, against the mean over ROUGH_OVER places."""
    smooth = np.convolve(profile, np.full(ROUGH_OVER, 1.0 / ROUGH_OVER), "same")
    return float((profile - smooth)[(AT_UM >= -200) & (AT_UM <= -20)].std())


def seen_again(profile: Floats) -> float:
    """The darkest place 50 to 200 µm behind the root, less the lightest between it and the root."""
    behind = np.flatnonzero((AT_UM >= -200) & (AT_UM <= -50))
    darkest = behind[np.argmax(profile[behind])]
    return float(profile[darkest] - profile[(AT_UM[darkest] < AT_UM) & (AT_UM <= 10)].min())


def real_profiles(folder: Path, every: int) -> Iterator[Floats]:
    """Of every so many captures of a labelled folder; hair marked as thin or as no hair is left out."""
    labels = read_labels(folder)
    for row in labels.captures[::every]:
        image = cv2.imread(str(folder / row.file), cv2.IMREAD_COLOR_RGB)
        shafts = [
            (item.x, item.y, item.tip_x, item.tip_y)
            for item in labels.objects
            if item.file == row.file and item.sign in ("premium", "single") and item.tip_x is not None
        ]
        yield from profiles(np.asarray(image, np.uint8), shafts, float(row.um_per_px or UM_PER_PX))


def drawn_profiles(captures: int) -> Iterator[Floats]:
    """Of terminal hairs on so many drawn clipped scalps."""
    priors = Priors()
    priors = replace(priors, scalp=replace(priors.scalp, clipped_chance=1.0))
    for i in range(captures):
        rng = capture_rng(DRAWN_SEED, 0, i)
        capture = render_capture(rng, size_px=(800, 640), um_per_px=UM_PER_PX, priors=priors)
        shafts = [
            (item.x, item.y, item.tip_x, item.tip_y)
            for item in capture.objects
            if item.sign == "terminal_hair" and item.tip_x is not None and item.tip_y is not None
        ]
        yield from profiles(capture.image, shafts, UM_PER_PX)


def told(name: str, found: list[Floats]) -> str:
    """Quantiles of what was found, as lines."""

    def said(values: NDArray[np.floating]) -> str:
        return " ".join(f"{value:6.3f}" for value in np.quantile(values, QUANTILES))

    stack = np.array(found)
    lines = [f"{name}: {len(stack)} hairs; quantiles {', '.join(map(str, QUANTILES))}"]
    lines += [f"  {at:5.0f} µm       {said(stack[:, i])}" for i, at in enumerate(AT_UM) if at % 40 == 0]
    lines += [f"  roughness      {said(np.array([roughness(one) for one in found]))}"]
    lines += [f"  seen again     {said(np.array([seen_again(one) for one in found]))}"]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--labels", type=Path, required=True)
    parser.add_argument("--every", type=int, default=6)
    parser.add_argument("--drawn", type=int, default=110, help="captures to draw")
    options = parser.parse_args()
    print(told("real", list(real_profiles(options.labels, options.every))))
    print(told("drawn", list(drawn_profiles(options.drawn))))


if __name__ == "__main__":
    main()

"""What a device draws over its picture: measuring circle, scale bar, text, tool-bar strip, black bands, round field."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from trichotrack.synth.priors import OverlayPriors
from trichotrack.synth.scalp import within
from trichotrack.synth.view import View

KINDS = ("band", "round", "strip", "circle", "scale_bar", "text")
"""In the order in which they are laid over one another: the first lies lowest."""

LINE_COLOURS = ((230, 20, 20), (230, 20, 20), (230, 20, 20), (30, 60, 230), (30, 190, 60), (240, 220, 40), (245,) * 3)
INKS = ((30, 30, 220), (230, 20, 20), (10, 10, 10), (245, 245, 245), (240, 220, 40))
FONTS = (cv2.FONT_HERSHEY_SIMPLEX, cv2.FONT_HERSHEY_PLAIN, cv2.FONT_HERSHEY_DUPLEX)


@dataclass(frozen=True)
class Overlays:
    """kinds: those of `KINDS` that the capture has; places, colours and words follow from seed."""

    kinds: tuple[str, ...]
    seed: int
    priors: OverlayPriors


@dataclass
class Sheet:
    """What lies over a picture: colour (H, W, 3) and cover (H, W), uint8; valid (H, W): where scalp is seen."""

    colour: NDArray[np.uint8]
    cover: NDArray[np.uint8]
    valid: NDArray[np.bool_]


def draw_overlays(rng: np.random.Generator, priors: OverlayPriors) -> Overlays:
    """The overlays of one capture. The same number of draws, whether there are any or not."""
    some = rng.random() < priors.overlay_chance
    chances = (
        priors.band_chance, priors.round_chance, priors.strip_chance, priors.circle_chance, priors.scale_bar_chance,
        priors.text_chance,
    )  # fmt: skip
    kinds = [kind for kind, roll, chance in zip(KINDS, rng.random(len(KINDS)), chances, strict=True) if roll < chance]
    return Overlays(tuple(kinds) if some else (), int(rng.integers(2**31)), priors)


def lay_out(overlays: Overlays, view: View) -> Sheet:
    """The overlays in the pixels of view."""
    height, width = view.shape
    sheet = Sheet(
        np.zeros((height, width, 3), np.uint8), np.zeros((height, width), np.uint8), np.ones((height, width), np.bool_)
    )
    paint = {"round": _round, "circle": _circle, "scale_bar": _scale_bar, "text": _text}
    for kind in overlays.kinds:
        rng = np.random.default_rng([overlays.seed, KINDS.index(kind)])
        if kind == "band":
            _band(sheet, rng, view, overlays.priors)
        elif kind == "strip":
            _strip(sheet, rng, view, overlays.priors)
        else:
            paint[kind](sheet, rng, view)
    return sheet


def laid_over(pixels: NDArray[np.uint8], sheet: Sheet) -> NDArray[np.uint8]:
    """Pixels (H, W, 3) under the sheet."""
    cover = sheet.cover[..., None].astype(np.uint16)
    mixed = pixels * (255 - cover) + sheet.colour * cover
    return np.asarray((mixed + 127) // 255, np.uint8)


def _fill(sheet: Sheet, x: tuple[int, int], y: tuple[int, int], colour: tuple[int, ...], cover: int = 255) -> None:
    """A box of one colour, no scalp in it."""
    region = (slice(max(y[0], 0), max(y[1], 0)), slice(max(x[0], 0), max(x[1], 0)))
    sheet.colour[region] = colour
    sheet.cover[region] = cover
    sheet.valid[region] = False


def _side(sheet: Sheet, side: str, depth: int, colour: tuple[int, ...]) -> None:
    height, width = sheet.cover.shape
    x = {"left": (0, depth), "right": (width - depth, width)}.get(side, (0, width))
    y = {"top": (0, depth), "bottom": (height - depth, height)}.get(side, (0, height))
    _fill(sheet, x, y, colour)


def _band(sheet: Sheet, rng: np.random.Generator, view: View, priors: OverlayPriors) -> None:
    sides = ("top", "bottom", "left", "right")
    for _ in range(1 + int(rng.random() < 0.3)):
        side = sides[int(rng.choice(4, p=(0.5, 0.2, 0.15, 0.15)))]
        depth = round(within(rng, priors.band_share) * view.size_px[side in ("top", "bottom")])
        if rng.random() < 0.3:
            _side(sheet, side, depth + max(1, view.size_px[1] // 300), (90, 90, 95))
        _side(sheet, side, depth, (int(rng.integers(0, 14)),) * 3)


def _strip(sheet: Sheet, rng: np.random.Generator, view: View, priors: OverlayPriors) -> None:
    width, height = view.size_px
    depth = round(within(rng, priors.strip_share) * height)
    grey = int(rng.integers(150, 245))
    top = rng.random() < 0.35
    _side(sheet, "top" if top else "bottom", depth, (grey, grey, min(255, grey + int(rng.integers(0, 8)))))
    if rng.random() < 0.5:
        return
    middle = depth // 2 if top else height - depth // 2
    for x in np.cumsum(rng.uniform(0.6, 3.0, 12) * depth):
        half = max(1, int(0.3 * depth))
        shade = (int(rng.integers(40, 255)), int(rng.integers(40, 255)), int(rng.integers(40, 255)))
        if x + half < width:
            _fill(sheet, (int(x) - half, int(x) + half), (middle - half, middle + half), shade)


def _round(sheet: Sheet, rng: np.random.Generator, view: View) -> None:
    width, height = view.size_px
    radius = rng.uniform(0.44, 0.62) * min(width, height)
    x, y = rng.uniform(0.46, 0.54, 2) * (width, height)
    across = np.arange(width, dtype=np.float32)[None] + np.float32(0.5 - x)
    down = np.arange(height, dtype=np.float32)[:, None] + np.float32(0.5 - y)
    beyond = np.sqrt(across * across + down * down) - np.float32(radius)
    soft = max(1.0, rng.uniform(0.0, 0.015) * height)
    edge = np.clip(beyond / np.float32(soft) + np.float32(1), 0, 1) * np.float32(255)
    outside = edge > 0
    sheet.colour[outside] = int(rng.integers(0, 16))
    sheet.cover[outside] = np.maximum(sheet.cover, edge.astype(np.uint8))[outside]
    sheet.valid &= beyond < -soft / 2


def _line_px(view: View, rng: np.random.Generator) -> int:
    return max(1, round(view.size_px[1] * rng.uniform(0.001, 0.005)))


def _circle(sheet: Sheet, rng: np.random.Generator, view: View) -> None:
    """A circle or, now and then, a box; its lines hide next to nothing, so the scalp under them stays valid."""
    width, height = view.size_px
    colour = LINE_COLOURS[int(rng.integers(len(LINE_COLOURS)))]
    x, y = (rng.uniform(0.25, 0.75, 2) * (width, height)).round().astype(int)
    radius, thick = round(rng.uniform(0.2, 0.75) * height), _line_px(view, rng)
    lines = np.zeros((height, width), np.uint8)
    smooth = cv2.LINE_AA if rng.random() < 0.5 else cv2.LINE_8
    if rng.random() < 0.15:
        cv2.rectangle(lines, (x - radius, y - radius), (x + radius, y + radius), 255, thick)
    else:
        cv2.circle(lines, (x, y), radius, 255, thick, smooth)
    if rng.random() < 0.4:
        angle = rng.uniform(0, 2 * np.pi)
        end = (round(x + radius * np.cos(angle)), round(y + radius * np.sin(angle)))
        cv2.line(lines, (x, y), end, 255, thick, smooth)
    _ink(sheet, lines, colour)


def _ink(sheet: Sheet, lines: NDArray[np.uint8], colour: tuple[int, ...]) -> None:
    drawn = lines > 0
    sheet.colour[drawn] = colour
    sheet.cover[drawn] = np.maximum(sheet.cover, lines)[drawn]


def _scale_bar(sheet: Sheet, rng: np.random.Generator, view: View) -> None:
    """Its lines leave the scalp valid, its length in writing does not."""
    width, height = view.size_px
    length_mm = float(rng.choice((0.2, 0.5, 1.0, 2.0)))
    length = round(view.span_px(1000 * length_mm))
    if length > 0.8 * width:
        return
    ink = (10, 10, 10) if rng.random() < 0.6 else (245, 245, 245)
    left, y = round(rng.uniform(0.03, 0.15) * width), round(rng.uniform(0.8, 0.94) * height)
    if rng.random() < 0.3:
        left = width - left - length
    thick = _line_px(view, rng)
    lines = np.zeros((height, width), np.uint8)
    cv2.line(lines, (left, y), (left + length, y), 255, thick)
    if rng.random() < 0.5:
        cv2.line(lines, (left, y), (left, y - length), 255, thick)
    _ink(sheet, lines, ink)
    words = (f"{length_mm:.1f} mm",) if rng.random() < 0.7 else (f"{1000 * length_mm:.0f} um",)
    back = tuple(255 - value for value in ink)
    _write(sheet, words, (left + length, y), ink if rng.random() < 0.5 else back, ink, rng)


def _text(sheet: Sheet, rng: np.random.Generator, view: View) -> None:
    width, height = view.size_px
    radius_mm = rng.uniform(0.2, 4.0)
    stock = (
        f"RC{rng.integers(9)}", f"C={2 * np.pi * radius_mm:.3f} mm", f"A={np.pi * radius_mm**2:.3f} mm^2",
        f"r={radius_mm:.3f} mm", f"N={rng.integers(90)}", f"x{rng.choice((20, 50, 70, 100))}",
        f"20{rng.integers(10, 30)}-{rng.integers(1, 13):02d}-{rng.integers(1, 29):02d}",
        f"No. {rng.integers(99999):05d}",
    )  # fmt: skip
    start, count = int(rng.integers(len(stock))), int(rng.integers(1, 5))
    words = tuple(stock[(start + i) % len(stock)] for i in range(count))
    place = (round(rng.uniform(0.02, 0.75) * width), round(rng.uniform(0.05, 0.9) * height))
    ground = (int(rng.integers(170, 256)),) * 3 if rng.random() < 0.6 else None
    _write(sheet, words, place, INKS[int(rng.integers(len(INKS)))], ground, rng)


def _write(
    sheet: Sheet, words: tuple[str, ...], place: tuple[int, int], ink: tuple[int, ...], ground: tuple[int, ...] | None,
    rng: np.random.Generator,
) -> None:  # fmt: skip
    """Lines of words below and right of place (px); ground: colour of the box behind them, half clear, or None."""
    font, size = FONTS[int(rng.integers(len(FONTS)))], sheet.cover.shape[0] / 1024 * rng.uniform(0.6, 1.5)
    size *= 1.8 if font == cv2.FONT_HERSHEY_PLAIN else 1.0
    boxes = [cv2.getTextSize(line, font, size, 1)[0] for line in words]
    step = round(1.6 * max(box[1] for box in boxes)) + 2
    right, low = place[0] + max(box[0] for box in boxes) + 4, place[1] + step * len(words) + 2
    if ground is not None:
        _fill(sheet, (place[0], right), (place[1], low), ground, int(rng.integers(80, 256)))
        if ink == ground:
            ink = tuple(255 - value for value in ground)
    sheet.valid[max(place[1], 0) : low, max(place[0], 0) : right] = False
    lines = np.zeros(sheet.cover.shape, np.uint8)
    for number, line in enumerate(words):
        at = (place[0] + 2, place[1] + step * (number + 1) - 2)
        cv2.putText(lines, line, at, font, size, 255, max(1, round(size)), cv2.LINE_AA)
    _ink(sheet, lines, ink)

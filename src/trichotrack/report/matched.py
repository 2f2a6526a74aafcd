"""One field at two visits side by side: lines between hairs found again, what is gone and what is new.

Every fate has a shape as well as a colour (Okabe-Ito palette), so that it is told in greyscale and by colour-blind
readers too.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from datetime import date

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from trichotrack.geometry import resample
from trichotrack.visits.change_matched import MatchedField, picture_of
from trichotrack.visits.hairs_matched import BORDER_UM, Fate, Hair

PANEL_PX = 900
"""Longest side of one picture; a smaller one is enlarged to it, so that marks keep their size."""

GAP_PX = 44

COLOURS: Mapping[Fate, tuple[int, int, int]] = {
    "persisted": (86, 180, 233), "changed sign": (240, 228, 66), "gone": (213, 94, 0), "new": (0, 158, 115),
}  # fmt: skip

WORDS: Mapping[Fate, str] = {
    "persisted": "found again", "changed sign": "found again, other sign", "gone": "not found again", "new": "new",
}  # fmt: skip

_PAPER, _INK, _FAINT = (255, 255, 255), (20, 20, 20), (110, 110, 110)

XY = tuple[float, float]


def side_by_side(field: MatchedField, before: date, after: date, *, synthetic: bool = False) -> Image.Image:
    """Both captures of a matched field with the fate of every structure, a legend with counts, and a caption."""
    first, second = picture_of(field.before)[0], picture_of(field.after)[0]
    panels = [_panel(picture.pixels) for picture in (first, second)]
    factors = [panel.width / picture.size_px[0] for panel, picture in zip(panels, (first, second), strict=True)]
    height = max(panel.height for panel in panels)
    sheet = Image.new("RGB", (panels[0].width + GAP_PX + panels[1].width, height), _PAPER)
    lefts = (0, panels[0].width + GAP_PX)
    for panel, corner in zip(panels, lefts, strict=True):
        sheet.paste(panel, (corner, 0))

    def at(side: int, x: float, y: float) -> XY:
        return lefts[side] + x * factors[side], y * factors[side]

    found = field.match.registration
    edge = BORDER_UM / first.um_per_px
    seen = found.to_after(_outline(first.size_px, edge))
    here = [at(0, x, y) for x, y in _outline(first.size_px, edge)]
    there = [at(1, x, y) for x, y in seen]
    back = [at(0, x, y) for x, y in found.to_before(_outline(second.size_px, BORDER_UM / second.um_per_px))]
    _frame(sheet, here, back, (lefts[0], panels[0].size))
    _frame(sheet, there, [at(1, x, y) for x, y in _outline(second.size_px, BORDER_UM / second.um_per_px)],
           (lefts[1], panels[1].size))  # fmt: skip
    ends = [(hair, *_ends(field, hair, at)) for hair in field.match.hairs]
    sheet = _lines(sheet, ends)
    draw = ImageDraw.Draw(sheet)
    for hair, left, right in ends:
        for side, xy in ((0, left), (1, right)):
            absent = (hair.before if side == 0 else hair.after) is None
            _mark(draw, xy, 9.0, hair.fate, faint=absent)
    parts = [
        _text(_title(field, before, after), sheet.width, 22),
        sheet,
        _legend(field.match.hairs, sheet.width),
        _text(_caption(field, synthetic=synthetic), sheet.width, 15, ink=_FAINT),
    ]
    page = Image.new("RGB", (sheet.width, sum(part.height for part in parts)), _PAPER)
    top = 0
    for part in parts:
        page.paste(part, (0, top))
        top += part.height
    return page


def _panel(pixels: NDArray[np.uint8]) -> Image.Image:
    factor = PANEL_PX / max(pixels.shape[:2])
    size = (round(pixels.shape[1] * factor), round(pixels.shape[0] * factor))
    return Image.fromarray(resample(np.ascontiguousarray(pixels), size))


def _outline(size_px: tuple[int, int], inset: float) -> NDArray[np.float64]:
    """Points along the border of what is counted in a picture, (N, 2), closed."""
    (width, height), steps = size_px, np.linspace(0, 1, 24, endpoint=False)
    w, h = width - 2 * inset, height - 2 * inset
    sides = [
        (steps * w, 0 * steps),
        (w + 0 * steps, steps * h),
        (w - steps * w, h + 0 * steps),
        (0 * steps, h - steps * h),
    ]
    points = np.concatenate([np.stack(side, axis=1) for side in sides]) + inset
    return np.vstack([points, points[:1]])


def _frame(sheet: Image.Image, mine: Sequence[XY], other: Sequence[XY], panel: tuple[int, tuple[int, int]]) -> None:
    """Shades what only one visit shows: what is not in both outlines."""
    left, (width, height) = panel
    masks = []
    for outline in (mine, other):
        mask = Image.new("L", (width, height), 0)
        ImageDraw.Draw(mask).polygon([(x - left, y) for x, y in outline], fill=255)
        masks.append(np.asarray(mask) > 0)
    common = masks[0] & masks[1]
    area = np.array(sheet.crop((left, 0, left + width, height)), np.float32)
    area[~common] = 0.45 * area[~common] + 0.55 * 235
    rim = common ^ _shrunk(common)
    area[rim] = _INK
    sheet.paste(Image.fromarray(area.astype(np.uint8)), (left, 0))


def _shrunk(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    inner = mask.copy()
    for axis in (0, 1):
        for step in (-2, 2):
            inner &= np.roll(mask, step, axis=axis)
    return inner


def _ends(field: MatchedField, hair: Hair, at: Callable[[int, float, float], XY]) -> tuple[XY, XY]:
    """Where a structure lies in both pictures; where one has none, the place it would have."""
    place = np.array([hair.place])
    there = field.match.registration.to_after(place)[0]
    here = (hair.before.x, hair.before.y) if hair.before else hair.place
    then = (hair.after.x, hair.after.y) if hair.after else (float(there[0]), float(there[1]))
    return at(0, *here), at(1, *then)


def _lines(sheet: Image.Image, ends: Sequence[tuple[Hair, XY, XY]]) -> Image.Image:
    layer = Image.new("RGBA", sheet.size, (0, 0, 0, 0))
    draw = ImageDraw.Draw(layer)
    for hair, left, right in ends:
        if hair.before is None or hair.after is None:
            continue
        ends_at = _off(left, right, 12), _off(right, left, 12)
        draw.line(ends_at, fill=(*_INK, 110), width=4)
        colour = (*COLOURS[hair.fate], 210)
        if hair.rescored:
            _dashed(draw, *ends_at, colour)
        else:
            draw.line(ends_at, fill=colour, width=2)
    return Image.alpha_composite(sheet.convert("RGBA"), layer).convert("RGB")


def _off(start: XY, end: XY, by: float) -> XY:
    length = math.dist(start, end) or 1.0
    return start[0] + by * (end[0] - start[0]) / length, start[1] + by * (end[1] - start[1]) / length


def _dashed(draw: ImageDraw.ImageDraw, start: XY, end: XY, colour: tuple[int, ...]) -> None:
    for done in np.arange(0, math.dist(start, end), 16):
        draw.line((_off(start, end, done), _off(start, end, done + 8)), fill=colour, width=2)


def _mark(draw: ImageDraw.ImageDraw, xy: XY, radius: float, fate: Fate, *, faint: bool = False) -> None:
    """Circle: found again; square: of another sign; cross: gone; triangle: new. faint: the place where it is not."""
    x, y = xy
    if faint:
        draw.ellipse((x - 3, y - 3, x + 3, y + 3), outline=_INK, width=3)
        draw.ellipse((x - 2, y - 2, x + 2, y + 2), outline=COLOURS[fate], width=1)
        return
    r = radius
    for ink, width in ((_INK, 6), (COLOURS[fate], 3)):
        if fate == "persisted":
            draw.ellipse((x - r, y - r, x + r, y + r), outline=ink, width=width)
        elif fate == "changed sign":
            draw.line([(x - r, y - r), (x + r, y - r), (x + r, y + r), (x - r, y + r), (x - r, y - r), (x + r, y - r)],
                      fill=ink, width=width, joint="curve")  # fmt: skip
        elif fate == "gone":
            draw.line((x - r, y - r, x + r, y + r), fill=ink, width=width)
            draw.line((x - r, y + r, x + r, y - r), fill=ink, width=width)
        else:
            top, low = (x, y - 1.2 * r), y + 0.9 * r
            draw.line([top, (x + 1.15 * r, low), (x - 1.15 * r, low), top, (x + 1.15 * r, low)],
                      fill=ink, width=width, joint="curve")  # fmt: skip


def _legend(hairs: Sequence[Hair], width: int) -> Image.Image:
    size = 18
    strip = Image.new("RGB", (width, 2 * size + 8), _PAPER)
    draw, font = ImageDraw.Draw(strip), ImageFont.load_default(size=size)
    x, middle = size, strip.height / 2
    for fate, words in WORDS.items():
        count = sum(hair.fate == fate for hair in hairs)
        _mark(draw, (x + 8, middle), 9.0, fate)
        text = f"{words}: {count}"
        draw.text((x + 28, middle - 0.65 * size), text, fill=_INK, font=font)
        x += 28 + int(font.getlength(text)) + 2 * size
    again = sum(hair.rescored for hair in hairs)
    if again:
        _dashed(draw, (x, middle), (x + 48, middle), (*_INK, 255))
        draw.text((x + 58, middle - 0.65 * size), f"only at a second look: {again}", fill=_INK, font=font)
    return strip


def _title(field: MatchedField, before: date, after: date) -> str:
    place = f"{field.site}, field {field.field}" if field.field else field.site
    return f"{place}: {before} (left) and {after} (right)"


def _caption(field: MatchedField, *, synthetic: bool) -> str:
    found = field.match.registration
    within = "" if found.residual_um is None else f", fitted within {found.residual_um:.0f} um"
    told = [
        f"{found.overlap:.0%} of the field in common{within}.",
        "Pale: skin that only one visit shows, or too near to the edge; nothing is counted there.",
        "A small ring: the place where the other visit shows something.",
    ]
    model = field.before.reading.model
    if model and model.notice:
        told.append(model.notice)
    if synthetic:
        told.append("Synthetic patient: not a person.")
    return " ".join(told)


def _text(text: str, width: int, size: int, *, ink: tuple[int, int, int] = _INK) -> Image.Image:
    font = ImageFont.load_default(size=size)
    lines: list[str] = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if font.getlength(longer) > width - size:
            lines.append(word)
        else:
            lines[-1] = longer
    strip = Image.new("RGB", (width, round(1.35 * size * len(lines)) + size // 2), _PAPER)
    draw = ImageDraw.Draw(strip)
    for number, line in enumerate(lines):
        draw.text((size // 2, size // 4 + round(1.35 * size * number)), line, fill=ink, font=font)
    return strip

"""Pictures for people: marks over a capture, labelled beside predicted, and contact sheets. Pillow only.

Every sign has a shape as well as a colour, so that marks are told apart in print and by colour-blind readers.
"""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from trichotrack.geometry import resample
from trichotrack.signs import SIGN, SIGNS, Sign

Mark = tuple[str, float, float, tuple[float, float] | None]
"""Sign name, x and y of the root (or centre), and the tip's (x, y) where known: pixels of the capture."""

Picture = NDArray[np.uint8] | Image.Image

MAX_SIDE_PX = 1600
"""Pictures are for screens and reports; a longer capture is shown smaller."""

_PAPER, _INK, _FAINT = (255, 255, 255), (20, 20, 20), (110, 110, 110)


def _polygon(corners: int, turn: float) -> tuple[tuple[float, float], ...]:
    angles = [turn + 2 * math.pi * i / corners for i in range(corners)]
    return tuple((math.sin(angle), -math.cos(angle)) for angle in angles)


def _star(points: int) -> tuple[tuple[float, float], ...]:
    reach = [0.45 if i % 2 else 1.0 for i in range(2 * points)]
    return tuple((r * x, r * y) for r, (x, y) in zip(reach, _polygon(2 * points, 0.0), strict=True))


_SHAPES: tuple[tuple[tuple[float, float], ...] | None, ...] = (
    None,  # circle
    _polygon(4, math.pi / 4),  # square
    _polygon(3, 0.0),  # triangle, point up
    _polygon(4, 0.0),  # diamond
    _polygon(3, math.pi),  # triangle, point down
    _polygon(6, 0.0),
    _polygon(5, 0.0),
    _star(4),
)  # fmt: skip
_SPARE_COLOURS = ((0, 0, 0), (0, 114, 178), (213, 94, 0), (0, 158, 115), (204, 121, 167), (230, 159, 0))
_POSITION = {sign.name: i for i, sign in enumerate(SIGNS)}


def style_of(name: str, signs: Mapping[str, Sign]) -> tuple[int, tuple[int, int, int]]:
    """Shape index and colour: fixed for the vocabulary; signs beyond it take theirs by their order."""
    if name in _POSITION:
        return _POSITION[name], SIGN[name].colour
    others = [other for other in signs if other not in _POSITION]
    place = others.index(name) if name in others else len(others)
    colour = signs[name].colour if name in signs else (0, 0, 0)
    return place % len(_SHAPES), colour if any(colour) else _SPARE_COLOURS[place % len(_SPARE_COLOURS)]


@lru_cache(maxsize=16)
def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size=size)


_SPELT = {"µ": "u", "μ": "u", "²": "2", "×": "x", "−": "-", "–": "-", "—": "-", "≥": ">=", "≤": "<=", "→": "->"}


@lru_cache(maxsize=4096)
def _has_glyph(letter: str) -> bool:
    font = _font(24)
    return bytes(font.getmask(letter)) != bytes(font.getmask("\uffff"))


@lru_cache(maxsize=4096)
def _letter(letter: str) -> str:
    if letter.isspace() or _has_glyph(letter):
        return letter
    plain = _SPELT.get(letter) or unicodedata.normalize("NFKD", letter)[0]
    return plain if all(map(_has_glyph, plain)) else "?"


def _printable(text: str) -> str:
    """Text in letters that Pillow's built-in font has: for µ, ×, é and others, which it shows as a box, the nearest."""
    return "".join(map(_letter, text))


def _draw_mark(
    draw: ImageDraw.ImageDraw, xy: tuple[float, float], radius: float, shape: int, colour: tuple[int, int, int]
) -> None:
    """A hollow shape around xy: the structure itself stays in view. A dark rim keeps it visible on any skin."""
    x, y = xy
    line = max(2, round(radius / 4))
    corners = _SHAPES[shape]
    for ink, width in ((_INK, line + 2), (colour, line)):
        if corners is None:
            r = radius + width / 2
            draw.ellipse((x - r, y - r, x + r, y + r), outline=ink, width=width)
        else:
            reach = radius * 1.25
            points = [(x + reach * dx, y + reach * dy) for dx, dy in corners]
            draw.line([*points, points[0], points[1]], fill=ink, width=width, joint="curve")


def _marked(pixels: NDArray[np.uint8], marks: Sequence[Mark], signs: Mapping[str, Sign], max_side: int) -> Image.Image:
    height, width = pixels.shape[:2]
    factor = min(1.0, max_side / max(width, height))
    size = (max(1, round(width * factor)), max(1, round(height * factor)))
    image = Image.fromarray(resample(np.ascontiguousarray(pixels), size)).convert("RGB")
    draw = ImageDraw.Draw(image)
    fx, fy = size[0] / width, size[1] / height
    radius = max(5.0, 0.011 * math.sqrt(size[0] * size[1]))
    for name, x, y, tip in marks:
        if tip is not None:
            _, colour = style_of(name, signs)
            ends = ((x * fx, y * fy), (tip[0] * fx, tip[1] * fy))
            draw.line(ends, fill=_INK, width=4)
            draw.line(ends, fill=colour, width=2)
    for name, x, y, _ in marks:
        shape, colour = style_of(name, signs)
        _draw_mark(draw, (x * fx, y * fy), radius, shape, colour)
    return image


def _wrapped(text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, width: int) -> list[str]:
    lines = []
    for paragraph in text.splitlines():
        line = ""
        for word in paragraph.split():
            longer = f"{line} {word}".strip()
            if line and font.getlength(longer) > width:
                lines.append(line)
                line = word
            else:
                line = longer
        lines.append(line)
    return lines


def _text_strip(text: str, width: int, size: int, *, ink: tuple[int, int, int] = _INK) -> Image.Image:
    font = _font(size)
    lines = _wrapped(_printable(text), font, width - size)
    strip = Image.new("RGB", (width, round(1.35 * size * len(lines)) + size // 2), _PAPER)
    draw = ImageDraw.Draw(strip)
    for i, line in enumerate(lines):
        draw.text((size // 2, size // 4 + round(1.35 * size * i)), line, fill=ink, font=font)
    return strip


def _legend(entries: Sequence[tuple[str, str]], signs: Mapping[str, Sign], width: int, size: int) -> Image.Image:
    """A strip that explains each shape: entries are (sign name, text)."""
    font = _font(size)
    row_height = round(1.9 * size)
    placed: list[tuple[int, int, str, str]] = []
    x, row = size // 2, 0
    for name, entry in entries:
        text = _printable(entry)
        needed = round(2.4 * size + font.getlength(text) + size)
        if x + needed > width and x > size:
            x, row = size // 2, row + 1
        placed.append((x, row, name, text))
        x += needed
    strip = Image.new("RGB", (width, row_height * (row + 1) if entries else 0), _PAPER)
    draw = ImageDraw.Draw(strip)
    for left, line, name, text in placed:
        middle = line * row_height + row_height / 2
        shape, colour = style_of(name, signs)
        _draw_mark(draw, (left + size, middle), size * 0.5, shape, colour)
        draw.text((left + 2.2 * size, middle - size * 0.65), text, fill=_INK, font=font)
    return strip


def _stacked(parts: Sequence[Image.Image]) -> Image.Image:
    parts = [part for part in parts if part.height]
    sheet = Image.new("RGB", (max(part.width for part in parts), sum(part.height for part in parts)), _PAPER)
    top = 0
    for part in parts:
        sheet.paste(part, (0, top))
        top += part.height
    return sheet


def _entries(marks: Sequence[Mark], signs: Mapping[str, Sign], remarks: Mapping[str, str]) -> list[tuple[str, str]]:
    counts = dict.fromkeys(signs, 0)
    for name, *_ in marks:
        counts[name] = counts.get(name, 0) + 1
    labels = {name: signs[name].plural if name in signs else name for name in counts}
    return [(name, f"{labels[name]}: {remarks.get(name, count)}") for name, count in counts.items()]


def overlay(
    pixels: NDArray[np.uint8],
    marks: Sequence[Mark],
    signs: Mapping[str, Sign],
    *,
    caption: str = "",
    remarks: Mapping[str, str] | None = None,
    max_side: int = MAX_SIDE_PX,
) -> Image.Image:
    """The capture with its marks, and below it a legend with counts and the caption.

    pixels: uint8 (H, W, 3). signs: those the legend lists, by name, also at zero. remarks: by sign, printed in place
    of its count ("not counted: 2.1 px per hair"). caption: what must be said of the figures, such as a model's notice.
    """
    image = _marked(pixels, marks, signs, max_side)
    size = max(12, round(0.016 * image.width))
    parts = [image, _legend(_entries(marks, signs, remarks or {}), signs, image.width, size)]
    if caption:
        parts.append(_text_strip(caption, image.width, size, ink=_FAINT))
    return _stacked(parts)


def compare(
    pixels: NDArray[np.uint8],
    labelled: Sequence[Mark],
    predicted: Sequence[Mark],
    signs: Mapping[str, Sign],
    caption: str = "",
    *,
    max_side: int = 900,
) -> Image.Image:
    """The same capture twice: labelled on the left, predicted on the right, each with its counts."""
    halves = []
    for title, marks in (("labelled", labelled), ("predicted", predicted)):
        image = _marked(pixels, marks, signs, max_side)
        size = max(12, round(0.02 * image.width))
        legend = _legend(_entries(marks, signs, {}), signs, image.width, size)
        halves.append(_stacked([_text_strip(title, image.width, size), image, legend]))
    gap = 8
    sheet = Image.new("RGB", (sum(half.width for half in halves) + gap, max(half.height for half in halves)), _PAPER)
    sheet.paste(halves[0], (0, 0))
    sheet.paste(halves[1], (halves[0].width + gap, 0))
    if not caption:
        return sheet
    return _stacked([sheet, _text_strip(caption, sheet.width, max(12, round(0.01 * sheet.width)), ink=_FAINT)])


def contact_sheet(
    images: Sequence[Picture], captions: Sequence[str], *, columns: int = 4, cell_px: int = 360, title: str = ""
) -> Image.Image:
    """Many pictures on one page, row by row, each fitted into cell_px with its caption below.

    Raises ValueError where images and captions differ in number, or there are none.
    """
    if not images or len(images) != len(captions):
        raise ValueError(f"{len(images)} images and {len(captions)} captions: give as many captions as images, not 0")
    gap = 8
    cells = [_cell(image, caption, cell_px) for image, caption in zip(images, captions, strict=True)]
    columns = min(columns, len(cells))
    rows = [cells[i : i + columns] for i in range(0, len(cells), columns)]
    width = columns * (cell_px + gap) + gap
    parts = [_text_strip(title, width, 18)] if title else []
    for row in rows:
        strip = Image.new("RGB", (width, max(cell.height for cell in row) + gap), _PAPER)
        for i, cell in enumerate(row):
            strip.paste(cell, (gap + i * (cell_px + gap), 0))
        parts.append(strip)
    return _stacked(parts)


def _cell(image: Picture, caption: str, cell_px: int) -> Image.Image:
    array = np.asarray(image.convert("RGB") if isinstance(image, Image.Image) else image)
    height, width = array.shape[:2]
    factor = cell_px / max(width, height)
    shown = resample(np.ascontiguousarray(array), (max(1, round(width * factor)), max(1, round(height * factor))))
    framed = Image.new("RGB", (cell_px, shown.shape[0]), _PAPER)
    framed.paste(Image.fromarray(shown), ((cell_px - shown.shape[1]) // 2, 0))
    return _stacked([framed, _text_strip(caption, cell_px, 13)]) if caption else framed


def save_picture(image: Image.Image, path: Path, *, quality: int = 88) -> None:
    """Writes a PNG or JPEG (of a quality) by path's suffix, with nothing in it but pixels: no EXIF of the capture."""
    path.parent.mkdir(parents=True, exist_ok=True)
    bare = Image.fromarray(np.asarray(image.convert("RGB")))
    if path.suffix.lower() in {".jpg", ".jpeg"}:
        bare.save(path, quality=quality, subsampling=0)
    else:
        bare.save(path)

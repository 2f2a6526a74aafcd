"""A capture small enough for a page, and its marks as a drawing to lie over it."""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Callable, Sequence
from xml.etree import ElementTree as ET

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from trichotrack.geometry import resample
from trichotrack.pictures import Mark
from trichotrack.report.drawing import INK, element, outline, rgb

MARK_SHARE = 0.016
"""Radius of a mark, of the geometric mean of the picture's sides: visible where a picture is 45 mm wide on paper."""

_LADDER = ((900, 86), (760, 84), (640, 80), (520, 76), (440, 70), (360, 64), (280, 58), (200, 50))


def fitted(pixels: NDArray[np.uint8], most_bytes: int) -> tuple[bytes, tuple[int, int]]:
    """pixels (H, W, 3) as a JPEG of at most most_bytes (or the smallest step), and its (width, height).

    Nothing but pixels is written: no EXIF.
    """
    height, width = pixels.shape[:2]
    content, size = b"", (width, height)
    for side, quality in _LADDER:
        factor = min(1.0, side / max(width, height))
        size = (max(1, round(width * factor)), max(1, round(height * factor)))
        content = _jpeg(resample(pixels, size), quality)
        if len(content) <= most_bytes:
            break
    return content, size


def _jpeg(pixels: NDArray[np.uint8], quality: int) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=quality, optimize=True)
    return buffer.getvalue()


def data_uri(jpeg: bytes) -> str:
    return f"data:image/jpeg;base64,{base64.b64encode(jpeg).decode('ascii')}"


def marks_over(
    marks: Sequence[Mark],
    size_px: tuple[int, int],
    shown_px: tuple[int, int],
    style_of: Callable[[str], tuple[int, tuple[int, int, int]]],
) -> str:
    """Marks as a drawing to lie over a picture: a hollow shape at each root or centre, a line to each tip.

    size_px: (width, height) in which the marks are given; shown_px: of the picture. style_of: a sign's shape and
    colour. Drawn by the reader's program, they stay sharp at any size and on paper, and can be taken away to see the
    skin. The shapes are those of pictures.py; one path for each sign keeps the file small.
    """
    width, height = shown_px
    fx, fy = width / size_px[0], height / size_px[1]
    radius = MARK_SHARE * math.sqrt(width * height)
    shapes: dict[str, list[str]] = {}
    shafts: dict[str, list[str]] = {}
    for name, x, y, tip in marks:
        shapes.setdefault(name, []).append(outline(style_of(name)[0], (x * fx, y * fy), radius))
        if tip is not None:
            shaft = f"M{x * fx:.1f} {y * fy:.1f}L{tip[0] * fx:.1f} {tip[1] * fy:.1f}"
            shafts.setdefault(name, []).append(shaft)
    root = ET.Element("svg")
    for key, value in (("class", "marks"), ("viewBox", f"0 0 {width} {height}"), ("aria-hidden", "true")):
        root.set(key, value)
    group = element(root, "g", fill="none", stroke_linejoin="round")
    # A dark rim keeps a mark visible on any skin; a shaft's line is thin, for the hair itself is to be seen.
    for paths, rim, core in ((shafts, 0.34, 0.18), (shapes, 0.62, 0.34)):
        for name, path in paths.items():
            for stroke, share in ((INK, rim), (rgb(style_of(name)[1]), core)):
                element(group, "path", d="".join(path), stroke=stroke, stroke_width=radius * share)
    return ET.tostring(root, encoding="unicode")

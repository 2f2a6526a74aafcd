"""Pictures of the report: each capture with its marks, small enough that all of them fit in one file."""

from __future__ import annotations

import base64
import io
import math
from dataclasses import dataclass
from xml.etree import ElementTree as ET

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from trichotrack.geometry import resample
from trichotrack.report.drawing import INK, element, outline, rgb, shape_of
from trichotrack.signs import SIGN
from trichotrack.visits.story import CaptureStory, PatientStory, VisitStory

BUDGET_BYTES = 2_700_000
"""For all pictures as JPEG: base64 adds a third, and a report stays under 5 MB, which mail still takes."""

MOST_PICTURES = 120
_LARGEST_BYTES = 160_000
_MARK_SHARE = 0.016
"""Radius of a mark, of the geometric mean of the picture's sides: visible where a picture is 45 mm wide on paper."""

_LADDER = ((760, 85), (640, 80), (520, 76), (440, 70), (360, 64), (280, 58), (200, 50))


@dataclass(frozen=True)
class Shown:
    """One capture as shown. uri: the picture as data URI, "" where it cannot be read. marks: a
    drawing over it. repeats: captures of this spot
    at this visit, of which this is the first.
    """

    visit: VisitStory
    capture: CaptureStory
    uri: str
    marks: str
    width: int
    height: int
    repeats: int


@dataclass(frozen=True)
class Spot:
    """One field over the visits, as far as it was captured."""

    site: str
    field: str
    shown: tuple[Shown, ...]


def spots(story: PatientStory) -> tuple[tuple[Spot, ...], str]:
    """Fields by site with a marked picture per visit, and a sentence on what is left out ("" where nothing is)."""
    chosen: list[tuple[VisitStory, CaptureStory, int]] = []
    for visit in story.visits:
        by_spot: dict[tuple[str, str], list[CaptureStory]] = {}
        for capture in visit.captures:
            by_spot.setdefault((capture.site, capture.field), []).append(capture)
        chosen += [(visit, captures[0], len(captures)) for captures in by_spot.values()]
    remarks = []
    if any(repeats > 1 for _, _, repeats in chosen):
        remarks.append("Of repeats of one field the first is shown; all are in the figures.")
    if len(chosen) > MOST_PICTURES:
        kept = {visit.id for visit in (story.visits[0], *story.visits[-2:])}
        chosen = [item for item in chosen if item[0].id in kept][:MOST_PICTURES]
        remarks.append(
            f"To keep the file small, {len(chosen)} pictures of the first and the last two visits are shown."
        )
    share = min(_LARGEST_BYTES, BUDGET_BYTES // max(1, len(chosen)))
    found: dict[tuple[str, str], list[Shown]] = {}
    for visit, capture, repeats in chosen:
        uri, (width, height) = picture_uri(capture, share)
        found.setdefault((capture.site, capture.field), []).append(
            Shown(visit, capture, uri, marks_svg(capture), width, height, repeats)
        )
    ordered = sorted(found)
    return tuple(Spot(site, name, tuple(found[site, name])) for site, name in ordered), " ".join(remarks)


def marks_svg(capture: CaptureStory) -> str:
    """Its marks as a drawing to lie over its picture: a hollow shape at each root or centre, a line to each tip.

    Drawn by the reader's program, they stay sharp at any size and on paper, and can be taken away to see the skin.
    The shapes and colours are those of pictures.py; one path for each sign keeps the file small.
    """
    width, height = capture.picture_size_px
    reading = capture.reading
    fx, fy = width / reading.width, height / reading.height
    radius = _MARK_SHARE * math.sqrt(width * height)
    shapes: dict[str, list[str]] = {}
    shafts: dict[str, list[str]] = {}
    for item in reading.objects:
        x, y = item.x * fx, item.y * fy
        shapes.setdefault(item.sign, []).append(outline(shape_of(item.sign), (x, y), radius))
        if item.tip_x is not None and item.tip_y is not None:
            shaft = f"M{x:.1f} {y:.1f}L{item.tip_x * fx:.1f} {item.tip_y * fy:.1f}"
            shafts.setdefault(item.sign, []).append(shaft)
    root = ET.Element("svg")
    for name, value in (("class", "marks"), ("viewBox", f"0 0 {width} {height}"), ("aria-hidden", "true")):
        root.set(name, value)
    group = element(root, "g", fill="none", stroke_linejoin="round")
    # A dark rim keeps a mark visible on any skin; a shaft's line is thin, for the hair itself is to be seen.
    for paths, rim, core in ((shafts, 0.34, 0.18), (shapes, 0.62, 0.34)):
        for sign, path in paths.items():
            colour = rgb(SIGN[sign].colour) if sign in SIGN else "#ffffff"
            for stroke, share in ((INK, rim), (colour, core)):
                element(group, "path", d="".join(path), stroke=stroke, stroke_width=radius * share)
    return ET.tostring(root, encoding="unicode")


def picture_uri(capture: CaptureStory, most_bytes: int) -> tuple[str, tuple[int, int]]:
    """The capture as a JPEG data URI of at most most_bytes (or the smallest step), and its size in px.

    Nothing but pixels is written: no EXIF. "" where the stored picture cannot be read.
    """
    try:
        with Image.open(io.BytesIO(capture.picture)) as stored:
            pixels = np.asarray(stored.convert("RGB"))
    except (UnidentifiedImageError, OSError, Image.DecompressionBombError):
        return "", (0, 0)
    height, width = pixels.shape[:2]
    content, size = b"", (width, height)
    for side, quality in _LADDER:
        factor = min(1.0, side / max(width, height))
        size = (max(1, round(width * factor)), max(1, round(height * factor)))
        content = _jpeg(resample(pixels, size), quality)
        if len(content) <= most_bytes:
            break
    return f"data:image/jpeg;base64,{base64.b64encode(content).decode('ascii')}", size


def _jpeg(pixels: NDArray[np.uint8], quality: int) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=quality, optimize=True)
    return buffer.getvalue()

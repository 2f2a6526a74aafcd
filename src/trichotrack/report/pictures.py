"""Pictures of the report: each capture with its marks, small enough that all of them fit in one file."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from xml.etree import ElementTree as ET

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from trichotrack.capture import natural_key
from trichotrack.geometry import resample
from trichotrack.report import words
from trichotrack.report.blocks import Picture, Strip
from trichotrack.report.drawing import INK, element, outline, rgb, shape_of, sign_icon
from trichotrack.report.voice import Voice
from trichotrack.signs import SIGN
from trichotrack.visits.story import CaptureStory, PatientStory, VisitStory

BUDGET_BYTES = 2_700_000
"""For all pictures as JPEG: base64 adds a third, and a report stays under 5 MB, which mail still takes."""

MOST_PICTURES = 120
_LARGEST_BYTES = 240_000
_MARK_SHARE = 0.016
"""Radius of a mark, of the geometric mean of the picture's sides: visible where a picture is 45 mm wide on paper."""

_LADDER = ((900, 86), (760, 84), (640, 80), (520, 76), (440, 70), (360, 64), (280, 58), (200, 50))


def strips(story: PatientStory, say: Voice) -> tuple[tuple[Strip, ...], str]:
    """Fields by site, each at the first, the previous and the last visit, and a sentence on what is left out."""
    total = len(story.visits)
    visits = [story.visits[i] for i in sorted({0, max(0, total - 2), total - 1})] if total else []
    named = {(capture.site, capture.field) for visit in visits for capture in visit.captures}
    spots = sorted(named, key=lambda spot: natural_key("/".join(spot)))
    if not spots:
        return (), ""
    kept = spots[: max(1, MOST_PICTURES // len(visits))]
    remarks = []
    if _repeats(visits):
        remarks.append(say("pictures.repeats_note"))
    if total > len(visits):
        remarks.append(say("pictures.visits_note", count=total - len(visits)))
    if len(kept) < len(spots):
        remarks.append(say("pictures.limit_note", count=len(kept)))
    share = min(_LARGEST_BYTES, BUDGET_BYTES // (len(kept) * len(visits)))
    names = {1: ("only",), 2: ("baseline", "current")}.get(len(visits), ("baseline", "previous", "current"))
    found = []
    for place, (site, field) in enumerate(kept):
        spot = site or say("pictures.site_not_named")
        title = say("pictures.spot", site=spot, field=field) if field else spot
        pictures = tuple(
            _picture(
                visit,
                (site, field),
                (f"c{place}-{visit.id}", say(f"pictures.{name}", date=say.day(visit.date)), title),
                share,
                say,
            )
            for visit, name in zip(visits, names, strict=True)
        )
        found.append(Strip(title, pictures))
    return tuple(found), " ".join(remarks)


def _repeats(visits: Sequence[VisitStory]) -> bool:
    seen = [(visit.id, capture.site, capture.field) for visit in visits for capture in visit.captures]
    return len(seen) > len(set(seen))


def _picture(
    visit: VisitStory, spot: tuple[str, str], names: tuple[str, str, str], most_bytes: int, say: Voice
) -> Picture:
    """The first capture of a spot at a visit. names: of the picture, of the visit and of the spot."""
    identifier, when, title = names
    captures = [capture for capture in visit.captures if (capture.site, capture.field) == spot]
    if not captures:
        return Picture(identifier, when, missing=say("pictures.not_captured"))
    capture = captures[0]
    jpeg, (width, height) = picture(capture, most_bytes)
    said = [say("pictures.unreviewed")]
    if capture.reviewed:
        name = capture.reviewed_by
        said = [say("pictures.reviewed_by", name=name) if name else say("pictures.reviewed")]
    if len(captures) > 1:
        said.append(say("pictures.repeats", count=len(captures)))
    if not capture.reading.quality.ok:
        said.append(say("pictures.see_quality"))
    return Picture(
        id=identifier,
        when=when,
        jpeg=jpeg,
        marks=marks_svg(capture) if jpeg else "",
        width=width,
        height=height,
        alt=say("pictures.alt", spot=title, date=say.day(visit.date), count=len(capture.reading.objects)),
        said=", ".join(said),
        counts=_counts(capture, say),
        missing="" if jpeg else say("pictures.unreadable"),
    )


def _counts(capture: CaptureStory, say: Voice) -> tuple[tuple[str, str, str], ...]:
    found = []
    for name, sign in capture.reading.signs.items():
        icon = sign_icon(name, SIGN[name].colour) if name in SIGN else ""
        count = str(sign.count) if sign.status == "counted" else words.DASH
        found.append((icon, words.sign_label(name, say), count))
    return tuple(found)


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


def picture(capture: CaptureStory, most_bytes: int) -> tuple[bytes, tuple[int, int]]:
    """The capture as a JPEG of at most most_bytes (or the smallest step), and its size in px.

    Nothing but pixels is written: no EXIF. b"" where the stored picture cannot be read.
    """
    try:
        with Image.open(io.BytesIO(capture.picture)) as stored:
            pixels = np.asarray(stored.convert("RGB"))
    except (UnidentifiedImageError, OSError, Image.DecompressionBombError):
        return b"", (0, 0)
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

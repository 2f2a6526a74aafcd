"""Pictures of the report: each capture with its marks, small enough that all of them fit in one file."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
from PIL import Image, UnidentifiedImageError

from trichotrack.capture import natural_key
from trichotrack.report import words
from trichotrack.report.blocks import Picture, Strip
from trichotrack.report.drawing import shape_of, sign_icon
from trichotrack.report.thumbnails import fitted, marks_over
from trichotrack.report.voice import Voice
from trichotrack.signs import SIGN
from trichotrack.visits.story import CaptureStory, PatientStory, VisitStory

BUDGET_BYTES = 2_700_000
"""For all pictures as JPEG: base64 adds a third, and a report stays under 5 MB, which mail still takes."""

MOST_PICTURES = 120
_LARGEST_BYTES = 240_000


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
    """Its marks as a drawing to lie over its picture, in the shapes and colours of pictures.py."""
    reading = capture.reading
    marks = [
        (
            item.sign,
            item.x,
            item.y,
            None if item.tip_x is None or item.tip_y is None else (item.tip_x, item.tip_y),
        )
        for item in reading.objects
    ]
    return marks_over(marks, (reading.width, reading.height), capture.picture_size_px, _style)


def _style(name: str) -> tuple[int, tuple[int, int, int]]:
    return shape_of(name), SIGN[name].colour if name in SIGN else (255, 255, 255)


def picture(capture: CaptureStory, most_bytes: int) -> tuple[bytes, tuple[int, int]]:
    """The capture as a JPEG of at most most_bytes (or the smallest step), and its size in px.

    Nothing but pixels is written: no EXIF. b"" where the stored picture cannot be read.
    """
    try:
        with Image.open(io.BytesIO(capture.picture)) as stored:
            pixels = np.asarray(stored.convert("RGB"))
    except (UnidentifiedImageError, OSError, Image.DecompressionBombError):
        return b"", (0, 0)
    return fitted(pixels, most_bytes)

"""The labels of a set drawn on its captures, as one HTML page that needs nothing but itself."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trichotrack.capture import natural_key, read_capture
from trichotrack.labels.fingerprint import Fingerprint, SignPrint, spread_text
from trichotrack.labels.masks import read_mask
from trichotrack.labels.tables import CaptureRow, LabelRow, LabelSet, ObjectRow
from trichotrack.pictures import Mark, style_of
from trichotrack.problems import InputError
from trichotrack.report.drawing import sign_icon
from trichotrack.report.thumbnails import data_uri, fitted, marks_over
from trichotrack.report.voice import voice
from trichotrack.signs import Sign

BUDGET_BYTES = 3_600_000
"""For all pictures as JPEG; base64 adds a third."""

LARGEST_BYTES = 120_000

LEVEL_TITLES = {
    "exhaustive": "All marked",
    "partial": "Some marked",
    "count": "Counted",
    "presence": "Present, absent",
}

DASH = "—"


@dataclass(frozen=True)
class Shown:
    """One capture on the page. about: who and where. known: (icon, text) of each labelled sign. unknown: the signs of
    the set that nothing is known of here. jpeg: b"" where the file could not be read, and problem says why.
    """

    id: str
    file: str
    about: str
    known: tuple[tuple[str, str], ...]
    unknown: tuple[str, ...]
    jpeg: bytes = b""
    width: int = 0
    height: int = 0
    marks: str = ""
    problem: str = ""


@dataclass(frozen=True)
class LegendRow:
    """One sign of the set: what it looks like, and how many captures say what of it. levels: as LEVELS counts them."""

    icon: str
    sign: Sign
    levels: dict[str, int]
    unlabelled: int
    figures: SignPrint


def labels_page(
    labelset: LabelSet,
    found: Fingerprint,
    name: str,
    *,
    pictures: int = 48,
    on_capture: Callable[[], None] | None = None,
) -> str:
    """The page as HTML: a legend, what is labelled at which level, and captures with their reference labels drawn.

    found: of the same set. pictures: how many captures are shown, spread over patients and signs; one
    is opened at a time. No script, nothing fetched, no EXIF.
    """
    from importlib.resources import files

    from jinja2 import Environment, StrictUndefined

    labelled = {label.sign for label in labelset.labels if not label.rater}
    known = {one.sign: labelset.signs[one.sign] for one in found.signs if one.sign in labelled}
    styles = {sign: style_of(sign, labelset.signs) for sign in known}
    icons = {sign: sign_icon(sign, colour, shape) for sign, (shape, colour) in styles.items()}
    labels: dict[str, list[LabelRow]] = defaultdict(list)
    objects: dict[str, list[ObjectRow]] = defaultdict(list)
    for label in labelset.labels:
        if not label.rater:
            labels[label.file].append(label)
    for marked in labelset.objects:
        if not marked.rater:
            objects[marked.file].append(marked)
    chosen = choose(labelset, objects, pictures)
    most_bytes = min(LARGEST_BYTES, BUDGET_BYTES // max(1, len(chosen)))
    shown = []
    for place, row in enumerate(chosen):
        shown.append(
            _shown(labelset, row, f"c{place}", (labels[row.file], objects[row.file]), (known, icons), most_bytes)
        )
        if on_capture is not None:
            on_capture()
    legend = _legend(labelset, found, icons)
    room = files("trichotrack.report")
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters["data_uri"] = data_uri
    template = environment.from_string(room.joinpath("labels.html.j2").read_text("utf-8"))
    return template.render(
        css=room.joinpath("report.css").read_text("utf-8"),
        footer=voice()("page.footer"),
        name=name,
        found=found,
        legend=legend,
        levels=[(level, title) for level, title in LEVEL_TITLES.items() if any(level in row.levels for row in legend)],
        shown=shown,
        raters=sorted({label.rater for label in labelset.labels} - {""}),
        spread=lambda one, unit="": f"{spread_text(one)} {unit}".strip() if one else DASH,
        dash=DASH,
    )


def choose(labelset: LabelSet, objects: dict[str, list[ObjectRow]], pictures: int) -> list[CaptureRow]:
    """So many captures, one of each patient before a second of any; and for each sign the capture with most of it."""
    by_patient: dict[str, list[CaptureRow]] = defaultdict(list)
    for row in sorted(labelset.captures, key=lambda row: natural_key(row.file)):
        by_patient[row.patient].append(row)
    people = sorted(by_patient, key=natural_key)
    rounds = [
        by_patient[patient][turn]
        for turn in range(max(map(len, by_patient.values()), default=0))
        for patient in people
        if turn < len(by_patient[patient])
    ]
    row_of = {row.file: row for row in labelset.captures}
    richest: dict[str, tuple[int, str]] = {}
    for file, marked in objects.items():
        for sign in {one.sign for one in marked}:
            count = sum(one.sign == sign for one in marked)
            richest[sign] = max(richest.get(sign, (0, "")), (count, file))
    first = [file for _, file in richest.values()]
    if len(people) > pictures:
        # Not only those whose names come first.
        drawn = np.linspace(0, len(people) - 1, pictures).round().astype(int).tolist()
        rounds = [by_patient[people[place]][0] for place in drawn]
    kept = list(dict.fromkeys([*first, *(row.file for row in rounds)]))[:pictures]
    return [row_of[file] for file in sorted(kept, key=natural_key)]


def _shown(
    labelset: LabelSet,
    row: CaptureRow,
    identifier: str,
    content: tuple[list[LabelRow], list[ObjectRow]],
    signs: tuple[dict[str, Sign], dict[str, str]],
    most_bytes: int,
) -> Shown:
    labels, objects = content
    known, icons = signs
    spot = ", ".join(
        f"{title} {value}" if title else value
        for title, value in (("patient", row.patient), ("visit", row.visit), ("", row.site), ("field", row.field))
        if value
    )
    scale = "no scale" if row.um_per_px is None else f"{row.um_per_px:g} µm per px"
    about = ", ".join(part for part in (spot, row.device, scale, row.split and f"split {row.split}") if part)
    said = tuple((icons[label.sign], _said(label, known, objects)) for label in labels if label.sign in known)
    unknown = tuple(known[name].plural for name in known if name not in {label.sign for label in labels})
    try:
        pixels = read_capture(labelset.folder / row.file).pixels
        height, width = pixels.shape[:2]
        if row.valid_area:
            pixels = _paled(pixels, read_mask(labelset.folder / row.valid_area, (width, height)))
    except InputError as error:
        return Shown(identifier, row.file, about, said, unknown, problem=error.problems[0].message)
    jpeg, size = fitted(pixels, most_bytes)
    marks: Sequence[Mark] = [
        (one.sign, one.x, one.y, None if one.tip_x is None or one.tip_y is None else (one.tip_x, one.tip_y))
        for one in objects
    ]
    drawn = marks_over(marks, (width, height), size, lambda name: style_of(name, labelset.signs))
    return Shown(identifier, row.file, about, said, unknown, jpeg, *size, drawn)


def _said(label: LabelRow, known: dict[str, Sign], objects: list[ObjectRow]) -> str:
    sign = known[label.sign]
    marked = sum(one.sign == label.sign for one in objects)
    if label.level == "exhaustive":
        return f"{sign.plural}: {marked}"
    if label.level == "partial":
        return f"{sign.plural}: {marked} of more"
    if label.level == "count":
        return f"{sign.plural}: {label.value:g}, not marked"
    return f"{sign.plural}: {'present' if label.value else 'absent'}, not marked"


def _paled(pixels: NDArray[np.uint8], valid: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """What the labels do not speak of, paled."""
    paled = pixels.copy()
    paled[~valid] = 170 + paled[~valid] // 3
    return paled


def _legend(labelset: LabelSet, found: Fingerprint, icons: dict[str, str]) -> list[LegendRow]:
    levels: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for label in labelset.labels:
        if not label.rater:
            levels[label.sign][label.level] += 1
    return [
        LegendRow(
            icons[one.sign],
            labelset.signs[one.sign],
            dict(levels[one.sign]),
            len(labelset.captures) - sum(levels[one.sign].values()),
            one,
        )
        for one in found.signs
        if one.sign in icons
    ]

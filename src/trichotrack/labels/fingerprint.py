"""What a labelled set is like: scales, sizes, densities, how closely structures stand, sharpness and colour."""

from __future__ import annotations

import dataclasses
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trichotrack.capture import edge_blur_px, natural_key, read_capture, read_size
from trichotrack.geometry import Scale, resample, size_at
from trichotrack.labels.masks import on_mask, read_mask
from trichotrack.labels.tables import CaptureRow, LabelSet, ObjectRow
from trichotrack.problems import InputError, Problem

MOST_LOOKED_AT = 200
"""Captures whose pixels are looked at for sharpness and colour, spread evenly over the patients; sizes: of all."""

SHARPNESS_UM_PER_PX = 6.0
"""Captures are brought to this scale, where they are finer, before their edges are measured: as quality flags do."""

_SAMPLED_SIDE_PX = 64


@dataclass(frozen=True)
class Spread:
    """The 5 %, 50 % and 95 % quantiles of count values."""

    low: float
    middle: float
    high: float
    count: int


@dataclass(frozen=True)
class DevicePrint:
    """One device ("" where none is named). sizes: captures by "WIDTHxHEIGHT" px. field_cm2: of the whole picture."""

    device: str
    captures: int
    um_per_px: Spread | None
    sizes: dict[str, int]
    field_cm2: Spread | None


@dataclass(frozen=True)
class SignPrint:
    """One sign of the reference labels, over captures labelled exhaustively for it unless said otherwise.

    captures: exhaustive ones; absent: those of them without any. objects: marked, also in partial captures. patients:
    in whom it is marked, counted or present. per_cm2: all objects over all valid scalp; by_capture: each capture's.
    width_um, length_um: at the root, and root to tip. nearest_um: from each root to the nearest of the same sign.
    """

    sign: str
    captures: int
    absent: int
    objects: int
    patients: int
    per_cm2: float | None
    by_capture: Spread | None
    width_um: Spread | None
    length_um: Spread | None
    nearest_um: Spread | None


@dataclass(frozen=True)
class Fingerprint:
    """A labelled set in figures. crowding_um: from each root to the nearest that competes with it (of its exclusive
    group). looked_at: captures opened for sharpness_um (edge blur, sigma) and colour (medians of red, green, blue).
    long_side_px: of the pictures; crowding_share: as crowding_um, with or without a scale, over the long side of the
    picture. Neither is known where images were not opened.
    """

    captures: int
    patients: int
    devices: tuple[DevicePrint, ...]
    signs: tuple[SignPrint, ...]
    crowding_um: Spread | None
    looked_at: int
    sharpness_um: Spread | None
    colour: dict[str, Spread]
    long_side_px: Spread | None = None
    crowding_share: Spread | None = None

    def to_dict(self) -> dict[str, Any]:
        return dataclasses.asdict(self)


def fingerprint(
    labelset: LabelSet, *, images: bool = True, on_capture: Callable[[], None] | None = None
) -> Fingerprint:
    """The fingerprint of a set (with parents, where they are wanted); one image at a time.

    images: open them; without, there are no sizes, areas, densities, sharpness or colour. on_capture: called after each
    capture. Raises InputError naming every image or mask that cannot be read.
    """
    sizes, areas, off = _sizes(labelset, on_capture) if images else ({}, {}, frozenset())
    sharpness, colours = _looks(labelset) if images else ([], [])
    by_key: dict[tuple[str, str], list[ObjectRow]] = defaultdict(list)
    by_group: dict[tuple[str, str], dict[tuple[float, float], ObjectRow]] = defaultdict(dict)
    for number, marked in enumerate(labelset.objects):
        if not marked.rater and number not in off:
            sign = labelset.signs[marked.sign]
            by_key[marked.file, marked.sign].append(marked)
            if sign.group is not None:
                # What is there as a sign and as its parent is one structure.
                by_group[marked.file, sign.group].setdefault((marked.x, marked.y), marked)
    scale = {row.file: row.um_per_px for row in labelset.captures}
    nearest = [apart for (file, _), found in by_group.items() for apart in _nearest([(file, list(found.values()))])]
    return Fingerprint(
        captures=len(labelset.captures),
        patients=len({row.patient for row in labelset.captures}),
        devices=tuple(_devices(labelset, sizes)),
        signs=tuple(_signs(labelset, areas, by_key, scale)),
        crowding_um=spread(nearest, scale),
        looked_at=len(colours),
        sharpness_um=_spread(sharpness),
        colour={
            name: found
            for place, name in enumerate(("red", "green", "blue"))
            if (found := _spread([colour[place] for colour in colours]))
        },
        long_side_px=_spread(max(size) for size in sizes.values()),
        crowding_share=_spread(distance / max(sizes[file]) for file, distance in nearest if file in sizes),
    )


def _spread(values: Iterable[float]) -> Spread | None:
    known = np.array([value for value in values if np.isfinite(value)], np.float64)
    if not len(known):
        return None
    low, middle, high = np.quantile(known, (0.05, 0.5, 0.95))
    return Spread(_rounded(low), _rounded(middle), _rounded(high), len(known))


def _rounded(value: float) -> float:
    return float(f"{value:.4g}")


def spread_text(found: Spread | None) -> str:
    """As "74.6 (54.4 to 96.5)": the median, and the 5 % and 95 % quantiles; "" where nothing is known."""
    if found is None:
        return ""
    low, middle, high = (short(value) for value in (found.low, found.middle, found.high))
    return middle if low == high else f"{middle} ({low} to {high})"


def short(value: float) -> str:
    """Three digits, and whole numbers above: 74.6, 0.136, 1107."""
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"


def spread(distances_px: Iterable[tuple[str, float]], scale: dict[str, float | None]) -> Spread | None:
    """Of distances in px by file, in µm; those of captures without a scale are left out."""
    return _spread(distance * um for file, distance in distances_px if (um := scale.get(file)))


def _nearest(groups: Iterable[tuple[str, Sequence[ObjectRow]]]) -> Iterable[tuple[str, float]]:
    """(file, px to the nearest other) for each object of each group of two or more."""
    for file, found in groups:
        if len(found) < 2:
            continue
        xy = np.array([(marked.x, marked.y) for marked in found])
        for start in range(0, len(xy), 1024):
            apart = np.hypot(*(xy[start : start + 1024, None] - xy[None]).transpose(2, 0, 1))
            apart[np.arange(len(apart)), start + np.arange(len(apart))] = np.inf
            yield from ((file, float(distance)) for distance in apart.min(axis=1))


def _sizes(
    labelset: LabelSet, on_capture: Callable[[], None] | None
) -> tuple[dict[str, tuple[int, int]], dict[str, float], frozenset[int]]:
    """(width, height), px, and valid scalp, cm², by file, no area where there is no scale; which objects lie off it."""
    sizes: dict[str, tuple[int, int]] = {}
    areas: dict[str, float] = {}
    problems: list[Problem] = []
    off: set[int] = set()
    of_file: dict[str, list[int]] = defaultdict(list)
    for number, marked in enumerate(labelset.objects):
        of_file[marked.file].append(number)
    for row in labelset.captures:
        try:
            sizes[row.file] = read_size(labelset.folder / row.file)
            valid = 1.0
            if row.valid_area:
                mask = read_mask(labelset.folder / row.valid_area, sizes[row.file])
                valid = float(mask.mean())
                here = ((number, labelset.objects[number]) for number in of_file[row.file])
                off |= {number for number, marked in here if not on_mask(mask, marked.x, marked.y)}
            if row.um_per_px is not None:
                areas[row.file] = Scale(row.um_per_px, "table").area_cm2(*sizes[row.file]) * valid
        except InputError as error:
            problems += error.problems
        if on_capture is not None:
            on_capture()
    if problems:
        raise InputError(problems)
    return sizes, areas, frozenset(off)


def _looks(labelset: LabelSet) -> tuple[list[float], list[NDArray[np.float64]]]:
    """Edge blur, µm (of captures with a scale and an edge), and the median red, green and blue, of some captures."""
    ordered = sorted(labelset.captures, key=lambda row: (natural_key(row.patient), natural_key(row.file)))
    chosen = np.unique(np.linspace(0, len(ordered) - 1, min(MOST_LOOKED_AT, len(ordered))).round().astype(int))
    blurs, colours = [], []
    for place in chosen.tolist():
        row = ordered[place]
        pixels = read_capture(labelset.folder / row.file).pixels
        colours.append(_median_colour(pixels))
        if row.um_per_px is not None and (blur := _blur_um(pixels, row)) is not None:
            blurs.append(blur)
    return blurs, colours


def _median_colour(pixels: NDArray[np.uint8]) -> NDArray[np.float64]:
    step = max(1, max(pixels.shape[:2]) // _SAMPLED_SIDE_PX)
    return np.asarray(np.median(pixels[::step, ::step].reshape(-1, 3), axis=0), np.float64)


def _blur_um(pixels: NDArray[np.uint8], row: CaptureRow) -> float | None:
    um = row.um_per_px or SHARPNESS_UM_PER_PX
    at = max(um, SHARPNESS_UM_PER_PX)
    shown = resample(pixels, size_at((pixels.shape[1], pixels.shape[0]), um, at))
    blur = edge_blur_px(shown)
    return None if blur is None else blur * at


def _devices(labelset: LabelSet, sizes: dict[str, tuple[int, int]]) -> Iterable[DevicePrint]:
    rows: dict[str, list[CaptureRow]] = defaultdict(list)
    for row in labelset.captures:
        rows[row.device].append(row)
    for device, captures in sorted(rows.items()):
        scaled = [row for row in captures if row.um_per_px is not None]
        fields = (Scale(row.um_per_px or 1, "table").area_cm2(*sizes[row.file]) for row in scaled if row.file in sizes)
        found = Counter("{}x{}".format(*sizes[row.file]) for row in captures if row.file in sizes)
        yield DevicePrint(
            device,
            len(captures),
            _spread(row.um_per_px or 0 for row in scaled),
            dict(found.most_common()),
            _spread(fields),
        )


def _signs(
    labelset: LabelSet,
    areas: dict[str, float],
    by_key: dict[tuple[str, str], list[ObjectRow]],
    scale: dict[str, float | None],
) -> Iterable[SignPrint]:
    patient_of = {row.file: row.patient for row in labelset.captures}
    exhaustive: dict[str, list[str]] = defaultdict(list)
    people: dict[str, set[str]] = defaultdict(set)
    for label in labelset.labels:
        if not label.rater:
            if label.level == "exhaustive":
                exhaustive[label.sign].append(label.file)
            if label.value or by_key.get((label.file, label.sign)):
                people[label.sign].add(patient_of[label.file])
    labelled = {label.sign for label in labelset.labels if not label.rater}
    for name in (name for name in labelset.signs if name in labelled):
        known = exhaustive[name]
        found = [marked for (_, sign), rows in by_key.items() if sign == name for marked in rows]
        measured = [file for file in known if file in areas]
        area = sum(areas[file] for file in measured)
        densities = [len(by_key.get((file, name), ())) / areas[file] for file in measured]
        inside = sum(len(by_key.get((file, name), ())) for file in measured)
        yield SignPrint(
            name,
            len(known),
            sum(not by_key.get((file, name)) for file in known),
            len(found),
            len(people[name]),
            float(f"{inside / area:.4g}") if area else None,
            _spread(densities),
            _spread(marked.root_width_um for marked in found if marked.root_width_um is not None),
            spread(((marked.file, _length_px(marked)) for marked in found if marked.tip_x is not None), scale),
            spread(_nearest((file, rows) for (file, sign), rows in by_key.items() if sign == name), scale),
        )


def _length_px(marked: ObjectRow) -> float:
    return float(np.hypot((marked.tip_x or 0) - marked.x, (marked.tip_y or 0) - marked.y))

"""Scales that cannot be right, judged by what is known of hairs, fields and the other captures of a device."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

import numpy as np

from trichotrack.capture import MIN_FIELD_CM2, scale_warning
from trichotrack.geometry import Scale
from trichotrack.labels.read import ParsedFolder
from trichotrack.labels.tables import CaptureRow, ObjectRow
from trichotrack.problems import Problem
from trichotrack.signs import Sign

MAX_FIELD_CM2 = 12.0
"""The widest contact plates are about 25 mm across, 5 cm² round and 6 cm² square; assumed twice that."""

WIDTH_FACTOR = 2.0
"""A calibre is odd where it is so many times beyond the range of its sign: widths are read to a pixel or two."""

SCALE_FACTOR = 5.0
"""Zoom steps of one device lie within it (20x to 70x: 3.5); a slipped decimal mark does not."""

ENOUGH = 5
"""Captures of a device below which none is called the odd one."""


def scale_problems(parsed: ParsedFolder) -> tuple[list[Problem], list[Problem]]:
    """(errors, warnings): calibres that no such hair has, scales unlike others of the device, and none."""
    return [], _widths(parsed) + _terminal(parsed) + _unlike(parsed) + _missing(parsed)


def area_problems(parsed: ParsedFolder, sizes: Mapping[str, tuple[int, int]]) -> tuple[list[Problem], list[Problem]]:
    """(errors, warnings): fields of view that no trichoscope has. sizes: (width, height), px, by file."""
    table = parsed.names.get("captures", "captures.csv")
    warnings = []
    for number, row in parsed.captures:
        if row.um_per_px is None or row.file not in sizes or not _usable(row.um_per_px):
            continue
        width, height = sizes[row.file]
        area = Scale(row.um_per_px, "table").area_cm2(width, height)
        if not MIN_FIELD_CM2 <= area <= MAX_FIELD_CM2:
            mm = row.um_per_px / 1000
            warnings.append(
                Problem(
                    table,
                    f"makes a picture of {width}x{height} px {width * mm:.2g} x {height * mm:.2g} mm ({area:.2g} cm²); "
                    f"{MIN_FIELD_CM2:g} to {MAX_FIELD_CM2:g} cm² are usual",
                    "Measure a ruler or scale bar; every figure per cm² rests on it.",
                    row=number,
                    column="um_per_px",
                    value=f"{row.um_per_px:g}",
                )
            )
    return [], warnings


def _usable(um_per_px: float) -> bool:
    try:
        Scale(um_per_px, "table")
    except ValueError:
        return False  # told of on reading
    return True


def _widths(parsed: ParsedFolder) -> list[Problem]:
    """Structures far outside the calibre of their sign, told once a sign and device."""
    table = parsed.names.get("objects", "objects.csv")
    device = {row.file: row.device for _, row in parsed.captures}
    found: dict[tuple[str, str], list[tuple[int, ObjectRow]]] = defaultdict(list)
    measured: dict[tuple[str, str], int] = defaultdict(int)
    for number, marked in parsed.objects:
        usual = _usual_um(parsed.signs.get(marked.sign))
        if marked.root_width_um is None or usual is None:
            continue
        key = (marked.sign, device.get(marked.file, ""))
        measured[key] += 1
        if not usual[0] / WIDTH_FACTOR <= marked.root_width_um <= usual[1] * WIDTH_FACTOR:
            found[key].append((number, marked))
    problems = []
    for (name, where), rows in found.items():
        sign = parsed.signs[name]
        low, high = _usual_um(sign) or (0.0, 0.0)
        number, first = rows[0]
        of_device = f" of device {where}" if where else ""
        share = f"; so are {len(rows)} of {measured[name, where]}{of_device}" if len(rows) > 1 else ""
        problems.append(
            Problem(
                table,
                f"µm is no calibre of a {sign.label} ({low:g} to {high:g} µm){share}",
                "Check the sign, and um_per_px of its capture; write widths in µm, not px."
                if len(rows) > 1
                else "Check the sign and the width; write it in µm, not px.",
                row=number,
                column="root_width_um",
                value=f"{first.root_width_um:g}",
            )
        )
    return problems


def _usual_um(sign: Sign | None) -> tuple[float, float] | None:
    return None if sign is None else sign.width_um


def _terminal(parsed: ParsedFolder) -> list[Problem]:
    """Median calibre of terminal hair by device."""
    device = {row.file: row.device for _, row in parsed.captures}
    widths: dict[str, list[float]] = defaultdict(list)
    for _, marked in parsed.objects:
        if marked.sign == "terminal_hair" and marked.root_width_um is not None:
            widths[device.get(marked.file, "")].append(marked.root_width_um)
    return [
        Problem(
            parsed.names.get("objects", "objects.csv"),
            f"{f'device {name}: ' if name else ''}{warning}",
            "Measure a ruler or scale bar with this device.",
            column="root_width_um",
        )
        for name, measured in widths.items()
        if (warning := scale_warning(measured))
    ]


def _unlike(parsed: ParsedFolder) -> list[Problem]:
    """Captures whose scale is far from that of the others of their device."""
    table = parsed.names.get("captures", "captures.csv")
    by_device: dict[str, list[tuple[int, CaptureRow]]] = defaultdict(list)
    for number, row in parsed.captures:
        if row.um_per_px is not None:
            by_device[row.device].append((number, row))
    problems = []
    for name, rows in by_device.items():
        usual = _median([row.um_per_px for _, row in rows if row.um_per_px])
        if len(rows) < ENOUGH:
            continue
        of_device = f" of device {name}" if name else ""
        problems += [
            Problem(
                table,
                f"is far from the {usual:g} µm per px of most captures{of_device}",
                "Is a decimal mark in the wrong place? If the captures are of other devices, name them in `device`.",
                row=number,
                column="um_per_px",
                value=f"{row.um_per_px:g}",
            )
            for number, row in rows
            if row.um_per_px and not usual / SCALE_FACTOR < row.um_per_px < usual * SCALE_FACTOR
        ]
    return problems


def _missing(parsed: ParsedFolder) -> list[Problem]:
    """Captures without a scale, where others have one or where all lack it."""
    rows = [(number, row) for number, row in parsed.captures if row.um_per_px is None]
    if not rows:
        return []
    lacking = (
        "no capture has a scale"
        if len(rows) == len(parsed.captures)
        else (f"{len(rows)} of {len(parsed.captures)} captures have no scale")
    )
    return [
        Problem(
            parsed.names.get("captures", "captures.csv"),
            f"{lacking}: there is no figure per cm² of them, and a model that goes by scale does not learn from them",
            "Fill in µm per px (from a ruler, a scale bar, or the width of the field); where nobody knows it, a model "
            "can be trained without scales, which counts and tells no densities.",
            row=rows[0][0],
            column="um_per_px",
        )
    ]


def _median(values: Sequence[float]) -> float:
    return float(np.median(values)) if values else float("nan")

"""Drawings of a cohort: each patient by AA type, time to response, and odds ratios as a forest."""

from __future__ import annotations

import math
from collections.abc import Sequence
from xml.etree import ElementTree as ET

from trichotrack.cohort.analysis import CohortAnalysis
from trichotrack.cohort.endpoints import Outcome
from trichotrack.cohort.logistic import Odds, OddsRow
from trichotrack.cohort.response_time import ResponseTime
from trichotrack.cohort.sentences import odds_text
from trichotrack.report.axis import text_width, value_ticks
from trichotrack.report.drawing import GRID, INK, SOFT, drawing, element, finish, label, line
from trichotrack.visits.history import AA_TYPES

WIDTH = 880.0
_BLUE, _ORANGE = "#0072b2", "#d55e00"
_ROW = 22.0


def people_svg(found: CohortAnalysis) -> str:
    """Improvement rate of every patient of the analysis set by AA type; those not assessed stand apart, hollow."""
    groups: dict[str, list[Outcome]] = {}
    for outcome in found.people.outcomes:
        groups.setdefault(str(outcome.patient.facts.get("aa_type") or "type not known"), []).append(outcome)
    names = sorted(groups, key=lambda name: (AA_TYPES.index(name) if name in AA_TYPES else 99, name))
    rates = [rate for outcome in found.people.outcomes if (rate := outcome.rate) is not None]
    lowest = min([0.0, *rates])
    lowest = math.floor(lowest * 4) / 4
    left, right, missing = 130.0, WIDTH - 130, WIDTH - 60
    root = drawing(
        "people", "Each patient by AA type",
        "One mark a patient: improvement rate at the month of the endpoint; filled where SALT is at most 20; those not "
        "assessed on the right.", WIDTH,
    )  # fmt: skip

    def x(rate: float) -> float:
        return left + (right - left) * (rate - lowest) / (1 - lowest)

    lanes = [_stacked([x(o.rate) for o in groups[name] if o.rate is not None]) for name in names]
    heights = [
        max(34.0, 16 + 9.0 * max((level for _, level in lane), default=0),
            16 + 9.0 * math.ceil(sum(o.rate is None for o in groups[name]) / 6))
        for name, lane in zip(names, lanes, strict=True)
    ]  # fmt: skip
    bottom = 20 + sum(heights)
    step = 0.25
    for i in range(round((1 - lowest) / step) + 1):
        rate = lowest + i * step
        line(root, (x(rate), 14), (x(rate), bottom), stroke=INK if abs(rate) < 1e-9 else GRID)
        label(root, (x(rate), bottom + 14), f"{round(100 * rate)} %".replace("-", "−"), text_anchor="middle", fill=SOFT)
    label(root, ((left + right) / 2, bottom + 30), "improvement rate, (SALT₀ − SALT) / SALT₀", text_anchor="middle")
    label(root, (missing, bottom + 14), "not assessed", text_anchor="middle", fill=SOFT)
    top = 20.0
    for name, lane, height in zip(names, lanes, heights, strict=True):
        middle = top + height - 10
        label(root, (left - 12, middle), f"{name} ({len(groups[name])})", text_anchor="end")
        line(root, (left, middle + 6), (missing + 40, middle + 6), stroke=GRID)
        seen = [outcome for outcome in groups[name] if outcome.rate is not None]
        for outcome, (at, level) in zip(seen, lane, strict=True):
            _dot(root, (at, middle - 9.0 * level), outcome, filled=outcome.responded)
        for i, outcome in enumerate(outcome for outcome in groups[name] if outcome.rate is None):
            _dot(root, (missing - 30 + 12 * (i % 6), middle - 9.0 * (i // 6)), outcome, filled=False, seen=False)
        top += height
    return finish(root, bottom + 38)


def _dot(root: ET.Element, xy: tuple[float, float], outcome: Outcome, *, filled: bool, seen: bool = True) -> None:
    colour = _BLUE if filled else INK if seen else SOFT
    more: dict[str, float | str] = {} if seen else {"stroke_dasharray": "2 1.5"}
    dot = element(
        root,
        "circle",
        cx=xy[0],
        cy=xy[1],
        r=4,
        fill=colour if filled else "none",
        stroke=colour,
        stroke_width=1.3,
        **more,
    )
    salt = "not assessed" if outcome.salt is None else f"SALT {outcome.salt0:g} to {outcome.salt:g}"
    element(dot, "title", f"{outcome.patient.id}: {salt}")


def _stacked(places: Sequence[float], apart: float = 9.0) -> list[tuple[float, int]]:
    """Each place with the lowest level at which no mark before it is nearer than apart."""
    taken: list[list[float]] = []
    levels: dict[int, int] = {}
    for i in sorted(range(len(places)), key=lambda i: places[i]):
        level = next((n for n, row in enumerate(taken) if row[-1] + apart <= places[i]), len(taken))
        if level == len(taken):
            taken.append([])
        taken[level].append(places[i])
        levels[i] = level
    return [(place, levels[i]) for i, place in enumerate(places)]


def time_svg(time: ResponseTime) -> str:
    """Share with SALT ≤ 20 by month: Kaplan–Meier as steps with its band, Turnbull as boxes between two visits."""
    left, right, top, bottom = 60.0, WIDTH - 40, 16.0, 250.0
    ends = [one.right if one.seen else one.left for one in time.intervals]
    ticks = value_ticks(max(ends), 8)
    last = ticks[-1]
    shares = value_ticks(
        max([0.2, *(step.high for step in time.steps), *(s.high for s in time.turnbull if s.right < math.inf)])
    )
    root = drawing(
        "time", "Time to SALT ≤ 20",
        "Kaplan–Meier steps with a 95 % band; boxes show between which visits the response came (Turnbull).", WIDTH,
    )  # fmt: skip

    def x(month: float) -> float:
        return left + (right - left) * min(month, last) / last

    def y(share: float) -> float:
        return bottom - (bottom - top) * share / shares[-1]

    for share in shares:
        line(root, (left, y(share)), (right, y(share)), stroke=GRID)
        label(root, (left - 8, y(share) + 4), f"{100 * share:.0f} %", text_anchor="end", fill=SOFT)
    for month in ticks:
        label(root, (x(month), bottom + 16), f"{month:g}", text_anchor="middle", fill=SOFT)
    label(root, ((left + right) / 2, bottom + 34), "months since treatment start", text_anchor="middle")
    before = 0.0
    for stretch in time.turnbull:
        if math.isfinite(stretch.right) and stretch.mass > 5e-4:
            element(
                root, "rect", x=x(stretch.left), y=y(stretch.by), width=x(stretch.right) - x(stretch.left),
                height=y(before) - y(stretch.by), fill=_ORANGE, fill_opacity=0.22, stroke=_ORANGE, stroke_width=0.8,
            )  # fmt: skip
            before = stretch.by
    months = [0.0, *(step.month for step in time.steps), max(ends)]
    for values, style in (
        ([0.0, *(step.low for step in time.steps)], {"stroke_dasharray": "4 3", "stroke_width": 1.0}),
        ([0.0, *(step.high for step in time.steps)], {"stroke_dasharray": "4 3", "stroke_width": 1.0}),
        ([0.0, *(step.share for step in time.steps)], {"stroke_width": 2.2}),
    ):
        points = [f"M{x(0):.1f} {y(0):.1f}"]
        points += [f"H{x(months[i + 1]):.1f}" + (f"V{y(values[i + 1]):.1f}" if i + 1 < len(values) else "")
                   for i in range(len(values))]  # fmt: skip
        element(root, "path", d="".join(points), fill="none", stroke=_BLUE, **style)
    return finish(root, bottom + 44)


def forest_svg(rows: Sequence[OddsRow]) -> str:
    """Odds ratios on a log axis: Firth's filled, maximum likelihood hollow below it; arrows where a bound is open."""
    widest = max(text_width(row.name, 11) for row in rows)
    left, right = min(360.0, widest + 24), WIDTH - 160
    ends = [
        value
        for row in rows
        for odds in (row.firth, row.likelihood)
        for value in (odds.ratio, odds.low, odds.high)
        if math.isfinite(value) and value > 0
    ]
    low = 10.0 ** max(-3, math.floor(math.log10(min([0.5, *ends]))))
    high = 10.0 ** min(3, math.ceil(math.log10(max([2.0, *ends]))))

    def x(ratio: float) -> float:
        held = min(max(ratio, low), high)
        return left + (right - left) * math.log(held / low) / math.log(high / low)

    root = drawing(
        "forest", "Odds ratios of response",
        "By predictor: Firth's odds ratio with its profile interval, and maximum likelihood's below it.", WIDTH,
    )  # fmt: skip
    bottom = 14 + 2 * _ROW * len(rows) * 0.85
    power = round(math.log10(low))
    while power <= round(math.log10(high)):
        at = x(10.0**power)
        line(root, (at, 8), (at, bottom), stroke=INK if power == 0 else GRID)
        label(root, (at, bottom + 15), f"{10.0**power:g}", text_anchor="middle", fill=SOFT)
        power += 1
    label(root, ((left + right) / 2, bottom + 32), "odds ratio of SALT ≤ 20 (log scale)", text_anchor="middle")
    for i, row in enumerate(rows):
        y = 24 + i * 2 * _ROW * 0.85
        label(root, (left - 12, y + 8), row.name, text_anchor="end")
        for at, odds, colour, filled in ((y, row.firth, _BLUE, True), (y + 14, row.likelihood, SOFT, False)):
            _whisker(root, (x(odds.low), x(odds.high)), at, odds, (low, high), colour)
            if low <= odds.ratio <= high:
                element(root, "circle", cx=x(odds.ratio), cy=at, r=4.2 if filled else 3.4,
                        fill=colour if filled else "#ffffff", stroke=colour, stroke_width=1.3)  # fmt: skip
            label(root, (right + 10, at + 4), odds_text(odds).replace("95 % ", ""), size=10.5, fill=colour)
    return finish(root, bottom + 40)


def _whisker(
    root: ET.Element, ends: tuple[float, float], y: float, odds: Odds, shown: tuple[float, float], colour: str
) -> None:
    """The interval; an arrow where it goes on beyond the axis."""
    line(root, (ends[0], y), (ends[1], y), stroke=colour, stroke_width=1.4)
    for beyond, at, way in ((odds.low < shown[0], ends[0], -1), (odds.high > shown[1], ends[1], 1)):
        if beyond:
            element(root, "path", d=f"M{at + 6 * way:.1f} {y:.1f}l{-7 * way} -3.5v7z", fill=colour)

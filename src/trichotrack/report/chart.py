"""The trend of each outcome, SALT and the treatments above one time axis, as SVG."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from xml.etree import ElementTree as ET

from trichotrack.report import bars
from trichotrack.report.axis import TimeAxis, padded, possible_days, text_width, value_ticks
from trichotrack.report.drawing import (
    GRID,
    INK,
    SOFT,
    drawing,
    element,
    finish,
    label,
    line,
    lines_of,
    marker,
    rgb,
    shape_of,
)
from trichotrack.report.words import OUTCOME_GLYPHS, capitalised, density, plain
from trichotrack.visits.series import SeriesPoint, SignSeries
from trichotrack.visits.story import PatientStory, SaltPoint, VisitStory

WIDTH, LEFT, RIGHT = 760.0, 158.0, 742.0
_LABEL_X, _ICON_X, _LABEL_WIDTH = 20.0, 9.0, 106.0
_GAP = 11.0
_SALT_HEIGHT = 44.0
_ALL_HEIGHT, _LEAST_HEIGHT, _MOST_HEIGHT = 250.0, 34.0, 46.0
"""Of all outcomes together, so that the trend fits below the summary on the first page; and of one outcome."""
_SITE_STYLES = (("#000000", "none", 0), ("#0072b2", "6 3", 1), ("#d55e00", "2 2", 2), ("#009e73", "8 3 2 3", 3),
                ("#cc79a7", "1 3", 4), ("#e69f00", "10 4", 5))  # fmt: skip


@dataclass(frozen=True)
class Trace:
    """One line with its points. by_visit: the point at each visit that has one. open_at: visits drawn hollow.
    tags: a word above the interval, by visit. shift: to the right, so that sites do not cover each other.
    """

    by_visit: Mapping[int, SeriesPoint]
    shape: int
    fill: str
    line: str = INK
    dash: str = "none"
    shift: float = 0.0
    open_at: frozenset[int] = frozenset()
    tags: Mapping[int, str] | None = None


def trend_window(story: PatientStory) -> tuple[date, date] | None:
    """The days that the trends are drawn over: all visits, and what SALT and treatment starts lie near them."""
    if not story.visits:
        return None
    first, last = story.visits[0].date, story.visits[-1].date
    reach = max((last - first).days, 28)
    near = [salt.date for salt in story.salt] + [one.start_day for one in story.treatments if one.start_day]
    near = [day for day in near if (first - day).days <= reach and (day - last).days <= reach]
    return padded([first, last, *near])


def trend_svg(story: PatientStory) -> str:
    """Small multiples over one time axis: treatments, SALT, then each outcome pooled over the common sites.

    "" where there is no visit.
    """
    window = trend_window(story)
    if window is None:
        return ""
    axis = TimeAxis(*window, LEFT, RIGHT)
    root = drawing("trend", f"Trend of {story.patient.id}", _in_words(story), WIDTH)
    behind = element(root, "g")
    top = y = _visit_labels(root, axis, story.visits)
    y = bars.draw(root, axis, y + 4, story.treatments, LEFT - _ICON_X)
    salt = [point for point in story.salt if axis.holds(point.date)]
    if salt:
        y = _salt_panel(root, axis, y + _GAP, salt)
    height = _panel_height(len(story.series))
    unreviewed = frozenset(visit.id for visit in story.visits if not all(one.reviewed for one in visit.captures))
    for series in story.series:
        tags = {
            verdict.visit_id: f"{OUTCOME_GLYPHS[verdict.outcome]} {verdict.outcome}"
            for verdict in story.verdicts
            if (verdict.name, verdict.against) == (series.name, "baseline") and verdict.outcome in {"fell", "rose"}
        }
        trace = Trace(
            {point.visit_id: point for point in series.pooled},
            shape_of(series.name),
            rgb(series.colour),
            open_at=unreviewed,
            tags=tags,
        )
        y = _outcome_panel(root, axis, y + _GAP, series, [trace], story.visits, height)
    for visit in story.visits:
        x = axis.x(visit.date)
        line(behind, (x, top - 3), (x, y), stroke="#9a9a9a", stroke_width=0.8, stroke_dasharray="1 3")
    return finish(root, _time_axis(root, axis, y))


def sites_svg(story: PatientStory) -> str:
    """Each outcome by site. "" where there is one site only, and it is what the trend shows."""
    window = trend_window(story)
    sites = list(dict.fromkeys(site for series in story.series for site in series.sites))
    if window is None or not sites or (len(sites) == 1 and all(series.pooled for series in story.series)):
        return ""
    axis = TimeAxis(*window, LEFT, RIGHT)
    root = drawing("sites", f"Trend of {story.patient.id} by site", f"Sites: {', '.join(sites)}.", WIDTH)
    x, y = LEFT, 12.0
    for i, site in enumerate(sites):
        colour, dash, shape = _SITE_STYLES[i % len(_SITE_STYLES)]
        if x + 40 + text_width(site, 11) > RIGHT and x > LEFT:
            x, y = LEFT, y + 16
        line(root, (x, y), (x + 26, y), stroke=colour, stroke_width=1.4, stroke_dasharray=dash)
        marker(root, shape, (x + 13, y), 3.6, fill=colour)
        label(root, (x + 32, y + 4), site)
        x += 52 + text_width(site, 11)
    behind = element(root, "g")
    height = _panel_height(len(story.series))
    y = top = _visit_labels(root, axis, story.visits, y + 10)
    for series in story.series:
        traces = []
        for i, site in enumerate(sites):
            colour, dash, shape = _SITE_STYLES[i % len(_SITE_STYLES)]
            shift = (i - (len(sites) - 1) / 2) * 6
            points = {point.visit_id: point for point in series.sites.get(site, ())}
            traces.append(Trace(points, shape, colour, colour, dash, shift))
        y = _outcome_panel(root, axis, y + _GAP, series, traces, story.visits, height)
    for visit in story.visits:
        day_x = axis.x(visit.date)
        line(behind, (day_x, top - 3), (day_x, y), stroke="#9a9a9a", stroke_width=0.8, stroke_dasharray="1 3")
    return finish(root, _time_axis(root, axis, y))


def history_svg(story: PatientStory) -> str:
    """Onset, every treatment and SALT from the beginning. "" where the trend's own axis shows all of them."""
    window = trend_window(story)
    onset = possible_days(story.patient.onset)
    starts = [one.start_day for one in story.treatments if one.start_day]
    ends = [one.end_day for one in story.treatments if one.end_day]
    known = [*starts, *ends, *(salt.date for salt in story.salt)]
    if not known or (window and min(known) >= window[0]):
        return ""
    days = [*known, *(visit.date for visit in story.visits), *(onset or ())]
    axis = TimeAxis(*padded(days, 0.02), LEFT, RIGHT)
    root = drawing("history", f"History of {story.patient.id}", "Each treatment is listed in the table below.", WIDTH)
    behind = element(root, "g")
    y = top = 16.0
    y = bars.draw(root, axis, y, story.treatments, LEFT - _ICON_X, compact=True)
    if any(window is None or salt.date < window[0] for salt in story.salt):
        y = _salt_panel(root, axis, y + _GAP, story.salt)
    if onset:
        x0, x1 = (axis.x(day) for day in onset)
        element(behind, "rect", x=x0, y=top - 4, width=max(1.5, x1 - x0), height=y - top + 4, fill="#efe9dc")
        label(root, (x0, 9), f"onset {story.patient.onset}", size=10, fill=SOFT)
    for visit in story.visits:
        x = axis.x(visit.date)
        line(behind, (x, top - 4), (x, y), stroke="#9a9a9a", stroke_width=0.8, stroke_dasharray="1 3")
    if story.visits:
        label(root, (axis.x(story.visits[-1].date), 9), "visits", size=10, fill=SOFT, text_anchor="end")
    return finish(root, _time_axis(root, axis, y))


def _visit_labels(root: ET.Element, axis: TimeAxis, visits: Sequence[VisitStory], top: float = 0.0) -> float:
    """The date of each visit, in two rows where they crowd; one that finds no room is left to the tables."""
    ends = [-1e9, -1e9]
    rows = 1
    for visit in visits:
        text = visit.date.isoformat()
        wide = text_width(text, 10)
        x = min(max(axis.x(visit.date), axis.left + wide / 2), axis.right - wide / 2)
        row = next((i for i, end in enumerate(ends) if x - wide / 2 > end + 4), None)
        if row is None:
            continue
        ends[row] = x + wide / 2
        rows = max(rows, row + 1)
        label(root, (x, top + 10 + 12 * row), text, size=10, fill=SOFT, text_anchor="middle")
    label(root, (_ICON_X, top + 10), "Visits", size=10, fill=SOFT)
    return top + 6 + 12 * rows


def _time_axis(root: ET.Element, axis: TimeAxis, y: float) -> float:
    y += 6
    line(root, (axis.left, y), (axis.right, y), stroke=SOFT)
    for day, text in axis.ticks():
        x = axis.x(day)
        line(root, (x, y), (x, y + 4), stroke=SOFT)
        label(root, (x, y + 15), text, size=10, fill=SOFT, text_anchor="middle")
    return y + 20


def _frame(
    root: ET.Element, axis: TimeAxis, top: float, height: float, ticks: Sequence[float], words: tuple[str, str]
) -> None:
    """Grid, tick labels and the panel's name at its left."""
    for value in ticks:
        y = top + height * (1 - value / ticks[-1])
        line(root, (axis.left, y), (axis.right, y), stroke=INK if value == 0 else GRID, stroke_width=0.8)
        label(root, (axis.left - 5, y + 3.5), f"{value:g}", size=9.5, fill=SOFT, text_anchor="end")
    name, unit = words
    y = top + 9
    for text in lines_of(name, 11, _LABEL_WIDTH):
        label(root, (_LABEL_X, y), text, font_weight="600")
        y += 13
    label(root, (_LABEL_X, y), unit, size=9.5, fill=SOFT)


def _salt_panel(root: ET.Element, axis: TimeAxis, top: float, salt: Sequence[SaltPoint]) -> float:
    _frame(root, axis, top, _SALT_HEIGHT, (0, 50, 100), ("SALT", "0–100, terminal hair only"))
    places = [(axis.x(point.date), top + _SALT_HEIGHT * (1 - point.total / 100)) for point in salt]
    twenty = top + _SALT_HEIGHT * 0.8
    line(root, (axis.left, twenty), (axis.right, twenty), stroke=SOFT, stroke_width=0.7, stroke_dasharray="4 3")
    label(root, (axis.left - 5, twenty + 3.5), "20", size=9.5, fill=SOFT, text_anchor="end")
    for before, after in pairwise(places):
        line(root, before, after, stroke=SOFT, stroke_width=1.3)
    for point, (x, y) in zip(salt, places, strict=True):
        mark = marker(root, 1, (x, y), 3.2, fill="#ffffff", stroke_width=1.3)
        element(mark, "title", f"SALT {plain(point.total)}, {point.date.isoformat()}")
        below = y - 7 < top
        label(root, (x + 6, y + 12 if below else y - 5), plain(point.total), size=9.5, halo=True)
    return top + _SALT_HEIGHT


def _panel_height(outcomes: int) -> float:
    """Of one outcome; the primary one is drawn taller."""
    return min(_MOST_HEIGHT, max(_LEAST_HEIGHT, _ALL_HEIGHT / (outcomes + 0.65)))


def _outcome_panel(
    root: ET.Element,
    axis: TimeAxis,
    top: float,
    series: SignSeries,
    traces: Sequence[Trace],
    visits: Sequence[VisitStory],
    among: float,
) -> float:
    height = among * (1.65 if series.primary else 1.0)
    points = [point for trace in traces for point in trace.by_visit.values()]
    drawn = [point for point in points if point.density_per_cm2 is not None]
    highest = max((max(point.density_per_cm2 or 0.0, point.high or 0.0) for point in drawn), default=0.0)
    ticks = value_ticks(highest or 1.0, 4 if series.primary else 3)
    _frame(root, axis, top, height, ticks, (capitalised(series.label), "per cm²"))
    marker(root, shape_of(series.name), (_ICON_X, top + 5), 4, fill=rgb(series.colour))
    if not drawn:
        text = "no density: see the table for the reason"
        label(root, ((axis.left + axis.right) / 2, top + height / 2), text, size=10, fill=SOFT, text_anchor="middle")
        return top + height
    scale = height / ticks[-1]
    for trace in traces:
        _draw_trace(root, axis, (top, height, scale), trace, visits)
    return top + height


def _draw_trace(
    root: ET.Element, axis: TimeAxis, panel: tuple[float, float, float], trace: Trace, visits: Sequence[VisitStory]
) -> None:
    top, height, scale = panel
    floor = top + height
    before: tuple[float, float] | None = None
    marks = []
    for visit in visits:
        point = trace.by_visit.get(visit.id)
        x = axis.x(visit.date) + trace.shift
        if point is None or point.density_per_cm2 is None:
            cross = label(root, (x, floor - 3), "×", size=13, fill=SOFT, text_anchor="middle")
            element(cross, "title", f"{visit.date.isoformat()}: not counted; the table says why")
            before = None  # A line across a visit without a figure would claim one.
            continue
        here = (x, floor - point.density_per_cm2 * scale)
        if before:
            line(root, before, here, stroke=trace.line, stroke_width=1.3, stroke_dasharray=trace.dash)
        before = here
        marks.append((visit, point, here))
    for visit, point, (x, y) in marks:
        upper = y
        if point.low is not None and point.high is not None:
            upper, lower = floor - point.high * scale, floor - point.low * scale
            line(root, (x, upper), (x, lower), stroke=trace.line, stroke_width=1.1)
            for end in (upper, lower):
                line(root, (x - 3.5, end), (x + 3.5, end), stroke=trace.line, stroke_width=1.1)
        hollow = visit.id in trace.open_at
        mark = marker(root, trace.shape, (x, y), 3.8, fill="#ffffff" if hollow else trace.fill, stroke_width=1.2)
        if hollow:
            marker(root, trace.shape, (x, y), 1.6, fill=trace.fill, stroke="none")
        element(mark, "title", f"{visit.date.isoformat()}: {density(point)} per cm²")
        tag = (trace.tags or {}).get(visit.id)
        if tag:
            above = upper - 4 >= top + 8
            place = (x, upper - 4) if above else (x + 7, max(upper + 8, top + 8))
            label(root, place, tag, size=9.5, font_weight="600", text_anchor="middle" if above else "start", halo=True)


def _in_words(story: PatientStory) -> str:
    """What the chart shows, for those who do not see it."""
    told = [f"{len(story.visits)} visits."]
    for series in story.series:
        figures = ", ".join(f"{point.date.isoformat()} {density(point)}" for point in series.pooled)
        told.append(f"{capitalised(series.label)} per cm² with 95 % interval: {figures or 'no figure'}.")
    if story.salt:
        told.append(f"SALT: {', '.join(f'{one.date.isoformat()} {plain(one.total)}' for one in story.salt)}.")
    return " ".join(told)

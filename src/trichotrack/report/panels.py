"""Drawings over one time axis: a panel for each outcome, SALT and the bars of each drug, as SVG of one width."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from xml.etree import ElementTree as ET

from trichotrack.report import bars
from trichotrack.report.axis import TimeAxis, padded, possible_days, text_width, value_ticks
from trichotrack.report.drawing import GRID, INK, SOFT, drawing, element, finish, label, line, marker, rgb, shape_of
from trichotrack.report.voice import Voice
from trichotrack.report.words import OUTCOME_GLYPHS, capitalised, density, outcome_text, plain
from trichotrack.visits.series import SeriesPoint, SignSeries
from trichotrack.visits.story import PatientStory, SaltPoint, VisitStory

WIDTH, LEFT, RIGHT = 420.0, 30.0, 412.0
"""Of every panel, so that they stand over each other; 420 units are about 92 mm on paper."""

_EARLIER_SHARE, _BREAK = 0.2, 9.0
_TOP, _BOTTOM = 5.0, 4.0
_TICK = 9.5

MOST_WORDS = 5
"""Visits with a word beside their change."""


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


@dataclass(frozen=True)
class Frame:
    """What panels share: the axis, the visits marked in each, and how texts are said."""

    axis: TimeAxis
    visits: tuple[VisitStory, ...]
    say: Voice


def window(story: PatientStory) -> tuple[date, date] | None:
    """The days drawn at full scale: all visits, and SALT and starts of doses near them or later, as only the past has a
    scale of its own.
    """
    starts = [dose.start_day for one in story.treatments for dose in bars.stepped(one) if dose.start_day]
    if not story.visits:
        days = [*starts, *(one.end_day for one in story.treatments if one.end_day), *(s.date for s in story.salt)]
        return padded(days) if days else None
    first, last = story.visits[0].date, story.visits[-1].date
    reach = max((last - first).days, 28)
    near = [day for day in (*(salt.date for salt in story.salt), *starts) if (first - day).days <= reach]
    return padded([first, last, *near])


def time_axis(story: PatientStory) -> TimeAxis | None:
    """The axis of every panel; what lies before the window, back to the onset, stands left of a break."""
    days = window(story)
    if days is None:
        return None
    onset = possible_days(story.patient.onset)
    known = [one.start_day or one.end_day for one in story.treatments] + [salt.date for salt in story.salt]
    known += [onset[0]] if onset else []
    before = [day for day in known if day and day < days[0]]
    if not before:
        return TimeAxis(*days, LEFT, RIGHT)
    split = LEFT + (RIGHT - LEFT) * _EARLIER_SHARE
    since, _ = padded([min(before), days[0]], 0.02)
    return TimeAxis(*days, split + _BREAK, RIGHT, TimeAxis(since, days[0], LEFT, split))


def frame_of(story: PatientStory, say: Voice) -> Frame | None:
    axis = time_axis(story)
    return Frame(axis, story.visits, say) if axis else None


def dates_svg(frame: Frame, story: PatientStory, identifier: str = "dates") -> str:
    """The head of the panels: the date of each visit, and the onset."""
    say, axis = frame.say, frame.axis
    words = say("drawing.time_words", dates=", ".join(say.day(visit.date) for visit in frame.visits))
    root = drawing(identifier, say("drawing.time"), words, WIDTH)
    onset = possible_days(story.patient.onset)
    ends = [-1e9, -1e9]
    if onset and axis.earlier:
        text = say("drawing.onset", date=say.partial(story.patient.onset))
        label(root, (axis.edge, 9), text, size=10, fill=SOFT)
        ends[0] = axis.edge + text_width(text, 10)
    rows = 1
    for visit in frame.visits:
        text = say.day(visit.date)
        wide = text_width(text, 10)
        x = min(max(axis.x(visit.date), axis.left + wide / 2), axis.right - wide / 2)
        row = next((i for i, end in enumerate(ends) if x - wide / 2 > end + 5), None)
        if row is None:
            continue  # It finds no room here; the tables have every date.
        ends[row] = x + wide / 2
        rows = max(rows, row + 1)
        label(root, (x, 9 + 11.5 * row), text, size=10, text_anchor="middle")
    height = 12 + 11.5 * rows
    for visit in frame.visits:
        x = axis.x(visit.date)
        element(root, "path", d=f"M{x:.1f} {height:.1f}l-3.2 -6h6.4z", fill=INK)
    return finish(root, height)


def ticks_svg(frame: Frame, identifier: str = "ticks") -> str:
    """The foot of the panels: months or years."""
    say, axis = frame.say, frame.axis
    root = drawing(identifier, say("drawing.time"), say("drawing.time"), WIDTH)
    places = list(axis.ticks(6))
    line(root, (axis.left, 2), (axis.right, 2), stroke=SOFT)
    if axis.earlier:
        line(root, (axis.edge, 2), (axis.earlier.right, 2), stroke=SOFT)
        _break(root, axis, -2, 6)
        places = [*axis.earlier.ticks(3), *places]
    taken = -1e9
    for day, text in places:
        said = say.partial(text)
        x, wide = axis.x(day), text_width(said, 10)
        line(root, (x, 2), (x, 6), stroke=SOFT)
        if x - wide / 2 > taken + 4:
            # Digits of some fonts are a sixth wider than reckoned: at the border they would be cut off.
            room = 0.58 * wide
            centre = min(max(x, room), WIDTH - room)
            label(root, (centre, 15.5), said, size=10, fill=SOFT, text_anchor="middle")
            taken = centre + wide / 2
    return finish(root, 18)


def outcome_svg(frame: Frame, story: PatientStory, series: SignSeries, height: float) -> str:
    """The trend of one outcome, pooled over the common sites. height: of the panel's field."""
    say = frame.say
    unreviewed = frozenset(visit.id for visit in story.visits if not all(one.reviewed for one in visit.captures))
    # Where visits stand close together, the arrow alone: the key says what it means.
    close = len(story.visits) > MOST_WORDS
    tags = {
        verdict.visit_id: OUTCOME_GLYPHS[verdict.outcome] + ("" if close else f" {outcome_text(verdict.outcome, say)}")
        for verdict in story.verdicts
        if (verdict.name, verdict.against) == (series.name, "baseline") and verdict.outcome in {"fell", "rose"}
    }
    trace = Trace(
        {point.visit_id: point for point in series.pooled}, shape_of(series.name), rgb(series.colour),
        open_at=unreviewed, tags=tags,
    )  # fmt: skip
    return _outcome(f"trend-{series.name}", frame, series, [trace], height)


def site_svg(frame: Frame, series: SignSeries, sites: Sequence[str], height: float) -> str:
    """One outcome by site, drawn side by side."""
    traces = []
    for i, site in enumerate(sites):
        colour, dash, shape = SITE_STYLES[i % len(SITE_STYLES)]
        shift = (i - (len(sites) - 1) / 2) * 6
        points = {point.visit_id: point for point in series.sites.get(site, ())}
        traces.append(Trace(points, shape, colour, colour, dash, shift))
    return _outcome(f"sites-{series.name}", frame, series, traces, height)


SITE_STYLES = (("#000000", "none", 0), ("#0072b2", "6 3", 1), ("#d55e00", "2 2", 2), ("#009e73", "8 3 2 3", 3),
                ("#cc79a7", "1 3", 4), ("#e69f00", "10 4", 5))  # fmt: skip


def site_key_svg(i: int) -> str:
    """The line and mark of the i-th site, for a key."""
    colour, dash, shape = SITE_STYLES[i % len(SITE_STYLES)]
    root = ET.Element("svg", {"width": "30", "height": "12", "viewBox": "0 0 30 12", "aria-hidden": "true"})
    line(root, (1, 6), (29, 6), stroke=colour, stroke_width=1.4, stroke_dasharray=dash)
    marker(root, shape, (15, 6), 3.8, fill=colour)
    return ET.tostring(root, encoding="unicode")


def salt_svg(frame: Frame, salt: Sequence[SaltPoint], height: float) -> str:
    say, axis = frame.say, frame.axis
    figures = ", ".join(f"{say.day(one.date)} {plain(one.total, say)}" for one in salt)
    root = drawing("salt", say("salt.name"), say("drawing.salt_words", figures=figures), WIDTH)
    _behind(root, frame, height)
    low = height < 40
    _values(root, axis, height, (0, 100) if low else (0, 50, 100), say)
    places = [(axis.x(point.date), _TOP + height * (1 - point.total / 100)) for point in salt if axis.holds(point.date)]
    twenty = _TOP + height * 0.8
    line(root, (axis.left, twenty), (axis.right, twenty), stroke=SOFT, stroke_width=0.8, stroke_dasharray="4 3")
    if not low:
        label(root, (LEFT - 4, twenty + 2.0), "20", size=_TICK - 1, fill=SOFT, text_anchor="end")
    for before, after in pairwise(places):
        line(root, before, after, stroke=SOFT, stroke_width=1.3)
    last_end = -1e9
    for point, (x, y) in zip((one for one in salt if axis.holds(one.date)), places, strict=True):
        mark = marker(root, 1, (x, y), 3.2, fill="#ffffff", stroke_width=1.3)
        said = plain(point.total, say)
        element(mark, "title", say("drawing.salt_point", total=said, date=say.day(point.date)))
        wide = text_width(said, 10)
        left = x + 6 + wide > WIDTH
        start = x - 6 - wide if left else x + 6
        if start > last_end:
            place = (x - 6 if left else x + 6, y + 11 if y - 7 < _TOP else y - 3.5)
            label(root, place, said, size=10, halo=True, text_anchor="end" if left else "start")
            last_end = start + wide + 2
    return finish(root, height + _TOP + _BOTTOM)


def drug_svg(frame: Frame, drug: str, rows: Sequence[Sequence[bars.Bar]], place: int) -> str:
    """The bars of one drug, with their doses."""
    say = frame.say
    courses = "; ".join(bars.told(bar.treatment, say) for row in rows for bar in row)
    root = drawing(
        f"drug-{place}", drug, say("drawing.treatment_words", drug=drug, courses=courses), WIDTH
    )  # fmt: skip
    height = len(rows) * bars.LANE + 1
    _behind(root, frame, height - _TOP)
    bars.draw(root, 1.5, rows, say)
    return finish(root, height)


def _behind(root: ET.Element, frame: Frame, height: float) -> None:
    """What runs through every panel: the visits, and the break of the axis."""
    axis = frame.axis
    if axis.earlier:
        x = (axis.earlier.right + axis.left) / 2
        line(root, (x, 0), (x, height + _TOP + _BOTTOM), stroke=GRID, stroke_width=1.2)
    for visit in frame.visits:
        x = axis.x(visit.date)
        line(
            root, (x, 0), (x, height + _TOP + _BOTTOM), stroke="#9a9a9a", stroke_width=0.7, stroke_dasharray="1 3"
        )  # fmt: skip


def _break(root: ET.Element, axis: TimeAxis, top: float, bottom: float) -> None:
    if axis.earlier:
        x = (axis.earlier.right + axis.left) / 2
        for shift in (-2.0, 2.0):
            line(root, (x + shift - 1.5, bottom), (x + shift + 1.5, top), stroke=SOFT, stroke_width=0.9)


def _values(root: ET.Element, axis: TimeAxis, height: float, ticks: Sequence[float], say: Voice) -> None:
    for value in ticks:
        y = _TOP + height * (1 - value / ticks[-1])
        line(root, (axis.left, y), (axis.right, y), stroke=INK if value == 0 else GRID, stroke_width=0.8)
        label(root, (LEFT - 4, y + 3.2), say.decimals(f"{value:g}"), size=_TICK, fill=SOFT, text_anchor="end")


def _outcome(identifier: str, frame: Frame, series: SignSeries, traces: Sequence[Trace], height: float) -> str:
    say, axis = frame.say, frame.axis
    name = capitalised(say.said(series.label))
    points = [point for trace in traces for point in trace.by_visit.values()]
    figures = ", ".join(f"{say.day(point.date)} {density(point, say)}" for point in points)
    words = say("drawing.trend_words", label=name, figures=figures or say("drawing.no_figure"))
    root = drawing(identifier, say("drawing.trend", label=name), words, WIDTH)
    _behind(root, frame, height)
    drawn = [point for point in points if point.density_per_cm2 is not None]
    highest = max((max(point.density_per_cm2 or 0.0, point.high or 0.0) for point in drawn), default=0.0)
    ticks = value_ticks(highest or 1.0, 4 if height > 55 else 3 if height > 36 else 2)
    _values(root, axis, height, ticks, say)
    if drawn:
        for trace in traces:
            _draw_trace(root, frame, (_TOP, height, height / ticks[-1]), trace)
    else:
        place = ((axis.left + axis.right) / 2, _TOP + height / 2)
        label(root, place, say("missing.no_density"), size=10, fill=SOFT, text_anchor="middle")
    return finish(root, height + _TOP + _BOTTOM)


def _draw_trace(root: ET.Element, frame: Frame, panel: tuple[float, float, float], trace: Trace) -> None:
    top, height, scale = panel
    floor, say = top + height, frame.say
    before: tuple[float, float] | None = None
    marks = []
    for visit in frame.visits:
        point = trace.by_visit.get(visit.id)
        x = frame.axis.x(visit.date) + trace.shift
        if point is None or point.density_per_cm2 is None:
            cross = label(root, (x, floor - 3), "×", size=14, fill=INK, text_anchor="middle")
            element(cross, "title", say("drawing.cross", date=say.day(visit.date)))
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
                line(root, (x - 3, end), (x + 3, end), stroke=trace.line, stroke_width=1.1)
        hollow = visit.id in trace.open_at
        mark = marker(root, trace.shape, (x, y), 3.6, fill="#ffffff" if hollow else trace.fill, stroke_width=1.2)
        if hollow:
            marker(root, trace.shape, (x, y), 1.5, fill=trace.fill, stroke="none")
        element(mark, "title", say("drawing.point", date=say.day(visit.date), density=density(point, say)))
        _tag(root, (trace.tags or {}).get(visit.id, ""), (x, upper), top)


def _tag(root: ET.Element, tag: str, tip: tuple[float, float], top: float) -> None:
    """A word above an interval, or left of it where the panel ends."""
    if not tag:
        return
    x, upper = tip
    half = text_width(tag, 10) / 2
    if upper - 3 >= top + 8:
        place, anchor = (min(x, WIDTH - half), upper - 3), "middle"
    else:
        left = x + 6 + 2 * half > WIDTH
        place, anchor = (x - 6 if left else x + 6, max(upper + 8, top + 8)), "end" if left else "start"
    label(root, place, tag, size=10, font_weight="600", text_anchor=anchor, halo=True)

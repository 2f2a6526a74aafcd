"""Treatments as bars on a time axis, doses told; partial dates drawn as what they leave open."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from itertools import pairwise
from xml.etree import ElementTree as ET

from trichotrack.report.axis import TimeAxis, possible_days, shortened, text_width
from trichotrack.report.drawing import BAR, BAR_UNSURE, INK, SOFT, element, hatch, label
from trichotrack.report.voice import Voice
from trichotrack.visits.dates import first_day
from trichotrack.visits.history import taper_steps
from trichotrack.visits.story import TreatmentStory

LANE, HEIGHT, TEXT = 16.5, 13.5, 10.5
_LEAST_WIDTH, _WIDEST_DOSE = 3.0, 100.0


@dataclass(frozen=True)
class Bar:
    """One treatment, placed. x0, x1: the whole bar; sure: the part that is certain, or None where the dates leave all
    open. text, text_x, anchor: its dose, and where it is written. taken: from where to where nothing else may be drawn
    in its lane.
    """

    treatment: TreatmentStory
    x0: float
    x1: float
    sure: tuple[float, float] | None
    earlier: bool
    going_on: bool
    text: str
    text_x: float
    anchor: str
    taken: tuple[float, float]


def going_on(treatment: TreatmentStory) -> bool:
    """No end known, and no reason for one given."""
    return treatment.end_day is None and not treatment.end and not treatment.stop_reason


def within(treatment: TreatmentStory, axis: TimeAxis) -> bool:
    """Whether any day of it may lie on the axis."""
    if treatment.start_day is not None and treatment.start_day > axis.last:
        return False
    return treatment.end_day is None or treatment.end_day >= axis.start


def dose(treatment: TreatmentStory) -> str:
    return " ".join(part for part in (treatment.dose, treatment.unit) if part)


def stepped(treatment: TreatmentStory) -> tuple[TreatmentStory, ...]:
    """A taper as one treatment a dose, each ending where the next begins; why it was stopped stands with the last.

    A step that lies beyond the end contradicts it: then the treatment stays whole, and the table has its steps.
    """
    steps = taper_steps(treatment.taper)
    days = [day for step in steps if (day := first_day(step.start))]
    starts = [treatment.start_day] if treatment.start_day else []
    ends = [treatment.end_day] if treatment.end_day else []
    ordered = all(before <= after for before, after in pairwise([*starts, *days, *ends]))
    if not steps or len(days) < len(steps) or not ordered:
        return (treatment,)
    bounds = [
        (treatment.start, treatment.start_day),
        *((step.start, day) for step, day in zip(steps, days, strict=True)),
    ]
    doses = [treatment.dose, *(step.dose for step in steps)]
    found = [
        # Drawn to the first day of the next step: a month in which that lies is hatched as the next step's.
        replace(
            treatment, dose=given, start=start, start_day=day, end=step.start, end_day=until, stop_reason="",
            response="", taper="",
        )
        for given, (start, day), step, until in zip(doses, bounds, steps, days, strict=False)
    ]  # fmt: skip
    start, day = bounds[-1]
    return *found, replace(treatment, dose=doses[-1], start=start, start_day=day, taper="")


def placed(treatment: TreatmentStory, axis: TimeAxis, *, inside: bool = False) -> Bar:
    """The bar of one treatment. A date known to the year leaves that year open: unsure, not sure.

    inside: its dose only where the bar holds it.
    """
    on = going_on(treatment)
    starts, ends = possible_days(treatment.start), possible_days(treatment.end)
    first, last = treatment.start_day or axis.start, treatment.end_day or axis.last
    sure_from = starts[1] if starts else treatment.start_day
    sure_to = ends[0] if ends else axis.last if on else treatment.end_day
    x0, x1 = axis.x(first), axis.x(last)
    x1 = max(x1, x0 + _LEAST_WIDTH)
    sure = None
    if sure_from is not None and sure_to is not None and sure_from <= sure_to:
        left = axis.x(sure_from)
        sure = (left, max(axis.x(sure_to), left + _LEAST_WIDTH))
    text = shortened(dose(treatment), TEXT, _WIDEST_DOSE)
    wide = text_width(text, TEXT) + 6
    if inside and wide > x1 - x0:
        text = ""
    if not text or wide <= x1 - x0:
        text_x, anchor, taken = (x0 + x1) / 2, "middle", (x0, x1)
    elif x1 + wide <= axis.right:
        text_x, anchor, taken = x1 + 4, "start", (x0, x1 + wide)
    else:
        text_x, anchor, taken = x0 - 4, "end", (x0 - wide, x1)
    earlier = treatment.start_day is None or treatment.start_day < axis.start
    return Bar(treatment, x0, x1, sure, earlier, on, text, text_x, anchor, taken)


def lanes(
    treatments: Sequence[TreatmentStory], axis: TimeAxis, *, compact: bool = False
) -> list[tuple[str, list[list[Bar]]]]:
    """Drugs in the order of their first start, each with its lanes of bars that do not cover each other.

    compact: doses beside a bar are left out where a drug has several, so that they need no lanes.
    """
    by_drug: dict[str, list[TreatmentStory]] = {}
    doses = [dose for treatment in treatments for dose in stepped(treatment)]
    for treatment in sorted(doses, key=lambda one: (one.start_day or date.min, one.id)):
        if within(treatment, axis):
            by_drug.setdefault(treatment.drug.casefold(), []).append(treatment)
    found = []
    for group in by_drug.values():
        rows: list[list[Bar]] = []
        for treatment in group:
            bar = placed(treatment, axis, inside=compact and len(group) > 1)
            row = next((row for row in rows if all(_apart(bar, other) for other in row)), None)
            if row is None:
                rows.append(row := [])
            row.append(bar)
        found.append((group[0].drug, rows))
    return found


def _apart(one: Bar, other: Bar) -> bool:
    # Bars may touch: a taper's next dose begins where the last one ended.
    return one.taken[0] >= other.taken[1] - 0.6 or other.taken[0] >= one.taken[1] - 0.6


def draw(root: ET.Element, top: float, rows: Sequence[Sequence[Bar]], say: Voice) -> float:
    """Draws the lanes of one drug below top, and gives the y below them."""
    y = top
    for row in rows:
        for bar in row:
            _draw_bar(root, bar, y, say)
        y += LANE
    return y


def _draw_bar(root: ET.Element, bar: Bar, y: float, say: Voice) -> None:
    group = element(root, "g")
    element(group, "title", told(bar.treatment, say))
    # Unsure days are hatched, sure ones full: a black-and-white print keeps the difference.
    element(
        group, "rect", x=bar.x0, y=y, width=bar.x1 - bar.x0, height=HEIGHT, fill=BAR_UNSURE, stroke=SOFT,
        stroke_width=0.7, stroke_dasharray="2 2",
    )  # fmt: skip
    hatch(group, (bar.x0, y), (bar.x1, y + HEIGHT))
    if bar.sure:
        x0, x1 = bar.sure
        element(group, "rect", x=x0, y=y, width=x1 - x0, height=HEIGHT, fill=BAR, stroke=INK, stroke_width=0.7)
    middle = y + HEIGHT / 2
    if bar.earlier:
        _arrow(group, (bar.x0, middle), -1)
    if bar.going_on:
        _arrow(group, (bar.x1, middle), 1)
    label(
        group,
        (bar.text_x, y + HEIGHT - 3.2),
        bar.text,
        size=TEXT,
        text_anchor=bar.anchor,
        halo=bar.sure != (bar.x0, bar.x1),
    )


def _arrow(group: ET.Element, tip: tuple[float, float], way: int) -> None:
    x, y = tip[0] + 5 * way, tip[1]
    points = f"{x:.1f},{y:.1f} {x - 5 * way:.1f},{y - 5:.1f} {x - 5 * way:.1f},{y + 5:.1f}"
    element(group, "polygon", points=points, fill=INK)


def told(treatment: TreatmentStory, say: Voice) -> str:
    """One treatment in words, for those who point at its bar."""
    parts = [treatment.label, treatment.route, when(treatment, say), treatment.stop_reason]
    return ", ".join(part for part in parts if part)


def when(treatment: TreatmentStory, say: Voice) -> str:
    """From when to when, as exactly as known: "2011 to 2012", "since 2026-02-11", "until 2014"."""
    start, end = say.partial(treatment.start), say.partial(treatment.end)
    if start and end:
        return say("treatment.from_to", start=start, end=end)
    if start:
        return say("treatment.since" if going_on(treatment) else "treatment.from_unknown_end", start=start)
    return say("treatment.to", end=end) if end else say("treatment.dates_unknown")

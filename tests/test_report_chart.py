"""Axes, bars and panels of the report's drawings."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date, timedelta
from itertools import pairwise
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from story_fixture import DATES, SALT, a_story, a_treatment
from trichotrack.report import bars, chart
from trichotrack.report.axis import TimeAxis, padded, possible_days, shortened, text_width, value_ticks
from trichotrack.visits.story import PatientStory, SaltPoint

BASE = a_story()
DAYS = st.dates(date(1990, 1, 1), date(2040, 12, 31))
PARTIAL = st.one_of(
    st.just(""),
    DAYS.map(lambda day: f"{day:%Y}"),
    DAYS.map(lambda day: f"{day:%Y-%m}"),
    DAYS.map(lambda day: day.isoformat()),
)


@pytest.fixture
def story() -> PatientStory:
    return BASE


def parsed(svg: str) -> ET.Element:
    return ET.fromstring(svg)  # noqa: S314 (drawn here)


def texts(svg: str) -> list[str]:
    return [one.text or "" for one in parsed(svg).iter("text")]


@pytest.mark.parametrize(
    ("text", "days"),
    [
        ("2011", (date(2011, 1, 1), date(2011, 12, 31))),
        ("2012-02", (date(2012, 2, 1), date(2012, 2, 29))),
        ("2012-02-03", (date(2012, 2, 3), date(2012, 2, 3))),
        ("", None),
        ("spring 2011", None),
        ("2011-13", None),
    ],
)
def test_a_partial_date_is_all_the_days_it_can_mean(text, days):
    assert possible_days(text) == days


@given(st.lists(DAYS, min_size=1, max_size=5))
def test_ticks_are_few_and_on_the_axis(days):
    first, last = padded(days)
    axis = TimeAxis(first, last, 100, 700)
    ticks = axis.ticks()
    assert 1 <= len(ticks) <= 10
    places = [axis.x(day) for day, _ in ticks]
    assert places == sorted(set(places))
    assert all(100 <= place <= 700 for place in places)


@given(st.floats(1e-3, 1e6), st.integers(2, 5))
def test_value_ticks_reach_the_highest_value_without_wasting_the_panel(top, most):
    ticks = value_ticks(top, most)
    assert ticks[0] == 0
    assert ticks[-1] >= top * (1 - 1e-6)
    assert ticks[-2] < top
    assert len(ticks) <= most + 1


@given(st.text(max_size=60), st.floats(20, 200))
def test_shortened_texts_fit(text, width):
    assert text_width(shortened(text, 10, width), 10) <= max(width, text_width("…", 10))


@given(st.lists(st.tuples(st.sampled_from(["A", "B"]), PARTIAL, PARTIAL, st.sampled_from(["", "4"])), max_size=8))
def test_bars_of_one_lane_never_cover_each_other(made):
    treatments = [a_treatment(i, drug, dose, start, end) for i, (drug, start, end, dose) in enumerate(made)]
    axis = TimeAxis(date(2005, 1, 1), date(2025, 1, 1), 150, 740)
    drawn = 0
    for _, rows in bars.lanes(treatments, axis):
        for row in rows:
            drawn += len(row)
            ordered = sorted(row, key=lambda bar: bar.taken)
            assert all(one.taken[1] <= other.taken[0] + 0.7 for one, other in pairwise(ordered))
            for bar in row:
                assert bar.x0 < bar.x1
                assert bar.sure is None or (bar.x0 <= bar.sure[0] and bar.sure[1] <= bar.x1 + 3)
    assert drawn == sum(bars.within(treatment, axis) for treatment in treatments)


def test_a_bar_is_sure_only_where_its_dates_leave_nothing_open():
    axis = TimeAxis(date(2010, 1, 1), date(2015, 1, 1), 0, 1000)
    years = bars.placed(a_treatment(1, "A", "", "2011", "2013"), axis)
    assert (years.x0, years.x1) == (axis.x(date(2011, 1, 1)), axis.x(date(2013, 12, 31)))
    assert years.sure == (axis.x(date(2011, 12, 31)), axis.x(date(2013, 1, 1)))
    assert bars.placed(a_treatment(2, "A", "", "2011", "2011"), axis).sure is None
    days = bars.placed(a_treatment(3, "A", "", "2011-03-01", "2012-03-01"), axis)
    assert days.sure == (days.x0, days.x1)


def test_going_on_needs_no_end_and_no_reason_for_one():
    assert bars.going_on(a_treatment(1, "A", "4", "2025-01", ""))
    assert not bars.going_on(a_treatment(1, "A", "4", "2025-01", "", stop_reason="no effect"))
    assert not bars.going_on(a_treatment(1, "A", "4", "2025-01", "2025-02"))


def test_a_next_dose_from_the_same_day_stays_in_the_lane():
    axis = TimeAxis(date(2025, 1, 1), date(2026, 1, 1), 0, 1000)
    taper = [
        a_treatment(1, "A", "4", "2025-01-10", "2025-05-04"),
        a_treatment(2, "a", "2", "2025-05-04", "2025-10-01"),
    ]
    assert [len(rows) for _, rows in bars.lanes(taper, axis)] == [1]


def test_every_dose_within_the_window_is_written_on_the_trend(story):
    written = texts(chart.trend_svg(story))
    for dose in ("4 mg/day", "500 mg/day", "24 mg/day", "8 mg/day", "50 mg/day", "25 mg/day"):
        assert dose in written
    assert "drug A" in written
    assert "tofacitinib" not in written  # ended before the window; the history has it
    assert "tofacitinib" in texts(chart.history_svg(story))


def test_salt_treatments_and_signs_share_one_time_axis(story):
    root = parsed(chart.trend_svg(story))
    visits = [float(one.get("x1")) for one in root[2].iter("line")]
    assert len(visits) == len(DATES)
    axis = TimeAxis(*chart.trend_window(story), chart.LEFT, chart.RIGHT)
    assert visits == pytest.approx([axis.x(day) for day in DATES], abs=0.01)
    starts = [float(one.get("x")) for one in root.iter("rect")]
    assert min(starts) == pytest.approx(axis.x(DATES[0]), abs=0.01)  # drug A began at the first visit
    titles = [one for one in root.iter("path") if one.find("title") is not None]
    for day in DATES:
        here = [one for one in titles if day.isoformat() in one.find("title").text]
        lefts = {round(float(re.match(r"M([-\d.]+)", one.get("d"))[1])) for one in here}
        assert len(here) >= 5
        assert max(lefts) - min(lefts) <= 8  # half the width of a mark, whose shapes begin at other corners


def test_a_line_never_crosses_a_visit_without_a_figure(story):
    vellus = story.series[-1]
    complete = story.series[-2]
    alone = replace(story, treatments=(), salt=(), verdicts=())

    def joined(one) -> int:
        root = parsed(chart.trend_svg(replace(alone, series=(one,))))
        return sum(line.get("stroke-width") == "1.3" for line in root.iter("line"))

    assert joined(complete) == 3
    assert joined(vellus) == 1
    assert "×" in texts(chart.trend_svg(replace(alone, series=(vellus,))))
    assert "×" not in texts(chart.trend_svg(replace(alone, series=(complete,))))


def test_reviewed_visits_are_filled_and_the_others_hollow(story):
    def hollow(one: PatientStory) -> int:
        return sum(mark.get("stroke") == "none" for mark in parsed(chart.trend_svg(one)).iter("path"))

    visits = tuple(
        replace(visit, captures=tuple(replace(one, reviewed=True) for one in visit.captures)) for visit in story.visits
    )
    assert hollow(story) == sum(len(series.pooled) for series in story.series)
    assert hollow(replace(story, visits=visits)) == 0


def test_history_is_drawn_only_where_something_lies_before_the_trend(story):
    recent = replace(story, treatments=story.treatments[4:])
    assert chart.history_svg(story)
    assert chart.history_svg(recent) == ""
    early = replace(recent, salt=(SaltPoint(date(2019, 5, 1), 100), *SALT))
    assert "SALT" in texts(chart.history_svg(early))


def test_one_site_needs_no_drawing_of_its_own(story):
    def only(one):
        return replace(one, sites={"vertex": one.sites["vertex"]})

    assert "vertex" in texts(chart.sites_svg(story))
    assert chart.sites_svg(replace(story, series=tuple(map(only, story.series)))) == ""


@given(st.lists(st.integers(1, 4000), min_size=3, max_size=3, unique=True), st.lists(DAYS, max_size=3))
def test_drawings_hold_at_any_spacing_of_visits(gaps, salt_days):
    story = BASE
    days = [DATES[0], *(DATES[0] + timedelta(days=gap) for gap in sorted(gaps))]
    visits = tuple(replace(visit, date=day) for visit, day in zip(story.visits, days, strict=True))
    salt = tuple(SaltPoint(day, 50.0) for day in sorted(set(salt_days)))
    moved = replace(story, visits=visits, salt=salt)
    for svg in (chart.trend_svg(moved), chart.sites_svg(moved), chart.history_svg(moved)):
        assert "nan" not in svg
        assert "inf" not in svg
        if svg:
            root = parsed(svg)
            _, _, width, height = map(float, root.get("viewBox").split())
            for one in root.iter("text"):
                assert -1 <= float(one.get("x")) <= width
                assert 0 <= float(one.get("y")) <= height

"""Axes, bars and panels of the report's drawings."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date, timedelta
from itertools import pairwise
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from story_fixture import DATES, SALT, a_story, a_treatment
from trichotrack.report import bars, panels
from trichotrack.report.axis import TimeAxis, padded, possible_days, shortened, text_width, value_ticks
from trichotrack.report.page_one import page_one
from trichotrack.report.voice import voice
from trichotrack.visits.story import PatientStory, SaltPoint

BASE = a_story()
SAY = voice()
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


def rows(story: PatientStory, kind: str) -> list:
    return [row for row in page_one(story, SAY).panels.rows if row.kind == kind]


def drug(story: PatientStory, name: str):
    return next(row for row in rows(story, "drug") if row.name == name)


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


def test_every_dose_stands_on_page_one(story):
    written = [text for row in rows(story, "drug") for text in (*texts(row.svg), row.small)]
    for dose in ("4 mg/day", "24 mg/day", "8 mg/day", "500 → 24 → 8 mg/day", "50 → 25 mg/day", "10 mg/day"):
        assert any(dose in text for text in written), dose


def test_a_drug_taken_up_again_is_not_told_as_taken_all_along(story):
    def note(*made: tuple[str, str]) -> str:
        treatments = tuple(a_treatment(i, "drug X", "4", start, end) for i, (start, end) in enumerate(made))
        return drug(replace(story, treatments=treatments), "drug X").small

    assert note(("2025-10-01", "2025-12-01"), ("2026-01-20", "")) == (
        "2025-10-01 to 2025-12-01; since 2026-01-20, 4 mg/day."
    )
    assert note(("2025-10", "2025-12-31"), ("2026-01", "")) == "Since 2025-10, 4 mg/day."
    assert note(("2025-10", ""), ("2026-01-20", "")) == "Since 2025-10, 4 mg/day."
    assert note(("2011", "2012"), ("2024-01", "2024-06")) == "2011 to 2012; 2024-01 to 2024-06, 4 mg/day."
    assert note(("2020", "2021"), ("2022-06", "2023"), ("2025-01", "")) == (
        "2020 to 2021; 2022-06 to 2023; since 2025-01, 4 mg/day."
    )
    assert note(*((f"{year}", f"{year}") for year in range(2011, 2024, 2)), ("2025", "")) == (
        "2011 to 2011; …; 2023 to 2023; since 2025, 4 mg/day."
    )


def test_a_drug_still_taken_is_told_as_going_on_whatever_dose_ended_beside_it(story):
    def note(*made: tuple[str, str, str]) -> str:
        treatments = tuple(a_treatment(i, "drug X", dose, start, end) for i, (dose, start, end) in enumerate(made))
        return drug(replace(story, treatments=treatments), "drug X").small

    assert note(("4", "2024-01", ""), ("8", "2025-01", "2025-02")) == "Since 2024-01, 4, 8 mg/day."
    assert note(("4", "2024", "2025"), ("8", "2024-03", "2024-04")) == "2024 to 2025, 4, 8 mg/day."


@given(st.lists(st.tuples(DAYS, st.integers(0, 900)), min_size=1, max_size=3))
def test_no_day_of_a_pause_is_told_as_treated(made):
    spans = [(first, first + timedelta(days=days)) for first, days in made]
    treatments = tuple(a_treatment(i, "drug X", "", f"{a}", f"{b}") for i, (a, b) in enumerate(spans))
    note = drug(replace(BASE, treatments=treatments), "drug X").small
    told = [tuple(map(date.fromisoformat, re.findall(r"\d{4}-\d\d-\d\d", run))) for run in note.split(";")]
    assert days_of(told) == days_of(spans)


def days_of(spans) -> set[date]:
    return {first + timedelta(days=i) for first, last in spans for i in range((last - first).days + 1)}


def test_what_came_after_the_last_visit_stands_on_page_one(story):
    visits = tuple(
        replace(visit, date=day)
        for visit, day in zip(story.visits[:2], (date(2026, 1, 5), date(2026, 2, 2)), strict=True)
    )
    salt = tuple(
        SaltPoint(day, total)
        for day, total in zip((*(visit.date for visit in visits), date(2026, 6, 1)), (80, 70, 10), strict=True)
    )
    taper = a_treatment(3, "drug C", "24", "2026-01-05", "", taper="2026-05-01 16; 2026-07-01 8")
    treatments = (a_treatment(1, "drug A", "4", "2025-12", ""), a_treatment(2, "drug B", "8", "2026-04-01", ""), taper)
    late = replace(story, visits=visits, salt=salt, treatments=treatments)
    assert [row.name for row in rows(late, "drug")] == ["drug A", "drug C", "drug B"]
    assert drug(late, "drug B").small == "Since 2026-04-01, 8 mg/day."
    assert drug(late, "drug C").small == "Since 2026-01-05, 24 → 16 → 8 mg/day."
    assert {"80", "70", "10"} <= set(texts(rows(late, "salt")[0].svg))


@given(st.lists(st.tuples(PARTIAL, PARTIAL), max_size=30))
def test_every_drug_has_a_row_or_is_counted_among_the_others(made):
    treatments = tuple(a_treatment(i, f"drug {i}", "", start, end) for i, (start, end) in enumerate(made))
    shown = rows(replace(BASE, treatments=treatments), "drug")
    more = sum(int(row.name.split()[1]) for row in shown if row.name.startswith("and "))
    assert sum(row.name.startswith("drug ") for row in shown) + more == len(made)


def test_the_case_s_history_stands_on_page_one(story):
    """Partial dates, stop reasons and responses of fifteen years, beside the visits of the last half year."""
    assert [row.name for row in rows(story, "drug")] == [
        "herbal medicine", "methotrexate", "DPCP", "tofacitinib", "drug A", "methylprednisolone", "drug B",
    ]  # fmt: skip
    assert drug(story, "herbal medicine").small == "2011 to 2012. Stopped: no effect. Response: none."
    assert drug(story, "DPCP").small == "2016 to 2018. Stopped: dermatitis. Response: patchy regrowth."
    assert drug(story, "drug B").small == "Since 2026-01, 50 → 25 mg/day."
    assert "onset 2011" in texts(rows(story, "dates")[0].svg)


def test_earlier_years_have_a_scale_of_their_own_and_leave_the_visits_their_room(story):
    axis = panels.time_axis(story)
    assert axis.earlier is not None
    assert axis.start <= date(2011, 1, 1)
    days = [date(2011, 6, 1), date(2018, 1, 1), date(2024, 5, 1), *DATES]
    places = [axis.x(day) for day in days]
    assert places == sorted(places)
    assert axis.x(DATES[-1]) - axis.x(DATES[0]) > 0.6 * (panels.RIGHT - panels.LEFT)
    recent = replace(story, treatments=story.treatments[4:], patient=replace(story.patient, onset=""))
    assert panels.time_axis(recent).earlier is None
    early = replace(recent, salt=(SaltPoint(date(2019, 5, 1), 100), *SALT))
    assert panels.time_axis(early).earlier is not None


@given(st.lists(st.tuples(PARTIAL, PARTIAL), max_size=6), PARTIAL)
def test_every_day_of_the_record_has_its_place_in_order(made, onset):
    treatments = tuple(a_treatment(i, f"drug {i}", "", start, end) for i, (start, end) in enumerate(made))
    axis = panels.time_axis(replace(BASE, treatments=treatments, patient=replace(BASE.patient, onset=onset)))
    days = sorted({one.start_day for one in treatments if one.start_day} | set(DATES))
    places = [axis.x(day) for day in days]
    assert places == sorted(places)
    assert all(panels.LEFT <= place <= panels.RIGHT for place in places)


def test_salt_treatments_and_signs_share_one_time_axis(story):
    axis = panels.time_axis(story)
    expected = [round(axis.x(day), 2) for day in DATES]
    for row in (*rows(story, "outcome"), *rows(story, "salt"), *rows(story, "drug")):
        root = parsed(row.svg)
        assert root.get("width") == f"{panels.WIDTH:g}"
        lines = [one for one in root.iter("line") if one.get("stroke-dasharray") == "1 3"]
        assert [float(one.get("x1")) for one in lines] == pytest.approx(expected, abs=0.01)
    began = [float(one.get("x")) for one in parsed(drug(story, "drug A").svg).iter("rect")]
    assert min(began) == pytest.approx(expected[0], abs=0.01)


def test_a_date_known_to_the_year_is_hatched_and_a_full_one_is_not(story):
    def hatched(name: str) -> list[bool]:
        groups = list(parsed(drug(story, name).svg).iter("g"))
        fills = [[rect.get("fill") for rect in group.iter("rect")] for group in groups]
        return ["#c3d2e0" in fill for fill in fills]

    assert hatched("drug A") == [True]
    eleven = replace(story, treatments=(a_treatment(1, "herbal", "", "2011", "2011"), *story.treatments[4:]))
    group = next(parsed(drug(eleven, "herbal").svg).iter("g"))
    assert [rect.get("fill") for rect in group.iter("rect")] == ["#ffffff"]
    assert group.find("path").get("stroke") is not None


def test_a_long_list_of_treatments_leaves_page_one_to_the_signs(story):
    many = tuple(a_treatment(i, f"drug {i}", "5", f"{1990 + i}", f"{1991 + i}") for i in range(30))
    crowded = replace(story, treatments=(*many, *story.treatments[4:]))
    shown = rows(crowded, "drug")
    assert len(shown) < 20
    assert shown[-1].name.startswith("and ")
    assert {"drug A", "drug B", "methylprednisolone", "drug 29"} <= {row.name for row in shown}
    left = int(re.search(r"\d+", shown[-1].name)[0])
    assert left + len(shown) - 1 == 33


def test_no_line_joins_visits_across_a_gap(story):
    def joined(name: str) -> int:
        series = next(one for one in story.series if one.name == name)
        svg = panels.outcome_svg(panels.frame_of(story, SAY), story, series, 60)
        return sum(line.get("stroke-width") == "1.3" for line in parsed(svg).iter("line"))

    assert joined("tapering_hair") == 3
    assert joined("short_vellus_hair") == 1
    vellus, tapering = rows(story, "outcome")[-1], rows(story, "outcome")[-2]
    assert "×" in texts(vellus.svg)
    assert "×" not in texts(tapering.svg)


def test_reviewed_visits_are_filled_and_the_others_hollow(story):
    def hollow(one: PatientStory) -> int:
        drawn = [parsed(row.svg) for row in rows(one, "outcome")]
        return sum(mark.get("stroke") == "none" for root in drawn for mark in root.iter("path"))

    visits = tuple(
        replace(visit, captures=tuple(replace(one, reviewed=True) for one in visit.captures)) for visit in story.visits
    )
    assert hollow(story) == sum(len(series.pooled) for series in story.series)
    assert hollow(replace(story, visits=visits)) == 0


@settings(max_examples=25)
@given(st.lists(st.integers(1, 4000), min_size=3, max_size=3, unique=True), st.lists(DAYS, max_size=3))
def test_drawings_hold_at_any_spacing_of_visits(gaps, salt_days):
    days = [DATES[0], *(DATES[0] + timedelta(days=gap) for gap in sorted(gaps))]
    visits = tuple(replace(visit, date=day) for visit, day in zip(BASE.visits, days, strict=True))
    salt = tuple(SaltPoint(day, 50.0) for day in sorted(set(salt_days)))
    moved = replace(BASE, visits=visits, salt=salt)
    for row in page_one(moved, SAY).panels.rows:
        assert "nan" not in row.svg
        assert "inf" not in row.svg
        if row.svg:
            root = parsed(row.svg)
            _, _, width, height = map(float, root.get("viewBox").split())
            for one in root.iter("text"):
                assert -1 <= float(one.get("x")) <= width
                assert 0 <= float(one.get("y")) <= height + 1

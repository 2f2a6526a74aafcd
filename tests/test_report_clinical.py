"""What a clinic enters beside captures, as the report shows it: ClinRO, adverse events, laboratory values, tapers."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date
from itertools import pairwise
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from story_fixture import DATES, a_story, a_treatment, with_clinic
from test_report_html import Page
from trichotrack.report import bars
from trichotrack.report.axis import TimeAxis
from trichotrack.report.document import document
from trichotrack.report.html import render_html
from trichotrack.report.page_one import page_one
from trichotrack.report.voice import voice
from trichotrack.visits.history import add_patient, add_treatment
from trichotrack.visits.story import LabValue, PatientStory

SAY = voice()
BASE = a_story()
DAY = date(2026, 3, 4)


@pytest.fixture(scope="module")
def story() -> PatientStory:
    return with_clinic(BASE)


@pytest.fixture(scope="module")
def page(story) -> Page:
    return Page(render_html(story))


def table(story: PatientStory, anchor: str) -> list[list[str]]:
    """Cells of the table of a section, each with its smaller lines."""
    section = next(one for one in document(story, SAY).sections if one.anchor == anchor)
    block = next(one for one in section.blocks if one.block == "table")
    return [[" | ".join((cell.text, *cell.below)) for cell in row] for group in block.groups for row in group.rows]


def test_a_record_without_them_has_no_section_and_never_says_none():
    found = document(BASE, SAY).sections
    assert not {"clinro", "events", "labs"} & {section.anchor for section in found}
    assert "Adverse event" not in Page(render_html(BASE)).text


def test_eyebrows_and_eyelashes_stand_with_their_grades_and_a_dash_where_not_assessed(story):
    assert table(story, "clinro") == [
        [DATES[0].isoformat(), "3: no notable hair", "2: significant gaps"],
        [DATES[2].isoformat(), "1: minimal gaps", "—"],
        [DATES[3].isoformat(), "0: full", "1: minimal gaps"],
    ]


def test_adverse_events_stand_with_grade_and_dates_as_far_as_known(story, page):
    assert table(story, "events") == [
        ["acne", "1: mild", "2025-10", "going on, or not recorded"],
        ["herpes zoster", "3: severe", "2025-11-02", "2025-11-20"],
        ["headache", "not recorded", "not recorded", "going on, or not recorded"],
    ]
    assert "Entered: 3; of grade 3 or more: 1; without a grade: 1." in page.text
    assert "what nobody entered is not here" in page.text


def test_laboratory_values_are_held_against_their_range_and_marked_by_shape(story, page):
    assert table(story, "labs") == [
        ["alt", "↑ 52.5 U/L", "2025-12-30", "≤ 40", "↑ above", "31 U/L | 2025-09-03", "2 | 1 outside"],
        ["CRP", "< 5 mg/L", "2026-03-04", "0–5", "within", "—", "1"],
        ["eGFR", "? > 60 mL/min", "2026-03-04", "≥ 90", "? left open", "—", "1"],
        ["haemoglobin", "134 g/L", "2026-03-04", "130–175", "within", "↓ 118 g/L | 2025-09-03", "2 | 1 outside"],
        ["zinc", "9.5 µmol/L", "2026-03-04", "—", "no range", "—", "1"],
    ]
    assert "Last value outside its reference range: ↑ alt." in page.text
    inside = replace(story, labs=tuple(one for one in story.labs if one.name != "alt"))
    text = Page(render_html(inside)).text
    assert "3 of 5 last values lie within their reference range; none is known to lie outside." in text


@pytest.mark.parametrize(
    ("qualifier", "value", "low", "high", "place"),
    [
        ("", 40, None, 40, "within"),
        ("", 40.1, None, 40, "above"),
        ("", 3.4, 3.5, 5.1, "below"),
        ("", 7, None, None, ""),
        ("<", 5, None, 5, "within"),
        ("<", 5, 0, 5, "within"),
        ("<", 5, 0, 3, "open"),
        ("<", 5, 5, 9, "below"),
        ("<", 5, 2, 9, "open"),
        (">", 90, 60, None, "within"),
        (">", 90, None, 90, "above"),
        (">", 60, 90, None, "open"),
    ],
)
def test_a_bound_is_called_outside_only_where_no_value_it_allows_lies_inside(qualifier, value, low, high, place):
    assert LabValue(DAY, "x", value, "", qualifier, low, high).place == place


@given(st.floats(0, 100), st.floats(0, 100), st.floats(0, 100), st.sampled_from(["<", ">"]), st.floats(0.01, 50))
def test_no_value_that_a_bound_allows_contradicts_what_is_said_of_it(one, other, value, qualifier, away):
    low, high = sorted((one, other))
    said = LabValue(DAY, "x", value, "", qualifier, low, high).place
    allowed = max(0.0, value - away) if qualifier == "<" else value + away
    if said != "open" and (allowed < value or qualifier == ">"):
        assert LabValue(DAY, "x", allowed, "", "", low, high).place == said


def test_a_decimal_comma_holds_for_laboratory_values_too(story):
    text = Page(render_html(story, voice(decimal="comma"))).text
    assert "52,5 U/L" in text
    assert "52.5" not in text


def test_the_present_episode_the_last_regrowth_and_atopy_stand_with_the_other_facts(story, page):
    told = dict(page_one(story, SAY).facts)
    assert told["Present episode since"] == "2025-03"
    assert told["Hair last regrew"] == "2018"
    assert told["Atopy"] == "dermatitis; asthma"
    assert "Atopy" not in dict(page_one(BASE, SAY).facts)
    assert "dermatitis; asthma" in page.text


def test_a_taper_stands_in_the_table_and_as_steps_of_its_bar(story):
    row = next(row for row in table(story, "history") if row[0] == "prednisolone")
    assert row[1] == "24 mg/day | from 2025-10-16: 16 mg/day | from 2025-11: 8 mg/day"
    drug = next(row for row in page_one(story, SAY).panels.rows if row.name == "prednisolone")
    assert "24 → 16 → 8 mg/day" in drug.small
    assert drug.small.count("taper ended") == 1
    groups = [[float(rect.get("x")) for rect in group.iter("rect")] for group in ET.fromstring(drug.svg).iter("g")]  # noqa: S314
    assert len(groups) == 3
    titles = [title.text for title in ET.fromstring(drug.svg).iter("title")]  # noqa: S314
    assert any("8 mg/day, oral, 2025-11 to 2025-12-24" in title for title in titles), "a month stays a month"


@given(st.lists(st.dates(date(2024, 1, 1), date(2026, 12, 31)), min_size=1, max_size=5), st.booleans())
def test_the_steps_of_a_taper_fill_its_bar_and_stay_in_one_lane(days, partial):
    days = sorted(days)
    texts = [f"{day:%Y-%m}" if partial else day.isoformat() for day in days]
    taper = "; ".join(f"{text} {10 - i}" for i, text in enumerate(texts))
    whole = a_treatment(1, "A", "20", "2023-12-01", "2027-01-31", taper=taper, stop_reason="ended")
    steps = bars.stepped(whole)
    assert [one.dose for one in steps] == ["20", *(str(10 - i) for i in range(len(days)))]
    assert (steps[0].start_day, steps[-1].end_day) == (whole.start_day, whole.end_day)
    assert all(one.end_day == other.start_day for one, other in pairwise(steps))
    assert [one.stop_reason for one in steps] == [*[""] * len(days), "ended"]
    drawn = TimeAxis(date(2023, 1, 1), date(2028, 1, 1), 0, 100_000)
    apart = all(after.start_day > before.start_day for before, after in pairwise(steps))
    if apart:
        assert [len(rows) for _, rows in bars.lanes([whole], drawn, compact=True)] == [1]


def test_a_step_beyond_the_end_leaves_the_bar_whole():
    beyond = a_treatment(1, "A", "20", "2025-01-01", "2025-06-01", taper="2025-07-01 10")
    assert bars.stepped(beyond) == (beyond,)


def test_the_story_of_a_record_has_what_was_entered(tmp_path):
    from trichotrack.visits.clinical import add_clinro, add_event, add_lab
    from trichotrack.visits.record import open_record
    from trichotrack.visits.story import patient_story

    with open_record(tmp_path / "record.sqlite", create=True) as session:
        add_patient(session, "P1", atopy="asthma", current_onset="2025-03", last_regrowth="2018")
        add_treatment(
            session, {"patient": "P1", "drug": "prednisolone", "dose": "24", "unit": "mg/day", "start": "2025-09-06",
                      "taper": "2025-10-16 16"},
        )  # fmt: skip
        add_clinro(session, {"patient": "P1", "date": "2026-01-02", "eyebrow": "2"})
        add_event(session, {"patient": "P1", "kind": "acne", "grade": "2", "start": "2025-10"})
        add_lab(session, {"patient": "P1", "date": "2026-01-02", "name": "ALT", "value": "<5", "high": "40"})
    with open_record(tmp_path / "record.sqlite") as session:
        found = patient_story(session, "P1")
    assert (found.clinro[0].eyebrow, found.clinro[0].eyelash) == (2, None)
    assert [(one.kind, one.grade, one.start, one.end) for one in found.events] == [("acne", 2, "2025-10", "")]
    assert [(one.name, one.qualifier, one.place) for one in found.labs] == [("ALT", "<", "within")]
    text = Page(render_html(found)).text
    assert all(told in text for told in ("acne", "2: moderate", "< 5", "from 2025-10-16: 16 mg/day", "asthma"))
    assert not re.search(r"\bnan\b", text)

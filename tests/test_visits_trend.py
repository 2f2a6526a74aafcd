from __future__ import annotations

import datetime as dt

import pytest

from trichotrack.visits.series import ACTIVE_LOAD
from trichotrack.visits.trend import TreatmentPeriod, patient_trends
from visits_made import MODEL, captured


def active(visit, dots, **options):
    return captured(visit, {"black_dot": dots, "broken_hair": 0, "tapering_hair": 0}, **options)


def trend(captures, periods=(), name=ACTIVE_LOAD, **options):
    return next(one for one in patient_trends(captures, periods, **options) if one.name == name)


FALLING = [active(month, dots) for month, dots in enumerate((80, 66, 60, 50, 44, 37, 30), start=1)]


def test_a_steady_fall_is_told_by_the_month_with_what_it_rests_on():
    found = trend(FALLING)
    assert found.refused == ""
    assert found.terms[0].high < 1
    (told,) = found.sentences
    assert told.startswith("Active load: −1")
    assert "a month (95 % interval −" in told
    assert told.endswith("over 7 visits and 367 events at vertex.")


def test_a_drug_is_a_term_where_it_can_be_told_apart_and_else_is_left_out_with_the_reason():
    on = TreatmentPeriod("drug A", dt.date(2026, 4, 5), dt.date(2026, 6, 30))
    always = TreatmentPeriod("drug B", None, None)
    same = TreatmentPeriod("drug C", dt.date(2026, 4, 5), dt.date(2026, 6, 30))
    ended = TreatmentPeriod("drug D", dt.date(2026, 3, 5), None, stopped=True)
    found = trend(FALLING, [on, always, same, ended])
    assert [term.name for term in found.terms] == ["month", "drug A"]
    assert found.sentences[1].startswith("On drug A, beside that: ")
    assert found.left_out == (
        "drug B: taken at every visit",
        "drug C: not to be told apart from time and the treatments before it",
        "drug D: stopped on a day not known",
    )


def test_a_visit_on_the_day_a_drug_began_is_not_yet_on_it():
    period = TreatmentPeriod("drug A", dt.date(2026, 3, 5), dt.date(2026, 5, 5))
    assert [period.covers(dt.date(2026, month, 5)) for month in (2, 3, 4, 5, 6)] == [False, False, True, True, False]


def test_too_few_visits_and_visits_read_otherwise_make_no_trend():
    assert trend(FALLING[:4]).refused == "it needs 5 visits that may be compared, and there are 4"
    other = [*FALLING[:4], *(active(month, 9, preparation="dye") for month in (5, 6, 7))]
    found = trend(other)
    assert "there are 4" in found.refused
    assert found.left_out[0].startswith("vertex on 2026-05-05: other preparation")
    assert found.sentences[0].startswith("Active load: no trend, ")


def test_unreviewed_readings_of_an_unvalidated_model_have_no_trend_unless_synthetic():
    visits = [active(month, 40, model=MODEL) for month in range(1, 8)]
    assert "have not been reviewed" in trend(visits).refused
    assert trend(visits, synthetic=True).refused == ""


@pytest.mark.parametrize("count", [0, 1])
def test_hardly_any_event_makes_no_trend(count):
    assert "needs 20 events" in trend([active(month, count) for month in range(1, 8)]).refused

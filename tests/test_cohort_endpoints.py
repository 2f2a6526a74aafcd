from __future__ import annotations

import dataclasses
import math
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cohort_made import cohort, person
from trichotrack.cohort.endpoints import (
    Settings,
    analysis_set,
    endpoints,
    event_rates,
    improvement_rates,
    loss_of_benefit,
    share_of,
    subgroups,
)
from trichotrack.cohort.people import AdverseEvent
from trichotrack.problems import InputError


def outcomes(*people, **settings):
    return analysis_set(cohort(*people), Settings(**settings))


def test_wilson_interval_of_the_published_response_is_31_to_53_percent():
    share = share_of(29, 70)
    assert (round(100 * share.share), round(100 * share.low), round(100 * share.high)) == (41, 31, 53)


def test_whoever_was_not_assessed_is_a_non_responder_and_completers_stand_beside():
    people = outcomes(
        person("a", {0: 60, 9: 20}), person("b", {0: 60, 9: 21}), person("c", {0: 60, 3: 10}), person("d", {0: 60})
    )
    response = endpoints(people)[0]
    assert (response.imputed.events, response.imputed.total) == (1, 4)
    assert (response.completers.events, response.completers.total) == (1, 2)


def test_whoever_s_month_has_not_passed_is_no_non_responder_yet():
    def seen_until(month, *followed):
        made = person(f"P{month:g}", {0.0: 80.0, **dict(followed)})
        return dataclasses.replace(made, until=month)

    people = (seen_until(10.4), seen_until(10.5), seen_until(9.0, (9.0, 10.0)), seen_until(4.0, (3.0, 5.0)))
    made = dataclasses.replace(cohort(*people), until=date(2026, 11, 1))
    found = analysis_set(made, Settings())
    assert [(one.patient.id, one.responded) for one in found.outcomes] == [("P10.5", False), ("P9", True)]
    reason = "month 9 ± 1.5 had not passed on 2026-11-01, the last day of the data"
    assert found.left_out == (("P10.4", reason), ("P4", reason))


@pytest.mark.parametrize(
    ("salt", "salt_at_9"),
    [
        ({0: 60, 7.5: 30}, 30),
        ({0: 60, 7.4: 30}, None),
        ({0: 60, 10.5: 30}, 30),
        ({0: 60, 10.6: 30}, None),
        ({0: 60, 8: 50, 9.5: 30}, 30),
        ({0: 60, 8: 50, 10: 30}, 30),
        ({0: 60}, None),
    ],
    ids=["first day", "before", "last day", "after", "nearest", "of two as near the later", "baseline only"],
)
def test_the_assessment_nearest_to_the_month_within_the_window_counts(salt, salt_at_9):
    assert outcomes(person("a", salt), month=9, window=1.5).outcomes[0].salt == salt_at_9


def test_baseline_is_the_last_salt_on_or_before_the_start():
    assert person("a", {-3: 90, -0.5: 70, 0.1: 40}).salt0 == 70
    assert person("a", {0.1: 40}).salt0 is None


def test_salt_endpoints_are_falls_from_baseline():
    people = outcomes(person("a", {0: 80, 9: 40}), person("b", {0: 80, 9: 41}), person("c", {0: 80, 9: 8}))
    found = {one.name: one.completers.events for one in endpoints(people)}
    assert found == {"SALT ≤ 20": 1, "SALT30": 3, "SALT50": 2, "SALT75": 1, "SALT90": 1}


def test_improvement_rate_is_negative_when_worse_and_undefined_at_a_baseline_of_zero():
    people = outcomes(person("a", {0: 50, 9: 75}), person("b", {0: 80, 9: 20}))
    rates = improvement_rates(people)
    assert people.outcomes[0].rate == -0.5
    assert (rates.known, rates.worse) == (2, 1)
    assert rates.mean == pytest.approx((-0.5 + 0.75) / 2)
    zero = people.outcomes[0].__class__(person("c", {0: 0, 9: 0}), 0.0, 0.0)
    assert zero.rate is None
    assert not zero.fell(30)


def test_whoever_began_at_20_or_below_or_without_a_baseline_is_left_out_by_name():
    people = outcomes(person("a", {0: 20, 9: 0}), person("b", {3: 60}), person("c", {0: 45}), min_salt=50)
    assert not people.outcomes
    assert dict(people.left_out) == {
        "a": "SALT ≤ 20 already at baseline",
        "b": "no SALT on or before treatment start",
        "c": "SALT below 50 at baseline",
    }


@pytest.mark.parametrize(("rule", "lost"), [("at-least", 2), ("more-than", 1)])
def test_loss_of_benefit_counts_exactly_20_points_as_the_setting_says(rule, lost):
    people = outcomes(
        person("a", {0: 80, 6: 12.3, 9: 32.3}),
        person("b", {0: 80, 6: 10, 9: 31}),
        person("c", {0: 80, 6: 10, 9: 12}),
        person("d", {0: 80, 6: 10}),
        person("e", {0: 80, 6: 40, 9: 90}),
    )
    found = loss_of_benefit(people, rule)
    assert (found.share.events, found.share.total, found.reached) == (lost, 3, 4)


def test_subgroups_share_out_everyone_and_cut_duration_at_four_years():
    people = [
        person("a", {0: 60, 9: 10}, aa_type="patchy", duration_years=4.0),
        person("b", {0: 96, 9: 90}, aa_type="totalis", duration_years=4.1),
        person("c", {0: 60, 9: 10}, duration_years=1.0),
    ]
    made = cohort(*people)
    found = subgroups(analysis_set(made, Settings()), made)
    by = {(one.column, one.group): (one.imputed.events, one.imputed.total) for one in found}
    assert by["duration_years", "≤ 4 years"] == (2, 2)
    assert by["duration_years", "> 4 years"] == (0, 1)
    assert by["aa_type", "not known"] == (1, 1)
    assert by["salt0", "≥ 95"] == (0, 1)
    for column in {column for column, _ in by}:
        assert sum(total for (name, _), (_, total) in by.items() if name == column) == 3


def test_adverse_events_count_patients_once_at_their_worst_grade():
    events = [AdverseEvent("a", "acne", 1), AdverseEvent("a", "acne", 3), AdverseEvent("b", "acne", None)]
    made = cohort(person("a", {}), person("b", {}), person("c", {}), person("d", {}), events=events)
    any_event, severe, acne = event_rates(made)
    assert (any_event.patients.events, any_event.patients.total) == (2, 4)
    assert severe.patients.events == 1
    assert acne.by_grade == (("grade not told", 1), ("grade 3", 1))
    assert event_rates(cohort(person("a", {}))) == ()


def test_a_month_without_a_window_after_the_start_is_refused():
    with pytest.raises(InputError, match="no window"):
        Settings(month=1, window=1)


@given(st.lists(st.tuples(st.integers(21, 100), st.one_of(st.none(), st.integers(0, 100))), min_size=1, max_size=30))
def test_imputation_never_reads_higher_than_completers(pairs):
    people = outcomes(
        *(person(f"p{i}", {0: salt0} | ({} if salt is None else {9: salt})) for i, (salt0, salt) in enumerate(pairs))
    )
    for one in endpoints(people):
        assert one.imputed.events == one.completers.events
        assert math.isnan(one.completers.share) or one.imputed.share <= one.completers.share

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cohort_made import cohort, person
from trichotrack.cohort.endpoints import Settings, analysis_set
from trichotrack.cohort.response_time import (
    LEAST_FOLLOWED,
    ResponseInterval,
    kaplan_meier,
    response_interval,
    response_time,
    turnbull,
    turnbull_steps,
)
from trichotrack.problems import InputError

INF = math.inf

FREIREICH = {6: (1, 1, 1, 0), 7: (1,), 9: (0,), 10: (1, 0), 11: (0,), 13: (1,), 16: (1,), 17: (0,), 19: (0,), 20: (0,),
             22: (1,), 23: (1,), 25: (0,), 32: (0, 0), 34: (0,), 35: (0,)}  # fmt: skip
"""Weeks of remission under 6-MP, 1: relapse seen; Freireich 1963, in every textbook of survival analysis."""
SURVIVAL = {6: 0.857, 7: 0.807, 10: 0.753, 13: 0.690, 16: 0.627, 22: 0.538, 23: 0.448}


def test_kaplan_meier_is_that_of_the_textbook():
    intervals = [
        ResponseInterval("", week - 1 if seen else week, week if seen else INF)
        for week, ones in FREIREICH.items()
        for seen in ones
    ]
    steps, median = kaplan_meier(intervals)
    assert len(intervals) == 21
    assert {round(step.month): round(1 - step.share, 3) for step in steps} == SURVIVAL
    assert median == 23
    assert steps[0].at_risk == 21
    assert all(step.low < step.share < step.high for step in steps)


def test_a_response_lies_between_the_last_visit_without_and_the_first_with_it():
    assert response_interval(person("a", {0: 80, 3: 50, 6: 20, 9: 60})) == ResponseInterval("a", 3, 6)
    assert response_interval(person("b", {0: 80, 3: 10})) == ResponseInterval("b", 0, 3)
    assert response_interval(person("c", {0: 80, 3: 50})) == ResponseInterval("c", 3, INF)
    assert response_interval(person("d", {0: 80})) == ResponseInterval("d", 0, INF)


def test_turnbull_of_a_tiny_case_is_the_hand_worked_one():
    # Of (0, 3], (0, 3], (3, 6], (0, 6] and (6, inf) the stretches are (0, 3], (3, 6], (6, inf). With masses a, b, c the
    # likelihood is a² · b · (a + b) · c: c = 1/5, and of the other 4/5 the shares are as 2 : 1, so a = 8/15, b = 4/15.
    stretches, mass = turnbull([0, 0, 3, 0, 6], [3, 3, 6, 6, INF])
    assert stretches.tolist() == [[0, 3], [3, 6], [6, INF]]
    assert mass == pytest.approx([8 / 15, 4 / 15, 1 / 5], abs=1e-7)


def test_visits_that_meet_at_their_edges_share_no_month():
    stretches, mass = turnbull([0, 3], [3, 6])
    assert stretches.tolist() == [[0, 3], [3, 6]]
    assert mass == pytest.approx([0.5, 0.5])


def test_turnbull_agrees_with_lifelines_where_no_ends_meet():
    from lifelines import KaplanMeierFitter

    left, right = np.array([0.0, 1.0, 2.5, 4.0, 3.1]), np.array([2.0, 3.0, 5.0, 8.0, 6.0])
    stretches, mass = turnbull(left, right)
    fitted = KaplanMeierFitter().fit_interval_censoring(left, right, tol=1e-9).survival_function_
    for (_, end), survival in zip(stretches, 1 - np.cumsum(mass), strict=True):
        assert float(fitted.loc[:end].iloc[-1, -1]) == pytest.approx(survival, abs=2e-3)


def test_with_everyone_seen_at_every_visit_both_estimates_are_the_plain_shares():
    intervals = [ResponseInterval("", 0, 3)] * 3 + [ResponseInterval("", 3, 6)] * 2 + [ResponseInterval("", 6, INF)] * 5
    steps, _ = kaplan_meier(intervals)
    assert [step.share for step in steps] == pytest.approx([0.3, 0.5])
    boxes = turnbull_steps(intervals, resamples=200)
    assert [box.by for box in boxes] == pytest.approx([0.3, 0.5, 1.0])
    assert boxes[0].low < 0.3 < boxes[0].high


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 6), st.integers(1, 6)).map(lambda pair: (pair[0], pair[0] + pair[1])),
        min_size=1, max_size=12,
    )
)  # fmt: skip
def test_turnbull_maximises_the_likelihood(pairs):
    left, right = np.array(pairs, dtype=float).T
    stretches, mass = turnbull(left, right)
    assert mass.sum() == pytest.approx(1)
    inside = (left[:, None] <= stretches[:, 0]) & (stretches[:, 1] <= right[:, None])
    gradient = (inside / (inside @ mass)[:, None]).sum(axis=0)  # at the maximum at most n, and n where mass lies
    assert (gradient <= len(left) * (1 + 2e-3)).all()


def test_nobody_seen_after_the_start_has_no_time():
    people = analysis_set(cohort(person("a", {0: 80})), Settings())
    with pytest.raises(InputError, match="nobody was seen"):
        response_time(people)
    with pytest.raises(InputError, match="left < right"):
        turnbull([3], [3])


def test_a_share_is_told_only_while_enough_patients_were_still_followed():
    left_early = [person(f"p{i}", {0: 80, 3: 75, 6: 70}) for i in range(9)]
    alone = analysis_set(cohort(*left_early, person("q", {0: 90, 6: 60, 12: 10})), Settings())
    time = response_time(alone, resamples=20)
    assert [step.at_risk for step in time.steps] == [1]
    assert time.told is None
    early = [person(f"e{i}", {0: 80, 3: 10}) for i in range(3)]
    many = response_time(analysis_set(cohort(*early, *left_early, person("q", {0: 90, 6: 60, 12: 10})), Settings()))
    assert (many.told.month, many.told.at_risk) == (3, 13)
    assert many.steps[-1].at_risk < LEAST_FOLLOWED

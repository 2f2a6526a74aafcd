from __future__ import annotations

import numpy as np
import pytest

from trichotrack.stats.multiplicity import SeriesLevels, holm_levels, look_share
from trichotrack.stats.rates import overdispersed_p_value


def test_holm_judges_the_smallest_strictest_and_stops_at_the_first_failure():
    assert holm_levels([0.01, 0.04, 0.03]) == pytest.approx((0.05 / 3, 0.025, 0.025))
    assert holm_levels([0.001, 0.01, 0.04]) == pytest.approx((0.05 / 3, 0.025, 0.05))
    assert holm_levels([0.2, 0.001]) == pytest.approx((0.05, 0.025))
    assert holm_levels([]) == ()


def test_shares_of_all_visits_add_up_to_one_and_never_more():
    shares = np.cumsum([look_share(j) for j in range(1, 2000)])
    assert shares[-1] < 1
    assert shares[-1] > 0.999


def test_a_change_from_baseline_hands_its_level_on_and_no_change_does_not():
    levels = SeriesLevels()
    assert levels.next_visit() == pytest.approx((0.025, 0.025))
    assert levels.next_visit(changed=True) == pytest.approx((0.025 + 0.05 / 12, 0.05 / 12))
    assert levels.next_visit(changed=False) == pytest.approx((0.05 / 24, 0.05 / 24))


@pytest.mark.parametrize(("mean", "cv"), [(12, 0.0), (30, 0.15), (200, 0.15)])
def test_over_ten_visits_at_most_five_percent_of_stable_patients_are_ever_told_of_a_change(mean, cv):
    rng = np.random.default_rng(8)
    patients = 6000
    noise = rng.gamma(1 / cv**2, cv**2, (patients, 10)) if cv else 1.0
    counts = rng.poisson(mean * noise, (patients, 10))
    told, each = np.zeros(patients, bool), np.zeros(patients, bool)
    changed = np.zeros(patients, bool)
    plain, after = SeriesLevels(), SeriesLevels()
    for visit in range(1, 10):
        baseline = overdispersed_p_value(counts[:, 0], counts[:, visit], 0.5, cv)
        previous = overdispersed_p_value(counts[:, visit - 1], counts[:, visit], 0.5, cv)
        # A patient once told of a change counts already: what is handed on cannot add a second first time.
        level = plain.next_visit()
        generous = after.next_visit(changed=True)
        told |= (baseline <= np.where(changed, generous[0], level[0])) | (previous <= level[1])
        changed = baseline <= level[0]
        each |= (baseline <= 0.05) | (previous <= 0.05)
    assert told.mean() <= 0.05
    assert each.mean() > 0.35, "without it many stable patients would be told of a change"

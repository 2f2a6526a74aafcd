from __future__ import annotations

import math

import numpy as np
import pytest

from trichotrack.problems import InputError
from trichotrack.stats.trend import count_trend

MONTHS = np.array([0, 1, 2.5, 4, 6, 9.0])


def drawn(rng, rate, areas, densities, cv):
    noise = rng.gamma(1 / cv**2, cv**2, len(rate)) if cv else np.ones(len(rate))
    return rng.poisson((rate * noise)[:, None] * areas * densities).astype(float)


@pytest.mark.parametrize(("cv", "true_cv"), [(0.15, 0.15), (0.0, 0.15), (0.0, 0.0)])
def test_at_most_five_percent_of_stable_patients_show_a_trend(cv, true_cv):
    rng = np.random.default_rng(4)
    areas, densities = np.full((6, 2), 0.3), np.array([60, 25])
    p = [
        count_trend(drawn(rng, np.ones(6), areas, densities, true_cv), areas, MONTHS[:, None], ["month"], cv=cv)
        .terms[0]
        .p
        for _ in range(250)
    ]
    assert np.mean(np.array(p) <= 0.05) <= 0.06  # s.e. 0.014


def test_a_steady_fall_over_six_visits_is_seldom_missed():
    rng = np.random.default_rng(6)
    areas, rate = np.full((6, 2), 0.3), 0.8**MONTHS
    found = [
        count_trend(drawn(rng, rate, areas, np.array([60, 25]), 0.15), areas, MONTHS[:, None], ["month"], cv=0.15)
        for _ in range(80)
    ]
    assert np.mean([one.terms[0].high < 1 for one in found]) > 0.8


def test_a_trend_and_a_drug_are_recovered_and_their_intervals_cover_them():
    rng = np.random.default_rng(5)
    months = np.arange(10.0)
    on = np.array([0, 0, 0, 1, 1, 1, 0, 0, 1, 1.0])
    areas, densities = rng.uniform(0.2, 0.5, (10, 2)), np.array([80, 30])
    rate = 0.95**months * 0.5**on
    inside, ratios = [], []
    for _ in range(150):
        counts = drawn(rng, rate, areas, densities, 0.15)
        found = count_trend(counts, areas, np.column_stack([months, on]), ["month", "drug A"], cv=0.15).terms
        inside.append([found[0].low <= 0.95 <= found[0].high, found[1].low <= 0.5 <= found[1].high])
        ratios.append([math.log(term.ratio) for term in found])
    assert np.exp(np.mean(ratios, axis=0)) == pytest.approx([0.95, 0.5], rel=0.04)
    assert (np.mean(inside, axis=0) >= 0.92).all()


def test_a_site_that_some_visits_lack_does_not_make_a_trend():
    # The dense site is seen at the first three visits only: summed up, the density would fall by two thirds.
    areas = np.full((6, 2), 0.4)
    areas[3:, 0] = np.nan
    counts = np.where(np.isnan(areas), np.nan, areas * np.array([200.0, 50.0]))
    (month,) = count_trend(counts, areas, MONTHS[:, None], ["month"], cv=0.15).terms
    assert month.ratio == pytest.approx(1, abs=1e-3)


def test_few_visits_events_or_terms_that_go_together_are_refused_with_the_reason():
    areas, counts = np.full((6, 1), 0.3), np.full((6, 1), 20.0)

    def refused(message, counts, areas, columns):
        with pytest.raises(InputError, match=message):
            count_trend(counts, areas, columns, ["a"] * columns.shape[1], cv=0.15)

    refused("needs 5 visits; there are 4", counts[:4], areas[:4], MONTHS[:4, None])
    refused("needs 20 events over all visits; there are 6", counts / 20, areas, MONTHS[:, None])
    refused("6 visits are too few for 3 terms; 7 are needed", counts, areas, np.eye(6)[:, :3])
    refused("cannot be told apart", counts, areas, np.column_stack([MONTHS, 2 * MONTHS]))
    last = np.array([[0.0], [0], [0], [0], [0], [40]])
    with pytest.raises(InputError, match="no finite estimate"):
        count_trend(last, areas, (np.arange(6) == 5).astype(float)[:, None], ["late"], cv=0.15)

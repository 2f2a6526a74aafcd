from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from trichotrack.problems import InputError
from trichotrack.stats.rates import (
    RateRatio,
    Stratum,
    change_needed,
    common_rate_ratio,
    mid_p_value,
    overdispersed_p_value,
    poisson_interval,
    rate_ratio,
    rate_ratio_wald,
    wald_p_value,
    weighted_poisson_interval,
    wilson_interval,
)

COUNT = st.one_of(st.integers(0, 400).map(float), st.floats(0.05, 400))
AREA = st.floats(0.02, 20)
CV = st.floats(0, 0.4)

BASELINES = (5, 10, 20, 50, 100, 300)
LARGEST_FALL = {
    "poisson": (0, 2, 9, 32, 74, 253),
    0.06: (None, 2, 8, 30, 70, 236),
    0.15: (None, 1, 7, 26, 58, 190),
    0.30: (None, 1, 5, 18, 40, 127),
}


def largest(p_values):
    significant = np.flatnonzero(p_values <= 0.05)
    return int(significant.max()) if len(significant) else None


@pytest.mark.parametrize("column", LARGEST_FALL)
def test_largest_significant_fall_is_that_of_the_published_table(column):
    found = []
    for baseline in BASELINES:
        below = np.arange(baseline)
        if column == "poisson":
            found.append(largest(mid_p_value(baseline, below, 0.5)))
        else:
            found.append(largest(wald_p_value(baseline, 1, below, 1, column)))
    assert tuple(found) == LARGEST_FALL[column]


@pytest.mark.parametrize(
    ("cv", "expected"),
    [(0.0, (0, 2, 9, 32, 74, 253)), (0.15, (0, 2, 7, 26, 58, 189)), (0.30, (None, 1, 5, 17, 39, 124))],
)
def test_the_test_of_verdicts_asks_for_nearly_the_falls_of_that_table_and_sees_zero_of_five(cv, expected):
    assert tuple(change_needed(k, 0.5, cv=cv, level=0.05)[0] for k in BASELINES) == expected


@pytest.mark.parametrize(
    ("count", "low", "high"),
    [(0, 0, 3.68888), (1, 0.025318, 5.57164), (10, 4.79539, 18.39036), (100, 81.36361, 121.62691)],
)
def test_garwood_interval_is_the_tabulated_one(count, low, high):
    assert poisson_interval(count) == pytest.approx((low, high), rel=1e-5, abs=1e-9)
    assert poisson_interval(count, 0.25) == pytest.approx((4 * low, 4 * high), rel=1e-5, abs=1e-9)


def test_weighted_interval_is_garwood_s_for_one_site_and_for_sites_of_equal_weight():
    assert weighted_poisson_interval([7.0], [2.0]) == pytest.approx(poisson_interval(7, 0.5))
    assert weighted_poisson_interval([3.0, 4.0], [2.0, 2.0]) == pytest.approx(poisson_interval(7, 0.5))
    assert weighted_poisson_interval([0.0, 0.0], [1.0, 2.0])[0] == 0


def test_weighted_interval_covers_a_standardised_density():
    rng = np.random.default_rng(5)
    weights, means = np.array([0.5, 2.0]), np.array([12.0, 3.0])
    inside = [
        low <= weights @ means <= high
        for low, high in (weighted_poisson_interval(list(k), list(weights)) for k in rng.poisson(means, (1500, 2)))
    ]
    assert 0.945 <= np.mean(inside) <= 0.985  # an exact interval errs towards covering


@pytest.mark.parametrize(("mean", "ratio"), [(5, 1.0), (20, 1.0), (20, 0.5)])
def test_rate_ratio_interval_covers_as_often_as_stated(mean, ratio):
    counts = np.random.default_rng(mean).poisson([mean, mean * ratio], (3000, 2))
    inside = [found.low <= ratio <= found.high for found in (rate_ratio(a, 1, b, 1) for a, b in counts)]
    assert 0.94 <= np.mean(inside) <= 0.975


@pytest.mark.parametrize(("mean", "cv"), [(8, 0.0), (8, 0.15), (60, 0.15), (60, 0.3)])
def test_common_ratio_interval_covers_as_often_as_stated_when_the_cv_is_right(mean, cv):
    rng = np.random.default_rng(int(mean + 100 * cv))
    ratio, inside = 0.4, []
    for _ in range(1200):
        noise = rng.gamma(1 / cv**2, cv**2, 2) if cv else np.ones(2)
        k = rng.poisson(
            [0.7 * mean * noise[0], ratio * 0.7 * mean * noise[1], 0.3 * mean * noise[0], ratio * 0.6 * mean * noise[1]]
        )
        found = common_rate_ratio([Stratum(k[0], 1, k[1], 1), Stratum(k[2], 1, k[3], 2)], cv=cv)
        inside.append(found.low <= ratio <= found.high)
    assert 0.935 <= np.mean(inside) <= 0.985


def false_changes(mean, true_cv, assumed_cv, areas, noise):
    """Share of stable pairs called changed at 5 %: exact sum for no noise or gamma noise, else by simulation."""
    from scipy import stats

    means = mean, mean * areas
    share = areas / (1 + areas)
    if noise == "lognormal":
        rng = np.random.default_rng(11)
        sigma = math.sqrt(math.log1p(true_cv**2))
        drawn = rng.poisson(np.array(means) * np.exp(rng.normal(-(sigma**2) / 2, sigma, (60000, 2))))
        return float(np.mean(overdispersed_p_value(drawn[:, 0], drawn[:, 1], share, assumed_cv) <= 0.05))
    masses = []
    for m in means:
        k = np.arange(int(m + 7 * math.sqrt(m + (true_cv * m) ** 2) + 12) + 1)
        shape = 1 / true_cv**2 if true_cv else math.inf
        masses.append(stats.nbinom.pmf(k, shape, shape / (shape + m)) if true_cv else stats.poisson.pmf(k, m))
    called = overdispersed_p_value(np.arange(len(masses[0]))[:, None], np.arange(len(masses[1])), share, assumed_cv)
    return float(masses[0] @ (called <= 0.05) @ masses[1])


@pytest.mark.parametrize("areas", [1.0, 0.5, 1.3])
@pytest.mark.parametrize(("true_cv", "assumed_cv"), [(0, 0), (0, 0.15), (0.06, 0.15), (0.15, 0.15), (0.3, 0.3)])
def test_at_most_five_percent_of_stable_pairs_are_called_changed_from_5_to_300_events(true_cv, assumed_cv, areas):
    rates = [false_changes(m, true_cv, assumed_cv, areas, "gamma") for m in (5, 6, 8, 10, 14, 20, 35, 80, 300)]
    assert max(rates) <= 0.05
    if true_cv == assumed_cv:
        assert min(rates) >= 0.02, "not by saying nothing"


@pytest.mark.parametrize("mean", [6, 30, 300])
def test_false_changes_stay_at_five_percent_with_lognormal_noise(mean):
    assert false_changes(mean, 0.15, 0.15, 1.0, "lognormal") <= 0.052  # 60,000 pairs: s.e. 0.0009


def test_pictures_of_one_spot_summed_as_if_they_were_three_spots_make_false_changes_and_averages_do_not():
    rng = np.random.default_rng(2)
    spot = rng.poisson(10, (20000, 2))  # a visit's spot; relocated at the next visit
    pictures = rng.binomial(spot[..., None], 0.95, (20000, 2, 3))  # three readings of the same hairs
    summed, averaged = pictures.sum(-1), pictures.mean(-1)
    assert np.mean(mid_p_value(summed[:, 0], summed[:, 1], 0.5) <= 0.05) > 0.15
    assert np.mean(mid_p_value(averaged[:, 0], averaged[:, 1], 0.5) <= 0.05) <= 0.05
    assert np.mean(overdispersed_p_value(averaged[:, 0], averaged[:, 1], 0.5, 0.15) <= 0.05) <= 0.05


def test_mid_p_agrees_with_the_sum_over_the_binomial():
    from scipy.stats import binom

    for k0, k1, share in [(9, 2, 0.5), (0, 6, 0.3), (12, 0, 0.6), (7, 7, 0.5), (3, 30, 0.8)]:
        lower = binom.cdf(k1 - 1, k0 + k1, share) + binom.pmf(k1, k0 + k1, share) / 2
        assert mid_p_value(k0, k1, share) == pytest.approx(min(1, 2 * min(lower, 1 - lower)), abs=1e-12)


def test_without_cv_and_at_equal_area_the_verdict_p_is_the_conditional_mid_p():
    k0, k1 = np.meshgrid(np.arange(40), np.arange(40))
    assert overdispersed_p_value(k0, k1, 0.5, 0.0) == pytest.approx(mid_p_value(k0, k1, 0.5), abs=1e-12)


@given(COUNT, AREA, COUNT, AREA, CV)
@example(0.0, 1.0, 0.0, 1.0, 0.15)
@example(0.0, 1.0, 12.0, 0.3, 0.15)
def test_swapping_the_visits_inverts_the_ratio(count0, area0, count1, area1, cv):
    def inverse(found: RateRatio) -> tuple[float, float, float, float]:
        low, high = (1 / found.high if found.high else math.inf), (1 / found.low if found.low else math.inf)
        return (1 / found.ratio if found.ratio else math.inf, low, high, found.p)

    for there, back in (
        (rate_ratio(count0, area0, count1, area1), rate_ratio(count1, area1, count0, area0)),
        (rate_ratio_wald(count0, area0, count1, area1, cv), rate_ratio_wald(count1, area1, count0, area0, cv)),
        (
            common_rate_ratio([Stratum(count0, area0, count1, area1), Stratum(3, 1, 2, 0.5)], cv=cv),
            common_rate_ratio([Stratum(count1, area1, count0, area0), Stratum(2, 0.5, 3, 1)], cv=cv),
        ),
    ):
        assert inverse(back) == pytest.approx((there.ratio, there.low, there.high, there.p), rel=1e-4, nan_ok=True)


@given(COUNT, AREA, COUNT, AREA, CV)
def test_the_interval_contains_the_estimate_and_agrees_with_p(count0, area0, count1, area1, cv):
    for found in (
        rate_ratio(count0, area0, count1, area1),
        common_rate_ratio([Stratum(count0, area0, count1, area1)], cv=cv),
        common_rate_ratio([Stratum(count0, area0, count1, area1), Stratum(count1, 1, count0, 3)], cv=cv),
    ):
        assert math.isnan(found.ratio) or found.low <= found.ratio <= found.high
        assert 0 <= found.p <= 1
    pooled = common_rate_ratio([Stratum(count0, area0, count1, area1)], cv=cv)
    if abs(pooled.p - 0.05) > 1e-6 and count0 and count1:
        assert (pooled.p < 0.05) == (not pooled.low <= 1 <= pooled.high)


@given(COUNT, AREA, COUNT, AREA, st.floats(0.1, 10))
def test_unit_of_area_does_not_matter_and_a_larger_baseline_area_raises_the_ratio(count0, area0, count1, area1, unit):
    found = rate_ratio(count0, area0, count1, area1)
    scaled = rate_ratio(count0, area0 * unit, count1, area1 * unit)
    assert (scaled.ratio, scaled.low, scaled.high, scaled.p) == pytest.approx(
        (found.ratio, found.low, found.high, found.p), rel=1e-6, nan_ok=True
    )
    if count0 and count1:
        assert rate_ratio(count0, area0 * 2, count1, area1).ratio == pytest.approx(2 * found.ratio)


@given(st.integers(1, 200), CV)
def test_a_deeper_fall_is_never_less_significant(count0, cv):
    p = overdispersed_p_value(count0, np.arange(count0 + 1), 0.5, cv)
    assert (np.diff(p) >= -1e-9).all()
    assert (np.diff(mid_p_value(count0, np.arange(count0 + 1), 0.5)) >= -1e-9).all()


def test_zero_after_treatment_has_an_open_interval_below_and_a_bound_above():
    found = rate_ratio(20, 1, 0, 1)
    assert (found.ratio, found.low) == (0, 0)
    assert 0.05 < found.high < 0.2
    assert found.p < 1e-5
    nothing = common_rate_ratio([Stratum(0, 1, 0, 2)], cv=0.15)
    assert math.isnan(nothing.ratio)
    assert (nothing.low, nothing.high, nothing.p) == (0, math.inf, 1)


def test_sites_of_equal_area_ratio_pool_to_one_and_an_empty_site_says_nothing():
    pooled = common_rate_ratio([Stratum(30, 3, 12, 3)], cv=0.15)
    apart = common_rate_ratio([Stratum(10, 1, 7, 1), Stratum(20, 2, 5, 2), Stratum(0, 1, 0, 9)], cv=0.15)
    assert (apart.ratio, apart.low, apart.high, apart.p) == pytest.approx(
        (pooled.ratio, pooled.low, pooled.high, pooled.p)
    )


def test_stratification_undoes_a_change_of_area_between_sites():
    # Both sites halve, but the second visit took far more of the sparse one: summed up, 6.5 per cm² become 0.6.
    sites = [Stratum(120, 10, 12, 2), Stratum(10, 10, 40, 80)]
    assert common_rate_ratio(sites, cv=0.0).ratio == pytest.approx(0.5, rel=0.02)
    assert rate_ratio(130, 20, 52, 82).ratio < 0.1


def test_too_few_events_can_show_no_fall():
    assert change_needed(4, 0.5, cv=0.15, level=0.05)[0] is None
    assert change_needed(9, 0.5, cv=0.15, level=0.05)[0] == 1
    assert change_needed(40, 0.5, cv=3.0, level=1e-4)[1] is None


def test_wilson_interval_of_29_of_70_is_the_published_one():
    assert wilson_interval(29, 70) == pytest.approx((0.31, 0.53), abs=0.005)
    assert wilson_interval(0, 10)[0] == 0
    assert wilson_interval(10, 10)[1] == pytest.approx(1)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: poisson_interval(-1),
        lambda: poisson_interval(3, 0),
        lambda: poisson_interval(3, 1, 95),
        lambda: rate_ratio(1, 1, math.nan, 1),
        lambda: wilson_interval(3, 2),
        lambda: common_rate_ratio([], cv=0),
        lambda: weighted_poisson_interval([1.0], [0.0]),
    ],
)
def test_impossible_numbers_are_refused_in_words(wrong):
    with pytest.raises(InputError):
        wrong()

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trichotrack.problems import InputError
from trichotrack.stats.model_error import ReaderError, corrected_density, corrected_rate_ratio, ratio_probability
from trichotrack.stats.rates import Stratum, common_rate_ratio, poisson_interval

NONE = ReaderError(1.0, 0.0, 0.0, 0.0)


@pytest.mark.parametrize(("false", "seen"), [(2.0, 0.29), (5.0, 0.35)])
def test_a_true_ratio_of_a_quarter_is_seen_as_published_and_given_back(false, seen):
    shown = [Stratum(100 * (0.8 * 40 + false), 100, 100 * (0.8 * 10 + false), 100)]
    assert common_rate_ratio(shown, cv=0).ratio == pytest.approx(seen, abs=0.005)
    found = corrected_rate_ratio(shown, ReaderError(0.8, 0.05, false, 0.0), cv=0)
    assert found.value == pytest.approx(0.25, abs=1e-12)
    assert found.low < 0.25 < found.high


@pytest.mark.parametrize("cv", [0.0, 0.15])
@pytest.mark.parametrize("false", [2.0, 5.0])
@pytest.mark.parametrize("ratio", [0.25, 1.0])
def test_corrected_intervals_cover_the_true_ratio_and_uncorrected_ones_do_not(false, ratio, cv):
    # 40 per cm² at baseline on 3 cm², sensitivity 0.8; the model's own figures are estimates too.
    rng = np.random.default_rng(int(10 * false + ratio))
    area, number, inside, plain = 3.0, 500, [], []
    for _ in range(number):
        noise = rng.gamma(1 / cv**2, cv**2, 2) if cv else np.ones(2)
        k0 = rng.poisson(area * (0.8 * 40 * noise[0] + false))
        k1 = rng.poisson(area * (0.8 * 40 * ratio * noise[1] + false))
        seen = ReaderError(0.8, 0.05, max(0.05, rng.normal(false, 0.2 * false)), 0.2 * false)
        strata = [Stratum(k0, area, k1, area)]
        low, high = ratio_probability(ratio, strata, seen, cv=cv)
        inside.append(low >= 0.025 and high <= 0.975)
        found = common_rate_ratio(strata, cv=cv)
        plain.append(found.low <= ratio <= found.high)
    # The CV is allowed for on false marks as well, which do not move with the probe: a little wide where they are many.
    assert 0.93 <= np.mean(inside) <= (0.99 if cv and false == 5 else 0.98)  # s.e. 0.009
    if ratio < 1 and false == 5:
        assert np.mean(plain) < 0.85


@given(
    st.integers(1, 150), st.floats(0.3, 5), st.integers(0, 150), st.floats(0.3, 5),
    st.floats(0, 6), st.floats(0, 2), st.sampled_from([0.0, 0.15]),
)  # fmt: skip
def test_a_corrected_interval_leaves_out_one_exactly_where_the_uncorrected_does(k0, a0, k1, a1, false, spread, cv):
    strata = [Stratum(k0, a0, k1, a1), Stratum(4, 1, 2, 2)]
    shown = common_rate_ratio(strata, cv=cv)
    found = corrected_rate_ratio(strata, ReaderError(0.8, 0.05, false, spread), cv=cv)
    if abs(shown.p - 0.05) > 1e-6:
        assert (shown.low <= 1 <= shown.high) == (found.low <= 1 + 1e-9 and found.high >= 1 - 1e-9)
    assert math.isnan(found.value) or found.low <= found.value <= found.high
    if shown.high < 1:
        assert found.high <= shown.high + 1e-6, "never towards no change"


def test_without_false_marks_the_ratio_is_left_as_it_is_and_recall_drops_out():
    strata = [Stratum(40, 1, 12, 1.5), Stratum(9, 2, 3, 0.5)]
    plain = common_rate_ratio(strata, cv=0.15)
    for error in (NONE, ReaderError(0.5, 0.2, 0.0, 0.0)):
        found = corrected_rate_ratio(strata, error, cv=0.15)
        assert (found.low, found.high) == pytest.approx((plain.low, plain.high), rel=1e-6)
        assert found.value == pytest.approx(plain.ratio)


def test_sites_of_any_area_give_back_the_common_ratio():
    density, areas0, areas1 = (40, 12), (1.0, 2.0), (2.5, 0.7)
    strata = [
        Stratum(a0 * (0.8 * d + 4), a0, a1 * (0.8 * d * 0.3 + 4), a1)
        for d, a0, a1 in zip(density, areas0, areas1, strict=True)
    ]
    assert corrected_rate_ratio(strata, ReaderError(0.8, 0, 4, 0), cv=0.1).value == pytest.approx(0.3)


def test_a_baseline_within_the_false_marks_has_no_corrected_ratio():
    found = corrected_rate_ratio([Stratum(4, 2, 3, 2)], ReaderError(0.8, 0.05, 5, 1), cv=0.15)
    assert math.isnan(found.value)
    assert found.low < 1e-6
    assert found.high == math.inf


def test_less_certain_false_marks_widen_the_interval():
    strata = [Stratum(60, 2, 20, 2)]
    sharp, vague = (corrected_rate_ratio(strata, ReaderError(0.8, 0.05, 5, se), cv=0.15) for se in (0.1, 2.5))
    assert vague.high - vague.low > 1.05 * (sharp.high - sharp.low)


def test_a_density_without_reader_error_has_garwood_s_interval():
    for count in (0, 3, 40):
        found = corrected_density(count, 2.0, NONE)
        assert (found.low, found.high) == pytest.approx(poisson_interval(count, 2.0), rel=1e-4, abs=1e-9)


def test_corrected_densities_are_covered():
    rng = np.random.default_rng(4)
    true, area, inside = 20.0, 2.0, []
    for _ in range(700):
        count = rng.poisson(area * (0.8 * true + 3))
        seen = ReaderError(min(0.99, rng.normal(0.8, 0.04)), 0.04, max(0.05, rng.normal(3, 0.5)), 0.5)
        found = corrected_density(count, area, seen)
        inside.append(found.low <= true <= found.high)
    assert 0.93 <= np.mean(inside) <= 0.98


def test_figures_that_cannot_be_are_refused():
    for wrong in [(0.0, 0, 1, 0), (1.2, 0, 1, 0), (0.8, -1, 1, 0), (0.8, 0, math.inf, 0)]:
        with pytest.raises(InputError, match="figures of a model"):
            ReaderError(*wrong)

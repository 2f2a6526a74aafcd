"""Structures followed one by one: the paired test keeps its level, its interval its coverage, and both agree."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trichotrack.problems import InputError
from trichotrack.stats.paired import Followed, paired_interval, paired_p_value, paired_ratio

COUNT = st.integers(0, 60)


def mcnemar_mid_p(lost: int, gained: int) -> float:
    """By enumeration: Fagerland, Lydersen and Laake 2013, equation for the mid-p."""
    n, k = lost + gained, min(lost, gained)
    if lost == gained:
        return 1.0
    chances = [math.comb(n, i) / 2**n for i in range(k + 1)]
    return min(1.0, 2 * (sum(chances) - chances[-1] / 2))


@given(COUNT, COUNT, COUNT)
def test_p_is_mcnemars_mid_p(kept: int, lost: int, gained: int):
    if lost + gained:
        assert paired_ratio(Followed(kept, lost, gained)).p == pytest.approx(mcnemar_mid_p(lost, gained), abs=1e-9)


@given(COUNT, COUNT, COUNT, st.sampled_from([0.0, 0.03, 0.15]))
def test_the_interval_leaves_out_no_change_exactly_where_p_is_small(kept: int, lost: int, gained: int, cv: float):
    found = paired_ratio(Followed(kept, lost, gained), cv=cv)
    assert (found.low > 1 or found.high < 1) == (found.p <= 0.05)
    if kept + lost and kept + gained:
        assert 0 < found.low <= found.ratio <= found.high < math.inf


@given(COUNT, COUNT, COUNT)
def test_the_visits_exchanged_give_the_inverse(kept: int, lost: int, gained: int):
    if kept + lost and kept + gained:
        there, back = paired_ratio(Followed(kept, lost, gained)), paired_ratio(Followed(kept, gained, lost))
        assert there.p == pytest.approx(back.p)
        assert there.low == pytest.approx(1 / back.high, rel=1e-6)


def test_none_before_or_after_leaves_that_side_open():
    assert paired_ratio(Followed(0, 8, 0)).low == 0
    assert paired_ratio(Followed(0, 0, 8)).high == math.inf
    assert math.isnan(paired_ratio(Followed(0, 0, 0)).ratio)


def test_the_score_interval_is_where_the_statistic_reaches_its_quantile():
    # At "no change" the statistic is (gained - lost) / sqrt(gained + lost): with z = 2 and 16 discordant, 4 and 12.
    confidence = math.erf(2 / math.sqrt(2))
    low, high = paired_interval(30, 4, 12, confidence=confidence)
    assert float(low) == pytest.approx(1.0, abs=1e-6)
    assert float(high) > 42 / 34


def test_following_the_same_hairs_tells_more_than_two_counts():
    from trichotrack.stats.rates import rate_ratio

    paired, apart = paired_ratio(Followed(80, 20, 4)), rate_ratio(100, 1.0, 84, 1.0)
    assert paired.p < 0.01
    assert apart.p > 0.2
    assert math.log(paired.high / paired.low) < 0.6 * math.log(apart.high / apart.low)


@pytest.mark.parametrize("discordant", [1.0, 4.0, 10.0, 40.0])
def test_of_stable_patients_at_most_five_in_a_hundred_are_told_of_a_change(discordant: float):
    rng = np.random.default_rng(3)
    lost, gained = rng.poisson(discordant, (2, 40_000))
    assert (paired_p_value(30, lost, gained) <= 0.05).mean() < 0.053


def test_a_reader_who_varies_by_the_cv_that_is_assumed_is_within_the_level():
    rng = np.random.default_rng(4)
    cv, kept = 0.05, 200
    # Misses at each visit vary between captures: what a capture missed of the kept looks lost or gained.
    missed = np.clip(rng.normal(0.1, cv, (2, 20_000)), 0, 1)
    lost, gained = (rng.binomial(kept, share) for share in missed)
    plain = (paired_p_value(kept * 0.8, lost, gained) <= 0.05).mean()
    wide = (paired_p_value(kept * 0.8, lost, gained, cv=cv) <= 0.05).mean()
    assert plain > 0.1
    assert wide < 0.06


@pytest.mark.parametrize(("kept", "lost", "gained"), [(30, 10, 10), (30, 20, 4), (8, 30, 2), (100, 3, 12)])
def test_the_interval_holds_the_true_ratio_nineteen_times_in_twenty(kept: float, lost: float, gained: float):
    rng = np.random.default_rng(5)
    counts = rng.poisson([[kept], [lost], [gained]], (3, 4000))
    low, high = paired_interval(*counts)
    true = (kept + gained) / (kept + lost)
    assert 0.935 < ((low <= true) & (true <= high)).mean() < 0.975


def test_numbers_below_none_are_refused():
    with pytest.raises(InputError, match="not below 0"):
        Followed(1, -1, 0)

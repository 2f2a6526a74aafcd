from __future__ import annotations

import math

import numpy as np
import pytest

from trichotrack.problems import InputError
from trichotrack.stats.power import arms_power, fields_needed, patients_needed, visit_power
from trichotrack.stats.rates import overdispersed_p_value


@pytest.mark.parametrize(("mean", "ratio", "cv"), [(12, 0.3, 0.0), (60, 0.5, 0.15), (1500, 0.6, 0.15), (30, 2.0, 0.15)])
def test_power_between_two_visits_is_what_simulation_finds(mean, ratio, cv):
    rng = np.random.default_rng(int(mean))
    noise = rng.gamma(1 / cv**2, cv**2, (20000, 2)) if cv else np.ones((20000, 2))
    counts = rng.poisson(np.array([mean, ratio * mean]) * noise)
    told = overdispersed_p_value(counts[:, 0], counts[:, 1], 0.5, cv) <= 0.05
    assert visit_power(mean, ratio * mean, cv=cv) == pytest.approx(np.mean(told), abs=0.015)


def ideal_power(mean, ratio, cv):
    """Of the best test that knows the baseline's mean and noise: the log ratio against its own 95 % under no change.

    Randomised at the border, so that it spends its 5 % in full.
    """
    rng = np.random.default_rng(5)
    number = 60000

    def drawn(means):
        noise = rng.gamma(1 / cv**2, cv**2, (number, 2)) if cv else np.ones((number, 2))
        counts = rng.poisson(np.array(means) * noise) + 0.5
        weight = 1 / np.sqrt(1 / counts[:, 0] + 1 / counts[:, 1] + 2 * cv**2)
        return np.abs(np.log(counts[:, 1] / counts[:, 0]) * weight)

    # Under no change at the mean of the two: what is given to a test that conditions on their sum.
    middle = mean * (1 + ratio) / 2
    null, other = drawn((middle, middle)), drawn((mean, ratio * mean))
    border = np.quantile(null, 0.95)
    at = np.mean(np.isclose(null, border))
    spent = np.mean(null > border + 1e-9)
    return np.mean(other > border + 1e-9) + np.mean(np.isclose(other, border)) * ((0.05 - spent) / at if at else 0)


@pytest.mark.parametrize("cv", [0.0, 0.15, 0.3])
@pytest.mark.parametrize(
    ("mean", "ratio"), [(10, 0.2), (20, 0.3), (20, 0.5), (50, 0.5), (100, 0.6), (300, 0.7), (20, 2.5)]
)
def test_power_is_at_least_nine_tenths_of_the_ideal_test_s(mean, ratio, cv):
    ideal = ideal_power(mean, ratio, cv)
    share = 0.85 if (mean, cv) == (10, 0.3) else 0.9  # few events and much noise: whole counts cost most there
    assert visit_power(mean, ratio * mean, cv=cv) >= share * ideal - 0.005  # s.e. of the ideal: 0.002


def test_so_many_fields_reach_the_power_and_one_fewer_does_not():
    found = fields_needed(0.5, 4, sites=3, cv=0.15, level=0.025, power=0.8)
    assert found.power >= 0.8
    events = 4 * 3 * (found.fields - 1)
    assert visit_power(events, events / 2, cv=0.15, level=0.025) < 0.8


def test_a_change_within_the_noise_between_captures_is_never_told_however_many_fields():
    found = fields_needed(0.8, 10, cv=0.15)
    assert found.fields is None
    assert found.limit < 0.35


def test_so_many_patients_reach_the_power_in_a_simulated_trial():
    from scipy.stats import ttest_ind

    found = patients_needed(0.5, 0.9, 40, between_patients=0.6, cv=0.15)
    rng = np.random.default_rng(3)
    trials = 3000

    def arm(ratio):
        shape = trials, found.per_arm
        noise = rng.gamma(1 / 0.15**2, 0.15**2, (2, *shape))
        true = ratio * np.exp(rng.normal(0, 0.6, shape))
        return np.log((rng.poisson(40 * true * noise[1]) + 0.5) / (rng.poisson(40 * noise[0]) + 0.5))

    told = ttest_ind(arm(0.5), arm(0.9), axis=1).pvalue <= 0.05
    assert np.mean(told) == pytest.approx(found.power, abs=0.03)
    assert found.power >= 0.8
    assert arms_power(found.per_arm - 1, math.log(0.9 / 0.5), found.sd) < 0.8


def test_arms_power_agrees_with_a_published_size():
    # Cohen 1988, table 2.4.1: d = 0.5, two-sided 5 %, power 0.80: 64 an arm.
    assert arms_power(64, 0.5, (1, 1)) >= 0.80
    assert arms_power(63, 0.5, (1, 1)) < 0.80


def test_what_cannot_be_is_refused_all_at_once():
    with pytest.raises(InputError) as caught:
        fields_needed(1, -3, sites=0, cv=7, level=2, power=1)
    assert len(caught.value.problems) == 6
    with pytest.raises(InputError):
        patients_needed(0.5, 0.5, 40, between_patients=0.6, cv=0.15)
    assert patients_needed(0.5, 0.501, 40, between_patients=0.6, cv=0.15).per_arm is None

from __future__ import annotations

import math

import numpy as np
import pytest

from trichotrack.problems import InputError
from trichotrack.stats.rates import overdispersed_p_value
from trichotrack.stats.repeatability import Repeats, repeatability


def made(rng, patients, mean, cv, *, repeats=3, area=0.3):
    noise = rng.gamma(1 / cv**2, cv**2, (patients, repeats)) if cv else np.ones((patients, repeats))
    return [
        Repeats(f"P{i}", tuple(map(float, row)), (area,) * repeats) for i, row in enumerate(rng.poisson(mean * noise))
    ]


def test_the_log_sd_is_that_of_a_calculation_by_hand_and_so_is_the_change_it_hides():
    groups = [Repeats("P1", (10, 20), (1, 1)), Repeats("P2", (30, 15), (1, 0.5)), Repeats("P2", (8, 8), (1, 1))]
    squares = (math.log(20.5 / 10.5) ** 2 + math.log(31 / 30.5) ** 2) / 2
    found = repeatability(groups)
    assert found.s_w == pytest.approx(math.sqrt(squares / 3), rel=1e-9)
    assert (found.patients, found.groups, found.df) == (2, 3, 3)
    assert found.s_w_low == pytest.approx(found.s_w * math.sqrt(3 / 9.348404), rel=1e-5)
    assert found.s_w_high == pytest.approx(found.s_w * math.sqrt(3 / 0.2157953), rel=1e-5)
    assert math.log(found.mdc_rise) == pytest.approx(3.182446 * math.sqrt(2) * found.s_w, rel=1e-5)
    assert found.mdc_fall == pytest.approx(1 / found.mdc_rise)


@pytest.mark.parametrize("cv", [0.1, 0.3])
def test_the_cv_beyond_counting_is_recovered_and_its_interval_covers_it(cv):
    rng = np.random.default_rng(7)
    found = [repeatability(made(rng, 30, 60, cv)) for _ in range(300)]
    assert np.sqrt(np.mean([one.cv**2 for one in found])) == pytest.approx(cv, rel=0.1)
    assert 0.9 <= np.mean([one.cv_low <= cv <= one.cv_high for one in found]) <= 0.98
    assert 0.7 <= np.mean([cv <= one.cv_to_judge_by for one in found]) <= 0.9


def test_the_log_sd_holds_counting_and_relocation_and_its_interval_covers_it():
    rng = np.random.default_rng(8)
    cv, mean = 0.15, 80
    noise = rng.gamma(1 / cv**2, cv**2, 200000)
    true = np.std(np.log(rng.poisson(mean * noise) + 0.5))
    inside = [
        one.s_w_low <= true <= one.s_w_high for one in (repeatability(made(rng, 12, mean, cv)) for _ in range(500))
    ]
    assert 0.92 <= np.mean(inside) <= 0.98


@pytest.mark.parametrize(("mean", "cv"), [(20, 0.0), (60, 0.15), (150, 0.25)])
def test_verdicts_that_take_a_measured_cv_keep_their_five_percent(mean, cv):
    rng = np.random.default_rng(21)
    wrong, number = 0.0, 120
    for _ in range(number):
        measured = repeatability(made(rng, 12, mean, cv)).cv_to_judge_by
        noise = rng.gamma(1 / cv**2, cv**2, (400, 2)) if cv else np.ones((400, 2))
        counts = rng.poisson(mean * noise)
        wrong += np.mean(overdispersed_p_value(counts[:, 0], counts[:, 1], 0.5, measured) <= 0.05)
    assert 0.02 <= wrong / number <= 0.055  # s.e. 0.003


def test_groups_of_few_events_are_left_out_and_too_few_groups_are_refused():
    many = made(np.random.default_rng(1), 6, 40, 0.1)
    found = repeatability([*many, Repeats("P9", (1, 0, 2), (1, 1, 1))])
    assert (found.left_out, found.groups) == (1, 6)
    with pytest.raises(InputError, match="1 degrees of freedom show no repeatability"):
        repeatability([Repeats("P1", (10, 12), (1, 1)), Repeats("P2", (9,), (1,))])


def test_every_wrong_group_is_named():
    with pytest.raises(InputError) as caught:
        repeatability([Repeats("P1", (-1, 2), (1, 1)), Repeats("P2", (9, 8), (1, 0))])
    assert len(caught.value.problems) == 2

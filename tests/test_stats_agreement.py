"""Agreement of readers, held to published worked examples, to statsmodels, and to simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest

from trichotrack.problems import InputError
from trichotrack.stats.agreement import (
    bland_altman,
    icc,
    icc_components,
    icc_of,
    kappa,
    kappa_of,
    limits_of,
)

SHROUT_FLEISS = [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]]
"""Six targets by four judges: Shrout and Fleiss 1979, table 2."""

WRIGHT = [494, 395, 516, 434, 476, 557, 413, 442, 650, 433, 417, 656, 267, 478, 178, 423, 427]
MINI_WRIGHT = [512, 430, 520, 428, 500, 600, 364, 380, 658, 445, 432, 626, 260, 477, 259, 350, 451]
"""Peak expiratory flow, l/min, first readings of 17 people by two meters: Bland and Altman 1986, table 1."""

DIAGNOSES = [[75, 1, 4], [5, 4, 1], [0, 0, 10]]
"""100 subjects by two raters: Fleiss, Levin and Paik 2003, table 18.1 (psychotic, neurotic, organic)."""


def test_icc_2_1_of_shrout_and_fleiss_is_0_29():
    found = icc(SHROUT_FLEISS)
    assert found.value == pytest.approx(0.29, abs=0.005)
    # The interval that McGraw and Wong's formula gives for it, as `psych::ICC` of R prints it.
    assert (found.low, found.high) == pytest.approx((0.019, 0.761), abs=0.001)


def test_icc_2_1_is_that_of_the_mean_squares_of_a_two_way_analysis_of_variance():
    x = np.array(SHROUT_FLEISS, float)
    n, k = x.shape
    between = k * x.mean(axis=1).var(ddof=1)
    readers = n * x.mean(axis=0).var(ddof=1)
    left = x - x.mean(axis=1, keepdims=True) - x.mean(axis=0) + x.mean()
    error = (left**2).sum() / ((n - 1) * (k - 1))
    assert (between, readers, error) == pytest.approx((11.24, 32.49, 1.02), abs=0.005)  # printed in the paper
    expected = (between - error) / (between + (k - 1) * error + k * (readers - error) / n)
    assert icc(x).value == pytest.approx(expected, rel=1e-12)


def test_kappa_of_fleiss_levin_and_paik_is_0_68_with_its_error():
    found = kappa(DIAGNOSES)
    assert found.value == pytest.approx(0.676, abs=5e-4)
    assert (found.high - found.low) / 2 / 1.959964 == pytest.approx(0.087, abs=1e-3)  # s.e. that the book prints


def test_kappa_and_its_interval_are_those_of_statsmodels():
    from statsmodels.stats.inter_rater import cohens_kappa

    rng = np.random.default_rng(3)
    for size in (2, 3, 5):
        table = rng.poisson(4, (size, size)) + np.diag(rng.poisson(15, size))
        known = cohens_kappa(table)
        found = kappa(table)
        assert found.value == pytest.approx(known.kappa, rel=1e-12)
        assert (found.low, found.high) == pytest.approx((known.kappa_low, known.kappa_upp), rel=1e-9)


def test_bias_and_limits_of_the_peak_flow_meters_are_those_that_were_published():
    as_published = bland_altman(MINI_WRIGHT, WRIGHT, z=2)  # the paper rounds 1.96 to 2
    assert as_published.bias.value == pytest.approx(-2.1, abs=0.05)
    assert as_published.sd == pytest.approx(38.8, abs=0.05)
    assert as_published.lower.value == pytest.approx(-79.7, abs=0.1)
    assert as_published.upper.value == pytest.approx(75.5, abs=0.1)
    assert (as_published.bias.low, as_published.bias.high) == pytest.approx((-22.0, 17.8), abs=0.1)
    # The paper's approximate intervals of the limits; the exact ones reach farther outwards, as they should.
    lower, upper = as_published.lower, as_published.upper
    assert (lower.low, lower.high) == pytest.approx((-114.3, -45.1), abs=15)
    assert (upper.low, upper.high) == pytest.approx((40.9, 110.1), abs=15)
    assert lower.low < -114.3
    assert upper.high > 110.1


def test_limits_are_1_96_standard_deviations_from_the_bias():
    found = bland_altman(MINI_WRIGHT, WRIGHT)
    assert found.upper.value - found.bias.value == pytest.approx(1.96 * found.sd)
    assert found.bias.value - found.lower.value == pytest.approx(1.96 * found.sd)


def test_a_calibration_error_lowers_absolute_agreement_but_no_order_of_readers_does():
    rng = np.random.default_rng(1)
    x = np.repeat(rng.normal(20, 5, 30)[:, None], 2, axis=1) + rng.normal(0, 1, (30, 2))
    assert icc(x + np.array([0, 5])).value < icc(x).value - 0.1
    assert icc(x[:, ::-1]).value == pytest.approx(icc(x).value)


@pytest.mark.parametrize(("n", "k", "shared"), [(24, 2, 0.8), (24, 2, 0.4), (15, 4, 0.6)])
def test_the_interval_of_the_icc_covers_it(n, k, shared):
    rng = np.random.default_rng(11)
    reader_sd = math.sqrt(0.3 * (1 - shared))
    error_sd = math.sqrt(0.7 * (1 - shared))
    inside = []
    for _ in range(600):
        x = rng.normal(0, math.sqrt(shared), (n, 1)) + rng.normal(0, reader_sd, k) + rng.normal(0, error_sd, (n, k))
        found = icc(x)
        inside.append(found.low <= shared <= found.high)
    assert 0.925 <= np.mean(inside) <= 0.985  # s.e. 0.009


@pytest.mark.parametrize("n", [6, 24])
def test_the_intervals_of_bias_and_limits_cover_them(n):
    rng = np.random.default_rng(12)
    inside = []
    for _ in range(2000):
        found = bland_altman(np.zeros(n), rng.normal(1, 2, n))
        truth = ((found.bias, 1.0), (found.lower, 1 - 1.96 * 2), (found.upper, 1 + 1.96 * 2))
        inside.append([one.low <= true <= one.high for one, true in truth])
    assert np.mean(inside, axis=0) == pytest.approx(0.95, abs=0.018)  # s.e. 0.005


def test_the_interval_of_kappa_covers_it():
    rng = np.random.default_rng(13)
    truth = np.array([[0.4, 0.05, 0.02], [0.03, 0.25, 0.02], [0.02, 0.01, 0.2]])
    true = float(kappa_of(truth))
    drawn = [kappa(rng.multinomial(250, truth.ravel()).reshape(3, 3)) for _ in range(1000)]
    assert np.mean([one.low <= true <= one.high for one in drawn]) == pytest.approx(0.95, abs=0.022)


def test_what_is_added_over_captures_gives_what_the_captures_give():
    rng = np.random.default_rng(5)
    x = rng.poisson(9, (12, 3))
    assert float(icc_of(icc_components(x).sum(axis=0))) == pytest.approx(icc(x).value, rel=1e-12)
    first, second = x[:, 0], x[:, 1]
    d = second - first
    known = bland_altman(first, second)
    sums = np.stack([np.ones(12), d, d**2]).sum(axis=1)
    assert limits_of(sums) == pytest.approx([known.bias.value, known.lower.value, known.upper.value])


def test_readers_who_never_differ_agree_wholly_and_have_no_interval():
    same = icc([[1, 1], [4, 4], [9, 9]])
    assert same.value == pytest.approx(1)
    assert math.isnan(same.low)
    classes = kappa([[5, 0], [0, 7]])
    assert classes.value == 1
    assert math.isnan(classes.high)


@pytest.mark.parametrize(
    ("of", "reason"),
    [
        (lambda: icc([[3, 3], [3, 3]]), "all 4 counts are 3"),
        (lambda: icc([[3, 4]]), "1 captures read by all of them"),
        (lambda: icc([[3], [4]]), "two or more readers"),
        (lambda: icc([[3, math.nan], [4, 4]]), "finite"),
        (lambda: bland_altman([1, 2, 3], [3, 4, 5]), "differ by 2 in each of 3 captures"),
        (lambda: kappa([[9, 0], [0, 0]]), "all 9 structures in one class"),
        (lambda: kappa([[0, 0], [0, 0]]), "no structure at all"),
        (lambda: kappa([[1, 2]]), "square table"),
    ],
)
def test_what_cannot_be_told_is_refused_with_its_reason(of, reason):
    with pytest.raises(InputError, match=reason):
        of()

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.optimize import minimize

from cohort_made import cohort, person
from trichotrack.cohort.endpoints import Settings, analysis_set
from trichotrack.cohort.linear import fit_linear
from trichotrack.cohort.logistic import fit_logistic, maximum_likelihood
from trichotrack.cohort.prediction import auc, predict, shift
from trichotrack.cohort.sentences import events_per_variable, number_text, signed
from trichotrack.cohort.terms import Term, continuous, design, parse_terms
from trichotrack.problems import InputError

SCORE_TABLE = {
    "black dots": (19, 3, "0.14", "0.12"),
    "broken": (26, 6, "0.14", "0.13"),
    "exclamation": (23, 5, "0.16", "0.15"),
    "tapered": (11, 0, "0.043", "0"),
    "upright regrowing": (21, 27, "45", "∞"),
    "pigtail": (3, 9, "5.2", "5.8"),
}
"""By sign: of 38 non-responders, of 27 responders, odds ratio by Firth and by maximum likelihood.

Counts: Waśkiel-Burnat 2020, doi 10.1111/jocd.13064.
"""


@pytest.mark.parametrize("sign", SCORE_TABLE)
def test_odds_ratios_of_the_predictive_score_s_table(sign):
    without, responders, firth, likelihood = SCORE_TABLE[sign]
    x = np.r_[np.arange(38) < without, np.arange(27) < responders].astype(float)[:, None]
    y = np.r_[np.zeros(38), np.ones(27)]
    fit = fit_logistic([sign], x, y)
    (row,) = fit.rows
    a, b, c, d = responders + 0.5, 27 - responders + 0.5, without + 0.5, 38 - without + 0.5
    assert row.firth.ratio == pytest.approx(a * d / (b * c), rel=1e-4), "of one cut, Firth adds a half to each cell"
    assert number_text(row.firth.ratio) == firth
    assert number_text(row.likelihood.ratio) == likelihood
    separated = 0 in {without, responders, 38 - without, 27 - responders}
    assert fit.separated == ((sign,) if separated else ())
    assert math.isfinite(row.firth.high)
    assert row.firth.low > 0


def spector():
    import statsmodels.api as sm

    data = sm.datasets.spector.load_pandas()
    return data.exog.to_numpy(), data.endog.to_numpy()


def test_maximum_likelihood_is_that_of_greene_s_table():
    # Spector and Mazzeo's data; Greene, Econometric Analysis, table of logit estimates: 2.826, 0.095, 2.379.
    x, y = spector()
    fit = fit_logistic(["GPA", "TUCE", "PSI"], x, y)
    assert [round(math.log(row.likelihood.ratio), 3) for row in fit.rows] == [2.826, 0.095, 2.379]
    assert fit.events == 11
    assert "3.7 events per variable: maximum-likelihood estimates inflate" in events_per_variable(fit)


def log_likelihood(beta, x, y, *, firth):
    eta = x @ beta
    value = float((y * eta - np.logaddexp(0, eta)).sum())
    if firth:
        chance = 1 / (1 + np.exp(-eta))
        value += 0.5 * np.linalg.slogdet((x * (chance * (1 - chance))[:, None]).T @ x)[1]
    return value


@pytest.mark.parametrize("name", ["likelihood", "firth"])
def test_profile_bounds_lie_where_the_likelihood_has_fallen_by_half_the_quantile(name):
    x, y = spector()
    x = x - x.mean(axis=0)
    fit = fit_logistic(["GPA", "TUCE", "PSI"], x, y)
    with_one = np.column_stack([np.ones(len(y)), x])

    def best(j, fixed):
        free = [k for k in range(4) if k != j]

        def loss(rest):
            beta = np.empty(4)
            beta[free] = rest
            if j is not None:
                beta[j] = fixed
            return -log_likelihood(beta, with_one, y, firth=name == "firth")

        return -minimize(loss, np.zeros(len(free)), method="BFGS", options={"gtol": 1e-7}).fun

    top = best(None, None)
    for j, row in enumerate(fit.rows, start=1):
        odds = getattr(row, name)
        for bound in (odds.low, odds.high):
            assert top - best(j, math.log(bound)) == pytest.approx(3.841459 / 2, abs=2e-3)
        assert odds.p == pytest.approx(math.erfc(math.sqrt(top - best(j, 0.0))), rel=2e-2)


def test_newton_reaches_the_same_maximum_as_statsmodels():
    import statsmodels.api as sm

    x, y = spector()
    fit = sm.Logit(y, sm.add_constant(x)).fit(disp=0)
    beta, reached = maximum_likelihood(x, y)
    assert beta == pytest.approx(fit.params[1:], rel=1e-5)
    assert reached == pytest.approx(fit.llf, rel=1e-9)


def test_separation_is_named_and_the_other_predictor_keeps_its_finite_odds():
    rng = np.random.default_rng(3)
    y = np.r_[np.zeros(30), np.ones(20)]
    other = rng.normal(size=50) + 0.8 * y
    sure = np.r_[np.zeros(30), rng.integers(0, 2, 20)].astype(float)
    fit = fit_logistic(["sure", "other"], np.column_stack([sure, other]), y)
    assert fit.separated == ("sure",)
    first, second = fit.rows
    assert first.likelihood.ratio == math.inf
    assert first.likelihood.high == math.inf
    assert first.likelihood.low > 1
    assert 1 < second.likelihood.ratio < 20
    assert math.isfinite(first.firth.ratio)


@pytest.mark.parametrize(
    ("x", "y", "problem"),
    [
        (np.ones((4, 0)), [0, 1, 0, 1], "no predictor"),
        (np.arange(4.0)[:, None], [0, 0, 0, 0], "same outcome"),
        (np.eye(4)[:, :3], [0, 1, 0, 1], "4 patients for 3"),
        (np.column_stack([np.arange(8.0), 2 * np.arange(8.0)]), [0, 1] * 4, "follow from the others"),
    ],
)
def test_what_cannot_be_fitted_says_why(x, y, problem):
    fit = fit_logistic([f"x{i}" for i in range(x.shape[1])], x, np.array(y, dtype=float))
    assert problem in fit.problem
    assert not fit.rows


def test_hc3_is_each_residual_over_one_minus_its_leverage():
    rng = np.random.default_rng(1)
    x = rng.normal(size=(25, 2))
    y = 5 + x @ [3.0, 0.0] + rng.normal(size=25) * (1 + np.abs(x[:, 0]))
    fit = fit_linear(["a", "b"], x, y)
    z = np.column_stack([np.ones(25), x])
    inverse = np.linalg.inv(z.T @ z)
    beta = inverse @ z.T @ y
    weights = ((y - z @ beta) / (1 - np.einsum("ij,jk,ik->i", z, inverse, z))) ** 2
    error = np.sqrt(np.diag(inverse @ (z.T * weights) @ z @ inverse))
    quantile = 2.0738731  # t, 22 degrees of freedom
    for j, row in enumerate(fit.rows, start=1):
        assert row.points == pytest.approx(beta[j])
        assert (row.low, row.high) == pytest.approx((beta[j] - quantile * error[j], beta[j] + quantile * error[j]))


def test_a_predictor_that_only_one_patient_has_is_refused_by_least_squares():
    x = np.zeros((10, 1))
    x[0] = 1
    assert "one patient" in fit_linear(["a"], x, np.arange(10.0)).problem


def test_auc_is_the_share_of_pairs_and_calibration_shifts_the_mean():
    scores, y = np.array([0.1, 0.4, 0.4, 0.9]), np.array([0.0, 0.0, 1.0, 1.0])
    assert auc(scores, y) == (1 + 0.5 + 1 + 1) / 4
    assert shift(np.zeros(4), np.array([0.0, 0.0, 0.0, 1.0])) == pytest.approx(math.log(1 / 3))


def test_prediction_from_noise_loses_its_auc_to_the_correction():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(60, 6)), np.repeat([0.0, 1.0], 30)
    found = predict(x, y, resamples=40)
    assert found is not None
    assert found.auc.apparent > 0.6
    assert found.auc.corrected < found.auc.apparent - 0.08
    assert found.slope.corrected < found.slope.apparent
    assert found.in_the_large.apparent == pytest.approx(0, abs=1e-8)
    assert predict(x, y, resamples=5) is None


KINDS = {"duration_years": "number", "age": "number", "aa_type": "group", "pulse": "yes/no", "black_dot_m2": "number"}


def test_terms_are_columns_cuts_and_units_and_every_fault_is_told():
    assert parse_terms(["duration_years<=4", "age/10", "pulse"], KINDS) == (
        Term("duration_years", "<=", 4), Term("age", "/", 10), Term("pulse"),
    )  # fmt: skip
    assert continuous([Term("duration_years", "<=", 4), Term("pulse")]) == (Term("duration_years"), Term("pulse"))
    with pytest.raises(InputError) as caught:
        parse_terms(["durations_years", "aa_type<=4", "a b", "pulse", "pulse", "age/0"], KINDS)
    told = str(caught.value)
    assert "Did you mean duration_years?" in told
    assert len(caught.value.problems) == 5


def test_a_group_is_compared_with_its_most_frequent_value_and_idle_columns_are_dropped_with_the_reason():
    types = ["totalis", "totalis", "patchy", "ophiasis"]
    people = [person(f"p{i}", {0: 60, 9: 10}, aa_type=aa, pulse=1.0, age=40.0 + i) for i, aa in enumerate(types)]
    people.append(person("gap", {0: 60}, aa_type="patchy", pulse=1.0))
    made = cohort(*people)
    found = design(analysis_set(made, Settings()).outcomes, [Term("aa_type"), Term("pulse"), Term("age")], made.kinds)
    assert found.names[:2] == ("AA type ophiasis (vs totalis)", "AA type patchy (vs totalis)")
    assert len(found.outcomes) == 4
    assert ("age not known", 1) in found.left_out
    assert any("does not vary" in reason for reason, _ in found.left_out)


def test_a_landmark_predictor_leaves_out_who_had_responded_or_gone_by_then():
    people = [
        person("responded", {0: 60, 2: 15, 9: 10}, black_dot_m2=3.0),
        person("gone", {0: 60, 1: 50}, black_dot_m2=3.0),
        person("stays", {0: 60, 9: 10}, black_dot_m2=3.0),
        person("late", {0: 60, 9: 50}, black_dot_m2=5.0),
    ]
    made = cohort(*people)
    found = design(analysis_set(made, Settings()).outcomes, [Term("black_dot_m2")], made.kinds)
    assert [outcome.patient.id for outcome in found.outcomes] == ["stays", "late"]
    assert {reason for reason, _ in found.left_out} == {
        "SALT ≤ 20 by the landmark of 2 months", "not seen at or after the landmark of 2 months",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0412, "0.041"), (8.11, "8.1"), (58.3, "58"), (10499, "10,499"), (math.inf, "∞"), (0, "0"), (1e-9, "< 0.0001"),
     (math.nan, "not found")],
)  # fmt: skip
def test_odds_are_printed_with_two_digits(value, text):
    assert number_text(value) == text


def test_a_negative_zero_has_no_sign():
    assert signed(-0.001) == "0.00"
    assert signed(-1.26, 1) == "−1.3"

from __future__ import annotations

import math

import numpy as np
import pytest

from cohort_made import write_tables
from trichotrack.cohort.counts import VisitCount, counts_over_visits, in_windows, told
from trichotrack.cohort.counts_table import read_counts
from trichotrack.problems import InputError


def drawn(patients, seed=0, months=(0, 2, 4), arms=("A", "B"), ratios=None):
    """Poisson counts around a patient's own level, which falls in B."""
    rng = np.random.default_rng(seed)
    ratios = ratios or {("B", 2): 0.5, ("B", 4): 0.25}
    rows = []
    for i in range(patients):
        arm, level = arms[i % len(arms)], 30 * rng.gamma(4, 0.25)
        for month in months:
            area = rng.uniform(0.5, 1.5)
            count = rng.poisson(level * ratios.get((arm, month), 1.0) * area)
            rows.append(VisitCount(f"p{i}", arm, float(month), float(count), area))
    return rows


def test_baseline_is_the_last_visit_on_or_before_the_start_and_others_the_nearest_in_their_window():
    rows = [VisitCount("p", "", month, 1, 1) for month in (-2, -0.5, 1.6, 2.2, 3.3, 4.4)]
    assert [(month, row.month) for month, row in in_windows(rows, [2, 4], 0.5)] == [(0, -0.5), (2, 2.2), (4, 4.4)]
    assert [(m, row.month) for m, row in in_windows(rows, [2, 3], 1.5)] == [(0, -0.5), (2, 2.2), (3, 3.3)]
    assert [(month, row.month) for month, row in in_windows(rows[:2], [2], 0.5)] == [(0, -0.5)]


def test_two_visits_of_everyone_on_equal_areas_give_the_ratio_of_sums_and_mancl_and_derouen_s_interval():
    # One arm, two visits, equal areas: the fitted means are the visit means.
    rng = np.random.default_rng(4)
    first, second = rng.poisson(30, 12), rng.poisson(12, 12)
    rows = [
        VisitCount(f"p{i}", "", month, float(count), 1.0)
        for i, pair in enumerate(zip(first, second, strict=True))
        for month, count in zip((0.0, 2.0), pair, strict=True)
    ]
    found = counts_over_visits(rows, "black_dot", [2], 0.5)
    (ratio,) = found.ratios
    assert ratio.ratio == pytest.approx(second.sum() / first.sum(), rel=1e-5)
    assert found.densities[0].density == pytest.approx(first.mean(), rel=1e-5)
    # By hand: leverage is 1/n in each visit, so residuals are divided by 1 - 1/n.
    residuals = np.column_stack([first / first.mean() - 1, second / second.mean() - 1]) / (1 - 1 / 12)
    error = math.sqrt(((residuals[:, 1] - residuals[:, 0]) ** 2).sum()) / 12
    assert math.log(ratio.high / ratio.low) / 2 == pytest.approx(2.2281389 * error, rel=1e-4)  # t, 10 degrees
    assert "bias-reduced" in found.covariance


def test_arms_are_compared_given_their_baseline():
    found = counts_over_visits(drawn(60, seed=2), "black_dot", [2, 4], 0.5)
    assert "robust" in found.covariance
    between = {one.month: one for one in found.ratios if one.against == "A"}
    assert between[2].low < 0.5 < between[2].high
    assert between[4].low < 0.25 < between[4].high
    assert between[4].high < 1
    stable = next(one for one in found.ratios if one.against == "baseline" and (one.arm, one.month) == ("A", 4))
    assert stable.low < 1 < stable.high


def test_a_visit_where_nothing_was_counted_is_told_and_has_no_ratio():
    rows = drawn(10, arms=("A",), ratios={("A", 4): 0.0})
    found = counts_over_visits(rows, "black_dot", [2, 4], 0.5)
    assert [one.month for one in found.ratios] == [2]
    assert found.densities[-1].density == 0
    assert math.isnan(found.densities[-1].low)
    said = told(found)
    assert any("Nothing was counted in A at month 4" in sentence for sentence in said)
    assert "A fall of active signs is not regrowth." in said[-1]


@pytest.mark.slow
def test_an_arm_of_one_patient_has_its_density_without_an_interval_and_is_not_compared():
    rows = [row for row in drawn(14, months=(0, 4)) if row.arm == "A" or row.patient == "p1"]
    assert len({row.patient for row in rows if row.arm == "B"}) == 1
    found = counts_over_visits(rows, "active_load", (4,), 1.0)
    alone = [one for one in found.densities if one.arm == "B"]
    assert [one.patients for one in alone] == [1, 1]
    assert all(math.isnan(one.low) and one.density == pytest.approx(one.count / one.area_cm2) for one in alone)
    assert "Only one patient in B at month 4: no interval." in found.notes
    assert {ratio.arm for ratio in found.ratios} == {"A"}


def test_stable_patients_are_seldom_told_of_a_change():
    p = [
        counts_over_visits(drawn(12, seed=seed, arms=("A",), months=(0, 2)), "black_dot", [2], 0.5).ratios[0].p
        for seed in range(200)
    ]
    assert 0.01 < np.mean(np.array(p) < 0.05) < 0.075


def test_too_few_patients_or_visits_are_refused():
    with pytest.raises(InputError, match="nothing to compare"):
        counts_over_visits(drawn(4, months=(0,)), "black_dot", [2], 0.5)
    with pytest.raises(InputError, match="too few"):
        counts_over_visits(drawn(4), "black_dot", [2, 4], 0.5)


PEOPLE = [["patient", "arm", "start"], ["a", "A", "2026-01-01"], ["b", "B", ""]]


def test_fields_of_a_visit_add_up_and_a_blank_count_is_unknown(tmp_path):
    counts = [
        ["patient", "month", "date", "outcome", "count", "area_cm2"],
        ["a", 0, "", "black_dot", 4, 0.5],
        ["a", 0, "", "black_dot", 6, 0.25],
        ["a", 0, "", "broken_hair", 99, 0.5],
        ["a", "", "2026-03-03", "black_dot", "", 0.5],
        ["b", 2, "", "black_dot", 0, 0.5],
    ]
    rows = read_counts(write_tables(tmp_path, {"patients": PEOPLE, "counts": counts}), "black_dot")
    assert rows == [VisitCount("a", "A", 0, 10, 0.75), VisitCount("b", "B", 2, 0, 0.5)]
    with pytest.raises(InputError, match="no outcome active_load"):
        read_counts(tmp_path, "active_load")


def test_every_fault_of_the_counts_is_told_at_once(tmp_path):
    counts = [
        ["patient", "month", "outcome", "count", "area_cm2"],
        ["c", 0, "black_dot", 4, 0.5],
        ["a", "", "black_dot", 4, 0.5],
        ["a", 0, "black_dot", -4, 0.5],
        ["a", 0, "black_dot", 4, ""],
        ["a", 0, "", 4, 0],
    ]
    with pytest.raises(InputError) as caught:
        read_counts(write_tables(tmp_path, {"patients": PEOPLE, "counts": counts}), "black_dot")
    assert len(caught.value.problems) == 6

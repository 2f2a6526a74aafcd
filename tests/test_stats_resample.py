from __future__ import annotations

import math

import numpy as np
import pytest

from trichotrack.problems import InputError
from trichotrack.stats.resample import cluster_bootstrap


def mean_of_sums(sums):
    return sums[..., 0] / sums[..., 1]


def test_same_seed_gives_the_same_interval_and_another_seed_another():
    clusters = np.random.default_rng(3).normal(size=(12, 2)) + 5
    first = cluster_bootstrap(clusters, mean_of_sums, n=300, seed=1)
    assert first == cluster_bootstrap(clusters, mean_of_sums, n=300, seed=1)
    assert first != cluster_bootstrap(clusters, mean_of_sums, n=300, seed=2)


def test_interval_covers_the_true_mean_about_as_often_as_stated():
    rng = np.random.default_rng(0)
    inside = 0
    for repeat in range(200):
        values = rng.normal(10, 2, size=40)
        low, high = cluster_bootstrap(np.stack([values, np.ones(40)], 1), mean_of_sums, n=300, seed=repeat)
        inside += low <= 10 <= high
    assert 0.88 <= inside / 200 <= 0.985


def test_people_are_resampled_whole_so_agreeing_captures_of_one_person_do_not_narrow_it():
    person = np.array([[8.0, 1.0], [12.0, 1.0], [9.0, 1.0], [11.0, 1.0]])
    narrow = cluster_bootstrap(person, mean_of_sums, seed=4)
    repeated = cluster_bootstrap(person * 10, mean_of_sums, seed=4)
    assert repeated == pytest.approx(narrow)


def test_one_person_and_an_undefined_statistic_give_no_interval():
    assert all(math.isnan(value) for value in cluster_bootstrap(np.ones((1, 2)), mean_of_sums))
    assert all(math.isnan(value) for value in cluster_bootstrap(np.zeros((5, 2)), mean_of_sums))


def test_a_table_that_is_not_one_is_refused():
    with pytest.raises(InputError, match="finite table"):
        cluster_bootstrap(np.array([1.0, 2.0]), mean_of_sums)
    with pytest.raises(InputError, match="finite table"):
        cluster_bootstrap(np.array([[1.0, np.nan]]), mean_of_sums)

"""Right, false and missed points at every threshold, the threshold chosen, and figures over people."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trichotrack.detect.matching import match
from trichotrack.evaluate.figures import summarise, with_figures
from trichotrack.evaluate.points import CaptureScore, Sweep, best_thresholds, score_capture, sweep_capture
from trichotrack.problems import InputError
from trichotrack.runtime.spec import ModelSpec, SignSpec
from trichotrack.signs import SIGN

NONE = np.empty((0, 2))


def line(*xs: float) -> np.ndarray:
    return np.array([[x, 0.0] for x in xs])


scattered = st.integers(0, 9).flatmap(
    lambda n: st.lists(st.tuples(st.integers(0, 5), st.integers(0, 2)), min_size=n, max_size=n)
)


def as_points(cells) -> np.ndarray:
    return np.array(cells, np.float64).reshape(-1, 2)


@given(scattered, scattered, scattered, st.integers(0, 2**32 - 1), st.floats(0, 1))
@settings(max_examples=100, deadline=None)
def test_every_threshold_gives_what_matching_at_that_threshold_gives(labelled, found, ignored, seed, threshold):
    reference, xy, away = map(as_points, (labelled, found, ignored))
    scores = np.random.default_rng(seed).integers(0, 5, len(xy)) / 4  # ties included
    score = sweep_capture(reference, (xy, scores), away, 1.0).at(threshold)
    above = xy[scores >= threshold]
    assert score.tp == len(match(above, reference, 1.0))
    excused = len(match(above, np.concatenate([reference, away]), 1.0)) - score.tp
    assert score.fp == len(above) - score.tp - excused
    assert score.fn == len(reference) - score.tp
    assert score.predicted == score.tp + score.fp


@pytest.mark.parametrize(
    ("why", "reference", "xy", "scores", "ignored", "expected"),
    [
        ("all found", line(0, 10), line(1, 9), [0.9, 0.8], NONE, (2, 0, 0)),
        ("two marks on one hair: one is false", line(0), line(0, 1), [0.9, 0.8], NONE, (1, 1, 0)),
        ("a mark beyond the tolerance is false and a miss", line(0), line(3), [0.9], NONE, (0, 1, 1)),
        ("below the threshold is not there", line(0), line(0), [0.4], NONE, (0, 0, 1)),
        ("at the threshold is there", line(0), line(0), [0.5], NONE, (1, 0, 0)),
        ("an ignored object excuses one mark", NONE, line(0, 1), [0.9, 0.8], line(0), (0, 1, 0)),
        ("a label comes before an ignored object", line(0), line(0), [0.9], line(0), (1, 0, 0)),
        ("an ignored object is never missed", NONE, NONE, [], line(0), (0, 0, 0)),
        ("beside a matched label the other mark is excused", line(0), line(0, 1), [0.9, 0.8], line(1), (1, 0, 0)),
    ],
)
def test_counts_of_small_cases(why, reference, xy, scores, ignored, expected):
    assert score_capture(reference, (xy, np.array(scores)), ignored, 2.0, 0.5) == expected, why


def test_the_best_threshold_lies_between_the_last_right_and_the_first_false_detection():
    sweep = sweep_capture(line(0, 10, 20), (line(0, 10, 50), np.array([0.9, 0.8, 0.4])), NONE, 1.0, sign="black_dot")
    choice = best_thresholds([sweep])["black_dot"]
    assert choice.threshold == pytest.approx(0.6)
    assert choice.f1 == pytest.approx(2 * 2 / (2 + 3))
    assert (choice.precision, choice.recall) == (1.0, pytest.approx(2 / 3))
    assert not choice.limited


def test_a_ceiling_of_false_positives_raises_the_threshold_and_says_so():
    def sweep(area_cm2):
        xy, scores = line(0, 90, 10, 20), np.array([0.9, 0.8, 0.7, 0.6])
        return sweep_capture(line(0, 10, 20), (xy, scores), NONE, 1.0, sign="black_dot", area_cm2=area_cm2)

    free = best_thresholds([sweep(0.5)])["black_dot"]
    held = best_thresholds([sweep(0.5)], max_fp_per_cm2={"black_dot": 1.0})["black_dot"]
    assert free.threshold < 0.6 + 1e-9
    assert free.false_positives_per_cm2 == pytest.approx(2.0)
    assert held.threshold == pytest.approx(0.85)
    assert held.false_positives_per_cm2 == 0
    assert held.limited
    assert not free.limited
    with pytest.raises(InputError, match="scale"):
        best_thresholds([sweep(None)], max_fp_per_cm2={"black_dot": 1.0})


def random_sweeps(seed: int, captures: int) -> list[Sweep]:
    """Of a sign `a` on 0.5 cm² each: four places, up to seven marks, scores of nine values."""
    rng = np.random.default_rng(seed)
    sweeps = []
    for _ in range(captures):
        n = rng.integers(0, 8)
        xy, scores = rng.uniform(0, 6, (n, 2)), rng.integers(1, 9, n) / 9
        sweeps.append(sweep_capture(rng.uniform(0, 6, (4, 2)), (xy, scores), NONE, 1.0, sign="a", area_cm2=0.5))
    return sweeps


@given(st.integers(0, 2**32 - 1), st.integers(1, 4), st.sampled_from([None, 0.0, 3.0]))
@settings(max_examples=60, deadline=None)
def test_no_other_threshold_under_the_ceiling_has_a_better_f1(seed, captures, ceiling):
    sweeps = random_sweeps(seed, captures)
    choice = best_thresholds(sweeps, max_fp_per_cm2=None if ceiling is None else {"a": ceiling})["a"]
    assert 0 < choice.threshold < 1
    for threshold in [*np.linspace(0.01, 0.99, 40), choice.threshold]:
        at = [sweep.at(threshold) for sweep in sweeps]
        tp, fp, fn = (sum(getattr(score, name) for score in at) for name in ("tp", "fp", "fn"))
        f1 = 2 * tp / (2 * tp + fp + fn)
        if ceiling is None or fp <= ceiling * 0.5 * captures:
            assert f1 <= choice.f1 + 1e-12
        if threshold == choice.threshold:
            assert f1 == pytest.approx(choice.f1)


@given(st.integers(0, 2**32 - 1), st.integers(1, 6), st.sampled_from([None, 1.0]))
@settings(max_examples=60, deadline=None)
def test_of_thresholds_as_good_the_one_taken_counts_nearest_or_off_by_no_more_than_chance(seed, captures, ceiling):
    sweeps = random_sweeps(seed, captures)
    ceilings = None if ceiling is None else {"a": ceiling}
    best = best_thresholds(sweeps, max_fp_per_cm2=ceilings)["a"]
    chosen = best_thresholds(sweeps, max_fp_per_cm2=ceilings, as_good=0.1)["a"]
    least_f1 = best.f1 - 0.1 * (1 - best.f1)
    assert chosen.f1 >= least_f1 - 1e-12
    assert chosen.limited == best.limited

    def told(threshold: float) -> tuple[float, int, int]:
        at = [sweep.at(threshold) for sweep in sweeps]
        tp, fp, fn = (sum(getattr(score, name) for score in at) for name in ("tp", "fp", "fn"))
        return 2 * tp / (2 * tp + fp + fn), abs(fp - fn), fp

    if best.f1 > 0:
        _, chosen_off, false = told(chosen.threshold)
        missed = 4 * captures - round(chosen.recall * 4 * captures)
        for threshold in np.linspace(0.01, 0.99, 60):
            f1, off, fp = told(threshold)
            if f1 >= least_f1 and (ceiling is None or fp <= ceiling * 0.5 * captures):
                assert chosen_off <= max(off, np.sqrt(false + missed))


def test_among_thresholds_that_the_captures_cannot_tell_apart_the_middle_one_is_taken():
    # Of 105, 90 right and 10 false at 0.9; below, the count comes nearer, from 5 off to 1 off, where √25 is chance.
    scores = np.array([0.9] * 100 + [0.6, 0.5, 0.4, 0.3] + [0.1] * 30)
    right = np.array([True] * 90 + [False] * 10 + [True, True, False, False] + [False] * 30)
    sweep = Sweep("p1", "1.jpg", "a", 105, scores, right, np.zeros_like(right), 0.5)
    assert best_thresholds([sweep], as_good=0.2)["a"].threshold == pytest.approx(0.45)


def test_a_sign_nobody_labelled_or_found_keeps_the_middle_threshold():
    empty = sweep_capture(NONE, (NONE, np.empty(0)), NONE, 1.0, sign="a")
    assert best_thresholds([empty])["a"].threshold == 0.5


def score(patient: str, tp: int, fp: int, fn: int, *, area_cm2: float | None = 0.5) -> CaptureScore:
    return CaptureScore(patient, f"{patient}.jpg", "black_dot", tp, fp, fn, tp + fp, tp + fn, area_cm2)


def test_figures_are_pooled_over_captures():
    figures = summarise([score("p1", 3, 1, 0), score("p1", 0, 0, 1), score("p2", 5, 0, 3)])["black_dot"]
    assert (figures.patients, figures.captures, figures.labelled, figures.predicted) == (2, 3, 12, 9)
    assert figures.precision.value == pytest.approx(8 / 9)
    assert figures.recall.value == pytest.approx(8 / 12)
    assert figures.f1.value == pytest.approx(16 / 21)
    assert figures.count_mae.value == pytest.approx((1 + 1 + 3) / 3)
    assert figures.bias.value == pytest.approx((1 - 1 - 3) / 3)
    assert figures.false_positives_per_cm2.value == pytest.approx(1 / 1.5)


def test_intervals_are_over_people_so_more_captures_of_the_same_two_do_not_narrow_them():
    few = [score("p1", 9, 1, 1), score("p2", 3, 2, 7)]
    one, many = summarise(few)["black_dot"].f1, summarise(few * 20)["black_dot"].f1
    assert (one.low, one.high) == pytest.approx((many.low, many.high))
    assert one.low < one.value < one.high


def test_one_person_gives_a_value_without_an_interval():
    figures = summarise([score("p1", 3, 1, 0)])["black_dot"]
    assert figures.f1.value == pytest.approx(6 / 7)
    assert figures.f1.low is figures.f1.high is None
    assert figures.recall_se > 0


def test_where_only_the_number_is_labelled_count_error_is_known_and_the_rest_is_not():
    counted = CaptureScore("p1", "a.jpg", "black_dot", None, None, None, predicted=4, reference=6)
    figures = summarise([counted])["black_dot"]
    assert (figures.captures, figures.located, figures.count_mae.value, figures.bias.value) == (1, 0, 2.0, -2.0)
    assert figures.f1.value is figures.recall.value is figures.recall_se is None
    mixed = summarise([counted, score("p2", 3, 1, 0)])["black_dot"]
    assert (mixed.captures, mixed.located, mixed.f1.value) == (2, 1, pytest.approx(6 / 7))


def test_standard_errors_agree_with_the_spread_over_repeated_studies():
    rng = np.random.default_rng(1)
    recalls, errors = [], []
    for _ in range(200):
        chances = rng.beta(8, 4, 30)  # people differ
        hits = rng.binomial(20, chances)
        figures = summarise(
            [score(f"p{i}", int(hit), 0, 20 - int(hit)) for i, hit in enumerate(hits)], resamples=1
        )["black_dot"]  # fmt: skip
        recalls.append(figures.recall.value)
        errors.append(figures.recall_se)
    assert np.mean(errors) == pytest.approx(np.std(recalls), rel=0.15)


def test_no_false_positive_seen_is_not_certainty_that_there_is_none():
    figures = summarise([score("p1", 5, 0, 0), score("p2", 5, 0, 0)])["black_dot"]
    assert figures.false_positives_per_cm2.value == 0
    assert figures.false_positives_per_cm2_se == pytest.approx(0.5**0.5 / 1.0)


def test_without_a_scale_there_is_no_rate_per_area():
    figures = summarise([score("p1", 5, 2, 0, area_cm2=None)])["black_dot"]
    assert figures.false_positives_per_cm2.value is figures.false_positives_per_cm2_se is None


def test_measured_figures_go_into_the_spec_and_signs_without_any_stay_as_they_were():
    spec = ModelSpec(
        name="m", signs=(SignSpec(SIGN["black_dot"], 0.4), SignSpec(SIGN["broken_hair"], 0.6)), um_per_px=6.0, stride=4,
        total_stride=16, halo_px=64, pad_value=114, min_distance_um=60, outputs=("peaks",), trained_on="t",
        validated_on="v",
    )  # fmt: skip
    figures = summarise([score("p1", 3, 1, 1), score("p2", 4, 0, 0)])
    measured = with_figures(spec, figures)
    assert measured.signs[0].recall == pytest.approx(7 / 8)
    assert measured.signs[0].false_positives_per_cm2 == pytest.approx(1.0)
    assert measured.signs[0].recall_se > 0
    assert measured.signs[1] == spec.signs[1]
    assert ModelSpec.from_json(measured.to_json()) == measured

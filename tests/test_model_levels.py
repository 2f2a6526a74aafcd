"""Numbers and presences of whole captures teach through the peaks: gradients by hand, and what crops may say."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression

from trichotrack.model import levels
from trichotrack.model.augment import Augmenter, crop
from trichotrack.model.plan import Plan
from trichotrack.model.sample import COUNT, EXHAUSTIVE, PRESENCE, UNKNOWN, Sample, Structures, tensors_of

PLAN = Plan(signs=("black_dot", "broken_hair"))
NAN = math.nan


def grid(*values):
    """Logits (1, 1, 1, 4) with peaks at the first and the third cell, of p = 0.5 and p = 0.75, and whatever beside."""
    return torch.tensor(values).view(1, 1, 1, 4).requires_grad_()


def two_peaks():
    # σ(0) = 0.5; σ(ln 3) = 0.75. The cells beside are no peaks: whatever they hold, they must get no gradient.
    return grid(0.0, -1.0, math.log(3), 0.5), torch.tensor([True, False, True, False]).view(1, 1, 1, 4)


def test_a_number_pulls_every_peak_by_the_poisson_likelihood():
    # λ = 0.5 + 0.75 = 1.25, n = 2. The halved deviance n ln(n/λ) - (n - λ) = 2 ln 1.6 - 0.75 = 0.190007, over n 0.095.
    # d/dλ = 1 - n/λ = -0.6; dλ/dlogit = p (1 - p) = 0.25 and 0.1875; over n = 2: -0.075 and -0.05625.
    logits, peaks = two_peaks()
    loss = levels.count(logits, peaks, torch.tensor([[2.0]]))
    loss.backward()
    assert loss.item() == pytest.approx(0.0950036, rel=1e-5)
    assert logits.grad.flatten().tolist() == pytest.approx([-0.075, 0, -0.05625, 0])


def test_a_number_of_none_pushes_every_peak_down_by_its_own_slope():
    # n = 0: the loss is λ itself = 1.25, its gradient p (1 - p).
    logits, peaks = two_peaks()
    loss = levels.count(logits, peaks, torch.tensor([[0.0]]))
    loss.backward()
    assert loss.item() == pytest.approx(1.25)
    assert logits.grad.flatten().tolist() == pytest.approx([0.25, 0, 0.1875, 0])


@pytest.mark.parametrize(("number", "signs"), [(0.0, (+1, +1)), (1.0, (+1, -1)), (2.0, (-1, -1)), (5.0, (-1, -1))])
def test_so_many_of_the_highest_peaks_as_there_are_structures_are_pulled_up_and_the_others_down(number, signs):
    logits, peaks = two_peaks()
    levels.claimed(logits, peaks, torch.tensor([[number]]), 1).backward()
    first, beside, second, last = logits.grad.flatten().tolist()
    assert (math.copysign(1, first), math.copysign(1, second)) == signs
    assert (beside, last) == (0, 0)


def test_the_claim_of_one_structure_is_the_focal_loss_by_hand():
    # n = 1: the peak of p = 0.75 is taken, (1 - 0.75)² · -ln 0.75 = 0.0179801; that of 0.5 is not,
    # 0.5² · ln 2 = 0.1732868. d/dlogit = p (1 - p) d/dp: of the first
    # -(2 · 0.25 · 0.2876821 + 0.0625 / 0.75) · 0.1875 = -0.0425952, of the other
    # (ln 2 + 0.25 / 0.5) · 0.25 = 0.2982868.
    logits, peaks = two_peaks()
    loss = levels.claimed(logits, peaks, torch.tensor([[1.0]]), 1)
    loss.backward()
    assert loss.item() == pytest.approx(0.1912669, rel=1e-5)
    assert logits.grad.flatten().tolist() == pytest.approx([0.2982868, 0, -0.0425952, 0], rel=1e-5)


def test_a_peak_beside_a_higher_one_is_no_structure_of_its_own():
    logits, peaks = two_peaks()
    levels.claimed(logits, peaks, torch.tensor([[2.0]]), 2).backward()
    assert logits.grad[0, 0, 0, 0] > 0
    assert logits.grad[0, 0, 0, 2] < 0


def test_presence_pulls_the_likelier_peak_more_and_absence_pushes_each_by_its_chance():
    # P = 1 - 0.5 · 0.25 = 0.875. Present: -ln 0.875, d/dlogit = -(1 - P) / P · p = -p / 7: -0.0714286 and -0.1071429.
    # Absent: -ln(1 - P) = ln 8, d/dlogit = p: 0.5 and 0.75.
    every = torch.tensor([False])
    for present, expected, gradient in (
        (1.0, -math.log(0.875), [-0.5 / 7, -0.75 / 7]),
        (0.0, math.log(8), [0.5, 0.75]),
    ):
        logits, peaks = two_peaks()
        loss = levels.presence(logits, peaks, torch.tensor([[present]]), every)
        loss.backward()
        assert loss.item() == pytest.approx(expected, rel=1e-5)
        assert logits.grad.flatten()[[0, 2]].tolist() == pytest.approx(gradient, rel=1e-5)
        assert not logits.grad.flatten()[[1, 3]].any()


def test_where_presence_is_all_that_is_known_only_the_likeliest_peaks_speak(monkeypatch):
    # With one peak allowed, P = 0.75: present gives -ln 0.75, gradient -(0.25 / 0.75) · 0.75 = -0.25 at that peak.
    monkeypatch.setattr(levels, "TOP", 1)
    logits, peaks = two_peaks()
    loss = levels.presence(logits, peaks, torch.tensor([[1.0]]), torch.tensor([True]))
    loss.backward()
    assert loss.item() == pytest.approx(-math.log(0.75), rel=1e-5)
    assert logits.grad.flatten().tolist() == pytest.approx([0, 0, -0.25, 0])


def test_what_is_unknown_teaches_nothing_at_either_level():
    for loss in (
        lambda logits, peaks: levels.count(logits, peaks, torch.tensor([[NAN]])),
        lambda logits, peaks: levels.presence(logits, peaks, torch.tensor([[NAN]]), torch.tensor([False])),
    ):
        logits, peaks = two_peaks()
        value = loss(logits, peaks)
        value.backward()
        assert value.item() == 0
        assert not logits.grad.any()


def test_a_calibration_scales_the_gradient_that_reaches_the_logits():
    # slope 2, offset ln 3 make logit 0 a p of 0.75: alone, λ = 0.75 against n = 1: (1 - 1/0.75) · 0.1875 · 2 = -0.125.
    calibration = levels.Calibration(1)
    calibration.slope.fill_(2.0)
    calibration.offset.fill_(math.log(3))
    logits = torch.zeros(1, 1, 1, 1, requires_grad=True)
    levels.count(calibration(logits), torch.ones(1, 1, 1, 1, dtype=torch.bool), torch.tensor([[1.0]])).backward()
    assert logits.grad.item() == pytest.approx(-0.125, rel=1e-5)


@given(st.integers(0, 10**6))
def test_the_loss_of_a_number_is_least_where_the_expected_number_is_it(seed):
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(1, 1, 4, 4, generator=generator)
    peaks = torch.ones_like(logits, dtype=torch.bool)
    expected = logits.sigmoid().sum()
    at = levels.count(logits, peaks, expected.view(1, 1))
    assert at.item() == pytest.approx(0, abs=1e-5)
    for moved in (0.8, 1.25):
        assert levels.count(logits, peaks, (expected * moved).view(1, 1)) > at


def test_a_calibration_follows_the_logistic_regression_of_what_it_is_shown():
    rng = np.random.default_rng(3)
    logits = rng.normal(-1.0, 2.0, (60, 1, 20, 20))
    right = rng.random(logits.shape) < 1 / (1 + np.exp(-(1.7 * logits - 0.8)))
    calibration = levels.Calibration(1)
    everything, known = torch.ones(1, 1, 20, 20, dtype=torch.bool), torch.tensor([[True]])
    for x, y in zip(logits, right, strict=True):
        calibration.fit(torch.tensor(x[None]).float(), everything, torch.tensor(y[None]), known)
    reference = LogisticRegression(C=np.inf).fit(logits.reshape(-1, 1), right.ravel())
    assert calibration.slope.item() == pytest.approx(reference.coef_[0, 0], abs=0.15)
    assert calibration.offset.item() == pytest.approx(reference.intercept_[0], abs=0.15)


def test_a_calibration_hears_only_located_signs_and_is_the_identity_until_then():
    calibration = levels.Calibration(2)
    logits = torch.full((1, 2, 4, 4), 2.0)
    assert torch.equal(calibration(logits), logits)
    assert not calibration.changes
    peaks = torch.ones_like(logits, dtype=torch.bool)
    calibration.fit(logits, peaks, ~peaks, torch.tensor([[True, False]]))
    assert calibration.offset[0] < 0
    assert (calibration.slope[1], calibration.offset[1]) == (1, 0)
    old = {name: value for name, value in levels.Calibration(2).state_dict().items() if name == "nothing"}
    levels.Calibration(2).load_state_dict(old)  # a checkpoint from before there were calibrations


def test_each_root_makes_one_peak_right():
    logits = torch.zeros(1, 1, 1, 9)
    logits[0, 0, 0, 1], logits[0, 0, 0, 3], logits[0, 0, 0, 8] = 2.0, 3.0, 5.0
    peaks, roots = logits > 0, torch.zeros(1, 1, 1, 9, dtype=torch.bool)
    roots[0, 0, 0, 2] = True
    assert levels.right_peaks(logits, peaks, roots, 2).flatten().nonzero().flatten().tolist() == [3]


def test_followed_logits_stand_in_place_of_those_at_first_sight():
    first = torch.zeros(1, 2, 2, 2)
    result = levels.followed(first, torch.tensor([[3, 0]]), torch.tensor([[[1.0, 2.0], [3.0, 4.0]]]))
    assert result.tolist() == [[[[2, 0], [0, 1]], [[4, 0], [0, 3]]]]


def sample(known, values, side=64):
    nothing = np.zeros((0, 2))
    return Sample(
        np.full((side, side, 3), 200, np.uint8),
        Structures(nothing, np.zeros(0, np.int64), nothing, nothing, nothing),
        np.array(known),
        np.ones((side, side), bool),
        np.full((side, side), UNKNOWN, np.uint8),
        np.zeros((side, side), np.uint8),
        np.array(values, float),
    )


@pytest.mark.parametrize(("level", "name"), [(COUNT, "counted"), (PRESENCE, "present")])
def test_none_in_a_capture_teaches_every_cell_of_it_and_some_teach_no_cell(level, name):
    none, some = (tensors_of(sample([level, EXHAUSTIVE], [value, NAN]), PLAN) for value in (0.0, 1.0))
    assert none["weight"][0].all()
    assert not some["weight"][0].any()
    assert (none[name][0], some[name][0]) == (0, 1)
    assert some["located"].tolist() == [False, True]
    assert all(math.isnan(one[other][1]) for one in (none, some) for other in ("counted", "present"))


def test_a_part_of_a_capture_keeps_a_zero_and_forgets_a_number():
    whole = sample([COUNT, COUNT], [0.0, 5.0])
    assert np.array_equal(crop(whole, 0, 0, 96, 96).values, [0, 5])
    assert np.array_equal(crop(whole, 1, 0, 96, 96).values, [0, NAN], equal_nan=True)
    rng = np.random.default_rng(0)
    assert np.array_equal(Augmenter((96, 64), whole=True)(whole, rng).values, [0, 5])
    # A turn by any angle may push a corner out of the picture.
    assert np.array_equal(Augmenter(96)(whole, rng).values, [0, NAN], equal_nan=True)


@pytest.mark.parametrize("level", ["count", "presence"])
def test_image_labels_alone_tell_the_structure_from_what_always_lies_beside_it(level):
    # Forty pictures of specks of a kind that is not labelled; half of them have specks of the labelled kind too.
    rng, generator = np.random.default_rng(5), torch.Generator().manual_seed(5)
    seen, number = torch.zeros(40, 2, 24, 24), torch.zeros(40, 1)
    for i in range(40):
        places = rng.permutation(64)[: rng.integers(2, 13)] * 9
        sought = len(places) // 2 if i % 2 else 0
        number[i] = sought
        for k, place in enumerate(places):
            seen[i, 0 if k < sought else 1].view(-1)[int(place)] = 1.0
    seen += 0.05 * torch.rand(seen.shape, generator=generator)
    weight, bias = torch.zeros(2, requires_grad=True), torch.full((1,), -4.0, requires_grad=True)
    optimiser = torch.optim.Adam([weight, bias], lr=0.1)
    for _ in range(300):
        logits = (seen * weight.view(1, 2, 1, 1)).sum(1, keepdim=True) + bias
        peaks = levels.peak_mask(seen.amax(1, keepdim=True))
        loss = (
            levels.count(logits, peaks, number)
            if level == "count"
            else levels.presence(logits, peaks, (number > 0).float(), torch.tensor([True]))
        )
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    chance = (logits.sigmoid() * peaks).detach()
    # Every speck of the sought kind is likelier than every one of the other.
    assert chance[seen[:, :1] > 0.9].min() > 0.5 > chance[seen[:, 1:] > 0.9].max()
    if level == "count":
        assert torch.allclose(chance.sum((2, 3)), number, atol=0.5)

"""What the loss looks at, and what it must not."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from trichotrack.model import losses
from trichotrack.model.drawn import DrawnCapture
from trichotrack.model.plan import Plan
from trichotrack.model.sample import (
    EXHAUSTIVE,
    NOT_SCALP,
    PARTIAL,
    SCALP,
    UNKNOWN,
    Sample,
    Structures,
    tensors_of,
)
from trichotrack.synth.priors import Priors, ScalpPriors

SIGNS = ("black_dot", "broken_hair")


def structures(points, channels, ignored=()):
    n = len(points)
    return Structures(
        np.array(points, float).reshape(-1, 2),
        np.array(channels, np.int64),
        np.full((n, 2), np.nan),
        np.full((n, 2), np.nan),
        np.array(ignored, float).reshape(-1, 2),
    )


def sample(levels, points=((20, 20), (44, 44)), channels=(0, 1), ignored=(), valid=None):
    return Sample(
        np.zeros((64, 64, 3), np.uint8),
        structures(points, channels, ignored),
        np.array(levels),
        np.ones((64, 64), bool) if valid is None else valid,
        np.full((64, 64), UNKNOWN, np.uint8),
    )


def gradient(one):
    batch = {name: value[None] for name, value in tensors_of(one, Plan(signs=SIGNS)).items()}
    logits = torch.zeros(1, 2, 16, 16, requires_grad=True)
    losses.focal(logits, batch["heat"], batch["weight"]).backward()
    return logits.grad[0]


def test_an_unlabelled_sign_gets_no_gradient():
    grad = gradient(sample([EXHAUSTIVE, UNKNOWN]))
    assert grad[0].abs().min() > 0
    assert not grad[1].any()


def test_partial_labels_pull_up_their_own_cells_and_nothing_else():
    grad = gradient(sample([EXHAUSTIVE, PARTIAL]))
    assert torch.nonzero(grad[1]).tolist() == [[11, 11]]
    assert grad[1, 11, 11] < 0


def test_the_loss_looks_away_around_ignored_structures_but_not_from_a_labelled_root_among_them():
    grad = gradient(sample([EXHAUSTIVE, EXHAUSTIVE], ignored=[(20, 24)]))
    assert not grad[:, 7, 5].any()
    assert grad[0, 5, 5] < 0
    assert grad[1, 15, 0] > 0


def test_invalid_scalp_teaches_nothing():
    valid = np.ones((64, 64), bool)
    valid[:, :32] = False
    grad = gradient(sample([EXHAUSTIVE, EXHAUSTIVE], points=[(50, 50)], channels=[0], valid=valid))
    assert not grad[..., :8].any()
    assert grad[1, :, 8:].abs().min() > 0


def test_focal_loss_of_one_cell_is_what_hand_reckoning_gives():
    # p = 0.5 at a root: (1 - p)^2 * -log p = 0.25 * 0.6931; next to it heat 0.6: (1 - 0.6)^4 * p^2 * -log(1 - p).
    logits = torch.zeros(1, 1, 1, 2)
    heat = torch.tensor([[[[1.0, 0.6]]]])
    expected = 0.25 * 0.693147 + 0.4**4 * 0.25 * 0.693147
    assert losses.focal(logits, heat, torch.ones_like(heat)).item() == pytest.approx(expected, rel=1e-5)


def test_shafts_are_learnt_only_where_known():
    known = Structures(
        np.array([[20.0, 20.0], [44.0, 44.0]]),
        np.array([0, 1]),
        np.array([[20.0, 40.0], [np.nan, np.nan]]),
        np.array([[60.0, np.nan], [np.nan, np.nan]]),
        np.zeros((0, 2)),
    )
    tensors = tensors_of(
        replace(sample([EXHAUSTIVE] * 2), structures=known),
        Plan(signs=SIGNS),
    )
    direction_x, direction_y, length, root_width, tip_width = tensors["shaft"][:, 5, 5]
    assert (direction_x, direction_y) == (0, 1)
    assert length.exp() * 100 == pytest.approx(120.0, rel=1e-5)
    assert root_width.exp() * 100 == pytest.approx(60.0, rel=1e-5)
    assert tip_width.isnan()
    assert tensors["shaft"][:, 11, 11].isnan().all()
    predicted = torch.zeros(1, 5, 16, 16, requires_grad=True)
    losses.at_roots(predicted, tensors["shaft"][None], tensors["root"][None]).backward()
    assert torch.isfinite(predicted.grad).all()
    assert set(torch.nonzero(predicted.grad[0])[:, 0].tolist()) == {1, 2, 3}


def test_scalp_is_taught_where_it_is_known_and_nowhere_else():
    shown = np.full((64, 64), UNKNOWN, np.uint8)
    shown[:, :16], shown[:, 16:32] = SCALP, NOT_SCALP
    target = tensors_of(replace(sample([EXHAUSTIVE] * 2), scalp=shown), Plan(signs=SIGNS))["scalp"][None]
    logits = torch.zeros(1, 1, 16, 16, requires_grad=True)
    loss = losses.scalp(logits, target)
    loss.backward()
    assert loss.item() == pytest.approx(np.log(2), rel=1e-5)
    # d/dx of the cross-entropy at 0 is p - y = ±0.5, over 128 known cells.
    assert torch.allclose(logits.grad[0, 0, :, :4], torch.tensor(-0.5 / 128))
    assert torch.allclose(logits.grad[0, 0, :, 4:8], torch.tensor(0.5 / 128))
    assert not logits.grad[0, 0, :, 8:].any()


def test_a_drawn_clipped_scalp_says_nothing_of_signs_told_by_their_free_end():
    plan = Plan(("black_dot", "broken_hair", "terminal_hair", "pigtail_hair"), ("intermediate_hair",))
    priors = Priors(scalp=ScalpPriors(clipped_chance=1.0))
    clipped = DrawnCapture(plan, (6.0, 6.0), (900.0, 900.0), priors).sample(3, 0, 0)
    assert clipped.levels.tolist() == [EXHAUSTIVE, UNKNOWN, EXHAUSTIVE, UNKNOWN]
    whole = DrawnCapture(plan, (6.0, 6.0), (900.0, 900.0), Priors(scalp=ScalpPriors(clipped_chance=0.0))).sample(
        3, 0, 0
    )
    assert whole.levels.tolist() == [EXHAUSTIVE] * 4

"""What the loss looks at, and what it must not."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from lightning import Trainer
from PIL import Image

from labelled_folder import write_folder
from trichotrack.labels.read import read_labels
from trichotrack.labels.write import write_labels
from trichotrack.model import losses
from trichotrack.model.data import SignData, SyntheticData
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
from trichotrack.model.task import SignTask
from trichotrack.signs import counted_as
from trichotrack.synth.priors import Priors, ScalpPriors
from trichotrack.synth.write import Series, write_series

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


def test_a_sign_that_a_capture_lacks_weighs_there_as_in_one_whose_structures_are_marked():
    # A cell that must be empty, beside three structures that are marked, or only counted.
    logits, weight = torch.zeros(1, 2, 1, 4), torch.ones(1, 2, 1, 4)
    marked = torch.tensor([[[[1.0, 1.0, 1.0, 0.0]], [[0.0] * 4]]])
    counted = weight * torch.tensor([0.0, 1.0]).view(1, 2, 1, 1)  # of the first sign only the number is known
    empty = 4 * 0.25 * 0.693147
    assert losses.focal(logits, marked * 0, counted, 3.0).item() == pytest.approx(empty / 3, rel=1e-5)
    of_both = losses.focal(logits, marked, weight).item()
    assert of_both == pytest.approx((3 * 0.25 * 0.693147 + 0.25 * 0.693147 + empty) / 3, rel=1e-5)


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


def test_rivals_part_the_signs_known_apart_and_leave_unknown_ones_alone():
    # Root of sign 0 at cell (5, 5): with all logits 0, a softmax over the two known signs gives 1/2, so log 2.
    batch = {name: value[None] for name, value in tensors_of(sample([EXHAUSTIVE] * 2), Plan(signs=SIGNS)).items()}
    logits = torch.zeros(1, 2, 16, 16, requires_grad=True)
    loss = losses.rivals(logits, batch["heat"], batch["weight"])
    loss.backward()
    assert loss.item() == pytest.approx(np.log(2), rel=1e-5)
    # Two roots: each cell's gradient is (p - y) / 2 = ∓0.25, and no other cell has any.
    assert logits.grad[0, :, 5, 5].tolist() == pytest.approx([-0.25, 0.25])
    assert logits.grad[0, :, 11, 11].tolist() == pytest.approx([0.25, -0.25])
    assert torch.count_nonzero(logits.grad) == 4
    one = {name: value[None] for name, value in tensors_of(sample([EXHAUSTIVE, UNKNOWN]), Plan(signs=SIGNS)).items()}
    assert losses.rivals(logits, one["heat"], one["weight"]).item() == 0


def test_strands_weigh_each_kind_of_shaft_alike_however_much_of_it_there_is():
    # Of three kinds, kind 0 fills 6 cells and kind 2 one; the rest is unknown. Kind 0 is told right, kind 2 is not.
    target = torch.full((1, 4, 4), -1)
    target[0, 0, :], target[0, 1, :2], target[0, 3, 3] = 0, 0, 2
    logits = torch.zeros(1, 3, 4, 4)
    logits[0, 0] = 2.0
    right, wrong = np.log(np.e**2 + 2) - 2, np.log(np.e**2 + 2)
    assert losses.strands(logits, target).item() == pytest.approx((right + wrong) / 2, rel=1e-5)
    assert losses.strands(logits, torch.full((1, 4, 4), -1)).item() == 0


def test_every_root_is_among_the_cells_whose_shafts_are_followed():
    batch = {name: value[None] for name, value in tensors_of(sample([EXHAUSTIVE] * 2), Plan(signs=SIGNS)).items()}
    cells = losses.cells_to_follow(torch.zeros(1, 2, 16, 16), batch)
    assert {5 * 16 + 5, 11 * 16 + 11} <= set(cells[0].tolist())
    assert len(set(cells[0].tolist())) == min(losses.FOLLOWED, 256)


def test_half_of_the_cells_that_are_followed_are_spread_over_all_that_looks_like_nothing():
    # What is not followed in training may say anything there, and a reading follows from every cell.
    batch = {name: value[None] for name, value in tensors_of(sample([EXHAUSTIVE] * 2), Plan(signs=SIGNS)).items()}
    batch = {name: batch[name].repeat_interleave(5, -1).repeat_interleave(5, -2) for name in ("heat", "strands")}
    logits, root = torch.full((1, 2, 80, 80), -5.0), torch.zeros(1, 80, 80, dtype=torch.bool)
    logits[..., :40] = 3.0
    root[0, 3, 70] = True
    cells = losses.cells_to_follow(logits, {**batch, "root": root})[0]
    assert len(set(cells.tolist())) == losses.FOLLOWED
    assert 3 * 80 + 70 in cells
    by_block = torch.bincount(cells // 80 // 20 * 4 + cells % 80 // 20, minlength=16).reshape(4, 4)
    assert by_block[:, 2:].min() >= 0.8 * losses.FOLLOWED / 2 / 16
    assert by_block[:, :2].sum() > losses.FOLLOWED / 2


CLIPPED = Priors(scalp=ScalpPriors(clipped_chance=1.0))


def test_a_clipped_hair_is_taught_as_what_it_looks_like_and_counted_as_what_it_is():
    plan = Plan(("black_dot", "broken_hair", "terminal_hair", "pigtail_hair"), ("intermediate_hair",))
    taught = DrawnCapture(plan, (6.0, 6.0), (1800.0, 1800.0), CLIPPED).sample(3, 0, 0)
    assert taught.levels.tolist() == [EXHAUSTIVE, EXHAUSTIVE, EXHAUSTIVE, UNKNOWN]
    assert np.isin(taught.structures.channel, (1, 2)).all()
    # What ends in view looks broken; only a hair that the border cuts is seen to be terminal.
    height, width = taught.image.shape[:2]
    tip = taught.structures.tip
    inside = ((tip > 1) & (tip < (width - 1, height - 1))).all(axis=1)
    assert inside.any()
    assert (taught.structures.channel[inside] == 1).all()
    becomes = counted_as(plan.channels(), taught.preparation)
    assert becomes == [0, 2, 2, None]
    counted = taught.structures.counted_as(becomes)
    assert len(counted.xy) == len(taught.structures.xy)
    assert (counted.channel == 2).all()


def test_strands_lie_along_the_shafts_of_their_signs():
    plan = Plan(("broken_hair", "terminal_hair", "short_vellus_hair", "tapering_hair"), ("intermediate_hair",))
    seen = 0
    for index in range(30):
        drawn = DrawnCapture(plan, (6.0, 6.0), (2000.0, 2000.0)).sample(5, 0, index)
        known = drawn.structures
        for root, tip, channel in zip(known.xy, known.tip, known.channel, strict=True):
            if np.hypot(*(tip - root)) * plan.um_per_px > 600:
                continue  # longer hair bends away from the line between its ends
            column, row = ((root + tip) / 2).astype(int)
            around = drawn.strands[max(row - 4, 0) : row + 5, max(column - 4, 0) : column + 5]
            seen += int((around == 2 + channel).any())
            # Where its own shaft is not on top, another covers it.
            assert (around > 0).any()
    assert seen >= 5


@pytest.fixture
def pictured(tmp_path):
    """A Trainer that only validates."""
    return Trainer(accelerator="cpu", logger=False, enable_progress_bar=False, default_root_dir=tmp_path)


STUBS = Plan(("broken_hair", "tapering_hair", "short_vellus_hair", "terminal_hair"), ("intermediate_hair",))


def test_on_drawn_clipped_scalps_what_looks_broken_is_validated_as_the_terminal_hair_it_is(pictured):
    task, data = SignTask(STUBS, start="bundled"), SyntheticData(STUBS, val_captures=6, clipped=0.5)
    pictured.validate(task, data, verbose=False)
    clipped = [sample for sample in map(data.val.sample, range(6)) if sample.preparation == "clipped"]
    assert 0 < len(clipped) < 6
    drawn = sum(np.isin(sample.structures.channel, (0, 3)).sum() for sample in clipped)
    terminal = task.validated["terminal_hair"]
    assert terminal.clipped.figures.labelled == drawn
    assert terminal.clipped.figures.captures + terminal.figures.captures == 6
    # The network calls them broken; only counted as terminal hairs are they found.
    assert terminal.clipped.figures.f1.value > 0.5
    assert task.validated["broken_hair"].clipped is None


def test_ones_own_clipped_captures_are_validated_as_a_reading_counts_them(pictured, tmp_path):
    priors = Priors(scalp=ScalpPriors(clipped_chance=0.5, units_per_cm2=(120.0, 130.0)))
    drawn = write_series(tmp_path / "own", Series(captures=5, captures_per_person=1), 3, priors=priors)
    rows = [replace(row, split="val") for row in drawn.captures]
    clipped = {row.file for row in rows if row.preparation == "clipped"}
    assert 0 < len(clipped) < len(rows)
    write_labels(replace(drawn, captures=tuple(rows)), tmp_path / "own")
    task = SignTask(STUBS, start="bundled")
    pictured.validate(task, SignData(tmp_path / "own", STUBS), verbose=False)
    terminal = task.validated["terminal_hair"]
    stubs = [item for item in drawn.objects if item.file in clipped and item.sign == "terminal_hair"]
    assert terminal.clipped.figures.labelled == len(stubs)
    assert terminal.clipped.figures.f1.value > 0.5
    assert task.validated["broken_hair"].clipped is None


def test_where_only_clipped_scalps_validate_their_figures_are_all_there_is(pictured):
    task, data = SignTask(STUBS, start="bundled"), SyntheticData(STUBS, val_captures=2, clipped=1.0)
    (logged,) = pictured.validate(task, data, verbose=False)
    terminal = task.validated["terminal_hair"]
    assert terminal.figures == terminal.clipped.figures
    assert logged["val/f1/terminal_hair"] == pytest.approx(terminal.figures.f1.value)
    assert logged["val/f1"] > 0.3


def test_a_model_claims_only_the_scales_of_the_captures_that_taught_it(tmp_path):
    write_folder(tmp_path / "set", people=5)
    known = read_labels(tmp_path / "set")
    first, second, third, *others = known.captures
    captures = (replace(first, um_per_px=1.5), second, replace(third, um_per_px=7.0), *others)
    # Nothing is known of the first, and the third is beyond the limit.
    labels = tuple(label for label in known.labels if label.file != first.file)
    objects = tuple(item for item in known.objects if item.file != first.file)
    write_labels(replace(known, captures=captures, labels=labels, objects=objects), tmp_path / "set")
    data = SignData(tmp_path / "set", Plan(signs=("black_dot",)), scale_jitter=0.0, limit_train=1, workers=0)
    data.setup("fit")
    assert data.um_per_px_range == (6.0, 6.0)


def test_a_mask_is_read_by_one_rule_in_training_and_checks(tmp_path):
    write_folder(tmp_path / "set", people=3)
    known = read_labels(tmp_path / "set")
    faint = np.zeros((256, 288, 3), np.uint8)
    faint[:, :144, 2] = 4
    Image.fromarray(faint).save(tmp_path / "set" / "mask.png")
    captures = tuple(replace(row, valid_area="mask.png") for row in known.captures)
    write_labels(replace(known, captures=captures), tmp_path / "set")
    data = SignData(tmp_path / "set", Plan(signs=("black_dot",)), workers=0)
    data.setup("fit")
    assert data.train is not None
    valid = data.train.sources[0].sample(0, 0, 0).valid
    assert (valid[:, :140].all(), valid[:, 150:].any()) == (True, False)

"""Points stay on what they mark, and no two draws are alike."""

import albumentations
import numpy as np
import pytest

from trichotrack.model import augment
from trichotrack.model.sample import EXHAUSTIVE, SCALP, Sample, Structures

SIDE = 96


def dotted(x=31.0, y=60.0, tip=(50.0, 70.0)):
    """A bright background with one dark disc of radius 4 centred on (x, y), antialiased by supersampling."""
    fine = 8
    grid = (np.arange(SIDE * fine) + 0.5) / fine
    disc = (grid[None, :] - x) ** 2 + (grid[:, None] - y) ** 2 < 16
    share = disc.reshape(SIDE, fine, SIDE, fine).mean(axis=(1, 3))
    image = np.repeat((220 - 200 * share).astype(np.uint8)[..., None], 3, axis=2)
    known = Structures(np.array([[x, y]]), np.array([0]), np.array([tip]), np.full((1, 2), np.nan), np.array([[x, y]]))
    return Sample(
        image,
        known,
        np.array([EXHAUSTIVE]),
        np.ones((SIDE, SIDE), bool),
        np.full((SIDE, SIDE), SCALP, np.uint8),
        np.zeros((SIDE, SIDE), np.uint8),
    )


def centre_of_dark(sample):
    darkness = np.clip(sample.image.astype(float).mean(axis=2).max() - 60 - sample.image.astype(float).mean(2), 0, None)
    darkness[~sample.valid] = 0
    darkness[darkness < 0.5 * darkness.max()] = 0
    rows, columns = np.indices(darkness.shape) + 0.5
    return np.array([(columns * darkness).sum(), (rows * darkness).sum()]) / darkness.sum()


def transforms():
    return [*augment.geometric(), *augment.photometric()]


@pytest.mark.parametrize("transform", transforms(), ids=lambda t: type(t).__name__)
def test_a_dot_stays_under_its_point_through_each_transform(transform):
    transform.p = 1.0
    pipeline = augment.compose([transform])
    for seed in range(12):
        pipeline.set_random_seed(seed)
        moved = augment.apply(pipeline, dotted())
        assert len(moved.structures.xy) == 1
        assert np.abs(moved.structures.xy[0] - centre_of_dark(moved)).max() < 0.35
        assert np.allclose(moved.structures.ignored, moved.structures.xy)


def test_a_dot_stays_under_its_point_through_crop_and_scale_jitter():
    rng = np.random.default_rng(3)
    for _ in range(20):
        factor = rng.uniform(0.8, 1.25)
        resized = augment.rescaled(dotted(), 6.0, 6.0 / factor)
        cut = augment.random_crop(resized, (80, 80), rng)
        for point in cut.structures.xy[((cut.structures.xy > 8) & (cut.structures.xy < 72)).all(axis=1)]:
            assert np.abs(point - centre_of_dark(cut)).max() < 0.3


def test_flips_and_turns_keep_a_tip_at_its_distance():
    pipeline = augment.compose([albumentations.D4(p=1.0)])
    for seed in range(8):
        pipeline.set_random_seed(seed)
        known = augment.apply(pipeline, dotted()).structures
        assert np.hypot(*(known.tip - known.xy)[0]) == pytest.approx(np.hypot(19, 10))


def test_a_crop_that_reaches_outside_is_padded_and_the_padding_is_not_scalp():
    cut = augment.crop(dotted(), -10, 20, 128, 64)
    assert cut.image.shape == (64, 128, 3)
    assert cut.structures.xy.tolist() == [[41.0, 40.0]]
    assert not cut.valid[:, :10].any()
    assert not cut.valid[:, 106:].any()
    assert cut.valid[:, 10:106].all()


def test_a_hair_that_a_crop_cut_is_looked_away_from_and_one_that_left_the_picture_itself_is_taught():
    shown = augment.crop(dotted(), 0, 0, 64, 80).structures
    assert shown.xy.tolist() == [[31.0, 60.0]]
    cut = augment.crop(dotted(), 0, 0, 40, 80).structures
    assert cut.xy.tolist() == []
    assert [31.0, 60.0] in cut.ignored.tolist()
    leaving = augment.crop(dotted(x=80.0, y=60.0, tip=(99.0, 70.0)), 40, 0, 56, 80).structures
    assert leaving.xy.tolist() == [[40.0, 60.0]], "its tip was never in view"
    unknown = augment.crop(dotted(tip=(np.nan, np.nan)), 0, 0, 40, 80).structures
    assert unknown.xy.tolist() == [[31.0, 60.0]]


def test_windows_often_lie_at_an_edge_of_the_picture():
    rng = np.random.default_rng(0)
    drawn = [augment.random_crop(dotted(), (80, 80), rng).structures for _ in range(200)]
    at_left = sum(known.xy[0, 0] == 31.0 for known in drawn)
    assert at_left > 35, "not one in seventeen"


def test_the_same_generator_gives_the_same_sample_and_another_does_not():
    augmenter = augment.Augmenter(64)
    draws = [augmenter(dotted(), np.random.default_rng(seed)) for seed in (1, 2, 1)]
    assert np.array_equal(draws[0].image, draws[2].image)
    assert np.array_equal(draws[0].structures.xy, draws[2].structures.xy)
    assert not np.array_equal(draws[0].image, draws[1].image)

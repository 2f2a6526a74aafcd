"""Counter where the model tells scalp from what is not: marks, area, flags, features and masks."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tiny_model import NO_SCALP, SKIN, build_tiny_model, scalp, tiny_spec
from trichotrack.problems import InputError
from trichotrack.runtime import counter as counter_module
from trichotrack.runtime.counter import Counter
from trichotrack.runtime.reading import Reading

POINTS = {"black_dot": [(50.0, 60.0), (200.0, 90.0), (120.0, 200.0)], "broken_hair": [(70.0, 180.0), (250.0, 220.0)]}
WITH_SCALP = ("peaks", "offset", "scalp", "features")


def with_green(capture: np.ndarray, columns: slice) -> np.ndarray:
    """The capture with a toolbar: a band of columns that shows no scalp; what is drawn there stays dark."""
    toolbar = capture.copy()
    bright = toolbar[:, columns].max(axis=2, keepdims=True) > 100
    toolbar[:, columns] = np.where(bright, NO_SCALP, toolbar[:, columns])
    return toolbar


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Counter:
    return Counter(build_tiny_model(tmp_path_factory.mktemp("model") / "tiny.onnx"), threads=1)


@pytest.fixture(scope="module")
def seeing(tmp_path_factory: pytest.TempPathFactory) -> Counter:
    path = build_tiny_model(tmp_path_factory.mktemp("model") / "seeing.onnx", tiny_spec(outputs=WITH_SCALP))
    return Counter(path, threads=1)


def test_what_is_not_scalp_holds_no_mark_and_no_area(seeing: Counter, tiny: Counter) -> None:
    capture = with_green(
        scalp(400, 260, POINTS | {"black_dot": [*POINTS["black_dot"], (370.0, 130.0)]}), slice(320, 400)
    )
    reading, blind = seeing.read(capture, um_per_px=6.0), tiny.read(capture, um_per_px=6.0)
    assert blind.signs["black_dot"].count == 4
    assert reading.signs["black_dot"].count == 3
    assert reading.scalp_share == pytest.approx(0.8, abs=0.02)
    assert reading.area_cm2 == pytest.approx(400 * 260 * 36e-8 * reading.scalp_share, rel=1e-3)
    assert reading.signs["black_dot"].density_per_cm2 == pytest.approx(3 / reading.area_cm2)
    assert reading.quality.ok, "a round field shows as little"
    assert (blind.scalp_share, blind.quality.ok) == (None, True)
    assert Reading.from_json(reading.to_json()) == reading


@pytest.mark.parametrize("size", [(300, 260), (301, 259), (97, 33)])
def test_a_picture_that_is_all_scalp_has_its_whole_area(seeing: Counter, size: tuple[int, int]) -> None:
    reading = seeing.read(scalp(*size, {}), um_per_px=6.0)
    assert (reading.scalp_share, reading.area_cm2) == (1.0, size[0] * size[1] * (6.0 / 1e4) ** 2)


@pytest.mark.parametrize(("columns", "flags"), [(152, ()), (200, ("50% of the picture is not scalp",))])
def test_a_picture_with_less_scalp_than_a_round_field_is_flagged(seeing: Counter, columns: int, flags: tuple) -> None:
    reading = seeing.read(with_green(scalp(400, 300, {}), slice(400 - columns, 400)), um_per_px=6.0)
    assert reading.quality.flags == flags


def test_a_picture_with_hardly_any_scalp_is_refused_with_a_reason(seeing: Counter) -> None:
    reading = seeing.read(with_green(scalp(400, 260, POINTS), slice(80, 400)), um_per_px=6.0, preparation="dye")
    assert not reading.objects
    assert reading.signs["broken_hair"].reason == "only 20% of the picture is scalp; 30% needed"
    assert "dyed" in str(reading.signs["black_dot"].reason), "what was refused anyway keeps its reason"
    assert reading.signs["broken_hair"].count is reading.signs["broken_hair"].density_per_cm2 is None


@settings(max_examples=15)
@given(seed=st.integers(0, 2**32 - 1), width=st.integers(100, 420), height=st.integers(100, 420))
def test_tiled_scalp_and_features_equal_those_of_the_whole(seeing: Counter, seed: int, width: int, height: int) -> None:
    rng = np.random.default_rng(seed)
    points = {"black_dot": rng.uniform(0, (width, height), (30, 2)).tolist()}
    left, right = np.sort(rng.integers(0, width, 2))
    capture = with_green(scalp(width, height, points), slice(left, right))
    whole = seeing.read(capture, um_per_px=6.0)
    features = seeing.features(capture, um_per_px=6.0) if whole.scalp_share else None
    with pytest.MonkeyPatch.context() as changed:
        changed.setattr(counter_module, "WHOLE_PX", 64 * 64)
        changed.setattr(counter_module, "CORE_PX", 64)
        assert seeing.read(capture, um_per_px=6.0) == whole
        if features is not None:
            np.testing.assert_allclose(seeing.features(capture, um_per_px=6.0), features, rtol=1e-5)


def test_features_are_the_mean_over_the_scalp(seeing: Counter, tiny: Counter) -> None:
    toolbar = with_green(scalp(400, 256, {}), slice(320, 400))
    features = seeing.features(toolbar, um_per_px=6.0)
    assert (features.shape, features.dtype) == ((3,), np.float32)
    np.testing.assert_allclose(features, np.array(SKIN) / 255, atol=0.02)
    with pytest.raises(InputError, match="gives no features"):
        tiny.features(toolbar, um_per_px=6.0)
    with pytest.raises(InputError, match="shows no scalp"):
        seeing.features(with_green(scalp(96, 96, {}), slice(0, 96)), um_per_px=6.0)


@pytest.mark.parametrize("um_per_px", [3.0, 6.0])
def test_the_scalp_is_told_in_the_pictures_own_px(seeing: Counter, tiny: Counter, um_per_px: float) -> None:
    factor = round(6.0 / um_per_px)
    capture = with_green(scalp(400 * factor, 261 * factor, {}), slice(320 * factor, 400 * factor))
    mask = seeing.scalp(capture, um_per_px=um_per_px)
    assert mask.shape == capture.shape[:2]
    assert mask[:, : 310 * factor].all()
    assert not mask[: 240 * factor, 330 * factor :].any()
    assert mask.mean() == pytest.approx(seeing.read(capture, um_per_px=um_per_px).scalp_share, abs=0.01)
    with pytest.raises(InputError, match="does not tell scalp"):
        tiny.scalp(capture, um_per_px=um_per_px)

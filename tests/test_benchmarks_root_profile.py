"""A shaft seen again behind its root is told from one that ends there, and a halo from plain skin."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

import numpy as np
import pytest

SCRIPT = Path(__file__).parents[1] / "benchmarks" / "root_profile.py"
UM_PER_PX = 5.0
ROOT_X, ROOT_Y, TIP_X = 100, 50, 160


@pytest.fixture(scope="module")
def benchmark() -> dict[str, Any]:
    return runpy.run_path(str(SCRIPT))


def scalp(lip_px: int | None, again: int = 90) -> np.ndarray:
    """A dark shaft on light skin; with a lip, so many px wide, the shaft is seen again behind it."""
    image = np.full((100, 200, 3), 200, np.uint8)
    image[ROOT_Y - 5 : ROOT_Y + 5, ROOT_X:TIP_X] = 40
    if lip_px is not None:
        image[ROOT_Y - 5 : ROOT_Y + 5, ROOT_X - lip_px - 20 : ROOT_X - lip_px] = again
    return image


def told(benchmark: dict[str, Any], image: np.ndarray) -> float:
    (profile,) = benchmark["profiles"](image, [(ROOT_X, ROOT_Y, TIP_X, ROOT_Y)], UM_PER_PX)
    return float(benchmark["seen_again"](profile))


def test_a_shaft_seen_again_behind_a_lip_is_darker_there_by_its_share_of_the_shafts_contrast(
    benchmark: dict[str, Any],
) -> None:
    share = (200 - 90) / (200 - 40)
    assert told(benchmark, scalp(lip_px=10)) == pytest.approx(share, abs=0.05)
    assert told(benchmark, scalp(lip_px=10, again=150)) == pytest.approx(share * 50 / 110, abs=0.05)


def test_a_shaft_that_ends_at_its_root_is_not_seen_again(benchmark: dict[str, Any]) -> None:
    assert told(benchmark, scalp(lip_px=None)) <= 0.01


def test_short_pale_and_cut_off_shafts_tell_nothing(benchmark: dict[str, Any]) -> None:
    profiles = benchmark["profiles"]
    assert not list(profiles(scalp(None), [(ROOT_X, ROOT_Y, ROOT_X + 20, ROOT_Y)], UM_PER_PX))
    assert not list(profiles(np.full((100, 200, 3), 200, np.uint8), [(ROOT_X, ROOT_Y, TIP_X, ROOT_Y)], UM_PER_PX))
    assert not list(profiles(scalp(None), [(30, ROOT_Y, TIP_X, ROOT_Y)], UM_PER_PX))


def test_the_halo_beside_a_lonely_shaft_is_its_share_of_the_shafts_contrast(benchmark: dict[str, Any]) -> None:
    image = np.full((200, 200, 3), 200, np.uint8)
    image[80:120, 60:] = (180, 160, 120)
    image[95:105, 60:] = 40
    shaft = (60, 100, 160, 100)
    (found,) = benchmark["beside"](image, [shaft], UM_PER_PX)
    assert found[:, 1] == pytest.approx([20 / 160, 40 / 160, 80 / 160], abs=0.02)
    assert found[:, -1] == pytest.approx([0, 0, 0], abs=0.02)
    assert not list(benchmark["beside"](image, [shaft, (60, 130, 160, 130)], UM_PER_PX))

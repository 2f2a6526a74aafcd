"""A model's own test passes where the model is itself, and says what differs where it is not."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from tiny_model import build_tiny_model, scalp, tiny_spec
from trichotrack.detect.detections import Detections
from trichotrack.problems import InputError
from trichotrack.runtime.counter import Counter
from trichotrack.runtime.model_file import SELFTEST_KEY
from trichotrack.runtime.selftest import compare_detections, make_selftest, run_selftest

IMAGE = scalp(200, 160, {"black_dot": [(50.0, 60.0), (150.0, 90.0)], "broken_hair": [(70.0, 130.0)]})


def with_own_test(path: Path, **changes: object) -> Counter:
    """A tiny model that carries its own test, its rows changed as told."""
    plain = Counter(build_tiny_model(path), threads=1)
    test = json.loads(make_selftest(plain.spec, IMAGE, plain.detect(IMAGE)))
    test.update(changes)
    return Counter(build_tiny_model(path, metadata={SELFTEST_KEY: json.dumps(test)}), threads=1)


def test_a_model_passes_its_own_test(tmp_path: Path) -> None:
    result = run_selftest(with_own_test(tmp_path / "m.onnx"))
    assert result.passed
    assert str(result) == "3 detections expected, 3 found: all the same."


def test_another_network_fails_and_each_difference_says_where_and_by_how_much(tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    test = with_own_test(path).model_file.metadata[SELFTEST_KEY]
    moved = Counter(build_tiny_model(path, metadata={SELFTEST_KEY: test}, offset=(0.4, 0.0)), threads=1)
    result = run_selftest(moved)
    assert not result.passed
    assert len(result.differences) == 3
    assert all(difference.what == "found 1.60 px away" for difference in result.differences)


def detections(*rows: tuple[float, float, int, float]) -> Detections:
    table = np.array(rows, np.float64).reshape(-1, 4)
    return Detections(table[:, :2], table[:, 2].astype(np.int64), table[:, 3])


def test_missing_new_and_rescored_detections_are_told_apart() -> None:
    spec = tiny_spec()
    expected = detections((10, 10, 0, 0.9), (50, 50, 0, 0.8), (90, 90, 1, 0.7))
    found = detections((10.2, 10, 0, 0.85), (90, 90, 0, 0.71))
    result = compare_detections(spec, expected, found)
    said = [(difference.sign, difference.what) for difference in result.differences]
    assert sorted(said) == [
        ("black_dot", "missing, score 0.8000"),
        ("black_dot", "not expected, score 0.7100"),
        ("black_dot", "score -0.0500"),
        ("broken_hair", "missing, score 0.7000"),
    ]
    assert "4 differ" in str(result)


def test_rounding_at_the_threshold_is_no_difference() -> None:
    spec = tiny_spec()
    expected = detections((10, 10, 0, 0.502), (50, 50, 0, 0.8))
    assert compare_detections(spec, expected, detections((50, 50, 0, 0.8004))).passed
    assert not compare_detections(spec, expected, detections((10, 10, 0, 0.502))).passed


def test_of_two_rivals_for_one_structure_whose_scores_tie_either_may_stay() -> None:
    spec = tiny_spec()
    expected = detections((10, 10, 0, 0.80001), (50, 50, 1, 0.7))
    assert compare_detections(spec, expected, detections((14, 10, 1, 0.80003), (50, 50, 1, 0.7))).passed
    assert compare_detections(spec, expected, detections((17, 10, 0, 0.80003), (50, 50, 1, 0.7))).passed, "of one sign"
    for found in ((14.0, 10.0, 1, 0.8003), (21.0, 10.0, 1, 0.80001)):
        assert len(compare_detections(spec, expected, detections(found, (50, 50, 1, 0.7))).differences) == 2
    apart = dataclasses.replace(spec.signs[1], sign=dataclasses.replace(spec.signs[1].sign, group=None))
    other_group = tiny_spec(signs=(spec.signs[0], apart))
    assert not compare_detections(other_group, expected, detections((14, 10, 1, 0.80001), (50, 50, 1, 0.7))).passed


def test_a_test_that_could_not_fail_is_not_made() -> None:
    with pytest.raises(InputError, match="finds something"):
        make_selftest(tiny_spec(), IMAGE, Detections.empty())


@pytest.mark.parametrize(
    "change",
    [{"image_png_base64": "no picture"}, {"detections": [{"x": 1}]}, {"detections": [{"x": 1, "y": 1, "sign": "x"}]},
     {"tolerance_px": "wide"}],
)  # fmt: skip
def test_a_damaged_test_is_said_in_a_sentence(change: dict[str, object], tmp_path: Path) -> None:
    with pytest.raises(InputError, match="damaged self-test"):
        run_selftest(with_own_test(tmp_path / "m.onnx", **change))


def test_a_model_without_a_test_is_said_in_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="carries no self-test"):
        run_selftest(Counter(build_tiny_model(tmp_path / "m.onnx"), threads=1))

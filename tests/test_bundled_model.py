"""The bundled model is what it was pinned as: no weights are shipped that find less than the ones before."""

from __future__ import annotations

import copy
import importlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from trichotrack.evaluate.provenance import recipe_sha256
from trichotrack.runtime.counter import BUNDLED, Counter
from trichotrack.runtime.selftest import run_selftest

ROOT = Path(__file__).resolve().parents[1]
BENCHMARKS = ROOT / "benchmarks"
RECIPE = ROOT / "configs" / "bundled.yaml"
MAX_BYTES = 15_000_000
PIN_ANEW = "run `uv run benchmarks/pin_bundled.py`"


@pytest.fixture(scope="module")
def pins() -> Iterator[ModuleType]:
    with pytest.MonkeyPatch.context() as changed:
        changed.syspath_prepend(str(BENCHMARKS))
        before = set(sys.modules)
        yield importlib.import_module("pin_bundled")
        for name in set(sys.modules) - before:
            if str(BENCHMARKS) in str(getattr(sys.modules[name], "__file__", None)):
                del sys.modules[name]


@pytest.fixture(scope="module")
def counter() -> Counter:
    return Counter.bundled()


def figures(**signs: tuple[int, float | None, float | None]) -> dict:
    """Pins of signs, each with how many are drawn, F1 and count bias."""
    told = {name: {"labelled": n, "f1": f1, "count_bias": bias} for name, (n, f1, bias) in signs.items()}
    return {"captures": {"drawn_sha256": "a"}, "onnx_sha256": "old", "signs": told}


def test_the_shipped_files_are_the_pinned_ones(pins: ModuleType) -> None:
    told = pins.pinned()
    assert told is not None, PIN_ANEW
    shipped = pins.shipped()
    assert {name: told[name] for name in shipped} == shipped, PIN_ANEW


def test_the_bundled_model_finds_no_less_than_is_pinned(pins: ModuleType) -> None:
    told, found = pins.pinned(), pins.measure()
    assert found["captures"] == told["captures"], f"the renderer draws other captures than the pinned ones: {PIN_ANEW}"
    assert pins.worse(told, found) == []
    assert set(found["signs"]) == set(told["signs"])


def test_worse_figures_are_told_by_sign_and_better_ones_are_not(pins: ModuleType) -> None:
    old = figures(a=(500, 0.90, 0.01), b=(500, 0.80, -0.05), rare=(4, 0.8, 0.0), never=(0, None, None))
    same = copy.deepcopy(old)
    assert pins.worse(old, same) == []
    rounding = figures(a=(500, 0.891, 0.035), b=(500, 0.99, 0.05), rare=(4, 0.6, 0.2), never=(0, None, None))
    assert pins.worse(old, rounding) == []
    less = figures(a=(500, 0.889, 0.01), b=(500, 0.80, 0.09), rare=(4, None, 0.0))
    assert [text.split(",")[0] for text in pins.worse(old, less)] == [
        "a: F1 0.889", "b: count bias 0.09", "rare: F1 None", "never: pinned",
    ]  # fmt: skip


def test_other_weights_on_other_captures_prove_nothing(pins: ModuleType) -> None:
    old = figures(a=(500, 0.90, 0.0))
    new = figures(a=(400, 0.10, 0.0)) | {"captures": {"drawn_sha256": "b"}}
    assert pins.objections(old, new) == [], "the same weights: only the renderer has changed"
    assert "pin the old first" in pins.objections(old, new | {"onnx_sha256": "new"})[0]
    assert "F1 0.1" in pins.objections(old, new | {"captures": old["captures"], "onnx_sha256": "new"})[0]


def test_worse_figures_are_pinned_only_with_a_reason_that_is_kept(
    pins: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(pins, "PINS", tmp_path / "figures.json")
    monkeypatch.setattr(pins, "shipped", lambda: {"onnx_sha256": "new"})

    def pin(f1: float, *arguments: str) -> dict:
        monkeypatch.setattr(pins, "measure", lambda: figures(a=(500, f1, 0.0)) | {"onnx_sha256": "new"})
        monkeypatch.setattr(sys, "argv", ["pin_bundled.py", *arguments])
        pins.main()
        return json.loads(pins.PINS.read_text(encoding="utf-8"))

    assert pin(0.9)["accepted"] == []
    with pytest.raises(SystemExit, match=r"F1 0\.5, pinned 0\.9"):
        pin(0.5)
    assert pins.pinned()["signs"]["a"]["f1"] == 0.9
    taken = pin(0.5, "--accept", "the old ones were taught on the exam")
    assert taken["accepted"][0]["reason"] == "the old ones were taught on the exam"
    assert pin(0.6)["accepted"] == taken["accepted"], "reasons stay"


def test_the_shipped_files_are_small_and_the_model_is_itself(pins: ModuleType, counter: Counter) -> None:
    assert BUNDLED.stat().st_size <= MAX_BYTES
    assert pins.WEIGHTS.stat().st_size <= MAX_BYTES
    result = run_selftest(counter)
    assert result.passed, str(result)


def test_the_model_says_its_licence_its_use_and_that_it_knows_no_patient(counter: Counter) -> None:
    spec = counter.spec
    assert spec.licence == "Apache-2.0"
    assert "Not a medical device" in spec.intended_use
    assert spec.validated_on_people is None
    assert "synthetic" in spec.notice
    assert spec.notice.endswith("not validated on patients.")


def test_the_model_was_made_by_the_committed_recipe(counter: Counter) -> None:
    if counter.spec.name == "starter":
        pytest.skip("the starter was made before recipes left their hash")
    assert counter.spec.trained_on_synthesis
    assert counter.spec.recipe_sha256 == recipe_sha256([RECIPE])

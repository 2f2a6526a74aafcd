"""docs/benchmarks.md is what the recorded results say, each figure with its command and machine."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType

import pytest

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


@pytest.fixture
def page(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    spec = importlib.util.spec_from_file_location("benchmarks_render", BENCHMARKS / "render.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    yield module
    sys.modules.pop("records", None)


def results() -> list[dict]:
    return [json.loads(path.read_text(encoding="utf-8")) for path in sorted((BENCHMARKS / "results").glob("*.json"))]


def test_the_page_in_docs_is_the_one_that_the_results_make(page):
    assert page.DOCUMENT.read_text(encoding="utf-8") == page.render(results()), "run `uv run benchmarks/render.py`"


def test_every_result_is_shown_with_its_command_and_machine(page):
    text = page.render(results())
    for record in results():
        assert f"`{record['command']}`" in text
        assert record["machine"]["processor"] in text


def test_a_figure_without_an_interval_or_a_value_is_shown_as_such(page):
    figure = {"value": 0.5, "low": None, "high": None}
    record = {
        "kind": "quality", "name": "toy", "command": "uv run benchmarks/quality.py m d", "date": "2026-01-01",
        "machine": {"processor": "p", "cores": 2, "system": "s", "python": "3.11"}, "versions": {"numpy": "2"},
        "model": {"name": "m", "notice": "A starter model."}, "tolerance_mm": 0.15, "ignored_signs": ["abnormal"],
        "data": {"split": "val", "captures": 3, "patients": 1}, "unlabelled": {"hair": 2}, "refused": {"hair": 0},
        "problems": [], "note": "",
        "signs": {"hair": {"captures": 3, "labelled": 4, "f1": figure, "precision": figure,
                           "recall": {"value": 0.5, "low": 0.25, "high": 0.75}, "count_mae": figure, "bias": figure,
                           "false_positives_per_cm2": {"value": None, "low": None, "high": None}}},
    }  # fmt: skip
    text = page.render([record])
    assert "| `hair` | 3 | 4 | 0.500 | 0.500 | 0.500 (0.250 to 0.750) | 0.50 | +0.50 | - |" in text
    assert "`hair` 2" in text
    assert "A starter model." in text
    assert "Refused" not in text

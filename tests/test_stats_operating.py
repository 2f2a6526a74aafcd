"""The operating characteristics in docs/statistics.md: within what is promised, and what the code now gives."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


@pytest.fixture
def script(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    before = set(sys.modules)
    spec = importlib.util.spec_from_file_location("operating", BENCHMARKS / "operating_characteristics.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    yield module
    for name in set(sys.modules) - before:
        if BENCHMARKS in Path(getattr(sys.modules[name], "__file__", None) or "/").parents:
            del sys.modules[name]


@pytest.fixture
def record(script):
    return json.loads(script.path_of(script.KIND, script.NAME, out=script.OUT).read_text(encoding="utf-8"))


def test_the_block_in_docs_is_the_one_that_the_figures_make(script, record):
    page = script.DOCUMENT.read_text(encoding="utf-8")
    assert script.BEGIN in page
    assert page == script.written(page, record), "run `uv run benchmarks/operating_characteristics.py --page`"


def test_figures_are_those_that_the_code_gives_now(script, record):
    for row in record["false_changes"][:5]:
        assert row["rates"] == pytest.approx([script.false_changes(row["events"], cv) for cv in record["cvs"]])
    for row in record["coverage"][:9]:
        now = [script.coverage(row["events"], row["ratio"], cv) for cv in record["cvs"]]
        assert row["rates"] == pytest.approx(now)
    first = record["power"][0]
    assert first["rates"] == pytest.approx(
        [script.visit_power(first["events"], first["ratio"] * first["events"], cv=cv) for cv in record["cvs"]]
    )


def test_stable_pairs_are_called_changed_in_two_to_five_percent_from_ten_events_on(record):
    for row in record["false_changes"]:
        assert max(row["rates"]) <= 0.05
        assert row["events"] < 10 or min(row["rates"]) >= 0.02


def test_intervals_hold_the_true_ratio_in_93_to_97_percent_from_twenty_events_on(record):
    for row in record["coverage"]:
        assert min(row["rates"]) >= 0.93
        assert max(row["rates"]) <= (0.97 if row["events"] >= 20 else 0.985)


def test_stable_patients_are_told_of_a_change_in_at_most_five_percent_over_ten_visits(record):
    assert all(0.01 <= row["told"] <= 0.05 for row in record["series"])


def test_correction_gives_back_the_ratio_and_its_coverage(record):
    for row in record["model_error"]:
        assert row["corrected"] == pytest.approx(0.25, abs=0.03)
        assert row["seen"] > 0.27
        assert 0.92 <= row["coverage_corrected"] <= 0.995

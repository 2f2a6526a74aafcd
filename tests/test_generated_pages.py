"""Pages that scripts write are what their scripts make: the model card, the datasheet, and the page on the renderer."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from pathlib import Path
from types import ModuleType

import pytest
from PIL import Image

from trichotrack.synth.priors import HELD_OUT, Priors

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
SCRIPTS = ("datasheet", "matching_page", "model_card", "synthetic_scalp")


@pytest.fixture
def script(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    before = set(sys.modules)
    yield importlib.import_module(request.param)
    for name in set(sys.modules) - before:
        if getattr(sys.modules[name], "__file__", None) and BENCHMARKS in Path(sys.modules[name].__file__).parents:
            del sys.modules[name]


@pytest.mark.parametrize("script", SCRIPTS, indirect=True)
def test_a_page_is_what_its_script_makes(script: ModuleType):
    assert script.DOCUMENT.read_text(encoding="utf-8") == script.page(), f"run `uv run benchmarks/{script.__name__}.py`"


@pytest.mark.parametrize("script", ["synthetic_scalp"], indirect=True)
def test_every_prior_is_told_with_its_value_and_where_it_comes_from(script: ModuleType):
    texts = script.docstrings()
    for _, part in script.PARTS:
        for name, value, _, source, text in script.rows_of(part, texts[part.__name__]):
            assert value, name
            assert source, name
            assert len(text) > 5, f"{part.__name__}.{name} has no docstring"
    told = {one.name for _, part in script.PARTS for one in fields(part)}
    parts = [getattr(Priors(), one.name) for one in fields(Priors)]
    nested = [inner for part in parts for one in fields(part) if is_dataclass(inner := getattr(part, one.name))]
    assert {one.name for part in [*parts, *nested] for one in fields(part)} == told
    assert all(name.replace("_", " ") in script.page() for name in HELD_OUT)


@pytest.mark.parametrize("script", ["model_card"], indirect=True)
def test_the_card_says_what_was_not_measured_and_never_claims_patients(script: ModuleType):
    model = script.open_model(script.BUNDLED)
    kinds = [kind for kind, _, _ in script.FIGURES]
    assert script.section(kinds[0], "Title", "Said.", [], model).count("Not measured") == 1
    other = {"kind": "quality", "name": "x", "model": {"name": model.spec.name, "sha256": "of another file"}}
    assert "Not measured" in script.section("quality", "Title", "Said.", [other], model)
    page = script.page()
    for said in ("Synthetic-trained", "Not validated on patients", "Not intended", model.sha256):
        assert said in page


def test_the_sheet_in_docs_is_small_and_wide_enough_to_be_read():
    path = BENCHMARKS.parent / "docs" / "images" / "synthetic-scalp.jpg"
    assert path.stat().st_size < 1_500_000
    with Image.open(path) as image:
        assert image.width > 1200

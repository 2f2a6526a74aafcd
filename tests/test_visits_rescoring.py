"""Marks below the model's threshold: those it is less sure of, and never one that counts already."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from tiny_model import build_tiny_model, scalp, tiny_spec
from trichotrack.runtime.counter import Counter
from trichotrack.visits.registration import Picture
from trichotrack.visits.rescoring import unsure_marks

POINTS = {"black_dot": [(60.0, 60.0), (200.0, 90.0)], "broken_hair": [(130.0, 190.0)]}


@pytest.fixture(scope="module")
def strict(tmp_path_factory: pytest.TempPathFactory) -> Counter:
    """A model whose thresholds lie just above what it gives any disc."""
    place = tmp_path_factory.mktemp("model")
    plain = Counter(build_tiny_model(place / "plain.onnx"), threads=1)
    best = max(item.score or 0.0 for item in plain.read(scalp(300, 260, POINTS), um_per_px=6.0).objects)
    spec = tiny_spec()
    signs = tuple(dataclasses.replace(channel, threshold=(1 + best) / 2) for channel in spec.signs)
    path: Path = build_tiny_model(place / "strict.onnx", dataclasses.replace(spec, signs=signs))
    return Counter(path, threads=1)


def test_what_the_model_is_less_sure_of_is_found_when_asked_for(strict: Counter):
    picture = Picture(scalp(300, 260, POINTS), 6.0)
    assert strict.read(picture.pixels, um_per_px=6.0).objects == ()
    found = unsure_marks(strict, picture, ())
    assert sorted(item.sign for item in found) == ["black_dot", "black_dot", "broken_hair"]


def test_what_counts_already_is_not_unsure(strict: Counter):
    picture = Picture(scalp(300, 260, POINTS), 6.0)
    found = unsure_marks(strict, picture, ())
    assert unsure_marks(strict, picture, found) == ()
    assert len(unsure_marks(strict, picture, found[:1])) == 2


def test_the_models_own_thresholds_stay_as_they_were(strict: Counter):
    before = strict.spec
    unsure_marks(strict, Picture(scalp(300, 260, POINTS), 6.0), ())
    assert strict.spec == before


def test_a_sign_refused_on_such_a_scalp_stays_refused(strict: Counter):
    found = unsure_marks(strict, Picture(scalp(300, 260, POINTS), 6.0), (), preparation="clipped")
    assert {item.sign for item in found} == {"black_dot"}

"""Overlays hide scalp and say so; what is held out lies outside what training draws."""

from dataclasses import fields, replace

import numpy as np
import pytest

from trichotrack.synth.camera import draw_camera
from trichotrack.synth.overlays import KINDS, Overlays, draw_overlays, laid_over, lay_out
from trichotrack.synth.priors import HELD_OUT, CameraPriors, OverlayPriors, Priors
from trichotrack.synth.render import capture_rng, render_capture
from trichotrack.synth.view import Pose, View

VIEW = View.of((320, 256), 6.0, Pose())
ALWAYS = replace(Priors(), camera=CameraPriors(overlays=OverlayPriors(overlay_chance=1.0)))


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_changes_the_picture_and_only_opaque_ones_hide_scalp(kind: str):
    hidden = []
    for seed in range(12):
        sheet = lay_out(Overlays((kind,), seed, OverlayPriors()), VIEW)
        white = np.full((256, 320, 3), 128, np.uint8)
        changed = (laid_over(white, sheet) != white).any(axis=2)
        assert changed.any() or kind in ("scale_bar", "circle")
        hidden.append(float((~sheet.valid).mean()))
        if kind in ("band", "strip"):
            # Whatever is changed is hidden; scalp that is left is untouched.
            assert not (changed & sheet.valid).any()
    assert max(hidden) == 0 if kind == "circle" else max(hidden) > 0
    assert max(hidden) < 0.75


@pytest.mark.parametrize("index", range(8))
def test_every_label_lies_on_valid_scalp(index: int):
    capture = render_capture(capture_rng(5, 0, index), size_px=(320, 256), priors=ALWAYS)
    assert capture.valid.shape == capture.image.shape[:2]
    assert capture.valid.dtype == np.bool_
    for item in capture.objects:
        assert capture.valid[int(item.y), int(item.x)]
        if item.tip_in_view and item.tip_x is not None and item.tip_y is not None:
            assert capture.valid[min(int(item.tip_y), 255), min(int(item.tip_x), 319)]


def test_without_overlays_all_is_valid():
    priors = replace(Priors(), camera=CameraPriors(overlays=OverlayPriors(overlay_chance=0.0)))
    assert all(
        render_capture(capture_rng(5, 0, i), size_px=(96, 96), priors=priors).valid.all() for i in range(3)
    )  # fmt: skip


def test_about_a_third_of_captures_have_overlays():
    rng = np.random.default_rng(0)
    some = [bool(draw_overlays(rng, OverlayPriors()).kinds) for _ in range(2000)]
    assert 0.25 < np.mean(some) < 0.4


def test_polarised_light_leaves_no_sheen():
    rng = np.random.default_rng(0)
    cameras = [draw_camera(rng, CameraPriors(polarised_chance=1.0)) for _ in range(5)]
    assert all(camera.haze == 0 and camera.glint == 0 for camera in cameras)


@pytest.mark.parametrize("name", sorted(HELD_OUT))
def test_what_is_held_out_never_overlaps_what_training_draws(name: str):
    held, default = HELD_OUT[name], Priors()
    apart = []
    for part in ("scalp", "skin", "camera"):
        mine, usual = getattr(held, part), getattr(default, part)
        for field in fields(mine):
            one, two = getattr(mine, field.name), getattr(usual, field.name)
            if one == two:
                continue
            if field.name == "hair_melanin":
                apart.append(not any(a > 0 and b > 0 for a, b in zip(one, two, strict=True)))
            elif field.name != "white_share":
                apart.append(one[0] > two[1] or one[1] < two[0])
    assert any(apart)
    image = render_capture(capture_rng(1, 0, 0), size_px=(96, 96), priors=held).image
    assert image.shape == (96, 96, 3)

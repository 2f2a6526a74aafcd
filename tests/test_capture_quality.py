"""Quality flags: what they say of sharp, blurred, dark, bright and small captures."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFilter

from trichotrack.capture import assess_quality, edge_blur_px, read_capture, scale_warning
from trichotrack.signs import SIGN

REAL = Path(__file__).parents[2] / "shared" / "datasets" / "hair-follicles-70x" / "Images"


def hairs(um_per_px: float = 3.0, blur_um: float = 6.0, side_mm: float = 3.0) -> np.ndarray:
    """Dark shafts of 70 µm on skin, with a little noise."""
    rng = np.random.default_rng(1)
    side = round(side_mm * 1000 / um_per_px)
    image = Image.new("RGB", (side, side), (200, 160, 140))
    draw = ImageDraw.Draw(image)
    for _ in range(30):
        x, y, dx, dy = rng.uniform(0, side, 2).tolist() + rng.uniform(-side / 4, side / 4, 2).tolist()
        draw.line((x, y, x + dx, y + dy), fill=(40, 30, 30), width=round(70 / um_per_px))
    image = image.filter(ImageFilter.GaussianBlur(blur_um / um_per_px))
    return np.clip(np.asarray(image) + rng.normal(0, 2, (side, side, 3)), 0, 255).astype(np.uint8)


@pytest.mark.parametrize("um_per_px", [2.0, 3.0, 6.0, 8.6, 15.0])
def test_defocus_is_judged_in_micrometres_at_every_scale(um_per_px: float) -> None:
    assert assess_quality(hairs(um_per_px), um_per_px).ok
    blurred = assess_quality(hairs(um_per_px, blur_um=45), um_per_px)
    assert not blurred.ok
    assert "out of focus" in blurred.flags[0]


@pytest.mark.parametrize("blur_px", [2.0, 4.0, 6.0])
def test_edge_blur_measures_the_sigma_of_an_isolated_edge(blur_px: float) -> None:
    image = Image.new("L", (256, 256), 60)
    for left in range(0, 256, 64):
        image.paste(190, (left, 0, left + 32, 256))
    x = np.arange(-64, 256 + 64) + 0.5
    profile = np.where((x // 32) % 2 == 0, 190.0, 60.0)
    kernel = np.exp(-0.5 * (np.arange(-40, 41) / blur_px) ** 2)
    row = np.convolve(profile, kernel / kernel.sum(), "same")[64:-64]
    pixels = np.repeat(np.tile(row, (256, 1))[..., None], 3, axis=2).round().astype(np.uint8)
    measured = edge_blur_px(np.roll(pixels, 16, axis=1))
    assert measured is not None
    assert measured == pytest.approx(blur_px, rel=0.2)


def test_bare_skin_without_edges_is_not_called_out_of_focus() -> None:
    skin = np.full((400, 400, 3), (200, 160, 140), np.uint8)
    assert edge_blur_px(skin) is None
    assert assess_quality(skin, 6.0).ok


def test_dark_bright_and_glaring_captures_are_flagged() -> None:
    sharp = hairs()
    glare = sharp.copy()
    glare[:200, :200] = 255
    assert assess_quality(glare, 3.0).flags[0].startswith("glare: 4%")
    assert assess_quality((sharp / 6).astype(np.uint8), 3.0).flags[0].startswith("underexposed")
    assert assess_quality(np.full_like(sharp, 254), 3.0).flags[0].startswith("overexposed")


def test_a_field_too_small_to_say_anything_is_flagged_only_where_the_scale_is_known() -> None:
    small = hairs(side_mm=1.2)
    assert "small field: 0.014 cm²" in assess_quality(small, 3.0).flags[0]
    assert assess_quality(small).ok


@pytest.mark.parametrize(
    ("sign", "um_per_px", "refused"),
    [("short_vellus_hair", 8.6, False), ("short_vellus_hair", 10.1, True), ("short_vellus_hair", 10.0, False),
     ("black_dot", 8.3, False), ("black_dot", 8.4, True), ("broken_hair", 50.0, False)],
)  # fmt: skip
def test_signs_are_refused_where_pixels_are_too_large(sign: str, um_per_px: float, refused: bool) -> None:
    assert (SIGN[sign].too_coarse(um_per_px) is not None) == refused


def test_an_implausible_terminal_calibre_puts_the_scale_in_doubt() -> None:
    assert scale_warning([70.0] * 6) is None
    assert scale_warning([20.0] * 4) is None, "four hairs say too little"
    warning = scale_warning([25.0, 26, 27, 28, 29])
    assert warning is not None
    assert "27 µm" in warning


@pytest.mark.skipif(not REAL.is_dir(), reason="hair-follicles-70x is not here")
def test_real_captures_are_sharp_and_their_blurred_versions_are_not() -> None:
    files = sorted(REAL.glob("*.jpg"))[::80]
    for file in files:
        pixels = read_capture(file).pixels
        assert assess_quality(pixels, 2.82).ok, file.name
        assert assess_quality(pixels).ok, file.name
        blurred = np.asarray(Image.fromarray(pixels).filter(ImageFilter.GaussianBlur(24 / 2.82)))
        assert not assess_quality(blurred, 2.82).ok, file.name

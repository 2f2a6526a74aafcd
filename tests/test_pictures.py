"""Pictures: marks where they belong, told apart, and nothing of the capture's file in what is saved."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from trichotrack.pictures import Mark, compare, contact_sheet, overlay, save_picture
from trichotrack.signs import SIGN, SIGNS, Sign

SKIN = np.full((300, 400, 3), (200, 170, 150), np.uint8)


def changed(picture: Image.Image, height: int = 300) -> np.ndarray:
    return np.any(np.asarray(picture)[:height] != SKIN[:height], axis=2)


def test_a_mark_surrounds_its_point_and_leaves_it_in_view() -> None:
    drawn = changed(overlay(SKIN, [("black_dot", 120.5, 80.5, None)], SIGN))
    rows, columns = np.nonzero(drawn)
    assert (rows.mean(), columns.mean()) == pytest.approx((80, 120), abs=1)
    assert not drawn[80, 120]
    assert 8 < np.ptp(rows) < 30


def test_the_tip_is_joined_to_the_root() -> None:
    drawn = changed(overlay(SKIN, [("broken_hair", 100, 100, (200, 150))], SIGN))
    assert drawn[150 - 1 : 150 + 2, 199:202].any()
    assert drawn[125, 150]


def test_every_sign_differs_from_every_other_even_without_colour() -> None:
    shapes = [changed(overlay(SKIN, [(sign.name, 200, 150, None)], SIGN)) for sign in SIGNS]
    for i, one in enumerate(shapes):
        assert all((one != other).mean() > 2e-4 for other in shapes[i + 1 :])


def test_a_large_capture_is_shown_smaller_with_marks_in_place() -> None:
    large = np.repeat(np.repeat(SKIN, 10, axis=0), 10, axis=1)
    picture = overlay(large, [("black_dot", 1200, 800, None)], SIGN, max_side=400)
    rows, columns = np.nonzero(changed(picture))
    assert (rows.mean(), columns.mean()) == pytest.approx((80, 120), abs=1)


def test_signs_beyond_the_vocabulary_and_unknown_names_are_drawn() -> None:
    own = Sign("comma_hair", "comma hair", "comma hairs", "", role="context")
    marks: list[Mark] = [("comma_hair", 100, 100, None), ("unheard_of", 200, 100, None)]
    assert changed(overlay(SKIN, marks, {"comma_hair": own})).any()


def test_legend_and_caption_add_to_the_height_and_a_remark_replaces_the_count() -> None:
    bare = overlay(SKIN, [], {})
    four = {name: SIGN[name] for name in ("black_dot", "broken_hair")}
    legend = overlay(SKIN, [], four)
    caption = overlay(SKIN, [], four, caption="not validated on patients\nµ × é 漢")
    assert bare.height == 300 < legend.height < caption.height
    refused = overlay(SKIN, [], four, remarks={"black_dot": "not counted"})
    assert np.asarray(legend)[300:, :200].tolist() != np.asarray(refused)[300 : legend.height, :200].tolist()


def test_compare_shows_labelled_on_the_left_and_predicted_on_the_right() -> None:
    sheet = np.asarray(compare(SKIN, [("black_dot", 50, 50, None)], [], {"black_dot": SIGN["black_dot"]}, "a caption"))
    middle = sheet.shape[1] // 2
    orange = np.all(sheet == SIGN["black_dot"].colour, axis=2)
    top = orange[: sheet.shape[0] - 100]
    assert top[:, :middle].any()
    assert not top[:, middle:].any()


def test_a_contact_sheet_holds_every_picture_and_refuses_a_missing_caption() -> None:
    wide = contact_sheet([SKIN] * 5, ["a", "b", "c", "d", "e"], columns=3, cell_px=100, title="five")
    assert wide.width == 3 * 108 + 8
    assert wide.height > 2 * 75
    with pytest.raises(ValueError, match="5 images and 1 captions"):
        contact_sheet([SKIN] * 5, ["a"])


@pytest.mark.parametrize("name", ["a/b.png", "a/b.jpg"])
def test_saved_pictures_carry_no_metadata(name: str, tmp_path: Path) -> None:
    picture = Image.fromarray(SKIN)
    picture.info["comment"] = b"P001, born 1990"
    picture.getexif()[0x010E] = "P001"
    save_picture(picture, tmp_path / name)
    with Image.open(tmp_path / name) as saved:
        assert not dict(saved.getexif())
    assert b"P001" not in (tmp_path / name).read_bytes()

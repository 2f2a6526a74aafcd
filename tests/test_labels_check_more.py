"""Faults that no single table or picture shows: one picture twice, labels that contradict, scales that cannot be."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageEnhance, ImageFilter
from typer.testing import CliRunner

from labels_fixture import CAPTURES, LABELS, save_csv, save_image
from trichotrack.capture import read_capture
from trichotrack.cli.labels import labels_app
from trichotrack.labels.alike import NEAR_SHARE, near_pairs, picture_hash
from trichotrack.labels.check import Checked, check_labels
from trichotrack.labels.masks import read_mask
from trichotrack.labels.read import read_labels
from trichotrack.labels.write import write_labels
from trichotrack.problems import InputError

DEMO = Path(__file__).parents[1] / "data" / "demo"

OBJECTS = ["id", "file", "sign", "x", "y", "tip_x", "tip_y", "root_width_um", "rater"]


def folder_of(
    tmp_path: Path,
    *,
    captures: Sequence[Sequence[object]] = (),
    labels: Sequence[Sequence[object]] = (),
    objects: Sequence[Sequence[object]] = (),
    signs: str = "",
) -> Path:
    """captures: (file, patient, um_per_px, preparation, split); labels: (file, sign, level, value); objects: (file,
    sign, x, y, root_width_um). Pictures are not made."""
    save_csv(
        tmp_path,
        {
            "captures": [
                CAPTURES,
                *([f, p, "", "", "", um, prep, "", split, ""] for f, p, um, prep, split in captures),
            ],
            "labels": [LABELS, *([*label, ""] for label in labels)],
            "objects": [OBJECTS, *([n, f, s, x, y, "", "", w, ""] for n, (f, s, x, y, w) in enumerate(objects))],
        },
    )
    if signs:
        (tmp_path / "signs.yaml").write_text(signs)
    return tmp_path


def one_capture(tmp_path: Path, **tables: object) -> Checked:
    return check_labels(folder_of(tmp_path, captures=[("a.jpg", "1", 2.5, "none", "")], **tables), images=False)


def said(problems: Sequence[object]) -> str:
    return "\n".join(str(problem) for problem in problems)


# --- pictures ---------------------------------------------------------------------------------------------------------


def demo_pixels(name: str = "S001_1.jpg") -> NDArray[np.uint8]:
    return read_capture(DEMO / "labelled" / "images" / name).pixels


def saved_again(image: Image.Image) -> Image.Image:
    buffer = BytesIO()
    image.save(buffer, "JPEG", quality=50)
    return Image.open(buffer).convert("RGB")


@pytest.mark.parametrize(
    "change",
    [
        saved_again,
        lambda image: image.resize((image.width // 2, image.height // 2)),
        lambda image: ImageEnhance.Brightness(image).enhance(1.2),
        lambda image: image.filter(ImageFilter.GaussianBlur(2)),
        lambda image: image.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
        lambda image: image.transpose(Image.Transpose.ROTATE_90),
        lambda image: image.crop((8, 8, image.width - 8, image.height - 8)),
    ],
)
def test_a_picture_saved_again_made_smaller_brighter_turned_or_trimmed_is_known(
    change: Callable[[Image.Image], Image.Image],
) -> None:
    pixels = demo_pixels()
    hashes = [picture_hash(pixels), picture_hash(np.asarray(change(Image.fromarray(pixels))))]
    assert [(i, j) for i, j, _ in near_pairs(hashes)] == [(0, 1)]


def test_repeats_of_one_field_and_strangers_are_far_from_near_duplicates() -> None:
    files = sorted((DEMO / "patient").rglob("*.jpg")) + sorted((DEMO / "labelled" / "images").glob("*.jpg"))
    hashes = [picture_hash(read_capture(file).pixels) for file in files]
    assert len(files) == 92
    pairs = near_pairs(hashes, 1.0)
    assert len(pairs) == 92 * 91 // 2
    assert min(share for *_, share in pairs) > NEAR_SHARE + 0.1


def test_the_black_frame_of_a_round_field_makes_nobody_alike() -> None:
    def framed(file: Path, radius: float = 0.5) -> NDArray[np.uint8]:
        pixels = np.asarray(Image.open(file).convert("RGB").resize((600, 480)))
        y, x = np.mgrid[:480, :600]
        inside = np.hypot(x - 300, y - 240) < 480 * radius
        return np.where(inside[..., None], pixels, 3).astype(np.uint8)

    files = sorted((DEMO / "labelled" / "images").glob("*.jpg"))[::3]
    again = saved_again(Image.fromarray(framed(files[3])))
    hashes = [*(picture_hash(framed(file)) for file in files), picture_hash(np.asarray(again))]
    assert [(i, j) for i, j, _ in near_pairs(hashes)] == [(3, len(files))]
    assert picture_hash(framed(files[0], radius=0.2)) is None


def test_light_that_falls_off_to_the_edge_makes_nobody_alike() -> None:
    y, x = np.mgrid[-1:1:480j, -1:1:600j]
    light = 1 - 0.4 * (x**2 + y**2)
    hashes = []
    for file in sorted((DEMO / "labelled" / "images").glob("*.jpg"))[::3]:
        pixels = np.asarray(Image.open(file).convert("RGB").resize((600, 480)))
        hashes.append(picture_hash((pixels * light[..., None]).astype(np.uint8)))
    assert min(share for *_, share in near_pairs(hashes, 1.0)) > 2 * NEAR_SHARE


def test_blank_pictures_are_not_called_alike() -> None:
    blank = np.full((64, 64, 3), 200, np.uint8)
    assert picture_hash(blank) is None
    assert near_pairs([None, picture_hash(demo_pixels()), None]) == []


def test_near_pairs_are_the_same_in_blocks_of_any_size(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    hashes = [picture_hash(rng.integers(0, 255, (34, 34, 3), dtype=np.uint8)) for _ in range(7)]
    hashes += hashes[:2]
    whole = near_pairs(hashes)
    assert [pair[:2] for pair in whole] == [(0, 7), (1, 8)]
    monkeypatch.setattr("trichotrack.labels.alike._BLOCK", 2)
    assert near_pairs(hashes) == whole


def people_with_one_picture(tmp_path: Path, splits: tuple[str, str], fields: tuple[str, str] = ("", "")) -> Path:
    """Patients 1 and 2 with one photograph in two qualities, and patient 3 with another."""
    image = Image.fromarray(demo_pixels())
    image.save(tmp_path / "a.jpg", quality=95)
    image.resize((400, 320)).save(tmp_path / "b.jpg", quality=60)
    save_image(tmp_path / "c.jpg", (400, 320), seed=5)
    return folder_of(
        tmp_path,
        captures=[
            ("a.jpg", "1", 6.0, "none", splits[0]),
            ("b.jpg", "2", 6.0, "none", splits[1]),
            ("c.jpg", "3", 6.0, "none", splits[1]),
        ],
        labels=[("a.jpg", "black_dot", "count", 3)],
    )


def test_two_patients_with_a_near_duplicate_are_told_of_once(tmp_path: Path) -> None:
    found = check_labels(people_with_one_picture(tmp_path, ("", "")))
    assert not found.errors
    told = [p for p in found.warnings if "in common" in p.message]
    assert [(p.place, p.row, p.value) for p in told] == [("captures.csv", 3, "b.jpg")]
    assert "patients 1 and 2 have a picture in common" in told[0].message
    assert "one patient id" in told[0].remedy


def test_a_near_duplicate_over_two_folds_is_an_error_whichever_validates(tmp_path: Path) -> None:
    labelset = read_labels(people_with_one_picture(tmp_path, ("train", "train")))
    folds = zip(labelset.captures, ("2", "3", ""), strict=True)
    write_labels(replace(labelset, captures=tuple(replace(row, extra={"fold": fold}) for row, fold in folds)), tmp_path)
    assert "they are in two folds (3 and 2)" in check_labels(tmp_path).errors[0].message


@pytest.mark.parametrize("split", ["validation", "training", "0"])
def test_a_split_of_another_name_is_an_error_and_capitals_are_none(tmp_path: Path, split: str) -> None:
    found = check_labels(people_with_one_picture(tmp_path, ("Train", split)))
    assert {(p.row, p.value) for p in found.errors if p.column == "split"} == {(3, split)}, "told once for both rows"


def test_a_mask_with_transparent_parts_is_refused(tmp_path: Path) -> None:
    mask = np.full((40, 40, 4), 255, np.uint8)
    Image.fromarray(mask).save(tmp_path / "opaque.png")
    assert read_mask(tmp_path / "opaque.png", (40, 40)).all()
    mask[:, 20:] = 0
    Image.fromarray(mask).save(tmp_path / "half.png")
    with pytest.raises(InputError, match="transparent"):
        read_mask(tmp_path / "half.png", (40, 40))


def test_a_near_duplicate_over_two_splits_is_an_error(tmp_path: Path) -> None:
    found = check_labels(people_with_one_picture(tmp_path, ("train", "val")))
    assert [p.row for p in found.errors] == [3]
    assert "they are in two splits (val and train)" in found.errors[0].message


def test_a_capture_that_is_in_no_split_leaks_nothing(tmp_path: Path) -> None:
    found = check_labels(people_with_one_picture(tmp_path, ("", "val")))
    assert not found.errors
    assert "patients 1 and 2" in said(found.warnings)


def test_repeats_may_look_the_same_and_two_fields_may_not(tmp_path: Path) -> None:
    people_with_one_picture(tmp_path, ("", ""))
    rows = [CAPTURES, *([f, "1", "v1", "vertex", field, 6.0, "none", "", "", ""] for f, field in
                        (("a.jpg", "1"), ("b.jpg", "1")))]  # fmt: skip
    save_csv(tmp_path, {"captures": rows})
    assert check_labels(tmp_path).warnings == ()
    rows[2][4] = "2"
    save_csv(tmp_path, {"captures": rows})
    assert "looks the same as a.jpg in row 2" in said(check_labels(tmp_path).warnings)


def test_the_same_pixels_in_another_file_are_the_same_image(tmp_path: Path) -> None:
    save_image(tmp_path / "a.png")
    Image.open(tmp_path / "a.png").save(tmp_path / "b.bmp")
    folder_of(tmp_path, captures=[("a.png", "1", 2.5, "none", ""), ("b.bmp", "1", 2.5, "none", "")])
    assert "b.bmp" in said(check_labels(tmp_path).errors)
    assert "is the same image as row 2" in said(check_labels(tmp_path).errors)


def test_one_picture_under_three_patients_is_told_of_once_for_each_further_row(tmp_path: Path) -> None:
    for n in range(3):
        save_image(tmp_path / f"{n}.png", (400, 320))
    folder_of(tmp_path, captures=[(f"{n}.png", f"P{n}x", 6.0, "none", "") for n in range(3)])
    found = check_labels(tmp_path)
    assert [p.row for p in found.errors] == [3, 4]
    assert all("another patient (P0x, here" in p.message for p in found.errors)
    assert "in common" not in said(found.warnings)


# --- levels -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("level", "value", "message"),
    [
        ("count", 5, "objects are listed (2) while labels.csv says count 5 for black_dot in a.jpg"),
        ("presence", 0, "objects are listed (2) while labels.csv says presence 0 for black_dot in a.jpg"),
        (None, "", "labels.csv has no row for black_dot in a.jpg"),
    ],
)
def test_labels_that_contradict_the_objects_are_errors(
    tmp_path: Path, level: str | None, value: object, message: str
) -> None:
    labels = [("a.jpg", "black_dot", level, value)] if level else [("a.jpg", "yellow_dot", "presence", 1)]
    objects = [("a.jpg", "black_dot", 10, 10, ""), ("a.jpg", "black_dot", 30, 30, "")]
    assert message in said(one_capture(tmp_path, labels=labels, objects=objects).errors)


KINDS = "signs: {hair: {group: null}, thick: {parent: hair}, thin: {parent: hair}}"
TWO_THICK = [("a.jpg", "thick", 10, 10, ""), ("a.jpg", "thick", 30, 30, "")]


@pytest.mark.parametrize(
    ("level", "value", "thin", "errors", "warnings"),
    [
        ("count", 2, ("exhaustive", ""), "", ""),
        ("count", 1, ("exhaustive", ""), "1 hair in a.jpg (count 1), while its kinds (thick, thin) are at least 2", ""),
        ("presence", 0, ("exhaustive", ""), "0 hair in a.jpg (presence 0)", ""),
        ("count", 9, ("exhaustive", ""), "", "9 hair in a.jpg (count 9), while its kinds (thick, thin) are 2 together"),
        ("count", 9, ("partial", ""), "", "partial says that some are marked, and none is"),
        ("count", 9, ("count", 7), "", ""),
        ("count", 9, ("count", 8), "9 hair", ""),
    ],
)
def test_a_sign_and_its_kinds_add_up(
    tmp_path: Path, level: str, value: int, thin: tuple[str, object], errors: str, warnings: str
) -> None:
    labels = [
        ("a.jpg", "hair", level, value),
        ("a.jpg", "thick", "exhaustive", ""),
        ("a.jpg", "thin", *thin),
    ]
    found = one_capture(tmp_path, labels=labels, objects=TWO_THICK, signs=KINDS)
    about = [p for p in found.warnings if "hair in" in p.message or "partial says" in p.message]
    assert errors in said(found.errors)
    assert bool(errors) == bool(found.errors)
    assert warnings in said(about)
    assert bool(warnings) == bool(about)


def test_signs_without_an_example_are_told_of(tmp_path: Path) -> None:
    found = one_capture(
        tmp_path,
        labels=[("a.jpg", "yellow_dot", "exhaustive", ""), ("a.jpg", "black_dot", "presence", 1)],
        signs="signs: {mine: {}, wide: {}, narrow: {parent: wide}}",
    )
    assert found.errors == ()
    assert [(p.place, p.value) for p in found.warnings] == [
        ("signs.yaml", "mine"),
        ("signs.yaml", "narrow"),
        ("labels.csv", "yellow_dot"),
    ]


def test_signs_that_cannot_be_judged_there_are_told_of_once(tmp_path: Path) -> None:
    folder_of(
        tmp_path,
        captures=[("a.jpg", "1", 12.0, "clipped", ""), ("b.jpg", "2", 12.0, "clipped", "")],
        labels=[(file, sign, "count", 2) for file in ("a.jpg", "b.jpg") for sign in ("broken_hair", "black_dot")]
        + [("a.jpg", "pigtail_hair", "count", 0), ("a.jpg", "terminal_hair", "count", 3)],
    )
    told = [p for p in check_labels(tmp_path, images=False).warnings if "judged" in p.message]
    assert [(p.value, p.row) for p in told] == [("broken_hair", 2), ("black_dot", 3)]
    assert "the scalp is clipped" in told[0].message
    assert "px per 50 µm black dot" in told[1].message
    assert all("the same in row" in p.message for p in told)


# --- spots, people, scales --------------------------------------------------------------------------------------------


def test_a_structure_listed_twice_is_an_error_and_two_at_one_place_are_a_warning(tmp_path: Path) -> None:
    found = one_capture(
        tmp_path,
        labels=[("a.jpg", sign, "exhaustive", "") for sign in ("black_dot", "broken_hair", "yellow_dot")],
        objects=[
            ("a.jpg", "black_dot", 10, 10, ""),
            ("a.jpg", "black_dot", 10, 10, ""),
            ("a.jpg", "broken_hair", 30, 30, ""),
            ("a.jpg", "black_dot", 31.5, 30, ""),
            ("a.jpg", "yellow_dot", 30, 30, ""),
            ("a.jpg", "black_dot", 33, 33, ""),
        ],
    )
    assert [(p.row, p.message) for p in found.errors] == [(3, "is the same black_dot in a.jpg as row 2")]
    near = [p for p in found.warnings if p.place == "objects.csv"]
    assert [(p.row, p.message) for p in near] == [(5, "black_dot in a.jpg is 3.8 µm from the broken_hair of row 4")]


def test_ten_thousand_objects_at_one_spot_are_told_of_in_few_lines(tmp_path: Path) -> None:
    objects = [("a.jpg", "black_dot", 10, 10 + 0.5 * (n % 2), "") for n in range(10_000)]
    found = one_capture(tmp_path, labels=[("a.jpg", "black_dot", "exhaustive", "")], objects=objects)
    assert len(found.errors) < 10
    told = sum(int(re.search(r"(\d+) more", p.message)[1]) if "more" in p.message else 1 for p in found.errors)
    assert told > 4000


def test_a_folder_without_captures_is_an_error(tmp_path: Path) -> None:
    assert "lists no capture" in said(check_labels(folder_of(tmp_path), images=False).errors)


def test_a_capture_without_a_patient_is_an_error(tmp_path: Path) -> None:
    folder_of(tmp_path, captures=[("a.jpg", "", 2.5, "none", "")])
    found = check_labels(tmp_path, images=False)
    assert [(p.row, p.column) for p in found.errors] == [(2, "patient")]
    assert "pseudonym" in found.errors[0].remedy


def test_file_names_in_place_of_patients_and_patients_spelt_in_two_ways_are_told_of(tmp_path: Path) -> None:
    folder_of(tmp_path, captures=[(f"{n}.jpg", f"{n}", 2.5, "none", "") for n in range(5)])
    assert "is its file name" in said(check_labels(tmp_path, images=False).warnings)
    people = ["P01", "p1", "P10", "P1 ", "P01"]
    folder_of(tmp_path, captures=[(f"{n}.jpg", name, 2.5, "none", "") for n, name in enumerate(people)])
    told = [p for p in check_labels(tmp_path, images=False).warnings if p.column == "patient"]
    assert [(p.row, p.value) for p in told] == [(3, "p1"), (5, "P1")]


def test_a_vellus_hair_of_200_um_is_told_of_once_for_its_device(tmp_path: Path) -> None:
    widths = [200, 18, 150, 25]
    found = one_capture(
        tmp_path,
        labels=[("a.jpg", "short_vellus_hair", "exhaustive", "")],
        objects=[("a.jpg", "short_vellus_hair", 10 * n, 10, width) for n, width in enumerate(widths)],
    )
    told = [p for p in found.warnings if p.column == "root_width_um"]
    assert [(p.row, p.value) for p in told] == [(2, "200")]
    assert "no calibre of a short vellus hair (10 to 30 µm); so are 2 of 4" in told[0].message


def test_a_median_terminal_hair_of_20_um_points_to_the_scale(tmp_path: Path) -> None:
    found = one_capture(
        tmp_path,
        labels=[("a.jpg", "terminal_hair", "exhaustive", "")],
        objects=[("a.jpg", "terminal_hair", 10 * n, 10, 30) for n in range(6)],
    )
    assert "terminal hairs measure 30 µm in the median" in said(found.warnings)


def test_a_field_that_no_trichoscope_has_is_told_of(tmp_path: Path) -> None:
    for n in range(2):
        save_image(tmp_path / f"{n}.jpg", (640, 480), seed=n)
    folder_of(tmp_path, captures=[("0.jpg", "1", 8.0, "none", ""), ("1.jpg", "2", 80.0, "none", "")])
    told = [p for p in check_labels(tmp_path).warnings if p.column == "um_per_px"]
    assert [p.row for p in told] == [3]
    assert "51 x 38 mm (20 cm²)" in told[0].message


def test_a_slipped_decimal_mark_and_a_missing_scale_are_told_of(tmp_path: Path) -> None:
    scales = [2.8, 2.8, 2.8, 8.6, 2.8, 28, ""]
    folder_of(tmp_path, captures=[(f"{n}.jpg", f"P{n}x", um, "none", "") for n, um in enumerate(scales)])
    told = [p for p in check_labels(tmp_path, images=False).warnings if p.column == "um_per_px"]
    assert [(p.row, p.value) for p in told] == [(7, "28"), (8, "")]
    assert "1 of 7 captures have no scale" in told[1].message


def test_warnings_alone_leave_the_exit_status_at_0(tmp_path: Path) -> None:
    folder_of(tmp_path, captures=[("a.jpg", "1", "", "none", "")])
    done = CliRunner().invoke(labels_app, ["check", str(tmp_path), "--tables-only"])
    assert done.exit_code == 0
    assert "No errors, 1 warning: 1 capture" in done.output
    told = json.loads(CliRunner().invoke(labels_app, ["check", str(tmp_path), "--tables-only", "--json"]).output)
    assert (told["problems"], [p["column"] for p in told["warnings"]]) == ([], ["um_per_px"])


def test_the_demo_is_without_errors_or_warnings(tmp_path: Path) -> None:
    found = check_labels(DEMO / "labelled")
    assert (found.errors, found.warnings, found.pictures) == ((), (), 60)
    shutil.copytree(DEMO / "labelled", tmp_path / "set")
    (tmp_path / "set" / "images" / "S002_1.jpg").unlink()
    assert [p.value for p in check_labels(tmp_path / "set").errors] == ["images/S002_1.jpg"]

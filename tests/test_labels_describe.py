"""What a set is like, the training plan that follows, and the page that draws its labels."""

from __future__ import annotations

import base64
import dataclasses
import io
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image
from typer.testing import CliRunner, Result

from labels_fixture import save_image
from trichotrack.capture import read_capture, read_size
from trichotrack.cli.labels import labels_app
from trichotrack.labels.derive import with_parents
from trichotrack.labels.fingerprint import DevicePrint, Fingerprint, SignPrint, Spread, fingerprint, short, spread_text
from trichotrack.labels.read import read_labels
from trichotrack.labels.recipe import CELL_PX, Setting, as_mapping, base_config, recipe, recipe_text
from trichotrack.labels.tables import CaptureRow, LabelRow, LabelSet, ObjectRow
from trichotrack.labels.write import write_labels
from trichotrack.model.plan import Plan
from trichotrack.problems import InputError
from trichotrack.report.labels_page import choose, labels_page
from trichotrack.signs import SIGN, Sign

DEMO = Path(__file__).parents[1] / "data" / "demo" / "labelled"


def run(*arguments: object) -> Result:
    return CliRunner().invoke(labels_app, [str(argument) for argument in arguments])


def three_captures(folder: Path) -> LabelSet:
    """Two captures of 1000×800 µm² at 2 µm per px, one of them half masked, and one without a scale."""
    for n, name in enumerate("abc"):
        save_image(folder / f"{name}.png", (500, 400), seed=n)
    half = np.zeros((400, 500), np.uint8)
    half[:, :250] = 255
    Image.fromarray(half).save(folder / "half.png")
    captures = (
        CaptureRow("a.png", "1", um_per_px=2.0, device="X"),
        CaptureRow("b.png", "2", um_per_px=2.0, device="X", valid_area="half.png"),
        CaptureRow("c.png", "2", device="Y"),
    )
    labels = (
        *(LabelRow(file, "black_dot", "exhaustive") for file in ("a.png", "b.png", "c.png")),
        LabelRow("a.png", "broken_hair", "partial"),
        LabelRow("b.png", "yellow_dot", "presence", 1.0),
        LabelRow("b.png", "terminal_hair", "count", 0.0),
        LabelRow("a.png", "black_dot", "exhaustive", rater="second"),
    )
    objects = (
        ObjectRow("1", "a.png", "black_dot", 100, 100, root_width_um=60),
        ObjectRow("2", "a.png", "black_dot", 130, 140, root_width_um=80),
        ObjectRow("3", "a.png", "broken_hair", 100, 110, tip_x=100, tip_y=160),
        ObjectRow("4", "c.png", "black_dot", 5, 5),
        ObjectRow("5", "c.png", "black_dot", 6, 5),
        ObjectRow("6", "a.png", "black_dot", 1, 1, rater="second"),
    )
    labelset = LabelSet(folder, captures, labels, objects)
    write_labels(labelset, folder)
    return labelset


def test_what_lies_off_the_valid_area_is_in_no_density(tmp_path: Path) -> None:
    labelset = three_captures(tmp_path)
    off = [ObjectRow(f"off{x}", "b.png", "black_dot", x, 50) for x in (300, 400)]
    on = ObjectRow("on", "b.png", "black_dot", 100, 50)
    found = fingerprint(dataclasses.replace(labelset, objects=(*labelset.objects, *off, on)))
    (dots,) = [one for one in found.signs if one.sign == "black_dot"]
    assert dots.per_cm2 == pytest.approx(3 / (0.008 + 0.004), rel=1e-3)


def test_kinds_of_a_sign_in_its_own_group_are_sought_without_it(tmp_path: Path) -> None:
    labelset = three_captures(tmp_path)
    kinds = {name: Sign(name, name, name, "", "active", parent="tapering_hair") for name in ("blunt_one", "fine_one")}
    known = dataclasses.replace(
        labelset,
        signs={**labelset.signs, **kinds},
        labels=(*labelset.labels, *(LabelRow("a.png", name, "exhaustive") for name in kinds)),
        objects=(
            *labelset.objects,
            ObjectRow("k1", "a.png", "blunt_one", 300, 300),
            ObjectRow("k2", "a.png", "fine_one", 400, 300),
        ),
    )
    both = with_parents(known)
    found = fingerprint(both)
    assert found.crowding_um is not None
    assert found.crowding_um.low > 1, "a kind and its parent are one structure, not two at no distance"
    (signs,) = [one for one in recipe(found, both, "my-labels", "made") if one.path[-1] == "signs"]
    assert {"blunt_one", "fine_one"} <= set(signs.value)
    assert "tapering_hair" not in signs.value
    assert "Of tapering_hair the kinds are sought" in signs.why
    with pytest.raises(InputError, match="each structure is both"):
        Plan(signs=("tapering_hair", "blunt_one")).channels(known.signs)
    apart = {**known.signs, "tapering_hair": dataclasses.replace(known.signs["tapering_hair"], group=None)}
    assert len(Plan(signs=("tapering_hair", "blunt_one")).channels(apart)) == 2


def test_a_fingerprint_has_areas_densities_and_distances_in_um(tmp_path: Path) -> None:
    found = fingerprint(three_captures(tmp_path))
    assert (found.captures, found.patients, found.looked_at) == (3, 2, 3)
    one, other = found.devices
    assert (one.device, one.captures, one.sizes) == ("X", 2, {"500x400": 2})
    assert one.um_per_px == Spread(2.0, 2.0, 2.0, 2)
    assert one.field_cm2 == Spread(0.008, 0.008, 0.008, 2)
    assert (other.device, other.um_per_px, other.field_cm2) == ("Y", None, None)
    signs = {sign.sign: sign for sign in found.signs}
    dots = signs["black_dot"]
    assert (dots.captures, dots.absent, dots.objects, dots.patients) == (3, 1, 4, 2)
    assert dots.per_cm2 == pytest.approx(2 / 0.012, rel=1e-3)
    assert dots.by_capture is not None
    assert dots.by_capture.count == 2
    assert dots.width_um == Spread(61, 70, 79, 2)
    assert dots.nearest_um == Spread(100, 100, 100, 2)
    broken = signs["broken_hair"]
    assert (broken.captures, broken.objects, broken.per_cm2) == (0, 1, None)
    assert broken.length_um == Spread(100, 100, 100, 1)
    assert (signs["yellow_dot"].patients, signs["terminal_hair"].patients) == (1, 0)
    # In c.png two are 1 px apart: without a scale a distance is known against the 500 px of the long side alone.
    assert found.long_side_px == Spread(500, 500, 500, 3)
    assert found.crowding_share is not None
    assert (found.crowding_share.count, found.crowding_share.middle) == (5, 10 / 500)
    # Of the three that compete in a.png the nearest are 10 px, 10 px and √(30² + 30²) px away.
    assert found.crowding_um == Spread(20, 20, pytest.approx(78.4, abs=0.1), 3)


def test_without_images_there_is_no_density_and_the_rest_is_the_same(tmp_path: Path) -> None:
    labelset = three_captures(tmp_path)
    seen: list[int] = []
    whole = fingerprint(labelset, on_capture=lambda: seen.append(1))
    assert len(seen) == 3
    for name in "abc":
        (tmp_path / f"{name}.png").unlink()
    tables = fingerprint(labelset, images=False)
    assert (tables.looked_at, tables.sharpness_um, tables.colour) == (0, None, {})
    assert tables.crowding_um == whole.crowding_um
    assert [sign.nearest_um for sign in tables.signs] == [sign.nearest_um for sign in whole.signs]
    assert {sign.per_cm2 for sign in tables.signs} == {None}
    assert (tables.long_side_px, tables.crowding_share) == (None, None)
    with pytest.raises(InputError) as caught:
        fingerprint(labelset)
    assert len(caught.value.problems) == 3


def test_a_size_read_from_the_header_is_that_of_the_upright_picture(tmp_path: Path) -> None:
    save_image(tmp_path / "plain.png", (90, 50))
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (90, 50)).save(tmp_path / "turned.jpg", exif=exif)
    for name, size in (("plain.png", (90, 50)), ("turned.jpg", (50, 90))):
        capture = read_capture(tmp_path / name)
        assert read_size(tmp_path / name) == (capture.width, capture.height) == size
    (tmp_path / "text.jpg").write_text("no image")
    with pytest.raises(InputError, match="it is text"):
        read_size(tmp_path / "text.jpg")


def test_numbers_are_told_in_three_digits() -> None:
    assert [short(value) for value in (0.13612, 74.62, 1107.4)] == ["0.136", "74.6", "1107"]
    assert spread_text(Spread(1, 2, 3, 9)) == "2 (1 to 3)"
    assert spread_text(Spread(2, 2, 2, 9)) == "2"
    assert spread_text(None) == ""


# --- the plan ---------------------------------------------------------------------------------------------------------


def printed(
    *,
    um: float | None = 2.8,
    crowding: tuple[float, float] | None = (200, 400),
    sign: str = "broken_hair",
    objects: int = 90,
) -> Fingerprint:
    """A set of one device and one sign. crowding: the 5 % and 50 % quantiles, µm."""
    scale = Spread(um, um, um, 40) if um else None
    near = Spread(crowding[0], crowding[1], 2000, 90) if crowding else None
    device = DevicePrint("X", 40, scale, {"1280x1024": 40}, None)
    signs = (SignPrint(sign, 40, 2, objects, 12, 20.0, None, None, None, near),)
    return Fingerprint(40, 12, (device,), signs, near, 0, None, {})


def labelled(sign: str = "broken_hair", level: str = "exhaustive", captures: int = 40) -> LabelSet:
    rows = tuple(CaptureRow(f"{n}.jpg", f"P{n // 4}", um_per_px=2.8) for n in range(captures))
    return LabelSet(Path(), rows, tuple(LabelRow(row.file, sign, level) for row in rows), ())


def plan_of(found: Fingerprint, labelset: LabelSet) -> dict[str, object]:
    return as_mapping(recipe(found, labelset, "my set", "my set"))


def test_a_usual_set_gets_the_usual_plan() -> None:
    proposed = plan_of(printed(), labelled())
    assert proposed["model"] == {
        "plan": {
            "signs": ["broken_hair"],
            "ignore": [],
            "um_per_px": 6.0,
            "sigma_um": 30.0,
            "min_distance_um": 60.0,
            "tolerance_mm": 0.15,
        }
    }
    assert proposed["data"]["init_args"]["crop_px"] == 416
    assert base_config(labelled()) == "configs/few.yaml"
    assert base_config(labelled(captures=80)) == "configs/more.yaml"


@pytest.mark.parametrize(
    ("found", "setting", "value"),
    [
        (printed(crowding=(40, 90)), "um_per_px", 5.0),  # two peaks need 8 px between them: 40 / 8
        (printed(crowding=(20, 90)), "um_per_px", 4.0),  # no finer: it takes long
        (printed(crowding=(40, 90)), "sigma_um", 20.0),  # half of 40, and a cell of 5 µm per px
        (printed(crowding=(40, 90)), "min_distance_um", 30.0),  # three quarters of 40
        (printed(crowding=(64, 169)), "tolerance_mm", 0.113),  # two thirds of 169
        (printed(um=8.6), "um_per_px", 9.0),  # finer than the captures shows nothing more
        (printed(crowding=None), "um_per_px", 6.0),
    ],
)
def test_a_plan_follows_what_the_set_is_like(found: Fingerprint, setting: str, value: float) -> None:
    plan = plan_of(found, labelled())["model"]["plan"]
    assert plan[setting] == pytest.approx(value)


@settings(max_examples=60, deadline=None)
@given(
    um=st.floats(0.5, 12),
    low=st.floats(5, 500),
    more=st.floats(1, 6),
    sign=st.sampled_from(["broken_hair", "black_dot", "short_vellus_hair"]),
    captures=st.integers(2, 3000),
)
def test_every_plan_is_one_that_training_takes(um: float, low: float, more: float, sign: str, captures: int) -> None:
    proposed = plan_of(printed(um=um, crowding=(low, low * more), sign=sign), labelled(sign, captures=captures))
    plan, data = proposed["model"]["plan"], proposed["data"]["init_args"]
    cell = CELL_PX * plan["um_per_px"]
    assert 4 <= plan["um_per_px"] <= max(6.0, um + 0.5)
    assert cell - 0.5 <= plan["sigma_um"] <= 1.25 * cell + 0.5
    assert plan["min_distance_um"] >= 1.5 * cell - 0.5
    assert 0.05 <= plan["tolerance_mm"] <= 0.15
    assert data["crop_px"] % 16 == 0
    assert 192 <= data["crop_px"] <= 416
    # How long is the other config's: in steps, however many captures there are.
    assert set(proposed["trainer"]) == {"default_root_dir"}


def test_signs_without_an_example_or_a_place_are_told_of_and_left_out() -> None:
    found = printed()
    more = [
        SignPrint("yellow_dot", 40, 40, 0, 0, 0.0, None, None, None, None),
        SignPrint("black_dot", 0, 0, 0, 9, None, None, None, None, None),
        SignPrint("intermediate_hair", 40, 0, 9, 9, 1.0, None, None, None, None),
    ]
    labelset = labelled()
    extra = [("yellow_dot", "exhaustive"), ("black_dot", "count"), ("intermediate_hair", "exhaustive")]
    labelset = dataclasses.replace(
        labelset,
        labels=labelset.labels
        + tuple(LabelRow("0.jpg", sign, level, 3.0 if level == "count" else None) for sign, level in extra),
        signs={**SIGN, "intermediate_hair": Sign("intermediate_hair", "i", "i", "", "context")},
    )
    first, ignore, *_ = recipe(dataclasses.replace(found, signs=(*found.signs, *more)), labelset, "x", "x")
    assert first.value == ["broken_hair"]
    assert "in no capture there: yellow_dot" in first.why
    assert "nothing teaches where they are: black_dot" in first.why
    assert ignore.value == ["intermediate_hair"]


def unscaled(
    *, long_side: float | None = 1280, crowding: tuple[float, float] | None = (0.02, 0.05), size: str = "1280x1024"
) -> Fingerprint:
    """A set without any scale. crowding: the 5 % and 50 % quantiles, as a share of the long side."""
    found = printed(um=None, crowding=None)
    (device,) = found.devices
    return dataclasses.replace(
        found,
        devices=(dataclasses.replace(device, sizes={size: 40} if long_side else {}),),
        long_side_px=Spread(long_side, long_side, long_side, 40) if long_side else None,
        crowding_share=Spread(*crowding, 0.2, 90) if crowding else None,
    )


def unscaled_labels(**options: Any) -> LabelSet:
    labelset = labelled(**options)
    return dataclasses.replace(
        labelset, captures=tuple(dataclasses.replace(row, um_per_px=None) for row in labelset.captures)
    )


def test_a_set_without_any_scale_gets_a_plan_without_one_and_no_measure_in_um() -> None:
    settings_ = recipe(unscaled(), unscaled_labels(), "x", "x")
    proposed = as_mapping(settings_)
    assert proposed["model"]["plan"] == {
        "signs": ["broken_hair"],
        "ignore": [],
        "um_per_px": None,
        "long_side_px": 1024,
        "sigma_px": 5.0,
        "min_distance_px": 8.0,
        "tolerance_px": 16.0,
    }
    assert proposed["data"]["init_args"]["scale_jitter"] == 0.25
    assert proposed["data"]["init_args"]["crop_px"] == 416
    text = recipe_text(settings_, base="a.yaml", file="b.yaml", name="x")
    assert yaml.safe_load(text) == proposed
    assert "tells no density, width or length" in " ".join(text.replace("#", "").split())


@pytest.mark.parametrize(
    ("found", "setting", "value"),
    [
        (unscaled(long_side=600), "long_side_px", 608),  # more shows nothing more; in steps of 16
        (unscaled(long_side=3000), "long_side_px", 1024),
        (unscaled(long_side=3000, crowding=(0.005, 0.02)), "long_side_px", 1600),  # 8 px at the nearest: 8 / 0.005
        (unscaled(long_side=3000, crowding=(0.001, 0.02)), "long_side_px", 2048),  # no larger: it takes long
        (unscaled(long_side=1280, crowding=(0.001, 0.02)), "long_side_px", 1280),
        (unscaled(long_side=1280, crowding=(0.0, 0.02)), "long_side_px", 1024),
        (unscaled(long_side=120, size="120x90"), "long_side_px", 256),
        (unscaled(long_side=None, crowding=None), "long_side_px", 1024),
        (unscaled(crowding=(0.009, 0.05)), "sigma_px", 4.6),  # half of 9.2 px
        (unscaled(crowding=(0.009, 0.05)), "min_distance_px", 6.9),  # three quarters of it
        (unscaled(crowding=(0.009, 0.018)), "tolerance_px", 12.3),  # two thirds of 18.4
    ],
)
def test_a_plan_without_a_scale_follows_sizes_and_distances(found: Fingerprint, setting: str, value: float) -> None:
    plan = plan_of(found, unscaled_labels())["model"]["plan"]
    assert plan[setting] == pytest.approx(value, abs=0.05)


@settings(max_examples=60, deadline=None)
@given(
    long_side=st.floats(50, 9000),
    low=st.floats(0.0, 0.3),
    more=st.floats(1, 6),
    captures=st.integers(2, 300),
)
def test_every_plan_without_a_scale_is_one_that_training_takes(
    long_side: float, low: float, more: float, captures: int
) -> None:
    found = unscaled(long_side=long_side, crowding=(low, low * more))
    proposed = plan_of(found, unscaled_labels(captures=captures))
    plan = proposed["model"]["plan"]
    assert (
        Plan(**plan).to_dict().items()
        >= {
            **plan,
            "signs": tuple(plan["signs"]),
            "ignore": tuple(plan["ignore"]),
        }.items()
    )
    assert 256 <= plan["long_side_px"] <= 2048
    assert 4 <= plan["sigma_px"] <= 5
    assert 6 <= plan["min_distance_px"] <= 8
    assert 4 <= plan["tolerance_px"] <= 16
    assert proposed["data"]["init_args"]["crop_px"] % 16 == 0


def test_a_set_with_scales_here_and_there_gets_a_plan_with_one_that_tells_of_the_others() -> None:
    labelset = labelled()
    rows = tuple(dataclasses.replace(row, um_per_px=None) if i < 12 else row for i, row in enumerate(labelset.captures))
    (um,) = (
        setting
        for setting in recipe(printed(), dataclasses.replace(labelset, captures=rows), "x", "x")
        if setting.path[-1] == "um_per_px"
    )
    assert um.value == 6.0
    assert "12 of 40 captures have none, and this plan refuses them" in um.why


def test_no_plan_without_a_mark() -> None:
    with pytest.raises(InputError, match="no sign is marked"):
        recipe(printed(), labelled(level="presence"), "x", "x")


def test_labels_of_readers_alone_are_told_by_every_command(tmp_path: Path) -> None:
    labelset = labelled(captures=80)
    labels = tuple(dataclasses.replace(row, rater="ba"[n % 2]) for n, row in enumerate(labelset.labels))
    marks = tuple(ObjectRow(f"{n}", row.file, row.sign, 5, 5, rater=row.rater) for n, row in enumerate(labels))
    write_labels(dataclasses.replace(labelset, labels=labels, objects=marks), tmp_path)
    said = "all labels are by rater a, b; training learns from the reference alone (rater blank)."
    remedy = "Empty the rater column of one reader's rows"
    warnings = json.loads(run("check", tmp_path, "--tables-only", "--json").stdout)["warnings"]
    assert [row["remedy"][: len(remedy)] for row in warnings if f"{row['message']}." == said] == [remedy]
    assert (
        f"No plan is proposed: labels.csv, column rater: {said} {remedy}"
        in run("describe", tmp_path, "--tables-only").stdout
    )
    refused = str(run("split", tmp_path).exception)
    assert f"{said} {remedy}" in refused
    assert refused.endswith("To split all the same, give --allow-few.")
    assert f"{said} {remedy}" in run("split", tmp_path, "--allow-few").stdout
    for table in ("labels.csv", "objects.csv"):
        text = (tmp_path / table).read_text(encoding="utf-8")
        (tmp_path / table).write_text(re.sub(r",b$", ",", text, flags=re.MULTILINE), encoding="utf-8")
    assert said not in "".join(run(command, tmp_path, "--tables-only").stdout for command in ("describe", "check"))
    assert run("split", tmp_path, "--replace").exit_code == 0


def test_a_set_of_partial_labels_is_told_what_training_will_refuse(tmp_path: Path) -> None:
    labelset = labelled(level="partial", captures=80)
    marks = tuple(ObjectRow(f"{n}", row.file, row.sign, 5, 5) for n, row in enumerate(labelset.labels))
    partial = dataclasses.replace(labelset, objects=marks)
    write_labels(partial, tmp_path)
    told = run("describe", tmp_path, "--tables-only").stdout
    assert "No capture of this set has exhaustive, count or presence labels of " in told
    assert "a training refuses it" in told
    done = run("split", tmp_path, "--val", 0.2, "--test", 0.2)
    assert "No capture of split 'val' and split 'test' has exhaustive, count or presence labels: " in done.stdout
    remarks = json.loads(run("describe", tmp_path, "--tables-only", "--json").stdout)["remarks"]
    assert "`trichotrack labels merge --exhaustive`" in remarks[0]
    held_out = {row.file for row in read_labels(tmp_path).captures if row.split != "train"}
    labels = tuple(
        dataclasses.replace(row, level="exhaustive") if row.file in held_out else row for row in partial.labels
    )
    write_labels(dataclasses.replace(read_labels(tmp_path), labels=labels), tmp_path)
    assert "a training refuses it" not in run("describe", tmp_path, "--tables-only").stdout
    assert "a training refuses it" not in run("split", tmp_path, "--val", 0.2, "--test", 0.2).stdout


@settings(max_examples=50, deadline=None)
@given(name=st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Zl", "Zp"]), min_size=1, max_size=30))
@example(name="\N{NO-BREAK SPACE}")
def test_a_recipe_reads_back_as_it_was_meant_whatever_the_folder_is_called(name: str) -> None:
    proposed = recipe(printed(), labelled(), name, name)
    text = recipe_text(proposed, base="a.yaml", file="b.yaml", name=name)
    assert yaml.safe_load(text) == as_mapping(proposed)
    assert all(len(line) <= 112 for line in text.splitlines()[3:] if line.strip().startswith("#"))


def test_every_value_of_a_recipe_has_its_reason_above_it() -> None:
    proposed = recipe(printed(), labelled(), "x", "x")
    assert all(setting.why for setting in proposed if setting.path != ("data", "class_path"))
    text = recipe_text([Setting(("a", "b"), 1, "because"), Setting(("a", "c"), None, "so")], base="", file="", name="")
    assert text.splitlines()[3:] == ["a:", "  # because", "  b: 1", "  # so", "  c: null"]


# --- the page ---------------------------------------------------------------------------------------------------------


def page_of(labelset: LabelSet, **options: int) -> str:
    return labels_page(labelset, fingerprint(with_parents(labelset)), "my set", **options)


def pictures_in(page: str) -> list[Image.Image]:
    return [
        Image.open(io.BytesIO(base64.b64decode(code))) for code in re.findall(r"data:image/jpeg;base64,([^\"]+)", page)
    ]


def test_the_page_needs_nothing_else_and_says_what_is_unlabelled(tmp_path: Path) -> None:
    page = page_of(three_captures(tmp_path))
    assert not re.search(r"<script|https?://(?!www\.w3\.org)|url\(", page)
    assert len(pictures_in(page)) == 3
    captions = re.findall(r"<figcaption>.*?</figcaption>", page, flags=re.DOTALL)
    assert "black dots: 2" in captions[0]
    assert "broken hairs: 1 of more" in captions[0]
    assert "Unlabelled: terminal hairs, yellow dots" in captions[0]
    assert "terminal hairs: 0, not marked" in captions[1]
    assert "yellow dots: present, not marked" in captions[1]
    assert "patient 2, X, 2 µm per px" in captions[1]
    assert "Y, no scale" in captions[2]
    assert "not those of second" in page


def test_pictures_are_small_and_carry_nothing_of_the_camera(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x010F] = "CAMERA MAKER"
    noise = np.random.default_rng(0).integers(0, 255, (1600, 2000, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / "a.jpg", exif=exif, quality=95)
    labelset = LabelSet(
        tmp_path, (CaptureRow("a.jpg", "1", um_per_px=5.0),), (LabelRow("a.jpg", "black_dot", "presence", 1.0),), ()
    )
    page = page_of(labelset)
    (picture,) = pictures_in(page)
    assert "CAMERA MAKER" not in page
    assert not picture.getexif()
    assert max(picture.size) <= 900
    assert len(page) < 260_000


def test_names_cannot_become_part_of_the_page(tmp_path: Path) -> None:
    evil = "<img src=x onerror=alert(1)>"
    save_image(tmp_path / "a.png", (100, 80))
    signs = {**SIGN, "mine": Sign("mine", evil, evil, evil, "context", colour=(1, 2, 3))}
    labelset = LabelSet(
        tmp_path,
        (CaptureRow("a.png", evil, um_per_px=5.0, device=evil, visit=evil),),
        (LabelRow("a.png", "mine", "exhaustive"),),
        (ObjectRow("1", "a.png", "mine", 10, 10),),
        signs,
    )
    page = labels_page(labelset, fingerprint(labelset), evil)
    assert "<img src=x" not in page
    assert "&lt;img src=x" in page


def test_a_mask_is_paled_and_a_broken_picture_is_said(tmp_path: Path) -> None:
    labelset = three_captures(tmp_path)
    found = fingerprint(labelset)
    dark = Image.new("RGB", (500, 400))
    dark.save(tmp_path / "b.png")
    (tmp_path / "c.png").write_text("broken")
    page = labels_page(labelset, found, "x")
    _, half = pictures_in(page)
    grey = np.asarray(half.convert("L")).mean(axis=0)
    assert grey[: half.width // 2 - 10].max() < 10
    assert grey[half.width // 2 + 10 :].min() > 160
    assert "c.png is not an image that can be read: it is text" in page


def test_the_page_shows_each_patient_before_a_second_capture_and_each_sign() -> None:
    captures = tuple(CaptureRow(f"{patient}_{n}.jpg", patient) for patient in "ABCDEFGH" for n in range(3))
    rare = {"H_2.jpg": [ObjectRow("1", "H_2.jpg", "pigtail_hair", 1, 1)]}
    labelset = LabelSet(Path(), captures, (), ())
    shown = choose(labelset, rare, 9)
    assert {row.patient for row in shown} == set("ABCDEFGH")
    assert "H_2.jpg" in {row.file for row in shown}
    few = choose(labelset, {}, 3)
    assert [row.patient for row in few] == ["A", "E", "H"]
    assert choose(labelset, {}, 0) == []
    assert len(choose(labelset, {}, 99)) == 24


# --- the command ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def described(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("described")
    done = run("describe", DEMO, "--out", out, "--pictures", 3)
    assert done.exit_code == 0, done.output
    assert "fingerprint.json, plan.yaml, labels.html are in" in done.output
    return out


def test_describe_writes_a_fingerprint_a_plan_and_a_page(described: Path) -> None:
    told = json.loads((described / "fingerprint.json").read_text("utf-8"))
    assert (told["captures"], told["patients"], len(told["signs"])) == (60, 20, 9)
    assert told["signs"][0]["per_cm2"] == pytest.approx(20, abs=5)
    plan = yaml.safe_load((described / "plan.yaml").read_text("utf-8"))
    assert plan["model"]["plan"]["ignore"] == ["intermediate_hair"]
    page = (described / "labels.html").read_text("utf-8")
    assert len(re.findall("<figure", page)) == 3


def test_an_edited_plan_is_not_replaced_without_being_told(described: Path) -> None:
    (described / "plan.yaml").write_text("mine", encoding="utf-8")
    assert "may have been edited" in str(run("describe", DEMO, "--out", described, "--pictures", 0).exception)
    assert (described / "plan.yaml").read_text("utf-8") == "mine"
    assert run("describe", DEMO, "--out", described, "--pictures", 3, "--overwrite").exit_code == 0
    assert (described / "plan.yaml").read_text("utf-8") != "mine"


def test_describe_prints_its_fingerprint_and_plan_as_json() -> None:
    told = json.loads(run("describe", DEMO, "--json").output)
    assert told["fingerprint"]["looked_at"] == 60
    assert told["plan"]["model"]["plan"]["um_per_px"] == 6.0
    tables = json.loads(run("describe", DEMO, "--json", "--tables-only").output)
    assert tables["fingerprint"]["looked_at"] == 0
    assert "leaves closed" in str(run("describe", DEMO, "--tables-only", "--out", "x").exception)


def test_describe_tells_a_set_without_scales_how_close_its_roots_stand(tmp_path: Path) -> None:
    labelset = three_captures(tmp_path)
    rows = tuple(dataclasses.replace(row, um_per_px=None) for row in labelset.captures)
    write_labels(dataclasses.replace(labelset, captures=rows), tmp_path)
    told = " ".join(run("describe", tmp_path).output.split())
    assert "Scale: no scale." in told
    assert "To the nearest structure that competes: 2 (0.2 to" in told
    assert "% of the picture's long side" in told
    plan = json.loads(run("describe", tmp_path, "--json").output)["plan"]["model"]["plan"]
    assert (plan["um_per_px"], plan["long_side_px"]) == (None, 496)


def test_training_takes_the_plan_on_top_of_a_recipe(described: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from trichotrack.model.cli import main

    recipe_file = DEMO.parents[2] / "configs" / "few.yaml"
    with pytest.raises(SystemExit) as ended:
        main(["fit", f"--config={recipe_file}", f"--config={described / 'plan.yaml'}", "--print_config"])
    assert ended.value.code == 0
    used = yaml.safe_load(capsys.readouterr().out)
    plan = yaml.safe_load((described / "plan.yaml").read_text("utf-8"))
    for name, value in plan["model"]["plan"].items():
        assert used["model"]["plan"][name] == value
    assert used["data"]["init_args"]["labels"] == plan["data"]["init_args"]["labels"]
    assert used["data"]["init_args"]["name"] == "labelled"
    assert (used["trainer"]["max_epochs"], used["pace"]["steps"]) == (-1, 400)
    assert used["model"]["start"] == "bundled"


def test_a_parent_is_in_the_fingerprint_and_its_kinds_are_drawn(tmp_path: Path) -> None:
    save_image(tmp_path / "a.png", (200, 200))
    signs = {**SIGN, "hair": Sign("hair", "hair", "any hairs", "", "context", group=None)}
    signs |= {name: Sign(name, name, f"{name} hairs", "", "context", parent="hair") for name in ("thick", "thin")}
    labels = tuple(LabelRow("a.png", name, "exhaustive") for name in ("thick", "thin"))
    objects = (ObjectRow("1", "a.png", "thick", 10, 10), ObjectRow("2", "a.png", "thin", 50, 50))
    labelset = LabelSet(tmp_path, (CaptureRow("a.png", "1", um_per_px=5.0),), labels, objects, signs)
    assert {one.sign: one.objects for one in fingerprint(with_parents(labelset)).signs} == {
        "hair": 2,
        "thick": 1,
        "thin": 1,
    }
    page = page_of(labelset)
    assert "thick hairs: 1" in page
    assert "any hairs" not in page
    proposed = recipe(fingerprint(with_parents(labelset)), with_parents(labelset), "x", "x")
    assert proposed[0].value == ["hair", "thick", "thin"]

"""Counter: what is read from a capture, at which scale, and what is refused rather than guessed."""

from __future__ import annotations

import dataclasses
import json
import math
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from PIL import Image

import trichotrack
from tiny_model import build_tiny_model, scaleless_spec, scalp, tiny_spec
from trichotrack.capture import capture_of
from trichotrack.geometry import Scale
from trichotrack.problems import InputError
from trichotrack.runtime import counter as counter_module
from trichotrack.runtime.counter import Counter, estimate
from trichotrack.runtime.reading import Reading, SignReading
from trichotrack.runtime.spec import METADATA_KEY, ModelSpec, OnClipped, SignSpec
from trichotrack.signs import SIGN

POINTS = {"black_dot": [(50.0, 60.0), (200.0, 90.0), (120.0, 200.0)], "broken_hair": [(70.0, 180.0), (250.0, 220.0)]}


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Counter:
    return Counter(build_tiny_model(tmp_path_factory.mktemp("model") / "tiny.onnx"), threads=1)


def found(reading: Reading, sign: str) -> np.ndarray:
    points = [(mark.x, mark.y) for mark in reading.objects if mark.sign == sign]
    return np.array(sorted(points)).reshape(-1, 2)


@pytest.mark.parametrize("um_per_px", [2.0, 2.82, 6.0, 8.3])
def test_structures_are_found_where_they_are_at_every_scale(tiny: Counter, um_per_px: float) -> None:
    factor = 6.0 / um_per_px
    points = {sign: [(x * factor, y * factor) for x, y in places] for sign, places in POINTS.items()}
    capture = scalp(round(301 * factor), round(267 * factor), points, um_per_px=um_per_px)
    reading = tiny.read(capture, um_per_px=um_per_px)
    for sign, places in points.items():
        assert reading.signs[sign].count == len(places)
        np.testing.assert_allclose(found(reading, sign), sorted(places), atol=2.5 * factor)


def test_on_a_clipped_scalp_what_looks_like_a_broken_hair_is_counted_as_a_terminal_one(tmp_path: Path) -> None:
    as_terminal = tiny_spec(signs=(SignSpec(SIGN["terminal_hair"], 0.5), SignSpec(SIGN["broken_hair"], 0.5)))
    counter = Counter(build_tiny_model(tmp_path / "hairs.onnx", as_terminal), threads=1)
    capture = scalp(300, 260, POINTS)  # black discs are its terminal hairs, blue ones its broken
    unclipped = counter.read(capture, um_per_px=6.0)
    assert (unclipped.signs["terminal_hair"].count, unclipped.signs["broken_hair"].count) == (3, 2)
    clipped = counter.read(capture, um_per_px=6.0, preparation="clipped")
    assert clipped.signs["terminal_hair"].count == 5
    assert clipped.signs["broken_hair"].status == "refused"
    shaved = counter.read(capture, um_per_px=6.0, preparation="shaved")
    assert shaved.signs["terminal_hair"].count == 3


def test_a_clipped_scalp_has_a_threshold_of_its_own_for_whatever_is_counted_as_a_sign(tmp_path: Path) -> None:
    def counts(clipped_threshold: float, preparation: str) -> int | None:
        terminal = SignSpec(SIGN["terminal_hair"], 0.6, clipped=OnClipped(clipped_threshold))
        spec = tiny_spec(signs=(terminal, SignSpec(SIGN["broken_hair"], 0.6)))
        counter = Counter(build_tiny_model(tmp_path / "hairs.onnx", spec), threads=1)
        capture = np.minimum(scalp(300, 260, {"black_dot": [(50.0, 60.0)]}), faint(scalp(300, 260, POINTS), 140))
        return counter.read(capture, um_per_px=6.0, preparation=preparation).signs["terminal_hair"].count

    assert counts(0.6, "clipped") == counts(0.2, "none") == counts(0.99, "none") == 1
    assert counts(0.2, "clipped") == 3


def test_the_threshold_of_a_mark_is_that_of_what_it_is_counted_as() -> None:
    pigtail, broken = SignSpec(SIGN["pigtail_hair"], 0.3), SignSpec(SIGN["broken_hair"], 0.7)
    for clipped, of_stubs in ((None, 0.7), (0.4, 0.4)):
        terminal = SignSpec(SIGN["terminal_hair"], 0.6, clipped=clipped and OnClipped(clipped, 0.9, 0.02, 1.5, 0.3))
        spec = tiny_spec(signs=(terminal, broken, pigtail))
        assert spec.thresholds("none") == spec.thresholds("dye") == [0.6, 0.7, 0.3]
        assert spec.thresholds("clipped") == [clipped or 0.6, of_stubs, math.inf]
        assert spec.thresholds("shaved") == [0.6, math.inf, 0.3]
        assert ModelSpec.from_json(spec.to_json()) == spec


def test_what_is_missed_on_clipped_scalps_corrects_and_refuses_there_alone(tmp_path: Path) -> None:
    def terminal(recall: float, preparation: str) -> SignReading:
        there = OnClipped(0.5, recall, 0.01, 0.0, 0.0)
        terminal = SignSpec(SIGN["terminal_hair"], 0.5, 1.0, 0.01, 0.0, 0.0, there)
        spec = tiny_spec(signs=(terminal, SignSpec(SIGN["pigtail_hair"], 0.99)))
        counter = Counter(build_tiny_model(tmp_path / "hairs.onnx", spec), threads=1)
        return counter.read(scalp(300, 260, POINTS), um_per_px=6.0, preparation=preparation).signs["terminal_hair"]

    assert (terminal(0.75, "none").estimate, terminal(0.75, "clipped").estimate) == (3.0, 4.0)
    assert (terminal(0.4, "none").status, terminal(0.4, "clipped").status) == ("counted", "refused")
    assert "found only 40%" in str(terminal(0.4, "clipped").reason)


def test_where_all_hair_ends_within_view_nobody_counts_broken_hairs_before_clipping_is_denied(tmp_path: Path) -> None:
    hairs = tiny_spec(signs=(SignSpec(SIGN["terminal_hair"], 0.5), SignSpec(SIGN["broken_hair"], 0.5)))
    counter = Counter(build_tiny_model(tmp_path / "hairs.onnx", hairs), threads=1)
    stubs = [(40.0 + 50 * i, 40.0 + 60 * j) for i in range(5) for j in range(4)]
    many = counter.read(scalp(300, 260, {"broken_hair": stubs}), um_per_px=6.0)
    assert many.signs["broken_hair"].status == "refused"
    assert "20 of 20 thick hairs end within view, 712 per cm²" in str(many.signs["broken_hair"].reason)
    assert many.signs["terminal_hair"].status == "counted"
    told = counter.read(scalp(300, 260, {"broken_hair": stubs}), um_per_px=6.0, preparation="unclipped")
    assert told.signs["broken_hair"].count == 20
    few = counter.read(scalp(300, 260, {"broken_hair": stubs[:5]}), um_per_px=6.0)
    assert few.signs["broken_hair"].count == 5
    mixed = counter.read(scalp(300, 260, {"broken_hair": stubs[:14], "black_dot": stubs[14:]}), um_per_px=6.0)
    assert mixed.signs["broken_hair"].count == 14


def test_density_presence_and_estimate_follow_from_count_and_area(tiny: Counter) -> None:
    reading = tiny.read(scalp(300, 260, POINTS), um_per_px=6.0)
    area = 300 * 260 * 36e-8
    black = reading.signs["black_dot"]
    scores = [mark.score for mark in reading.objects if mark.sign == "black_dot"]
    assert reading.area_cm2 == pytest.approx(area)
    assert black.count == 3
    assert black.density_per_cm2 == pytest.approx(3 / area)
    assert black.estimate == pytest.approx((3 - 2.0 * area) / 0.8)
    assert black.presence == pytest.approx(1 - math.prod(1 - score for score in scores))
    assert black.reader_interval is None
    assert reading.signs["broken_hair"].estimate is None, "its recall was not measured"


def faint(image: np.ndarray, lightness: int) -> np.ndarray:
    """The capture, what is dark in it lightened: at 140 a black disc scores about 0.3, at 160 0.1."""
    return np.maximum(image, lightness).astype(np.uint8)


def with_presence(path: Path, *learnt: str, **changes: object) -> Counter:
    """The tiny model, as exported from a training that measured the presence of the signs learnt."""
    training = {"validated": {name: {"presence": {"captures": 9}} for name in learnt}}
    return Counter(build_tiny_model(path, tiny_spec(training=training, **changes)), threads=1)


def test_a_model_that_learnt_presences_tells_them_from_weak_marks_too(tmp_path: Path) -> None:
    one, weak = scalp(300, 260, {"black_dot": [(50.0, 60.0)]}), faint(scalp(300, 260, POINTS), 140)
    capture = np.minimum(one, weak)
    told = with_presence(tmp_path / "told.onnx", "black_dot").read(capture, um_per_px=6.0)
    plain = with_presence(tmp_path / "plain.onnx").read(capture, um_per_px=6.0)
    every = with_presence(
        tmp_path / "every.onnx", signs=(SignSpec(SIGN["black_dot"], 0.05), SignSpec(SIGN["broken_hair"], 0.05))
    ).read(capture, um_per_px=6.0)
    assert (told.signs["black_dot"].count, every.signs["black_dot"].count) == (1, 3)
    assert told.objects == plain.objects, "weak marks are neither listed nor counted"
    assert plain.signs["black_dot"].presence == pytest.approx(plain.objects[0].score, abs=1e-4)
    assert told.signs["black_dot"].presence == every.signs["black_dot"].presence > plain.signs["black_dot"].presence
    assert told.signs["broken_hair"].presence == plain.signs["broken_hair"].presence == 0.0, "nobody taught it this"


def test_weak_marks_make_a_sign_likely_that_is_counted_nowhere(tmp_path: Path) -> None:
    counter = with_presence(tmp_path / "m.onnx", "black_dot")
    black = counter.read(faint(scalp(300, 260, POINTS), 140), um_per_px=6.0).signs["black_dot"]
    assert (black.count, black.presence) == (0, pytest.approx(1 - (1 - 0.33) ** 3, abs=0.05))
    assert counter.read(scalp(300, 260, {}), um_per_px=6.0).signs["black_dot"].presence == 0.0


disc = st.tuples(st.sampled_from(["black_dot", "broken_hair"]), st.integers(20, 180), st.integers(20, 180),
                 st.sampled_from([0, 85, 95, 110, 125, 140]))  # fmt: skip


@settings(max_examples=60)
@example([("black_dot", 100, 100, 125), ("broken_hair", 130, 100, 95)], 0.1)
@given(discs=st.lists(disc, min_size=1, max_size=8), low=st.sampled_from([0.1, 0.3]))
def test_what_is_counted_does_not_depend_on_how_presence_is_told(discs: list, low: float) -> None:
    capture = scalp(200, 200, {})
    for sign, x, y, lightness in discs:
        capture = np.minimum(capture, faint(scalp(200, 200, {sign: [(x, y)]}), lightness))
    # Rivals reach far, and one sign is counted at scores at which the other is not.
    spec = {"min_distance_um": 240.0, "signs": (SignSpec(SIGN["black_dot"], 0.6), SignSpec(SIGN["broken_hair"], low))}
    with tempfile.TemporaryDirectory() as folder:
        plain = with_presence(Path(folder) / "a.onnx", **spec).read(capture, um_per_px=6.0)
        told = with_presence(Path(folder) / "b.onnx", "black_dot", "broken_hair", **spec).read(capture, um_per_px=6.0)
    assert told.objects == plain.objects
    for name, sign in told.signs.items():
        assert (sign.count, sign.estimate) == (plain.signs[name].count, plain.signs[name].estimate)
        assert sign.presence >= plain.signs[name].presence, "no counted mark is forgotten"


def test_presence_follows_the_sign_that_marks_are_counted_as_and_is_refused_with_it(tmp_path: Path) -> None:
    hairs = (SignSpec(SIGN["terminal_hair"], 0.5), SignSpec(SIGN["broken_hair"], 0.5))
    counter = with_presence(tmp_path / "m.onnx", "terminal_hair", "broken_hair", signs=hairs)
    capture = np.minimum(faint(scalp(300, 260, POINTS), 140), scalp(300, 260, {"broken_hair": [(70.0, 180.0)]}))
    unclipped = counter.read(capture, um_per_px=6.0).signs
    clipped = counter.read(capture, um_per_px=6.0, preparation="clipped").signs
    assert clipped["terminal_hair"].presence == pytest.approx(
        1 - (1 - unclipped["terminal_hair"].presence) * (1 - unclipped["broken_hair"].presence)
    )
    assert clipped["broken_hair"].presence is None


def test_an_empty_capture_counts_zero(tiny: Counter) -> None:
    black = tiny.read(scalp(300, 260, {}), um_per_px=6.0).signs["black_dot"]
    assert (black.status, black.count, black.density_per_cm2, black.presence, black.estimate) == (
        "counted", 0, 0.0, 0.0, 0.0,
    )  # fmt: skip


def test_estimate_is_unknown_where_anything_it_needs_is() -> None:
    measured = tiny_spec().signs[0]
    assert estimate(measured, 10, None) is None
    assert estimate(dataclasses.replace(measured, recall=None), 10, 1.0) is None
    assert estimate(dataclasses.replace(measured, recall=0.0), 10, 1.0) is None
    assert estimate(dataclasses.replace(measured, false_positives_per_cm2=None), 10, 1.0) is None
    assert estimate(measured, 1, 1.0) == 0.0, "never below zero"


def test_scale_comes_from_one_source_and_keeps_its_provenance(tiny: Counter) -> None:
    capture = scalp(300, 260, POINTS)
    assert tiny.read(capture, field_width_mm=1.8).scale == Scale(6.0, "field-width")
    assert tiny.read(capture, um_per_px=6).scale == Scale(6, "option")
    assert tiny.read(capture, scale=Scale(6.0, "table")).scale == Scale(6.0, "table")
    with pytest.raises(InputError, match="no scale"):
        tiny.read(capture)
    with pytest.raises(InputError, match="more than once"):
        tiny.read(capture, um_per_px=6, field_width_mm=1.8)
    with pytest.raises(InputError, match="µm per pixel"):
        tiny.read(capture, um_per_px=0.006)


@settings(deadline=None, max_examples=25)
@given(width=st.integers(40, 200), height=st.integers(40, 200), seed=st.integers(0, 1000))
def test_points_lie_within_the_capture_whatever_its_size(tiny: Counter, width: int, height: int, seed: int) -> None:
    noise = np.random.default_rng(seed).integers(0, 255, (height, width, 3), dtype=np.uint8)
    for mark in tiny.read(np.where(noise < 60, 0, 230).astype(np.uint8), um_per_px=6.0).objects:
        assert 0 <= mark.x <= width
        assert 0 <= mark.y <= height


def test_an_offset_beyond_the_border_is_kept_within_the_capture(tmp_path: Path) -> None:
    outward = Counter(build_tiny_model(tmp_path / "m.onnx", offset=(3.0, 3.0)), threads=1)
    (mark,) = outward.read(scalp(100, 90, {"black_dot": [(95.0, 85.0)]}), um_per_px=6.0).objects
    assert (mark.x, mark.y) == (100, 90)


def test_nothing_is_found_in_the_padding(tmp_path: Path) -> None:
    dark = Counter(build_tiny_model(tmp_path / "dark.onnx", tiny_spec(pad_value=0)), threads=1)
    assert not dark.read(scalp(97, 97, {}), um_per_px=6.0).objects


def test_tiled_reading_equals_whole_reading(tiny: Counter, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(3)
    points = {"black_dot": rng.uniform(0, 500, (60, 2)).tolist(), "broken_hair": rng.uniform(0, 500, (60, 2)).tolist()}
    capture = scalp(490, 510, points)
    whole = tiny.read(capture, um_per_px=6.0)
    monkeypatch.setattr(counter_module, "WHOLE_PX", 100 * 100)
    for core in (64, 144):
        monkeypatch.setattr(counter_module, "CORE_PX", core)
        assert tiny.read(capture, um_per_px=6.0).objects == whole.objects
    assert len(whole.objects) > 60


def test_an_exif_rotated_file_gives_the_same_points_as_its_upright_copy(tiny: Counter, tmp_path: Path) -> None:
    upright = scalp(300, 260, POINTS)
    Image.fromarray(upright).save(tmp_path / "upright.png")
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(np.rot90(upright, 1).copy()).save(tmp_path / "turned.png", exif=exif)
    readings = [tiny.read(tmp_path / name, um_per_px=6.0) for name in ("upright.png", "turned.png")]
    assert readings[0].objects == readings[1].objects
    assert (readings[1].width, readings[1].height) == (300, 260)


def test_one_structure_gets_one_sign(tmp_path: Path) -> None:
    half = scalp(200, 200, {"black_dot": [(96.0, 100.0)]}).copy()
    half[70:130, 100:112] = (20, 20, 205)
    near = Counter(build_tiny_model(tmp_path / "near.onnx", tiny_spec(min_distance_um=1.0)), threads=1)
    far = Counter(build_tiny_model(tmp_path / "far.onnx", tiny_spec(min_distance_um=200.0)), threads=1)
    assert {mark.sign for mark in near.read(half, um_per_px=6.0).objects} == {"black_dot", "broken_hair"}
    assert len(far.read(half, um_per_px=6.0).objects) == 1


def test_offset_and_shaft_are_mapped_to_the_original_image(tmp_path: Path) -> None:
    spec = tiny_spec(outputs=("peaks", "offset", "shaft"))
    model = build_tiny_model(tmp_path / "m.onnx", spec, offset=(0.5, -0.25))
    plain = build_tiny_model(tmp_path / "p.onnx")
    capture = scalp(600, 520, {s: [(2 * x, 2 * y) for x, y in p] for s, p in POINTS.items()}, um_per_px=3.0)
    moved = Counter(model, threads=1).read(capture, um_per_px=3.0)
    still = Counter(plain, threads=1).read(capture, um_per_px=3.0)
    shift = found(moved, "broken_hair") - found(still, "broken_hair")
    np.testing.assert_allclose(shift, np.tile([0.5 * 4 * 2, -0.25 * 4 * 2], (2, 1)), atol=0.02)
    for mark in moved.objects:
        if mark.sign == "black_dot":
            assert mark.tip_x is mark.root_width_um is None, "a dot has no shaft"
        else:
            assert (mark.tip_x, mark.tip_y) == pytest.approx((mark.x, mark.y + 300 / 3.0), abs=0.02)
            assert (mark.root_width_um, mark.tip_width_um) == (70.0, 50.0)


@pytest.mark.parametrize(
    ("preparation", "refused"),
    [
        ("none", set()),
        ("clipped", {"broken_hair"}),
        ("shaved", {"black_dot", "broken_hair"}),
        ("dye", {"black_dot"}),
        ("fibres", {"black_dot"}),
        ("tattoo", {"black_dot"}),
    ],
)
def test_preparation_refuses_the_signs_it_imitates(tiny: Counter, preparation: str, refused: set[str]) -> None:
    reading = tiny.read(scalp(300, 260, POINTS), um_per_px=6.0, preparation=preparation)
    for name, sign in reading.signs.items():
        assert (sign.status == "refused") == (name in refused)
        if name in refused:
            assert sign.reason
            assert sign.count is sign.density_per_cm2 is sign.presence is sign.estimate is None
    assert not {mark.sign for mark in reading.objects} & refused


def test_a_sign_that_preparation_refuses_takes_no_structure_from_another(tmp_path: Path) -> None:
    # Nearer than the smallest distance: the better mark, the black dot, stays.
    rivals = Counter(build_tiny_model(tmp_path / "rivals.onnx", tiny_spec(min_distance_um=600.0)))
    picture = scalp(300, 260, {"broken_hair": [(130.0, 98.0)], "black_dot": [(130.0, 150.0)]})
    untouched = rivals.read(picture, um_per_px=6.0).signs
    assert (untouched["broken_hair"].count, untouched["black_dot"].count) == (0, 1)
    dyed = rivals.read(picture, um_per_px=6.0, preparation="dye").signs
    assert (dyed["broken_hair"].count, dyed["black_dot"].status) == (1, "refused")


def test_an_unknown_preparation_is_an_error(tiny: Counter) -> None:
    with pytest.raises(InputError, match="'washed' is not one of none, unclipped, clipped"):
        tiny.read(scalp(300, 260, {}), um_per_px=6.0, preparation="washed")


def test_a_sign_too_small_for_the_pixels_is_refused_and_not_zero(tiny: Counter) -> None:
    reading = tiny.read(scalp(300, 260, POINTS, um_per_px=9.0), um_per_px=9.0)
    assert reading.signs["black_dot"].status == "refused"
    assert reading.signs["black_dot"].reason == "5.6 px per 50 µm black dot; 6 needed"
    assert reading.signs["broken_hair"].status == "counted"


def test_a_scale_outside_the_training_range_refuses_every_sign(tmp_path: Path) -> None:
    model = Counter(build_tiny_model(tmp_path / "m.onnx", tiny_spec(training_um_per_px=(4.0, 8.0))), threads=1)
    capture = scalp(300, 260, POINTS)
    for um_per_px, counted in ((3.0, False), (4.0, True), (8.1, True), (8.3, False)):
        reading = model.read(capture, um_per_px=um_per_px)
        assert all((sign.status == "counted") == counted for sign in reading.signs.values())
        if not counted:
            assert "the model was trained for 4 to 8" in str(reading.signs["black_dot"].reason)


def test_a_model_without_scale_gives_counts_and_no_density(tmp_path: Path) -> None:
    model = Counter(build_tiny_model(tmp_path / "m.onnx", scaleless_spec()), threads=1)
    capture = scalp(400, 300, POINTS)
    for reading in (model.read(capture), model.read(capture, um_per_px=6.0)):
        black = reading.signs["black_dot"]
        assert (black.count, black.density_per_cm2, black.estimate, reading.area_cm2) == (3, None, None, None)
        assert "without scales" in reading.warnings[0]
    twice = np.repeat(np.repeat(capture, 2, axis=0), 2, axis=1)
    assert model.read(twice).signs["black_dot"].count == 3


def test_an_unvalidated_model_says_so_and_a_validated_one_does_not(tiny: Counter, tmp_path: Path) -> None:
    capture = scalp(300, 260, {})
    said = tiny.read(capture, um_per_px=6).model
    assert said is not None
    assert not said.validated
    assert said.notice == "Model tiny: trained on drawn discs; not validated on patients."
    path = build_tiny_model(tmp_path / "m.onnx", tiny_spec(validated_on_people="clinic A, 40 people"))
    validated = Counter(path, threads=1).read(capture, um_per_px=6).model
    assert validated is not None
    assert validated.validated
    assert validated.notice == ""


def test_terminal_hairs_of_impossible_calibre_put_the_scale_in_doubt(tmp_path: Path) -> None:
    spec = tiny_spec(signs=(SignSpec(SIGN["terminal_hair"], 0.5), SignSpec(SIGN["broken_hair"], 0.5)),
                     outputs=("peaks", "shaft"))  # fmt: skip
    path = build_tiny_model(tmp_path / "m.onnx", spec, shaft=(0, 1, 5, math.log(200.0), math.log(190.0)))
    reading = Counter(path, threads=1).read(
        scalp(300, 260, {"terminal_hair": [(40.0 * i, 100.0) for i in range(1, 7)]}), um_per_px=6
    )
    assert reading.signs["terminal_hair"].count == 6
    assert "terminal hairs measure 200 µm" in reading.warnings[0]


def test_a_reading_survives_json(tiny: Counter) -> None:
    reading = tiny.read(capture_of(scalp(300, 260, POINTS), "a/b.png"), um_per_px=6.0, preparation="dye")
    assert Reading.from_json(reading.to_json()) == reading
    raw = json.loads(reading.to_json())
    assert raw["schema"] == "trichotrack.reading/1"
    assert raw["file"] == "a/b.png"
    assert raw["software"] == f"trichotrack {trichotrack.__version__}"
    assert raw["scale"] == {"um_per_px": 6.0, "source": "option"}


def test_counter_is_the_packages_public_name() -> None:
    assert trichotrack.Counter is Counter
    with pytest.raises(AttributeError):
        _ = trichotrack.Nothing


def test_files_that_are_no_model_are_refused_in_a_sentence(tmp_path: Path) -> None:
    import onnx

    def problem(path: Path) -> str:
        with pytest.raises(InputError) as caught:
            Counter(path)
        (fault,) = caught.value.problems
        assert fault.place == path.as_posix()
        assert "\n" not in str(fault)
        return fault.message

    assert "does not exist" in problem(tmp_path / "absent.onnx")
    assert "is a folder" in problem(tmp_path)
    (tmp_path / "text.onnx").write_text("no model")
    assert "is no model that can be opened" in problem(tmp_path / "text.onnx")
    good = build_tiny_model(tmp_path / "good.onnx")
    (tmp_path / "cut.onnx").write_bytes(good.read_bytes()[:-4000])
    assert "is no model that can be opened" in problem(tmp_path / "cut.onnx")
    (tmp_path / "empty.onnx").write_bytes(b"")
    assert "is no model that can be opened" in problem(tmp_path / "empty.onnx")
    bare = onnx.load(good)
    del bare.metadata_props[:]
    onnx.save(bare, tmp_path / "bare.onnx")
    assert "without trichotrack's metadata" in problem(tmp_path / "bare.onnx")
    wrong = build_tiny_model(tmp_path / "wrong.onnx", metadata={METADATA_KEY: "{}"})
    assert "spec version None" in problem(wrong)
    promises = tiny_spec(outputs=("peaks", "offset")).to_json().replace('"offset"', '"scalp"')
    missing = build_tiny_model(tmp_path / "missing.onnx", metadata={METADATA_KEY: promises})
    assert "lacks the outputs scalp" in problem(missing)


def test_a_graph_that_breaks_its_promise_is_refused_when_it_runs(tmp_path: Path) -> None:
    three = tiny_spec(signs=(*tiny_spec().signs, SignSpec(SIGN["yellow_dot"], 0.5)))
    path = build_tiny_model(tmp_path / "m.onnx", metadata={METADATA_KEY: three.to_json()})
    with pytest.raises(InputError, match="gives peaks of shape"):
        Counter(path).read(scalp(100, 100, {}), um_per_px=6)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"signs": []}, "no signs"),
        ({"outputs": ["offset"]}, "do not begin with 'peaks'"),
        ({"um_per_px": None}, "neither um_per_px nor"),
        ({"um_per_px": -1.0}, "not a positive number"),
        ({"um_per_px": float("nan")}, "not a positive number"),
        ({"min_distance_um": None}, "no min_distance_um"),
        ({"stride": 5}, "not a multiple of stride"),
        ({"halo_px": 8}, "not a multiple of the total stride"),
        ({"pad_value": 300}, "pad value 300"),
        ({"outputs": ["peaks", "depth"]}, "unknown outputs depth"),
        ({"tolerance_mm": 0}, "tolerance_mm 0 is not a positive"),
        ({"spec": 2}, "spec version 2"),
        ({"stride": "four"}, "incomplete"),
        ({"signs": [{"threshold": 0.5}]}, "incomplete"),
        ({"unknown": 1}, "incomplete"),
    ],
)
def test_a_spec_that_cannot_be_used_says_why(change: dict[str, object], said: str) -> None:
    raw = json.loads(tiny_spec().to_json()) | change
    with pytest.raises(InputError, match=said):
        ModelSpec.from_json(json.dumps(raw))


def test_a_spec_survives_json() -> None:
    spec = tiny_spec(training_um_per_px=(2.0, 9.0), ignored=("hair",), tolerance_mm=0.1, training={"seed": 0})
    assert ModelSpec.from_json(spec.to_json()) == spec


def test_a_spec_knows_its_recipe_where_the_training_left_it() -> None:
    assert tiny_spec(training={"recipe": {"files": ["a.yaml"], "sha256": "ab"}}).recipe_sha256 == "ab"
    assert tiny_spec().recipe_sha256 == tiny_spec(training={"recipe": {}}).recipe_sha256 == ""


def test_threads_below_one_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="0 threads"):
        Counter(build_tiny_model(tmp_path / "m.onnx"), threads=0)


def test_no_bundled_model_is_said_in_a_sentence(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(counter_module, "BUNDLED", tmp_path / "bundled.onnx")
    with pytest.raises(InputError, match="no bundled model"):
        Counter.bundled()
    build_tiny_model(tmp_path / "bundled.onnx")
    assert Counter.bundled().spec.name == "tiny"


@pytest.mark.parametrize(("recall", "error", "refused"), [(0.04, 0.02, True), (0.4, 0.08, False), (0.9, 0.0, False)])
def test_a_sign_that_the_model_surely_misses_by_half_is_refused_not_counted(tmp_path, recall, error, refused):
    spec = tiny_spec()
    missed = dataclasses.replace(spec.signs[1], recall=recall, recall_se=error)
    counter = Counter(build_tiny_model(tmp_path / "m.onnx", tiny_spec(signs=(spec.signs[0], missed))))
    reading = counter.read(scalp(320, 256, POINTS), um_per_px=6.0)
    assert reading.signs["black_dot"].status == "counted"
    broken = reading.signs["broken_hair"]
    assert (broken.status == "refused") is refused
    if refused:
        assert broken.reason == "the model found only 4% of the broken hairs of its validation captures"
        assert broken.count is None
        assert not len(found(reading, "broken_hair"))


@pytest.mark.parametrize("measures", [(), ("tip",), ("width",), ("tip", "width")])
def test_a_reading_tells_only_what_the_training_labels_told(tmp_path, measures):
    spec = tiny_spec(outputs=("peaks", "offset", "shaft"), measures=measures)
    reading = Counter(build_tiny_model(tmp_path / "m.onnx", spec)).read(scalp(320, 256, POINTS), um_per_px=6.0)
    hairs = [mark for mark in reading.objects if mark.sign == "broken_hair"]
    assert hairs
    assert all((mark.tip_x is not None) == ("tip" in measures) for mark in hairs)
    assert all((mark.root_width_um is not None) == ("width" in measures) for mark in hairs)


def test_a_model_taught_by_synthesis_says_so_in_every_reading(tmp_path: Path) -> None:
    drawn = Counter(build_tiny_model(tmp_path / "m.onnx", tiny_spec(trained_on_synthesis=True)), threads=1)
    said = drawn.read(scalp(300, 260, {}), um_per_px=6).model
    assert said is not None
    assert said.notice == "Model tiny: trained on synthetic scalps alone; not validated on patients."


def test_the_bundled_model_says_that_it_knows_no_patient() -> None:
    assert "trained on synthetic scalps" in Counter.bundled().spec.notice
    assert Counter.bundled().spec.notice.endswith("not validated on patients.")

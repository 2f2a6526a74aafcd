"""What the exams reckon: hair-free parts, hair signs merged into one, thresholds kept apart, drawn captures."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import asdict, replace
from importlib import import_module
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from tiny_model import build_tiny_model, scalp
from trichotrack.evaluate.points import Sweep
from trichotrack.labels.read import read_labels
from trichotrack.labels.tables import CaptureRow, LabelRow, LabelSet, ObjectRow
from trichotrack.labels.write import write_labels
from trichotrack.problems import InputError
from trichotrack.runtime.reading import SignReading
from trichotrack.signs import SIGN, Sign
from trichotrack.synth.label import SyntheticObject
from trichotrack.synth.priors import Priors

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
UM_PER_PX = 6.0
HAIR = Sign("hair", "hair", "hairs", "Any hair.", role="context", group=None)


@pytest.fixture
def benchmarks(monkeypatch: pytest.MonkeyPatch) -> Iterator[object]:
    """Imports a module of benchmarks/ by its name; forgotten afterwards."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    yield import_module
    for name in {path.stem for path in BENCHMARKS.glob("*.py")} & set(sys.modules):
        sys.modules.pop(name)


def test_distance_is_to_the_shaft_not_to_its_line(benchmarks):
    hair_free = benchmarks("hair_free")
    points = np.array([[5.0, 3.0], [-4.0, 3.0], [13.0, 4.0], [20.0, 30.0]])
    roots, tips = np.array([[0.0, 0.0], [20.0, 20.0]]), np.array([[10.0, 0.0], [np.nan, np.nan]])
    assert hair_free.distance_to_shafts(points, roots, tips) == pytest.approx([3.0, 5.0, 5.0, 10.0])
    assert np.isinf(hair_free.distance_to_shafts(points, roots[:0], tips[:0])).all()


def test_marks_and_area_of_hair_free_parts(benchmarks):
    hair_free = benchmarks("hair_free")
    valid = np.ones((400, 400), np.bool_)
    valid[:, 200:] = False
    # 0.4 mm at 10 µm per px are 40 px: free of hair is what lies right of x = 60 + 40, up to the invalid half.
    shaft = np.array([[60.0, -500.0]]), np.array([[60.0, 900.0]])
    marks = np.array([[99.0, 200.0], [101.0, 200.0], [150.0, 5.0], [250.0, 200.0], [30.0, 100.0]])
    whole, free = hair_free.shares(marks, shaft, valid, 10.0, border_px=20)
    assert (whole.marks, free.marks) == (3, 1)
    assert whole.area_cm2 == pytest.approx(180 * 360 * 1e-6, rel=0.02)
    assert free.area_cm2 == pytest.approx(100 * 360 * 1e-6, rel=0.02)


def test_without_any_hair_all_is_hair_free(benchmarks):
    hair_free = benchmarks("hair_free")
    nothing = np.zeros((0, 2))
    whole, free = hair_free.shares(nothing, (nothing, nothing), np.ones((80, 80), np.bool_), 10.0, border_px=0)
    assert whole == free == hair_free.Share(0, pytest.approx(80 * 80 * 1e-6))


@pytest.fixture
def labelled(tmp_path) -> Path:
    """One capture: two hairs that the tiny model calls broken, one that it calls a black dot, one thing ignored."""
    marks = {"broken_hair": [(60, 60), (160, 60), (60, 160)], "black_dot": [(160, 160)]}
    (tmp_path / "images").mkdir()
    file = "images/a.png"
    Image.fromarray(scalp(240, 240, marks)).save(tmp_path / file)
    points = [("hair", 60, 60), ("hair", 160, 60), ("hair", 160, 160), ("abnormal", 60, 160), ("hair", 200, 200)]
    objects = tuple(ObjectRow(str(i), file, sign, x, y) for i, (sign, x, y) in enumerate(points))
    signs = {**SIGN, "hair": HAIR, "abnormal": Sign("abnormal", "a", "a", "Debris.", role="context")}
    rows = (LabelRow(file, "hair", "exhaustive"), LabelRow(file, "abnormal", "exhaustive"))
    capture = CaptureRow(file, "P1", um_per_px=UM_PER_PX, split="val")
    write_labels(LabelSet(tmp_path, (capture,), rows, objects, signs), tmp_path)
    return tmp_path


def test_every_hair_sign_is_any_hair_and_a_black_dot_is_none(benchmarks, labelled, tmp_path):
    any_hair, readers = benchmarks("any_hair"), benchmarks("readers")
    counter = readers.open_counter(build_tiny_model(tmp_path / "m.onnx"))
    reads, _ = any_hair.read_folder(counter, labelled, any_hair.plan_of(counter), split="all")
    (own,) = [read.own for read in reads]
    # Found: two broken hairs that are hairs, one on an ignored thing; the third root is called a black dot.
    assert (own["hair"].tp, own["hair"].fp, own["hair"].fn) == (2, 0, 2)
    assert (own["hair or black dot"].tp, own["hair or black dot"].fp, own["hair or black dot"].fn) == (3, 0, 1)
    told = any_hair.diagnosis(reads, counter, any_hair.plan_of(counter), 0.5)
    assert (told["right"], told["false"], told["missed"]) == ({"broken_hair": 2}, {}, {"hair": 2})
    (part,) = benchmarks("zero_shot").by_split(reads).values()
    assert (part["captures"], part["patients"], part["any_hair"]["hair"]["own_thresholds"]["labelled"]) == (1, 1, 4)
    record = {
        "name": "a set",
        "model": {"name": "m", "notice": ""},
        "tolerance_mm": 0.113,
        "ignored_signs": ["abnormal"],
    }
    data = {"split": "all", "captures": 1, "patients": 1}
    text = benchmarks("render_exams").zero_shot({**record, "data": data, **part, "by_split": {"val": part}})
    assert "every split" in text
    assert "| `val` | `black_dot` | whole captures | 1 |" in text
    whole, free = reads[0].false["black_dot"]
    assert (whole.marks, free.marks) == (1, 0)


def sweep(patient: str, scores: list[float], right: list[bool]) -> Sweep:
    return Sweep(patient, patient, "hair", 2, np.array(scores), np.array(right), np.zeros(len(scores), np.bool_))


def test_a_threshold_is_chosen_on_the_other_half_of_the_people(benchmarks):
    any_hair = benchmarks("any_hair")
    names = [f"P{i}" for i in range(40)]
    first = next(name for name in names if any_hair.half_of(name) == 0)
    second = next(name for name in names if any_hair.half_of(name) == 1)
    # Best for the first is a threshold above 0.5, for the second one below 0.3.
    sweeps = [sweep(first, [0.9, 0.8, 0.4], [True, True, False]), sweep(second, [0.35, 0.3], [True, True])]
    scores, thresholds = any_hair.crossed_scores(sweeps)
    assert thresholds[0] > 0.5
    assert thresholds[1] <= 0.3
    by_patient = {score.patient: (score.tp, score.fp, score.fn) for score in scores}
    assert by_patient == {first: (2, 1, 0), second: (0, 0, 2)}


def test_a_median_is_resampled_by_people(benchmarks):
    over_people = benchmarks("over_people")
    alike = over_people.median([(f"P{i % 2}", float(i)) for i in range(101)])
    assert alike.value == 50.0
    assert alike.low <= 50.0 <= alike.high
    apart = over_people.median([("P0", 0.0)] * 50 + [("P1", 1.0)] * 51)
    assert (apart.low, apart.high) == (0.0, 1.0)
    assert over_people.median([]).value is None
    assert over_people.median([("P0", 3.0)]).low is None


def test_no_false_mark_is_not_none_ever(benchmarks):
    rate = benchmarks("over_people").rate
    none = rate([("P0", 0, 1.0), ("P1", 0, 1.0)])
    assert (none.value, none.low) == (0.0, 0.0)
    assert none.high == pytest.approx(3.689 / 2, abs=0.001)
    uneven = rate([("P0", 100, 1.0), ("P1", 0, 1.0)])
    assert (uneven.low, uneven.high) == (0.0, 100.0), "people differ more than counts do"
    assert rate([]).value is None


def test_a_difference_between_other_people_has_an_interval_around_it(benchmarks):
    over_people = benchmarks("over_people")
    first = {str(i): np.array([5.0, 5.0, 5.0 + i % 3]) for i in range(30)}
    second = {str(i): np.array([8.0, 2.0, 2.0 + i % 2]) for i in range(20)}
    less = over_people.difference(first, second, over_people.f1_of)
    assert less.value == pytest.approx(16 / 20.5 - 10 / 21)
    assert less.low < less.value < less.high


def thing(sign: str, x: float, y: float, **changes: object) -> SyntheticObject:
    values = {"tip_x": x + 30, "tip_y": y, "root_width_um": 70.0, "tip_width_um": 50.0, "tip_in_view": True}
    return SyntheticObject("1", sign, x, y, **{**values, **changes})


def test_a_drawn_capture_is_examined_by_the_reading_of_it(benchmarks, tmp_path):
    drawn_exam, readers = benchmarks("drawn_exam"), benchmarks("readers")
    spec = benchmarks("tiny_model").tiny_spec(outputs=("peaks", "offset", "shaft"))
    model = build_tiny_model(tmp_path / "m.onnx", spec)  # every shaft points down, 300 µm, 70 and 50 µm wide
    counter = readers.open_counter(model).unrefusing()
    image = scalp(320, 240, {"broken_hair": [(60, 60), (160, 60), (250, 60)], "black_dot": [(60, 180)]})
    objects = (
        thing("broken_hair", 60, 60, root_width_um=100.0),
        thing("broken_hair", 160, 60, tip_x=160.0, tip_y=90.0, tip_in_view=False),
        thing("intermediate_hair", 250, 60),
        thing("black_dot", 200, 180, tip_x=None, tip_y=None, tip_width_um=None),
    )
    capture = SimpleNamespace(image=image, um_per_px=UM_PER_PX, objects=objects, preparation="none")
    one = drawn_exam.examine(counter, capture, "20×", "a")
    scores = {score.sign: (score.tp, score.fp, score.fn) for score in one.scores}
    assert scores == {"broken_hair": (2, 0, 0), "black_dot": (0, 1, 1)}
    assert sorted(one.widths) == [
        ("broken_hair", "root", 70.0, 70.0), ("broken_hair", "root", 100.0, 70.0), ("broken_hair", "tip", 50.0, 50.0),
    ]  # fmt: skip
    assert [(in_view, round(angle)) for _, in_view, angle in sorted(one.angles)] == [(False, 0), (True, 90)]
    figures = drawn_exam.figures_of([one], 60.0)
    assert figures["signs"]["broken_hair"]["bias_percent"]["value"] == pytest.approx(0.0)
    assert figures["all_signs"]["width_error_percent"]["value"] == pytest.approx(15.0)
    assert figures["all_signs"]["whole_direction_error_deg"]["value"] == pytest.approx(90.0, abs=0.5)


def test_what_was_drawn_in_a_refused_capture_is_missed(benchmarks, tmp_path):
    drawn_exam, readers = benchmarks("drawn_exam"), benchmarks("readers")
    counter = readers.open_counter(build_tiny_model(tmp_path / "m.onnx")).unrefusing()
    image = scalp(320, 240, {"black_dot": [(60, 180)]})
    reading = counter.read(image, um_per_px=UM_PER_PX)
    refused = SignReading("refused", "only 10% of the picture is scalp; 30% needed")
    little = replace(reading, scalp_share=0.1, objects=(), signs=dict.fromkeys(reading.signs, refused))
    objects = (thing("broken_hair", 60, 60), thing("broken_hair", 90, 60), thing("intermediate_hair", 250, 60))
    capture = SimpleNamespace(image=image, um_per_px=UM_PER_PX, objects=objects, preparation="none")
    stub = SimpleNamespace(read=lambda *_, **__: little, spec=counter.spec)
    one = drawn_exam.examine(stub, capture, "20×", "a")
    assert {score.sign: (score.tp, score.fp, score.fn) for score in one.scores} == {
        "broken_hair": (0, 0, 2), "black_dot": (0, 0, 0),
    }  # fmt: skip
    figures = drawn_exam.figures_of([one], 60.0)
    assert (figures["captures"], figures["refused_captures"]) == (1, 1)
    assert not drawn_exam.examine(counter, capture, "20×", "a").refused


def test_no_exam_draws_what_a_recipe_trains_with(benchmarks):
    seeds = {
        benchmarks("synthetic_exam").EXAM_SEED,
        benchmarks("held_out").HELD_OUT_SEED,
        benchmarks("exam_difficulty").SEED,
        benchmarks("pin_bundled").PIN_SEED,
    }
    assert len(seeds) == 4
    assert min(seeds) >= 900_000
    jobs = benchmarks("synthetic_exam").jobs_of(3)
    assert len({job.drawn_by for job in jobs}) == len(jobs) == 7
    assert all(job.priors.scalp.clipped_chance == 0 for job in jobs)


def test_a_fall_is_that_of_each_capture_beside_its_twin(benchmarks):
    held_out = benchmarks("held_out")
    usual = np.tile([[[8.0, 2.0, 2.0], [5.0, 0.0, 0.0]]], (6, 1, 1))
    worse = np.tile([[[6.0, 2.0, 4.0], [5.0, 0.0, 0.0]]], (6, 1, 1))
    told = held_out.falls(usual, worse, ["black_dot", "broken_hair"])
    expected = 16 / 20 - 12 / 18
    assert told["black_dot"]["fall"]["value"] == pytest.approx(expected)
    assert told["broken_hair"]["fall"]["value"] == 0.0
    assert told[held_out.MEAN]["fall"]["value"] == pytest.approx(expected / 2)
    assert told["black_dot"]["fall"]["low"] == pytest.approx(expected)
    record = {"name": "a model", "model": {"name": "m", "notice": ""}, "captures": 6, "seed": 1, "tolerance_mm": 0.15}
    refused = {"usual": 0, "heavy_blur": 2}
    text = benchmarks("render_exams").held_out({**record, "strata": {"heavy_blur": told}, "refused_captures": refused})
    assert "all that was drawn in them missed: usual 0, heavy blur 2." in text
    assert "hue, saturation and RGB shift" in text


def test_the_drawn_counterpart_has_the_people_and_splits_of_the_real_set(benchmarks):
    exam = benchmarks("exam_difficulty")
    real = [CaptureRow(f"{i}.jpg", f"R{i // 2}", split="val" if i < 2 else "train") for i in range(8)]
    rows = [CaptureRow(f"{i}.jpg", f"S{i // 2}", valid_area="m.png") for i in range(8)]
    splits = exam.splits_as(rows, real)
    assert sorted(splits.values()) == ["train", "train", "train", "val"]
    objects = (ObjectRow("1", "0.jpg", "terminal_hair", 1, 1), ObjectRow("2", "0.jpg", "yellow_dot", 2, 2))
    merged = exam.as_any_hair(LabelSet(Path(), tuple(rows), (), objects), splits)
    assert [item.sign for item in merged.objects] == ["hair"]
    assert all(row.valid_area == "" for row in merged.captures)
    assert {label.sign for label in merged.labels} == {"hair"}
    assert len(merged.labels) == len(rows)


def test_labels_as_one_reader_gives_them_miss_and_add_as_much_as_two_readers_differ(benchmarks):
    exam = benchmarks("exam_difficulty")
    rows = tuple(CaptureRow(f"{i}.jpg", f"S{i}") for i in range(40))
    objects = tuple(ObjectRow(f"{i}", f"{i % 40}.jpg", "hair", 1, 1) for i in range(8000))
    truth = LabelSet(Path(), rows, (), objects)
    read = [exam.as_a_reader_labels(truth, np.random.default_rng(seed)) for seed in (0, 1)]
    kept = [{item.id for item in one.objects} & {item.id for item in objects} for one in read]
    # Two such readers share what both kept; what either adds lies anywhere.
    f1 = 2 * len(kept[0] & kept[1]) / sum(len(one.objects) for one in read)
    assert f1 == pytest.approx(exam.READERS_F1, abs=0.01)
    assert len(read[0].objects) == pytest.approx(8000, rel=0.02)
    assert all(0 <= item.x <= exam.SIZE_PX[0] and 0 <= item.y <= exam.SIZE_PX[1] for item in read[0].objects)


def test_only_what_was_drawn_is_removed(benchmarks, labelled):
    exam = benchmarks("exam_difficulty")
    with pytest.raises(InputError, match="not drawn"):
        exam.remove_drawn(labelled)
    table = labelled / "captures.csv"
    assert table.is_file()
    rows = read_labels(labelled)
    write_labels(replace(rows, captures=tuple(replace(row, device="synthetic") for row in rows.captures)), labelled)
    exam.remove_drawn(labelled)
    assert not labelled.exists()


def test_clipped_priors_for_the_counterpart(benchmarks):
    exam = benchmarks("exam_difficulty")
    few, many = Priors().scalp.units_per_cm2
    priors = exam.clipped(Priors(), 0.5)
    assert priors.scalp.clipped_chance == 1.0
    assert priors.scalp.units_per_cm2 == (few / 2, many / 2)


def cell(fine_tuning: ModuleType, start: str, people: int | None, right: int, steps: int = 7) -> dict[str, object]:
    figure = {"value": 0.5, "low": 0.4, "high": 0.6}
    return {
        "recipe": asdict(fine_tuning.recipe_of(start, steps)),
        "weights_sha256": fine_tuning.weights_sha256(start),
        "people": people,
        "figures": {kind: {"f1": figure} for kind in ("kept_apart", "best")},
        "validation": {"people": 3, "captures": 3},
        "right_false_missed_by_person": [[right + i, 2, 2] for i in range(3)],
    }


def test_the_curve_is_made_of_the_cells_of_as_many_steps(benchmarks, monkeypatch, tmp_path):
    fine_tuning, page = benchmarks("fine_tuning"), benchmarks("render_exams")
    for start, people, right in (("bundled", 30, 8), ("imagenet", 100, 8), ("scratch", None, 1)):
        fine_tuning.write_cell(cell(fine_tuning, start, people, right), tmp_path)
    fine_tuning.write_cell(cell(fine_tuning, "scratch", 10, 1, steps=9), tmp_path)
    assert fine_tuning.cell_path("scratch", None, 7, tmp_path).exists()
    path = fine_tuning.write_curve(7, tmp_path)
    record = benchmarks("json").loads(path.read_text(encoding="utf-8"))
    assert len(record["cells"]) == 3
    assert record["fewer_people"]["f1_less"]["value"] == 0.0
    text = page.fine_tuning(record)
    net = fine_tuning.BACKBONE
    assert f"| bundled (`{net}`) | 0.500 (0.400 to 0.600) | - | - |" in text
    assert f"From bundled (`{net}`), 30 people, less from imagenet (`{net}`), 100 people:\nF1 +0.000" in text
    assert "2 of them from bundled, 2 of them from imagenet, 0 of them from scratch" in text
    assert f"The bundled weights are those of SHA-256 {fine_tuning.weights_sha256('bundled')[:16]}. Intervals" in text
    monkeypatch.setattr(page, "WEIGHTS", path)
    assert "earlier than the present ones. Intervals" in page.fine_tuning(record)


def test_a_cell_of_another_recipe_or_of_other_weights_is_trained_anew(benchmarks, monkeypatch, tmp_path):
    fine_tuning = benchmarks("fine_tuning")
    weights = tmp_path / "bundled.safetensors"
    weights.write_bytes(b"first")
    monkeypatch.setattr(fine_tuning, "BUNDLED", weights)
    recipe = fine_tuning.recipe_of("bundled", 7)
    assert fine_tuning.kept_cell(recipe, 30, tmp_path) is None
    fine_tuning.write_cell(cell(fine_tuning, "bundled", 30, 8), tmp_path)
    assert fine_tuning.kept_cell(recipe, 30, tmp_path)["people"] == 30
    assert fine_tuning.kept_cell(replace(recipe, learning_rate=0.5), 30, tmp_path) is None
    weights.write_bytes(b"second")
    assert fine_tuning.kept_cell(recipe, 30, tmp_path) is None

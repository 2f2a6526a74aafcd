"""A model read over labelled captures: what is compared, what is passed over, and what is written."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tiny_model import build_tiny_model, scalp
from trichotrack.evaluate.evaluation import captures_csv, draw_worst, write_evaluation
from trichotrack.evaluate.provenance import command_line, machine, recipe_sha256, today, versions
from trichotrack.evaluate.run import channels_of, evaluate
from trichotrack.geometry import Scale
from trichotrack.labels.tables import CaptureRow, LabelRow, LabelSet, ObjectRow
from trichotrack.problems import InputError, Problem
from trichotrack.runtime.counter import Counter
from trichotrack.runtime.reading import MarkedObject, ModelRef, Quality, Reading, SignReading
from trichotrack.runtime.spec import ModelSpec, SignSpec
from trichotrack.signs import SIGN, Sign

SIDE_PX = 200
UM_PER_PX = 10.0  # so the default tolerance of 0.15 mm is 15 px, and a capture is 0.04 cm²
HAIRS = {
    **SIGN,
    "hair": Sign("hair", "hair", "hairs", "any", role="context", group=None),
    "thick": Sign("thick", "thick", "thick", "thick", role="context", parent="hair"),
    "thin": Sign("thin", "thin", "thin", "thin", role="context", parent="hair"),
}


def spec_of(*names: str) -> ModelSpec:
    return ModelSpec(
        name="fake", signs=tuple(SignSpec(HAIRS[name], 0.5) for name in names), um_per_px=6.0, stride=4,
        total_stride=16, halo_px=64, pad_value=114, min_distance_um=60, outputs=("peaks",), trained_on="nothing",
        validated_on="nothing",
    )  # fmt: skip


@dataclass
class FakeCounter:
    """Reads from a table: file name -> (sign, x, y)."""

    found: dict[str, list[tuple[str, float, float]]]
    spec: ModelSpec = field(default_factory=lambda: spec_of("black_dot", "broken_hair"))
    refuses: tuple[str, ...] = ()
    given: list[tuple[Scale | None, str]] = field(default_factory=list)

    @property
    def model(self) -> ModelRef:
        return ModelRef("fake", "abc", 1)

    def read(self, capture: Path, *, scale: Scale | None, preparation: str) -> Reading:
        self.given.append((scale, preparation))
        if capture.name not in self.found:
            raise InputError(Problem(capture.name, "is damaged"))
        objects = tuple(
            MarkedObject(str(i), sign, x, y, score=0.9)
            for i, (sign, x, y) in enumerate(self.found[capture.name])
            if sign not in self.refuses
        )
        counts = {name: sum(marked.sign == name for marked in objects) for name in self.spec.sign_names}
        signs = {
            name: SignReading("refused", "too coarse")
            if name in self.refuses
            else SignReading("counted", count=count, presence=0.9 if count else 0.1)
            for name, count in counts.items()
        }
        return Reading(
            file=capture.name, sha256="0", width=SIDE_PX, height=SIDE_PX, scale=scale, area_cm2=0.04,
            quality=Quality(), author="model", software="test", signs=signs, objects=objects,
            model=self.model,
        )  # fmt: skip


def labelset_of(
    objects: list[tuple[str, str, float, float]],
    labels: list[tuple[str, str, str, float | None]],
    *,
    folder: Path = Path("somewhere/demo"),
) -> LabelSet:
    """objects: (file, sign, x, y). labels: (file, sign, level, value). One patient per file."""
    files = sorted({label[0] for label in labels})
    return LabelSet(
        folder,
        tuple(
            CaptureRow(file, f"P{i}", um_per_px=UM_PER_PX, split="val" if i else "train")
            for i, file in enumerate(files)
        ),
        tuple(LabelRow(file, sign, level, value) for file, sign, level, value in labels),
        tuple(ObjectRow(str(i), file, sign, x, y) for i, (file, sign, x, y) in enumerate(objects)),
        HAIRS,
    )


@pytest.fixture
def two_captures() -> LabelSet:
    return labelset_of(
        [("a.png", "black_dot", 20, 20), ("a.png", "black_dot", 120, 20), ("b.png", "black_dot", 50, 50)],
        [("a.png", "black_dot", "exhaustive", None), ("b.png", "black_dot", "exhaustive", None)],
    )


def test_where_only_presence_is_known_captures_with_the_sign_are_told_from_those_without():
    known = {"a": 1, "b": 0, "c": 1, "d": 0, "e": 0}
    labels = [(f"{name}.png", "black_dot", "presence", float(value)) for name, value in known.items()]
    labels += [("f.png", "black_dot", "count", 2.0), ("a.png", "broken_hair", "partial", None)]
    marked = [("black_dot", 20.0, 20.0)]
    counter = FakeCounter({f"{name}.png": marked if name in "abcf" else [] for name in "abcdef"})
    result = evaluate(counter, labelset_of([], labels))
    told = result.presence["black_dot"]
    # Of 3 with and 3 without the sign, one without it has a mark: of 9 pairs 6 are in order, and 3 tied.
    assert (told.captures, told.present, told.auroc.value) == (6, 3, pytest.approx(7.5 / 9))
    assert told.average_precision.value == pytest.approx(3 / 4)
    # Of the one whose number is known, that is compared too.
    assert result.signs["black_dot"].captures == 1
    assert "broken_hair" not in result.presence
    assert json.loads(json.dumps(result.to_dict()))["presence"]["black_dot"]["present"] == 3


def test_marks_within_the_tolerance_in_mm_are_right_and_others_false(two_captures):
    counter = FakeCounter({"a.png": [("black_dot", 34, 20), ("black_dot", 120, 36)], "b.png": []})
    result = evaluate(counter, two_captures)
    by_file = {score.file: (score.tp, score.fp, score.fn) for score in result.scores}
    assert by_file == {"a.png": (1, 1, 1), "b.png": (0, 0, 1)}
    assert counter.given == [(Scale(UM_PER_PX, "table"), "none")] * 2
    wider = evaluate(counter, two_captures, tolerance_mm=0.16)
    assert wider.scores[0].tp == 2


def test_a_result_names_its_data_people_and_model(two_captures):
    result = evaluate(FakeCounter({"a.png": [], "b.png": []}), two_captures)
    assert (result.data, result.patients, result.captures, result.model.name) == ("demo", 2, 2, "fake")
    assert evaluate(FakeCounter({"a.png": [], "b.png": []}), two_captures, name="ours").data == "ours"


def test_a_sign_that_is_not_exhaustively_labelled_in_a_capture_is_not_zero_there():
    labelset = labelset_of(
        [("a.png", "black_dot", 20, 20)],
        [("a.png", "black_dot", "exhaustive", None), ("b.png", "black_dot", "partial", None),
         ("c.png", "broken_hair", "exhaustive", None)],
    )  # fmt: skip
    marks = [("black_dot", 20.0, 20.0), ("black_dot", 90.0, 90.0)]
    result = evaluate(FakeCounter(dict.fromkeys(("a.png", "b.png", "c.png"), marks)), labelset)
    assert [(score.file, score.sign, score.fp) for score in result.scores if score.sign == "black_dot"] == [
        ("a.png", "black_dot", 1)
    ]
    assert result.unlabelled == {"black_dot": 2, "broken_hair": 2}


def test_where_only_the_number_is_labelled_counts_are_compared():
    labelset = labelset_of([], [("a.png", "black_dot", "count", 4)])
    result = evaluate(FakeCounter({"a.png": [("black_dot", 1, 1)]}), labelset)
    figures = result.signs["black_dot"]
    assert (figures.count_mae.value, figures.bias.value, figures.f1.value) == (3, -3, None)


def test_a_mark_on_an_ignored_sign_is_neither_right_nor_wrong():
    labelset = labelset_of(
        [("a.png", "black_dot", 20, 20), ("a.png", "broken_hair", 100, 100)],
        [("a.png", "black_dot", "exhaustive", None), ("a.png", "broken_hair", "exhaustive", None)],
    )
    counter = FakeCounter({"a.png": [("black_dot", 20, 20), ("black_dot", 101, 100)]})
    assert evaluate(counter, labelset, signs=["black_dot"]).scores[0].fp == 1
    ignoring = evaluate(counter, labelset, ignored_signs=["broken_hair"])
    assert list(ignoring.signs) == ["black_dot"]
    assert (ignoring.scores[0].fp, ignoring.scores[0].predicted) == (0, 1)


def test_a_refused_sign_is_not_scored_as_missed(two_captures):
    result = evaluate(FakeCounter({"a.png": [], "b.png": []}, refuses=("black_dot",)), two_captures)
    assert result.signs == {}
    assert result.refused == {"black_dot": 2}


def test_a_parent_sign_is_compared_with_the_sum_of_its_children():
    labelset = labelset_of(
        [("a.png", "thick", 20, 20), ("a.png", "thin", 120, 20)],
        [("a.png", "thick", "exhaustive", None), ("a.png", "thin", "exhaustive", None)],
    )
    # One hair is found as the wrong kind: wrong for the kinds, right for any hair.
    counter = FakeCounter({"a.png": [("thick", 20, 20), ("thick", 120, 20)]}, spec_of("thick", "thin"))
    result = evaluate(counter, labelset)
    figures = {sign: (score.tp, score.fp, score.fn) for score in result.scores for sign in [score.sign]}
    assert figures == {"thick": (1, 1, 0), "thin": (0, 0, 1), "hair": (2, 0, 0)}
    assert {name for name, *_ in result.comparisons[0].labelled} == {"thick", "thin"}


def test_a_parent_is_counted_only_where_all_its_children_are():
    assert channels_of("hair", ("thick", "thin"), HAIRS) == ("thick", "thin")
    assert channels_of("hair", ("thick",), HAIRS) == ()
    assert channels_of("hair", ("hair", "thick"), HAIRS) == ("hair",)


def test_a_capture_that_cannot_be_read_is_a_problem_and_the_others_are_scored(two_captures):
    result = evaluate(FakeCounter({"b.png": [("black_dot", 50, 50)]}), two_captures)
    assert [problem.message for problem in result.problems] == ["is damaged"]
    assert [score.file for score in result.scores] == ["b.png"]
    assert result.captures == 1


def unscaled(labelset: LabelSet) -> LabelSet:
    return replace(labelset, captures=tuple(replace(row, um_per_px=None) for row in labelset.captures))


def test_a_capture_without_a_scale_is_a_problem_to_a_model_that_needs_one(two_captures, tmp_path):
    Image.fromarray(scalp(128, 96, {})).save(tmp_path / "a.png")
    counter = Counter(build_tiny_model(tmp_path / "tiny.onnx"))
    result = evaluate(counter, replace(unscaled(two_captures), folder=tmp_path))
    assert [problem.message for problem in result.problems] == [
        "has no scale, which this model needs to know sizes and densities",
        "does not exist",
    ]


def test_without_a_scale_only_numbers_are_compared(two_captures):
    counter = FakeCounter({"a.png": [("black_dot", 20, 20)], "b.png": []})
    figures = evaluate(counter, unscaled(two_captures)).signs["black_dot"]
    assert (figures.f1.value, figures.located, figures.count_mae.value) == (None, 0, 1.0)


def test_a_real_model_is_evaluated_from_files_and_tables(tmp_path):
    places = {"black_dot": [(60.0, 60.0), (150.0, 60.0)], "broken_hair": [(100.0, 120.0)]}
    Image.fromarray(scalp(200, 160, places)).save(tmp_path / "a.png")
    labelset = LabelSet(
        tmp_path,
        (CaptureRow("a.png", "P1", um_per_px=6.0),),
        (LabelRow("a.png", "black_dot", "exhaustive"), LabelRow("a.png", "broken_hair", "exhaustive")),
        (ObjectRow("1", "a.png", "black_dot", 62, 60), ObjectRow("2", "a.png", "broken_hair", 30, 30)),
    )
    result = evaluate(Counter(build_tiny_model(tmp_path / "tiny.onnx")), labelset)
    counts = {score.sign: (score.tp, score.fp, score.fn) for score in result.scores}
    assert counts == {"black_dot": (1, 1, 0), "broken_hair": (0, 1, 1)}
    assert result.model.name == "tiny"


def test_only_the_named_split_is_read(two_captures):
    counter = FakeCounter({"a.png": [], "b.png": []})
    assert {score.file for score in evaluate(counter, two_captures, split="val").scores} == {"b.png"}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"split": "test"}, "there are train, val"),
        ({"rater": "anna"}, "no label is by rater 'anna'"),
        ({"signs": ["tapering_hair"]}, "not counted by the model"),
        ({"signs": ["broken_hair"]}, "nowhere labelled"),
        ({"signs": ["blackdot"]}, "no such sign"),
        ({"ignored_signs": ["black_dot"]}, "nothing labelled"),
        ({"tolerance_mm": 0.0}, "tolerance"),
    ],
)
def test_what_cannot_be_compared_is_said_in_a_sentence(two_captures, options, said):
    with pytest.raises(InputError, match=said):
        evaluate(FakeCounter({"a.png": [], "b.png": []}), two_captures, **options)


def test_the_worst_captures_are_drawn_worst_first_and_perfect_ones_left_out(tmp_path):
    labelset = labelset_of(
        [("a.png", "black_dot", 20, 20), ("b.png", "black_dot", 50, 50), ("c.png", "black_dot", 50, 50)],
        [(f"{name}.png", "black_dot", "exhaustive", None) for name in "abc"],
        folder=tmp_path,
    )
    for name in "abc":
        Image.fromarray(np.full((SIDE_PX, SIDE_PX, 3), 180, np.uint8)).save(tmp_path / f"{name}.png")
    found = {"a.png": [], "b.png": [("black_dot", 50, 50)], "c.png": [("black_dot", 90, 90), ("black_dot", 150, 90)]}
    result = evaluate(FakeCounter(found), labelset)
    (tmp_path / "worst").mkdir()
    (tmp_path / "worst" / "01_earlier.jpg").touch()
    pictures = draw_worst(result, tmp_path, tmp_path / "worst", HAIRS)
    assert sorted((tmp_path / "worst").iterdir()) == pictures
    assert [path.name for path in pictures] == ["01_c.jpg", "02_a.jpg"]
    with Image.open(pictures[0]) as picture:
        assert picture.width > 2 * SIDE_PX


def test_what_is_written_can_be_read_back_and_has_no_number_that_json_lacks(two_captures, tmp_path):
    result = evaluate(FakeCounter({"a.png": [], "b.png": []}), two_captures)
    provenance = {"command": "trichotrack evaluate m.onnx demo", "date": today(), "machine": machine()}
    summary, table, _ = write_evaluation(result, tmp_path, provenance)
    record = json.loads(summary.read_text(encoding="utf-8"), parse_constant=pytest.fail)
    assert record["schema"] == "trichotrack.evaluation/1"
    data = {"name": "demo", "split": None, "rater": "", "captures": 2, "patients": 2}
    assert record["data"] == {**data, "splits": {"train": 1, "val": 1}, "labels_sha256": result.labels_sha256}
    assert record["signs"]["black_dot"]["recall"] == {"value": 0.0, "low": 0.0, "high": 0.0}
    assert record["signs"]["black_dot"]["precision"]["value"] is None
    assert record["machine"]["cores"] >= 1
    assert table.read_text(encoding="utf-8") == captures_csv(result)
    assert captures_csv(result).splitlines()[1] == "a.png,P0,black_dot,2,0,0,0,2,0.04,1,0.09999999999999998,"


def test_a_command_is_recorded_without_the_paths_of_this_machine(tmp_path):
    words = ["trichotrack", "evaluate", str(tmp_path / "my model.onnx"), "data/demo", "--split", "val"]
    assert command_line(words) == 'trichotrack evaluate "my model.onnx" data/demo --split val'
    assert versions(["numpy", "no-such-package"]).keys() == {"numpy"}


def masked(folder: Path, columns: int, size: tuple[int, int] = (SIDE_PX, SIDE_PX)) -> LabelSet:
    """One capture whose scalp is its first columns, with black dots labelled on it and off it."""
    labelset = labelset_of(
        [("a.png", "black_dot", 20, 20), ("a.png", "black_dot", 150, 20)],
        [("a.png", "black_dot", "exhaustive", None)],
        folder=folder,
    )
    mask = np.zeros(size, np.uint8)
    mask[:, :columns] = 255
    Image.fromarray(mask).save(folder / "a_mask.png")
    return replace(labelset, captures=(replace(labelset.captures[0], valid_area="a_mask.png"),))


def test_of_structures_both_labelled_and_found_it_is_told_how_many_are_called_the_same():
    labels = [(file, sign, "exhaustive", None) for file in ("a.png", "b.png") for sign in ("hair", "thick", "thin")]
    placed = [
        ("a.png", "thick", 20, 20),
        ("a.png", "thick", 90, 20),
        ("b.png", "thin", 50, 50),
        ("b.png", "thin", 90, 90),
    ]
    placed += [(file, "hair", x, y) for file, _, x, y in placed]
    found = {"a.png": [("thick", 21, 20), ("thin", 90, 20)], "b.png": [("thin", 50, 52), ("thick", 150, 150)]}
    hairs = {file: [*marks, *(("hair", x, y) for _, x, y in marks)] for file, marks in found.items()}
    result = evaluate(FakeCounter(hairs, spec_of("hair", "thick", "thin")), labelset_of(placed, labels))
    assert result.classes is not None
    assert (result.classes.signs, result.classes.table) == (("thick", "thin"), ((1, 1), (0, 1)))
    assert result.classes.agreement.value == pytest.approx(2 / 3)
    unsure = FakeCounter(hairs, spec_of("hair", "thick", "thin"), refuses=("thin",))
    refusing = evaluate(unsure, labelset_of(placed, labels))
    assert refusing.classes is not None
    assert refusing.classes.table == ((1,),), "a refused sign is no class"


def test_what_lies_off_the_valid_area_is_neither_right_nor_wrong_and_its_area_does_not_count(tmp_path):
    counter = FakeCounter({"a.png": [("black_dot", 20, 20), ("black_dot", 150, 22), ("black_dot", 199.9, 90)]})
    (score,) = evaluate(counter, masked(tmp_path, 100)).scores
    assert (score.tp, score.fp, score.fn, score.predicted, score.reference) == (1, 0, 0, 1, 1)
    assert score.area_cm2 == pytest.approx(0.5 * SIDE_PX**2 * (UM_PER_PX / 1e4) ** 2)
    (whole,) = evaluate(counter, masked(tmp_path, SIDE_PX)).scores
    assert (whole.tp, whole.fp, whole.fn) == (2, 1, 0)


def test_a_mark_off_the_valid_area_says_nothing_of_the_presence_on_it(tmp_path):
    counter = FakeCounter({"a.png": [("black_dot", 150, 22)]})
    (on_scalp,) = evaluate(counter, masked(tmp_path, 100)).presences
    assert (on_scalp.present, on_scalp.chance) == (True, pytest.approx(0.0))
    (whole,) = evaluate(counter, masked(tmp_path, SIDE_PX)).presences
    assert whole.chance == pytest.approx(0.9)


def test_a_patient_of_whom_every_sign_was_refused_is_not_among_the_patients():
    labels = [(file, "black_dot", "exhaustive", None) for file in ("a.png", "b.png")]
    found = {"a.png": [("black_dot", 20, 20)], "b.png": []}
    placed = [("a.png", "black_dot", 20, 20)]
    assert evaluate(FakeCounter(found), labelset_of(placed, labels)).patients == 2
    assert evaluate(FakeCounter(found, refuses=("black_dot",)), labelset_of(placed, labels)).patients == 0


@pytest.mark.parametrize(("columns", "size", "said"), [(0, (200, 200), "black throughout"), (9, (90, 200), "200×90")])
def test_a_mask_that_does_not_fit_is_a_problem_of_its_capture(tmp_path, columns, size, said):
    result = evaluate(FakeCounter({"a.png": []}), masked(tmp_path, columns, size))
    (problem,) = result.problems
    assert said in problem.message
    assert problem.place.endswith("a_mask.png")
    assert result.captures == 0


def test_tolerance_and_ignored_signs_are_the_models_own_unless_given():
    labelset = labelset_of(
        [("a.png", "black_dot", 20, 20), ("a.png", "broken_hair", 100, 100)],
        [("a.png", "black_dot", "exhaustive", None), ("a.png", "broken_hair", "exhaustive", None)],
    )
    spec = replace(spec_of("black_dot"), tolerance_mm=0.05, ignored=("broken_hair", "unheard_of"))
    counter = FakeCounter({"a.png": [("black_dot", 26, 20), ("black_dot", 101, 100)]}, spec)
    result = evaluate(counter, labelset)
    assert (result.tolerance_mm, result.ignored_signs) == (0.05, ("broken_hair",))
    assert (result.scores[0].tp, result.scores[0].fp) == (0, 1)
    given = evaluate(counter, labelset, tolerance_mm=0.1, ignored_signs=())
    assert (given.scores[0].tp, given.scores[0].fp) == (1, 1)
    assert evaluate(replace(counter, spec=spec_of("black_dot")), labelset).tolerance_mm == 0.15


def test_a_recipe_is_known_by_what_it_says_and_not_by_how_it_is_written(tmp_path):
    texts = {
        "a": b"# reached 0.9\nseed: 0\nmodel: {width: 96, signs: [a, b]}\n",
        "b": b"model:\r\n  signs: [a, b]\r\n  width: 96\r\nseed: 0\r\n",
        "c": b"seed: 0\nmodel: {width: 96, signs: [b, a]}\n",
    }
    for name, text in texts.items():
        (tmp_path / name).write_bytes(text)
    a, b, c = (recipe_sha256([tmp_path / name]) for name in texts)
    assert a == b != c
    assert recipe_sha256([]) == ""

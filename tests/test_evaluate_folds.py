"""Evaluations of models trained fold by fold: written, read back and pooled, and refused where they do not belong."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from typer.testing import CliRunner

from test_evaluate_run import SIDE_PX, FakeCounter, spec_of
from trichotrack.cli.app import app
from trichotrack.evaluate.evaluation import Evaluation, write_evaluation
from trichotrack.evaluate.folds import pool, read_folds
from trichotrack.evaluate.presence import presence_figures
from trichotrack.evaluate.run import evaluate
from trichotrack.evaluate.written import read_evaluation
from trichotrack.labels.patients import FILE, PATIENT_SOURCE, UNKNOWN_PATIENTS
from trichotrack.labels.read import read_labels
from trichotrack.labels.tables import CaptureRow, LabelRow, LabelSet, ObjectRow
from trichotrack.labels.write import write_labels
from trichotrack.problems import InputError
from trichotrack.runtime.reading import ModelRef, Reading
from trichotrack.runtime.spec import ModelSpec

SIGNS = ("black_dot", "broken_hair")
Marks = list[tuple[str, float, float]]


@pytest.fixture(scope="module", autouse=True)
def few_resamples() -> Iterator[None]:
    """Each resample is ranked anew, which takes long, and what is claimed here holds of any number."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("trichotrack.evaluate.presence.RESAMPLES", 2)
        yield


class Named(FakeCounter):
    """A fake model with a hash of its own; each capture's content is its name."""

    digest = "0"

    @property
    def model(self) -> ModelRef:
        return ModelRef(f"model {self.digest}", self.digest, 1, notice="Not validated on patients.")

    def read(self, capture: Path, **given: object) -> Reading:
        return replace(super().read(capture, **given), sha256=f"{capture.stem:0<64}")  # type: ignore[arg-type]


def model_of(digest: str, found: dict[str, Marks], spec: ModelSpec | None = None) -> Named:
    made = Named(found, spec or spec_of(*SIGNS))
    made.digest = digest
    return made


def seeing(**captures: list[str]) -> ModelSpec:
    """A spec that tells by which captures it was taught (train) and chosen (val): by names without their suffix."""
    told = {split: [f"{name:0<64}"[:16] for name in names] for split, names in captures.items()}
    return replace(spec_of(*SIGNS), training={"captures": {**told, "complete": True}})


def people(
    count: int, *, folds: int = 2, labels: Sequence[LabelRow] = (), objects: Sequence[ObjectRow] = ()
) -> LabelSet:
    """A capture of each, P0 in fold 0, P1 in fold 1 and so on; the split is the fold. Both signs are known."""
    files = [f"{i:016d}.png" for i in range(count)]
    known = labels or [LabelRow(file, sign, "exhaustive") for file in files for sign in SIGNS]
    captures = (CaptureRow(file, f"P{i}", um_per_px=10.0, split=f"fold-{i % folds}") for i, file in enumerate(files))
    return LabelSet(Path("somewhere/ours"), tuple(captures), tuple(known), tuple(objects))


def by_fold(model: FakeCounter, labelset: LabelSet, folds: int = 2, **options: object) -> dict[str, Evaluation]:
    return {
        f"fold-{i}": evaluate(model, labelset, split=f"fold-{i}", resamples=50, **options)  # type: ignore[arg-type]
        for i in range(folds)
    }


places = st.lists(st.tuples(st.sampled_from(SIGNS), st.sampled_from([20.0, 80.0, 140.0]), st.just(50.0)), max_size=4)


@st.composite
def readings(draw: st.DrawFn) -> tuple[LabelSet, Named, int]:
    """A labelled set of three folds and more, and a model that finds something in it."""
    folds = draw(st.integers(2, 3))
    count = draw(st.integers(folds, 7))
    objects: list[ObjectRow] = []
    labels, found = [], {}
    for i in range(count):
        file = f"{i:016d}.png"
        marks = draw(places)
        objects += [ObjectRow(f"{i}-{n}", file, *mark) for n, mark in enumerate(marks)]
        for sign in SIGNS:
            level = (
                draw(st.sampled_from(["exhaustive", "exhaustive", "count", "presence"])) if i >= folds else "exhaustive"
            )
            number = float(sum(mark[0] == sign for mark in marks))
            labels.append(LabelRow(file, sign, level, {"count": number, "presence": float(number > 0)}.get(level)))
        found[file] = draw(places)
    exhaustive = {(row.file, row.sign) for row in labels if row.level == "exhaustive"}
    kept = [marked for marked in objects if (marked.file, marked.sign) in exhaustive]
    return people(count, folds=folds, labels=labels, objects=kept), model_of("a", found), folds


@settings(deadline=None, max_examples=15)
@given(readings())
def test_folds_of_one_model_pooled_are_its_evaluation_on_all_of_them(given: tuple[LabelSet, Named, int]) -> None:
    labelset, model, folds = given
    pooled = pool(by_fold(model, labelset, folds), resamples=50)
    # Resampled people are drawn by their order.
    ordered = replace(labelset, captures=tuple(sorted(labelset.captures, key=lambda row: row.split)))
    whole = evaluate(model, ordered, resamples=50)
    assert pooled.model == whole.model
    for one in ("signs", "classes", "presence", "captures", "patients", "unlabelled", "refused", "labels_sha256"):
        assert getattr(pooled, one) == getattr(whole, one), one


@settings(deadline=None, max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(readings())
def test_an_evaluation_is_read_back_as_it_was_but_for_its_marks(
    tmp_path: Path, given: tuple[LabelSet, Named, int]
) -> None:
    labelset, model, _ = given
    result = evaluate(replace(model, spec=seeing(train=["0" * 15 + "1"], val=["0" * 15 + "0"])), labelset, resamples=50)
    write_evaluation(result, tmp_path, {})
    again = read_evaluation(tmp_path)
    pairs = tuple(replace(one, pairs=sorted(one.pairs)) for one in result.pairs)
    assert again == replace(result, comparisons=(), pairs=pairs, seconds=round(result.seconds, 3))


@settings(deadline=None, max_examples=40)
@given(st.lists(st.tuples(st.integers(0, 2), st.booleans(), st.integers(1, 9)), min_size=1, max_size=12))
def test_captures_are_ranked_against_those_of_the_same_model_alone(given: list[tuple[int, bool, int]]) -> None:
    models, present, chances = zip(*given, strict=True)
    patients = [f"P{i}" for i in range(len(given))]
    figures = presence_figures(patients, present, [chance / 10 for chance in chances], models)
    pairs = [
        1.0 if high > low else 0.5 if high == low else 0.0
        for one, has, high in given
        for other, lacks, low in given
        if one == other and has and not lacks
    ]
    assert figures.auroc.value == (pytest.approx(np.mean(pairs)) if pairs else None)
    # Another model's scale of chances changes nothing.
    scaled = [chance / 10 if model else chance / 1000 for model, chance in zip(models, chances, strict=True)]
    assert presence_figures(patients, present, scaled, models) == figures


def test_a_pooled_figure_is_of_all_patients_and_says_of_how_many_models(tmp_path: Path) -> None:
    objects = [ObjectRow(str(i), f"{i:016d}.png", "black_dot", 20, 20) for i in range(4)]
    labelset = people(4, objects=objects)
    right: Marks = [("black_dot", 20.0, 20.0)]
    first = evaluate(model_of("a", {row.file: right for row in labelset.captures}), labelset, split="fold-0")
    second = evaluate(model_of("b", {row.file: [] for row in labelset.captures}), labelset, split="fold-1")
    pooled = pool({"one": first, "two": second})
    dots = pooled.signs["black_dot"]
    assert (dots.patients, dots.recall.value, dots.precision.value) == (4, 0.5, 1.0)
    assert (dots.recall.low, dots.recall.high) == (0.0, 1.0)
    assert (pooled.model.name, pooled.model.notice) == ("2 models", "None of the models is validated on patients.")
    write_evaluation(pooled, tmp_path, {})
    record = json.loads((tmp_path / "evaluation.json").read_text("utf-8"))
    assert record["signs"]["black_dot"]["recall"]["value"] == 0.5
    assert {name: fold["signs"]["black_dot"]["recall"]["value"] for name, fold in record["folds"].items()} == {
        "one": 1.0,
        "two": 0.0,
    }
    assert [fold["model"]["sha256"] for fold in record["folds"].values()] == ["a", "b"]
    with pytest.raises(InputError, match="is itself pooled"):
        read_evaluation(tmp_path)


def test_a_fold_of_which_captures_are_in_no_evaluation_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    labelset = people(7, folds=3)
    captures = tuple(replace(row, extra={"fold": row.split[-1]}) for row in labelset.captures)
    labelset = replace(labelset, captures=captures)
    model = model_of("a", {row.file: [] for row in captures})
    evaluations = by_fold(model, labelset, folds=3)
    assert evaluations["fold-1"].by_fold == {"0": (0, 3), "1": (2, 2), "2": (0, 2)}
    assert pool(evaluations).left_out == {}
    assert pool({name: one for name, one in evaluations.items() if name != "fold-0"}).left_out == {"0": 3}
    for name, one in evaluations.items():
        write_evaluation(one, tmp_path / name, {})
    monkeypatch.chdir(tmp_path)
    told = [
        " ".join(CliRunner().invoke(app, ["evaluate-folds", *names]).output.split())
        for names in (["fold-0", "fold-1", "fold-2"], ["fold-0", "fold-2"])
    ]
    assert ["In none of these evaluations: 2 captures of fold 1." in one for one in told] == [False, True]


def test_all_that_keeps_evaluations_apart_is_told_at_once() -> None:
    labelset = people(4)
    model = model_of("a", {row.file: [] for row in labelset.captures})
    labels = (*labelset.labels, *(replace(row, rater="anna") for row in labelset.labels))
    first = evaluate(model, replace(labelset, labels=labels), split="fold-0", resamples=1)
    other = replace(model, spec=seeing(train=["0" * 15 + "0"], val=[]))
    second = evaluate(
        other, replace(labelset, labels=labels), resamples=1, name="theirs", rater="anna", signs=["black_dot"],
        ignored_signs=["tapering_hair"], tolerance_mm=0.1,
    )  # fmt: skip
    with pytest.raises(InputError) as refused:
        pool({"one": first, "two": second})
    told = str(refused.value)
    assert "differ in data: ours in one; theirs in two. Evaluate all on one labelled folder" in told
    assert "differ in rater: the reference in one; anna in two. Give all the same --rater" in told
    assert "differ in signs: black_dot, broken_hair in one; black_dot in two" in told
    assert "differ in ignored signs: none in one; tapering_hair in two" in told
    assert "differ in tolerance: 0.15 mm in one; 0.1 mm in two" in told
    assert "differ in labels" in told
    assert "one and two: have patients P0, P2 in common" in told
    assert "two: is of captures of patient P0 that taught its model" in told
    assert len(refused.value.problems) == 8


def test_a_split_is_no_difference_of_labels_and_a_moved_mark_is_one() -> None:
    objects = [ObjectRow("1", f"{0:016d}.png", "black_dot", 20, 20)]
    labelset = people(2, objects=objects)
    model = model_of("a", {row.file: [] for row in labelset.captures})
    hashed = evaluate(model, labelset, resamples=1).labels_sha256
    otherwise = replace(labelset, captures=tuple(replace(row, split="val") for row in labelset.captures))
    assert evaluate(model, otherwise, resamples=1).labels_sha256 == hashed
    moved = replace(labelset, objects=(replace(objects[0], x=21.0),))
    assert evaluate(model, moved, resamples=1).labels_sha256 != hashed


def test_where_a_model_does_not_tell_what_taught_it_captures_of_split_train_are_refused() -> None:
    labelset = people(2)
    training = replace(labelset, captures=tuple(replace(row, split="train") for row in labelset.captures[:1]))
    model = model_of("a", {row.file: [] for row in labelset.captures})
    folds = {"one": evaluate(model, training), "two": evaluate(model, labelset, split="fold-1")}
    with pytest.raises(InputError, match=r"one: is of 1 capture of split train"):
        pool(folds)
    told = replace(model, spec=seeing(train=["elsewhere"], val=[]))
    # It tells, and these were not among them; the labels of both are the same.
    pool({"one": replace(evaluate(told, training), labels_sha256=""), "two": replace(folds["two"], labels_sha256="")})


def test_unknown_patients_and_captures_that_chose_the_models_are_told_of_all() -> None:
    labelset = people(4)
    unknown = tuple(
        replace(row, extra={PATIENT_SOURCE: FILE}) if row.split == "fold-1" else row for row in labelset.captures
    )
    labelset = replace(labelset, captures=unknown)
    spec = seeing(train=[], val=[f"{i:016d}" for i in range(4)])
    pooled = pool(by_fold(model_of("a", {row.file: [] for row in labelset.captures}, spec), labelset))
    assert pooled.patients_notice == f"{UNKNOWN_PATIENTS} (of some captures)"
    assert pooled.to_dict()["data"]["seen"] == {"train": 0, "val": 4, "complete": True}
    assert "by content and not by name, 4 chose the model of their fold and its thresholds" in pooled.seen_notice


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda folder: (folder / "evaluation.json").unlink(), "evaluation.json: cannot be read"),
        (lambda folder: (folder / "evaluation.json").write_text("{"), "is not JSON"),
        (lambda folder: (folder / "evaluation.json").write_text("[]"), "is of the format 'list'"),
        (lambda folder: replace_in(folder / "evaluation.json", '"refused"', '"r"'), "lacks what an evaluation has"),
        (lambda folder: (folder / "classes.csv").unlink(), "classes.csv: is not there. Evaluate again, with --out."),
        (lambda folder: replace_in(folder / "captures.csv", "chance", "odds"), "column chance: the column is missing"),
        (lambda folder: replace_in(folder / "captures.csv", ",0.04,", ",much,"), "row 2, column area_cm2: is no such"),
        (lambda folder: replace_in(folder / "captures.csv", ",0.04,", ",nan,"), "row 2, column area_cm2: is no such"),
    ],
)
def test_what_is_no_evaluation_any_more_is_said_in_a_sentence(tmp_path: Path, spoil, said: str) -> None:
    labelset = people(2)
    model = model_of("a", {row.file: [] for row in labelset.captures})
    for name, one in by_fold(model, labelset).items():
        write_evaluation(one, tmp_path / name, {})
    spoil(tmp_path / "fold-0")
    (tmp_path / "other").mkdir()
    with pytest.raises(InputError) as refused:
        read_folds([tmp_path / "fold-0", tmp_path / "fold-1", tmp_path / "other", tmp_path / "no-such-?"])
    assert said in str(refused.value)
    assert "no-such-?: matches no folder with evaluation.json in it" in str(refused.value)
    assert f"{Path('other') / 'evaluation.json'}: cannot be read" in str(refused.value)


def replace_in(path: Path, old: str, new: str) -> None:
    path.write_text(path.read_text("utf-8").replace(old, new), "utf-8")


def test_one_evaluation_is_not_pooled() -> None:
    labelset = people(2)
    one = evaluate(model_of("a", {row.file: [] for row in labelset.captures}), labelset)
    with pytest.raises(InputError, match="1 evaluation cannot be pooled"):
        pool({"one": one})


def test_the_whole_way_from_folds_to_a_pooled_figure_on_screen_and_in_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    objects = [ObjectRow(str(i), f"{i:016d}.png", "black_dot", 20, 20) for i in range(8)]
    labelset = people(8, objects=objects)
    folder = tmp_path / "ours"
    unsplit = tuple(replace(row, split="") for row in labelset.captures)
    write_labels(replace(labelset, folder=folder, captures=unsplit), folder)
    for row in labelset.captures:
        Image.fromarray(np.full((SIDE_PX, SIDE_PX, 3), 180, np.uint8)).save(folder / row.file)
    run = CliRunner()
    assert run.invoke(app, ["labels", "split", "ours", "--folds", "2"]).exit_code == 0
    right: Marks = [("black_dot", 20.0, 20.0)]
    for fold in (1, 2):
        if fold == 2:
            assert run.invoke(app, ["labels", "split", "ours", "--fold", "2"]).exit_code == 0
        split = {name: [Path(row.file).stem for row in read_labels(folder).captures if row.split == name]
                 for name in ("train", "val")}  # fmt: skip
        model = model_of(str(fold), {row.file: right for row in labelset.captures}, seeing(**split))
        monkeypatch.setattr("trichotrack.runtime.counter.Counter", lambda *_, made=model, **__: made)
        done = run.invoke(app, ["evaluate", f"fold-{fold}.onnx", "ours", "--split", "val", "--out", f"fold-{fold}"])
        assert done.exit_code == 0, done.output
        assert "Of 4 captures, known by content and not by name, 4 chose this model and its thresholds" in " ".join(
            done.output.split()
        )
    (tmp_path / "fold-1.onnx").touch()
    done = run.invoke(app, ["evaluate-folds", "fold-*", "--out", "all"])
    assert done.exit_code == 0, done.output
    told = " ".join(done.output.split())
    assert "8 captures of 8 patients" in told
    assert "Pooled over 2 models, each evaluated on patients of its own: the figures say how well this way" in told
    assert "4 chose" not in told
    assert "8 chose the model of their fold and its thresholds" in told
    assert max(map(len, done.output.splitlines())) <= 80
    assert [line.split()[:3] for line in done.output.splitlines() if line.split()[:1] == ["fold-2"]] == [
        ["fold-2", "4", "4"],
        ["fold-2", "4", "0"],
    ]
    record = json.loads(run.invoke(app, ["evaluate-folds", "fold-1", "fold-2", "--json"]).stdout)
    assert record["signs"]["black_dot"]["f1"]["value"] == 1.0
    assert record.keys() == json.loads((tmp_path / "all" / "evaluation.json").read_text("utf-8")).keys()
    again = run.invoke(app, ["evaluate", "fold-2.onnx", "ours", "--split", "train", "--out", "fold-1"])
    assert "4 taught this model: figures are too good" in " ".join(again.output.split())
    refused = run.invoke(app, ["evaluate-folds", "fold-1", "fold-2"])
    assert refused.exit_code == 2
    assert "that taught its model" in refused.stderr

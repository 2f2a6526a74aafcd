"""Captures without a scale train a model that goes by none: it counts, and tells nothing in µm or per cm²."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from labelled_folder import write_folder
from trichotrack.evaluate.run import evaluate
from trichotrack.geometry import size_with_long_side
from trichotrack.labels.read import read_labels
from trichotrack.labels.write import write_labels
from trichotrack.model import export as exporting
from trichotrack.model.cli import main
from trichotrack.model.data import SyntheticData
from trichotrack.model.datasets import WholeCaptures, cached, labelled_captures
from trichotrack.model.plan import WITH_SCALE, Plan
from trichotrack.model.sample import EXHAUSTIVE, SCALP, Sample, Structures, tensors_of
from trichotrack.model.task import SignTask, load_task
from trichotrack.problems import InputError
from trichotrack.runtime.counter import Counter
from trichotrack.runtime.selftest import run_selftest
from trichotrack.runtime.spec import ModelSpec

SIGNS = ("black_dot", "broken_hair", "terminal_hair")


def stripped(labels, keep=()):
    """The set without its scales, but for those of the captures numbered in keep."""
    rows = tuple(row if i in keep else replace(row, um_per_px=None) for i, row in enumerate(labels.captures))
    return replace(labels, captures=rows)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = write_folder(tmp_path_factory.mktemp("scaleless") / "tiny")
    write_labels(stripped(read_labels(folder)), folder)
    return folder


# --- the plan ---------------------------------------------------------------------------------------------------------


def test_a_plan_without_a_scale_has_measures_in_px_and_none_in_um():
    plan = Plan(um_per_px=None, sigma_um=30.0, tolerance_mm=0.113, tolerance_px=9.0)  # µm of a recipe laid under it
    assert not plan.calibrated
    assert {name: getattr(plan, name) for name in WITH_SCALE} == dict.fromkeys(WITH_SCALE)
    assert (plan.long_side_px, plan.sigma_px, plan.min_distance_px, plan.tolerance_px) == (1024, 5.0, 8.0, 9.0)
    assert np.isnan(plan.area_cm2(1e6))


def test_with_a_scale_measures_in_px_follow_from_um_and_others_are_refused():
    plan = Plan()
    assert (plan.sigma_px, plan.min_distance_px, plan.tolerance_px) == (6.0, 10.0, 25.0)
    assert plan.long_side_px is None
    assert plan.area_cm2(1e4 / 36 * 1e4) == pytest.approx(1.0)
    with pytest.raises(InputError, match=r"long_side_px 800, sigma_px 4.*follow from those in µm.*um_per_px: null"):
        Plan(long_side_px=800, sigma_px=4.0)


@pytest.mark.parametrize("plan", [Plan(), Plan(um_per_px=None, long_side_px=320), Plan(sigma_um=30.0, um_per_px=7.0)])
def test_a_plan_is_made_again_from_its_fields_and_from_another_with_other_signs(plan):
    assert Plan(**plan.to_dict()) == plan
    assert replace(replace(plan, signs=("black_dot",)), signs=plan.signs) == plan
    assert ("sigma_px" in plan.to_dict()) is not plan.calibrated


@pytest.mark.parametrize("wrong", [{"long_side_px": 0}, {"tolerance_px": -1.0}, {"sigma_px": float("nan")}])
def test_measures_in_px_are_positive(wrong):
    with pytest.raises(InputError, match=f"positive.*{next(iter(wrong))}"):
        Plan(um_per_px=None, **wrong)


# --- which captures are taken -----------------------------------------------------------------------------------------


def test_a_plan_with_a_scale_names_every_capture_that_has_none_and_both_remedies(folder):
    labels = read_labels(folder)
    with pytest.raises(InputError) as caught:
        labelled_captures(stripped(write_scales(labels), keep=(0,)), Plan(SIGNS), "train")
    told = [problem for problem in caught.value.problems if problem.column == "um_per_px"]
    # Those that the same training would validate on are told with the ones it would learn from.
    assert [problem.message for problem in told] == [f"images/p{n}.png has no um_per_px" for n in (1, 2, 3)]
    assert all("micrometres per pixel" in p.remedy and "model.plan.um_per_px null" in p.remedy for p in told)
    with pytest.raises(InputError, match="none of the 4 captures has um_per_px"):
        labelled_captures(labels, Plan(SIGNS), "train")


def write_scales(labels):
    return replace(labels, captures=tuple(replace(row, um_per_px=6.0) for row in labels.captures))


def test_a_plan_without_a_scale_takes_captures_with_and_without_one_alike_and_uses_none(folder, tmp_path):
    plan = Plan(SIGNS, um_per_px=None, long_side_px=144)
    images = []
    for scale in (None, 6.0, 2.0):
        labels = read_labels(folder)
        labels = replace(labels, captures=tuple(replace(row, um_per_px=scale) for row in labels.captures))
        (first, second) = cached(labelled_captures(labels, plan, "train"), tmp_path, None, plan.long_side_px)
        images.append(first.sample(0, 0, 0).image)
        assert first.size_px == second.size_px == (144, 128)
    assert all(np.array_equal(image, images[0]) for image in images)
    known = labelled_captures(labels, plan, "train")[0].structures.xy
    assert first.sample(0, 0, 0).structures.xy == pytest.approx(known / 2)
    assert len(list(tmp_path.glob("*.npy"))) == 2  # nothing is made again for another scale


def test_areas_are_unknown_and_lengths_untaught_where_there_is_no_scale(folder, tmp_path):
    plan = Plan(SIGNS, um_per_px=None, long_side_px=144)
    captures = labelled_captures(read_labels(folder), plan, "val")
    whole = WholeCaptures(cached(captures, tmp_path, None, 144), plan, ["a", "b"])
    assert torch.isnan(whole[0]["area_cm2"])
    one = np.array([[20.0, 20.0]])
    shown = np.full((64, 64), SCALP, np.uint8)
    known = Structures(one, np.array([0]), one + 8.0, np.array([[70.0, 50.0]]), np.zeros((0, 2)))
    sample = Sample(np.zeros((64, 64, 3), np.uint8), known, np.full(3, EXHAUSTIVE), shown > 0, shown, 0 * shown)
    shaft = {scaled: tensors_of(sample, Plan(SIGNS, um_per_px=scaled))["shaft"][:, 5, 5] for scaled in (6.0, None)}
    assert torch.isfinite(shaft[6.0]).all()
    assert torch.equal(shaft[None][:2], shaft[6.0][:2])
    assert torch.isnan(shaft[None][2:]).all()


def test_the_procedural_scalp_has_a_scale_and_no_other_plan():
    with pytest.raises(InputError, match="drawn to scale"):
        SyntheticData(Plan(um_per_px=None))


def test_a_model_without_scale_begins_with_the_bundled_weights():
    assert SignTask(Plan(um_per_px=None), start="bundled").start.startswith("the bundled weights")


# --- from labels to counts --------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def trained(folder, tmp_path_factory):
    """Two steps on four captures without a scale; as the plan of a recipe with µm, laid over."""
    root = tmp_path_factory.mktemp("runs")
    signs = '["black_dot","broken_hair","terminal_hair"]'
    main(
        [
            "fit", f"--trainer.default_root_dir={root}", "--trainer.max_epochs=1", "--trainer.num_sanity_val_steps=0",
            "--trainer.enable_progress_bar=false", "--trainer.enable_model_summary=false", "--trainer.accelerator=cpu",
            "--trainer.log_every_n_steps=1", "--model.backbone=mobilenetv4_conv_small", "--model.width=16",
            "--model.start=scratch", f"--model.plan.signs={signs}", "--model.plan.sigma_um=30",
            "--model.plan.um_per_px=null", "--model.plan.long_side_px=256", "--run.pictures=1", "--data=SignData",
            f"--data.labels={folder}", "--data.crop_px=96", "--data.batch_size=1", "--data.workers=0",
        ]
    )  # fmt: skip
    return root / "version_0" / "checkpoints" / "best.ckpt"


@pytest.fixture(scope="module")
def model(trained, tmp_path_factory):
    """Exported. Two steps teach nothing, so a few peaks are let through by hand."""
    kept = torch.load(trained, weights_only=True)
    generator = torch.Generator().manual_seed(3)
    weight = kept["state_dict"]["network.logits.weight"]
    weight.copy_(torch.randn(weight.shape, generator=generator) * 2)
    kept["state_dict"]["network.logits.bias"].fill_(-1.0)
    for sign in kept["validated"].values():
        sign["threshold"] = 0.5
        sign["figures"]["recall"] = {"value": 0.9, "low": None, "high": None}
    lively, out = trained.with_name("lively.ckpt"), tmp_path_factory.mktemp("model") / "m.onnx"
    torch.save(kept, lively)
    exporting.export(lively, out)
    return out


def test_a_training_without_scales_ends_in_a_spec_without_any(trained):
    task, kept = load_task(trained)
    assert task.plan == Plan(SIGNS, um_per_px=None, long_side_px=256)
    assert task.points.ceilings == {}
    assert kept["manifest"]["um_per_px"] is None
    spec = exporting.spec_of(task, kept, name="m", licence="", notes="")
    assert (spec.um_per_px, spec.long_side_px, spec.min_distance_px, spec.tolerance_px) == (None, 256, 8.0, 16.0)
    assert (spec.min_distance_um, spec.tolerance_mm, spec.training_um_per_px) == (None, None, None)
    assert spec.measures == ()
    assert "shaft" not in spec.outputs
    assert all(channel.false_positives_per_cm2 is None for channel in spec.signs)
    assert any(channel.recall is not None for channel in spec.signs)
    assert ModelSpec.from_json(spec.to_json()) == spec
    assert not {name for name, value in spec.training["plan"].items() if value and name.endswith(("um", "mm", "cm2"))}


def test_the_exported_model_counts_and_tells_no_density_whether_or_not_a_scale_is_given(model, folder):
    counter = Counter(model)
    assert run_selftest(counter).passed
    image = folder / "images" / "p0.png"
    without, given = counter.read(image), counter.read(image, um_per_px=6.0)
    assert any(sign.count for sign in without.signs.values())
    assert without.objects == given.objects
    for reading in (without, given):
        assert reading.area_cm2 is None
        assert "counts per capture only" in reading.warnings[0]
        for sign in reading.signs.values():
            assert (sign.status, sign.density_per_cm2, sign.estimate) == ("counted", None, None)
        for mark in reading.objects:
            assert (mark.tip_x, mark.root_width_um, mark.tip_width_um) == (None, None, None)


def test_the_model_reads_what_it_was_trained_on_pixel_for_pixel(model, folder, tmp_path):
    labels, plan = read_labels(folder), Plan(SIGNS, um_per_px=None, long_side_px=256)
    (capture, _) = cached(labelled_captures(labels, plan, "train"), tmp_path, None, plan.long_side_px)
    _, image = Counter(model)._canonical(capture.capture.path, None, None, None)
    assert np.array_equal(image, capture.sample(0, 0, 0).image)
    assert size_with_long_side((288, 256), 256) == (256, 228)


def test_the_model_is_evaluated_in_px_of_the_resampled_image(model, folder, tmp_path):
    labels = read_labels(folder)
    result = evaluate(Counter(model), labels, resamples=10)
    assert (result.tolerance_mm, result.tolerance_px, result.long_side_px) == (None, 16.0, 256)
    assert result.to_dict()["tolerance_px"] == 16.0
    assert all(figures.false_positives_per_cm2.value is None for figures in result.signs.values())
    assert all(score.tp is not None and score.area_cm2 is None for score in result.scores)
    with pytest.raises(InputError, match=r"trained without scales: mm mean nothing to it.*within 16 px"):
        evaluate(Counter(model), labels, tolerance_mm=0.1)
    # The same marks on pictures twice as large are as right as before: the tolerance grows with them.
    (tmp_path / "images").mkdir()
    for row in labels.captures:
        with Image.open(folder / row.file) as image:
            image.resize((2 * image.width, 2 * image.height), Image.Resampling.NEAREST).save(
                tmp_path / row.file, quality=100, subsampling=0
            )
    twice = [replace(item, x=2 * item.x, y=2 * item.y) for item in labels.objects]
    larger = evaluate(Counter(model), replace(labels, folder=tmp_path, objects=tuple(twice)), resamples=10)
    for sign, figures in result.signs.items():
        assert larger.signs[sign].predicted == pytest.approx(figures.predicted, abs=3)
        assert larger.signs[sign].recall.value == pytest.approx(figures.recall.value, abs=0.1)

"""Training on numbers and presences: what may be labelled, what a batch holds, and what validation makes of it."""

from collections import Counter as Tally
from dataclasses import replace

import numpy as np
import pytest
import torch

from labelled_folder import write_folder
from tiny_model import build_tiny_model, scalp, tiny_spec
from trichotrack.detect.decode import LOWEST_SCORE
from trichotrack.detect.detections import Detections
from trichotrack.evaluate.presence import presence_figures
from trichotrack.labels.read import read_labels
from trichotrack.labels.tables import CaptureRow, LabelRow
from trichotrack.labels.write import write_labels
from trichotrack.model.augment import Augmenter
from trichotrack.model.batches import MOST_TIMES, CropsOrWholes, TrainingSet, training_loader
from trichotrack.model.cli import main
from trichotrack.model.datasets import CachedCapture, LabelledCapture, labelled_captures, presence_alone
from trichotrack.model.export import Exported, spec_of
from trichotrack.model.image_figures import ImageFigures, best_balance, least_error, validated
from trichotrack.model.metrics import PointFigures
from trichotrack.model.plan import Plan
from trichotrack.model.sample import COUNT, EXHAUSTIVE, PRESENCE, UNKNOWN, Sample, Structures
from trichotrack.model.task import load_task
from trichotrack.problems import InputError
from trichotrack.runtime.counter import Counter
from trichotrack.runtime.spec import ModelSpec, SignSpec
from trichotrack.signs import SIGN

PLAN = Plan(signs=("black_dot", "broken_hair"))
NONE = np.zeros((0, 2))


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    root = tmp_path_factory.mktemp("levels")
    return {level: write_folder(root / level, level=level) for level in ("count", "presence", "exhaustive")}


def test_captures_of_which_only_a_number_or_a_presence_is_known_are_taken(folders):
    counted = labelled_captures(read_labels(folders["count"]), PLAN, "train")
    assert [capture.levels.tolist() for capture in counted] == [[COUNT, COUNT]] * 2
    assert all((capture.values >= 0).all() and capture.of_image for capture in counted)
    present = labelled_captures(read_labels(folders["presence"]), PLAN, "train")
    assert [capture.values.tolist() for capture in present] == [[0, 0], [1, 1]]
    assert presence_alone(present) == (True, True)
    assert presence_alone([*present, *counted]) == (False, False)


def test_levels_mix_by_sign_and_a_sign_present_in_every_training_capture_is_refused(folders):
    labels = read_labels(folders["presence"])
    first = labels.captures[0].file
    rows = [row for row in labels.labels if not (row.file == first and row.sign == "broken_hair")]
    mixed = replace(labels, labels=(*rows, LabelRow(first, "broken_hair", "count", 7.0)))
    assert labelled_captures(mixed, PLAN, "train")[0].levels.tolist() == [PRESENCE, COUNT]
    always = replace(labels, labels=tuple(replace(row, value=1.0) for row in labels.labels))
    with pytest.raises(InputError, match="'black_dot' it is only known that it is present in all 2 captures"):
        labelled_captures(always, PLAN, "train")
    partial = replace(labels, labels=tuple(LabelRow(row.file, row.sign, "partial") for row in labels.labels))
    assert labelled_captures(partial, PLAN, "train")
    lacking = "no capture of split 'val' has exhaustive, count or presence labels"
    with pytest.raises(InputError, match=f"{lacking}.*labels merge --exhaustive.*write exhaustive as their level"):
        labelled_captures(partial, PLAN, "val")


def drawn(patient, channels, level=EXHAUSTIVE, side=200):
    """A cached capture of a patient with a structure of each channel, no file behind it."""
    xy = np.linspace(20, side - 20, len(channels))[:, None] * np.ones((1, 2)) if channels else NONE
    known = Structures(xy, np.array(channels, np.int64), np.full_like(xy, np.nan), np.full_like(xy, np.nan), NONE)
    row = CaptureRow(f"{patient}.png", patient)
    capture = LabelledCapture(row, None, None, 6.0, known, np.full(2, level), np.full(2, 1.0))
    return Pixels(capture, None, (side, side))


class Pixels(CachedCapture):
    """Plain grey."""

    def sample(self, *_):
        side = self.original_px[0]
        nothing, capture = np.zeros((side, side), np.uint8), self.capture
        image = np.full((side, side, 3), 128, np.uint8)
        return Sample(
            image, capture.structures, capture.levels, np.ones((side, side), bool), nothing, nothing, capture.values
        )

    @property
    def size_px(self):
        return self.original_px


def test_a_batch_holds_crops_or_whole_captures_and_every_whole_capture_keeps_its_number():
    sources = [
        drawn("a", [0]),
        drawn("b", [1]),
        drawn("c", [0, 1]),
        *(drawn(f"w{i}", [], COUNT, 150) for i in range(5)),
    ]
    data = TrainingSet(sources, PLAN, Augmenter(96), seed=0)
    order = CropsOrWholes(data, 8)
    assert order.of_wholes == 8 * 96 * 96 // 160**2 == 2
    batches = list(order)
    assert len(batches) == len(order) == 4  # twice all three crops, and two batches of two of the five whole captures
    assert all(len({data.whole[index % len(data)] for index in batch}) == 1 for batch in batches)
    order.sampler.set_epoch(1)
    assert list(order) != batches
    for batch in training_loader(data, 8, 0):
        whole = batch["image"].shape[1] == 160
        assert torch.isfinite(batch["counted"]).all().item() is whole
        assert batch["image"].shape[1:3] == ((160, 160) if whole else (96, 96))


def test_few_marked_captures_do_not_drown_among_many_counted_ones_nor_are_they_shown_without_end():
    def crops_of(wholes):
        sources = [drawn("a", [0]), *(drawn(f"w{i}", [], COUNT, 150) for i in range(wholes))]
        data = TrainingSet(sources, PLAN, Augmenter(96), seed=0)
        batches = list(CropsOrWholes(data, 1))
        assert len(batches) == len(CropsOrWholes(data, 1))
        return data, [batch for batch in batches if not data.whole[batch[0] % len(data)]]

    data, crops = crops_of(3)
    assert sorted(crops) == [[0], [4], [8]]
    images = [data[index]["image"] for (index,) in crops]
    assert not any(torch.equal(images[0], other) for other in images[1:]), "each time another crop"
    assert len(crops_of(20)[1]) == MOST_TIMES


def test_balancing_draws_every_sign_alike_and_no_patient_more_than_their_captures():
    # Patient a has one rare structure among forty; b has nothing; the epoch has one crop for each capture all the same.
    sources = [drawn("a", [0] * 39 + [1]), drawn("a", [0]), drawn("b", []), drawn("b", []), drawn("b", [])]
    data = TrainingSet(sources, PLAN, Augmenter(32), seed=0, balance=1.0)
    rng = np.random.default_rng(0)
    chosen = Tally()
    for _ in range(400):
        number, xy = data._drawn(0, rng)
        assert sources[number].capture.row.patient == "a"
        known = sources[number].capture.structures
        chosen[int(known.channel[np.flatnonzero((known.xy == xy).all(1))[0]])] += 1
    assert 150 < chosen[1] < 250
    assert data._drawn(3, rng) is None  # a patient without structures gives crops anywhere, as ever
    assert len(data) == len(sources)
    assert all(torch.count_nonzero(data[index]["heat"] == 1) for index in (0, 1))
    with pytest.raises(InputError, match="no share"):
        TrainingSet(sources, PLAN, Augmenter(32), seed=0, balance=2.0)


def test_half_balanced_crops_still_show_empty_scalp_and_a_crop_holds_what_it_was_drawn_around():
    data = TrainingSet([drawn("a", [0])], PLAN, Augmenter(32), seed=0, balance=0.5)
    shows = []
    for epoch in range(60):
        data.set_epoch(epoch)
        shows.append(bool((data[0]["heat"] == 1).any()))
    assert 15 < sum(shows) < 50


def found(*scores):
    n = len(scores)
    return Detections(np.zeros((n, 2)), np.zeros(n, np.int64), np.array(scores, float), np.zeros((n, 5)))


def test_thresholds_follow_the_number_where_only_that_is_known_and_the_presence_where_only_that_is():
    images, points = ImageFigures(PLAN.signs), PointFigures(PLAN.signs, 10.0)
    # Numbers 2 and 1: with a threshold between 0.4 and 0.5 both are met.
    for capture, (scores, number) in enumerate([((0.9, 0.5, 0.3), 2.0), ((0.8, 0.4), 1.0)]):
        images.update(
            found(*scores), np.array([COUNT, UNKNOWN]), np.array([number, np.nan]), capture=capture, patient=capture
        )
    result = validated(points, images)["black_dot"]
    assert result.chosen_by == "count"
    assert result.threshold == pytest.approx(0.45)
    assert (result.figures.count_mae.value, result.figures.bias.value, result.figures.f1.value) == (0, 0, None)
    images.reset()
    # The captures with the sign have a mark of 0.6 or more, those without it none above 0.3.
    for capture, (scores, present) in enumerate([((0.6, 0.1), 1.0), ((0.9,), 1.0), ((0.3, 0.2), 0.0), ((), 0.0)]):
        images.update(
            found(*scores), np.array([PRESENCE, UNKNOWN]), np.array([present, np.nan]), capture=capture, patient=capture
        )
    result = validated(points, images)["black_dot"]
    assert result.chosen_by == "presence"
    assert result.threshold == pytest.approx(0.45)
    assert (result.presence.auroc.value, result.presence.average_precision.value) == (1, 1)
    assert result.measured.keys() == {"auroc", "average_precision", "threshold"}
    assert best_balance([one for one in images.scored() if one.value]) == 0.5
    assert least_error(images.scored()) > 0


def test_presence_figures_are_those_of_the_ranks_and_their_interval_is_over_patients():
    # Ranks by hand: of 2 × 2 pairs three are in order: AUROC 0.75. Precision at the hits: 1/1 and 2/3: AP 5/6.
    figures = presence_figures(["a", "b", "c", "d"], [True, False, True, False], [0.9, 0.8, 0.7, 0.1])
    assert figures.auroc.value == pytest.approx(0.75)
    assert figures.average_precision.value == pytest.approx(5 / 6)
    assert figures.auroc.low <= 0.75 <= figures.auroc.high
    one = presence_figures(["a"] * 4, [True, False, True, False], [0.9, 0.8, 0.7, 0.1])
    assert (one.auroc.value, one.auroc.low) == (pytest.approx(0.75), None)
    assert presence_figures(["a", "b"], [True, True], [0.9, 0.8]).auroc.value is None


def fit(labels, root, *extra):
    signs = '["black_dot","broken_hair","terminal_hair"]'
    return main(
        [
            "fit", f"--trainer.default_root_dir={root}", "--trainer.max_epochs=2", "--trainer.num_sanity_val_steps=0",
            "--trainer.enable_progress_bar=false", "--trainer.enable_model_summary=false", "--trainer.accelerator=cpu",
            "--trainer.log_every_n_steps=1", "--model.backbone=mobilenetv4_conv_small", "--model.width=16",
            "--model.start=scratch", f"--model.plan.signs={signs}", "--run.pictures=0", "--data=SignData",
            f"--data.labels={labels}", "--data.crop_px=96", "--data.batch_size=8", "--data.workers=0", *extra,
        ]
    )  # fmt: skip


@pytest.mark.parametrize(("level", "monitor", "mode"), [("count", "count_mae", "min"), ("presence", "auroc", "max")])
def test_a_training_on_numbers_or_presences_alone_ends_in_a_model_that_says_so(folders, tmp_path, level, monitor, mode):
    trainer = fit(folders[level], tmp_path, f"--best.monitor=val/{monitor}", f"--best.mode={mode}").trainer
    assert f"train/{level}" in trainer.callback_metrics
    assert "val/f1" not in trainer.callback_metrics
    task, kept = load_task(tmp_path / "version_0" / "checkpoints" / "best.ckpt")
    spec = spec_of(task, kept, name="m", licence="", notes="")
    assert "so its marks are unchecked" in spec.validated_on
    assert "2 captures of 2 patients" in spec.validated_on
    assert all(channel.recall is None and channel.false_positives_per_cm2 is None for channel in spec.signs)
    assert ModelSpec.from_json(spec.to_json()).signs == spec.signs
    chosen = {sign["chosen_by"] for sign in spec.training["validated"].values()}
    assert chosen == {level}
    assert spec.presence_learnt == (set(spec.training["validated"]) if level == "presence" else set())


def test_a_reading_tells_presence_by_what_validation_ranked_captures_by(tmp_path):
    drawn = {"black_dot": [(30.0, 40.0), (90.0, 40.0)], "broken_hair": [(60.0, 90.0)]}
    capture = np.maximum(scalp(128, 128, drawn), 140)
    capture = np.minimum(capture, scalp(128, 128, {"broken_hair": [(110.0, 100.0)]})).astype(np.uint8)
    names = ("black_dot", "broken_hair")
    low = tiny_spec(signs=tuple(SignSpec(SIGN[name], LOWEST_SCORE) for name in names))
    found = Counter(build_tiny_model(tmp_path / "low.onnx", low), threads=1).detect(capture)
    figures = ImageFigures(names)
    figures.update(found, np.array([PRESENCE, PRESENCE]), np.array([1.0, 1.0]), capture=0, patient=0)
    taught = tiny_spec(training={"validated": {name: {"presence": {"captures": 1}} for name in names}})
    reading = Counter(build_tiny_model(tmp_path / "taught.onnx", taught), threads=1).read(capture, um_per_px=6.0)
    assert reading.signs["black_dot"].count == 0
    for one in figures.scored():
        assert reading.signs[one.sign].presence == pytest.approx(one.chance, abs=1e-6)
        assert one.chance > 0.3


def test_a_checkpoint_is_not_chosen_by_what_validation_labels_cannot_tell(folders, tmp_path):
    with pytest.raises(InputError, match=r"val/f1 cannot be measured.*best.monitor val/auroc with best.mode max"):
        fit(folders["presence"], tmp_path)
    with pytest.raises(InputError, match=r"val/auroc cannot be measured.*best.monitor val/f1"):
        fit(folders["exhaustive"], tmp_path, "--best.monitor=val/auroc")


def test_located_and_counted_captures_are_calibrated_together_and_the_export_scores_as_training_does(folders, tmp_path):
    labels = read_labels(folders["exhaustive"])
    second = [row.file for row in labels.captures if row.split == "train"][1]
    numbers = Tally(item.sign for item in labels.objects if item.file == second)
    rows = [
        row if row.file != second else LabelRow(second, row.sign, "count", float(numbers[row.sign]))
        for row in labels.labels
    ]
    mixed = tmp_path / "mixed"
    mixed.mkdir()
    (mixed / "images").symlink_to(folders["exhaustive"] / "images")
    objects = tuple(item for item in labels.objects if item.file != second)
    write_labels(replace(labels, folder=mixed, labels=tuple(rows), objects=objects), mixed)
    trainer = fit(mixed, tmp_path / "runs").trainer
    assert {"train/count", "train/focal"} <= set(trainer.callback_metrics)
    task = trainer.lightning_module.eval()
    assert task.calibration.changes
    image = torch.full((1, 64, 64, 3), 128, dtype=torch.uint8)
    with torch.no_grad():
        (peaks,) = Exported(task, ["peaks"]).eval()(image)
        logits = task(image)["logits"]
    expected = (logits * task.calibration.slope[:, None, None] + task.calibration.offset[:, None, None]).sigmoid()
    assert peaks.any()
    assert torch.allclose(peaks[peaks > 0], expected[peaks > 0])

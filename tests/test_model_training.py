"""Training from the command line on tiny data: recipes run, a killed run goes on, samples differ as they should."""

import hashlib
import json
import pickle
from importlib import metadata
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import yaml
from lightning import Callback

from labelled_folder import write_folder
from trichotrack.labels.read import read_labels
from trichotrack.labels.tables import LabelRow
from trichotrack.model import arithmetic
from trichotrack.model.augment import Augmenter
from trichotrack.model.batches import TrainingSet, training_loader
from trichotrack.model.cli import main
from trichotrack.model.data import SyntheticData
from trichotrack.model.datasets import cached, labelled_captures
from trichotrack.model.plan import Plan
from trichotrack.model.run_folder import _manifest
from trichotrack.model.sample import EXHAUSTIVE, PARTIAL, UNKNOWN
from trichotrack.model.seen import of_synthesis_alone, seen_before
from trichotrack.model.task import SignTask, load_task
from trichotrack.model.weights import BUNDLED, save_weights
from trichotrack.problems import InputError
from trichotrack.runtime.spec import SEEN_DIGITS

CONFIGS = Path(__file__).parents[1] / "configs"
RECIPES = sorted(path for path in CONFIGS.glob("*.yaml") if "model" in (yaml.safe_load(path.read_text("utf-8")) or {}))
SMALL = ["--model.backbone=mobilenetv4_conv_small", "--model.width=16", "--model.start=scratch"]
QUIET = ["--trainer.enable_progress_bar=false", "--trainer.enable_model_summary=false", "--trainer.accelerator=cpu"]


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    return write_folder(tmp_path_factory.mktemp("labelled") / "tiny")


def fit(config, root, *extra):
    return main(["fit", f"--config={config}", f"--trainer.default_root_dir={root}", *SMALL, *QUIET, *extra]).trainer


def tiny_config(path, folder, epochs):
    path.write_text(
        yaml.safe_dump(
            {
                "seed_everything": 0,
                "trainer": {"max_epochs": epochs, "num_sanity_val_steps": 0, "log_every_n_steps": 1},
                "data": {
                    "class_path": "SignData",
                    "init_args": {"labels": str(folder), "crop_px": 96, "batch_size": 1, "workers": 0},
                },
            }
        ),
        encoding="utf-8",
    )
    return path


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda path: path.stem)
def test_every_recipe_takes_one_step_and_validates(recipe, tmp_path, folder):
    config = yaml.safe_load(recipe.read_text("utf-8"))
    extra = ["--trainer.limit_train_batches=1", "--trainer.limit_val_batches=2", "--trainer.max_epochs=1"]
    extra += ["--trainer.check_val_every_n_epoch=1", "--data.init_args.workers=0", "--data.init_args.batch_size=2"]
    extra += ["--data.init_args.crop_px=96", "--trainer.precision=32-true"]
    monitor = config.get("best", {}).get("monitor", "val/f1")
    level = {"val/auroc": "presence", "val/count_mae": "count"}.get(monitor, "exhaustive")
    if config["data"]["class_path"] == "SignData":
        real = "hair" in config["model"].get("plan", {}).get("signs", ())
        labels = write_folder(tmp_path / "own", as_real=real, level=level) if real or level != "exhaustive" else folder
        extra += [f"--data.init_args.labels={labels}", f"--data.init_args.cache={tmp_path / 'cache'}"]
    else:
        extra += ["--data.init_args.val_captures=1", "--data.init_args.train_captures=2"]
    trainer = fit(recipe, tmp_path, *extra)
    assert trainer.global_step == 1
    assert monitor in trainer.callback_metrics


def test_a_run_leaves_manifest_curves_pictures_logs_and_checkpoints(tmp_path, folder):
    fit(tiny_config(tmp_path / "c.yaml", folder, 2), tmp_path / "runs", "--run.pictures=1")
    run = tmp_path / "runs" / "version_0"
    names = {path.relative_to(run).as_posix() for path in run.rglob("*") if path.is_file()}
    assert {"manifest.json", "curves.png", "metrics.csv", "figures.json", "config.yaml"} <= names
    assert {"checkpoints/best.ckpt", "checkpoints/last.ckpt", "pictures/capture_0000.jpg"} <= names
    assert any(name.startswith("events.out.tfevents") for name in names)
    manifest = json.loads((run / "manifest.json").read_text("utf-8"))
    assert manifest["train_captures"] == 2
    assert manifest["validation_captures"] == 2
    assert len(manifest["data_sha256"]) == 64
    assert manifest["versions"]["torch"] == metadata.version("torch")
    digests = [hashlib.sha256((folder / f"images/p{i}.png").read_bytes()).hexdigest()[:SEEN_DIGITS] for i in range(4)]
    assert manifest["captures"] == {"train": sorted(digests[:2]), "val": sorted(digests[2:]), "complete": True}
    best = run / "checkpoints" / "best.ckpt"
    assert seen_before(str(best)) == manifest["captures"]
    _, kept = load_task(best)
    assert kept["validated_epoch"] == kept["epoch"]
    assert set(kept["validated"]) == set(Plan().signs)


def test_a_killed_training_that_goes_on_equals_one_never_killed(tmp_path, folder):
    whole = fit(tiny_config(tmp_path / "whole.yaml", folder, 3), tmp_path / "whole")
    config = tiny_config(tmp_path / "killed.yaml", folder, 3)
    first = fit(config, tmp_path / "killed", "--trainer.callbacks+=test_model_training.StopAfterFirstEpoch")
    assert first.current_epoch == 1
    last = tmp_path / "killed" / "version_0" / "checkpoints" / "last.ckpt"
    resumed = fit(config, tmp_path / "killed", f"--ckpt_path={last}")
    assert resumed.current_epoch == 3
    for (name, a), b in zip(
        whole.lightning_module.state_dict().items(), resumed.lightning_module.state_dict().values(), strict=True
    ):
        assert torch.allclose(a, b, atol=1e-6), name
    manifests = [
        json.loads((tmp_path / "killed" / f"version_{i}" / "manifest.json").read_text("utf-8")) for i in range(2)
    ]
    assert manifests[1]["resumed_from"]
    assert manifests[1]["captures"] == manifests[0]["captures"]


def test_what_drawn_captures_teach_is_of_synthesis_alone_as_long_as_what_it_goes_on_from_is(tmp_path):
    small = {"backbone": "mobilenetv4_conv_small", "width": 16}

    def manifest_of(start, resumed=None):
        task = SignTask(Plan(), start=str(start), **small)
        task.manifest = resumed or {}
        told = {"datamodule": SyntheticData(Plan()), "ckpt_path": "last.ckpt" * bool(resumed), "precision": "32-true"}
        return _manifest(SimpleNamespace(**told), task)

    first = manifest_of("scratch")
    person = {**first, "captures": {"train": ["a"], "val": [], "complete": True}}
    for manifest, expected in ((first, True), (person, False), ({**first, "captures": None}, False)):
        network = SignTask(Plan(), start="scratch", **small).network
        start = tmp_path / "start.safetensors"
        save_weights(network, Plan().signs, start, manifest["captures"])
        assert of_synthesis_alone(manifest_of(start)) is expected
        again = manifest_of("scratch", manifest)
        assert of_synthesis_alone(again) is of_synthesis_alone(manifest_of("scratch", again)) is expected


@pytest.mark.parametrize(
    ("asked", "accelerator", "capabilities", "expected"),
    [
        ("bf16-mixed", "cpu", {"avx2": True, "avx512_bf16": False}, "32-true"),
        ("bf16-mixed", "cpu", {}, "32-true"),  # torch does not tell
        ("bf16-mixed", "cpu", {"avx512_bf16": True}, "bf16-mixed"),
        ("bf16-mixed", "cpu", {"bf16": True}, "bf16-mixed"),  # ARM
        ("bf16-mixed", "gpu", {}, "bf16-mixed"),
        ("16-mixed", "cpu", {}, "16-mixed"),
        (None, "cpu", {}, None),
    ],
)
def test_bf16_is_calculated_where_the_machine_has_it(monkeypatch, asked, accelerator, capabilities, expected):
    monkeypatch.setattr(arithmetic, "capabilities", lambda: capabilities)
    assert arithmetic.precision_here(asked, accelerator) == expected


def test_a_training_on_a_cpu_without_bf16_goes_in_float32_and_keeps_that_in_its_manifest(
    tmp_path, folder, monkeypatch, caplog
):
    monkeypatch.setattr(arithmetic, "capabilities", dict)
    config = tiny_config(tmp_path / "config.yaml", folder, 1)
    with caplog.at_level("INFO", logger="lightning.pytorch"):
        trainer = fit(config, tmp_path / "run", "--trainer.precision=bf16-mixed")
    assert trainer.precision == "32-true"
    assert "no instructions for bf16-mixed" in caplog.text
    manifest = json.loads((tmp_path / "run" / "version_0" / "manifest.json").read_text("utf-8"))
    assert manifest["precision"] == "32-true"


def training_set(folder, tmp_path, plan=None):
    plan = plan or Plan()
    captures = labelled_captures(read_labels(folder), plan, "train")
    return TrainingSet(cached(captures, tmp_path / "cache", 6.0), plan, Augmenter(64, 0.1), seed=0)


def test_two_workers_and_two_epochs_draw_differently_and_one_worker_draws_what_two_do(folder, tmp_path):
    def epochs(workers):
        data = training_set(folder, tmp_path)
        loader = training_loader(data, 1, workers)
        drawn = []
        for epoch in range(2):
            loader.sampler.set_epoch(epoch)
            drawn.append([batch["image"].numpy() for batch in loader])
        return drawn

    two, none = epochs(2), epochs(0)
    for a, b in zip(two, none, strict=True):
        assert all(np.array_equal(x, y) for x, y in zip(a, b, strict=True))
    assert not np.array_equal(two[0][0], two[0][1])
    assert not any(np.array_equal(x, y) for x in two[0] for y in two[1])


def test_a_training_set_survives_the_trip_to_a_spawned_process(folder, tmp_path):
    data = training_set(folder, tmp_path)
    # torch's own reducers carry the shared epoch; plain pickle must carry all the rest.
    data._epoch = torch.zeros(1, dtype=torch.int64)
    again = pickle.loads(pickle.dumps(data))  # noqa: S301
    assert torch.equal(again[0]["image"], data[0]["image"])


def test_levels_come_from_the_labels_and_an_unlabelled_sign_is_unknown(folder):
    labels = read_labels(folder)
    first = labels.captures[0].file
    changed = [row for row in labels.labels if not (row.file == first and row.sign in ("black_dot", "broken_hair"))]
    changed.append(LabelRow(first, "broken_hair", "partial"))
    plan = Plan(signs=("black_dot", "broken_hair", "terminal_hair"))
    captures = labelled_captures(
        type(labels)(labels.folder, labels.captures, tuple(changed), labels.objects, labels.signs), plan, "train"
    )
    assert captures[0].levels.tolist() == [UNKNOWN, PARTIAL, EXHAUSTIVE]


def test_labels_that_cannot_be_trained_on_are_refused_with_every_reason(folder):
    labels = read_labels(folder)
    rows = tuple(
        type(row)(row.file, row.patient, um_per_px=None if i == 0 else 6.0, split=row.split)
        for i, row in enumerate(labels.captures)
    )
    broken = type(labels)(labels.folder, rows, labels.labels, labels.objects, labels.signs)
    with pytest.raises(InputError) as caught:
        labelled_captures(broken, Plan(signs=("black_dot", "hair")), "train")
    told = str(caught.value)
    assert "um_per_px" in told
    assert "hair" in told
    with pytest.raises(InputError, match="no capture is in split 'test'"):
        labelled_captures(labels, Plan(), "test")


def test_a_checkpoint_that_would_run_code_is_refused(tmp_path):
    class Evil:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "ran",))

    torch.save({"state_dict": {}, "hyper_parameters": Evil()}, tmp_path / "evil.ckpt")
    with pytest.raises(InputError, match="not a checkpoint"):
        load_task(tmp_path / "evil.ckpt")
    assert not (tmp_path / "ran").exists()
    (tmp_path / "text.ckpt").write_text("hello")
    with pytest.raises(InputError, match=r"not a checkpoint.*Give a .ckpt that one wrote"):
        load_task(tmp_path / "text.ckpt")


def test_the_bundled_weights_fit_the_recipes_that_begin_with_them():
    assert BUNDLED.is_file()
    for recipe in RECIPES:
        model = yaml.safe_load(recipe.read_text("utf-8"))["model"]
        if model["start"] == "bundled" and "backbone" in model:  # one that is laid over another has that one's
            assert (model["backbone"], model["width"]) == ("tf_efficientnet_lite0", 96)


class StopAfterFirstEpoch(Callback):
    """Stands for a kill at the end of an epoch."""

    def on_train_epoch_end(self, trainer, *_):
        trainer.should_stop = True

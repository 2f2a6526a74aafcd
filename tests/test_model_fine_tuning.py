"""Fine-tuning on few labels: averaged weights, layer-wise rates, when to stop, and what is told beforehand."""

import dataclasses
import json
from pathlib import Path

import lightning
import pytest
import torch
import yaml
from lightning.pytorch.callbacks import EarlyStopping

from labelled_folder import write_folder
from trichotrack.labels.read import read_labels
from trichotrack.labels.write import write_labels
from trichotrack.model import cards
from trichotrack.model.cli import main
from trichotrack.model.data import SignData
from trichotrack.model.datasets import labelled_captures
from trichotrack.model.monitored import check_monitored
from trichotrack.model.pace import Pace
from trichotrack.model.plan import Plan
from trichotrack.model.task import SignTask, load_task
from trichotrack.problems import InputError

CONFIGS = Path(__file__).parents[1] / "configs"
FEW = CONFIGS / "few.yaml"
TINY = ["--model.backbone=mobilenetv4_conv_small", "--model.width=16", "--model.start=scratch", "--model.frozen=1"]
QUIET = ["--trainer.enable_progress_bar=false", "--trainer.enable_model_summary=false", "--trainer.accelerator=cpu"]
CROPS = ["--data.init_args.crop_px=96", "--data.init_args.batch_size=1", "--data.init_args.workers=0"]


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    return write_folder(tmp_path_factory.mktemp("labelled") / "tiny")


def fit(folder, root, *extra, config=FEW):
    data = [f"--data.init_args.labels={folder}", "--trainer.precision=32-true", "--run.pictures=1"]
    arguments = ["fit", f"--config={config}", f"--trainer.default_root_dir={root}"]
    return main([*arguments, *TINY, *QUIET, *CROPS, *data, *extra])


@pytest.fixture(scope="module")
def run(folder, tmp_path_factory):
    """Two captures, six steps, validated after every second: three epochs, at whose ends a training can go on."""
    root = tmp_path_factory.mktemp("runs")
    cli = fit(folder, root, "--pace.steps=6", "--pace.check_every=2")
    return cli, root / "version_0"


def without(folder, out, sign):
    """The folder without any object of sign."""
    labels = read_labels(folder)
    out.mkdir()
    (out / "images").symlink_to(folder / "images")
    kept = tuple(item for item in labels.objects if item.sign != sign)
    write_labels(dataclasses.replace(labels, folder=out, objects=kept), out)
    return out


def test_a_checkpoint_holds_the_average_of_the_weights_and_figures_are_measured_with_it(run):
    cli, version = run
    task, kept = load_task(version / "checkpoints" / "best.ckpt")
    average, current = kept["state_dict"], kept["current_model_state"]
    assert any(not torch.equal(average[name], current[name]) for name in average)
    assert all(torch.equal(value, average[name]) for name, value in task.state_dict().items())
    data = SignData(cli.datamodule.labels, task.plan, workers=0)
    trainer = lightning.Trainer(accelerator="cpu", logger=False, enable_progress_bar=False, enable_model_summary=False)
    again = trainer.validate(task, data, verbose=False)[0]
    best = cli.trainer.checkpoint_callbacks[0].best_model_score
    assert again["val/f1"] == pytest.approx(float(best), abs=1e-6)


def test_after_a_training_the_task_itself_has_the_average(run):
    cli, version = run
    last, _ = load_task(version / "checkpoints" / "last.ckpt")
    for name, value in cli.model.state_dict().items():
        assert torch.equal(value, last.state_dict()[name]), name


def test_a_training_with_averaging_and_early_stopping_that_was_killed_goes_on_as_if_it_had_not_been(
    run, folder, tmp_path
):
    whole, _ = run
    killed = fit(
        folder, tmp_path, "--pace.steps=6", "--pace.check_every=2", "--trainer.callbacks+=test_model_fine_tuning.Killed"
    )
    assert killed.trainer.global_step == 2
    last = tmp_path / "version_0" / "checkpoints" / "last.ckpt"
    resumed = fit(folder, tmp_path, "--pace.steps=6", "--pace.check_every=2", f"--ckpt_path={last}")
    assert resumed.trainer.global_step == whole.trainer.global_step == 6
    for name, value in whole.model.state_dict().items():
        assert torch.allclose(value, resumed.model.state_dict()[name], atol=1e-6), name
    waited = [
        next(c for c in cli.trainer.callbacks if isinstance(c, EarlyStopping)).state_dict() for cli in (whole, resumed)
    ]
    assert waited[0]["wait_count"] == waited[1]["wait_count"]
    assert waited[0]["best_score"] == pytest.approx(float(waited[1]["best_score"]))


class Killed(lightning.Callback):
    """Stands for a kill at the end of the first round."""

    def on_train_epoch_end(self, trainer, *_):
        trainer.should_stop = True


@pytest.mark.parametrize(
    ("captures", "batch", "steps", "check_every", "epochs", "round_"),
    [
        (5, 8, 400, 40, 400, 40),  # five captures make a batch of five
        (36, 8, 400, 40, 100, 10),  # four steps an epoch
        (50, 8, 400, 40, 70, 7),  # six: rounded up to whole rounds
        (2000, 8, 400, 40, 2, 1),  # an epoch is longer than a round
        (5, 8, 3, 40, 3, 3),  # a round is no longer than all of it
    ],
)
def test_steps_and_not_captures_decide_how_long_a_training_takes(captures, batch, steps, check_every, epochs, round_):
    class Loaded:
        def train_dataloader(self):
            return range(max(captures // batch, 1))

    trainer = lightning.Trainer(max_epochs=-1, accelerator="cpu", logger=False, enable_checkpointing=False)
    trainer.datamodule = Loaded()
    pace = Pace(steps, check_every)
    pace.setup(trainer, None, "fit")
    assert (trainer.max_epochs, trainer.check_val_every_n_epoch) == (epochs, round_)
    assert epochs * len(Loaded().train_dataloader()) >= steps
    assert epochs % round_ == 0


def test_epochs_that_are_given_hold_against_the_pace():
    trainer = lightning.Trainer(max_epochs=3, accelerator="cpu", logger=False, enable_checkpointing=False)
    Pace(400, 40).setup(trainer, None, "fit")
    assert (trainer.max_epochs, trainer.check_val_every_n_epoch) == (3, 1)


def test_training_stops_where_validation_no_longer_gets_better(folder, tmp_path):
    stop = ["--pace.steps=40", "--pace.check_every=2", "--model.learning_rate=1e-9", "--model.warmup=0"]
    cli = fit(folder, tmp_path, *stop)
    # Nothing changes, so the first validation stays the best, and four more are waited for.
    assert cli.trainer.global_step == 10


def test_earlier_stages_learn_more_slowly_and_frozen_ones_not_at_all():
    task = SignTask(start="scratch", frozen=2, learning_rate=1e-3, backbone_rate=0.5, layer_rate=0.5)
    groups = task._groups()
    rate_of = {id(p): group["lr"] for group in groups for p in group["params"]}
    blocks = task.network.backbone.blocks
    of_block = [{rate_of.get(id(p)) for p in block.parameters()} for block in blocks]
    assert of_block[:2] == [{None}, {None}]
    rates = [rate for (rate,) in of_block[2:]]
    assert rates == pytest.approx([1e-3 * 0.5 * 0.5**above for above in range(len(rates) - 1, -1, -1)])
    assert {rate_of[id(p)] for p in task.network.logits.parameters()} == {1e-3}
    learnt = {id(p) for p in task.parameters() if p.requires_grad}
    assert set(rate_of) == learnt
    assert sum(len(group["params"]) for group in groups) == len(learnt)


def test_a_monitored_sign_that_no_validation_capture_shows_is_told_before_the_first_step(folder, tmp_path):
    bare = without(folder, tmp_path / "bare", "black_dot")
    with pytest.raises(InputError) as caught:
        fit(bare, tmp_path / "runs", "--best.monitor=val/f1/black_dot", "--pace.steps=2")
    assert "no black_dot is labelled in the 2 validation captures" in str(caught.value)
    assert "val/f1/short_vellus_hair" in str(caught.value)
    assert not list((tmp_path / "runs").rglob("*.ckpt"))


def test_a_monitored_sign_that_the_plan_does_not_seek_is_told(folder, tmp_path):
    with pytest.raises(InputError, match="the plan seeks black_dot"):
        fit(folder, tmp_path, "--best.monitor=val/f1/blackdot", "--pace.steps=2")


def test_validation_captures_without_any_structure_are_told_since_every_checkpoint_would_be_as_good(folder):
    bare = read_labels(folder)
    bare = dataclasses.replace(bare, objects=tuple(item for item in bare.objects if item.sign == "pigtail_hair"))
    captures = labelled_captures(bare, Plan(), "val")
    with pytest.raises(InputError, match="no structure of any sign of the plan is labelled in the 2 validation captur"):
        check_monitored(["val/f1", "val/loss"], Plan().signs, captures)
    check_monitored(["val/loss"], Plan().signs, captures)


def test_five_captures_with_one_person_to_validate_train_and_it_is_said_how_little_that_shows(tmp_path, monkeypatch):
    folder = write_folder(tmp_path / "five", people=5)
    labels = read_labels(folder)
    split = ("train", "train", "val", "train", "train")
    rows = tuple(dataclasses.replace(row, split=part) for row, part in zip(labels.captures, split, strict=True))
    write_labels(dataclasses.replace(labels, captures=rows), folder)
    said: list[str] = []
    monkeypatch.setattr("trichotrack.model.run_folder.rank_zero_info", said.append)
    cli = fit(folder, tmp_path / "runs", "--pace.steps=2", "--pace.check_every=2", "--data.init_args.batch_size=8")
    assert cli.trainer.global_step == 2
    assert any(line.startswith("Validation: 1 capture of 1 person; so few say little of others") for line in said)
    assert any("2 steps; best val/f1" in line for line in said)


NEW_SIGN = """signs:
  comedo:
    label: comedo
    plural: comedones
    definition: A dark plug of 0.2 to 0.5 mm, marked at its centre.
    role: context
    group: structure
    colour: [120, 60, 0]
"""


def test_a_sign_named_in_signs_yaml_alone_is_trained_measured_and_kept(folder, tmp_path):
    named = tmp_path / "named"
    named.mkdir()
    (named / "images").symlink_to(folder / "images")
    (named / "signs.yaml").write_text(NEW_SIGN, encoding="utf-8")
    for table in ("captures.csv", "labels.csv", "objects.csv"):
        text = (folder / table).read_text("utf-8").replace("short_vellus_hair", "comedo")
        (named / table).write_text(text, encoding="utf-8")
    plan = ["--model.plan.signs=[black_dot, comedo]", "--pace.steps=2", "--best.monitor=val/f1/comedo"]
    cli = fit(named, tmp_path / "runs", *plan)
    assert "val/f1/comedo" in cli.trainer.callback_metrics
    _, kept = load_task(tmp_path / "runs" / "version_0" / "checkpoints" / "best.ckpt")
    assert [(sign["name"], sign["plural"]) for sign in kept["signs"]][1] == ("comedo", "comedones")
    manifest = json.loads((tmp_path / "runs" / "version_0" / "manifest.json").read_text("utf-8"))
    assert manifest["plan"]["signs"] == ["black_dot", "comedo"]


def test_from_the_bundled_weights_a_new_sign_begins_as_the_sign_it_is_likened_to_and_known_ones_as_they_were():
    plan = Plan(signs=("comedo", "black_dot"))
    task = SignTask(plan, start="bundled", start_as={"comedo": "yellow_dot"})
    known = SignTask(Plan(signs=("yellow_dot", "black_dot")), start="bundled")
    assert torch.equal(task.network.logits.weight, known.network.logits.weight)
    assert "new channels" not in task.start
    assert "new channels for comedo" in SignTask(plan, start="bundled").start


@pytest.mark.parametrize("recipe", ["few.yaml", "more.yaml"])
def test_the_recipes_for_own_labels_leave_open_what_the_labels_decide(recipe):
    config = yaml.safe_load((CONFIGS / recipe).read_text("utf-8"))
    assert "plan" not in config["model"]
    assert config["model"]["start"] == "bundled"
    assert set(config["data"]["init_args"]) == {"labels", "workers"}


@pytest.fixture
def card(tmp_path):
    file = tmp_path / "version"
    file.write_text("NVRM version: NVIDIA UNIX", encoding="utf-8")
    return file


def no_nvidia_smi(monkeypatch):
    monkeypatch.setattr(cards.shutil, "which", lambda _: None)
    monkeypatch.setattr(cards.torch.cuda, "is_available", lambda: False)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)


def test_a_card_with_a_torch_for_the_cpu_alone_is_noticed_and_the_remedy_told(monkeypatch, card):
    no_nvidia_smi(monkeypatch)
    monkeypatch.setattr(cards.torch.version, "cuda", None)
    monkeypatch.setattr(cards.torch.version, "hip", None, raising=False)
    told = cards.card_remedy([card])
    assert "built for the CPU alone" in told
    assert "uv pip install --torch-backend=auto" in told
    monkeypatch.setattr(cards.shutil, "which", lambda _: "/usr/bin/nvidia-smi")
    assert cards.card_remedy([]) == told


def test_a_card_that_a_cuda_build_cannot_reach_or_that_was_hidden_is_told_as_that(monkeypatch, card):
    no_nvidia_smi(monkeypatch)
    monkeypatch.setattr(cards.torch.version, "cuda", "12.8")
    assert "driver is too old" in cards.card_remedy([card])
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert "CUDA_VISIBLE_DEVICES hides" in cards.card_remedy([card])


def test_nothing_is_said_without_a_card_or_where_torch_uses_it(monkeypatch, card, tmp_path):
    no_nvidia_smi(monkeypatch)
    assert cards.card_remedy([tmp_path / "absent"]) is None
    monkeypatch.setattr(cards.torch.cuda, "is_available", lambda: True)
    assert cards.card_remedy([card]) is None

"""Over several processes, as on several GPUs or machines, validation gives the figures that one process gives."""

import dataclasses

import lightning
import pytest
import torch
import yaml
from lightning.pytorch.trainer.states import RunningStage

from labelled_folder import write_folder
from trichotrack.detect.detections import Detections
from trichotrack.labels.read import read_labels
from trichotrack.labels.write import write_labels
from trichotrack.model.cli import main
from trichotrack.model.metrics import COLUMNS, PointFigures, gathered
from trichotrack.model.sample import Structures
from trichotrack.model.task import SignTask


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Five captures of five people, three of them for validation: two processes cannot share them equally."""
    out = write_folder(tmp_path_factory.mktemp("labelled") / "five", people=5)
    labels = read_labels(out)
    rows = tuple(dataclasses.replace(row, split="val" if i < 3 else "train") for i, row in enumerate(labels.captures))
    write_labels(dataclasses.replace(labels, captures=rows), out)
    return out


def tiny(command, folder, *extra):
    return main(
        [
            command, "--trainer.enable_progress_bar=false", "--trainer.accelerator=cpu", "--data=SignData",
            "--trainer.enable_model_summary=false", "--model.backbone=mobilenetv4_conv_small", "--model.width=16",
            "--model.start=scratch", "--model.plan.signs=[terminal_hair]", f"--data.labels={folder}",
            "--data.workers=0", *extra,
        ]
    )  # fmt: skip


def test_a_validation_without_a_logger_leaves_nothing_where_it_was_started(folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    tiny("validate", folder, "--trainer.logger=false", f"--data.cache={tmp_path / 'cache'}")
    assert {path.name for path in tmp_path.iterdir()} <= {"cache"}


def test_a_training_writes_into_its_run_and_what_one_process_draws_asks_nothing_of_others(
    folder, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    asked = []
    real = lightning.Trainer.log_dir.fget

    def log_dir(trainer):
        asked.append(trainer.state.stage)
        return real(trainer)  # a broadcast, in which all processes must take part

    monkeypatch.setattr(lightning.Trainer, "log_dir", property(log_dir))
    few = ["--trainer.max_epochs=1", "--trainer.num_sanity_val_steps=0", "--run.pictures=1", "--data.crop_px=96"]
    tiny("fit", folder, *few, f"--data.cache={tmp_path / 'cache'}", "--trainer.log_every_n_steps=1")
    assert {path.name for path in tmp_path.iterdir()} <= {"cache", "runs"}
    written = {path.name for path in (tmp_path / "runs" / "version_0").iterdir()}
    assert {"config.yaml", "manifest.json", "figures.json", "curves.png", "pictures"} <= written
    assert asked
    assert RunningStage.VALIDATING not in asked


@pytest.mark.slow
def test_two_processes_validate_a_checkpoint_as_one_does(folder, tmp_path, monkeypatch):
    monkeypatch.setenv("GLOO_SOCKET_IFNAME", "lo")
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    checkpoint = tmp_path / "bundled.ckpt"
    trainer = lightning.Trainer(accelerator="cpu", logger=False, enable_model_summary=False)
    trainer.strategy.connect(SignTask(start="bundled"))
    trainer.save_checkpoint(checkpoint)
    config = tmp_path / "c.yaml"
    settings = {"labels": str(folder), "workers": 0, "cache": str(tmp_path / "cache")}
    config.write_text(yaml.safe_dump({"data": {"class_path": "SignData", "init_args": settings}}), encoding="utf-8")

    def measured(*extra):
        quiet = ["--trainer.enable_progress_bar=false", "--trainer.accelerator=cpu", "--trainer.logger=false"]
        command = [
            "validate",
            f"--config={config}",
            f"--ckpt_path={checkpoint}",
            "--model.start=scratch",
            *quiet,
            *extra,
        ]
        return {name: float(value) for name, value in main(command).trainer.callback_metrics.items()}

    one = measured()
    two = measured("--trainer.devices=2", "--trainer.strategy=ddp_spawn")
    assert one["val/f1"] > 0.1
    assert two == pytest.approx(one, rel=1e-5)
    assert not list((tmp_path / "here").iterdir())


def gathering(parts):
    """Stands for processes that each saw some captures: what torchmetrics would gather from them."""
    return lambda *_, **__: [torch.cat(part.rows) for part in parts]


def seen(captures):
    figures = PointFigures(("black_dot",), tolerance_px=10.0)
    for capture in captures:
        xy = torch.tensor([[20.0 + capture, 20.0], [90.0, 90.0]]).double().numpy()
        found = Detections(
            xy, torch.zeros(2).long().numpy(), torch.tensor([0.9, 0.4 + capture / 10]).numpy(), xy[:, :0]
        )
        known = _known(xy[:1])
        figures.update(found, known, torch.tensor([True]).numpy(), capture=capture, patient=capture, area_cm2=0.1)
    return figures


def _known(xy):
    empty = torch.full((len(xy), 2), torch.nan).double().numpy()
    return Structures(xy, torch.zeros(len(xy)).long().numpy(), tip=empty, width_um=empty, ignored=xy[:0])


@pytest.mark.parametrize("shares", [([0, 2], [1]), ([0, 1, 2], [])])
def test_rows_of_all_processes_make_the_figures_even_where_one_saw_nothing(shares):
    whole = seen([0, 1, 2]).validated()
    parts = [seen(share) for share in shares]
    for part, share in zip(parts, shares, strict=True):
        with gathered(part, COLUMNS):  # for one process nothing changes
            assert len(part.sweeps()) == len(share)
    first = parts[0]
    first.sync(dist_sync_fn=gathering(parts), distributed_available=lambda: True)
    assert first.validated() == whole

"""The mean of two passes: their weights halfway, and nothing else taken from either unmeasured."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch

sys.path.append(str(Path(__file__).parents[1] / "benchmarks"))
import average_passes

from trichotrack.model.plan import Plan
from trichotrack.model.task import SignTask, load_task

CONFIG = "data: {init_args: {val_captures: 2, crop_px: 128, batch_size: 2, seed: 5}}\n"


def random_pass(path: Path, seed: int) -> Path:
    """Of a tiny network with random weights, and statistics of normalisation that no image has."""
    torch.manual_seed(seed)
    task = SignTask(Plan(), backbone="mobilenetv4_conv_small", width=16, start="scratch")
    for name, buffer in task.network.named_buffers():
        if name.endswith("running_mean"):
            buffer.fill_(1e3)
    task.manifest = {"data": f"pass {seed}"}
    kept = {"state_dict": task.state_dict(), "hyper_parameters": dict(task.hparams), "epoch": seed}
    task.on_save_checkpoint(kept)
    torch.save(kept, path)
    return path


def test_weights_are_halfway_and_statistics_and_thresholds_are_taken_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(average_passes, "STATISTICS", {**average_passes.STATISTICS, "train_captures": 4})
    (tmp_path / "config.yaml").write_text(CONFIG)
    paths = [random_pass(tmp_path / f"{seed}.ckpt", seed) for seed in (1, 2)]
    average_passes.average(*paths, tmp_path / "mean.ckpt", tmp_path / "config.yaml")
    (first, _), (second, _), (mean, kept) = map(load_task, [*paths, tmp_path / "mean.ckpt"])
    others = [dict(task.named_parameters()) for task in (first, second)]
    for name, value in mean.named_parameters():
        torch.testing.assert_close(value, (others[0][name] + others[1][name]) / 2)
    measured = [buffer for name, buffer in mean.network.named_buffers() if name.endswith("running_mean")]
    assert measured
    assert all(buffer.abs().max() < 1e3 for buffer in measured)
    assert set(kept["validated"]) <= set(mean.plan.signs)
    assert kept["validated"]["terminal_hair"]["figures"]["captures"] > 0
    assert (kept["epoch"], kept["validated_epoch"], kept["manifest"]["data"]) == (2, 2, "pass 2")

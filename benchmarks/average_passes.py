"""The mean of the weights of two passes, with thresholds of its own: from one such the bundled model's last pass began.

uv run benchmarks/average_passes.py FIRST.ckpt SECOND.ckpt --out MEAN.ckpt [--config configs/bundled.yaml]

The second pass must have started from the first: weights along one training can be averaged (Izmailov et al. 2018,
*Averaging Weights Leads to Wider Optima*), but not the statistics of normalisation, which are taken anew on drawn
captures. Thresholds are then chosen as the recipe's validation does. What the mean tells of its training is what the
second pass tells.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
import yaml
from lightning import Trainer
from torch.optim.swa_utils import update_bn

from trichotrack.model.data import SyntheticData
from trichotrack.model.network import normalise
from trichotrack.model.task import load_task

STATISTICS = {"train_captures": 160, "richer_share": 0.5, "workers": 0, "seed": 99}
"""Of the data on which the statistics of normalisation are taken: half usual scalps, and a seed of their own."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("first", type=Path)
    parser.add_argument("second", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--config", type=Path, default=Path("configs/bundled.yaml"))
    options = parser.parse_args()
    average(options.first, options.second, options.out, options.config)
    print(options.out)


def average(first_pass: Path, second_pass: Path, out: Path, config: Path) -> None:
    """Writes the mean of two checkpoints, validated on what config draws."""
    (first, _), (task, kept) = load_task(first_pass), load_task(second_pass)
    weights = dict(first.named_parameters())
    with torch.no_grad():
        for name, value in task.named_parameters():
            value.lerp_(weights[name], 0.5)
    drawn = yaml.safe_load(config.read_text(encoding="utf-8"))["data"]["init_args"]
    taught = SyntheticData(task.plan, **{**drawn, **STATISTICS})
    taught.setup("fit")
    update_bn((normalise(batch["image"]) for batch in taught.train_dataloader()), task.network)
    task.eval()
    Trainer(accelerator="cpu", logger=False, enable_checkpointing=False).validate(
        task, SyntheticData(task.plan, **drawn)
    )
    task.manifest = kept["manifest"]
    kept["state_dict"] = task.state_dict()
    task.on_save_checkpoint(kept)
    kept["validated_epoch"] = kept["epoch"]
    torch.save(kept, out)


if __name__ == "__main__":
    main()

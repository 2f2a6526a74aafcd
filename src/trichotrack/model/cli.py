"""The training command: Lightning's own, with the plan shared by model and data."""

from __future__ import annotations

import sys

import torch
from lightning import LightningDataModule
from lightning.pytorch.cli import LightningArgumentParser, LightningCLI

from trichotrack.model.data import SignData, SyntheticData
from trichotrack.model.run_folder import RunFolder
from trichotrack.model.task import SignTask
from trichotrack.problems import InputError

__all__ = ["SignData", "SyntheticData", "main"]


class TrainingCLI(LightningCLI):
    """LightningCLI in which the data take the model's plan, and every run leaves its folder."""

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        parser.link_arguments("model.plan", "data.init_args.plan")
        parser.add_lightning_class_args(RunFolder, "run")


def main(args: list[str] | None = None) -> None:
    """Run a training command (`fit`, `validate`, `test`); args: as on the command line. Bad input exits with status 2."""
    torch.set_float32_matmul_precision("high")
    try:
        TrainingCLI(
            SignTask,
            LightningDataModule,
            subclass_mode_data=True,
            seed_everything_default=0,
            args=args,
            save_config_kwargs={"overwrite": True},
        )
    except InputError as error:
        sys.exit(f"{error}")

"""The training command: Lightning's own, with the plan shared by model and data, and every run in a folder."""

from __future__ import annotations

import sys
import warnings
from pathlib import Path
from typing import Any

import torch
from lightning import LightningDataModule, LightningModule, Trainer
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.cli import ArgsType, LightningArgumentParser, LightningCLI, SaveConfigCallback
from lightning.pytorch.loggers import CSVLogger, TensorBoardLogger
from lightning.pytorch.utilities import rank_zero_info

from trichotrack.evaluate.provenance import recipe_sha256
from trichotrack.model.arithmetic import precision_here

# Named in configs as data.class_path; jsonargparse finds subclasses only of imported modules.
from trichotrack.model.data import SignData, SyntheticData
from trichotrack.model.pace import LastCheckpoint, Pace
from trichotrack.model.run_folder import RunFolder
from trichotrack.model.task import SignTask

__all__ = ["SignData", "SyntheticData", "TrainingCLI", "main"]


class TrainingCLI(LightningCLI):
    """LightningCLI in which the data take the model's plan, and a run leaves logs, checkpoints and its folder.

    Runs lie under trainer.default_root_dir as version_0, version_1 and so on. `best.monitor` names the figure by which
    best.ckpt is kept; last.ckpt is that of the last epoch, from which a killed run goes on. `pace` counts in steps what
    the trainer counts in epochs.
    """

    def add_arguments_to_parser(self, parser: LightningArgumentParser) -> None:
        parser.link_arguments("model.plan", "data.init_args.plan")
        parser.add_lightning_class_args(Pace, "pace")
        parser.add_lightning_class_args(RunFolder, "run")
        parser.add_lightning_class_args(ModelCheckpoint, "best")
        # Lightning's own save_last copies only what is kept as best.
        parser.add_lightning_class_args(LastCheckpoint, "last")
        parser.set_defaults(
            {
                # One process unless asked: figures over several are for those who know their sampler.
                "trainer.devices": 1,
                "best.monitor": "val/f1",
                "best.mode": "max",
                "best.filename": "best",
                "best.enable_version_counter": False,
                "last.filename": "last",
                "last.save_on_train_epoch_end": True,
                "last.enable_version_counter": False,
            }
        )

    def parse_arguments(self, parser: LightningArgumentParser, args: ArgsType) -> None:
        self.given = sys.argv[1:] if args is None else args
        super().parse_arguments(parser, args)

    def before_fit(self) -> None:
        """The model remembers by which recipe it was made: its hash, and what was given beside it."""
        files = [Path(str(file)) for file in self.config_init[self.subcommand].get("config") or []]
        options = (
            [word.split("=")[0] for word in self.given if word.startswith("--")] if isinstance(self.given, list) else []
        )
        self.model.recipe = {
            "files": [file.name for file in files],
            "sha256": recipe_sha256(files),
            # Names alone: a value may be a path, which is nobody's business.
            "options": [option for option in options if option != "--config"],
        }

    def instantiate_trainer(self, **kwargs: Any) -> Trainer:
        config = self.config_init[self.subcommand] if self.subcommand else self.config_init
        kwargs["precision"] = precision_here(config.trainer.precision, config.trainer.accelerator)
        if kwargs["precision"] != config.trainer.precision:
            rank_zero_info(
                f"This CPU has no instructions for {config.trainer.precision}, which would take it several times as "
                f"long: it trains in {kwargs['precision']}."
            )
        # Lightning's own root is the folder one happens to stand in.
        root = kwargs["default_root_dir"] = config.trainer.default_root_dir or "runs"
        if config.trainer.logger is None:
            table = CSVLogger(root, name="")
            kwargs["logger"] = [table, TensorBoardLogger(root, name="", version=table.version)]
        return super().instantiate_trainer(**kwargs)


class RunConfig(SaveConfigCallback):
    """The run's config.yaml, in its folder. What neither trains nor logs has none, and leaves none."""

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        if trainer.loggers or stage == "fit":
            super().setup(trainer, pl_module, stage)


def main(args: list[str] | None = None) -> TrainingCLI:
    """Run a training command (`fit`, `validate`, `test`); args: as on the command line.

    Raises InputError for labels, weights or plans that cannot be used.
    """
    torch.set_float32_matmul_precision("high")
    warnings.filterwarnings("ignore", message="LightningCLI's args parameter")
    warnings.filterwarnings("ignore", message=".*isinstance.treespec, LeafSpec")
    return TrainingCLI(
        SignTask,
        LightningDataModule,
        subclass_mode_data=True,
        seed_everything_default=0,
        args=args,
        save_config_callback=RunConfig,
        save_config_kwargs={"overwrite": True},
    )

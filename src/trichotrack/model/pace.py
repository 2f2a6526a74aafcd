"""How long a training lasts, counted in steps: with few captures an epoch is one step, and says nothing of time."""

from __future__ import annotations

import math

from lightning import Callback, LightningModule, Trainer
from lightning.pytorch.callbacks import ModelCheckpoint

from trichotrack.problems import InputError


class Pace(Callback):
    """Where `trainer.max_epochs` is -1: as many epochs as make so many steps, validated after every so many of them.

    Both are rounded up to whole epochs, and the last epoch ends with a validation; so a recipe takes the same time
    whether it is given 5 captures or 50. Where max_epochs is given, the trainer's own settings hold.
    steps: of the whole training. check_every: steps between validations; last.ckpt is written as often.
    """

    def __init__(self, steps: int | None = None, check_every: int = 50) -> None:
        if check_every < 1 or (steps is not None and steps < 1):
            raise InputError(f"pace.steps {steps} and pace.check_every {check_every}: both are at least 1.")
        self.steps, self.check_every = steps, check_every
        self.epochs = 1
        """Between validations."""

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:  # noqa: ARG002
        if stage != "fit" or trainer.max_epochs != -1 or self.steps is None:
            return
        # The data module is set up before its callbacks are, and the optimizer's schedule after them.
        loader = trainer.datamodule.train_dataloader()
        in_an_epoch = max(len(loader) // trainer.world_size // trainer.accumulate_grad_batches, 1)
        if isinstance(trainer.limit_train_batches, int):
            in_an_epoch = max(min(in_an_epoch, trainer.limit_train_batches), 1)
        self.epochs = math.ceil(min(self.check_every, self.steps) / in_an_epoch)
        trainer.check_val_every_n_epoch = self.epochs
        trainer.fit_loop.max_epochs = math.ceil(self.steps / in_an_epoch / self.epochs) * self.epochs


def epochs_a_round(trainer: Trainer) -> int:
    """After so many epochs a training says how far it is, and can be gone on from: those of its pace, else one."""
    return next((callback.epochs for callback in trainer.callbacks if isinstance(callback, Pace)), 1)


class LastCheckpoint(ModelCheckpoint):
    """Lightning's checkpoint of the last epoch, but of a round's last: not one after every step."""

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        if (trainer.current_epoch + 1) % epochs_a_round(trainer) == 0:
            super().on_train_epoch_end(trainer, pl_module)

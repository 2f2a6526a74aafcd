"""What a run leaves behind and shows on the way: manifest, curves, pictures, speed and the time left."""

from __future__ import annotations

import csv
import hashlib
import json
import os
import platform
import subprocess
import time
from collections.abc import Mapping
from dataclasses import asdict
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from lightning import Callback, LightningModule, Trainer
from lightning.pytorch.trainer.states import TrainerFn
from lightning.pytorch.utilities import rank_zero_info

from trichotrack.capture import capture_of
from trichotrack.evaluate.points import DEFAULT_THRESHOLD
from trichotrack.model.cards import card_remedy
from trichotrack.model.monitored import check_monitored, monitored, validation_captures, who_validates
from trichotrack.model.pace import epochs_a_round
from trichotrack.model.seen import seen_by, seen_in
from trichotrack.pictures import compare, save_picture
from trichotrack.signs import counted_as

if TYPE_CHECKING:
    from torch import Tensor

    from trichotrack.detect.detections import Detections
    from trichotrack.model.plan import Plan
    from trichotrack.model.sample import Structures
    from trichotrack.model.seen import Seen
    from trichotrack.model.task import SignTask

PACKAGES = ("trichotrack", "torch", "torchvision", "lightning", "timm", "albumentations", "numpy", "pillow")


class RunFolder(Callback):
    """Writes manifest.json at the start, curves.png and pictures/ after validations, and says how long is left.

    pictures: how many validation captures to draw, labelled beside predicted.
    """

    def __init__(self, pictures: int = 6) -> None:
        self.pictures = pictures
        self._folder = Path()
        self._found: dict[int, Detections] = {}
        self._began = 0.0
        self._epoch_began = 0.0
        self._first_epoch = 0

    def on_fit_start(self, trainer: Trainer, pl_module: SignTask) -> None:
        captures = validation_captures(trainer)
        check_monitored(monitored(trainer), tuple(pl_module.plan.signs), captures)
        # All processes must ask for it, so once: what is drawn later the first draws alone.
        folder = self._folder = Path(trainer.log_dir or trainer.default_root_dir)
        device = pl_module.device
        name = (
            torch.cuda.get_device_name(device) if device.type == "cuda" else f"CPU, {torch.get_num_threads()} threads"
        )
        rank_zero_info(f"Training on {name}, from {pl_module.start}; results in {folder}")
        for told in (_without_scale(pl_module.plan), who_validates(captures), card_remedy()):
            if told:
                rank_zero_info(told)
        pl_module.manifest = _manifest(trainer, pl_module)
        if trainer.is_global_zero:
            _write(folder / "manifest.json", pl_module.manifest)

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:  # noqa: ARG002
        # Only now does a resumed training know its epoch.
        self._began = time.monotonic()
        self._first_epoch = trainer.current_epoch

    def on_train_epoch_start(self, trainer: Trainer, pl_module: LightningModule) -> None:  # noqa: ARG002
        self._epoch_began = time.monotonic()

    def on_train_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        seconds = time.monotonic() - self._epoch_began
        loader = trainer.train_dataloader
        samples = trainer.num_training_batches * (loader.batch_size or len(loader.dataset) / len(loader))
        pl_module.log("train/samples_per_second", samples / seconds)
        done = trainer.current_epoch + 1
        if done % epochs_a_round(trainer) and done != trainer.max_epochs:
            return
        left = _time_left(trainer, time.monotonic() - self._began, done - self._first_epoch)
        f1 = trainer.callback_metrics.get("val/f1")
        said = f", validation F1 {float(f1):.3f}" if f1 is not None else ""
        rank_zero_info(
            f"epoch {done}: {samples / seconds:.1f} samples/s, loss {_metric(trainer, 'train/loss')}{said}{left}"
        )

    def on_fit_end(self, trainer: Trainer, pl_module: LightningModule) -> None:  # noqa: ARG002
        why = "; no better since" if any(getattr(c, "stopped_epoch", 0) for c in trainer.callbacks) else ""
        for judge in trainer.checkpoint_callbacks:
            if judge.monitor and judge.best_model_score is not None:
                best = f"best {judge.monitor} {float(judge.best_model_score):.3f}{why}: {judge.best_model_path}"
                rank_zero_info(f"Ended, epoch {trainer.current_epoch}, {trainer.global_step} steps; {best}")

    def on_validation_batch_end(
        self,
        trainer: Trainer,
        pl_module: SignTask,
        outputs: object,  # noqa: ARG002
        batch: Mapping[str, Tensor],
        batch_idx: int,  # noqa: ARG002
        dataloader_idx: int = 0,  # noqa: ARG002
    ) -> None:
        # Here, not at the end: where weights are averaged, those that are validated are put away by then.
        capture = int(batch["capture"])
        if self._draws(trainer) and capture in _drawn(trainer, self.pictures):
            with torch.no_grad():
                self._found[capture] = pl_module.found_in(batch, pl_module(batch["image"]))

    def on_validation_end(self, trainer: Trainer, pl_module: SignTask) -> None:
        if not self._draws(trainer):
            return
        _curves(self._folder, trainer)
        _pictures(self._folder / "pictures", trainer, pl_module, self._found)
        self._found = {}
        validated = {name: asdict(sign) for name, sign in pl_module.validated.items()}
        notice = getattr(trainer.datamodule, "patients_notice", "")
        told = {"epoch": trainer.current_epoch + 1, **({"patients_notice": notice} if notice else {})}
        _write(self._folder / "figures.json", {**told, "validation": validated})

    @staticmethod
    def _draws(trainer: Trainer) -> bool:
        return not trainer.sanity_checking and trainer.is_global_zero and trainer.state.fn == TrainerFn.FITTING


def _without_scale(plan: Plan) -> str:
    """A sentence on what a plan without a scale does; "" with one."""
    if plan.calibrated:
        return ""
    return (
        f"No scale is used: every capture is resampled to a long side of {plan.long_side_px} px, and a mark is right "
        f"within {plan.tolerance_px:g} px of a label there. The model will give counts per capture, no densities."
    )


def _write(path: Path, content: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False, default=str), encoding="utf-8")


def _metric(trainer: Trainer, name: str) -> str:
    value = trainer.callback_metrics.get(name)
    return "-" if value is None else f"{float(value):.3f}"


def _time_left(trainer: Trainer, spent_s: float, epochs: int) -> str:
    limit = (
        None
        if trainer.max_epochs in (None, -1)
        else (trainer.max_epochs - trainer.current_epoch - 1) * spent_s / epochs
    )
    for callback in trainer.callbacks:
        remaining = getattr(callback, "time_remaining", None)
        if callable(remaining) and (seconds := remaining()) is not None:
            limit = seconds if limit is None else min(limit, seconds)
    return (
        "" if limit is None else f", about {limit / 60:.0f} min left" if limit > 90 else f", about {limit:.0f} s left"
    )


def _manifest(trainer: Trainer, task: SignTask) -> dict[str, object]:
    data = trainer.datamodule
    return {
        "started": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "commit": _commit(),
        "data": getattr(data, "name", ""),
        "data_sha256": data_sha256(getattr(data, "labels", None)),
        "patients_notice": getattr(data, "patients_notice", ""),
        "um_per_px": list(data.um_per_px_range) if data.um_per_px_range else None,
        "measures": list(data.measures),
        "teaches_scalp": data.teaches_scalp,
        "seed": getattr(data, "seed", None),
        "precision": trainer.precision,
        "seed_everything": os.environ.get("PL_GLOBAL_SEED"),
        "resumed_from": str(trainer.ckpt_path) if trainer.ckpt_path else None,
        "start": task.start,
        "recipe": task.recipe,
        "plan": dict(task.hparams["plan"]),
        "train_captures": len(data.train) if getattr(data, "train", None) else None,
        "validation_captures": len(data.val) if getattr(data, "val", None) else None,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "versions": {name: metadata.version(name) for name in PACKAGES},
        "captures": _seen(trainer, task),
    }


def _seen(trainer: Trainer, task: SignTask) -> Seen:
    train, val = (getattr(getattr(trainer.datamodule, name, None), "sources", ()) for name in ("train", "val"))
    # The weights are those of an earlier training, where this one goes on from it.
    resumed = [seen_in(task.manifest)] if trainer.ckpt_path or task.manifest else []
    return seen_by(train, val, task.seen_before, *resumed)


def _commit() -> str:
    """The commit of the code, "+" where it was changed since; "" outside a checkout."""
    here = Path(__file__).parent

    def git(*arguments: str) -> str:
        command = ["git", "-C", str(here), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()  # noqa: S603

    try:
        git("ls-files", "--error-unmatch", Path(__file__).name)  # else the checkout is that of something else
        return git("rev-parse", "HEAD") + ("+" if git("status", "--porcelain", "--untracked-files=no") else "")
    except (OSError, subprocess.CalledProcessError):
        return ""


def data_sha256(labels: Path | None) -> str:
    """Hash of a labelled folder's tables, "" for data that are drawn."""
    if labels is None:
        return ""
    digest = hashlib.sha256()
    for table in sorted(labels.glob("*.csv")) + sorted(labels.glob("*.xlsx")) + sorted(labels.glob("signs.yaml")):
        digest.update(table.name.encode() + b"\0" + table.read_bytes())
    return digest.hexdigest()


def _curves(folder: Path, trainer: Trainer) -> None:
    for logger in trainer.loggers:
        logger.save()
    table = folder / "metrics.csv"
    if not table.is_file():
        return
    from matplotlib.figure import Figure

    with table.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    losses_, f1s = figure.subplots(1, 2)
    for name in ("train/loss", "val/loss"):
        _line(losses_, rows, name)
    for name in sorted(
        {key for row in rows for key in row if key.startswith(("val/f1", "val/auroc", "val/average_precision"))}
    ):
        _line(f1s, rows, name)
    losses_.set(xlabel="epoch", ylabel="loss", yscale="log")
    f1s.set(xlabel="epoch", ylabel="on validation captures", ylim=(0, 1))
    for axes in (losses_, f1s):
        if axes.lines:
            axes.legend(fontsize=7)
        axes.grid(alpha=0.3)
    figure.savefig(folder / "curves.png", dpi=110)


def _line(axes, rows: list[dict[str, str]], name: str) -> None:
    points = [(int(row["epoch"]) + 1, float(row[name])) for row in rows if row.get(name)]
    if points:
        axes.plot(*zip(*points, strict=True), marker=".", label=name)


def _drawn(trainer: Trainer, count: int) -> list[int]:
    """The validation captures to draw, spread over all of them."""
    captures = len(trainer.datamodule.val)
    return list(range(0, captures, max(captures // max(count, 1), 1)))[:count]


def _pictures(folder: Path, trainer: Trainer, task: SignTask, found: Mapping[int, Detections]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for index in sorted(found):
        sample = trainer.datamodule.val.sample(index)
        picture = compare(
            capture_of(sample.image).pixels,
            _labelled_marks(sample.structures.counted_as(counted_as(task.signs, sample.preparation)), task),
            _found_marks(found[index], task, sample.preparation),
            {sign.name: sign for sign in task.signs},
            f"{trainer.datamodule.name}, validation capture {index}, epoch {trainer.current_epoch + 1}",
        )
        save_picture(picture, folder / f"capture_{index:04d}.jpg")


def _labelled_marks(known: Structures, task: SignTask) -> list[tuple[str, float, float, None]]:
    return [(task.signs[c].name, float(x), float(y), None) for (x, y), c in zip(known.xy, known.channel, strict=True)]


def _found_marks(found: Detections, task: SignTask, preparation: str) -> list[tuple[str, float, float, None]]:
    chosen = [task.validated.get(sign.name) for sign in task.signs]
    if preparation == "clipped":
        chosen = [sign and (sign.clipped or sign) for sign in chosen]
    thresholds = [sign.threshold if sign else DEFAULT_THRESHOLD for sign in chosen]
    return [
        (task.signs[c].name, float(x), float(y), None)
        for (x, y), c, score in zip(found.xy, found.sign, found.score, strict=True)
        if score >= thresholds[c]
    ]

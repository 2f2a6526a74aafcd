"""The Lightning task: what one step does, what validation measures, and a checkpoint that needs no pickle."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning import LightningModule
from numpy.typing import NDArray
from torch import Tensor

from trichotrack.detect.decode import decode, valid_cells
from trichotrack.detect.detections import Detections
from trichotrack.model import losses
from trichotrack.model.metrics import LOWEST_SCORE, PointFigures, Validated, mean_f1
from trichotrack.model.network import Backbone, SignNetwork, normalise
from trichotrack.model.plan import STRIDE, Plan
from trichotrack.model.sample import EXHAUSTIVE, UNKNOWN, Structures
from trichotrack.model.weights import load_start
from trichotrack.problems import InputError
from trichotrack.signs import ACTIVE_SIGNS, SIGN, Sign


class SignTask(LightningModule):
    """Finds signs as peaks of a heat map.

    start: `imagenet`, `bundled` (weights taught on synthetic scalps), a .safetensors or .ckpt file, or `scratch`.
    start_as: for a sign that the weights do not know, a sign they know, as whose channel it begins. learning_rate:
    peak, for the pyramid and heads; the backbone learns at backbone_rate times that. The rate rises over the first
    warmup share of all steps, then falls to 1 % along a cosine. frozen: the stem and so many stages of the backbone
    stay as they start, which saves a fifth of a step on a CPU. bf16 arithmetic is Lightning's `precision: bf16-mixed`.
    """

    def __init__(
        self,
        plan: Plan | None = None,
        *,
        backbone: Backbone = "tf_efficientnet_lite0",
        width: int = 96,
        start: str = "bundled",
        start_as: Mapping[str, str] | None = None,
        learning_rate: float = 1e-3,
        backbone_rate: float = 0.5,
        weight_decay: float = 0.02,
        warmup: float = 0.05,
        frozen: int = 0,
    ) -> None:
        super().__init__()
        self.plan = plan or Plan()
        self.learning_rate, self.backbone_rate = learning_rate, backbone_rate
        self.weight_decay, self.warmup = weight_decay, warmup
        self.save_hyperparameters(
            {"plan": _lists(asdict(self.plan)), "backbone": backbone, "width": width}, logger=False
        )
        self.network = SignNetwork(len(self.plan.signs), backbone, width)
        self.signs = self.plan.channels()
        self.start = load_start(self.network, start, backbone, self.plan.signs, start_as or {})
        self.frozen = self.network.first_stages(frozen)
        for module in self.frozen:
            module.requires_grad_(requires_grad=False)
        self.points = PointFigures(
            self.plan.signs, self.plan.tolerance_px, dict.fromkeys(ACTIVE_SIGNS, self.plan.max_false_per_cm2)
        )
        self.validated: dict[str, Validated] = {}
        self.validated_epoch = -1
        self.manifest: dict[str, Any] = {}
        self.recipe: dict[str, Any] = {}

    def setup(self, stage: str) -> None:  # noqa: ARG002
        known: Mapping[str, Sign] = getattr(getattr(self.trainer, "datamodule", None), "signs", None) or SIGN
        self.signs = self.plan.channels(known)

    def train(self, mode: bool = True) -> SignTask:  # noqa: FBT001, FBT002 (torch's own signature)
        """As torch's, but frozen stages keep the statistics that they normalise by."""
        super().train(mode)
        for module in self.frozen:
            module.eval()
        return self

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        """Image uint8 (B, H, W, 3) to the network's heads."""
        return self.network(_as_taken(image))

    def _terms(self, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        heads = self.network.at_first_sight(_as_taken(batch["image"]))
        cells = losses.cells_to_follow(heads["logits"], batch)
        return losses.total(heads, batch, cells, self.network.looked_along(heads, cells))

    def training_step(self, batch: Mapping[str, Tensor], _index: int) -> Tensor:
        terms = self._terms(batch)
        self.log_dict({f"train/{name}": term.detach() for name, term in terms.items()}, on_step=False, on_epoch=True)
        if not torch.isfinite(terms["loss"]):
            raise InputError(
                f"the loss became {terms['loss'].item()} at step {self.global_step}; lower the learning rate"
            )
        return terms["loss"]

    def validation_step(self, batch: Mapping[str, Tensor], _index: int) -> None:
        # In float32 whatever the training precision: thresholds are chosen for the exported graph.
        with torch.autocast(self.device.type, enabled=False):
            heads = self(batch["image"])
            loss = self._terms(batch)["loss"]
        self.log("val/loss", loss, on_epoch=True, batch_size=1, sync_dist=True)
        empty = np.full((len(batch["xy"][0]), 2), np.nan)
        known = Structures(
            batch["xy"][0].cpu().numpy().astype(np.float64),
            batch["channel"][0].cpu().numpy(),
            tip=empty,
            width_um=empty,
            ignored=batch["ignored"][0].cpu().numpy().astype(np.float64),
        )
        # As in the runtime, nothing is found in padding or off the valid scalp.
        valid = valid_cells(batch["valid"][0].cpu().numpy(), STRIDE)
        # Nor does a sign of which nothing is known there take a structure from others.
        silent = (batch["levels"][0] == UNKNOWN)[None, :, None, None]
        heads["logits"] = heads["logits"].masked_fill(silent, -torch.inf)
        self.points.update(
            self.decoded(heads, valid)[0],
            known,
            (batch["levels"][0] == EXHAUSTIVE).cpu().numpy(),
            capture=int(batch["capture"]),
            patient=int(batch["patient"]),
            area_cm2=float(batch["area_cm2"]),
        )

    def on_validation_epoch_end(self) -> None:
        stage = "test" if self.trainer.testing else "val"
        self.validated = self.points.validated()
        self.validated_epoch = self.current_epoch
        self.points.reset()
        for name, sign in self.validated.items():
            measured = {key: getattr(sign.figures, key).value for key in ("f1", "count_mae", "bias")}
            measured["threshold"] = sign.threshold
            self.log_dict({f"{stage}/{key}/{name}": value for key, value in measured.items() if value is not None})
        self.log(f"{stage}/f1", mean_f1(self.validated), prog_bar=True)

    def test_step(self, batch: Mapping[str, Tensor], index: int) -> None:
        self.validation_step(batch, index)

    def on_test_epoch_end(self) -> None:
        self.on_validation_epoch_end()

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Beside the weights: the signs as the labels define them, the last validation's figures, the manifest."""
        checkpoint["signs"] = [_lists(asdict(sign)) for sign in self.signs]
        # Through JSON: a NumPy number would keep the checkpoint from being loaded without running code.
        validated = {name: asdict(sign) for name, sign in self.validated.items()}
        checkpoint["validated"] = json.loads(json.dumps(validated, default=float))
        checkpoint["validated_epoch"] = self.validated_epoch
        checkpoint["manifest"] = self.manifest

    def decoded(self, heads: Mapping[str, Tensor], valid: NDArray[np.bool_] | None = None) -> list[Detections]:
        """Structures of each image of a batch above LOWEST_SCORE, canonical px. valid: (h, w), cells to look at."""
        peaks = peak_scores(heads["logits"]).float().cpu().numpy()
        offset = heads["offset"].float().cpu().numpy()
        shaft = heads["shaft"].float().cpu().numpy()
        return [
            decode(
                peaks[i],
                offset[i],
                shaft[i],
                stride=STRIDE,
                thresholds=[LOWEST_SCORE] * len(self.signs),
                groups=[sign.group for sign in self.signs],
                min_distance_px=self.plan.min_distance_px,
                valid=valid,
            )
            for i in range(len(peaks))
        ]

    def configure_optimizers(self) -> dict[str, Any]:
        optimizer = torch.optim.AdamW(self._groups(), weight_decay=self.weight_decay)
        steps = max(int(self.trainer.estimated_stepping_batches), 1)
        warm = max(round(steps * self.warmup), 1)

        def rate(step: int) -> float:
            if step < warm:
                return (step + 1) / warm
            return 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * min((step - warm) / max(steps - warm, 1), 1.0)))

        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, rate)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def _groups(self) -> list[dict[str, Any]]:
        groups = []
        backbone = {id(p) for p in self.network.backbone.parameters()}
        for of_backbone in (True, False):
            for decays in (True, False):
                parameters = [
                    p
                    for p in self.network.parameters()
                    if p.requires_grad and (id(p) in backbone) == of_backbone and (p.ndim > 1) == decays
                ]
                group: dict[str, Any] = {"params": parameters}
                group["lr"] = self.learning_rate * (self.backbone_rate if of_backbone else 1.0)
                # Biases and normalisation are not pulled towards zero.
                if not decays:
                    group["weight_decay"] = 0.0
                groups.append(group)
        return groups


def _as_taken(image: Tensor) -> Tensor:
    return normalise(image).contiguous(memory_format=torch.channels_last)


def peak_scores(logits: Tensor) -> Tensor:
    """Score (B, C, h, w) where the logit peaks in its 3×3 neighbourhood, else 0; detect.decode.local_maxima in torch.

    Strictly above the four neighbours before it in raster order, not below the four after, and above at least one.
    """
    height, width = logits.shape[-2:]
    outside = torch.nn.functional.pad(logits, (1, 1, 1, 1), value=-torch.inf)
    peak = logits > -torch.nn.functional.max_pool2d(-logits, 3, stride=1, padding=1)
    for dy, dx in ((-1, -1), (-1, 0), (-1, 1), (0, -1), (0, 1), (1, -1), (1, 0), (1, 1)):
        neighbour = outside[..., 1 + dy : 1 + dy + height, 1 + dx : 1 + dx + width]
        peak = peak & (logits > neighbour if (dy, dx) < (0, 0) else logits >= neighbour)
    return logits.sigmoid() * peak


KEPT = ("signs", "validated", "validated_epoch", "manifest")
"""What SignTask.on_save_checkpoint puts beside the weights."""


def load_task(checkpoint: Path) -> tuple[SignTask, dict[str, Any]]:
    """A task from its checkpoint, and the checkpoint itself; nothing in the file is executed."""
    try:
        raw = torch.load(checkpoint, map_location="cpu", weights_only=True)
        kept = {**raw["hyper_parameters"], **{key: raw[key] for key in KEPT}}
        task = SignTask(Plan(**kept["plan"]), backbone=kept["backbone"], width=kept["width"], start="scratch")
        task.load_state_dict(raw["state_dict"])
    except FileNotFoundError:
        raise InputError(f"{checkpoint}: there is no such checkpoint.") from None
    except Exception as error:  # noqa: BLE001 (a foreign file may fail anywhere)
        raise InputError(f"{checkpoint}: not a checkpoint of trichotrack's training ({error}).") from None
    return task.eval(), raw


def _lists(values: dict[str, Any]) -> dict[str, Any]:
    return {key: list(value) if isinstance(value, tuple) else value for key, value in values.items()}

"""The Lightning task: what one step does, what validation measures, and a checkpoint that needs no pickle."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning import LightningModule
from numpy.typing import NDArray
from torch import Tensor
from torchmetrics import MeanMetric

from trichotrack.detect.decode import LOWEST_SCORE, decode, valid_cells
from trichotrack.detect.detections import Detections
from trichotrack.model import image_figures, levels, losses
from trichotrack.model.image_figures import ImageFigures
from trichotrack.model.metrics import COLUMNS, PointFigures, Validated, gathered
from trichotrack.model.network import Backbone, SignNetwork, normalise
from trichotrack.model.plan import STRIDE, Plan
from trichotrack.model.sample import EXHAUSTIVE, UNKNOWN, Structures
from trichotrack.model.seen import seen_before
from trichotrack.model.weights import load_start
from trichotrack.problems import InputError
from trichotrack.signs import ACTIVE_SIGNS, PREPARATIONS, SIGN, Sign, counted_as


class SignTask(LightningModule):
    """Finds signs as peaks of a heat map.

    start: `imagenet`, `bundled` (weights taught on synthetic scalps), a .safetensors or .ckpt file, or `scratch`.
    start_as: for a sign that the weights do not know, a sign they know, as whose channel it begins. learning_rate:
    peak, for the pyramid and heads; the backbone learns at backbone_rate times that, and each of its stages at
    layer_rate times the rate of the stage after it. The rate rises over the first
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
        layer_rate: float = 1.0,
        weight_decay: float = 0.02,
        warmup: float = 0.05,
        frozen: int = 0,
    ) -> None:
        super().__init__()
        self.plan = plan or Plan()
        self.learning_rate, self.backbone_rate = learning_rate, backbone_rate
        self.layer_rate, self.weight_decay, self.warmup = layer_rate, weight_decay, warmup
        self.save_hyperparameters(
            {"plan": _lists(self.plan.to_dict()), "backbone": backbone, "width": width}, logger=False
        )
        self.network = SignNetwork(len(self.plan.signs), backbone, width)
        self.signs = self.plan.channels()
        self.start = load_start(self.network, start, backbone, self.plan.signs, start_as or {})
        self.seen_before = seen_before(start)
        self.frozen = self.network.first_stages(frozen)
        for module in self.frozen:
            module.requires_grad_(requires_grad=False)
        # Without a scale there are no cm² to hold a ceiling against.
        ceilings = dict.fromkeys(ACTIVE_SIGNS, self.plan.max_false_per_cm2) if self.plan.calibrated else {}
        self.points, self.clipped_points = (
            PointFigures(self.plan.signs, self.plan.tolerance_px, ceilings) for _ in range(2)
        )
        self.images, self.clipped_images = (ImageFigures(self.plan.signs) for _ in range(2))
        self.calibration = levels.Calibration(len(self.plan.signs))
        self.teaches_images = False
        self.presence_alone: tuple[bool, ...] = (False,) * len(self.plan.signs)
        self.mean_loss = MeanMetric()
        self.validated: dict[str, Validated] = {}
        self.validated_epoch = -1
        self.manifest: dict[str, Any] = {}
        self.recipe: dict[str, Any] = {}

    def setup(self, stage: str) -> None:  # noqa: ARG002
        data = getattr(self.trainer, "datamodule", None)
        known: Mapping[str, Sign] = getattr(data, "signs", None) or SIGN
        self.signs = self.plan.channels(known)
        self.teaches_images = getattr(data, "teaches_images", False)
        self.presence_alone = getattr(data, "presence_alone", self.presence_alone)

    def on_fit_start(self) -> None:
        image_figures.refuse_unmeasured(self.trainer)

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
        if not self.teaches_images:
            return losses.total(heads, batch, cells, self.network.looked_along(heads, cells))
        peaks = levels.peak_mask(heads["logits"].detach()) & batch["seen"][:, None]
        both = torch.cat([cells, levels.peaks_to_follow(heads["logits"], peaks)], dim=1)
        logits, shaft = self.network.looked_along(heads, both)
        terms = losses.total(heads, batch, cells, (logits[..., : cells.shape[1]], shaft[..., : cells.shape[1]]))
        final = levels.followed(heads["logits"], both, logits)
        if self.training:
            roots = (batch["heat"] >= 1) & (batch["weight"] > 0)
            right = levels.right_peaks(final, peaks, roots, round(self.plan.tolerance_px / STRIDE))
            self.calibration.fit(final, peaks, right, batch["located"])
        top = torch.tensor(self.presence_alone, device=final.device)
        apart = max(1, round((self.plan.min_distance_px or 0.0) / STRIDE))
        of_images = levels.terms(self.calibration(final), final, peaks, batch, top, apart)
        return {**terms, **of_images, "loss": terms["loss"] + levels.weighted(of_images)}

    def on_train_epoch_start(self) -> None:
        # Over several processes Lightning wraps the sampler, which then would not hear of the epoch.
        set_epoch = getattr(getattr(self.trainer.datamodule, "train", None), "set_epoch", None)
        if callable(set_epoch):
            set_epoch(self.current_epoch)

    def training_step(self, batch: Mapping[str, Tensor], _index: int) -> Tensor:
        terms = self._terms(batch)
        self.log_dict({f"train/{name}": term.detach() for name, term in terms.items()}, on_step=False, on_epoch=True)
        if not torch.isfinite(terms["loss"]):
            raise InputError(
                f"the loss became {terms['loss'].item()} at step {self.global_step}; lower the learning rate"
            )
        return terms["loss"]

    def validation_step(self, batch: Mapping[str, Tensor], index: int) -> None:
        # In float32 whatever the training precision: thresholds are chosen for the exported graph.
        with torch.autocast(self.device.type, enabled=False):
            heads = self(batch["image"])
            loss = self._terms(batch)["loss"]
        # Over several processes the sampler evens their shares out by giving some captures twice: those count once.
        place = index * self.trainer.world_size + self.trainer.global_rank
        repeated = self.trainer.world_size > 1 and int(batch["capture"]) != place
        self.log("val/loss", self.mean_loss, on_step=False, on_epoch=True, batch_size=1)
        if repeated:
            return
        self.mean_loss.update(loss)
        becomes = self.counted_as(batch)
        empty = np.full((len(batch["xy"][0]), 2), np.nan)
        known = Structures(
            batch["xy"][0].cpu().numpy().astype(np.float64),
            batch["channel"][0].cpu().numpy(),
            tip=empty,
            width_um=empty,
            ignored=batch["ignored"][0].cpu().numpy().astype(np.float64),
        ).counted_as(becomes)
        # Of a sign that is refused there nothing is counted, whatever the labels know.
        counted = np.array([sign == i for i, sign in enumerate(becomes)])
        levels = np.where(counted, batch["levels"][0].cpu().numpy(), UNKNOWN)
        found = self.found_in(batch, heads)
        clipped = PREPARATIONS[int(batch["preparation"])] == "clipped"
        points, images = self._figures()[clipped]
        whose = {"capture": int(batch["capture"]), "patient": int(batch["patient"])}
        images.update(found, levels, batch["values"][0].cpu().numpy(), **whose)
        points.update(found, known, levels == EXHAUSTIVE, area_cm2=float(batch["area_cm2"]), **whose)

    def _figures(self) -> tuple[tuple[PointFigures, ImageFigures], tuple[PointFigures, ImageFigures]]:
        """Those of usual scalps, and those of clipped ones."""
        return (self.points, self.images), (self.clipped_points, self.clipped_images)

    def counted_as(self, batch: Mapping[str, Tensor]) -> list[int | None]:
        """As signs.counted_as, in a capture of validation."""
        return counted_as(self.signs, PREPARATIONS[int(batch["preparation"])])

    def found_in(self, batch: Mapping[str, Tensor], heads: Mapping[str, Tensor]) -> Detections:
        """Structures above LOWEST_SCORE in a capture of validation, each as the sign that a reading counts it as."""
        # As in the runtime, nothing is found in padding or off the valid scalp.
        valid = valid_cells(batch["valid"][0].cpu().numpy(), STRIDE)
        # Nor does a sign of which nothing is known there take a structure from others.
        unknown, becomes = (batch["levels"][0] == UNKNOWN).tolist(), self.counted_as(batch)
        silent = torch.tensor([sign is None or unknown[sign] for sign in becomes], device=self.device)
        logits = heads["logits"].masked_fill(silent[None, :, None, None], -torch.inf)
        found = self.decoded({**heads, "logits": logits}, valid)[0]
        return replace(found, sign=np.array([becomes[sign] for sign in found.sign], np.int64))

    def on_validation_epoch_end(self) -> None:
        stage = "test" if self.trainer.testing else "val"
        with ExitStack() as gathering:
            for points, images in self._figures():
                gathering.enter_context(gathered(points, COLUMNS))
                gathering.enter_context(gathered(images, image_figures.COLUMNS, torch.float64))
            usual, clipped = (image_figures.validated(*both) for both in self._figures())
        told = {name: sign for name, sign in clipped.items() if sign.figures.labelled or sign.presence}
        self.validated = {
            name: replace(usual.get(name) or clipped[name], clipped=told.get(name))
            for name in self.plan.signs
            if name in usual or name in clipped
        }
        self.validated_epoch = self.current_epoch
        for points, images in self._figures():
            points.reset()
            images.reset()
        for name, sign in self.validated.items():
            figures = {f"{stage}/{key}/{name}": value for key, value in sign.measured.items()}
            if sign.clipped and name in usual:
                figures |= {f"{stage}/{key}/{name}/clipped": value for key, value in sign.clipped.measured.items()}
            self.log_dict(figures, sync_dist=True)
        means = {f"{stage}/{key}": value for key, value in image_figures.means(self.validated).items()}
        self.log_dict(means, prog_bar=True, sync_dist=True)

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

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """The manifest of the training that goes on, until its own takes its place (see RunFolder)."""
        self.manifest = checkpoint.get("manifest", {})

    def decoded(self, heads: Mapping[str, Tensor], valid: NDArray[np.bool_] | None = None) -> list[Detections]:
        """Structures of each image of a batch above LOWEST_SCORE, canonical px. valid: (h, w), cells to look at."""
        peaks = peak_scores(self.calibration(heads["logits"])).float().cpu().numpy()
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
        """Parameters by rate: the backbone's stages, the earlier the slower, then all that follows them."""
        backbone = self.network.backbone
        parts = [[backbone.conv_stem, backbone.bn1], *([stage] for stage in backbone.blocks)]
        staged = [[p for module in part for p in module.parameters()] for part in parts]
        rates = [self.backbone_rate * self.layer_rate**below for below in range(len(parts) - 1, -1, -1)]
        in_backbone = {id(p) for part in staged for p in part}
        staged.append([p for p in self.network.parameters() if id(p) not in in_backbone])
        groups = []
        for part, rate in zip(staged, [*rates, 1.0], strict=True):
            for decays in (True, False):
                parameters = [p for p in part if p.requires_grad and (p.ndim > 1) == decays]
                group: dict[str, Any] = {"params": parameters, "lr": self.learning_rate * rate}
                # Biases and normalisation are not pulled towards zero.
                if not decays:
                    group["weight_decay"] = 0.0
                if parameters:
                    groups.append(group)
        return groups


def _as_taken(image: Tensor) -> Tensor:
    return normalise(image).contiguous(memory_format=torch.channels_last)


def peak_scores(logits: Tensor) -> Tensor:
    """Score (B, C, h, w) where the logit peaks (see levels.peak_mask), else 0; detect.decode.local_maxima in torch."""
    return logits.sigmoid() * levels.peak_mask(logits)


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
        raise InputError(
            f"{checkpoint}: not a checkpoint of trichotrack's training ({type(error).__name__}). Give a .ckpt that one "
            "wrote, such as RUN/checkpoints/best.ckpt."
        ) from None
    return task.eval(), raw


def _lists(values: dict[str, Any]) -> dict[str, Any]:
    return {key: list(value) if isinstance(value, tuple) else value for key, value in values.items()}

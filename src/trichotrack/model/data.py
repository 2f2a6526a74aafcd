"""Lightning data modules: a labelled folder, or the procedural scalp."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lightning import LightningDataModule
from torch import Tensor
from torch.utils.data import DataLoader

from trichotrack.labels.derive import with_parents
from trichotrack.labels.patients import patients_notice
from trichotrack.labels.read import read_labels
from trichotrack.labels.tables import LabelSet
from trichotrack.model.augment import Augmenter
from trichotrack.model.batches import TrainingSet, training_loader
from trichotrack.model.datasets import (
    CachedCapture,
    LabelledCapture,
    Source,
    WholeCaptures,
    cached,
    labelled_captures,
    measured_in,
    of_people,
    presence_alone,
)
from trichotrack.model.drawn import DrawnCapture
from trichotrack.model.plan import Plan
from trichotrack.problems import InputError
from trichotrack.runtime.spec import MEASURES
from trichotrack.signs import Sign
from trichotrack.synth.priors import Priors, ScalpPriors


class SignData(LightningDataModule):
    """Batches of augmented crops for training, whole captures one by one for validation and test.

    name: of the data, as figures and exported models call them; by default the folder's.
    labels: a labelled folder (captures.csv, labels.csv, objects.csv) whose splits are `train`, `val` and `test`.
    crop_px: side of a training crop, canonical px, a multiple of 16. scale_jitter: crops are resampled by up to
    this share. workers: processes that make samples. cache: where canonical captures are kept; by default beside
    the labels. limit_train: use only so many captures, for a quick look. train_people: use only the captures of so many
    people, the same ones for the same seed, and those among any larger number. balance: share of the crops that are
    drawn around a structure, every sign of a patient alike, while each patient gives as many crops as ever; 0 draws all
    crops anywhere. Where rare signs are what matters, try 0.5. A plan without a scale takes captures with and without
    one alike, and uses none.
    """

    def __init__(
        self,
        labels: Path,
        plan: Plan | None = None,
        *,
        crop_px: int = 448,
        batch_size: int = 8,
        scale_jitter: float = 0.1,
        workers: int = 1,
        seed: int = 0,
        cache: Path | None = None,
        limit_train: int | None = None,
        train_people: int | None = None,
        balance: float = 0.0,
        name: str = "",
    ) -> None:
        super().__init__()
        self.labels, self.plan = Path(labels), plan or Plan()
        self.name = name or self.labels.resolve().name
        self.crop_px, self.batch_size, self.scale_jitter = crop_px, batch_size, scale_jitter
        self.workers, self.seed = workers, seed
        self.cache = Path(cache) if cache else self.labels / ".cache"
        self.limit_train, self.train_people, self.balance = limit_train, train_people, balance
        self.um_per_px_range: tuple[float, float] | None = None
        self.measures: tuple[str, ...] = ()
        self.teaches_scalp = False
        self.patients_notice = ""
        self.teaches_images = False
        self.presence_alone = (False,) * len(self.plan.signs)
        self.signs: Mapping[str, Sign] = {}
        self.train: TrainingSet | None = None
        self.val: WholeCaptures | None = None
        self.test: WholeCaptures | None = None

    def setup(self, stage: str) -> None:
        labelled = with_parents(read_labels(self.labels))
        self.signs = labelled.signs
        self.patients_notice = patients_notice(row for row in labelled.captures if row.split in ("train", "val"))
        if stage == "fit":
            captures = of_people(labelled_captures(labelled, self.plan, "train"), self.train_people, self.seed)
            captures = captures[: self.limit_train]
            if self.plan.calibrated:
                scales = [um for capture in captures if (um := capture.row.um_per_px)] or [self.plan.um_per_px]
                # Jittered crops were seen at coarser and finer scales too, so the model may read those.
                jitter = 1 + self.scale_jitter
                self.um_per_px_range = (min(scales) / jitter, max(scales) * jitter)
            self.measures = measured_in(captures) if self.plan.calibrated else ()
            self.teaches_scalp = any(capture.mask is not None for capture in captures)
            self.teaches_images = any(capture.of_image for capture in captures)
            self.presence_alone = presence_alone(captures)
            self.train = self._training(self._cached(captures))
        if stage in ("fit", "validate"):
            self.val = self._whole(labelled, "val")
        if stage == "test":
            self.test = self._whole(labelled, "test")

    def _training(self, sources: Sequence[Source]) -> TrainingSet:
        augment = Augmenter(self.crop_px, self.scale_jitter)
        return TrainingSet(sources, self.plan, augment, seed=self.seed, balance=self.balance)

    def _whole(self, labelled: LabelSet, split: str) -> WholeCaptures:
        captures = labelled_captures(labelled, self.plan, split)
        patients = [capture.row.patient for capture in captures]
        return WholeCaptures(self._cached(captures), self.plan, patients)

    def _cached(self, captures: Sequence[LabelledCapture]) -> list[CachedCapture]:
        return cached(captures, self.cache, self.plan.um_per_px, self.plan.long_side_px)

    def train_dataloader(self) -> DataLoader[Mapping[str, Tensor]]:
        return training_loader(self.train, self.batch_size, self.workers)

    def val_dataloader(self) -> DataLoader[Mapping[str, Tensor]]:
        return DataLoader(self.val, batch_size=1)

    def test_dataloader(self) -> DataLoader[Mapping[str, Tensor]]:
        return DataLoader(self.test, batch_size=1)


class SyntheticData(LightningDataModule):
    """The procedural scalp, drawn anew for every sample; its validation captures come from another seed
    and are the same each time.

    train_captures: how many make an epoch. crop_px: side of a training field, canonical px, a multiple of 16.
    um_per_px: range from which each capture's own scale is drawn before it is brought to the canonical one.
    clipped: chance of a clipped scalp. richer: priors (of scalp, skin or camera, by name) that training draws otherwise
    in a share `richer_share` of its captures, so that rare signs are met more often; validation, and with it the
    thresholds, keeps the usual priors. A plan without a scale is refused: what is drawn has one.
    """

    name = "synthetic scalps"
    measures = MEASURES
    teaches_scalp = True

    def __init__(
        self,
        plan: Plan | None = None,
        *,
        train_captures: int = 1600,
        val_captures: int = 64,
        crop_px: int = 384,
        batch_size: int = 8,
        workers: int = 2,
        seed: int = 0,
        um_per_px: tuple[float, float] = (2.6, 8.7),
        clipped: float = 0.0,
        richer: dict[str, Any] | None = None,
        richer_share: float = 1.0,
    ) -> None:
        super().__init__()
        self.plan = plan or Plan()
        if not self.plan.calibrated:
            raise InputError("the procedural scalp is drawn to scale: give its plan um_per_px.")
        self.train_captures, self.val_captures, self.crop_px = train_captures, val_captures, crop_px
        self.batch_size, self.workers, self.seed = batch_size, workers, seed
        self.um_per_px_range = um_per_px
        self.priors = Priors(scalp=ScalpPriors(clipped_chance=clipped))
        self.richer = _changed(self.priors, richer or {})
        self.richer_share = richer_share
        self.signs: Mapping[str, Sign] = {}
        self.train: TrainingSet | None = None
        self.val: WholeCaptures | None = None

    def setup(self, stage: str) -> None:
        if stage == "fit":
            # Drawn as large as it is taught: a crop would cut off the ends by which signs are told.
            side_um = self.crop_px * self.plan.um_per_px
            richer, usual = (
                DrawnCapture(self.plan, self.um_per_px_range, (side_um, side_um), priors)
                for priors in (self.richer, self.priors)
            )
            rich = round(self.train_captures * self.richer_share)
            scalps = [richer] * rich + [usual] * (self.train_captures - rich)
            self.train = TrainingSet(scalps, self.plan, Augmenter(self.crop_px, whole=True), seed=self.seed)
        if stage in ("fit", "validate"):
            scalps = [DrawnCapture(self.plan, self.um_per_px_range, priors=self.priors)] * self.val_captures
            self.val = WholeCaptures(scalps, self.plan, [f"scalp {i}" for i in range(len(scalps))])

    def train_dataloader(self) -> DataLoader[Mapping[str, Tensor]]:
        return training_loader(self.train, self.batch_size, self.workers)

    def val_dataloader(self) -> DataLoader[Mapping[str, Tensor]]:
        return DataLoader(self.val, batch_size=1)


def _changed(priors: Priors, fields: Mapping[str, Any]) -> Priors:
    parts = {part.name: getattr(priors, part.name) for part in dataclasses.fields(priors)}
    known = {field.name: part for part, value in parts.items() for field in dataclasses.fields(value)}
    if unknown := sorted(set(fields) - set(known)):
        raise InputError(f"richer: {', '.join(unknown)} is no prior; those are {', '.join(sorted(known))}.")
    for name, value in fields.items():
        new = {name: tuple(value) if isinstance(value, list) else value}
        parts[known[name]] = dataclasses.replace(parts[known[name]], **new)
    return Priors(**parts)

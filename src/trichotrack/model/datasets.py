"""Where samples come from: labelled captures, cached at canonical scale, or the procedural scalp, drawn as needed."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torch.utils.data import Dataset, Sampler

from trichotrack.capture import read_capture
from trichotrack.geometry import map_points, resample, size_at
from trichotrack.labels.tables import CaptureRow, LabelSet, ObjectRow
from trichotrack.model.augment import Augmenter, crop
from trichotrack.model.plan import TOTAL_STRIDE, Plan
from trichotrack.model.sample import (
    EXHAUSTIVE,
    NOT_SCALP,
    PARTIAL,
    SCALP,
    UNKNOWN,
    Sample,
    Structures,
    known_pairs,
    tensors_of,
)
from trichotrack.problems import InputError, Problem
from trichotrack.runtime.spec import MEASURES

VALIDATION_SEED = 2**31 - 1
"""Apart from any training seed, so that no validation scalp is ever trained on."""

LEVELS = {"exhaustive": EXHAUSTIVE, "partial": PARTIAL}


class Source(Protocol):
    """Something that gives a sample; captures give the same one always, the procedural scalp a new one each time."""

    def sample(self, seed: int, epoch: int, index: int) -> Sample: ...


@dataclass(frozen=True)
class LabelledCapture:
    """A capture with what its reference labels say of the plan's signs, in original px."""

    row: CaptureRow
    path: Path
    mask: Path | None
    um_per_px: float
    structures: Structures
    levels: NDArray[np.int64]


def labelled_captures(labels: LabelSet, plan: Plan, split: str) -> list[LabelledCapture]:
    """Captures of a split with anything known of the plan's signs. Raises InputError naming every unusable row."""
    rows = [row for row in labels.captures if row.split == split]
    _check(labels, plan, rows, split)
    channel = {name: i for i, name in enumerate(plan.signs)}
    levels: dict[str, NDArray[np.int64]] = {row.file: np.full(len(channel), UNKNOWN) for row in rows}
    for label in labels.labels:
        if label.rater == "" and label.sign in channel and label.file in levels:
            levels[label.file][channel[label.sign]] = LEVELS.get(label.level, UNKNOWN)
    objects: dict[str, list[ObjectRow]] = {row.file: [] for row in rows}
    for item in labels.objects:
        if item.rater == "" and item.file in objects:
            objects[item.file].append(item)
    return [
        LabelledCapture(
            row,
            labels.folder / row.file,
            labels.folder / row.valid_area if row.valid_area else None,
            float(row.um_per_px or 0),
            _structures(objects[row.file], channel, set(plan.ignore)),
            levels[row.file],
        )
        for row in rows
        if levels[row.file].any()
    ]


def _check(labels: LabelSet, plan: Plan, rows: Sequence[CaptureRow], split: str) -> None:
    place = str(labels.folder / "captures.csv")
    problems = []
    if not rows:
        splits = sorted({row.split for row in labels.captures})
        problems.append(
            Problem(
                place, f"no capture is in split {split!r}", f"splits found: {splits}; run `trichotrack labels split`"
            )
        )
    problems += [
        Problem(
            place,
            f"{row.file} has no um_per_px",
            "give micrometres per pixel; captures of unknown scale cannot be brought to a common one",
            column="um_per_px",
        )
        for row in rows
        if row.um_per_px is None
    ]
    problems += [
        Problem(
            place,
            f"the mask of {row.file} is not there",
            "Check valid_area.",
            column="valid_area",
            value=row.valid_area,
        )
        for row in rows
        if row.valid_area and not (labels.folder / row.valid_area).is_file()
    ]
    reference = [label for label in labels.labels if label.rater == "" and label.level in LEVELS]
    labelled, files = {label.sign for label in reference}, {row.file for row in rows}
    table = str(labels.folder / "labels.csv")
    problems += [
        Problem(table, f"sign {name!r} has no exhaustive or partial labels", "Name only labelled signs in the plan.")
        for name in plan.signs
        if name not in labelled
    ]
    # Training takes partial labels too; figures can only be taken where all structures of a sign are known.
    levels = set(LEVELS) if split == "train" else {"exhaustive"}
    useful = any(label.file in files and label.sign in plan.signs and label.level in levels for label in reference)
    if rows and not useful:
        needed = " or ".join(sorted(levels))
        problems.append(Problem(table, f"no capture of split {split!r} has {needed} labels of the plan's signs", ""))
    if problems:
        raise InputError(problems)


def measured_in(captures: Sequence[LabelledCapture]) -> tuple[str, ...]:
    """Which of runtime.spec.MEASURES any label tells: tips, widths."""
    tip, width = (
        any(np.isfinite(getattr(capture.structures, name)).any() for capture in captures)
        for name in ("tip", "width_um")
    )
    return tuple(name for name, known in zip(MEASURES, (tip, width), strict=True) if known)


def _structures(objects: Sequence[ObjectRow], channel: Mapping[str, int], ignored: set[str]) -> Structures:
    sought = [item for item in objects if item.sign in channel]
    return Structures(
        xy=np.array([(item.x, item.y) for item in sought], np.float64).reshape(-1, 2),
        channel=np.array([channel[item.sign] for item in sought], np.int64),
        tip=known_pairs([(item.tip_x, item.tip_y) for item in sought]),
        width_um=known_pairs([(item.root_width_um, item.tip_width_um) for item in sought]),
        ignored=np.array([(item.x, item.y) for item in objects if item.sign in ignored], np.float64).reshape(-1, 2),
    )


@dataclass(frozen=True)
class CachedCapture:
    """A labelled capture and its pixels at canonical scale, in a .npy file read by memory map."""

    capture: LabelledCapture
    pixels: Path
    original_px: tuple[int, int]

    def sample(self, seed: int, epoch: int, index: int) -> Sample:  # noqa: ARG002
        """The whole capture, its points at canonical scale."""
        image = np.load(self.pixels, mmap_mode="r")
        size = (image.shape[1], image.shape[0])
        known = self.capture.structures
        points = (map_points(xy, self.original_px, size) for xy in (known.xy, known.tip, known.ignored))
        valid, scalp = np.ones(image.shape[:2], np.bool_), np.full(image.shape[:2], UNKNOWN, np.uint8)
        if self.capture.mask is not None:
            with Image.open(self.capture.mask) as mask:
                valid = resample(np.uint8(255) * (np.asarray(mask.convert("L")) > 0), size) > 127
            scalp = np.where(valid, SCALP, NOT_SCALP).astype(np.uint8)
        return Sample(image, known.moved(*points).on(valid), self.capture.levels, valid, scalp, np.zeros_like(scalp))


def of_people(captures: Sequence[LabelledCapture], people: int | None, seed: int) -> Sequence[LabelledCapture]:
    """The captures of so many patients, drawn by seed; a larger number holds the smaller. None: of all of them.

    Raises InputError where there are not so many.
    """
    if people is None:
        return captures
    known = sorted({capture.row.patient for capture in captures})
    if not 0 < people <= len(known):
        raise InputError(f"train_people {people}: there are {len(known)} people to train on.")
    chosen = {known[i] for i in np.random.default_rng(seed).permutation(len(known))[:people]}
    return [capture for capture in captures if capture.row.patient in chosen]


def cached(captures: Sequence[LabelledCapture], folder: Path, um_per_px: float) -> list[CachedCapture]:
    """The captures with their canonical pixels in folder, made where they are not there yet.

    A file is named by what it was made from (path, size, time of change, scales), so a changed capture is made anew.
    Raises InputError naming every capture that cannot be read.
    """
    folder.mkdir(parents=True, exist_ok=True)
    made, problems = [], []
    for capture in captures:
        try:
            made.append(_cached(capture, folder, um_per_px))
        except InputError as error:
            problems += error.problems
    if problems:
        raise InputError(problems)
    return made


def _cached(capture: LabelledCapture, folder: Path, um_per_px: float) -> CachedCapture:
    if not capture.path.is_file():
        raise InputError(
            Problem(str(capture.path), "there is no such capture", "check the file column of captures.csv")
        )
    state = capture.path.stat()
    made_from = f"{capture.path.resolve()}|{state.st_size}|{state.st_mtime_ns}|{capture.um_per_px}|{um_per_px}"
    key = hashlib.sha256(made_from.encode()).hexdigest()[:24]
    for path in folder.glob(f"{key}-*.npy"):
        width, height = path.stem.split("-")[1].split("x")
        return CachedCapture(capture, path, (int(width), int(height)))
    pixels = read_capture(capture.path).pixels
    original = (pixels.shape[1], pixels.shape[0])
    path = folder / f"{key}-{original[0]}x{original[1]}.npy"
    unfinished = path.with_suffix(f".{os.getpid()}.part")
    with unfinished.open("wb") as file:
        np.save(file, resample(pixels, size_at(original, capture.um_per_px, um_per_px)))
    unfinished.replace(path)
    return CachedCapture(capture, path, original)


class TrainingSet(Dataset[Mapping[str, Tensor]]):
    """Augmented crops. A sample depends on (seed, epoch, index) alone, whichever worker makes it."""

    def __init__(self, sources: Sequence[Source], plan: Plan, augment: Augmenter, *, seed: int) -> None:
        self.sources, self.plan, self.augment, self.seed = sources, plan, augment, seed
        # Shared memory, so that workers kept alive over epochs see it change.
        self._epoch = torch.zeros(1, dtype=torch.int64).share_memory_()

    def set_epoch(self, epoch: int) -> None:
        self._epoch[0] = epoch

    def __len__(self) -> int:
        return len(self.sources)

    def __getitem__(self, index: int) -> Mapping[str, Tensor]:
        epoch = int(self._epoch[0])
        rng = np.random.default_rng([self.seed, epoch, index])
        sample = self.sources[index].sample(self.seed, epoch, index)
        return tensors_of(self.augment(sample, rng, self.plan), self.plan)


class WholeCaptures(Dataset[Mapping[str, Tensor]]):
    """Whole captures for validation, padded on the right and below to the total stride; one is a batch of its own.

    Beside the loss's tensors: xy (N, 2) and channel (N,) of the labelled structures, ignored (M, 2), levels (C,),
    valid (H, W), capture and patient (numbers), area_cm2
    of valid scalp.
    """

    def __init__(self, sources: Sequence[Source], plan: Plan, patients: Sequence[str]) -> None:
        self.sources, self.plan = sources, plan
        known = sorted(set(patients))
        self.patients = [known.index(patient) for patient in patients]

    def __len__(self) -> int:
        return len(self.sources)

    def sample(self, index: int) -> Sample:
        sample = self.sources[index].sample(VALIDATION_SEED, 0, index)
        height, width = sample.image.shape[:2]
        return crop(sample, 0, 0, width + -width % TOTAL_STRIDE, height + -height % TOTAL_STRIDE)

    def __getitem__(self, index: int) -> Mapping[str, Tensor]:
        sample = self.sample(index)
        known, valid = sample.structures, sample.valid & (sample.scalp != NOT_SCALP)
        return {
            **tensors_of(sample, self.plan),
            "xy": torch.from_numpy(known.xy.astype(np.float32)),
            "channel": torch.from_numpy(known.channel),
            "ignored": torch.from_numpy(known.ignored.astype(np.float32)),
            "levels": torch.from_numpy(sample.levels),
            "valid": torch.from_numpy(valid),
            "capture": torch.tensor(index),
            "patient": torch.tensor(self.patients[index]),
            "area_cm2": torch.tensor(float(valid.sum()) * (self.plan.um_per_px / 1e4) ** 2),
        }


class EpochShuffle(Sampler[int]):
    """A new order each epoch, from the seed; Lightning tells it the epoch, and it tells the data set."""

    def __init__(self, data: TrainingSet) -> None:
        self.data = data
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch
        self.data.set_epoch(epoch)

    def __iter__(self) -> Iterator[int]:
        order = np.random.default_rng([self.data.seed, self.epoch]).permutation(len(self.data))
        return iter(order.tolist())

    def __len__(self) -> int:
        return len(self.data)

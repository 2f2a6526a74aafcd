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
from torch import Tensor
from torch.utils.data import Dataset

from trichotrack.capture import read_capture
from trichotrack.geometry import map_points, resample, size_at, size_with_long_side
from trichotrack.labels.enough import MARK_FULLY, MEASURED
from trichotrack.labels.masks import read_mask
from trichotrack.labels.tables import CaptureRow, LabelRow, LabelSet, ObjectRow
from trichotrack.model.augment import crop
from trichotrack.model.plan import TOTAL_STRIDE, Plan
from trichotrack.model.sample import (
    COUNT,
    EXHAUSTIVE,
    NOT_SCALP,
    PARTIAL,
    PRESENCE,
    SCALP,
    UNKNOWN,
    Sample,
    Structures,
    known_pairs,
    tensors_of,
)
from trichotrack.problems import InputError, Problem
from trichotrack.runtime.spec import MEASURES
from trichotrack.signs import PREPARATIONS

VALIDATION_SEED = 2**31 - 1
"""Apart from any training seed, so that no validation scalp is ever trained on."""

LEVELS = {"exhaustive": EXHAUSTIVE, "partial": PARTIAL, "count": COUNT, "presence": PRESENCE}

OF_IMAGE = (COUNT, PRESENCE)
"""Levels that speak of a capture as a whole."""

SEEN_WITH: Mapping[str, Sequence[str]] = {"train": ("train", "val")}
"""Splits whose captures a training of a split takes."""

LARGEST_WHOLE_PX = 2048 * 2048
"""A larger capture does not fit into a training's memory whole."""


class Source(Protocol):
    """Something that gives a sample; captures give the same one always, the procedural scalp a new one each time."""

    def sample(self, seed: int, epoch: int, index: int) -> Sample: ...


@dataclass(frozen=True)
class LabelledCapture:
    """A capture with what its reference labels say of the plan's signs, in original px. um_per_px: of the original."""

    row: CaptureRow
    path: Path
    mask: Path | None
    um_per_px: float | None
    structures: Structures
    levels: NDArray[np.int64]
    values: NDArray[np.float64]

    @property
    def of_image(self) -> bool:
        """Whether anything is known of it as a whole alone, so that training must see it whole.

        So are captures without the sign, though every part of them lacks it too: a network that saw only those with the
        sign whole would tell them by that.
        """
        return bool(np.isin(self.levels, OF_IMAGE).any())


def labelled_captures(labels: LabelSet, plan: Plan, split: str) -> list[LabelledCapture]:
    """Captures of a split with anything known of the plan's signs. Raises InputError naming every unusable row."""
    rows = [row for row in labels.captures if row.split == split]
    _check(labels, plan, rows, split)
    channel = {name: i for i, name in enumerate(plan.signs)}
    levels: dict[str, NDArray[np.int64]] = {row.file: np.full(len(channel), UNKNOWN) for row in rows}
    values = {row.file: np.full(len(channel), np.nan) for row in rows}
    for label in labels.labels:
        if label.rater == "" and label.sign in channel and label.file in levels:
            levels[label.file][channel[label.sign]] = LEVELS[label.level]
            values[label.file][channel[label.sign]] = np.nan if label.value is None else label.value
    objects: dict[str, list[ObjectRow]] = {row.file: [] for row in rows}
    for item in labels.objects:
        if item.rater == "" and item.file in objects:
            objects[item.file].append(item)
    return [
        LabelledCapture(
            row,
            labels.folder / row.file,
            labels.folder / row.valid_area if row.valid_area else None,
            row.um_per_px,
            _structures(objects[row.file], channel, set(plan.ignore)),
            levels[row.file],
            values[row.file],
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
    if plan.calibrated:
        # A training validates too: what it would refuse there is told with the rest.
        problems += _without_scale(
            place, [row for row in labels.captures if row.split in SEEN_WITH.get(split, [split])]
        )
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
    reference = [label for label in labels.labels if label.rater == ""]
    labelled, files = {label.sign for label in reference}, {row.file for row in rows}
    table = str(labels.folder / "labels.csv")
    problems += [
        Problem(table, f"sign {name!r} has no labels", "Name only labelled signs in the plan.")
        for name in plan.signs
        if name not in labelled
    ]
    if split == "train":
        problems += _untaught(table, plan, [label for label in reference if label.file in files])
    # Training takes partial labels too; figures cannot be taken of them.
    levels = tuple(LEVELS) if split == "train" else MEASURED
    useful = any(label.file in files and label.sign in plan.signs and label.level in levels for label in reference)
    if rows and not useful:
        needed = f"{', '.join(levels[:-1])} or {levels[-1]}"
        remedy = "Label some of them, or name their signs in the plan." if split == "train" else MARK_FULLY
        message = f"no capture of split {split!r} has {needed} labels of the plan's signs"
        problems.append(Problem(table, message, remedy))
    if problems:
        raise InputError(problems)


def _without_scale(place: str, rows: Sequence[CaptureRow]) -> list[Problem]:
    """Each capture that a plan with a scale cannot take; one problem where it can take none."""
    lacking = [row for row in rows if row.um_per_px is None]
    remedy = (
        "Give micrometres per pixel; or train a model without scales, which only counts: model.plan.um_per_px null "
        "(docs/training.md, Captures without a scale)."
    )
    if lacking and len(lacking) == len(rows):
        return [Problem(place, f"none of the {len(rows)} captures has um_per_px", remedy, column="um_per_px")]
    return [Problem(place, f"{row.file} has no um_per_px", remedy, column="um_per_px") for row in lacking]


def _untaught(table: str, plan: Plan, reference: Sequence[LabelRow]) -> Iterator[Problem]:
    """Signs of which training knows only that they are in every capture, or in none."""
    for name in plan.signs:
        of_sign = [label for label in reference if label.sign == name]
        if of_sign and all(label.level == "presence" for label in of_sign) and len({row.value for row in of_sign}) == 1:
            which = "present" if of_sign[0].value else "absent"
            yield Problem(
                table,
                f"of sign {name!r} it is only known that it is {which} in all {len(of_sign)} captures of split 'train'",
                "Add captures of the other kind, or leave the sign out of the plan: nothing tells what it looks like. "
                "Where a class that was not named is absent, import with --exclusive.",
            )


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
            valid = resample(np.uint8(255) * read_mask(self.capture.mask, self.original_px), size) > 127
            scalp = np.where(valid, SCALP, NOT_SCALP).astype(np.uint8)
        nothing = np.zeros_like(scalp)
        capture = self.capture
        known = known.moved(*points).on(valid)
        preparation = capture.row.preparation
        return Sample(image, known, capture.levels, valid, scalp, nothing, capture.values, preparation)

    @property
    def size_px(self) -> tuple[int, int]:
        """(width, height) at canonical scale."""
        height, width = np.load(self.pixels, mmap_mode="r").shape[:2]
        return width, height


def presence_alone(captures: Sequence[LabelledCapture]) -> tuple[bool, ...]:
    """By channel, whether its presence is all that is known of a sign in any of the captures."""
    levels = np.array([capture.levels for capture in captures])
    return tuple(np.isin(levels, (UNKNOWN, PRESENCE)).all(axis=0).tolist())


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


def cached(
    captures: Sequence[LabelledCapture], folder: Path, um_per_px: float | None, long_side_px: int | None = None
) -> list[CachedCapture]:
    """The captures with their canonical pixels in folder, made where they are not there yet.

    um_per_px: canonical scale; None: all are brought to long_side_px, and scales are not used. A file is named by what
    it was made from (path, size, time of change, scales), so a changed capture is made anew.
    Raises InputError naming every capture that cannot be read.
    """
    folder.mkdir(parents=True, exist_ok=True)
    made, problems = [], []
    for capture in captures:
        try:
            made.append(_cached(capture, folder, um_per_px, long_side_px))
        except InputError as error:
            problems += error.problems
    if problems:
        raise InputError(problems)
    return made


def _cached(capture: LabelledCapture, folder: Path, um_per_px: float | None, long_side_px: int | None) -> CachedCapture:
    if not capture.path.is_file():
        raise InputError(
            Problem(str(capture.path), "there is no such capture", "check the file column of captures.csv")
        )
    state = capture.path.stat()
    scales = f"{capture.um_per_px}|{um_per_px}" if um_per_px else f"long side|{long_side_px}"
    made_from = f"{capture.path.resolve()}|{state.st_size}|{state.st_mtime_ns}|{scales}"
    key = hashlib.sha256(made_from.encode()).hexdigest()[:24]
    for path in folder.glob(f"{key}-*.npy"):
        width, height = path.stem.split("-")[1].split("x")
        return CachedCapture(capture, path, (int(width), int(height)))
    pixels = read_capture(capture.path).pixels
    original = (pixels.shape[1], pixels.shape[0])
    wanted = _canonical_px(capture, original, um_per_px, long_side_px)
    path = folder / f"{key}-{original[0]}x{original[1]}.npy"
    unfinished = path.with_suffix(f".{os.getpid()}.part")
    with unfinished.open("wb") as file:
        np.save(file, resample(pixels, wanted))
    unfinished.replace(path)
    return CachedCapture(capture, path, original)


def _canonical_px(
    capture: LabelledCapture, original_px: tuple[int, int], um_per_px: float | None, long_side_px: int | None
) -> tuple[int, int]:
    if um_per_px is None:
        return size_with_long_side(original_px, long_side_px)
    if capture.um_per_px is None:
        raise InputError(Problem(str(capture.path), "has no scale, by which it could be brought to the plan's"))
    return size_at(original_px, capture.um_per_px, um_per_px)


class WholeCaptures(Dataset[Mapping[str, Tensor]]):
    """Whole captures for validation, padded on the right and below to the total stride; one is a batch of its own.

    Beside the loss's tensors: xy (N, 2) and channel (N,) of the labelled structures, ignored (M, 2), levels (C,),
    values (C,), valid (H, W), capture and patient (numbers), area_cm2 of valid scalp (nan without a scale), preparation
    (of signs.PREPARATIONS).
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
            "values": torch.from_numpy(np.full(len(sample.levels), np.nan) if sample.values is None else sample.values),
            "valid": torch.from_numpy(valid),
            "capture": torch.tensor(index),
            "patient": torch.tensor(self.patients[index]),
            "area_cm2": torch.tensor(self.plan.area_cm2(float(valid.sum()))),
            "preparation": torch.tensor(PREPARATIONS.index(sample.preparation)),
        }

"""Augmentation: flips, turns and small warps at constant scale, and what a camera does to colour and sharpness.

Points follow the pixels. albumentations counts keypoints from pixel centres, this project from the image's corner, so
points are handed over half a pixel lower and taken back half a pixel higher.
"""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TypeVar

os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")

import albumentations
import cv2
import numpy as np
from numpy.typing import NDArray

from trichotrack.geometry import map_points, resample, size_at
from trichotrack.model.plan import PAD_VALUE
from trichotrack.model.sample import Sample, Structures, in_part

# Worker processes already fill the cores; OpenCV's own threads would only fight them.
cv2.setNumThreads(0)

HALF_PX = 0.5

T = TypeVar("T", bound=np.generic)


def geometric() -> list[albumentations.BasicTransform]:
    """Transforms that move points and keep the scale: how wide a hair looks is what tells vellus from terminal."""
    return [
        albumentations.D4(p=1.0),
        albumentations.Affine(
            rotate=(-30, 30), shear=(-4, 4), p=0.5, fill=PAD_VALUE, fill_mask=0, interpolation=cv2.INTER_LINEAR
        ),
    ]


def photometric() -> list[albumentations.BasicTransform]:
    """Transforms that leave points where they are: white balance, exposure, focus, noise, compression."""
    return [
        albumentations.RandomBrightnessContrast(brightness_limit=0.2, contrast_limit=0.25, p=0.7),
        albumentations.HueSaturationValue(hue_shift_limit=8, sat_shift_limit=25, val_shift_limit=12, p=0.5),
        albumentations.RGBShift(r_shift_limit=12, g_shift_limit=12, b_shift_limit=12, p=0.3),
        albumentations.RandomGamma(gamma_limit=(75, 135), p=0.3),
        albumentations.GaussianBlur(blur_limit=(3, 5), p=0.15),
        albumentations.GaussNoise(std_range=(0.01, 0.04), p=0.25),
        albumentations.ImageCompression(quality_range=(50, 95), p=0.2),
    ]


class Augmenter:
    """Sample -> sample. Every call is seeded, so a sample depends only on its generator.

    crop_px: side of the result, or its (width, height). scale_jitter: it is resampled by up to this share. whole:
    nothing is cut off by a turn or a shear, for samples whose border says what can be told of a hair, or that are known
    as a whole.
    """

    def __init__(self, crop_px: int | tuple[int, int], scale_jitter: float = 0.0, *, whole: bool = False) -> None:
        self.size_px = (crop_px, crop_px) if isinstance(crop_px, int) else crop_px
        self.scale_jitter, self.whole = scale_jitter, whole
        self._made: albumentations.Compose | None = None

    @property
    def _pipeline(self) -> albumentations.Compose:
        # Made in the worker: a transform pipeline does not survive pickling to a spawned process.
        if self._made is None:
            turns = _whole_turns(*self.size_px) if self.whole else geometric()
            self._made = compose([*turns, *photometric()])
        return self._made

    def __call__(self, sample: Sample, rng: np.random.Generator, holding: NDArray[np.float64] | None = None) -> Sample:
        """holding: a point (2,) of the sample, in px, that the crop shall hold before it is turned."""
        factor = np.exp(rng.uniform(-1, 1) * np.log1p(self.scale_jitter))
        larger = _magnified(sample, float(factor))
        if holding is not None:
            sizes = [(one.image.shape[1], one.image.shape[0]) for one in (sample, larger)]
            holding = map_points(holding, *sizes)[0]
        cropped = random_crop(larger, self.size_px, rng, holding)
        if not self.whole:
            cropped = replace(cropped, values=in_part(cropped.values))
        self._pipeline.set_random_seed(int(rng.integers(2**31)))
        return apply(self._pipeline, cropped)


def _whole_turns(width: int, height: int) -> list[albumentations.BasicTransform]:
    if width == height:
        return [albumentations.D4(p=1.0)]
    # A quarter turn would not fit.
    return [albumentations.HorizontalFlip(p=0.5), albumentations.VerticalFlip(p=0.5)]


def compose(transforms: list[albumentations.BasicTransform]) -> albumentations.Compose:
    return albumentations.Compose(
        transforms, keypoint_params=albumentations.KeypointParams(format="xy", remove_invisible=False)
    )


def apply(pipeline: albumentations.Compose, sample: Sample) -> Sample:
    """The sample transformed, its points with it; structures that left the image are no longer taught."""
    known = sample.structures
    were_whole = known.whole((sample.image.shape[1], sample.image.shape[0]))
    count, tips = len(known.xy), np.flatnonzero(np.isfinite(known.tip).all(axis=1))
    points = np.concatenate([known.xy, known.tip[tips], known.ignored])
    masks = [sample.valid.astype(np.uint8), sample.scalp, sample.strands]
    result = pipeline(image=sample.image, masks=masks, keypoints=points - HALF_PX)
    moved = np.asarray(result["keypoints"], np.float64).reshape(-1, 2) + HALF_PX
    tip = np.full_like(known.tip, np.nan)
    tip[tips] = moved[count : count + len(tips)]
    image = np.ascontiguousarray(result["image"])
    known = known.moved(moved[:count], tip, moved[count + len(tips) :])
    return replace(
        sample,
        image=image,
        structures=known.part((image.shape[1], image.shape[0]), were_whole),
        valid=result["masks"][0].astype(np.bool_),
        scalp=np.ascontiguousarray(result["masks"][1]),
        strands=np.ascontiguousarray(result["masks"][2]),
    )


def rescaled(sample: Sample, um_per_px: float, wanted_um_per_px: float) -> Sample:
    """The sample at another µm per px."""
    return _resized(sample, size_at((sample.image.shape[1], sample.image.shape[0]), um_per_px, wanted_um_per_px))


def _resized(sample: Sample, wanted: tuple[int, int]) -> Sample:
    """The sample at another size (width, height), by the project's one resampler."""
    size = (sample.image.shape[1], sample.image.shape[0])
    known = sample.structures
    return replace(
        sample,
        image=resample(sample.image, wanted),
        structures=known.moved(*(map_points(points, size, wanted) for points in (known.xy, known.tip, known.ignored))),
        valid=nearest(sample.valid, wanted),
        scalp=nearest(sample.scalp, wanted),
        strands=nearest(sample.strands, wanted),
    )


def nearest(mask: NDArray[T], size_px: tuple[int, int]) -> NDArray[T]:
    """A mask (H, W) at another size (width, height), each value one that it had."""
    height, width = mask.shape
    rows = ((np.arange(size_px[1]) + HALF_PX) * height / size_px[1]).astype(np.int64)
    columns = ((np.arange(size_px[0]) + HALF_PX) * width / size_px[0]).astype(np.int64)
    return mask[rows[:, None], columns[None]]


def _magnified(sample: Sample, factor: float) -> Sample:
    """As if the capture's scale had been told wrongly by that factor: everything in it is larger, widths too."""
    larger = _resized(sample, size_at((sample.image.shape[1], sample.image.shape[0]), factor, 1.0))
    known = larger.structures
    wider = Structures(known.xy, known.channel, known.tip, known.width_um * factor, known.ignored)
    return replace(larger, structures=wider)


def random_crop(
    sample: Sample, size_px: tuple[int, int], rng: np.random.Generator, holding: NDArray[np.float64] | None = None
) -> Sample:
    """A (width, height) window of the sample, padded where the sample is smaller; padding is not valid scalp.

    holding: a point (2,) in px, which the window is drawn to hold.
    """
    height, width = sample.image.shape[:2]
    points = (None, None) if holding is None else (int(holding[0]), int(holding[1]))
    left, top = (
        _start(extent, side, point, rng) for extent, side, point in zip((width, height), size_px, points, strict=True)
    )
    return crop(sample, left, top, *size_px)


def _start(extent: int, side: int, point: int | None, rng: np.random.Generator) -> int:
    first, last = min(0, extent - side), max(0, extent - side)
    if point is not None:
        first, last = max(first, min(point - side + 1, last)), min(last, max(point, first))
    # A share of the windows lies at the sample's own edge, which is met at every reading.
    beyond = side // 8 if extent > side else 0
    return int(np.clip(rng.integers(first - beyond, last + beyond + 1), first, last))


def crop(sample: Sample, left: int, top: int, width: int, height: int) -> Sample:
    """The window of width × height px at (left, top), which may reach outside the sample.

    Numbers and presences are kept where it holds the whole sample, else as far as a part can tell them.
    """
    image = np.full((height, width, 3), PAD_VALUE, np.uint8)
    valid = np.zeros((height, width), np.bool_)
    scalp, strands = np.zeros((height, width), np.uint8), np.zeros((height, width), np.uint8)
    source, target = _overlap(sample.image.shape[:2], (top, left, height, width))
    image[target] = sample.image[source]
    valid[target], scalp[target], strands[target] = sample.valid[source], sample.scalp[source], sample.strands[source]
    known, shift = sample.structures, np.array([left, top], np.float64)
    moved: Structures = known.moved(known.xy - shift, known.tip - shift, known.ignored - shift)
    bottom, right = sample.image.shape[:2]
    holds_all = left <= 0 and top <= 0 and left + width >= right and top + height >= bottom
    values = sample.values if holds_all else in_part(sample.values)
    part = moved.part((width, height), known.whole((right, bottom)))
    return replace(sample, image=image, structures=part, valid=valid, scalp=scalp, strands=strands, values=values)


def _overlap(
    shape: tuple[int, ...], window: tuple[int, int, int, int]
) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
    starts, sizes = window[:2], window[2:]
    first = [max(0, start) for start in starts]
    last = [min(extent, start + size) for extent, start, size in zip(shape, starts, sizes, strict=True)]
    source = tuple(slice(a, b) for a, b in zip(first, last, strict=True))
    target = tuple(slice(a - s, b - s) for a, b, s in zip(first, last, starts, strict=True))
    return source, target

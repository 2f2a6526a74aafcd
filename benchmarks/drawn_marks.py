"""Marks of a reading compared with what was drawn. Without PyTorch, so that a pin is taken quickly."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from trichotrack.evaluate.points import CaptureScore, sweep_capture
from trichotrack.runtime.reading import MarkedObject, Reading
from trichotrack.runtime.spec import ModelSpec, SignSpec
from trichotrack.signs import refused_by_preparation
from trichotrack.synth.render import SyntheticCapture, SyntheticObject

TOLERANCE_MM = 0.15
IGNORED_SIGN = "intermediate_hair"
"""Neither vellus nor terminal: a mark on one is neither right nor wrong."""


@dataclass(frozen=True)
class Field:
    """A magnification: its name, size in px and µm per px."""

    name: str
    size_px: tuple[int, int]
    um_per_px: float


def without_missed(spec: ModelSpec) -> ModelSpec:
    """No sign refused for what validation missed: an exam measures these too."""
    return replace(spec, signs=tuple(map(unmeasured, spec.signs)))


def unmeasured(channel: SignSpec) -> SignSpec:
    """The channel as if nobody had measured what it misses."""
    there = channel.clipped and replace(channel.clipped, recall=None, recall_se=None)
    return replace(channel, recall=None, recall_se=None, clipped=there)


def is_refused(reading: Reading) -> bool:
    """Whether the model looked at the capture and refused all of it, for showing too little scalp."""
    return reading.scalp_share is not None and all(told.status == "refused" for told in reading.signs.values())


def scores_of(reading: Reading, capture: SyntheticCapture, spec: ModelSpec, name: str = "") -> list[CaptureScore]:
    """Each sign of the reading at the model's thresholds; name: of the capture, which is resampled in intervals.

    A sign that the preparation or the scale hides is left out. Of a capture that is_refused, all else that was drawn
    is missed.
    """
    tolerance_px = TOLERANCE_MM * 1000 / capture.um_per_px
    ignored = points_of(item for item in capture.objects if item.sign == IGNORED_SIGN)
    refused, scores = is_refused(reading), []
    for channel in spec.signs:
        sign = channel.sign.name
        told = reading.signs[sign]
        hidden = refused_by_preparation(channel.sign, capture.preparation) or channel.sign.too_coarse(capture.um_per_px)
        if sign == IGNORED_SIGN or hidden or (told.status == "refused" and not refused):
            continue
        drawn = points_of(item for item in capture.objects if item.sign == sign)
        found = [mark for mark in reading.objects if mark.sign == sign]
        marks = (points_of(found), np.array([mark.score or 0.0 for mark in found]))
        swept = sweep_capture(
            drawn, marks, ignored, tolerance_px, patient=name, file=name, sign=sign, area_cm2=reading.area_cm2
        )
        scores.append(swept.at(0.0))  # the reader has applied the model's thresholds
    return scores


def points_of(items: Iterable[SyntheticObject | MarkedObject]) -> NDArray[np.float64]:
    """Roots or centres, (N, 2) px."""
    return np.array([(item.x, item.y) for item in items], np.float64).reshape(-1, 2)

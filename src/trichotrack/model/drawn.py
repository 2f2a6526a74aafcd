"""Samples from the procedural scalp."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from trichotrack.model.augment import rescaled
from trichotrack.model.plan import Plan
from trichotrack.model.sample import (
    EXHAUSTIVE,
    NOT_SCALP,
    SCALP,
    UNKNOWN,
    UNNAMED_STRAND,
    Sample,
    Structures,
    known_pairs,
)
from trichotrack.signs import COUNTED_AS, REFUSED_BY_PREPARATION
from trichotrack.synth.label import SyntheticObject
from trichotrack.synth.priors import Priors
from trichotrack.synth.render import SyntheticCapture, capture_rng, render_capture


@dataclass(frozen=True)
class DrawnCapture:
    """A synthetic capture, new for every (seed, epoch, index), brought to the plan's scale.

    um_per_px: range from which the camera's own scale is drawn. field_um: (width, height) on the scalp; None: a
    field of 640 × 512 px at the canonical scale. priors: what the scalp, its skin and the camera are drawn from.
    The hairs of a clipped scalp are called what each looks like, see `signs.COUNTED_AS`.
    """

    plan: Plan
    um_per_px: tuple[float, float]
    field_um: tuple[float, float] | None = None
    priors: Priors = field(default_factory=Priors)

    def sample(self, seed: int, epoch: int, index: int) -> Sample:
        rng = capture_rng(seed, epoch, index)
        um_per_px = float(np.exp(rng.uniform(*np.log(self.um_per_px))))
        width_um, height_um = self.field_um or (640 * self.plan.um_per_px, 512 * self.plan.um_per_px)
        size = (round(width_um / um_per_px), round(height_um / um_per_px))
        drawn = render_capture(rng, size_px=size, um_per_px=um_per_px, priors=self.priors)
        return rescaled(_as_sample(drawn, self.plan), um_per_px, self.plan.um_per_px)


def _as_sample(drawn: SyntheticCapture, plan: Plan) -> Sample:
    channel = {name: i for i, name in enumerate(plan.signs)}
    refused, _ = REFUSED_BY_PREPARATION[drawn.preparation]
    confused = COUNTED_AS[drawn.preparation]
    objects = tuple(_as_it_looks(item, confused) for item in drawn.objects) if confused else drawn.objects
    unknown = refused - set(confused)
    sought = [item for item in objects if item.sign in channel]
    ignored = [(item.x, item.y) for item in objects if item.sign in plan.ignore]
    return Sample(
        drawn.image,
        Structures(
            xy=np.array([(item.x, item.y) for item in sought], np.float64).reshape(-1, 2),
            channel=np.array([channel[item.sign] for item in sought], np.int64),
            tip=known_pairs([(item.tip_x, item.tip_y) for item in sought]),
            width_um=known_pairs([(item.root_width_um, item.tip_width_um) for item in sought]),
            ignored=np.array(ignored, np.float64).reshape(-1, 2),
        ),
        np.array([UNKNOWN if name in unknown else EXHAUSTIVE for name in plan.signs]),
        np.ones(drawn.image.shape[:2], np.bool_),
        np.where(drawn.valid, SCALP, NOT_SCALP).astype(np.uint8),
        _strands(drawn, [None if item.sign in unknown else channel.get(item.sign) for item in objects]),
        preparation=drawn.preparation,
    )


def _as_it_looks(item: SyntheticObject, confused: Mapping[str, str]) -> SyntheticObject:
    """A clipped terminal hair whose end is in view looks like a broken one."""
    looks_like = next((like for like, sign in confused.items() if sign == item.sign), item.sign)
    return replace(item, sign=looks_like) if item.tip_in_view else item


def _strands(drawn: SyntheticCapture, channels: list[int | None]) -> NDArray[np.uint8]:
    """Sample.strands. channels: of each object; None where the plan does not seek its sign."""
    code = [UNKNOWN if channel is None else UNNAMED_STRAND + 1 + channel for channel in channels]
    # By the negative numbers of NO_HAIR and UNNAMED, from the end.
    return np.array([*code, UNNAMED_STRAND, UNKNOWN], np.uint8)[drawn.strands]

"""One training sample, and what the network should say of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from trichotrack.detect.targets import cells_of, discs, heatmap, offsets
from trichotrack.model.network import SHAFT_SCALE_UM
from trichotrack.model.plan import STRIDE, Plan

UNKNOWN, PARTIAL, EXHAUSTIVE, COUNT, PRESENCE = 0, 1, 2, 3, 4
"""What is known of a sign in a capture: nothing, some of its structures, all of them, how many there are, or whether
there is any."""

NOT_SCALP, SCALP = 1, 2
"""What a px shows, where that is known (else UNKNOWN): a strip of buttons or burned-in text, or scalp."""

UNNAMED_STRAND = 1
"""A hair that shows no root, where shafts are known; the shaft of sign i is i + 2, and all else UNKNOWN."""


@dataclass(frozen=True)
class Structures:
    """N labelled structures of one image, in its px.

    xy: float64 (N, 2), roots. channel: int64 (N,), index into the plan's signs. tip: (N, 2), nan where unknown.
    width_um: (N, 2), at root and tip, nan where unknown. ignored: (M, 2), structures to look away from.
    """

    xy: NDArray[np.float64]
    channel: NDArray[np.int64]
    tip: NDArray[np.float64]
    width_um: NDArray[np.float64]
    ignored: NDArray[np.float64]

    def moved(self, xy: NDArray[np.float64], tip: NDArray[np.float64], ignored: NDArray[np.float64]) -> Structures:
        return Structures(xy, self.channel, tip, self.width_um, ignored)

    def counted_as(self, becomes: Sequence[int | None]) -> Structures:
        """Those that are counted, by the sign that each is counted as; see signs.counted_as."""
        counted = np.array([becomes[channel] is not None for channel in self.channel], np.bool_)
        kept = self._kept(counted, np.ones(len(self.ignored), np.bool_))
        return replace(kept, channel=np.array([becomes[channel] for channel in kept.channel], np.int64))

    def on(self, valid: NDArray[np.bool_]) -> Structures:
        """Those whose root lies on valid (H, W) scalp; what lies elsewhere is neither taught nor counted."""
        return self._kept(_true_at(valid, self.xy), _true_at(valid, self.ignored))

    def inside(self, size_px: tuple[int, int]) -> Structures:
        """Those whose root lies in an image of (width, height); a tip outside is kept as it is."""
        return self._kept(_within(self.xy, size_px), _within(self.ignored, size_px))

    def whole(self, size_px: tuple[int, int]) -> NDArray[np.bool_]:
        """Whose tip is known and lies in an image of (width, height), (N,)."""
        return _within(self.tip, size_px)

    def part(self, size_px: tuple[int, int], were_whole: NDArray[np.bool_]) -> Structures:
        """As inside, of a part of an image: hairs that lost their tip to the cut are looked away from.

        By its end a hair is told, and what readers make of one that leaves the picture can be learnt at the picture's
        own edge alone. were_whole: (N,), those that showed root and tip before.
        """
        cut = were_whole & ~self.whole(size_px)
        ignored = np.concatenate([self.ignored, self.xy[cut]])
        return Structures(self.xy[~cut], self.channel[~cut], self.tip[~cut], self.width_um[~cut], ignored).inside(
            size_px
        )

    def _kept(self, which: NDArray[np.bool_], ignored: NDArray[np.bool_]) -> Structures:
        return Structures(
            self.xy[which], self.channel[which], self.tip[which], self.width_um[which], self.ignored[ignored]
        )


@dataclass(frozen=True)
class Sample:
    """An image at canonical scale, uint8 (H, W, 3) with H and W multiples of the total stride; what is known of it.

    levels: int64 (C,), of UNKNOWN to PRESENCE. valid: bool (H, W), where the labels speak. scalp: uint8
    (H, W), of UNKNOWN, NOT_SCALP, SCALP. strands: uint8 (H, W), whose shaft lies where: see UNNAMED_STRAND. values:
    float64 (C,), the number of COUNT, 1 or 0 of PRESENCE, nan where none is known of this image; None: of no sign.
    preparation: of the scalp, which says what is counted there and as what (`signs.counted_as`).
    """

    image: NDArray[np.uint8]
    structures: Structures
    levels: NDArray[np.int64]
    valid: NDArray[np.bool_]
    scalp: NDArray[np.uint8]
    strands: NDArray[np.uint8]
    values: NDArray[np.float64] | None = None
    preparation: str = "none"


def in_part(values: NDArray[np.float64] | None) -> NDArray[np.float64] | None:
    """What the values of a capture say of a part of it: a sign that is nowhere is not there, and nothing else."""
    return None if values is None else np.where(values == 0, 0.0, np.nan)


def tensors_of(sample: Sample, plan: Plan) -> Mapping[str, Tensor]:
    """The sample as the loss takes it.

    image: uint8 (H, W, 3). heat: float32 (C, h, w). weight: float32 (C, h, w), 0 where nothing is known: unlabelled
    signs, all but the labelled cells of partial ones, those of which only a number or presence is known unless it is 0
    (none there is as good as all marked), invalid scalp, and around ignored structures. offset: (2, h, w).
    root: bool (h, w), cells with an offset. shaft: (5, h, w), nan where unknown; of a plan without a scale only the
    direction is known. scalp: (1, h, w), 1 scalp, 0 not, nan unknown. strands: int64 (h, w), 0 for a hair without a
    root, 1 + channel for a sign's shaft, -1 unknown. counted, present: float32 (C,), the number, and 1 or 0, nan where
    unknown. located: bool (C,), exhaustive signs. seen: bool (h, w), cells that labels speak of.
    """
    height, width = sample.image.shape[:2]
    grid_hw = (height // STRIDE, width // STRIDE)
    known = sample.structures
    heat = np.stack(
        [
            heatmap(known.xy[known.channel == i], grid_hw, stride=STRIDE, sigma_px=plan.sigma_px)
            for i in range(len(plan.signs))
        ]
    )
    look_away = discs(known.ignored, grid_hw, stride=STRIDE, radius_px=plan.ignore_radius_px)
    centre = STRIDE // 2
    looked_at = sample.valid[centre::STRIDE, centre::STRIDE][: grid_hw[0], : grid_hw[1]] & ~look_away
    shown = sample.scalp[centre::STRIDE, centre::STRIDE][: grid_hw[0], : grid_hw[1]]
    scalp = np.where(shown == UNKNOWN, np.nan, shown == SCALP).astype(np.float32)
    strands = sample.strands[centre::STRIDE, centre::STRIDE][: grid_hw[0], : grid_hw[1]]
    positive = heat >= 1.0
    values = np.full(len(sample.levels), np.nan) if sample.values is None else sample.values
    of_image = {name: np.where(sample.levels == level, values, np.nan) for name, level in _OF_IMAGE}
    located = sample.levels == EXHAUSTIVE
    nowhere = (of_image["counted"] == 0) | (of_image["present"] == 0)
    everywhere = (located | nowhere)[:, None, None] & looked_at
    marked = (located | (sample.levels == PARTIAL))[:, None, None] & positive
    weight = everywhere | marked
    cells = cells_of(known.xy, grid_hw, STRIDE)
    root = np.zeros(grid_hw, np.bool_)
    root[cells[:, 0], cells[:, 1]] = True
    shaft = np.full((5, *grid_hw), np.nan, np.float32)
    shaft[:, cells[:, 0], cells[:, 1]] = _shaft(known, (width, height), plan.um_per_px).T
    return {
        "image": torch.from_numpy(np.ascontiguousarray(sample.image)),
        "heat": torch.from_numpy(heat),
        "weight": torch.from_numpy(weight.astype(np.float32)),
        "offset": torch.from_numpy(offsets(known.xy, grid_hw, STRIDE)),
        "root": torch.from_numpy(root),
        "shaft": torch.from_numpy(shaft),
        "scalp": torch.from_numpy(scalp)[None],
        "strands": torch.from_numpy(strands.astype(np.int64) - UNNAMED_STRAND),
        **{name: torch.from_numpy(value.astype(np.float32)) for name, value in of_image.items()},
        "located": torch.from_numpy(located),
        "seen": torch.from_numpy(looked_at),
    }


_OF_IMAGE = (("counted", COUNT), ("present", PRESENCE))


def known_pairs(pairs: Sequence[tuple[float | None, float | None]]) -> NDArray[np.float64]:
    """Pairs as (N, 2), nan where None."""
    return np.array([[np.nan if v is None else v for v in pair] for pair in pairs], np.float64).reshape(-1, 2)


def _shaft(known: Structures, size_px: tuple[int, int], um_per_px: float | None) -> NDArray[np.float64]:
    along = known.tip - known.xy
    length_px = np.hypot(along[:, 0], along[:, 1])
    has_length = length_px > 0
    with np.errstate(divide="ignore", invalid="ignore"):
        direction = np.where(has_length[:, None], along / length_px[:, None], np.nan)
        if um_per_px is None:  # how long and how wide it is in µm nobody knows
            return np.concatenate([direction, np.full((len(direction), 3), np.nan)], axis=1)
        # A tip outside the crop cannot be seen, so its distance is not asked for; the direction still is.
        seen = has_length & _within(known.tip, size_px)
        log_length = np.where(seen, np.log(length_px * um_per_px / SHAFT_SCALE_UM), np.nan)
        log_width = np.where(known.width_um > 0, np.log(known.width_um / SHAFT_SCALE_UM), np.nan)
    return np.concatenate([direction, log_length[:, None], log_width], axis=1)


def _true_at(mask: NDArray[np.bool_], points: NDArray[np.float64]) -> NDArray[np.bool_]:
    height, width = mask.shape
    x = np.clip(points[:, 0].astype(np.int64), 0, width - 1)
    y = np.clip(points[:, 1].astype(np.int64), 0, height - 1)
    return mask[y, x]


def _within(points: NDArray[np.float64], size_px: tuple[int, int]) -> NDArray[np.bool_]:
    x, y = points[:, 0], points[:, 1]
    return (x >= 0) & (y >= 0) & (x < size_px[0]) & (y < size_px[1])

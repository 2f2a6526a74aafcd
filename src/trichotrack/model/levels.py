"""Numbers and presences of whole captures, taught through the same peaks that give the marks.

The chance that a peak is a structure is p = σ(a · logit + b). Where a sign is located in some training captures, its a
and b are fitted there as training goes (Platt 1999), on logits that this does not change; where it nowhere is, they
stay 1 and 0: nothing tells a calibration apart from the logits, which the number or the presence itself then brings to
scale. Peaks are those of the logits at first sight, and which they are is not learnt through; the likeliest are
followed along their shafts, as an exported model follows all. Where a number is known, so many of the highest peaks are
taken for the structures besides.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from trichotrack.model.losses import FOCUS

WEIGHTS: Mapping[str, float] = {"count": 0.1, "claimed": 1.0, "presence": 1.0}

FOLLOWED_PEAKS = 256
"""Peaks of a capture whose shafts are followed; the others count as they look at first sight."""

TOP = 8
"""Where presence is all that is known of a sign, so many of its likeliest peaks speak: over thousands of untaught
peaks, each of a small chance, every capture would be sure to have one, and a present sign would teach nothing."""

LEAST = 1e-6
"""Below it an expected number teaches as if it were that."""

PRIOR, KEPT = 4.0, 0.95
"""How firmly a calibration starts (as so many peaks at p = 0.5 would hold it), and how much of what earlier batches
told is kept at the next: about twenty batches speak."""

SLOPES, OFFSETS = (0.1, 10.0), (-10.0, 10.0)
"""Of calibrations: a slope of 0 or less would turn the order of the marks."""


class Calibration(nn.Module):
    """p = σ(slope · logit + offset) per sign, each (C,), at first 1 and 0."""

    slope: Tensor
    offset: Tensor
    information: Tensor

    def __init__(self, signs: int) -> None:
        super().__init__()
        self.register_buffer("slope", torch.ones(signs))
        self.register_buffer("offset", torch.zeros(signs))
        self.register_buffer("information", _prior(signs))

    def forward(self, logits: Tensor) -> Tensor:
        """Logits (B, C, ...), calibrated: the sigmoid of what is given is a probability."""
        shape = (1, -1) + (1,) * (logits.ndim - 2)
        return logits * self.slope.view(shape) + self.offset.view(shape)

    @torch.no_grad()
    def fit(self, logits: Tensor, peaks: Tensor, right: Tensor, located: Tensor) -> None:
        """Logistic regression of right on the logit at peaks (B, C, h, w), one step of Newton's a batch.

        located: bool (B, C), where all structures are known. Earlier batches weigh KEPT times less at each step, so
        that the fit follows a network that learns; what they told is kept as the 2 × 2 information of (slope, offset).
        """
        peaks = peaks & located[..., None, None]
        there = peaks.any(3).any(2).any(0)
        x = torch.where(peaks, logits.detach(), 0.0).double()
        p = self(x).sigmoid()
        error, spread = (torch.where(peaks, value, 0.0) for value in (p - right.double(), p * (1 - p)))
        gradient = torch.stack([(error * x).sum((0, 2, 3)), error.sum((0, 2, 3))], dim=-1)
        corner = (spread * x).sum((0, 2, 3))
        told = torch.stack([(spread * x * x).sum((0, 2, 3)), corner, corner, spread.sum((0, 2, 3))], dim=-1)
        prior = _prior(len(self.slope)).to(self.information)
        information = KEPT * self.information + (1 - KEPT) * prior + told.view(-1, 2, 2).to(self.information)
        step = torch.linalg.solve(information.double(), gradient)
        # A batch without the sign says nothing of it.
        self.information.copy_(torch.where(there[:, None, None], information, self.information))
        slope, offset = self.slope - step[:, 0].to(self.slope), self.offset - step[:, 1].to(self.offset)
        self.slope.copy_(torch.where(there, slope.clamp(*SLOPES), self.slope))
        self.offset.copy_(torch.where(there, offset.clamp(*OFFSETS), self.offset))

    @property
    def changes(self) -> bool:
        """Whether any sign's calibration is other than 1 and 0."""
        return bool((self.slope != 1).any() or (self.offset != 0).any())

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *others: Any) -> None:
        # Checkpoints of trainings that knew no calibration had none.
        for name, value in self.named_buffers():
            state_dict.setdefault(prefix + name, value)
        super()._load_from_state_dict(state_dict, prefix, *others)


def _prior(signs: int) -> Tensor:
    return (PRIOR / 4 * torch.eye(2)).repeat(signs, 1, 1)


def peak_mask(logits: Tensor) -> Tensor:
    """Whether the logit (B, C, h, w) peaks in its 3×3 neighbourhood; detect.decode.local_maxima in torch.

    Strictly above the four neighbours before it in raster order, not below the four after, and above at least one.
    """
    height, width = logits.shape[-2:]
    outside = functional.pad(logits, (1, 1, 1, 1), value=-torch.inf)
    peak = logits > -functional.max_pool2d(-logits, 3, stride=1, padding=1)
    for dy, dx in ((-1, -1), (-1, 0), (-1, 1), (0, -1), (0, 1), (1, -1), (1, 0), (1, 1)):
        neighbour = outside[..., 1 + dy : 1 + dy + height, 1 + dx : 1 + dx + width]
        peak = peak & (logits > neighbour if (dy, dx) < (0, 0) else logits >= neighbour)
    return peak


def peaks_to_follow(logits: Tensor, peaks: Tensor) -> Tensor:
    """Cells (B, FOLLOWED_PEAKS or fewer) of the likeliest peaks of any sign; logits, peaks: (B, C, h, w)."""
    likely = logits.detach().masked_fill(~peaks, -torch.inf).amax(1).flatten(1)
    return likely.topk(min(FOLLOWED_PEAKS, likely.shape[1]), dim=1).indices


def followed(first: Tensor, cells: Tensor, logits: Tensor) -> Tensor:
    """Logits at first sight (B, C, h, w), and in place of them those of cells (B, N), (B, C, N), once followed."""
    at = cells[:, None].expand(-1, first.shape[1], -1)
    return first.flatten(2).scatter(2, at, logits).view_as(first)


def right_peaks(logits: Tensor, peaks: Tensor, roots: Tensor, reach: int) -> Tensor:
    """Which peaks (B, C, h, w) are some root's best: the highest within reach cells of it, along each axis.

    One root makes one peak right, so that right peaks are as many as the roots that have any, not more.
    """
    window = {"kernel_size": 2 * reach + 1, "stride": 1, "padding": reach}
    heights = logits.detach().masked_fill(~peaks, -torch.inf)
    best = functional.max_pool2d(heights, **window).masked_fill(~roots, torch.inf)
    return peaks & (-functional.max_pool2d(-best, **window) <= heights)


def count(calibrated: Tensor, peaks: Tensor, number: Tensor) -> Tensor:
    """Poisson deviance, halved, of numbers (B, C) from the expected λ = Σp over peaks (B, C, h, w), per structure.

    n log(n / λ) - (n - λ), whose gradient is that of the likelihood and which is 0 at λ = n (McCullagh & Nelder 1989);
    summed over the numbers known (not nan) and divided by their sum, at least 1, as the focal loss is by its roots.
    """
    known = ~torch.isnan(number)
    n = torch.where(known, number, 0.0)
    expected = (calibrated.sigmoid() * peaks).sum((2, 3)).clamp(min=LEAST)
    deviance = torch.xlogy(n, n) - n * expected.log() - (n - expected)
    return (deviance * known).sum() / n.sum().clamp(min=1.0)


def claimed(logits: Tensor, peaks: Tensor, number: Tensor, apart: int) -> Tensor:
    """Focal loss over peaks (B, C, h, w) of signs of which the number n (B, C) is known (else nan), per structure.

    The n highest peaks are taken for the structures and the others for nothing, as one would guess who knows the number
    alone (count-guided selection: Gao et al. 2018, arXiv 1711.05282). A peak with a higher one within `apart` cells
    along both axes is no structure of its own. So a sign keeps its few clear places, where the expected number is as
    content with many faint ones.
    """
    known = ~torch.isnan(number)
    n = torch.where(known, number, 0.0)
    heights = logits.detach().masked_fill(~peaks, -torch.inf)
    around = functional.max_pool2d(heights, 2 * apart + 1, stride=1, padding=apart)
    heights = heights.masked_fill(heights < around, -torch.inf).flatten(2)
    order = heights.sort(dim=2, descending=True)
    rank = torch.arange(order.values.shape[2], device=logits.device)
    first = (rank < n[..., None]) & torch.isfinite(order.values)
    structure = torch.zeros_like(first).scatter(2, order.indices, first).view_as(peaks)
    p = logits.sigmoid()
    hit = structure * (1 - p) ** FOCUS * functional.softplus(-logits)
    miss = (peaks & ~structure) * p**FOCUS * functional.softplus(logits)
    return ((hit + miss).sum((2, 3)) * known).sum() / n.sum().clamp(min=1.0)


def presence(calibrated: Tensor, peaks: Tensor, present: Tensor, top: Tensor) -> Tensor:
    """Mean cross-entropy of presences (B, C; 1, 0 or nan) from 1 - Π(1 - p) over peaks (B, C, h, w).

    top: bool (C,), signs of which only the TOP likeliest peaks speak. With S = Σ softplus(logit), absence has the
    logarithm -S and presence log(1 - exp(-S)), which neither overflows nor vanishes.
    """
    known = ~torch.isnan(present)
    each = functional.softplus(calibrated.masked_fill(~peaks, -torch.inf)).flatten(2)
    highest = each.topk(min(TOP, each.shape[2]), dim=2).values.sum(2)
    total = torch.where(top, highest, each.sum(2)).clamp(min=LEAST)
    loss = torch.where(present > 0, -torch.log(-torch.expm1(-total)), total)
    return (loss * known).sum() / known.sum().clamp(min=1)


def terms(
    calibrated: Tensor, logits: Tensor, peaks: Tensor, batch: Mapping[str, Tensor], top: Tensor, apart: int
) -> dict[str, Tensor]:
    """All terms, as WEIGHTS names them. batch: see sample.tensors_of; the others: see each."""
    return {
        "count": count(calibrated, peaks, batch["counted"]),
        "claimed": claimed(logits, peaks, batch["counted"], apart),
        "presence": presence(calibrated, peaks, batch["present"], top),
    }


def weighted(of_images: Mapping[str, Tensor]) -> Tensor:
    """The sum of terms, by WEIGHTS."""
    return torch.stack([WEIGHTS[name] * term for name, term in of_images.items()]).sum()

"""What the network is punished for. Every term is blind where nothing is known."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn import functional

from trichotrack.model.network import taken

FOCUS = 2.0
"""Exponent on the error of a cell (alpha of Law & Deng 2018)."""

NEAR = 4.0
"""Exponent that spares cells next to a root (beta of Law & Deng 2018)."""

WEIGHTS: Mapping[str, float] = {
    "focal": 1.0,
    "offset": 0.5,
    "shaft": 0.8,
    "scalp": 0.5,
    "strands": 1.0,
    "followed": 1.0,
    "rivals": 0.5,
    "followed_shaft": 0.5,
}

FOLLOWED = 512
"""Cells of an image whose shafts are followed in a training step: half of them likely ones, half spread over all."""

GOLDEN = 0.6180339887498949
"""Multiples of it, without their whole part, fall evenly between 0 and 1."""


def focal(logits: Tensor, heat: Tensor, weight: Tensor, unplaced: Tensor | float = 0.0) -> Tensor:
    """Penalty-reduced focal loss per root (Law & Deng 2018, eq. 1), computed on logits so that it never overflows.

    logits, heat, weight: (B, C, h, w). heat is 1 exactly at roots. Cells of weight 0 contribute no value and no
    gradient. Divided by the number of known roots and of structures known to be there without their places (unplaced),
    at least 1: else a capture of which only numbers are known would weigh a sign that it lacks as all its hairs.
    """
    positive = (heat >= 1.0).float() * weight
    probability = logits.sigmoid()
    hit = positive * (1 - probability) ** FOCUS * functional.softplus(-logits)
    miss = (weight - positive) * (1 - heat) ** NEAR * probability**FOCUS * functional.softplus(logits)
    return (hit + miss).sum() / (positive.sum() + unplaced).clamp(min=1.0)


def at_roots(predicted: Tensor, target: Tensor, root: Tensor) -> Tensor:
    """Mean absolute error (B, K, h, w) over the root cells (B, h, w) and values that are known (not nan); else 0."""
    known = root[:, None] & ~torch.isnan(target)
    error = (predicted - torch.where(known, target, predicted.detach())).abs() * known
    return error.sum() / known.sum().clamp(min=1)


def scalp(logits: Tensor, target: Tensor) -> Tensor:
    """Mean binary cross-entropy (B, 1, h, w) over the cells that are known (not nan); else 0."""
    known = ~torch.isnan(target)
    each = functional.binary_cross_entropy_with_logits(logits, target.nan_to_num(0.0), reduction="none")
    return (each * known).sum() / known.sum().clamp(min=1)


def rivals(logits: Tensor, heat: Tensor, weight: Tensor) -> Tensor:
    """Mean cross-entropy, over the roots, of the sign against those known not to be there; (B, C, h, w) each; else 0.

    A softmax leaves the level of the logits to the focal loss: it only parts one sign from another.
    """
    root = (heat >= 1.0) & (weight > 0)
    against = logits.masked_fill(~root & (weight == 0), -torch.inf)
    images, signs, rows, columns = root.nonzero(as_tuple=True)
    if not len(signs):
        return logits.sum() * 0.0
    # Where two signs share a cell, each is held against the others only.
    at = against[images, :, rows, columns].masked_fill(root[images, :, rows, columns], -torch.inf)
    own = logits[images, signs, rows, columns]
    at = at.scatter(1, signs[:, None], own[:, None])
    return (at.logsumexp(1) - own).mean()


def strands(logits: Tensor, target: Tensor) -> Tensor:
    """Cross-entropy (B, K, h, w) against kinds of shaft (B, h, w), -1 unknown: the mean of each kind's, if present."""
    each = functional.cross_entropy(logits, target, ignore_index=-1, reduction="none")
    known = target >= 0
    kinds = functional.one_hot(target.clamp(min=0), logits.shape[1]).permute(3, 0, 1, 2).flatten(1) * known.flatten()
    count = kinds.sum(1)
    means = (kinds * each.flatten()).sum(1) / count.clamp(min=1)
    return means.sum() / (count > 0).sum().clamp(min=1)


def cells_to_follow(logits: Tensor, batch: Mapping[str, Tensor]) -> Tensor:
    """FOLLOWED cells (B, N) whose shafts are followed in a training step, none of them twice.

    One half is every root, and most of what looks like one; the other is spread evenly, since a reading follows from
    every cell: what was never followed from bare skin would say anything there. logits: (B, C, h, w), at first sight.
    By a fixed pattern and not by chance, so that training can be repeated.
    """
    cells = logits.shape[-2] * logits.shape[-1]
    pattern = torch.arange(cells, device=logits.device) * GOLDEN % 1.0
    likely = logits.detach().sigmoid().amax(1) + batch["heat"].amax(1) + 0.3 * (batch["strands"] >= 0) + 0.2
    first = (likely.flatten(1) * pattern) + 4.0 * batch["root"].flatten(1)
    chosen = first.topk(min(FOLLOWED // 2, cells), dim=1).indices
    spread = pattern.expand_as(first).scatter(1, chosen, -1.0)
    return torch.cat([chosen, spread.topk(min(FOLLOWED // 2, cells - chosen.shape[1]), dim=1).indices], dim=1)


def total(
    heads: Mapping[str, Tensor], batch: Mapping[str, Tensor], cells: Tensor, followed: tuple[Tensor, Tensor]
) -> dict[str, Tensor]:
    """All terms and their weighted sum, as `loss` and WEIGHTS name them.

    heads: at first sight, on the grid. followed: logits (B, C, N) and shaft (B, 5, N) at cells (B, N) once the shafts
    there were followed.
    """
    logits, shaft = (value[..., None] for value in followed)
    heat, weight, target = (taken(batch[name], cells)[..., None] for name in ("heat", "weight", "shaft"))
    root = taken(batch["root"][:, None], cells)[:, 0, :, None]
    unplaced = batch["counted"].nan_to_num(0.0).sum() + batch["present"].nan_to_num(0.0).sum()
    terms = {
        "focal": focal(heads["logits"], batch["heat"], batch["weight"], unplaced),
        "offset": at_roots(heads["offset"], batch["offset"], batch["root"]),
        "shaft": at_roots(heads["shaft"], batch["shaft"], batch["root"]),
        "scalp": scalp(heads["scalp"], batch["scalp"]),
        "strands": strands(heads["strands"], batch["strands"]),
        "followed": focal(logits, heat, weight, unplaced),
        "rivals": rivals(logits, heat, weight),
        "followed_shaft": at_roots(shaft, target, root),
    }
    loss = torch.stack([WEIGHTS[name] * term for name, term in terms.items()]).sum()
    return {"loss": loss, **terms}

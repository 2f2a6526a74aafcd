"""What the network is punished for. Every term is blind where nothing is known."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn import functional

FOCUS = 2.0
"""Exponent on the error of a cell (alpha of Law & Deng 2018)."""

NEAR = 4.0
"""Exponent that spares cells next to a root (beta of Law & Deng 2018)."""

OFFSET_WEIGHT, SHAFT_WEIGHT, SCALP_WEIGHT = 0.5, 0.8, 0.5


def focal(logits: Tensor, heat: Tensor, weight: Tensor) -> Tensor:
    """Penalty-reduced focal loss per root (Law & Deng 2018, eq. 1), computed on logits so that it never overflows.

    logits, heat, weight: (B, C, h, w). heat is 1 exactly at roots. Cells of weight 0 contribute no value and no
    gradient. Divided by the number of known roots, at least 1.
    """
    positive = (heat >= 1.0).float() * weight
    probability = logits.sigmoid()
    hit = positive * (1 - probability) ** FOCUS * functional.softplus(-logits)
    miss = (weight - positive) * (1 - heat) ** NEAR * probability**FOCUS * functional.softplus(logits)
    return (hit + miss).sum() / positive.sum().clamp(min=1.0)


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


def total(heads: Mapping[str, Tensor], batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """All terms and their weighted sum, as `loss`, `focal`, `offset`, `shaft`, `scalp`."""
    terms = {
        "focal": focal(heads["logits"], batch["heat"], batch["weight"]),
        "offset": at_roots(heads["offset"], batch["offset"], batch["root"]),
        "shaft": at_roots(heads["shaft"], batch["shaft"], batch["root"]),
        "scalp": scalp(heads["scalp"], batch["scalp"]),
    }
    weights = {"focal": 1.0, "offset": OFFSET_WEIGHT, "shaft": SHAFT_WEIGHT, "scalp": SCALP_WEIGHT}
    loss = torch.stack([weights[name] * term for name, term in terms.items()]).sum()
    return {"loss": loss, **terms}

"""The plan: what is sought, at which scale and how finely. One definition for data, loss, metrics and export."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from trichotrack.problems import InputError
from trichotrack.signs import SIGN, Sign

STRIDE = 4
"""Canonical px per output cell."""

TOTAL_STRIDE = 16
"""H and W of every tensor are multiples of it: the backbone's coarsest grid."""

PAD_VALUE = 128
"""What an image is padded with on the right and below."""


@dataclass(frozen=True)
class Plan:
    """What a training run seeks.

    signs: output channels, by name, in order. ignore: signs whose structures are neither right nor wrong; the loss
    looks away within ignore_radius_um of them, and a mark matched to one is not counted. um_per_px: canonical scale.
    sigma_um: of the Gaussian around a root; a few cells wide. min_distance_um: marks nearer than this are one
    structure. tolerance_mm: within which a predicted root matches a labelled one. max_false_per_cm2: a threshold of an
    active sign that gives more false positives than this on validation captures is not chosen.
    """

    signs: Sequence[str] = ("black_dot", "broken_hair", "tapering_hair", "short_vellus_hair", "terminal_hair")
    ignore: Sequence[str] = ()
    um_per_px: float = 6.0
    sigma_um: float = 36.0
    min_distance_um: float = 60.0
    ignore_radius_um: float = 100.0
    tolerance_mm: float = 0.15
    max_false_per_cm2: float = 10.0

    def __post_init__(self) -> None:
        if not self.signs:
            raise InputError("a plan needs at least one sign")
        measures = ("um_per_px", "sigma_um", "min_distance_um", "ignore_radius_um", "tolerance_mm", "max_false_per_cm2")
        wrong = [f"{name} {getattr(self, name)}" for name in measures if not getattr(self, name) > 0]
        repeated = sorted({name for name in self.signs if list(self.signs).count(name) > 1})
        if wrong or repeated:
            raise InputError(f"a plan's measures are positive and its signs differ: not {', '.join(wrong + repeated)}")
        both = sorted(set(self.signs) & set(self.ignore))
        if both:
            raise InputError(f"{', '.join(both)} cannot be both sought and ignored")
        object.__setattr__(self, "signs", tuple(self.signs))
        object.__setattr__(self, "ignore", tuple(self.ignore))

    @property
    def tolerance_px(self) -> float:
        return self.tolerance_mm * 1000 / self.um_per_px

    @property
    def min_distance_px(self) -> float:
        return self.min_distance_um / self.um_per_px

    def channels(self, known: Mapping[str, Sign] | None = None) -> tuple[Sign, ...]:
        """The signs as values. known: the vocabulary of the labels; a sign it lacks is a plain one of its own."""
        vocabulary = {**SIGN, **(known or {})}
        return tuple(vocabulary.get(name) or _plain(name) for name in self.signs)


def _plain(name: str) -> Sign:
    words = name.replace("_", " ")
    return Sign(name, words, words, definition="", role="context")

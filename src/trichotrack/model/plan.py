"""The plan: what is sought, at which scale and how finely. One definition for data, loss, metrics and export."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from trichotrack.problems import InputError, Problem
from trichotrack.signs import SIGN, Sign

STRIDE = 4
"""Canonical px per output cell."""

TOTAL_STRIDE = 16
"""H and W of every tensor are multiples of it: the backbone's coarsest grid."""

PAD_VALUE = 128
"""What an image is padded with on the right and below."""

WITH_SCALE: Mapping[str, float] = {
    "sigma_um": 36.0,
    "min_distance_um": 60.0,
    "ignore_radius_um": 100.0,
    "tolerance_mm": 0.15,
    "max_false_per_cm2": 10.0,
}
"""Measures of a plan with a scale, where none is given."""

WITHOUT_SCALE: Mapping[str, float] = {
    "long_side_px": 1024,
    "sigma_px": 5.0,
    "min_distance_px": 8.0,
    "ignore_radius_px": 16.0,
    "tolerance_px": 16.0,
}
"""The same without a scale: a hill of 1.25 cells, two cells between marks. At 20x to 70x a long side of 1024 px makes
about 11 to 3.5 µm of a px, but nobody knows which: so they are rules of thumb."""


@dataclass(frozen=True)
class Plan:
    """What a training run seeks.

    signs: output channels, by name, in order. ignore: signs whose structures are neither right nor wrong; the loss
    looks away within ignore_radius_um of them, and a mark matched to one is not counted. um_per_px: canonical scale.
    sigma_um: of the Gaussian around a root; a few cells wide. min_distance_um: marks nearer than this are one
    structure. tolerance_mm: within which a predicted root matches a labelled one. max_false_per_cm2: a threshold of an
    active sign that gives more false positives than this on validation captures is not chosen.

    um_per_px None: a plan without a scale. Every image is resampled to long_side_px, whatever scale it may have, and
    the measures are those in canonical px: sigma_px, min_distance_px, ignore_radius_px, tolerance_px. Those in µm, mm
    and cm² mean nothing then and become None, since a recipe that the plan is laid over may have them. With a scale
    the measures in px follow from it and are not given. Measures not given are those of WITH_SCALE or WITHOUT_SCALE.
    """

    signs: Sequence[str] = ("black_dot", "broken_hair", "tapering_hair", "short_vellus_hair", "terminal_hair")
    ignore: Sequence[str] = ()
    um_per_px: float | None = 6.0
    sigma_um: float | None = None
    min_distance_um: float | None = None
    ignore_radius_um: float | None = None
    tolerance_mm: float | None = None
    max_false_per_cm2: float | None = None
    long_side_px: int | None = None
    sigma_px: float | None = None
    min_distance_px: float | None = None
    ignore_radius_px: float | None = None
    tolerance_px: float | None = None

    def __post_init__(self) -> None:
        if not self.signs:
            raise InputError("a plan needs at least one sign")
        own, others = (WITH_SCALE, WITHOUT_SCALE) if self.calibrated else (WITHOUT_SCALE, WITH_SCALE)
        self._take({name: usual for name, usual in own.items() if getattr(self, name) is None})
        measures = {name: getattr(self, name) for name in ("um_per_px", *own)}
        wrong = [f"{name} {value}" for name, value in measures.items() if value is not None and not value > 0]
        repeated = sorted({name for name in self.signs if list(self.signs).count(name) > 1})
        if wrong or repeated:
            raise InputError(f"a plan's measures are positive and its signs differ: not {', '.join(wrong + repeated)}")
        both = sorted(set(self.signs) & set(self.ignore))
        if both:
            raise InputError(f"{', '.join(both)} cannot be both sought and ignored")
        self._take(self._from_scale() if self.calibrated else dict.fromkeys(others))
        self._take({"signs": tuple(self.signs), "ignore": tuple(self.ignore)})

    @property
    def calibrated(self) -> bool:
        """Whether it goes by scale."""
        return self.um_per_px is not None

    def _from_scale(self) -> dict[str, float]:
        """The measures in px that the scale makes of those in µm. Raises InputError where others are given."""
        um = self.um_per_px
        in_um = {"sigma": self.sigma_um, "min_distance": self.min_distance_um, "ignore_radius": self.ignore_radius_um}
        in_px = {f"{name}_px": value / um for name, value in in_um.items()}
        in_px["tolerance_px"] = self.tolerance_mm * 1000 / um
        given = {name: value for name in WITHOUT_SCALE if (value := getattr(self, name)) is not None}
        odd = [f"{name} {value:g}" for name, value in given.items() if not _same(value, in_px.get(name))]
        if odd:
            raise InputError(
                f"{', '.join(odd)}: with um_per_px {um:g} measures in px follow from those in µm. Leave them out, or, "
                "for captures without a scale, give um_per_px: null."
            )
        return in_px

    def _take(self, values: Mapping[str, Any]) -> None:
        for name, value in values.items():
            object.__setattr__(self, name, value)

    def to_dict(self) -> dict[str, Any]:
        """The plan as its fields are given: without measures in px where they follow from the scale."""
        follows = WITHOUT_SCALE if self.calibrated else {}
        return {field.name: getattr(self, field.name) for field in fields(self) if field.name not in follows}

    def area_cm2(self, canonical_px: float) -> float:
        """Of so many canonical px; nan without a scale."""
        return math.nan if self.um_per_px is None else canonical_px * (self.um_per_px / 1e4) ** 2

    def channels(self, known: Mapping[str, Sign] | None = None) -> tuple[Sign, ...]:
        """The signs as values. known: the vocabulary of the labels; a sign it lacks is a plain one of its own.

        Raises InputError for a sign sought together with its parent where the two exclude each other: each structure is
        both, and would be counted as one of them.
        """
        vocabulary = {**SIGN, **(known or {})}
        signs = tuple(vocabulary.get(name) or _plain(name) for name in self.signs)
        groups = {sign.name: sign.group for sign in signs}
        problems = [
            Problem(
                "signs.yaml", f"is sought together with its parent {sign.parent}, of the same group {sign.group}: each "
                "structure is both, and only one of them would be marked",
                f"Give {sign.parent} `group: null`, or leave it out of the plan: evaluate adds up its kinds.",
                column="model.plan.signs", value=sign.name,
            )
            for sign in signs
            if sign.parent in groups and sign.group is not None and groups[sign.parent] == sign.group
        ]  # fmt: skip
        if problems:
            raise InputError(problems)
        return signs


def _same(given: float, expected: float | None) -> bool:
    # A plan made from another one has the measures that followed there.
    return expected is not None and math.isclose(given, expected)


def _plain(name: str) -> Sign:
    words = name.replace("_", " ")
    return Sign(name, words, words, definition="", role="context")

"""A scalp in µm: its follicular units, each hair with its sign, path and calibre, and the marks of its skin.

Coordinates are µm on the skin, x to the right and y down, with the origin at the centre of the field.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from trichotrack.synth.priors import Range

Floats = NDArray[np.float64]
Colour = tuple[float, float, float]
End = Literal["fracture", "frayed", "cut", "pointed"]

EMPTY = "empty"
"""A follicle without hair."""

GROWN = (
    "black_dot", "broken_hair", "tapering_hair", "short_vellus_hair", "terminal_hair", EMPTY, "intermediate_hair",
    "upright_regrowing_hair", "pigtail_hair",
)  # fmt: skip
"""What a follicle may show, in the order of `ScalpPriors.sign_mix` and `Course.baseline`; those may be shorter."""

YELLOW_DOT = "yellow_dot"
"""A filled opening: a structure beside whatever grows from it."""

DRAWN_SIGNS = (*(sign for sign in GROWN if sign != EMPTY), YELLOW_DOT)
"""Everything that is drawn and labelled."""

SHAVED = "shaved"
"""A follicle shaved level with the skin: a look-alike of a black dot, never labelled."""


@dataclass(frozen=True)
class Structure:
    """One hair or dot. sign: None for a hair that is never labelled (a cut fragment lying on the skin, a fibre).

    path_um: (N, 2), root first; a dot has one point, its centre. width_um: (N,), calibre along the path.
    colour: RGB of the shaft, 0 to 1. opacity: 0 to 1. lift: how far the free end rises out of focus, 0 to 1. veil: how
    much of the root the skin hides, 0 to 1. subsurface_um: how far it shines through the skin behind its root. folds:
    how deep the skin is folded there, 0 to 1. seed: of the irregularities of its outline. subtype: `fractured` or
    `frayed` of a broken hair. follicle: its number on this ground, the same at every visit; -1 where it has none.
    """

    id: str
    sign: str | None
    path_um: Floats
    width_um: Floats
    colour: Colour
    opacity: float = 1.0
    end: End = "cut"
    lift: float = 0.0
    veil: float = 0.5
    subsurface_um: float = 0.0
    folds: float = 0.0
    unit: int = -1
    seed: int = 0
    subtype: str = ""
    follicle: int = -1

    @property
    def root_um(self) -> Floats:
        return np.asarray(self.path_um[0])

    @property
    def tip_um(self) -> Floats | None:
        """The free end, or None for a dot."""
        return np.asarray(self.path_um[-1]) if len(self.path_um) > 1 else None

    @property
    def width_root_um(self) -> float:
        return float(self.width_um[0])

    @property
    def width_tip_um(self) -> float | None:
        return float(self.width_um[-1]) if len(self.path_um) > 1 else None

    def heading_um(self) -> Floats:
        """(2,), unit vector in which the shaft leaves the skin; a dot has none: (0, 0)."""
        if len(self.path_um) < 2:
            return np.zeros(2)
        ahead = self.path_um[min(2, len(self.path_um) - 1)] - self.path_um[0]
        return np.asarray(ahead / np.hypot(*ahead))

    @property
    def length_um(self) -> float:
        return float(np.hypot(*np.diff(self.path_um, axis=0).T).sum())


@dataclass(frozen=True)
class Mark:
    """A mark of the skin: kind `opening`, `yellow`, `freckle` or `dirt`; radius and colour with its strength."""

    kind: str
    xy_um: tuple[float, float]
    radius_um: float
    colour: Colour
    strength: float
    stretch: float = 1.0
    angle: float = 0.0


@dataclass(frozen=True)
class Skin:
    """The look of the skin. seed: of its texture, so that a later photograph shows the same furrows.

    sweat_per_cm2: openings of sweat glands; network: contrast of the pigment network, 0 to 1; flakes_per_cm2: plates of
    scale; cuff: share of follicles with scale around them; halo: how much of the light in the skin a hair takes.
    """

    colour: Colour
    melanin: float
    furrow_um: float
    furrow_depth: float
    furrow_stretch: float
    furrow_angle: float
    mottle: float
    grain: float
    seed: int
    sweat_per_cm2: float = 0.0
    network: float = 0.0
    flakes_per_cm2: float = 0.0
    cuff: float = 0.0
    halo: float = 0.0


@dataclass(frozen=True)
class Scalp:
    """All that a photograph may show. radius_um: how far from the origin it is known."""

    radius_um: float
    skin: Skin
    structures: tuple[Structure, ...]
    marks: tuple[Mark, ...] = ()
    vessels: tuple[Floats, ...] = ()
    clipped: bool = False

    def without(self, structure_id: str) -> Scalp:
        """The same scalp but for one structure; with a yellow dot goes the mark that paints it."""
        filled = {tuple(s.root_um.tolist()) for s in self.structures if s.id == structure_id and s.sign == YELLOW_DOT}
        return replace(
            self,
            structures=tuple(s for s in self.structures if s.id != structure_id),
            marks=tuple(mark for mark in self.marks if mark.kind != "yellow" or mark.xy_um not in filled),
        )


def within(rng: np.random.Generator, limits: Range) -> float:
    """Uniform in limits."""
    return float(rng.uniform(*limits))


def triple(colour: Floats) -> Colour:
    """A colour (3,) as plain numbers."""
    return float(colour[0]), float(colour[1]), float(colour[2])


def log_within(rng: np.random.Generator, limits: Range) -> float:
    """Log-uniform in limits."""
    return float(np.exp(rng.uniform(np.log(limits[0]), np.log(limits[1]))))

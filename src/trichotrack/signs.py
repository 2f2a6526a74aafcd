"""The vocabulary: each trichoscopic sign, its definition, its size in µm and what it means.

Sources: Al-Dhubaibi 2023 (PMC10236002), Inui 2008 (doi 10.1111/j.1365-4632.2008.03692.x), Rakowska 2009 (PMC2938574),
PMC3157785, dermoscopedia.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from trichotrack.problems import InputError

Role = Literal["active", "early_regrowth", "ambiguous", "context"]

VELLUS_CUTOFF_UM = 30.0
"""Calibre below which a hair is vellus in trichoscopy (TrichoScan uses 40): recorded with every model and figure."""

MIN_VELLUS_CALIBRE_PX = 3.0
"""Pixels across a hair at the vellus cut-off below which vellus hair is refused rather than counted."""

MIN_BLACK_DOT_DIAMETER_PX = 6.0
"""Pixels across a black dot below which black dots are refused rather than counted."""

STRUCTURE = "structure"
"""The exclusive group of all hairs and black dots: one structure, one sign."""


@dataclass(frozen=True)
class Sign:
    """One sign of the vocabulary.

    name: as in tables. label: as printed. group: signs of one group compete for a structure (None: stands apart).
    role: what its density is counted towards. width_um: range of calibre (hair) or diameter (dot, yellow dot).
    reference_um and min_px: refused where a structure of reference_um spans fewer than min_px pixels.
    colour: RGB, from the Okabe-Ito palette (told apart by colour-blind readers). parent: the wider sign that each of
    these also is.
    """

    name: str
    label: str
    plural: str
    definition: str
    role: Role
    group: str | None = STRUCTURE
    width_um: tuple[float, float] | None = None
    reference_um: float | None = None
    min_px: float | None = None
    colour: tuple[int, int, int] = (0, 0, 0)
    parent: str | None = None

    def too_coarse(self, um_per_px: float) -> str | None:
        """The reason for refusing this sign at um_per_px, or None where it can be seen."""
        if self.reference_um is None or self.min_px is None:
            return None
        spans_px = self.reference_um / um_per_px
        if spans_px >= self.min_px:
            return None
        return f"{spans_px:.1f} px per {self.reference_um:.0f} µm {self.label}; {self.min_px:.0f} needed"


SIGNS: tuple[Sign, ...] = (
    Sign(
        "black_dot", "black dot", "black dots",
        "Dark dot inside a follicular opening: the shaft is destroyed or broken at the surface; no visible length.",
        role="active", width_um=(50, 100), reference_um=50, min_px=MIN_BLACK_DOT_DIAMETER_PX, colour=(213, 94, 0),
    ),
    Sign(
        "broken_hair", "broken hair", "broken hairs",
        "Stub with a transverse, irregular fracture and even calibre, at least 0.2 mm long (shorter: black dot).",
        role="active", width_um=(30, 120), colour=(230, 159, 0),
    ),
    Sign(
        "tapering_hair", "tapering hair", "tapering hairs",
        "Hair whose calibre falls towards the scalp: exclamation-mark hair when the free end is in view, tapered hair "
        "when it is not.",
        role="active", width_um=(15, 100), colour=(204, 121, 167),
    ),
    Sign(
        "short_vellus_hair", "short vellus hair", "short vellus hairs",
        "Thin (below the vellus cut-off), short (under 10 mm), with little or no pigment.",
        role="ambiguous", width_um=(10, 30), reference_um=VELLUS_CUTOFF_UM, min_px=MIN_VELLUS_CALIBRE_PX,
        colour=(86, 180, 233),
    ),
    Sign(
        "terminal_hair", "terminal hair", "terminal hairs",
        "Hair of even calibre above 55-60 µm.",
        role="context", width_um=(55, 120), colour=(0, 158, 115),
    ),
    Sign(
        "upright_regrowing_hair", "upright regrowing hair", "upright regrowing hairs",
        "Straight hair of full calibre at the base with a pointed free end.",
        role="early_regrowth", width_um=(30, 100), colour=(0, 114, 178),
    ),
    Sign(
        "pigtail_hair", "pigtail hair", "pigtail hairs",
        "Short, coiled hair with tapered ends.",
        role="early_regrowth", width_um=(20, 80), colour=(240, 228, 66),
    ),
    Sign(
        "yellow_dot", "yellow dot", "yellow dots",
        "Filled infundibulum.",
        role="context", group=None, width_um=(300, 500), colour=(153, 153, 0),
    ),
)  # fmt: skip

SIGN: dict[str, Sign] = {sign.name: sign for sign in SIGNS}

COUNTED_SIGNS = ("black_dot", "broken_hair", "tapering_hair", "short_vellus_hair")
"""The four signs whose density trichotrack follows."""

ACTIVE_SIGNS = tuple(sign.name for sign in SIGNS if sign.role == "active")
"""Their sum per cm² is the active load."""


def sign_of(name: str) -> Sign:
    """The sign called name. Raises InputError naming the vocabulary where there is none."""
    try:
        return SIGN[name]
    except KeyError:
        known = ", ".join(SIGN)
        raise InputError(f"{name!r} is not a sign; known signs are {known}. Add others in signs.yaml.") from None


DOTS = frozenset({"black_dot", "yellow_dot"})
"""Signs without a shaft: no tip, no length, no calibre."""

REFUSED_BY_PREPARATION: dict[str, tuple[frozenset[str], str]] = {
    "none": (frozenset(), ""),
    "unclipped": (frozenset(), ""),
    "clipped": (
        frozenset({"broken_hair", "upright_regrowing_hair", "pigtail_hair"}),
        "the scalp is clipped, and a {sign} is told by the free end that was cut off",
    ),
    "shaved": (frozenset({"black_dot", "broken_hair"}), "the scalp is shaved, and a shaved stub looks like a {sign}"),
    "dye": (frozenset({"black_dot"}), "the scalp is dyed, and a stained opening looks like a black dot"),
    "fibres": (frozenset({"black_dot"}), "hair fibres were applied, and they look like black dots"),
    "tattoo": (frozenset({"black_dot"}), "the scalp is tattooed, and pigment dots look like black dots"),
}
"""By preparation of the scalp: the signs that must not be counted there, and why. `none`: nothing is known to have been
done; `unclipped`: somebody looked, and the hair was not cut short, so that thick hairs that end in view are broken."""

COUNTED_AS: dict[str, dict[str, str]] = {
    **{preparation: {} for preparation in REFUSED_BY_PREPARATION},
    "clipped": {"broken_hair": "terminal_hair", "upright_regrowing_hair": "terminal_hair"},
}
"""By preparation: what a hair that looks like one sign there is counted as. A clipped terminal hair looks like a broken
one, the first named."""


PREPARATIONS = tuple(REFUSED_BY_PREPARATION)


def counted_as(signs: Sequence[Sign], preparation: str) -> list[int | None]:
    """For each sign, the index of the one that its marks are counted as on a scalp so prepared; None: there is none."""
    index = {sign.name: i for i, sign in enumerate(signs)}
    becomes: list[int | None] = []
    for i, sign in enumerate(signs):
        refused = refused_by_preparation(sign, preparation) is not None
        becomes.append(index.get(COUNTED_AS[preparation].get(sign.name, "")) if refused else i)
    return becomes


def prepared_as(preparation: str) -> str:
    """The preparation as visits are compared by it: `unclipped` says for certain what `none` takes for granted."""
    return "none" if preparation == "unclipped" else preparation


def refused_by_preparation(sign: Sign, preparation: str) -> str | None:
    """The reason for refusing sign on a scalp so prepared, or None. Raises InputError for an unknown preparation."""
    if preparation not in REFUSED_BY_PREPARATION:
        raise InputError(f"preparation {preparation!r} is not one of {', '.join(REFUSED_BY_PREPARATION)}.")
    refused, reason = REFUSED_BY_PREPARATION[preparation]
    return reason.format(sign=sign.label) if {sign.name, sign.parent} & refused else None

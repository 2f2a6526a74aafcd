"""What the renderer draws from: ranges, each with its unit and its source, or "assumed".

Ranges are uniform unless said otherwise. Nobody publishes densities per cm² of the signs of alopecia areata, so every
density here is assumed: wide enough to train on, and no statement about patients.
"""

from __future__ import annotations

from dataclasses import dataclass, field

Range = tuple[float, float]


@dataclass(frozen=True)
class ScalpPriors:
    """What grows: follicular units, which sign each hair shows, and its calibre and length in µm."""

    units_per_cm2: Range = (45.0, 115.0)
    """Follicular units per cm². Counted by eye on real 70x captures: some 8 in 0.104 cm²; widened."""
    hairs_per_unit: tuple[float, ...] = (0.42, 0.40, 0.15, 0.03)
    """Chance of units of one, two, three and four hairs. Assumed."""
    min_root_distance_um: float = 120.0
    """Two roots are never nearer, so that no label lies on another. Assumed: hairs of a real unit may be nearer."""
    sign_mix: tuple[float, ...] = (1.1, 1.0, 1.0, 1.0, 0.7, 0.8)
    """Dirichlet weights of black dot, broken, tapering, short vellus, terminal and empty within a patch. Assumed."""
    sign_absent: float = 0.3
    """Chance that a sign is absent from a capture altogether. Assumed."""
    patch_share: Range = (-0.3, 1.8)
    """Share of the field inside the patch; below 0 none of it, above 1 all of it. Assumed."""
    black_dot_um: Range = (50.0, 100.0)
    """Diameter. 0.05 to 0.1 mm (unverified)."""
    broken_width_um: Range = (38.0, 105.0)
    """Calibre, even along the stub. Assumed: that of the terminal hair it was."""
    broken_length_um: Range = (210.0, 3000.0)
    """Log-uniform. 0.2 to 3 mm (unverified); shorter is a black dot."""
    tapering_root_um: Range = (16.0, 32.0)
    """Calibre at the root. Assumed."""
    tapering_ratio: Range = (1.9, 4.5)
    """Distal calibre over root calibre. Assumed."""
    tapering_tip_um: Range = (42.0, 95.0)
    """Distal calibre is kept inside this range. Assumed."""
    tapering_length_um: Range = (900.0, 4000.0)
    """Log-uniform. 1 to 4 mm."""
    vellus_width_um: Range = (13.0, 28.0)
    """Calibre. Below the cut-off of 30 µm."""
    vellus_length_um: Range = (500.0, 5000.0)
    """Log-uniform. Under 10 mm."""
    terminal_width_um: Range = (58.0, 112.0)
    """Calibre. Above 55 to 60 µm; the upper end as seen on real 70x captures."""
    terminal_length_um: Range = (9000.0, 30000.0)
    """Long enough to leave the field. Assumed."""
    clipped_length_um: Range = (350.0, 1600.0)
    """Length of clipped hair, as on real 70x captures."""
    clipped_chance: float = 0.0
    """Chance of a clipped preparation: there black dots and broken hairs are not told, so none are drawn."""
    lying_hairs_per_cm2: Range = (0.0, 30.0)
    """Long hairs crossing the field whose root is elsewhere. Assumed."""
    fragments_per_cm2: Range = (0.0, 40.0)
    """Cut pieces of hair lying on the skin, as on real captures. Half of all captures have none."""
    stream_spread_deg: float = 16.0
    """Standard deviation of hair direction about the local stream. Assumed."""


@dataclass(frozen=True)
class SkinPriors:
    """What the scalp looks like."""

    melanin: Range = (0.0, 1.0)
    """From light to dark skin, squared so that dark is rarer. Assumed."""
    erythema: Range = (0.0, 0.3)
    """Redness. Assumed."""
    hair_melanin: tuple[float, ...] = (0.42, 0.26, 0.16, 0.08, 0.08)
    """Chance of black, dark brown, brown, light (blond or red) and grey hair. Assumed."""
    grey_share: Range = (0.0, 0.5)
    """Share of grey hairs among the others, in one of four people. Assumed."""
    subsurface_um: Range = (120.0, 520.0)
    """How far a shaft is seen through the skin behind its root: bluish, as on real captures."""
    furrow_um: Range = (90.0, 380.0)
    """Mesh of the skin's furrows. Read off real captures."""
    furrow_depth: Range = (0.0, 1.0)
    """Contrast of the furrows, of what the renderer can draw."""
    empty_opening_chance: float = 0.55
    """Chance that an empty follicle shows an opening at all. Assumed."""
    yellow_dot_chance: Range = (0.0, 0.3)
    """Chance that an opening is filled: a yellow dot of 0.3 to 0.5 mm (unverified). Drawn, not labelled."""
    freckles_per_cm2: Range = (0.0, 60.0)
    """Brown spots of 40 to 250 µm, look-alikes of black dots. Two in five captures have any."""
    dirt_per_cm2: Range = (0.0, 35.0)
    """Dark or blue specks of 8 to 45 µm outside openings, look-alikes of black dots. Half of captures have any."""
    vessels_per_cm2: Range = (0.0, 70.0)
    """Thin red lines. Assumed."""
    flakes_per_cm2: Range = (0.0, 90.0)
    """Scale: whitish plates of 40 to 400 µm. Half of captures have any."""


@dataclass(frozen=True)
class CameraPriors:
    """What photographing does to it. Drawn afresh for each capture."""

    defocus_um: Range = (0.0, 13.0)
    """Blur of the whole field, standard deviation on the scalp. Real 70x captures reach about 15."""
    depth_defocus_um: Range = (6.0, 45.0)
    """Blur where the scalp or a raised hair leaves the plane of focus, standard deviation."""
    optics_px: Range = (0.45, 0.95)
    """Blur of lens and demosaicing, standard deviation in px."""
    red_gain: Range = (0.86, 1.06)
    blue_gain: Range = (0.88, 1.38)
    """White balance from yellowish to bluish, as on real captures."""
    exposure: Range = (0.8, 1.25)
    """Factor on brightness."""
    vignette: Range = (0.0, 0.38)
    """Loss in the corner. Assumed."""
    haze: Range = (0.1, 0.95)
    """Surface reflection (unpolarised or dry contact), bluish white and patchy, as on real captures."""
    glint: Range = (0.0, 0.45)
    """Strength of the fine glints of wet or oily skin."""
    noise: Range = (0.002, 0.018)
    """Sensor noise, standard deviation of full scale at mid-grey. Assumed."""
    sharpening: Range = (0.0, 0.9)
    """Unsharp mask of the device. Assumed; half of captures have none."""
    jpeg_quality: tuple[int, int] = (62, 96)
    """Of those captures that are compressed once."""
    jpeg_chance: float = 0.5
    """Share of captures compressed once. Assumed."""
    glare_blobs: int = 4
    """At most so many saturated blobs, never over a root."""
    bubbles: int = 7
    """At most so many immersion bubbles, never over a root; a third of captures have any."""
    chromatic_px: Range = (0.0, 0.6)
    """Lateral chromatic aberration in the corner. Assumed."""


@dataclass(frozen=True)
class Priors:
    """All of them. Replace a part to make a held-out nuisance: `Priors(camera=CameraPriors(haze=(0.9, 1.0)))`."""

    scalp: ScalpPriors = field(default_factory=ScalpPriors)
    skin: SkinPriors = field(default_factory=SkinPriors)
    camera: CameraPriors = field(default_factory=CameraPriors)

"""What the renderer draws from: ranges, each with its unit and its source, or "assumed".

Ranges are uniform unless said otherwise. What only shapes a structure or a texture (waves, rims, grain, the sizes of
marks) is drawn from fixed numbers where it is painted, all of them assumed. Nobody publishes densities per cm² of the
signs of alopecia areata, so every density here is assumed: wide enough to train on, and no statement about patients.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

Range = tuple[float, float]


@dataclass(frozen=True)
class ScalpPriors:
    """What grows: follicular units, which sign each hair shows, and its calibre and length in µm."""

    units_per_cm2: Range = (42.0, 130.0)
    """Follicular units per cm². Real 70x captures: 4 to 15 marked units in 0.104 cm², 8 on average; widened."""
    hairs_per_unit: tuple[float, ...] = (0.38, 0.44, 0.15, 0.03)
    """Chance of units of one, two, three and four hairs. Marked on real 70x captures, where
    some hide others: 0.52, 0.39, 0.085 and 0.004."""
    unit_step_um: Range = (125.0, 60.0)
    """Mean and standard deviation of the distance of neighbouring roots of a unit, set so that the distances of marked
    roots are those of real 70x captures (within a unit 60 to 300 µm for nine in ten, median 147)."""
    min_root_distance_um: float = 22.0
    """Two roots are never nearer, so that no label lies on another. One real pair in a hundred is."""
    sign_mix: tuple[float, ...] = (1.1, 1.0, 1.0, 1.0, 0.7, 0.8, 0.5, 0.9, 0.9)
    """Dirichlet weights within a patch of black dot, broken, tapering, short vellus, terminal, empty, intermediate,
    upright regrowing and pigtail. Those left off the end never occur. Assumed."""
    sign_absent: float = 0.3
    """Chance that a sign is absent from a capture altogether. Assumed."""
    rare_absent: float = 0.35
    """The same for upright regrowing and pigtail hair. Assumed."""
    outside_mix: tuple[float, ...] = (0.02, 0.02, 0.02, 0.09, 0.62, 0.10, 0.10, 0.02, 0.01)
    """Chances outside the patch, in the order of `sign_mix`; what that leaves out occurs here neither. Assumed."""
    clipped_mix: tuple[float, ...] = (0.0, 0.0, 0.0, 0.5, 6.0, 0.9, 0.6)
    """As `sign_mix`, for all of a clipped scalp. Real 70x captures: 7 % of hairs are marked as thin."""
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
    """Calibre. Above 55 to 60 µm by definition; the upper end set by eye beside real 70x captures."""
    terminal_length_um: Range = (9000.0, 30000.0)
    """Long enough to leave the field. Assumed."""
    intermediate_width_um: Range = (31.0, 54.0)
    """Calibre: neither vellus nor terminal."""
    upright_width_um: Range = (40.0, 90.0)
    """Calibre at the base. Assumed: that of the terminal hair it will be."""
    upright_length_um: Range = (300.0, 4000.0)
    """Log-uniform. Assumed."""
    pigtail_width_um: Range = (24.0, 62.0)
    """Calibre at the base. Assumed."""
    pigtail_length_um: Range = (900.0, 3600.0)
    """Along the coil; log-uniform. Assumed."""
    growth_mm_per_day: Range = (0.27, 0.4)
    """Of terminal and upright regrowing hair, around 0.3 mm a day. Assumed."""
    vellus_growth_mm_per_day: Range = (0.03, 0.1)
    """Of short vellus hair. Assumed."""
    curly_chance: float = 0.15
    """Chance that a person's long hair is curly, up to tightly curled. Assumed."""
    clipped_length_um: Range = (200.0, 950.0)
    """Length of clipped hair; log-uniform. Real 70x captures: 210 to 780 µm for nine in ten, median 440."""
    clipped_vellus_um: Range = (120.0, 680.0)
    """The same of vellus hair. Real 70x captures: 140 to 600 µm for nine in ten, median 285."""
    clipped_spread_deg: Range = (4.0, 10.5)
    """Standard deviation of hair direction about the local stream in a clipped capture. Set so that it is 4.5 to
    14 with the leaning of `clings_um`, as on real 70x captures."""
    clipped_chance: float = 0.0
    """Chance of a clipped preparation, where no sign but short vellus and terminal hair and yellow dots is drawn.
    The recipe of the bundled model draws a fifth of captures clipped."""
    lying_hairs_per_cm2: Range = (0.0, 30.0)
    """Long hairs sent across from outside the known scalp, before `lying_share`. Assumed."""
    lying_absent: float = 0.4
    """Chance that an unclipped capture has none of them; a clipped one never has any. Assumed."""
    lying_share: float = 0.35
    """Share of them that is drawn. Assumed."""
    lying_calibre: Range = (0.35, 1.0)
    """Their calibre as a share of a terminal hair's. Assumed."""
    fragments_per_cm2: Range = (0.0, 40.0)
    """Cut pieces of hair lying on the skin. Set by eye beside real captures."""
    fragments_absent: float = 0.5
    """Chance that a capture has none of them. Assumed."""
    clings_um: Range = (300.0, 1500.0)
    """Distance from the roots at which the clipped hairs of a unit meet. Set by eye beside real 70x captures."""
    clings_chance: float = 0.7
    """Chance that those of a unit meet; in the others they part. Set by eye beside real 70x captures."""
    shaved_chance: float = 0.04
    """Chance that an unclipped scalp is shaved: stubs level with the skin, never labelled. Assumed."""
    tattooed_chance: float = 0.03
    """Chance of micropigmentation: regular bluish grey dots. Assumed."""
    fibre_chance: float = 0.2
    """Chance of textile fibres, one to four. Assumed."""
    stream_spread_deg: float = 16.0
    """Standard deviation of hair direction about the local stream. Assumed."""


@dataclass(frozen=True)
class SkinPriors:
    """What the scalp looks like. What `HELD_OUT` names lies outside these defaults."""

    melanin: Range = (0.0, 0.9)
    """Rank from light (0) to dark (1) skin; squared, so that dark is rarer. Assumed. The darkest tenth is held out."""
    erythema: Range = (0.0, 0.45)
    """Redness. Assumed."""
    hair_melanin: tuple[float, ...] = (0.42, 0.26, 0.16, 0.08, 0.08, 0.0)
    """Chance of black, dark brown, brown, blond, white and red hair. Assumed. Red is held out."""
    white_share: Range = (0.0, 0.5)
    """Share of white hairs among the others, in those who have any. Assumed."""
    white_chance: float = 0.25
    """Chance that a person has white hairs among the others. Assumed."""
    white_regrowth_share: Range = (0.3, 1.0)
    """Share without pigment of short vellus, upright regrowing and pigtail hair, in those whose hair first comes back
    white. Assumed."""
    white_regrowth_chance: float = 0.2
    """Chance that a person's hair does. Known of alopecia areata; how often is assumed."""
    subsurface_um: Range = (120.0, 520.0)
    """How far a shaft is seen, bluish, through the skin behind its root. Set by eye beside real captures."""
    subsurface_chance: float = 0.8
    """Chance that a person's shafts are. Assumed."""
    clipped_subsurface_chance: float = 0.97
    """The same where the scalp is clipped. Set by eye beside real captures."""
    veil: Range = (0.35, 1.0)
    """How much the skin hides of the root of a person's hairs, 0 to 1. Assumed."""
    clipped_veil: Range = (0.6, 1.0)
    """The same where the scalp is clipped. Set by eye beside real captures."""
    folds: Range = (0.2, 1.4)
    """Contrast of the folds into which a person's shafts throw the skin where they leave it, of what the renderer can
    draw. Set by profiles along shafts of real 70x captures."""
    folds_chance: float = 0.6
    """Chance that a person shows any of them. Assumed."""
    clipped_folds_chance: float = 0.9
    """The same where the scalp is clipped. Set by eye beside real captures."""
    halo: Range = (0.3, 2.2)
    """How much of the light that spreads in the skin a shaft takes away: skin beside it is darker and redder; weaker
    on dark skin (tone.FROM_ABOVE). Set by profiles across shafts of real 70x captures, of light skin."""
    furrow_um: Range = (90.0, 380.0)
    """Mesh of the skin's furrows. Set by eye beside real captures."""
    furrow_depth: Range = (0.0, 1.0)
    """Contrast of the furrows, of what the renderer can draw. Assumed."""
    opening_chance: float = 0.8
    """Chance that a follicle with hair shows an opening around it. Assumed."""
    empty_opening_chance: float = 0.55
    """Chance that an empty follicle shows an opening at all. Assumed."""
    yellow_dot_chance: Range = (0.0, 0.3)
    """Chance that an opening is filled, where a place has yellow dots. Assumed."""
    yellow_present: float = 0.5
    """Chance that a place of an unclipped scalp has yellow dots. Assumed."""
    clipped_yellow_present: float = 0.1
    """The same where the scalp is clipped. Assumed."""
    yellow_if_empty: float = 2.0
    """Factor on `yellow_dot_chance` where the follicle is empty. Assumed."""
    yellow_dot_um: Range = (300.0, 500.0)
    """Diameter of a yellow dot. 0.3 to 0.5 mm (unverified)."""
    freckles_per_cm2: Range = (0.0, 40.0)
    """Brown spots of 40 to 250 µm, look-alikes of black dots. Assumed."""
    freckles_chance: float = 0.4
    """Chance that a capture has any of them. Assumed."""
    dirt_per_cm2: Range = (0.0, 35.0)
    """Dark or blue specks of 8 to 45 µm outside openings, look-alikes of black dots. Assumed."""
    dirt_chance: float = 0.5
    """Chance that a capture has any of them. Assumed."""
    vessels_per_cm2: Range = (0.0, 70.0)
    """Thin red lines. Assumed."""
    vessels_chance: float = 0.7
    """Chance that a place shows any of them. Assumed."""
    flakes_per_cm2: Range = (0.0, 90.0)
    """Scale: whitish plates of 40 to 250 µm, never over a root. Assumed."""
    flakes_chance: float = 0.4
    """Chance that a person has any of them. Assumed."""
    cuff: Range = (0.0, 0.9)
    """Share of follicles with a pale ring of scale at the opening. Assumed."""
    cuff_chance: float = 0.4
    """Chance that a person has any of them. Assumed."""
    sweat_per_cm2: Range = (40.0, 260.0)
    """Openings of sweat glands, pale dots of 30 to 70 µm. Assumed."""
    sweat_chance: float = 0.5
    """Chance that a person shows any of them. Assumed."""
    network: Range = (0.2, 1.0)
    """Contrast of the pigment network, of what the renderer can draw; plainer on dark skin. Assumed."""
    network_chance: float = 0.5
    """Chance that a person shows it. Assumed."""


@dataclass(frozen=True)
class OverlayPriors:
    """What a device draws over its picture. The chances are assumed; the kinds are those of real captures."""

    overlay_chance: float = 0.36
    """Chance that a capture has any of what follows."""
    circle_chance: float = 0.5
    """A thin measuring circle, red or of another colour, at times with its diameter. Assumed."""
    text_chance: float = 0.3
    """A box of measurements, on a pale ground or none."""
    scale_bar_chance: float = 0.45
    """A burned-in scale bar with its length."""
    strip_chance: float = 0.4
    """A grey strip along the top or the bottom: the program's tool bar."""
    strip_share: Range = (0.015, 0.1)
    """Its height as a share of the image's. About 0.03 on real captures; widened."""
    band_chance: float = 0.25
    """A black band along one or two sides."""
    band_share: Range = (0.015, 0.12)
    """Its width as a share of the image's. About 0.04 on real captures; widened."""
    round_chance: float = 0.12
    """A round field in a black frame. Assumed: handheld devices have it."""


@dataclass(frozen=True)
class CameraPriors:
    """What photographing does to it. Drawn afresh for each capture. `HELD_OUT` lies outside these defaults."""

    defocus_um: Range = (0.0, 15.0)
    """Blur of the whole field, standard deviation on the scalp. Real 70x captures reach about 15. More is held out."""
    depth_defocus_um: Range = (6.0, 45.0)
    """Blur where the scalp or a raised hair leaves the plane of focus, standard deviation. Assumed."""
    optics_px: Range = (0.45, 0.95)
    """Blur of lens and demosaicing, standard deviation in px. Assumed."""
    red_gain: Range = (0.8, 1.06)
    green_gain: Range = (0.97, 1.03)
    blue_gain: Range = (0.84, 1.36)
    """White balance from yellowish to bluish, set by eye beside real captures. Greenish and strongly yellow are held
    out."""
    cast: Range = (0.0, 0.3)
    """How much bluer one side and the corners are than the middle, as a share. Up to 0.2 on real captures."""
    exposure: Range = (0.86, 1.2)
    """Factor on brightness. Assumed."""
    contrast: Range = (0.85, 1.15)
    """Factor on the contrast of brightness. Assumed."""
    flare: Range = (0.0, 0.2)
    """Share of the light scattered over the whole picture, so that black hair is dark grey. Set by eye beside real
    captures."""
    shadow: Range = (0.05, 0.45)
    """Depth of the shadow that hair casts on the skin, as a share. Assumed."""
    through: Range = (0.3, 1.2)
    """How much light comes back over a shaft below the skin, of what the renderer can draw: the more, the bluer and
    paler it is. Set by eye beside real captures."""
    slope: Range = (0.0, 0.4)
    """How much brighter the side of the light is than the other, as a share. Assumed."""
    vignette: Range = (0.0, 0.32)
    """Loss in the corner. Assumed."""
    polarised_chance: float = 0.25
    """Chance of a polarised light: no sheen of the skin and no glints. Assumed."""
    haze: Range = (0.05, 0.75)
    """Surface reflection (unpolarised or dry contact), bluish white and patchy. Set by eye beside real captures."""
    roughness: Range = (0.1, 0.45)
    """How strongly the grain of the skin breaks it up; log-uniform. Assumed."""
    glint: Range = (0.0, 0.85)
    """Strength of the fine glints of wet or oily skin. Assumed."""
    glint_threshold: Range = (0.6, 1.5)
    """How far grain must rise to glint, in standard deviations or so: the higher, the fewer glints. Assumed."""
    noise: Range = (0.001, 0.015)
    """Sensor noise, standard deviation of full scale at mid-grey; log-uniform. Assumed; real captures, brought to
    6 µm/px, have about 0.002."""
    sharpening: Range = (0.0, 0.9)
    """Unsharp mask of the device. Assumed."""
    sharpening_chance: float = 0.35
    """Chance that the device sharpens. Assumed."""
    jpeg_quality: tuple[int, int] = (62, 96)
    """Of those captures that are compressed once. Assumed."""
    jpeg_chance: float = 0.5
    """Share of captures compressed once. Assumed."""
    glare_blobs: int = 4
    """At most so many saturated blobs of contact glare, never over a root. Assumed."""
    glare_chance: float = 0.5
    """Chance that a capture may have them. Assumed."""
    bubbles: int = 7
    """At most so many immersion bubbles, never over a root. Assumed."""
    bubbles_chance: float = 0.22
    """Chance that a capture may have them. Assumed."""
    chromatic_px: Range = (0.0, 0.6)
    """Lateral chromatic aberration in the corner. Assumed."""
    overlays: OverlayPriors = field(default_factory=OverlayPriors)


@dataclass(frozen=True)
class Priors:
    """All of them. Replace a part to make a held-out nuisance: `Priors(camera=CameraPriors(haze=(0.9, 1.0)))`."""

    scalp: ScalpPriors = field(default_factory=ScalpPriors)
    skin: SkinPriors = field(default_factory=SkinPriors)
    camera: CameraPriors = field(default_factory=CameraPriors)


HELD_OUT: Mapping[str, Priors] = MappingProxyType(
    {
        "greenish": Priors(camera=CameraPriors(green_gain=(1.1, 1.2), red_gain=(0.84, 0.95), blue_gain=(0.84, 0.95))),
        "strongly_yellow": Priors(camera=CameraPriors(blue_gain=(0.58, 0.74), red_gain=(1.0, 1.08))),
        "heavy_blur": Priors(camera=CameraPriors(defocus_um=(18.0, 26.0))),
        "heavy_noise": Priors(camera=CameraPriors(noise=(0.06, 0.1))),
        "dark_skin": Priors(skin=SkinPriors(melanin=(0.92, 1.0))),
        "red_hair": Priors(
            skin=SkinPriors(
                hair_melanin=(0.0, 0.0, 0.0, 0.0, 0.0, 1.0), white_share=(0.0, 0.0), white_regrowth_share=(0.0, 0.0)
            )
        ),
    }
)
"""Nuisances beyond the renderer's training priors, by name, one kind each: all else is as in `Priors()`.

Another device's colour (greenish, strongly yellow), blur and noise above the default limits, the darkest tenth of skin
(rank 0.92 to 1, defaults end at 0.9) and red hair (chance 0 by default). Training also changes what was drawn (hue,
saturation, RGB shift, blur, noise, JPEG), so that none of it is wholly new: it adds noise of 0.01 to 0.04 at the
model's 6 µm/px. Noise held out is that of the sensor, and bringing a 70× capture to 6 µm/px about halves it.
"""

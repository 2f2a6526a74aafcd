"""One page of renders: every sign close by, every knob at three settings, the nuisances that training never sees."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, is_dataclass, replace
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from trichotrack.pictures import contact_sheet
from trichotrack.synth.draw import draw_person, draw_scalp
from trichotrack.synth.priors import HELD_OUT, CameraPriors, OverlayPriors, Priors, ScalpPriors, SkinPriors
from trichotrack.synth.render import MARGIN_UM, photograph
from trichotrack.synth.scalp import Scalp
from trichotrack.synth.view import Pose
from trichotrack.synth.write import SIGNS

COLUMNS = 6
CELL_PX = (240, 180)
KNOB_UM_PER_PX, SIGN_UM_PER_PX = 9.0, 4.5
TRIES = 10
"""A knob is shown on that of so many scalps where it changes the picture most: many have nothing for it to act on."""

LOOSE = ("freckles_per_cm2", "dirt_per_cm2", "vessels_per_cm2")
"""Priors of skin whose marks are taken alone from their scalp, onto that of the other cells."""

Settings = dict[str, Any]
"""Values of priors by dotted path: {"camera.haze": (0.4, 0.4)}."""


@dataclass(frozen=True)
class Knob:
    """One row of three: label, and a caption and the settings of each cell."""

    label: str
    cells: tuple[tuple[str, Settings], ...]


CALM = Priors(
    scalp=ScalpPriors(
        patch_share=(0.6, 0.6), sign_absent=0.0, rare_absent=0.0, curly_chance=0.0, lying_hairs_per_cm2=(0, 0),
        fragments_per_cm2=(0, 0), shaved_chance=0.0, tattooed_chance=0.0, fibre_chance=0.0,
    ),
    skin=SkinPriors(
        melanin=(0.3, 0.3), erythema=(0.1, 0.1), hair_melanin=(0, 1, 0, 0, 0, 0), white_share=(0, 0),
        white_regrowth_share=(0, 0),
        furrow_depth=(0.5, 0.5), yellow_dot_chance=(0.05, 0.05), freckles_per_cm2=(0, 0), dirt_per_cm2=(0, 0),
        vessels_per_cm2=(0, 0), flakes_per_cm2=(0, 0), cuff=(0, 0), sweat_per_cm2=(0, 0),
    ),
    camera=CameraPriors(
        defocus_um=(2, 2), depth_defocus_um=(8, 8), red_gain=(1, 1), green_gain=(1, 1), blue_gain=(1, 1), cast=(0, 0),
        exposure=(1, 1), vignette=(0.05, 0.05), haze=(0.1, 0.1), glint=(0, 0), noise=(0.002, 0.002), sharpening=(0, 0),
        jpeg_chance=0.0, glare_blobs=0, bubbles=0, chromatic_px=(0, 0), overlays=OverlayPriors(overlay_chance=0.0),
    ),
)  # fmt: skip
"""What a knob is shown on: a quiet capture, all else fixed or absent."""


def changed(priors: Priors, settings: Settings) -> Priors:
    """Priors with the values of settings in place. Raises AttributeError for a prior that there is not."""
    for path, value in settings.items():
        part, _, name = path.partition(".")
        _value(priors, path)
        priors = replace(priors, **{part: replace(getattr(priors, part), **{name: value})})
    return priors


def _value(priors: Priors, path: str) -> Any:
    value: Any = priors
    for name in path.split("."):
        if not is_dataclass(value):
            raise AttributeError(f"no prior is called {path}")
        value = getattr(value, name)
    return value


def ranged(path: str, label: str = "", unit: str = "", **scene: Any) -> Knob:
    """A knob at the low end, the middle and the high end of its default range. scene: of skin, what else it needs."""
    low, high = _value(Priors(), path)
    name = label or path.rpartition(".")[2].replace("_", " ")
    more = {f"skin.{key}": value for key, value in scene.items()}
    cells = [
        (f"{name} {value:g}{unit}", {**more, path: (value, value)}) for value in (low, round((low + high) / 2, 4), high)
    ]
    return Knob(name, tuple(cells))


def chosen(label: str, **cells: Settings) -> Knob:
    """A knob at named settings; "_" in a name stands for a blank."""
    return Knob(label, tuple((f"{label}: {name.replace('_', ' ')}", settings) for name, settings in cells.items()))


def overlay(kind: str, **more: Any) -> Settings:
    """One overlay for sure, and no other."""
    none = {f.name: 0.0 for f in fields(OverlayPriors) if f.name.endswith("_chance")}
    return {
        "camera.overlays": replace(OverlayPriors(), **{**none, "overlay_chance": 1.0, f"{kind}_chance": 1.0, **more})
    }


BESIDE: Settings = {"scalp.patch_share": (-0.3, -0.3)}
INSIDE: Settings = {"scalp.patch_share": (1.8, 1.8)}


def _units(index: int) -> Settings:
    return {"scalp.hairs_per_unit": tuple(float(i == index) for i in range(4))}


def _hair(index: int) -> Settings:
    count = len(SkinPriors().hair_melanin)
    return {"skin.hair_melanin": tuple(float(i == index) for i in range(count))}


def _clipped(chance: float, end: int) -> Settings:
    """Outside a patch; clipped to the low (0) or the high end (1) of the lengths."""
    length_um = _value(Priors(), "scalp.clipped_length_um")[end]
    return {**BESIDE, "scalp.clipped_chance": chance, "scalp.clipped_length_um": (length_um, length_um)}


def _gains(red: int, blue: int) -> Settings:
    """Red and blue at the low (0) or the high end (1) of their ranges."""
    ends = {"camera.red_gain": red, "camera.blue_gain": blue}
    return {path: (_value(Priors(), path)[end],) * 2 for path, end in ends.items()}


WHITE_REGROWTH: Settings = {**INSIDE, "skin.white_regrowth_chance": 1.0, "skin.white_regrowth_share": (1.0, 1.0)}

SHEEN: Settings = {"camera.polarised_chance": 0.0, "camera.haze": (0.75, 0.75), "camera.glint": (0.85, 0.85)}

KNOBS: tuple[Knob, ...] = (
    ranged("scalp.units_per_cm2", "units", " per cm²"),
    chosen("hairs per unit", one=_units(0), two=_units(1), four=_units(3)),
    chosen("patch", none=BESIDE, half={"scalp.patch_share": (0.5, 0.5)}, all=INSIDE),
    chosen("curl", straight=BESIDE, curly={**BESIDE, "scalp.curly_chance": 1.0},
           curly_in_a_patch={**INSIDE, "scalp.curly_chance": 1.0}),
    chosen("clipped", no=_clipped(0.0, 0), short=_clipped(1.0, 0), long=_clipped(1.0, 1)),
    ranged("scalp.lying_hairs_per_cm2", "lying hairs", " per cm²"),
    ranged("scalp.fragments_per_cm2", "fragments", " per cm²"),
    chosen("look-alikes", shaved={**BESIDE, "scalp.shaved_chance": 1.0}, tattooed={"scalp.tattooed_chance": 1.0},
           fibres={"scalp.fibre_chance": 1.0}),
    chosen("hair", black=_hair(0), brown=_hair(2), blond=_hair(3)),
    chosen("white hair", none=INSIDE, regrowth=WHITE_REGROWTH, all={**INSIDE, **_hair(4)}),
    ranged("skin.melanin", "skin, rank"),
    ranged("skin.erythema"),
    ranged("skin.furrow_depth"),
    ranged("skin.furrow_um", "furrows", " µm", furrow_depth=(1, 1)),
    ranged("skin.network", "pigment network", melanin=(0.65, 0.65)),
    ranged("skin.yellow_dot_chance", "yellow dots, chance"),
    ranged("skin.flakes_per_cm2", "scale", " per cm²"),
    ranged("skin.cuff", "scale at openings"),
    ranged("skin.sweat_per_cm2", "sweat glands", " per cm²"),
    ranged("skin.freckles_per_cm2", "freckles", " per cm²"),
    ranged("skin.dirt_per_cm2", "dirt", " per cm²"),
    ranged("skin.vessels_per_cm2", "vessels", " per cm²"),
    ranged("skin.subsurface_um", "root seen through skin", " µm"),
    ranged("skin.veil", "skin over roots"),
    ranged("skin.folds", "folds behind roots", folds_chance=1.0),
    ranged("skin.halo", "halo of hair"),
    ranged("camera.through", "light back through skin", subsurface_um=(500, 500), subsurface_chance=1.0),
    ranged("camera.haze"),
    ranged("camera.glint"),
    chosen("light", polarised={**SHEEN, "camera.polarised_chance": 1.0}, not_polarised=SHEEN,
           from_one_side={"camera.slope": (0.4, 0.4)}),
    ranged("camera.shadow"),
    ranged("camera.flare"),
    ranged("camera.contrast"),
    ranged("camera.defocus_um", "defocus", " µm"),
    ranged("camera.depth_defocus_um", "defocus by depth", " µm"),
    chosen("white balance", yellowish=_gains(1, 0), neutral={}, bluish=_gains(0, 1)),
    ranged("camera.cast", "cast"),
    ranged("camera.exposure"),
    ranged("camera.vignette"),
    ranged("camera.noise"),
    ranged("camera.sharpening"),
    chosen("contact", bubbles={"camera.bubbles": 7, "camera.bubbles_chance": 1.0},
           glare={"camera.glare_blobs": 4, "camera.glare_chance": 1.0},
           jpeg_62={"camera.jpeg_chance": 1.0, "camera.jpeg_quality": (62, 62)}),
    chosen("overlay", circle=overlay("circle"), scale_bar=overlay("scale_bar"), text=overlay("text")),
    chosen("overlay", strip=overlay("strip"), band=overlay("band"), round_field=overlay("round")),
)  # fmt: skip


@dataclass(frozen=True)
class CloseBy:
    """A sign shown close by. free_end: whether it must be in view (None: whatever)."""

    sign: str
    label: str
    free_end: bool | None = None
    clipped: bool = False


FREE_END = {"broken_hair": True, "tapering_hair": True}
"""Whether the free end must be in view; of other signs either will do."""

CLOSE: tuple[CloseBy, ...] = (
    *(CloseBy(name, sign.label, FREE_END.get(name)) for name, sign in SIGNS.items()),
    CloseBy("tapering_hair", "tapering hair, free end out of view", free_end=False),
    CloseBy("terminal_hair", "clipped: terminal hair", clipped=True),
    CloseBy("short_vellus_hair", "clipped: short vellus hair", clipped=True),
)  # fmt: skip


def sheet(seed: int, on_cell: Callable[[], None] | None = None) -> Image.Image:
    """The page: signs, knobs, nuisances held out. The same seed gives the same page."""
    images, captions = [], []
    for image, caption in _cells(seed):
        images.append(image)
        captions.append(caption)
        if on_cell is not None:
            on_cell()
    return contact_sheet(images, captions, columns=COLUMNS, cell_px=CELL_PX[0])


def cells_of_sheet() -> int:
    """How many pictures sheet shows, for a progress bar."""
    return len(CLOSE) + sum(len(knob.cells) for knob in KNOBS) + len(HELD_OUT)


def _cells(seed: int) -> Iterator[tuple[NDArray[np.uint8], str]]:
    for number, close in enumerate(CLOSE):
        yield close_by(close, [seed, 0, number]), close.label
    for number, knob in enumerate(KNOBS):
        for image, (caption, _) in zip(knob_images(knob, [seed, 1, number]), knob.cells, strict=True):
            yield image, caption
    for name, priors in HELD_OUT.items():
        yield _render([seed, 2], priors), f"held out: {name.replace('_', ' ')}"


def knob_images(knob: Knob, seed: list[int]) -> list[NDArray[np.uint8]]:
    """The knob's cells on one scalp: that of TRIES on which the two most alike differ most."""
    tried = [
        [_render([*seed, attempt], changed(CALM, settings)) for _, settings in knob.cells] for attempt in range(TRIES)
    ]

    def least(images: list[NDArray[np.uint8]]) -> float:
        return min(float(np.abs(one.astype(int) - other).mean()) for one, other in combinations(images, 2))

    return max(tried, key=least)


def close_by(close: CloseBy, seed: list[int]) -> NDArray[np.uint8]:
    """A capture with a labelled structure of this kind in its middle; of any scalp's if none of a hundred has it."""
    settings: Settings = {"scalp.clipped_chance": float(close.clipped), "scalp.patch_share": (0.5, 0.5)}
    if close.sign == "yellow_dot":
        settings["skin.yellow_dot_chance"] = (0.6, 0.6)
    priors = changed(CALM, settings)
    radius_um = float(np.hypot(*CELL_PX)) * SIGN_UM_PER_PX + MARGIN_UM
    image: NDArray[np.uint8] | None = None
    for attempt in range(100):
        rng = np.random.default_rng([*seed, attempt])
        scalp = draw_scalp(rng, radius_um, priors, draw_person(rng, priors))
        for pose in _poses(scalp, close.sign):
            capture = photograph(
                scalp, np.random.default_rng([*seed, attempt]), size_px=CELL_PX, um_per_px=SIGN_UM_PER_PX,
                priors=priors.camera, pose=pose,
            )  # fmt: skip
            image = capture.image
            middle = [
                o for o in capture.objects if np.hypot(o.x - CELL_PX[0] / 2, o.y - CELL_PX[1] / 2) < CELL_PX[1] / 2
            ]
            if any(o.sign == close.sign and close.free_end in (None, o.tip_in_view) for o in middle):
                return image
    return image if image is not None else _render(seed, priors)


def _poses(scalp: Scalp, sign: str) -> Iterator[Pose]:
    """With a structure of the sign in the middle of the field: the middle of what a cell shows of its shaft."""
    for structure in scalp.structures[:40]:
        if structure.sign == sign and float(np.hypot(*structure.root_um)) < scalp.radius_um / 2:
            reach = min(0.4 * CELL_PX[1] * SIGN_UM_PER_PX, 0.5 * structure.length_um)
            x, y = structure.root_um + reach * structure.heading_um()
            yield Pose(shift_um=(float(x), float(y)))


def _render(seed: list[int], priors: Priors) -> NDArray[np.uint8]:
    """A capture drawn from priors on which CALM's hair grows wherever only the marks of the skin differ from CALM."""
    radius_um = 0.5 * float(np.hypot(*CELL_PX)) * KNOB_UM_PER_PX + MARGIN_UM
    rng = np.random.default_rng(seed)
    scalp = draw_scalp(rng, radius_um, priors)
    if priors.scalp == CALM.scalp and any(getattr(priors.skin, name) != getattr(CALM.skin, name) for name in LOOSE):
        # Their number decides what is drawn next: without this, each cell would show another scalp.
        base = draw_scalp(np.random.default_rng(seed), radius_um, CALM)
        loose = tuple(mark for mark in scalp.marks if mark.kind in {"freckle", "dirt"})
        scalp = replace(base, marks=(*base.marks, *loose), vessels=scalp.vessels)
    photo = np.random.default_rng([*seed, 1])
    return photograph(scalp, photo, size_px=CELL_PX, um_per_px=KNOB_UM_PER_PX, priors=priors.camera).image

"""A scalp in µm: its follicular units, each hair with its sign, path and calibre, and the marks of its skin.

Coordinates are µm on the skin, x to the right and y down, with the origin at the centre of the field.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from trichotrack.synth.priors import Priors, Range, ScalpPriors, SkinPriors

Floats = NDArray[np.float64]
Colour = tuple[float, float, float]
End = Literal["fracture", "frayed", "cut"]

DRAWN_SIGNS = ("black_dot", "broken_hair", "tapering_hair", "short_vellus_hair", "terminal_hair")
"""The signs that are drawn and labelled, in the order of `ScalpPriors.sign_mix`."""

EMPTY = "empty"
"""A follicle without hair."""

PATH_STEP_UM = 45.0


@dataclass(frozen=True)
class Structure:
    """One hair or black dot. sign: None for a hair that is never labelled (a cut fragment lying on the skin).

    path_um: (N, 2), root first; a black dot has one point, its centre. width_um: (N,), calibre along the path.
    colour: RGB of the shaft, 0 to 1. opacity: 0 to 1. lift: how far the free end rises out of focus, 0 to 1. veil: how
    much of the root the skin hides, 0 to 1. seed: of the irregularities of its outline.
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
    unit: int = -1
    seed: int = 0

    @property
    def root_um(self) -> Floats:
        return np.asarray(self.path_um[0])

    @property
    def tip_um(self) -> Floats | None:
        """The free end, or None for a black dot."""
        return np.asarray(self.path_um[-1]) if len(self.path_um) > 1 else None

    @property
    def width_root_um(self) -> float:
        return float(self.width_um[0])

    @property
    def width_tip_um(self) -> float | None:
        return float(self.width_um[-1]) if len(self.path_um) > 1 else None

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
    """The look of the skin. seed: of its texture, so that a later photograph shows the same furrows."""

    colour: Colour
    melanin: float
    furrow_um: float
    furrow_depth: float
    furrow_stretch: float
    furrow_angle: float
    mottle: float
    seed: int


@dataclass(frozen=True)
class Scalp:
    """All that a photograph may show. radius_um: how far from the origin it is known."""

    radius_um: float
    skin: Skin
    structures: tuple[Structure, ...]
    marks: tuple[Mark, ...] = ()
    vessels: tuple[Floats, ...] = ()
    clipped: bool = False
    hair_colour: Colour = (0.1, 0.08, 0.07)
    extra: dict[str, float] = field(default_factory=dict)

    def without(self, structure_id: str) -> Scalp:
        """The same scalp but for one structure."""
        return replace(self, structures=tuple(s for s in self.structures if s.id != structure_id))


def draw_scalp(rng: np.random.Generator, radius_um: float, priors: Priors) -> Scalp:
    """A scalp drawn from priors, known to radius_um around the centre of the field."""
    skin = draw_skin(rng, priors.skin)
    clipped = bool(rng.random() < priors.scalp.clipped_chance)
    hair_colour = draw_hair_colour(rng, priors.skin, skin)
    barber = Barber(rng, priors, skin, hair_colour, clipped=clipped)
    units = unit_centres(rng, radius_um, within(rng, priors.scalp.units_per_cm2))
    signs_inside, signs_outside = sign_chances(rng, priors.scalp, clipped=clipped)
    inside = patch_side(rng, units, radius_um, within(rng, priors.scalp.patch_share))
    yellow = within(rng, priors.skin.yellow_dot_chance) * float(rng.random() < 0.5)
    structures: list[Structure] = []
    marks: list[Mark] = []
    roots = np.empty((0, 2))
    for unit, centre in enumerate(units):
        chances = signs_inside if inside[unit] else signs_outside
        for root in unit_roots(rng, centre, barber.stream(centre), priors.scalp):
            if len(roots) and np.hypot(*(roots - root).T).min() < priors.scalp.min_root_distance_um:
                continue
            sign = str(rng.choice([*DRAWN_SIGNS, EMPTY], p=chances))
            marks += follicle_marks(rng, root, sign, skin, priors.skin, yellow)
            if sign != EMPTY:
                roots = np.vstack([roots, root])
                structures.append(barber.grow(sign, root, unit, f"u{unit}h{len(structures)}"))
    structures += lying_hairs(rng, barber, radius_um)
    structures += fragments(rng, barber, radius_um)
    marks += skin_marks(rng, priors.skin, skin, radius_um)
    return Scalp(
        radius_um=radius_um,
        skin=skin,
        structures=tuple(structures),
        marks=tuple(marks),
        vessels=draw_vessels(rng, priors.skin, radius_um),
        clipped=clipped,
        hair_colour=hair_colour,
    )


def within(rng: np.random.Generator, limits: Range) -> float:
    """Uniform in limits."""
    return float(rng.uniform(*limits))


def log_within(rng: np.random.Generator, limits: Range) -> float:
    """Log-uniform in limits."""
    return float(np.exp(rng.uniform(np.log(limits[0]), np.log(limits[1]))))


def draw_skin(rng: np.random.Generator, priors: SkinPriors) -> Skin:
    melanin = within(rng, priors.melanin) ** 2
    redness = within(rng, priors.erythema)
    stops = np.array([[0.80, 0.70, 0.62], [0.70, 0.57, 0.46], [0.52, 0.38, 0.28], [0.33, 0.23, 0.17]])
    place = melanin * (len(stops) - 1)
    low = min(int(place), len(stops) - 2)
    base = stops[low] + (stops[low + 1] - stops[low]) * (place - low)
    base = base * np.array([1.0, 1.0 - 0.28 * redness, 1.0 - 0.24 * redness]) + rng.normal(0, 0.02, 3)
    return Skin(
        colour=(float(base[0]), float(base[1]), float(base[2])),
        melanin=melanin,
        furrow_um=log_within(rng, priors.furrow_um),
        furrow_depth=within(rng, priors.furrow_depth),
        furrow_stretch=float(rng.uniform(1.0, 2.6)),
        furrow_angle=float(rng.uniform(0, np.pi)),
        mottle=float(rng.uniform(0.3, 1.0)),
        seed=int(rng.integers(2**31)),
    )


def draw_hair_colour(rng: np.random.Generator, priors: SkinPriors, skin: Skin) -> Colour:
    palette = np.array(
        [[0.05, 0.05, 0.06], [0.13, 0.09, 0.06], [0.26, 0.17, 0.10], [0.48, 0.34, 0.20], [0.62, 0.61, 0.60]]
    )
    chances = np.array(priors.hair_melanin)
    # Light hair hardly ever grows on dark skin, but for grey.
    chances = chances * np.array([1.0, 1.0, 1.0 - 0.7 * skin.melanin, max(0.0, 1.0 - 2.0 * skin.melanin), 1.0])
    kind = int(rng.choice(len(palette), p=chances / chances.sum()))
    colour = palette[kind] * rng.uniform(0.8, 1.25) + rng.normal(0, 0.012, 3)
    return _apart(np.clip(colour, 0.02, 0.95), skin, 0.13)


def _apart(colour: Floats, skin: Skin, least: float) -> Colour:
    """Colour, darkened or lightened where it would vanish against the skin: an unseen hair must not be labelled."""
    weights = np.array([0.3, 0.59, 0.11])
    gap = float(weights @ (colour - np.array(skin.colour)))
    if abs(gap) < least:
        colour = colour + (least - gap if gap > 0 and skin.melanin > 0.3 else -least - gap)
    colour = np.clip(colour, 0.02, 0.97)
    return float(colour[0]), float(colour[1]), float(colour[2])


def unit_centres(rng: np.random.Generator, radius_um: float, units_per_cm2: float) -> Floats:
    """(N, 2): a jittered hexagonal grid, so that units keep their distance as on a scalp."""
    spacing = 1e4 * float(np.sqrt(2.0 / (np.sqrt(3.0) * units_per_cm2)))
    count = int(np.ceil(radius_um / spacing)) + 1
    column, row = np.meshgrid(np.arange(-count, count + 1), np.arange(-count, count + 1))
    x = (column + 0.5 * (row % 2)) * spacing
    y = row * spacing * np.sqrt(3.0) / 2.0
    grid = np.stack([x.ravel(), y.ravel()], axis=1) + rng.uniform(-0.5, 0.5, 2) * spacing
    grid = grid + rng.uniform(-0.32, 0.32, grid.shape) * spacing
    angle = rng.uniform(0, np.pi)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return np.asarray(grid[np.hypot(*grid.T) < radius_um] @ turn.T)


def unit_roots(rng: np.random.Generator, centre: Floats, stream: float, priors: ScalpPriors) -> Floats:
    """(1 to 4, 2): the roots of one follicular unit, in a loose row across the stream."""
    chances = np.array(priors.hairs_per_unit)
    count = 1 + int(rng.choice(len(chances), p=chances / chances.sum()))
    across = stream + np.pi / 2 + rng.normal(0, 0.5)
    step = priors.min_root_distance_um * rng.uniform(1.02, 1.35, count)
    along = np.concatenate([[0.0], np.cumsum(step[1:])])
    along = along - along.mean()
    side = rng.normal(0, 18.0, count)
    direction = np.array([np.cos(across), np.sin(across)])
    normal = np.array([-direction[1], direction[0]])
    return np.asarray(centre + along[:, None] * direction + side[:, None] * normal)


def sign_chances(rng: np.random.Generator, priors: ScalpPriors, *, clipped: bool) -> tuple[Floats, Floats]:
    """Chance of each drawn sign and of an empty follicle, inside the patch and outside it."""
    inside = rng.dirichlet(np.array(priors.sign_mix))
    present = rng.random(len(inside)) >= priors.sign_absent
    present[-1] = True
    inside = inside * present + np.array([0, 0, 0, 0, 0, 1e-3])
    outside = np.array([0.02, 0.02, 0.02, 0.10, 0.74, 0.10])
    if clipped:
        inside[:3] = outside[:3] = 0.0
    return inside / inside.sum(), outside / outside.sum()


def patch_side(rng: np.random.Generator, units: Floats, radius_um: float, share: float) -> NDArray[np.bool_]:
    """Which units lie inside the patch: one side of a gently curved edge."""
    angle = rng.uniform(0, 2 * np.pi)
    along = units @ np.array([np.cos(angle), np.sin(angle)])
    across = units @ np.array([-np.sin(angle), np.cos(angle)])
    edge = (2 * share - 1) * 0.7 * radius_um + rng.uniform(-1, 1) * across**2 / (4 * radius_um)
    return np.asarray(along + rng.normal(0, 0.06 * radius_um, len(units)) < edge)


class Barber:
    """Grows hairs of one scalp: common colour, stream and nuisances, each hair with its own irregularities."""

    def __init__(
        self, rng: np.random.Generator, priors: Priors, skin: Skin, hair_colour: Colour, *, clipped: bool
    ) -> None:
        self.rng, self.priors, self.skin, self.clipped = rng, priors, skin, clipped
        self.hair_colour = np.array(hair_colour)
        self.stream_angle = float(rng.uniform(0, 2 * np.pi))
        self.stream_turn = float(rng.normal(0, 8e-5))
        self.curl = float(abs(rng.normal(0, 1.2e-4)))
        self.subsurface_um = within(rng, priors.skin.subsurface_um) * float(rng.random() < 0.8)
        self.veil = float(rng.uniform(0.1, 0.85))
        self.grey = float(rng.random() < 0.25) * float(rng.uniform(0.0, 0.5))

    def stream(self, at_um: Floats) -> float:
        """Direction of the hairs at a place, radians."""
        return self.stream_angle + self.stream_turn * float(at_um[0])

    def grow(self, sign: str, root: Floats, unit: int, name: str) -> Structure:
        grown = {
            "black_dot": self._black_dot,
            "broken_hair": self._broken,
            "tapering_hair": self._tapering,
            "short_vellus_hair": self._vellus,
            "terminal_hair": self._terminal,
        }[sign](root)
        return replace(grown, id=name, sign=sign, unit=unit, seed=int(self.rng.integers(2**31)))

    def _black_dot(self, root: Floats) -> Structure:
        colour = self._colour(0.8, 0.2)
        return Structure(
            "", None, root[None], np.array([within(self.rng, self.priors.scalp.black_dot_um)]), colour,
            opacity=float(self.rng.uniform(0.72, 1.0)), veil=float(self.rng.uniform(0.0, 0.35)),
        )  # fmt: skip

    def _broken(self, root: Floats) -> Structure:
        priors = self.priors.scalp
        path = self.path(root, log_within(self.rng, priors.broken_length_um), 1.2)
        width = within(self.rng, priors.broken_width_um) * self._uneven(len(path), 0.03)
        end: End = "frayed" if self.rng.random() < 0.25 else "fracture"
        return self._hair(path, width, end, lift=0.4)

    def _tapering(self, root: Floats) -> Structure:
        priors, rng = self.priors.scalp, self.rng
        path = self.path(root, log_within(rng, priors.tapering_length_um), 0.8)
        at_root = within(rng, priors.tapering_root_um)
        at_tip = float(np.clip(at_root * within(rng, priors.tapering_ratio), *priors.tapering_tip_um))
        share = np.linspace(0, 1, len(path)) ** float(np.exp(rng.uniform(-0.6, 0.5)))
        width = (at_root + (at_tip - at_root) * share) * self._uneven(len(path), 0.02)
        end: End = "frayed" if rng.random() < 0.35 else "fracture"
        return self._hair(path, width, end, lift=0.5)

    def _vellus(self, root: Floats) -> Structure:
        priors, rng = self.priors.scalp, self.rng
        length = log_within(rng, priors.vellus_length_um)
        if self.clipped:
            length = min(length, within(rng, priors.clipped_length_um))
        path = self.path(root, length, 3.0)
        width = within(rng, priors.vellus_width_um) * self._uneven(len(path), 0.03)
        width[1:] *= np.linspace(1.0, rng.uniform(0.6, 1.0), len(path) - 1)
        pale = np.array(self.skin.colour) * rng.uniform(0.4, 0.72) * np.array([1.0, 0.94, 0.88])
        mix = rng.uniform(0.15, 0.9)
        colour = _apart(np.clip(mix * pale + (1 - mix) * self.hair_colour, 0, 1), self.skin, 0.16)
        opacity = float(rng.uniform(0.6, 0.95))
        hair = self._hair(path, width, "cut", lift=0.35)
        return replace(hair, colour=colour, opacity=opacity, veil=0.4 * hair.veil, subsurface_um=0.0)

    def _terminal(self, root: Floats) -> Structure:
        priors, rng = self.priors.scalp, self.rng
        lengths = priors.clipped_length_um if self.clipped else priors.terminal_length_um
        path = self.path(root, log_within(rng, lengths), 1.0)
        width = within(rng, priors.terminal_width_um) * self._uneven(len(path), 0.03)
        return self._hair(path, width, "cut", lift=0.5 if self.clipped else 1.0)

    def _hair(self, path: Floats, width: Floats, end: End, *, lift: float) -> Structure:
        rng = self.rng
        return Structure(
            "", None, path, width, self._colour(1.0, 0.25), end=end, lift=lift * float(rng.uniform(0, 1)),
            veil=self.veil * float(rng.uniform(0.4, 1.2)),
            subsurface_um=self.subsurface_um * float(rng.uniform(0.4, 1.3)),
        )  # fmt: skip

    def path(self, root: Floats, length_um: float, wildness: float) -> Floats:
        """(N, 2) from the root on: a gently curved, slightly wavy line of exactly length_um."""
        rng = self.rng
        count = max(5, int(np.ceil(length_um / PATH_STEP_UM)))
        along = np.linspace(0.0, length_um, count)
        heading = self.stream(root) + rng.normal(0, np.deg2rad(self.priors.scalp.stream_spread_deg) * wildness**0.5)
        curl = self.curl * rng.choice([-1.0, 1.0]) + rng.normal(0, 4e-5 * wildness)
        # Long hairs are not wound into circles: the bend fades along the shaft.
        bend = curl * 3500.0 * (1.0 - np.exp(-along / 3500.0))
        wave = rng.normal(0, 0.03 * wildness) * np.sin(along / rng.uniform(250, 900) + rng.uniform(0, 6.28))
        middle = (heading + bend + wave)[:-1]
        steps = np.diff(along)[:, None] * np.stack([np.cos(middle), np.sin(middle)], axis=1)
        return np.asarray(root + np.concatenate([np.zeros((1, 2)), np.cumsum(steps, axis=0)]))

    def _uneven(self, count: int, amount: float) -> Floats:
        """(count,) factors on the calibre that vary slowly along the shaft."""
        knots = self.rng.normal(1.0, amount, 4)
        return np.asarray(np.interp(np.linspace(0, 3, count), np.arange(4), knots))

    def _colour(self, factor: float, spread: float) -> Colour:
        colour = self.hair_colour * factor * self.rng.uniform(1 - spread, 1 + spread)
        if self.rng.random() < self.grey:
            colour = np.array([0.6, 0.6, 0.6]) * self.rng.uniform(0.8, 1.15)
        return _apart(np.clip(colour, 0, 1), self.skin, 0.13)


def lying_hairs(rng: np.random.Generator, barber: Barber, radius_um: float) -> list[Structure]:
    """Long hairs that cross the field with their root outside it: a look-alike without a label of its own."""
    priors = barber.priors.scalp
    if barber.clipped or rng.random() < 0.4:
        return []
    area = (2 * radius_um / 1e4) ** 2
    hairs = []
    for index in range(int(rng.poisson(within(rng, priors.lying_hairs_per_cm2) * area * 0.35))):
        angle = rng.uniform(0, 2 * np.pi)
        start = radius_um * 1.25 * np.array([np.cos(angle), np.sin(angle)])
        hair = barber.grow("terminal_hair", start, -1, f"lying{index}")
        aim = angle + np.pi + rng.normal(0, 0.45)
        local = hair.path_um - start
        turn = aim - np.arctan2(*local[-1][::-1])
        spin = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
        thin = rng.uniform(0.35, 1.0)
        hairs.append(
            replace(hair, sign=None, path_um=start + local @ spin.T, width_um=hair.width_um * thin, subsurface_um=0.0)
        )
    return hairs


def fragments(rng: np.random.Generator, barber: Barber, radius_um: float) -> list[Structure]:
    """Cut pieces of hair on the skin, without a root: a look-alike of broken hairs."""
    if rng.random() < 0.5:
        return []
    area = (2 * radius_um / 1e4) ** 2
    pieces = []
    for index in range(int(rng.poisson(within(rng, barber.priors.scalp.fragments_per_cm2) * area))):
        place = rng.uniform(-radius_um, radius_um, 2)
        piece = barber.grow("broken_hair", place, -1, f"piece{index}")
        angle = rng.uniform(0, 2 * np.pi)
        spin = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        keep = max(3, int(len(piece.path_um) * 0.4))
        path = place + (piece.path_um[:keep] - place) @ spin.T
        pieces.append(
            replace(
                piece, sign=None, path_um=path, width_um=piece.width_um[:keep] * rng.uniform(0.3, 1.0), end="cut",
                veil=0.0, subsurface_um=0.0,
            )
        )  # fmt: skip
    return pieces


def follicle_marks(
    rng: np.random.Generator, root: Floats, sign: str, skin: Skin, priors: SkinPriors, yellow: float
) -> list[Mark]:
    """The opening around a root, sometimes filled."""
    marks = []
    xy = (float(root[0]), float(root[1]))
    if rng.random() < (2 * yellow if sign == EMPTY else yellow):
        tint = np.array(skin.colour) * np.array([1.06, 0.93, 0.62])
        colour = (float(tint[0]), float(tint[1]), float(tint[2]))
        marks.append(Mark("yellow", xy, within(rng, (150, 250)), colour, within(rng, (0.35, 0.9))))
    if rng.random() < (priors.empty_opening_chance if sign == EMPTY else 0.7):
        tint = np.array(skin.colour) * rng.uniform(0.55, 0.85) * np.array([1.0, 0.92, 0.86])
        colour = (float(tint[0]), float(tint[1]), float(tint[2]))
        strength = within(rng, (0.15, 0.7)) * (1.0 if sign == EMPTY else 0.6)
        marks.append(Mark("opening", xy, within(rng, (45, 120)), colour, strength))
    return marks


def skin_marks(rng: np.random.Generator, priors: SkinPriors, skin: Skin, radius_um: float) -> list[Mark]:
    """Freckles and dirt: dark spots that are no black dots."""
    area = (2 * radius_um / 1e4) ** 2
    marks = []
    if rng.random() < 0.4:
        for _ in range(int(rng.poisson(within(rng, priors.freckles_per_cm2) * area))):
            tint = np.array(skin.colour) * rng.uniform(0.45, 0.8) * np.array([1.0, 0.88, 0.75])
            colour = (float(tint[0]), float(tint[1]), float(tint[2]))
            x, y = rng.uniform(-radius_um, radius_um, 2)
            marks.append(
                Mark(
                    "freckle", (float(x), float(y)), log_within(rng, (25, 150)), colour, within(rng, (0.3, 0.8)),
                    within(rng, (1.0, 1.8)), within(rng, (0, np.pi)),
                )
            )  # fmt: skip
    if rng.random() < 0.5:
        for _ in range(int(rng.poisson(within(rng, priors.dirt_per_cm2) * area))):
            colour = (0.1, 0.15, 0.5) if rng.random() < 0.25 else (0.1, 0.09, 0.08)
            x, y = rng.uniform(-radius_um, radius_um, 2)
            marks.append(
                Mark(
                    "dirt", (float(x), float(y)), log_within(rng, (4, 22)), colour, within(rng, (0.4, 0.95)),
                    within(rng, (1.0, 2.5)), within(rng, (0, np.pi)),
                )
            )  # fmt: skip
    return marks


def draw_vessels(rng: np.random.Generator, priors: SkinPriors, radius_um: float) -> tuple[Floats, ...]:
    """Thin winding lines, each (N, 2) µm."""
    area = (2 * radius_um / 1e4) ** 2
    vessels = []
    for _ in range(int(rng.poisson(within(rng, priors.vessels_per_cm2) * area * float(rng.random() < 0.7)))):
        count = int(rng.integers(6, 28))
        heading = rng.uniform(0, 2 * np.pi) + np.cumsum(rng.normal(0, 0.35, count))
        steps = 40.0 * np.stack([np.cos(heading), np.sin(heading)], axis=1)
        vessels.append(np.asarray(rng.uniform(-radius_um, radius_um, 2) + np.cumsum(steps, axis=0)))
    return tuple(vessels)

"""Draws a scalp from priors: where its units lie, which sign each hair shows, and the marks of its skin."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from trichotrack.synth.growth import HairGrower
from trichotrack.synth.loose import fibres, fragments, lying_hairs
from trichotrack.synth.priors import Priors, ScalpPriors, SkinPriors
from trichotrack.synth.scalp import (
    EMPTY,
    GROWN,
    SHAVED,
    YELLOW_DOT,
    Colour,
    Floats,
    Mark,
    Scalp,
    Skin,
    Structure,
    log_within,
    triple,
    within,
)
from trichotrack.synth.tone import draw_hair_colour, draw_skin

DESTROYED = ("black_dot", "broken_hair", "tapering_hair")
"""Signs of a hair that will not grow on: the next one of the follicle is another."""

DOT_APART_UM = 125.0
"""From the middle of a black dot to the next root or dot at least."""

REGROWN = ("upright_regrowing_hair", "pigtail_hair")


@dataclass(frozen=True)
class Person:
    """What all places of one head share."""

    skin: Skin
    hair_colour: Colour
    clipped: bool = False


@dataclass(frozen=True)
class Follicle:
    """One follicle, whatever grows from it. seed: of its hair, so that the same sign grows the same hair again."""

    root_um: Floats
    unit: int
    seed: int


@dataclass(frozen=True)
class Ground:
    """One place of a scalp without its hair: it stays when the hair changes."""

    radius_um: float
    person: Person
    grower: HairGrower
    follicles: tuple[Follicle, ...]
    yellow: float
    marks: tuple[Mark, ...]
    vessels: tuple[Floats, ...]
    priors: Priors


def draw_scalp(rng: np.random.Generator, radius_um: float, priors: Priors, person: Person | None = None) -> Scalp:
    """A scalp drawn from priors (of person, where given), known to radius_um around the centre of the field."""
    ground = draw_ground(rng, radius_um, priors, person or draw_person(rng, priors))
    inside, outside = sign_chances(rng, priors.scalp, clipped=ground.person.clipped)
    roots = np.array([follicle.root_um for follicle in ground.follicles]).reshape(-1, 2)
    in_patch = patch_side(rng, roots, radius_um, within(rng, priors.scalp.patch_share))
    signs = [GROWN[int(rng.choice(len(GROWN), p=inside if patch else outside))] for patch in in_patch]
    if not ground.person.clipped and rng.random() < priors.scalp.shaved_chance:
        signs = [sign if sign in (EMPTY, "short_vellus_hair") else SHAVED for sign in signs]
    return grown(ground, apart_dots(ground, signs), rng)


def apart_dots(ground: Ground, signs: Sequence[str]) -> list[str]:
    """The signs, but for black dots so near to other hair or another dot that nobody could tell them apart: EMPTY."""
    roots = np.array([follicle.root_um for follicle in ground.follicles]).reshape(-1, 2)
    settled = list(signs)
    for number, sign in enumerate(signs):
        if sign != "black_dot":
            continue
        close = np.flatnonzero(np.hypot(*(roots - roots[number]).T) < DOT_APART_UM)
        others = (settled[other] for other in close if other != number)
        if any(other not in (EMPTY, "black_dot") for other in others) or any(
            settled[other] == "black_dot" for other in close if other < number
        ):
            settled[number] = EMPTY
    return settled


def draw_person(rng: np.random.Generator, priors: Priors) -> Person:
    """Someone whose skin and hair go together, clipped or not."""
    skin = draw_skin(rng, priors.skin)
    clipped = bool(rng.random() < priors.scalp.clipped_chance)
    return Person(skin, draw_hair_colour(rng, priors.skin, skin), clipped)


def draw_ground(rng: np.random.Generator, radius_um: float, priors: Priors, person: Person) -> Ground:
    """A place of a person's scalp: its follicles, at least min_root_distance_um apart, and the marks of its skin."""
    person = replace(person, skin=replace(person.skin, seed=int(rng.integers(2**31))))
    grower = HairGrower(rng, priors, person.skin, person.hair_colour, clipped=person.clipped)
    follicles: list[Follicle] = []
    roots = np.empty((0, 2))
    for unit, centre in enumerate(unit_centres(rng, radius_um, within(rng, priors.scalp.units_per_cm2))):
        for root in unit_roots(rng, centre, grower.stream(centre), priors.scalp):
            gaps = roots - root
            if len(roots) and np.hypot(gaps[:, 0], gaps[:, 1]).min() < priors.scalp.min_root_distance_um:
                continue
            roots = np.vstack([roots, root])
            follicles.append(Follicle(root, unit, int(rng.integers(2**31))))
    return Ground(
        radius_um=radius_um,
        person=person,
        grower=grower,
        follicles=tuple(follicles),
        yellow=within(rng, priors.skin.yellow_dot_chance)
        * float(rng.random() < (priors.skin.clipped_yellow_present if person.clipped else priors.skin.yellow_present)),
        marks=(
            *skin_marks(rng, priors.skin, person.skin, radius_um),
            *tattoo(rng, priors.scalp, person.skin, radius_um),
        ),
        vessels=draw_vessels(rng, priors.skin, radius_um),
        priors=priors,
    )


def grown(
    ground: Ground,
    signs: Sequence[str],
    rng: np.random.Generator,
    ages_weeks: Sequence[float] | None = None,
    relapsed: Collection[int] = (),
) -> Scalp:
    """The scalp on which each follicle shows its sign (or EMPTY). rng: of what only lies on it, cut hair and long.

    A follicle is seeded by itself and its sign: shown again, it is the same hair. ages_weeks: since when each has grown
    (infinite: full grown), which limits its length. relapsed: numbers of the follicles whose hair a relapse destroyed:
    what they show is another structure than any they showed before, of the same sign or not.
    """
    structures: list[Structure] = []
    marks: list[Mark] = []
    skin = ground.person.skin
    leans = unit_leans(ground)
    for number, (follicle, sign) in enumerate(zip(ground.follicles, signs, strict=True)):
        own = np.random.default_rng([follicle.seed, 0])
        around = follicle_marks(own, follicle.root_um, sign, skin, ground.priors.skin, ground.yellow)
        if number and ground.follicles[number - 1].unit == follicle.unit:
            # The hairs of a unit share an opening, which is filled once.
            around = [mark for mark in around if mark.kind != "yellow"]
        marks += around
        structures += [filled(mark, number, follicle.unit) for mark in around if mark.kind == "yellow"]
        if sign == EMPTY:
            continue
        of_sign = len(GROWN) if sign == SHAVED else GROWN.index(sign)
        again = [1] if number in relapsed else []
        grower = ground.grower.seeded([follicle.seed, 1 + of_sign, *again]).leaning(leans[number])
        age = float("inf") if ages_weeks is None else ages_weeks[number]
        # What is destroyed is not the hair that returns: that is another structure of the same follicle.
        name = f"f{number}r" if again else f"f{number}x" if sign in DESTROYED else f"f{number}"
        structure = grower.grow(sign, follicle.root_um, follicle.unit, name, age_weeks=age)
        structures.append(replace(structure, follicle=number))
    loose = ground.grower.seeded([int(rng.integers(2**31))])
    structures += lying_hairs(loose, ground.radius_um)
    structures += fragments(loose, ground.radius_um)
    structures += fibres(loose, ground.radius_um)
    return Scalp(
        ground.radius_um, skin, tuple(structures), (*marks, *ground.marks), ground.vessels, ground.person.clipped
    )


def unit_leans(ground: Ground) -> list[float]:
    """Angle by which the hair of each follicle leans towards the others of its unit: clipped hairs cling together."""
    leans = []
    priors = ground.priors.scalp
    roots = np.array([follicle.root_um for follicle in ground.follicles]).reshape(-1, 2)
    units = np.array([follicle.unit for follicle in ground.follicles])
    for follicle in ground.follicles:
        rng = np.random.default_rng([ground.person.skin.seed, follicle.unit])
        meets_um = within(rng, priors.clings_um) * (1.0 if rng.random() < priors.clings_chance else -1.5)
        centre = roots[units == follicle.unit].mean(axis=0)
        stream = ground.grower.stream(centre)
        aside = float((follicle.root_um - centre) @ np.array([-np.sin(stream), np.cos(stream)]))
        leans.append(float(-np.arctan(aside / meets_um)) if ground.person.clipped else 0.0)
    return leans


def filled(mark: Mark, number: int, unit: int) -> Structure:
    """The yellow dot of a filled opening: apart from what grows from it."""
    return Structure(
        f"f{number}y", YELLOW_DOT, np.array([mark.xy_um]), np.array([2 * mark.radius_um]), mark.colour,
        opacity=mark.strength, veil=0.0, unit=unit, follicle=number,
    )  # fmt: skip


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
    step = np.maximum(rng.normal(*priors.unit_step_um, count), 1.1 * priors.min_root_distance_um)
    along = np.concatenate([[0.0], np.cumsum(step[1:])])
    along = along - along.mean()
    side = rng.normal(0, 18.0, count)
    direction = np.array([np.cos(across), np.sin(across)])
    normal = np.array([-direction[1], direction[0]])
    return np.asarray(centre + along[:, None] * direction + side[:, None] * normal)


def sign_chances(rng: np.random.Generator, priors: ScalpPriors, *, clipped: bool) -> tuple[Floats, Floats]:
    """Chance of each of GROWN, inside the patch and outside it."""
    mix = np.zeros(len(GROWN))
    given = priors.clipped_mix if clipped else priors.sign_mix
    mix[: len(given)] = given
    inside = np.zeros(len(GROWN))
    inside[mix > 0] = rng.dirichlet(mix[mix > 0])
    if clipped:
        return inside, inside
    absent = np.where([sign in REGROWN for sign in GROWN], priors.rare_absent, priors.sign_absent)
    absent[GROWN.index(EMPTY)] = 0.0
    inside = inside * (rng.random(len(GROWN)) >= absent)
    inside[GROWN.index(EMPTY)] += 1e-3
    outside = np.array(priors.outside_mix) * (mix > 0)
    outside[GROWN.index(EMPTY)] += 1e-3
    return inside / inside.sum(), outside / outside.sum()


def patch_side(rng: np.random.Generator, roots: Floats, radius_um: float, share: float) -> NDArray[np.bool_]:
    """Which of the roots (N, 2) µm lie inside the patch: one side of a gently curved edge."""
    angle = rng.uniform(0, 2 * np.pi)
    along = roots @ np.array([np.cos(angle), np.sin(angle)])
    across = roots @ np.array([-np.sin(angle), np.cos(angle)])
    edge = (2 * share - 1) * 0.7 * radius_um + rng.uniform(-1, 1) * across**2 / (4 * radius_um)
    return np.asarray(along + rng.normal(0, 0.06 * radius_um, len(roots)) < edge)


def follicle_marks(
    rng: np.random.Generator, root: Floats, sign: str, skin: Skin, priors: SkinPriors, yellow: float
) -> list[Mark]:
    """The opening around a root, sometimes filled."""
    marks = []
    xy = (float(root[0]), float(root[1]))
    if rng.random() < (priors.yellow_if_empty * yellow if sign == EMPTY else yellow):
        tint = np.array(skin.colour) * np.array([1.03, 0.96, rng.uniform(0.5, 0.72)])
        colour = triple(tint)
        marks.append(Mark("yellow", xy, 0.5 * within(rng, priors.yellow_dot_um), colour, within(rng, (0.6, 0.95))))
    if rng.random() < (priors.empty_opening_chance if sign == EMPTY else priors.opening_chance):
        tint = np.array(skin.colour) * rng.uniform(0.55, 0.85) * np.array([1.0, 0.92, 0.86])
        colour = triple(tint)
        strength = within(rng, (0.15, 0.7)) * (1.0 if sign == EMPTY else 0.6)
        marks.append(Mark("opening", xy, within(rng, (45, 120)), colour, strength))
    return marks


def skin_marks(rng: np.random.Generator, priors: SkinPriors, skin: Skin, radius_um: float) -> list[Mark]:
    """Freckles and dirt: dark spots that are no black dots."""
    area = (2 * radius_um / 1e4) ** 2
    marks = []
    if rng.random() < priors.freckles_chance:
        for _ in range(int(rng.poisson(within(rng, priors.freckles_per_cm2) * area))):
            tint = np.array(skin.colour) * rng.uniform(0.45, 0.8) * np.array([1.0, 0.88, 0.75])
            colour = triple(tint)
            x, y = rng.uniform(-radius_um, radius_um, 2)
            marks.append(
                Mark(
                    "freckle", (float(x), float(y)), log_within(rng, (25, 150)), colour, within(rng, (0.3, 0.8)),
                    within(rng, (1.0, 1.8)), within(rng, (0, np.pi)),
                )
            )  # fmt: skip
    if rng.random() < priors.dirt_chance:
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


def tattoo(rng: np.random.Generator, priors: ScalpPriors, skin: Skin, radius_um: float) -> list[Mark]:
    """Micropigmentation, where there is any: bluish grey dots at regular distances, off the openings."""
    if rng.random() >= priors.tattooed_chance:
        return []
    spacing, radius = within(rng, (420, 900)), within(rng, (40, 110))
    tint = triple(np.array(skin.colour) * rng.uniform(0.35, 0.7) * np.array([0.85, 0.98, 1.15]))
    places = unit_centres(rng, radius_um, 2e8 / np.sqrt(3.0) / spacing**2)
    return [
        Mark("freckle", (float(x), float(y)), radius * rng.uniform(0.75, 1.3), tint, rng.uniform(0.45, 0.9))
        for x, y in places
    ]


def draw_vessels(rng: np.random.Generator, priors: SkinPriors, radius_um: float) -> tuple[Floats, ...]:
    """Thin winding lines, each (N, 2) µm."""
    area = (2 * radius_um / 1e4) ** 2
    vessels = []
    shown = within(rng, priors.vessels_per_cm2) * area * float(rng.random() < priors.vessels_chance)
    for _ in range(int(rng.poisson(shown))):
        count = int(rng.integers(6, 28))
        heading = rng.uniform(0, 2 * np.pi) + np.cumsum(rng.normal(0, 0.35, count))
        steps = 40.0 * np.stack([np.cos(heading), np.sin(heading)], axis=1)
        vessels.append(np.asarray(rng.uniform(-radius_um, radius_um, 2) + np.cumsum(steps, axis=0)))
    return tuple(vessels)

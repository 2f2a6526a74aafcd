"""The colour of one person's skin and hair, and how the skin's surface looks."""

from __future__ import annotations

import numpy as np

from trichotrack.synth.growth import apart
from trichotrack.synth.priors import SkinPriors
from trichotrack.synth.scalp import Colour, Skin, log_within, triple, within

SKIN_STOPS = ((0.71, 0.68, 0.62), (0.63, 0.585, 0.51), (0.51, 0.43, 0.35), (0.27, 0.205, 0.16))
"""RGB of skin under its sheen from light to dark, at equal steps of melanin. The lighter two as seen between the sheen
on real 70x captures; the darker two assumed."""

HAIR_COLOURS = (
    (0.05, 0.05, 0.06), (0.13, 0.09, 0.06), (0.26, 0.17, 0.10), (0.50, 0.38, 0.23), (0.84, 0.83, 0.81),
    (0.43, 0.21, 0.12),
)  # fmt: skip
"""RGB of black, dark brown, brown, blond, white and red hair. Assumed."""

FROM_ABOVE = 0.6
"""Share of the light of the darkest skin that comes back from its pigment, above where a hair takes light. Assumed."""


def draw_skin(rng: np.random.Generator, priors: SkinPriors) -> Skin:
    """One person's skin: its tone on the line of SKIN_STOPS, reddened, and what its surface shows."""
    melanin = within(rng, priors.melanin) ** 2
    redness = within(rng, priors.erythema) * float(rng.random() ** 0.5)
    stops = np.array(SKIN_STOPS)
    place = melanin * (len(stops) - 1)
    low = min(int(place), len(stops) - 2)
    base = stops[low] + (stops[low + 1] - stops[low]) * (place - low)
    base = base * np.array([1.0, 1.0 - 0.28 * redness, 1.0 - 0.24 * redness]) * rng.normal(1, 0.02, 3)
    return Skin(
        colour=triple(base),
        melanin=melanin,
        furrow_um=log_within(rng, priors.furrow_um),
        furrow_depth=within(rng, priors.furrow_depth) * float(rng.random() ** 0.5),
        furrow_stretch=float(rng.uniform(1.0, 2.6)),
        furrow_angle=float(rng.uniform(0, np.pi)),
        mottle=float(rng.uniform(0.3, 1.0)),
        grain=float(rng.uniform(0.0, 1.0)),
        seed=int(rng.integers(2**31)),
        sweat_per_cm2=within(rng, priors.sweat_per_cm2) * float(rng.random() < priors.sweat_chance),
        network=within(rng, priors.network) * melanin**0.5 * float(rng.random() < priors.network_chance),
        flakes_per_cm2=within(rng, priors.flakes_per_cm2) * float(rng.random() < priors.flakes_chance),
        cuff=within(rng, priors.cuff) * float(rng.random() < priors.cuff_chance),
        halo=within(rng.spawn(1)[0], priors.halo) * (1.0 - FROM_ABOVE * melanin),
    )


def draw_hair_colour(rng: np.random.Generator, priors: SkinPriors, skin: Skin) -> Colour:
    """RGB (0 to 1) of one person's hair: one of HAIR_COLOURS, varied, and far enough from the skin's to be seen."""
    chances = np.zeros(len(HAIR_COLOURS))
    chances[: len(priors.hair_melanin)] = priors.hair_melanin
    # Light hair hardly ever grows on dark skin, but for white; where nothing else is asked for, it does.
    rarer = np.array([1.0, 1.0, 1.0 - 0.7 * skin.melanin, max(0.01, 1.0 - 2.0 * skin.melanin), 1.0, 1.0])
    chances = chances * rarer
    kind = int(rng.choice(len(chances), p=chances / chances.sum()))
    colour = np.array(HAIR_COLOURS[kind]) * rng.uniform(0.8, 1.25) + rng.normal(0, 0.012, 3)
    return apart(np.clip(colour, 0.02, 0.95), skin, 0.13)

"""Hair that only lies on the scalp or across it, and textile fibres: look-alikes without a label."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from trichotrack.synth.growth import HairGrower
from trichotrack.synth.scalp import Structure, log_within, triple, within


def lying_hairs(grower: HairGrower, radius_um: float) -> list[Structure]:
    """Long hairs that cross the field with their root outside it: a look-alike without a label of its own."""
    rng, priors = grower.rng, grower.priors.scalp
    if grower.clipped or rng.random() < priors.lying_absent:
        return []
    area = (2 * radius_um / 1e4) ** 2
    hairs = []
    for index in range(int(rng.poisson(within(rng, priors.lying_hairs_per_cm2) * area * priors.lying_share))):
        angle = rng.uniform(0, 2 * np.pi)
        start = radius_um * 1.25 * np.array([np.cos(angle), np.sin(angle)])
        hair = grower.grow("terminal_hair", start, -1, f"lying{index}")
        aim = angle + np.pi + rng.normal(0, 0.45)
        local = hair.path_um - start
        turn = aim - np.arctan2(*local[-1][::-1])
        spin = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
        thin = within(rng, priors.lying_calibre)
        hairs.append(
            replace(hair, sign=None, path_um=start + local @ spin.T, width_um=hair.width_um * thin, subsurface_um=0.0)
        )
    return hairs


def fragments(grower: HairGrower, radius_um: float) -> list[Structure]:
    """Cut pieces of hair on the skin, without a root: a look-alike of broken hairs."""
    rng = grower.rng
    if rng.random() < grower.priors.scalp.fragments_absent:
        return []
    area = (2 * radius_um / 1e4) ** 2
    pieces = []
    for index in range(int(rng.poisson(within(rng, grower.priors.scalp.fragments_per_cm2) * area))):
        place = rng.uniform(-radius_um, radius_um, 2)
        piece = grower.grow("broken_hair", place, -1, f"piece{index}")
        angle = rng.uniform(0, 2 * np.pi)
        spin = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        # Debris of clipping too: as short as wide.
        keep = min(len(piece.path_um), 2 if rng.random() < 0.4 else int(rng.integers(3, 18)))
        path = place + (piece.path_um[:keep] - place) @ spin.T
        pieces.append(
            replace(
                piece, sign=None, path_um=path, width_um=piece.width_um[:keep] * rng.uniform(0.3, 1.0), end="cut",
                veil=0.0, subsurface_um=0.0,
            )
        )  # fmt: skip
    return pieces


FIBRE_COLOURS = ((0.85, 0.88, 0.92), (0.2, 0.35, 0.8), (0.8, 0.2, 0.25), (0.15, 0.15, 0.17), (0.25, 0.6, 0.4))
"""RGB of white, blue, red, black and green thread. Assumed."""


def fibres(grower: HairGrower, radius_um: float) -> list[Structure]:
    """Textile fibres: thin, even, curved at will, often of a colour no hair has."""
    rng = grower.rng
    if rng.random() >= grower.priors.scalp.fibre_chance:
        return []
    found = []
    for index in range(int(rng.integers(1, 5))):
        length = log_within(rng, (600.0, 8000.0))
        count = max(8, int(length / 60.0))
        turn = np.cumsum(np.interp(np.linspace(0, 5, count), np.arange(6), rng.normal(0, 0.09, 6)))
        heading = rng.uniform(0, 2 * np.pi) + turn
        steps = length / count * np.stack([np.cos(heading), np.sin(heading)], axis=1)
        path = rng.uniform(-radius_um, radius_um, 2) + np.cumsum(steps, axis=0)
        colour = np.array(FIBRE_COLOURS[int(rng.integers(len(FIBRE_COLOURS)))]) * rng.uniform(0.8, 1.1)
        found.append(
            Structure(
                f"fibre{index}", None, path, np.full(count, within(rng, (9, 28))), triple(np.clip(colour, 0, 1)),
                opacity=within(rng, (0.5, 0.95)), lift=within(rng, (0.0, 0.8)), veil=0.0,
                seed=int(rng.integers(2**31)),
            )
        )  # fmt: skip
    return found

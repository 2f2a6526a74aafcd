"""Hairs of one scalp: their paths, calibres, colours and free ends, and the hair that only lies across or on it."""

from __future__ import annotations

import copy
from dataclasses import replace

import numpy as np

from trichotrack.signs import VELLUS_CUTOFF_UM
from trichotrack.synth.priors import Priors
from trichotrack.synth.scalp import Colour, End, Floats, Skin, Structure, log_within, triple, within

PATH_STEP_UM = 45.0

LEAST_TERMINAL_UM = 55.0
"""No part of a terminal hair is thinner."""


def apart(colour: Floats, skin: Skin, least: float) -> Colour:
    """Colour, darkened or lightened where it would vanish against the skin: an unseen hair must not be labelled."""
    weights = np.array([0.3, 0.59, 0.11])
    gap = float(weights @ (colour - np.array(skin.colour)))
    if abs(gap) < least:
        colour = colour + (least - gap if gap > 0 and skin.melanin > 0.3 else -least - gap)
    return triple(np.clip(colour, 0.02, 0.97))


class HairGrower:
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
        self.veil = float(rng.uniform(0.35, 1.0))
        self.grey = float(rng.random() < 0.25) * within(rng, priors.skin.grey_share)

    def seeded(self, seed: list[int]) -> HairGrower:
        """The same scalp's grower, drawing from a generator of its own."""
        other = copy.copy(self)
        other.rng = np.random.default_rng(seed)
        return other

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
        # A dot is dark whatever the hair: what fills the opening is a plug of it.
        colour = np.minimum(self.hair_colour * self.rng.uniform(0.6, 1.0), 0.6 * np.array(self.skin.colour))
        return Structure(
            "", None, root[None], np.array([within(self.rng, self.priors.scalp.black_dot_um)]), triple(colour),
            opacity=float(self.rng.uniform(0.72, 1.0)), veil=float(self.rng.uniform(0.0, 0.2)),
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
        width = np.minimum(within(rng, priors.vellus_width_um) * self._uneven(len(path), 0.03), VELLUS_CUTOFF_UM - 0.5)
        width[1:] *= np.linspace(1.0, rng.uniform(0.6, 1.0), len(path) - 1)
        pale = np.array(self.skin.colour) * rng.uniform(0.4, 0.72) * np.array([1.0, 0.94, 0.88])
        mix = rng.uniform(0.15, 0.9)
        colour = apart(np.clip(mix * pale + (1 - mix) * self.hair_colour, 0, 1), self.skin, 0.12)
        opacity = float(rng.uniform(0.5, 0.95))
        hair = self._hair(path, width, "cut", lift=0.35)
        return replace(hair, colour=colour, opacity=opacity, veil=0.6 * hair.veil, subsurface_um=0.0)

    def _terminal(self, root: Floats) -> Structure:
        priors, rng = self.priors.scalp, self.rng
        lengths = priors.clipped_length_um if self.clipped else priors.terminal_length_um
        path = self.path(root, log_within(rng, lengths), 1.0)
        width = np.maximum(within(rng, priors.terminal_width_um) * self._uneven(len(path), 0.03), LEAST_TERMINAL_UM)
        return self._hair(path, width, "cut", lift=0.5 if self.clipped else 1.0)

    def _hair(self, path: Floats, width: Floats, end: End, *, lift: float) -> Structure:
        rng = self.rng
        return Structure(
            "", None, path, width, self._colour(1.0, 0.25), end=end, lift=lift * float(rng.uniform(0, 1)),
            veil=self.veil * float(rng.uniform(0.6, 1.1)),
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
        return apart(np.clip(colour, 0, 1), self.skin, 0.13)


def lying_hairs(grower: HairGrower, radius_um: float) -> list[Structure]:
    """Long hairs that cross the field with their root outside it: a look-alike without a label of its own."""
    rng, priors = grower.rng, grower.priors.scalp
    if grower.clipped or rng.random() < 0.4:
        return []
    area = (2 * radius_um / 1e4) ** 2
    hairs = []
    for index in range(int(rng.poisson(within(rng, priors.lying_hairs_per_cm2) * area * 0.35))):
        angle = rng.uniform(0, 2 * np.pi)
        start = radius_um * 1.25 * np.array([np.cos(angle), np.sin(angle)])
        hair = grower.grow("terminal_hair", start, -1, f"lying{index}")
        aim = angle + np.pi + rng.normal(0, 0.45)
        local = hair.path_um - start
        turn = aim - np.arctan2(*local[-1][::-1])
        spin = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
        thin = rng.uniform(0.35, 1.0)
        hairs.append(
            replace(hair, sign=None, path_um=start + local @ spin.T, width_um=hair.width_um * thin, subsurface_um=0.0)
        )
    return hairs


def fragments(grower: HairGrower, radius_um: float) -> list[Structure]:
    """Cut pieces of hair on the skin, without a root: a look-alike of broken hairs."""
    rng = grower.rng
    if rng.random() < 0.5:
        return []
    area = (2 * radius_um / 1e4) ** 2
    pieces = []
    for index in range(int(rng.poisson(within(rng, grower.priors.scalp.fragments_per_cm2) * area))):
        place = rng.uniform(-radius_um, radius_um, 2)
        piece = grower.grow("broken_hair", place, -1, f"piece{index}")
        angle = rng.uniform(0, 2 * np.pi)
        spin = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        keep = min(len(piece.path_um), int(rng.integers(3, 18)))
        path = place + (piece.path_um[:keep] - place) @ spin.T
        pieces.append(
            replace(
                piece, sign=None, path_um=path, width_um=piece.width_um[:keep] * rng.uniform(0.3, 1.0), end="cut",
                veil=0.0, subsurface_um=0.0,
            )
        )  # fmt: skip
    return pieces

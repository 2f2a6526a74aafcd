"""Hairs of one scalp: their paths, calibres, colours and free ends."""

from __future__ import annotations

import copy
from dataclasses import replace

import numpy as np

from trichotrack.signs import VELLUS_CUTOFF_UM
from trichotrack.synth.priors import Priors
from trichotrack.synth.scalp import SHAVED, Colour, End, Floats, Skin, Structure, log_within, triple, within

PATH_STEP_UM = 45.0

LEAST_TERMINAL_UM = 55.0
"""No part of a terminal hair is thinner."""


LIGHTER_BY = 0.2
"""A hair lighter than the skin is so much lighter, or sheen, which is white too, would hide it. Assumed."""


def apart(colour: Floats, skin: Skin, least: float) -> Colour:
    """Colour, darkened or lightened where it would vanish against the skin: an unseen hair must not be labelled."""
    weights = np.array([0.3, 0.59, 0.11])
    gap = float(weights @ (colour - np.array(skin.colour)))
    if 0 < gap < LIGHTER_BY:
        colour = colour + LIGHTER_BY - gap
    elif -least < gap <= 0:
        colour = colour - least - gap
    return triple(np.clip(colour, 0.02, 0.97))


SPEEDS = {
    "short_vellus_hair": "vellus_growth_mm_per_day",
    "terminal_hair": "growth_mm_per_day",
    "intermediate_hair": "growth_mm_per_day",
    "upright_regrowing_hair": "growth_mm_per_day",
}

LEAST_GROWN_UM = 350.0
"""A hair that has only just come is at least so long: a shorter one would be taken for a dot."""


def shortened(hair: Structure, length_um: float) -> Structure:
    """The first length_um of a hair, with the pointed free end of one never cut."""
    along = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(hair.path_um, axis=0).T))])
    if length_um >= along[-1]:
        return hair
    at = np.linspace(0.0, length_um, max(6, int(np.ceil(length_um / PATH_STEP_UM))))
    path = np.stack([np.interp(at, along, hair.path_um[:, axis]) for axis in (0, 1)], axis=1)
    if hair.end == "pointed":
        # It keeps the shape of its calibre: it is the same hair, smaller.
        return replace(hair, path_um=path, width_um=np.interp(at * along[-1] / length_um, along, hair.width_um))
    point = np.clip((length_um - at) / (0.3 * length_um), 0.12, 1.0)
    return replace(hair, path_um=path, width_um=np.interp(at, along, hair.width_um) * point, end="pointed")


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
        self.subsurface_um = within(rng, priors.skin.subsurface_um) * float(
            rng.random() < (priors.skin.clipped_subsurface_chance if clipped else priors.skin.subsurface_chance)
        )
        self.veil = within(rng, priors.skin.clipped_veil if clipped else priors.skin.veil)
        aside = rng.spawn(1)[0]
        self.folds = within(aside, priors.skin.folds) * float(
            aside.random() < (priors.skin.clipped_folds_chance if clipped else priors.skin.folds_chance)
        )
        self.spread_deg = within(rng, priors.scalp.clipped_spread_deg) if clipped else priors.scalp.stream_spread_deg
        curly = float(rng.random() < priors.scalp.curly_chance and not clipped)
        self.wave_rad, self.wave_um = curly * float(rng.uniform(0.25, 1.3)), float(rng.uniform(500, 2200))
        self.lean = 0.0
        self.white = float(rng.random() < priors.skin.white_chance) * within(rng, priors.skin.white_share)
        self.white_regrowth = float(rng.random() < priors.skin.white_regrowth_chance) * within(
            rng, priors.skin.white_regrowth_share
        )

    def seeded(self, seed: list[int]) -> HairGrower:
        """The same scalp's grower, drawing from a generator of its own."""
        other = copy.copy(self)
        other.rng = np.random.default_rng(seed)
        return other

    def leaning(self, towards_rad: float) -> HairGrower:
        """The same grower, whose hairs lean by an angle off the stream."""
        other = copy.copy(self)
        other.lean = towards_rad
        return other

    def stream(self, at_um: Floats) -> float:
        """Direction of the hairs at a place, radians."""
        return self.stream_angle + self.stream_turn * float(at_um[0])

    def grow(self, sign: str, root: Floats, unit: int, name: str, *, age_weeks: float = float("inf")) -> Structure:
        """A hair of a sign (or a shaved stub, which has none), no longer than it can have grown in age_weeks."""
        hair = {
            "black_dot": self._black_dot,
            "broken_hair": self._broken,
            "tapering_hair": self._tapering,
            "short_vellus_hair": self._vellus,
            "terminal_hair": self._terminal,
            "intermediate_hair": self._intermediate,
            "upright_regrowing_hair": self._upright,
            "pigtail_hair": self._pigtail,
            SHAVED: self._shaved,
        }[sign](root)
        hair = replace(
            hair, id=name, sign=None if sign == SHAVED else sign, unit=unit, seed=int(self.rng.integers(2**31))
        )
        speeds = SPEEDS.get(sign)
        if speeds is None or np.isinf(age_weeks):
            return hair
        rate = within(self.rng, getattr(self.priors.scalp, speeds))
        return shortened(hair, max(LEAST_GROWN_UM, 7e3 * age_weeks * rate))

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
        end: End = "frayed" if self.rng.random() < 0.3 else "fracture"
        hair = self._hair(path, width, end, lift=0.4)
        return replace(hair, subtype="frayed" if end == "frayed" else "fractured")

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
        path = self.path(
            root, log_within(rng, priors.clipped_vellus_um if self.clipped else priors.vellus_length_um), 3.0
        )
        width = np.minimum(within(rng, priors.vellus_width_um) * self._uneven(len(path), 0.03), VELLUS_CUTOFF_UM - 0.5)
        if self.clipped:
            width[1:] *= np.linspace(1.0, rng.uniform(0.6, 1.0), len(path) - 1)
        else:
            width *= self._pointed(len(path))
        pale = np.array(self.skin.colour) * rng.uniform(0.4, 0.72) * np.array([1.0, 0.94, 0.88])
        mix = rng.uniform(0.15, 0.9)
        colour = apart(np.clip(mix * pale + (1 - mix) * self.hair_colour, 0, 1), self.skin, 0.12)
        if rng.random() < max(self.white, self.white_regrowth):
            colour = self._white()
        opacity = float(rng.uniform(0.5, 0.95))
        hair = self._hair(path, width, "cut" if self.clipped else "pointed", lift=0.35)
        return replace(hair, colour=colour, opacity=opacity, veil=0.6 * hair.veil, subsurface_um=0.0)

    def _terminal(self, root: Floats) -> Structure:
        priors, rng = self.priors.scalp, self.rng
        lengths = priors.clipped_length_um if self.clipped else priors.terminal_length_um
        path = self.path(root, log_within(rng, lengths), 1.0, curly=True)
        width = np.maximum(within(rng, priors.terminal_width_um) * self._uneven(len(path), 0.03), LEAST_TERMINAL_UM)
        return self._hair(path, width, "cut", lift=0.5 if self.clipped else 1.0)

    def _intermediate(self, root: Floats) -> Structure:
        priors, rng = self.priors.scalp, self.rng
        lengths = priors.clipped_length_um if self.clipped else priors.terminal_length_um
        path = self.path(root, log_within(rng, lengths), 1.4, curly=True)
        calibre = within(rng, priors.intermediate_width_um)
        width = np.clip(calibre * self._uneven(len(path), 0.03), *priors.intermediate_width_um)
        return self._hair(path, width, "cut", lift=0.5 if self.clipped else 1.0)

    def _upright(self, root: Floats) -> Structure:
        priors, rng = self.priors.scalp, self.rng
        length = log_within(rng, priors.upright_length_um)
        angle = self.stream(root) + rng.normal(0, 0.45)
        share = np.linspace(0.0, 1.0, max(8, int(np.ceil(length / PATH_STEP_UM))))
        bow = rng.normal(0, 0.05) * share**2
        path = root + length * share[:, None] * np.stack([np.cos(angle + bow), np.sin(angle + bow)], axis=1)
        pointed = self._pointed(len(path))
        width = within(rng, priors.upright_width_um) * pointed * self._uneven(len(path), 0.01)
        return self._regrown(self._hair(path, width, "pointed", lift=0.7))

    def _pigtail(self, root: Floats) -> Structure:
        priors, rng = self.priors.scalp, self.rng
        length = log_within(rng, priors.pigtail_length_um)
        share = np.linspace(0.0, 1.0, max(24, int(np.ceil(length / 35.0))))
        # From a straight start the coil tightens towards the free end.
        turned = 2 * np.pi * rng.uniform(0.8, 1.9) * share ** rng.uniform(1.0, 1.9) * rng.choice([-1.0, 1.0])
        heading = (rng.uniform(0, 2 * np.pi) + turned)[:-1]
        steps = length * np.diff(share)[:, None] * np.stack([np.cos(heading), np.sin(heading)], axis=1)
        path = root + np.concatenate([np.zeros((1, 2)), np.cumsum(steps, axis=0)])
        ends = np.minimum(1.0, 0.72 + share / 0.25) * np.clip((1.0 - share) / rng.uniform(0.25, 0.5), 0.15, 1.0)
        width = within(rng, priors.pigtail_width_um) / 0.72 * ends
        hair = self._hair(path, width, "pointed", lift=0.4)
        return self._regrown(replace(hair, subsurface_um=0.3 * hair.subsurface_um))

    def _shaved(self, root: Floats) -> Structure:
        priors, rng = self.priors.scalp, self.rng
        path = self.path(root, within(rng, (35, 110)), 1.0)
        hair = self._hair(path, np.full(len(path), within(rng, priors.terminal_width_um)), "cut", lift=0.3)
        return replace(hair, subsurface_um=max(hair.subsurface_um, 140.0))

    def _hair(self, path: Floats, width: Floats, end: End, *, lift: float) -> Structure:
        rng = self.rng
        return Structure(
            "", None, path, width, self._colour(1.0, 0.25), end=end, lift=lift * float(rng.uniform(0, 1)),
            veil=self.veil * float(rng.uniform(0.6, 1.1)),
            subsurface_um=self.subsurface_um * float(rng.uniform(0.7 if self.clipped else 0.4, 1.3)),
            folds=self.folds,
        )  # fmt: skip

    def path(self, root: Floats, length_um: float, wildness: float, *, curly: bool = False) -> Floats:
        """(N, 2) from the root on: a gently curved, slightly wavy line of exactly length_um; curly as the person is."""
        rng = self.rng
        count = max(5, int(np.ceil(length_um / PATH_STEP_UM)))
        along = np.linspace(0.0, length_um, count)
        heading = self.stream(root) + self.lean + rng.normal(0, np.deg2rad(self.spread_deg) * wildness**0.5)
        curl = self.curl * rng.choice([-1.0, 1.0]) + rng.normal(0, 4e-5 * wildness)
        # Long hairs are not wound into circles: the bend fades along the shaft.
        bend = curl * 3500.0 * (1.0 - np.exp(-along / 3500.0))
        wave = rng.normal(0, 0.03 * wildness) * np.sin(along / rng.uniform(250, 900) + rng.uniform(0, 6.28))
        if curly and self.wave_rad:
            start = rng.uniform(0, 6.28)
            wave = wave + self.wave_rad * (np.sin(along / self.wave_um + start) - np.sin(start))
        middle = (heading + bend + wave)[:-1]
        steps = np.diff(along)[:, None] * np.stack([np.cos(middle), np.sin(middle)], axis=1)
        return np.asarray(root + np.concatenate([np.zeros((1, 2)), np.cumsum(steps, axis=0)]))

    def _pointed(self, count: int) -> Floats:
        """(count,) factors on the calibre of a hair never cut: its last third to two thirds taper to a point."""
        left = np.linspace(1.0, 0.0, count)
        return np.asarray(0.1 + 0.9 * np.clip(left / self.rng.uniform(0.3, 0.65), 0.0, 1.0))

    def _uneven(self, count: int, amount: float) -> Floats:
        """(count,) factors on the calibre that vary slowly along the shaft."""
        knots = self.rng.normal(1.0, amount, 4)
        return np.asarray(np.interp(np.linspace(0, 3, count), np.arange(4), knots))

    def _colour(self, factor: float, spread: float) -> Colour:
        colour = self.hair_colour * factor * self.rng.uniform(1 - spread, 1 + spread)
        if self.rng.random() < self.white:
            return self._white()
        return apart(np.clip(colour, 0, 1), self.skin, 0.13)

    def _white(self) -> Colour:
        colour = np.array([0.88, 0.88, 0.86]) * self.rng.uniform(0.75, 1.1)
        return apart(np.clip(colour, 0, 1), self.skin, 0.13)

    def _regrown(self, hair: Structure) -> Structure:
        """Hair that has come back, where the person's first comes back white."""
        return replace(hair, colour=self._white()) if self.rng.random() < self.white_regrowth else hair

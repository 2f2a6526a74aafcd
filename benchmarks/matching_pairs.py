"""Two captures of one synthetic field with known correspondence: probe laid anew, skin stretched, hair moved.

Beyond what `synth patient` draws: shafts lie otherwise at the second visit (each turned about its root), the skin is
stretched unevenly, a share of the structures is taken away at each visit, and the overlap is drawn.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates

from trichotrack.synth.draw import Person, draw_person
from trichotrack.synth.patients import Course, Field, draw_field, scalp_at
from trichotrack.synth.priors import CameraPriors, OverlayPriors, Priors, ScalpPriors
from trichotrack.synth.render import MARGIN_UM, SyntheticCapture, photograph
from trichotrack.synth.scalp import Scalp
from trichotrack.synth.view import Pose, View
from trichotrack.synth.write import clinic_camera

SIZE_PX, UM_PER_PX = (512, 416), 8.0
"""The field of a 70x trichoscope or so, 4.1 x 3.3 mm, at few pixels."""

WEEKS = (0.0, 4.0, 8.0, 12.0, 24.0)
TURN_SD_DEG, MOST_TURN_DEG = 7.0, 25.0
SHAFT_TURN_SD_DEG = 20.0
TAKEN_AWAY = (0.0, 0.2)
"""Share of the structures at each visit that the other does not have, drawn for each pair and visit."""

WARP_UM = (0.0, 60.0)
"""Largest uneven stretch of the skin, beside an even one of 3 %."""

COURSE = Course((0.17, 0.13, 0.11, 0.14, 0.12, 0.28, 0.05))


@dataclass(frozen=True)
class Seen:
    """One structure as labelled: its follicle, its sign and its root in px."""

    follicle: int
    sign: str
    xy: tuple[float, float]


@dataclass(frozen=True)
class Pair:
    """before, after: uint8 (H, W, 3). truth: from points (N, 2) in px before to px after. overlap: share of before."""

    before: NDArray[np.uint8]
    after: NDArray[np.uint8]
    seen_before: tuple[Seen, ...]
    seen_after: tuple[Seen, ...]
    matrix: NDArray[np.float64]
    warp: Warp
    overlap: float
    weeks: float
    camera: str

    def truth(self, xy: NDArray[np.float64]) -> NDArray[np.float64]:
        return self.warp.there(xy @ self.matrix[:, :2].T + self.matrix[:, 2])


@dataclass(frozen=True)
class Warp:
    """A smooth displacement of at most amount_px: a few slow waves over the picture."""

    amount_px: float
    waves: NDArray[np.float64]  # (K, 5): two frequencies (cycles per picture), phase, and a direction x, y

    @classmethod
    def drawn(cls, rng: np.random.Generator, amount_px: float) -> Warp:
        angles = rng.uniform(0, 2 * np.pi, 3)
        waves = np.column_stack([
            rng.uniform(-0.9, 0.9, (3, 2)), rng.uniform(0, 2 * np.pi, 3), np.cos(angles) / 3, np.sin(angles) / 3
        ])  # fmt: skip
        return cls(amount_px, waves)

    def shift(self, xy: NDArray[np.float64]) -> NDArray[np.float64]:
        phase = 2 * np.pi * (xy / np.array(SIZE_PX)) @ self.waves[:, :2].T + self.waves[:, 2]
        return np.asarray(self.amount_px * np.sin(phase) @ self.waves[:, 3:])

    def there(self, xy: NDArray[np.float64]) -> NDArray[np.float64]:
        """Where a point of the unwarped picture goes: q with q - shift(q) = p."""
        at = xy.copy()
        for _ in range(12):
            at = xy + self.shift(at)
        return at

    def image(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        height, width = pixels.shape[:2]
        y, x = np.mgrid[0:height, 0:width] + 0.5
        at = np.column_stack([x.ravel(), y.ravel()])
        source = (at - self.shift(at) - 0.5)[:, ::-1].T
        layers = [map_coordinates(pixels[..., c], source, order=1, mode="nearest") for c in range(3)]
        return np.stack(layers, axis=1).reshape(pixels.shape)


def overlap_share(matrix: NDArray[np.float64], warp: Warp | None = None, size: tuple[int, int] = SIZE_PX) -> float:
    """Share of the first picture that lies in the second."""
    x, y = np.meshgrid((np.arange(40) + 0.5) * size[0] / 40, (np.arange(40) + 0.5) * size[1] / 40)
    at = np.column_stack([x.ravel(), y.ravel()]) @ matrix[:, :2].T + matrix[:, 2]
    if warp is not None:
        at = warp.there(at)
    return float(((at >= 0) & (at < np.array(size))).all(axis=1).mean())


def priors_of(camera: str) -> Priors:
    shot = clinic_camera() if camera == "clinic" else CameraPriors(overlays=OverlayPriors(overlay_chance=0.0))
    return Priors(scalp=ScalpPriors(shaved_chance=0.0), camera=shot)


def draw_pair(seed: int, index: int, *, camera: str = "any", overlap: tuple[float, float] = (0.5, 1.0)) -> Pair:
    """A field at week 0 and at one of WEEKS."""
    rng = np.random.default_rng([seed, 7, index])
    priors = priors_of(camera)
    person = draw_person(rng, priors)
    field = field_of(rng, priors, person)
    weeks = float(rng.choice(WEEKS[1:]))
    wanted = rng.uniform(*overlap)
    first = Pose(turn_deg=float(rng.uniform(-180, 180)))
    second, matrix = _laid_again(rng, first, wanted)
    warp = Warp.drawn(rng, rng.uniform(*WARP_UM) / UM_PER_PX)
    shots = []
    for at, pose in ((0.0, first), (weeks, second)):
        scalp = scalp_at(field, at, np.random.default_rng([seed, 8, index, int(at)]))
        scalp = _thinned(scalp, rng, rng.uniform(*TAKEN_AWAY))
        if at:
            scalp = _combed(scalp, rng)
        shots.append(
            (photograph(scalp, rng, size_px=SIZE_PX, um_per_px=UM_PER_PX, priors=priors.camera, pose=pose), scalp)
        )
    before, after = (_seen(capture, scalp) for capture, scalp in shots)
    moved = warp.there(np.array([item.xy for item in after]).reshape(-1, 2))
    after = tuple(
        replace(item, xy=(float(x), float(y)))
        for item, (x, y) in zip(after, moved, strict=True)
        if 0 <= x < SIZE_PX[0] and 0 <= y < SIZE_PX[1]
    )
    return Pair(
        shots[0][0].image, warp.image(shots[1][0].image), before, after, matrix, warp,
        overlap_share(matrix, warp), weeks, camera,
    )  # fmt: skip


def draw_strangers(seed: int, index: int, *, camera: str = "any", same_person: bool) -> tuple[NDArray[np.uint8], ...]:
    """Two captures of different fields, of one person or of two."""
    rng = np.random.default_rng([seed, 9, index])
    priors = priors_of(camera)
    person = draw_person(rng, priors)
    images = []
    for number in range(2):
        who = person if same_person or not number else draw_person(rng, priors)
        weeks = float(rng.choice(WEEKS)) if number else 0.0
        scalp = scalp_at(field_of(rng, priors, who, spare_um=0.0), weeks, rng)
        pose = Pose(turn_deg=float(rng.uniform(-180, 180)))
        images.append(
            photograph(scalp, rng, size_px=SIZE_PX, um_per_px=UM_PER_PX, priors=priors.camera, pose=pose).image
        )
    return tuple(images)


def field_of(rng: np.random.Generator, priors: Priors, person: Person, spare_um: float = 2200.0) -> Field:
    radius_um = 0.5 * float(np.hypot(*SIZE_PX)) * UM_PER_PX + MARGIN_UM / 2 + spare_um
    return draw_field(rng, radius_um, priors, person, COURSE)


def _laid_again(rng: np.random.Generator, first: Pose, wanted: float) -> tuple[Pose, NDArray[np.float64]]:
    """A pose whose picture holds about `wanted` of the first one's; and the map from px to px."""
    turn = float(np.clip(rng.normal(0, TURN_SD_DEG), -MOST_TURN_DEG, MOST_TURN_DEG))
    stretch = (float(rng.uniform(0.97, 1.03)), float(rng.uniform(0.97, 1.03)))
    angle = rng.uniform(0, 2 * np.pi)
    here = View.of(SIZE_PX, UM_PER_PX, first).to_px
    best: tuple[float, Pose, NDArray[np.float64]] | None = None
    for reach in np.linspace(0, 3400, 35):
        pose = Pose((reach * np.cos(angle), reach * np.sin(angle)), first.turn_deg + turn, stretch)
        there = View.of(SIZE_PX, UM_PER_PX, pose).to_px
        linear = there[:, :2] @ np.linalg.inv(here[:, :2])
        matrix = np.column_stack([linear, there[:, 2] - linear @ here[:, 2]])
        gap = abs(overlap_share(matrix) - wanted)
        if best is None or gap < best[0]:
            best = gap, pose, matrix
    if best is None:
        raise ValueError
    return best[1], best[2]


def _combed(scalp: Scalp, rng: np.random.Generator) -> Scalp:
    """Shafts lie otherwise: each turned about its own root, all of them a little the same way."""
    together = rng.normal(0, SHAFT_TURN_SD_DEG)

    def turned(path: NDArray[np.float64]) -> NDArray[np.float64]:
        angle = np.deg2rad(together + rng.normal(0, SHAFT_TURN_SD_DEG))
        spin = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        return np.asarray(path[0] + (path - path[0]) @ spin.T)

    return replace(scalp, structures=tuple(replace(s, path_um=turned(s.path_um)) for s in scalp.structures))


def _thinned(scalp: Scalp, rng: np.random.Generator, share: float) -> Scalp:
    gone = [s.id for s in scalp.structures if s.sign and rng.random() < share]
    kept = replace(scalp, structures=tuple(s for s in scalp.structures if s.id not in set(gone)))
    filled = {tuple(s.root_um.tolist()) for s in scalp.structures if s.id in set(gone) and s.sign == "yellow_dot"}
    return replace(kept, marks=tuple(m for m in kept.marks if m.kind != "yellow" or m.xy_um not in filled))


def _seen(capture: SyntheticCapture, scalp: Scalp) -> tuple[Seen, ...]:
    follicle = {s.id: s.follicle for s in scalp.structures}
    return tuple(Seen(follicle[o.id], o.sign, (o.x, o.y)) for o in capture.objects)

"""The same field found again: where each point of one capture lies in another, how well, or why not.

1. The skin without its hair (`skin_texture`), turned and shifted until it fits (`coarse_search`).
2. Small pieces of skin found again one by one; the affine on which most agree; a smooth rest for the stretch of the
   skin (`skin_stretch`). Twice, the second time finer.
3. Accepted or refused: pieces are dealt into two halves, a map is made from one and asked where the pieces of the
   other lie. Were the captures of different fields, a piece would be found anywhere within its reach, and near the
   predicted place only by chance; the binomial tail of that chance, as a power of ten, is the evidence.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from trichotrack.problems import InputError, Problem
from trichotrack.visits.coarse_search import place
from trichotrack.visits.skin_stretch import Map, Pieces, Points, affine_map, affine_of, find_pieces, smooth_map
from trichotrack.visits.skin_texture import Texture, skin_texture

COARSE_UM, FINE_UM = 24.0, 12.0
COARSE_SIDE_PX, FINE_SIDE_PX = 384, 960
"""Larger fields are looked at more coarsely, so that time does not grow with them."""

NEAR_TURNS = tuple(np.arange(-30.0, 30.1, 3.0).tolist())
ALL_TURNS = tuple(np.arange(-180.0, 180.0, 3.0).tolist())

REACH_PX, FINE_REACH_PX = 12, 5
AGREE_UM = 36.0
"""A piece within this of where the other half puts it agrees."""

LEAST_EVIDENCE = 8.0
"""Powers of ten against chance. Of 40 unrelated pairs of another seed than the test's the largest had 5.2."""

LEAST_OVERLAP = 0.25
"""Of the smaller capture. Less in common is not enough to follow its hairs."""

MOST_STRETCH = 1.15
"""A map that makes anything larger or smaller by more is none of skin at the same scale."""


@dataclass(frozen=True)
class Picture:
    """pixels: uint8 (H, W, 3) RGB. valid: (H, W), where scalp is seen; None: everywhere. name: as errors print it."""

    pixels: NDArray[np.uint8]
    um_per_px: float
    valid: NDArray[np.bool_] | None = None
    name: str = "capture"

    @property
    def size_px(self) -> tuple[int, int]:
        return int(self.pixels.shape[1]), int(self.pixels.shape[0])


@dataclass(frozen=True)
class Registration:
    """Where `before` lies in `after`, or why it is not found there.

    accepted: the same field. reason: why not, "" where it is. residual_um: median distance of pieces of skin from
    where the map made from the others puts them. inliers, pieces: how many agree, of how many looked at. evidence:
    powers of ten against chance. overlap: share of the smaller capture that both show. matrix: (2, 3), the affine part.
    """

    accepted: bool
    reason: str
    residual_um: float | None
    inliers: int
    pieces: int
    evidence: float
    overlap: float
    turn_deg: float
    matrix: NDArray[np.float64]
    before_px: tuple[int, int]
    after_px: tuple[int, int]
    map: Map = field(repr=False, compare=False)

    def to_after(self, points: NDArray[np.floating]) -> Points:
        """Points (N, 2), px of the earlier capture, in px of the later one; also those that lie outside it."""
        return self.map(np.asarray(points, np.float64).reshape(-1, 2))

    def to_before(self, points: NDArray[np.floating]) -> Points:
        """The way back: points (N, 2), px of the later capture."""
        wanted = np.asarray(points, np.float64).reshape(-1, 2)
        back = np.linalg.inv(self.matrix[:, :2])
        found = (wanted - self.matrix[:, 2]) @ back.T
        for _ in range(8):
            found = found + (wanted - self.map(found)) @ back.T
        return np.asarray(found)

    def seen_in_after(self, points: NDArray[np.floating], border_px: float = 0.0) -> NDArray[np.bool_]:
        """Which points (N, 2) of the earlier capture the later one shows, border_px within its edge."""
        return _inside(self.to_after(points), self.after_px, border_px)

    def seen_in_before(self, points: NDArray[np.floating], border_px: float = 0.0) -> NDArray[np.bool_]:
        """Which points (N, 2) of the later capture the earlier one shows."""
        return _inside(self.to_before(points), self.before_px, border_px)


def register(before: Picture, after: Picture) -> Registration:
    """Finds the field of one capture in another of about the same scale; refuses where it is not there.

    Raises InputError where a picture is too small to hold enough skin.
    """
    problems = [
        Problem(p.name, f"shows only {min(p.size_px) * p.um_per_px / 1000:.1f} mm", "Give the whole capture.")
        for p in (before, after)
        if min(p.size_px) * p.um_per_px < 1000
    ]
    if problems:
        raise InputError(problems)
    long_um = max(max(p.size_px) * p.um_per_px for p in (before, after))
    coarse_um, fine_um = max(COARSE_UM, long_um / COARSE_SIDE_PX), max(FINE_UM, long_um / FINE_SIDE_PX)
    coarse = [skin_texture(p.pixels, p.um_per_px, coarse_um, p.valid) for p in (before, after)]
    fine = [skin_texture(p.pixels, p.um_per_px, fine_um, p.valid) for p in (before, after)]
    best: Registration | None = None
    for turns in (NEAR_TURNS, tuple(turn for turn in ALL_TURNS if turn not in NEAR_TURNS)):
        placed = place(coarse[0], coarse[1], turns)
        found = _fitted(fine[0], fine[1], placed.matrix, before, after)
        if best is None or found.evidence > best.evidence:
            best = found
        if best.accepted:
            break
    if best is None:
        raise ValueError
    return best


def _fitted(
    first: Texture, second: Texture, start: NDArray[np.float64], before: Picture, after: Picture
) -> Registration:
    um = before.um_per_px

    warp = affine_map(start)
    pieces, looked_at = find_pieces(first, second, warp, REACH_PX)
    agreeing, _ = _halves(pieces, um, after.um_per_px)
    window_um = (2 * REACH_PX + 1) * first.um_per_px
    chance = np.pi * AGREE_UM**2 / window_um**2
    evidence = _evidence(int(agreeing.sum()), looked_at, chance)
    turn = float(np.rad2deg(np.arctan2(start[1, 0], start[0, 0])))
    matrix = start
    residual: float | None = None
    if evidence >= LEAST_EVIDENCE and agreeing.sum() >= 6:
        kept = pieces.take(agreeing)
        for reach in (FINE_REACH_PX, FINE_REACH_PX):
            fitted = affine_of(kept, um)
            if fitted is None:
                break
            matrix = fitted[0]
            warp = smooth_map(kept, matrix, um)
            again, _ = find_pieces(first, second, warp, reach)
            agree, off_um = _halves(again, um, after.um_per_px)
            if agree.sum() < 6:
                break
            kept, residual = again.take(agree), float(np.median(off_um[agree]))
        fitted = affine_of(kept, um)
        if fitted is not None:
            matrix = fitted[0]
            warp = smooth_map(kept, matrix, um)
    overlap = _overlap(warp, before.size_px, after.size_px)
    reason = _why_not(evidence, overlap, matrix, before, after, int(agreeing.sum()), looked_at)
    return Registration(
        accepted=not reason, reason=reason, residual_um=residual, inliers=int(agreeing.sum()), pieces=looked_at,
        evidence=round(evidence, 1), overlap=overlap, turn_deg=turn, matrix=matrix, before_px=before.size_px,
        after_px=after.size_px, map=warp,
    )  # fmt: skip


def _halves(pieces: Pieces, um_per_px: float, after_um_per_px: float) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """Which pieces lie where the map made from the other half puts them, and how far off (µm) each is."""
    agree, off_um = np.zeros(len(pieces), np.bool_), np.full(len(pieces), np.inf)
    half = np.arange(len(pieces)) % 2 == 0
    for mine in (half, ~half):
        fitted = affine_of(pieces.take(~mine), um_per_px)
        if fitted is None or not mine.any():
            continue
        matrix, inliers = fitted
        warp = smooth_map(pieces.take(~mine).take(inliers), matrix, um_per_px)
        off_um[mine] = np.hypot(*(warp(pieces.here[mine]) - pieces.there[mine]).T) * after_um_per_px
    agree[off_um <= AGREE_UM] = True
    return agree, off_um


def _evidence(agreeing: int, looked_at: int, chance: float) -> float:
    """-log10 of the chance that so many of looked_at pieces agree where each does with this chance."""
    from scipy.stats import binom

    if not agreeing:
        return 0.0
    return float(-binom.logsf(agreeing - 1, looked_at, chance) / np.log(10))


def _overlap(warp: Map, before_px: tuple[int, int], after_px: tuple[int, int]) -> float:
    """Share of the smaller capture that both show, from a grid of points of the earlier one."""
    x, y = np.meshgrid((np.arange(48) + 0.5) * before_px[0] / 48, (np.arange(48) + 0.5) * before_px[1] / 48)
    points = np.stack([x.ravel(), y.ravel()], axis=1)
    at = warp(points)
    inside = _inside(at, after_px)
    step = warp(points[:1] + np.eye(2)) - at[:1] if len(at) else np.eye(2)
    growth = abs(float(np.linalg.det(step)))
    smaller = min(1.0, after_px[0] * after_px[1] / max(before_px[0] * before_px[1] * growth, 1e-9))
    return float(min(1.0, inside.mean() / smaller))


def _why_not(
    evidence: float, overlap: float, matrix: NDArray[np.float64], before: Picture, after: Picture,
    agreeing: int, looked_at: int,
) -> str:  # fmt: skip
    if looked_at < 12:
        return f"too little bare skin in common to tell ({looked_at} pieces; 12 needed)"
    if evidence < LEAST_EVIDENCE:
        return f"not the same field, or not recognisable: {agreeing} of {looked_at} pieces of skin agree"
    growth = np.linalg.svd(matrix[:, :2] * after.um_per_px / before.um_per_px)[1]
    if np.linalg.det(matrix[:, :2]) <= 0 or growth.max() > MOST_STRETCH or growth.min() < 1 / MOST_STRETCH:
        return f"the skin would be stretched to {growth.min():.2f} to {growth.max():.2f} times: check both scales"
    if overlap < LEAST_OVERLAP:
        return f"only {overlap:.0%} of the field is in common; {LEAST_OVERLAP:.0%} needed"
    return ""


def _inside(points: Points, size_px: tuple[int, int], border_px: float = 0.0) -> NDArray[np.bool_]:
    low, high = border_px, np.array(size_px, np.float64) - border_px
    return np.asarray(((points >= low) & (points < high)).all(axis=1))

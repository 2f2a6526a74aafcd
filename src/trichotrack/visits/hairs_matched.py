"""The same hairs, found again: structures of two captures of one field, one to one, each with what became of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from trichotrack.detect.matching import match
from trichotrack.runtime.reading import MarkedObject
from trichotrack.signs import SIGN, STRUCTURE
from trichotrack.stats.paired import Followed
from trichotrack.visits.registration import Picture, Registration, register
from trichotrack.visits.skin_stretch import Points

Fate = Literal["persisted", "changed sign", "gone", "new"]

TOLERANCE_UM = 70.0
"""Roots farther apart than this after registration are two structures. Within a unit they are 60 to 300 µm apart."""

NEAR_UM = 30.0
"""Pairs nearer than this are made first, so that one hair's loss and its neighbour's gain do not pass for one hair."""

BORDER_UM = 100.0
"""So near to the edge of either picture a hair cannot be judged; nobody counts there."""

LEAST_SCORE_SHARE = 0.4
"""Of the model's threshold: a mark this sure at one visit counts where the other visit found a structure.
Assumed; on 60 drawn pairs of fields no share from 0.5 to 0.9 left a smaller error of the change."""


@dataclass(frozen=True)
class Hair:
    """One structure and its fate. before, after: as marked at each visit; None where it was not found there.

    place: (x, y) in px of the earlier capture, also of what is new. rescored: at one visit below the model's threshold
    and only found when looked for. off_um: distance of the two roots after registration.
    """

    fate: Fate
    place: tuple[float, float]
    before: MarkedObject | None
    after: MarkedObject | None
    rescored: bool = False
    off_um: float | None = None


@dataclass(frozen=True)
class FieldMatch:
    """Two captures of one field. hairs: of the skin that both show. area_cm2: of that skin, in the earlier capture.

    Nothing is matched where the registration was refused: hairs is empty and area_cm2 is 0.
    """

    registration: Registration
    hairs: tuple[Hair, ...]
    area_cm2: float

    @property
    def accepted(self) -> bool:
        return self.registration.accepted

    def followed(self, signs: Sequence[str]) -> Followed:
        """How many structures of these signs were kept, lost and gained; one may leave or join them by its sign."""
        kept = lost = gained = 0
        for hair in self.hairs:
            was = hair.before is not None and hair.before.sign in signs
            now = hair.after is not None and hair.after.sign in signs
            kept += was and now
            lost += was and not now
            gained += now and not was
        return Followed(kept, lost, gained)

    def with_fate(self, fate: Fate) -> tuple[Hair, ...]:
        return tuple(hair for hair in self.hairs if hair.fate == fate)


def match_captures(
    before: Picture,
    after: Picture,
    found_before: Sequence[MarkedObject],
    found_after: Sequence[MarkedObject],
    *,
    unsure_before: Sequence[MarkedObject] = (),
    unsure_after: Sequence[MarkedObject] = (),
    registration: Registration | None = None,
) -> FieldMatch:
    """Registers two captures and tells what became of each structure in the skin that both show.

    found_before, found_after: structures marked in each, px of its own picture. unsure_before, unsure_after: marks
    below the model's threshold (`rescoring.unsure_marks`): looked at only where the other visit found a structure.
    registration: where it was made already. Raises InputError as `register` does.
    """
    registration = registration or register(before, after)
    if not registration.accepted:
        return FieldMatch(registration, (), 0.0)
    hairs = _paired(registration, before.um_per_px, found_before, found_after)
    hairs = _looked_at_again(hairs, registration, before.um_per_px, unsure_before, unsure_after)
    places = np.array([hair.place for hair in hairs]).reshape(-1, 2)
    shown = shown_by_both(registration, before, after, places)
    kept = tuple(hair for hair, seen in zip(hairs, shown, strict=True) if seen)
    return FieldMatch(registration, kept, common_area_cm2(registration, before, after))


def shown_by_both(registration: Registration, before: Picture, after: Picture, places: Points) -> NDArray[np.bool_]:
    """Which places (N, 2), px of the earlier capture, lie on scalp and off the border (BORDER_UM) of both pictures."""
    there = registration.to_after(places)
    return _shown(before, places) & _shown(after, there)


def common_area_cm2(registration: Registration, before: Picture, after: Picture) -> float:
    """Scalp in which structures are counted, cm² of the earlier capture."""
    width, height = before.size_px
    x, y = np.meshgrid((np.arange(96) + 0.5) * width / 96, (np.arange(96) + 0.5) * height / 96)
    shown = shown_by_both(registration, before, after, np.stack([x.ravel(), y.ravel()], axis=1))
    return float(shown.mean()) * width * height * (before.um_per_px / 1e4) ** 2


def _shown(picture: Picture, points: Points) -> NDArray[np.bool_]:
    border = BORDER_UM / picture.um_per_px
    size = np.array(picture.size_px, np.float64)
    inside = ((points >= border) & (points < size - border)).all(axis=1)
    if picture.valid is None:
        return np.asarray(inside)
    column, row = np.clip(points.astype(int), 0, np.array(picture.size_px) - 1).T
    return np.asarray(inside & picture.valid[row, column])


def _paired(
    registration: Registration,
    um_per_px: float,
    found_before: Sequence[MarkedObject],
    found_after: Sequence[MarkedObject],
) -> list[Hair]:
    """Every structure of both captures, paired where it can be; places of what is new are mapped back."""
    here = _points(found_before)
    there = registration.to_before(_points(found_after))
    groups_before, groups_after = _groups(found_before), _groups(found_after)
    pairs: list[tuple[int, int]] = []
    for group in sorted({*groups_before, *groups_after}):
        mine = np.flatnonzero([name == group for name in groups_before])
        theirs = np.flatnonzero([name == group for name in groups_after])
        pairs += [(int(mine[i]), int(theirs[j])) for i, j in one_to_one(here[mine], there[theirs], um_per_px)]
    hairs = []
    for i, j in pairs:
        first, second = found_before[i], found_after[j]
        fate: Fate = "persisted" if first.sign == second.sign else "changed sign"
        off_um = float(np.hypot(*(here[i] - there[j]))) * um_per_px
        hairs.append(Hair(fate, _xy(here[i]), first, second, off_um=off_um))
    met_before, met_after = {i for i, _ in pairs}, {j for _, j in pairs}
    hairs += [Hair("gone", _xy(here[i]), item, None) for i, item in enumerate(found_before) if i not in met_before]
    hairs += [Hair("new", _xy(there[j]), None, item) for j, item in enumerate(found_after) if j not in met_after]
    return hairs


def one_to_one(here: Points, there: Points, um_per_px: float) -> list[tuple[int, int]]:
    """Pairs of (N, 2) and (M, 2), px of the same capture: first those within NEAR_UM, then within TOLERANCE_UM."""
    pairs: list[tuple[int, int]] = []
    left_here, left_there = np.arange(len(here)), np.arange(len(there))
    for tolerance_um in (NEAR_UM, TOLERANCE_UM):
        found = match(here[left_here], there[left_there], tolerance_um / um_per_px)
        pairs += [(int(left_here[i]), int(left_there[j])) for i, j in found]
        left_here, left_there = np.delete(left_here, found[:, 0]), np.delete(left_there, found[:, 1])
    return sorted(pairs)


def _looked_at_again(
    hairs: list[Hair],
    registration: Registration,
    um_per_px: float,
    unsure_before: Sequence[MarkedObject],
    unsure_after: Sequence[MarkedObject],
) -> list[Hair]:
    """What only one visit found, looked for among the marks that the model was less sure of at the other."""
    for fate, unsure in (("gone", unsure_after), ("new", unsure_before)):
        alone = [i for i, hair in enumerate(hairs) if hair.fate == fate]
        if not alone or not unsure:
            continue
        places = _points(unsure)
        if fate == "gone":
            places = registration.to_before(places)
        found = [item for i in alone if (item := hairs[i].before or hairs[i].after) is not None]
        groups, unsure_groups = _groups(found), _groups(unsure)
        at = np.array([hairs[i].place for i in alone]).reshape(-1, 2)
        for group in sorted(set(groups)):
            mine = np.flatnonzero([name == group for name in groups])
            theirs = np.flatnonzero([name == group for name in unsure_groups])
            for i, j in one_to_one(at[mine], places[theirs], um_per_px):
                number, item = alone[int(mine[i])], unsure[int(theirs[j])]
                off_um = float(np.hypot(*(at[mine[i]] - places[theirs[j]]))) * um_per_px
                hairs[number] = _found_again(hairs[number], item, off_um)
    return hairs


def _found_again(hair: Hair, item: MarkedObject, off_um: float) -> Hair:
    before, after = hair.before or item, hair.after or item
    fate: Fate = "persisted" if before.sign == after.sign else "changed sign"
    return replace(hair, fate=fate, before=before, after=after, rescored=True, off_um=off_um)


def _groups(items: Sequence[MarkedObject]) -> list[str]:
    """What each competes for: signs of one group are one structure; others stand apart."""
    return [(SIGN[item.sign].group or item.sign) if item.sign in SIGN else STRUCTURE for item in items]


def _points(items: Sequence[MarkedObject]) -> Points:
    return np.array([(item.x, item.y) for item in items], np.float64).reshape(-1, 2)


def _xy(point: NDArray[np.float64]) -> tuple[float, float]:
    return round(float(point[0]), 2), round(float(point[1]), 2)

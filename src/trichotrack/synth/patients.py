"""A patient over visits: the same follicles seen again, while signs resolve and hair returns along a response curve."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from trichotrack.synth.draw import Ground, Person, draw_ground, grown
from trichotrack.synth.priors import Priors, Range
from trichotrack.synth.scalp import DRAWN_SIGNS, EMPTY, Floats, Scalp
from trichotrack.synth.view import Pose

ACTIVE = ("black_dot", "broken_hair", "tapering_hair")


@dataclass(frozen=True)
class Course:
    """How follicles answer to treatment; all assumed. Times are log-normal, each follicle with its own.

    baseline: chances of black dot, broken, tapering, short vellus, terminal and empty at week 0. responding: share of
    follicles that answer at all. resolve_weeks: median until an active sign is gone. vellus_weeks: median until
    vellus hair has come. terminal_weeks: median from vellus to terminal hair. spread: standard deviation of the log.
    """

    baseline: tuple[float, ...]
    responding: float = 0.9
    resolve_weeks: float = 6.0
    vellus_weeks: float = 6.0
    terminal_weeks: float = 9.0
    spread: float = 0.45


@dataclass(frozen=True)
class Field:
    """One field of one site: its ground, what each follicle shows at week 0 and the weeks (N, 2) at which it turns to
    vellus and to terminal hair (infinite where it never does).
    """

    ground: Ground
    baseline: tuple[str, ...]
    turns_weeks: Floats


def draw_field(rng: np.random.Generator, radius_um: float, priors: Priors, person: Person, course: Course) -> Field:
    """A field at baseline, with what will become of each of its follicles."""
    ground = draw_ground(rng, radius_um, priors, person)
    names = [*DRAWN_SIGNS, EMPTY]
    chances = np.array(course.baseline) / sum(course.baseline)
    baseline = tuple(names[int(index)] for index in rng.choice(len(names), len(ground.follicles), p=chances))
    count = len(baseline)
    first = np.where([sign in ACTIVE for sign in baseline], course.resolve_weeks, course.vellus_weeks)
    to_vellus = first * np.exp(rng.normal(0, course.spread, count))
    to_terminal = to_vellus + course.terminal_weeks * np.exp(rng.normal(0, course.spread, count))
    never = rng.random(count) >= course.responding
    turns = np.stack([to_vellus, to_terminal], axis=1)
    turns[never] = np.inf
    return Field(ground, baseline, turns)


def signs_at(field: Field, weeks: float) -> list[str]:
    """What each follicle shows so many weeks after the first visit."""
    shown = []
    for sign, (to_vellus, to_terminal) in zip(field.baseline, field.turns_weeks, strict=True):
        if sign == "terminal_hair" or weeks >= to_terminal:
            shown.append("terminal_hair")
        elif weeks >= to_vellus:
            shown.append("short_vellus_hair")
        else:
            shown.append(sign)
    return shown


def scalp_at(field: Field, weeks: float, rng: np.random.Generator) -> Scalp:
    """The field so many weeks after the first visit. A structure's id is its follicle's, the same at every visit."""
    return grown(field.ground, signs_at(field, weeks), rng)


def draw_pose(
    rng: np.random.Generator, shift_um: float = 260.0, turn_deg: float = 4.0, stretch: Range = (0.985, 1.015)
) -> Pose:
    """How the probe is laid on the same field again: standard deviations of shift and turn, range of skin stretch."""
    shift = np.clip(rng.normal(0, shift_um, 2), -3 * shift_um, 3 * shift_um)
    return Pose(
        shift_um=(float(shift[0]), float(shift[1])),
        turn_deg=float(rng.normal(0, turn_deg)),
        stretch=(float(rng.uniform(*stretch)), float(rng.uniform(*stretch))),
    )

"""A patient over visits: the same follicles seen again, while signs resolve and hair returns along a response curve."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from trichotrack.synth.draw import Ground, Person, apart_dots, draw_ground, grown
from trichotrack.synth.priors import Priors, Range
from trichotrack.synth.scalp import GROWN, Floats, Scalp
from trichotrack.synth.view import Pose

ACTIVE = ("black_dot", "broken_hair", "tapering_hair")

RETURNING = ("short_vellus_hair", "upright_regrowing_hair", "pigtail_hair")
"""What hair returns as, in the order of `Course.returning`."""


@dataclass(frozen=True)
class Course:
    """How follicles answer to treatment; all assumed. Times are log-normal, each follicle with its own.

    baseline: chances of black dot, broken, tapering, short vellus, terminal, empty, and what else `GROWN` names, at
    week 0. returning: chances that hair returns as vellus, upright regrowing or pigtail hair. responding: share of
    follicles that answer at all. resolve_weeks: median until an active sign is gone. vellus_weeks: median until
    vellus hair has come. terminal_weeks: median from vellus to terminal hair. spread: standard deviation of the log.
    """

    baseline: tuple[float, ...]
    responding: float = 0.9
    resolve_weeks: float = 6.0
    vellus_weeks: float = 6.0
    terminal_weeks: float = 9.0
    spread: float = 0.45
    returning: tuple[float, float, float] = (0.75, 0.17, 0.08)


@dataclass(frozen=True)
class Field:
    """One field of one site: its ground, what each follicle shows at week 0 and the weeks (N, 2) at which hair
    returns and turns terminal (infinite where it never does), and what it returns as.
    """

    ground: Ground
    baseline: tuple[str, ...]
    turns_weeks: Floats
    returning: tuple[str, ...] = ()


def draw_field(rng: np.random.Generator, radius_um: float, priors: Priors, person: Person, course: Course) -> Field:
    """A field at baseline, with what will become of each of its follicles."""
    ground = draw_ground(rng, radius_um, priors, person)
    chances = np.array(course.baseline) / sum(course.baseline)
    drawn = [GROWN[int(index)] for index in rng.choice(len(chances), len(ground.follicles), p=chances)]
    baseline = tuple(apart_dots(ground, drawn))
    count = len(baseline)
    first = np.where([sign in ACTIVE for sign in baseline], course.resolve_weeks, course.vellus_weeks)
    to_vellus = first * np.exp(rng.normal(0, course.spread, count))
    to_terminal = to_vellus + course.terminal_weeks * np.exp(rng.normal(0, course.spread, count))
    never = rng.random(count) >= course.responding
    turns = np.stack([to_vellus, to_terminal], axis=1)
    turns[never] = np.inf
    kinds = rng.choice(len(RETURNING), count, p=np.array(course.returning) / sum(course.returning))
    return Field(ground, baseline, turns, tuple(RETURNING[int(kind)] for kind in kinds))


def signs_at(field: Field, weeks: float) -> list[str]:
    """What each follicle shows so many weeks after the first visit."""
    shown = []
    for number, (sign, (to_first, to_terminal)) in enumerate(zip(field.baseline, field.turns_weeks, strict=True)):
        if sign == "terminal_hair" or weeks >= to_terminal:
            shown.append("terminal_hair")
        elif weeks >= to_first and sign not in RETURNING[1:]:
            shown.append(field.returning[number] if field.returning and sign != RETURNING[0] else RETURNING[0])
        else:
            shown.append(sign)
    return shown


def ages_at(field: Field, weeks: float) -> list[float]:
    """Weeks for which the hair that each follicle shows has grown; infinite for what was there at the first visit."""
    ages = []
    for sign, now, (to_first, to_terminal) in zip(
        field.baseline, signs_at(field, weeks), field.turns_weeks, strict=True
    ):
        if now == sign:
            ages.append(float("inf"))
        elif now == "terminal_hair":
            # Hair that turns terminal grows on from what it was: as long as if it had come a little earlier.
            ages.append(float(weeks - to_terminal) + 1.0)
        else:
            ages.append(float(weeks - to_first))
    return ages


def scalp_at(field: Field, weeks: float, rng: np.random.Generator) -> Scalp:
    """The field so many weeks after the first visit, hair as long as it can have grown by then.

    A structure keeps its id for life, whatever calibre it grows to; what grows from a follicle after a black dot, a
    broken or a tapering hair is another structure of the same `follicle`.
    """
    return grown(field.ground, signs_at(field, weeks), rng, ages_at(field, weeks))


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

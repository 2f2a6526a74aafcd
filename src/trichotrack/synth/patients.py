"""A patient over visits: the same follicles seen again, while signs resolve, hair returns, and signs may relapse."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

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
    relapsing: share of follicles in which the disease is active again, none by default. relapse_weeks: median until it
    is, since week 0, relapse_spread: its standard deviation of the log, since a field relapses more at once than it
    responds. relapse: chances of black dot, broken and tapering hair in place of terminal hair.
    """

    baseline: tuple[float, ...]
    responding: float = 0.9
    resolve_weeks: float = 6.0
    vellus_weeks: float = 6.0
    terminal_weeks: float = 9.0
    spread: float = 0.45
    returning: tuple[float, float, float] = (0.75, 0.17, 0.08)
    relapsing: float = 0.0
    relapse_weeks: float = 22.0
    relapse_spread: float = 0.15
    relapse: tuple[float, float, float] = (0.4, 0.3, 0.3)


@dataclass(frozen=True)
class Field:
    """One field of one site: its ground, what each follicle shows at week 0 and the weeks (N, 2) at which hair
    returns and turns terminal (infinite where it never does), and what it returns as. relapses: by number of follicle,
    the week at which its terminal hair is destroyed and what it shows from then on.
    """

    ground: Ground
    baseline: tuple[str, ...]
    turns_weeks: Floats
    returning: tuple[str, ...] = ()
    relapses: Mapping[int, tuple[float, str]] = field(default_factory=dict)


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
    drawn_field = Field(ground, baseline, turns, tuple(RETURNING[int(kind)] for kind in kinds))
    # Drawn last, and only for a course that has one: a relapse changes nothing that comes before it.
    return _relapsing(rng, drawn_field, course) if course.relapsing else drawn_field


def _relapsing(rng: np.random.Generator, field: Field, course: Course) -> Field:
    """The field with its relapses. Only thick hair leaves these signs: what is still thin by then stays thin."""
    count = len(field.baseline)
    weeks = course.relapse_weeks * np.exp(rng.normal(0, course.relapse_spread, count))
    struck = rng.random(count) < course.relapsing
    kinds = rng.choice(len(ACTIVE), count, p=np.array(course.relapse) / sum(course.relapse))
    thick = (np.array(field.baseline) == "terminal_hair") | (field.turns_weeks[:, 1] <= weeks)
    turns = field.turns_weeks.copy()
    turns[struck & ~thick, 1] = np.inf
    relapses = {int(number): (float(weeks[number]), ACTIVE[kinds[number]]) for number in np.flatnonzero(struck & thick)}
    field = replace(field, turns_weeks=turns, relapses=relapses)
    apart = apart_dots(field.ground, signs_at(field, float(weeks.max(initial=0.0))))
    return replace(field, relapses={number: (week, apart[number]) for number, (week, _) in relapses.items()})


def relapsed_at(field: Field, weeks: float) -> dict[int, tuple[float, str]]:
    """Those of the field's relapses that have come so many weeks after the first visit."""
    return {number: relapse for number, relapse in field.relapses.items() if weeks >= relapse[0]}


def signs_at(field: Field, weeks: float) -> list[str]:
    """What each follicle shows so many weeks after the first visit."""
    relapsed = relapsed_at(field, weeks)
    shown = []
    for number, (sign, (to_first, to_terminal)) in enumerate(zip(field.baseline, field.turns_weeks, strict=True)):
        if number in relapsed:
            shown.append(relapsed[number][1])
        elif sign == "terminal_hair" or weeks >= to_terminal:
            shown.append("terminal_hair")
        elif weeks >= to_first and sign not in RETURNING[1:]:
            shown.append(field.returning[number] if field.returning and sign != RETURNING[0] else RETURNING[0])
        else:
            shown.append(sign)
    return shown


def ages_at(field: Field, weeks: float) -> list[float]:
    """Weeks for which the hair that each follicle shows has grown; infinite for what was there at the first visit.

    After a relapse: weeks since it, what it left being as old.
    """
    relapsed = relapsed_at(field, weeks)
    ages = []
    for number, (sign, now, (to_first, to_terminal)) in enumerate(
        zip(field.baseline, signs_at(field, weeks), field.turns_weeks, strict=True)
    ):
        if number in relapsed:
            ages.append(weeks - relapsed[number][0])
        elif now == sign:
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
    broken or a tapering hair is another structure of the same `follicle`, and so is what a relapse leaves of a hair.
    """
    return grown(field.ground, signs_at(field, weeks), rng, ages_at(field, weeks), relapsed_at(field, weeks))


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

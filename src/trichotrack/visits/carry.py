"""A person's corrections carried over to a newer model's reading of the same capture, by position."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trichotrack.detect.matching import match
from trichotrack.runtime.reading import MarkedObject, Reading, SignReading

TOLERANCE_UM = 100.0
"""Two marks no farther apart are taken for the same structure: about the width of a terminal hair."""

TOLERANCE_SHARE = 0.01
"""Of the longer side, where the scale is not known."""

KEPT = "marked by the person, not found by the new model: kept"
NEW = "found by the new model, judged by nobody yet: counted"


@dataclass(frozen=True)
class Unmatched:
    """One mark without a counterpart in the other reading. x, y: pixels of the original. what: KEPT or NEW."""

    sign: str
    x: float
    y: float
    what: str


@dataclass(frozen=True)
class Carried:
    """reading: the person's corrections on the new model's marks. unmatched: what the person should look at.

    unjudged: signs that the new model counts and the person did not, so that even none of them is the model's word.
    Without either it says what the person said, and needs no second review.
    """

    reading: Reading
    unmatched: tuple[Unmatched, ...]
    unjudged: tuple[str, ...] = ()


def carry_over(person: Reading, base: Reading | None, new: Reading, *, corrects: str) -> Carried:
    """The person's reading brought onto the new one; marks are paired one-to-one, nearest within the tolerance.

    base: the model's reading that the person corrected: what it has and the person has not was struck out, and is
    struck out again. A pair takes its place and widths from the new reading and its sign from the person. Marks of the
    person alone are kept; marks of the new model alone are counted; both are told. corrects: what the new reading is
    known by.
    """
    tolerance = _tolerance_px(new)
    pairs = match(_points(person.objects), _points(new.objects), tolerance)
    objects = [dataclasses.replace(new.objects[j], sign=person.objects[i].sign) for i, j in pairs]
    kept = _others(person.objects, pairs[:, 0])
    fresh = _others(new.objects, pairs[:, 1])
    struck = _struck(person.objects, base.objects, tolerance) if base is not None else []
    again = match(_points(fresh), _points(struck), tolerance)
    fresh = _others(fresh, again[:, 0])
    unmatched = [Unmatched(o.sign, o.x, o.y, KEPT) for o in kept] + [Unmatched(o.sign, o.x, o.y, NEW) for o in fresh]
    marks = tuple(dataclasses.replace(mark, id=str(i)) for i, mark in enumerate([*objects, *kept, *fresh], start=1))
    signs = _signs(person.signs, new, marks)
    marks = tuple(mark for mark in marks if mark.sign in signs and signs[mark.sign].status == "counted")
    reading = dataclasses.replace(new, author=person.author, corrects=corrects, signs=signs, objects=marks)
    judged = {name for name, sign in person.signs.items() if sign.status == "counted"}
    unjudged = tuple(name for name, sign in new.signs.items() if sign.status == "counted" and name not in judged)
    return Carried(reading, tuple(unmatched), unjudged)


def _signs(by_person: Mapping[str, SignReading], new: Reading, marks: Sequence[MarkedObject]) -> dict[str, SignReading]:
    """Counts of the marks; a sign that the new model refuses is counted where the person counted it."""
    signs = {}
    for name in dict.fromkeys((*new.signs, *by_person)):
        counted = [signs_of[name].status == "counted" for signs_of in (new.signs, by_person) if name in signs_of]
        if any(counted):
            count = sum(mark.sign == name for mark in marks)
            density = count / new.area_cm2 if new.area_cm2 else None
            signs[name] = SignReading("counted", count=count, density_per_cm2=density)
        else:
            signs[name] = new.signs[name] if name in new.signs else by_person[name]
    return signs


def _struck(by_person: Sequence[MarkedObject], base: Sequence[MarkedObject], tolerance: float) -> list[MarkedObject]:
    return _others(base, match(_points(base), _points(by_person), tolerance)[:, 0])


def _others(objects: Sequence[MarkedObject], taken: Collection[int] | NDArray[np.int64]) -> list[MarkedObject]:
    out = {int(i) for i in taken}
    return [each for i, each in enumerate(objects) if i not in out]


def _points(objects: Sequence[MarkedObject]) -> NDArray[np.float64]:
    return np.array([(each.x, each.y) for each in objects], np.float64).reshape(-1, 2)


def _tolerance_px(reading: Reading) -> float:
    if reading.scale is not None:
        return TOLERANCE_UM / reading.scale.um_per_px
    return TOLERANCE_SHARE * max(reading.width, reading.height)

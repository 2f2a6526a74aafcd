"""Time and value axes: partial dates, ticks that people read, and the width of a text before it is drawn."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from trichotrack.problems import InputError
from trichotrack.visits.dates import first_day, last_day

DAY = timedelta(days=1)

_MONTH_STEPS = (1, 2, 3, 6, 12, 24, 60, 120, 240, 600, 1200)


def possible_days(text: str) -> tuple[date, date] | None:
    """First and last day that a partial date can mean: "2011", "2011-05" or "2011-05-03". None for anything else."""
    try:
        first, last = first_day(text), last_day(text)
    except InputError:
        return None
    return (first, last) if first and last else None


@dataclass(frozen=True)
class TimeAxis:
    """Days first to last, drawn from left to right (units of the drawing). earlier: the days before first, on a scale
    of their own, so that fifteen years of history do not press the visits of this year together.
    """

    first: date
    last: date
    left: float
    right: float
    earlier: TimeAxis | None = None

    @property
    def start(self) -> date:
        """The first day that has a place."""
        return self.earlier.first if self.earlier else self.first

    @property
    def edge(self) -> float:
        """Where the drawing of days begins."""
        return self.earlier.left if self.earlier else self.left

    def x(self, day: date) -> float:
        """Where a day is drawn; days outside are held at the edge."""
        if self.earlier and day < self.first:
            return self.earlier.x(day)
        share = (day - self.first) / (self.last - self.first)
        return self.left + (self.right - self.left) * min(1.0, max(0.0, share))

    def holds(self, day: date) -> bool:
        return self.start <= day <= self.last

    def ticks(self, most: int = 9) -> list[tuple[date, str]]:
        """At most `most` days of first to last with partial dates as labels: weeks, months or years, the finest that
        fits.
        """
        days = (self.last - self.first).days
        if days <= 75:
            step = math.ceil(days / 7 / most) * 7
            return [(day, day.isoformat()) for i in range(days // step + 1) if (day := self.first + i * step * DAY)]
        for step in _MONTH_STEPS:
            ticks = self._months(step)
            if len(ticks) <= most:
                break
        return [(day, f"{day:%Y}" if step >= 12 else f"{day:%Y-%m}") for day in ticks]

    def _months(self, step: int) -> list[date]:
        start = self.first.year * 12 + self.first.month - 1
        last = self.last.year * 12 + self.last.month - 1
        months = (month for month in range(start, last + 1) if month % step == 0)
        days = (date(month // 12, month % 12 + 1, 1) for month in months)
        return [day for day in days if self.first <= day <= self.last]


def padded(days: Sequence[date], share: float = 0.04, least_days: int = 7) -> tuple[date, date]:
    """First and last of days, with some air on both sides."""
    first, last = min(days), max(days)
    air = max(least_days, math.ceil((last - first).days * share)) * DAY
    return first - air, last + air


def value_ticks(top: float, most: int = 4) -> list[float]:
    """0 and round steps, at most `most` above it, the last at or above top (> 0)."""
    rough = top / most
    power = 10.0 ** math.floor(math.log10(rough))
    step = next((factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= rough * (1 - 1e-9)), 10 * power)
    return [step * i for i in range(math.ceil(top / step - 1e-9) + 1)]


def text_width(text: str, size: float) -> float:
    """About how wide a sans-serif text is drawn; East Asian letters are square."""
    return size * sum(1.0 if unicodedata.east_asian_width(letter) in "WF" else 0.55 for letter in text)


def shortened(text: str, size: float, width: float) -> str:
    """Text, or its beginning and an ellipsis where it is wider than width."""
    if text_width(text, size) <= width:
        return text
    room, kept = width - text_width("…", size), 0
    for letter in text:
        room -= text_width(letter, size)
        if room < 0:
            break
        kept += 1
    return text[:kept].rstrip() + "…"

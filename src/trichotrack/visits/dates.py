"""Dates of the record: full ones for visits and SALT, partial ones ("2011", "2011-05") for what a patient remembers."""

from __future__ import annotations

import calendar
import re
from datetime import date

from trichotrack.problems import InputError

_PARTIAL = re.compile(r"(\d{4})(?:-(\d{2})(?:-(\d{2}))?)?\Z")


def full_date(text: str) -> date:
    """A year-month-day date. Raises InputError for anything else: day and month are never guessed."""
    days = _days(text)
    if days is None or days[0] != days[1]:
        raise InputError(f"{text!r} is not a date; write it as 2026-03-04 (year-month-day).")
    return days[0]


def first_day(text: str) -> date | None:
    """The first day that a partial date can mean; None for "". Raises InputError where it is no date."""
    return _both(text)[0] if text else None


def last_day(text: str) -> date | None:
    """The last day that a partial date can mean; None for "". Raises InputError where it is no date."""
    return _both(text)[1] if text else None


def _both(text: str) -> tuple[date, date]:
    days = _days(text)
    if days is None:
        raise InputError(f"{text!r} is not a date; write 2026-03-04, 2026-03 or 2026.")
    return days


def _days(text: str) -> tuple[date, date] | None:
    match = _PARTIAL.match(text)
    if match is None:
        return None
    year, month, day = (int(part) if part else None for part in match.groups(default=""))
    try:
        start = date(year or 0, 1 if month is None else month, 1 if day is None else day)
    except ValueError:
        return None
    if day is not None:
        return start, start
    last_month = 12 if month is None else month
    return start, date(start.year, last_month, calendar.monthrange(start.year, last_month)[1])

"""A cohort as values: patients and what is known of them, SALT by month since treatment start, adverse events."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Literal

DAYS_PER_MONTH = 30.4375
"""365.25 / 12. Months count from the start of treatment; the start itself is 0."""

SALT_NOTE = "SALT counts terminal hair only: vellus regrowth does not lower it."

Kind = Literal["number", "yes/no", "group"]
Fact = float | str


@dataclass(frozen=True)
class SaltAt:
    """SALT (0 to 100) at a month since treatment start; 0 and below lie before it."""

    month: float
    total: float


@dataclass(frozen=True)
class AdverseEvent:
    """One adverse event. grade: 1 to 5 (CTCAE), None where it was not told."""

    patient: str
    kind: str
    grade: int | None


@dataclass(frozen=True)
class CohortPatient:
    """One treated patient. facts: column to value, without what is unknown. salt: by month, ascending.

    until: the month since treatment start on which the data end; infinite where only months are told, not days.
    """

    id: str
    facts: Mapping[str, Fact]
    salt: tuple[SaltAt, ...]
    until: float = math.inf

    @property
    def baseline(self) -> SaltAt | None:
        """The last assessment on or before treatment start."""
        before = [one for one in self.salt if one.month <= 0]
        return before[-1] if before else None

    @property
    def salt0(self) -> float | None:
        """SALT at baseline."""
        return self.baseline.total if self.baseline else None

    @property
    def followed(self) -> tuple[SaltAt, ...]:
        """Assessments after treatment start."""
        return tuple(one for one in self.salt if one.month > 0)

    def salt_at(self, month: float, window: float) -> float | None:
        """SALT of the assessment nearest to month within ± window (of two as near, the later); None without one."""
        near = [one for one in self.followed if abs(one.month - month) <= window + 1e-9]
        return min(near, key=lambda one: (round(abs(one.month - month), 6), -one.month)).total if near else None


@dataclass(frozen=True)
class Cohort:
    """All treated patients. kinds: what each column of facts holds. events: None where none were recorded at all.

    until: the day on which the data end, the last one on which somebody was seen; None where only months are told.
    synthetic: made by a program, and said so wherever it is shown. notes: what the reading of it left open;
    event_notes: the same of adverse events.
    """

    name: str
    patients: tuple[CohortPatient, ...]
    kinds: Mapping[str, Kind]
    events: tuple[AdverseEvent, ...] | None = None
    synthetic: bool = False
    notes: tuple[str, ...] = ()
    event_notes: tuple[str, ...] = ()
    until: date | None = None

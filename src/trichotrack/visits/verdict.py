"""Did it change between two visits? Four answers, each with its sentence and its reason."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Literal

Outcome = Literal["fell", "rose", "no detectable change", "cannot tell"]
Against = Literal["baseline", "previous"]


@dataclass(frozen=True)
class SiteCounts:
    """Counts of two visits at one site that both share; exposures in cm²."""

    site: str
    count0: float
    exposure0_cm2: float
    count1: float
    exposure1_cm2: float


@dataclass(frozen=True)
class Verdict:
    """The answer for one outcome at one visit, against the baseline or the previous visit.

    outcome: one of four. sentence: what to print ("Active load fell to 35 % of baseline (95 % interval 20 to 60 %).").
    reason: why this answer and no other ("9 events at baseline; a fall below 2 would be needed"). ratio, low, high:
    rate ratio over the common sites with its 95 % interval (low 0 or high inf where a count is zero); None where
    visits may not be compared at all. p: two-sided, before and adjusted_p after multiplicity; judged at 5 %. sites:
    what it rests on. synthetic: of a made-up patient, and said so in the sentence.
    """

    name: str
    label: str
    against: Against
    visit_id: int
    date: date
    reference_visit_id: int
    reference_date: date
    outcome: Outcome
    sentence: str
    reason: str
    ratio: float | None = None
    low: float | None = None
    high: float | None = None
    p: float | None = None
    adjusted_p: float | None = None
    sites: tuple[SiteCounts, ...] = ()
    primary: bool = False
    synthetic: bool = False

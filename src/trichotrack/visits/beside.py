"""What stands beside a verdict: each site by itself, and what it would take to tell."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from trichotrack.stats.multiplicity import holm_levels
from trichotrack.stats.rates import (
    Stratum,
    common_p_value,
    common_rate_ratio,
    common_ratio,
    null_share,
    overdispersed_p_value,
)
from trichotrack.visits.wording import change_text, interval_text, number_text

MOST_FIELDS = 20
"""More fields a site than this are asked of nobody."""

EASY_FIELDS = 6
"""More fields at one visit alone than this are not asked for: fewer at both do the same."""

HALVING = 0.5
PLAIN_CHANGE = 0.8
"""A ratio nearer to 1 than this (or its inverse) is no change to plan for: a halving is."""


@dataclass(frozen=True)
class SiteCounts:
    """Counts of two visits at one site that both share; exposures in cm²; fields at each visit."""

    site: str
    count0: float
    exposure0_cm2: float
    count1: float
    exposure1_cm2: float
    fields0: int = 1
    fields1: int = 1

    @property
    def stratum(self) -> Stratum:
        return Stratum(self.count0, self.exposure0_cm2, self.count1, self.exposure1_cm2)


@dataclass(frozen=True)
class SiteChange:
    """One site by itself. judged: only where the sites together changed, by Holm over them at the verdict's level.

    outcome: "fell", "rose", "no detectable change", or "not judged". ratio (None where nothing was counted), low, high:
    with the interval of this confidence, 95 % where it was not judged.
    """

    site: str
    outcome: Literal["fell", "rose", "no detectable change", "not judged"]
    ratio: float | None
    low: float
    high: float
    confidence: float
    sentence: str


def by_site(sites: Sequence[SiteCounts], *, cv: float, level: float, changed: bool) -> tuple[SiteChange, ...]:
    """Each site's change. level: of the verdict over all of them. changed: whether that found a change.

    Where all sites are stable a site is only ever told of after the verdict erred, so nothing is added to its error.
    """
    p_values = [common_p_value([site.stratum], cv=cv) for site in sites]
    levels = holm_levels(p_values, level) if changed else (0.05,) * len(sites)
    told = []
    for site, p, at in zip(sites, p_values, levels, strict=True):
        found = common_rate_ratio([site.stratum], cv=cv, confidence=1 - at)
        outcome: Literal["fell", "rose", "no detectable change", "not judged"] = "not judged"
        if changed:
            outcome = "no detectable change" if p > at else "fell" if found.ratio < 1 else "rose"
        none = math.isnan(found.ratio)
        change = "none seen" if none else "from none" if math.isinf(found.ratio) else change_text(found.ratio)
        events = f"{number_text(site.count0)} events, now {number_text(site.count1)}"
        sentence = f"{site.site}: {outcome}; {change} ({interval_text(found.low, found.high)}), {events}"
        told.append(
            SiteChange(site.site, outcome, None if none else found.ratio, found.low, found.high, 1 - at, sentence)
        )
    return tuple(told)


def what_it_takes(sites: Sequence[SiteCounts], *, cv: float, level: float) -> str:
    """What would tell, were the change as seen (where nearly none was, a halving): fields a site; a sentence or "".

    Fields like those taken: first more at this visit alone, then at both, as for a visit to come and its successor.
    Judged on expected counts, so with about an even chance of telling.
    """
    strata = [site.stratum for site in sites]
    if not strata:
        return ""
    ratio = common_ratio(strata)
    seen = not (math.isnan(ratio) or PLAIN_CHANGE < ratio < 1 / PLAIN_CHANGE)
    ratio = ratio if seen else HALVING
    if not any(s.count0 for s in strata) and not seen:
        return "With none seen at either visit no number of fields can show a fall."
    what = "the change as seen" if seen else "a halving"
    now = sites if seen else [_as_if(site, ratio) for site in sites]
    for most, before, when in ((EASY_FIELDS, 0, "this visit"), (MOST_FIELDS, 1, "both visits")):
        enough = _enough_fields(now, most, before, cv, level)
        if enough:
            return f"With {_fields(enough)} a site at {when}, {what} would show."
    endless = [replace(s.stratum, count0=1e7 * s.stratum.count0, count1=1e7 * s.stratum.count1) for s in now]
    if cv and overdispersed_p_value(*_sums(endless), null_share(endless), cv) > level:
        return f"A between-capture variation of {100 * cv:.2g} % hides {what}, however many fields are taken."
    return f"Even {MOST_FIELDS} more fields a site at both visits would not show {what}."


def _as_if(site: SiteCounts, ratio: float) -> SiteCounts:
    return replace(site, count1=ratio * site.count0 * site.exposure1_cm2 / site.exposure0_cm2)


def _enough_fields(sites: Sequence[SiteCounts], most: int, before: int, cv: float, level: float) -> int:
    """Fewest fields more a site at this visit (before = 1: at both) that would tell; 0 where not even most would."""
    more = np.arange(1, most + 1)
    count0, count1, expected = np.zeros(most), np.zeros(most), np.zeros(most)
    for site in sites:
        scale0, scale1 = 1 + before * more / site.fields0, 1 + more / site.fields1
        area0, area1 = site.exposure0_cm2 * scale0, site.exposure1_cm2 * scale1
        count0 += site.count0 * scale0
        count1 += site.count1 * scale1
        expected += (site.count0 * scale0 + site.count1 * scale1) * area1 / (area0 + area1)
    p = overdispersed_p_value(count0, count1, expected / (count0 + count1), cv)
    telling = more[p <= level]
    return int(telling[0]) if len(telling) else 0


def _sums(strata: Sequence[Stratum]) -> tuple[float, float]:
    return sum(s.count0 for s in strata), sum(s.count1 for s in strata)


def _fields(more: int) -> str:
    words = ("", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
    number = words[more] if more < len(words) else str(more)
    return f"{number} more field{'' if more == 1 else 's'}"

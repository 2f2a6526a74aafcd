"""Counts with their exposure, by site and visit: repeats averaged, fields added, refusals told and never zero."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from trichotrack.runtime.reading import Reading
from trichotrack.signs import ACTIVE_SIGNS, SIGN, SIGNS, VELLUS_CUTOFF_UM
from trichotrack.stats.rates import poisson_interval, weighted_poisson_interval

ACTIVE_LOAD = "active_load"
"""Black dots + broken + tapering hairs: the primary outcome."""

EARLY_REGROWTH = "early_regrowth"
"""Upright regrowing + pigtail hairs, where the model counts both."""

PARTS: Mapping[str, tuple[str, ...]] = {
    ACTIVE_LOAD: ACTIVE_SIGNS,
    EARLY_REGROWTH: tuple(sign.name for sign in SIGNS if sign.role == "early_regrowth"),
}
"""Outcomes that are sums of signs."""

_COLOURS = {ACTIVE_LOAD: (0, 0, 0), EARLY_REGROWTH: (0, 114, 178)}


@dataclass(frozen=True)
class ReadCapture:
    """One capture of a visit with its current reading. reviewed: a person made or accepted that reading."""

    visit_id: int
    date: date
    site: str
    field: str
    preparation: str
    device: str
    reading: Reading
    reviewed: bool
    vellus_cutoff_um: float = VELLUS_CUTOFF_UM


@dataclass(frozen=True)
class SiteCount:
    """One outcome at one site and visit. count: repeats averaged, fields added. exposure_cm2: None without scale.

    used: the captures it rests on. refused: why others were left out, one sentence each.
    """

    site: str
    count: float
    exposure_cm2: float | None
    fields: int
    used: tuple[ReadCapture, ...]
    refused: tuple[str, ...] = ()


@dataclass(frozen=True)
class SeriesPoint:
    """One outcome at one visit, at one site or pooled.

    count: repeats of a field averaged, fields added, so not always whole. exposure_cm2: the scalp it was counted on,
    None where a capture has no scale. density_per_cm2 with low and high: 95 % exact Poisson interval (Garwood; pooled:
    Fay and Feuer) of the scalp's density, not of the reader's error; None without exposure. Pooled densities weigh the
    sites alike at every visit. captures and fields: how many were counted. refused: why other captures of this point
    were left out, one sentence each ("2 of 6 captures: …").
    """

    visit_id: int
    date: date
    count: float
    exposure_cm2: float | None
    density_per_cm2: float | None
    low: float | None
    high: float | None
    captures: int
    fields: int
    refused: tuple[str, ...] = ()


@dataclass(frozen=True)
class SignSeries:
    """One outcome over the visits.

    name: a sign's name, ACTIVE_LOAD or EARLY_REGROWTH. label: as printed. colour: RGB. primary: the outcome on which
    the 5 % for the whole series is spent. pooled: over pooled_sites, those that every visit shares (empty where
    none); sites: by site. A visit at which the outcome was refused or not captured has no point: never a zero.
    """

    name: str
    label: str
    colour: tuple[int, int, int]
    primary: bool
    pooled_sites: tuple[str, ...]
    pooled: tuple[SeriesPoint, ...]
    sites: Mapping[str, tuple[SeriesPoint, ...]]


def label_of(name: str) -> str:
    """An outcome as printed in the middle of a sentence: "active load", "black dots"."""
    return SIGN[name].plural if name in SIGN else name.replace("_", " ")


def outcomes_of(captures: Sequence[ReadCapture]) -> tuple[str, ...]:
    """Outcomes that some reading speaks of: sums first (where every part is counted), then signs by the vocabulary."""
    named = [frozenset(capture.reading.signs) for capture in captures]
    sums = [name for name, parts in PARTS.items() if any(signs.issuperset(parts) for signs in named)]
    known = list(SIGN)
    signs = sorted({sign for signs in named for sign in signs}, key=lambda s: (known.index(s) if s in SIGN else 99, s))
    return (*sums, *signs)


def count_in(reading: Reading, name: str) -> tuple[int | None, str]:
    """(count of an outcome in one reading, "") or (None, why it was not counted)."""
    total = 0
    for part in PARTS.get(name, (name,)):
        sign = reading.signs.get(part)
        if sign is None:
            return None, f"{label_of(part)} are not read"
        if sign.status != "counted" or sign.count is None:
            reason = sign.reason or "refused"
            return None, reason if part == name else f"{label_of(part)}: {reason}"
        total += sign.count
    return total, ""


def site_visit_counts(captures: Sequence[ReadCapture], name: str) -> dict[tuple[int, str], SiteCount]:
    """One outcome by (visit id, site): the unit that densities and verdicts rest on.

    Captures of one field are repeats: their counts and areas are averaged. Fields add. A site and visit where every
    capture refused the outcome is absent.
    """
    groups: dict[tuple[int, str], list[ReadCapture]] = {}
    for capture in captures:
        groups.setdefault((capture.visit_id, capture.site), []).append(capture)
    found = {key: _site_count(key[1], group, name) for key, group in groups.items()}
    return {key: count for key, count in found.items() if count is not None}


def refusals(captures: Sequence[ReadCapture], name: str) -> tuple[str, ...]:
    """Why captures were left out of an outcome: "2 of 6 captures: 2.1 px per 30 µm short vellus hair; 3 needed"."""
    reasons = Counter(reason for capture in captures if (reason := count_in(capture.reading, name)[1]))
    return tuple(f"{number} of {_captures(len(captures))}: {reason}" for reason, number in reasons.items())


def _captures(number: int) -> str:
    return f"{number} capture" if number == 1 else f"{number} captures"


def _site_count(site: str, captures: Sequence[ReadCapture], name: str) -> SiteCount | None:
    fields: dict[str, list[tuple[int, ReadCapture]]] = {}
    for capture in captures:
        count, _ = count_in(capture.reading, name)
        if count is not None:
            fields.setdefault(capture.field, []).append((count, capture))
    if not fields:
        return None
    used = tuple(capture for repeats in fields.values() for _, capture in repeats)
    count_sum, area_sum = 0.0, 0.0
    for repeats in fields.values():
        count_sum += sum(count for count, _ in repeats) / len(repeats)
        area_sum += sum(capture.reading.area_cm2 or 0.0 for _, capture in repeats) / len(repeats)
    known = all(capture.reading.area_cm2 for capture in used)
    return SiteCount(site, count_sum, area_sum if known else None, len(fields), used, refusals(captures, name))


def sign_series(captures: Sequence[ReadCapture]) -> tuple[SignSeries, ...]:
    """Every outcome over the visits, in the order of `outcomes_of`."""
    return tuple(_series(captures, name) for name in outcomes_of(captures))


def _series(captures: Sequence[ReadCapture], name: str) -> SignSeries:
    counts = site_visit_counts(captures, name)
    dates = {capture.visit_id: capture.date for capture in captures}
    visits = sorted({visit for visit, _ in counts}, key=lambda visit: (dates[visit], visit))
    sites = sorted({site for _, site in counts})
    by_site = {
        site: tuple(
            _point(visit, dates[visit], [counts[visit, site]], None) for visit in visits if (visit, site) in counts
        )
        for site in sites
    }
    common = tuple(site for site in sites if all((visit, site) in counts for visit in visits))
    weights = _site_weights(counts, visits, common)
    pooled = tuple(
        _point(visit, dates[visit], [counts[visit, site] for site in common], weights) for visit in visits if common
    )
    colour = SIGN[name].colour if name in SIGN else _COLOURS.get(name, (0, 0, 0))
    label = label_of(name)
    return SignSeries(name, label[0].upper() + label[1:], colour, name == ACTIVE_LOAD, common, pooled, by_site)


def _site_weights(
    counts: Mapping[tuple[int, str], SiteCount], visits: Sequence[int], common: Sequence[str]
) -> tuple[float, ...] | None:
    """Each site's share of the area, over all visits: the same for every visit, so that a trend is not one of sites."""
    areas = [[counts[visit, site].exposure_cm2 for visit in visits] for site in common]
    sums = [sum(area or 0.0 for area in row) for row in areas]
    if not common or any(area is None for row in areas for area in row):
        return None
    return tuple(area / sum(sums) for area in sums)


def _point(visit: int, day: date, counts: Sequence[SiteCount], weights: Sequence[float] | None) -> SeriesPoint:
    areas = [count.exposure_cm2 for count in counts if count.exposure_cm2]
    total = sum(count.count for count in counts)
    exposure = sum(areas) if len(areas) == len(counts) else None
    density = low = high = None
    if exposure and weights and len(counts) > 1:
        shares = [weight / area for weight, area in zip(weights, areas, strict=True)]
        density = sum(share * count.count for share, count in zip(shares, counts, strict=True))
        low, high = weighted_poisson_interval([count.count for count in counts], shares)
    elif exposure:
        density = total / exposure
        low, high = poisson_interval(total, exposure)
    return SeriesPoint(
        visit, day, total, exposure, density, low, high,
        captures=sum(len(count.used) for count in counts),
        fields=sum(count.fields for count in counts),
        refused=tuple(
            f"{count.site}: {reason}" if len(counts) > 1 else reason for count in counts for reason in count.refused
        ),
    )  # fmt: skip

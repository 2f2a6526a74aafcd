"""Counts with their exposure, by site and visit: repeats averaged, fields added, refusals told and never zero."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

ACTIVE_LOAD = "active_load"
"""Black dots + broken + tapering hairs: the primary outcome."""

EARLY_REGROWTH = "early_regrowth"
"""Upright regrowing + pigtail hairs, where the model counts both."""


@dataclass(frozen=True)
class SeriesPoint:
    """One outcome at one visit, at one site or pooled.

    count: repeats of a field averaged, fields added, so not always whole. exposure_cm2: the scalp it was counted on,
    None where a capture has no scale. density_per_cm2 with low and high: 95 % exact Poisson interval (Garwood) of the
    scalp's density, not of the reader's error; None without exposure. captures and fields: how many were counted.
    refused: why other captures of this point were left out, one sentence each ("2 of 6 captures: …").
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

"""What verdicts say: ratios as signed changes, counts with their area, one sentence an answer."""

from __future__ import annotations

import math
from typing import Literal

from trichotrack.stats.rates import RateRatio

Outcome = Literal["fell", "rose", "stable", "no detectable change", "cannot tell"]
Against = Literal["baseline", "previous"]


_SINGULAR = ("active_load", "early_regrowth")


MANY_TIMES = 11.0
"""A rise above +1000 % is told as a multiple, of two digits: it is known no better."""


def change_text(ratio: float) -> str:
    """A rate ratio as a signed change: 0.55 is "−45 %", 1.8 is "+80 %", 1.00001 is "0 %", and 96.4 is "×96"."""
    if ratio >= MANY_TIMES:
        return f"×{float(f'{ratio:.2g}'):.0f}"
    percent = 100 * (ratio - 1)
    number = f"{abs(percent):.0f}" if abs(percent) >= 1 else f"{round(abs(percent), 2):g}"
    sign = "" if number == "0" else "−" if percent < 0 else "+"
    return f"{sign}{number} %"


def interval_text(low: float, high: float) -> str:
    """An interval of rate ratios as changes: "−45 % to +80 %"."""
    return f"{change_text(low)} to {'any rise' if math.isinf(high) else change_text(high)}"


def confidence_text(confidence: float) -> str:
    """0.975 as "97.5 %"."""
    return f"{100 * confidence:.2f}".rstrip("0").rstrip(".") + " %"


def number_text(count: float) -> str:
    """A count; averages of repeats with one decimal."""
    return f"{count:.0f}" if math.isclose(count, round(count), abs_tol=0.05) else f"{count:.1f}"


def counted_text(events: tuple[float, float], areas_cm2: tuple[float, float], against: Against) -> str:
    """Events at both visits, with the areas where they differ: "9 events at baseline, 5 at this visit"."""
    first = "baseline" if against == "baseline" else "the previous visit"
    before, now = map(number_text, events)
    differ = abs(areas_cm2[0] / areas_cm2[1] - 1) > 0.01
    on = [f" on {area:.2g} cm²" if differ else "" for area in areas_cm2]
    noun = "event" if before == "1" else "events"
    return f"{before} {noun}{on[0]} at {first}, {now}{on[1]} at this visit"


def verdict_sentence(
    name: str,
    label: str,
    outcome: Outcome,
    reason: str,
    found: RateRatio | None,
    level: float,
    against: Against,
    *,
    stable_ratio: float | None = None,
) -> str:
    """What to print for one answer. found: the ratio with the interval of 1 - level (stable: of 1 - 2·level)."""
    since = "since baseline" if against == "baseline" else "since the previous visit"
    if outcome == "cannot tell" or found is None:
        return f"Whether {label} changed {since} cannot be told: {reason}."
    interval = interval_text(found.low, found.high)
    if outcome == "stable" and stable_ratio is not None:
        margin = interval_text(1 / stable_ratio, stable_ratio)
        verb = "is" if name in _SINGULAR else "are"
        named, sure = f"{label[0].upper()}{label[1:]}", confidence_text(1 - 2 * level)
        told = f"{named} {verb} stable {since}: {interval} ({sure} interval)"
        return f"{told}, within the stated margin of {margin}."
    confidence = confidence_text(1 - level)
    if outcome == "no detectable change":
        return f"No detectable change in {label} {since}; not excluded: {interval} ({confidence} interval)."
    change = "from none" if math.isinf(found.ratio) else change_text(found.ratio)
    told = f"{label[0].upper()}{label[1:]} {outcome} {since}: {change} ({confidence} interval {interval})."
    if name == "short_vellus_hair":
        told += " By itself this is neither improvement nor worsening."
    return told

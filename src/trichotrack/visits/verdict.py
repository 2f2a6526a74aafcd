"""Did it change between two visits? An answer, with its sentence and its reason.

Compared are the sites that both visits share, stratified, with a between-capture CV, assumed or measured, beside the
Poisson noise (`stats.rates.common_rate_ratio`). A visit's questions spend their share of 5 % on the active load
(`stats.multiplicity.SeriesLevels`). The other outcomes share one level by Holm: 5 % where the active load changed,
since only then is it asked which signs did, and else its own share of the series, so that a stable patient is seldom
told of any change. The interval printed is that of the level judged at, so what it leaves out is what the verdict says.

A fifth answer, stable, is given only where a margin was stated and two one-sided tests at that level put the ratio
inside it. Beside each answer: the ratio corrected for the model's errors, each site by itself, and what it would take
to tell.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from trichotrack.stats.multiplicity import SeriesLevels, holm_levels
from trichotrack.stats.rates import (
    RateRatio,
    Stratum,
    change_needed,
    common_p_value,
    common_rate_ratio,
    equivalence_interval,
    null_share,
)
from trichotrack.visits.beside import SiteChange, SiteCounts, by_site, what_it_takes
from trichotrack.visits.comparable import unreviewed, why_not_comparable
from trichotrack.visits.correction import Correction, corrected
from trichotrack.visits.judging import USUAL, Judging
from trichotrack.visits.series import (
    ACTIVE_LOAD,
    ReadCapture,
    SiteCount,
    label_of,
    outcomes_of,
    refusals,
    site_visit_counts,
)
from trichotrack.visits.wording import Against, Outcome, counted_text, interval_text, verdict_sentence


@dataclass(frozen=True)
class Verdict:
    """The answer for one outcome at one visit, against the baseline or the previous visit.

    outcome: one of five. sentence: what to print ("Active load fell since baseline: −65 % (97.5 % interval −80 % to
    −42 %)."). reason: why this answer and no other ("9 events at baseline, 1 at this visit; a fall below 2 was
    needed"). ratio, low, high: rate ratio over the common sites with its interval of this confidence, that at which
    it was judged (low 0 or high inf where a count is zero); None where visits may not be compared at all. p:
    two-sided, judged at 1 - confidence; None where nothing was judged. sites: what it rests on. synthetic: of a
    made-up patient, and said so in the sentence. correction: for the model's errors, done or why not (None where visits
    may not be compared). by_site: each site beside the pooled answer. to_tell: what it would take, where nothing was
    told. allowed_for: the noise beyond counting that was allowed for, and whether it was measured.
    """

    name: str
    label: str
    against: Against
    visit_id: int
    date: dt.date
    reference_visit_id: int
    reference_date: dt.date
    outcome: Outcome
    sentence: str
    reason: str
    ratio: float | None = None
    low: float | None = None
    high: float | None = None
    p: float | None = None
    confidence: float = 0.95
    sites: tuple[SiteCounts, ...] = ()
    primary: bool = False
    synthetic: bool = False
    correction: Correction | None = None
    by_site: tuple[SiteChange, ...] = ()
    to_tell: str = ""
    allowed_for: str = ""


@dataclass(frozen=True)
class Comparison:
    """One outcome at two visits before it is judged. obstacle: why it may not be ("" where it may).

    left_out: common sites not compared, with the reason. used: the captures of both visits that it rests on.
    """

    name: str
    sites: tuple[SiteCounts, ...]
    obstacle: str = ""
    left_out: tuple[str, ...] = ()
    used: tuple[ReadCapture, ...] = ()

    @property
    def strata(self) -> tuple[Stratum, ...]:
        return tuple(site.stratum for site in self.sites)


def patient_verdicts(
    captures: Sequence[ReadCapture], *, synthetic: bool = False, judging: Judging = USUAL
) -> tuple[Verdict, ...]:
    """Verdicts of every outcome at every visit after the first, against baseline and (from the third visit) previous.

    captures: all of one patient, any order. A verdict depends on no later visit.
    """
    dates = {capture.visit_id: capture.date for capture in captures}
    visits = sorted(dates, key=lambda visit: (dates[visit], visit))
    levels = SeriesLevels(judging.level)
    counts = {name: site_visit_counts(captures, name) for name in outcomes_of(captures)}
    verdicts: list[Verdict] = []
    changed = False
    for place, visit in enumerate(visits[1:], start=1):
        against_baseline, against_previous = levels.next_visit(changed=changed)
        questions: list[tuple[Against, int, float]] = [("baseline", visits[0], against_baseline)]
        if place > 1:
            questions.append(("previous", visits[place - 1], against_previous))
        here: list[Verdict] = []
        names = outcomes_of([c for c in captures if dates[c.visit_id] <= dates[visit]])
        for against, reference, at_level in questions:
            asked = [
                compare_visits(captures, name, counts[name], reference, visit, synthetic=synthetic) for name in names
            ]
            here += judge_all(
                asked, (reference, dates[reference]), (visit, dates[visit]), against, level=at_level,
                judging=judging, synthetic=synthetic,
            )  # fmt: skip
        changed = any(v.primary and v.against == "baseline" and v.outcome in {"fell", "rose"} for v in here)
        order = {verdict.name: i for i, verdict in enumerate(here) if verdict.against == "baseline"}
        verdicts += sorted(here, key=lambda verdict: (order[verdict.name], verdict.against != "baseline"))
    return tuple(verdicts)


def compare_visits(
    captures: Sequence[ReadCapture],
    name: str,
    counts: Mapping[tuple[int, str], SiteCount],
    reference: int,
    visit: int,
    *,
    synthetic: bool = False,
) -> Comparison:
    """One outcome at two visits over the sites they share; a site read otherwise at one of them is left out.

    counts: `series.site_visit_counts` of the captures and the outcome.
    """
    before = {site: count for (at, site), count in counts.items() if at == reference}
    after = {site: count for (at, site), count in counts.items() if at == visit}
    common = sorted(before.keys() & after.keys())
    if not common:
        return Comparison(name, (), _nothing_shared(captures, name, (reference, visit), before, after))
    sites, left_out = [], []
    for site in common:
        obstacle = why_not_comparable(before[site], after[site], name)
        exposure0, exposure1 = before[site].exposure_cm2, after[site].exposure_cm2
        if obstacle or exposure0 is None or exposure1 is None:
            left_out.append(f"{site}: {obstacle}")
        else:
            sites.append(
                SiteCounts(
                    site, before[site].count, exposure0, after[site].count, exposure1, before[site].fields,
                    after[site].fields,
                )
            )  # fmt: skip
    if not sites:
        reasons = dict.fromkeys(text.split(": ", 1)[1] for text in left_out)
        return Comparison(name, (), "; ".join(reasons), tuple(left_out))
    compared = {s.site for s in sites}
    used = [c for site in compared for c in (*before[site].used, *after[site].used)]
    return Comparison(name, tuple(sites), "" if synthetic else unreviewed(used), tuple(left_out), tuple(used))


def judge_all(
    comparisons: Sequence[Comparison],
    reference: tuple[int, dt.date],
    visit: tuple[int, dt.date],
    against: Against,
    *,
    level: float,
    judging: Judging = USUAL,
    synthetic: bool = False,
) -> list[Verdict]:
    """A verdict for each comparison: the active load at `level`, the others by Holm at one level together.

    reference, visit: (id, date). Where the active load changed the others share the series' whole level; else `level`.
    """
    cv = judging.cv
    p_values = {c.name: common_p_value(c.strata, cv=cv) for c in comparisons if not c.obstacle}
    changed = p_values.get(ACTIVE_LOAD, 1.0) <= level
    rest = [c for c in comparisons if c.name != ACTIVE_LOAD and c.name in p_values]
    judged = holm_levels([p_values[c.name] for c in rest], max(level, judging.level) if changed else level)
    levels = {c.name: at for c, at in zip(rest, judged, strict=True)}
    verdicts = []
    for comparison in comparisons:
        at = levels.get(comparison.name, level)
        outcome, reason, found = _judge(comparison, at, judging, against)
        label = label_of(comparison.name)
        told = verdict_sentence(
            comparison.name, label, outcome, reason, found, at, against, stable_ratio=judging.stable_ratio
        )
        verdicts.append(
            Verdict(
                comparison.name,
                label[0].upper() + label[1:],
                against,
                *visit,
                *reference,
                outcome,
                f"Synthetic patient: {told}" if synthetic else told,
                reason,
                ratio=found.ratio if found and not math.isnan(found.ratio) else None,
                low=found.low if found else None,
                high=found.high if found else None,
                p=found.p if found and not comparison.obstacle else None,
                confidence=1 - (2 * at if outcome == "stable" else at),
                sites=comparison.sites,
                primary=comparison.name == ACTIVE_LOAD,
                synthetic=synthetic,
                **_beside(comparison, outcome, at, judging),
            )
        )
    return verdicts


def _beside(comparison: Comparison, outcome: Outcome, level: float, judging: Judging) -> dict[str, Any]:
    """What stands beside an answer, by the names of Verdict; nothing where the visits may not be compared."""
    if comparison.obstacle or not comparison.sites:
        return {}
    cv = judging.cv
    told = outcome in {"fell", "rose", "stable"}
    counted = any(s.count0 + s.count1 for s in comparison.strata)
    beside: dict[str, Any] = {"allowed_for": judging.noise_text}
    if not told:
        beside["to_tell"] = what_it_takes(comparison.sites, cv=cv, level=level)
    if len(comparison.sites) > 1:
        beside["by_site"] = by_site(comparison.sites, cv=cv, level=level, changed=outcome in {"fell", "rose"})
    if counted:
        beside["correction"] = corrected(comparison.strata, comparison.used, comparison.name, cv=cv, level=level)
    return beside


def _judge(
    comparison: Comparison, level: float, judging: Judging, against: Against
) -> tuple[Outcome, str, RateRatio | None]:
    """(outcome, reason, ratio with the interval of the level; None where visits may not be compared)."""
    if not comparison.sites:
        return "cannot tell", comparison.obstacle, None
    strata, cv = comparison.strata, judging.cv
    found = common_rate_ratio(strata, cv=cv, confidence=1 - level)
    if comparison.obstacle:
        return "cannot tell", comparison.obstacle, found
    events = sum(s.count0 for s in strata), sum(s.count1 for s in strata)
    areas = sum(s.exposure0 for s in strata), sum(s.exposure1 for s in strata)
    counted = counted_text(events, areas, against)
    fall, rise = change_needed(events[0], null_share(strata), cv=cv, level=level)
    left_out = "".join(f"; left out {text}" for text in comparison.left_out)
    fall_text = "" if fall is None else "a fall to none" if fall == 0 else f"a fall below {fall + 1}"
    rise_text = "" if rise is None else f"a rise above {rise - 1}"
    if found.p <= level:
        fell = found.ratio < 1
        needed = fall_text if fell else rise_text
        return "fell" if fell else "rose", counted + (f"; {needed} was needed" if needed else "") + left_out, found
    if judging.stable_ratio is not None:
        inside = equivalence_interval(strata, cv=cv, level=level)
        if 1 / judging.stable_ratio < inside.low and inside.high < judging.stable_ratio:
            margin = interval_text(1 / judging.stable_ratio, judging.stable_ratio)
            return "stable", f"{counted}; two one-sided tests put the change within {margin}{left_out}", inside
    if sum(events) == 0:
        return "cannot tell", f"none seen at either visit{left_out}", found
    if fall is None:
        few = f"{counted}: too few, since even a fall to none could be chance"
        return "cannot tell", few + (f" ({rise_text} would show)" if rise_text else "") + left_out, found
    needed = " or ".join(text for text in (fall_text, rise_text) if text)
    return "no detectable change", f"{counted}; {needed} would be needed{left_out}", found


def _nothing_shared(
    captures: Sequence[ReadCapture],
    name: str,
    visits: tuple[int, int],
    before: Mapping[str, SiteCount],
    after: Mapping[str, SiteCount],
) -> str:
    for counts, visit, when in ((before, visits[0], "the earlier visit"), (after, visits[1], "this visit")):
        if not counts:
            reasons = refusals([c for c in captures if c.visit_id == visit], name)
            return f"not counted at {when}" + (f" ({'; '.join(reasons)})" if reasons else "")
    return f"no site in common ({', '.join(sorted(before))}; now {', '.join(sorted(after))})"


def beside(verdict: Verdict) -> tuple[str, ...]:
    """Sentences to print below a verdict: its correction where one was made, each site, what it would take to tell."""
    told = [verdict.correction.sentence] if verdict.correction and verdict.correction.done else []
    return (*told, *(site.sentence for site in verdict.by_site), *([verdict.to_tell] if verdict.to_tell else []))


def shared(verdicts: Sequence[Verdict]) -> tuple[str, ...]:
    """What is said once for all of these: the noise allowed for, and why ratios were not corrected."""
    noise = dict.fromkeys(v.allowed_for for v in verdicts if v.allowed_for)
    why = dict.fromkeys(v.correction.reason for v in verdicts if v.correction and not v.correction.done)
    return (
        *(f"Allowed for beside counting: a between-capture variation of {text}." for text in noise),
        *([f"Not corrected for the model's errors: {'; '.join(why)}."] if why else []),
    )


def headline(verdicts: Sequence[Verdict]) -> str:
    """The one sentence for page one, from the verdicts of the last visit against baseline.

    More follow where other hair fell, and where the activity signs went another way since the previous visit: a relapse
    after a fall.
    """
    if not verdicts:
        return "One visit so far: nothing to compare with."
    last = verdicts[-1].visit_id
    latest = {v.name: v for v in verdicts if v.visit_id == last and v.against == "baseline"}
    active = latest.get(ACTIVE_LOAD)
    regrown, lost = (
        [
            label_of(name)
            for name in ("early_regrowth", "terminal_hair")
            if name in latest and latest[name].outcome == to
        ]
        for to in ("rose", "fell")
    )
    if active is None:
        told = "Whether activity signs changed cannot be told: not all three of them are read."
    elif active.outcome == "fell":
        told = (
            f"Activity signs fell; {' and '.join(regrown)} rose."
            if regrown
            else "Activity signs fell; regrowth not shown."
        )
    elif active.outcome == "rose":
        told = "Activity signs rose."
    elif active.outcome == "stable" and active.low is not None and active.high is not None:
        told = f"Activity signs are stable: {interval_text(active.low, active.high)}."
    elif active.outcome == "no detectable change" and active.low is not None and active.high is not None:
        told = f"No detectable change in activity signs; {interval_text(active.low, active.high)} is not excluded."
    else:
        told = f"Whether activity signs changed cannot be told: {active.reason}."
    if lost:
        fewer = " and ".join(lost)
        told += f" {fewer[0].upper()}{fewer[1:]} fell."
    recent = next((v for v in verdicts if v.visit_id == last and v.primary and v.against == "previous"), None)
    if active and recent and recent.outcome in {"fell", "rose"} and recent.outcome != active.outcome:
        told += f" Since the previous visit activity signs {recent.outcome}."
    return f"Synthetic patient: {told}" if verdicts[-1].synthetic else told

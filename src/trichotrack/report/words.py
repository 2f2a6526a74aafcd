"""What the report says in words: numbers, one line per outcome, table cells and the reasons for every gap."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field

from trichotrack.signs import SIGN
from trichotrack.visits.series import SeriesPoint, SignSeries, count_in
from trichotrack.visits.story import PatientStory, VisitStory
from trichotrack.visits.verdict import Verdict
from trichotrack.visits.wording import change_text, confidence_text, interval_text

DASH = "—"

FOOTER = (
    "trichotrack is a monitoring and research tool, not a medical device. "
    "It never diagnoses and never advises on drugs."
)
SALT_NOTE = "SALT counts terminal hair only."
CAVEAT = (
    "Falling activity alone is not improvement: long-standing disease loses exclamation-mark hairs too, and regrown "
    "hair hides black dots. A rise of short vellus hair alone is never improvement."
)
COMBINATION_NOTE = (
    "Baricitinib and cyclosporine both stand in this record. The case report in which one followed the other says "
    "that combining them is not recommended."
)

OUTCOME_GLYPHS = {"fell": "▼", "rose": "▲", "stable": "≈", "no detectable change": "＝", "cannot tell": "?"}


@dataclass(frozen=True)
class SummaryLine:
    """One outcome at the last visit. first, last: density at these visits, as printed. outcome, sentence, reason:
    of the verdict against baseline; outcome "" where there is nothing to compare, and the sentence says so. previous:
    the verdict against the previous visit, where there is one.
    """

    name: str
    label: str
    primary: bool
    first: str
    last: str
    outcome: str
    sentence: str
    reason: str
    previous: Verdict | None


@dataclass(frozen=True)
class Cell:
    """One table cell: main text, smaller lines below, and the numbers of its footnotes."""

    text: str
    below: str = ""
    notes: tuple[int, ...] = ()


@dataclass
class Footnotes:
    """Reasons, numbered from 1 as they are first met; the same reason keeps its number."""

    texts: list[str] = field(default_factory=list)

    def number(self, text: str) -> int:
        if text not in self.texts:
            self.texts.append(text)
        return self.texts.index(text) + 1


def capitalised(text: str) -> str:
    """First letter upper, the rest as it is: "DPCP" and "exclamation-mark hair" keep their letters."""
    return text[:1].upper() + text[1:]


def number(value: float) -> str:
    """As many digits as a count can carry: 3.4, 28, 130."""
    if math.isinf(value):
        return "∞"
    return f"{value:.1f}" if 0 < value < 9.95 else f"{value:.0f}"


def plain(value: float) -> str:
    """A count: whole where it is whole."""
    return f"{value:.1f}".removesuffix(".0")


def density(point: SeriesPoint) -> str:
    """As in "28 (18–41)" per cm², or the count where there is no scale."""
    if point.density_per_cm2 is None:
        return f"{plain(point.count)} counted, no scale"
    if point.low is None or point.high is None:
        return number(point.density_per_cm2)
    return f"{number(point.density_per_cm2)} ({number(point.low)}–{number(point.high)})"


def change(verdict: Verdict) -> str:
    """As in "−65 %", "from none", or "" where the visits may not be compared."""
    if verdict.ratio is None:
        return ""
    return "from none" if math.isinf(verdict.ratio) else change_text(verdict.ratio)


def change_interval(verdict: Verdict) -> str:
    """As in "−80 % to −42 %" and, below, "at 97.5 %": the confidence at which the verdict was judged."""
    if verdict.low is None or verdict.high is None:
        return ""
    return f"{interval_text(verdict.low, verdict.high)}\nat {confidence_text(verdict.confidence)}"


def sign_label(name: str) -> str:
    return SIGN[name].plural if name in SIGN else name


def point_at(points: Iterable[SeriesPoint], visit_id: int) -> SeriesPoint | None:
    return next((point for point in points if point.visit_id == visit_id), None)


def why_missing(series: SignSeries, visit: VisitStory, site: str | None) -> str:
    """Why an outcome has no point at a visit (site None: pooled), in one sentence."""
    if site is None and not series.pooled_sites:
        return "No site was captured at every visit, so nothing is pooled; see each site."
    sites = series.pooled_sites if site is None else (site,)
    captures = [capture for capture in visit.captures if capture.site in sites]
    if not captures:
        return "Not captured at this visit."
    told = (count_in(capture.reading, series.name)[1] for capture in captures)
    reasons = list(dict.fromkeys(reason for reason in told if reason))
    return as_sentence("Not counted: " + "; ".join(reasons)) if reasons else "Not counted at this visit."


def summary(story: PatientStory) -> tuple[SummaryLine, ...]:
    """One line per outcome of the series, about the last visit. A figure that is missing has its reason in the line."""
    if not story.visits:
        return ()
    first, last = story.visits[0], story.visits[-1]
    lines = []
    for series in story.series:
        verdicts = {verdict.against: verdict for verdict in story.verdicts_at(last.id) if verdict.name == series.name}
        main = verdicts.get("baseline") or verdicts.get("previous")
        previous = verdicts.get("previous") if "baseline" in verdicts else None
        start, now = point_at(series.pooled, first.id), point_at(series.pooled, last.id)
        if main is not None:
            outcome, sentence, reason = str(main.outcome), main.sentence, _reason(main)
        else:
            outcome, sentence, reason = "", *_without_verdict(series, now, first, last)
        gaps = dict.fromkeys(why_missing(series, at, None) for at, point in ((first, start), (last, now)) if not point)
        lines.append(
            SummaryLine(
                series.name,
                capitalised(series.label),
                series.primary,
                density(start) if start else DASH,
                density(now) if now else DASH,
                outcome,
                sentence,
                " ".join(text for text in (reason, *gaps) if text),
                previous,
            )
        )
    return tuple(lines)


def _reason(verdict: Verdict) -> str:
    """The reason as a sentence (unless the verdict's own has said it), the correction, and what it would take."""
    reason = "" if verdict.reason.rstrip(".") in verdict.sentence else as_sentence(verdict.reason)
    corrected = verdict.correction.sentence if verdict.correction and verdict.correction.done else ""
    return " ".join(text for text in (reason, corrected, verdict.to_tell) if text)


def in_table(text: str) -> str:
    """Without "Synthetic patient: ", which the table's head says for all, and with every % kept beside its number."""
    return text.removeprefix("Synthetic patient: ").replace(" %", "\N{NO-BREAK SPACE}%")


def as_sentence(text: str) -> str:
    """With a capital at its start and a stop at its end."""
    return capitalised(text) + ("" if text.endswith((".", "!", "?")) else ".") if text else ""


def _without_verdict(
    series: SignSeries, now: SeriesPoint | None, first: VisitStory, last: VisitStory
) -> tuple[str, str]:
    label = capitalised(series.label)
    if now is None:
        return f"{label}: no figure at the last visit.", ""
    if first.id == last.id:
        return f"{label}: one visit so far, nothing to compare with.", ""
    return f"{label}: not compared.", "No verdict was given for this outcome at the last visit."


def density_cell(series: SignSeries, visit: VisitStory, site: str | None, notes: Footnotes) -> Cell:
    """Density with interval of one outcome at one visit; a dash with its reason where there is none, never a zero."""
    points = series.pooled if site is None else series.sites.get(site, ())
    point = point_at(points, visit.id)
    if point is None:
        return Cell(DASH, notes=(notes.number(why_missing(series, visit, site)),))
    below = f"{plain(point.count)} in {point.exposure_cm2:.2f} cm²" if point.exposure_cm2 else ""
    return Cell(density(point), below, tuple(notes.number(as_sentence(text)) for text in point.refused))


def verdict_cell(verdict: Verdict | None, notes: Footnotes) -> Cell:
    if verdict is None:
        return Cell(DASH)
    told = (notes.number(as_sentence(verdict.reason)),) if verdict.outcome == "cannot tell" else ()
    return Cell(f"{OUTCOME_GLYPHS[verdict.outcome]} {verdict.outcome}", change_interval(verdict), told)


def names_both(drugs: Iterable[str]) -> bool:
    """Whether a record names baricitinib and cyclosporine, in any of the spellings in use."""
    text = " ".join(drugs).casefold()
    return any(name in text for name in ("baricitinib", "olumiant", "바리시티닙")) and any(
        name in text for name in ("cyclosporin", "ciclosporin", "사이클로스포린")
    )

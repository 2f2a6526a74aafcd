"""What the report says in words: numbers, one line per outcome, table cells and the reasons for every gap."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field

from trichotrack.report.voice import Voice
from trichotrack.signs import SIGN
from trichotrack.visits.series import SeriesPoint, SignSeries, count_in
from trichotrack.visits.story import PatientStory, VisitStory
from trichotrack.visits.verdict import Verdict
from trichotrack.visits.wording import change_text, confidence_text, interval_text

DASH = "—"

OUTCOME_GLYPHS = {"fell": "▼", "rose": "▲", "stable": "≈", "no detectable change": "=", "cannot tell": "?"}

SYNTHETIC = "Synthetic patient: "
"""How visits/ begins what it says of a made-up patient; the banner says it for the whole page."""


@dataclass(frozen=True)
class SummaryLine:
    """One outcome at the last visit. first, last: density at these visits, as printed. outcome, sentence, reason:
    of the verdict against baseline; outcome "" where there is nothing to compare, and the sentence says so. gaps: why a
    figure is missing. previous: the verdict against the previous visit, where there is one.
    """

    name: str
    label: str
    primary: bool
    first: str
    last: str
    outcome: str
    sentence: str
    reason: str
    gaps: str
    previous: Verdict | None


@dataclass(frozen=True)
class Cell:
    """One table cell: main text, smaller lines below, and the numbers of its footnotes."""

    text: str
    below: tuple[str, ...] = ()
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


def number(value: float, say: Voice) -> str:
    """As many digits as a count can carry: 3.4, 28, 130."""
    if math.isinf(value):
        return "∞"
    return say.decimals(f"{value:.1f}" if 0 < value < 9.95 else f"{value:.0f}")


def plain(value: float, say: Voice) -> str:
    """A count: whole where it is whole."""
    return say.decimals(f"{value:.1f}".removesuffix(".0"))


def density(point: SeriesPoint, say: Voice) -> str:
    """As in "28 (18–41)" per cm², or the count where there is no scale."""
    if point.density_per_cm2 is None:
        return say("value.no_scale", count=plain(point.count, say))
    if point.low is None or point.high is None:
        return number(point.density_per_cm2, say)
    return f"{number(point.density_per_cm2, say)} ({number(point.low, say)}–{number(point.high, say)})"


def change(verdict: Verdict, say: Voice) -> str:
    """As in "−65 %", "from none", or "" where the visits may not be compared."""
    if verdict.ratio is None:
        return ""
    return say("value.from_none") if math.isinf(verdict.ratio) else say.decimals(change_text(verdict.ratio))


def change_interval(verdict: Verdict, say: Voice) -> tuple[str, ...]:
    """As in "−80 % to −42 %" and, below, "at 97.5 %": the confidence at which the verdict was judged."""
    if verdict.low is None or verdict.high is None:
        return ()
    level = say("value.at_level", level=say.decimals(confidence_text(verdict.confidence)))
    return say.said(interval_text(verdict.low, verdict.high)), level


def outcome_text(outcome: str, say: Voice) -> str:
    return say(f"outcome.{outcome.replace(' ', '_')}")


def sign_label(name: str, say: Voice) -> str:
    return say.said(SIGN[name].plural) if name in SIGN else name


def point_at(points: Iterable[SeriesPoint], visit_id: int) -> SeriesPoint | None:
    return next((point for point in points if point.visit_id == visit_id), None)


def why_missing(series: SignSeries, visit: VisitStory, site: str | None, say: Voice) -> str:
    """Why an outcome has no point at a visit (site None: pooled), in one sentence."""
    if site is None and not series.pooled_sites:
        return say("missing.not_pooled")
    sites = series.pooled_sites if site is None else (site,)
    captures = [capture for capture in visit.captures if capture.site in sites]
    if not captures:
        return say("missing.not_captured")
    told = (count_in(capture.reading, series.name)[1] for capture in captures)
    reasons = list(dict.fromkeys(say.said(reason) for reason in told if reason))
    if not reasons:
        return say("missing.not_counted")
    return as_sentence(say("missing.not_counted_because", reasons="; ".join(reasons).rstrip(".")))


def summary(story: PatientStory, say: Voice) -> tuple[SummaryLine, ...]:
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
            outcome, sentence, reason = str(main.outcome), say.said(main.sentence), _reason(main, say)
        else:
            outcome, sentence, reason = "", *_without_verdict(series, now, (first, last), say)
        # Counted nowhere: the verdict has said why already.
        told = main is not None and not any(series.sites.values())
        missing = [at for at, point in ((first, start), (last, now)) if not point and not told]
        lines.append(
            SummaryLine(
                series.name,
                capitalised(say.said(series.label)),
                series.primary,
                density(start, say) if start else DASH,
                density(now, say) if now else DASH,
                outcome,
                sentence,
                reason,
                " ".join(dict.fromkeys(why_missing(series, at, None, say) for at in missing)),
                previous,
            )
        )
    return tuple(lines)


def _reason(verdict: Verdict, say: Voice) -> str:
    """The reason as a sentence (unless the verdict's own has said it), the correction, and what it would take."""
    reason = "" if verdict.reason.rstrip(".") in verdict.sentence else as_sentence(say.said(verdict.reason))
    corrected = verdict.correction.sentence if verdict.correction and verdict.correction.done else ""
    return " ".join(text for text in (reason, say.said(corrected), say.said(verdict.to_tell)) if text)


def unbannered(text: str) -> str:
    """Without "Synthetic patient: ", which the banner says for all, and with every % kept beside its number."""
    return capitalised(text.removeprefix(SYNTHETIC)).replace(" %", "\N{NO-BREAK SPACE}%")


def as_sentence(text: str) -> str:
    """With a capital at its start and a stop at its end."""
    return capitalised(text) + ("" if text.endswith((".", "!", "?", "。")) else ".") if text else ""


def _without_verdict(
    series: SignSeries, now: SeriesPoint | None, ends: tuple[VisitStory, VisitStory], say: Voice
) -> tuple[str, str]:
    label = capitalised(say.said(series.label))
    if now is None:
        return say("summary.no_figure", label=label), ""
    if ends[0].id == ends[1].id:
        return say("summary.one_visit", label=label), ""
    return say("summary.not_compared", label=label), say("summary.no_verdict")


def density_cell(series: SignSeries, visit: VisitStory, site: str | None, notes: Footnotes, say: Voice) -> Cell:
    """Density with interval of one outcome at one visit; a dash with its reason where there is none, never a zero."""
    points = series.pooled if site is None else series.sites.get(site, ())
    point = point_at(points, visit.id)
    if point is None:
        return Cell(DASH, notes=(notes.number(why_missing(series, visit, site, say)),))
    below: tuple[str, ...] = ()
    if point.exposure_cm2:
        area = say.decimals(f"{point.exposure_cm2:.2f}")
        below = (say("value.count_in", count=plain(point.count, say), area=area),)
    return Cell(density(point, say), below, tuple(notes.number(as_sentence(say.said(text))) for text in point.refused))


def verdict_cell(verdict: Verdict | None, notes: Footnotes, say: Voice) -> Cell:
    if verdict is None:
        return Cell(DASH)
    told = (notes.number(as_sentence(say.said(verdict.reason))),) if verdict.outcome == "cannot tell" else ()
    return Cell(outcome_shown(verdict, say), change_interval(verdict, say), told)


def outcome_shown(verdict: Verdict, say: Voice) -> str:
    """As in "▼ fell": a shape and a word."""
    return f"{OUTCOME_GLYPHS[verdict.outcome]} {outcome_text(verdict.outcome, say)}"


def names_both(drugs: Iterable[str]) -> bool:
    """Whether a record names baricitinib and cyclosporine, in any of the spellings in use."""
    text = " ".join(drugs).casefold()
    return any(name in text for name in ("baricitinib", "olumiant", "바리시티닙")) and any(
        name in text for name in ("cyclosporin", "ciclosporin", "사이클로스포린")
    )

"""Page one, which stands alone: one sentence per sign, the trends, SALT and every treatment over one time axis."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from datetime import date

from trichotrack.report import bars, panels, words
from trichotrack.report.axis import shortened, text_width
from trichotrack.report.blocks import PageOne, PanelRow, Panels
from trichotrack.report.drawing import sign_icon
from trichotrack.report.panels import Frame
from trichotrack.report.voice import Voice
from trichotrack.report.words import OUTCOME_GLYPHS, SummaryLine
from trichotrack.visits.story import PatientStory, TreatmentStory

NOTICES = 3
"""On page one; the others stand with quality and refusals."""

_LONGEST_NOTE, _MOST_RUNS = 150, 4
_TEXT_MM, _LINE_MM, _LETTER_MM = 62.0, 3.25, 1.42
_MM = 92.0 / panels.WIDTH
PAGE_MM = {"a4": 297.0, "letter": 279.4}
_AROUND_MM = 66.0
"""Margins, title, one line of facts, headline, key and footer."""
_FACTS_LETTERS = 125
"""About as many in a line of facts."""


@dataclass(frozen=True)
class Room:
    """Heights of fields in units of the drawings, how many drugs have a row, whether verdicts have their reasons."""

    primary: float
    outcome: float
    salt: float
    drugs: int
    reasons: bool = False


ROOMS = (
    Room(140, 92, 64, 18, reasons=True), Room(124, 80, 56, 16, reasons=True), Room(108, 68, 50, 14, reasons=True),
    Room(88, 56, 44, 14), Room(70, 44, 36, 12), Room(56, 34, 30, 10), Room(46, 27, 26, 8), Room(38, 22, 24, 6),
)  # fmt: skip
"""From roomy to close; the first that fits is taken."""


def page_one(
    story: PatientStory, say: Voice, *, paper: str = "a4", made: date | None = None, remarks: tuple[str, ...] = ()
) -> PageOne:
    """The first page. paper: "a4" or "letter", for how much of the trends and treatments it holds. remarks: said first.

    A patient without visits has treatments and SALT.
    """
    notices = [*remarks, *_notices(story, say)]
    shown = tuple(notices[:NOTICES])
    if len(notices) > NOTICES:
        shown += (say("one.more_notices", count=len(notices) - NOTICES),)
    if words.names_both(treatment.drug for treatment in story.treatments):
        shown += (say("one.combination"),)
    reviewed = all(capture.reviewed for visit in story.visits for capture in visit.captures)
    state = () if not story.visits else (say("one.reviewed" if reviewed else "one.unreviewed"),)
    facts = _facts(story, say, made)
    lines = math.ceil(sum(len(f"{name} {value}") + 3 for name, value in facts) / _FACTS_LETTERS)
    return PageOne(
        head=say("page.head", patient=story.patient.id),
        subtitle=say("page.subtitle"),
        facts=facts,
        banner=say("page.synthetic") if story.patient.synthetic else "",
        headline=say.said(story.headline),
        notices=shown,
        panels=_panels(story, say, PAGE_MM[paper] - _AROUND_MM - 4.0 * (len(shown) + max(0, lines - 1))),
        closing=(*state, say("one.caveat")),
    )


def more_notices(story: PatientStory, say: Voice, remarks: tuple[str, ...] = ()) -> tuple[str, ...]:
    """Those that found no room on page one."""
    return tuple([*remarks, *_notices(story, say)][NOTICES:])


def _notices(story: PatientStory, say: Voice) -> list[str]:
    """What must be said beside the figures, but for what the banner says."""
    banner = story.patient.synthetic
    return [say.said(text) for text in story.notices if not (banner and text.startswith("Synthetic patient"))]


def _facts(story: PatientStory, say: Voice, made: date | None) -> tuple[tuple[str, str], ...]:
    patient, visits = story.patient, story.visits
    captures = [capture for visit in visits for capture in visit.captures]
    count = str(len(visits))
    if len(visits) > 1:
        count = say(
            "fact.visits_from_to", count=count, first=say.day(visits[0].date), last=say.day(visits[-1].date)
        )  # fmt: skip
    elif visits:
        count = say("fact.visits_one", first=say.day(visits[0].date))
    reviewed = sum(capture.reviewed for capture in captures)
    pairs = (
        ("aa_type", patient.aa_type),
        ("sex", patient.sex),
        ("birth_year", str(patient.birth_year or "")),
        ("onset", say.partial(patient.onset)),
        ("current_onset", say.partial(patient.current_onset)),
        ("last_regrowth", say.partial(patient.last_regrowth)),
        ("atopy", patient.atopy),
        ("visits", count),
        ("captures", say("fact.captures_reviewed", count=len(captures), reviewed=reviewed)),
        ("made", say.day(made) if made else ""),
    )
    return tuple((say(f"fact.{name}"), value) for name, value in pairs if value)


def _panels(story: PatientStory, say: Voice, room_mm: float) -> Panels:
    frame = panels.frame_of(story, say)
    if frame is None:
        return Panels(())
    lines = words.summary(story, say)
    room = next((room for room in ROOMS if _height_mm(story, frame, lines, room, say) <= room_mm), ROOMS[-1])
    series = {one.name: one for one in story.series}
    rows = [_dates_row(story, frame, say)]
    for line in lines:
        svg = panels.outcome_svg(frame, story, series[line.name], room.primary if line.primary else room.outcome)
        small = _small(line, say, reasons=room.reasons)
        rows.append(_outcome_row(story, line, (sign_icon(line.name, series[line.name].colour), svg), small, say))
    if story.salt:
        rows.append(_salt_row(story, frame, room, say))
    rows += _drug_rows(story, frame, room, say)
    rows.append(PanelRow("ticks", svg=panels.ticks_svg(frame)))
    return Panels(tuple(rows), _key(story, frame, say))


def _height_mm(story: PatientStory, frame: Frame, lines: tuple[SummaryLine, ...], room: Room, say: Voice) -> float:
    """About how high the rows are on paper."""
    total = 24 * _MM + 18 * _MM
    for line in lines:
        field = (room.primary if line.primary else room.outcome) + 9
        text = math.ceil(_LETTER_MM * len(_sentence(story, line)) / _TEXT_MM) + math.ceil(
            _LETTER_MM * len(_small(line, say, reasons=room.reasons)) / _TEXT_MM
        )
        total += max(field * _MM, (text + bool(line.outcome)) * _LINE_MM, 10.0) + 1.6
    if story.salt:
        total += (room.salt + 9) * _MM + 1.6
    for _, rows in _chosen(story, frame, room)[0]:
        noted = _drug_note([bar.treatment for row in rows for bar in row], say)
        text = math.ceil(_LETTER_MM * len(noted) / _TEXT_MM)
        total += max(len(rows) * bars.LANE * _MM, text * _LINE_MM) + 1.2
    return total


def _dates_row(story: PatientStory, frame: Frame, say: Voice) -> PanelRow:
    if not story.visits:
        return PanelRow("dates", svg=panels.dates_svg(frame, story))
    single = "_single" if len(story.visits) == 1 else ""
    return PanelRow(
        "dates",
        name=say(f"one.outcomes{single}"),
        svg=panels.dates_svg(frame, story),
        text=say(f"one.sentence{single}", date=say.day(story.visits[-1].date)),
    )


def _outcome_row(story: PatientStory, line: SummaryLine, drawn: tuple[str, str], small: str, say: Voice) -> PanelRow:
    icon, svg = drawn
    figures = say("summary.change_shown", first=line.first, last=line.last) if len(story.visits) > 1 else line.last
    tones = {"fell": "changed", "rose": "changed", "cannot tell": "open"}
    return PanelRow(
        "outcome",
        name=line.label,
        icon=icon,
        figures=figures,
        svg=svg,
        outcome=words.outcome_text(line.outcome, say) if line.outcome else "",
        glyph=OUTCOME_GLYPHS.get(line.outcome, ""),
        tone=tones.get(line.outcome, "same"),
        text=_sentence(story, line),
        small=small,
        primary=line.primary,
    )


def _sentence(story: PatientStory, line: SummaryLine) -> str:
    return words.unbannered(line.sentence) if story.patient.synthetic else line.sentence.replace(" %", "\u00a0%")


def _small(line: SummaryLine, say: Voice, *, reasons: bool) -> str:
    """Why this verdict (where there is room: it stands further on too), why a figure is missing, and what changed, or
    was stable, since the previous visit.
    """
    previous = line.previous
    since = ""
    if previous is not None and previous.outcome in {"fell", "rose", "stable"}:
        outcome = words.outcome_text(previous.outcome, say)
        since = say("summary.since_previous", outcome=outcome, change=words.change(previous, say))
    return " ".join(text for text in (line.reason if reasons else "", line.gaps, since) if text)


def _salt_row(story: PatientStory, frame: Frame, room: Room, say: Voice) -> PanelRow:
    first, last = story.salt[0], story.salt[-1]
    values = {"first": words.plain(first.total, say), "first_date": say.day(first.date)}
    values |= {"last": words.plain(last.total, say), "last_date": say.day(last.date)}
    several = len(story.salt) > 1
    return PanelRow(
        "salt",
        name=say("salt.name"),
        figures=say("summary.change_shown", first=values["first"], last=values["last"]) if several else values["first"],
        svg=panels.salt_svg(frame, story.salt, room.salt),
        text=say("salt.change" if several else "salt.once", **values),
        small=f"{say('salt.note')} {say('salt.by_person')}",
    )


def _chosen(story: PatientStory, frame: Frame, room: Room) -> tuple[list[tuple[str, list[list[bars.Bar]]]], int]:
    """Drugs that have a row, by their first start, and how many have none: those in the window go before the latest of
    the earlier ones. Drugs without a bar, as where an end lies before its start, count among those that have none.
    """
    found = bars.lanes(story.treatments, frame.axis, compact=True)

    def latest(drug: tuple[str, list[list[bars.Bar]]]) -> date:
        ends = [bar.treatment.end_day or date.max for row in drug[1] for bar in row]
        return max(ends)

    kept = sorted(found, key=latest, reverse=True)[: room.drugs]
    return [drug for drug in found if drug in kept], len({one.drug.casefold() for one in story.treatments}) - len(kept)


def _drug_rows(story: PatientStory, frame: Frame, room: Room, say: Voice) -> list[PanelRow]:
    drugs, left_out = _chosen(story, frame, room)
    rows = [PanelRow("title", name=say("one.treatments"))] if drugs else []
    for place, (drug, lanes) in enumerate(drugs):
        note = _drug_note([bar.treatment for row in lanes for bar in row], say)
        rows.append(
            PanelRow(
                "drug", name=shortened(drug, 11, 260), svg=panels.drug_svg(frame, drug, lanes, place), small=note
            )
        )  # fmt: skip
    if left_out:
        more = say("one.treatments_more", count=left_out)
        rows.append(PanelRow("drug", name=more, small=say("one.treatments_more_text")))
    return rows


def _drug_note(treatments: list[TreatmentStory], say: Voice) -> str:
    """When, at which doses, why stopped, and the response to one drug, as far as they find room in two lines."""
    ordered = sorted(treatments, key=lambda one: (one.start_day or date.min, one.end_day or date.max))
    spans = list(dict.fromkeys(_when(run, say) for run in _runs(ordered)))
    if len(spans) > _MOST_RUNS:
        spans = [spans[0], "…", *spans[2 - _MOST_RUNS :]]
    when = "; ".join(spans)
    doses = list(dict.fromkeys(bars.dose(one) for one in ordered if bars.dose(one)))
    units = {one.unit for one in ordered if one.dose}
    if len(doses) > 1 and len(units) == 1:
        doses = [one.dose for one in ordered if one.dose]
        doses = [*doses[:-1], f"{doses[-1]} {units.pop()}"]
    # A dose taken beside one that outlasts it did not follow it.
    in_turn = ordered == sorted(ordered, key=lambda one: one.end_day or date.max)
    parts = [words.as_sentence(f"{when}, {(' → ' if in_turn else ', ').join(doses)}" if doses else when)]
    stops = list(dict.fromkeys(one.stop_reason for one in ordered if one.stop_reason))
    if stops:
        parts.append(say("treatment.stopped", reason="; ".join(stops)))
    responses = list(dict.fromkeys(one.response for one in ordered if one.response))
    if responses:
        parts.append(say("treatment.response", response="; ".join(responses)))
    text = " ".join(parts)
    return shortened(text, 1.0, text_width("n" * _LONGEST_NOTE, 1.0))


def _when(run: list[TreatmentStory], say: Voice) -> str:
    """From when to when one drug was taken without a pause, at whatever doses; since when, where one dose goes on."""
    last = max(run, key=lambda one: (bars.going_on(one), one.end_day or date.max))
    return bars.when(replace(last, start=run[0].start, start_day=run[0].start_day), say)


def _runs(ordered: list[TreatmentStory]) -> list[list[TreatmentStory]]:
    """Treatments with one drug, ordered by start, split at every pause; what began nobody knows when stands alone."""
    runs: list[list[TreatmentStory]] = []
    until = date.min
    for one in ordered:
        if runs and runs[-1][0].start_day and one.start_day and (one.start_day - until).days <= 1:
            runs[-1].append(one)
        else:
            runs.append([one])
            until = date.min
        until = max(until, date.max if bars.going_on(one) else one.end_day or one.start_day or date.min)
    return runs


def _key(story: PatientStory, frame: Frame, say: Voice) -> str:
    reviewed = all(capture.reviewed for visit in story.visits for capture in visit.captures)
    parts = []
    if story.visits:
        parts += [say("one.key")]
        parts += [] if reviewed else [say("one.key_hollow")]
        parts += [say("one.key_cross")]
        parts += [say("one.key_changed")] if story.verdicts else []
    parts += [say("salt.twenty")] if story.salt else []
    parts += [say("one.key_bars")] if story.treatments else []
    parts += [say("one.key_break")] if frame.axis.earlier else []
    return " ".join(parts)

"""What stands beside captures and treatments: eyebrows and eyelashes, adverse events, laboratory values."""

from __future__ import annotations

from collections.abc import Sequence

from trichotrack.report import words
from trichotrack.report.blocks import Block, Head, Paragraph, Rows, Section, Table
from trichotrack.report.voice import Voice
from trichotrack.report.words import Cell
from trichotrack.visits.story import LabValue, PatientStory

CLINRO_GRADES = ("full", "minimal_gaps", "significant_gaps", "no_hair")
EVENT_GRADES = ("mild", "moderate", "severe", "life_threatening", "death")
SEVERE = 3

RANGE_SHAPES = {"above": "↑", "below": "↓", "within": "", "open": "?", "": ""}
"""Beside a laboratory value, so that a black-and-white print says the same."""


def clinro(story: PatientStory, say: Voice) -> Section | None:
    """Eyebrow and eyelash grades of every day on which one was given."""
    if not story.clinro:
        return None

    def grade(value: int | None) -> Cell:
        return Cell(words.DASH if value is None else f"{value}: {say(f'clinro.{CLINRO_GRADES[value]}')}")

    heads = tuple(Head(say(f"clinro.{name}")) for name in ("date", "eyebrow", "eyelash"))
    rows = tuple((Cell(say.day(one.date)), grade(one.eyebrow), grade(one.eyelash)) for one in story.clinro)
    return Section("clinro", say("clinro.title"), (Table(heads, (Rows("", rows),), say("clinro.caption")),))


def events(story: PatientStory, say: Voice) -> Section | None:
    """Every adverse event entered, with its grade and dates as far as they are known."""
    if not story.events:
        return None
    rows = []
    for one in story.events:
        grade = say("value.not_recorded")
        if one.grade is not None:
            grade = f"{one.grade}: {say(f'events.{EVENT_GRADES[one.grade - 1]}')}"
        start = say.partial(one.start) or say("value.not_recorded")
        rows.append((Cell(one.kind), Cell(grade), Cell(start), Cell(say.partial(one.end) or say("events.open_end"))))
    severe = sum(one.grade is not None and one.grade >= SEVERE for one in story.events)
    ungraded = sum(one.grade is None for one in story.events)
    said = say("events.counted", count=len(story.events), severe=severe, ungraded=ungraded)
    heads = tuple(Head(say(f"events.{name}")) for name in ("kind", "grade", "start", "end"))
    table = Table(heads, (Rows("", tuple(rows)),), say("events.caption"), widths=(3, 1.6, 1.6, 2.4))
    return Section("events", say("events.title"), (Paragraph(said), table))


def labs(story: PatientStory, say: Voice) -> Section | None:
    """The last value of each kind against its reference range, the one before, and how many lay outside."""
    if not story.labs:
        return None
    series: dict[str, list[LabValue]] = {}
    for one in sorted(story.labs, key=lambda lab: lab.date):
        series.setdefault(one.name.casefold(), []).append(one)
    ordered = [series[name] for name in sorted(series)]
    names = ("name", "last", "date", "range", "place", "before", "all")
    heads = tuple(Head(say(f"labs.{name}")) for name in names)
    rows = tuple(_lab_row(values, say) for values in ordered)
    blocks: tuple[Block, ...] = (
        _outside([values[-1] for values in ordered], say),
        Table(heads, (Rows("", rows),), say("labs.caption"), widths=(1.6, 1.5, 1.4, 1.4, 1.6, 1.6, 1.2)),
    )
    return Section("labs", say("labs.title"), blocks)


def _outside(last: Sequence[LabValue], say: Voice) -> Paragraph:
    found = [f"{RANGE_SHAPES[one.place]} {one.name}" for one in last if one.place in {"above", "below"}]
    if found:
        return Paragraph(say("labs.some_outside", names=say("value.list_join").join(found)), "strong")
    within = sum(one.place == "within" for one in last)
    return Paragraph(say("labs.none_outside", count=within, total=len(last)))


def _lab_row(values: Sequence[LabValue], say: Voice) -> tuple[Cell, ...]:
    last, before = values[-1], values[-2] if len(values) > 1 else None
    outside = sum(one.place in {"above", "below"} for one in values)
    place = {"above": "above", "below": "below", "within": "within", "open": "open", "": "no_range"}[last.place]
    return (
        Cell(last.name),
        Cell(_value(last, say)),
        Cell(say.day(last.date)),
        Cell(_range(last, say)),
        Cell(f"{RANGE_SHAPES[last.place]} {say(f'labs.{place}')}".strip()),
        Cell(_value(before, say), (say.day(before.date),)) if before else Cell(words.DASH),
        Cell(str(len(values)), (say("labs.outside_count", count=outside),) if outside else ()),
    )


def _value(lab: LabValue, say: Voice) -> str:
    """As in "↑ 52 U/L" or "< 5 mg/L"."""
    parts = (RANGE_SHAPES[lab.place], lab.qualifier, _number(lab.value, say), lab.unit)
    return " ".join(part for part in parts if part)


def _range(lab: LabValue, say: Voice) -> str:
    if lab.low is not None and lab.high is not None:
        return f"{_number(lab.low, say)}–{_number(lab.high, say)}"
    if lab.high is not None:
        return f"≤ {_number(lab.high, say)}"
    return f"≥ {_number(lab.low, say)}" if lab.low is not None else words.DASH


def _number(value: float, say: Voice) -> str:
    return say.decimals(f"{value:.10g}".replace("-", "−"))

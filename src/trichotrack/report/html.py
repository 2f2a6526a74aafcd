"""The report of one patient: one HTML file that needs nothing but itself."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from trichotrack.report import bars, chart, overlays, words
from trichotrack.report.drawing import sign_icon
from trichotrack.report.words import Cell, Footnotes
from trichotrack.signs import SIGN
from trichotrack.visits.series import SignSeries
from trichotrack.visits.story import CaptureStory, PatientStory, TreatmentStory, VisitStory

NOTICES_ON_TOP = 4
"""The first page must also hold the trend; the other notices stand with quality and refusals."""


@dataclass(frozen=True)
class TableRow:
    """A row of a table with its header."""

    head: str
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class Remark:
    """What is to be said of some captures of one visit. share: "3 of 6"; captures: which, none where all."""

    visit: str
    share: str
    captures: tuple[str, ...]
    texts: tuple[str, ...]


def render_html(story: PatientStory, *, made: date | None = None) -> str:
    """The report as one HTML document: styles, drawings and pictures inside, nothing fetched, no script.

    made: the day printed as the report's; none is printed where it is None.
    """
    from importlib.resources import files

    from jinja2 import Environment, StrictUndefined

    room = files("trichotrack.report")
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    template = environment.from_string(room.joinpath("report.html.j2").read_text("utf-8"))
    spots, left_out = overlays.spots(story)
    notes, verdict_notes = Footnotes(), Footnotes()
    signs = {name: sign for visit in story.visits for one in visit.captures for name, sign in one.reading.signs.items()}
    notices = _notices(story)
    page: dict[str, Any] = {
        "story": story,
        "made": made,
        "css": room.joinpath("report.css").read_text("utf-8"),
        "words": words,
        "notices": notices[:NOTICES_ON_TOP],
        "more_notices": notices[NOTICES_ON_TOP:],
        "summary": words.summary(story),
        "trend": chart.trend_svg(story),
        "sites": chart.sites_svg(story),
        "history": chart.history_svg(story),
        "icons": {series.name: sign_icon(series.name, series.colour) for series in story.series},
        "tables": _density_tables(story, notes),
        "notes": notes.texts,
        "verdicts": _verdict_rows(story, verdict_notes),
        "verdict_notes": verdict_notes.texts,
        "treatments": [_treatment_row(treatment) for treatment in story.treatments],
        "spots": spots,
        "left_out": left_out,
        "counted_signs": [name for name in SIGN if name in signs],
        "sign_icons": {name: sign_icon(name, sign.colour) for name, sign in SIGN.items()},
        "remarks": _remarks(story),
        "captures": _captures(story),
        "reviewers": _reviewers(story),
        "reviewed": all(capture.reviewed for capture in _captures(story)),
        "models": _models(story),
        "settings": _settings(story),
        "combination": words.names_both(treatment.drug for treatment in story.treatments),
    }
    return template.render(page)


def write_report(story: PatientStory, path: Path, *, made: date | None = None) -> Path:
    """Writes the report to path, whole or not at all."""
    text = render_html(story, made=made)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        part.write_text(text, encoding="utf-8", newline="\n")
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    return path


def _notices(story: PatientStory) -> list[str]:
    """What must be said beside the figures, but for what the banner says."""
    banner = story.patient.synthetic
    return [text for text in story.notices if not (banner and text.casefold().startswith("synthetic patient"))]


def _captures(story: PatientStory) -> list[CaptureStory]:
    return [capture for visit in story.visits for capture in visit.captures]


def _density_tables(story: PatientStory, notes: Footnotes) -> list[tuple[str, list[TableRow]]]:
    """Pooled first, then each site: a row per visit, a cell per outcome."""
    pooled = next((series.pooled_sites for series in story.series if series.pooled_sites), ())
    sites = list(dict.fromkeys(site for series in story.series for site in series.sites))
    found = [(f"Pooled over {', '.join(pooled)}", _rows(story.series, story.visits, None, notes))] if pooled else []
    if len(sites) > 1 or not pooled:
        found += [(_site_title(site), _rows(story.series, story.visits, site, notes)) for site in sites]
    return found


def _site_title(site: str) -> str:
    return f"Site: {site}" if site else "Site not named"


def _rows(
    series: Iterable[SignSeries], visits: Iterable[VisitStory], site: str | None, notes: Footnotes
) -> list[TableRow]:
    outcomes = tuple(series)
    return [
        TableRow(visit.date.isoformat(), tuple(words.density_cell(one, visit, site, notes) for one in outcomes))
        for visit in visits
    ]


def _verdict_rows(story: PatientStory, notes: Footnotes) -> list[tuple[str, list[TableRow]]]:
    """Against baseline, then against the previous visit: a row per follow-up visit, a cell per outcome."""
    found = []
    for against, title in (("baseline", "Since baseline, the first visit"), ("previous", "Since the previous visit")):
        rows = []
        for visit in story.visits[1:]:
            here = {verdict.name: verdict for verdict in story.verdicts_at(visit.id) if verdict.against == against}
            if here:
                cells = tuple(words.verdict_cell(here.get(series.name), notes) for series in story.series)
                rows.append(TableRow(visit.date.isoformat(), cells))
        if rows:
            found.append((title, rows))
    return found


def _treatment_row(treatment: TreatmentStory) -> tuple[str, ...]:
    end = treatment.end or ("going on" if bars.going_on(treatment) else words.DASH)
    parts = (bars.dose(treatment), treatment.route, treatment.start, end, treatment.stop_reason, treatment.response)
    return (treatment.drug, *(part or words.DASH for part in parts))


def _remarks(story: PatientStory) -> list[Remark]:
    """Captures of which something must be said (quality, preparation, refused signs), those alike together."""
    found = []
    for visit in story.visits:
        alike: dict[tuple[str, ...], list[str]] = {}
        for capture in visit.captures:
            texts = _said_of(capture)
            if texts:
                alike.setdefault(texts, []).append(f"{_spot(capture)} ({capture.file})")
        total = len(visit.captures)
        found += [
            Remark(
                visit.date.isoformat(),
                f"{len(named)} of {total}",
                () if len(named) == total > 1 else tuple(named),
                texts,
            )
            for texts, named in alike.items()
        ]
    return found


def _said_of(capture: CaptureStory) -> tuple[str, ...]:
    reading = capture.reading
    prepared = capture.preparation not in {"", "none"}
    refused = [
        f"{words.capitalised(words.sign_label(name))} refused: {sign.reason or 'no reason given'}"
        for name, sign in reading.signs.items()
        if sign.status == "refused"
    ]
    texts = [*reading.quality.flags, *reading.warnings, *([f"preparation: {capture.preparation}"] if prepared else [])]
    return tuple(words.as_sentence(text) for text in (*texts, *refused))


def _spot(capture: CaptureStory) -> str:
    """As printed: "vertex, field a, repeat 2"."""
    parts = [capture.site, capture.field and f"field {capture.field}", capture.n and f"repeat {capture.n}"]
    return ", ".join(part for part in parts if part)


def _reviewers(story: PatientStory) -> list[tuple[str, int]]:
    """Who reviewed, and how many of the readings."""
    counts: dict[str, int] = {}
    for capture in _captures(story):
        if capture.reviewed:
            name = capture.reviewed_by or "not named"
            counts[name] = counts.get(name, 0) + 1
    return sorted(counts.items())


def _models(story: PatientStory) -> list[dict[str, str]]:
    """Each model whose readings the figures rest on."""
    found: dict[str, dict[str, str]] = {}
    for capture in _captures(story):
        model = capture.reading.model
        if model is not None and model.sha256 not in found:
            found[model.sha256] = {
                "name": model.name,
                "sha256": model.sha256,
                "validation": "Validated on people's captures, as its spec says."
                if model.validated
                else "Not validated on patients' captures.",
                "notice": model.notice,
            }
    return list(found.values())


def _settings(story: PatientStory) -> list[tuple[str, str]]:
    """Scale, device, preparation and software, each with all values that occur: more than one is worth seeing."""
    captures = _captures(story)
    scales = (capture.reading.scale for capture in captures)
    return [
        ("Scale", _each(f"{scale.um_per_px:.4g} µm/px ({scale.source})" if scale else "none" for scale in scales)),
        ("Device", _each(capture.device or "not recorded" for capture in captures)),
        ("Preparation", _each(capture.preparation or "not recorded" for capture in captures)),
        ("Software", _each(capture.reading.software for capture in captures)),
    ]


def _each(values: Iterable[str]) -> str:
    return "; ".join(sorted(set(values))) or words.DASH

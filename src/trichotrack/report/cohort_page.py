"""The page of a cohort: one HTML file that needs nothing but itself."""

from __future__ import annotations

import os
from datetime import date
from pathlib import Path
from typing import Any

from trichotrack.cohort.analysis import CohortAnalysis
from trichotrack.cohort.endpoints import Share, percent
from trichotrack.cohort.sentences import number_text, odds_text, p_text, sections, signed
from trichotrack.cohort.terms import shown
from trichotrack.report import cohort_charts, words
from trichotrack.report.voice import voice


def render_cohort(found: CohortAnalysis, *, made: date | None = None) -> str:
    """The page as one HTML document: styles and drawings inside, nothing fetched, no script."""
    rows = found.regressions.logistic.rows
    return render(
        "cohort.html.j2",
        {
            "found": found,
            "made": made,
            "sections": {one.name: one for one in sections(found)},
            "people": cohort_charts.people_svg(found),
            "time": cohort_charts.time_svg(found.time) if found.time and found.time.steps else "",
            "forest": cohort_charts.forest_svg(rows) if rows else "",
            "share_text": share_text,
            "shown": lambda column: words.capitalised(shown(column)),
            "odds_text": odds_text,
            "p_text": p_text,
            "signed": signed,
            "number_text": number_text,
        },
    )


def render(template: str, page: dict[str, Any]) -> str:
    """A template of this room filled in, with the styles of every report and its footer."""
    from importlib.resources import files

    from jinja2 import Environment, StrictUndefined

    room = files("trichotrack.report")
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    css = room.joinpath("report.css").read_text("utf-8")
    text = environment.from_string(room.joinpath(template).read_text("utf-8"))
    return text.render({"css": css, "dash": words.DASH, "footer": voice()("page.footer"), **page})


def share_text(share: Share) -> str:
    """As "29 of 86, 34 % (25–44)"; a dash where there is nobody."""
    if not share.total:
        return words.DASH
    return f"{share.events} of {share.total}, {percent(share.share)} % ({percent(share.low)}–{percent(share.high)})"


def write_page(text: str, path: Path) -> Path:
    """Writes a page to path, whole or not at all."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        part.write_text(text, encoding="utf-8", newline="\n")
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    return path

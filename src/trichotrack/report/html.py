"""The report as one HTML file that needs nothing but itself."""

from __future__ import annotations

import os
from datetime import date
from pathlib import Path

from trichotrack.report.document import document
from trichotrack.report.thumbnails import data_uri
from trichotrack.report.voice import Voice, voice
from trichotrack.visits.story import PatientStory


def render_html(story: PatientStory, say: Voice | None = None, *, paper: str = "a4", made: date | None = None) -> str:
    """The report as one HTML document: styles, drawings and pictures inside, nothing fetched, no script.

    paper: "a4" or "letter", when it is printed. made: the day printed as the report's; none is where it is None.
    """
    from importlib.resources import files

    from jinja2 import Environment, StrictUndefined

    room = files("trichotrack.report")
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters["data_uri"] = data_uri
    template = environment.from_string(room.joinpath("report.html.j2").read_text("utf-8"))
    content = document(story, say or voice(), paper=paper, made=made)
    css = room.joinpath("report.css").read_text("utf-8")
    return template.render(page=content, css=css, paper={"a4": "A4", "letter": "letter"}[paper])


def write_html(
    story: PatientStory, path: Path, say: Voice | None = None, *, paper: str = "a4", made: date | None = None
) -> Path:
    """Writes the report to path, whole or not at all."""
    return write_whole(path, render_html(story, say, paper=paper, made=made).encode("utf-8"))


def write_whole(path: Path, content: bytes) -> Path:
    """Writes content to path, or leaves what was there."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        part.write_bytes(content)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    return path

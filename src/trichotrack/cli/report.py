"""`trichotrack report`: one patient's trends, verdicts and treatments as one HTML or PDF file."""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from trichotrack.cli.judging import Repeatability, StableWithin, judging_of
from trichotrack.cli.record import DEFAULT, Json, PatientId, Record

if TYPE_CHECKING:
    from trichotrack.report.voice import Voice
    from trichotrack.visits.story import PatientStory

_HTML, _PDF = {".html", ".htm"}, {".pdf"}


class Paper(StrEnum):
    """Paper that page one is made to fit."""

    A4 = "a4"
    LETTER = "letter"


class Decimal(StrEnum):
    """Sign between whole and part."""

    POINT = "point"
    COMMA = "comma"


def report(
    patient: PatientId,
    record: Record = DEFAULT,
    out: Annotated[
        Path | None, typer.Option(help="The file to write, .html or .pdf. Default: report-PATIENT.html here.")
    ] = None,
    paper: Annotated[Paper, typer.Option(help="Paper that page one fits.")] = Paper.A4,
    language: Annotated[str, typer.Option(help="Language, or a catalogue of texts of your own (.toml).")] = "en",
    date_format: Annotated[
        str, typer.Option(help="Year, month and day once each, such as DD.MM.YYYY or D MMM YYYY.")
    ] = "YYYY-MM-DD",
    decimal: Annotated[Decimal, typer.Option(help="Decimal sign.")] = Decimal.POINT,
    repeatability: Repeatability = None,
    stable_within: StableWithin = None,
    as_json: Json = False,
) -> None:
    """Write a patient's report: verdicts, trends with treatments and SALT, marked pictures, methods.

    One file that needs no other and fetches nothing: HTML for a browser, or PDF for paper. Page one stands alone.

    Example: trichotrack report P001 --out report.pdf --paper a4 --date-format DD.MM.YYYY
    """
    from datetime import datetime

    from trichotrack.report.html import write_html
    from trichotrack.report.pdf import write_pdf
    from trichotrack.report.voice import voice
    from trichotrack.visits.record import open_record
    from trichotrack.visits.story import patient_story

    path = out or Path(f"report-{patient}.html")
    _check(path)
    say = voice(language, date_format=date_format, decimal=decimal.value)
    judging = judging_of(repeatability, stable_within)
    with open_record(record) as session:
        story = patient_story(session, patient, judging=judging)
    made = datetime.now().astimezone().date()
    missing: tuple[str, ...] = ()
    if path.suffix.lower() in _PDF:
        pdf = write_pdf(story, path, say, paper=paper.value, made=made)
        missing = pdf.missing
        if missing:
            typer.echo(f"Warning: {pdf.remark} ({' '.join(missing)})", err=True)
    else:
        write_html(story, path, say, paper=paper.value, made=made)
    if as_json:
        typer.echo(json.dumps(_as_values(story, path, say, missing), ensure_ascii=False, indent=1))
        return
    typer.echo(say.said(story.headline))
    for line in _lines(story, say):
        typer.echo(line)
    typer.echo(say("command.report", path=path))


def _check(path: Path) -> None:
    from trichotrack.problems import InputError, Problem

    if path.suffix.lower() not in _HTML | _PDF or path.is_dir():
        remedy = "End it in .html or .pdf."
        raise InputError(Problem("--out", "is not the name of an HTML or PDF file", remedy, value=str(path)))
    if not path.parent.is_dir():
        raise InputError(Problem("--out", "its folder does not exist", "Make the folder first.", value=str(path)))


def _lines(story: PatientStory, say: Voice) -> list[str]:
    """One line per outcome: its sentence, then the reason."""
    from trichotrack.report.words import summary

    return [" ".join(part for part in (line.sentence, line.reason, line.gaps) if part) for line in summary(story, say)]


def _as_values(story: PatientStory, path: Path, say: Voice, missing: tuple[str, ...]) -> dict[str, Any]:
    from trichotrack.report.words import summary

    return {
        "report": str(path),
        "patient": story.patient.id,
        "synthetic": story.patient.synthetic,
        "headline": say.said(story.headline),
        "outcomes": [
            {
                "name": line.name,
                "first": line.first,
                "last": line.last,
                "outcome": line.outcome or None,
                "sentence": line.sentence,
                "reason": " ".join(part for part in (line.reason, line.gaps) if part) or None,
            }
            for line in summary(story, say)
        ],
        "notices": [say.said(text) for text in story.notices],
        "missing_letters": list(missing),
        "intended_use": say("page.footer"),
    }

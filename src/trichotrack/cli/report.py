"""`trichotrack report`: one patient's trends, verdicts and treatments as one HTML file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from trichotrack.cli.record import DEFAULT, Json, PatientId, Record

if TYPE_CHECKING:
    from trichotrack.visits.story import PatientStory

_SUFFIXES = {".html", ".htm"}


def report(
    patient: PatientId,
    record: Record = DEFAULT,
    out: Annotated[Path | None, typer.Option(help="The file to write. Default: report-PATIENT.html here.")] = None,
    as_json: Json = False,
) -> None:
    """Write a patient's report: verdicts, trends with treatments and SALT, marked pictures, methods.

    One HTML file that needs no other and fetches nothing; it prints on A4.

    Example: trichotrack report P001 --out report.html
    """
    from datetime import datetime

    from trichotrack.problems import InputError, Problem
    from trichotrack.report.html import write_report
    from trichotrack.visits.record import open_record
    from trichotrack.visits.story import patient_story

    path = out or Path(f"report-{patient}.html")
    if path.suffix.lower() not in _SUFFIXES or path.is_dir():
        raise InputError(Problem("--out", "is not the name of an HTML file", "End it in .html.", value=str(path)))
    if not path.parent.is_dir():
        raise InputError(Problem("--out", "its folder does not exist", "Make the folder first.", value=str(path)))
    with open_record(record) as session:
        story = patient_story(session, patient)
    write_report(story, path, made=datetime.now().astimezone().date())
    if as_json:
        typer.echo(json.dumps(_as_values(story, path), ensure_ascii=False, indent=1))
        return
    typer.echo(story.headline)
    for line in _lines(story):
        typer.echo(line)
    typer.echo(f"Report: {path}")


def _lines(story: PatientStory) -> list[str]:
    """One line per outcome: its sentence, then the reason."""
    from trichotrack.report.words import summary

    return [" ".join(part for part in (line.sentence, line.reason) if part) for line in summary(story)]


def _as_values(story: PatientStory, path: Path) -> dict[str, Any]:
    from trichotrack.report.words import FOOTER, summary

    return {
        "report": str(path),
        "patient": story.patient.id,
        "synthetic": story.patient.synthetic,
        "headline": story.headline,
        "outcomes": [
            {
                "name": line.name,
                "first": line.first,
                "last": line.last,
                "outcome": line.outcome or None,
                "sentence": line.sentence,
                "reason": line.reason or None,
            }
            for line in summary(story)
        ],
        "notices": list(story.notices),
        "intended_use": FOOTER,
    }

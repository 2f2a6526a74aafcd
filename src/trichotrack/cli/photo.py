"""`trichotrack photo`: clinical photographs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from trichotrack.cli.record import DEFAULT, Json, PatientId, Record

photo_app = typer.Typer(
    help="Clinical photographs in the record. See `trichotrack photo COMMAND --help`.", no_args_is_help=True
)


@photo_app.command("add")
def add(
    patient: PatientId,
    files: Annotated[list[Path], typer.Argument(metavar="FILE…", help="Photographs, or folders of them.")],
    date: Annotated[str, typer.Option(help="Day they were taken, such as 2026-03-04.")],
    view: Annotated[str, typer.Option(help="What they show, such as vertex or face.")] = "",
    record: Record = DEFAULT,
    as_json: Json = False,
) -> None:
    """Add clinical photographs: kept upright, at most 1280 px a side, without EXIF. All of them or none.

    Example: trichotrack photo add P001 overview.jpg --date 2026-03-04 --view vertex
    """
    from trichotrack.visits.photos import add_photos
    from trichotrack.visits.record import open_record

    with open_record(record, write=True) as session:
        added = add_photos(session, patient, files, date=date, view=view)
    typer.echo(json.dumps(added.to_dict()) if as_json else f"Photographs of {patient}: {added}.")

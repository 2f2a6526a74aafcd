"""`trichotrack record`: the record as a whole; and the option that every command on it shares."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

record_app = typer.Typer(
    help="The record as a whole. See `trichotrack record COMMAND --help`.",
    no_args_is_help=True,
)

Record = Annotated[Path, typer.Option("--record", envvar="TRICHOTRACK_RECORD", help="The record: one SQLite file.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]
PatientId = Annotated[str, typer.Argument(metavar="PATIENT", help="Pseudonym, such as P001.")]

DEFAULT = Path("trichotrack.sqlite")


@record_app.callback()
def _group() -> None:
    pass


@record_app.command("accept")
def accept(
    patient: PatientId,
    author: Annotated[str, typer.Option(help="Who looked at the readings and accepts them.")],
    date: Annotated[str, typer.Option(help="Only the visit of this day, such as 2026-03-04.")] = "",
    record: Record = DEFAULT,
    as_json: Json = False,
) -> None:
    """Mark a patient's readings as reviewed, with the name of who looked at them.

    Until then the figures of a model not validated on patients are unreviewed, and no verdict rests on them.

    Example: trichotrack record accept P001 --author "Dr A. Kim" --date 2026-03-04
    """
    from trichotrack.visits.readings import accept_readings
    from trichotrack.visits.record import open_record

    with open_record(record, write=True) as session:
        number = accept_readings(session, patient, author, date)
    if as_json:
        typer.echo(json.dumps({"patient": patient, "author": author, "accepted": number}))
    elif number:
        typer.echo(f"{number} readings of {patient} are now reviewed by {author}.")
    else:
        typer.echo(f"Nothing to accept: all readings of {patient} were reviewed before.")

"""`trichotrack event`: adverse events."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from trichotrack.cli.record import DEFAULT, Json, PatientId, Record

event_app = typer.Typer(
    help="Adverse events in the record. See `trichotrack event COMMAND --help`.", no_args_is_help=True
)


@event_app.command("add")
def add(
    patient: PatientId,
    kind: Annotated[str, typer.Option(help="What happened, such as acne.")],
    grade: Annotated[str, typer.Option(help="1 mild, 2 moderate, 3 severe, 4 life-threatening, 5 death.")] = "",
    start: Annotated[str, typer.Option(help="Start, as exactly as known: 2026, 2026-01 or 2026-01-20.")] = "",
    end: Annotated[str, typer.Option(help="End, likewise; leave out while it goes on.")] = "",
    record: Record = DEFAULT,
    as_json: Json = False,
) -> None:
    """Add an adverse event. Given again with an end or a grade, it is completed.

    Example: trichotrack event add P001 --kind acne --grade 1 --start 2026-02
    """
    from trichotrack.visits.clinical import add_event
    from trichotrack.visits.record import open_record

    cells = {"patient": patient, "kind": kind, "grade": grade, "start": start, "end": end}
    with open_record(record, write=True) as session:
        added = add_event(session, cells)
    typer.echo(json.dumps(added.to_dict()) if as_json else f"Adverse events of {patient}: {added}.")


@event_app.command("import")
def import_table(
    table: Annotated[Path, typer.Argument(metavar="FILE", help="CSV, .xlsx or Parquet, one row an event.")],
    record: Record = DEFAULT,
    as_json: Json = False,
) -> None:
    """Import a table: patient, kind, grade, start, end. All of it or nothing.

    Example: trichotrack event import events.csv
    """
    from trichotrack.visits.clinical import EVENTS
    from trichotrack.visits.record import open_record
    from trichotrack.visits.rows import import_file

    with open_record(record, write=True) as session:
        added = import_file(session, EVENTS, table)
    typer.echo(json.dumps(added.to_dict()) if as_json else f"Adverse events of {table.name}: {added}.")

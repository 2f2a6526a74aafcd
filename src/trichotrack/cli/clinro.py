"""`trichotrack clinro`: eyebrow and eyelash grades by date."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from trichotrack.cli.record import DEFAULT, Json, PatientId, Record

clinro_app = typer.Typer(
    help="Eyebrow and eyelash ClinRO in the record. See `trichotrack clinro COMMAND --help`.", no_args_is_help=True
)


@clinro_app.command("add")
def add(
    patient: PatientId,
    date: Annotated[str, typer.Option(help="Day of the assessment, such as 2026-03-04.")],
    eyebrow: Annotated[str, typer.Option(help="Grade 0 (full) to 3 (none).")] = "",
    eyelash: Annotated[str, typer.Option(help="Grade 0 (full) to 3 (none).")] = "",
    record: Record = DEFAULT,
    as_json: Json = False,
) -> None:
    """Add eyebrow and eyelash grades of one day: 0 (full) to 3 (none).

    Example: trichotrack clinro add P001 --date 2026-03-04 --eyebrow 2 --eyelash 1
    """
    from trichotrack.visits.clinical import add_clinro
    from trichotrack.visits.record import open_record

    cells = {"patient": patient, "date": date, "eyebrow": eyebrow, "eyelash": eyelash}
    with open_record(record, write=True) as session:
        added = add_clinro(session, cells)
    typer.echo(json.dumps(added.to_dict()) if as_json else f"ClinRO of {patient}: {added}.")


@clinro_app.command("import")
def import_table(
    table: Annotated[Path, typer.Argument(metavar="FILE", help="CSV, .xlsx or Parquet, one row a patient and day.")],
    record: Record = DEFAULT,
    as_json: Json = False,
) -> None:
    """Import a table: patient, date, eyebrow, eyelash. All of it or nothing.

    Example: trichotrack clinro import clinro.csv
    """
    from trichotrack.visits.clinical import CLINRO
    from trichotrack.visits.record import open_record
    from trichotrack.visits.rows import import_file

    with open_record(record, write=True) as session:
        added = import_file(session, CLINRO, table)
    typer.echo(json.dumps(added.to_dict()) if as_json else f"ClinRO of {table.name}: {added}.")

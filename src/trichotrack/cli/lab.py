"""`trichotrack lab`: laboratory values by date."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from trichotrack.cli.record import DEFAULT, Json, PatientId, Record

lab_app = typer.Typer(
    help="Laboratory values in the record. See `trichotrack lab COMMAND --help`.", no_args_is_help=True
)


@lab_app.command("add")
def add(
    patient: PatientId,
    date: Annotated[str, typer.Option(help="Day of the sample, such as 2026-03-04.")],
    name: Annotated[str, typer.Option(help="What was measured, such as ALT.")],
    value: Annotated[str, typer.Option(help="Number, or a bound such as '<5'.")],
    unit: Annotated[str, typer.Option(help="Unit, such as U/L.")] = "",
    low: Annotated[str, typer.Option(help="Lower end of the reference range.")] = "",
    high: Annotated[str, typer.Option(help="Upper end of the reference range.")] = "",
    record: Record = DEFAULT,
    as_json: Json = False,
) -> None:
    """Add a laboratory value; one a name and day.

    Example: trichotrack lab add P001 --date 2026-03-04 --name ALT --value 31 --unit U/L --high 40
    """
    from trichotrack.visits.clinical import add_lab
    from trichotrack.visits.record import open_record

    cells = {"patient": patient, "date": date, "name": name, "value": value, "unit": unit, "low": low, "high": high}
    with open_record(record, write=True) as session:
        added = add_lab(session, cells)
    typer.echo(json.dumps(added.to_dict()) if as_json else f"Laboratory values of {patient}: {added}.")


@lab_app.command("import")
def import_table(
    table: Annotated[Path, typer.Argument(metavar="FILE", help="CSV, .xlsx or Parquet, one row a value.")],
    record: Record = DEFAULT,
    as_json: Json = False,
) -> None:
    """Import a table: patient, date, name, value, unit, low, high. All of it or nothing.

    Example: trichotrack lab import labs.csv
    """
    from trichotrack.visits.clinical import LABS
    from trichotrack.visits.record import open_record
    from trichotrack.visits.rows import import_file

    with open_record(record, write=True) as session:
        added = import_file(session, LABS, table)
    typer.echo(json.dumps(added.to_dict()) if as_json else f"Laboratory values of {table.name}: {added}.")

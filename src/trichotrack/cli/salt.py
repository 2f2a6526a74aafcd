"""`trichotrack salt`: the Severity of Alopecia Tool by date."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from trichotrack.cli.record import DEFAULT, Json, PatientId, Record

salt_app = typer.Typer(help="SALT in the record. See `trichotrack salt COMMAND --help`.", no_args_is_help=True)


@salt_app.command("add")
def add(
    patient: PatientId,
    date: Annotated[str, typer.Option(help="Day of the assessment, such as 2026-03-04.")],
    top: Annotated[float | None, typer.Option(help="Loss on top, % (weight 40).")] = None,
    back: Annotated[float | None, typer.Option(help="Loss at the back, % (weight 24).")] = None,
    left: Annotated[float | None, typer.Option(help="Loss on the left, % (weight 18).")] = None,
    right: Annotated[float | None, typer.Option(help="Loss on the right, % (weight 18).")] = None,
    total: Annotated[float | None, typer.Option(help="SALT, 0 to 100, where regions are not known.")] = None,
    record: Record = DEFAULT,
    as_json: Json = False,
) -> None:
    """Add SALT: four regions, or the total. SALT counts terminal hair only.

    Example: trichotrack salt add P001 --date 2026-03-04 --top 60 --back 40 --left 30 --right 35
    """
    from trichotrack.labels.spreadsheet import number_text
    from trichotrack.visits.history import add_salt
    from trichotrack.visits.record import open_record

    numbers = {"top": top, "back": back, "left": left, "right": right, "total": total}
    cells = {name: number_text(number) for name, number in numbers.items() if number is not None}
    with open_record(record, write=True) as session:
        added = add_salt(session, {"patient": patient, "date": date, **cells})
    typer.echo(json.dumps(added.to_dict()) if as_json else f"SALT of {patient}: {added}.")


@salt_app.command("import")
def import_table(
    table: Annotated[Path, typer.Argument(metavar="FILE", help="CSV, .xlsx or Parquet, one row a patient and day.")],
    record: Record = DEFAULT,
    as_json: Json = False,
) -> None:
    """Import a table: patient, date, top, back, left, right, total. All of it or nothing.

    Example: trichotrack salt import salt.csv
    """
    from trichotrack.visits.history import import_salt
    from trichotrack.visits.record import open_record

    with open_record(record, write=True) as session:
        added = import_salt(session, table)
    typer.echo(json.dumps(added.to_dict()) if as_json else f"SALT of {table.name}: {added}.")

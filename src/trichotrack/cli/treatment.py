"""`trichotrack treatment`: what a patient was given, at which dose, and how it went."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from trichotrack.cli.record import DEFAULT, Json, PatientId, Record

treatment_app = typer.Typer(
    help="Treatments in the record. See `trichotrack treatment COMMAND --help`.", no_args_is_help=True
)


@treatment_app.command("add")
def add(
    patient: PatientId,
    drug: Annotated[str, typer.Option(help="Name of the drug.")],
    dose: Annotated[str, typer.Option(help="Dose as a number (4) or a range (50-25).")] = "",
    unit: Annotated[str, typer.Option(help="Unit of the dose, such as mg/day.")] = "",
    route: Annotated[str, typer.Option(help="Route, such as oral.")] = "",
    start: Annotated[str, typer.Option(help="Start, as exactly as known: 2026, 2026-01 or 2026-01-20.")] = "",
    end: Annotated[str, typer.Option(help="End, likewise; leave out while it goes on.")] = "",
    taper: Annotated[str, typer.Option(help="Steps down, such as '2026-02-01 2; 2026-03-01 1'.")] = "",
    stop_reason: Annotated[str, typer.Option(help="Why it was stopped.")] = "",
    response: Annotated[str, typer.Option(help="How the patient responded.")] = "",
    record: Record = DEFAULT,
    as_json: Json = False,
) -> None:
    """Add a treatment; another dose is another one. Given again with an end or a response, it is completed.

    Example: trichotrack treatment add P001 --drug "drug A" --dose 4 --unit mg/day --start 2026-01 --end 2026-05-20
    """
    from trichotrack.visits.history import add_treatment
    from trichotrack.visits.record import open_record

    cells = {
        "patient": patient, "drug": drug, "dose": dose, "unit": unit, "route": route, "start": start, "end": end,
        "taper": taper, "stop_reason": stop_reason, "response": response,
    }  # fmt: skip
    with open_record(record, write=True) as session:
        added = add_treatment(session, cells)
    typer.echo(json.dumps(added.to_dict()) if as_json else f"Treatment of {patient}: {added}.")


@treatment_app.command("import")
def import_table(
    table: Annotated[Path, typer.Argument(metavar="FILE", help="CSV, .xlsx or Parquet, one row a treatment and dose.")],
    record: Record = DEFAULT,
    as_json: Json = False,
) -> None:
    """Import a table: patient, drug, dose, unit, route, start, end, taper, stop_reason, response. All of it or nothing.

    Example: trichotrack treatment import treatments.csv
    """
    from trichotrack.visits.history import import_treatments
    from trichotrack.visits.record import open_record

    with open_record(record, write=True) as session:
        added = import_treatments(session, table)
    typer.echo(json.dumps(added.to_dict()) if as_json else f"Treatments of {table.name}: {added}.")

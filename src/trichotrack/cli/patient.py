"""`trichotrack patient`: patients of the record, by pseudonym."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from trichotrack.cli.record import DEFAULT, Json, PatientId, Record

patient_app = typer.Typer(
    help="Patients in the record, by pseudonym. See `trichotrack patient COMMAND --help`.", no_args_is_help=True
)


@patient_app.command("add")
def add(
    patient: PatientId,
    aa_type: Annotated[str, typer.Option(help="patchy, multiplex, ophiasis, totalis or universalis.")] = "",
    sex: Annotated[str, typer.Option(help="female, male or other.")] = "",
    birth_year: Annotated[int | None, typer.Option(help="Year of birth.")] = None,
    onset: Annotated[str, typer.Option(help="Onset, as exactly as known: 2011, 2011-05 or 2011-05-20.")] = "",
    synthetic: Annotated[
        bool, typer.Option("--synthetic", help="Made up, not a person; said wherever it is shown.")
    ] = False,
    record: Record = DEFAULT,
    as_json: Json = False,
) -> None:
    """Add a patient, or what was not yet known of one.

    Example: trichotrack patient add P001 --aa-type totalis --sex male --birth-year 1998 --onset 2011
    """
    from trichotrack.visits.history import add_patient
    from trichotrack.visits.record import open_record

    with open_record(record, create=True) as session:
        added = add_patient(
            session, patient, aa_type=aa_type, sex=sex, birth_year=birth_year, onset=onset, synthetic=synthetic
        )
    if as_json:
        typer.echo(json.dumps({"patient": patient, **added.to_dict()}))
    else:
        typer.echo(f"Patient {patient}: {added}.")


@patient_app.command("list")
def list_patients(record: Record = DEFAULT, as_json: Json = False) -> None:
    """List the patients with their visits.

    Example: trichotrack patient list
    """
    from trichotrack.visits.overview import patients
    from trichotrack.visits.record import open_record

    with open_record(record) as session:
        rows = patients(session)
    if as_json:
        typer.echo(json.dumps(rows, indent=1))
        return
    for row in rows:
        facts = [str(row[key]) for key in ("aa_type", "sex", "birth_year") if row[key]]
        facts += ["synthetic"] if row["synthetic"] else []
        seen = f"{row['visits']} visits" + (f", last on {row['last_visit']}" if row["visits"] else "")
        typer.echo(f"{row['patient']}: {', '.join([*facts, seen])}")
    if not rows:
        typer.echo("No patient yet.")

"""`trichotrack patient`: patients of the record, by pseudonym."""

from __future__ import annotations

import json
from dataclasses import asdict
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
    current_onset: Annotated[str, typer.Option(help="Onset of the current episode, likewise.")] = "",
    last_regrowth: Annotated[str, typer.Option(help="When hair last regrew, likewise.")] = "",
    atopy: Annotated[str, typer.Option(help="none, or dermatitis, asthma, rhinitis, other with ';' between.")] = "",
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
            session, patient, aa_type=aa_type, sex=sex, birth_year=birth_year, synthetic=synthetic, onset=onset,
            current_onset=current_onset, last_regrowth=last_regrowth, atopy=atopy,
        )  # fmt: skip
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


@patient_app.command("show")
def show(patient: PatientId, record: Record = DEFAULT, as_json: Json = False) -> None:
    """Show what is known of a patient beside the captures: treatments, SALT, ClinRO, laboratory values, events.

    And what was amended in the record, by whom and why.

    Example: trichotrack patient show P001
    """
    from trichotrack.visits.amendments import amended
    from trichotrack.visits.overview import clinical_tables
    from trichotrack.visits.record import open_record

    with open_record(record) as session:
        tables = clinical_tables(session, patient)
        amendments = amended(session, patient)
    if as_json:
        told = {**tables, "amendments": [{**asdict(one), "day": one.day.isoformat()} for one in amendments]}
        typer.echo(json.dumps(told, indent=1, ensure_ascii=False))
        return
    for name, rows in tables.items():
        typer.echo(f"{name}:" if rows else f"{name}: none")
        for row in rows:
            typer.echo("  " + ", ".join(f"{column} {value}" for column, value in row.items() if value))
    if amendments:
        typer.echo("amended:")
    for one in amendments:
        typer.echo(f"  {one.day} {one.sentence} ({one.author}: {one.reason})")


@patient_app.command("counts")
def counts(patient: PatientId, record: Record = DEFAULT, as_json: Json = False) -> None:
    """Count each sign in the readings that count, by visit: plain sums over captures, repeats included.

    Densities and verdicts, which average repeats, are in `trichotrack visit show`.

    Example: trichotrack patient counts P001
    """
    from trichotrack.visits.overview import sign_counts
    from trichotrack.visits.record import open_record

    with open_record(record) as session:
        rows = sign_counts(session, patient)
    if as_json:
        typer.echo(json.dumps(rows, indent=1))
        return
    for row in rows:
        typer.echo(f"{row['date']}  {row['sign']}: {row['count']} in {row['captures']} captures")
    if not rows:
        typer.echo("No capture yet.")

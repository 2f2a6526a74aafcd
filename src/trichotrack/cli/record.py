"""`trichotrack record`: the record as a whole; and the option that every command on it shares."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from trichotrack.cli.repeatability import repeatability

record_app = typer.Typer(
    help="The record as a whole. See `trichotrack record COMMAND --help`.",
    no_args_is_help=True,
)

Record = Annotated[
    str,
    typer.Option(
        "--record", envvar="TRICHOTRACK_RECORD",
        help="The record: a SQLite file, or postgresql+pg8000://user@host/database.",
    ),
]  # fmt: skip
Json = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]
PatientId = Annotated[str, typer.Argument(metavar="PATIENT", help="Pseudonym, such as P001.")]

DEFAULT = "trichotrack.sqlite"


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


@record_app.command("export")
def export(
    out: Annotated[Path, typer.Option(help="New folder for the tables and the files they name.")],
    form: Annotated[str, typer.Option("--format", help="csv, xlsx or parquet.")] = "csv",
    record: Record = DEFAULT,
    as_json: Json = False,
) -> None:
    """Write the whole record as tables, with pictures and readings as files beside them.

    Imported into an empty record, it is the same record again.

    Example: trichotrack record export --out copy --format xlsx
    """
    from trichotrack.visits.record import open_record
    from trichotrack.visits.transfer import export_record

    with open_record(record) as session:
        counted = export_record(session, out, form)
    _say_counts({"out": str(out), "rows": counted}, counted, f"Written to {out}:", as_json=as_json)


@record_app.command("import")
def import_tables(
    source: Annotated[Path, typer.Argument(metavar="FOLDER", help="Folder as exported, or one table of the record.")],
    record: Record = DEFAULT,
    as_json: Json = False,
) -> None:
    """Take in an export, or one table: CSV, .xlsx or Parquet. All of it or nothing; run twice, it adds nothing twice.

    Tables: patients, visits, captures, readings, reviews, treatments, salt, clinro, labs, events, photos.

    Example: trichotrack record import copy
    """
    from trichotrack.visits.record import open_record
    from trichotrack.visits.transfer import import_record

    with open_record(record, create=True) as session:
        done = import_record(session, source)
    if as_json:
        typer.echo(json.dumps({name: added.to_dict() for name, added in done.items()}))
        return
    for name, added in done.items():
        typer.echo(f"{name}: {added}")


@record_app.command("freeze")
def freeze(
    out: Annotated[Path | None, typer.Option(help="New folder for the snapshot.")] = None,
    verify: Annotated[Path | None, typer.Option(help="Snapshot to hold against its hashes, and the record.")] = None,
    record: Record = DEFAULT,
    as_json: Json = False,
) -> None:
    """Write a snapshot that an analysis can name by one hash, or verify one.

    The same record gives the same hash on every machine. Exit status of --verify: 0 whole, 2 changed.

    Example: trichotrack record freeze --out snapshot
    """
    from trichotrack.problems import InputError
    from trichotrack.visits.freeze import freeze_record, same_as_record, verify_snapshot
    from trichotrack.visits.record import open_record, record_exists

    if (out is None) == (verify is None):
        raise InputError("Give --out to write a snapshot, or --verify to check one.")
    if out is not None:
        with open_record(record) as session:
            sha256 = freeze_record(session, out)
        told = {"snapshot": str(out), "sha256": sha256}
        typer.echo(json.dumps(told) if as_json else f"Snapshot {out}: sha256 {sha256}")
        return
    if verify is not None:
        sha256 = verify_snapshot(verify)
        same = None
        if record_exists(record):
            with open_record(record) as session:
                same = same_as_record(session, sha256)
        if as_json:
            typer.echo(json.dumps({"snapshot": str(verify), "sha256": sha256, "same_as_record": same}))
            return
        typer.echo(f"Snapshot {verify} is whole: sha256 {sha256}")
        if same is not None:
            typer.echo("The record is still the same." if same else "The record has changed since.")


@record_app.command("pending")
def pending(
    patient: Annotated[str, typer.Argument(metavar="[PATIENT]", help="Only this patient's.")] = "",
    record: Record = DEFAULT,
    as_json: Json = False,
) -> None:
    """List the visits with readings that no person has reviewed, the oldest first.

    Example: trichotrack record pending
    """
    from trichotrack.visits.overview import needs_review
    from trichotrack.visits.record import open_record

    with open_record(record) as session:
        told = needs_review(session, patient)
    if as_json:
        typer.echo(json.dumps(told, indent=1))
        return
    for row in told["visits"]:
        typer.echo(f"{row['patient']}  {row['date']}  {row['unreviewed']} of {row['captures']} captures unreviewed")
    more = told["unreviewed"] - sum(row["unreviewed"] for row in told["visits"])
    if more:
        typer.echo(f"… and {more} more captures at later visits.")
    if not told["unreviewed"]:
        typer.echo("Every reading has been reviewed.")


record_app.command("repeatability")(repeatability)


def _say_counts(machine: object, counted: dict[str, int], head: str, *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(machine))
        return
    typer.echo(head)
    for name, number in counted.items():
        typer.echo(f"  {name}: {number}")

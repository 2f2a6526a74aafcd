"""`trichotrack amend`: what was entered wrongly in the record put right, or withdrawn."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING, Annotated

import typer

from trichotrack.cli.record import DEFAULT, Json, PatientId, Record
from trichotrack.cli.words import numbered
from trichotrack.problems import InputError, Problem

if TYPE_CHECKING:
    from trichotrack.visits.amend import Done


def amend(
    table: Annotated[
        str,
        typer.Argument(
            metavar="TABLE",
            help="patients, treatments, salt, clinro, labs, events, visits, captures or photos.",
        ),
    ],
    patient: PatientId,
    where: Annotated[
        list[str] | None,
        typer.Option(metavar="COLUMN=VALUE", help="What the row has now, such as date=2026-03-04; several are told."),
    ] = None,
    changes: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="COLUMN=VALUE", help="What it is to have; no value: unknown. May be repeated."),
    ] = None,
    withdraw: Annotated[
        bool, typer.Option("--withdraw", help="Take the row out; a capture or photograph goes with its picture.")
    ] = False,
    author: Annotated[str, typer.Option(help="Who amends the record.")] = "",
    reason: Annotated[str, typer.Option(help="Why, such as 'typed 40 for 4'.")] = "",
    record: Record = DEFAULT,
    as_json: Json = False,
) -> None:
    """Put right what was entered wrongly: a score, a date, a dose, the scale, preparation, device or site of captures.

    What the row was is kept, with the author and the reason (`patient show`, and in the report). --set patient=P002 or
    date=… moves a row; of captures, all that --where fits are amended. Captures of which the scale or the preparation
    was amended count in no figure until `trichotrack reread` has read them anew.

    Example: trichotrack amend salt P001 --where date=2026-03-04 --set total=4 --author "Dr A. Kim" --reason "4, not 40"
    """
    from trichotrack.visits.amend import amend as put_right
    from trichotrack.visits.record import open_record

    if withdraw == bool(changes):
        raise InputError("Give --set COLUMN=VALUE to amend, or --withdraw to take the row out.")
    told = _pairs("--where", where or []), _pairs("--set", changes or [])
    with open_record(record, write=True) as session:
        done = put_right(session, table, patient, told[0], None if withdraw else told[1], author=author, reason=reason)
    _report(done, patient, as_json=as_json)


def _pairs(option: str, given: list[str]) -> dict[str, str]:
    faults = [text for text in given if not text.partition("=")[1]]
    if faults:
        raise InputError(
            [Problem(option, "is not COLUMN=VALUE", "Write such as date=2026-03-04.", value=text) for text in faults]
        )
    return {name.strip(): value.strip() for name, _, value in (text.partition("=") for text in given)}


def _report(done: Done, patient: str, *, as_json: bool) -> None:
    if as_json:
        rows = [{**dataclasses.asdict(row), "day": row.day.isoformat()} for row in done.rows]
        typer.echo(json.dumps({"patient": patient, "amended": rows, "to_reread": done.to_reread}, indent=1))
        return
    for row in done.rows:
        typer.echo(f"{patient}, {row.sentence}")
    if not done.rows:
        typer.echo("Nothing to amend: the record has it so.")
    if done.to_reread:
        typer.echo(
            f"{numbered(done.to_reread, 'capture')} to be read anew, in no figure until then: "
            f"`trichotrack reread {patient} --captures FOLDER`, FOLDER with the originals."
        )

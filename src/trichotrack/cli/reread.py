"""`trichotrack reread`: a patient's visits read anew by another model."""

from __future__ import annotations

import dataclasses
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from trichotrack.cli.record import DEFAULT, Json, PatientId, Record
from trichotrack.cli.words import numbered

if TYPE_CHECKING:
    from trichotrack.visits.reread import Reread

SOME_FAILED = 3


def reread(
    patient: PatientId,
    model: Annotated[Path | None, typer.Option(help="Exported model (.onnx). Default: the bundled one.")] = None,
    captures: Annotated[
        Path | None, typer.Option(help="Folder with the original files, found by content. Default: kept pictures.")
    ] = None,
    record: Record = DEFAULT,
    as_json: Json = False,
) -> None:
    """Read all visits of a patient anew, and carry the human corrections over by position.

    Every earlier reading stays. Marks without a counterpart are listed; a reading with any is unreviewed until
    somebody accepts it (`trichotrack record accept`). Exit status 3: some captures could not be read.

    Example: trichotrack reread P001 --model my-model.onnx --captures originals
    """
    from trichotrack.runtime.counter import Counter
    from trichotrack.visits.record import open_record
    from trichotrack.visits.reread import reread_patient

    with open_record(record):
        pass  # a wrong record is told before the model is loaded
    counter = Counter(model) if model else Counter.bundled()

    def say(file: str) -> None:
        if sys.stderr.isatty():
            typer.echo(f"reading {file}", err=True)

    told = reread_patient(
        record, patient, counter, captures=captures, vellus_cutoff_um=counter.spec.vellus_cutoff_um, progress=say
    )
    _report(told, patient, as_json=as_json)
    if told.problems:
        raise typer.Exit(SOME_FAILED)


def _report(told: Reread, patient: str, *, as_json: bool) -> None:
    if as_json:
        unmatched = [
            {"date": day.isoformat(), "file": file, **dataclasses.asdict(mark)} for day, file, mark in told.unmatched
        ]
        values = {name: getattr(told, name) for name in ("read", "known", "kept_pictures", "carried")}
        typer.echo(
            json.dumps(
                {
                    "patient": patient,
                    **values,
                    "unmatched": unmatched,
                    "unjudged": list(told.unjudged),
                    "problems": [str(p) for p in told.problems],
                },
                indent=1,
            )
        )
        return
    for problem in told.problems:
        typer.echo(str(problem), err=True)
    for day, file, mark in told.unmatched:
        typer.echo(f"{day}  {file}  {mark.sign} at {mark.x:.0f}, {mark.y:.0f}: {mark.what}")
    typer.echo(f"{numbered(told.read, 'capture')} of {patient} read anew, {told.known} read just so before.")
    if told.kept_pictures:
        typer.echo(
            f"! {told.kept_pictures} from the smaller pictures of the record: give --captures for the originals."
        )
    if told.carried:
        typer.echo(f"Corrections carried over in {numbered(told.carried, 'capture')}.")
    if told.unjudged:
        typer.echo(
            f"Signs that the person did not judge ({', '.join(told.unjudged)}) are counted by the model alone: those "
            "readings are unreviewed."
        )
    if told.unmatched:
        typer.echo(
            f"{numbered(len(told.unmatched), 'mark')} without a counterpart: look at them, then accept with "
            f"`trichotrack record accept {patient}`."
        )

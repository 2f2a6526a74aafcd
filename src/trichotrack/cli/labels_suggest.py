"""`trichotrack labels suggest`: which unlabelled captures to label next."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from trichotrack.cli.words import numbered

if TYPE_CHECKING:
    from trichotrack.evaluate.suggest import Suggested

COLUMNS = ("rank", "file", "patient", "doubt_bits", "marks", "distance_sd", "nearest", "why")


def suggest(
    folder: Annotated[
        Path, typer.Argument(help="Labelled folder; captures without a line in its labels table are ranked.")
    ],
    model: Annotated[Path | None, typer.Option(help="Exported model (.onnx). Default: the bundled one.")] = None,
    captures: Annotated[int, typer.Option(min=1, help="How many to suggest.")] = 20,
    sign: Annotated[
        list[str] | None,
        typer.Option(help="Rank by this sign alone, captures unlabelled for it; repeat for more. Default: all."),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Write them to this .csv, best first.")] = None,
    threads: Annotated[int | None, typer.Option(min=1, help="Of one inference. Default: one per core.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for machines.")] = False,
) -> None:
    """Rank unlabelled captures by what would teach the model most: its doubt, and how unlike the others they are.

    Core-set by k-centre greedy (Sener and Savarese 2018) on the model's features, distances weighted by the entropy of
    its marks. Captures of patients in the splits val and test are passed over. Exit status 3 where some could not be
    read.

    Example: trichotrack labels suggest my-set --model my-model.onnx --captures 20 --out next.csv
    """
    from rich.console import Console
    from rich.progress import Progress

    from trichotrack.evaluate.suggest import suggest as run
    from trichotrack.labels.grown import with_known_splits
    from trichotrack.labels.read import read_labels
    from trichotrack.problems import InputError
    from trichotrack.runtime.counter import Counter

    if out is not None and out.suffix.lower() != ".csv":
        raise InputError(f"--out {out}: give a name that ends in .csv.")
    labelset = with_known_splits(read_labels(folder))
    counter = Counter(model, threads=threads) if model else Counter.bundled(threads=threads)
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("looking at captures", total=None)
        result = run(
            counter,
            labelset,
            captures,
            signs=sign or (),
            on_capture=lambda done, total: progress.update(task, completed=done, total=total),
        )
    if out is not None:
        _write(result, out)
    if as_json:
        typer.echo(json.dumps(dataclasses.asdict(result), ensure_ascii=False, indent=1, allow_nan=False))
    else:
        _show(result, out)
    if result.problems:
        for problem in result.problems[:10]:
            typer.echo(str(problem), err=True)
        if len(result.problems) > 10:
            typer.echo(f"and {len(result.problems) - 10} more.", err=True)
        raise typer.Exit(3)


def _rows(result: Suggested) -> list[list[str]]:
    return [
        [
            str(one.rank),
            one.file,
            one.patient,
            f"{one.doubt:.2f}",
            str(one.marks),
            "" if one.distance is None else f"{one.distance:.3f}",
            one.nearest,
            one.why,
        ]
        for one in result.suggestions
    ]


def _write(result: Suggested, out: Path) -> None:
    from trichotrack.labels.spreadsheet import csv_text, escape
    from trichotrack.problems import InputError

    text = csv_text(COLUMNS, ([escape(cell) for cell in row] for row in _rows(result)))
    try:
        # The byte order mark makes Excel read names as they are.
        out.write_text(text, encoding="utf-8-sig", newline="\n")
    except OSError as error:
        raise InputError(
            f"{out}: cannot be written ({error.strerror}); give a file in a folder that is there."
        ) from None


def _show(result: Suggested, out: Path | None) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("rank", justify="right")
    for column in ("file", "patient", "why"):
        table.add_column(column, overflow="fold")
    for row in _rows(result)[:20]:
        table.add_row(*(Text(row[COLUMNS.index(column)]) for column in ("rank", "file", "patient", "why")))
    Console().print(table)
    told = f"{len(result.suggestions)} of {numbered(result.candidates, 'unlabelled capture')}"
    told += f", compared with each other and with {result.labelled} labelled" if result.labelled else ""
    typer.echo(f"{told}{f'; all in {out}' if out else ''}.")

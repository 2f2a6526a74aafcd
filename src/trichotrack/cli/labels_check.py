"""`trichotrack labels check`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from trichotrack.cli.words import numbered


def check(
    folder: Annotated[Path, typer.Argument(help="Folder that holds captures, labels and objects (.csv or .xlsx).")],
    tables_only: Annotated[bool, typer.Option("--tables-only", help="Do not open the images.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for machines.")] = False,
) -> None:
    """Find every fault of a labelled folder at once: tables, images, masks, and what they say together.

    Errors must be mended (exit status 2); warnings are to be looked at, and may be right. Example: trichotrack labels
    check my-set
    """
    from rich.console import Console
    from rich.progress import Progress

    from trichotrack.cli.labels_shown import print_json, print_problems, problem_dict
    from trichotrack.labels.check import check_labels
    from trichotrack.labels.read import parse_folder

    console = Console(stderr=True)
    shown = not tables_only and console.is_terminal
    with Progress(console=console, transient=True, disable=not shown) as progress:
        task = progress.add_task("opening images", total=len(parse_folder(folder).captures) if shown else None)
        found = check_labels(folder, lambda: progress.advance(task), images=not tables_only)
    if as_json:
        print_json(
            {
                "folder": str(folder),
                "captures": found.captures,
                "pictures": found.pictures,
                "problems": [problem_dict(problem) for problem in found.errors],
                "warnings": [problem_dict(problem) for problem in found.warnings],
            }
        )
    else:
        print_problems("Errors", found.errors)
        print_problems("Warnings", found.warnings)
        typer.echo(
            f"{numbered(len(found.errors), 'error') if found.errors else 'No errors'}, "
            f"{numbered(len(found.warnings), 'warning') if found.warnings else 'no warnings'}: "
            f"{numbered(found.captures, 'capture')}, {numbered(found.labels, 'label')}, "
            f"{numbered(found.objects, 'object')}"
            + ("." if tables_only else f", {numbered(found.pictures, 'picture')} opened.")
        )
    if found.errors:
        raise typer.Exit(2)

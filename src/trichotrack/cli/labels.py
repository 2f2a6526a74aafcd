"""`trichotrack labels`: labelled data brought in, checked, described and split."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from trichotrack.cli.labels_import import import_labels
from trichotrack.cli.labels_shown import print_json, print_table, problem_dict
from trichotrack.problems import InputError, Problem

if TYPE_CHECKING:
    from trichotrack.labels.summary import SetSummary

labels_app = typer.Typer(
    help="Labelled data: import, check, describe, split. See `trichotrack labels COMMAND --help`.",
    no_args_is_help=True,
)

Folder = Annotated[Path, typer.Argument(help="Folder that holds captures, labels and objects (.csv or .xlsx).")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]

labels_app.command("import")(import_labels)


@labels_app.command("check")
def check(
    folder: Folder,
    tables_only: Annotated[bool, typer.Option("--tables-only", help="Do not open the images.")] = False,
    as_json: Json = False,
) -> None:
    """Find every problem of a labelled folder at once: tables, images, masks. Exit status 2 where there are any.

    Example: trichotrack labels check my-set
    """
    from rich.console import Console
    from rich.progress import Progress

    from trichotrack.labels.check import image_problems
    from trichotrack.labels.read import parse_folder

    parsed = parse_folder(folder)
    problems = list(parsed.problems)
    console = Console(stderr=True)
    if not tables_only:
        with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
            task = progress.add_task("opening images", total=len(parsed.captures))
            problems += image_problems(parsed, lambda: progress.advance(task))
    if as_json:
        print_json(
            {
                "folder": str(folder),
                "captures": len(parsed.captures),
                "problems": [problem_dict(problem) for problem in problems],
            }
        )
    elif problems:
        _show_problems(problems)
    else:
        typer.echo(
            f"No problems: {len(parsed.captures)} captures, {len(parsed.labels)} labels, {len(parsed.objects)} objects."
        )
    if problems:
        raise typer.Exit(2)


@labels_app.command("split")
def split(
    folder: Folder,
    val: Annotated[float, typer.Option(min=0.0, max=1.0, help="Share of the patients for validation.")] = 0.2,
    test: Annotated[float, typer.Option(min=0.0, max=1.0, help="Share of the patients kept for testing.")] = 0.0,
    seed: Annotated[int, typer.Option(min=0, help="Another seed draws other patients.")] = 0,
    replace: Annotated[bool, typer.Option("--replace", help="Replace another split that is there.")] = False,
    as_json: Json = False,
) -> None:
    """Share the patients among train, val and test, and write it to the captures table.

    All captures of a patient go together, and each split gets the same mixture of signs. Example: trichotrack labels
    split my-set --val 0.2 --seed 0
    """
    from trichotrack.labels.read import read_labels
    from trichotrack.labels.split import split_by_patient
    from trichotrack.labels.summary import summarise
    from trichotrack.labels.write import write_split

    labelset = read_labels(folder)
    shares = {"train": round(1.0 - val - test, 9), "val": val, "test": test}
    done = split_by_patient(labelset, {name: share for name, share in shares.items() if share}, seed)
    if done.captures != labelset.captures:
        if any(capture.split for capture in labelset.captures) and not replace:
            raise InputError(
                f"{folder} is split already, and otherwise: a model selected on that split has seen its patients. "
                "Give --replace to draw anew."
            )
        write_split(done, folder)
    _show_set(summarise(done), as_json=as_json)


@labels_app.command("describe")
def describe(folder: Folder, as_json: Json = False) -> None:
    """Count what a labelled folder holds: captures, patients, scales, and each sign by split and level.

    Example: trichotrack labels describe my-set
    """
    from trichotrack.labels.read import read_labels
    from trichotrack.labels.summary import summarise

    _show_set(summarise(read_labels(folder)), as_json=as_json)


def _show_problems(problems: list[Problem]) -> None:
    from rich.console import Console

    console = Console()
    if console.is_terminal:
        columns = ("table", "row", "column", "value", "what is wrong", "what to do")
        rows = (
            (p.place, "" if p.row is None else str(p.row), p.column, p.value, p.message, p.remedy) for p in problems
        )
        print_table("", columns, rows)
    else:
        for problem in problems:
            typer.echo(str(problem))
    typer.echo(f"{len(problems)} problem{'s' * (len(problems) > 1)}.")


def _show_set(summary: SetSummary, *, as_json: bool) -> None:
    from trichotrack.labels.rows import LEVELS

    if as_json:
        print_json(summary.to_dict())
        return
    print_table(
        "Captures",
        ("split", "captures", "patients"),
        ((split or "-", str(count), str(summary.patients[split])) for split, count in summary.captures.items()),
    )
    print_table(
        "Signs",
        (
            "split",
            "sign",
            "rater",
            *(f"{level} captures" for level in LEVELS),
            "unknown",
            "objects",
            "counted",
            "present",
        ),
        (
            (
                sign.split or "-",
                sign.sign,
                sign.rater,
                *(_some(sign.levels.get(level)) for level in LEVELS),
                _some(sign.unlabelled),
                str(sign.objects) if {"exhaustive", "partial"} & sign.levels.keys() else "",
                str(sign.counted) if "count" in sign.levels else "",
                str(sign.present) if "presence" in sign.levels else "",
            )
            for sign in summary.signs
        ),
    )
    scale = "no scale" if summary.um_per_px is None else "{:g} to {:g} µm per px".format(*summary.um_per_px)
    without = f", {summary.without_scale} captures without" if summary.without_scale and summary.um_per_px else ""
    preparations = ", ".join(f"{name} {count}" for name, count in summary.preparations.items())
    typer.echo(f"Scale: {scale}{without}. Preparation: {preparations}.")


def _some(count: int | None) -> str:
    return str(count) if count else ""

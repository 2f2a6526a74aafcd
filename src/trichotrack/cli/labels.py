"""`trichotrack labels`: labelled data brought in, checked, described and split."""

from __future__ import annotations

import enum
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from trichotrack.cli.labels_suggest import suggest
from trichotrack.problems import InputError, Problem

if TYPE_CHECKING:
    from trichotrack.labels.importers.common import ImportSummary
    from trichotrack.labels.summary import SetSummary

labels_app = typer.Typer(
    help="Labelled data: import, check, describe, split. See `trichotrack labels COMMAND --help`.",
    no_args_is_help=True,
)

Folder = Annotated[Path, typer.Argument(help="Folder that holds captures, labels and objects (.csv or .xlsx).")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]


class Format(enum.StrEnum):
    """Formats that can be imported."""

    voc = "voc"
    coco = "coco"


class ImportLevel(enum.StrEnum):
    """How completely the classes were annotated."""

    exhaustive = "exhaustive"
    partial = "partial"


@labels_app.command("import")
def import_labels(
    form: Annotated[Format, typer.Argument(metavar="FORMAT", help="voc (a folder of XML) or coco (one JSON file).")],
    annotations: Annotated[Path, typer.Argument(help="Folder of VOC files, or the COCO file.")],
    images: Annotated[Path, typer.Option(help="Folder of the images.")],
    out: Annotated[Path, typer.Option(help="Folder to write the labelled set to.")],
    pattern: Annotated[
        str,
        typer.Option(
            help="How file names are built, such as '{patient}_{n}'. Known fields: patient (needed), visit, site, "
            "field, date, device, split; others become columns of their own."
        ),
    ],
    um_per_px: Annotated[float | None, typer.Option(help="Scale of all captures, µm per pixel.")] = None,
    class_map: Annotated[
        Path | None, typer.Option("--map", help="YAML that names the sign of each class (null leaves one out).")
    ] = None,
    keep_classes: Annotated[
        bool, typer.Option("--keep-classes", help="Keep classes that nobody named as signs of their own.")
    ] = False,
    vectors: Annotated[
        bool, typer.Option("--vectors", help="VOC boxes run from root (xmin, ymin) to tip (xmax, ymax).")
    ] = False,
    root: Annotated[str, typer.Option(help="COCO: name of the keypoint at the root.")] = "root",
    tip: Annotated[str, typer.Option(help="COCO: name of the keypoint at the tip.")] = "tip",
    preparation: Annotated[
        str, typer.Option(help="Of the scalp: none, clipped, shaved, dye, fibres, tattoo. Default: as the map says.")
    ] = "",
    rater: Annotated[str, typer.Option(help="Who annotated; blank is the reference.")] = "",
    level: Annotated[
        ImportLevel, typer.Option(help="exhaustive: every instance of each class was annotated; partial: some were.")
    ] = ImportLevel.exhaustive,
    in_place: Annotated[
        bool, typer.Option("--in-place", help="Images lie under --out already: refer to them, link or copy nothing.")
    ] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the tables in --out.")] = False,
    as_json: Json = False,
) -> None:
    """Bring VOC or COCO annotations into a labelled folder.

    Example: trichotrack labels import voc Annotations --images Images --pattern "{patient}_{n}" --um-per-px 2.82
    --map classes.yaml --out my-set
    """
    from trichotrack.geometry import Scale
    from trichotrack.labels.importers.coco import import_coco
    from trichotrack.labels.importers.common import ClassMap, ImportOptions, read_class_map
    from trichotrack.labels.importers.voc import import_voc
    from trichotrack.labels.rows import PREPARATIONS

    if um_per_px is not None:
        Scale(um_per_px, "option")
    if preparation and preparation not in PREPARATIONS:
        raise InputError(f"--preparation {preparation!r} is not one of {', '.join(PREPARATIONS)}.")
    options = ImportOptions(
        pattern=pattern,
        um_per_px=um_per_px,
        class_map=read_class_map(class_map) if class_map else ClassMap(),
        keep_classes=keep_classes,
        preparation=preparation,
        rater=rater,
        level=level.value,
        in_place=in_place,
        overwrite=overwrite,
    )
    if form is Format.voc:
        summary = import_voc(annotations, images, out, options, vectors=vectors)
    else:
        summary = import_coco(annotations, images, out, options, root=root, tip=tip)
    if as_json:
        _print_json(summary.to_dict())
    else:
        _show_import(summary)


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
        _print_json(
            {
                "folder": str(folder),
                "captures": len(parsed.captures),
                "problems": [_problem_dict(problem) for problem in problems],
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


def _print_json(content: Mapping[str, Any]) -> None:
    typer.echo(json.dumps(content, ensure_ascii=False, indent=1))


def _problem_dict(problem: Problem) -> dict[str, Any]:
    return {
        "table": problem.place,
        "row": problem.row,
        "column": problem.column,
        "value": problem.value,
        "message": problem.message,
        "remedy": problem.remedy,
    }


def _show_problems(problems: list[Problem]) -> None:
    from rich.console import Console

    console = Console()
    if console.is_terminal:
        columns = ("table", "row", "column", "value", "what is wrong", "what to do")
        rows = (
            (p.place, "" if p.row is None else str(p.row), p.column, p.value, p.message, p.remedy) for p in problems
        )
        _print_table("", columns, rows)
    else:
        for problem in problems:
            typer.echo(str(problem))
    typer.echo(f"{len(problems)} problem{'s' * (len(problems) > 1)}.")


def _show_import(summary: ImportSummary) -> None:
    names = ((name, ", ".join(f"{key} {value}" for key, value in fields.items())) for name, fields in summary.examples)
    _print_table("File names, as read", ("file", "fields"), names)
    _print_table("Objects", ("sign", "objects"), ((sign, str(count)) for sign, count in summary.mapped.items()))
    if summary.dropped:
        _print_table("Left out", ("why", "objects"), ((why, str(count)) for why, count in summary.dropped.items()))
    typer.echo(
        f"{summary.captures} captures of {summary.patients} patients, {sum(summary.mapped.values())} of "
        f"{summary.objects_read} objects, in {summary.folder}"
    )


def _show_set(summary: SetSummary, *, as_json: bool) -> None:
    from trichotrack.labels.rows import LEVELS

    if as_json:
        _print_json(summary.to_dict())
        return
    _print_table(
        "Captures",
        ("split", "captures", "patients"),
        ((split or "-", str(count), str(summary.patients[split])) for split, count in summary.captures.items()),
    )
    _print_table(
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


def _print_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """A table of the columns that hold anything."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    lines = list(rows)
    shown = [position for position in range(len(columns)) if any(line[position] for line in lines)]
    table = Table(title=title or None, title_justify="left")
    for position in shown:
        table.add_column(columns[position], overflow="fold")
    for line in lines:
        table.add_row(*(Text(line[position]) for position in shown))
    Console().print(table)


# A command with a file of its own.
labels_app.command("suggest")(suggest)

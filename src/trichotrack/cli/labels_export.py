"""`trichotrack labels export` and `merge`: labels corrected in another tool."""

from __future__ import annotations

import dataclasses
import enum
import json
import types
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from trichotrack.cli.words import numbered
from trichotrack.problems import InputError, Problem

if TYPE_CHECKING:
    from trichotrack.labels.exchange.marks import Mark
    from trichotrack.labels.exchange.merge import MergeSummary
    from trichotrack.labels.tables import LabelSet, ObjectRow
    from trichotrack.runtime.counter import Counter

_PROBLEMS_SHOWN = 10


class Tool(enum.StrEnum):
    """Formats that go out and come back."""

    coco = "coco"
    cvat = "cvat"
    label_studio = "label-studio"


NEXT = {
    "coco": "Load annotations.json with its images; export as COCO keypoints again.",
    "cvat": "In CVAT: labels.json into the constructor (Raw), the images into a task, then annotations.xml as "
    '"CVAT 1.1"; export as "CVAT for images 1.1" again, and unpack it.',
    "label-studio": "In Label Studio: config.xml as the labelling interface, the labelled folder as local files, then "
    "import tasks.json; export as JSON again.",
}


def export(
    form: Annotated[Tool, typer.Argument(metavar="FORMAT", help="coco, cvat or label-studio.")],
    folder: Annotated[Path, typer.Argument(help="Folder that holds captures, labels and objects (.csv or .xlsx).")],
    out: Annotated[Path, typer.Option(help="New folder for the export.")],
    with_predictions: Annotated[
        Path | None, typer.Option("--with-predictions", help="Exported model (.onnx); its marks go along, as such.")
    ] = None,
    sign: Annotated[list[str] | None, typer.Option(help="Only this sign (may be given again).")] = None,
    threads: Annotated[int | None, typer.Option(min=1, help="Of one inference. Default: one per core.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for machines.")] = False,
) -> None:
    """Write labels for another tool, and with a model what it would mark, to be corrected there.

    Images are referred to by their path in the folder. `trichotrack labels merge` brings corrections back.

    Example: trichotrack labels export cvat my-set --out to-cvat --with-predictions model.onnx
    """
    from trichotrack.labels.exchange.marks import MANIFEST, export_of
    from trichotrack.labels.read import read_labels

    labelset = read_labels(folder)
    if (out / MANIFEST).exists():
        remedy = "Name another --out: what was corrected in the tool is compared with the export that is there."
        raise InputError(Problem(str(out), "holds an export already", remedy))
    predictions: dict[str, tuple[Mark, ...]] = {}
    failed: list[Problem] = []
    model = ""
    if with_predictions:
        from trichotrack.labels.exchange.predictions import unsettled
        from trichotrack.runtime.counter import Counter

        counter = Counter(with_predictions, threads=threads)
        model = counter.spec.name
        found, failed = _predicted(counter, labelset, sign or ())
        predictions = unsettled(labelset, found, counter.spec.min_distance_um)
    unread = {problem.place for problem in failed}
    captures = [row.file for row in labelset.captures if (folder / row.file).as_posix() not in unread]
    done = export_of(labelset, form.value, signs=sign or (), predictions=predictions, model=model, captures=captures)
    texts = {**_tool(form).texts(done, labelset.signs), MANIFEST: done.to_json()}
    out.mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        (out / name).write_text(text, encoding="utf-8", newline="\n")
    origins = [mark.origin for sheet in done.sheets for mark in sheet.marks]
    counts = {name: origins.count(name) for name in ("label", "prediction")}
    if as_json:
        problems = [dataclasses.asdict(problem) for problem in failed]
        told = {"captures": len(done.sheets), **counts, "signs": done.signs, "files": sorted(texts)}
        typer.echo(json.dumps({**told, "problems": problems}, ensure_ascii=False, indent=1))
    else:
        typer.echo(
            f"{numbered(len(done.sheets), 'capture')}, {numbered(counts['label'], 'label')} and "
            f"{numbered(counts['prediction'], 'prediction')} of {', '.join(done.signs)}, in {out}."
        )
        typer.echo(f"{NEXT[form.value]} Then: trichotrack labels merge {folder} CORRECTED --exported {out}")
    if failed:
        for problem in failed[:_PROBLEMS_SHOWN]:
            typer.echo(str(problem), err=True)
        typer.echo(f"{numbered(len(failed), 'capture')} could not be read by the model, and not exported.", err=True)
        raise typer.Exit(3)


def merge(
    folder: Annotated[Path, typer.Argument(help="The labelled folder that was exported.")],
    corrected: Annotated[Path, typer.Argument(metavar="CORRECTED", help="What the tool gave back (.json or .xml).")],
    exported: Annotated[
        Path | None, typer.Option(help="Folder of the export. Default: the one that CORRECTED lies in.")
    ] = None,
    accept_untouched: Annotated[
        bool, typer.Option("--accept-untouched", help="Predictions that nobody changed are right: take them.")
    ] = False,
    exhaustive: Annotated[
        bool, typer.Option("--exhaustive", help="In what came back, all of every exported sign is marked now.")
    ] = False,
    rater: Annotated[str, typer.Option(help="Who made or took what is new; blank is the reference.")] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would become of it; write nothing.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for machines.")] = False,
) -> None:
    """Bring what was corrected in another tool back into the folder, by id: what a person changed wins.

    Predictions that nobody changed stay predictions. The tables as they were are kept beside, as .bak.

    Example: trichotrack labels merge my-set to-cvat/corrected.xml --exhaustive
    """
    from trichotrack.labels.exchange.marks import MANIFEST, read_manifest
    from trichotrack.labels.exchange.merge import merge as run
    from trichotrack.labels.read import read_labels
    from trichotrack.labels.write import refuse_workbooks, write_labels

    manifest = (exported or corrected.parent) / MANIFEST
    if not manifest.is_file():
        remedy = "Give the folder that `trichotrack labels export` wrote as --exported."
        raise InputError(Problem(str(manifest), "is not there", remedy))
    labelset = read_labels(folder)
    sent = read_manifest(manifest)
    if sent.form not in list(Tool):
        raise InputError(Problem(str(manifest), f"is of the format {sent.form!r}, which is not known"))
    done, summary = run(
        labelset,
        sent,
        _tool(Tool(sent.form)).read(corrected, sent),
        accept_untouched=accept_untouched,
        exhaustive=exhaustive,
        rater=rater,
    )
    kept: list[str] = []
    if summary.changes:
        refuse_workbooks(folder)
    if summary.changes and not dry_run:
        kept = [name for stem in ("objects", "labels") if (name := _kept(folder, stem))]
        write_labels(done, folder)
    if as_json:
        told = {**summary.to_dict(), "written": bool(kept), "former": kept}
        typer.echo(json.dumps(told, ensure_ascii=False, indent=1))
        return
    _show(summary)
    if dry_run:
        typer.echo("Nothing was written (--dry-run).")
    elif not summary.changes:
        typer.echo("Nothing was changed, and nothing written.")
    else:
        typer.echo(f"{folder} holds the corrections; as it was: {', '.join(kept)}.")


def _tool(form: Tool) -> types.ModuleType:
    """The module that writes and reads a format."""
    import importlib

    return importlib.import_module(f"trichotrack.labels.exchange.{form.name}")


def _predicted(
    counter: Counter, labelset: LabelSet, signs: Sequence[str]
) -> tuple[dict[str, list[tuple[ObjectRow, float | None]]], list[Problem]]:
    """The model's marks by file, and the captures that it could not read."""
    from rich.console import Console
    from rich.progress import track

    from trichotrack.geometry import Scale
    from trichotrack.labels.tables import ObjectRow

    names = [name for name in counter.spec.sign_names if not signs or name in signs]
    unknown = [name for name in names if name not in labelset.signs]
    if unknown:
        remedy = "Declare them in signs.yaml, or leave them out with --sign."
        raise InputError(Problem(counter.spec.name, f"counts {', '.join(unknown)}, unknown to this folder", remedy))
    console = Console(stderr=True)
    found: dict[str, list[tuple[ObjectRow, float | None]]] = {}
    failed: list[Problem] = []
    captures = track(labelset.captures, "reading", console=console, transient=True, disable=not console.is_terminal)
    for capture in captures:
        path = labelset.folder / capture.file
        scale = None if capture.um_per_px is None else Scale(capture.um_per_px, "table")
        try:
            reading = counter.read(path, scale=scale, preparation=capture.preparation)
        except InputError as error:
            failed.append(dataclasses.replace(error.problems[0], place=path.as_posix()))
            continue
        found[capture.file] = [
            (
                ObjectRow(
                    mark.id, capture.file, mark.sign, mark.x, mark.y, tip_x=mark.tip_x, tip_y=mark.tip_y,
                    root_width_um=mark.root_width_um, tip_width_um=mark.tip_width_um,
                ),
                mark.score,
            )
            for mark in reading.objects
            if mark.sign in names
        ]  # fmt: skip
    return found, failed


def _kept(folder: Path, stem: str) -> str:
    """Keeps a table as it is under a name that is free; "" where there is none."""
    table = folder / f"{stem}.csv"
    if not table.exists():
        return ""
    number, target = 1, folder / f"{stem}.csv.bak"
    while target.exists():
        number += 1
        target = folder / f"{stem}.csv.bak{number}"
    target.write_bytes(table.read_bytes())
    return target.name


def _show(summary: MergeSummary) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD)
    columns = {"labels": summary.labels, "predictions": summary.predictions, "new": {"added": summary.added}}
    for title in ("", *columns):
        table.add_column(title, justify="right" if title else "left")
    for name in ("kept", "untouched", "accepted", "moved", "reclassified", "deleted", "added"):
        table.add_row(name, *(str(counts.get(name, "")) for counts in columns.values()))
    Console().print(table)
    typer.echo(f"{numbered(summary.captures, 'capture')} came back.")
    if summary.not_back:
        typer.echo(f"{numbered(summary.not_back, 'capture')} did not come back or were not looked at: as they were.")
    if summary.predictions["untouched"]:
        typer.echo("Untouched predictions are no labels; --accept-untouched takes them.")
    if summary.already:
        typer.echo(f"{numbered(summary.already, 'mark')} had come with an earlier merge.")
    if summary.new_rows:
        told = ", ".join(f"{level} {count}" for level, count in summary.new_rows.items())
        typer.echo(f"New or changed lines in labels: {told}.")

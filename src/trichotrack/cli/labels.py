"""`trichotrack labels`: labelled data brought in, checked, described and split."""

from __future__ import annotations

import enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from trichotrack.cli.labels_check import check
from trichotrack.cli.labels_describe import describe
from trichotrack.cli.labels_shown import print_json, print_table
from trichotrack.cli.labels_split import split
from trichotrack.problems import InputError

if TYPE_CHECKING:
    from trichotrack.labels.importers.common import ImportSummary

labels_app = typer.Typer(
    help="Labelled data: import, check, describe, split. See `trichotrack labels COMMAND --help`.",
    no_args_is_help=True,
)

labels_app.command("check")(check)
labels_app.command("split")(split)
labels_app.command("describe")(describe)

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
        print_json(summary.to_dict())
    else:
        _show_import(summary)


def _show_import(summary: ImportSummary) -> None:
    names = ((name, ", ".join(f"{key} {value}" for key, value in fields.items())) for name, fields in summary.examples)
    print_table("File names, as read", ("file", "fields"), names)
    print_table("Objects", ("sign", "objects"), ((sign, str(count)) for sign, count in summary.mapped.items()))
    if summary.dropped:
        print_table("Left out", ("why", "objects"), ((why, str(count)) for why, count in summary.dropped.items()))
    typer.echo(
        f"{summary.captures} captures of {summary.patients} patients, {sum(summary.mapped.values())} of "
        f"{summary.objects_read} objects, in {summary.folder}"
    )

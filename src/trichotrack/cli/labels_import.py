"""`trichotrack labels import`: labels made elsewhere, brought into a labelled folder."""

from __future__ import annotations

import enum
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from trichotrack.cli.labels_shown import print_json, print_table
from trichotrack.cli.words import numbered
from trichotrack.problems import InputError

if TYPE_CHECKING:
    from trichotrack.labels.importers.common import Annotations, ImportSummary


class Format(enum.StrEnum):
    """Formats that can be imported."""

    coco = "coco"
    yolo = "yolo"
    voc = "voc"
    cvat = "cvat"
    label_studio = "label-studio"
    labelme = "labelme"
    imagej = "imagej"
    counts = "counts"
    presence = "presence"
    folders = "folders"


class ImportLevel(enum.StrEnum):
    """How completely the classes were annotated."""

    exhaustive = "exhaustive"
    partial = "partial"


_KEYPOINTS = frozenset({Format.coco, Format.yolo, Format.cvat})
_LINES = frozenset({Format.voc, Format.cvat, Format.label_studio, Format.labelme, Format.imagej})
_TAGS = frozenset({Format.cvat, Format.label_studio, Format.labelme, Format.presence, Format.folders})
_VALUES = frozenset({Format.counts, Format.presence, Format.folders})


def import_labels(
    form: Annotated[
        Format,
        typer.Argument(
            metavar="FORMAT",
            help="coco, yolo, voc, cvat, label-studio, labelme, imagej; tables: counts, presence; or folders by class.",
        ),
    ],
    source: Annotated[
        Path,
        typer.Argument(
            help="The exported file (coco, cvat, label-studio), data.yaml (yolo), table (counts, presence), or folder "
            "of files (voc, labelme, imagej, folders)."
        ),
    ],
    out: Annotated[Path, typer.Option(help="Folder to write the labelled set to.")],
    images: Annotated[
        Path | None, typer.Option(help="Folder that the images are in or below. Default: where the source is.")
    ] = None,
    pattern: Annotated[
        str,
        typer.Option(
            help="How file names are built, such as '{patient}_{site}_{date:%Y%m%d}_{n}'. Known fields: patient, "
            "visit, site, field, date, device, split; others become columns of their own."
        ),
    ] = "",
    table: Annotated[
        Path | None,
        typer.Option(
            help="Instead of a pattern: .csv or .xlsx with the columns file and patient, and any of captures.csv."
        ),
    ] = None,
    file_is_patient: Annotated[
        bool,
        typer.Option(
            "--file-is-patient", help="Nobody knows the patients: each file is one, and every figure says so."
        ),
    ] = False,
    um_per_px: Annotated[float | None, typer.Option(help="Scale of all captures, µm per pixel.")] = None,
    class_map: Annotated[
        Path | None, typer.Option("--map", help="YAML that names the sign of each class (null leaves one out).")
    ] = None,
    keep_classes: Annotated[
        bool, typer.Option("--keep-classes", help="Keep classes that nobody named as signs of their own.")
    ] = False,
    level: Annotated[
        ImportLevel, typer.Option(help="exhaustive: every instance of each class was annotated; partial: some were.")
    ] = ImportLevel.exhaustive,
    missing_is_empty: Annotated[
        bool, typer.Option("--missing-is-empty", help="An image without annotation was looked at and shows none.")
    ] = False,
    empty_is_unknown: Annotated[
        bool,
        typer.Option(
            "--empty-is-unknown",
            help="An image listed without any mark may never have been opened: nothing is known of it.",
        ),
    ] = False,
    exclusive: Annotated[
        bool,
        typer.Option("--exclusive", help="Of tags, choices, flags, presence and folders: what is not named is absent."),
    ] = False,
    vectors: Annotated[
        bool, typer.Option("--vectors", help="VOC boxes run from root (xmin, ymin) to tip (xmax, ymax).")
    ] = False,
    tip_first: Annotated[
        bool, typer.Option("--tip-first", help="Lines were drawn from tip to root, not from root to tip.")
    ] = False,
    root: Annotated[str, typer.Option(help="Name of the key point at the root (coco, yolo, cvat).")] = "root",
    tip: Annotated[
        str, typer.Option(help="Name of the key point at the tip (coco, yolo, cvat, label-studio).")
    ] = "tip",
    by_annotator: Annotated[
        bool, typer.Option("--by-annotator", help="Label Studio: several annotations of a task are several raters.")
    ] = False,
    preparation: Annotated[
        str,
        typer.Option(help="Of the scalp: none, unclipped, clipped, shaved, dye, fibres, tattoo. Default: the map's."),
    ] = "",
    rater: Annotated[str, typer.Option(help="Who annotated; blank is the reference.")] = "",
    in_place: Annotated[
        bool, typer.Option("--in-place", help="Images lie under --out already: refer to them, link or copy nothing.")
    ] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the tables in --out.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for machines.")] = False,
) -> None:
    """Bring labels made elsewhere into a labelled folder; nothing is guessed, and what is left out is told.

    Example: trichotrack labels import yolo my-set/data.yaml --map classes.yaml --pattern "{patient}_{n}" --um-per-px
    5.8 --out my-labels
    """
    from trichotrack.geometry import Scale
    from trichotrack.labels.importers.assemble import CLASS, assemble
    from trichotrack.labels.importers.common import ClassMap, ImportOptions, ImportRefusal, read_class_map
    from trichotrack.labels.rows import PREPARATIONS

    if um_per_px is not None:
        Scale(um_per_px, "option")
    if preparation and preparation not in PREPARATIONS:
        raise InputError(f"--preparation {preparation!r} is not one of {', '.join(PREPARATIONS)}.")
    _refuse_misplaced(
        form,
        {
            "--images": (images not in {None, source}, frozenset(Format) - {Format.folders}),
            "--vectors": (vectors, frozenset({Format.voc})),
            "--tip-first": (tip_first, _LINES),
            "--root": (root != "root", _KEYPOINTS),
            "--tip": (tip != "tip", _KEYPOINTS | {Format.label_studio}),
            "--by-annotator": (by_annotator, frozenset({Format.label_studio})),
            "--exclusive": (exclusive, _TAGS),
            "--missing-is-empty": (missing_is_empty, frozenset(Format) - _VALUES),
            "--empty-is-unknown": (empty_is_unknown, frozenset(Format) - _VALUES),
            "--level partial": (level is ImportLevel.partial, frozenset(Format) - _VALUES),
        },
    )
    options = ImportOptions(
        pattern=pattern,
        table=table,
        file_is_patient=file_is_patient,
        um_per_px=um_per_px,
        class_map=read_class_map(class_map) if class_map else ClassMap(),
        keep_classes=keep_classes,
        preparation=preparation,
        rater=rater,
        level=level.value,
        missing_is_empty=missing_is_empty,
        empty_is_unknown=empty_is_unknown,
        exclusive=exclusive,
        tip_first=tip_first,
        in_place=in_place,
        overwrite=overwrite,
    )
    ends = {"root": root, "tip": tip}
    if images is None or form is Format.folders:
        images = source if source.is_dir() else source.parent
    found = _read(form, source, images, out, ends, vectors=vectors, by_annotator=by_annotator, in_place=in_place)
    try:
        summary = assemble(found, images, out, options)
    except ImportRefusal as refusal:
        _show_examples(refusal.examples, err=True)
        _show_map([problem.value for problem in refusal.problems if problem.place == CLASS])
        raise
    if as_json:
        print_json(summary.to_dict())
    else:
        _show(summary)


def _refuse_misplaced(form: Format, given: Mapping[str, tuple[bool, frozenset[Format]]]) -> None:
    """Options that say nothing of this format, in one sentence."""
    for option, (wanted, formats) in given.items():
        if wanted and form not in formats:
            known = ", ".join(known.value for known in Format if known in formats)
            raise InputError(f"{option} says nothing of {form.value}: it is for {known}. Leave it out.")


def _read(
    form: Format,
    source: Path,
    images: Path,
    out: Path,
    ends: Mapping[str, str],
    *,
    vectors: bool,
    by_annotator: bool,
    in_place: bool,
) -> Annotations:
    """What the source says; only the module of its format is imported."""
    if form is Format.coco:
        from trichotrack.labels.importers.coco import read_coco

        return read_coco(source, **ends)
    if form is Format.yolo:
        from trichotrack.labels.importers.yolo import read_yolo

        return read_yolo(source, images=images, **ends)
    if form is Format.voc:
        from trichotrack.labels.importers.voc import read_voc

        return read_voc(source, vectors=vectors)
    if form is Format.cvat:
        from trichotrack.labels.importers.cvat import read_cvat

        return read_cvat(source, **ends)
    if form is Format.label_studio:
        from trichotrack.labels.importers.label_studio import read_label_studio

        return read_label_studio(source, tip=ends["tip"], by_annotator=by_annotator)
    if form is Format.labelme:
        from trichotrack.labels.importers.labelme import read_labelme

        return read_labelme(source)
    if form is Format.imagej:
        from trichotrack.labels.importers.imagej import read_imagej

        return read_imagej(source)
    if form is Format.folders:
        from trichotrack.labels.importers.folders import read_folders

        return read_folders(source, out, in_place=in_place)
    from trichotrack.labels.importers.value_tables import read_values

    return read_values(source, "count" if form is Format.counts else "presence")


def _show_examples(examples: Sequence[tuple[str, Mapping[str, str]]], *, err: bool = False) -> None:
    names = [(name, ", ".join(f"{key} {value}" for key, value in fields.items())) for name, fields in examples]
    if any(fields for _, fields in names):
        print_table("File names, as read", ("file", "fields"), names, err=err)


def _show_map(classes: Sequence[str]) -> None:
    """What to write to a map file, for classes that nobody named."""
    if classes:
        lines = "".join(f"  {json.dumps(name, ensure_ascii=False)}: SIGN\n" for name in classes)
        typer.echo(f"A map file to begin with (instead of SIGN a sign's name, or null):\n\nmap:\n{lines}", err=True)


def _show(summary: ImportSummary) -> None:
    _show_examples(summary.examples)
    print_table(
        "Classes",
        ("class", "sign", "read", "taken", "as", "left out"),
        (
            (
                line.name,
                line.sign or "-",
                str(line.read),
                str(line.taken),
                ", ".join(f"{kind} {count}" for kind, count in line.kinds.items()),
                ", ".join(f"{count}: {why}" for why, count in line.dropped.items()),
            )
            for line in summary.classes
        ),
    )
    for what, counts in (("Images left out", summary.images_left_out), ("To know", summary.notes)):
        if counts:
            print_table(what, ("what", "how many"), ((why, str(count)) for why, count in counts.items()))
    typer.echo(
        f"{numbered(summary.captures, 'capture')} of {numbered(summary.patients, 'patient')}, "
        f"{sum(summary.mapped.values())} of {summary.objects_read} objects, in {summary.folder}"
    )
    if summary.patients_notice:
        typer.echo(f"Note: {summary.patients_notice}.")

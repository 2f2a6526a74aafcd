"""From what was annotated to a labelled folder, whatever the format; and what became of each class and image."""

from __future__ import annotations

import dataclasses
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

from trichotrack.labels.importers.common import (
    Annotations,
    ClassLine,
    ClassValue,
    ImportOptions,
    ImportRefusal,
    ImportSummary,
    Mark,
)
from trichotrack.labels.importers.identity import EXAMPLES_SHOWN, alike, identify
from trichotrack.labels.importers.images import images_in, is_unproven, none_found, place_images
from trichotrack.labels.importers.matching import AnnotatedImage, Tally, match_images, said_in
from trichotrack.labels.importers.taking import take
from trichotrack.labels.patients import PATIENT_SOURCE, patients_notice
from trichotrack.labels.tables import CaptureRow, LabelSet
from trichotrack.labels.write import readable_texts, write_labels
from trichotrack.problems import InputError, Problem
from trichotrack.signs import Sign

CLASS = "class"
"""Where a problem is of a class that nobody named."""

DOTS = frozenset({"black_dot", "yellow_dot"})
"""Signs whose place is their centre; every other one is a hair, at its root."""


def assemble(found: Annotations, images_dir: Path, out: Path, options: ImportOptions) -> ImportSummary:
    """Writes the labelled folder of what a source says, and says what became of it.

    images_dir: the images lie in it or below. Raises ImportRefusal with all problems at once, having written nothing.
    """
    images_dir, out = Path(images_dir), Path(out)
    if options.missing_is_empty and options.empty_is_unknown:
        message = (
            "--missing-is-empty and --empty-is-unknown are given, and what has no mark cannot mean both. Give one."
        )
        raise InputError(message)
    problems, tally = list(found.problems), Tally()
    available = images_in(images_dir, out, in_place=options.in_place)
    images = match_images(found, available, options, problems, tally)
    if not images and not problems:
        raise ImportRefusal([none_found(images_dir, out, in_place=options.in_place)], ())
    signs, classes = _classes(images, found.declared or frozenset(), options, problems)
    if found.table and not (options.pattern or options.table):
        options = dataclasses.replace(options, table=found.table)
    problems += _value_faults(images, classes)
    names = [image.name for image in images]
    captures, examples = identify(names, available, options, problems, not_kept=frozenset(classes))
    captures = [_filed(image, capture, out, options, problems) for image, capture in zip(images, captures, strict=True)]
    if not options.overwrite and (out / "captures.csv").exists():
        problems.append(
            Problem(str(out), "holds a labelled set already", "Name another --out, or replace it with --overwrite.")
        )
    if problems:
        raise ImportRefusal(problems, examples)

    files = [capture.file for capture in captures]
    labels, objects = take(images, files, classes, options, found=found, tally=tally, problems=problems)
    if problems:
        raise ImportRefusal(problems, examples)
    labelset = LabelSet(out, tuple(captures), tuple(labels), tuple(objects), signs)
    try:
        readable_texts(labelset)
    except InputError as error:
        raise ImportRefusal(error.problems, examples) from None
    if not options.in_place:
        place_images({capture.file: image.path for image, capture in zip(images, captures, strict=True)}, out)
    write_labels(labelset, out)
    lines = _lines(tally, classes)
    mapped = dict.fromkeys(sorted({sign for sign in classes.values() if sign is not None}), 0)
    dropped: Counter[str] = Counter()
    for line in lines:
        dropped.update(line.dropped)
        if line.sign is not None:
            mapped[line.sign] += line.taken
    return ImportSummary(
        folder=str(out),
        captures=len(captures),
        patients=len({capture.patient for capture in captures}),
        patients_notice=patients_notice(captures),
        annotations_read=sum(len(image.annotations) for image in images),
        objects_read=tally.read.total(),
        mapped=mapped,
        dropped=dict(dropped),
        classes=tuple(lines),
        images_left_out=dict(tally.images),
        notes=dict(found.notes + _empty(images, labelset, options) + _remarks(images, labelset, classes, tally)),
        examples=examples,
    )


def _classes(
    images: Sequence[AnnotatedImage], declared: frozenset[str], options: ImportOptions, problems: list[Problem]
) -> tuple[dict[str, Sign], dict[str, str | None]]:
    """(signs, class to sign) for the classes met; those that nobody named are kept or listed as problems.

    A class that was declared and is nowhere met matters only where the map or its own name says which sign it is.
    """
    every = [annotation for image in images for annotation in image.annotations.values()]
    said = [one for annotation in every for one in said_in(annotation)]
    met = Counter(one.class_name for one in said)
    valued = {one.class_name for one in said if isinstance(one, Mark) or one.fault is None}
    signs = dict(options.class_map.signs)
    classes = {**{name: name for name in declared if name in signs}, **options.class_map.classes}
    for name in sorted(met.keys() - classes.keys()):
        if name in signs:
            classes[name] = name
        elif name not in valued:
            continue  # no class at all: told by _value_faults
        elif options.keep_classes and name:
            classes[name] = name
            signs[name] = Sign(name, name.replace("_", " "), name.replace("_", " "), f"Class {name}.", role="context")
        else:
            times = f"{met[name]} object{'s' * (met[name] > 1)}"
            remedy = "Name its sign in a --map file (null leaves it out), or keep it as a sign with --keep-classes."
            problems.append(Problem(CLASS, f"is not a sign ({times})", remedy, value=name or "(empty)"))
    return signs, classes


def _value_faults(images: Sequence[AnnotatedImage], classes: Mapping[str, str | None]) -> list[Problem]:
    """Values that cannot be used, of classes that the map does not leave out.

    A class without any value that can be used is perhaps none (a column of something else): it is told once.
    """
    said: dict[str, list[ClassValue]] = defaultdict(list)
    for image in images:
        for annotation in image.annotations.values():
            for value in annotation.values:
                said[value.class_name].append(value)
    problems = []
    for name, values in said.items():
        faults = [value.fault for value in values if value.fault is not None]
        if name in classes and classes[name] is None:
            continue
        if len(faults) < len(values):
            problems += faults if name in classes else []
            continue
        kind, first = "presence (1 or 0)" if values[0].level == "presence" else "count", faults[0]
        cells = f"{len(values)} cell{'s' * (len(values) > 1)}"
        message = f"holds no {kind} in {cells} (the first, {first.value!r} in row {first.row}: {first.message})"
        remedy = f"If it is no class, leave it out in a --map file ({name}: null); else mend its cells."
        problems.append(Problem(CLASS, message, remedy, value=name or "(empty)"))
    return problems


def _filed(
    image: AnnotatedImage, capture: CaptureRow, out: Path, options: ImportOptions, problems: list[Problem]
) -> CaptureRow:
    """The capture with the path of its image below out, and the hint of its source."""
    hints = {annotation.hint for annotation in image.annotations.values() if annotation.hint}
    extra = {**capture.extra, "split_hint": hints.pop()} if hints else capture.extra
    file = f"images/{image.name}"
    if options.in_place:
        where, root = image.path.resolve(), out.resolve()
        if where.is_relative_to(root):
            file = where.relative_to(root).as_posix()
        else:
            remedy = "Leave out --in-place, or name an --out folder above the images."
            problems.append(Problem(str(image.path), f"is not under {out}", remedy))
    return dataclasses.replace(capture, file=file, extra=extra)


def _lines(tally: Tally, classes: Mapping[str, str | None]) -> list[ClassLine]:
    lines = []
    for name in sorted(tally.read):
        kinds = {kind: count for (of, kind), count in sorted(tally.kinds.items()) if of == name}
        dropped = {why: count for (of, why), count in sorted(tally.dropped.items()) if of == name}
        lines.append(ClassLine(name, classes.get(name), tally.read[name], tally.taken[name], kinds, dropped))
    return lines


def _empty(images: Sequence[AnnotatedImage], labelset: LabelSet, options: ImportOptions) -> Counter[str]:
    """What images are taken as of which nothing was said: each is named, for nobody may have looked at it."""
    without = {(row.file, row.rater) for row in labelset.labels if row.level == "exhaustive" or row.value == 0}
    read = [
        (f"{image.name}, by {rater}" if rater else image.name, (capture.file, rater) in without)
        for image, capture in zip(images, labelset.captures, strict=True)
        for rater, annotation in image.annotations.items()
        if annotation.is_empty
    ]
    names = [name for name, none_there in read if none_there or options.empty_is_unknown]
    if not names:
        return Counter()
    every = sum(len(image.annotations) for image in images)
    shown = "; ".join(names[:EXAMPLES_SHOWN]) + ("; …" if len(names) > EXAMPLES_SHOWN else "")
    taken = "left unknown" if options.empty_is_unknown else "taken as showing none"
    if not (options.empty_is_unknown or options.missing_is_empty):
        taken += " (never opened? --empty-is-unknown)"
    return Counter({f"{len(names)} of {every} images hold no mark at all: {taken}: {shown}": len(names)})


def _remarks(
    images: Sequence[AnnotatedImage], labelset: LabelSet, classes: Mapping[str, str | None], tally: Tally
) -> Counter[str]:
    """What a person should know and look at, with how often."""
    notes: Counter[str] = Counter()
    unproven = sum(
        any(is_unproven(annotation, image.raster) for annotation in image.annotations.values()) for image in images
    )
    if unproven:
        notes["images turned by EXIF, which no size proves: marks are taken as made on the upright image"] = unproven
    for (name, kind), count in tally.kinds.items():
        sign = classes[name]
        if kind in {"box", "outline"} and sign not in DOTS:
            notes[f"marks of {sign} at the centre of a box or outline: its root, where a hair is, is not told"] += count
    for names in alike({capture.patient for capture in labelset.captures if PATIENT_SOURCE not in capture.extra}):
        notes[f"patients called {names}: if they are one person, mend the names before any split"] = 1
    met = {classes.get(name) for name in tally.read}
    labelled = Counter(label.sign for label in labelset.labels)
    for sign in sorted({sign for sign in classes.values() if sign} - met):
        if labelled[sign]:
            notes[f"captures said to be without {sign}, of which nothing was marked anywhere"] = labelled[sign]
        else:
            notes[f"captures where {sign} of the map is unknown: nothing was marked of it anywhere"] = len(images)
    return notes

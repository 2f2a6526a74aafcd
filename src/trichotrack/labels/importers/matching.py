"""Annotations brought to their images: each image with all that was annotated of it, in its own pixels."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from trichotrack.labels.importers.common import Annotation, Annotations, ClassValue, ImportOptions, Mark
from trichotrack.labels.importers.images import ImageIndex, Raster, misplaced, raster_of
from trichotrack.problems import InputError, Problem

NO_ANNOTATION = "not annotated: unknown, and left out"
NO_IMAGE = "its image is not there"


@dataclass
class AnnotatedImage:
    """An image and all that was annotated of it. name: its path below the images. annotations: by rater."""

    name: str
    path: Path
    raster: Raster
    annotations: dict[str, Annotation] = field(default_factory=dict)


@dataclass
class Tally:
    """What became of each class (by name, with kind or reason), and of images (by reason)."""

    read: Counter[str] = field(default_factory=Counter)
    taken: Counter[str] = field(default_factory=Counter)
    kinds: Counter[tuple[str, str]] = field(default_factory=Counter)
    dropped: Counter[tuple[str, str]] = field(default_factory=Counter)
    images: Counter[str] = field(default_factory=Counter)


def said_in(annotation: Annotation) -> Iterator[Mark | ClassValue]:
    """All that an annotation says, of places and of the whole image."""
    yield from annotation.marks
    yield from annotation.values


def match_images(
    found: Annotations, available: Mapping[str, Path], options: ImportOptions, problems: list[Problem], tally: Tally
) -> list[AnnotatedImage]:
    """The images that were annotated, in the order of their annotations.

    available: path by name. An annotation whose image is not there is dropped and counted; one that fits several
    images or another size, or that another annotates as well, is a problem. Images without annotation are counted, or
    (missing_is_empty, of sources that say where things are) taken as showing none of the classes.
    """
    index = ImageIndex(available)
    images: dict[str, AnnotatedImage] = {}
    unreadable: set[str] = set()
    for annotation in found.images:
        names = index.find(annotation.names)
        if len(names) > 1:
            message = f"may be of several images ({', '.join(names)})"
            problems.append(Problem(annotation.source, message, "Name them apart, or give their folder."))
            unreadable.update(names)
        elif not names:
            tally.images["annotated, but the image is not there"] += 1
            for said in said_in(annotation):
                tally.read[said.class_name] += 1
                tally.dropped[said.class_name, NO_IMAGE] += 1
        elif names[0] not in unreadable:
            image = images.get(names[0]) or _opened(names[0], available, problems)
            if image is None:
                unreadable.add(names[0])
                continue
            images[image.name] = image
            _add(annotation, image, options, problems)
    for name in sorted(available.keys() - images.keys() - unreadable):
        if not (options.missing_is_empty and found.places):
            tally.images[NO_ANNOTATION] += 1
        elif (empty := _opened(name, available, problems)) is not None:
            empty.annotations[options.rater] = Annotation(name, (name,))
            images[name] = empty
    return list(images.values())


def _opened(name: str, available: Mapping[str, Path], problems: list[Problem]) -> AnnotatedImage | None:
    try:
        return AnnotatedImage(name, available[name], raster_of(available[name]))
    except InputError as error:
        problems.extend(error.problems)
        return None


def _add(annotation: Annotation, image: AnnotatedImage, options: ImportOptions, problems: list[Problem]) -> None:
    if (fault := misplaced(annotation, image.path.name, image.raster)) is not None:
        problems.append(fault)
    rater = annotation.rater or options.rater
    if rater in image.annotations:
        message = f"annotates {image.name}, as {image.annotations[rater].source} does"
        problems.append(Problem(annotation.source, message, "Keep one of the two."))
    else:
        image.annotations[rater] = _in_pixels(annotation, image.raster) if annotation.relative else annotation


def _in_pixels(annotation: Annotation, raster: Raster) -> Annotation:
    def scaled(pair: tuple[float, float]) -> tuple[float, float]:
        return pair[0] * raster.width, pair[1] * raster.height

    marks = []
    for mark in annotation.marks:
        x, y = scaled((mark.x, mark.y))
        tip, box = mark.tip and scaled(mark.tip), mark.box and scaled(mark.box)
        marks.append(dataclasses.replace(mark, x=x, y=y, tip=tip, box=box))
    return dataclasses.replace(annotation, marks=tuple(marks), relative=False)

"""What every importer shares: annotated images in, a labelled folder and a summary out."""

from __future__ import annotations

import dataclasses
import os
import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from trichotrack.capture import SUFFIXES
from trichotrack.labels.file_names import NamePattern
from trichotrack.labels.rows import PREPARATIONS
from trichotrack.labels.signs_file import load_yaml, signs_from
from trichotrack.labels.tables import CaptureRow, LabelRow, LabelSet, Level, ObjectRow
from trichotrack.labels.write import readable_texts, write_labels
from trichotrack.problems import InputError, Problem
from trichotrack.signs import SIGN, Sign

CAPTURE_FIELDS = ("patient", "visit", "site", "field", "date", "device", "split")
EXAMPLES_SHOWN = 5


@dataclass(frozen=True)
class Mark:
    """One annotated structure of a class; root (or centre) x, y in original px, with tip and box where known.

    unusable: why it cannot be taken, "" where it can. It is in the image all the same, so its sign is not exhaustive.
    """

    class_name: str
    x: float
    y: float
    tip: tuple[float, float] | None = None
    box: tuple[float, float] | None = None
    unusable: str = ""


@dataclass(frozen=True)
class AnnotatedImage:
    """Marks of one image. source: the annotation, for messages. size: (width, height) as the annotation says."""

    source: str
    image: Path
    size: tuple[int, int] | None
    marks: tuple[Mark, ...]


@dataclass(frozen=True)
class ClassMap:
    """How classes become signs. classes: class to sign, or to None to leave it out. signs: vocabulary and new ones.

    preparation: of the scalp in every capture of the set.
    """

    classes: Mapping[str, str | None] = field(default_factory=dict)
    signs: Mapping[str, Sign] = field(default_factory=lambda: dict(SIGN))
    preparation: str = "none"


@dataclass(frozen=True)
class ImportOptions:
    """What the person importing knows and the annotations do not.

    pattern: see NamePattern; its patient, visit, site, field, date, device and split go to captures.csv, other names to
    columns of their own. keep_classes: classes that the map does not name become signs of their own. level:
    exhaustive where every instance of each class was annotated, else partial. in_place: images lie under the out
    folder already and are referred to there; else they are linked (or, across disks, copied) to out/images.
    """

    pattern: str = "{patient}_{n}"
    um_per_px: float | None = None
    class_map: ClassMap = ClassMap()
    keep_classes: bool = False
    preparation: str = ""
    rater: str = ""
    level: Level = "exhaustive"
    in_place: bool = False
    overwrite: bool = False


@dataclass(frozen=True)
class ImportSummary:
    """What an import read, mapped and left out. examples: first names with what was read from them."""

    folder: str
    captures: int
    patients: int
    annotations_read: int
    objects_read: int
    mapped: Mapping[str, int]
    dropped: Mapping[str, int]
    examples: Sequence[tuple[str, Mapping[str, str]]]

    def to_dict(self) -> dict[str, Any]:
        return dataclasses.asdict(self)


def read_class_map(path: Path) -> ClassMap:
    """A map file: `map:` class to sign (null leaves the class out), `signs:` as in signs.yaml, `preparation:`.

    Raises InputError with every fault of it.
    """
    problems: list[Problem] = []
    raw = load_yaml(path, problems)
    if not problems and (not isinstance(raw, dict) or not isinstance(raw.get("map"), dict)):
        problems.append(Problem(path.name, "holds no mapping called map", "Write `map:` and, below it, class: sign."))
    if problems:
        raise InputError(problems)
    signs = signs_from(raw["signs"], path.name, problems) if raw.get("signs") else dict(SIGN)
    problems.extend(
        Problem(path.name, "is not a known entry", "Known are map, signs and preparation.", column=str(key))
        for key in raw
        if key not in {"map", "signs", "preparation"}
    )
    for name, sign in raw["map"].items():
        if sign is not None and (not isinstance(sign, str) or sign not in signs):
            remedy = "Name a sign of the vocabulary, or declare it under `signs:`."
            problems.append(Problem(path.name, "is not a known sign", remedy, column=str(name), value=str(sign)))
    preparation = raw.get("preparation", "none")
    if preparation not in PREPARATIONS:
        remedy = f"Write one of {', '.join(PREPARATIONS)}."
        problems.append(
            Problem(path.name, "is not a preparation", remedy, column="preparation", value=str(preparation))
        )
    if problems:
        raise InputError(problems)
    return ClassMap({str(name): sign for name, sign in raw["map"].items()}, signs, preparation)


def images_in(folder: Path, out: Path, *, in_place: bool) -> dict[str, Path]:
    """Image files below a folder by their path in it, with `/`, but for those that an import to out linked there.

    Raises InputError where there is no such folder.
    """
    if not folder.is_dir():
        raise InputError(Problem(str(folder), "is not a folder", "Name the folder of the images."))
    placed = (out / "images").resolve()
    own = None if in_place or folder.resolve().is_relative_to(placed) else placed
    found = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)
    return {
        path.relative_to(folder).as_posix(): path
        for path in found
        if own is None or not path.resolve().is_relative_to(own)
    }


def assemble(
    images: Sequence[AnnotatedImage],
    images_dir: Path,
    out: Path,
    options: ImportOptions,
    dropped: Counter[str],
    problems: list[Problem],
) -> ImportSummary:
    """Writes the labelled folder of annotated images and says what became of them.

    dropped and problems: what reading the annotations came upon. Raises InputError with all problems, having written
    nothing.
    """
    signs, classes = _classes(images, options, problems)
    captures, examples = _captures(images, images_dir, out, options, problems)
    problems += [fault for image in images if (fault := _wrong_size(image)) is not None]
    if not options.overwrite and (out / "captures.csv").exists():
        problems.append(
            Problem(str(out), "holds a labelled set already", "Name another --out, or replace it with --overwrite.")
        )
    if not images and not problems:
        problems.append(Problem(str(images_dir), "no annotated image was found", "Check both folders."))
    if problems:
        raise InputError(problems)

    labels: list[LabelRow] = []
    objects: list[ObjectRow] = []
    mapped: Counter[str] = Counter()
    targets = sorted({sign for sign in classes.values() if sign is not None})
    for image, capture in zip(images, captures, strict=True):
        missing: set[str] = set()
        for mark in image.marks:
            sign = classes[mark.class_name]
            why = f"class {mark.class_name} is left out by the map" if sign is None else mark.unusable
            if sign is not None and not why:
                why = _outside(mark, image)
            elif sign is not None:
                missing.add(sign)
            if sign is None or why:
                dropped[why] += 1
                continue
            mapped[sign] += 1
            objects.append(_object(str(len(objects) + 1), capture.file, sign, mark, options.rater))
        for sign in targets:
            level: Level = "partial" if sign in missing else options.level
            labels.append(LabelRow(capture.file, sign, level, rater=options.rater))
    labelset = LabelSet(out, tuple(captures), tuple(labels), tuple(objects), signs)
    readable_texts(labelset)
    _place_images(images, captures, out, options)
    write_labels(labelset, out)
    return ImportSummary(
        folder=str(out),
        captures=len(captures),
        patients=len({capture.patient for capture in captures}),
        annotations_read=len(images),
        objects_read=len(objects) + sum(dropped.values()),
        mapped={sign: mapped[sign] for sign in targets},
        dropped=dict(dropped),
        examples=examples,
    )


def _object(number: str, file: str, sign: str, mark: Mark, rater: str) -> ObjectRow:
    tip_x, tip_y = mark.tip or (None, None)
    box_w, box_h = mark.box or (None, None)
    return ObjectRow(
        number, file, sign, mark.x, mark.y, tip_x=tip_x, tip_y=tip_y, box_w=box_w, box_h=box_h, rater=rater
    )


def _outside(mark: Mark, image: AnnotatedImage) -> str:
    if image.size is None or (0 <= mark.x <= image.size[0] and 0 <= mark.y <= image.size[1]):
        return ""
    return "its point lies outside the image"


def _classes(
    images: Iterable[AnnotatedImage], options: ImportOptions, problems: list[Problem]
) -> tuple[dict[str, Sign], dict[str, str | None]]:
    """(signs, class to sign) for the classes met; those that nobody named are kept or listed as problems."""
    met = Counter(mark.class_name for image in images for mark in image.marks)
    signs, classes = dict(options.class_map.signs), dict(options.class_map.classes)
    for name in sorted(met.keys() - classes.keys()):
        if name in signs:
            classes[name] = name
        elif options.keep_classes and name:
            classes[name] = name
            signs[name] = Sign(name, name.replace("_", " "), name.replace("_", " "), f"Class {name}.", role="context")
        else:
            times = f"{met[name]} object{'s' * (met[name] > 1)}"
            remedy = "Name its sign in a --map file (null leaves it out), or keep it as a sign with --keep-classes."
            problems.append(Problem("class", f"is not a sign ({times})", remedy, value=name or "(empty)"))
    return signs, classes


def _captures(
    images: Sequence[AnnotatedImage], images_dir: Path, out: Path, options: ImportOptions, problems: list[Problem]
) -> tuple[list[CaptureRow], list[tuple[str, Mapping[str, str]]]]:
    pattern = NamePattern(options.pattern)
    if "patient" not in pattern.fields:
        raise InputError(f"the pattern {options.pattern!r} has no {{patient}}: splits keep patients apart.")
    taken = sorted({"file", "um_per_px", "preparation", "valid_area"} & set(pattern.fields))
    if taken:
        raise InputError(f"the pattern {options.pattern!r} names {', '.join(taken)}, which no file name gives.")
    captures: list[CaptureRow] = []
    examples: list[tuple[str, Mapping[str, str]]] = []
    root = out.resolve()
    for image in images:
        name = image.image.relative_to(images_dir).as_posix()
        fields = pattern.parse(name)
        file = f"images/{name}"
        if fields is None:
            problems.append(
                Problem("file name", f"does not fit the pattern {options.pattern}", "Rename it or mend the pattern.",
                        value=name)
            )  # fmt: skip
            fields = {}
        if options.in_place:
            where = image.image.resolve()
            if not where.is_relative_to(root):
                remedy = "Leave out --in-place, or name an --out folder above the images."
                problems.append(Problem(str(image.image), f"is not under {out}", remedy))
            else:
                file = where.relative_to(root).as_posix()
        if len(examples) < EXAMPLES_SHOWN:
            examples.append((name, fields))
        captures.append(
            CaptureRow(
                file=file,
                um_per_px=options.um_per_px,
                preparation=options.preparation or options.class_map.preparation,
                extra={key: value for key, value in fields.items() if key not in CAPTURE_FIELDS},
                **cast("dict[str, Any]", {"patient": "", **{k: v for k, v in fields.items() if k in CAPTURE_FIELDS}}),
            )
        )
    return captures, examples


def _wrong_size(image: AnnotatedImage) -> Problem | None:
    """Marks made on an image of another size than the file (or on it before it was turned) would be displaced."""
    from PIL import Image

    try:
        with Image.open(image.image) as opened:
            size = opened.size
            turned = opened.getexif().get(0x0112, 1) in {5, 6, 7, 8}
    except (OSError, ValueError, SyntaxError) as error:
        return Problem(str(image.image), f"is not a readable image ({error})", "Replace or remove it.")
    size = size[::-1] if turned else size
    if image.size is None or size == image.size:
        return None
    return Problem(
        image.source,
        f"says {image.size[0]}x{image.size[1]} px while {image.image.name} has {size[0]}x{size[1]}",
        "Annotate the image at its own size and orientation, or replace the image.",
    )


def _place_images(
    images: Sequence[AnnotatedImage], captures: Sequence[CaptureRow], out: Path, options: ImportOptions
) -> None:
    if options.in_place:
        return
    for image, capture in zip(images, captures, strict=True):
        target = out / capture.file
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.exists() and target.samefile(image.image):
            continue
        target.unlink(missing_ok=True)
        link_or_copy(image.image, target)


def link_or_copy(source: Path, target: Path, link: Callable[[Path, Path], None] = os.link) -> None:
    """A hard link where the disk allows it, else a copy."""
    try:
        link(source, target)
    except OSError:
        shutil.copyfile(source, target)

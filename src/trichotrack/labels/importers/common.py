"""What every importer shares: what an annotation is, what the person importing knows, and what an import tells."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from trichotrack.labels.rows import PREPARATIONS
from trichotrack.labels.signs_file import load_yaml, signs_from
from trichotrack.labels.tables import Level
from trichotrack.problems import InputError, Problem
from trichotrack.signs import SIGN, Sign

PREDICTED = "it is a model's prediction that nobody accepted (bring it back with `labels merge`)"
"""Why a mark is unusable that no person made."""


@dataclass(frozen=True)
class Mark:
    """One annotated structure of a class; root (or centre) x, y in original px, with tip and box where known.

    kind: what it was drawn as (point, line, box, outline, keypoints). unusable: why it cannot be taken, "" where it
    can. It is in the image all the same, so its sign is not exhaustive.
    """

    class_name: str
    x: float
    y: float
    tip: tuple[float, float] | None = None
    box: tuple[float, float] | None = None
    kind: str = ""
    unusable: str = ""


@dataclass(frozen=True)
class ClassValue:
    """What is said of a class for the whole image: presence 0 or 1, or a count.

    fault: why the value cannot be used (it is NaN then), None where it can. That matters where the class is taken.
    """

    class_name: str
    level: Literal["presence", "count"]
    value: float
    fault: Problem | None = None


@dataclass(frozen=True)
class Annotation:
    """What was annotated of one image.

    source: for messages. names: what the image may be called, the surest first: paths with `/`, or names without
    ending. size: (width, height) as the annotation says, None where it does not. values: of the whole image. rater:
    "" is the one of the options. hint: train, val or test where the source sorted it so; never a split of patients.
    as_stored: made by a program that shows images without the turn that their EXIF orientation asks for. relative:
    coordinates are shares of the upright image's width and height.
    """

    source: str
    names: tuple[str, ...]
    size: tuple[int, int] | None = None
    marks: tuple[Mark, ...] = ()
    values: tuple[ClassValue, ...] = ()
    rater: str = ""
    hint: str = ""
    as_stored: bool = False
    relative: bool = False

    @property
    def is_empty(self) -> bool:
        """Whether no person said anything of the image, which may never have been opened."""
        return not self.values and all(mark.unusable == PREDICTED for mark in self.marks)


@dataclass
class Annotations:
    """All that a source says, and all that is wrong with it.

    places: the source says where things are, so that a class without a mark in an image is absent there (or, at level
    partial, unknown). declared: the classes that were to be marked, where the source lists them; else only those that
    are marked somewhere are known to have been looked for. table: a table of the captures that the source itself is.
    notes: what was read and is not kept, or must be known, with how often.
    """

    images: list[Annotation] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    notes: Counter[str] = field(default_factory=Counter)
    places: bool = True
    declared: frozenset[str] | None = None
    table: Path | None = None


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
    columns of their own. table: instead, a table with a row for each file. file_is_patient: nobody knows the patients;
    each file is one (see labels/patients.py). keep_classes: classes that the map does not name become signs of their
    own. level: exhaustive where every instance of each class was annotated, else partial. missing_is_empty: an image
    without annotation shows none of the classes. empty_is_unknown: an image that is listed without any mark may never
    have been opened, and nothing is known of it; else it shows none of the classes. exclusive: a class not named for an
    image as a whole is absent there. tip_first: lines were drawn from tip to root. in_place: images lie under the out
    folder already and are referred to there; else they are linked (or, across disks, copied) to out/images.
    """

    pattern: str = ""
    table: Path | None = None
    file_is_patient: bool = False
    um_per_px: float | None = None
    class_map: ClassMap = ClassMap()
    keep_classes: bool = False
    preparation: str = ""
    rater: str = ""
    level: Level = "exhaustive"
    missing_is_empty: bool = False
    empty_is_unknown: bool = False
    exclusive: bool = False
    tip_first: bool = False
    in_place: bool = False
    overwrite: bool = False


@dataclass(frozen=True)
class ClassLine:
    """What became of one class. sign: None where the map leaves it out. kinds: what its marks were drawn as."""

    name: str
    sign: str | None
    read: int
    taken: int
    kinds: Mapping[str, int]
    dropped: Mapping[str, int]


@dataclass(frozen=True)
class ImportSummary:
    """What an import read, mapped and left out.

    objects_read: marks, and values of whole images. mapped: by sign; dropped: by reason. images_left_out: by reason.
    patients_notice: what every figure of this set must say. examples: first names with what was read from them.
    """

    folder: str
    captures: int
    patients: int
    patients_notice: str
    annotations_read: int
    objects_read: int
    mapped: Mapping[str, int]
    dropped: Mapping[str, int]
    classes: Sequence[ClassLine]
    images_left_out: Mapping[str, int]
    notes: Mapping[str, int]
    examples: Sequence[tuple[str, Mapping[str, str]]]

    def to_dict(self) -> dict[str, Any]:
        return dataclasses.asdict(self)


class ImportRefusal(InputError):  # noqa: N818 (of all that is wrong, not one error)
    """An import that cannot be made. examples: as in ImportSummary, to see beside the names that did not fit."""

    def __init__(self, problems: Sequence[Problem], examples: Sequence[tuple[str, Mapping[str, str]]]) -> None:
        super().__init__(problems)
        self.examples = examples


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

"""YOLO: a text file for each image, with boxes, oriented boxes, outlines or key points as shares of its size.

Read by own code: supervision 0.31 loses the key points (and needs OpenCV), labelformat 0.1 reads boxes alone, and
datumaro 1.13 refuses oriented boxes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from trichotrack.capture import SUFFIXES
from trichotrack.labels.importers import shapes
from trichotrack.labels.importers.common import Annotation, Annotations, Mark
from trichotrack.labels.importers.shapes import Point
from trichotrack.labels.importers.sources import finite, finite_text, read_bytes, text
from trichotrack.labels.signs_file import load_yaml
from trichotrack.problems import InputError, Problem

_REMEDY = "Name the data.yaml of the set, or the classes.txt that lies beside its label files."
_NOT_LABELS = frozenset({
    "classes", "predefined_classes", "train", "val", "valid", "test", "readme", "readme.dataset", "readme.roboflow",
    "notes", "license",
})  # fmt: skip
"""What text files beside labels are called. Read as labels all the same where an image is called so."""

_FARTHEST = 0.5
"""How far beyond the image a coordinate may lie, as a share of it, before it is taken for pixels."""


@dataclass(frozen=True)
class _Set:
    """names: class by number. keypoints: numbers for each point (2 or 3) and how many, (0, 0) for none. ends: (root,
    tip) positions by class number. hints: parts of paths that stand for train, val or test.
    """

    names: Mapping[int, str]
    keypoints: tuple[int, int]
    ends: Mapping[int, tuple[int | None, int | None]]
    hints: Sequence[tuple[str, tuple[str, ...]]]


def read_yolo(source: Path, *, images: Path | None = None, root: str = "root", tip: str = "tip") -> Annotations:
    """A set by its data.yaml (or classes.txt): label files in folders called labels, or beside the images.

    Five numbers are a box, nine the corners of an oriented one, more the points of an outline; with kpt_shape and
    kpt_names, key points called root and tip give a hair. An empty label file says that none of the classes is there;
    an image without a file is unknown. train, val and test become hints: YOLO sorts images, not patients. Paths in
    data.yaml are not followed. images: folder that the images are in or below, by default where source is: README.txt
    and its like are labels only of an image of that name. Every text file not read is named in the notes. Raises
    InputError where source is no such file; faults inside are noted.
    """
    source = _listing(Path(source))
    known = _known(source, root, tip)
    found = Annotations(declared=frozenset(known.names.values()))
    files, others = _label_files(source, source.parent if images is None else images)
    for file in files:
        place = file.relative_to(source.parent)
        image = PurePosixPath(*("images" if part == "labels" else part for part in place.with_suffix("").parts))
        marks = _marks(file, place.as_posix(), known, found.problems)
        hint = next((hint for hint, parts in known.hints if _holds(image.parts, parts)), "")
        found.images.append(Annotation(place.as_posix(), (image.as_posix(),), None, marks, hint=hint, relative=True))
    passed_over = ", ".join(file.relative_to(source.parent).as_posix() for file in others)
    if not found.images:
        remedy = "Put the folders images and labels beside it."
        but = f", but {passed_over}" if others else ""
        raise InputError(Problem(str(source), f"has no label file (.txt) beside or below it{but}", remedy))
    if others:
        why = "no image is called so, or they lie outside the folders called labels"
        found.notes[f"text files not read as labels ({why}): {passed_over}"] = len(others)
    return found


def _label_files(source: Path, images: Path) -> tuple[list[Path], list[Path]]:
    """(label files of a set, text files that are none)."""
    files = sorted(file for file in source.parent.rglob("*.txt") if file.is_file() and file != source)
    doubtful = {file for file in files if file.stem.lower() in _NOT_LABELS}
    if doubtful:
        called = {path.stem for path in images.rglob("*") if path.suffix.lower() in SUFFIXES}
        doubtful = {file for file in doubtful if file.stem not in called}
    plain = [file for file in files if file not in doubtful]
    labels = [file for file in plain if "labels" in file.relative_to(source.parent).parts[:-1]] or plain
    return labels, sorted(set(files) - set(labels))


def _listing(source: Path) -> Path:
    if not source.is_dir():
        return source
    listings = [path for name in ("data.yaml", "data.yml", "classes.txt") if (path := source / name).is_file()]
    if not listings:
        raise InputError(Problem(str(source), "holds neither data.yaml nor classes.txt", _REMEDY))
    return listings[0]


def _known(source: Path, root: str, tip: str) -> _Set:
    if source.suffix.lower() == ".txt":
        try:
            lines = read_bytes(source, _REMEDY).decode("utf-8-sig").splitlines()
        except UnicodeDecodeError:
            raise InputError(Problem(str(source), "is not UTF-8 text", "Save it as UTF-8.")) from None
        names = [line.strip() for line in lines if line.strip()]
        return _Set(dict(enumerate(names)), (0, 0), {}, ())
    read_bytes(source, _REMEDY)
    problems: list[Problem] = []
    content = load_yaml(source, problems)
    if problems:
        raise InputError(problems)
    raw = content.get("names") if isinstance(content, dict) else None
    by_number = dict(enumerate(raw)) if isinstance(raw, list) else raw
    sound = isinstance(by_number, dict) and all(type(key) is int for key in by_number)
    if not by_number or not sound or not all(isinstance(name, str | int | float) for name in by_number.values()):
        raise InputError(Problem(str(source), "gives no names of classes", "Add names: a list, or number: name."))
    names_of = {number: str(name).strip() for number, name in by_number.items()}
    keypoints, ends = _keypoints(content, names_of, source, root, tip)
    return _Set(names_of, keypoints, ends, _hints(content))


def _keypoints(
    content: Mapping[str, Any], names: Mapping[int, str], source: Path, root: str, tip: str
) -> tuple[tuple[int, int], dict[int, tuple[int | None, int | None]]]:
    raw = content.get("kpt_shape")
    if raw is None:
        return (0, 0), {}
    if not (isinstance(raw, list) and len(raw) == 2 and all(type(n) is int for n in raw)):
        raise InputError(Problem(str(source), "kpt_shape is not two whole numbers", "Write it as [2, 3]."))
    count, each = raw
    if not 1 <= count <= 1000 or each not in {2, 3}:
        raise InputError(Problem(str(source), "kpt_shape is not a number of points and 2 or 3", "Write it as [2, 3]."))
    listed = content.get("kpt_names")
    listed = (
        dict(enumerate(listed)) if isinstance(listed, list) and all(isinstance(x, list) for x in listed) else listed
    )
    if isinstance(listed, list):
        listed = dict.fromkeys(names, listed)
    ends: dict[int, tuple[int | None, int | None]] = {}
    for number in names:
        given = listed.get(number) if isinstance(listed, dict) else None
        called = [text(name).lower() for name in given] if isinstance(given, list) else []
        at = [called.index(end.lower()) if end.lower() in called else None for end in (root, tip)]
        ends[number] = (at[0], at[1])
    if all(first is None for first, _ in ends.values()):
        message = f"has key points (kpt_shape), and kpt_names calls none of them {root}"
        raise InputError(Problem(str(source), message, "Add kpt_names, or name the root with --root."))
    return (count, each), ends


def _hints(content: Mapping[str, Any]) -> list[tuple[str, tuple[str, ...]]]:
    hints = []
    for hint in ("train", "val", "test"):
        raw = content.get(hint)
        for entry in raw if isinstance(raw, list) else [raw]:
            parts = PurePosixPath(str(entry or "").replace("\\", "/")).parts
            named = tuple(part for part in parts if part not in {".", "..", "/"})
            if named:
                hints.append((hint, named))
    return hints


def _holds(parts: Sequence[str], wanted: Sequence[str]) -> bool:
    return any(tuple(parts[at : at + len(wanted)]) == tuple(wanted) for at in range(len(parts)))


def _marks(file: Path, place: str, known: _Set, problems: list[Problem]) -> tuple[Mark, ...]:
    try:
        lines = read_bytes(file, _REMEDY).decode("utf-8-sig").splitlines()
    except UnicodeDecodeError:
        problems.append(Problem(place, "is not text", "Replace or remove it."))
        return ()
    marks = []
    for row, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        mark = _mark(line.split(), known)
        if isinstance(mark, Mark):
            marks.append(mark)
        else:
            problems.append(Problem(place, mark, "Mend or remove the line.", row=row, value=line.strip()[:80]))
    return tuple(marks)


def _mark(cells: Sequence[str], known: _Set) -> Mark | str:
    """The mark of a line, or what is wrong with it."""
    numbers = [finite_text(cell) for cell in cells]
    if None in numbers:
        return "is not a line of numbers"
    kind, *shares = (number for number in numbers if number is not None)
    if not kind.is_integer() or int(kind) not in known.names:
        return "begins with a class that has no name"
    name = known.names[int(kind)]
    count, each = known.keypoints
    if count and len(shares) == 4 + count * each:
        return _hair(name, shares, each, known.ends[int(kind)])
    if len(shares) < 4 or (len(shares) % 2 and len(shares) != 4):
        return f"has {len(shares)} numbers after the class, and neither a box nor an outline has so many"
    if any(not -_FARTHEST <= share <= 1 + _FARTHEST for share in shares):
        return "has coordinates that are not shares of the image (from 0 to 1)"
    if len(shares) == 4:
        return _box(name, shares)
    if len(shares) < 6:
        return f"has {len(shares)} numbers after the class, and neither a box nor an outline has so many"
    points: list[Point] = list(zip(shares[::2], shares[1::2], strict=True))
    return shapes.box(name, points[0], points[2], points) if len(points) == 4 else shapes.outline(name, points)


def _box(name: str, shares: Sequence[float]) -> Mark:
    x, y, width, height = shares
    return shapes.box(name, (x - width / 2, y - height / 2), (x + width / 2, y + height / 2))


def _hair(name: str, shares: Sequence[float], each: int, ends: tuple[int | None, int | None]) -> Mark:
    """A point at 0, 0 or with visibility 0 is one that was not marked."""

    def at(position: int | None) -> Point | None:
        if position is None:
            return None
        point = shares[4 + position * each : 4 + (position + 1) * each]
        marked = point[2] > 0 if each == 3 else any(point)
        return (point[0], point[1]) if marked and finite(point[0]) is not None else None

    size = (shares[2], shares[3]) if shares[2] > 0 and shares[3] > 0 else None
    if ends[0] is None:
        return _box(name, shares[:4])
    return shapes.keypoints(name, at(ends[0]), at(ends[1]), size)

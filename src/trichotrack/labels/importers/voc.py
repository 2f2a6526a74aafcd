"""Pascal VOC annotations, and their dialect in which a box is the vector from a hair's root to its tip."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections import Counter
from pathlib import Path

from trichotrack.labels.cells import parse_number
from trichotrack.labels.importers.common import (
    AnnotatedImage,
    ImportOptions,
    ImportSummary,
    Mark,
    assemble,
    images_in,
)
from trichotrack.problems import InputError, Problem

CORNERS = ("xmin", "ymin", "xmax", "ymax")


def import_voc(
    annotations_dir: Path, images_dir: Path, out: Path, options: ImportOptions, *, vectors: bool = False
) -> ImportSummary:
    """One XML file for each image, matched by name, to a labelled folder at out.

    The class is read from <name> or <class>. vectors: (xmin, ymin) is the root and (xmax, ymax) the tip, in whatever
    order the corners lie; else the box gives a centre with box_w and box_h. Annotations without an image are left
    out and counted; images without an annotation are unknown, not empty, and left out too. Raises InputError with all
    problems at once, having written nothing.
    """
    annotations_dir, images_dir, out = Path(annotations_dir), Path(images_dir), Path(out)
    available = images_in(images_dir, out, in_place=options.in_place)
    by_stem: dict[str, list[Path]] = {}
    for path in available.values():
        by_stem.setdefault(path.stem, []).append(path)
    sources = sorted(annotations_dir.rglob("*.xml")) if annotations_dir.is_dir() else []
    if not sources:
        raise InputError(Problem(str(annotations_dir), "holds no .xml file", "Name the folder of the annotations."))
    problems: list[Problem] = []
    dropped: Counter[str] = Counter()
    images = []
    for source in sources:
        try:
            root = ET.parse(source).getroot()  # noqa: S314  # expat refuses external entities; sizes are bounded by it
        except (ET.ParseError, OSError, ValueError, LookupError) as error:
            problems.append(Problem(source.name, f"is not readable XML ({error})", "Replace or remove it."))
            continue
        named = (root.findtext("filename") or "").replace("\\", "/").rsplit("/", 1)[-1].strip()
        found = by_stem.get(source.stem) or by_stem.get(named.rsplit(".", 1)[0]) or []
        marks = _marks(root, source.name, problems, vectors=vectors)
        if len(found) > 1:
            names = ", ".join(str(path.relative_to(images_dir)) for path in found)
            problems.append(Problem(source.name, f"may be of several images ({names})", "Name them apart."))
        elif not found:
            dropped["its annotation has no image"] += len(marks)
        else:
            images.append(AnnotatedImage(source.name, found[0], _size(root), tuple(marks)))
    return assemble(images, images_dir, out, options, dropped, problems)


def _size(root: ET.Element) -> tuple[int, int] | None:
    width, height = (parse_number(root.findtext(f"size/{side}", "").strip()) for side in ("width", "height"))
    if isinstance(width, str) or isinstance(height, str) or not (width and height):
        return None
    return int(width), int(height)


def _marks(root: ET.Element, place: str, problems: list[Problem], *, vectors: bool) -> list[Mark]:
    marks = []
    for number, element in enumerate(root.iter("object"), start=1):
        name = (element.findtext("name") or element.findtext("class") or "").strip()
        corners = []
        for corner in CORNERS:
            text = element.findtext(f"bndbox/{corner}", "").strip()
            value = parse_number(text)
            if isinstance(value, str):
                message = f"object {number} ({name}): {corner} {value}"
                problems.append(Problem(place, message, "Mend or remove the object.", column=corner, value=text))
            else:
                corners.append(value)
        if len(corners) == len(CORNERS):
            marks.append(_mark(name, corners, vectors=vectors))
    return marks


def _mark(name: str, corners: list[float], *, vectors: bool) -> Mark:
    x0, y0, x1, y1 = corners
    if vectors:
        return Mark(name, x0, y0, tip=(x1, y1))
    width, height = abs(x1 - x0), abs(y1 - y0)
    unusable = "" if width and height else "its box has no area"
    return Mark(name, (x0 + x1) / 2, (y0 + y1) / 2, box=(width, height), unusable=unusable)

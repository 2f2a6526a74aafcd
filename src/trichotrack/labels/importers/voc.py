"""Pascal VOC annotations, and their dialect in which a box is the vector from a hair's root to its tip.

Read by own code: supervision 0.31 sorts the corners, and with them the vectors' direction, and moves them by a pixel.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path

from trichotrack.labels.cells import parse_number
from trichotrack.labels.importers import shapes
from trichotrack.labels.importers.common import Annotation, Annotations, Mark
from trichotrack.labels.importers.sources import files_below, finite_text, read_xml, whole_size
from trichotrack.problems import InputError, Problem

CORNERS = ("xmin", "ymin", "xmax", "ymax")
_KEPT = frozenset({"name", "class", "bndbox"})
_SAYS_NOTHING = frozenset({"", "0", "Unspecified"})
"""What labelling programs write into <pose>, <truncated> and <difficult> unasked."""


def read_voc(source: Path, *, vectors: bool = False) -> Annotations:
    """A folder of XML files, one for each image, matched by name.

    The class is read from <name> or <class>. vectors: (xmin, ymin) is the root and (xmax, ymax) the tip, in whatever
    order the corners lie; else the box gives a centre with box_w and box_h. Images without an annotation are unknown,
    not empty. Raises InputError where source holds no XML; faults inside are noted.
    """
    found = Annotations()
    remedy = "Name the folder of the annotations."
    for file in files_below(Path(source), ".xml", remedy):
        try:
            root = read_xml(file, remedy)
        except InputError as error:
            found.problems += error.problems
            continue
        marks = _marks(root, file.name, found, vectors=vectors)
        size = whole_size(*(finite_text(root.findtext(f"size/{side}")) for side in ("width", "height")))
        names = (file.stem, (root.findtext("filename") or "").strip())
        found.images.append(Annotation(file.name, tuple(name for name in names if name), size, tuple(marks)))
    return found


def _marks(root: ET.Element, place: str, found: Annotations, *, vectors: bool) -> list[Mark]:
    marks = []
    for number, element in enumerate(root.iter("object"), start=1):
        name = (element.findtext("name") or element.findtext("class") or "").strip()
        corners = []
        for corner in CORNERS:
            text = element.findtext(f"bndbox/{corner}", "").strip()
            value = parse_number(text)
            if isinstance(value, str):
                message = f"object {number} ({name}): {corner} {value}"
                found.problems.append(
                    Problem(place, message, "Mend or remove the object.", column=corner, value=text[:80])
                )
            else:
                corners.append(value)
        if len(corners) == len(CORNERS):
            first, second = (corners[0], corners[1]), (corners[2], corners[3])
            marks.append(shapes.line(name, (first, second)) if vectors else shapes.box(name, first, second))
        said = {child.tag for child in element if (child.text or "").strip() not in _SAYS_NOTHING}
        for tag in sorted(said - _KEPT):
            found.notes[f"marks whose <{tag}> is not kept"] += 1
    return marks

"""Fiji and ImageJ: the Cell Counter's XML, and regions of interest (.roi, or a RoiSet.zip of the ROI manager).

ROI files are read by roifile (BSD-3-Clause), which knows their versions; the XML by own code, for it is a few lines.
"""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from trichotrack.labels.importers import shapes
from trichotrack.labels.importers.common import Annotation, Annotations, Mark
from trichotrack.labels.importers.sources import finite_text, read_bytes, read_xml
from trichotrack.problems import InputError, Problem, with_extra

if TYPE_CHECKING:
    from roifile import ImagejRoi

_REMEDY = "Name the folder of the Cell Counter's .xml files or of the .zip and .roi files of the ROI manager."
_CENTRE = 0.5
"""For ImageJ a point or line at 0, 0 lies in the middle of the first pixel; areas are told by the corners of pixels."""

_OF_PLACE = re.compile(r"[0-9]{4,}(-[0-9]{4,}){1,2}(-[0-9]+)?")
"""Names that ImageJ makes of a region's place (and slice), as 0104-0073."""

_NUMBERED = re.compile(r"[-_ ]*[0-9]+")
_ROI_SET = re.compile(r"^roi[-_ ]?set[-_ ]*|[-_ ]*roi[-_ ]?set$|^rois?[-_ ]+|[-_ ]+rois?$", re.IGNORECASE)
MAX_SET_BYTES, MAX_ROIS = 64 * 2**20, 100_000
UNNAMED = "(unnamed)"


def read_imagej(source: Path) -> Annotations:
    """A folder of such files, or one of them.

    Cell Counter: the image is the one the file names, and the class the counter's name (Type 1). A set of regions is
    called as its image (P001_1.zip, RoiSet_P001_1.zip), or lies as RoiSet.zip or as .roi files in a folder called as
    the image; a .roi file in source itself is called as its image. The class of a region is its group (group 1), else
    its name without the number at its end, else (unnamed); of a multi-point, counters above 0 are told apart. Lines
    run from root to tip as drawn; rectangles, ovals and polygons are at their centre. Raises InputError where there is
    no such file; faults inside are noted.
    """
    source = Path(source)
    found = Annotations()
    kinds = (".xml", ".zip", ".roi")
    files = [source] if source.is_file() else sorted(file for file in source.rglob("*") if file.suffix.lower() in kinds)
    if not files:
        raise InputError(Problem(str(source), "holds no .xml, .zip or .roi file", _REMEDY))
    by_folder: dict[Path, list[Mark]] = {}
    for file in files:
        try:
            if file.suffix.lower() == ".xml":
                found.images.append(_counter(file))
            elif file.suffix.lower() == ".zip":
                marks = [mark for name, data in _members(file) for mark in _roi(file.name, name, data)]
                found.images.append(_set(file, _image_name(file), marks))
            elif source in {file, file.parent}:
                found.images.append(_set(file, file.stem, _roi(file.name, file.stem, read_bytes(file, _REMEDY))))
            else:
                marks = by_folder.setdefault(file.parent, [])
                marks += _roi(f"{file.parent.name}/{file.name}", file.stem, read_bytes(file, _REMEDY))
        except InputError as error:
            found.problems += error.problems
    found.images += [_set(folder, folder.name, marks) for folder, marks in by_folder.items()]
    return found


def _set(file: Path, image: str, marks: list[Mark]) -> Annotation:
    return Annotation(file.name, (image,), marks=tuple(marks), as_stored=True)


def _image_name(file: Path) -> str:
    """P001_1 for P001_1.zip, RoiSet_P001_1.zip and P001_1/RoiSet.zip."""
    return _ROI_SET.sub("", file.stem) or file.parent.name


def _counter(file: Path) -> Annotation:
    root = read_xml(file, _REMEDY)
    if root.tag != "CellCounter_Marker_File":
        message = f"is not of the Cell Counter: it begins with <{root.tag[:40]}>"
        raise InputError(Problem(file.name, message, "Take it out of the folder."))
    marks = []
    for kind in root.iter("Marker_Type"):
        number = (kind.findtext("Type") or "").strip()
        name = (kind.findtext("Name") or "").strip() or f"Type {number}"
        for marker in kind.iter("Marker"):
            x, y = (finite_text(marker.findtext(tag)) for tag in ("MarkerX", "MarkerY"))
            if x is None or y is None:
                marks.append(shapes.unusable(name, shapes.NOT_FINITE))
            elif (finite_text(marker.findtext("MarkerZ")) or 1) > 1:
                marks.append(shapes.unusable(name, "it is on another slice than the first"))
            else:
                marks.append(shapes.point(name, (x + _CENTRE, y + _CENTRE)))
    image = (root.findtext("Image_Properties/Image_Filename") or "").strip()
    names = tuple(name for name in (image, file.stem.removeprefix("CellCounter_")) if name)
    return Annotation(file.name, names, marks=tuple(marks), as_stored=True)


def _members(file: Path) -> Iterator[tuple[str, bytes]]:
    """(name without ending, content) of the regions of a set. Nothing is unpacked to the disk."""
    remedy = "Save the regions again from the ROI manager."
    data = io.BytesIO(read_bytes(file, _REMEDY))
    try:
        with zipfile.ZipFile(data) as archive:
            members = [member for member in archive.infolist() if member.filename.lower().endswith(".roi")]
            unpacked = sum(member.file_size for member in members)
            fault = "" if members else "holds no .roi file"
            if len(members) > MAX_ROIS or unpacked > MAX_SET_BYTES:
                fault = f"unpacks to {len(members)} regions of {unpacked / 2**20:.0f} MiB, more than is read of one set"
            if not fault:
                for member in members:
                    yield Path(member.filename.replace("\\", "/")).stem, archive.read(member)
    except Exception as error:  # noqa: BLE001 (zipfile and zlib raise whatever a broken file trips over)
        fault = f"is not a readable zip archive ({error})"
    if fault:
        raise InputError(Problem(file.name, fault, remedy))


def _roi(place: str, member: str, data: bytes) -> list[Mark]:
    try:
        from roifile import ImagejRoi
    except ImportError:
        raise InputError(f"ROI files need roifile to be read. {with_extra('labels')}") from None
    try:
        roi = ImagejRoi.frombytes(data)
        return list(_marks(roi, _class(roi.name or member, roi.group)))
    except Exception as error:  # noqa: BLE001 (a broken file trips numpy and struct wherever it will)
        message = f"{member} is not a readable region ({error})"
        raise InputError(Problem(place, message, "Remove it, or save it again.")) from None


def _class(name: str, group: int) -> str:
    if group:
        return f"group {group}"
    name = name.strip().removesuffix(".roi")
    bare = "" if _OF_PLACE.fullmatch(name) else name
    ending = re.search(rf"{_NUMBERED.pattern}$", bare)
    return (bare[: ending.start()] if ending else bare) or UNNAMED


def _marks(roi: ImagejRoi, name: str) -> Iterator[Mark]:
    from roifile import ROI_SUBTYPE, ROI_TYPE

    if roi.composite or roi.subtype in {ROI_SUBTYPE.TEXT, ROI_SUBTYPE.IMAGE}:
        yield shapes.unusable(name, "a region of several parts, a text or a picture has no one place")
        return
    if roi.roitype in {ROI_TYPE.RECT, ROI_TYPE.OVAL}:
        left, top, right, bottom = float(roi.left), float(roi.top), float(roi.right), float(roi.bottom)
        if roi.subpixelrect:
            left, top, right, bottom = roi.xd, roi.yd, roi.xd + roi.widthd, roi.yd + roi.heightd
        yield shapes.box(name, (left, top), (right, bottom))
        return
    if roi.roitype == ROI_TYPE.FREEHAND and roi.subtype in {ROI_SUBTYPE.ELLIPSE, ROI_SUBTYPE.ROTATED_RECT}:
        # Its axis is stored, and the middle of it is the middle of the region.
        middle = ((roi.x1 + roi.x2) / 2, (roi.y1 + roi.y2) / 2)
        yield shapes.point(name, middle)
        return
    coordinates = roi.coordinates()
    points = [(float(x), float(y)) for x, y in coordinates]
    if any(abs(value) > 1e9 or value != value for at in points for value in at):  # noqa: PLR0124 (NaN)
        yield shapes.unusable(name, shapes.NOT_FINITE)
    elif roi.roitype == ROI_TYPE.POINT:
        counters = [] if roi.counters is None or not roi.counters.any() else roi.counters.tolist()
        for number, (x, y) in enumerate(points):
            counted = f"{name} counter {counters[number]}" if counters else name
            yield shapes.point(counted, (x + _CENTRE, y + _CENTRE))
    elif roi.roitype in {ROI_TYPE.LINE, ROI_TYPE.POLYLINE, ROI_TYPE.FREELINE}:
        yield shapes.line(name, [(x + _CENTRE, y + _CENTRE) for x, y in points])
    elif roi.roitype in {ROI_TYPE.POLYGON, ROI_TYPE.FREEHAND, ROI_TYPE.TRACED}:
        yield shapes.outline(name, points)
    else:
        yield shapes.unusable(name, f"a region of type {roi.roitype.name.lower()} has no root")

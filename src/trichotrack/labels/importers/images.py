"""The images of an import: found by the names that annotations give them, measured, and put beside the tables."""

from __future__ import annotations

import os
import shutil
import warnings
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from trichotrack.capture import FORMATS, SUFFIXES
from trichotrack.labels.importers.common import Annotation
from trichotrack.problems import InputError, Problem

_ORIENTATION = 0x0112
_TURNED = frozenset({5, 6, 7, 8})
_REMEDY_TURNED = (
    "Either remove the orientation tag from the file, so that it shows as it was annotated, or annotate the upright "
    "image again."
)


def images_in(folder: Path, out: Path, *, in_place: bool) -> dict[str, Path]:
    """Image files below a folder by their path in it, with `/`, but for those that an import to out linked there.

    Raises InputError where there is no such folder.
    """
    if not folder.is_dir():
        raise InputError(Problem(str(folder), "is not a folder", "Name the folder of the images with --images."))
    placed = (out / "images").resolve()
    own = None if in_place or folder.resolve().is_relative_to(placed) else placed
    found = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)
    return {
        path.relative_to(folder).as_posix(): path
        for path in found
        if own is None or not path.resolve().is_relative_to(own)
    }


def none_found(folder: Path, out: Path, *, in_place: bool) -> Problem:
    """Why no annotated image was found below a folder: images_in passes over what lies in out/images."""
    hidden = len(images_in(folder, out, in_place=True)) - len(images_in(folder, out, in_place=in_place))
    if not hidden:
        remedy = "Check both folders: --images names that of the images."
        return Problem(str(folder), "no annotated image was found", remedy)
    there = f"what lies in {out / 'images'} is passed over ({hidden} image{'s' * (hidden > 1)})"
    message = f"no annotated image was found: {there}, for imports to {out} put theirs there"
    remedy = "Refer to them where they are with --in-place, or name another --out."
    return Problem(str(folder), message, remedy)


class ImageIndex:
    """Finds files by what others call them. Only files of the index are ever found, whatever a name says."""

    def __init__(self, files: Collection[str]) -> None:
        """files: paths with `/`."""
        self._files = frozenset(files)
        self._by_name: dict[str, list[str]] = defaultdict(list)
        self._by_stem: dict[str, list[str]] = defaultdict(list)
        for file in files:
            name = file.rsplit("/", 1)[-1]
            self._by_name[name].append(file)
            self._by_stem[PurePosixPath(name).stem].append(file)

    def find(self, names: Sequence[str]) -> list[str]:
        """The files that names may mean, by the first of them that means any: its path, its name, or its stem.

        Of several of one name, those that share most of the folders it was given with.
        """
        for given in names:
            name = given.replace("\\", "/").strip().removeprefix("./")
            if name in self._files:
                return [name]
            *folders, last = name.split("/")
            found = self._by_name.get(last) or self._by_stem.get(last) or self._by_stem.get(PurePosixPath(last).stem)
            if found:
                shared = [_shared(folders, file.split("/")[:-1]) for file in found]
                return [
                    file for file, folders_shared in zip(found, shared, strict=True) if folders_shared == max(shared)
                ]
        return []


def _shared(one: Sequence[str], other: Sequence[str]) -> int:
    """How many of the last folders are the same."""
    same = 0
    for folder, beside in zip(reversed(one), reversed(other), strict=False):
        if folder != beside:
            break
        same += 1
    return same


@dataclass(frozen=True)
class Raster:
    """An image as its header describes it. width, height: upright. orientation: of EXIF; 1 is upright as stored."""

    width: int
    height: int
    orientation: int

    @property
    def stored(self) -> tuple[int, int]:
        """(width, height) before the orientation turns it."""
        size = (self.width, self.height)
        return size[::-1] if self.orientation in _TURNED else size


def raster_of(path: Path) -> Raster:
    """The size of an image from its header. Raises InputError where it is none that can be read."""
    from PIL import Image

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(path, formats=FORMATS) as opened:
                orientation = int(opened.getexif().get(_ORIENTATION, 1))
                width, height = opened.size
    except Exception as error:  # noqa: BLE001 (decoders raise whatever a broken file trips over)
        raise InputError(Problem(str(path), f"is not a readable image ({error})", "Replace or remove it.")) from None
    if orientation in _TURNED:
        width, height = height, width
    return Raster(width, height, orientation if orientation in range(1, 9) else 1)


def misplaced(annotation: Annotation, name: str, raster: Raster) -> Problem | None:
    """Why marks of an annotation would be displaced on this image (they were made on another size, or unturned)."""
    upright = f"{raster.width}x{raster.height}"
    if annotation.as_stored and raster.orientation != 1:
        message = f"was made by a program that shows images as stored, while {name} is to be turned (EXIF orientation)"
        return Problem(annotation.source, message, _REMEDY_TURNED)
    if annotation.size is None or annotation.size == (raster.width, raster.height):
        return None
    given = f"{annotation.size[0]}x{annotation.size[1]}"
    if annotation.size == raster.stored:
        message = f"says {given} px, the size of {name} before its EXIF orientation turns it ({upright} upright)"
        return Problem(annotation.source, message, _REMEDY_TURNED)
    return Problem(
        annotation.source,
        f"says {given} px while {name} has {upright}",
        "Annotate the image at its own size and orientation, or replace the image.",
    )


def is_unproven(annotation: Annotation, raster: Raster) -> bool:
    """Whether the image is to be turned, and the annotation's size cannot show that it was made on the turned one."""
    told = annotation.size is not None and raster.orientation in _TURNED and raster.width != raster.height
    return bool(annotation.marks) and raster.orientation != 1 and not told


def place_images(images: Mapping[str, Path], out: Path) -> None:
    """Each image linked (or, across disks, copied) to the file below out."""
    for file, source in images.items():
        target = out / file
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.exists() and target.samefile(source):
            continue
        target.unlink(missing_ok=True)
        link_or_copy(source, target)


def link_or_copy(source: Path, target: Path, link: Callable[[Path, Path], None] = os.link) -> None:
    """A hard link where the disk allows it, else a copy."""
    try:
        link(source, target)
    except OSError:
        shutil.copyfile(source, target)

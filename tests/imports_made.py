"""Images to be annotated, and an import of them as the command makes it, for the tests of importers."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from labels_fixture import save_image
from trichotrack.labels.importers.assemble import assemble
from trichotrack.labels.importers.common import Annotations, ClassMap, ImportOptions, ImportSummary
from trichotrack.labels.read import read_labels
from trichotrack.labels.tables import LabelSet

BY_NAME = "{patient}_{n}"
MAP = ClassMap({"dot": "black_dot", "hair": "broken_hair", "dirt": None})
Object = tuple[str, str, float, float, float | None, float | None, float | None, float | None]


def save_images(folder: Path, names: Sequence[str] = ("P1_1", "P1_2", "P2_1")) -> Path:
    """64 x 48 px each."""
    for name in names:
        save_image(folder / f"{name}.jpg", seed=zlib.crc32(f"{'/'.join(folder.parts[-2:])}/{name}".encode()))
    return folder


def save_turned(path: Path, orientation: int = 6, size: tuple[int, int] = (48, 64)) -> None:
    """size: (width, height) as stored; orientation 6 is to be turned by a quarter."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.zeros((size[1], size[0], 3), np.uint8)).save(path, exif=exif)


def bring_in(found: Annotations, folder: Path, **options: object) -> tuple[ImportSummary, LabelSet]:
    """Imports what was found of the images in folder/images to folder/out, by name unless told otherwise."""
    given = {"pattern": BY_NAME, "class_map": MAP, **options}
    summary = assemble(found, folder / "images", folder / "out", ImportOptions(**given))  # type: ignore[arg-type]
    return summary, read_labels(folder / "out", check_images=True)


def objects_of(labelset: LabelSet) -> list[Object]:
    """(file, sign, x, y, tip, box), rounded to a millionth of a pixel."""

    def rounded(number: float | None) -> float | None:
        return None if number is None else round(number, 6)

    return [
        (Path(o.file).stem, o.sign, round(o.x, 6), round(o.y, 6), rounded(o.tip_x), rounded(o.tip_y),
         rounded(o.box_w), rounded(o.box_h))
        for o in labelset.objects
    ]  # fmt: skip


def levels_of(labelset: LabelSet) -> dict[tuple[str, str], str]:
    """Level, with its value where it has one, by file and sign."""
    return {
        (Path(row.file).stem, row.sign): row.level if row.value is None else f"{row.level} {row.value:g}"
        for row in labelset.labels
    }

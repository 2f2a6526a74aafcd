"""Small labelled folders, written plainly (not by write_labels) so that reading is tested against an outside writer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

Rows = Sequence[Sequence[object]]

CAPTURES = ["file", "patient", "visit", "site", "field", "um_per_px", "preparation", "date", "split", "valid_area"]
LABELS = ["file", "sign", "level", "value", "rater"]
OBJECTS = ["id", "file", "sign", "x", "y", "tip_x", "tip_y", "rater"]


def sound_tables() -> dict[str, list[list[object]]]:
    """Three captures of three patients, nothing wrong with them."""
    return {
        "captures": [
            list(CAPTURES),
            ["images/a.jpg", "007", "v1", "vertex", "1", 2.5, "none", "2026-03-04", "train", ""],
            ["images/b.jpg", "8", "v1", "vertex", "1", 2.5, "none", "2026-03", "val", ""],
            ["images/c.jpg", "9", "v1", "vertex", "1", "", "clipped", "", "", ""],
        ],
        "labels": [
            list(LABELS),
            ["images/a.jpg", "black_dot", "exhaustive", "", ""],
            ["images/a.jpg", "broken_hair", "partial", "", ""],
            ["images/b.jpg", "black_dot", "count", 3, ""],
            ["images/c.jpg", "yellow_dot", "presence", 1, "second"],
        ],
        "objects": [
            list(OBJECTS),
            ["1", "images/a.jpg", "black_dot", 12.5, 20.25, "", "", ""],
            ["2", "images/a.jpg", "broken_hair", 30, 40, 35.5, 28, ""],
        ],
    }


def save_csv(
    folder: Path, tables: Mapping[str, Rows], *, separator: str = ",", decimal: str = ".", bom: bool = False
) -> None:
    """As a spreadsheet saves: every cell of numbers with its decimal mark."""

    def cell(value: object) -> str:
        text = str(value).replace(".", decimal) if isinstance(value, float) else str(value)
        return f'"{text}"' if separator in text else text

    for stem, rows in tables.items():
        text = "".join(separator.join(map(cell, row)) + "\r\n" for row in rows)
        (folder / f"{stem}.csv").write_bytes(text.encode("utf-8-sig" if bom else "utf-8"))


def save_xlsx(folder: Path, tables: Mapping[str, Rows]) -> None:
    import openpyxl

    for stem, rows in tables.items():
        book = openpyxl.Workbook()
        for row in rows:
            book.active.append([None if value == "" else value for value in row])
        book.save(folder / f"{stem}.xlsx")


def save_image(path: Path, size: tuple[int, int] = (64, 48), seed: int = 0) -> None:
    """Noise of its own for each seed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(seed).integers(0, 255, (size[1], size[0], 3), dtype=np.uint8)
    Image.fromarray(noise).save(path)


def save_images(folder: Path) -> None:
    for seed, name in enumerate(("a.jpg", "b.jpg", "c.jpg")):
        save_image(folder / "images" / name, seed=seed)

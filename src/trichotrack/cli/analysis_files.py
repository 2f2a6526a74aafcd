"""The folder that `analyze` writes: readings, tables, overlay pictures."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from trichotrack.labels.spreadsheet import csv_text, escape, number_text
from trichotrack.pictures import overlay, save_picture
from trichotrack.problems import Problem
from trichotrack.runtime import tables
from trichotrack.runtime.reading import MarkedObject, Reading
from trichotrack.signs import Sign

FORMATS = ("json", "csv", "overlay")
_LONGEST_NAME = 100


class AnalysisFolder:
    """Where the results of one run go: readings/NAME.json, overlays/NAME.jpg and three tables.

    names: by capture, the NAME under which its results are found; unique, and free of what a file system refuses.
    """

    def __init__(self, folder: Path, captures: Sequence[Path], formats: Collection[str]) -> None:
        self.folder = folder
        self.formats = formats
        self.names = output_names(captures)
        folder.mkdir(parents=True, exist_ok=True)

    def forget(self, capture: Path) -> None:
        """Removes what an earlier run left for this capture, so that no old result passes for one of this run."""
        for path in self._paths(capture):
            path.unlink(missing_ok=True)

    def write(self, capture: Path, reading: Reading, draw: Callable[[Path], None]) -> None:
        json_path, picture_path = self._paths(capture)
        if "json" in self.formats:
            json_path.parent.mkdir(exist_ok=True)
            json_path.write_text(reading.to_json() + "\n", encoding="utf-8")
        if "overlay" in self.formats:
            draw(picture_path)

    def write_tables(self, readings: Sequence[Reading], problems: Sequence[Problem]) -> None:
        """readings.csv and objects.csv where tables are wanted; problems.csv always, empty where all went well."""
        if "csv" in self.formats:
            self._table("readings", tables.READING_COLUMNS, tables.reading_rows(readings))
            self._table("objects", tables.OBJECT_COLUMNS, tables.object_rows(readings))
        self._table("problems", tables.PROBLEM_COLUMNS, tables.problem_rows(problems))

    def _paths(self, capture: Path) -> tuple[Path, Path]:
        name = self.names[capture]
        return self.folder / "readings" / f"{name}.json", self.folder / "overlays" / f"{name}.jpg"

    def _table(self, name: str, columns: Sequence[str], rows: Iterable[Sequence[tables.Cell]]) -> None:
        text = csv_text(columns, ([cell_text(cell) for cell in row] for row in rows))
        # The byte order mark makes Excel read µ and umlauts as they are.
        (self.folder / f"{name}.csv").write_text(text, encoding="utf-8-sig", newline="\n")


def cell_text(cell: tables.Cell) -> str:
    """A cell as CSV text: nothing for None, formulas defused."""
    if cell is None:
        return ""
    if isinstance(cell, bool):
        return "true" if cell else "false"
    return number_text(cell) if isinstance(cell, int | float) else escape(cell)


def draw_overlay(
    pixels: NDArray[np.uint8],
    reading: Reading,
    signs: Mapping[str, Sign],
    path: Path,
    scalp: NDArray[np.bool_] | None = None,
) -> None:
    """The capture with its marks, refusals, flags and the model's notice, as a picture at path.

    scalp: (H, W), what is paled elsewhere; None: everywhere.
    """
    refused = {name: f"not counted ({sign.reason})" for name, sign in reading.signs.items() if sign.status == "refused"}
    scale = f", {reading.scale.um_per_px:.3g} µm per px" if reading.scale else ""
    said = [*reading.quality.flags, *reading.warnings]
    if scalp is not None:
        pixels = np.where(scalp[..., None], pixels, pixels // 3 + np.uint8(170))
        said.append("what is pale is not scalp and not counted")
    notice = reading.model.notice if reading.model else ""
    lines = [
        f"{Path(reading.file).name}{scale}" + (f": {'; '.join(said)}" if said else ""),
        f"{notice} Not a medical device.".strip(),
    ]
    picture = overlay(
        pixels, [mark_of(mark) for mark in reading.objects], signs,
        caption="\n".join(lines), remarks=refused,
    )  # fmt: skip
    save_picture(picture, path)


def mark_of(mark: MarkedObject) -> tuple[str, float, float, tuple[float, float] | None]:
    """An object of a reading as pictures take it."""
    tip = (mark.tip_x, mark.tip_y) if mark.tip_x is not None and mark.tip_y is not None else None
    return mark.sign, mark.x, mark.y, tip


def output_names(captures: Sequence[Path]) -> dict[Path, str]:
    """A file name (without suffix) for each capture: its own, with as much of its suffix and folders as tells it apart.

    Compared without regard to case, as Windows and macOS do.
    """
    names: dict[Path, str] = {}
    taken: set[str] = set()
    waiting = list(captures)
    depth = max((len(path.parts) for path in captures), default=0)
    for parts in range(-1, depth):
        wanted = {path: _name(path, parts) for path in waiting}
        count: dict[str, int] = {}
        for name in wanted.values():
            count[name.casefold()] = count.get(name.casefold(), 0) + 1
        alone = {path: name for path, name in wanted.items() if count[name.casefold()] == 1}
        names |= {path: name for path, name in alone.items() if name.casefold() not in taken}
        taken |= {names[path].casefold() for path in waiting if path in names}
        waiting = [path for path in waiting if path not in names]
    for path in waiting:
        digest = hashlib.sha256(path.as_posix().encode("utf-8", "surrogatepass")).hexdigest()
        names[path] = f"{_name(path, 0)}_{digest[:12]}"
    return names


def _name(path: Path, folders: int) -> str:
    """folders -1: the stem; 0: with its suffix; more: with so many of its folders before it."""
    if folders < 0:
        return _plain(path.stem)
    parents = [part for part in path.parent.parts if part not in {"..", path.anchor}][-folders:] if folders else []
    return _plain("_".join([*parents, path.name.replace(".", "_")]))


def _plain(name: str) -> str:
    plain = re.sub(r"[^\w.-]+", "_", name).strip("._") or "capture"
    if len(plain) <= _LONGEST_NAME:
        return plain
    return f"{plain[-_LONGEST_NAME:]}_{hashlib.sha256(name.encode('utf-8', 'surrogatepass')).hexdigest()[:8]}"

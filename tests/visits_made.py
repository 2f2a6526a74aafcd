"""Made captures, readings and a reader for tests of the record: no model, no real pictures."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import numpy as np
from PIL import Image

from trichotrack.capture import Capture, Quality
from trichotrack.geometry import Scale
from trichotrack.problems import InputError, Problem
from trichotrack.runtime.reading import MarkedObject, ModelRef, Reading, SignReading
from trichotrack.visits.series import ReadCapture

SIGNS = ("black_dot", "broken_hair", "tapering_hair", "short_vellus_hair", "terminal_hair")
MODEL = ModelRef("made", "a" * 64, 1, validated=False, notice="Made model: nothing it says is true.")
VALIDATED = ModelRef("made", "a" * 64, 1, validated=True)


def reading(
    counts, *, scale=None, area=0.1, model=VALIDATED, refused=(), author="model", sha256="0" * 64, size=(400, 300)
):
    """counts: by sign. refused: signs refused, with one reason."""
    signs = {
        name: SignReading("refused", "2.1 px per hair; 3 needed")
        if name in refused
        else SignReading("counted", count=count, density_per_cm2=count / area if area else None)
        for name, count in counts.items()
    }
    objects = tuple(
        MarkedObject(f"{name}{i}", name, 10.0 + i, 20.0)
        for name, count in counts.items()
        if name not in refused
        for i in range(count)
    )
    if scale is None and area is not None:
        scale = Scale(2.8, "option")
    return Reading("a.jpg", sha256, *size, scale, area, Quality(), author, "trichotrack test", signs, objects, model)


def captured(visit, counts, *, site="vertex", field="1", preparation="none", device="", reviewed=False, **options):
    """A ReadCapture at the visit-th month of 2026."""
    return ReadCapture(
        visit, dt.date(2026, visit, 5), site, field, preparation, device, reading(counts, **options), reviewed=reviewed
    )


class MadeReader:
    """Counts by brightness: pixel value 100 + k holds k of each sign. Refuses a picture of value 66."""

    def __init__(self, model=MODEL):
        self.model = model
        self.read_files = []

    def read(self, capture: Capture, /, *, scale, preparation):
        self.read_files.append(capture.file)
        value = int(np.median(capture.pixels))
        if value == 66:
            raise InputError(Problem(capture.file, "is too odd to read", "Take it again."))
        area = scale.area_cm2(capture.width, capture.height) if scale else None
        refused = ("broken_hair",) if preparation == "clipped" else ()
        return reading(
            dict.fromkeys(SIGNS, max(0, value - 100)), scale=scale, area=area, model=self.model,
            sha256=capture.sha256, size=(capture.width, capture.height), refused=refused,
        )  # fmt: skip


def write_capture(path: Path, count: int, *, mark: int = 0) -> None:
    """A PNG that MadeReader reads as `count` of each sign; mark makes its content its own."""
    pixels = np.full((60, 80, 3), 100 + count, np.uint8)
    pixels[0, 0] = (mark % 256, mark // 256, 7)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


def write_visit(folder: Path, counts, *, mark: int = 0) -> Path:
    """A folder of captures: counts by name ('vertex_1_1'). Names give each its content."""
    for i, (name, count) in enumerate(counts.items()):
        write_capture(folder / f"{name}.png", count, mark=mark * 50 + i + 1)
    return folder

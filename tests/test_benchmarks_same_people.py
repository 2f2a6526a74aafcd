"""People who were photographed twice become one."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from labelled_folder import write_folder
from trichotrack.labels.read import read_labels

SCRIPT = Path(__file__).parents[1] / "benchmarks" / "same_people.py"


def test_two_patients_with_one_picture_have_one_id_and_no_split(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write_folder(tmp_path / "labels", people=3)
    rng = np.random.default_rng(0)
    for name in ("p0", "p1"):
        Image.fromarray(rng.integers(0, 255, (256, 288, 3), dtype=np.uint8)).save(folder / "images" / f"{name}.png")
    Image.open(folder / "images" / "p0.png").save(folder / "images" / "p2.png", compress_level=1)
    monkeypatch.setattr(sys, "argv", [str(SCRIPT), str(folder), "--out", str(tmp_path / "people")])
    runpy.run_path(str(SCRIPT), run_name="__main__")
    found = read_labels(tmp_path / "people", check_images=False)
    assert [(row.patient, row.split) for row in found.captures] == [("S000", ""), ("S001", ""), ("S000", "")]
    assert len(found.objects) == len(read_labels(folder).objects)
    assert (tmp_path / "people" / found.captures[0].file).is_file()

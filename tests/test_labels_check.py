"""What shows only in the images."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from labels_fixture import save_csv, save_image, save_images, sound_tables
from trichotrack.labels.check import check_labels
from trichotrack.labels.read import read_labels
from trichotrack.problems import InputError


def save_mask(path: Path, size: tuple[int, int], value: int = 255) -> None:
    path.parent.mkdir(exist_ok=True)
    Image.fromarray(np.full(size[::-1], value, np.uint8)).save(path)


def test_a_sound_folder_has_no_problems(tmp_path: Path) -> None:
    tables = sound_tables()
    tables["captures"][1][-1] = "masks/a.png"
    save_csv(tmp_path, tables)
    save_images(tmp_path)
    save_mask(tmp_path / "masks" / "a.png", (64, 48))
    seen = []
    assert check_labels(tmp_path, lambda: seen.append(1)).errors == ()
    assert len(seen) == 3
    assert len(read_labels(tmp_path, check_images=True).captures) == 3


def test_faults_of_images_and_tables_are_reported_together(tmp_path: Path) -> None:
    tables = sound_tables()
    tables["captures"] += [
        ["images/d.jpg", "9", "", "", "", "", "none", "", "", ""],
        ["images/e.jpg", "7", "", "", "", "", "bald", "", "", ""],
        ["images/f.jpg", "10", "", "", "", "", "none", "", "", ""],
    ]
    tables["objects"] += [["3", "images/a.jpg", "black_dot", 64.5, 10, "", "", ""]]
    tables["captures"][1][-1], tables["captures"][2][-1], tables["captures"][3][-1] = "m/a.png", "m/b.png", "m/c.png"
    save_csv(tmp_path, tables)
    save_images(tmp_path)
    shutil.copy(tmp_path / "images" / "c.jpg", tmp_path / "images" / "d.jpg")
    shutil.copy(tmp_path / "images" / "c.jpg", tmp_path / "images" / "e.jpg")
    (tmp_path / "images" / "f.jpg").write_text("no image")
    save_mask(tmp_path / "m" / "a.png", (48, 64))
    save_mask(tmp_path / "m" / "b.png", (64, 48), value=0)
    problems = check_labels(tmp_path).errors
    assert [(p.place, p.row, p.column) for p in problems] == [
        ("captures.csv", 6, "preparation"),
        ("objects.csv", 4, "x"),
        ("captures.csv", 2, "valid_area"),
        ("captures.csv", 3, "valid_area"),
        ("captures.csv", 4, "valid_area"),
        ("captures.csv", 7, "file"),
        ("captures.csv", 5, "file"),
        ("captures.csv", 6, "file"),
    ]
    said = [p.message for p in problems]
    assert "the image is 64x48 px" in said[1]
    assert "is 48x64 px while images/a.jpg is 64x48" in said[2]
    assert "black throughout" in said[3]
    assert "does not exist" in said[4]
    assert "it is text" in said[5]
    assert said[6] == "is the same image as row 4"
    assert "another patient (9, here 7)" in said[7]
    assert all(p.remedy for p in problems)


def test_an_object_on_the_far_edge_is_inside(tmp_path: Path) -> None:
    tables = sound_tables()
    tables["objects"] += [["3", "images/a.jpg", "black_dot", 64, 48, 200, 200, ""]]
    save_csv(tmp_path, tables)
    save_images(tmp_path)
    assert check_labels(tmp_path).errors == ()


def test_a_missing_image_is_refused_on_request(tmp_path: Path) -> None:
    save_csv(tmp_path, sound_tables())
    save_image(tmp_path / "images" / "a.jpg")
    read_labels(tmp_path)
    with pytest.raises(InputError, match="does not exist") as caught:
        read_labels(tmp_path, check_images=True)
    assert [p.value for p in caught.value.problems] == ["images/b.jpg", "images/c.jpg"]

"""Fiji's counters and regions: a point clicked on a pixel lies in its middle, areas lie by their corners."""

from __future__ import annotations

import contextlib
import struct
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from imports_made import bring_in, levels_of, objects_of, save_images, save_turned
from trichotrack.labels.importers.common import ClassMap
from trichotrack.labels.importers.imagej import read_imagej
from trichotrack.problems import InputError

NO = None
POLYGON, RECT, OVAL, LINE, POLYLINE, ANGLE, POINT = 0, 1, 2, 3, 5, 9, 10
SUB_PIXEL = 128

COUNTER = """<?xml version="1.0" encoding="UTF-8"?>
<CellCounter_Marker_File>
 <Image_Properties>
     <Image_Filename>P1_1.jpg</Image_Filename>
     <X_Calibration>1.0</X_Calibration><Y_Calibration>1.0</Y_Calibration><Z_Calibration>1.0</Z_Calibration>
     <Calibration_Unit>pixel</Calibration_Unit>
 </Image_Properties>
 <Marker_Data>
     <Current_Type>0</Current_Type>
     <Marker_Type><Type>1</Type><Name>Type 1</Name>
         <Marker><MarkerX>10</MarkerX><MarkerY>20</MarkerY><MarkerZ>1</MarkerZ></Marker>
         <Marker><MarkerX>0</MarkerX><MarkerY>47</MarkerY><MarkerZ>1</MarkerZ></Marker></Marker_Type>
     <Marker_Type><Type>2</Type>
         <Marker><MarkerX>30</MarkerX><MarkerY>40</MarkerY><MarkerZ>1</MarkerZ></Marker>
         <Marker><MarkerX>30</MarkerX><MarkerY>40</MarkerY><MarkerZ>2</MarkerZ></Marker></Marker_Type>
     <Marker_Type><Type>3</Type><Name>Type 3</Name></Marker_Type>
 </Marker_Data>
</CellCounter_Marker_File>
"""


def roi(
    kind: int,
    points: list[tuple[float, float]],
    *,
    name: str = "",
    group: int = 0,
    options: int = 0,
    counters: list[int] | None = None,
) -> bytes:
    """A region's file as ImageJ 1.53 writes it: two headers, coordinates, name, counters; big-endian."""
    xs, ys = [x for x, _ in points], [y for _, y in points]
    left, top = int(min(xs)), int(min(ys))
    listed = kind not in {RECT, OVAL, LINE}
    body = b""
    if listed:
        body += struct.pack(f">{len(xs)}h", *(int(x) - left for x in xs))
        body += struct.pack(f">{len(ys)}h", *(int(y) - top for y in ys))
        if options & SUB_PIXEL:
            body += struct.pack(f">{len(xs)}f", *xs) + struct.pack(f">{len(ys)}f", *ys)
    ends = (xs[0], ys[0], xs[-1], ys[-1]) if kind == LINE else (0, 0, 0, 0)
    second = 64 + len(body)
    name_at, counters_at = second + 64, second + 64 + 2 * len(name)
    header = b"Iout" + struct.pack(">hBx4hH", 228, kind, top, left, int(max(ys)), int(max(xs)), len(xs) * listed)
    header += struct.pack(">4fhi4s4shhBBhii", *ends, 0, 0, bytes(4), bytes(4), 0, options, 0, 0, 0, 0, second)
    header2 = struct.pack(">4x5i4shBBifiii", 0, 0, 0, name_at, len(name), bytes(4), 0, group, 0, 0, 0, 0, 0,
                          counters_at if counters else 0)  # fmt: skip
    tail = name.encode("utf-16-be") + struct.pack(f">{len(counters or [])}I", *(counters or []))
    return header + body + header2.ljust(64, b"\0") + tail


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    save_images(tmp_path / "images")
    (tmp_path / "marks").mkdir()
    return tmp_path


def save_set(path: Path, members: dict[str, bytes]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


def test_the_cell_counter_marks_the_middle_of_pixels_by_type(folder: Path) -> None:
    (folder / "marks" / "CellCounter_P1_1.xml").write_text(COUNTER)
    classes = ClassMap({"Type 1": "black_dot", "Type 2": "broken_hair"})
    summary, labelset = bring_in(read_imagej(folder / "marks"), folder, class_map=classes)
    assert objects_of(labelset) == [
        ("P1_1", "black_dot", 10.5, 20.5, NO, NO, NO, NO),
        ("P1_1", "black_dot", 0.5, 47.5, NO, NO, NO, NO),
        ("P1_1", "broken_hair", 30.5, 40.5, NO, NO, NO, NO),
    ]
    assert levels_of(labelset)["P1_1", "broken_hair"] == "partial"
    assert summary.dropped == {"it is on another slice than the first": 1}


def test_regions_keep_points_lines_and_areas(folder: Path) -> None:
    members = {
        "dot-1.roi": roi(POINT, [(10, 20)], name="dot-1"),
        "dot-2.roi": roi(POINT, [(10.25, 20.75), (3.5, 4.5)], name="dot-2", options=SUB_PIXEL),
        "hair-1.roi": roi(LINE, [(30.5, 20), (33, 3.25)], name="hair-1"),
        "hair-2.roi": roi(POLYLINE, [(5, 6), (7, 9), (12, 14)], name="hair-2"),
        "dot-3.roi": roi(RECT, [(10, 20), (15, 28)], name="dot-3"),
        "dot-4.roi": roi(OVAL, [(20, 20), (24, 26)], name="dot-4"),
        "dot-5.roi": roi(POLYGON, [(40, 30), (44, 30), (44, 36)], name="dot-5"),
        "hair-3.roi": roi(ANGLE, [(1, 1), (2, 2), (3, 1)], name="hair-3"),
    }
    save_set(folder / "marks" / "RoiSet_P1_1.zip", members)
    summary, labelset = bring_in(read_imagej(folder / "marks"), folder)
    assert objects_of(labelset) == [
        ("P1_1", "black_dot", 10.5, 20.5, NO, NO, NO, NO),
        ("P1_1", "black_dot", 10.75, 21.25, NO, NO, NO, NO),
        ("P1_1", "black_dot", 4, 5, NO, NO, NO, NO),
        ("P1_1", "broken_hair", 31, 20.5, 33.5, 3.75, NO, NO),
        ("P1_1", "broken_hair", 5.5, 6.5, 12.5, 14.5, NO, NO),
        ("P1_1", "black_dot", 12.5, 24, NO, NO, 5, 8),
        ("P1_1", "black_dot", 22, 23, NO, NO, 4, 6),
        ("P1_1", "black_dot", 42, 33, NO, NO, 4, 6),
    ]
    assert summary.dropped == {"a region of type angle has no root": 1}


def test_the_class_of_a_region_is_its_group_its_name_or_its_counter(folder: Path) -> None:
    members = {
        "a.roi": roi(POINT, [(1, 1)], name="0001-0104-0073"),
        "b.roi": roi(POINT, [(2, 2)], name="anything", group=3),
        "c.roi": roi(POINT, [(3, 3), (4, 4)], name="many", counters=[0, 2]),
        "hair_12.roi": roi(POINT, [(5, 5)]),
    }
    found = read_imagej(save_set(folder / "marks" / "P1_1.zip", members))
    assert [mark.class_name for mark in found.images[0].marks] == [
        "(unnamed)", "group 3", "many counter 0", "many counter 2", "hair",
    ]  # fmt: skip


def test_a_set_is_of_the_image_that_it_or_its_folder_is_called_as(folder: Path) -> None:
    point = roi(POINT, [(1, 1)], name="dot")
    save_set(folder / "marks" / "P1_1" / "RoiSet.zip", {"dot.roi": point})
    (folder / "marks" / "P1_2.roi").write_bytes(point)
    (folder / "marks" / "P2_1").mkdir()
    for number in (1, 2):
        (folder / "marks" / "P2_1" / f"dot-{number}.roi").write_bytes(point)
    _, labelset = bring_in(read_imagej(folder / "marks"), folder)
    assert sorted(Path(o.file).stem for o in labelset.objects) == ["P1_1", "P1_2", "P2_1", "P2_1"]


def test_an_image_to_be_turned_is_refused_for_imagej_shows_it_unturned(tmp_path: Path) -> None:
    save_turned(tmp_path / "images" / "P1_1.jpg", orientation=3)
    (tmp_path / "c.xml").write_text(COUNTER)
    with pytest.raises(InputError, match=r"shows images as stored, while P1_1\.jpg is to be turned"):
        bring_in(read_imagej(tmp_path / "c.xml"), tmp_path, keep_classes=True)


def test_nothing_of_an_archive_is_unpacked_wherever_its_names_lead(folder: Path) -> None:
    members = {"../../dot-1.roi": roi(POINT, [(1, 1)]), "/etc/dot-2.roi": roi(POINT, [(2, 2)])}
    save_set(folder / "marks" / "P1_1.zip", members)
    before = sorted(folder.parent.rglob("*.roi"))
    _, labelset = bring_in(read_imagej(folder / "marks"), folder)
    assert [(o.x, o.sign) for o in labelset.objects] == [(1.5, "black_dot"), (2.5, "black_dot")]
    assert sorted(folder.parent.rglob("*.roi")) == before


def test_an_archive_that_unpacks_to_too_much_is_refused_unread(folder: Path) -> None:
    with zipfile.ZipFile(folder / "marks" / "P1_1.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(5):
            archive.writestr(f"{number}.roi", bytes(16 * 2**20))
    (problem,) = read_imagej(folder / "marks").problems
    assert "unpacks to 5 regions of 80 MiB, more than is read of one set" in str(problem)


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        ("P1_1.zip", b"PK\x03\x04 broken", "is not a readable zip archive"),
        ("P1_1.zip", b"", "is not a readable zip archive"),
        ("P1_1.roi", b"Iout" + bytes(30), "P1_1 is not a readable region"),
        ("P1_1.roi", roi(POLYLINE, [(1, 1), (2, 2)])[:66], "P1_1 is not a readable region"),
        ("P1_1.xml", b"<annotation/>", "is not of the Cell Counter: it begins with <annotation>"),
    ],
)
def test_what_is_broken_is_told_with_the_file(folder: Path, name: str, data: bytes, said: str) -> None:
    (folder / "marks" / name).write_bytes(data)
    (problem,) = read_imagej(folder / "marks").problems
    assert said in str(problem)
    assert name in str(problem)


@given(st.binary(max_size=200), st.integers(0, 140))
def test_whatever_the_bytes_of_a_region_it_is_read_or_told_of(noise: bytes, start: int) -> None:
    from trichotrack.labels.importers.imagej import _roi

    sound = roi(POINT, [(1, 1), (7, 9)], name="dot", counters=[0, 1])
    data = sound[:start] + noise + sound[start + len(noise) :]
    with contextlib.suppress(InputError):
        assert all(mark.class_name for mark in _roi("x.roi", "x", data))


@given(st.lists(st.tuples(st.integers(0, 30000), st.integers(0, 30000)), min_size=1, max_size=20))
def test_every_point_of_a_multi_point_comes_back_in_its_pixel(points: list[tuple[int, int]]) -> None:
    from trichotrack.labels.importers.imagej import _roi

    marks = _roi("x.roi", "x", roi(POINT, [(float(x), float(y)) for x, y in points], name="dot"))
    assert [(mark.x, mark.y) for mark in marks] == [(x + 0.5, y + 0.5) for x, y in points]


def test_regions_that_imagej_itself_wrote_lie_where_it_says_they_do() -> None:
    # Written by ImageJ 1.53t's RoiEncoder; middles of areas are those of its own getContourCentroid.
    (image,) = read_imagej(Path(__file__).with_name("imagej_1_53t.zip")).images
    told = [(mark.class_name, mark.x, mark.y, mark.tip, mark.kind) for mark in image.marks if not mark.unusable]
    assert told == [
        ("black_dot", 10.5, 20.5, NO, "point"),
        ("black_dot", 30.75, 41.25, NO, "point"),
        ("many", 50.5, 15.5, NO, "point"),
        ("many", 60.5, 25.5, NO, "point"),
        ("told counter 0", 70.5, 12.5, NO, "point"),
        ("told counter 1", 80.5, 22.5, NO, "point"),
        ("told counter 2", 90.5, 32.5, NO, "point"),
        ("broken hair", 10.5, 50.5, (30.5, 58.5), "line"),
        ("tapering", 40.5, 50.5, (66.5, 52.5), "line"),
        ("box", 104.0, 13.0, NO, "box"),
        ("box", 104.75, 33.5, NO, "box"),
        ("oval", 105.0, 48.0, NO, "box"),
        ("area", 125.0, 17.0, NO, "outline"),
        ("ellipse", 20.0, 62.0, NO, "point"),
        ("turned", 50.0, 62.0, NO, "point"),
        ("arrow", 70.5, 60.5, (90.5, 66.5), "line"),
        ("group 3", 100.5, 60.5, (120.5, 66.5), "line"),
        ("drawn", 120.5, 50.5, (133.5, 50.5), "line"),
    ]
    assert [mark.class_name for mark in image.marks if mark.unusable] == ["text", "two"]

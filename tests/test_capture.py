"""What read_capture makes of good, odd and broken files, and which files find_captures finds."""

from __future__ import annotations

import contextlib
import io
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from trichotrack.capture import MIN_SIDE_PX, capture_of, find_captures, natural_key, read_capture
from trichotrack.problems import InputError

REAL = Path(__file__).parents[2] / "shared" / "datasets" / "hair-follicles-70x" / "Images"
PIXELS = np.random.default_rng(0).integers(0, 255, (40, 60, 3), dtype=np.uint8)
PICTURE = Image.fromarray(PIXELS)


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def png(width: int, height: int, depth: int, rows: bytes) -> bytes:
    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", width, height, depth, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def huge_jpeg() -> bytes:
    data = bytearray(encoded(PICTURE, "JPEG"))
    start = data.find(b"\xff\xc0")
    data[start + 5 : start + 9] = struct.pack(">HH", 20_000, 20_000)
    return bytes(data)


def second_frame(**options: object) -> dict[str, object]:
    return {"save_all": True, "append_images": [PICTURE.rotate(180)], **options}


def cut(kind: str, share: float = 0.5) -> bytes:
    data = encoded(PICTURE, kind)
    return data[: int(len(data) * share)]


BROKEN: dict[str, tuple[bytes, str]] = {
    "empty.jpg": (b"", "is empty"),
    "text.jpg": ("only ünicode text\n".encode() * 40, "it is text"),
    "one.png": (encoded(Image.new("RGB", (1, 1)), "PNG"), "has only 1×1 pixels"),
    "strip.png": (encoded(Image.new("RGB", (500, MIN_SIDE_PX - 1)), "PNG"), "has only 500×31 pixels"),
    "huge.png": (png(20_000, 20_000, 8, b"\0" * 10), "claims 400 million pixels"),
    "large.png": (png(9_500, 8_900, 8, b"\0" * 10), "claims 9500×8900 pixels"),
    "huge.jpg": (huge_jpeg(), "claims 400 million pixels"),
    "half.jpg": (cut("JPEG"), "is damaged or cut short"),
    "half.png": (cut("PNG"), "is damaged or cut short"),
    "half.bmp": (cut("BMP"), "is damaged or cut short"),
    "half.webp": (cut("WEBP"), "is damaged or cut short"),
    "half.tif": (cut("TIFF"), "cut short"),
    "head.jpg": (encoded(PICTURE, "JPEG")[:30], "is damaged or cut short"),
    "grey16.png": (encoded(Image.fromarray(PIXELS[..., 0].astype(np.uint16) * 200), "PNG"), "has 16 bits per channel"),
    "rgb16.png": (png(60, 40, 16, (b"\0" + bytes(360)) * 40), "has 16 bits per channel"),
    "grey16.tif": (encoded(Image.fromarray(PIXELS[..., 0].astype(np.uint16)), "TIFF"), "has 16 bits per channel"),
    "float.tif": (encoded(Image.fromarray(PIXELS[..., 0].astype(np.float32)), "TIFF"), "has 32 bits per channel"),
    "moving.webp": (encoded(PICTURE, "WEBP", **second_frame()), "holds 2 frames of an animation"),
    "moving.png": (encoded(PICTURE, "PNG", **second_frame()), "holds 2 frames of an animation"),
    "pages.tif": (encoded(PICTURE, "TIFF", **second_frame()), "holds 2 pages"),
    "picture.gif": (encoded(PICTURE, "GIF"), "it is GIF"),
    "phone.jpg": (b"\0\0\0\x18ftypheic" + bytes(60), "it is HEIC"),
    "scan.jpg": (bytes(128) + b"DICM" + bytes(60), "it is DICOM"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_file_gives_one_sentence_with_file_cause_and_remedy(name: str, tmp_path: Path) -> None:
    data, cause = BROKEN[name]
    path = tmp_path / name
    path.write_bytes(data)
    with pytest.raises(InputError) as caught:
        read_capture(path)
    (problem,) = caught.value.problems
    assert problem.place == path.as_posix()
    assert cause in problem.message
    assert problem.remedy
    assert "\n" not in str(problem)
    assert "0x" not in str(problem), "an object's address is no news to a clinic"


@pytest.mark.parametrize(
    ("name", "cause"), [("absent.jpg", "does not exist"), (".", "is a folder"), ("a\0b", "is not")]
)
def test_a_path_without_a_file_gives_a_sentence(name: str, cause: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=cause):
        read_capture(tmp_path / name)


def damaged_at(data: bytes, places: list[tuple[int, int]]) -> bytes:
    broken = bytearray(data)
    for place, value in places:
        broken[place % len(broken)] = value
    return bytes(broken)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "BMP", "WEBP"])
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    places=st.lists(st.tuples(st.integers(0, 2000), st.integers(0, 255)), min_size=1, max_size=12),
    end=st.integers(1, 8000),
)
def test_any_damage_gives_a_capture_or_an_input_error(
    kind: str, places: list[tuple[int, int]], end: int, tmp_path: Path
) -> None:
    path = tmp_path / "damaged"
    path.write_bytes(damaged_at(encoded(PICTURE, kind), places)[:end])
    with contextlib.suppress(InputError):
        capture = read_capture(path)
        assert capture.pixels.dtype == np.uint8
        assert capture.pixels.shape == (capture.height, capture.width, 3)


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "BMP"])
def test_lossless_files_give_their_own_pixels_whatever_their_name(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "named.jpg"
    path.write_bytes(encoded(PICTURE, kind))
    capture = read_capture(path)
    np.testing.assert_array_equal(capture.pixels, PIXELS)
    assert not capture.pixels.flags.writeable


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP"])
@pytest.mark.parametrize(
    ("orientation", "upright"),
    [
        (2, lambda a: a[:, ::-1]),
        (3, lambda a: a[::-1, ::-1]),
        (4, lambda a: a[::-1]),
        (5, lambda a: a.swapaxes(0, 1)),
        (6, lambda a: np.rot90(a, -1)),
        (8, lambda a: np.rot90(a, 1)),
        (9, lambda a: a),
    ],
)
def test_exif_orientation_is_applied(
    kind: str, orientation: int, upright: Callable[[np.ndarray], np.ndarray], tmp_path: Path
) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"lossless": True} if kind == "WEBP" else {"quality": 95, "subsampling": 0} if kind == "JPEG" else {}
    path = tmp_path / "turned"
    path.write_bytes(encoded(PICTURE.resize((60, 40)), kind, exif=exif, **options))
    pixels = read_capture(path).pixels
    expected = upright(PIXELS)
    assert pixels.shape == expected.shape
    assert np.abs(pixels.astype(int) - expected).mean() < (4 if kind == "JPEG" else 0.01)


def test_exif_that_cannot_be_parsed_does_not_stop_a_good_picture(tmp_path: Path) -> None:
    path = tmp_path / "odd.jpg"
    path.write_bytes(encoded(PICTURE, "JPEG", exif=b"Exif\0\0II*\0\xff\xff\xff\xff"))
    assert read_capture(path).pixels.shape == PIXELS.shape


@pytest.mark.parametrize("case", ["L PNG", "1 PNG", "P BMP", "P PNG", "LA PNG", "CMYK JPEG", "CMYK TIFF"])
def test_grey_palette_and_cmyk_become_rgb_close_to_the_original(case: str, tmp_path: Path) -> None:
    mode, kind = case.split()
    smooth = np.dstack([np.tile(np.linspace(10, 240, 60), (40, 1))] * 3).astype(np.uint8)
    image = Image.fromarray(smooth).convert(mode)
    path = tmp_path / "x"
    path.write_bytes(encoded(image, kind))
    pixels = read_capture(path).pixels
    assert pixels.shape == smooth.shape
    blocks = (pixels.reshape(4, 10, 6, 10, 3).mean(axis=(1, 3)), smooth.reshape(4, 10, 6, 10, 3).mean(axis=(1, 3)))
    assert np.abs(blocks[0] - blocks[1]).max() < 45, "dithering and chroma may differ, brightness by block may not"


def test_transparency_is_laid_on_white(tmp_path: Path) -> None:
    red = Image.new("RGBA", (40, 40), (200, 0, 0, 255))
    red.paste((0, 0, 0, 0), (0, 0, 20, 40))
    palette = Image.new("P", (40, 40), 1)
    palette.putpalette([0, 0, 0, 200, 0, 0])
    palette.paste(0, (0, 0, 20, 40))
    for name, data in (("a", encoded(red, "PNG")), ("b", encoded(palette, "PNG", transparency=0))):
        (tmp_path / name).write_bytes(data)
        pixels = read_capture(tmp_path / name).pixels
        assert pixels[5, 5].tolist() == [255, 255, 255]
        assert pixels[5, 35].tolist() == [200, 0, 0]


def test_first_picture_of_a_phones_multi_picture_jpeg_is_read(tmp_path: Path) -> None:
    path = tmp_path / "phone.jpg"
    red, blue = Image.new("RGB", (40, 40), (250, 0, 0)), Image.new("RGB", (40, 40), (0, 0, 250))
    path.write_bytes(encoded(red, "MPO", save_all=True, append_images=[blue]))
    assert read_capture(path).pixels[20, 20, 0] > 240


def test_pixels_in_memory_are_a_capture_only_as_uint8_rgb() -> None:
    assert capture_of(PIXELS).sha256 == capture_of(PIXELS.copy()).sha256
    assert capture_of(PIXELS).sha256 != capture_of(PIXELS.reshape(60, 40, 3)).sha256
    assert PIXELS.flags.writeable, "the caller's own array stays writable"
    for wrong in (PIXELS[..., 0], PIXELS.astype(np.float32), PIXELS[:5]):
        with pytest.raises(InputError):
            capture_of(wrong)


def touch(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")


def test_folders_and_globs_give_images_once_in_the_order_people_count(tmp_path: Path) -> None:
    touch(tmp_path, "a10.jpg", "a2.JPG", "sub/b1.tiff", "notes.txt", "._a2.jpg", "out/overlay.png", "odd.name")
    found = find_captures([tmp_path, str(tmp_path / "*.jpg"), tmp_path / "odd.name"], outside=tmp_path / "out")
    assert [path.relative_to(tmp_path).as_posix() for path in found] == ["a2.JPG", "a10.jpg", "odd.name", "sub/b1.tiff"]


def test_recursive_glob_is_expanded_by_us(tmp_path: Path) -> None:
    touch(tmp_path, "P1/v1/a.png", "P1/v2/a.png", "P2/v1/b.bmp")
    assert len(find_captures([str(tmp_path / "**" / "*.png")])) == 2
    assert len(find_captures([str(tmp_path / "P*")])) == 3


def test_a_name_with_brackets_is_a_file_before_it_is_a_glob(tmp_path: Path) -> None:
    touch(tmp_path, "left[1].jpg")
    assert find_captures([tmp_path / "left[1].jpg"]) == [tmp_path / "left[1].jpg"]


def test_every_path_that_gives_nothing_is_named_at_once(tmp_path: Path) -> None:
    touch(tmp_path, "empty/notes.txt", "a.jpg")
    wrong = [tmp_path / "absent.jpg", tmp_path / "empty", tmp_path / "*.png", tmp_path / "empty" / "*.txt"]
    with pytest.raises(InputError) as caught:
        find_captures([tmp_path / "a.jpg", *wrong])
    assert [problem.place for problem in caught.value.problems] == [str(path) for path in wrong]
    with pytest.raises(InputError):
        find_captures([])


def test_natural_order_ignores_case_and_compares_numbers() -> None:
    assert sorted(["B1", "a10", "a9b", "a9", "A2"], key=natural_key) == ["A2", "a9", "a9b", "a10", "B1"]


@pytest.mark.skipif(not REAL.is_dir(), reason="hair-follicles-70x is not here")
def test_a_real_capture_turned_by_exif_gives_the_same_upright_pixels(tmp_path: Path) -> None:
    original = REAL / "P001_1.jpg"
    pixels = read_capture(original).pixels
    assert pixels.shape == (1024, 1280, 3)
    exif = Image.Exif()
    exif[0x0112] = 8
    turned = Image.fromarray(np.rot90(pixels, -1).copy())
    turned.save(tmp_path / "turned.png", exif=exif)
    np.testing.assert_array_equal(read_capture(tmp_path / "turned.png").pixels, pixels)

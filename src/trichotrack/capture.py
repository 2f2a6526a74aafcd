"""One image file, read safely: pixels upright and RGB, bounded in size, every failure a sentence.

Nothing of a file but its pixels and its hash is kept: EXIF orientation is applied, then EXIF (and with it device,
date and place) is dropped. Colour profiles are not applied: the same bytes give the same pixels everywhere.
"""

from __future__ import annotations

import glob
import hashlib
import io
import re
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from trichotrack.problems import InputError, Problem

FORMATS = ("JPEG", "PNG", "TIFF", "BMP", "WEBP")
"""Decoders that may run; the content decides which, never the file's name."""

SUFFIXES = frozenset({".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".tif", ".tiff", ".bmp", ".webp"})
"""Names taken from folders and globs. A file named outright may have any name."""

MAX_FILE_BYTES = 256 * 2**20
MAX_PIXELS = 80_000_000
"""240 MB of RGB, below the size at which Pillow itself begins to warn; the largest dermoscopes give 24 million."""

MIN_SIDE_PX = 32
"""A narrower image is a thumbnail or an icon."""

FORMATS_SENTENCE = "Give a JPEG, PNG, 8-bit TIFF, BMP or WebP image."


@dataclass(frozen=True, eq=False)
class Capture:
    """One capture as the reader sees it.

    file: the path as given, with `/` ("" for pixels that came from no file). sha256: of the file's bytes, hex.
    pixels: uint8 (height, width, 3), RGB, upright, read-only.
    """

    file: str
    sha256: str
    pixels: NDArray[np.uint8]

    @property
    def width(self) -> int:
        return int(self.pixels.shape[1])

    @property
    def height(self) -> int:
        return int(self.pixels.shape[0])


def capture_of(pixels: NDArray[np.uint8], file: str = "") -> Capture:
    """A capture from pixels (H, W, 3) uint8 RGB already in memory; its sha256 is that of shape and pixels."""
    pixels = np.ascontiguousarray(pixels)
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3:
        raise InputError(
            f"pixels are {pixels.dtype} of shape {pixels.shape}; give uint8 of shape (height, width, 3), RGB."
        )
    if min(pixels.shape[:2]) < MIN_SIDE_PX:
        raise InputError(f"pixels of {pixels.shape[1]}×{pixels.shape[0]} are smaller than {MIN_SIDE_PX} px a side.")
    pixels = pixels.view()
    pixels.setflags(write=False)
    digest = hashlib.sha256(repr(pixels.shape).encode())
    digest.update(pixels.tobytes())
    return Capture(file, digest.hexdigest(), pixels)


def read_capture(path: str | Path) -> Capture:
    """The capture in a file: JPEG, PNG, 8-bit TIFF, BMP or WebP.

    Grey, palette and CMYK become RGB; transparency is laid on white, as viewers show it. Of a multi-picture JPEG
    (phones) the first picture is read. Raises InputError (one problem, naming the file) for anything that is not one
    still 8-bit image of 32 px a side to 80 million px in all.
    """
    path = Path(path)
    name = path.as_posix()
    data = _bytes(path, name)
    where = "its header"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # sizes are checked below; odd EXIF is no news to a clinic
            with Image.open(io.BytesIO(data), formats=FORMATS) as image:
                _check_header(image, data, name)
                where = f"its {image.format} data"
                image.load()
                pixels = np.array(_rgb(_upright(image)))
    except InputError:
        raise
    except UnidentifiedImageError:
        raise _error(name, f"is not an image that can be read: {_kind(data)}", FORMATS_SENTENCE) from None
    except Image.DecompressionBombError as error:
        number = re.search(r"\d+", str(error))
        count = f"{int(number[0]) / 1e6:.0f} million" if number else "too many"
        raise _error(name, f"claims {count} pixels", _SMALLER) from None
    except Exception as error:  # noqa: BLE001 (decoders raise whatever a broken file trips over)
        raise _damaged(name, where, error) from None
    pixels.setflags(write=False)
    return Capture(name, hashlib.sha256(data).hexdigest(), pixels)


_SMALLER = f"At most {MAX_PIXELS // 10**6} million pixels are read; crop it (the scale stays) or export it smaller."


def _bytes(path: Path, name: str) -> bytes:
    if "\0" in name:
        raise _error(repr(name), "is not a file name", "Check the path.")
    try:
        if path.is_dir():
            raise _error(name, "is a folder, not an image file", "Name the files in it.")
        if not path.is_file():
            raise _error(name, "does not exist", "Check the path.")
        size = path.stat().st_size
        if size > MAX_FILE_BYTES:
            raise _error(name, f"has {size / 2**20:.0f} MiB, more than the {MAX_FILE_BYTES // 2**20} that are read",
                         "Export it as JPEG or PNG.")  # fmt: skip
        with path.open("rb") as file:
            data = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise _error(name, f"cannot be opened ({error.strerror or error})", "Check the path and its rights.") from None
    if not data:
        raise _error(name, "is empty (0 bytes)", "Copy it from the device again.")
    return data


def _check_header(image: Image.Image, data: bytes, name: str) -> None:
    """Refuses what must not be decoded, from the header alone: nothing of the image's size is allocated yet."""
    width, height = image.size
    frames = int(getattr(image, "n_frames", 1))
    if width * height > MAX_PIXELS:
        raise _error(name, f"claims {width}×{height} pixels", _SMALLER)
    if min(width, height) < MIN_SIDE_PX:
        raise _error(name, f"has only {width}×{height} pixels, fewer than {MIN_SIDE_PX} a side", "Give the original.")
    # A JPEG with several pictures is a phone's: the first is the picture, others are depth, gain map or preview.
    if frames > 1 and image.format not in {"MPO", "JPEG"}:
        what = "pages" if image.format == "TIFF" else "frames of an animation"
        raise _error(name, f"holds {frames} {what}, not one still image", "Save the one to be read as its own file.")
    depth = _bits(image, data)
    if depth > 8:
        remedy = "Export it with 8 bits per channel (the device's own contrast, not stretched)."
        raise _error(name, f"has {depth} bits per channel; 8 are read", remedy)


def _bits(image: Image.Image, data: bytes) -> int:
    # Pillow cuts 16-bit RGB to 8 without a word, so the file's own header is asked.
    if image.format == "PNG":
        return data[24]
    if image.format == "TIFF":
        bits = getattr(image, "tag_v2", {}).get(258, 1)
        return int(max(bits) if isinstance(bits, tuple) else bits)
    return 8


def _upright(image: Image.Image) -> Image.Image:
    try:
        return ImageOps.exif_transpose(image)
    except Exception:  # noqa: BLE001
        return image  # EXIF that cannot be parsed says nothing of orientation; viewers show such a file as stored


def _rgb(image: Image.Image) -> Image.Image:
    if image.mode in {"RGBA", "LA", "PA", "RGBa", "La"} or "transparency" in image.info:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, (255, 255, 255, 255))
        return Image.alpha_composite(white, image).convert("RGB")
    return image.convert("RGB")


def _error(name: str, message: str, remedy: str) -> InputError:
    return InputError(Problem(place=name, message=message, remedy=remedy))


def _damaged(name: str, where: str, error: Exception) -> InputError:
    detail = re.sub(r"\s+", " ", re.sub(r"<[^>]*>", "", str(error))).strip().rstrip(".")[:120] or type(error).__name__
    return _error(name, f"is damaged or cut short in {where} ({detail})", "Copy it from the device again.")


_KINDS: tuple[tuple[int, bytes, str], ...] = (
    (4, b"ftyphei", "HEIC"),
    (4, b"ftyphev", "HEIC"),
    (4, b"ftypmif", "HEIF"),
    (4, b"ftypavif", "AVIF"),
    (4, b"ftyp", "a video or another ISO media file"),
    (128, b"DICM", "DICOM"),
    (0, b"GIF8", "GIF"),
    (0, b"%PDF", "PDF"),
    (0, b"PK\x03\x04", "a ZIP archive or Office document"),
    (0, b"II*\x00", "a TIFF cut short, or of a kind that is not read"),
    (0, b"MM\x00*", "a TIFF cut short, or of a kind that is not read"),
    (0, b"\xff\xd8", "a JPEG with a broken header"),
    (0, b"\x89PNG", "a PNG with a broken header"),
    (0, b"BM", "a BMP with a broken header"),
    (0, b"RIFF", "a WebP with a broken header, or a sound or video file"),
)


def _kind(data: bytes) -> str:
    for start, mark, kind in _KINDS:
        if data[start : start + len(mark)] == mark:
            return f"it is {kind}"
    head = data[:512]
    try:
        text = head.decode("utf-8")
    except UnicodeDecodeError as error:
        text = head[: error.start].decode("utf-8") if error.start > len(head) - 4 else ""
    if text and all(letter.isprintable() or letter.isspace() for letter in text):
        return "it is text"
    return f"its first bytes are {data[:4].hex(' ')}"


def find_captures(paths: Iterable[str | Path], *, outside: Path | None = None) -> list[Path]:
    """Image files for files, folders (searched to the bottom) and globs, each once, sorted as people count (2 < 10).

    Globs are expanded here, since Windows shells leave them alone. Hidden files, and those below `outside` (where
    output goes), are left out of folders and globs. Raises InputError naming every path that gives no file.
    """
    found: dict[Path, Path] = {}
    problems = []
    for given in paths:
        here, fault = _expand(str(given), outside.resolve() if outside else None)
        if fault:
            problems.append(fault)
        for path in here:
            found.setdefault(path.resolve(), path)
    if not (found or problems):
        problems.append(Problem("captures", "no file, folder or glob was given", "Name at least one."))
    if problems:
        raise InputError(problems)
    return sorted(found.values(), key=natural_key)


def _expand(given: str, outside: Path | None) -> tuple[list[Path], Problem | None]:
    path = Path(given)
    if path.is_file():
        return [path], None
    if path.is_dir():
        found = _images(path.rglob("*"), outside)
        return found, None if found else Problem(given, "the folder holds no image", FORMATS_SENTENCE)
    if not glob.has_magic(given):
        return [], Problem(given, "does not exist", "Check the path.")
    matches = [Path(match) for match in glob.glob(given, recursive=True)]  # noqa: PTH207 (absolute patterns too)
    files = [below for match in matches if match.is_dir() for below in match.rglob("*")] + matches
    found = _images(files, outside)
    if found:
        return found, None
    message = f"matches {len(matches)} files, none of them an image" if matches else "matches no file"
    return [], Problem(given, message, FORMATS_SENTENCE if matches else "Check the pattern.")


def _images(paths: Iterable[Path], outside: Path | None) -> list[Path]:
    return [
        path
        for path in paths
        if path.suffix.lower() in SUFFIXES
        and not path.name.startswith(".")
        and path.is_file()
        and not (outside and path.resolve().is_relative_to(outside))
    ]


def natural_key(path: str | Path) -> list[tuple[int, int, str]]:
    """Sort key by which img2 comes before img10, and letters' case does not matter."""
    parts = re.split(r"(\d+)", Path(path).as_posix().casefold())
    return [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in parts]

"""One image file, read safely: pixels upright and RGB, bounded in size, every failure a sentence.

Nothing of a file but its pixels and its hash is kept: EXIF orientation is applied, then EXIF (and with it device,
date and place) is dropped. Colour profiles are not applied: the same bytes give the same pixels everywhere.
"""

from __future__ import annotations

import glob
import hashlib
import io
import math
import re
import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from trichotrack.geometry import resample, size_at
from trichotrack.problems import InputError, Problem

Value = TypeVar("Value")

FORMATS = ("JPEG", "PNG", "TIFF", "BMP", "WEBP")
"""Decoders that may run; the content decides which, never the file's name."""

SUFFIXES = frozenset({".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".tif", ".tiff", ".bmp", ".webp"})
"""Names taken from folders and globs. A file named outright may have any name."""

MAX_FILE_BYTES = 256 * 2**20
MAX_PIXELS = 80_000_000
"""240 MB of RGB, below the size at which Pillow itself begins to warn; the largest dermoscopes give 24 million."""

MIN_SIDE_PX = 32
"""A narrower image is a thumbnail or an icon."""

DEFOCUS_UM = 22.0
"""Median edge blur (Gaussian sigma) above which a capture is flagged: an edge then spreads over 52 µm, a black dot.

Over 66 captures of hair-follicles-70x (2.82 µm/px) the median is 12 and the largest 20.2; after a further Gaussian
blur of 18 µm it is 21 to 30, and of 24 µm it is 24 to 33."""

DEFOCUS_PX = 2.0
"""Least blur that is called defocus where pixels are large: the pixel itself spreads an edge by about 0.8 px."""

GLARE_SHARE, OVEREXPOSED_SHARE, BLACK_SHARE = 0.02, 0.25, 0.5
"""Of near-white and near-black pixels. hair-follicles-70x reaches 0.001 (near-white) and 0.04 (near-black: bands)."""

DARK_MEDIAN, BRIGHT_MEDIAN = 40.0, 235.0
"""Median brightness (0 to 255) of a picture too dark or too bright; 128 to 190 in hair-follicles-70x."""

MIN_FIELD_CM2 = 0.02
"""A field of 1.4 mm a side: at 50 structures per cm² it shows one."""

FULL_SCALP_SHARE = 0.9
"""A picture with less scalp than this is drawn with what is not scalp paled: it is worth a look. Assumed."""

ENOUGH_SCALP_SHARE = 0.6
"""A picture with less is flagged. A round field in its frame shows 0.6 to 0.8, which is as the device gives it."""

_SAMPLED_PX = 1_000_000
"""Brightness is judged by about so many pixels, and edges by four times as many: more would tell no more."""

PLAUSIBLE_TERMINAL_UM = (40.0, 120.0)
"""Median calibre of terminal hair outside this points to a wrong scale."""

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


@dataclass(frozen=True)
class Quality:
    """Whether the capture can be read as it is (no flag), and the flags a person should see, each a short sentence."""

    ok: bool = True
    flags: tuple[str, ...] = ()


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
    name, data, pixels = _opened(path, _pixels)
    pixels.setflags(write=False)
    return Capture(name, hashlib.sha256(data).hexdigest(), pixels)


def read_size(path: str | Path) -> tuple[int, int]:
    """(width, height), px, of the upright image in a file, from its header: no pixel is decoded.

    Raises InputError as read_capture does, but for what shows only in the pixels.
    """
    return _opened(path, _size)[2]


def _opened(path: str | Path, use: Callable[[Image.Image], Value]) -> tuple[str, bytes, Value]:
    """The file's name and bytes, and what use makes of the image in it, whose header has been checked."""
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
                return name, data, use(image)
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


def _pixels(image: Image.Image) -> NDArray[np.uint8]:
    image.load()
    return np.array(_rgb(_upright(image)))


def _size(image: Image.Image) -> tuple[int, int]:
    try:
        lying = image.getexif().get(_ORIENTATION) in _LYING
    except Exception:  # noqa: BLE001
        lying = False  # as _upright has it
    return (image.height, image.width) if lying else (image.width, image.height)


_ORIENTATION, _LYING = 0x0112, range(5, 9)
"""EXIF's tag, and its values by which rows and columns change places."""

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
    (4, b"ftyphei", "HEIC"), (4, b"ftyphev", "HEIC"), (4, b"ftypmif", "HEIF"), (4, b"ftypavif", "AVIF"),
    (4, b"ftyp", "a video or another ISO media file"),
    (128, b"DICM", "DICOM"), (0, b"GIF8", "GIF"), (0, b"%PDF", "PDF"),
    (0, b"PK\x03\x04", "a ZIP archive or Office document"),
    (0, b"II*\x00", "a TIFF cut short, or of a kind that is not read"),
    (0, b"MM\x00*", "a TIFF cut short, or of a kind that is not read"),
    (0, b"\xff\xd8", "a JPEG with a broken header"),
    (0, b"\x89PNG", "a PNG with a broken header"), (0, b"BM", "a BMP with a broken header"),
    (0, b"RIFF", "a WebP with a broken header, or a sound or video file"),
)  # fmt: skip


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


def assess_quality(pixels: NDArray[np.uint8], um_per_px: float | None = None, scalp_share: float = 1.0) -> Quality:
    """Defocus, exposure, glare and size of field, of pixels uint8 (H, W, 3) at um_per_px (None: unknown).

    scalp_share: of the picture that shows scalp, 0 to 1.
    """
    step = max(1, int(math.sqrt(pixels.shape[0] * pixels.shape[1] / _SAMPLED_PX)))
    sampled = pixels[::step, ::step]
    brightness = _brightness(sampled)
    white = float(np.mean(sampled.min(axis=2) >= 250))
    black = float(np.mean(brightness <= 8))
    middle = float(np.median(brightness))
    flags = []
    if white > OVEREXPOSED_SHARE or middle >= BRIGHT_MEDIAN:
        flags.append(f"overexposed: {white:.0%} of the picture is white")
    elif white > GLARE_SHARE:
        flags.append(f"glare: {white:.0%} of the picture is white")
    if black > BLACK_SHARE or middle <= DARK_MEDIAN:
        flags.append(f"underexposed: median brightness {middle:.0f} of 255, {black:.0%} black")
    flags += _defocus_flags(pixels, um_per_px)
    if scalp_share < ENOUGH_SCALP_SHARE:
        flags.append(f"{1 - scalp_share:.0%} of the picture is not scalp")
    if um_per_px is not None:
        area = pixels.shape[0] * pixels.shape[1] * (um_per_px / 1e4) ** 2 * scalp_share
        if area < MIN_FIELD_CM2:
            flags.append(f"small field: {area:.3f} cm²; a count over less than {MIN_FIELD_CM2} cm² says little")
    return Quality(not flags, tuple(flags))


def _defocus_flags(pixels: NDArray[np.uint8], um_per_px: float | None) -> list[str]:
    width, height = pixels.shape[1], pixels.shape[0]
    # Where the scale is unknown, 22 µm in a field of 3.6 mm (that of a 70x trichoscope) stands for 0.6 % of the field.
    um = um_per_px if um_per_px is not None else 3600.0 / max(width, height)
    at = max(um, 6.0)
    shown = resample(pixels, size_at((width, height), um, at)) if at > um else pixels
    blur_px = edge_blur_px(shown)
    if blur_px is None or blur_px * at <= max(DEFOCUS_UM, DEFOCUS_PX * at):
        return []
    if um_per_px is None:
        return [f"out of focus: edges spread over {blur_px * at / um:.0f} px"]
    return [f"out of focus: edges spread over {blur_px * at:.0f} µm; {DEFOCUS_UM:.0f} at most is sharp enough"]


def edge_blur_px(pixels: NDArray[np.uint8], block_px: int = 32) -> float | None:
    """Typical blur of the picture's edges, as the sigma of a Gaussian in px; None where it shows no edge to judge by.

    An edge of height d blurred by sigma has the slope d / (sigma·√(2π)) at its middle. Each block gives its range
    over its steepest slope (both without the extreme 1 %); the median of the quarter richest in contrast is taken.
    """
    height, width = (side - side % block_px for side in pixels.shape[:2])
    if not (height and width):
        return None
    # Bands of blocks, and in a large picture not every band: memory and time do not grow with the camera.
    step = block_px * math.ceil(height * width / (4 * _SAMPLED_PX))
    bands = [_edges(pixels[top : top + block_px, :width], block_px) for top in range(0, height, step)]
    contrast, steepest = np.concatenate(bands, axis=1)
    rich = contrast >= max(float(np.quantile(contrast, 0.75)), 12.0)
    if not rich.any():
        return None
    return float(np.median(contrast[rich] / (math.sqrt(2 * math.pi) * np.maximum(steepest[rich], 1e-3))))


def _edges(band: NDArray[np.uint8], side: int) -> NDArray[np.float32]:
    """Range of brightness and steepest slope, each without the extreme 1 %, of each block of a band: (2, blocks)."""
    brightness = _brightness(band)
    slope_y, slope_x = np.gradient(brightness)
    few = side * side // 100
    values = np.sort(_blocks(brightness, side), axis=1)
    slopes = np.partition(_blocks(np.hypot(slope_x, slope_y), side), -few, axis=1)
    return np.stack([values[:, -1 - few] - values[:, few], slopes[:, -few]])


def _brightness(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    weights = np.array([0.299, 0.587, 0.114], np.float32)
    return np.asarray(pixels.astype(np.float32) @ weights, np.float32)


def _blocks(band: NDArray[np.float32], side: int) -> NDArray[np.float32]:
    return band.reshape(side, -1, side).swapaxes(0, 1).reshape(-1, side * side)


def scale_warning(terminal_widths_um: Sequence[float]) -> str | None:
    """A sentence where the median calibre of terminal hairs makes the scale implausible; None if not, or under five."""
    low, high = PLAUSIBLE_TERMINAL_UM
    if len(terminal_widths_um) < 5:
        return None
    median = float(np.median(terminal_widths_um))
    if low <= median <= high:
        return None
    return (
        f"terminal hairs measure {median:.0f} µm in the median, outside {low:.0f} to {high:.0f} µm: check the scale, "
        "since every figure per cm² rests on it"
    )

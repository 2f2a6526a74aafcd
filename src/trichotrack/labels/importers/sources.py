"""JSON and XML from anyone: read whole and bounded, refused in a sentence where they are not what they should be."""

from __future__ import annotations

import json
import math
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any
from xml.parsers import expat

from trichotrack.problems import InputError, Problem

MAX_FILE_BYTES = 512 * 2**20
"""Of one file of annotations; with images inside (LabelMe keeps them) a few MB are usual."""


def read_bytes(path: Path, remedy: str) -> bytes:
    try:
        if path.is_dir():
            raise InputError(Problem(str(path), "is a folder, not a file", remedy))
        size = path.stat().st_size
        if size > MAX_FILE_BYTES:
            message = f"has {size / 2**20:.0f} MiB, more than the {MAX_FILE_BYTES // 2**20} that are read"
            raise InputError(Problem(str(path), message, "Export it in parts, or without the images."))
        return path.read_bytes()
    except OSError as error:
        raise InputError(Problem(str(path), f"cannot be read ({error.strerror})", remedy)) from None


def read_json(path: Path, remedy: str) -> Any:
    """The content of a JSON file. remedy: what to name instead."""
    try:
        return json.loads(read_bytes(path, remedy).decode("utf-8-sig"))
    except InputError:
        raise
    except (ValueError, RecursionError) as error:
        raise InputError(Problem(str(path), f"is not JSON ({error})", remedy)) from None


def read_json_object(path: Path, remedy: str) -> dict[str, Any]:
    content = read_json(path, remedy)
    if not isinstance(content, dict):
        raise InputError(Problem(str(path), "is not a JSON object", remedy))
    return content


def read_xml(path: Path, remedy: str) -> ET.Element:
    """The root of an XML file. A document type is refused: entities that expand or fetch are declared there alone."""
    builder = ET.TreeBuilder()
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartElementHandler = builder.start
    parser.EndElementHandler = builder.end
    parser.CharacterDataHandler = builder.data
    parser.StartDoctypeDeclHandler = _refuse_doctype
    data = read_bytes(path, remedy)
    try:
        parser.Parse(data, True)
        return builder.close()
    except _DocumentTypeError:
        message = "declares a document type (<!DOCTYPE …>), which no annotation tool writes"
        raise InputError(Problem(path.name, message, "Remove the declaration, if you trust the file.")) from None
    except (expat.ExpatError, ValueError, LookupError, AssertionError) as error:
        raise InputError(Problem(path.name, f"is not readable XML ({error})", "Replace or remove it.")) from None


class _DocumentTypeError(Exception):
    """Met <!DOCTYPE."""


def _refuse_doctype(*_: object) -> None:
    raise _DocumentTypeError


def finite(raw: Any) -> float | None:
    """A JSON number as a finite float; None for anything else (a text, true, NaN, a number beyond floats)."""
    if isinstance(raw, bool) or not isinstance(raw, int | float):
        return None
    try:
        number = float(raw)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def finite_text(text: str | None) -> float | None:
    """The text of an XML attribute or element as a finite float, or None."""
    try:
        number = float(text or "")
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def finites(raw: Any, length: int) -> tuple[float, ...] | None:
    """A JSON list of so many finite numbers, or None."""
    if not isinstance(raw, list) or len(raw) != length:
        return None
    numbers = [finite(number) for number in raw]
    return tuple(number for number in numbers if number is not None) if None not in numbers else None


def whole_size(width: Any, height: Any) -> tuple[int, int] | None:
    """(width, height) where both are whole numbers above 0; None where they are not told."""
    sides = finite(width), finite(height)
    if any(side is None or side <= 0 or not side.is_integer() for side in sides):
        return None
    return int(sides[0] or 0), int(sides[1] or 0)


def text(raw: Any) -> str:
    """Text without white space around it; "" for anything that is no text."""
    return raw.strip() if isinstance(raw, str) else ""


def files_below(folder: Path, suffix: str, remedy: str) -> list[Path]:
    """Files of a kind below a folder (or the one named itself), in order. Raises InputError where there is none."""
    if folder.is_file():
        return [folder]
    found = sorted(path for path in folder.rglob(f"*{suffix}") if path.is_file()) if folder.is_dir() else []
    if not found:
        raise InputError(Problem(str(folder), f"holds no {suffix} file", remedy))
    return found

"""Fonts for the PDF without system packages, and which letters no font at hand can print."""

from __future__ import annotations

import importlib.util
import shutil
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import typst

_COPIED = (
    (
        "font_source_sans_pro",
        "files",
        ("SourceSansPro-Regular.ttf", "SourceSansPro-Semibold.ttf", "SourceSansPro-Bold.ttf"),
    ),
    ("matplotlib", "mpl-data/fonts/ttf", ("DejaVuSans.ttf", "DejaVuSans-Bold.ttf")),
)
"""Letters of Europe (OFL), then arrows and signs (DejaVu's licence). Only these files: beside matplotlib's lies a font
of last resort, all of whose glyphs are boxes, which a typesetter takes for letters.
"""

_COLLECTIONS = (("noto_cjk_sans_otc", ""),)
"""Chinese, Japanese and Korean (OFL): large, so it is read where it lies."""

_BASE = ("Source Sans Pro", "DejaVu Sans")
_KOREAN = ("Noto Sans CJK KR", "Noto Sans KR", "Malgun Gothic", "Apple SD Gothic Neo", "NanumGothic", "Nanum Gothic")
_JAPANESE = ("Noto Sans CJK JP", "Noto Sans JP", "Yu Gothic", "Hiragino Sans", "Meiryo", "IPAexGothic", "IPAGothic")
_CHINESE = ("Noto Sans CJK SC", "Noto Sans SC", "Microsoft YaHei", "PingFang SC", "WenQuanYi Micro Hei", "SimSun")
_NEVER = ("last resort", "lastresort", "adobe blank", "emoji")

BOX = "□"
"""Stands for a letter that no font has; a notice names these letters."""


@dataclass(frozen=True)
class Face:
    """One font in a file; index: within a collection."""

    family: str
    path: str
    index: int


@dataclass(frozen=True)
class FontChoice:
    """fonts: for the typesetter. families: in the order in which a letter is looked for. missing: letters in none."""

    fonts: typst.Fonts
    families: tuple[str, ...]
    missing: tuple[str, ...]


def choose_fonts(texts: Iterable[str], folder: Path, *, system: bool = True) -> FontChoice:
    """Families that print every letter of texts, as far as there are any. system: look among installed fonts too.

    folder: where fonts are copied to, which must be there until the PDF is made.

    One record mixes few scripts, so Chinese characters take the shapes of the language whose own letters stand in it.
    """
    import typst

    needed = {letter for letter in set().union(*texts) if _printed(letter)}
    folders = _folders(folder)
    fonts = typst.Fonts(include_system_fonts=False, include_embedded_fonts=False, font_paths=folders)
    families: list[str] = []
    left = _take(_faces(fonts), _preferred(needed), families, needed)
    if left and system:
        fonts = typst.Fonts(include_embedded_fonts=False, font_paths=folders)
        left = _take(_faces(fonts), _preferred(needed), families, left)
    return FontChoice(fonts, tuple(families), tuple(sorted(left)))


def _take(faces: Sequence[Face], preferred: Sequence[str], families: list[str], needed: set[str]) -> set[str]:
    """Adds families to those chosen until they have every letter; the letters that none has."""
    order = {family: place for place, family in enumerate(preferred)}
    left = set(needed)
    for face in sorted(faces, key=lambda one: (order.get(one.family, len(order)), one.family, one.path, one.index)):
        if face.family in families or face.family.casefold().startswith(_NEVER):
            continue
        base = face.family in _BASE
        if not left and not base:
            break
        has = _letters(face.path, face.index)
        if base or any(ord(letter) in has for letter in left):
            families.append(face.family)
            left = {letter for letter in left if ord(letter) not in has}
    return left


def _preferred(needed: Iterable[str]) -> tuple[str, ...]:
    names = {unicodedata.name(letter, "").partition(" ")[0] for letter in needed}
    if "HANGUL" in names:
        return (*_BASE, *_KOREAN, *_JAPANESE, *_CHINESE)
    if names & {"HIRAGANA", "KATAKANA", "KATAKANA-HIRAGANA"}:
        return (*_BASE, *_JAPANESE, *_CHINESE, *_KOREAN)
    return (*_BASE, *_CHINESE, *_JAPANESE, *_KOREAN)


def _printed(letter: str) -> bool:
    """Whether a letter needs a glyph: not spaces, joiners and other letters without a shape."""
    return unicodedata.category(letter) not in {"Cc", "Cf", "Zs", "Zl", "Zp", "Mn", "Me"}


def _faces(fonts: typst.Fonts) -> list[Face]:
    return [Face(one.family, one.path, one.index) for one in fonts.fonts() if one.path]


@lru_cache(maxsize=256)
def _letters(path: str, index: int) -> frozenset[int]:
    """Code points that a font has glyphs for; none where it cannot be read."""
    from fontTools.ttLib import TTFont, TTLibError  # type: ignore[import-untyped]

    try:
        with TTFont(path, fontNumber=index, lazy=True) as font:
            return frozenset(font.getBestCmap() or ())
    except (TTLibError, OSError, KeyError, AssertionError, ValueError):
        return frozenset()


def _folders(folder: Path) -> list[Path]:
    """Folders with packaged fonts; the single files are copied to folder."""
    for package, inside, names in _COPIED:
        for place in _places(package, inside):
            for name in names:
                if (place / name).is_file():
                    shutil.copyfile(place / name, folder / name)
    return [folder, *(place for package, inside in _COLLECTIONS for place in _places(package, inside))]


def _places(package: str, inside: str) -> list[Path]:
    spec = importlib.util.find_spec(package)
    return [Path(place, inside) for place in (spec.submodule_search_locations or ())] if spec else []

"""The content of a report as values: what is said, in which order, but not how HTML or PDF sets it.

Both are made of this one document, so that no sentence is written twice and neither says more than the other.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from trichotrack.report.words import Cell

Svg = str
"""A drawing: one svg element without namespace; its title and desc are its text for those who do not see it."""


@dataclass(frozen=True)
class Paragraph:
    """kind: "", "small", "strong" or "warning"."""

    text: str
    kind: str = ""
    block: ClassVar[str] = "paragraph"


@dataclass(frozen=True)
class Heading:
    """Within a section."""

    text: str
    block: ClassVar[str] = "heading"


@dataclass(frozen=True)
class Items:
    """A list; numbered where footnotes of a table refer to it."""

    texts: tuple[str, ...]
    numbered: bool = False
    block: ClassVar[str] = "items"


@dataclass(frozen=True)
class Head:
    """The head of a column; icon: a drawing before it, or ""."""

    text: str
    icon: Svg = ""


@dataclass(frozen=True)
class Rows:
    """Rows of a table under a title of their own ("" for none); the first cell of each heads it."""

    title: str
    rows: tuple[tuple[Cell, ...], ...]


@dataclass(frozen=True)
class Table:
    """widths: of the columns, relative to each other."""

    heads: tuple[Head, ...]
    groups: tuple[Rows, ...]
    caption: str = ""
    widths: tuple[float, ...] = ()
    block: ClassVar[str] = "table"


@dataclass(frozen=True)
class PanelRow:
    """A row of drawings over one time axis. kind: "dates", "outcome", "salt", "drug", "title" or "ticks".

    icon, name, figures: left of the drawing. outcome: a verdict's chip, glyph the shape in it; text: right of the
    drawing, small: below it. primary: set apart.
    """

    kind: str
    name: str = ""
    icon: Svg = ""
    figures: str = ""
    svg: Svg = ""
    outcome: str = ""
    glyph: str = ""
    tone: str = ""
    text: str = ""
    small: str = ""
    primary: bool = False


@dataclass(frozen=True)
class Panels:
    """Rows over one time axis, with what explains their marks."""

    rows: tuple[PanelRow, ...]
    key: str = ""
    block: ClassVar[str] = "panels"


@dataclass(frozen=True)
class Picture:
    """One capture with its marks. jpeg: b"" where there is none, and missing says why. marks: a drawing over it.

    counts: (icon, name of the sign, number) for each sign read. when, said: the lines below.
    """

    id: str
    when: str
    jpeg: bytes = b""
    marks: Svg = ""
    width: int = 0
    height: int = 0
    alt: str = ""
    said: str = ""
    counts: tuple[tuple[Svg, str, str], ...] = ()
    missing: str = ""


@dataclass(frozen=True)
class Strip:
    """One field over the visits shown."""

    title: str
    pictures: tuple[Picture, ...]
    block: ClassVar[str] = "strip"


@dataclass(frozen=True)
class Legend:
    """What marks mean: (drawing, name)."""

    entries: tuple[tuple[Svg, str], ...]
    block: ClassVar[str] = "legend"


@dataclass(frozen=True)
class Facts:
    """Names with their values, each of one or more lines."""

    pairs: tuple[tuple[str, tuple[str, ...]], ...]
    block: ClassVar[str] = "facts"


Block = Paragraph | Heading | Items | Table | Panels | Strip | Legend | Facts


@dataclass(frozen=True)
class Section:
    """kind: "" or "box" (in a frame) or "captures"."""

    anchor: str
    title: str
    blocks: tuple[Block, ...]
    kind: str = ""


@dataclass(frozen=True)
class PageOne:
    """What stands alone on the first page."""

    head: str
    subtitle: str
    facts: tuple[tuple[str, str], ...]
    banner: str
    headline: str
    notices: tuple[str, ...]
    panels: Panels
    closing: tuple[str, ...]


@dataclass(frozen=True)
class Document:
    """A whole report. title: of the window; footer: at the foot of every page; language: of its texts."""

    title: str
    language: str
    first: PageOne
    sections: tuple[Section, ...]
    footer: str
    buttons: dict[str, str] = field(default_factory=dict)

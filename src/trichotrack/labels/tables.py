"""The three tables of labelled data as values: captures, labels (what is known), objects (where things are)."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from trichotrack.signs import SIGN, Sign

Level = Literal["exhaustive", "partial", "count", "presence"]
Preparation = Literal["none", "unclipped", "clipped", "shaved", "dye", "fibres", "tattoo"]


SPLITS = ("train", "val", "test", "")
"""Of a capture; blank where it has none yet."""


@dataclass(frozen=True)
class CaptureRow:
    """One line of captures.csv. file: relative to the folder, with `/`. um_per_px: None where unknown."""

    file: str
    patient: str
    visit: str = ""
    site: str = ""
    field: str = ""
    um_per_px: float | None = None
    preparation: str = "none"
    date: str = ""
    device: str = ""
    split: str = ""
    valid_area: str = ""
    extra: Mapping[str, str] = dataclasses.field(default_factory=dict)


@dataclass(frozen=True)
class LabelRow:
    """What is known of one sign in one capture. value: the number for `count`, 0 or 1 for `presence`, else None."""

    file: str
    sign: str
    level: Level
    value: float | None = None
    rater: str = ""


@dataclass(frozen=True)
class ObjectRow:
    """One structure: root (hair) or centre (dot), original px; tip and widths where known; box as width and height."""

    id: str
    file: str
    sign: str
    x: float
    y: float
    tip_x: float | None = None
    tip_y: float | None = None
    root_width_um: float | None = None
    tip_width_um: float | None = None
    box_w: float | None = None
    box_h: float | None = None
    rater: str = ""


@dataclass(frozen=True)
class LabelSet:
    """A labelled folder. A (capture, sign) pair without a label row is unknown, never zero.

    signs: every sign that may be named: the vocabulary and those of signs.yaml (with parent and group).
    """

    folder: Path
    captures: tuple[CaptureRow, ...]
    labels: tuple[LabelRow, ...]
    objects: tuple[ObjectRow, ...]
    signs: Mapping[str, Sign] = dataclasses.field(default_factory=lambda: dict(SIGN))

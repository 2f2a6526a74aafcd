"""Parts of docs/benchmarks.md: tables, paragraphs, figures with their intervals."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from pages import table

AUGMENTED = (
    "Training also changes what it draws: brightness, contrast and gamma; hue, saturation and RGB shift; blur of "
    "3 to 5 px; noise of 0.01 to 0.04 and JPEG of quality 50 to 95, all at 6 µm/px."
)
"""Of trichotrack.model.augment: told wherever a nuisance is said to be held out."""


def figure(value: Mapping[str, float | None], form: str) -> str:
    """A figure with its interval, where it has one; "-" without a value."""
    if value["value"] is None:
        return "-"
    if value["low"] is None or value["high"] is None:
        return f"{value['value']:{form}}"
    return f"{value['value']:{form}} ({value['low']:{form}} to {value['high']:{form}})"


def figure_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table whose columns but the first are aligned to the right, as a paragraph."""
    return paragraph([table(header, rows, align="---:")])


def paragraph(lines: Sequence[str]) -> str:
    """Lines, and the empty one after them."""
    return "\n".join(lines) + "\n\n"


def names(signs: Iterable[str]) -> str:
    """Signs as code, with commas between."""
    return ", ".join(f"`{sign}`" for sign in signs)

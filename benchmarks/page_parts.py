"""Parts of docs/benchmarks.md: tables, paragraphs, figures with their intervals."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence


def figure(value: Mapping[str, float | None], form: str) -> str:
    """A figure with its interval, where it has one; "-" without a value."""
    if value["value"] is None:
        return "-"
    if value["low"] is None or value["high"] is None:
        return f"{value['value']:{form}}"
    return f"{value['value']:{form}} ({value['low']:{form}} to {value['high']:{form}})"


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [header, ["---"] + ["---:"] * (len(header) - 1), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n\n"


def paragraph(lines: Sequence[str]) -> str:
    return "\n".join(lines) + "\n\n"


def names(signs: Iterable[str]) -> str:
    return ", ".join(f"`{sign}`" for sign in signs)

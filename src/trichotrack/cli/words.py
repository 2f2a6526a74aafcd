"""Words that several commands print."""

from __future__ import annotations


def numbered(count: int, noun: str) -> str:
    """A number with its noun: "1 capture", "2 captures"."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"

"""What the scripts that write pages share: tables of Markdown, and a page written, or held to what it should be."""

from __future__ import annotations

import argparse
import re
import textwrap
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def table(header: Sequence[str], rows: Iterable[Sequence[str]], *, align: str = "---") -> str:
    """Rows of cells as Markdown; align: of all columns but the first."""
    lines = [header, ["---", *[align] * (len(header) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def wrapped(text: str, width: int = 118) -> str:
    """Markdown with its paragraphs and items of lists filled; headings, tables, code and pictures stay as they are."""
    blocks = []
    fenced = False
    for block in text.split("\n\n"):
        as_is = fenced or block.startswith(("#", "|", "    ", "```", "!["))
        fenced ^= block.count("```") % 2 == 1
        blocks.append(block if as_is else _filled(block, width))
    return "\n\n".join(blocks).rstrip() + "\n"


def _filled(block: str, width: int) -> str:
    """One paragraph, or the items of a list; code in a line is never broken."""
    items = re.split(r"\n(?=- )", block)
    return "\n".join(
        textwrap.fill(
            re.sub(r"`[^`]+`", lambda code: code[0].replace(" ", "\0"), " ".join(item.split())),
            width,
            subsequent_indent="  " if item.startswith("- ") else "",
            break_long_words=False,
            break_on_hyphens=False,
        ).replace("\0", " ")
        for item in items
    )


def keep(page: Path, make: Callable[[], str], doc: str) -> None:
    """Writes what make gives to page; with --check, fails where page is something else."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    text = make()
    if not options.check:
        page.parent.mkdir(exist_ok=True)
        page.write_text(text, encoding="utf-8", newline="\n")
    elif not page.is_file() or page.read_text(encoding="utf-8") != text:
        raise SystemExit(f"{page.relative_to(ROOT).as_posix()} is out of date: run its script without --check.")

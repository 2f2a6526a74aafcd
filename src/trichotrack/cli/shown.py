"""Tables and JSON as commands print them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import typer


def print_json(content: Mapping[str, Any]) -> None:
    typer.echo(json.dumps(content, ensure_ascii=False, indent=1))


def print_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[str]], *, err: bool = False) -> None:
    """A table of the columns that hold anything."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    lines = list(rows)
    shown = [position for position in range(len(columns)) if any(line[position] for line in lines)]
    table = Table(title=title or None, title_justify="left")
    for position in shown:
        table.add_column(columns[position], overflow="fold")
    for line in lines:
        table.add_row(*(Text(line[position]) for position in shown))
    Console(stderr=err).print(table)

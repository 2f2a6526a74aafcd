"""How the `trichotrack labels` commands print: tables for people, JSON for machines."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import typer

from trichotrack.problems import Problem


def print_json(content: Mapping[str, Any]) -> None:
    typer.echo(json.dumps(content, ensure_ascii=False, indent=1))


def print_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[str]], *, err: bool = False) -> None:
    """A table of the columns that hold anything. err: among the errors, not the output."""
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


def problem_dict(problem: Problem) -> dict[str, Any]:
    return {
        "table": problem.place,
        "row": problem.row,
        "column": problem.column,
        "value": problem.value,
        "message": problem.message,
        "remedy": problem.remedy,
    }


def print_problems(title: str, problems: Sequence[Problem]) -> None:
    """As a table on a terminal, line by line in a pipe."""
    from rich.console import Console

    if not problems:
        return
    if Console().is_terminal:
        columns = ("table", "row", "column", "value", "what is wrong", "what to do")
        print_table(
            title,
            columns,
            ((p.place, "" if p.row is None else str(p.row), p.column, p.value, p.message, p.remedy) for p in problems),
        )
    else:
        typer.echo(f"{title}:")
        for problem in problems:
            typer.echo(str(problem))

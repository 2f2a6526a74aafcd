"""`trichotrack labels agree`: how far readers of the same captures agree."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from trichotrack.cli.words import numbered

if TYPE_CHECKING:
    from rich.table import Table

    from trichotrack.evaluate.agreement_result import Agreement, PairAgreement
    from trichotrack.evaluate.figures import Figure

_PACKAGES = ("trichotrack", "numpy", "scipy")


def agree(
    folders: Annotated[
        list[Path], typer.Argument(metavar="FOLDER...", help="Labelled folder; or several, one a reader.")
    ],
    readers: Annotated[
        str | None, typer.Option(help="Readers to compare, such as A,B. Default: all raters found; blank: reference.")
    ] = None,
    sign: Annotated[list[str] | None, typer.Option(help="Only this sign (may be given again).")] = None,
    ignore_sign: Annotated[
        list[str] | None, typer.Option(help="Leave this sign out; marks on it are neither right nor wrong.")
    ] = None,
    tolerance_mm: Annotated[
        float | None, typer.Option(help="Two marks so near, one to one, are of one structure. Default: 0.15.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Write every figure to this folder, as agreement.json.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for machines.")] = False,
) -> None:
    """Say how far two or more readers of the same captures agree: places (F1), classes (κ) and counts (ICC, limits).

    Readers are the raters of one folder, or the raters of several folders that name their captures the same.

    Example: trichotrack labels agree my-set --readers anna,ben --tolerance-mm 0.113
    """
    from rich.console import Console

    from trichotrack.evaluate.agreement import agree as run
    from trichotrack.evaluate.provenance import command_line, machine, today, versions
    from trichotrack.evaluate.readers import readers_of
    from trichotrack.evaluate.run import DEFAULT_TOLERANCE_MM
    from trichotrack.labels.read import read_labels

    wanted = [name.strip() for name in (readers or "").split(",") if name.strip()]
    result = run(
        readers_of([read_labels(folder) for folder in folders], wanted),
        signs=sign or (),
        ignored_signs=ignore_sign or (),
        tolerance_mm=DEFAULT_TOLERANCE_MM if tolerance_mm is None else tolerance_mm,
    )
    record = {
        **result.to_dict(),
        "command": command_line(["trichotrack", *sys.argv[1:]]),
        "date": today(),
        "machine": machine(),
        "versions": versions(_PACKAGES),
    }
    text = json.dumps(record, ensure_ascii=False, indent=1, allow_nan=False)
    if out:
        out.mkdir(parents=True, exist_ok=True)
        (out / "agreement.json").write_text(text + "\n", encoding="utf-8")
    if as_json:
        typer.echo(text)
        return
    console = Console()
    for pair in result.pairs:
        for table in _pair_tables(pair):
            console.print(table)
        for line in _pair_remarks(pair):
            console.print(line, markup=False, highlight=False)
    if result.together:
        console.print(_together_table(result))
    for line in _remarks(result):
        console.print(line, markup=False, highlight=False)
    if out:
        console.print(f"Every figure is in {out / 'agreement.json'}.", markup=False, highlight=False)


def _pair_tables(pair: PairAgreement) -> list[Table]:
    from rich.text import Text

    title = f"{pair.first} and {pair.second}: {numbered(pair.captures, 'capture')} of {_people(pair.patients)}"
    places = _blank(title, ("captures", pair.first, pair.second, "matched", "F1"))
    counts = _blank("Counts per capture", ("MAE", "ICC(2,1)"))
    limits = _blank(f"{pair.second} less {pair.first}, per capture", ("bias", "lower limit", "upper limit"))
    for row in pair.signs:
        places.add_row(
            Text(row.sign), str(row.captures), str(row.first), str(row.second),
            str(row.matched) if row.located else "-", _cell(row.f1, ".3f"),
        )  # fmt: skip
        counts.add_row(Text(row.sign), _cell(row.count_mae, ".2f"), _cell(row.icc, ".3f"))
        ends = (row.limits.bias, row.limits.lower, row.limits.upper) if row.limits else (None, None, None)
        limits.add_row(Text(row.sign), *(_cell(end, "+.2f") for end in ends))
    tables = [places, counts, limits]
    if pair.classes:
        classes = _blank(
            f"Classes of the {pair.classes.matched} matched: rows {pair.first}, columns {pair.second}",
            pair.classes.signs,
        )
        for name, line in zip(pair.classes.signs, pair.classes.table, strict=True):
            classes.add_row(Text(name), *map(str, line))
        tables.append(classes)
    return tables


def _pair_remarks(pair: PairAgreement) -> list[str]:
    lines = []
    if pair.classes:
        kappa = "" if pair.classes.kappa is None else f", Cohen's κ {_beside(pair.classes.kappa, '.3f')}"
        lines.append(f"Same class: {_beside(pair.classes.agreement, '.3f')} of the matched{kappa}.")
    reasons = [pair.refused, pair.classes.refused if pair.classes else ""]
    lines += [f"Classes not compared: {reason.rstrip('.')}." for reason in reasons if reason]
    lines += [
        f"{row.sign}: no {'limits of agreement' if name == 'limits' else name.upper()}, since {reason.rstrip('.')}."
        for row in pair.signs
        for name, reason in row.refused.items()
    ]
    lines += [f"Not compared: {reason}." for reason in pair.left_out]
    if pair.one_only:
        lines.append(f"{numbered(pair.one_only, 'capture')} read by only one of the two: passed over.")
    if pair.without_scale:
        lines.append(f"{numbered(pair.without_scale, 'capture')} without a scale: counts compared, not places.")
    return lines


def _together_table(result: Agreement) -> Table:
    from rich.text import Text

    table = _blank(f"All {len(result.readers)} readers together", ("captures", "patients", "ICC(2,1) of counts"))
    for row in result.together:
        shown = row.refused.rstrip(".") if row.icc is None else _cell(row.icc, ".3f")
        table.add_row(Text(row.sign), str(row.captures), str(row.patients), shown)
    return table


def _remarks(result: Agreement) -> list[str]:
    near = f"Marks within {result.tolerance_mm:g} mm, one to one, are of one structure. "
    intervals = (
        "95 % intervals: of F1, MAE and class agreement by resampling patients; of κ, ICC, bias and limits by closed "
        "form and, where patients have several captures (for κ always), by resampling them too: the farther end counts."
    )
    lines = [near + intervals]
    if result.patients_notice:
        lines.append(f"{result.patients_notice[0].upper()}{result.patients_notice[1:]}.")
    if any(pair.patients == 1 for pair in result.pairs):
        lines.append("One patient says nothing of others: no intervals.")
    elif any(pair.patients < 20 for pair in result.pairs):
        lines.append("With fewer than about 20 patients, intervals by resampling are somewhat short.")
    lines += [f"Not compared: {reason}." for reason in result.refused]
    if result.ignored_signs:
        lines.append(f"Marks on {', '.join(result.ignored_signs)} are left out, and neither right nor wrong.")
    return lines


def _blank(title: str, columns: Sequence[str]) -> Table:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(title=Text(title), title_justify="left", box=box.SIMPLE_HEAD)
    table.add_column("sign", overflow="fold")
    for column in columns:
        table.add_column(Text(column), justify="right", overflow="fold")
    return table


def _cell(figure: Figure | None, form: str) -> str:
    """The value, and below it its interval."""
    if figure is None or figure.value is None:
        return "-"
    if figure.low is None or figure.high is None:
        return f"{figure.value:{form}}"
    return f"{figure.value:{form}}\n{figure.low:{form}} to {figure.high:{form}}"


def _beside(figure: Figure, form: str) -> str:
    """The value with its interval in brackets."""
    if figure.value is None:
        return "-"
    if figure.low is None or figure.high is None:
        return f"{figure.value:{form}}"
    return f"{figure.value:{form}} ({figure.low:{form}} to {figure.high:{form}})"


def _people(count: int) -> str:
    return numbered(count, "patient")

"""`trichotrack record repeatability`: how much counts differ when the probe is lifted and placed again."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from trichotrack.problems import InputError

if TYPE_CHECKING:
    from trichotrack.stats.repeatability import Repeatability


def repeatability(
    record: Annotated[
        str,
        typer.Option(
            "--record",
            envvar="TRICHOTRACK_RECORD",
            help="The record: a SQLite file, or postgresql+pg8000://user@host/database.",
        ),
    ] = "trichotrack.sqlite",
    relocated: Annotated[
        str,
        typer.Option(help="Which captures are relocated repeats: a pattern on their repeat (n), such as 'r*' or '*'."),
    ] = "r*",
    sign: Annotated[str, typer.Option(help="The outcome, such as black_dot.")] = "active_load",
    table: Annotated[
        Path | None,
        typer.Option(
            help="Instead of the record: CSV or .xlsx with patient, visit, site, field, repeat, count, area_cm2."
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for machines.")] = False,
) -> None:
    """Measure repeatability from captures of one field on one visit, the probe lifted and placed again in between.

    Prints the SD of the log rate (counting and relocation), the change it hides, and the variation beyond counting that
    verdicts may take in place of the assumed 15 %: `trichotrack visit show P001 --repeatability FILE`.

    Example: trichotrack record repeatability --relocated "r*" --json
    """
    from trichotrack.signs import SIGN
    from trichotrack.stats.repeatability import repeatability as measure
    from trichotrack.visits.record import open_record, shown
    from trichotrack.visits.repeats import repeats_in_record, repeats_in_table
    from trichotrack.visits.series import PARTS

    if sign not in SIGN and sign not in PARTS:
        raise InputError(f"--sign: there is no outcome {sign!r}; it is one of {', '.join((*PARTS, *SIGN))}.")
    if table is not None:
        groups = repeats_in_table(table)
    else:
        with open_record(record) as session:
            groups = repeats_in_record(session, relocated, sign)
    found = measure(groups)
    if as_json:
        typer.echo(
            json.dumps({"outcome": sign, "source": str(table) if table else shown(record), **asdict(found)}, indent=1)
        )
        return
    for line in _lines(found):
        typer.echo(line)


def _lines(found: Repeatability) -> list[str]:
    from trichotrack.cli.words import numbered

    interval = f"95 % interval {found.s_w_low:.3f} to {found.s_w_high:.3f}"
    beyond = f"95 % interval {100 * found.cv_low:.1f} to {100 * found.cv_high:.1f}"
    fall, rise = 100 * (found.mdc_fall - 1), 100 * (found.mdc_rise - 1)
    lines = [
        f"{numbered(found.groups, 'field')} of {numbered(found.patients, 'patient')}, {found.df} degrees of freedom.",
        f"SD of the log rate: {found.s_w:.3f} ({interval}), counting included.",
        f"A change of one capture beyond {fall:.0f} % or {rise:+.0f} % is more than repeats differ (95 %).",
        f"Beyond counting: CV {100 * found.cv:.1f} % ({beyond}).",
        f"Verdicts would take its upper 80 % bound, {100 * found.cv_to_judge_by:.1f} %.",
    ]
    if found.left_out:
        lines.append(f"Left out: {numbered(found.left_out, 'field')} with fewer than 5 events on average.")
    if found.df < 10:
        lines.append("Too few for verdicts: 10 degrees of freedom are needed.")
    return lines

"""`trichotrack cohort`: who responded, and what goes with it; densities over visits; the score; a tidy export."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

if TYPE_CHECKING:
    from trichotrack.cohort.people import Cohort

DEFAULT_COMMAND = "who"


class _WithDefault(TyperGroup):
    """`trichotrack cohort TABLE …` is `trichotrack cohort who TABLE …`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if args and args[0] not in self.commands and args[0] != "--help":
            args = [DEFAULT_COMMAND, *args]
        return super().parse_args(ctx, args)


cohort_app = typer.Typer(
    cls=_WithDefault,
    help="Cohorts: who responded, and what goes with it.\n\n"
    "Example: trichotrack cohort data/cohort --out cohort-report\n\n"
    "`trichotrack cohort TABLE` is `trichotrack cohort who TABLE`: see `trichotrack cohort who --help`.",
    no_args_is_help=True,
)

Source = Annotated[
    str,
    typer.Argument(
        metavar="TABLE|RECORD",
        help="A folder of tables (patients.csv …), or a record: a SQLite file, or "
        "postgresql+pg8000://user@host/database.",
    ),
]
Out = Annotated[Path, typer.Option("--out", help="The folder to write to.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]
Drug = Annotated[str, typer.Option(help="Of a record: the treatment whose first start is month 0.")]


@cohort_app.command(DEFAULT_COMMAND)
def who(
    source: Source,
    out: Out,
    month: Annotated[float, typer.Option(help="Month of the endpoint, since treatment start.")] = 9.0,
    window: Annotated[float, typer.Option(help="An assessment counts within this many months of it.")] = 1.5,
    min_salt: Annotated[float, typer.Option(help="Leave out patients with a lower SALT at baseline.")] = 0.0,
    loss: Annotated[str, typer.Option(help="Loss of benefit: 20 points, at-least (≥) or more-than (>).")] = "at-least",
    predictors: Annotated[
        str, typer.Option(help="Commas between: pulse, a cut such as 'duration_years<=4', per units such as age/10.")
    ] = "",
    completers: Annotated[bool, typer.Option("--completers", help="Logistic regression of completers only.")] = False,
    drug: Drug = "",
    resamples: Annotated[int, typer.Option(help="Bootstrap resamples of prediction and time.", min=0)] = 200,
    seed: Annotated[int, typer.Option(help="Of the bootstrap.")] = 0,
    as_json: Json = False,
) -> None:
    """Who responded (SALT ≤ 20 and its kin), when, what goes with it, and adverse events, as one page and tables.

    Whoever was not assessed at the month counts as a non-responder; completers stand beside.

    Example: trichotrack cohort data/cohort --out cohort-report --month 9
    """
    from datetime import datetime

    from trichotrack.cohort.analysis import analyse
    from trichotrack.cohort.endpoints import Settings
    from trichotrack.cohort.sentences import sections
    from trichotrack.cohort.write import results, write_results
    from trichotrack.report.cohort_page import render_cohort, write_page

    folder = _folder(out)
    settings = Settings(month, window, min_salt, "more-than" if loss == "more-than" else _loss(loss))
    found = analyse(
        read(source, drug),
        settings,
        predictors=[text.strip() for text in predictors.split(",") if text.strip()],
        who="completers" if completers else "all",
        resamples=resamples,
        seed=seed,
    )
    files = write_results(found, folder)
    page = write_page(render_cohort(found, made=datetime.now().astimezone().date()), folder / "cohort.html")
    if as_json:
        typer.echo(json.dumps(results(found), ensure_ascii=False, indent=1))
        return
    if found.cohort.synthetic:
        typer.echo("Synthetic cohort: made by a program. No person, no clinical meaning.")
    for section in sections(found):
        typer.echo(f"\n{section.title}")
        for sentence in section.sentences:
            typer.echo(f"  {sentence}")
    typer.echo(f"\nPage: {page}\nTables: {', '.join(file.name for file in files)}")


@cohort_app.command("counts")
def counts(
    source: Source,
    out: Out,
    outcome: Annotated[str, typer.Option(help="A sign such as black_dot, or active_load.")] = "active_load",
    months: Annotated[str, typer.Option(help="Months to look at, commas between.")] = "2,4,9",
    window: Annotated[float, typer.Option(help="A visit counts within this many months of one of them.")] = 0.5,
    drug: Drug = "",
    as_json: Json = False,
) -> None:
    """Density of a sign over visits by arm, against baseline and between arms (GEE, clustered by patient).

    From counts.csv (patient, month or date, outcome, count, area_cm2) beside patients.csv (patient, arm), or from a
    record's reviewed readings. Baseline is the last visit on or before treatment start.

    Example: trichotrack cohort counts study --out counts-report --outcome black_dot --months 2,4
    """
    from trichotrack.cohort.counts import counts_over_visits, told
    from trichotrack.cohort.counts_table import read_counts
    from trichotrack.cohort.from_record import counts_of_record
    from trichotrack.cohort.write import write_counts
    from trichotrack.visits.record import open_record

    folder, planned = _folder(out), _months(months)
    notes: list[str] = []
    if Path(source).is_dir():
        rows = read_counts(Path(source), outcome)
    else:
        with open_record(source) as session:
            rows, notes = counts_of_record(session, drug, outcome)
    found = counts_over_visits(rows, outcome, planned, window)
    sentences = [*told(found), *notes]
    values, files = write_counts(found, sentences, folder)
    if as_json:
        typer.echo(json.dumps(values, ensure_ascii=False, indent=1))
        return
    for sentence in sentences:
        typer.echo(sentence)
    typer.echo(f"Tables: {', '.join(str(file) for file in files)}")


@cohort_app.command("score")
def score(
    source: Source,
    out: Out,
    month: Annotated[float, typer.Option(help="Month of the reading, since treatment start.")] = 2.0,
    window: Annotated[float, typer.Option(help="A reading counts within this many months of it.")] = 0.5,
    drug: Drug = "",
    as_json: Json = False,
) -> None:
    """The Alopecia Areata Predictive Score of a cohort: patchy alopecia, reviewed readings, about two months in.

    From signs.csv (patient, month or date, black_dot … pigtail_hair, reviewed_by) beside patients.csv, or a record.
    For research on cohorts; refused, with the reason, wherever it was not made for.

    Example: trichotrack cohort score study --out scores
    """
    from trichotrack.cohort.from_record import signs_of_record
    from trichotrack.cohort.score import score_of, scores_of_folder, told
    from trichotrack.cohort.write import write_scores
    from trichotrack.visits.record import open_record

    folder = _folder(out)
    if Path(source).is_dir():
        scores = scores_of_folder(Path(source), month=month, window=window)
    else:
        with open_record(source) as session:
            scores = tuple(
                score_of(patient, aa_type, signs, month=month, window=window)
                for patient, aa_type, signs in signs_of_record(session, drug)
            )
    sentences = told(scores)
    values, file = write_scores(scores, sentences, folder)
    if as_json:
        typer.echo(json.dumps(values, ensure_ascii=False, indent=1))
        return
    for sentence in sentences:
        typer.echo(sentence)
    typer.echo(f"Table: {file}")


@cohort_app.command("export")
def export(
    record: Annotated[
        str,
        typer.Argument(metavar="RECORD", help="The record: a SQLite file, or postgresql+pg8000://user@host/database."),
    ],
    out: Out,
    as_json: Json = False,
) -> None:
    """The record as tidy tables: one row per capture and sign, with status, area, scale, model and reviewer.

    What was refused is NA with its reason, never 0. A codebook says what every column means.

    Example: trichotrack cohort export trichotrack.sqlite --out tables
    """
    from trichotrack.cohort.export import export_record
    from trichotrack.visits.record import open_record

    folder = _folder(out)
    with open_record(record) as session:
        rows = export_record(session, folder)
    if as_json:
        typer.echo(json.dumps({"folder": str(folder), "rows": rows}))
        return
    listed = ", ".join(f"{name}.csv ({number})" for name, number in rows.items())
    typer.echo(f"{folder}: {listed}, codebook.csv. Refused signs are NA, never 0.")


def read(source: str, drug: str) -> Cohort:
    """The cohort of a folder of tables, or of a record. Raises InputError with every fault."""
    from trichotrack.cohort.tables import read_cohort

    folder, is_url = Path(source), "://" in source
    if not is_url and (folder.is_dir() or not folder.exists()):
        return read_cohort(folder)
    from trichotrack.cohort.from_record import cohort_of_record
    from trichotrack.visits.record import open_record

    with open_record(source) as session:
        return cohort_of_record(session, drug, f"{'record' if is_url else folder.stem}, {drug}")


def _months(text: str) -> list[float]:
    from trichotrack.problems import InputError, Problem

    try:
        months = sorted({float(part) for part in text.split(",") if part.strip()})
    except ValueError:
        months = []
    if not months or months[0] < 0:
        raise InputError(Problem("--months", "is not a list of months", "Write such as 2,4,9.", value=text))
    return months


def _loss(text: str) -> Any:
    from trichotrack.problems import InputError, Problem

    if text != "at-least":
        raise InputError(Problem("--loss", "is neither at-least nor more-than", "Choose one.", value=text))
    return text


def _folder(out: Path) -> Path:
    """The folder to write to, made. Raises InputError where a file is in its place."""
    from trichotrack.problems import InputError, Problem

    if out.exists() and not out.is_dir():
        raise InputError(Problem("--out", "is a file", "Name a folder.", value=str(out)))
    out.mkdir(parents=True, exist_ok=True)
    return out

"""`trichotrack evaluate`: how far a model agrees with labels."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from trichotrack.cli.words import numbered

if TYPE_CHECKING:
    from rich.table import Table

    from trichotrack.evaluate.agreement_result import ClassAgreement
    from trichotrack.evaluate.evaluation import Evaluation
    from trichotrack.evaluate.figures import Figure
    from trichotrack.labels.tables import LabelSet
    from trichotrack.problems import Problem
    from trichotrack.runtime.counter import Counter

_PACKAGES = ("trichotrack", "numpy", "onnxruntime", "pillow", "scipy")
_PROBLEMS_SHOWN = 10


def evaluate(
    model: Annotated[Path, typer.Argument(help="Exported model (.onnx).")],
    labels: Annotated[Path, typer.Argument(help="Labelled folder: captures, labels and objects tables.")],
    split: Annotated[str | None, typer.Option(help="Only captures of this split, such as val or test.")] = None,
    tolerance_mm: Annotated[
        float | None,
        typer.Option(
            help="A mark this near to a labelled point is right, one to one. Default: the model's, or 0.15. Not for a "
            "model trained without scales, which is judged in px."
        ),
    ] = None,
    sign: Annotated[list[str] | None, typer.Option(help="Sign to compare; repeat for more. Default: all.")] = None,
    ignore_sign: Annotated[
        list[str] | None,
        typer.Option(help="Sign on which a mark is neither right nor wrong; repeat for more. Default: the model's."),
    ] = None,
    rater: Annotated[str, typer.Option(help="Whose labels; blank is the reference.")] = "",
    name: Annotated[str, typer.Option(help="Name of the data, as printed. Default: the folder's.")] = "",
    out: Annotated[
        Path | None,
        typer.Option(help="Folder for evaluation.json, captures.csv, classes.csv and pictures of the worst captures."),
    ] = None,
    pictures: Annotated[int, typer.Option(min=0, help="How many of the worst captures to draw in --out.")] = 8,
    threads: Annotated[int | None, typer.Option(min=1, help="Of one inference. Default: one per core.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for machines.")] = False,
) -> None:
    """Compare a model's marks with labels: precision, recall, F1, count error and bias, with intervals over people.

    A sign that is not exhaustively labelled in a capture is passed over there: unlabelled is not zero. Where only its
    presence is known: AUROC and average precision. Exit status 3 where some captures could not be read.

    Example: trichotrack evaluate model.onnx data/demo/labelled --split test --out evaluation
    """
    from trichotrack.evaluate.evaluation import draw_worst, write_evaluation
    from trichotrack.labels.read import read_labels
    from trichotrack.runtime.counter import Counter

    labelset = read_labels(labels)
    result = _evaluated(
        Counter(model, threads=threads),
        labelset,
        split=split,
        tolerance_mm=tolerance_mm,
        rater=rater,
        signs=sign,
        ignored=ignore_sign,
        name=name,
    )
    provenance = made()
    written = write_evaluation(result, out, provenance) if out else []
    if out:
        written += draw_worst(result, labelset.folder, out / "worst", labelset.signs, limit=pictures)
    show(result, provenance, len(written), out, as_json=as_json)


def made() -> dict[str, Any]:
    """By which command, when, where and with what versions."""
    from trichotrack.evaluate.provenance import command_line, machine, today, versions

    return {
        "command": command_line(["trichotrack", *sys.argv[1:]]),
        "date": today(),
        "machine": machine(),
        "versions": versions(_PACKAGES),
    }


def show(result: Evaluation, provenance: Mapping[str, Any], written: int, out: Path | None, *, as_json: bool) -> None:
    """The evaluation on screen, or as JSON, and what could not be read: then the exit status is 3."""
    from rich.console import Console

    if as_json:
        typer.echo(json.dumps({**result.to_dict(), **provenance}, ensure_ascii=False, indent=1, allow_nan=False))
    else:
        console = Console()
        for table in _tables(result):
            console.print(table)
        for line in _remarks(result):
            console.print(line, markup=False, highlight=False)
        if out:
            console.print(f"{written} files written to {out}.", markup=False, highlight=False)
    if result.problems:
        _say_problems(result.problems)
        raise typer.Exit(3)


def _evaluated(
    counter: Counter,
    labelset: LabelSet,
    *,
    split: str | None,
    tolerance_mm: float | None,
    rater: str,
    signs: list[str] | None,
    ignored: list[str] | None,
    name: str,
) -> Evaluation:
    """The evaluation, with a progress bar on a terminal."""
    from rich.console import Console
    from rich.progress import Progress

    from trichotrack.evaluate.run import evaluate as run

    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("reading captures", total=None)
        return run(
            counter,
            labelset,
            split=split,
            tolerance_mm=tolerance_mm,
            rater=rater,
            signs=signs or (),
            ignored_signs=ignored or None,
            name=name,
            on_capture=lambda done, total: progress.update(task, completed=done, total=total),
        )


def _tables(result: Evaluation) -> list[Table]:
    """How well points are found, how well they are counted, and presences told: apart, so that each fits 80 columns."""
    from rich.text import Text

    title = f"{result.data}, {result.split}" if result.split else result.data
    points = _blank(title, ("labelled", "found", "precision", "recall", "F1"))
    counts = _blank("", ("captures", "MAE per capture", "bias per capture", "false per cm²"))
    for sign, row in result.signs.items():
        rates = (_cell(figure, ".3f") for figure in (row.precision, row.recall, row.f1))
        points.add_row(Text(sign), str(row.labelled), str(row.predicted), *rates)
        errors = (_cell(row.count_mae, ".2f"), _cell(row.bias, "+.2f"), _cell(row.false_positives_per_cm2, ".1f"))
        counts.add_row(Text(sign), str(row.captures), *errors)
    tables = [points, counts] if result.signs else []
    if result.presence:
        presence = _blank("" if tables else title, ("captures", "with it", "AUROC", "average precision"))
        for sign, known in result.presence.items():
            ranks = (_cell(known.auroc, ".3f"), _cell(known.average_precision, ".3f"))
            presence.add_row(Text(sign), str(known.captures), str(known.present), *ranks)
        tables.append(presence)
    return tables + _by_fold(result)


def _by_fold(result: Evaluation) -> list[Table]:
    """Each sign's figures of all folds, and below them those of each, without intervals: a fold is few people."""
    from rich.text import Text

    counts = _blank("By fold", ("patients", "labelled", "found", "F1", "MAE", "bias"))
    presence = _blank("" if result.signs else "By fold", ("captures", "with it", "AUROC", "average precision"))
    for sign in result.unlabelled:
        for name, part in {"": result, **result.folds}.items():
            title = Text(f"  {name}" if name else sign)
            row, known = part.signs.get(sign), part.presence.get(sign)
            if row:
                numbers = map(str, (row.patients, row.labelled, row.predicted))
                counts.add_row(title, *numbers, *map(_alone, (row.f1, row.count_mae, row.bias), (".3f", ".2f", "+.2f")))
            if known:
                numbers = map(str, (known.captures, known.present))
                presence.add_row(title, *numbers, *map(_alone, (known.auroc, known.average_precision), (".3f", ".3f")))
    return [table for table in (counts, presence) if result.folds and table.row_count]


def _blank(title: str, columns: Sequence[str]) -> Table:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(title=Text(title) if title else None, title_justify="left", box=box.SIMPLE_HEAD)
    table.add_column("sign", overflow="fold")
    for column in columns:
        table.add_column(column, justify="right", no_wrap=True)
    return table


def _alone(figure: Figure, form: str) -> str:
    return "-" if figure.value is None else f"{figure.value:{form}}"


def _cell(figure: Figure, form: str) -> str:
    """The value, and below it its interval."""
    if figure.value is None:
        return "-"
    if figure.low is None or figure.high is None:
        return f"{figure.value:{form}}"
    between = " to " if form.startswith("+") else "–"
    return f"{figure.value:{form}}\n{figure.low:{form}}{between}{figure.high:{form}}"


def _remarks(result: Evaluation) -> list[str]:
    """What must be known to judge the table."""
    read = f"{numbered(result.captures, 'capture')} of {numbered(result.patients, 'patient')}"
    lines = [f"{read}; {_near(result)}. Below each value its 95 % interval, by resampling patients."]
    if result.folds:
        lines.append(_pooled(result))
    if result.left_out:
        told = " and ".join(f"{numbered(count, 'capture')} of fold {fold}" for fold, count in result.left_out.items())
        lines.append(f"In none of these evaluations: {told}. The figures are without them.")
    if result.seen_notice:
        lines.append(result.seen_notice)
    taught = {name: count for name, count in result.splits.items() if name in ("train", "val")}
    if taught and result.split is None:
        told = " and ".join(f"{count} of split {name}" for name, count in taught.items())
        lines.append(
            f"Of all captures {told}: of a model that was trained or chosen with these the figures are too good."
            + ("" if result.folds else " --split test takes the others.")
        )
    if result.split in ("train", "val") and len(result.seen or ()) < result.captures:
        what = "taught by" if result.split == "train" else "chosen, with its thresholds, by"
        lines.append(f"Figures of a model that was {what} split {result.split} of this folder are too good.")
    if not result.calibrated:
        lines.append(
            "The model was trained without scales: nothing is told per cm², and a tolerance in px is another size of "
            "scalp in every capture, so these figures are not to be held against those of a model that goes by scale."
        )
    if result.patients_notice:
        lines.append(f"{result.patients_notice[0].upper()}{result.patients_notice[1:]}.")
    if result.patients == 1:
        lines.append("One patient says nothing of others: no intervals.")
    if result.ignored_signs:
        lines.append(f"Marks on {', '.join(result.ignored_signs)} are neither right nor wrong.")
    if result.classes and len(result.classes.signs) > 1:
        lines.append(_same_sign(result.classes))
    lines += [
        f"{sign}: not labelled in {numbered(count, 'capture')}, passed over there."
        for sign, count in _some(result.unlabelled)
    ]
    lines += [
        f"{sign}: refused in {numbered(count, 'capture')}, not scored there." for sign, count in _some(result.refused)
    ]
    if result.model.notice:
        lines.append(result.model.notice)
    return lines


def _pooled(result: Evaluation) -> str:
    models = len({fold.model.sha256 for fold in result.folds.values()})
    if models == 1:
        return f"Pooled over {len(result.folds)} evaluations of one model, {result.model.name}."
    each = "each evaluated on" if models == len(result.folds) else f"by {len(result.folds)} evaluations, each on"
    ranked = " AUROC and average precision rank captures of one model alone." if result.presence else ""
    return (
        f"Pooled over {models} models, {each} patients of its own: the figures say how well this way of training does, "
        f"and are those of no one model.{ranked}"
    )


def _same_sign(classes: ClassAgreement) -> str:
    def told(figure: Figure) -> str:
        between = "" if figure.low is None else f" ({figure.low:.3f} to {figure.high:.3f})"
        return f"{figure.value:.3f}{between}"

    kappa = f"; Cohen's kappa {told(classes.kappa)}" if classes.kappa else ""
    share = told(classes.agreement)
    return f"Of {classes.matched} structures both labelled and found, called the same: {share}{kappa}."


def _near(result: Evaluation) -> str:
    if result.tolerance_mm is not None:
        return f"marks within {result.tolerance_mm:g} mm of a label, one to one"
    if result.tolerance_px is None:
        return "marks counted, their places not compared"
    return (
        f"marks within {result.tolerance_px:g} px of a label, one to one, in images resampled to a long side of "
        f"{result.long_side_px} px"
    )


def _some(counts: Mapping[str, int]) -> list[tuple[str, int]]:
    return [(sign, count) for sign, count in counts.items() if count]


def _say_problems(problems: tuple[Problem, ...]) -> None:
    for problem in problems[:_PROBLEMS_SHOWN]:
        typer.echo(str(problem), err=True)
    if len(problems) > _PROBLEMS_SHOWN:
        typer.echo(f"and {len(problems) - _PROBLEMS_SHOWN} more captures that could not be used.", err=True)

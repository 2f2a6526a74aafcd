"""`trichotrack evaluate-folds`: the evaluations of models trained fold by fold, pooled."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from trichotrack.cli.evaluate import made, show


def evaluate_folds(
    evaluations: Annotated[
        list[str], typer.Argument(help="Folders that `trichotrack evaluate --out` wrote, or a pattern such as fold-?.")
    ],
    out: Annotated[
        Path | None, typer.Option(help="Folder for evaluation.json, captures.csv and classes.csv of all folds.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for machines.")] = False,
) -> None:
    """Pool the evaluations of models trained fold by fold, each on the patients that its training left out.

    The figures say how well this way of training does, and are those of no one of the models; intervals are over all
    patients. Refused where signs, tolerances or labels differ, where a patient is in two evaluations, or where captures
    that taught a model are among its own. Exit status 3 where some captures could not be read.

    Example: trichotrack evaluate-folds fold-1 fold-2 fold-3 fold-4 fold-5 --out all-folds
    """
    from trichotrack.evaluate.evaluation import write_evaluation
    from trichotrack.evaluate.folds import pool, read_folds

    result = pool(read_folds(evaluations))
    provenance = made()
    written = write_evaluation(result, out, provenance) if out else []
    show(result, provenance, len(written), out, as_json=as_json)

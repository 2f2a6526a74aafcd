"""`trichotrack labels`: labelled data brought in, checked, described, split, compared and corrected elsewhere."""

from __future__ import annotations

import typer

from trichotrack.cli.labels_agree import agree
from trichotrack.cli.labels_check import check
from trichotrack.cli.labels_describe import describe
from trichotrack.cli.labels_export import export, merge
from trichotrack.cli.labels_import import import_labels
from trichotrack.cli.labels_split import split
from trichotrack.cli.labels_suggest import suggest

labels_app = typer.Typer(
    help="Labelled data: import, check, describe, split, agree, export, merge, suggest. "
    "See `trichotrack labels COMMAND --help`.",
    no_args_is_help=True,
)

labels_app.command("import")(import_labels)
labels_app.command("check")(check)
labels_app.command("describe")(describe)
labels_app.command("split")(split)
labels_app.command("agree")(agree)
labels_app.command("export")(export)
labels_app.command("merge")(merge)
labels_app.command("suggest")(suggest)

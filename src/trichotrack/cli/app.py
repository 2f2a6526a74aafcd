"""The `trichotrack` command: groups of commands, one small file each, imported only when run."""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
from dataclasses import dataclass
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command, get_group

from trichotrack.problems import InputError, with_extra

USAGE, SOME_FAILED, INTERRUPTED = 2, 3, 130
"""Exit statuses besides 0: wrong usage or input; some inputs failed; stopped by the user."""

TRACEBACK = "TRICHOTRACK_TRACEBACK"
"""Set to anything, this environment variable shows where an error of trichotrack itself came from."""


@dataclass(frozen=True)
class Source:
    """Where a command lives. place: `module:attribute`, a function or a typer.Typer. settings: a module's attribute."""

    place: str
    help: str
    settings: str = ""


COMMANDS = {
    "quickstart": Source("quickstart:quickstart", "The whole job on synthetic data: train, export, read, report."),
    "analyze": Source("analyze:analyze", "Count the signs in captures: readings, tables and overlay pictures."),
    "check": Source("check:check", "Run a model's own self-test and say what the model is."),
    "evaluate": Source("evaluate:evaluate", "Compare a model's marks with labels."),
    "evaluate-folds": Source("evaluate_folds:evaluate_folds", "Pool the evaluations of models trained fold by fold."),
    "labels": Source(
        "labels:labels_app", "Labelled data: import, check, split, describe, agree, suggest, export, merge."
    ),
    "synth": Source("synth:synth_app", "Labelled synthetic captures, and patients over visits."),
    "train": Source("train:train", "Train or fine-tune a model.", "PASS_ON"),
    "export-model": Source("train:export_model", "Write a checkpoint as an ONNX model."),
    "patient": Source("patient:patient_app", "Patients in the record."),
    "visit": Source("visit:visit_app", "Visits: captures into the record, read at once."),
    "treatment": Source("treatment:treatment_app", "Treatments in the record."),
    "salt": Source("salt:salt_app", "SALT scores in the record."),
    "clinro": Source("clinro:clinro_app", "Eyebrow and eyelash ClinRO in the record."),
    "lab": Source("lab:lab_app", "Laboratory values in the record."),
    "event": Source("event:event_app", "Adverse events in the record."),
    "photo": Source("photo:photo_app", "Clinical photographs in the record."),
    "record": Source("record:record_app", "The record as a whole: accept readings, import, export, freeze."),
    "amend": Source("amend:amend", "Put right what was entered wrongly in the record; what it was is kept."),
    "reread": Source("reread:reread", "Read a patient's visits anew with another model, keeping the human marks."),
    "power": Source("power:power_app", "How many fields or patients a change takes to be seen."),
    "report": Source("report:report", "Trends, verdicts and treatments of one patient, as one HTML or PDF file."),
    "cohort": Source("cohort:cohort_app", "Cohorts: who responded and what predicts it; counts over visits; export."),
}

EXTRA_OF = {
    "sqlalchemy": "record", "alembic": "record", "statsmodels": "record", "jinja2": "record", "matplotlib": "record",
    "openpyxl": "labels", "yaml": "labels", "sklearn": "labels", "scipy": "labels", "cv2": "synth", "torch": "train",
    "torchvision": "train", "lightning": "train", "timm": "train", "albumentations": "train", "torchmetrics": "train",
    "onnx": "train", "onnxscript": "train", "jsonargparse": "train", "safetensors": "train", "tensorboard": "train",
    "lifelines": "cohort", "firthmodels": "cohort", "pyarrow": "parquet",
    "pg8000": "postgres", "skimage": "match", "roifile": "labels",
}  # fmt: skip
"""By package that is not there: the extra that brings it."""


class _Deferred(TyperCommand):
    """A command known by name and one line of help; its module is imported when it runs or shows its own help."""

    def __init__(self, name: str, source: Source) -> None:
        super().__init__(name, help=source.help)
        self.source = source

    def make_context(self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any) -> Any:
        return self.load().make_context(info_name, args, parent=parent, **extra)

    def load(self) -> Any:
        module_name, attribute = self.source.place.split(":")
        module = importlib.import_module(f"trichotrack.cli.{module_name}")
        target = getattr(module, attribute)
        if isinstance(target, typer.Typer):
            command: Any = get_group(target)
        else:
            alone = typer.Typer(add_completion=False)
            settings = getattr(module, self.source.settings) if self.source.settings else None
            alone.command(self.name, context_settings=settings)(target)
            command = get_command(alone)
        command.name = self.name
        return command


class _Commands(TyperGroup):
    """Commands by name, and what every one of them does with errors: a sentence and an exit status."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self.commands = {name: _Deferred(name, source) for name, source in COMMANDS.items() if _exists(source)}

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except InputError as error:
            raise _stop(str(error), USAGE) from error
        except KeyboardInterrupt as error:
            raise _stop("Stopped.", INTERRUPTED) from error
        except BrokenPipeError:
            raise
        except ModuleNotFoundError as error:
            package = (error.name or "").partition(".")[0]
            if package not in EXTRA_OF or os.environ.get(TRACEBACK):
                raise
            message = f"This needs {package}, which is not installed. {with_extra(EXTRA_OF[package])}"
            raise _stop(message, USAGE) from error
        except OSError as error:
            place = error.filename if error.filename is not None else "a file"
            if isinstance(error, FileExistsError | NotADirectoryError):
                raise _stop(f"{place}: a file is where a folder is to be. Give another path.", USAGE) from error
            raise _stop(f"{place}: {error.strerror or error}.", USAGE) from error


def _exists(source: Source) -> bool:
    return importlib.util.find_spec(f"trichotrack.cli.{source.place.partition(':')[0]}") is not None


def _stop(message: str, status: int) -> Exception:
    typer.echo(message, err=True)
    return typer.Exit(status)


app = typer.Typer(
    cls=_Commands,
    help="Counts trichoscopic signs of alopecia areata and follows their density over visits.\n\n"
    "A monitoring and research tool, not a medical device. Example: trichotrack analyze captures --um-per-px 2.82",
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


def _show_version(wanted: bool) -> None:
    if wanted:
        import trichotrack
        from trichotrack.runtime.spec import INTENDED_USE

        typer.echo(f"trichotrack {trichotrack.__version__}\n{INTENDED_USE}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and intended use."),
    ] = False,
) -> None:
    pass


def main() -> None:
    """Runs the command line. Exit status 0: fine; 2: usage or input; 3: some inputs failed; 130: stopped."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")  # a Windows code page lacks some letters; output must go on
    try:
        # Globs are expanded by each command, which knows which arguments are files.
        app(windows_expand_args=False)
    except Exception as error:
        if os.environ.get(TRACEBACK):
            raise
        typer.echo(
            f"trichotrack stopped on an error of its own ({type(error).__name__}: {error}). "
            f"Please report it, with what the environment variable {TRACEBACK}=1 makes it print.",
            err=True,
        )
        sys.exit(1)

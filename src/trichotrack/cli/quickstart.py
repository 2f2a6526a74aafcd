"""`trichotrack quickstart`: the whole job on synthetic data, each step by the command that a user would type."""

from __future__ import annotations

import csv
import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import Console

PATIENT = "P001"
UM_PER_PX = 5.8
PATTERN = "{site}_{field}_{n}"
STEPS = 7

SMOKE = (
    "--trainer.max_epochs=1",
    "--trainer.limit_train_batches=2",
    "--trainer.limit_val_batches=3",
    "--trainer.check_val_every_n_epoch=1",
    "--data.init_args.workers=0",
)
"""Just enough training to show that each step works; its figures mean nothing."""


def quickstart(
    out: Annotated[Path, typer.Option(help="Folder for everything it makes; emptied first if made by it.")] = Path(
        "quickstart"
    ),
    smoke: Annotated[bool, typer.Option("--smoke", help="Two steps of training only: a check, not a model.")] = False,
) -> None:
    """Do the whole job on synthetic scalps in a few minutes: fine-tune, export, test, follow a patient, report.

    Example: trichotrack quickstart --out quickstart
    """
    from rich.console import Console

    began = time.monotonic()
    console = Console(soft_wrap=True)
    _fresh(out)
    demo = _demo(out)
    console.print(
        "[bold]trichotrack on synthetic scalps[/bold]: no person's picture is in this, and no figure below says how "
        f"well it reads patients. Everything is written to {out}.",
        highlight=False,
    )
    checkpoint = _fine_tune(console, demo, out, smoke=smoke)
    model = out / "model.onnx"
    _export(console, checkpoint, model)
    _evaluate(console, model, demo, out)
    record = out / "record.sqlite"
    _begin_record(console, demo, record)
    _read_visits(console, demo, record, model)
    _follow(console, record, out)
    minutes, seconds = divmod(round(time.monotonic() - began), 60)
    console.print(
        f"\n[bold]Done in {minutes} min {seconds} s.[/bold] Open {out / 'report.html'} in a browser. "
        "For captures of your own, see the README: labels, training, analyze, visits.",
        highlight=False,
    )


def _fine_tune(console: Console, demo: Path, out: Path, *, smoke: bool) -> Path:
    from trichotrack.cli.train import recipes
    from trichotrack.model.cli import main

    runs = out / "runs"
    arguments = ["fit", "--config", str(recipes() / "demo.yaml")]
    arguments += [f"--trainer.default_root_dir={runs}", f"--data.init_args.labels={demo / 'labelled'}"]
    arguments += [f"--data.init_args.cache={out / 'cache'}", *(SMOKE if smoke else ())]
    command = " ".join(["train", *arguments])
    _say(console, 1, "Fine-tune the bundled model on 36 labelled synthetic captures", command, result=runs)
    main(arguments)
    return runs / "version_0" / "checkpoints" / "best.ckpt"


def _export(console: Console, checkpoint: Path, model: Path) -> None:
    from trichotrack.cli.check import check
    from trichotrack.cli.train import export_model

    command = f"export-model {checkpoint} {model} --name quickstart --licence Apache-2.0"
    _say(console, 2, "Export it to ONNX, which must give what PyTorch gives", command, result=model)
    export_model(checkpoint, model, name="quickstart", licence="Apache-2.0")
    _say(console, 3, "Let the file test itself, as it would in a clinic without PyTorch", f"check {model}")
    check(model)


def _evaluate(console: Console, model: Path, demo: Path, out: Path) -> None:
    from trichotrack.cli.evaluate import evaluate

    labels, folder = demo / "labelled", out / "evaluation"
    _say(
        console,
        4,
        "Compare it with labels it has not seen (synthetic, four synthetic people: wide intervals)",
        f"evaluate {model} {labels} --split test --out {folder}",
        result=folder,
    )
    evaluate(model, labels, split="test", name="demo test captures (synthetic)", out=folder)


def _begin_record(console: Console, demo: Path, record: Path) -> None:
    from trichotrack.cli import patient, salt, treatment

    folder = demo / "patient"
    with (folder / "patient.csv").open(newline="", encoding="utf-8-sig") as file:
        facts = next(csv.DictReader(file))
    commands = [
        f"patient add {PATIENT} --synthetic --aa-type {facts['aa_type']} --onset {facts['onset']} --record {record}",
        f"treatment import {folder / 'treatments.csv'} --record {record}",
        f"salt import {folder / 'salt.csv'} --record {record}",
    ]
    _say(console, 5, f"Begin the record of synthetic patient {PATIENT}: treatments and SALT", *commands, result=record)
    patient.add(
        PATIENT,
        aa_type=facts["aa_type"],
        sex=facts["sex"],
        birth_year=int(facts["birth_year"]),
        onset=facts["onset"],
        synthetic=True,
        record=str(record),
    )
    treatment.import_table(folder / "treatments.csv", record=str(record))
    salt.import_table(folder / "salt.csv", record=str(record))


def _read_visits(console: Console, demo: Path, record: Path, model: Path) -> None:
    from trichotrack.cli.visit import add

    visits = sorted(folder for folder in (demo / "patient").iterdir() if folder.is_dir())
    commands = [
        f'visit add {PATIENT} {folder} --date {folder.name} --pattern "{PATTERN}" --um-per-px {UM_PER_PX} '
        f"--model {model} --record {record}"
        for folder in visits
    ]
    title = f"Read the patient's {len(visits)} visits, two sites and three fields each"
    _say(console, 6, title, *commands, result=record)
    for folder in visits:
        add(PATIENT, folder, folder.name, PATTERN, um_per_px=UM_PER_PX, model=model, record=str(record), yes=True)


def _follow(console: Console, record: Path, out: Path) -> None:
    from trichotrack.cli.report import report
    from trichotrack.cli.visit import show

    path = out / "report.html"
    commands = [f"visit show {PATIENT} --record {record}", f"report {PATIENT} --record {record} --out {path}"]
    _say(console, 7, "Say what changed, and write the report", *commands, result=path)
    show(PATIENT, record=str(record))
    report(PATIENT, record=str(record), out=path)


def _say(console: Console, step: int, what: str, *commands: str, result: Path | None = None) -> None:
    """The step, where its result will lie, and the commands that do the same by hand."""
    where = f"  ->  {result}" if result else ""
    console.print(f"\n[bold cyan]{step}/{STEPS}  {what}[/bold cyan]{where}", highlight=False)
    for command in commands:
        console.print(f"      trichotrack {command}", style="dim", highlight=False, markup=False)


def _fresh(out: Path) -> None:
    from trichotrack.problems import InputError

    mark = out / "made-by-quickstart.txt"
    if out.exists() and (not out.is_dir() or (any(out.iterdir()) and not mark.is_file())):
        raise InputError(f"{out} is there already and was not made by quickstart. Give another folder with --out.")
    if out.exists():
        shutil.rmtree(out)
    out.mkdir(parents=True)
    mark.write_text("trichotrack quickstart made this folder, and will empty it when run again.\n", encoding="utf-8")


def _demo(out: Path) -> Path:
    """data/demo of a clone; for those who installed a wheel, the same drawn anew."""
    import trichotrack

    bundled = Path(trichotrack.__file__).parents[2] / "data" / "demo"
    if (bundled / "labelled" / "captures.csv").is_file():
        return bundled
    from trichotrack.synth.demo import write_demo

    write_demo(out / "demo")
    return out / "demo"

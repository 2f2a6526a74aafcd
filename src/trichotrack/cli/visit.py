"""`trichotrack visit`: captures into the record, read at once; and what became of the signs."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from trichotrack.cli.judging import Repeatability, StableWithin, judging_of
from trichotrack.cli.record import DEFAULT, Json, PatientId, Record
from trichotrack.cli.visit_match import match
from trichotrack.cli.words import numbered
from trichotrack.problems import InputError

if TYPE_CHECKING:
    from trichotrack.visits.add import VisitAdded
    from trichotrack.visits.plan import VisitPlan

visit_app = typer.Typer(
    help="Visits in the record. See `trichotrack visit COMMAND --help`.",
    no_args_is_help=True,
)

SHOWN_NAMES = 6
SOME_FAILED = 3


@visit_app.command("add")
def add(
    patient: PatientId,
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Folder with the captures of this visit.")],
    date: Annotated[str, typer.Option(help="Day of the visit, such as 2026-03-04.")],
    pattern: Annotated[
        str,
        typer.Option(
            help="How file names are built, such as '{site}_{field}_{n}'. Captures of one site and field are repeats "
            "of one spot. Known fields: site (needed), field, n; patient and date must agree; any is passed over."
        ),
    ],
    um_per_px: Annotated[float | None, typer.Option(help="Scale of the captures, µm per pixel.")] = None,
    field_width_mm: Annotated[
        float | None, typer.Option(help="Or: width of the whole picture on the scalp, mm.")
    ] = None,
    model: Annotated[Path | None, typer.Option(help="Exported model (.onnx). Default: the bundled one.")] = None,
    preparation: Annotated[str, typer.Option(help="none, unclipped, clipped, shaved, dye, fibres or tattoo.")] = "none",
    device: Annotated[str, typer.Option(help="Device and zoom step, such as 'X1 70x': other devices differ.")] = "",
    record: Record = DEFAULT,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask; leave misfits out and add the others.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show how names are parsed, and stop.")] = False,
    as_json: Json = False,
) -> None:
    """Read the captures of a visit and add them to the record. Run twice, it adds nothing twice.

    Every name that does not fit is told before anything is written. Exit status: 0 all added (or there already),
    2 nothing was, 3 some captures were left out or could not be read.

    Example: trichotrack visit add P001 captures --date 2026-03-04 --pattern "{site}_{field}_{n}" --um-per-px 2.82
    """
    from trichotrack.runtime.counter import Counter
    from trichotrack.visits.dates import full_date
    from trichotrack.visits.plan import against_record, entered_otherwise, plan_visit
    from trichotrack.visits.record import open_record, record_exists

    plan = plan_visit(folder, pattern, patient=patient, day=full_date(date))
    if record_exists(record):
        with open_record(record) as session:
            plan = against_record(session, plan)
            otherwise = entered_otherwise(session, plan, um_per_px=um_per_px, preparation=preparation, device=device)
            plan = replace(plan, notes=(*plan.notes, *otherwise))
    _show_plan(plan, record, to_stderr=as_json)
    if dry_run:
        _report(plan, None, record, as_json=as_json)
        raise typer.Exit(SOME_FAILED if plan.misfits else 0)
    if not plan.captures:
        if plan.misfits:
            raise InputError("Nothing was written: no capture can be added.")
        _report(plan, None, record, as_json=as_json)
        return
    counter = Counter(model) if model else Counter.bundled()
    if um_per_px is None and field_width_mm is None and counter.spec.um_per_px is not None:
        raise InputError("The model needs the scale: give --um-per-px or --field-width-mm. Nothing was written.")
    _agree(plan, yes=yes)
    added = _add(
        record, plan, counter, um_per_px=um_per_px, field_width_mm=field_width_mm, preparation=preparation,
        device=device, vellus_cutoff_um=counter.spec.vellus_cutoff_um,
    )  # fmt: skip
    _report(plan, added, record, as_json=as_json)
    if added.problems or plan.misfits:
        raise typer.Exit(SOME_FAILED)


@visit_app.command("list")
def list_visits(
    patient: Annotated[str, typer.Argument(metavar="[PATIENT]", help="Only this patient's.")] = "",
    last: Annotated[int | None, typer.Option(min=1, help="Only so many, the newest.")] = None,
    record: Record = DEFAULT,
    as_json: Json = False,
) -> None:
    """List visits with their captures and how many of these are reviewed.

    Example: trichotrack visit list P001
    """
    from trichotrack.visits.overview import visits
    from trichotrack.visits.record import open_record

    with open_record(record) as session:
        rows = visits(session, patient, last=last)
    if as_json:
        typer.echo(json.dumps(rows, indent=1))
        return
    for row in rows:
        told = f"{numbered(row['captures'], 'capture')} at {', '.join(row['sites'])}, {row['reviewed']} reviewed"
        typer.echo(f"{row['patient']}  {row['date']}  {told}")
    if not rows:
        typer.echo("No visit yet.")


@visit_app.command("show")
def show(
    patient: PatientId,
    record: Record = DEFAULT,
    repeatability: Repeatability = None,
    stable_within: StableWithin = None,
    as_json: Json = False,
) -> None:
    """Show the density of each sign by visit, with its interval and whether it changed.

    Example: trichotrack visit show P001
    """
    from trichotrack.visits.overview import sign_table, story_json
    from trichotrack.visits.record import open_record
    from trichotrack.visits.story import patient_story
    from trichotrack.visits.verdict import beside, shared

    judging = judging_of(repeatability, stable_within)
    with open_record(record) as session:
        story = patient_story(session, patient, judging=judging)
    if as_json:
        typer.echo(json.dumps(story_json(story), indent=1))
        return
    _say(f"{story.patient.id}. {story.headline}")
    for notice in story.notices:
        _say(f"! {notice}")
    if story.visits:
        _print_table(sign_table(story))
    for visit in story.visits[-1:]:
        for verdict in story.verdicts_at(visit.id):
            ending = "" if verdict.reason in verdict.sentence else f" {verdict.reason[0].upper()}{verdict.reason[1:]}."
            _say(f"- {verdict.sentence}{ending}")
            for told in beside(verdict):
                _say(f"  {told}")
    if story.visits:
        _say("Densities: 95 % exact Poisson intervals over the sites common to all visits; verdicts against baseline.")
        for told in shared(story.verdicts_at(story.visits[-1].id)):
            _say(told)


@visit_app.command("trend")
def trend(
    patient: PatientId,
    record: Record = DEFAULT,
    repeatability: Repeatability = None,
    as_json: Json = False,
) -> None:
    """Describe each sign's course over five or more visits: its change a month, and beside that on each drug.

    Example: trichotrack visit trend P001
    """
    from dataclasses import asdict

    from trichotrack.visits.record import open_record
    from trichotrack.visits.story import patient_trend
    from trichotrack.visits.trend import CAVEAT

    with open_record(record) as session:
        trends = patient_trend(session, patient, judging=judging_of(repeatability))
    if as_json:
        rows = [{**asdict(one), "sentences": one.sentences} for one in trends]
        typer.echo(json.dumps({"patient": patient, "trends": rows, "caveat": CAVEAT}, indent=1))
        return
    for one in trends:
        for number, told in enumerate(one.sentences):
            _say(f"  {told}" if number else f"- {told}")
        for text in one.left_out if one.primary or not one.refused else ():
            _say(f"  Left out: {text}.")
    _say(CAVEAT if trends else "No visit so far.")


visit_app.command("match")(match)


def _show_plan(plan: VisitPlan, record: str | Path, *, to_stderr: bool) -> None:
    from trichotrack.visits.record import record_exists, shown

    new = "" if record_exists(record) else ", a new record"
    lines = [f"{plan.patient}, visit of {plan.date}, into {shown(record)}{new}:"]
    named = [name for name in ("site", "field", "n") if f"{{{name}}}" in plan.pattern]
    lines += [
        f"  {capture.file}: " + ", ".join(f"{name} {getattr(capture, name)}" for name in named)
        for capture in plan.captures[:SHOWN_NAMES]
    ]
    if len(plan.captures) > SHOWN_NAMES:
        lines.append(f"  … and {len(plan.captures) - SHOWN_NAMES} more")
    if plan.known:
        lines.append(f"  already at this visit: {numbered(len(plan.known), 'capture')}")
    lines += [f"  note: {note}" for note in plan.notes]
    lines += [f"  misfit: {misfit}" for misfit in plan.misfits]
    for line in lines:
        typer.echo(line, err=to_stderr)


def _agree(plan: VisitPlan, *, yes: bool) -> None:
    """Asks a person at a terminal; elsewhere goes on only where there is nothing to ask."""
    if yes:
        return
    left_out = f", leaving out {len(plan.misfits)}" if plan.misfits else ""
    if sys.stdin.isatty():
        if not typer.confirm(
            f"Read and add {numbered(len(plan.captures), 'capture')}{left_out}?", default=not plan.misfits, err=True
        ):
            raise InputError("Nothing was written.")
    elif plan.misfits:
        others = f"add the other {numbered(len(plan.captures), 'capture')} with --yes"
        raise InputError(f"Nothing was written: {len(plan.misfits)} misfits. Mend them, or {others}.")


def _add(record: str | Path, plan: VisitPlan, counter: Any, **options: Any) -> VisitAdded:
    from trichotrack.visits.add import add_visit

    if not sys.stderr.isatty():
        return add_visit(record, plan, counter, **options)
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("reading", total=len(plan.captures) + 1)
        return add_visit(record, plan, counter, progress=lambda _: bar.advance(task), **options)


def _report(plan: VisitPlan, added: VisitAdded | None, record: str | Path, *, as_json: bool) -> None:
    from trichotrack.visits.record import shown

    problems = added.problems if added else ()
    if as_json:
        result = {
            "patient": plan.patient,
            "date": plan.date.isoformat(),
            "record": shown(record).replace("\\", "/"),
            "added": added.added if added else 0,
            "known": len(plan.known),
            "planned": [{"file": c.file, "site": c.site, "field": c.field, "n": c.n} for c in plan.captures],
            "misfits": [str(misfit) for misfit in plan.misfits],
            "problems": [str(problem) for problem in problems],
        }
        typer.echo(json.dumps(result, indent=1))
        return
    if added is None:
        if not plan.captures:
            typer.echo("Nothing new: every capture is at this visit already.")
        return
    for problem in problems:
        typer.echo(str(problem), err=True)
    failed = f", {len(problems)} could not be read" if problems else ""
    typer.echo(f"{numbered(added.added, 'capture')} added{failed}.")
    for notice in dict.fromkeys(r.model.notice for r in added.readings if r.model and r.model.notice):
        _say(f"! {notice}")
    if added.added:
        typer.echo(f"See them with `trichotrack visit show {plan.patient}`.")


def _print_table(rows: list[list[str]]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(*[_plain(cell) for cell in rows[0]], show_lines=True)
    for row in rows[1:]:
        table.add_row(*[_plain(cell) for cell in row])
    console = Console() if sys.stdout.isatty() else Console(width=24 + 16 * len(rows[0]))
    console.print(table)


def _say(text: str) -> None:
    typer.echo(_plain(text))


def _plain(text: str) -> str:
    # A code page without the true minus would print another sign in its place.
    return text.replace("−", "-")

"""`trichotrack labels describe`."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from trichotrack.problems import InputError

if TYPE_CHECKING:
    from trichotrack.labels.fingerprint import Fingerprint, Spread
    from trichotrack.labels.recipe import Setting
    from trichotrack.labels.summary import SetSummary
    from trichotrack.labels.tables import LabelSet


def describe(
    folder: Annotated[Path, typer.Argument(help="Folder that holds captures, labels and objects (.csv or .xlsx).")],
    out: Annotated[
        Path | None,
        typer.Option(help="Folder for fingerprint.json, plan.yaml (for a training) and labels.html (labels drawn)."),
    ] = None,
    pictures: Annotated[int, typer.Option(min=0, help="Captures to draw the labels on, in labels.html.")] = 48,
    tables_only: Annotated[bool, typer.Option("--tables-only", help="Do not open the images.")] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace a plan.yaml in --out, edited or not.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for machines.")] = False,
) -> None:
    """Tell what a labelled folder holds and is like; with --out, propose a training plan and draw the labels.

    Example: trichotrack labels describe my-set --out my-set/described
    """
    from rich.console import Console
    from rich.progress import Progress

    from trichotrack.cli.labels_shown import print_json
    from trichotrack.labels.derive import with_parents
    from trichotrack.labels.enough import unmeasured
    from trichotrack.labels.fingerprint import fingerprint
    from trichotrack.labels.read import read_labels
    from trichotrack.labels.summary import summarise

    if out is not None and tables_only:
        raise InputError("--out draws labels on captures, which --tables-only leaves closed: give one of them.")
    plan = None if out is None else out / "plan.yaml"
    if plan is not None and plan.exists() and not overwrite:
        raise InputError(f"{plan} is there, and may have been edited. Give --overwrite to replace it.")
    labelset = read_labels(folder)
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal or tables_only) as progress:
        task = progress.add_task("opening images", total=len(labelset.captures) + (pictures if out else 0))

        def advance() -> None:
            progress.advance(task)

        found = fingerprint(with_parents(labelset), images=not tables_only, on_capture=advance)
        settings, reason = _recipe(found, with_parents(labelset), folder)
        if out is not None:
            _write(out, labelset, found, settings, pictures, advance)
    remark = unmeasured(with_parents(labelset), _sought(settings)) if settings else f"No plan is proposed: {reason}"
    if as_json:
        from trichotrack.labels.recipe import as_mapping

        proposed = {"plan": as_mapping(settings)} if settings else {}
        remarks = [remark] if remark else []
        print_json({**summarise(labelset).to_dict(), "fingerprint": found.to_dict(), **proposed, "remarks": remarks})
        return
    show_set(summarise(labelset))
    _show_fingerprint(found)
    if remark:
        typer.echo(remark)
    if out is not None:
        written = ["fingerprint.json", *(["plan.yaml"] if settings else []), "labels.html"]
        typer.echo(f"{', '.join(written)} are in {out}.")
        if settings:
            from trichotrack.labels.recipe import base_config

            command = f"uv run train.py fit --config {base_config(labelset)} --config {(out / 'plan.yaml').as_posix()}"
            typer.echo(f"Look at plan.yaml, then: {command}")


def _recipe(found: Fingerprint, labelset: LabelSet, folder: Path) -> tuple[list[Setting], str]:
    """The proposed settings; or none, and why."""
    from trichotrack.labels.recipe import recipe

    try:
        return recipe(found, labelset, folder.as_posix(), folder.resolve().name), ""
    except InputError as error:
        return [], str(error)


def _sought(settings: list[Setting]) -> list[str]:
    """The signs of the plan."""
    return next(setting.value for setting in settings if setting.path == ("model", "plan", "signs"))


def _write(
    out: Path,
    labelset: LabelSet,
    found: Fingerprint,
    settings: list[Setting],
    pictures: int,
    on_capture: Callable[[], None],
) -> None:
    from trichotrack.labels.recipe import base_config, recipe_text
    from trichotrack.labels.write import replace_file
    from trichotrack.report.labels_page import labels_page

    name = labelset.folder.resolve().name
    out.mkdir(parents=True, exist_ok=True)
    replace_file(out / "fingerprint.json", (json.dumps(found.to_dict(), ensure_ascii=False, indent=1) + "\n").encode())
    if settings:
        text = recipe_text(settings, base=base_config(labelset), file=(out / "plan.yaml").as_posix(), name=name)
        replace_file(out / "plan.yaml", text.encode())
    page = labels_page(labelset, found, name, pictures=pictures, on_capture=on_capture)
    replace_file(out / "labels.html", page.encode())


def show_set(summary: SetSummary) -> None:
    """Captures and signs by split and level, as tables."""
    from trichotrack.cli.labels_shown import print_table
    from trichotrack.labels.rows import LEVELS

    print_table(
        "Captures",
        ("split", "captures", "patients"),
        ((split or "-", str(count), str(summary.patients[split])) for split, count in summary.captures.items()),
    )
    print_table(
        "Signs",
        ("split", "sign", "rater", *(f"{level} captures" for level in LEVELS),
         "unknown", "objects", "counted", "present"),
        (
            (
                sign.split or "-",
                sign.sign,
                sign.rater,
                *(_some(sign.levels.get(level)) for level in LEVELS),
                _some(sign.unlabelled),
                str(sign.objects) if {"exhaustive", "partial"} & sign.levels.keys() else "",
                str(sign.counted) if "count" in sign.levels else "",
                str(sign.present) if "presence" in sign.levels else "",
            )
            for sign in summary.signs
        ),
    )  # fmt: skip
    scale = "no scale" if summary.um_per_px is None else "{:g} to {:g} µm per px".format(*summary.um_per_px)
    without = f", {summary.without_scale} captures without" if summary.without_scale and summary.um_per_px else ""
    preparations = ", ".join(f"{name} {count}" for name, count in summary.preparations.items())
    typer.echo(f"Scale: {scale}{without}. Preparation: {preparations}.")


def _show_fingerprint(found: Fingerprint) -> None:
    from trichotrack.cli.labels_shown import print_table
    from trichotrack.labels.fingerprint import short, spread_text

    print_table(
        "Devices: median (5 % to 95 %)",
        ("device", "captures", "µm per px", "field cm²", "sizes px"),
        (
            (
                device.device or "-",
                str(device.captures),
                spread_text(device.um_per_px),
                spread_text(device.field_cm2),
                ", ".join(f"{size}: {count}" for size, count in device.sizes.items()),
            )
            for device in found.devices
        ),
    )
    print_table(
        "What signs are like: medians over structures",
        ("sign", "patients", "per cm²", "captures without", "calibre µm", "length µm", "nearest µm"),
        (
            (
                sign.sign,
                str(sign.patients),
                "" if sign.per_cm2 is None else short(sign.per_cm2),
                f"{sign.absent} of {sign.captures}" if sign.captures else "",
                _middle(sign.width_um),
                _middle(sign.length_um),
                _middle(sign.nearest_um),
            )
            for sign in found.signs
        ),
    )
    if found.crowding_um:
        typer.echo(f"To the nearest structure that competes: {spread_text(found.crowding_um)} µm.")
    elif found.crowding_share:
        shares = dataclasses.replace(
            found.crowding_share, **{q: 100 * getattr(found.crowding_share, q) for q in ("low", "middle", "high")}
        )
        typer.echo(f"To the nearest structure that competes: {spread_text(shares)} % of the picture's long side.")
    if found.looked_at:
        colour = ", ".join(f"{name} {spread_text(one)}" for name, one in found.colour.items())
        sharp = f"edges spread over {spread_text(found.sharpness_um)} µm; " if found.sharpness_um else ""
        typer.echo(f"Looked at {found.looked_at} captures: {sharp}median colour {colour}.")


def _middle(spread: Spread | None) -> str:
    from trichotrack.labels.fingerprint import short

    return "" if spread is None else short(spread.middle)


def _some(count: int | None) -> str:
    return str(count) if count else ""

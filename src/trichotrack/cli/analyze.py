"""`trichotrack analyze`: captures in, readings, tables and overlay pictures out."""

from __future__ import annotations

import json
import statistics
from collections import Counter as Tally
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from trichotrack.cli.words import numbered
from trichotrack.problems import InputError, Problem

if TYPE_CHECKING:
    from trichotrack.capture import Capture
    from trichotrack.cli.analysis_files import AnalysisFolder
    from trichotrack.cli.scales import ScaleRow
    from trichotrack.geometry import Scale
    from trichotrack.runtime.counter import Counter
    from trichotrack.runtime.reading import Reading

_PROBLEMS_SHOWN = 10


def analyze(
    paths: Annotated[list[str], typer.Argument(metavar="PATH...", help="Image files, folders, or patterns.")],
    um_per_px: Annotated[float | None, typer.Option(help="Scale of all captures, µm per pixel.")] = None,
    field_width_mm: Annotated[float | None, typer.Option(help="Width of the whole image on the scalp, mm.")] = None,
    scales: Annotated[
        Path | None,
        typer.Option(help="Table (.csv, .xlsx) with file and um_per_px or field_width_mm, also preparation."),
    ] = None,
    model: Annotated[Path | None, typer.Option(help="Exported model. Default: the bundled one.")] = None,
    out: Annotated[Path | None, typer.Option(help="Folder for the results. Default: trichotrack-readings.")] = None,
    preparation: Annotated[
        str, typer.Option(help="Of the scalp: none, unclipped, clipped, shaved, dye, fibres, tattoo.")
    ] = "none",
    threads: Annotated[int | None, typer.Option(min=1, help="Of one inference. Default: one per core.")] = None,
    formats: Annotated[str, typer.Option("--format", help="Which results: json, csv, overlay.")] = "json,csv,overlay",
    as_json: Annotated[
        bool, typer.Option("--json", help="Print readings and problems as JSON; files only with --out.")
    ] = False,
) -> None:
    """Count the signs in captures; write readings, tables and overlay pictures.

    A file that cannot be read ends nothing: it is listed in problems.csv, and the exit status is 3.

    Example: trichotrack analyze captures --um-per-px 2.82 --out readings
    """
    from trichotrack.capture import find_captures
    from trichotrack.cli.analysis_files import AnalysisFolder
    from trichotrack.cli.scales import read_scales, rows_for
    from trichotrack.runtime.counter import Counter
    from trichotrack.signs import REFUSED_BY_PREPARATION

    wanted = _formats(formats)
    if preparation not in REFUSED_BY_PREPARATION:
        raise InputError(f"--preparation {preparation!r} is not one of {', '.join(REFUSED_BY_PREPARATION)}.")
    scale = _one_scale(um_per_px, field_width_mm, scales)
    folder = out or (None if as_json else Path("trichotrack-readings"))
    captures = find_captures(paths, outside=folder)
    rows = rows_for(captures, read_scales(scales), scales) if scales else {}
    counter = Counter(model, threads=threads) if model else Counter.bundled(threads=threads)
    if counter.spec.um_per_px is not None and not (scale or field_width_mm or scales):
        raise InputError(
            "this model needs to know how large things are: give --um-per-px (micrometres per pixel), "
            "--field-width-mm (width of the whole image on the scalp) or --scales (a table)."
        )
    run = _Run(
        counter=counter,
        folder=AnalysisFolder(folder, captures, wanted) if folder else None,
        scale=scale,
        field_width_mm=field_width_mm,
        rows=rows,
        preparation=preparation,
    )
    try:
        run.read(captures)
    finally:
        if run.folder:
            run.folder.write_tables(run.readings, run.problems)
    if as_json:
        _print_json(run)
    else:
        _show(run)
    if run.problems:
        raise typer.Exit(3)


@dataclass
class _Run:
    """One batch: what it reads with, and what it has read so far."""

    counter: Counter
    folder: AnalysisFolder | None
    scale: Scale | None
    field_width_mm: float | None
    rows: dict[Path, ScaleRow]
    preparation: str
    readings: list[Reading] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)

    def read(self, captures: Sequence[Path]) -> None:
        from rich.console import Console
        from rich.progress import track

        console = Console(stderr=True)
        steps = track(captures, "reading", console=console, transient=True, disable=not console.is_terminal)
        for path in steps:
            if self.folder:
                self.folder.forget(path)
            try:
                self._read_one(path)
            except InputError as error:
                self.problems.append(_problem_of(path, error))
            except OSError:
                raise  # of the results' folder, not of the capture: every further one would fail too
            except Exception as error:  # noqa: BLE001 (a fault of ours in one capture must not cost the others)
                message = f"could not be read for an error of trichotrack itself ({type(error).__name__}: {error})"
                self.problems.append(Problem(path.as_posix(), message, "Please report it with this file."))

    def _read_one(self, path: Path) -> None:
        from trichotrack.capture import read_capture

        row = self.rows.get(path)
        capture = read_capture(path)
        scale = row.scale(capture.width) if row else self.scale
        if scale is None and self.field_width_mm is None and self.counter.spec.um_per_px is not None:
            raise InputError(Problem(path.as_posix(), "has no scale in the table", "Add a line with its um_per_px."))
        reading = self.counter.read(
            capture,
            scale=scale,
            field_width_mm=self.field_width_mm,
            preparation=(row.preparation if row else "") or self.preparation,
        )
        if self.folder:
            self.folder.write(path, reading, lambda target: self._draw(capture, reading, target))
        self.readings.append(reading)

    def _draw(self, capture: Capture, reading: Reading, target: Path) -> None:
        from trichotrack.capture import FULL_SCALP_SHARE
        from trichotrack.cli.analysis_files import draw_overlay

        signs = {channel.sign.name: channel.sign for channel in self.counter.spec.signs}
        # Few captures need it, so that the second look at those costs little.
        hidden = reading.scalp_share is not None and reading.scalp_share < FULL_SCALP_SHARE
        scalp = self.counter.scalp(capture, scale=reading.scale) if hidden else None
        draw_overlay(capture.pixels, reading, signs, target, scalp)


def _problem_of(path: Path, error: InputError) -> Problem:
    """The one row of problems.csv for a capture, whatever it was that the error spoke of."""
    first = error.problems[0]
    place = path.as_posix()
    if first.place == place:
        return first
    message = first.message.rstrip(".") if first.place == "input" else f"{first.place}: {first.message}"
    return Problem(place, message, first.remedy)


def _formats(text: str) -> set[str]:
    from trichotrack.cli.analysis_files import FORMATS

    wanted = {part.strip().lower() for part in text.split(",") if part.strip()}
    if not wanted or wanted - set(FORMATS):
        raise InputError(f"--format {text!r} is not a list of {', '.join(FORMATS)}, such as --format json,csv.")
    return wanted


def _one_scale(um_per_px: float | None, field_width_mm: float | None, scales: Path | None) -> Scale | None:
    from trichotrack.geometry import Scale

    if sum(value is not None for value in (um_per_px, field_width_mm, scales)) > 1:
        raise InputError("the scale is given more than once: give one of --um-per-px, --field-width-mm and --scales.")
    if field_width_mm is not None and not 0 < field_width_mm < 1000:
        raise InputError(f"--field-width-mm {field_width_mm:g} is not the width of a field in mm.")
    return Scale(um_per_px, "option") if um_per_px is not None else None


def _print_json(run: _Run) -> None:
    problems = [{"file": p.place, "problem": p.message, "remedy": p.remedy} for p in run.problems]
    content = {"readings": [reading.to_dict() for reading in run.readings], "problems": problems}
    typer.echo(json.dumps(content, ensure_ascii=False, indent=1))


def _show(run: _Run) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console()
    if run.readings:
        table = Table("sign", "captures", "count", "per cm², median (range)", "not counted", title_justify="left")
        for channel in run.counter.spec.signs:
            table.add_row(channel.sign.label, *_summary(run.readings, channel.sign.name))
        console.print(table)
    flagged = [reading for reading in run.readings if not reading.quality.ok or reading.warnings]
    for reading in flagged[:_PROBLEMS_SHOWN]:
        typer.echo(f"{reading.file}: {'; '.join([*reading.quality.flags, *reading.warnings])}.")
    if len(flagged) > _PROBLEMS_SHOWN:
        typer.echo(
            f"{numbered(len(flagged) - _PROBLEMS_SHOWN, 'more capture')} with flags: see quality_flags in readings.csv."
        )
    if run.counter.spec.notice:
        typer.echo(run.counter.spec.notice)
    for problem in run.problems[:_PROBLEMS_SHOWN]:
        typer.echo(str(problem), err=True)
    where = f" Results in {run.folder.folder}." if run.folder else ""
    failed = f", {len(run.problems)} could not be read (problems.csv)" if run.problems else ""
    typer.echo(f"{numbered(len(run.readings), 'capture')} read{failed}.{where}")


def _summary(readings: Sequence[Reading], sign: str) -> tuple[str, str, str, str]:
    signs = [reading.signs[sign] for reading in readings]
    counted = [value for value in signs if value.status == "counted"]
    densities = [value.density_per_cm2 for value in counted if value.density_per_cm2 is not None]
    refused = Tally(value.reason for value in signs if value.status == "refused")
    density = ""
    if densities:
        density = f"{statistics.median(densities):.1f} ({min(densities):.1f} to {max(densities):.1f})"
    return (
        str(len(counted)),
        str(sum(value.count or 0 for value in counted)) if counted else "",
        density,
        "; ".join(f"{count}: {reason}" for reason, count in refused.most_common(3)),
    )

"""`trichotrack synth`: synthetic captures with exact labels, a synthetic patient, and the demonstration data."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from trichotrack.problems import InputError

synth_app = typer.Typer(
    help="Synthetic scalps with exact labels: nobody in them is a person. See `trichotrack synth COMMAND --help`.",
    no_args_is_help=True,
)

Out = Annotated[Path, typer.Option("--out", help="Folder to write; new or empty.")]
Seed = Annotated[int, typer.Option("--seed", min=0, help="The same seed gives the same pixels.")]
DemoSeed = Annotated[
    int | None, typer.Option("--seed", min=0, help="The same seed gives the same pixels; by default that of data/demo.")
]


class PatientCourse(StrEnum):
    """What a synthetic patient goes through: the names of `synth.demo.SCENARIOS`."""

    RESPONSE = "response"
    NO_RESPONSE = "no-response"
    RELAPSE = "relapse"


@synth_app.command()
def captures(
    out: Out,
    n: Annotated[int, typer.Option("--n", min=1, help="How many captures.")] = 60,
    seed: Seed = 0,
    um_per_px: Annotated[float, typer.Option(min=2.0, max=10.0, help="Scale, µm per pixel.")] = 6.0,
    size: Annotated[str, typer.Option(help="Width and height in pixels, as 640x512.")] = "640x512",
    clipped: Annotated[float, typer.Option(min=0.0, max=1.0, help="Chance that a person's scalp is clipped.")] = 0.0,
) -> None:
    """Labelled captures: images and the three tables.

    Example: trichotrack synth captures --out synthetic --n 200 --seed 1 --um-per-px 6 --size 640x512
    """
    from trichotrack.synth.priors import Priors, ScalpPriors
    from trichotrack.synth.write import Series, write_series

    series = Series(captures=n, sizes_px=(parse_size(size),), um_per_px=(um_per_px, um_per_px))
    with progress(n, "Rendering") as step:
        priors = Priors(scalp=ScalpPriors(clipped_chance=clipped))
        written = write_series(out, series, seed, priors=priors, on_capture=step)
    typer.echo(f"{len(written.captures)} synthetic captures with {len(written.objects)} labelled structures in {out}")


@synth_app.command()
def patient(
    out: Out,
    seed: Seed = 0,
    course: Annotated[
        PatientCourse,
        typer.Option(help="response: signs fall and hair returns; no-response: neither; relapse: signs rise again."),
    ] = PatientCourse.RESPONSE,
) -> None:
    """One synthetic patient over four visits, with treatments, SALT and the truth of every capture.

    Example: trichotrack synth patient --out patient --seed 3 --course relapse
    """
    from trichotrack.synth.demo import LABELLED, captures_in_demo, write_patient

    with progress(captures_in_demo() - LABELLED.captures, "Rendering") as step:
        written = write_patient(out, seed, on_capture=step, course=course.value)
    told = f"{len(written.captures)} synthetic captures of one patient over four visits"
    typer.echo(f"{told} (course: {course.value}) in {out}")


@synth_app.command()
def demo(out: Out, seed: DemoSeed = None) -> None:
    """The demonstration data: a labelled set, and one patient over four visits.

    Example: trichotrack synth demo --out data/demo --seed 11
    """
    from trichotrack.synth.demo import DEMO_SEED, captures_in_demo, write_demo

    with progress(captures_in_demo(), "Rendering") as step:
        made = write_demo(out, DEMO_SEED if seed is None else seed, on_capture=step)
    typer.echo(
        f"{len(made.labelled.captures)} labelled captures in {out / 'labelled'}, "
        f"{len(made.truth.captures)} captures of one patient over four visits in {out / 'patient'}; all synthetic"
    )


@synth_app.command()
def sheet(out: Annotated[Path, typer.Option("--out", help="Picture to write: .png or .jpg.")], seed: Seed = 0) -> None:
    """One page of renders: every sign close by, every knob of the renderer at three settings.

    Example: trichotrack synth sheet --out sheet.png
    """
    if out.suffix.lower() not in {".png", ".jpg", ".jpeg"}:
        raise InputError(f"--out {out} is neither .png nor .jpg.")
    from trichotrack.pictures import save_picture
    from trichotrack.synth.sheet import cells_of_sheet
    from trichotrack.synth.sheet import sheet as page_of

    with progress(cells_of_sheet(), "Rendering") as step:
        page = page_of(seed, on_cell=step)
    save_picture(page, out, quality=84)
    typer.echo(f"A page of {cells_of_sheet()} renders in {out}, all synthetic")


def parse_size(text: str) -> tuple[int, int]:
    """(width, height) of "640x512". Raises InputError where that is not what it is, or too small or large to render."""
    width, times, height = text.lower().partition("x")
    if not times or not width.isdecimal() or not height.isdecimal():
        raise InputError(f"--size {text!r} is not a width and a height in pixels; give it as 640x512.")
    size = int(width), int(height)
    if not all(64 <= side <= 4096 for side in size):
        raise InputError(f"--size {text} is outside 64 to 4096 pixels a side.")
    return size


@contextmanager
def progress(total: int, what: str) -> Iterator[Callable[[], None]]:
    """A progress bar on a terminal (on stderr), nothing in a pipe. Gives the function to call after each step."""
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(what, total=total)
        yield lambda: bar.advance(task)

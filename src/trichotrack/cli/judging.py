"""The options by which commands say what verdicts are to allow for."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from trichotrack.visits.judging import Judging

Repeatability = Annotated[
    Path | None,
    typer.Option(help="Allow for a measured variation: what `trichotrack record repeatability --json` wrote."),
]
StableWithin = Annotated[
    float | None, typer.Option(help="A ratio such as 2: say 'stable' where the change is shown to be smaller.")
]


def judging_of(repeatability: Path | None, stable_within: float | None = None) -> Judging:
    """By the variation measured, else by the assumed one."""
    from trichotrack.visits.judging import ASSUMED_CV, Judging, measured_cv

    cv, df = measured_cv(repeatability) if repeatability else (ASSUMED_CV, None)
    return Judging(cv, df, stable_within)

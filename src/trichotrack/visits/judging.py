"""How visits are judged: the noise between captures, and what "stable" would mean."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from trichotrack.problems import InputError, Problem

ASSUMED_CV = 0.15
"""Between-capture CV at each visit, relocation included: assumed until repeats with relocation measure it."""

SERIES_LEVEL = 0.05
"""Of stable patients, at most this part is ever told of a change in the active load."""

MIN_CV_DF = 10
"""Degrees of freedom below which a measured CV does not take the place of the assumed one."""


@dataclass(frozen=True)
class Judging:
    """Settings of the verdicts of one patient.

    cv: between-capture CV at each visit beside the Poisson noise, relocation included. cv_df: None where it is assumed;
    else the degrees of freedom it was measured with, cv being its upper 80 % bound (`stats.repeatability`).
    stable_ratio: above 1 where "stable" may be said, of a ratio shown to lie between 1 / stable_ratio and it; None:
    never. level: of the whole series.
    Raises InputError with every fault.
    """

    cv: float = ASSUMED_CV
    cv_df: int | None = None
    stable_ratio: float | None = None
    level: float = SERIES_LEVEL

    def __post_init__(self) -> None:
        problems = []
        if not 0 <= self.cv <= 1:
            remedy = "Give it as a share, such as 0.15 for 15 %."
            problems.append(
                Problem("judging", "is not a CV between 0 and 1", remedy, column="cv", value=f"{self.cv:g}")
            )
        if self.cv_df is not None and self.cv_df < MIN_CV_DF:
            message = f"a CV measured with {self.cv_df} degrees of freedom is too uncertain to judge by"
            problems.append(Problem("judging", message, f"{MIN_CV_DF} are needed: repeat more fields.", column="cv"))
        if self.stable_ratio is not None and not 1 < self.stable_ratio < 10:
            problems.append(
                Problem("judging", "is not a margin of stability", "Give a ratio above 1, such as 2 (−50 % to +100 %).",
                        column="stable_ratio", value=f"{self.stable_ratio:g}")
            )  # fmt: skip
        if problems:
            raise InputError(problems)

    @property
    def noise_text(self) -> str:
        """As in "15 % at each visit (assumed)"; a measured one names its degrees of freedom."""
        if self.cv_df is None:
            return f"{100 * self.cv:.3g} % at each visit (assumed)"
        return f"{100 * self.cv:.2g} % at each visit (measured, upper 80 % bound, {self.cv_df} degrees of freedom)"


USUAL = Judging()
"""An assumed CV, nothing called stable."""


def measured_cv(path: Path) -> tuple[float, int]:
    """(CV to judge by, degrees of freedom) of a file that `trichotrack record repeatability --json` wrote.

    Raises InputError where it is something else, or of another outcome than the active load.
    """
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
        found, outcome = (float(raw["cv_to_judge_by"]), int(raw["df"])), str(raw["outcome"])
    except OSError as error:
        raise InputError(Problem(str(path), f"cannot be read ({error.strerror})", "Check its name.")) from None
    except (ValueError, KeyError, TypeError):
        remedy = "Write it with `trichotrack record repeatability --json`."
        raise InputError(Problem(str(path), "holds no measured repeatability", remedy)) from None
    if outcome != "active_load":
        message = f"was measured of {outcome}, and verdicts rest on the active load, which may vary more"
        raise InputError(Problem(str(path), message, "Measure it without --sign."))
    return found

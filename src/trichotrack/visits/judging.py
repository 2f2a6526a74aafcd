"""How visits are judged: the noise between captures, what "stable" would mean, and the models' own figures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from trichotrack.problems import InputError, Problem
from trichotrack.runtime.spec import ModelSpec
from trichotrack.stats.model_error import ReaderError

ASSUMED_CV = 0.15
"""Between-capture CV at each visit, relocation included: assumed until repeats with relocation measure it."""

SERIES_LEVEL = 0.05
"""Of stable patients, at most this part is ever told of a change in the active load."""

MIN_CV_DF = 10
"""Degrees of freedom below which a measured CV does not take the place of the assumed one."""

_REFERENCE_LEVEL = SERIES_LEVEL / 2
"""At which a measured CV is widened by t: that of the first follow-up."""


@dataclass(frozen=True)
class Judging:
    """Settings of the verdicts of one patient.

    cv: between-capture CV at each visit beside the Poisson noise, relocation included. cv_df: degrees of freedom it
    was measured with; None: assumed. stable_ratio: above 1 where "stable" may be said, for a ratio shown to lie
    between 1 / stable_ratio and stable_ratio; None: never. errors: by model sha256, then sign: the model's own figures.
    Raises InputError with every fault.
    """

    cv: float = ASSUMED_CV
    cv_df: int | None = None
    stable_ratio: float | None = None
    errors: Mapping[str, Mapping[str, ReaderError]] = field(default_factory=dict)
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
                Problem("judging", "is not a margin of stability", "Give a ratio above 1, such as 1.5.",
                        column="stable_ratio", value=f"{self.stable_ratio:g}")
            )  # fmt: skip
        if problems:
            raise InputError(problems)

    @property
    def noise_cv(self) -> float:
        """The CV that verdicts allow for: a measured one is widened as Student's t is beyond the normal quantile."""
        if self.cv_df is None:
            return self.cv
        from scipy.special import ndtri, stdtrit

        tail = 1 - _REFERENCE_LEVEL / 2
        return self.cv * float(stdtrit(self.cv_df, tail) / ndtri(tail))

    @property
    def noise_text(self) -> str:
        """As in "15 % at each visit (assumed)" and "9 % at each visit (measured, 24 degrees of freedom)"."""
        if self.cv_df is None:
            return f"{100 * self.cv:.3g} % at each visit (assumed)"
        return f"{100 * self.cv:.2g} % at each visit (measured, {self.cv_df} degrees of freedom)"


USUAL = Judging()
"""An assumed CV, nothing called stable, no model's figures at hand."""


def reader_errors(spec: ModelSpec) -> dict[str, ReaderError]:
    """A model's figures by sign, of those that were measured with their standard errors and found any at all."""
    return {
        channel.sign.name: ReaderError(
            channel.recall, channel.recall_se, channel.false_positives_per_cm2, channel.false_positives_per_cm2_se
        )
        for channel in spec.signs
        if channel.recall
        and channel.recall_se is not None
        and channel.false_positives_per_cm2 is not None
        and channel.false_positives_per_cm2_se is not None
    }

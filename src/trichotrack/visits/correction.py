"""The ratio of two visits, corrected for what the model misses and marks falsely; or why it is not."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from trichotrack.problems import InputError
from trichotrack.stats.model_error import ReaderError, corrected_density, corrected_rate_ratio
from trichotrack.stats.rates import Stratum
from trichotrack.visits.series import PARTS, ReadCapture, label_of
from trichotrack.visits.wording import change_text, confidence_text, interval_text

RECALLS_ALIKE = 1.25
"""Recalls of the signs of a sum that lie within this factor: a change of their mix is then no change of the sum."""


@dataclass(frozen=True)
class Correction:
    """A ratio of densities as it would be without the model's errors.

    done: whether it was corrected; reason: why not, else how. ratio, low, high: at the confidence of the verdict.
    densities_per_cm2: (value, low, high) at both visits, 95 %, over the sites compared.
    """

    done: bool
    reason: str
    ratio: float | None = None
    low: float | None = None
    high: float | None = None
    densities_per_cm2: tuple[tuple[float, float, float], ...] = ()

    @property
    def sentence(self) -> str:
        return self.reason if self.done else f"Not corrected: {self.reason}."


def corrected(
    strata: Sequence[Stratum],
    used: Sequence[ReadCapture],
    name: str,
    *,
    cv: float,
    level: float,
) -> Correction:
    """The correction of one outcome between two visits. used: the captures of both."""
    found = _error_of(used, name)
    if isinstance(found, str):
        return Correction(False, found)
    ratio = corrected_rate_ratio(strata, found, cv=cv, confidence=1 - level)
    if math.isnan(ratio.value):
        false = found.false_positives_per_cm2
        return Correction(False, f"the baseline does not stand out from the model's {false:.2g} false marks per cm²")
    densities = tuple(
        (d.value, d.low, d.high)
        for d in (
            corrected_density(sum(s.count0 for s in strata), sum(s.exposure0 for s in strata), found),
            corrected_density(sum(s.count1 for s in strata), sum(s.exposure1 for s in strata), found),
        )
    )
    told = (
        f"Corrected for the model's misses and false marks ({found.false_positives_per_cm2:.2g} per cm²): "
        f"{change_text(ratio.value)} ({confidence_text(1 - level)} interval {interval_text(ratio.low, ratio.high)})."
    )
    return Correction(True, told, ratio.value, ratio.low, ratio.high, densities)


def _error_of(used: Sequence[ReadCapture], name: str) -> ReaderError | str:
    """The one error behind all these readings, or why there is none."""
    by_person = sum(capture.reviewed for capture in used)
    if by_person == len(used):
        return "a person reviewed these readings"
    if by_person:
        return "a person reviewed some of these readings and not the others"
    models = {capture.reading.model.sha256: capture.reading.model for capture in used if capture.reading.model}
    if len(models) != 1:
        return "these readings are not of one model"
    (model,) = models.values()
    if not model.validated:
        return "the model has no figures on patients"
    known = {sign: found for sign, measured in model.figures.items() if (found := _measured(measured)) is not None}
    if name in known:
        return known[name]
    parts = PARTS.get(name, (name,))
    missing = [label_of(part) for part in parts if part not in known]
    if missing:
        return f"the model has no figures for {', '.join(missing)}"
    return _of_sum([known[part] for part in parts])


def _measured(figures: Mapping[str, float]) -> ReaderError | None:
    """Figures as a reading carries them; None where they are none: a recall of 0, or a reading from elsewhere."""
    try:
        return ReaderError(**figures)
    except (InputError, TypeError):
        return None


def _of_sum(parts: Sequence[ReaderError]) -> ReaderError | str:
    """The error of a sum of signs. One taken for another is a false mark and a miss there, and neither in the sum.

    So the sum's false marks lie anywhere between none and those of its signs: their middle, with the standard error of
    a uniform spread; the signs' own standard errors are added, as for errors that go together.
    """
    recalls = [part.recall for part in parts]
    if max(recalls) > RECALLS_ALIKE * min(recalls):
        return (
            f"the model finds {min(recalls):.0%} of one of its signs and {max(recalls):.0%} of another, "
            "so a change of their mix would look like a change of the sum"
        )
    most = sum(part.false_positives_per_cm2 for part in parts)
    own = sum(part.false_positives_per_cm2_se for part in parts)
    return ReaderError(
        sum(recalls) / len(recalls),
        max(part.recall_se for part in parts),
        most / 2,
        math.hypot(most / math.sqrt(12), own),
    )

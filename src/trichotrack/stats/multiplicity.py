"""Many questions, one error rate: Holm among outcomes, and 5 % shared out over a series of visits of unknown length."""

from __future__ import annotations

from collections.abc import Sequence


def holm_levels(p_values: Sequence[float], level: float = 0.05) -> tuple[float, ...]:
    """The level at which each p-value is judged so that any false claim among them has at most `level`; Holm 1979.

    The smallest is judged at level/m, the next at level/(m - 1) as long as those before passed; after the first that
    fails, all others are judged at the level it failed at (and fail). An interval at 1 - that level agrees.
    """
    order = sorted(range(len(p_values)), key=lambda i: p_values[i])
    levels = [level] * len(p_values)
    failed: float | None = None
    for rank, i in enumerate(order):
        here = level / (len(order) - rank)
        levels[i] = here if failed is None else failed
        if failed is None and p_values[i] > here:
            failed = here
    return tuple(levels)


def look_share(follow_up: int) -> float:
    """Part of the 5 % that the follow_up-th visit after baseline (1, 2, …) may spend: ½, ⅙, ¹⁄₁₂ … summing to 1.

    As 1/j(j+1) no number of visits need be known beforehand, and no verdict changes when a visit is added.
    """
    return 1 / (follow_up * (follow_up + 1))


class SeriesLevels:
    """Levels of the primary outcome's looks over a patient's visits; at most `level` of stable patients ever change.

    Each visit spends its share, half on either question from the second follow-up on (at the first, baseline and
    previous visit are one question). A change against baseline hands its level on to the next visit's comparison with
    baseline (the fallback procedure, Wiens 2003: any false claim has at most `level`, however the looks depend).
    """

    def __init__(self, level: float = 0.05) -> None:
        self._level = level
        self._follow_up = 0
        self._against_baseline = 0.0

    def next_visit(self, *, changed: bool = False) -> tuple[float, float]:
        """(level against baseline, level against the previous visit) of the next follow-up.

        changed: whether the last visit's comparison with baseline found a change.
        """
        self._follow_up += 1
        share = self._level * look_share(self._follow_up)
        half = share if self._follow_up == 1 else share / 2
        self._against_baseline = half + (self._against_baseline if changed else 0.0)
        return self._against_baseline, half

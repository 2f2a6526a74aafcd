"""Marks below the model's threshold, for joint re-scoring: was a hair gone, or only just not sure enough?

A structure that one visit shows and the other does not may have gone, or the model may have missed it there. Looking
again at the mapped place with a lower threshold tells most of the misses from the losses. Only there: elsewhere a low
threshold would bring false marks.
"""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING

from trichotrack.runtime.reading import MarkedObject
from trichotrack.visits.hairs_matched import LEAST_SCORE_SHARE
from trichotrack.visits.registration import Picture

if TYPE_CHECKING:
    from trichotrack.runtime.counter import Counter

SAME_UM = 20.0
"""A mark so near to one that counts already is that one."""


def unsure_marks(
    counter: Counter,
    picture: Picture,
    found: Sequence[MarkedObject],
    *,
    preparation: str = "none",
    share: float = LEAST_SCORE_SHARE,
) -> tuple[MarkedObject, ...]:
    """What the model marks in picture at `share` of its thresholds and not among found, px of the picture.

    found: the marks that count already, px of the picture. Signs that are refused there stay refused. Raises InputError
    as `Counter.read` does.
    """
    reading = _lowered(counter, share).read(picture.pixels, um_per_px=picture.um_per_px, preparation=preparation)
    near_px = SAME_UM / picture.um_per_px

    def known(item: MarkedObject) -> bool:
        return any(abs(item.x - other.x) <= near_px and abs(item.y - other.y) <= near_px for other in found)

    return tuple(item for item in reading.objects if not known(item))


def _lowered(counter: Counter, share: float) -> Counter:
    """The same model with lower thresholds. What it finds at its own thresholds it finds at these too."""
    model = counter.model_file
    signs = tuple(channel.thresholds_times(share) for channel in model.spec.signs)
    lowered = copy.copy(counter)
    lowered.model_file = dataclasses.replace(model, spec=dataclasses.replace(model.spec, signs=signs))
    return lowered

"""May two visits be compared at a site? Another device, scale, preparation, model, reader or cut-off forbids it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from statistics import median

from trichotrack.signs import prepared_as
from trichotrack.visits.readings import KEPT_PICTURE
from trichotrack.visits.series import ReadCapture, SiteCount

UNREVIEWED = "readings of a model not validated on patients have not been reviewed"

TWO_READERS = "a person reviewed some of these readings and not the others: review the others too"
"""A model and a person miss and mark otherwise, so that between them a change of reader would pass for one of hair."""

SCALE_TOLERANCE = 0.05
"""Two scales further apart are two settings of the device: a 5 % error of scale is 10 % of density."""


def why_not_comparable(before: SiteCount, after: SiteCount, name: str) -> str:
    """Why one outcome at a site may not be compared between two visits; "" where it may."""
    if before.exposure_cm2 is None or after.exposure_cm2 is None:
        return "no scale that the model goes by, so no area to count on"
    first, second = before.used, after.used
    questions = [
        ("preparation", {prepared_as(c.preparation) for c in first}, {prepared_as(c.preparation) for c in second}),
        ("device", {c.device for c in first}, {c.device for c in second}),
        ("source of the scale", _scale_sources(first), _scale_sources(second)),
        ("model", _readers(first), _readers(second)),
    ]
    if not all(c.reviewed for c in (*first, *second)):
        questions.append(("picture", _pictures(first), _pictures(second)))
    if name == "short_vellus_hair":
        cutoffs = [{f"{c.vellus_cutoff_um:g} µm" for c in captures} for captures in (first, second)]
        questions.append(("vellus cut-off", cutoffs[0], cutoffs[1]))
    for what, one, other in questions:
        if one != other:
            return f"other {what} ({_listed(one)}; now {_listed(other)})"
    scales = [median(c.reading.scale.um_per_px for c in captures if c.reading.scale) for captures in (first, second)]
    if max(scales) / min(scales) > 1 + SCALE_TOLERANCE:
        return f"other scale ({scales[0]:.3g} µm per px; now {scales[1]:.3g})"
    used = (*first, *second)
    # A model not validated on patients has an obstacle of its own, which is told instead: `unreviewed`.
    return TWO_READERS if len({c.reviewed for c in used}) > 1 and not unreviewed(used) else ""


def unreviewed(captures: Iterable[ReadCapture]) -> str:
    """UNREVIEWED where a reading is a model's that was not validated on people, and nobody reviewed it; else ""."""
    for capture in captures:
        model = capture.reading.model
        if not capture.reviewed and not (model is not None and model.validated):
            return UNREVIEWED
    return ""


def _scale_sources(captures: Sequence[ReadCapture]) -> set[str]:
    return {c.reading.scale.source for c in captures if c.reading.scale}


def _readers(captures: Sequence[ReadCapture]) -> set[str]:
    """Models by name and hash; "a person" where all was marked by hand. A correction keeps its model."""
    models = {f"{m.name} {m.sha256[:8]}" for c in captures if (m := c.reading.model) is not None}
    return models or {"a person"}


def _pictures(captures: Sequence[ReadCapture]) -> set[str]:
    """What was read: captures as taken, or the smaller pictures of the record, where a model finds less."""
    return {"the record's smaller one" if KEPT_PICTURE in c.reading.warnings else "the original" for c in captures}


def _listed(values: set[str]) -> str:
    return ", ".join(sorted(value or "not stated" for value in values))

"""What must be said beside a patient's figures, and what they rest on."""

from __future__ import annotations

from collections.abc import Sequence

from trichotrack.signs import SIGN
from trichotrack.visits.comparable import unreviewed
from trichotrack.visits.judging import USUAL, Judging
from trichotrack.visits.series import ACTIVE_LOAD, PARTS, ReadCapture, SignSeries, count_in, label_of
from trichotrack.visits.wording import confidence_text, interval_text


def notices(captures: Sequence[ReadCapture], series: Sequence[SignSeries], *, synthetic: bool) -> tuple[str, ...]:
    """Sentences, most important first."""
    told = []
    if synthetic:
        told.append("Synthetic patient: made up for demonstration. No figure here is of a person.")
    told += dict.fromkeys(m.notice for c in captures if (m := c.reading.model) is not None and m.notice)
    pending = sum(bool(unreviewed([capture])) for capture in captures)
    if pending:
        verdicts = "" if synthetic else "; no verdict rests on them"
        told.append(
            f"{pending} of {len(captures)} readings are unreviewed, by a model not validated on patients{verdicts}."
        )
    if sum(capture.reading.area_cm2 is None for capture in captures):
        told.append("Captures without a scale give counts only: no density, and no verdict.")
    if captures and not any(one.name == ACTIVE_LOAD for one in series):
        parts = ", ".join(label_of(part) for part in PARTS[ACTIVE_LOAD])
        told.append(f"Active load ({parts}) is not formed: not all of them are read.")
    told += [
        f"{one.label}: no site is common to all visits, so none are pooled."
        for one in series
        if one.sites and not one.pooled_sites
    ]
    told += _refused(series, captures)
    flagged = sum(not capture.reading.quality.ok for capture in captures)
    if flagged:
        told.append(
            f"{flagged} of {len(captures)} captures have a quality flag (defocus, exposure, glare, not scalp or field)."
        )
    warned = dict.fromkeys(warning for capture in captures for warning in capture.reading.warnings)
    told += [f"{warning[0].upper()}{warning[1:]}." for warning in warned]
    return tuple(told)


def _refused(series: Sequence[SignSeries], captures: Sequence[ReadCapture]) -> list[str]:
    """Signs refused in as many captures for the same reasons are named together."""
    alike: dict[str, list[str]] = {}
    for one in series:
        reasons = [reason for capture in captures if (reason := count_in(capture.reading, one.name)[1])]
        if one.name in SIGN and reasons:
            told = "; ".join(dict.fromkeys(reasons))
            alike.setdefault(f"refused in {len(reasons)} of {len(captures)} captures ({told})", []).append(one.label)
    return [
        f"{', '.join([labels[0], *(label.lower() for label in labels[1:])])}: {told}; left out, not counted as zero."
        for told, labels in alike.items()
    ]


_METHODS = """
Repeats of one field are averaged and share its area; fields are added. A sign refused in a capture is left out there,
with its area.

Densities have 95 % exact Poisson intervals (Garwood; pooled over sites, Fay and Feuer): the scalp sampled, not the
reader's error.

{noise}

Visits are compared over the sites they share, stratified, by a conditional rate ratio; never across another device,
scale, preparation, model, reader (a person or the model alone) or vellus cut-off.

The active load (black dots, broken and tapering hairs) is the primary outcome: at most {level} of stable patients are
ever told of a change in it, over all visits. Half of that is spent at the first follow-up, a sixth at the second, a
twelfth at the third, and so on; a change against baseline hands its part on to the next visit. The other outcomes
share one level by Holm: {level} where the active load changed, else the active load's own. The interval of a verdict
has the confidence of the level it was judged at.

{stable} The correction for a model's misses and
false marks changes the size of a ratio, not whether it changed, and is made only where the model has figures on
patients. Sites by themselves are judged, by Holm, only where together they changed. A change of short vellus hair alone
is never improvement.
"""


def assumptions(captures: Sequence[ReadCapture], judging: Judging = USUAL) -> tuple[str, ...]:
    """What densities, intervals and verdicts rest on, for the methods box."""
    cv = f"{100 * judging.cv:.3g} %"
    if judging.cv_df is None:
        known = "is assumed, not measured here"
    else:
        known = f"was measured with relocated repeats ({judging.cv_df} degrees of freedom; its upper 80 % bound)"
    noise = f"A between-capture CV of {cv} at each visit {known}; verdicts allow for it beside Poisson noise."
    stable = '"No detectable change" is not "stable": what is not excluded is printed.'
    if judging.stable_ratio is not None:
        margin = interval_text(1 / judging.stable_ratio, judging.stable_ratio)
        stable += f' "Stable" is said where two one-sided tests put the change within {margin}.'
    text = _METHODS.format(noise=noise, stable=stable, level=confidence_text(judging.level))
    told = [" ".join(paragraph.split()) for paragraph in text.strip().split("\n\n")]
    if cutoffs := sorted({capture.vellus_cutoff_um for capture in captures}):
        told.append(f"Vellus cut-off: {', '.join(f'{cutoff:g}' for cutoff in cutoffs)} µm of calibre.")
    return tuple(told)

"""The Alopecia Areata Predictive Score: patchy alopecia, about two months in, reviewed readings; else refused.

Waśkiel-Burnat 2020 (doi 10.1111/jocd.13064): 65 patients with patchy alopecia areata. Not validated for JAK inhibitors
nor for totalis or universalis. For research on cohorts: nothing here is told of, or to, one patient.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from trichotrack.cohort.tables import full_day, month_of, read_cohort
from trichotrack.labels.cells import rows_of
from trichotrack.labels.read import condensed
from trichotrack.labels.spreadsheet import find_table, read_table
from trichotrack.problems import InputError, Problem

POINTS: Mapping[str, int] = {
    "black_dot": -1,
    "broken_hair": -1,
    "exclamation_mark_hair": -1,
    "tapered_hair": -1,
    "upright_regrowing_hair": 1,
    "pigtail_hair": 1,
}
"""A point for each sign that is present. Unit weights are inferred from the publication."""

INTERCEPT, PER_POINT = 0.099, 1.971
"""Log odds of regrowth: these reproduce the published chances within 0.2 percentage points."""

MONTH, WINDOW = 2.0, 0.5

CAUTION = (
    "The Alopecia Areata Predictive Score comes from 65 patients with patchy alopecia areata. It is not validated for "
    "JAK inhibitors, totalis or universalis, and is given for research on cohorts, not for a patient."
)

COLUMNS = ("patient", "month", "date", *POINTS, "reviewed_by")


@dataclass(frozen=True)
class SignsFound:
    """What readings of one patient found at a month. present: None where a sign was not counted (why: reason)."""

    patient: str
    month: float
    present: Mapping[str, bool | None]
    reviewed_by: str
    reason: str = ""


@dataclass(frozen=True)
class Score:
    """score: −4 to 2, with the published chance of regrowth; both None where it is refused, for a reason."""

    patient: str
    score: int | None
    chance: float | None
    reason: str = ""


def published_chance(score: int) -> float:
    """The published chance of regrowth at a score of −4 to 2."""
    if not -4 <= score <= 2:
        raise InputError(f"{score} is not a score from -4 to 2.")
    return 1 / (1 + math.exp(-(INTERCEPT + PER_POINT * score)))


def score_of(
    patient: str, aa_type: str, found: list[SignsFound], *, month: float = MONTH, window: float = WINDOW
) -> Score:
    """The score at the reading nearest to month within the window. Refused, with the reason, where one is missing."""
    if aa_type != "patchy":
        return _refused(
            patient, f"alopecia is {aa_type or 'of no stated type'}; the score is for patchy alopecia areata"
        )
    near = [one for one in found if abs(one.month - month) <= window + 1e-9]
    if not near:
        return _refused(patient, f"no reading at {month:g} ± {window:g} months")
    reviewed = [one for one in near if one.reviewed_by]
    if not reviewed:
        return _refused(patient, "the readings have not been reviewed")
    one = min(reviewed, key=lambda signs: abs(signs.month - month))
    unknown = [name for name in POINTS if one.present.get(name) is None]
    if unknown:
        named = ", ".join(name.replace("_", " ") for name in unknown)
        return _refused(patient, one.reason or f"not counted: {named}")
    score = sum(points for name, points in POINTS.items() if one.present[name])
    return Score(patient, score, published_chance(score))


def _refused(patient: str, reason: str) -> Score:
    return Score(patient, None, None, reason)


def scores_of_folder(folder: Path, *, month: float = MONTH, window: float = WINDOW) -> tuple[Score, ...]:
    """Of every patient of patients.csv, from signs.csv: signs as 0, 1 or counts, and who reviewed them.

    Raises InputError with every fault.
    """
    cohort = read_cohort(folder)
    problems: list[Problem] = []
    path = find_table(folder, "signs", problems, required=True)
    table = read_table(path, COLUMNS, ("patient", *POINTS, "reviewed_by"), problems) if path else None
    found: dict[str, list[SignsFound]] = {patient.id: [] for patient in cohort.patients}
    starts = _starts(folder)
    for row in rows_of(table, problems) if table else []:
        name = row.text("patient", required=True)
        if name and name not in found:
            row.fault("patient", "is not in the table of patients", "Add the patient there, or mend the name.")
        at = month_of(row, full_day(starts.get(name, "")))
        counts = {sign: row.optional_number(sign) for sign in POINTS}
        for sign, count in counts.items():
            if count is not None and count < 0:
                row.fault(sign, "is below zero", "Write 0, 1 or a count; leave it empty where it was not counted.")
        if row.ok and at is not None:
            present = {sign: None if count is None else count > 0 for sign, count in counts.items()}
            found[name].append(SignsFound(name, at, present, row.text("reviewed_by")))
    if problems:
        raise InputError(condensed(problems))
    return tuple(
        score_of(patient.id, str(patient.facts.get("aa_type", "")), found[patient.id], month=month, window=window)
        for patient in cohort.patients
    )


def _starts(folder: Path) -> dict[str, str]:
    path = find_table(folder, "patients", [], required=False)
    table = read_table(path, ("patient", "start"), (), []) if path else None
    return {row.cells.get("patient", ""): row.cells.get("start", "") for row in (rows_of(table, []) if table else [])}


def told(scores: tuple[Score, ...]) -> list[str]:
    """How many have a score, what it says for the cohort, and why others have none."""
    from collections import Counter

    known = [one for one in scores if one.score is not None]
    said = [CAUTION, f"{len(known)} of {len(scores)} patients have a score."]
    if known:
        counts = Counter(one.score for one in known if one.score is not None)
        said += [
            f"Score {score}: {counts[score]}; published chance of regrowth {100 * published_chance(score):.1f} %."
            for score in sorted(counts, reverse=True)
        ]
    reasons = Counter(one.reason for one in scores if one.score is None)
    return said + [f"{number} refused: {reason}." for reason, number in reasons.most_common()]

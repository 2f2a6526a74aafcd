"""Predictors as a person writes them ("duration_years<=4", "age/10", "aa_type"), and the table of numbers they make."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trichotrack.cohort.endpoints import THRESHOLD, Outcome
from trichotrack.cohort.people import Cohort, Kind
from trichotrack.problems import InputError, Problem

Array = NDArray[np.float64]

USUAL_TERMS = ("duration_years<=4", "sex", "age/10", "atopic", "pulse", "salt0>=95", "eyebrow", "eyelash")
"""Taken where nothing else is asked for, as far as the table has them."""

LANDMARK = re.compile(r".+_m([0-9]+(?:\.[0-9]+)?)\Z")
"""A column named so (black_dot_m2) holds what was found that many months after treatment start."""

_TERM = re.compile(r"\s*([^\s<>=/]+)\s*(?:(<=|>=|<|>|/)\s*([0-9]+(?:\.[0-9]+)?))?\s*\Z")
_SHOWN = {"<=": "≤", ">=": "≥", "<": "<", ">": ">"}
_COMPARED = {"<=": np.less_equal, ">=": np.greater_equal, "<": np.less, ">": np.greater}


@dataclass(frozen=True)
class Term:
    """One predictor as written. sign: "", a comparison (a cut into two groups) or "/" (per so many units)."""

    column: str
    sign: str = ""
    value: float = 1.0

    @property
    def landmark(self) -> float | None:
        """The month it is known at, where that lies after treatment start."""
        match = LANDMARK.match(self.column)
        month = float(match[1]) if match else 0.0
        return month if month > 0 else None


@dataclass(frozen=True)
class Design:
    """Numbers for a regression. names: of the columns of x, as printed. x: (n, k). outcomes: the patients of its rows.

    left_out: why patients of the analysis set are not in it, and how many.
    """

    names: tuple[str, ...]
    x: Array
    outcomes: tuple[Outcome, ...]
    left_out: tuple[tuple[str, int], ...]

    @property
    def responded(self) -> Array:
        return np.array([outcome.responded for outcome in self.outcomes], dtype=np.float64)


def parse_terms(texts: Sequence[str], kinds: Mapping[str, Kind]) -> tuple[Term, ...]:
    """Terms of columns that are there. Raises InputError with every fault."""
    import difflib

    problems, terms = [], []
    for text in texts:
        match = _TERM.match(text)
        if not match:
            remedy = "Write a column, such as pulse; a cut, duration_years<=4; or per units, age/10."
            problems.append(Problem("--predictors", "is not a predictor", remedy, value=text))
            continue
        column, sign, value = match[1], match[2] or "", float(match[3] or 1)
        if column not in kinds:
            near = difflib.get_close_matches(column, kinds, n=1)
            remedy = f"Did you mean {near[0]}? " if near else ""
            problems.append(
                Problem("--predictors", "is not a column of patients", f"{remedy}Columns are {', '.join(kinds)}.",
                        value=column)
            )  # fmt: skip
        elif sign and kinds[column] != "number":
            problems.append(Problem("--predictors", "is no column of numbers, so it has no cut", value=text))
        elif sign == "/" and value == 0:
            problems.append(Problem("--predictors", "divides by zero", value=text))
        else:
            terms.append(Term(column, sign, value))
    again = [text for text, number in Counter(texts).items() if number > 1]
    problems += [Problem("--predictors", "is named twice", value=text) for text in again]
    if problems:
        raise InputError(problems)
    return tuple(terms)


def usual_terms(cohort: Cohort) -> tuple[Term, ...]:
    terms = parse_terms([text for text in USUAL_TERMS if re.split("[<>=/]", text)[0] in cohort.kinds], cohort.kinds)
    if "salt0" not in cohort.kinds:
        terms += (Term("salt0", ">=", 95.0),)
    return terms


def continuous(terms: Sequence[Term]) -> tuple[Term, ...]:
    """The same predictors, the cut of duration replaced by years."""
    return tuple(Term(term.column) if term.column == "duration_years" else term for term in terms)


def design(outcomes: Sequence[Outcome], terms: Sequence[Term], kinds: Mapping[str, Kind]) -> Design:
    """Rows without a gap. A group becomes one column a group but the most frequent, which is the reference.

    Landmark predictors leave out who had SALT ≤ 20 by then, or was not seen at or after it: the future must not
    choose who is asked. Columns that do not vary are dropped, with the reason.
    """
    reasons = [_why_out(outcome, terms) for outcome in outcomes]
    kept = tuple(outcome for outcome, reason in zip(outcomes, reasons, strict=True) if not reason)
    left_out = tuple(Counter(reason for reason in reasons if reason).items())
    names: list[str] = []
    x = np.zeros((len(kept), 0))
    for term in terms:
        for name, column in _columns(term, [_value(outcome, term) for outcome in kept], kinds.get(term.column)):
            if not len(column) or np.ptp(column) == 0:
                left_out += ((f"{name} does not vary, so it says nothing and was dropped", 0),)
            elif _follows(column, x):
                left_out += ((f"{name} follows from the predictors before it and was dropped", 0),)
            else:
                names.append(name)
                x = np.column_stack([x, column])
    return Design(tuple(names), x, kept, left_out)


def _follows(column: Array, before: Array) -> bool:
    """Whether a column is a sum of multiples of those before it and a constant."""
    known = np.column_stack([np.ones(len(column)), before])
    rest = column - known @ np.linalg.lstsq(known, column, rcond=None)[0]
    return float(np.abs(rest).max()) < 1e-8 * float(np.ptp(column))


def _value(outcome: Outcome, term: Term) -> float | str | None:
    return outcome.salt0 if term.column == "salt0" else outcome.patient.facts.get(term.column)


def _why_out(outcome: Outcome, terms: Sequence[Term]) -> str:
    for term in terms:
        if _value(outcome, term) is None:
            return f"{term.column} not known"
    months = [month for term in terms if (month := term.landmark) is not None]
    if months:
        landmark = max(months)
        if any(one.total <= THRESHOLD and one.month <= landmark for one in outcome.patient.followed):
            return f"SALT ≤ 20 by the landmark of {landmark:g} months"
        if not any(one.month >= landmark for one in outcome.patient.followed):
            return f"not seen at or after the landmark of {landmark:g} months"
    return ""


def _columns(term: Term, values: Sequence[float | str | None], kind: Kind | None) -> list[tuple[str, Array]]:
    if kind == "group":
        return _dummies(term.column, [str(value) for value in values])
    numbers = np.array(values, dtype=np.float64)
    label = shown(term.column)
    if term.sign == "/":
        return [(f"{label}, per {term.value:g}", numbers / term.value)]
    if term.sign:
        cut = _COMPARED[term.sign](numbers, term.value).astype(np.float64)
        return [(f"{label} {_SHOWN[term.sign]} {term.value:g}", cut)]
    return [(label if kind == "yes/no" else f"{label}, per 1", numbers)]


def _dummies(column: str, values: Sequence[str]) -> list[tuple[str, Array]]:
    groups = Counter(values)
    reference = (
        "male" if column == "sex" and "male" in groups else max(groups, key=lambda g: (groups[g], g), default="")
    )
    return [
        (f"{shown(column)} {group} (vs {reference})", np.array([value == group for value in values], dtype=np.float64))
        for group in sorted(groups)
        if group != reference
    ]


def shown(column: str) -> str:
    """A column as printed."""
    known = {"aa_type": "AA type", "duration_years": "duration (years)", "salt0": "baseline SALT"}
    known |= {"eyebrow": "eyebrow ClinRO", "eyelash": "eyelash ClinRO", "pulse": "pulse history"}
    known |= {"atopic": "atopic dermatitis"}
    return known.get(column, column.replace("_", " "))

"""What a part of a labelled set can show: its people with each sign, and how wide an interval that leaves."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass

from trichotrack.labels.folds import shown_in
from trichotrack.labels.tables import CaptureRow, LabelRow, LabelSet
from trichotrack.problems import InputError, Problem

HELD_OUT = ("val", "test")
"""Splits that figures are taken on."""

LEAST_PATIENTS = 4
"""People below which even a perfect figure shows nothing: found in 3 of 3, the 95 % interval of a share begins at 44 %
(Wilson 1927), so one found as often as missed is not excluded; found in 4 of 4 it begins at 51 %."""

MEASURED = ("exhaustive", "count", "presence")
"""Levels of which figures can be taken: partial labels tell neither a false mark nor a number."""

MARK_FULLY = (
    "Mark every instance of a sign in 20 to 40 of its captures and bring them back by `trichotrack labels merge "
    "--exhaustive`; or, where all are marked already, write exhaustive as their level in labels.csv."
)
"""What to do where nothing can be measured."""


@dataclass(frozen=True)
class SignCount:
    """One sign in one part: patients in whom it is seen, patients of whom it is known, structures marked or counted."""

    patients: int
    known: int
    structures: int


@dataclass(frozen=True)
class Part:
    """A split or a fold: its people, those of whom a reference label tells anything, its captures, and each sign."""

    name: str
    patients: int
    labelled: int
    captures: int
    signs: dict[str, SignCount]


def parts_of(labelset: LabelSet, part_of: Callable[[CaptureRow], str]) -> tuple[Part, ...]:
    """The set by part, in order of name; captures whose part is "" are left out."""
    where = {capture.file: part_of(capture) for capture in labelset.captures}
    patient_of = {capture.file: capture.patient for capture in labelset.captures}
    people: dict[str, set[str]] = defaultdict(set)
    captures: Counter[str] = Counter()
    for file, part in where.items():
        people[part].add(patient_of[file])
        captures[part] += 1
    shown = shown_in(labelset)
    known: dict[tuple[str, str], set[str]] = defaultdict(set)
    structures: Counter[tuple[str, str]] = Counter()
    labelled = {patient_of[label.file] for label in labelset.labels if not label.rater}
    for label in labelset.labels:
        if not label.rater:
            known[where[label.file], label.sign].add(patient_of[label.file])
            structures[where[label.file], label.sign] += round(label.value or 0) if label.level == "count" else 0
    for marked in labelset.objects:
        if not marked.rater:
            structures[where[marked.file], marked.sign] += 1
    return tuple(
        Part(
            part,
            len(people[part]),
            len(labelled & people[part]),
            captures[part],
            {
                sign: SignCount(len(shown[sign] & people[part]), len(known[part, sign]), structures[part, sign])
                for sign in sorted(shown)
            },
        )
        for part in sorted(people, key=lambda name: (len(name), name))
        if part
    )


def unmeasured(labelset: LabelSet, signs: Collection[str] = ()) -> str:
    """Which of val and test, or of a set without a split, nothing can be measured on, and what to do; "" where none is.

    signs: those sought; empty: any. A set without any reference label is not this function's to judge.
    """
    levels: dict[str, set[str]] = defaultdict(set)
    split_of = {capture.file: capture.split for capture in labelset.captures}
    for label in labelset.labels:
        if not label.rater and (not signs or label.sign in signs):
            levels[split_of[label.file]].add(label.level)
    there = set(split_of.values())
    asked = [""] if there == {""} else [name for name in HELD_OUT if name in there]
    lacking = [name for name in asked if not levels[name].intersection(MEASURED)]
    if not lacking or not any(levels.values()):
        return ""
    where = " and ".join(f"split {name!r}" if name else "this set" for name in lacking)
    refused = "" if lacking == ["test"] else ", and a training refuses it"
    return (
        f"No capture of {where} has {', '.join(MEASURED[:-1])} or {MEASURED[-1]} labels"
        f"{' of ' + ', '.join(signs) if signs else ''}: nothing can be measured there{refused}. {MARK_FULLY}"
    )


def readers_alone(labels: Iterable[LabelRow], table: str = "labels.csv") -> Problem | None:
    """What is wrong where every label has a rater, so that nothing is learnt or measured; None where one has none."""
    raters = {label.rater for label in labels}
    if not raters or "" in raters:
        return None
    return Problem(
        table,
        f"all labels are by rater {', '.join(sorted(raters))}; training learns from the reference alone (rater blank)",
        "Empty the rater column of one reader's rows, here and in the objects table; or import one reader's labels "
        "without --rater or --by-annotator.",
        column="rater",
    )


def perfect(patients: int) -> str:
    """The interval that is left where a sign is found in all of so many patients: "44 to 100 %"."""
    from trichotrack.stats.rates import wilson_interval

    return f"{100 * wilson_interval(patients, patients)[0]:.0f} to 100 %"


def refuse_too_few(parts: Sequence[Part], signs: Sequence[str], remedy: str) -> None:
    """Raises InputError for every part that has too few labelled people, or too few with one of signs, to show
    anything.

    parts: those that figures are to be taken on. remedy: what to ask for instead.
    """
    problems = []
    for part in parts:
        if part.labelled < LEAST_PATIENTS:
            whom = "patients" if part.labelled == part.patients else "labelled patients"
            problems.append(Problem(part.name, _too_few(part.labelled, whom), remedy))
            continue
        for sign in signs:
            count = part.signs.get(sign)
            if count is None:
                problems.append(Problem(part.name, f"{sign} is not labelled in this set", "Check its spelling."))
            elif count.patients < LEAST_PATIENTS:
                problems.append(Problem(part.name, _too_few(count.patients, f"patients with {sign}"), remedy))
    if problems:
        raise InputError(problems)


def _too_few(patients: int, whom: str) -> str:
    if not patients:
        return f"would have no {whom}: nothing of it could be measured"
    who, each = (whom, "each of them") if patients > 1 else (whom.replace("patients", "patient", 1), "it")
    return (
        f"would have {patients} {who}; even if a sign were found in {each}, the 95 % interval of that share would be "
        f"{perfect(patients)}, and as often missed as found is not excluded ({LEAST_PATIENTS} patients: "
        f"{perfect(LEAST_PATIENTS)})"
    )


def remarks_on(parts: Sequence[Part]) -> list[str]:
    """Sentences on what parts that are measured on can show: the interval of a share, and signs that are too rare."""
    from trichotrack.stats.rates import wilson_interval

    remarks = []
    for part in parts:
        if not part.labelled:
            remarks.append(f"{part.name}: none of its {part.patients} patients is labelled; nothing is measured there.")
            continue
        low, high = wilson_interval(0.8 * part.labelled, part.labelled)
        whom = "patients" if part.labelled == part.patients else f"of {part.patients} patients are labelled"
        remarks.append(
            f"{part.name}: {part.labelled} {whom}; a share of 80 % measured over them has a 95 % interval of "
            f"{100 * low:.0f} to {100 * high:.0f} %."
        )
        rare = [
            f"{sign} ({count.patients} of {count.known})"
            for sign, count in part.signs.items()
            if count.patients < LEAST_PATIENTS and count.known
        ]
        if rare:
            remarks.append(
                f"{part.name}: too few patients ({LEAST_PATIENTS - 1} or fewer) to show anything of {', '.join(rare)}."
            )
    return remarks

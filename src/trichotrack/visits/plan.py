"""What a folder of captures would add to a visit: every name parsed and every misfit told before anything is read."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from trichotrack.capture import SUFFIXES, find_captures
from trichotrack.labels.file_names import NamePattern
from trichotrack.problems import InputError, Problem
from trichotrack.visits.history import check_patient_id

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

FIELDS = ("site", "field", "n", "patient", "date", "any")
"""Fields of a pattern: site, field and n go to the record; patient and date must agree; any is passed over."""


@dataclass(frozen=True)
class PlannedCapture:
    """One file as its name was parsed. file: below the folder, with `/`. site: lower case. field, n: may be ""."""

    path: Path
    file: str
    sha256: str
    site: str
    field: str
    n: str

    @property
    def kept_name(self) -> str:
        return kept_name(self.site, self.field, self.n, self.path.suffix.lower())


def kept_name(site: str, field: str, n: str, suffix: str) -> str:
    """What the record calls a capture: by what its name says of the spot. The rest of a name may be a person's."""
    return "_".join(part for part in (site, field, n) if part) + suffix


@dataclass(frozen=True)
class VisitPlan:
    """captures: to be read and added. known: at this visit already, by content. misfits: what cannot be added, and why.

    notes: what a person should see before saying yes.
    """

    patient: str
    date: date
    pattern: str
    captures: tuple[PlannedCapture, ...]
    known: tuple[PlannedCapture, ...] = ()
    misfits: tuple[Problem, ...] = ()
    notes: tuple[str, ...] = ()


def plan_visit(folder: Path, pattern: str, *, patient: str, day: date) -> VisitPlan:
    """The captures of a folder (and those below it) by name.

    pattern: such as '{site}_{field}_{n}'; with `/` it is held against folders too. Captures of the same site and field
    are repeats of one spot. Raises InputError where the folder has no image or the pattern makes no sense.
    """
    check_patient_id(patient)
    parsed = NamePattern(pattern)
    strange = [name for name in parsed.fields if name not in FIELDS]
    if strange or "site" not in parsed.fields:
        fault = f"has the unknown field {{{strange[0]}}}" if strange else "has no {site}"
        remedy = f"Fields are {', '.join(f'{{{name}}}' for name in FIELDS)}; for example '{{site}}_{{field}}_{{n}}'."
        raise InputError(Problem("pattern", fault, remedy, value=pattern))
    if not folder.is_dir():
        raise InputError(Problem(str(folder), "is not a folder", "Name the folder that holds the visit's captures."))
    captures: list[PlannedCapture] = []
    misfits: list[Problem] = []
    for path in find_captures([folder]):
        file = path.relative_to(folder).as_posix()
        fields = parsed.parse(file)
        fault = "its name does not fit the pattern" if fields is None else _disagrees(fields, patient, day)
        if fault or fields is None:
            misfits.append(Problem(file, fault, "Rename it, mend the pattern, or take it out of the folder."))
            continue
        try:
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
        except OSError as error:
            misfits.append(Problem(file, f"cannot be opened ({error.strerror})", "Check its rights."))
            continue
        site, field, n = (fields.get(name, "").strip() for name in ("site", "field", "n"))
        captures.append(PlannedCapture(path, file, digest, site.casefold(), field, n))
    kept, doubled = _without_doubles(captures)
    return VisitPlan(
        patient, day, pattern, kept, misfits=(*misfits, *doubled), notes=_notes(folder, parsed.fields, kept)
    )


def against_record(session: Session, plan: VisitPlan) -> VisitPlan:
    """The plan beside what the record holds: known captures set apart; contents and names that clash are misfits."""
    from sqlalchemy import select

    from trichotrack.visits.schema import Capture, Patient, Visit

    wanted = [capture.sha256 for capture in plan.captures]
    rows = session.execute(
        select(Capture.sha256, Capture.file, Visit.patient_id, Visit.date).join(Visit).where(Capture.sha256.in_(wanted))
    )
    stored = {sha256: (file, patient, day) for sha256, file, patient, day in rows}
    taken = {
        (site, field, n): file
        for site, field, n, file in session.execute(
            select(Capture.site, Capture.field, Capture.n, Capture.file)
            .join(Visit)
            .where(Visit.patient_id == plan.patient, Visit.date == plan.date)
        )
    }
    new, known, misfits = [], [], list(plan.misfits)
    for capture in plan.captures:
        if capture.sha256 in stored:
            file, patient, day = stored[capture.sha256]
            if (patient, day) == (plan.patient, plan.date):
                known.append(capture)
            else:
                message = f"is the same picture as {file} of {patient} on {day}"
                misfits.append(Problem(capture.file, message, "Check the folder, the patient and the date."))
        elif (slot := (capture.site, capture.field, capture.n)) in taken:
            message = f"is another picture than {taken[slot]}, which this visit has at {_slot(capture)}"
            misfits.append(Problem(capture.file, message, "The record is not overwritten: give it another n."))
        else:
            new.append(capture)
    notes = list(plan.notes)
    if session.get(Patient, plan.patient) is None:
        notes.append(f"{plan.patient} is new in this record.")
    else:
        seen = set(session.scalars(select(Capture.site).join(Visit).where(Visit.patient_id == plan.patient).distinct()))
        fresh = sorted({capture.site for capture in new} - seen)
        if seen and fresh:
            notes.append(
                f"{plan.patient} has no earlier captures at {', '.join(fresh)} (but at {', '.join(sorted(seen))})."
            )
    return dataclasses.replace(
        plan, captures=tuple(new), known=tuple(known), misfits=tuple(misfits), notes=tuple(notes)
    )


def entered_otherwise(
    session: Session, plan: VisitPlan, *, um_per_px: float | None, preparation: str, device: str
) -> list[str]:
    """What the record has of the known captures that differs from what is given now, one sentence each."""
    from sqlalchemy import select

    from trichotrack.visits.schema import Capture

    known = [capture.sha256 for capture in plan.known]
    rows = session.execute(
        select(Capture.um_per_px, Capture.preparation, Capture.device).where(Capture.sha256.in_(known))
    ).all()
    given = (("µm per px", um_per_px), ("preparation", preparation), ("device", device.strip()))
    told = []
    for place, (what, now) in enumerate(given):
        there = sorted({_said(row[place]) for row in rows if row[place] != now})
        if there and (what != "µm per px" or now is not None):
            told.append(
                f"already there with {what} {', '.join(there)}, not {_said(now)}: `trichotrack amend` changes it"
            )
    return told


def _said(value: float | str | None) -> str:
    return f"{value:g}" if isinstance(value, float) else value or "none"


def _disagrees(fields: dict[str, str], patient: str, day: date) -> str:
    if fields.get("patient", patient) != patient:
        return f"its name says patient {fields['patient']}, not {patient}"
    if "date" in fields and fields["date"] not in {day.isoformat(), day.strftime("%Y%m%d")}:
        return f"its name says {fields['date']}, not {day.isoformat()}"
    return ""


def _without_doubles(captures: Sequence[PlannedCapture]) -> tuple[tuple[PlannedCapture, ...], list[Problem]]:
    """Captures whose content and place in the visit are their own, and a problem for each other one."""
    kept: list[PlannedCapture] = []
    problems = []
    contents: dict[str, str] = {}
    slots: dict[tuple[str, str, str], str] = {}
    for capture in captures:
        slot = (capture.site, capture.field, capture.n)
        if capture.sha256 in contents:
            message = f"is the same picture as {contents[capture.sha256]}"
            problems.append(Problem(capture.file, message, "Take one of them out of the folder."))
        elif slot in slots:
            message = f"has the same {_slot(capture)} as {slots[slot]}"
            problems.append(Problem(capture.file, message, "Tell repeats apart by {n}, fields by {field}."))
        else:
            kept.append(capture)
        contents.setdefault(capture.sha256, capture.file)
        slots.setdefault(slot, capture.file)
    return tuple(kept), problems


def _slot(capture: PlannedCapture) -> str:
    named = (("site", capture.site), ("field", capture.field), ("n", capture.n))
    return ", ".join(f"{name} {value}" for name, value in named if value)


def _notes(folder: Path, fields: Sequence[str], captures: Sequence[PlannedCapture]) -> tuple[str, ...]:
    notes = []
    if "field" not in fields and len(captures) > len({capture.site for capture in captures}):
        notes.append("The pattern has no {field}: captures of one site are taken as repeats of one spot and averaged.")
    others = sorted(
        path.suffix.lower() or path.name
        for path in folder.rglob("*")
        if path.is_file() and not path.name.startswith(".") and path.suffix.lower() not in SUFFIXES
    )
    if others:
        number = "1 other file is" if len(others) == 1 else f"{len(others)} other files are"
        notes.append(f"{number} passed over ({', '.join(dict.fromkeys(others))}).")
    return tuple(notes)

"""Patients, treatments and SALT in the record: checked, idempotent, all faults at once, never silently overwritten."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from trichotrack.labels.cells import Row
from trichotrack.problems import InputError
from trichotrack.visits.dates import first_day, last_day
from trichotrack.visits.rows import (
    Added,
    TableKind,
    add_row,
    check_patient_id,
    choice_in,
    columns_of,
    complete,
    day_in,
    flag_in,
    import_file,
    moment,
    patient_in,
    patient_of,
    pseudonym_in,
    put,
    span_in,
    whole_in,
    words,
)  # fmt: skip

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

__all__ = ["Added", "check_patient_id", "patient_of"]

AA_TYPES = ("patchy", "multiplex", "ophiasis", "totalis", "universalis")
SEXES = ("female", "male", "other")

ATOPY = ("none", "dermatitis", "asthma", "rhinitis", "other")
"""Atopic history: none, or any of the others."""

SALT_WEIGHTS: Mapping[str, float] = {"top": 0.40, "back": 0.24, "left": 0.18, "right": 0.18}
"""Share of the scalp of each region; SALT is the weighted sum of their percentages of loss."""

SALT_ROUNDING = 0.5
"""A total typed beside its regions may differ from their weighted sum by no more."""

_BETWEEN = "; "
"""Stands between the parts of a cell that holds several."""


@dataclass(frozen=True)
class TaperStep:
    """One step down. start: partial date. dose: in the unit of the treatment."""

    start: str
    dose: str


def add_patient(
    session: Session, patient: str, *, aa_type: str = "", sex: str = "", birth_year: int | None = None,
    synthetic: bool = False, **dates_and_atopy: str,
) -> Added:  # fmt: skip
    """A new patient, or what was blank of a known one.

    dates_and_atopy: onset, current_onset, last_regrowth (partial dates) and atopy ("none", or "dermatitis; asthma").
    Raises InputError for values that make no sense and for those that contradict the record: it is not overwritten.
    """
    strange = set(dates_and_atopy) - {"onset", "current_onset", "last_regrowth", "atopy"}
    if strange:
        raise TypeError(f"add_patient has no argument {', '.join(sorted(strange))}")
    cells = {
        "patient": patient, "aa_type": aa_type, "sex": sex, "birth_year": "" if birth_year is None else str(birth_year),
        "synthetic": str(int(synthetic)), **dates_and_atopy,
    }  # fmt: skip
    return add_row(session, PATIENTS, cells)


def add_treatment(session: Session, cells: Mapping[str, str]) -> Added:
    """One treatment, cells by the columns of TREATMENTS (patient and drug at least). Raises InputError."""
    return add_row(session, TREATMENTS, cells)


def add_salt(session: Session, cells: Mapping[str, str]) -> Added:
    """SALT on one day, cells by the columns of SALT: four regions, or total, or both. Raises InputError."""
    return add_row(session, SALT, cells)


def import_treatments(session: Session, path: Path) -> Added:
    """A table (CSV, .xlsx, Parquet) of treatments; all of it or, where anything is wrong, nothing, every fault told."""
    return import_file(session, TREATMENTS, path)


def import_salt(session: Session, path: Path) -> Added:
    """A table (CSV, .xlsx, Parquet) of SALT; all of it or, where anything is wrong, nothing, every fault told."""
    return import_file(session, SALT, path)


def taper_steps(text: str) -> tuple[TaperStep, ...]:
    """The steps of a taper such as "2025-10-16 16; 2025-11-13 8". Raises InputError where it is none."""
    steps = []
    for part in filter(None, (part.strip() for part in text.split(";"))):
        start, _, dose = part.partition(" ")
        if not dose.strip():
            raise InputError(f"{part!r} is not a step of a taper; write its date and dose, as 2025-10-16 16.")
        first_day(start)
        steps.append(TaperStep(start, dose.strip()))
    days = [first_day(step.start) for step in steps]
    if days != sorted(days, key=str):
        raise InputError("the steps of a taper are not in the order of time.")
    return tuple(steps)


def _patient(session: Session, row: Row) -> Added:
    from trichotrack.visits.schema import Patient

    patient = pseudonym_in(row)
    facts: dict[str, object] = {
        "aa_type": choice_in(row, "aa_type", AA_TYPES),
        "sex": choice_in(row, "sex", SEXES),
        "birth_year": whole_in(row, "birth_year", 1900, 2100, "a year of birth"),
        **{column: row.date(column) for column in ("onset", "current_onset", "last_regrowth")},
        "atopy": _atopy(row),
    }
    synthetic, when = flag_in(row, "synthetic"), moment(row, "added_at")
    if not row.ok:
        return Added()
    known = session.get(Patient, patient)
    if known is None:
        session.add(Patient(id=patient, synthetic=synthetic, **facts, **({"added_at": when} if when else {})))
        session.flush()
        return Added(new=1)
    if synthetic and not known.synthetic:
        row.fault("synthetic", "is in the record as a person, not as synthetic", "Give it a pseudonym of its own.")
        return Added()
    return complete(row, known, facts)


def _atopy(row: Row) -> str:
    parts = {part.strip() for part in row.text("atopy").split(";")} - {""}
    if parts - set(ATOPY) or ("none" in parts and len(parts) > 1):
        row.fault("atopy", f"is not none, or some of {', '.join(ATOPY[1:])}", "Write such as 'dermatitis; asthma'.")
        return ""
    return _BETWEEN.join(choice for choice in ATOPY if choice in parts)


def _treatment(session: Session, row: Row) -> Added:
    from trichotrack.visits.schema import Treatment

    patient = patient_in(session, row)
    drug = words(row, "drug", required=True)
    start, end = span_in(row)
    key = {"patient_id": patient, "drug": drug, "start": start}
    key |= {column: words(row, column) for column in ("dose", "unit", "route")}
    facts = {"end": end, "taper": _taper(row, start)}
    facts |= {column: words(row, column) for column in ("stop_reason", "response")}
    return put(session, row, Treatment, key, facts)


def _taper(row: Row, start: str) -> str:
    try:
        steps = taper_steps(words(row, "taper"))
    except InputError as error:
        row.fault("taper", str(error).rstrip("."), "Write such as '2025-10-16 16; 2025-11-13 8'.")
        return ""
    begin = first_day(start) if row.ok else None
    last = last_day(steps[0].start) if steps else None
    if begin and last and last < begin:
        row.fault("taper", f"begins before the start, {start}", "Mend one of them.")
    return _BETWEEN.join(f"{step.start} {step.dose}" for step in steps)


def _salt(session: Session, row: Row) -> Added:
    from trichotrack.visits.schema import Salt

    patient = patient_in(session, row)
    day = day_in(row)
    regions = {region: _percent(row, region) for region in SALT_WEIGHTS}
    total = _salt_total(row, regions, _percent(row, "total"))
    return put(session, row, Salt, {"patient_id": patient, "date": day}, {"total": total, **regions})


def _percent(row: Row, column: str) -> float | None:
    number = row.optional_number(column)
    if number is not None and not 0 <= number <= 100:
        row.fault(column, "is not a percentage from 0 to 100", "Write the loss in percent of this region.")
        return None
    return number


def _salt_total(row: Row, regions: Mapping[str, float | None], total: float | None) -> float | None:
    """The total, given or as the weighted sum of the regions; None (noted) where they do not give one."""
    given = {region: value for region, value in regions.items() if value is not None}
    if not row.ok:
        return None
    if given and len(given) < len(SALT_WEIGHTS):
        missing = ", ".join(region for region in SALT_WEIGHTS if region not in given)
        row.fault("total", f"cannot be formed: {missing} missing", "Give all four regions, or the total alone.")
        return None
    if not given:
        if total is None:
            row.fault("total", "is missing, and so are the regions", "Give all four regions, or the total.")
        return total
    weighted = sum(weight * given[region] for region, weight in SALT_WEIGHTS.items())
    if total is not None and abs(total - weighted) > SALT_ROUNDING:
        row.fault("total", f"is not the weighted sum of the regions, {weighted:.1f}", "Mend one of them.")
        return None
    return weighted


PATIENTS = TableKind(
    "patients",
    {
        "patient": "pseudonym: letters, digits, `_`, `.`, `-`, at most 64",
        "synthetic": "1 for one made up, else 0",
        "aa_type": f"{', '.join(AA_TYPES)}; empty unknown",
        "sex": f"{', '.join(SEXES)}; empty unknown",
        "birth_year": "year",
        "onset": "first onset: year, year-month or year-month-day",
        "current_onset": "onset of the current episode, likewise",
        "last_regrowth": "when hair last regrew, likewise",
        "atopy": f"atopic history: none, or some of {', '.join(ATOPY[1:])} with `;` between; empty unknown",
        **columns_of(()),
    },
    ("patient",),
    _patient,
    whole=frozenset({"synthetic", "birth_year"}),
)

TREATMENTS = TableKind(
    "treatments",
    columns_of(
        ("patient",),
        drug="name of the drug",
        dose="dose as a number (4) or a range (50-25); another dose is another row",
        unit="unit of the dose, such as mg/day",
        route="such as oral",
        start="year, year-month or year-month-day; empty unknown",
        end="likewise; empty while it goes on",
        taper="steps down, in the same unit: `2025-10-16 16; 2025-11-13 8`",
        stop_reason="why it was stopped",
        response="how the patient responded",
    ),
    ("patient", "drug"),
    _treatment,
)

SALT = TableKind(
    "salt",
    columns_of(
        ("patient", "date"),
        **{region: f"loss in %, weight {100 * weight:g}" for region, weight in SALT_WEIGHTS.items()},
        total="0 to 100: the weighted sum of the regions, or given alone",
    ),
    ("patient", "date"),
    _salt,
    numbers=frozenset({*SALT_WEIGHTS, "total"}),
)

"""The whole record out and in: tables with the files they name. Export, then import into a new record, changes nothing.

Rows are in an order that only their content decides, so that the same record is exported as the same bytes.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trichotrack.labels.spreadsheet import Table
from trichotrack.problems import InputError, Problem
from trichotrack.visits.amendments import AMENDMENTS
from trichotrack.visits.clinical import CLINRO, EVENTS, LABS
from trichotrack.visits.history import PATIENTS, SALT, TREATMENTS
from trichotrack.visits.rows import Added, TableKind, add_table, cell_text
from trichotrack.visits.stored import (
    CAPTURES,
    PHOTOS,
    PHOTOS_KIND,
    PICTURES,
    READINGS,
    READINGS_KIND,
    REVIEWS,
    VISITS,
    stored_kinds,
)  # fmt: skip
from trichotrack.visits.table_files import FORMATS, csv_bytes, read_file, write_file

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

KINDS = (
    PATIENTS, VISITS, CAPTURES, READINGS_KIND, REVIEWS, TREATMENTS, SALT, CLINRO, LABS, EVENTS, PHOTOS_KIND, AMENDMENTS,
)  # fmt: skip
"""Every table of the record as it is exchanged."""

CLINICAL = (PATIENTS, TREATMENTS, SALT, CLINRO, LABS, EVENTS, PHOTOS_KIND)
"""Those that are of a patient rather than of a capture."""

_BATCH = 200
"""Pictures held in memory at once."""


def export_record(
    session: Session, out: Path, form: str = "csv", *, finish: Callable[[Path], None] | None = None
) -> dict[str, int]:
    """Writes the record to the folder out, which must not be there or be empty; rows written, by table.

    The folder appears at once and whole, readable by its owner alone. form: one of FORMATS. finish: called with the
    folder when all else is in it. Raises InputError.
    """
    if form not in FORMATS:
        raise InputError(Problem("--format", "is not a format", f"It is one of {', '.join(FORMATS)}.", value=form))
    out = out.resolve()
    if out.exists() and not (out.is_dir() and not any(out.iterdir())):
        raise InputError(Problem("--out", "is not an empty folder", "Name a new one.", value=str(out)))
    if not out.parent.is_dir():
        raise InputError(Problem("--out", "its folder does not exist", "Make the folder first.", value=str(out)))
    part = Path(tempfile.mkdtemp(prefix=f"{out.name}.", suffix=".part", dir=out.parent))
    try:
        counted = {}
        for kind in KINDS:
            rows = rows_of_record(session, kind)
            write_file(part / f"{kind.name}.{form}", kind, rows)
            counted[kind.name] = len(rows)
        for name, data in _files(session):
            (part / name).parent.mkdir(exist_ok=True)
            (part / name).write_bytes(data)
        if finish:
            finish(part)
        if out.exists():
            out.rmdir()
        part.rename(out)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return counted


def import_record(session: Session, source: Path) -> dict[str, Added]:
    """Takes in a folder as exported, or one table of it; what was done, by table.

    A folder need not have every table. Run twice, it adds nothing twice. Raises InputError with every fault of every
    table; the transaction it runs in is then not to be kept.
    """
    folder = source if source.is_dir() else source.parent
    stored = {kind.name: kind for kind in stored_kinds(folder)}
    kinds = [stored.get(kind.name, kind) for kind in KINDS]
    problems: list[Problem] = []
    done: dict[str, Added] = {}
    named: dict[str, set[str]] = {"patient": set(), "capture": set()}
    for kind, path in _found(source, kinds):
        try:
            table = read_file(path, kind)
        except InputError as error:
            problems += error.problems
            continue
        try:
            done[kind.name] = add_table(session, kind, table)
        except InputError as error:
            problems += [p for p in error.problems if p.value not in named.get(p.column, ())]
            _remember(named, kind, table)
    problems += _without_reading(session) if not problems else []
    if problems:
        raise InputError(problems)
    return done


def rows_of_record(session: Session, kind: TableKind, patient: str = "") -> list[list[str]]:
    """A table's rows as text cells, in the order of their content (readings and reviews: of their coming).

    patient: only this one's, of a table in CLINICAL.
    """
    rows = [[cell_text(value) for value in row] for row in session.execute(_query(kind, patient)).yield_per(1000)]
    return rows if kind is READINGS_KIND or kind is REVIEWS else sorted(rows)


def _query(kind: TableKind, patient: str) -> Any:
    """What selects the columns of a kind from the record's own tables."""
    from sqlalchemy import select

    from trichotrack.visits import schema

    capture, stored, review = schema.Capture, schema.StoredReading, schema.Review
    coming = (capture.sha256, stored.added_at, stored.id)
    columns: list[Any]
    if kind is CAPTURES:
        from_others = {"patient": schema.Visit.patient_id, "date": schema.Visit.date}
        from_others |= {"width": schema.Picture.width, "height": schema.Picture.height}
        columns = [from_others[name] if name in from_others else getattr(capture, name) for name in kind.columns]
        return select(*columns).select_from(capture).join(schema.Visit).join(schema.Picture)
    if kind is READINGS_KIND:
        columns = [capture.sha256, *(getattr(stored, name) for name in kind.columns if name != "capture")]
        return select(*columns).select_from(stored).join(capture).order_by(*coming)
    if kind is REVIEWS:
        columns = [capture.sha256, stored.sha256, stored.added_at, review.author, review.added_at]
        return select(*columns).select_from(review).join(stored).join(capture).order_by(*coming, review.id)
    models: dict[str, type[schema.Base]] = {
        "patients": schema.Patient, "visits": schema.Visit, "treatments": schema.Treatment, "salt": schema.Salt,
        "clinro": schema.ClinRO, "labs": schema.Lab, "events": schema.AdverseEvent, "photos": schema.Photo,
        "amendments": schema.Amendment,
    }  # fmt: skip
    model, of = models[kind.name], "id" if kind is PATIENTS else "patient_id"
    query = select(*(getattr(model, of if name == "patient" else name) for name in kind.columns))
    return query.where(getattr(model, of) == patient) if patient else query


def exported_files(session: Session) -> Iterator[tuple[str, bytes]]:
    """Every file of an export as CSV: its path and bytes."""
    for kind in KINDS:
        yield f"{kind.name}.csv", csv_bytes(kind, rows_of_record(session, kind))
    yield from _files(session)


def _files(session: Session) -> Iterator[tuple[str, bytes]]:
    """Every file beside the tables: its path and bytes."""
    from sqlalchemy import select

    from trichotrack.visits import schema

    pictures = select(schema.Capture.sha256, schema.Picture.jpeg).join(schema.Picture)
    for sha256, jpeg in session.execute(pictures).yield_per(_BATCH):
        yield f"{PICTURES}/{sha256}.jpg", jpeg
    for sha256, jpeg in session.execute(select(schema.Photo.sha256, schema.Photo.jpeg)).yield_per(_BATCH):
        yield f"{PHOTOS}/{sha256}.jpg", jpeg
    for sha256, reading in session.execute(select(schema.StoredReading.sha256, schema.StoredReading.reading)).yield_per(
        _BATCH
    ):
        yield f"{READINGS}/{sha256}.json", reading.encode()


def _found(source: Path, kinds: list[TableKind]) -> list[tuple[TableKind, Path]]:
    """The tables that source has, in the order of KINDS. Raises InputError where there is none, or one twice."""
    if source.is_dir():
        found = [(kind, source / f"{kind.name}.{form}") for kind in kinds for form in FORMATS]
        found = [(kind, path) for kind, path in found if path.is_file()]
        names = [kind.name for kind, _ in found]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise InputError(
                [Problem(str(source), f"has the table {name} in two formats", "Leave one of them.") for name in twice]
            )
    else:
        found = [(kind, source) for kind in kinds if kind.name == source.stem.lower()]
        if found and not source.is_file():
            raise InputError(Problem(str(source), "does not exist", "Name a folder or a table."))
    if not found:
        tables = ", ".join(kind.name for kind in KINDS)
        raise InputError(Problem(str(source), "has no table of the record", f"Tables are named {tables}."))
    return found


def _remember(named: dict[str, set[str]], kind: TableKind, table: Table) -> None:
    """Rows of a faulty table may be missing for this fault alone: what refers to them is not told again."""
    for refers, table_name, column in (("patient", "patients", "patient"), ("capture", "captures", "sha256")):
        if kind.name == table_name and column in table.columns:
            place = table.columns.index(column)
            named[refers] |= {cells[place] for _, cells in table.rows}


def _without_reading(session: Session) -> list[Problem]:
    from sqlalchemy import select

    from trichotrack.visits.schema import Capture, StoredReading

    read = select(StoredReading.id).where(StoredReading.capture_id == Capture.id).exists()
    return [
        Problem("captures", "has no reading", "Add it to the table of readings.", column="sha256", value=sha256)
        for sha256 in session.scalars(select(Capture.sha256).where(~read))
    ]


def summary(done: Mapping[str, Added]) -> str:
    """What an import did, by table."""
    return "\n".join(f"{name}: {added}" for name, added in done.items())

"""Clinical photographs in the record: kept as pictures are, upright and without EXIF."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from trichotrack.capture import find_captures, read_capture
from trichotrack.problems import InputError, Problem
from trichotrack.visits.add import kept_picture
from trichotrack.visits.dates import full_date
from trichotrack.visits.history import patient_of
from trichotrack.visits.rows import Added

if TYPE_CHECKING:
    from sqlalchemy.orm import Session


def add_photos(session: Session, patient: str, paths: Sequence[Path], *, date: str, view: str = "") -> Added:
    """Photographs of one day and view; known ones, by content, are not added twice. Raises InputError with every fault.

    paths: files, or folders of them. A photograph that another patient or day has already is a fault.
    """
    from sqlalchemy import select

    from trichotrack.visits.schema import Photo

    day, found = full_date(date), patient_of(session, patient)
    added = Added()
    problems: list[Problem] = []
    for path in find_captures(paths):
        try:
            photo = read_capture(path)
        except InputError as error:
            problems += error.problems
            continue
        known = session.scalars(select(Photo).filter_by(sha256=photo.sha256)).one_or_none()
        if known is None:
            shown = " ".join(view.split())
            name = (shown or "photo").replace(" ", "_") + path.suffix.lower()  # its own name may be a person's
            jpeg, (width, height) = kept_picture(photo)
            facts = {"date": day, "view": shown, "file": name, "sha256": photo.sha256}
            session.add(Photo(patient_id=found.id, width=width, height=height, jpeg=jpeg, **facts))
            session.flush()
            added += Added(new=1)
        elif (known.patient_id, known.date) != (found.id, day):
            message = f"is the same photograph as {known.file} of {known.patient_id} on {known.date}"
            problems.append(Problem(path.name, message, "Check the patient and the date."))
        else:
            added += Added(known=1)
    if problems:
        raise InputError(problems)
    return added

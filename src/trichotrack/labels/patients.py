"""Whose captures they are, where nobody said: each file stands for a patient of its own, and every figure says so."""

from __future__ import annotations

from collections.abc import Iterable

from trichotrack.labels.tables import CaptureRow

PATIENT_SOURCE = "patient_source"
"""Column of captures.csv. It stays with the captures when a folder is split, copied or joined to another."""

FILE = "file"
"""What that column says of a capture whose patient is not known and was given its file's name."""

UNKNOWN_PATIENTS = "patients unknown: each file counted as its own patient; intervals are too narrow"


def patients_notice(captures: Iterable[CaptureRow]) -> str:
    """What must stand beside every figure of these captures; "" where patients are known."""
    rows = list(captures)
    unknown = sum(row.extra.get(PATIENT_SOURCE) == FILE for row in rows)
    if not unknown:
        return ""
    return UNKNOWN_PATIENTS if unknown == len(rows) else f"{UNKNOWN_PATIENTS} ({unknown} of {len(rows)} captures)"

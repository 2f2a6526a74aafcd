"""What comparing readers gives, as values."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from trichotrack.evaluate.figures import Figure

SCHEMA = "trichotrack.agreement/1"


@dataclass(frozen=True)
class Limits:
    """Bland–Altman: second less first. sd: of the differences, per capture."""

    bias: Figure
    sd: float
    lower: Figure
    upper: Figure


@dataclass(frozen=True)
class SignAgreement:
    """One sign (or all of a group) by two readers. captures: read by both; located: where places were compared.

    first, second: total counts. f1, count_mae: intervals over people. icc, limits: see `agree`. refused: by figure,
    why it is not there.
    """

    sign: str
    captures: int
    patients: int
    located: int
    first: int
    second: int
    matched: int
    f1: Figure
    count_mae: Figure
    icc: Figure | None
    limits: Limits | None
    refused: dict[str, str]


@dataclass(frozen=True)
class ClassAgreement:
    """Structures that both marked: is their sign the same? table: rows by the first reader, columns by the second."""

    captures: int
    patients: int
    matched: int
    signs: tuple[str, ...]
    table: tuple[tuple[int, ...], ...]
    agreement: Figure
    kappa: Figure | None
    refused: str = ""


@dataclass(frozen=True)
class PairAgreement:
    """Two readers. one_only: captures that only one of them read, passed over. classes: None where refused says why.

    left_out: signs that cannot be compared, each with its reason.
    """

    first: str
    second: str
    captures: int
    patients: int
    one_only: int
    without_scale: int
    signs: tuple[SignAgreement, ...]
    classes: ClassAgreement | None
    refused: str = ""
    left_out: tuple[str, ...] = ()


@dataclass(frozen=True)
class AllReaders:
    """ICC(2,1) of a sign's counts over all readers, on the captures that all of them counted it in."""

    sign: str
    captures: int
    patients: int
    icc: Figure | None
    refused: str = ""


@dataclass(frozen=True)
class Agreement:
    """Every pair of readers, and where there are more than two, all of them together.

    refused: pairs that cannot be compared, each with its reason. patients_notice: what must stand beside every figure
    where patients are not known (see labels/patients.py), else "".
    """

    readers: tuple[str, ...]
    tolerance_mm: float
    ignored_signs: tuple[str, ...]
    pairs: tuple[PairAgreement, ...]
    together: tuple[AllReaders, ...]
    refused: tuple[str, ...] = ()
    patients_notice: str = ""

    def to_dict(self) -> dict[str, Any]:
        return {"schema": SCHEMA, **dataclasses.asdict(self)}

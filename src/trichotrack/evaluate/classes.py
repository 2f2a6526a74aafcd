"""Of the structures that two readers both marked: do they call them the same? And intervals over people."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trichotrack.evaluate.agreement_result import ClassAgreement
from trichotrack.evaluate.figures import Figure
from trichotrack.problems import InputError
from trichotrack.stats.agreement import Estimate, kappa, kappa_of
from trichotrack.stats.resample import cluster_bootstrap

Components = NDArray[np.float64]
Statistic = Callable[[Components], Components]

Pairs = Sequence[tuple[str, str]]
"""Matched structures of one capture: the sign by the first reader, and by the second."""


@dataclass(frozen=True)
class CapturePairs:
    """The matched structures of a capture, and whose it is."""

    patient: str
    file: str
    pairs: Pairs


def class_agreement(
    captures: Sequence[tuple[str, Pairs]], signs: Sequence[str], resamples: int
) -> tuple[ClassAgreement | None, str]:
    """The share called the same, Cohen's κ and the table; or None and why not.

    captures: each the patient and its pairs. signs: in the table's order; those that no pair has are left out.
    """
    met = {name for _, pairs in captures for pair in pairs for name in pair}
    if not met:
        return None, "no structure was marked by both within the tolerance"
    kept = tuple(name for name in signs if name in met)
    at = {name: i for i, name in enumerate(kept)}
    tables = np.zeros((len(captures), len(kept), len(kept)))
    for position, (_, pairs) in enumerate(captures):
        for a, b in pairs:
            tables[position, at[a], at[b]] += 1
    total = tables.sum(axis=0)
    patients = [patient for patient, _ in captures]
    flat = tables.reshape(len(captures), -1)

    def widest(closed: Estimate, statistic: Statistic) -> Figure:
        return wider(closed, flat, lambda sums: statistic(_tables(sums, len(kept))), patients, resamples, always=True)

    agreement = widest(Estimate(float(np.trace(total) / total.sum())), _same)
    value, refused = None, ""
    try:
        value = widest(kappa(total), kappa_of)
    except InputError as error:
        refused = str(error)
    counts = tuple(tuple(int(cell) for cell in line) for line in total)
    found = ClassAgreement(len(captures), len(set(patients)), int(total.sum()), kept, counts, agreement, value, refused)
    return found, ""


def wider(
    closed: Estimate,
    components: Components,
    statistic: Statistic,
    patients: Sequence[str],
    resamples: int,
    *,
    always: bool = False,
) -> Figure:
    """The closed form; where patients have several captures (or always), each end the farther one of it and of
    resampling patients.

    components: (captures, K), what adds over captures. One patient says nothing of others: no interval.
    """
    names = sorted(set(patients))
    if len(names) < 2:
        return Figure(closed.value)
    ends = [(closed.low, closed.high)]
    if always or len(names) < len(patients):
        by_patient = np.zeros((len(names), components.shape[1]))
        np.add.at(by_patient, np.searchsorted(names, patients), components)
        ends.append(cluster_bootstrap(by_patient, statistic, n=resamples))
    known = [(low, high) for low, high in ends if math.isfinite(low) and math.isfinite(high) and high > low]
    if not known:
        return Figure(closed.value)
    return Figure(closed.value, min(low for low, _ in known), max(high for _, high in known))


def _tables(sums: Components, size: int) -> Components:
    return sums.reshape(*sums.shape[:-1], size, size)


def _same(tables: Components) -> Components:
    return np.asarray(np.trace(tables, axis1=-2, axis2=-1) / tables.sum(axis=(-2, -1)))

"""How far F1 falls on nuisances beyond the renderer's training priors: a device's colour, blur, dark skin and others.

uv run benchmarks/held_out.py MODEL [--captures 60] [--processes 2] [--name "..."]

Each stratum of synth.priors.HELD_OUT is drawn with the seeds of the same captures under default priors, so that each
capture is compared with its twin. With --name a record is written.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from drawn_exam import FIELDS, IGNORED_SIGN, TOLERANCE_MM, Examined, Job, examine_all, refused_of, signs_of, unclipped
from over_people import Sums, f1_of, figure, said
from readers import open_counter
from records import RESULTS, write_record

from trichotrack.signs import COUNTED_SIGNS
from trichotrack.synth.priors import HELD_OUT, Priors

HELD_OUT_SEED = 900_002
"""Of this exam alone: no recipe trains or validates with it."""

MEAN = "mean of the four signs"


def jobs_of(priors: Priors, captures: int) -> list[Job]:
    """So many captures, the fields by turns."""
    kept = unclipped(priors)
    fields = [FIELDS[i % len(FIELDS)] for i in range(captures)]
    return [Job((HELD_OUT_SEED, 0, i), field, kept) for i, field in enumerate(fields)]


def table_of(examined: Sequence[Examined], signs: Sequence[str]) -> Sums:
    """Right, false and missed by capture and sign: (captures, signs, 3)."""
    table = np.zeros((len(examined), len(signs), 3))
    for row, one in zip(table, examined, strict=True):
        for score in one.scores:
            if score.sign in signs:
                row[signs.index(score.sign)] = score.tp or 0, score.fp or 0, score.fn or 0
    return table


def falls(usual: Sums, held_out: Sums, signs: Sequence[str]) -> dict[str, Any]:
    """F1 under default priors, under held-out ones, and its fall, by sign and on average; tables as of table_of."""
    twins = np.stack([usual, held_out], axis=1).reshape(len(usual), -1)
    captures = {str(i): row for i, row in enumerate(twins)}

    def f1s(sums: Sums) -> Sums:
        return f1_of(sums.reshape(*sums.shape[:-1], 2, len(signs), 3))

    def measured(of_signs: Callable[[Sums], Sums]) -> dict[str, Any]:
        return {
            "usual": asdict(figure(captures, lambda s: of_signs(f1s(s)[..., 0, :]))),
            "held_out": asdict(figure(captures, lambda s: of_signs(f1s(s)[..., 1, :]))),
            "fall": asdict(figure(captures, lambda s: of_signs(f1s(s)[..., 0, :] - f1s(s)[..., 1, :]))),
        }

    told = {sign: measured(lambda f1, i=i: f1[..., i]) for i, sign in enumerate(signs)}
    return {**told, MEAN: measured(lambda f1: f1.mean(axis=-1))}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("--captures", type=int, default=60, help="of each stratum")
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--name", default="", help="of the exam, as printed; writes a record")
    parser.add_argument("--note", default="", help="what else must be known to judge the figures")
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args()
    strata: Mapping[str, Priors] = {"": Priors(), **HELD_OUT}
    jobs = [job for priors in strata.values() for job in jobs_of(priors, options.captures)]
    examined = examine_all(options.model, jobs, processes=options.processes)
    parts = [examined[i : i + options.captures] for i in range(0, len(jobs), options.captures)]
    signs = [sign for sign in COUNTED_SIGNS if sign in signs_of(examined)]
    tables = {name: table_of(part, signs) for name, part in zip(strata, parts, strict=True)}
    refused = {name or "usual": refused_of(part) for name, part in zip(strata, parts, strict=True)}
    told = {name: falls(tables[""], tables[name], signs) for name in HELD_OUT}
    for name, rows in told.items():
        for sign, row in rows.items():
            print(f"{name}, {sign}: F1 {said(row['usual'])} to {said(row['held_out'])}, fall {said(row['fall'])}")
    print("refused captures:", ", ".join(f"{name} {count}" for name, count in refused.items()))
    if options.name:
        counter = open_counter(options.model)
        record = {
            "model": {"name": counter.spec.name, "sha256": counter.model.sha256, "notice": counter.spec.notice},
            "captures": options.captures,
            "seed": HELD_OUT_SEED,
            "tolerance_mm": TOLERANCE_MM,
            "ignored_signs": [IGNORED_SIGN],
            "refused_captures": refused,
            "strata": told,
            "note": options.note,
        }
        print(write_record("held-out", options.name, record, out=options.out))


if __name__ == "__main__":
    main()

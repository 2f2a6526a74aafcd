"""What a model finds on drawn captures of two magnifications that no training ever drew.

uv run benchmarks/synthetic_exam.py MODEL [--captures 200] [--processes 2] [--name "..."]

The captures exist only while they are read: capture_rng(EXAM_SEED, field, index). White hair on light skin is drawn and
told apart. Signs that the model's spec refuses are measured all the same, and named. With --name a record is written.
"""

from __future__ import annotations

import argparse
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from drawn_exam import (
    FIELDS,
    IGNORED_SIGN,
    LEAST_SHAFT_PX,
    TOLERANCE_MM,
    Examined,
    Job,
    examine_all,
    figures_of,
    unclipped,
)
from readers import open_counter
from records import RESULTS, write_record

from trichotrack.synth.priors import Priors

EXAM_SEED = 900_001
"""Of this exam alone: no recipe trains or validates with it."""

POOLED = "both"

WHITE_HAIR = "white hair"
"""A stratum apart, not in what is pooled: white hair alone, on light skin."""


def jobs_of(captures: int) -> list[Job]:
    """So many captures of each field, and half as many of white hair, the fields by turns."""
    priors = unclipped(Priors())
    jobs = [Job((EXAM_SEED, n, i), field, priors) for n, field in enumerate(FIELDS) for i in range(captures)]
    skin = replace(priors.skin, melanin=(0.0, 0.5), white_chance=1.0, white_share=(1.0, 1.0))
    white = replace(priors, skin=skin)
    for i in range(captures // 2):
        field = replace(FIELDS[i % len(FIELDS)], name=WHITE_HAIR)
        jobs.append(Job((EXAM_SEED, len(FIELDS), i), field, white))
    return jobs


def grouped(examined: list[Examined], least_width_um: float) -> dict[str, Any]:
    """Figures by field, of both together, and of white hair."""
    groups = {field.name: [one for one in examined if one.field == field.name] for field in FIELDS}
    groups[POOLED] = [one for part in groups.values() for one in part]
    groups[WHITE_HAIR] = [one for one in examined if one.field == WHITE_HAIR]
    return {name: figures_of(part, least_width_um) for name, part in groups.items() if part}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("--captures", type=int, default=200, help="of each magnification")
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--name", default="", help="of the exam, as printed; writes a record")
    parser.add_argument("--note", default="", help="what else must be known to judge the figures")
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args()
    counter = open_counter(options.model)
    least_um = LEAST_SHAFT_PX * (counter.spec.um_per_px or 6.0)
    examined = examine_all(options.model, jobs_of(options.captures), processes=options.processes)
    groups = grouped(examined, least_um)
    refused = [channel.sign.name for channel in counter.spec.signs if channel.missed]
    for group, figures in groups.items():
        for sign, row in figures["signs"].items():
            told = {key: row[key]["value"] for key in row if isinstance(row[key], dict)}
            said = ", ".join(f"{key} {value:.3f}" for key, value in told.items() if value is not None)
            print(f"{group} {sign}{' (refused)' if sign in refused else ''}: {row['labelled']} drawn, {said}")
        print(f"{group}: {figures['refused_captures']} of {figures['captures']} captures refused")
        for which in ("all_signs", "all_but_coiled"):
            print(f"{group} {which}:", ", ".join(f"{key} {row['value']}" for key, row in figures[which].items()))
    if options.name:
        record = {
            "model": {"name": counter.spec.name, "sha256": counter.model.sha256, "notice": counter.spec.notice},
            "fields": [asdict(field) for field in FIELDS],
            "captures": options.captures,
            "seed": EXAM_SEED,
            "tolerance_mm": TOLERANCE_MM,
            "ignored_signs": [IGNORED_SIGN],
            "least_shaft_px": LEAST_SHAFT_PX,
            "least_shaft_um": least_um,
            "refused": refused,
            "white_hair": WHITE_HAIR,
            "groups": groups,
            "note": options.note,
        }
        print(write_record("synthetic-exam", options.name, record, out=options.out))


if __name__ == "__main__":
    main()

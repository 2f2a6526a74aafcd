"""Is drawn scalp easier than real? One recipe trained and tested on each, at equal scale, density and amount of data.

uv run benchmarks/exam_difficulty.py [--steps 400] [--again]

Drawn: clipped scalps at the real set's scale and size, as many people and captures in each split, and as many hairs per
capture; written once as a labelled folder under local/, with the overlays of devices and, as the real set, without
masks of them. Drawn labels know every hair, and people's do not: so the drawn set is also taught and tested with labels
as one reader gives them, of two who agree as the readers of the real set do. The recipe is the cell `imagenet, all
people` of fine_tuning.py, whose record is used where it is of this very recipe.
"""

from __future__ import annotations

import argparse
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from any_hair import HAIR, IGNORED
from fine_tuning import DATA, LABELS, STEPS, kept_cell, people_of, recipe_of, run_cell, write_cell
from over_people import difference, f1_of, said
from records import RESULTS, write_record

from trichotrack.labels.read import read_labels
from trichotrack.labels.tables import CaptureRow, LabelRow, LabelSet, ObjectRow
from trichotrack.labels.write import write_labels
from trichotrack.problems import InputError
from trichotrack.signs import DOTS, Sign
from trichotrack.synth.priors import Priors
from trichotrack.synth.render import capture_rng, render_capture
from trichotrack.synth.write import Series, write_series

DRAWN = LABELS.parent / "exam_difficulty"
SIZE_PX, UM_PER_PX = (1280, 1024), 2.82
SEED = 900_003
"""Of this exam alone."""

PILOT = 48
"""Captures drawn to learn how many hairs the priors give."""

START = "imagenet"

READERS_F1 = 0.925
"""Of any hair, between the two readers of 24 real captures (docs/real-captures.md)."""

READER_MISSES = 1 - READERS_F1**0.5
"""Share of hairs that each of two equal readers misses, and as many that each marks where none is, by chance and apart
from the other: they then share (1 - share)² of as many marks as there are hairs, which is their F1."""


def clipped(priors: Priors, density: float = 1.0) -> Priors:
    """Clipped scalps alone, with density times as many units per cm²."""
    few, many = priors.scalp.units_per_cm2
    scalp = replace(priors.scalp, clipped_chance=1.0, units_per_cm2=(few * density, many * density))
    return replace(priors, scalp=scalp)


def is_hair(sign: str) -> bool:
    """Whether a sign is a hair that is to be found: no dot, nothing ignored."""
    return sign not in DOTS and sign != IGNORED


def hairs_per_capture(labels: LabelSet) -> float:
    """Mean number of labelled hairs of a capture."""
    return sum(is_hair(item.sign) for item in labels.objects) / len(labels.captures)


def drawn_hairs(priors: Priors, captures: int = PILOT) -> float:
    """Mean number of labelled hairs of a capture."""
    counts = []
    for index in range(captures):
        rng = capture_rng(SEED, 9, index)
        drawn = render_capture(rng, size_px=SIZE_PX, um_per_px=UM_PER_PX, priors=priors)
        counts.append(sum(is_hair(item.sign) for item in drawn.objects))
    return float(np.mean(counts))


def as_any_hair(labels: LabelSet, splits: Mapping[str, str]) -> LabelSet:
    """Every hair as the one sign HAIR, exhaustive in each capture, which has no mask; splits: by patient."""
    hair = Sign(HAIR, HAIR, "hairs", "Any hair at its root.", role="context")
    captures = tuple(replace(row, split=splits[row.patient], valid_area="") for row in labels.captures)
    objects = tuple(replace(item, sign=HAIR) for item in labels.objects if is_hair(item.sign))
    known = tuple(LabelRow(row.file, HAIR, "exhaustive") for row in captures)
    return LabelSet(labels.folder, captures, known, objects, {**labels.signs, HAIR: hair})


def as_a_reader_labels(labels: LabelSet, rng: np.random.Generator) -> LabelSet:
    """Some hairs left out and as many marked where none is, READER_MISSES of them each: by chance, anywhere."""
    kept = [item for item in labels.objects if rng.random() >= READER_MISSES]
    for row in labels.captures:
        hairs = sum(item.file == row.file for item in labels.objects)
        for extra in range(rng.binomial(hairs, READER_MISSES)):
            x, y = rng.uniform(0, SIZE_PX)
            kept.append(ObjectRow(f"{row.file} extra {extra}", row.file, HAIR, float(x), float(y)))
    return replace(labels, objects=tuple(kept))


def splits_as(rows: Sequence[CaptureRow], real: Sequence[CaptureRow]) -> dict[str, str]:
    """A split for each person of rows: as many people of each split as among real."""
    wanted = {row.patient: row.split for row in real}
    people = list(dict.fromkeys(row.patient for row in rows))
    return dict(zip(people, sorted(wanted.values()), strict=True))


def write_drawn(folder: Path, real: LabelSet) -> None:
    """The drawn counterpart of real, with its people, captures, splits and hairs per capture."""
    density = 1.0
    for _ in range(2):  # units crowd one another, so that once is not quite enough
        density *= hairs_per_capture(real) / drawn_hairs(clipped(Priors(), density))
    people = len({row.patient for row in real.captures})
    series = Series(
        captures=len(real.captures),
        captures_per_person=len(real.captures) // people,
        sizes_px=(SIZE_PX,),
        um_per_px=(UM_PER_PX, UM_PER_PX),
    )
    print(f"drawing {series.captures} captures of {people} people, {density:.2f} times the usual units per cm2")
    drawn = write_series(folder, series, SEED, priors=clipped(Priors(), density))
    write_labels(as_any_hair(drawn, splits_as(drawn.captures, real.captures)), folder)


def remove_drawn(folder: Path) -> None:
    """Removes a folder that write_drawn made. Raises InputError where any capture in it is not synthetic."""
    if not all(row.device == "synthetic" for row in read_labels(folder).captures):
        raise InputError(f"{folder} holds captures that were not drawn. Name another folder with --drawn.")
    shutil.rmtree(folder)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--labels", type=Path, default=LABELS, help="the real set")
    parser.add_argument("--drawn", type=Path, default=DRAWN, help="where the drawn set is, or is to be written")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--again", action="store_true", help="draw and train anew")
    parser.add_argument("--only-draw", action="store_true", help="write the drawn set and stop")
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args()
    torch.set_float32_matmul_precision("high")
    real = read_labels(options.labels)
    if options.again and (options.drawn / "captures.csv").is_file():
        for folder in (options.drawn, options.drawn.with_name(f"{options.drawn.name}_as_read")):
            if folder.is_dir():
                remove_drawn(folder)
    if not (options.drawn / "captures.csv").is_file():
        write_drawn(options.drawn, real)
    drawn = read_labels(options.drawn)
    sizes = {"drawn": _sizes(drawn), "real": _sizes(real)}
    print(sizes)
    if options.only_draw:
        return
    recipe = recipe_of(START, options.steps)
    on_real = kept_cell(recipe, None, options.out)
    if on_real is None:
        on_real = write_cell(run_cell(recipe, options.labels, None, workers=options.workers), options.out)
    cells = {
        "drawn": run_cell(recipe, options.drawn, None, workers=options.workers),
        "drawn_as_read": run_cell(recipe, read_folder_of(options.drawn), None, workers=options.workers),
        "real": on_real,
    }
    f1s = {what: cell["figures"]["kept_apart"]["f1"] for what, cell in cells.items()}
    less = {
        what: asdict(difference(people_of(on_real), people_of(cell), f1_of))
        for what, cell in cells.items()
        if cell is not on_real
    }
    for what, f1 in f1s.items():
        print(f"F1 {what}: {said(f1)}" + (f", less real {said(less[what])}" if what in less else ""))
    record = {
        "data": {"real": DATA, "drawn": f"clipped scalps of trichotrack.synth, seed {SEED}"},
        "recipe": asdict(recipe),
        "reader_misses": READER_MISSES,
        "sizes": {"drawn": sizes["drawn"], "drawn_as_read": sizes["drawn"], "real": sizes["real"]},
        "f1": f1s,
        "less_real": less,
        "right_false_missed_by_person": {what: cells[what]["right_false_missed_by_person"] for what in less},
        "minutes": sum(cells[what]["minutes"] for what in less),
    }
    print(write_record("exam-difficulty", f"{DATA} and drawn, {options.steps} steps", record, out=options.out))


def read_folder_of(drawn: Path) -> Path:
    """The drawn set with labels as_a_reader_labels gives them, beside it: made where it is not there yet."""
    folder = drawn.with_name(f"{drawn.name}_as_read")
    if not (folder / "captures.csv").is_file():
        shutil.copytree(drawn / "images", folder / "images", copy_function=os.link)
        write_labels(as_a_reader_labels(read_labels(drawn), np.random.default_rng(SEED)), folder)
    return folder


def _sizes(labels: LabelSet) -> dict[str, Any]:
    by_split: dict[str, list[CaptureRow]] = {}
    for row in labels.captures:
        by_split.setdefault(row.split, []).append(row)
    told = {
        split: {"people": len({row.patient for row in rows}), "captures": len(rows)} for split, rows in by_split.items()
    }
    return {**told, "hairs_per_capture": round(hairs_per_capture(labels), 2)}


if __name__ == "__main__":
    main()

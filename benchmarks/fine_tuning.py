"""Root F1 on real captures by where a training starts and how many people it sees: a cell is one training.

uv run benchmarks/fine_tuning.py [--start bundled imagenet scratch] [--people 10 30 100 all] [--steps 400]

Every cell takes the same steps, batches and crops of the same recipe; the people of a smaller cell are among those of a
larger one. A cell whose record is in benchmarks/results/cells, of this very recipe and of the same weights to start
from, is not trained again, so that a stopped run goes on where it was; --again trains it anew. Measured on the
validation people: any hair, at a threshold chosen on the other half of them. After each cell the record of all cells of
so many steps is written.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import lightning
import numpy as np
import torch
from any_hair import HAIR, IGNORED, TOLERANCE_MM, any_hair_figures, crossed_scores, read_folder
from over_people import Sums, f1_of, figure, said, sums_of
from readers import counter_of
from records import RESULTS, path_of, write_record

from trichotrack.model.arithmetic import BF16, precision_here
from trichotrack.model.data import SignData
from trichotrack.model.network import Backbone
from trichotrack.model.plan import Plan
from trichotrack.model.task import SignTask
from trichotrack.model.weights import BUNDLED

LABELS = Path(__file__).parents[1] / "local" / "hair70x"
DATA = "hair-follicles-70x"
STARTS = ("bundled", "imagenet", "scratch")
PEOPLE: tuple[int | None, ...] = (10, 30, 100, None)
STEPS = 400
BACKBONE: Backbone = "tf_efficientnet_lite0"
"""Of every start, so that a curve compares starts alone: that of the bundled model."""

FROZEN = 2
"""The stem and so many stages stay as they start, as in the bundled model's recipe; from scratch all must learn."""

THREADS = 2
"""Of an evaluation."""

CELLS = "cells"
"""Folder of the cells' own records, within that of the records that make the page; ignored by git, since they hold
marks by person. A curve is rewritten from the cells at hand: a fresh clone has none."""

START_AS = {"bundled": {HAIR: "broken_hair"}}
"""The bundled weights have no channel for any hair: it begins as that of broken hair, which clipped hair looks like."""

PLAN = Plan((HAIR,), (IGNORED,), um_per_px=6.0, sigma_um=30.0, min_distance_um=40.0, tolerance_mm=TOLERANCE_MM)


@dataclass(frozen=True)
class Recipe:
    """All that a cell's training is made of, but the people. start: of STARTS, or a weights file."""

    start: str
    steps: int = STEPS
    backbone: Backbone = BACKBONE
    frozen: int = FROZEN
    learning_rate: float = 1.5e-3
    crop_px: int = 416
    batch_size: int = 8
    scale_jitter: float = 0.1
    seed: int = 0


def recipe_of(start: str, steps: int) -> Recipe:
    """The recipe of a cell: that of every other, but from scratch nothing is frozen."""
    return Recipe(start, steps=steps, frozen=0 if start == "scratch" else FROZEN)


def weights_sha256(start: str) -> str | None:
    """Of the weights file that a start names; None where it names none."""
    path = BUNDLED if start == "bundled" else Path(start)
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else None


class Progress(lightning.Callback):
    """Says the loss and the time left."""

    def __init__(self, steps: int, every: int = 25) -> None:
        self.steps, self.every, self.began = steps, every, time.monotonic()

    def on_train_batch_end(self, trainer: Any, _task: Any, outputs: Any, *_: Any) -> None:
        done = trainer.global_step
        if done % self.every == 0 or done == self.steps:
            left = (time.monotonic() - self.began) / done * (self.steps - done)
            print(
                f"step {done} of {self.steps}, loss {float(outputs['loss']):.3f}, about {left / 60:.1f} min left",
                flush=True,
            )


def trainer_of(steps: int) -> lightning.Trainer:
    """So many steps, in bf16 where the machine has it, without validation, logs or checkpoints."""
    return lightning.Trainer(
        max_steps=steps,
        accelerator="auto",
        devices=1,
        precision=precision_here(BF16),
        gradient_clip_val=5.0,
        limit_val_batches=0,
        num_sanity_val_steps=0,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        callbacks=[Progress(steps)],
    )


def train_cell(recipe: Recipe, labels: Path, people: int | None, *, workers: int = 1) -> SignTask:
    """The task after recipe.steps steps on so many training people of labels (None: all of them)."""
    data = SignData(
        labels,
        PLAN,
        crop_px=recipe.crop_px,
        batch_size=recipe.batch_size,
        scale_jitter=recipe.scale_jitter,
        workers=workers,
        seed=recipe.seed,
        train_people=people,
    )
    return train_task(recipe, data)


def train_task(recipe: Recipe, data: SignData, plan: Plan = PLAN) -> SignTask:
    """The task after recipe.steps steps on data."""
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    lightning.seed_everything(recipe.seed, verbose=False)
    task = SignTask(
        plan,
        backbone=recipe.backbone,
        start=recipe.start,
        start_as=START_AS.get(recipe.start),
        learning_rate=recipe.learning_rate,
        frozen=recipe.frozen,
    )
    trainer = trainer_of(recipe.steps)
    trainer.fit(task, data)
    return task.cpu().eval()


def measure(task: SignTask, labels: Path, split: str = "val") -> dict[str, Any]:
    """Any hair of the validation people: figures, and (right, false, missed) of each of them, without their names."""
    reads, _ = read_folder(counter_of(task, "cell", threads=THREADS), labels, PLAN, split=split)
    scores, _ = crossed_scores([read.sweeps[HAIR] for read in reads])
    people = sums_of((s.patient, (s.tp or 0, s.fp or 0, s.fn or 0)) for s in scores)
    figures = any_hair_figures(reads, HAIR)
    return {
        "validation": {"people": len(people), "captures": len(reads)},
        "figures": {kind: figures[kind] for kind in ("kept_apart", "best")},
        "right_false_missed_by_person": [list(map(int, people[name])) for name in sorted(people)],
    }


def run_cell(recipe: Recipe, labels: Path, people: int | None, *, workers: int = 1) -> dict[str, Any]:
    """Trains and measures; what a record says of a cell."""
    began = time.monotonic()
    task = train_cell(recipe, labels, people, workers=workers)
    minutes = (time.monotonic() - began) / 60
    told = {
        "recipe": asdict(recipe),
        "weights_sha256": weights_sha256(recipe.start),
        "people": people,
        "minutes": round(minutes, 1),
    }
    return told | {"tolerance_mm": TOLERANCE_MM, **measure(task, labels)}


def cell_name(start: str, people: int | None, steps: int) -> str:
    """As its record and its file are called."""
    return f"{DATA}, from {Path(start).stem}, {people or 'all'} people, {steps} steps"


def cell_path(start: str, people: int | None, steps: int, out: Path = RESULTS) -> Path:
    """Where the record of a cell is, whatever else its recipe was."""
    return path_of("cell", cell_name(start, people, steps), out=out / CELLS)


def kept_cell(recipe: Recipe, people: int | None, out: Path = RESULTS) -> dict[str, Any] | None:
    """The record of this very recipe from the same weights; None where there is none."""
    path = cell_path(recipe.start, people, recipe.steps, out)
    if not path.is_file():
        return None
    cell = json.loads(path.read_text(encoding="utf-8"))
    same = cell["recipe"] == asdict(recipe) and cell.get("weights_sha256") == weights_sha256(recipe.start)
    return cell if same else None


def write_cell(told: Mapping[str, Any], out: Path = RESULTS) -> dict[str, Any]:
    """Keeps what run_cell told; returns the record."""
    recipe = told["recipe"]
    name = cell_name(recipe["start"], told["people"], recipe["steps"])
    path = write_record("cell", name, {"data": DATA, **told}, out=out / CELLS)
    return json.loads(path.read_text(encoding="utf-8"))


def write_curve(steps: int, out: Path = RESULTS) -> Path:
    """The record of all cells of so many steps, of the recipe as it is now."""
    every = [json.loads(path.read_text(encoding="utf-8")) for path in sorted((out / CELLS).glob("cell-*.json"))]
    of_steps = [cell for cell in every if cell["recipe"]["steps"] == steps]
    cells = [cell for cell in of_steps if kept_cell(recipe_of(cell["recipe"]["start"], steps), cell["people"], out)]
    name = f"{DATA}, {steps} steps"
    told = {
        "command": f"uv run benchmarks/fine_tuning.py --steps {steps}",
        "data": DATA,
        "tolerance_mm": TOLERANCE_MM,
        "recipe": {k: v for k, v in cells[0]["recipe"].items() if k not in {"start", "backbone", "frozen"}},
        "validation": cells[0]["validation"],
        "cells": [_told_of_curve(cell) for cell in cells],
        "fewer_people": _compared(cells, ("bundled", 30), ("imagenet", 100)),
    }
    return write_record("fine-tuning", name, told, out=out)


def people_of(cell: Mapping[str, Any]) -> dict[str, Sums]:
    """(right, false, missed) of each validation person, numbered."""
    return {str(i): np.array(row, np.float64) for i, row in enumerate(cell["right_false_missed_by_person"])}


def _told_of_curve(cell: Mapping[str, Any]) -> dict[str, Any]:
    recipe = cell["recipe"]
    f1s = {f"{kind}_f1": cell["figures"][kind]["f1"] for kind in ("kept_apart", "best")}
    told = {
        "start": recipe["start"],
        "backbone": recipe["backbone"],
        "frozen": recipe["frozen"],
        "people": cell["people"],
        "weights_sha256": cell["weights_sha256"],
    }
    return {**told, **f1s}


def _compared(
    cells: Sequence[Mapping[str, Any]], one: tuple[str, int], other: tuple[str, int]
) -> dict[str, Any] | None:
    """F1 of one cell less that of another, on the same people; None until both are trained."""
    found = [next((c for c in cells if (c["recipe"]["start"], c["people"]) == wanted), None) for wanted in (one, other)]
    if found[0] is None or found[1] is None:
        return None
    first, second = people_of(found[0]), people_of(found[1])
    both = {name: np.concatenate([first[name], second[name]]) for name in first}
    less = figure(both, lambda s: f1_of(s[..., :3]) - f1_of(s[..., 3:]))
    nets = [cell["recipe"]["backbone"] for cell in (found[0], found[1])]
    return {"one": [*one, nets[0]], "other": [*other, nets[1]], "f1_less": asdict(less)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--start", nargs="+", default=list(STARTS), help="of these, or a weights file")
    parser.add_argument("--people", nargs="+", default=[str(p or "all") for p in PEOPLE], help="numbers, or `all`")
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--labels", type=Path, default=LABELS)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--again", action="store_true", help="train cells that have a record too")
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args()
    torch.set_float32_matmul_precision("high")
    cells = [(start, None if n == "all" else int(n)) for n in options.people for start in options.start]
    missing = [
        (start, people)
        for start, people in cells
        if options.again or kept_cell(recipe_of(start, options.steps), people, options.out) is None
    ]
    for done, (start, people) in enumerate(missing):
        name = cell_name(start, people, options.steps)
        print(f"{name}: cell {done + 1} of {len(missing)}", flush=True)
        recipe = recipe_of(start, options.steps)
        told = write_cell(run_cell(recipe, options.labels, people, workers=options.workers), options.out)
        left = told["minutes"] * (len(missing) - done - 1)
        print(f"{name}: F1 {said(told['figures']['kept_apart']['f1'])}; about {left:.0f} min left", flush=True)
        write_curve(options.steps, options.out)
    print(write_curve(options.steps, options.out))


if __name__ == "__main__":
    main()

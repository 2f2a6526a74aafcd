"""Do suggested captures teach more than random ones? Root F1 after training on as many of each, from the same weights.

uv run benchmarks/suggested.py [--captures 100] [--seeds 0 1 2] [--steps 400]

`labels suggest` ranks the training people's captures of a real set as though none were labelled, by the bundled model;
the first so many teach one training, as many drawn at random another, of the same recipe, seed by seed (the seed draws
the random captures and both trainings' batches). A cell that is in benchmarks/results/cells is not trained again:
a stopped run goes on. Measured on the validation people, any hair, at a threshold chosen on the other half of them;
the difference is that of the F1 of all seeds' marks together, its interval from resampling people (each with the marks
of all seeds).
"""

from __future__ import annotations

import argparse
import hashlib
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import lightning
import numpy as np
import torch
from fine_tuning import CELLS, DATA, LABELS, PLAN, Recipe, measure, people_of, train_task, weights_sha256
from over_people import Sums, f1_of, figure, said
from records import RESULTS, path_of, write_record

from trichotrack.evaluate.suggest import suggest
from trichotrack.labels.derive import with_parents
from trichotrack.labels.read import read_labels
from trichotrack.labels.tables import LabelSet
from trichotrack.model.data import SignData
from trichotrack.model.datasets import LabelledCapture, labelled_captures
from trichotrack.model.plan import Plan
from trichotrack.runtime.counter import BUNDLED, Counter

SUGGESTED, RANDOM = "suggested", "random"


@dataclass(frozen=True)
class Cell:
    """What one training depends on. files: of the captures, hashed; model: of the ranking, hashed; "" for random."""

    how: str
    captures: int
    recipe: Recipe
    files_sha256: str
    model_sha256: str = ""


class ChosenData(SignData):
    """SignData that trains on some captures of the split `train` alone."""

    def __init__(self, labels: Path, plan: Plan, files: frozenset[str], **settings: Any) -> None:
        super().__init__(labels, plan, **settings)
        self.files = files

    def setup(self, stage: str) -> None:
        super().setup(stage)
        if self.train is not None:
            kept = [source for source in self.train.sources if source.capture.row.file in self.files]
            if len(kept) != len(self.files):
                raise ValueError(f"{len(kept)} of {len(self.files)} chosen captures are in the split train")
            self.train = self._training(kept)


def pool_of(labels: LabelSet, plan: Plan) -> list[LabelledCapture]:
    """The captures to choose from: those of the training people that the plan learns from."""
    return labelled_captures(labels, plan, "train")


def suggested_files(
    labels: LabelSet, pool: Sequence[LabelledCapture], captures: int, model: Path, told: Callable[[int, int], None]
) -> list[str]:
    """The first so many of the pool by `labels suggest`, as though none were labelled."""
    unlabelled = LabelSet(labels.folder, tuple(one.row for one in pool), (), (), labels.signs)
    result = suggest(Counter(model), unlabelled, captures, on_capture=told)
    if result.problems:
        raise ValueError("\n".join(map(str, result.problems)))
    return [one.file for one in result.suggestions]


def random_files(pool: Sequence[LabelledCapture], captures: int, seed: int) -> list[str]:
    """So many of the pool, drawn by seed."""
    files = sorted(one.row.file for one in pool)
    drawn = np.random.default_rng([seed, 1]).permutation(len(files))[:captures]
    return [files[i] for i in drawn]


def run_cell(cell: Cell, labels: Path, files: Sequence[str], plan: Plan = PLAN, *, workers: int = 1) -> dict[str, Any]:
    """Trains and measures; what a record says of a cell."""
    began = time.monotonic()
    recipe = cell.recipe
    data = ChosenData(
        labels,
        plan,
        frozenset(files),
        crop_px=recipe.crop_px,
        batch_size=recipe.batch_size,
        scale_jitter=recipe.scale_jitter,
        workers=workers,
        seed=recipe.seed,
    )
    task = train_task(recipe, data, plan)
    minutes = round((time.monotonic() - began) / 60, 1)
    chosen = [source.capture.row for source in data.train.sources] if data.train else []
    told = {"cell": asdict(cell), "weights_sha256": weights_sha256(recipe.start), "minutes": minutes}
    told["people"] = len({row.patient for row in chosen})
    return told | measure(task, labels)


def cell_path(cell: Cell, out: Path) -> Path:
    name = f"{DATA}, {cell.captures} {cell.how}, seed {cell.recipe.seed}, {cell.recipe.steps} steps"
    return path_of("suggested-cell", name, out=out / CELLS)


def kept_cell(cell: Cell, out: Path) -> dict[str, Any] | None:
    """The record of this very cell from the same weights; None where there is none."""
    path = cell_path(cell, out)
    if not path.is_file():
        return None
    record = json.loads(path.read_text(encoding="utf-8"))
    same = record["cell"] == asdict(cell) and record["weights_sha256"] == weights_sha256(cell.recipe.start)
    return record if same else None


def compared(cells: Mapping[str, Sequence[Mapping[str, Any]]]) -> dict[str, Any]:
    """F1 of suggested, of random, and of the former less the latter: all seeds' marks together, over people.

    cells: by how the captures were chosen, one a seed. Each seed's own difference is beside it, for the spread between
    trainings, which the interval over people does not hold.
    """
    sums = {how: _over_seeds([people_of(cell) for cell in of_how]) for how, of_how in cells.items()}
    both = {name: np.concatenate([sums[SUGGESTED][name], sums[RANDOM][name]]) for name in sums[SUGGESTED]}
    each = [
        cells[SUGGESTED][i]["figures"]["kept_apart"]["f1"]["value"]
        - cells[RANDOM][i]["figures"]["kept_apart"]["f1"]["value"]
        for i in range(len(cells[SUGGESTED]))
    ]
    return {
        **{f"{how}_f1": asdict(figure(of_how, f1_of)) for how, of_how in sums.items()},
        "f1_less": asdict(figure(both, lambda s: f1_of(s[..., :3]) - f1_of(s[..., 3:]))),
        "f1_less_by_seed": [round(value, 4) for value in each],
        "people_by_seed": {how: [cell["people"] for cell in of_how] for how, of_how in cells.items()},
    }


def _over_seeds(seeds: Sequence[Mapping[str, Sums]]) -> dict[str, Sums]:
    return {name: np.sum([of_seed[name] for of_seed in seeds], axis=0) for name in seeds[0]}


def _sha256(files: Sequence[str]) -> str:
    return hashlib.sha256("\n".join(sorted(files)).encode()).hexdigest()


def main(arguments: Sequence[str] | None = None, *, plan: Plan = PLAN, recipe: Recipe | None = None) -> Path:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--captures", type=int, default=100)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--labels", type=Path, default=LABELS)
    parser.add_argument("--model", type=Path, default=BUNDLED, help="by which captures are ranked")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args(arguments)
    torch.set_float32_matmul_precision("high")
    labels = with_parents(read_labels(options.labels))
    pool = pool_of(labels, plan)

    def told(done: int, total: int) -> None:
        if done % 50 == 0 or done == total:
            print(f"looked at {done} of {total} captures", flush=True)

    best = suggested_files(labels, pool, options.captures, options.model, told)
    model_sha256 = hashlib.sha256(options.model.read_bytes()).hexdigest()
    cells: dict[str, list[dict[str, Any]]] = {SUGGESTED: [], RANDOM: []}
    for seed in options.seeds:
        for how in (SUGGESTED, RANDOM):
            files = best if how == SUGGESTED else random_files(pool, options.captures, seed)
            made_by = recipe or Recipe("bundled")
            made_by = Recipe(**{**asdict(made_by), "steps": options.steps, "seed": seed})
            cell = Cell(how, len(files), made_by, _sha256(files), model_sha256 if how == SUGGESTED else "")
            record = kept_cell(cell, options.out)
            if record is None:
                print(f"{len(files)} {how} captures, seed {seed}", flush=True)
                content = {"data": DATA, **run_cell(cell, options.labels, files, plan, workers=options.workers)}
                path = cell_path(cell, options.out)
                write_record("suggested-cell", path.stem.removeprefix("suggested-cell-"), content, out=path.parent)
                record = json.loads(path.read_text(encoding="utf-8"))
            cells[how].append(record)
    figures = compared(cells)
    print(f"F1 with suggested captures less F1 with random ones: {said(figures['f1_less'], '+.3f')}", flush=True)
    name = f"{DATA}, {options.captures} captures, {options.steps} steps"
    head = {"data": DATA, "captures": options.captures, "pool": len(pool), "seeds": options.seeds}
    return write_record("suggested", name, {**head, **figures}, out=options.out)


if __name__ == "__main__":
    lightning.seed_everything(0, verbose=False)
    print(main())

"""Root F1 on real captures by where a training starts and how many people it sees: a cell is one training.

uv run benchmarks/fine_tuning.py [--start bundled imagenet scratch] [--people 10 30 100 all] [--steps 400]
    [--backbone bundled=mobilenetv4_conv_small]

Every cell takes the same steps, batches and crops of the same recipe; the people of a smaller cell are among those of a
larger one. A cell whose record is in benchmarks/results is not trained again, so that a stopped run goes on where it
was; --again trains it anew. Measured on the validation people: any hair, at a threshold chosen on the other half of
them.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import lightning
import torch
from any_hair import HAIR, IGNORED, TOLERANCE_MM, any_hair_figures, crossed_scores, read_folder
from over_people import said, sums_of
from readers import counter_of
from records import RESULTS, path_of, write_record

from trichotrack.model.data import SignData
from trichotrack.model.plan import Plan
from trichotrack.model.task import SignTask

LABELS = Path(__file__).parents[1] / "local" / "hair70x"
DATA = "hair-follicles-70x"
STARTS = ("bundled", "imagenet", "scratch")
PEOPLE: tuple[int | None, ...] = (10, 30, 100, None)
STEPS = 400
BACKBONE = "tf_efficientnet_lite0"

START_OF = {"bundled": "starter"}
"""What SignTask calls it."""

PLAN = Plan((HAIR,), (IGNORED,), um_per_px=6.0, sigma_um=30.0, min_distance_um=40.0, tolerance_mm=TOLERANCE_MM)


@dataclass(frozen=True)
class Recipe:
    """All that a cell's training is made of, but the people. start: of STARTS, or a weights file."""

    start: str
    steps: int = STEPS
    backbone: str = BACKBONE
    learning_rate: float = 1.5e-3
    crop_px: int = 416
    batch_size: int = 8
    scale_jitter: float = 0.1
    seed: int = 0


class Progress(lightning.Callback):
    """Says the loss and the time left."""

    def __init__(self, steps: int, every: int = 25) -> None:
        self.steps, self.every, self.began = steps, every, time.monotonic()

    def on_train_batch_end(self, trainer: Any, _task: Any, outputs: Any, *_: Any) -> None:
        done = trainer.global_step
        if done % self.every == 0 or done == self.steps:
            left = (time.monotonic() - self.began) / done * (self.steps - done)
            print(f"step {done} of {self.steps}, loss {float(outputs['loss']):.3f}, about {left / 60:.1f} min left")


def train_cell(recipe: Recipe, labels: Path, people: int | None, *, workers: int = 1) -> SignTask:
    """The task after recipe.steps steps on so many training people of labels (None: all of them)."""
    lightning.seed_everything(recipe.seed, verbose=False)
    task = SignTask(
        PLAN,
        backbone=recipe.backbone,  # type: ignore[arg-type]
        start=START_OF.get(recipe.start, recipe.start),
        learning_rate=recipe.learning_rate,
    )
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
    trainer = lightning.Trainer(
        max_steps=recipe.steps,
        accelerator="auto",
        devices=1,
        precision="bf16-mixed",
        gradient_clip_val=5.0,
        limit_val_batches=0,
        num_sanity_val_steps=0,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        callbacks=[Progress(recipe.steps)],
    )
    trainer.fit(task, data)
    return task.cpu().eval()


def measure(task: SignTask, labels: Path, split: str = "val") -> dict[str, Any]:
    """Any hair of the validation people: figures, and (right, false, missed) of each of them, without their names."""
    reads, _ = read_folder(counter_of(task, "cell"), labels, PLAN, split=split)
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
    told = {"recipe": asdict(recipe), "people": people, "minutes": round(minutes, 1)}
    return told | {"tolerance_mm": TOLERANCE_MM, **measure(task, labels)}


def cell_name(start: str, people: int | None, steps: int) -> str:
    return f"{DATA}, from {Path(start).stem}, {people or 'all'} people, {steps} steps"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--start", nargs="+", default=list(STARTS), help="of these, or a weights file")
    parser.add_argument("--people", nargs="+", default=[str(p or "all") for p in PEOPLE], help="numbers, or `all`")
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--backbone", nargs="*", default=[], help=f"START=NAME; by default {BACKBONE}")
    parser.add_argument("--labels", type=Path, default=LABELS)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--again", action="store_true", help="train cells that have a record too")
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args()
    torch.set_float32_matmul_precision("high")
    backbones = dict(pair.split("=", 1) for pair in options.backbone)
    cells = [(start, None if n == "all" else int(n)) for n in options.people for start in options.start]
    named = [(cell_name(start, people, options.steps), start, people) for start, people in cells]
    missing = [cell for cell in named if options.again or not path_of("fine-tuning", cell[0], out=options.out).exists()]
    for done, (name, start, people) in enumerate(missing):
        print(f"{name}: cell {done + 1} of {len(missing)}", flush=True)
        recipe = Recipe(start, steps=options.steps, backbone=backbones.get(start, BACKBONE))
        told = run_cell(recipe, options.labels, people, workers=options.workers)
        left = told["minutes"] * (len(missing) - done - 1)
        print(f"{name}: F1 {said(told['figures']['kept_apart']['f1'])}; about {left:.0f} min left", flush=True)
        print(write_record("fine-tuning", name, {"data": DATA, **told}, out=options.out))


if __name__ == "__main__":
    main()

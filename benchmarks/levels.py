"""What a training learns from each level of label: presences, numbers, some captures marked, some structures.

uv run benchmarks/levels.py [--data synthesis hair70x] [--arm presence count ...] [--steps 400] [--start imagenet]
uv run benchmarks/levels.py --table

A cell is one training on one arm of one set. The same people train, the same validate (labelled as their arm is, so
that a threshold is chosen by nothing that the arm does not know), and the same, all marked, test. Signs that every
capture has are left out where presence is all that is known. The arms:

  exhaustive    every capture marked: what the others are held against
  marked20      captures of a fifth of the training people marked, the others unused
  marked20+counts   the same, and of the others the numbers
  marked20+partial  the same, and of the others half of the structures, told as `partial`
  marked20+as-if-all  the same halves told as `exhaustive`: what a missing level would do
  count         numbers alone
  presence      presences alone

Told of each, by sign: F1, recall, count error; AUROC and average precision of presence; and the pointing game, the
share of captures with the sign in which its likeliest mark lies on one (Zhang et al. 2018), beside the share of valid
scalp that is as near to one, which chance would reach. Intervals are over people. A cell whose record is in
benchmarks/results/cells, of this very recipe, is not trained again; --again trains it anew.
"""

from __future__ import annotations

import argparse
import json
import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import lightning
import numpy as np
import torch
from fine_tuning import trainer_of
from over_people import ratio
from records import RESULTS, path_of, write_record

from trichotrack.detect.decode import valid_cells
from trichotrack.detect.detections import Detections
from trichotrack.detect.targets import discs
from trichotrack.evaluate.figures import Figure, summarise
from trichotrack.evaluate.points import DEFAULT_THRESHOLD, sweep_capture
from trichotrack.evaluate.presence import presence_figures
from trichotrack.labels.derive import with_parents
from trichotrack.labels.read import read_labels
from trichotrack.labels.tables import LabelRow, LabelSet
from trichotrack.labels.write import write_labels
from trichotrack.model.data import SignData
from trichotrack.model.plan import STRIDE, Plan
from trichotrack.model.task import SignTask
from trichotrack.synth.write import Series, write_series

LOCAL = Path(__file__).parents[1] / "local"
CELLS = "cells"
"""Folder of the cells' records, ignored by git."""

ARMS = ("exhaustive", "marked20", "marked20+counts", "marked20+partial", "marked20+as-if-all", "count", "presence")
MARKED_SHARE, KEPT_SHARE, VALIDATION_SHARE, TEST_SHARE = 0.2, 0.5, 0.15, 0.2

PLANS = {
    "hair70x": Plan(("hair", "undersize"), ("abnormal",), sigma_um=30.0, min_distance_um=40.0, tolerance_mm=0.113),
    "synthesis": Plan(
        ("black_dot", "broken_hair", "short_vellus_hair"), ("intermediate_hair",), sigma_um=30.0, min_distance_um=40.0
    ),
}
START_AS = {"hair": "broken_hair", "undersize": "short_vellus_hair"}
"""The bundled weights have no such channels; a clipped hair looks like a broken one, a thin one like a short vellus."""

EVERYWHERE = frozenset({"hair"})
"""Signs of which no capture lacks any."""


@dataclass(frozen=True)
class Recipe:
    """All that a cell's training is made of."""

    data: str
    arm: str
    steps: int = 400
    start: str = "imagenet"
    learning_rate: float = 1e-3
    frozen: int = 2
    crop_px: int = 416
    batch_size: int = 8
    captures: int | None = None
    backbone: str = "tf_efficientnet_lite0"
    width: int = 96
    seed: int = 0


def plan_of(recipe: Recipe) -> Plan:
    """Of its set, less what presence alone cannot teach."""
    plan = PLANS[recipe.data]
    if recipe.arm != "presence":
        return plan
    return replace(plan, signs=tuple(sign for sign in plan.signs if sign not in EVERYWHERE))


def shared_out(labels: LabelSet, seed: int) -> dict[str, str]:
    """By patient, `train`, `val` or `test`. Those of `test`, else of `val`, test; where neither is, a fifth do."""
    rng = np.random.default_rng(seed)
    kept_out = {row.split for row in labels.captures} & {"val", "test"}
    wanted = "test" if "test" in kept_out else "val"
    kept = sorted({row.patient for row in labels.captures if row.split == wanted})
    people = sorted({row.patient for row in labels.captures})
    if not kept:
        drawn = rng.permutation(len(people))[: max(1, round(TEST_SHARE * len(people)))]
        kept = [people[i] for i in drawn]
    others = [name for name in people if name not in set(kept)]
    order = rng.permutation(len(others))
    validating = {others[i] for i in order[: max(1, round(VALIDATION_SHARE * len(others)))]}
    return {name: "test" if name in set(kept) else "val" if name in validating else "train" for name in people}


def degraded(labels: LabelSet, plan: Plan, arm: str, *, captures: int | None, seed: int) -> LabelSet:
    """The set as an arm knows it. labels: exhaustive for the plan's signs. captures: at most so many of each split."""
    split = shared_out(labels, seed)
    rows = [replace(row, split=split[row.patient]) for row in labels.captures]
    kept = [row for name in ("train", "val", "test") for row in [r for r in rows if r.split == name][:captures]]
    files = {row.file: row for row in kept}
    training = sorted({row.patient for row in kept if row.split == "train"})
    order = np.random.default_rng(seed + 1).permutation(len(training))
    marked = {training[i] for i in order[: max(1, round(MARKED_SHARE * len(training)))]}
    number: dict[tuple[str, str], int] = {}
    for item in labels.objects:
        number[item.file, item.sign] = number.get((item.file, item.sign), 0) + 1
    told, levels = [], {}
    for label in labels.labels:
        if label.file not in files or label.sign not in (*plan.signs, *plan.ignore) or label.rater:
            continue
        level = _level(arm, files[label.file].split, is_marked=files[label.file].patient in marked)
        # Ignored signs are nowhere taught: where the places are unknown, so are theirs.
        if level is None or (label.sign in plan.ignore and level in {"count", "presence"}):
            continue
        levels[label.file, label.sign] = level
        count = number.get((label.file, label.sign), 0)
        value = {"count": float(count), "presence": float(count > 0)}.get(level)
        told.append(LabelRow(label.file, label.sign, "exhaustive" if level == "half" else level, value))
    rng = np.random.default_rng(seed + 2)
    halved = {"half", "partial"}
    objects = []
    for item in labels.objects:
        keep = rng.random() < KEPT_SHARE
        level = levels.get((item.file, item.sign))
        if not item.rater and level in {"exhaustive", *halved} and (keep or level not in halved):
            objects.append(item)
    used = [row for row in kept if any((row.file, sign) in levels for sign in plan.signs)]
    return replace(labels, captures=tuple(used), labels=tuple(told), objects=tuple(objects))


def _level(arm: str, split: str, *, is_marked: bool) -> str | None:
    """`half`: exhaustive, they say, but half of the structures are left out."""
    if split == "test" or arm == "exhaustive":
        return "exhaustive"
    if arm in {"count", "presence"}:
        return arm
    if split == "val" or is_marked:
        return "exhaustive"
    return {"marked20+counts": "count", "marked20+partial": "partial", "marked20+as-if-all": "half"}.get(arm)


def write_arm(labels: LabelSet, plan: Plan, recipe: Recipe, folder: Path) -> None:
    """The arm as a labelled folder that refers to the images of the whole set."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("images", "masks"):
        link = folder / name
        if (labels.folder / name).is_dir() and not link.exists():
            link.symlink_to((labels.folder / name).resolve())
    known = degraded(labels, plan, recipe.arm, captures=recipe.captures, seed=recipe.seed)
    write_labels(replace(known, folder=folder), folder)


def train(recipe: Recipe, plan: Plan, folder: Path, cache: Path, workers: int) -> tuple[SignTask, SignData]:
    """The task after recipe.steps steps on an arm, its thresholds chosen on the arm's validation captures."""
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    lightning.seed_everything(recipe.seed, verbose=False)
    task = SignTask(
        plan,
        backbone=recipe.backbone,
        width=recipe.width,
        start=recipe.start,
        start_as={s: START_AS[s] for s in plan.signs if s in START_AS} if recipe.start == "bundled" else None,
        learning_rate=recipe.learning_rate,
        frozen=recipe.frozen,
    )
    data = SignData(
        folder, plan, crop_px=recipe.crop_px, batch_size=recipe.batch_size, workers=workers, seed=recipe.seed,
        cache=cache,
    )  # fmt: skip
    trainer = trainer_of(recipe.steps)
    trainer.fit(task, data)
    chosen = lightning.Trainer(
        accelerator="auto", devices=1, logger=False, enable_checkpointing=False, enable_progress_bar=False,
        enable_model_summary=False,
    )  # fmt: skip
    chosen.validate(task, data, verbose=False)
    data.setup("test")
    return task.cpu().eval(), data


@torch.no_grad()
def measure(task: SignTask, data: SignData) -> dict[str, Any]:
    """Figures of the test captures by sign, all of whose structures are known."""
    plan, rows = task.plan, []
    thresholds = [task.validated[s].threshold if s in task.validated else DEFAULT_THRESHOLD for s in plan.signs]
    for batch in data.test_dataloader():
        valid = valid_cells(batch["valid"][0].numpy(), STRIDE)
        found = task.decoded(task(batch["image"]), valid)[0]
        for sign in range(len(plan.signs)):
            rows.append((plan.signs[sign], *_of_sign(found, batch, valid, sign, plan)))  # noqa: PERF401
    told = {}
    for sign, threshold in zip(plan.signs, thresholds, strict=True):
        of_sign = [row[1:] for row in rows if row[0] == sign]
        figures = summarise(sweep.at(threshold) for sweep, *_ in of_sign)
        figures = next(iter(figures.values()))
        present = [(sweep.patient, sweep.reference > 0, chance) for sweep, chance, *_ in of_sign]
        ranked = presence_figures(*zip(*present, strict=True))
        with_sign = [(sweep.patient, hit, near) for sweep, _, hit, near in of_sign if sweep.reference]
        told[sign] = {
            "threshold": threshold,
            "chosen_by": task.validated[sign].chosen_by if sign in task.validated else "nothing",
            **{name: asdict(getattr(figures, name)) for name in ("f1", "precision", "recall", "count_mae", "bias")},
            "captures": figures.captures,
            "people": figures.patients,
            "present": ranked.present,
            "auroc": asdict(ranked.auroc),
            "average_precision": asdict(ranked.average_precision),
            "pointing": asdict(_pointing(with_sign)),
            "pointing_by_chance": float(np.mean([near for *_, near in with_sign])) if with_sign else None,
        }
    return told


def _pointing(with_sign: Sequence[tuple[str, bool, float]]) -> Figure:
    return ratio((who, float(hit), 1.0) for who, hit, _ in with_sign) if with_sign else Figure(None)


def _of_sign(
    found: Detections, batch: Mapping[str, torch.Tensor], valid: np.ndarray, sign: int, plan: Plan
) -> tuple[Any, float, bool, float]:
    """Its sweep; the chance that any mark is right; whether the likeliest lies on one; the share of scalp that does."""
    here = found.take(found.sign == sign)
    reference = batch["xy"][0].numpy()[batch["channel"][0].numpy() == sign].astype(np.float64)
    ignored = batch["ignored"][0].numpy().astype(np.float64)
    sweep = sweep_capture(
        reference, (here.xy, here.score), ignored, plan.tolerance_px, patient=str(int(batch["patient"])),
        file=str(int(batch["capture"])), sign=plan.signs[sign], area_cm2=float(batch["area_cm2"]),
    )  # fmt: skip
    chance = 1.0 - float(np.prod(1.0 - here.score))
    hit = False
    if len(here) and len(reference):
        likeliest = here.xy[int(np.argmax(here.score))]
        hit = bool((np.hypot(*(reference - likeliest).T) <= plan.tolerance_px).any())
    near = discs(reference, valid.shape, stride=STRIDE, radius_px=plan.tolerance_px) & valid
    return sweep, chance, hit, float(near.sum() / max(valid.sum(), 1))


def run_cell(recipe: Recipe, labels: Path, work: Path, workers: int) -> dict[str, Any]:
    """Trains and measures; what a record says of a cell."""
    plan = plan_of(recipe)
    began = time.monotonic()
    folder = work / recipe.data / recipe.arm
    write_arm(with_parents(read_labels(labels)), plan, recipe, folder)
    task, data = train(recipe, plan, folder, labels / ".cache", workers)
    minutes = (time.monotonic() - began) / 60
    return {"recipe": asdict(recipe), "minutes": round(minutes, 1), "signs": measure(task, data)}


def name_of(recipe: Recipe) -> str:
    """As a cell's record is called."""
    of = f", {recipe.captures} captures" if recipe.captures else ""
    return f"{recipe.data}, {recipe.arm}, {Path(recipe.start).stem}, {recipe.steps} steps{of}"


def kept_cell(recipe: Recipe, out: Path) -> dict[str, Any] | None:
    """The record of this very recipe; None where there is none."""
    path = path_of("level-cell", name_of(recipe), out=out / CELLS)
    cell = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None
    return cell if cell and cell["recipe"] == asdict(recipe) else None


def write_levels(recipe: Recipe, out: Path) -> Path:
    """The record of every arm that is trained, all else being as in this recipe."""
    kept = [kept_cell(replace(recipe, arm=arm), out) for arm in ARMS]
    cells = [{"arm": cell["recipe"]["arm"], "signs": cell["signs"]} for cell in kept if cell]
    name = f"{recipe.data}, from {Path(recipe.start).stem}, {recipe.steps} steps"
    shared = {key: value for key, value in asdict(recipe).items() if key != "arm"}
    return write_record("levels", name, {"recipe": shared, "cells": cells}, out=out)


def table(cells: Sequence[Mapping[str, Any]]) -> str:
    """The cells as a Markdown table, one line a cell and sign."""
    head = (
        "data", "sign", "labels", "steps", "F1", "recall", "count error", "bias", "AUROC", "average precision",
        "pointing game", "by chance",
    )  # fmt: skip
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    order = {arm: i for i, arm in enumerate(ARMS)}
    signed = [(cell["recipe"], sign, told) for cell in cells for sign, told in cell["signs"].items()]
    for recipe, sign, told in sorted(signed, key=lambda row: (row[0]["data"], row[1], order[row[0]["arm"]])):
        names = ("f1", "recall", "count_mae", "bias", "auroc", "average_precision", "pointing")
        chance = told["pointing_by_chance"]
        cells_of = [recipe["data"], f"`{sign}`", recipe["arm"], str(recipe["steps"]), *(_said(told[n]) for n in names)]
        lines.append("| " + " | ".join([*cells_of, "" if chance is None else f"{chance:.3f}"]) + " |")
    return "\n".join(lines)


def _said(figure: Mapping[str, float | None]) -> str:
    if figure["value"] is None:
        return ""
    low, high = figure["low"], figure["high"]
    return f"{figure['value']:.3f}" + ("" if low is None or high is None else f" ({low:.3f} to {high:.3f})")


def synthesis(labels: Path, captures: int, seed: int) -> None:
    """Drawn captures as a labelled folder, once; each is a person of its own."""
    if not (labels / "captures.csv").is_file():
        print(f"drawing {captures} captures into {labels}", flush=True)
        write_series(labels, Series(captures=captures, sizes_px=((640, 512),), um_per_px=(6.0, 6.0)), seed)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", nargs="+", default=list(PLANS), choices=list(PLANS))
    parser.add_argument("--arm", nargs="+", default=list(ARMS), choices=ARMS)
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--start", default="imagenet", help="imagenet, bundled (saw synthesis), scratch or a file")
    parser.add_argument("--crop", type=int, default=Recipe.crop_px, help="side of a crop, px")
    parser.add_argument("--batch", type=int, default=Recipe.batch_size, help="crops of a batch")
    parser.add_argument("--captures", type=int, help="at most so many of each split, for a quick look")
    parser.add_argument("--drawn", type=int, default=300, help="captures of the synthesis")
    parser.add_argument("--backbone", default=Recipe.backbone)
    parser.add_argument("--width", type=int, default=Recipe.width)
    parser.add_argument("--labels", type=Path, default=LOCAL / "hair70x-people", help="of hair70x")
    parser.add_argument("--work", type=Path, default=LOCAL / "levels", help="where arms are written")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--again", action="store_true", help="train cells that have a record too")
    parser.add_argument("--table", action="store_true", help="only print the table of all cells at hand")
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args()
    torch.set_float32_matmul_precision("high")
    folders = {"hair70x": options.labels, "synthesis": options.work / f"drawn-{options.drawn}"}
    recipes = [
        Recipe(
            data, arm, steps=options.steps, start=options.start, frozen=0 if options.start == "scratch" else 2,
            crop_px=options.crop, batch_size=options.batch, captures=options.captures, backbone=options.backbone,
            width=options.width,
        )
        for data in options.data
        for arm in options.arm
    ]  # fmt: skip
    for recipe in [] if options.table else recipes:
        if not options.again and kept_cell(recipe, options.out):
            print(f"kept: {name_of(recipe)}", flush=True)
        else:
            if recipe.data == "synthesis":
                synthesis(folders["synthesis"], options.drawn, recipe.seed)
            print(f"training: {name_of(recipe)}", flush=True)
            told = run_cell(recipe, folders[recipe.data], options.work, options.workers)
            write_record("level-cell", name_of(recipe), told, out=options.out / CELLS)
        write_levels(recipe, options.out)
    paths = sorted((options.out / CELLS).glob("level-cell-*.json"))
    print(table([json.loads(path.read_text(encoding="utf-8")) for path in paths]))


if __name__ == "__main__":
    main()

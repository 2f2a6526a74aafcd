"""What each backbone costs on a CPU, beside what it reaches on real captures after equal training.

uv run benchmarks/backbones.py --steps 80 [--rounds 15] [--threads 2]

Time is that of the exported graph alone (weights do not matter to it) on one 70x field at the canonical scale, the
backbones in turn. Quality is that of the cells of fine_tuning.py with all people and so many steps, by the backbone
that their recipe names; one of no cell is trained from scratch as they are.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import numpy as np
import onnxruntime
import torch
from fine_tuning import LABELS, cell_path, recipe_of, run_cell
from records import RESULTS, write_record

from trichotrack.model.export import Exported, write_graph
from trichotrack.model.network import Backbone
from trichotrack.model.plan import Plan
from trichotrack.model.task import SignTask
from trichotrack.signs import SIGN

FIELD_PX = (480, 608)
"""(H, W): a field of 1280×1024 px at 2.82 µm/px, at 6 µm/px, padded to the stride."""

WARM = 3


def session_of(backbone: Backbone, threads: int, folder: Path) -> tuple[onnxruntime.InferenceSession, Path, int]:
    """The exported graph opened, its file, and the number of its weights."""
    torch.manual_seed(0)
    task = SignTask(Plan(tuple(SIGN)), backbone=backbone, start="scratch")
    path = folder / f"{backbone}.onnx"
    write_graph(Exported(task, ("peaks", "offset", "shaft", "scalp")).eval(), path)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    return session, path, sum(p.numel() for p in task.network.parameters())


def quality_of(backbone: str, start: str, steps: int) -> dict[str, Any] | None:
    """Real root F1 of the cell with all people; None where that cell was not trained with this backbone."""
    path = cell_path(start, None, steps)
    cell = json.loads(path.read_text(encoding="utf-8")) if path.exists() else None
    if cell is None or cell["recipe"]["backbone"] != backbone:
        return None
    return _told(start, steps, cell)


def taught(backbone: Backbone, steps: int) -> dict[str, Any]:
    """Real root F1 of this backbone from scratch, with all people, trained here."""
    recipe = replace(recipe_of("scratch", steps), backbone=backbone)
    return _told(recipe.start, steps, run_cell(recipe, LABELS, None, workers=1))


def _told(start: str, steps: int, cell: Mapping[str, Any]) -> dict[str, Any]:
    return {"start": start, "steps": steps, "f1": cell["figures"]["kept_apart"]["f1"], "minutes": cell["minutes"]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, required=True, help="of the cells whose quality is told")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args()
    backbones = get_args(Backbone)
    image = np.random.default_rng(0).integers(0, 256, (1, *FIELD_PX, 3), np.uint8)
    told = []
    with tempfile.TemporaryDirectory() as folder:
        opened = {name: session_of(name, options.threads, Path(folder)) for name in backbones}
        seconds: dict[str, list[float]] = {name: [] for name in backbones}
        for number in range(WARM + options.rounds):
            for name, (session, _, _) in opened.items():
                began = time.perf_counter()
                session.run(None, {"image": image})
                if number >= WARM:
                    seconds[name].append(time.perf_counter() - began)
        for name, (_, path, weights) in opened.items():
            cells = [quality_of(name, start, options.steps) for start in ("bundled", "imagenet", "scratch")]
            told.append(
                {
                    "backbone": name,
                    "ms": round(1000 * float(np.median(seconds[name])), 1),
                    "weights_millions": round(weights / 1e6, 2),
                    "file_mb": round(path.stat().st_size / 1e6, 2),
                    "quality": [cell for cell in cells if cell] or [taught(name, options.steps)],
                }
            )
            print(told[-1])
    figures = {"rounds": options.rounds, "threads": options.threads, "field_px": list(FIELD_PX), "backbones": told}
    print(write_record("backbones", f"{options.steps} steps", figures, out=options.out))


if __name__ == "__main__":
    main()

"""Captures a second from file to reading, beside the machine's limit: bare ONNX Runtime on the same tensors.

uv run benchmarks/speed.py MODEL [--threads 1 2] [--rounds 5]

Both are timed in turn in one process, so that whatever else the machine does weighs on both. The captures are drawn by
trichotrack.synth and saved as JPEG, since decoding a file is part of the work.
"""

from __future__ import annotations

import argparse
import dataclasses
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from records import RESULTS, write_record

from trichotrack.runtime.counter import Counter
from trichotrack.synth.render import capture_rng, render_capture

SIZES = (((1280, 1024), 2.82), ((1280, 960), 8.6), ((1920, 1440), 5.7))
"""Size in px and µm per px: a 70× field, and the 0.903 cm² field of 20× at two resolutions."""


class Recorder:
    """A session that keeps what it was asked."""

    def __init__(self, session: Any) -> None:
        self.session = session
        self.asked: list[tuple[list[str], dict[str, Any]]] = []

    def run(self, wanted: list[str], feeds: dict[str, Any]) -> Any:
        self.asked.append((wanted, feeds))
        return self.session.run(wanted, feeds)


def draw(folder: Path, size_px: tuple[int, int], um_per_px: float, count: int) -> list[Path]:
    paths = []
    for index in range(count):
        capture = render_capture(capture_rng(0, 0, index), size_px=size_px, um_per_px=um_per_px)
        path = folder / f"{size_px[0]}_{um_per_px:g}_{index}.jpg"
        Image.fromarray(capture.image).save(path, quality=92)
        paths.append(path)
    return paths


def seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def measure(counter: Counter, paths: list[Path], um_per_px: float, rounds: int) -> dict[str, float]:
    """Captures/s of readings and of bare session runs, medians over rounds, and their ratio with its range."""

    def read_all() -> list[int]:
        return [len(counter.read(path, um_per_px=um_per_px).objects) for path in paths]

    model_file = counter.model_file
    recorder = Recorder(model_file.session)
    counter.model_file = dataclasses.replace(model_file, session=recorder)
    marks = sum(read_all())  # warms up, and records
    counter.model_file = model_file

    def bare() -> None:
        for wanted, feeds in recorder.asked:
            model_file.session.run(wanted, feeds)

    times = np.array([(seconds(read_all), seconds(bare)) for _ in range(rounds)])
    ratios = times[:, 1] / times[:, 0]
    ours, limit = len(paths) / np.median(times, axis=0)
    return {
        "captures_per_s": round(float(ours), 3),
        "bare_captures_per_s": round(float(limit), 3),
        "ratio": round(float(np.median(ratios)), 3),
        "ratio_low": round(float(ratios.min()), 3),
        "ratio_high": round(float(ratios.max()), 3),
        "runs_per_capture": len(recorder.asked) / len(paths),
        "marks_per_capture": marks / len(paths),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--captures", type=int, default=4, help="of each size")
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args()
    cases = []
    with tempfile.TemporaryDirectory() as scratch:
        for size_px, um_per_px in SIZES:
            paths = draw(Path(scratch), size_px, um_per_px, options.captures)
            for threads in options.threads:
                counter = Counter(options.model, threads=threads)
                case = {"width": size_px[0], "height": size_px[1], "um_per_px": um_per_px, "threads": threads}
                cases.append(case | measure(counter, paths, um_per_px, options.rounds))
                print(cases[-1])
    model = {"name": counter.spec.name, "sha256": counter.model_file.sha256}
    figures = {
        "model": model,
        "rounds": options.rounds,
        "data": "synthetic captures (trichotrack.synth, seed 0)",
        "cases": cases,
    }
    print(write_record("speed", counter.spec.name, figures, out=options.out))


if __name__ == "__main__":
    main()

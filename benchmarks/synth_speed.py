"""Synthetic captures a second on one core, beside decoding a JPEG of the same captures with Pillow.

uv run benchmarks/synth_speed.py [--rounds 5] [--captures 12]

A training that draws its captures must not wait for them longer than one that reads files. Both are timed in turn in
one process on one thread, so that whatever else the machine does weighs on both.
"""

from __future__ import annotations

import argparse
import io
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from PIL import Image
from records import RESULTS, write_record

from trichotrack.synth.render import capture_rng, render_capture

SIZES = (((416, 416), 6.0), ((640, 512), 6.0), ((1280, 1024), 2.82))
"""Size in px and µm per px: a crop that a training draws, a capture of the demonstration, and a 70× field."""


def decode(data: bytes) -> object:
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))


def seconds(work: Callable[[], object]) -> float:
    started = time.process_time()
    work()
    return time.process_time() - started


def measure(size_px: tuple[int, int], um_per_px: float, captures: int, rounds: int) -> dict[str, float]:
    """Captures/s rendered and decoded, medians over rounds of processor time, and their ratio with its range."""

    def render(number: int) -> list[np.ndarray]:
        return [
            render_capture(capture_rng(0, number, i), size_px=size_px, um_per_px=um_per_px).image
            for i in range(captures)
        ]

    files = []
    for image in render(0):  # warms up, too
        file = io.BytesIO()
        Image.fromarray(image).save(file, "JPEG", quality=92)
        files.append(file.getvalue())
    times = np.array(
        [
            (seconds(lambda n=number: render(n)), seconds(lambda: [decode(file) for file in files]))
            for number in range(1, rounds + 1)
        ]
    )
    ratios = times[:, 1] / times[:, 0]
    rendered, decoded = captures / np.median(times, axis=0)
    return {
        "captures_per_s": round(float(rendered), 2),
        "decoded_per_s": round(float(decoded), 1),
        "ratio": round(float(np.median(ratios)), 4),
        "ratio_low": round(float(ratios.min()), 4),
        "ratio_high": round(float(ratios.max()), 4),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--captures", type=int, default=12, help="of each size and round")
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args()
    cv2.setNumThreads(0)
    cases = []
    for size_px, um_per_px in SIZES:
        case = {"width": size_px[0], "height": size_px[1], "um_per_px": um_per_px}
        cases.append(case | measure(size_px, um_per_px, options.captures, options.rounds))
        print(cases[-1])
    figures = {"rounds": options.rounds, "captures": options.captures, "threads": 1, "cases": cases}
    print(write_record("synth-speed", "renderer", figures, out=options.out))


if __name__ == "__main__":
    main()

"""How far a model agrees with labels, as a record for docs/benchmarks.md.

uv run benchmarks/quality.py MODEL LABELS --name "demo, test" [--split test] [--tolerance-mm 0.15] [--ignore-sign SIGN]
"""

from __future__ import annotations

import argparse
from pathlib import Path

from records import RESULTS, write_record

from trichotrack.evaluate.run import DEFAULT_TOLERANCE_MM, evaluate
from trichotrack.labels.read import read_labels
from trichotrack.runtime.counter import Counter


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("labels", type=Path)
    parser.add_argument("--name", required=True, help="of the data, as printed")
    parser.add_argument("--split")
    parser.add_argument("--tolerance-mm", type=float, default=DEFAULT_TOLERANCE_MM)
    parser.add_argument("--sign", action="append", default=[])
    parser.add_argument("--ignore-sign", action="append", default=[])
    parser.add_argument("--note", default="", help="what else must be known to judge the figures")
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args()
    result = evaluate(
        Counter(options.model),
        read_labels(options.labels),
        split=options.split,
        tolerance_mm=options.tolerance_mm,
        signs=options.sign,
        ignored_signs=options.ignore_sign,
        name=options.name,
    )
    for problem in result.problems:
        print(problem)
    print(write_record("quality", options.name, {**result.to_dict(), "note": options.note}, out=options.out))


if __name__ == "__main__":
    main()

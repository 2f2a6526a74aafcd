"""Any hair root of real captures, by a model that never saw them; and the false black dots and tapering hairs there.

uv run benchmarks/zero_shot.py MODEL --labels local/hair70x [--split val] [--captures N] [--pictures DIR --worst K]
    [--name "..."]

MODEL is an exported .onnx or a .ckpt. A mark of any hair sign within the tolerance of a labelled root is right, one to
one. F1 is said at the model's own thresholds, at one threshold chosen on half of the people and measured on the other
half (and the other way round, pooled), and at the best threshold of all, an upper bound. `--split all` says them of
each split too. With --name a record is written.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from any_hair import (
    HAIR,
    IGNORED,
    TOLERANCE_MM,
    WITH_DOTS,
    Read,
    any_hair_figures,
    diagnosis,
    false_figures,
    plan_of,
    read_folder,
)
from over_people import said
from readers import OpenCounter, open_counter
from records import RESULTS, write_record

from trichotrack.capture import read_capture
from trichotrack.geometry import map_points
from trichotrack.labels.tables import LabelSet
from trichotrack.pictures import compare, save_picture
from trichotrack.signs import SIGN, Sign


def draw_worst(
    reads: Sequence[Read], counter: OpenCounter, threshold: float, labels: LabelSet, folder: Path, worst: int
) -> None:
    """Labelled beside predicted at threshold: the captures with the most errors, 001_name.jpg first."""
    for earlier in folder.glob("[0-9][0-9][0-9]_*.jpg"):
        earlier.unlink()
    errors = {id(read): read.sweeps[HAIR].at(threshold).errors for read in reads}
    for rank, read in enumerate(sorted(reads, key=lambda read: -errors[id(read)])[:worst], 1):
        capture = read.capture.capture
        marks = read.found.take(read.found.score >= threshold)
        xy = map_points(marks.xy, read.size_px, read.capture.original_px)
        names = [counter.spec.sign_names[sign] for sign in marks.sign]
        predicted = [(name, float(x), float(y), None) for name, (x, y) in zip(names, xy, strict=True)]
        labelled = [
            (o.sign, o.x, o.y, None if o.tip_x is None or o.tip_y is None else (o.tip_x, o.tip_y))
            for o in labels.objects
            if o.file == capture.row.file and not o.id.endswith(f"/{HAIR}")
        ]
        used = {name for name, *_ in [*labelled, *predicted]}
        shown: dict[str, Sign] = {name: sign for name, sign in {**labels.signs, **SIGN}.items() if name in used}
        score = read.sweeps[HAIR].at(threshold)
        caption = f"{capture.row.file}: {score.tp} right, {score.fp} false, {score.fn} missed at {threshold:.2f}"
        picture = compare(read_capture(capture.path).pixels, labelled, predicted, shown, caption)
        save_picture(picture, folder / f"{rank:03d}_{capture.path.stem}.jpg")


def lines_of(figures: dict[str, Any]) -> list[str]:
    """What a person reads of the figures."""
    lines = []
    for name, by_threshold in figures["any_hair"].items():
        for kind, row in by_threshold.items():
            at = row.get("thresholds") or [row["threshold"]] if kind != "own_thresholds" else []
            parts = [f"{key} {said(row[key])}" for key in ("f1", "precision", "recall", "count_mae", "bias")]
            parts += ["at " + ", ".join(f"{threshold:.3f}" for threshold in at)] if at else []
            lines.append(f"{name + ', ' + kind:<34} " + ", ".join(parts))
    for sign, places in figures["false_per_cm2"].items():
        for place, row in places.items():
            where = f"{row['marks']} on {row['area_cm2']:.1f} cm2"
            lines.append(f"false {sign}, {place}: {where}: {said(row['per_cm2'])} per cm2")
    return lines


def figures_of(reads: Sequence[Read]) -> dict[str, Any]:
    """Any hair, and false black dots and tapering hairs."""
    return {
        "any_hair": {name: any_hair_figures(reads, name) for name in (HAIR, WITH_DOTS)},
        "false_per_cm2": false_figures(reads),
    }


def by_split(reads: Sequence[Read]) -> dict[str, Any]:
    """figures_of the captures of each split, with how many they are."""
    parts: dict[str, list[Read]] = {}
    for read in reads:
        parts.setdefault(read.capture.capture.row.split, []).append(read)
    return {
        split: {"captures": len(part), "patients": len({read.patient for read in part}), **figures_of(part)}
        for split, part in sorted(parts.items())
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("--labels", type=Path, required=True)
    parser.add_argument("--split", default="val", help="`all` for every capture")
    parser.add_argument("--captures", type=int, help="only so many, spread over the people")
    parser.add_argument("--tolerance-mm", type=float, default=TOLERANCE_MM)
    parser.add_argument("--ignore-sign", action="append", help=f"by default `{IGNORED}`")
    parser.add_argument("--pictures", type=Path, help="folder for the worst captures, labelled beside predicted")
    parser.add_argument("--worst", type=int, default=24)
    parser.add_argument("--name", default="", help="of the data, as printed; writes a record")
    parser.add_argument("--note", default="", help="what else must be known to judge the figures")
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args()
    counter = open_counter(options.model)
    ignored = options.ignore_sign or [IGNORED]
    plan = plan_of(counter, ignored=ignored, mm=options.tolerance_mm)
    reads, labels = read_folder(counter, options.labels, plan, split=options.split, captures=options.captures)
    figures = figures_of(reads)
    if options.split == "all":
        figures["by_split"] = by_split(reads)
    best = figures["any_hair"][HAIR]["best"]["threshold"]
    people = len({read.patient for read in reads})
    print(f"{options.model}: {len(reads)} captures of {people} people, tolerance {options.tolerance_mm} mm")
    print("\n".join(lines_of(figures)))
    for split, part in figures.get("by_split", {}).items():
        print(f"split {split}: {part['captures']} captures of {part['patients']} people")
        print("\n".join(lines_of(part)))
    for what, tally in diagnosis(reads, counter, plan, best).items():
        print(f"at {best:.3f}, {what}: " + ", ".join(f"{name} {count}" for name, count in tally.most_common()))
    if options.pictures:
        draw_worst(reads, counter, best, labels, options.pictures, options.worst)
        print(options.pictures)
    if options.name:
        data = {"name": options.name, "split": options.split, "captures": len(reads), "patients": people}
        model = {"name": counter.spec.name, "sha256": counter.model.sha256, "notice": counter.spec.notice}
        record = {"model": model, "data": data, "tolerance_mm": options.tolerance_mm, "ignored_signs": ignored}
        print(write_record("zero-shot", options.name, {**record, **figures, "note": options.note}, out=options.out))


if __name__ == "__main__":
    main()

"""Any hair root of real captures, by a model that never saw them; and the false black dots and tapering hairs there.

uv run benchmarks/zero_shot.py MODEL --labels local/hair70x [--split val] [--captures N] [--pictures DIR --worst K]
    [--name "..."]

MODEL is an exported .onnx or a .ckpt. A mark of any hair sign within the tolerance of a labelled root is right, one to
one. F1 is said at the model's own thresholds, at one threshold chosen on half of the people and measured on the other
half (and the other way round, pooled), and at the best threshold of all, an upper bound. With --name a record is
written.
"""

from __future__ import annotations

import argparse
import hashlib
from collections import Counter as Tally
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from hair_free import Share, shares
from numpy.typing import NDArray
from over_people import ratio
from readers import LOWEST_SCORE, OpenCounter, open_counter
from records import RESULTS, write_record

from trichotrack.capture import read_capture
from trichotrack.detect.detections import Detections
from trichotrack.detect.matching import match
from trichotrack.evaluate.figures import SignFigures, summarise
from trichotrack.evaluate.points import CaptureScore, Sweep, best_thresholds, sweep_capture
from trichotrack.geometry import map_points
from trichotrack.labels.derive import with_parents
from trichotrack.labels.read import read_labels
from trichotrack.labels.tables import LabelSet, ObjectRow
from trichotrack.model.datasets import CachedCapture, cached, labelled_captures
from trichotrack.model.plan import Plan
from trichotrack.pictures import compare, save_picture
from trichotrack.signs import SIGN, Sign

TOLERANCE_MM = 0.113
BORDER_PX = 40
"""Of a capture's own px: nearer to its border no mark counts as a false dot."""

HAIR, WITH_DOTS = "hair", "hair or black dot"
FALSE_SIGNS = ("black_dot", "tapering_hair")


@dataclass(frozen=True, eq=False)
class Read:
    """One capture read: hair is any hair sign, WITH_DOTS black dots too; found and truth in canonical px.

    sweeps: by HAIR, WITH_DOTS at every threshold. shipped: the same at the model's own. false: by sign (whole capture,
    hair-free part). kinds: the labelled sign of each root of truth.
    """

    capture: CachedCapture
    size_px: tuple[int, int]
    truth: NDArray[np.float64]
    kinds: tuple[str, ...]
    found: Detections
    sweeps: dict[str, Sweep]
    shipped: dict[str, CaptureScore]
    false: dict[str, tuple[Share, Share]]

    @property
    def patient(self) -> str:
        return self.capture.capture.row.patient


def half_of(patient: str) -> int:
    """0 or 1, by the patient's name alone."""
    return hashlib.sha256(patient.encode()).digest()[0] % 2


def read_capture_of(counter: OpenCounter, capture: CachedCapture, objects: Sequence[ObjectRow], plan: Plan) -> Read:
    """Decoded without any refusal, at LOWEST_SCORE and at the model's own thresholds; objects: all that is labelled."""
    sample = capture.sample(0, 0, 0)
    height, width = sample.image.shape[:2]
    row, size = capture.capture.row, (width, height)
    area_cm2 = float(sample.valid.sum()) * (plan.um_per_px / 1e4) ** 2
    image = np.array(sample.image)
    groups = {HAIR: counter.hairs, WITH_DOTS: (*counter.hairs, "black_dot")}
    found = _on(counter.at_threshold(LOWEST_SCORE).detect(image), sample.valid)
    shipped = _on(counter.detect(image), sample.valid)

    def swept(marks: Detections, name: str) -> Sweep:
        chosen = counter.of_signs(marks, groups[name])
        return sweep_capture(
            sample.structures.xy,
            (chosen.xy, chosen.score),
            sample.structures.ignored,
            plan.tolerance_px,
            patient=row.patient,
            file=row.file,
            sign=name,
            area_cm2=area_cm2,
        )

    own = [item for item in objects if not item.id.endswith(f"/{plan.signs[0]}")]  # copies made by with_parents
    roots = map_points(_pairs((o.x, o.y) for o in own), capture.original_px, size)
    tips = map_points(_pairs((o.tip_x, o.tip_y) for o in own), capture.original_px, size)
    border_px = BORDER_PX * capture.capture.um_per_px / plan.um_per_px
    false = {
        sign: shares(
            counter.of_signs(shipped, (sign,)).xy, (roots, tips), sample.valid, plan.um_per_px, border_px=border_px
        )
        for sign in FALSE_SIGNS
        if sign in counter.spec.sign_names
    }
    hairs = [o for o in own if o.sign not in plan.ignore]
    return Read(
        capture,
        size,
        map_points(_pairs((o.x, o.y) for o in hairs), capture.original_px, size),
        tuple(o.sign for o in hairs),
        found,
        {name: swept(found, name) for name in groups},
        {name: swept(shipped, name).at(0.0) for name in groups},
        false,
    )


def crossed(sweeps: Sequence[Sweep]) -> tuple[SignFigures, list[float]]:
    """Each half of the people at the threshold of the other half's best F1, pooled; the thresholds of both halves."""
    halves = [[s for s in sweeps if half_of(s.patient) == half] for half in (0, 1)]
    chosen = [next(iter(best_thresholds(half).values())).threshold for half in halves]
    scores = [s.at(chosen[1 - half]) for half in (0, 1) for s in halves[half]]
    return next(iter(summarise(scores).values())), chosen


def figures_of(reads: Sequence[Read]) -> dict[str, Any]:
    """Everything measured, ready for a record."""
    told: dict[str, Any] = {"any_hair": {}, "false_per_cm2": {}}
    for name in (HAIR, WITH_DOTS):
        sweeps = [read.sweeps[name] for read in reads]
        best = best_thresholds(sweeps)[name].threshold
        kept_apart, thresholds = crossed(sweeps)
        told["any_hair"][name] = {
            "own_thresholds": asdict(summarise([read.shipped[name] for read in reads])[name]),
            "kept_apart": {**asdict(kept_apart), "thresholds": thresholds},
            "best": {**asdict(summarise([sweep.at(best) for sweep in sweeps])[name]), "threshold": best},
        }
    for sign in reads[0].false:
        for part, place in ((0, "whole"), (1, "hair_free")):
            rows = [(read.patient, read.false[sign][part]) for read in reads]
            figure = ratio((patient, share.marks, share.area_cm2) for patient, share in rows)
            told["false_per_cm2"].setdefault(sign, {})[place] = {
                "marks": sum(share.marks for _, share in rows),
                "area_cm2": round(sum(share.area_cm2 for _, share in rows), 3),
                "per_cm2": asdict(figure),
            }
    return told


def naming(reads: Sequence[Read], counter: OpenCounter, threshold: float) -> tuple[Tally[str], Tally[str], Tally[str]]:
    """At one threshold: what the found roots are called, what the false marks are called, labelled kinds missed."""
    right, false, missed = Tally[str](), Tally[str](), Tally[str]()
    for read in reads:
        found = counter.of_signs(read.found, counter.hairs)
        found = found.take(found.score >= threshold)
        names = [counter.spec.sign_names[sign] for sign in found.sign]
        pairs = match(found.xy, read.truth, TOLERANCE_MM * 1000 / (counter.spec.um_per_px or 1.0))
        right.update(names[i] for i in pairs[:, 0])
        false.update(name for i, name in enumerate(names) if i not in set(pairs[:, 0].tolist()))
        missed.update(kind for i, kind in enumerate(read.kinds) if i not in set(pairs[:, 1].tolist()))
    return right, false, missed


def draw_worst(
    reads: Sequence[Read], counter: OpenCounter, threshold: float, labels: LabelSet, folder: Path, worst: int
) -> None:
    """Labelled beside predicted at threshold: the captures with the most errors, 01_name.jpg first."""
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
            if o.file == capture.row.file and o.sign != "hair"
        ]
        used = {name for name, *_ in [*labelled, *predicted]}
        shown: dict[str, Sign] = {name: sign for name, sign in {**labels.signs, **SIGN}.items() if name in used}
        score = read.sweeps[HAIR].at(threshold)
        caption = f"{capture.row.file}: {score.tp} right, {score.fp} false, {score.fn} missed at {threshold:.2f}"
        picture = compare(read_capture(capture.path).pixels, labelled, predicted, shown, caption)
        save_picture(picture, folder / f"{rank:03d}_{capture.path.stem}.jpg")


def _on(found: Detections, valid: NDArray[np.bool_]) -> Detections:
    height, width = valid.shape
    column, row = np.clip(found.xy.astype(np.int64), 0, (width - 1, height - 1)).T
    return found.take(valid[row, column])


def _pairs(values: Iterable[tuple[float | None, float | None]]) -> NDArray[np.float64]:
    return np.array([[np.nan if v is None else v for v in pair] for pair in values], np.float64).reshape(-1, 2)


def told(name: str, figures: dict[str, Any]) -> str:
    """One line of one set of figures."""
    parts = [f"{key} {_said(figures[key])}" for key in ("f1", "precision", "recall", "count_mae", "bias")]
    return f"{name:<32} " + ", ".join(parts)


def _said(figure: dict[str, float | None]) -> str:
    value, low, high = (figure[key] for key in ("value", "low", "high"))
    if value is None:
        return "-"
    return f"{value:.3f}" + (f" ({low:.3f} to {high:.3f})" if low is not None and high is not None else "")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("--labels", type=Path, required=True)
    parser.add_argument("--split", default="val", help="`all` for every capture")
    parser.add_argument("--captures", type=int, help="only so many, spread over the people")
    parser.add_argument("--tolerance-mm", type=float, default=TOLERANCE_MM)
    parser.add_argument("--sign", default="hair", help="the labelled sign that is any hair")
    parser.add_argument("--ignore-sign", action="append", help="by default `abnormal`")
    parser.add_argument("--pictures", type=Path)
    parser.add_argument("--worst", type=int, default=24)
    parser.add_argument("--name", default="", help="of the data, as printed; writes a record")
    parser.add_argument("--note", default="")
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args()
    counter = open_counter(options.model)
    ignored = options.ignore_sign or ["abnormal"]
    plan = Plan((options.sign,), ignored, um_per_px=counter.spec.um_per_px or 6.0, tolerance_mm=options.tolerance_mm)
    labels = with_parents(read_labels(options.labels))
    splits = sorted({row.split for row in labels.captures}) if options.split == "all" else [options.split]
    known = [capture for split in splits for capture in labelled_captures(labels, plan, split)]
    if options.captures and options.captures < len(known):
        known = [known[i] for i in np.linspace(0, len(known) - 1, options.captures).round().astype(int)]
    objects: dict[str, list[ObjectRow]] = {}
    for item in labels.objects:
        if item.rater == "":
            objects.setdefault(item.file, []).append(item)
    captures = cached(known, options.labels / ".cache", plan.um_per_px)
    reads = [read_capture_of(counter, capture, objects.get(capture.capture.row.file, []), plan) for capture in captures]
    figures = figures_of(reads)
    best = figures["any_hair"][HAIR]["best"]["threshold"]
    people = len({read.patient for read in reads})
    print(f"{options.model}: {len(reads)} captures of {people} people, tolerance {options.tolerance_mm} mm")
    for name, by_threshold in figures["any_hair"].items():
        for kind, row in by_threshold.items():
            at = row.get("thresholds") or [row["threshold"]] if kind != "own_thresholds" else []
            print(told(f"{name}, {kind}", row), "at " + ", ".join(f"{t:.3f}" for t in at) if at else "")
    for sign, places in figures["false_per_cm2"].items():
        for place, row in places.items():
            print(
                f"false {sign}, {place}: {row['marks']} on {row['area_cm2']:.1f} cm2: {_said(row['per_cm2'])} per cm2"
            )
    for what, tally in zip(("right are", "false are", "missed are"), naming(reads, counter, best), strict=True):
        print(f"at {best:.3f}, {what}: " + ", ".join(f"{name} {count}" for name, count in tally.most_common()))
    if options.pictures:
        draw_worst(reads, counter, best, labels, options.pictures, options.worst)
        print(options.pictures)
    if options.name:
        data = {"name": options.name, "split": options.split, "captures": len(reads), "patients": people}
        model = {"name": counter.spec.name, "sha256": counter.model.sha256, "trained_on": counter.spec.trained_on}
        record = {"model": model, "data": data, "tolerance_mm": options.tolerance_mm, "ignored_signs": ignored}
        record |= {"own_thresholds": {c.sign.name: c.threshold for c in counter.spec.signs}, **figures}
        print(write_record("zero-shot", options.name, record | {"note": options.note}, out=options.out))


if __name__ == "__main__":
    main()

"""How well the same field and the same hairs are found again: synthetic pairs with known correspondence.

uv run benchmarks/matching.py pairs --n 200        registration, matching and change from true points
uv run benchmarks/matching.py strangers --n 300    unrelated fields, half of the same person: how many are accepted
uv run benchmarks/matching.py detections --n 60 [--model MODEL]   change from a model's marks, with joint re-scoring
uv run benchmarks/matching.py real FOLDER --n 60   crops of real captures: moved, turned, re-lit, blurred, overpainted
uv run benchmarks/matching.py record               all that was measured, as a record for the page
uv run benchmarks/matching_page.py                 the record into docs/matching.md

Each run goes on where the last stopped: rows are kept in --work, one JSON a line. --seconds ends it early.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matching_pairs import SIZE_PX, UM_PER_PX, Pair, Seen, draw_pair, draw_strangers, overlap_share
from numpy.typing import NDArray
from PIL import Image
from records import write_record
from scipy.ndimage import affine_transform, gaussian_filter

from trichotrack.runtime.counter import Counter
from trichotrack.runtime.reading import MarkedObject
from trichotrack.stats.rates import wilson_interval
from trichotrack.visits.hairs_matched import BORDER_UM, FieldMatch, match_captures
from trichotrack.visits.registration import LEAST_EVIDENCE, Picture, register
from trichotrack.visits.rescoring import unsure_marks

TEST_SEED = 20
"""The threshold and all else were set on pairs of seed 1000."""

RIGHT_UM = 70.0
"""A registration is right where the median error of its map over the common field is at most half of this."""

FIELDS_OF_A_PATIENT = 8


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=["pairs", "strangers", "detections", "real", "record"])
    parser.add_argument("folder", type=Path, nargs="?", help="of the real captures")
    parser.add_argument("--n", type=int, default=100)
    parser.add_argument("--model", type=Path)
    parser.add_argument("--seed", type=int, default=TEST_SEED)
    parser.add_argument("--seconds", type=float, default=math.inf)
    parser.add_argument("--work", type=Path, default=Path("runs/matching"))
    options = parser.parse_args()
    if options.part == "record":
        print(write_record("matching", "synthetic pairs", summary(options.work)))
        return
    makers: dict[str, Callable[[int], dict[str, Any]]] = {
        "pairs": lambda i: pair_row(draw_pair(options.seed, i, camera=camera(i))),
        "strangers": lambda i: stranger_row(options.seed, i),
        "detections": lambda i: detection_row(options, i),
        "real": lambda i: real_row(options.folder, options.seed, i),
    }
    slices(options.work / f"{options.part}.jsonl", options.n, options.seconds, makers[options.part])


def camera(index: int) -> str:
    return "any" if index % 2 else "clinic"


def slices(path: Path, number: int, seconds: float, make: Callable[[int], dict[str, Any]]) -> None:
    """Rows 0 to number - 1, those in path already left out, until the time is up."""
    path.parent.mkdir(parents=True, exist_ok=True)
    done = {row["index"] for row in rows_in(path)}
    start = time.monotonic()
    with path.open("a", encoding="utf-8") as file:
        for index in range(number):
            if index in done or time.monotonic() - start > seconds:
                continue
            row = {"index": index, **make(index)}
            file.write(json.dumps(row) + "\n")
            file.flush()


def rows_in(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.is_file() else []


def pair_row(pair: Pair) -> dict[str, Any]:
    start = time.process_time()
    before, after = Picture(pair.before, UM_PER_PX), Picture(pair.after, UM_PER_PX)
    result = match_captures(before, after, marks(pair.seen_before), marks(pair.seen_after))
    row = registered(pair, result)
    row["seconds"] = round(time.process_time() - start, 3)
    return {**row, **matched(pair, result)} if result.accepted else row


def marks(seen: Sequence[Seen]) -> tuple[MarkedObject, ...]:
    return tuple(MarkedObject(str(i), item.sign, *item.xy) for i, item in enumerate(seen))


def registered(pair: Pair, result: FieldMatch) -> dict[str, Any]:
    found = result.registration
    x, y = np.meshgrid(np.linspace(4, SIZE_PX[0] - 4, 24), np.linspace(4, SIZE_PX[1] - 4, 20))
    points = np.column_stack([x.ravel(), y.ravel()])
    there = pair.truth(points)
    common = ((there >= 0) & (there < np.array(SIZE_PX))).all(axis=1)
    off_um = np.hypot(*(found.to_after(points)[common] - there[common]).T) * UM_PER_PX
    return {
        "camera": pair.camera, "weeks": pair.weeks, "overlap": pair.overlap, "accepted": found.accepted,
        "evidence": found.evidence, "residual_um": found.residual_um, "error_um": float(np.median(off_um)),
        "error_p95_um": float(np.quantile(off_um, 0.95)),
    }  # fmt: skip


def matched(pair: Pair, result: FieldMatch) -> dict[str, Any]:
    """Right, made and true pairs of structures, and the numbers that a change is made from."""
    truth = true_pairs(pair)
    shown_before = shown_truly(pair, np.array([s.xy for s in pair.seen_before]).reshape(-1, 2))
    made = [
        (int(hair.before.id), int(hair.after.id)) for hair in result.hairs if hair.before and hair.after
    ]  # fmt: skip
    wanted = {(i, j) for i, j in truth.items() if shown_before[i]}
    right = [one for one in made if truth.get(one[0]) == one[1]]
    # What is new is judged where it would lie in the earlier capture.
    lone = [j for j in range(len(pair.seen_after)) if j not in set(truth.values())]
    new = shown_truly(pair, inverse(pair, np.array([pair.seen_after[j].xy for j in lone]).reshape(-1, 2))).sum()
    gone = sum(bool(shown_before[i]) for i in range(len(pair.seen_before)) if i not in truth)
    counts = result.followed(tuple({s.sign for s in (*pair.seen_before, *pair.seen_after)}))
    return {
        "made": len(made), "right": len(right), "true": len(wanted), "found": len(wanted & set(right)),
        "true_before": len(wanted) + int(gone), "true_after": len(wanted) + int(new),
        "before": counts.before, "after": counts.after,
        "all_before": len(pair.seen_before), "all_after": len(pair.seen_after),
    }  # fmt: skip


def true_pairs(pair: Pair) -> dict[int, int]:
    """By number of a structure of the earlier capture that of the later one which grows from the same follicle."""

    def key(item: Seen) -> tuple[int, bool]:
        return item.follicle, item.sign == "yellow_dot"

    there = {key(item): j for j, item in enumerate(pair.seen_after)}
    return {i: there[key(item)] for i, item in enumerate(pair.seen_before) if key(item) in there}


def shown_truly(pair: Pair, points: NDArray[np.float64]) -> NDArray[np.bool_]:
    border = BORDER_UM / UM_PER_PX
    size = np.array(SIZE_PX, np.float64)
    return np.all(
        [((at >= border) & (at < size - border)).all(axis=1) for at in (points, pair.truth(points))], axis=0
    )  # fmt: skip


def inverse(pair: Pair, points: NDArray[np.float64]) -> NDArray[np.float64]:
    flat = points - pair.warp.shift(points)
    return (flat - pair.matrix[:, 2]) @ np.linalg.inv(pair.matrix[:, :2]).T


def stranger_row(seed: int, index: int) -> dict[str, Any]:
    same = bool(index % 4 < 2)
    first, second = draw_strangers(seed, index, camera=camera(index), same_person=same)
    found = register(Picture(first, UM_PER_PX), Picture(second, UM_PER_PX))
    return {"camera": camera(index), "same_person": same, "accepted": found.accepted, "evidence": found.evidence}


def detection_row(options: argparse.Namespace, index: int) -> dict[str, Any]:
    """Change from a model's marks: without matching, matched, and matched with joint re-scoring."""
    pair = draw_pair(options.seed, index, camera=camera(index))
    counter = Counter(options.model, threads=1) if options.model else Counter.bundled(threads=1)
    pictures = [Picture(pixels, UM_PER_PX) for pixels in (pair.before, pair.after)]
    found = [counter.read(p.pixels, um_per_px=UM_PER_PX).objects for p in pictures]
    unsure = [unsure_marks(counter, p, marked) for p, marked in zip(pictures, found, strict=True)]
    plain = match_captures(*pictures, *found)
    row: dict[str, Any] = {"model": counter.model.sha256, "accepted": plain.accepted}
    if not plain.accepted:
        return row
    again = match_captures(
        *pictures, *found, unsure_before=unsure[0], unsure_after=unsure[1], registration=plain.registration
    )
    signs = tuple({o.sign for o in (*found[0], *found[1], *unsure[0], *unsure[1])})
    truth = matched(pair, match_captures(*pictures, marks(pair.seen_before), marks(pair.seen_after),
                                         registration=plain.registration))  # fmt: skip
    return {
        **row, **{name: truth[name] for name in ("true_before", "true_after")},
        "all_before": len(found[0]), "all_after": len(found[1]),
        "plain_before": plain.followed(signs).before, "plain_after": plain.followed(signs).after,
        "before": again.followed(signs).before, "after": again.followed(signs).after,
    }  # fmt: skip


def real_row(folder: Path, seed: int, index: int) -> dict[str, Any]:
    """Two crops of a real capture, the second moved, turned, re-lit, blurred, partly overpainted; and of two people.

    What this cannot show: skin that itself changed, since both crops are of one moment.
    """
    rng = np.random.default_rng([seed, 11, index])
    files = sorted(folder.glob("Images/*.jpg"))
    people = sorted({file.name.partition("_")[0] for file in files})
    who = people[int(rng.integers(len(people)))]
    others = [name for name in people if name != who]

    def opened(person: str) -> NDArray[np.uint8]:
        mine = [file for file in files if file.name.startswith(f"{person}_")]
        with Image.open(mine[int(rng.integers(len(mine)))]) as image:
            # The band at the top and the strip at the bottom are the device's, the same on every capture.
            return np.asarray(image.convert("RGB").crop((40, 80, 1240, 940)).resize((600, 430)))

    scene, stranger = opened(who), opened(others[int(rng.integers(len(others)))])
    size = (380, 300)
    turn, scale = np.deg2rad(rng.normal(0, 7)), rng.uniform(0.97, 1.03)
    linear = scale * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    first = np.array([rng.uniform(40, 180), rng.uniform(40, 90)])
    shift = np.array([rng.uniform(-130, 130), rng.uniform(-90, 90)])
    middle = np.clip(first + np.array(size) / 2 + shift, [190, 150], [410, 280])

    def crop(image: NDArray[np.uint8], centre: NDArray[np.float64]) -> NDArray[np.float64]:
        # From px of the crop to px of the scene: the inverse of the wanted map.
        back = np.linalg.inv(linear)
        start = centre - back @ (np.array(size) / 2)
        index0 = (start + back @ np.array([0.5, 0.5]) - 0.5)[::-1]
        layers = [
            affine_transform(image[..., c].astype(float), back[::-1, ::-1], index0, size[::-1], order=1, mode="nearest")
            for c in range(3)
        ]
        return np.stack(layers, axis=-1)

    def relit(image: NDArray[np.float64]) -> NDArray[np.uint8]:
        image = gaussian_filter(image, (s := rng.uniform(0, 1.6), s, 0)) * rng.uniform(0.85, 1.15, 3)
        across = np.linspace(-1, 1, size[0])[None, :, None] * rng.uniform(-0.2, 0.2)
        image = 255 * (np.clip(image * (1 + across), 0, 255) / 255) ** rng.uniform(0.85, 1.2)
        for _ in range(6):  # strokes as of hair that lies otherwise
            x0, angle = rng.uniform(0, [size[0], size[1]]), rng.uniform(0, np.pi)
            y, x = np.mgrid[0 : size[1], 0 : size[0]]
            away = np.abs((x - x0[0]) * np.sin(angle) - (y - x0[1]) * np.cos(angle))
            image[away < rng.uniform(2, 6)] = rng.uniform(20, 70)
        return np.clip(image + rng.normal(0, 2, image.shape), 0, 255).astype(np.uint8)

    x, y = (int(v) for v in first)
    before = Picture(scene[y : y + size[1], x : x + size[0]], 5.64)
    found = register(before, Picture(relit(crop(scene, middle)), 5.64))
    # p of `before` is p + (x, y) of the scene, and linear @ (that - middle) + size / 2 of the second crop.
    matrix = np.column_stack([linear, linear @ (np.array([x, y]) - middle) + np.array(size) / 2])
    points = np.column_stack([v.ravel() for v in np.meshgrid(np.linspace(5, 375, 20), np.linspace(5, 295, 16))])
    there = points @ linear.T + matrix[:, 2]
    common = ((there >= 0) & (there < np.array(size))).all(axis=1)
    off_um = np.hypot(*(found.to_after(points)[common] - there[common]).T) * 5.64
    other = register(before, Picture(relit(crop(stranger, middle)), 5.64))
    return {
        "overlap": overlap_share(matrix, size=size), "accepted": found.accepted, "evidence": found.evidence,
        "error_um": float(np.median(off_um)), "stranger_accepted": other.accepted, "stranger_evidence": other.evidence,
    }  # fmt: skip


def summary(work: Path) -> dict[str, Any]:
    pairs = [row for row in rows_in(work / "pairs.jsonl") if row["overlap"] >= 0.5]
    strangers, real = rows_in(work / "strangers.jsonl"), rows_in(work / "real.jsonl")
    found = [row for row in pairs if row["accepted"]]
    figures: dict[str, Any] = {
        "seed": TEST_SEED, "pairs": len(pairs), "least_evidence": LEAST_EVIDENCE, "size_px": SIZE_PX,
        "um_per_px": UM_PER_PX,
        "registered": share(bool(right(row)) for row in pairs),
        "registered_clinic": share(bool(right(row)) for row in pairs if row["camera"] == "clinic"),
        "registered_any_camera": share(bool(right(row)) for row in pairs if row["camera"] == "any"),
        "wrongly_placed": share(row["accepted"] and not right(row) for row in pairs),
        "strangers_accepted": share(row["accepted"] for row in strangers),
        "strangers_same_person_accepted": share(row["accepted"] for row in strangers if row["same_person"]),
        "strangers_largest_evidence": max((row["evidence"] for row in strangers), default=None),
        "error_um": quantiles([row["error_um"] for row in found]),
        "residual_um": quantiles([row["residual_um"] for row in found if row["residual_um"] is not None]),
        "seconds": quantiles([row["seconds"] for row in pairs]),
    }  # fmt: skip
    if found:
        figures |= {
            "matching_precision": proportion(sum(r["right"] for r in found), sum(r["made"] for r in found)),
            "matching_recall": proportion(sum(r["found"] for r in found), sum(r["true"] for r in found)),
            "change_true_points": change(found, "before", "after"),
            "change_unmatched_true_points": change(found, "all_before", "all_after"),
        }
    if real:
        wide = [row for row in real if row["overlap"] >= 0.5]
        figures["real"] = {
            "data": "hair-follicles-70x", "pairs": len(wide),
            "registered": share(row["accepted"] and row["error_um"] <= RIGHT_UM / 2 for row in wide),
            "strangers_accepted": share(row["stranger_accepted"] for row in real),
            "error_um": quantiles([row["error_um"] for row in wide if row["accepted"]]),
        }  # fmt: skip
    detections = [row for row in rows_in(work / "detections.jsonl") if row["accepted"]]
    if detections:
        figures["detections"] = {
            "model_sha256": detections[0]["model"], "pairs": len(detections),
            "change_rescored": change(detections, "before", "after"),
            "change_matched": change(detections, "plain_before", "plain_after"),
            "change_unmatched": change(detections, "all_before", "all_after"),
        }  # fmt: skip
    return figures


def right(row: dict[str, Any]) -> bool:
    return bool(row["accepted"] and row["error_um"] <= RIGHT_UM / 2)


def share(flags: Iterable[bool]) -> dict[str, Any] | None:
    values = list(flags)
    return proportion(sum(values), len(values)) if values else None


def proportion(hits: int, total: int) -> dict[str, Any] | None:
    if not total:
        return None
    low, high = wilson_interval(hits, total)
    return {"hits": hits, "of": total, "value": hits / total, "low": low, "high": high}


def quantiles(values: Sequence[float]) -> dict[str, float] | None:
    if not len(values):
        return None
    return {name: float(np.quantile(values, q)) for name, q in (("median", 0.5), ("p95", 0.95))}


def change(rows: Sequence[dict[str, Any]], before: str, after: str) -> dict[str, float] | None:
    """Error of the change of a patient's count, in percent of baseline: fields are pooled by FIELDS_OF_A_PATIENT."""
    errors = []
    for start in range(0, len(rows) - FIELDS_OF_A_PATIENT + 1, FIELDS_OF_A_PATIENT):
        group = rows[start : start + FIELDS_OF_A_PATIENT]
        sums = {name: sum(row[name] for row in group) for name in (before, after, "true_before", "true_after")}
        if sums[before] and sums["true_before"]:
            errors.append(100 * (sums[after] / sums[before] - sums["true_after"] / sums["true_before"]))
    if not errors:
        return None
    return {
        "patients": len(errors), "mean_absolute_percent": float(np.mean(np.abs(errors))),
        "bias_percent": float(np.mean(errors)), "largest_percent": float(np.max(np.abs(errors))),
    }  # fmt: skip


if __name__ == "__main__":
    main()

"""Any hair root of labelled captures: hair signs merged into one, at every threshold, with figures over people."""

from __future__ import annotations

import hashlib
from collections import Counter as Tally
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from hair_free import Share, distance_to_shafts, shares
from numpy.typing import NDArray
from over_people import rate
from readers import LOWEST_SCORE, OpenCounter

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

Points = NDArray[np.float64]

TOLERANCE_MM = 0.113
IGNORED = "abnormal"
BORDER_PX = 40
"""Of a capture's own px: nearer to its border no mark counts as a false dot."""

HAIR, WITH_DOTS = "hair", "hair or black dot"
FALSE_SIGNS = ("black_dot", "tapering_hair")


@dataclass(frozen=True, eq=False)
class Read:
    """One capture read: hair is any hair sign, WITH_DOTS black dots too. Points are canonical px.

    truth, kinds: labelled roots and their signs. shafts: roots and tips of all that is labelled, ignored things too.
    found: every mark from LOWEST_SCORE. sweeps: by HAIR and WITH_DOTS at every threshold. own: the same at the model's
    own thresholds. false: by sign (whole capture, hair-free part), at the model's own thresholds.
    """

    capture: CachedCapture
    size_px: tuple[int, int]
    truth: Points
    kinds: tuple[str, ...]
    shafts: tuple[Points, Points]
    ignored: Points
    found: Detections
    sweeps: Mapping[str, Sweep]
    own: Mapping[str, CaptureScore]
    false: Mapping[str, tuple[Share, Share]]

    @property
    def patient(self) -> str:
        return self.capture.capture.row.patient


def plan_of(
    counter: OpenCounter, sign: str = HAIR, ignored: Sequence[str] = (IGNORED,), mm: float = TOLERANCE_MM
) -> Plan:
    """What is compared: one sign at the model's scale."""
    return Plan((sign,), ignored, um_per_px=counter.spec.um_per_px or 6.0, tolerance_mm=mm)


def read_folder(
    counter: OpenCounter, folder: Path, plan: Plan, *, split: str, captures: int | None = None
) -> tuple[list[Read], LabelSet]:
    """Every capture of a split (`all`: of every split) of a labelled folder; captures: only so many, spread out."""
    labels = with_parents(read_labels(folder))
    splits = sorted({row.split for row in labels.captures}) if split == "all" else [split]
    known = [capture for name in splits for capture in labelled_captures(labels, plan, name)]
    if captures and captures < len(known):
        known = [known[i] for i in np.linspace(0, len(known) - 1, captures).round().astype(int)]
    objects: dict[str, list[ObjectRow]] = {}
    for item in labels.objects:
        if item.rater == "" and not item.id.endswith(f"/{plan.signs[0]}"):  # not the copies that with_parents makes
            objects.setdefault(item.file, []).append(item)
    made = cached(known, folder / ".cache", plan.um_per_px)
    return [_read(counter, one, objects.get(one.capture.row.file, []), plan) for one in made], labels


def _read(counter: OpenCounter, capture: CachedCapture, objects: Sequence[ObjectRow], plan: Plan) -> Read:
    sample = capture.sample(0, 0, 0)
    image, valid = np.array(sample.image), sample.valid
    size = (image.shape[1], image.shape[0])
    row = capture.capture.row
    groups = {HAIR: counter.hairs, WITH_DOTS: (*counter.hairs, "black_dot")}
    found = _on(counter.at_threshold(LOWEST_SCORE).detect(image), valid)
    own = _on(counter.detect(image, row.preparation), valid)

    def swept(marks: Detections, name: str, without: frozenset[str] = frozenset()) -> Sweep:
        chosen = counter.of_signs(marks, tuple(sign for sign in groups[name] if sign not in without))
        return sweep_capture(
            sample.structures.xy,
            (chosen.xy, chosen.score),
            sample.structures.ignored,
            plan.tolerance_px,
            patient=row.patient,
            file=row.file,
            sign=name,
            area_cm2=float(valid.sum()) * (plan.um_per_px / 1e4) ** 2,
        )

    roots = map_points(_pairs((o.x, o.y) for o in objects), capture.original_px, size)
    tips = map_points(_pairs((o.tip_x, o.tip_y) for o in objects), capture.original_px, size)
    hair = np.array([o.sign not in plan.ignore for o in objects], np.bool_)
    border_px = BORDER_PX * capture.capture.um_per_px / plan.um_per_px
    return Read(
        capture=capture,
        size_px=size,
        truth=roots[hair],
        kinds=tuple(o.sign for o in objects if o.sign not in plan.ignore),
        shafts=(roots, tips),
        ignored=roots[~hair],
        found=found,
        sweeps={name: swept(found, name) for name in groups},
        # As a user who names the preparation gets it: what the model refuses is not counted.
        own={name: swept(own, name, counter.missed(row.preparation)).at(0.0) for name in groups},
        false={
            sign: shares(counter.of_signs(own, (sign,)).xy, (roots, tips), valid, plan.um_per_px, border_px=border_px)
            for sign in FALSE_SIGNS
            if sign in counter.spec.sign_names
        },
    )


def half_of(patient: str) -> int:
    """0 or 1, by the patient's name alone."""
    return hashlib.sha256(patient.encode()).digest()[0] % 2


def crossed_scores(sweeps: Sequence[Sweep]) -> tuple[list[CaptureScore], list[float]]:
    """Each half of the people at the threshold of the other half's best F1, and both halves' thresholds.

    Where one half has nobody, its threshold is that of all.
    """
    halves = [[s for s in sweeps if half_of(s.patient) == half] for half in (0, 1)]
    chosen = [next(iter(best_thresholds(half or sweeps).values())).threshold for half in halves]
    return [s.at(chosen[1 - half]) for half in (0, 1) for s in halves[half]], chosen


def any_hair_figures(reads: Sequence[Read], name: str) -> dict[str, Any]:
    """Figures of HAIR or WITH_DOTS at the model's own thresholds, at crossed_scores' and at the best of all."""
    sweeps = [read.sweeps[name] for read in reads]
    best = best_thresholds(sweeps)[name].threshold
    kept_apart, thresholds = crossed_scores(sweeps)
    return {
        "own_thresholds": asdict(_only(summarise([read.own[name] for read in reads]))),
        "kept_apart": {**asdict(_only(summarise(kept_apart))), "thresholds": thresholds},
        "best": {**asdict(_only(summarise([sweep.at(best) for sweep in sweeps]))), "threshold": best},
    }


def false_figures(reads: Sequence[Read]) -> dict[str, Any]:
    """False black dots and tapering hairs per cm² of whole captures and of their hair-free parts."""
    told: dict[str, Any] = {}
    for sign in reads[0].false:
        for part, place in enumerate(("whole", "hair_free")):
            rows = [(read.patient, read.false[sign][part]) for read in reads]
            figure = rate((patient, share.marks, share.area_cm2) for patient, share in rows)
            told.setdefault(sign, {})[place] = {
                "marks": sum(share.marks for _, share in rows),
                "area_cm2": round(sum(share.area_cm2 for _, share in rows), 3),
                "per_cm2": asdict(figure),
            }
    return told


def diagnosis(reads: Sequence[Read], counter: OpenCounter, plan: Plan, threshold: float) -> dict[str, Tally[str]]:
    """At one threshold: what right and false marks are called, where the false lie, and what the missed roots are."""
    told = {name: Tally[str]() for name in ("right", "false", "false lie", "missed", "missed lie")}
    for read in reads:
        found = counter.of_signs(read.found, counter.hairs)
        found = found.take(found.score >= threshold)
        pairs = match(found.xy, read.truth, plan.tolerance_px)
        right, hit = np.isin(np.arange(len(found)), pairs[:, 0]), np.isin(np.arange(len(read.truth)), pairs[:, 1])
        excused = _least(found.xy, read.ignored) <= plan.tolerance_px
        false = found.take(~right & ~excused)
        told["right"].update(_names(counter, found.take(right)))
        told["false"].update(_names(counter, false))
        told["false lie"].update(_places(false.xy, read, plan))
        told["missed"].update(kind for kind, was in zip(read.kinds, hit, strict=True) if not was)
        told["missed lie"].update(_missed_places(read, hit, plan))
    return told


def _places(xy: Points, read: Read, plan: Plan) -> list[str]:
    near = plan.tolerance_px
    cases = [
        ("at a cut end", _least(xy, read.shafts[1][np.isfinite(read.shafts[1]).all(axis=1)]) <= near),
        ("at a root found already", _least(xy, read.truth) <= near),
        ("near the border", _to_border(xy, read.size_px) <= near),
        ("along a shaft", distance_to_shafts(xy, *read.shafts) <= near),
    ]
    return _first(cases, len(xy), "elsewhere")


def _missed_places(read: Read, hit: NDArray[np.bool_], plan: Plan) -> list[str]:
    xy = read.truth[~hit]
    apart = np.hypot(*np.moveaxis(xy[:, None] - read.truth[None], 2, 0))
    beside = np.sort(apart, axis=1)[:, 1] if len(read.truth) > 1 else np.full(len(xy), np.inf)
    cases = [
        ("near the border", _to_border(xy, read.size_px) <= plan.tolerance_px),
        (f"less than {plan.min_distance_um:g} µm from another root", beside < plan.min_distance_px),
        (f"less than {2 * plan.min_distance_um:g} µm from another root", beside < 2 * plan.min_distance_px),
    ]
    return _first(cases, len(xy), "elsewhere")


def _first(cases: Sequence[tuple[str, NDArray[np.bool_]]], count: int, otherwise: str) -> list[str]:
    return [next((name for name, true in cases if true[i]), otherwise) for i in range(count)]


def _least(xy: Points, others: Points) -> Points:
    return distance_to_shafts(xy, others, np.full_like(others, np.nan))


def _to_border(xy: Points, size_px: tuple[int, int]) -> Points:
    return np.asarray(np.minimum(xy, np.array(size_px) - xy).min(axis=1))


def _names(counter: OpenCounter, found: Detections) -> list[str]:
    return [counter.spec.sign_names[sign] for sign in found.sign]


def _on(found: Detections, valid: NDArray[np.bool_]) -> Detections:
    height, width = valid.shape
    column, row = np.clip(found.xy.astype(np.int64), 0, (width - 1, height - 1)).T
    return found.take(valid[row, column])


def _pairs(values: Iterable[tuple[float | None, float | None]]) -> Points:
    return np.array([[np.nan if v is None else v for v in pair] for pair in values], np.float64).reshape(-1, 2)


def _only(figures: Mapping[str, SignFigures]) -> SignFigures:
    (one,) = figures.values()
    return one

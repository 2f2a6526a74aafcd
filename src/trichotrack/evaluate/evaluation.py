"""The result of an evaluation: figures by sign, counts per capture, and what must be known to judge them."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from trichotrack.capture import read_capture
from trichotrack.evaluate.agreement_result import ClassAgreement
from trichotrack.evaluate.classes import CapturePairs
from trichotrack.evaluate.figures import SignFigures
from trichotrack.evaluate.points import CaptureScore
from trichotrack.evaluate.presence import CapturePresence, PresenceFigures
from trichotrack.labels.spreadsheet import csv_text, escape
from trichotrack.pictures import Mark, compare, save_picture
from trichotrack.problems import Problem
from trichotrack.runtime.reading import ModelRef
from trichotrack.signs import Sign

SCHEMA = "trichotrack.evaluation/1"


@dataclass(frozen=True)
class Comparison:
    """What was labelled and what was predicted in one capture, as marks for pictures (original px)."""

    file: str
    patient: str
    labelled: tuple[Mark, ...]
    predicted: tuple[Mark, ...]


@dataclass(frozen=True)
class Evaluation:
    """How a model agrees with labels.

    data, split, rater: whose labels of which captures. signs: figures by sign. unlabelled: captures by sign where it
    is not labelled in a way that can be scored; refused: where the model refused it. seconds: spent reading captures
    (decoding the files included). problems: captures that could not be used. classes: of the structures that are both
    labelled and found, whether they are called the same (rows by label); None where there are none. patients_notice:
    what must stand beside every figure where patients are not known (see labels/patients.py), else "". tolerance_mm:
    how near a mark had to be; None for a model trained without scales, where tolerance_px, in images resampled to
    long_side_px, stands for it. splits: captures by the split that they are in. presence: of signs of which in some
    captures only the presence is known. scores, presences, pairs: what the figures were taken from, by capture.
    labels_sha256: of what they were compared with (see evaluate.provenance). seen: by file, "train" where the capture
    taught the model under whatever name, "val" where it chose it; None where the model does not tell. seen_wholly:
    whether it tells of the weights it started from, too. by_fold: of a set that is shared out in folds, captures
    evaluated and captures there are, by fold. folds: of several models, each on patients of its own, the
    evaluations that were pooled into this one, by name.
    """

    model: ModelRef
    data: str
    split: str | None
    rater: str
    tolerance_mm: float | None
    ignored_signs: tuple[str, ...]
    captures: int
    patients: int
    signs: Mapping[str, SignFigures]
    scores: tuple[CaptureScore, ...]
    unlabelled: Mapping[str, int]
    refused: Mapping[str, int]
    comparisons: tuple[Comparison, ...]
    problems: tuple[Problem, ...]
    seconds: float
    classes: ClassAgreement | None = None
    patients_notice: str = ""
    tolerance_px: float | None = None
    long_side_px: int | None = None
    splits: Mapping[str, int] = field(default_factory=dict)
    presence: Mapping[str, PresenceFigures] = field(default_factory=dict)
    presences: tuple[CapturePresence, ...] = ()
    pairs: tuple[CapturePairs, ...] = ()
    labels_sha256: str = ""
    seen: Mapping[str, str] | None = None
    seen_wholly: bool = False
    by_fold: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    folds: Mapping[str, Evaluation] = field(default_factory=dict)

    @property
    def calibrated(self) -> bool:
        """Whether the model goes by scale."""
        return self.long_side_px is None

    @property
    def left_out(self) -> dict[str, int]:
        """Captures that are in none of the evaluations pooled here, by the fold of their set that they are in."""
        if not self.folds:
            return {}
        return {fold: there - evaluated for fold, (evaluated, there) in self.by_fold.items() if there > evaluated}

    @property
    def seen_notice(self) -> str:
        """How many of the captures taught or chose the model, whatever they are called; "" where it does not tell."""
        if self.seen is None:
            return ""
        whose = "the model of their fold" if self.folds else "this model"
        counts = Counter(self.seen.values())
        did = [f"{counts[split]} {what}" for split, what in (("train", "taught"), ("val", "chose")) if counts[split]]
        if did:
            what = f"{' and '.join(did)} {whose}{' and its thresholds' * bool(counts['val'])}"
            return f"Of {self.captures} captures, known by content and not by name, {what}: figures are too good."
        start = "" if self.seen_wholly else ", as far as is known of the weights that it started from"
        return f"Known by content and not by name, none of these captures taught or chose {whose}{start}."

    def to_dict(self) -> dict[str, Any]:
        """Everything but the counts per capture and the marks."""
        return {
            "schema": SCHEMA,
            "model": asdict(self.model),
            "data": {
                "name": self.data,
                "split": self.split,
                "rater": self.rater,
                "captures": self.captures,
                "patients": self.patients,
                "splits": dict(self.splits),
                **({"labels_sha256": self.labels_sha256} if self.labels_sha256 else {}),
                **({} if self.seen is None else {"seen": self._seen()}),
                **({"by_fold": {fold: list(counts) for fold, counts in self.by_fold.items()}} if self.by_fold else {}),
                **({"patients_notice": self.patients_notice} if self.patients_notice else {}),
            },
            "tolerance_mm": self.tolerance_mm,
            **({} if self.calibrated else {"tolerance_px": self.tolerance_px, "long_side_px": self.long_side_px}),
            "ignored_signs": list(self.ignored_signs),
            "seconds": round(self.seconds, 3),
            "signs": {name: asdict(figures) for name, figures in self.signs.items()},
            **({"presence": {name: asdict(one) for name, one in self.presence.items()}} if self.presence else {}),
            "classes": None if self.classes is None else asdict(self.classes),
            "unlabelled": dict(self.unlabelled),
            "refused": dict(self.refused),
            "problems": [asdict(problem) for problem in self.problems],
            **({"folds": {name: fold.to_dict() for name, fold in self.folds.items()}} if self.folds else {}),
        }

    def _seen(self) -> dict[str, int | bool]:
        counts = Counter((self.seen or {}).values())
        return {"train": counts["train"], "val": counts["val"], "complete": self.seen_wholly}

    def worst(self, limit: int) -> list[Comparison]:
        """Captures with the most points false or missed, worst first; captures without any are left out."""
        errors: dict[str, int] = {}
        for score in self.scores:
            errors[score.file] = errors.get(score.file, 0) + score.errors
        ranked = sorted(self.comparisons, key=lambda comparison: (-errors.get(comparison.file, 0), comparison.file))
        return [comparison for comparison in ranked[:limit] if errors.get(comparison.file)]


CAPTURES, CLASSES = "captures.csv", "classes.csv"
SUMMARY = "evaluation.json"
COUNT_COLUMNS = ("labelled", "predicted", "right", "false", "missed", "area_cm2")
CAPTURE_COLUMNS = ("file", "patient", "sign", *COUNT_COLUMNS, "present", "chance", "seen")
CLASS_COLUMNS = ("file", "patient", "labelled", "predicted", "structures")


def captures_csv(evaluation: Evaluation) -> str:
    """A line per capture and sign.

    right, false and missed are blank where only the number is labelled, and so are labelled and predicted where only
    the presence is. seen: see Evaluation.
    """
    scores = {(score.file, score.sign): score for score in evaluation.scores}
    presences = {(told.file, told.sign): told for told in evaluation.presences}
    lines = []
    for key in dict.fromkeys([*presences, *scores]):
        score, told = scores.get(key), presences.get(key)
        one = score or presences[key]
        names = [escape(name) for name in (one.file, one.patient, one.sign)]
        presence = [str(int(told.present)), repr(told.chance)] if told else ["", ""]
        lines.append([*names, *_counts(score), *presence, (evaluation.seen or {}).get(one.file, "")])
    return csv_text(CAPTURE_COLUMNS, lines)


def _counts(score: CaptureScore | None) -> list[str]:
    if score is None:
        return [""] * len(COUNT_COLUMNS)
    numbers = (score.reference, score.predicted, score.tp, score.fp, score.fn)
    area = "" if score.area_cm2 is None else f"{score.area_cm2:.6g}"
    return [*("" if number is None else str(number) for number in numbers), area]


def classes_csv(evaluation: Evaluation) -> str:
    """Of the structures both labelled and found, how many are labelled as what and called what, by capture.

    A capture without any has one line, without signs.
    """
    lines = []
    for capture in evaluation.pairs:
        names = [escape(capture.file), escape(capture.patient)]
        counts = Counter(capture.pairs)
        lines += [[*names, escape(a), escape(b), str(count)] for (a, b), count in sorted(counts.items())]
        if not counts:
            lines.append([*names, "", "", "0"])
    return csv_text(CLASS_COLUMNS, lines)


def write_evaluation(evaluation: Evaluation, folder: Path, provenance: Mapping[str, Any]) -> list[Path]:
    """Writes evaluation.json (with provenance: command, date, machine …), captures.csv and classes.csv.

    From these read_evaluation has the evaluation again. Returns their paths.
    """
    folder.mkdir(parents=True, exist_ok=True)
    record = {**evaluation.to_dict(), **provenance}
    texts = {
        SUMMARY: json.dumps(record, ensure_ascii=False, indent=1, allow_nan=False) + "\n",
        CAPTURES: captures_csv(evaluation),
        CLASSES: classes_csv(evaluation),
    }
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8", newline="")
    return [folder / name for name in texts]


def draw_worst(
    evaluation: Evaluation, images: Path, folder: Path, signs: Mapping[str, Sign], *, limit: int = 8
) -> list[Path]:
    """Pictures of the captures with the most errors, labelled beside predicted: 01_name.jpg is the worst.

    images: the labelled folder. signs: how to draw them. Pictures of an earlier evaluation there are removed. Returns
    the files written.
    """
    for earlier in folder.glob("[0-9][0-9]_*.jpg"):
        earlier.unlink()
    written = []
    for rank, comparison in enumerate(evaluation.worst(limit), 1):
        # A sign marked as its children would stand in the legend with none.
        parents = {signs[name].parent for name in evaluation.signs if name in signs}
        shown = {name: signs[name] for name in evaluation.signs if name in signs and name not in parents}
        pixels = read_capture(images / comparison.file).pixels
        picture = compare(pixels, comparison.labelled, comparison.predicted, shown, _caption(evaluation, comparison))
        path = folder / f"{rank:02d}_{Path(comparison.file).stem}.jpg"
        save_picture(picture, path)
        written.append(path)
    return written


def _caption(evaluation: Evaluation, comparison: Comparison) -> str:
    parts = [f"{comparison.file}, patient {comparison.patient}."]
    parts += [
        f"{score.sign}: {score.tp} right, {score.fp} false, {score.fn} missed."
        for score in evaluation.scores
        if score.file == comparison.file and score.fp is not None
    ]
    if evaluation.seen and comparison.file in evaluation.seen:
        parts.append(f"It {'taught' if evaluation.seen[comparison.file] == 'train' else 'chose'} the model.")
    if evaluation.patients_notice:
        parts.append(f"{evaluation.patients_notice[0].upper()}{evaluation.patients_notice[1:]}.")
    if evaluation.model.notice:
        parts.append(evaluation.model.notice)
    return " ".join(parts)

"""What an analysis leaves in a folder besides the page: results.json, and a tidy table of each kind."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import trichotrack
from trichotrack.cohort.analysis import CohortAnalysis
from trichotrack.cohort.counts import CountsOverVisits, Density, Ratio
from trichotrack.cohort.endpoints import Share
from trichotrack.cohort.response_time import response_interval
from trichotrack.cohort.score import Score
from trichotrack.cohort.sentences import sections
from trichotrack.labels.spreadsheet import csv_text, escape, number_text

Rows = Iterable[Sequence[object]]


def tables(found: CohortAnalysis) -> dict[str, tuple[tuple[str, ...], list[list[object]]]]:
    """By file name without .csv: columns and rows. None is an empty cell."""
    share = ("events", "total", "percent", "low", "high")
    logistic = found.regressions.logistic
    result: dict[str, tuple[tuple[str, ...], list[list[object]]]] = {
        "endpoints": (
            ("endpoint", "month", "set", *share),
            [
                [one.name, found.settings.month, name, *_cells(value)]
                for one in found.endpoints
                for name, value in (("non-responders imputed", one.imputed), ("completers", one.completers))
            ],
        ),
        "subgroups": (
            ("column", "group", "set", *share),
            [
                [one.column, one.group, name, *_cells(value)]
                for one in found.subgroups
                for name, value in (("non-responders imputed", one.imputed), ("completers", one.completers))
            ],
        ),
        "outcomes": (
            ("patient", "aa_type", "salt0", "salt", "improvement_rate", "responded", "assessed", "after_month",
             "by_month"),
            [_outcome(one) for one in found.people.outcomes],
        ),
        "odds_ratios": (
            ("predictor", "fit", "odds_ratio", "low", "high", "p", "separated"),
            [
                [row.name, name, odds.ratio, odds.low, odds.high, odds.p, row.name in logistic.separated]
                for row in logistic.rows
                for name, odds in (("maximum likelihood", row.likelihood), ("Firth", row.firth))
            ],
        ),
        "improvement_rate": (
            ("predictor", "points", "low", "high", "p"),
            [[row.name, row.points, row.low, row.high, row.p] for row in found.regressions.linear.rows],
        ),
        "adverse_events": (
            ("kind", *share, "by_grade"),
            [
                [one.kind, *_cells(one.patients), "; ".join(f"{grade}: {number}" for grade, number in one.by_grade)]
                for one in found.events
            ],
        ),
    }  # fmt: skip
    if found.time:
        result["time_kaplan_meier"] = (
            ("month", "share", "low", "high", "at_risk"),
            [[one.month, one.share, one.low, one.high, one.at_risk] for one in found.time.steps],
        )
        result["time_turnbull"] = (
            ("after_month", "by_month", "share_in_between", "share_by", "low", "high"),
            [[one.left, one.right, one.mass, one.by, one.low, one.high] for one in found.time.turnbull],
        )
    return result


def _cells(share: Share) -> list[object]:
    return [share.events, share.total, 100 * share.share, 100 * share.low, 100 * share.high]


def _outcome(one: Any) -> list[object]:
    interval = response_interval(one.patient)
    return [
        one.patient.id, one.patient.facts.get("aa_type"), one.salt0, one.salt, one.rate, one.responded, one.completer,
        interval.left, interval.right,
    ]  # fmt: skip


def cell(value: object) -> str:
    """As a table holds it: empty for what is unknown, "inf" kept, 1 and 0 for yes and no, ten digits at most."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, bool):
        return str(int(value))
    if isinstance(value, float) and math.isinf(value):
        return "inf" if value > 0 else "-inf"
    if isinstance(value, int | float):
        return number_text(float(f"{value:.10g}"))
    return escape(str(value))


def write_table(path: Path, columns: Sequence[str], rows: Rows) -> Path:
    path.write_text(csv_text(columns, [[cell(value) for value in row] for row in rows]), "utf-8", newline="\n")
    return path


def results(found: CohortAnalysis) -> dict[str, Any]:
    """For machines. What is not known, open or infinite is null (odds ratios are infinite only where separated)."""
    logistic = found.regressions.logistic
    return {
        "schema": "trichotrack.cohort/1",
        "software": f"trichotrack {trichotrack.__version__}",
        "cohort": found.cohort.name,
        "synthetic": found.cohort.synthetic,
        "settings": plain(dataclasses.asdict(found.settings)),
        "analysis_set": {
            "name": found.people.name,
            "treated": found.people.treated,
            "patients": len(found.people.outcomes),
            "completers": len(found.people.completers),
            "left_out": [{"patient": patient, "reason": reason} for patient, reason in found.people.left_out],
        },
        "logistic": {
            "set": found.regressions.who,
            "patients": logistic.patients,
            "responders": logistic.responders,
            "events_per_variable": plain(logistic.events_per_variable),
            "separated": list(logistic.separated),
            "problem": logistic.problem or None,
        },
        "duration_as_years": plain(_dict(found.regressions.by_years)),
        "prediction": plain(_dict(found.regressions.prediction)),
        "improvement_rates": plain(dataclasses.asdict(found.rates)),
        "loss_of_benefit": plain(dataclasses.asdict(found.loss)),
        **{
            name: [plain(dict(zip(columns, row, strict=True))) for row in rows]
            for name, (columns, rows) in tables(found).items()
        },
        "sentences": {one.name: list(one.sentences) for one in sections(found)},
    }


def _dict(value: Any) -> dict[str, Any] | None:
    return None if value is None else dataclasses.asdict(value)


def plain(value: Any) -> Any:
    """Values that JSON has: NaN and infinities become null."""
    if isinstance(value, Mapping):
        return {key: plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [plain(inner) for inner in value]
    if isinstance(value, float):
        return float(f"{value:.10g}") if math.isfinite(value) else None
    return value


def write_counts(found: CountsOverVisits, sentences: Sequence[str], folder: Path) -> tuple[dict[str, Any], list[Path]]:
    """(values for machines, files): counts.json, densities.csv and ratios.csv."""
    values = {"schema": "trichotrack.cohort-counts/1", **plain(dataclasses.asdict(found)), "sentences": list(sentences)}
    files = [
        _write_json(folder / "counts.json", values),
        _write_all(folder / "densities.csv", Density, found.densities),
        _write_all(folder / "ratios.csv", Ratio, found.ratios),
    ]
    return values, files


def write_scores(scores: Sequence[Score], sentences: Sequence[str], folder: Path) -> tuple[dict[str, Any], Path]:
    """(values for machines, the table scores.csv)."""
    values = {
        "schema": "trichotrack.cohort-score/1",
        "sentences": list(sentences),
        "scores": [plain(dataclasses.asdict(one)) for one in scores],
    }
    return values, _write_all(folder / "scores.csv", Score, scores)


def _write_all(path: Path, kind: Any, values: Sequence[Any]) -> Path:
    """A table with the fields of a dataclass as columns."""
    columns = [field.name for field in dataclasses.fields(kind)]
    return write_table(path, columns, [[getattr(value, column) for column in columns] for value in values])


def _write_json(path: Path, values: Mapping[str, Any]) -> Path:
    path.write_text(json.dumps(values, ensure_ascii=False, indent=1) + "\n", "utf-8", newline="\n")
    return path


def write_results(found: CohortAnalysis, folder: Path) -> list[Path]:
    """results.json and the tables into folder, which is made where it is missing."""
    folder.mkdir(parents=True, exist_ok=True)
    return [
        _write_json(folder / "results.json", results(found)),
        *(write_table(folder / f"{name}.csv", columns, rows) for name, (columns, rows) in tables(found).items()),
    ]

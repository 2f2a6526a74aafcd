"""Writes docs/benchmarks.md from benchmarks/results/*.json; with --check, fails where it is out of date.

uv run benchmarks/render.py
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from typing import Any

import render_exams
from page_parts import figure, figure_table, names, paragraph
from records import RESULTS

DOCUMENT = RESULTS.parents[1] / "docs" / "benchmarks.md"

INTRODUCTION = """\
# Benchmarks

Made by `uv run benchmarks/render.py` from `benchmarks/results/`; do not edit. Beside each figure stand the command that
makes it and the machine it was measured on. In brackets: 95 % intervals by resampling patients; on drawn captures, by
resampling captures.
"""


def render(records: list[dict[str, Any]]) -> str:
    """The whole page; sections in the order of SECTIONS, results in that of their names."""
    page = [INTRODUCTION]
    for kind, (title, section) in SECTIONS.items():
        chosen = sorted((record for record in records if record["kind"] == kind), key=lambda record: record["name"])
        if chosen:
            page.append(f"## {title}\n")
            page += [section(record) + _measured(record) for record in chosen]
    return "\n".join(page)


def _quality(record: dict[str, Any]) -> str:
    data = record["data"]
    of_split = f", split `{data['split']}`" if data["split"] else ""
    described = (
        f"Model `{record['model']['name']}` on {data['captures']} captures of {data['patients']} patients{of_split}. "
        f"A mark within {record['tolerance_mm']:g} mm of a labelled point is right, one to one."
    )
    lines = [f"### {record['name']}\n", described]
    if record["ignored_signs"]:
        lines.append(f"Marks on {names(record['ignored_signs'])} are neither right nor wrong.")
    for what, counts in (("Not labelled", record["unlabelled"]), ("Refused", record["refused"])):
        told = ", ".join(f"`{sign}` {count}" for sign, count in counts.items() if count)
        lines += [f"{what}, and passed over, in so many captures: {told}."] if told else []
    if record["problems"]:
        lines.append(f"{len(record['problems'])} captures could not be read.")
    rows = [
        [f"`{sign}`", str(row["captures"]), str(row["labelled"])]
        + [figure(row[name], ".3f") for name in ("f1", "precision", "recall")]
        + [figure(row["count_mae"], ".2f"), figure(row["bias"], "+.2f")]
        + [figure(row["false_positives_per_cm2"], ".1f")]
        for sign, row in record["signs"].items()
    ]
    header = ["sign", "captures", "labelled", "F1", "precision", "recall", "count MAE", "bias", "false per cm²"]
    notices = [_same_sign(record), record["model"]["notice"], record["note"]]
    notices = [text for text in notices if text]
    return paragraph(lines) + figure_table(header, rows) + (paragraph(notices) if notices else "")


def _same_sign(record: dict[str, Any]) -> str:
    classes = record.get("classes")
    if not classes or len(classes["signs"]) < 2:
        return ""
    kappa = f"; Cohen's κ {figure(classes['kappa'], '.3f')}" if classes["kappa"] else ""
    share = figure(classes["agreement"], ".3f")
    return f"Of {classes['matched']} structures both labelled and found, called the same: {share}{kappa}."


def _speed(record: dict[str, Any]) -> str:
    rows = [
        [
            f"{case['width']}×{case['height']} at {case['um_per_px']:g} µm/px",
            str(case["threads"]),
            f"{case['captures_per_s']:.2f}",
            f"{case['bare_captures_per_s']:.2f}",
            f"{case['ratio']:.2f} ({case['ratio_low']:.2f} to {case['ratio_high']:.2f})",
        ]
        for case in record["cases"]
    ]
    described = (
        "Captures a second from file to reading, beside bare `session.run` on the same tensors, both timed in turn in "
        f"each of {record['rounds']} rounds. Ratio: median over rounds (smallest to largest); 1 is the machine's limit."
    )
    lines = [f"### {record['name']}\n", described]
    return paragraph(lines) + figure_table(["capture", "threads", "captures/s", "bare session/s", "ratio"], rows)


def _backbones(record: dict[str, Any]) -> str:
    rows = [
        [
            f"`{row['backbone']}`",
            f"{row['ms']:.0f}",
            f"{row['weights_millions']:.2f}",
            f"{row['file_mb']:.1f}",
            "; ".join(f"{figure(cell['f1'], '.3f')} from {cell['start']}" for cell in row["quality"]) or "not measured",
        ]
        for row in record["backbones"]
    ]
    height, width = record["field_px"]
    described = (
        f"The exported graph on one 70× field at the canonical scale ({width}×{height} px), {record['threads']} "
        f"threads, the backbones in turn, median of {record['rounds']} rounds; beside it any-hair F1 on real captures "
        "(below, all people, the same steps, of the day and with the remark told there)."
    )
    lines = [f"### {record['name']}\n", described]
    return paragraph(lines) + figure_table(["backbone", "ms", "million weights", "file, MB", "real root F1"], rows)


def _synth_speed(record: dict[str, Any]) -> str:
    rows = [
        [
            f"{case['width']}×{case['height']} at {case['um_per_px']:g} µm/px",
            f"{case['captures_per_s']:.1f}",
            f"{case['decoded_per_s']:.0f}",
            f"{case['ratio']:.3f} ({case['ratio_low']:.3f} to {case['ratio_high']:.3f})",
        ]
        for case in record["cases"]
    ]
    described = (
        "Synthetic captures rendered a second of one core's time, beside Pillow decoding JPEG files of the same "
        f"captures, both timed in turn in each of {record['rounds']} rounds. Ratio: median over rounds (smallest to "
        "largest); at 1, drawing a capture would cost no more than reading one."
    )
    lines = [f"### {record['name']}\n", described]
    return paragraph(lines) + figure_table(["capture", "rendered/s", "decoded/s", "ratio"], rows)


def _install(record: dict[str, Any]) -> str:
    largest = list(record["packages_mb"].items())[:6]
    told = ", ".join(f"{name} {size:g}" for name, size in largest)
    described = (
        f"The core dependencies take **{record['total_mb']:.0f} MB** (limit {record['limit_mb']} MB), bytecode not "
        f"counted, in {len(record['packages_mb'])} packages; the largest, in MB: {told}."
    )
    return paragraph([f"### {record['name']}\n", described])


def _record_speed(record: dict[str, Any]) -> str:
    rows = [
        [question, f"{times['median_ms']:.0f}", f"{times['worst_ms']:.0f}", f"{times['median_cpu_ms']:.0f}"]
        for question, times in record["questions"].items()
    ]
    described = (
        f"{record['patients']} patients of {record['visits']} visits with {record['captures']} captures each, "
        f"{record['record_mb']} MB: each question from opening the record to its answer, in turn, {record['rounds']} "
        f"rounds; {record['limit_ms']} ms are asked. Beside the clock stands the processor's time, which other work on "
        "the machine does not lengthen."
    )
    header = ["question", "median ms", "worst ms", "processor ms"]
    return paragraph([f"### {record['name']}\n", described]) + figure_table(header, rows)


def _matching(record: dict[str, Any]) -> str:
    told = f"{record['pairs']} pairs of synthetic captures; the figures are in [matching](matching.md#figures)."
    return paragraph([f"### {record['name']}\n", told])


SECTIONS: dict[str, tuple[str, Callable[[dict[str, Any]], str]]] = {
    "quality": ("Agreement with labels", _quality),
    "synthetic-exam": ("Drawn captures, other seeds", render_exams.synthetic_exam),
    "held-out": ("Nuisances beyond the renderer's training priors", render_exams.held_out),
    "exam-difficulty": ("Is drawn scalp easier than real?", render_exams.exam_difficulty),
    "zero-shot": ("Real captures without training on them", render_exams.zero_shot),
    "backbones": ("Which backbone", _backbones),
    "fine-tuning": ("Fine-tuning on few people", render_exams.fine_tuning),
    "levels": ("What each level of label teaches", render_exams.levels),
    "suggested": ("Suggested captures against random ones", render_exams.suggested),
    "speed": ("Speed", _speed),
    "synth-speed": ("Speed of drawing", _synth_speed),
    "record-speed": ("Speed of the record", _record_speed),
    "matching": ("The same hairs found again", _matching),
    "install": ("Size of an installation", _install),
}


def _measured(record: dict[str, Any]) -> str:
    machine, versions = record["machine"], record["versions"]
    told = ", ".join(f"{package} {version}" for package, version in versions.items())
    place = f"{machine['processor']}, {machine['cores']} cores, {machine['system']}, Python {machine['python']}"
    return f"`{record['command']}`\n({record['date']}; {place}; {told})\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    page = render([json.loads(path.read_text(encoding="utf-8")) for path in sorted(RESULTS.glob("*.json"))])
    if options.check:
        if not DOCUMENT.is_file() or DOCUMENT.read_text(encoding="utf-8") != page:
            raise SystemExit("docs/benchmarks.md is out of date: run `uv run benchmarks/render.py`.")
        return
    DOCUMENT.parent.mkdir(exist_ok=True)
    DOCUMENT.write_text(page, encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()

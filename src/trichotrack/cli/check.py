"""`trichotrack check`: a model's own self-test, and what the model says of itself."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from trichotrack.runtime.counter import Counter
    from trichotrack.runtime.spec import ModelSpec


def check(
    model: Annotated[Path, typer.Argument(help="Exported model (.onnx).")],
    threads: Annotated[int | None, typer.Option(min=1, help="Of one inference. Default: one per core.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for machines.")] = False,
) -> None:
    """Run a model's own self-test on this computer and say what the model is. Exit status 3 where the test fails.

    Example: trichotrack check my-model.onnx
    """
    from trichotrack.runtime.counter import Counter
    from trichotrack.runtime.selftest import run_selftest

    counter = Counter(model, threads=threads)
    result = run_selftest(counter)
    if as_json:
        content = {
            "model": str(model),
            "sha256": counter.model.sha256,
            "passed": result.passed,
            "expected": result.expected,
            "found": result.found,
            "differences": [str(difference) for difference in result.differences],
            "spec": json.loads(counter.spec.to_json()),
        }
        typer.echo(json.dumps(content, ensure_ascii=False, indent=1))
    else:
        _describe(counter)
        typer.echo(f"Self-test {'passed' if result.passed else 'FAILED'}: {result}")
    if not result.passed:
        raise typer.Exit(3)


def _describe(counter: Counter) -> None:
    from rich.console import Console
    from rich.table import Table

    spec = counter.spec
    if spec.um_per_px is None:
        scale = f"none (long side {spec.long_side_px} px): counts per capture only"
    else:
        scale = f"{spec.um_per_px:g} µm per px"
        if spec.training_um_per_px:
            scale += " (trained for captures of {:g} to {:g})".format(*spec.training_um_per_px)
    facts = {
        "name": spec.name,
        "sha256": counter.model.sha256,
        "scale": scale,
        "trained on": spec.trained_on,
        "validated on": spec.validated_on,
        "validated on people": spec.validated_on_people or "no",
        "vellus cut-off": f"{spec.vellus_cutoff_um:g} µm",
        "judged by": _tolerance(spec),
        "ignored": ", ".join(spec.ignored),
        "code": spec.code_version,
        "recipe": spec.recipe_sha256,
        "data": spec.data_sha256,
        "licence": spec.licence,
        "intended use": spec.intended_use,
        "notes": spec.notes,
    }
    for name, value in facts.items():
        if value:
            typer.echo(f"{name}: {value}")
    table = Table("sign", "threshold", "recall", "false positives per cm²")
    for channel in spec.signs:
        there = channel.on("clipped")
        rows = [(channel.sign.label, channel)] + ([] if there is channel else [("  on clipped scalps", there)])
        for name, one in rows:
            table.add_row(
                name,
                f"{one.threshold:.3f}",
                _figure(one.recall, one.recall_se),
                _figure(one.false_positives_per_cm2, one.false_positives_per_cm2_se),
            )
    Console().print(table)


def _tolerance(spec: ModelSpec) -> str:
    if spec.tolerance_mm:
        return f"marks within {spec.tolerance_mm:g} mm"
    if spec.tolerance_px:
        return f"marks within {spec.tolerance_px:g} px of images of a long side of {spec.long_side_px} px"
    return ""


def _figure(value: float | None, error: float | None) -> str:
    if value is None:
        return "not measured"
    return f"{value:.2f}" if error is None else f"{value:.2f} ± {error:.2f} (SE)"

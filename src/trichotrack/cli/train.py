"""`trichotrack train` and `trichotrack export-model`: train.py and export.py for those who installed a wheel."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

PASS_ON = {"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}


def train(context: typer.Context) -> None:
    """Train or fine-tune a model; takes all that Lightning's command line takes.

    Example: trichotrack train fit --config my.yaml --data.init_args.labels my-labels

    A name without a folder, such as `--config demo.yaml`, also finds the recipes that came with trichotrack.
    """
    from trichotrack.model.cli import main

    main([_recipe(argument) for argument in context.args] or ["--help"])


def export_model(
    checkpoint: Annotated[Path, typer.Argument(help="A checkpoint of a training run, such as best.ckpt.")],
    out: Annotated[Path, typer.Argument(help="The model to write, ending in .onnx.")],
    name: Annotated[str, typer.Option(help="What readings call the model; by default the file's name.")] = "",
    licence: Annotated[str, typer.Option(help="Under which terms the model may be used.")] = "",
    notes: Annotated[str, typer.Option(help="What else a user of the model must know.")] = "",
    weights: Annotated[
        Path | None, typer.Option(help="Also write the weights to fine-tune from, ending in .safetensors.")
    ] = None,
) -> None:
    """Write a checkpoint as an ONNX file that carries its spec and passes its own self-test.

    Example: trichotrack export-model runs/demo/version_0/checkpoints/best.ckpt my-model.onnx
    """
    from rich.console import Console

    from trichotrack.model.export import export
    from trichotrack.model.task import load_task
    from trichotrack.model.weights import save_weights

    task, kept = load_task(checkpoint)
    if weights:
        save_weights(task.network, task.plan.signs, weights, kept["manifest"].get("captures"))
    spec = export(checkpoint, out, name=name, licence=licence, notes=notes)
    size = out.stat().st_size / 1e6
    scale = f"at {spec.um_per_px:g} µm per px" if spec.um_per_px else f"without scale, long side {spec.long_side_px} px"
    Console().print(
        f"{out} ({size:.1f} MB): {len(spec.signs)} signs {scale}; it gives what PyTorch gives "
        f"on three sizes, and passes its self-test (`trichotrack check {out}`)."
    )


def recipes() -> Path:
    """The folder of training recipes: package data in a wheel, configs/ in a clone."""
    import trichotrack

    package = Path(trichotrack.__file__).parent
    packed = package / "recipes"
    return packed if packed.is_dir() else package.parents[1] / "configs"


def _recipe(argument: str) -> str:
    named = Path(argument)
    if named.suffix == ".yaml" and named.name == argument and not named.exists() and (recipes() / argument).is_file():
        return str(recipes() / argument)
    return argument

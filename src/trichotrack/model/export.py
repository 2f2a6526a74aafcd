"""Checkpoint to ONNX. The file appears only after it has proved to give what PyTorch gives."""

from __future__ import annotations

import copy
import math
import tempfile
import warnings
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from trichotrack.detect.decode import decode
from trichotrack.detect.detections import Detections
from trichotrack.evaluate.points import DEFAULT_THRESHOLD
from trichotrack.model.network import SHAFT_SCALE_UM, halo_px, normalise
from trichotrack.model.plan import PAD_VALUE, STRIDE, TOTAL_STRIDE, Plan
from trichotrack.model.seen import of_synthesis_alone
from trichotrack.model.task import SignTask, load_task, peak_scores
from trichotrack.problems import InputError
from trichotrack.runtime.counter import MIN_SCALP_P, Counter
from trichotrack.runtime.model_file import SELFTEST_KEY
from trichotrack.runtime.selftest import compare_detections, make_selftest, run_selftest
from trichotrack.runtime.spec import METADATA_KEY, OUTPUTS, ModelSpec, OnClipped, SignSpec
from trichotrack.signs import VELLUS_CUTOFF_UM, Sign
from trichotrack.synth.render import capture_rng, render_capture

PARITY_SHAPES = ((448, 576), (256, 256), (64, 704))
"""(H, W) on which ONNX Runtime must agree with PyTorch: none is the shape that was traced."""

SHAFT_TOLERANCE = 1e-3
"""The same of `shaft`: 0.1 % of a length or width. Where no shaft is, rounding turns the direction that is followed."""

TENSOR_TOLERANCE = 1e-4
"""Largest difference allowed in any output, or share of it above 1; scores within it of a threshold or a rival may fall
either way."""

PARITY_PX = 0.05
"""Largest move allowed of any detection, canonical px."""

SELFTEST_PX = (640, 512)
SELFTEST_TRIES = 20

EXPORT_SEED = 2**31 - 2
"""Of the scalps that an export is checked on; no training draws them."""

DRAWN_UM_PER_PX = (6.0, 9.0, 4.0, 12.0)
"""Scales at which scalps are drawn in turn for a model that goes by none: nobody knows which is most like its own."""


class Exported(nn.Module):
    """What travels: normalisation, network, sigmoid and peak mask, from uint8 (1, H, W, 3) to the named outputs."""

    def __init__(self, task: SignTask, outputs: Sequence[str]) -> None:
        super().__init__()
        self.outputs = tuple(outputs)
        self.network = copy.deepcopy(task.network).eval().to(memory_format=torch.contiguous_format)
        # So that a score is the chance that training reckoned with; nothing is added where there is nothing to change.
        self.calibration: nn.Module = copy.deepcopy(task.calibration) if task.calibration.changes else nn.Identity()

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        heads = self.network(normalise(image))
        direction, logs = heads["shaft"].split((2, 3), dim=1)
        # The network reckons in units of SHAFT_SCALE_UM; what leaves the graph is the logarithm of µm.
        shaft = torch.cat([direction, logs + math.log(SHAFT_SCALE_UM)], dim=1)
        peaks = peak_scores(self.calibration(heads["logits"]))
        leaves = {**heads, "peaks": peaks, "shaft": shaft, "scalp": heads["scalp"].sigmoid()}
        return tuple(leaves[name] for name in self.outputs)


def export(checkpoint: Path, out: Path, *, name: str = "", licence: str = "", notes: str = "") -> ModelSpec:
    """Write out (.onnx) from a checkpoint, with its spec and self-test inside; returns the spec.

    Before the file appears, ONNX Runtime must give PyTorch's tensors (within TENSOR_TOLERANCE) and the same
    detections on three shapes, and the file must pass its own self-test. Raises InputError where it does not.
    """
    if out.suffix != ".onnx":
        raise InputError(f"{out}: an exported model's name ends in .onnx.")
    task, kept = load_task(checkpoint)
    spec = spec_of(task, kept, name=name or out.stem, licence=licence, notes=notes)
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=".export-") as folder:
        unfinished = Path(folder) / out.name
        graph = Exported(task, spec.outputs).eval()
        write_graph(graph, unfinished)
        check_parity(graph, unfinished, spec)
        _add_metadata(unfinished, spec, graph)
        result = run_selftest(Counter(unfinished))
        if not result.passed:
            raise InputError(f"the exported model fails its own self-test, so {out} was not written: {result}")
        unfinished.replace(out)
    return spec


def spec_of(task: SignTask, kept: dict[str, Any], *, name: str, licence: str, notes: str) -> ModelSpec:
    """What the model says of itself, from its checkpoint (see SignTask.on_save_checkpoint)."""
    manifest, plan = kept["manifest"], task.plan
    if kept["validated_epoch"] != kept["epoch"]:
        raise InputError(
            f"this checkpoint is of epoch {kept['epoch'] + 1} but was last validated at epoch "
            f"{kept['validated_epoch'] + 1}: its thresholds are not its own. Export best.ckpt."
        )
    calibrated = plan.calibrated
    signs = tuple(_sign_spec(sign, kept["validated"].get(sign["name"])) for sign in kept["signs"])
    people, captures = _validated_with(kept["validated"])
    return ModelSpec(
        name=name,
        signs=signs,
        um_per_px=plan.um_per_px,
        long_side_px=plan.long_side_px,
        stride=STRIDE,
        total_stride=TOTAL_STRIDE,
        halo_px=halo_px(task.network),
        pad_value=PAD_VALUE,
        min_distance_um=plan.min_distance_um,
        min_distance_px=None if calibrated else plan.min_distance_px,
        outputs=_outputs(plan, teaches_scalp=manifest["teaches_scalp"]),
        trained_on=f"{_taught(kept)}; started from {manifest['start']}",
        validated_on=_validated_on(manifest, captures, people) + _known_of_captures_alone(kept["validated"]),
        vellus_cutoff_um=VELLUS_CUTOFF_UM,
        measures=tuple(manifest["measures"]) if calibrated else (),
        trained_on_synthesis=of_synthesis_alone(manifest),
        tolerance_mm=plan.tolerance_mm,
        tolerance_px=None if calibrated else plan.tolerance_px,
        ignored=tuple(plan.ignore),
        training_um_per_px=(manifest["um_per_px"][0], manifest["um_per_px"][1]) if calibrated else None,
        data_sha256=manifest["data_sha256"],
        code_version=f"{metadata.version('trichotrack')} ({manifest['commit'] or 'no commit'})",
        licence=licence,
        notes=notes,
        training={
            "recipe": manifest.get("recipe", {}),
            "plan": kept["hyper_parameters"]["plan"],
            "epoch": kept["epoch"],
            "validated": kept["validated"],
            **({"captures": manifest["captures"]} if "captures" in manifest else {}),
        },
    )


def _outputs(plan: Plan, *, teaches_scalp: bool) -> tuple[str, ...]:
    # Taught by no label, the scalp head would say anything; lengths and widths are in µm, which no scale taught.
    untaught = {name for name, taught in (("scalp", teaches_scalp), ("shaft", plan.calibrated)) if not taught}
    return tuple(name for name in OUTPUTS if name not in untaught)


def _drawn(manifest: dict[str, Any]) -> bool:
    """Whether the data have no tables that could be hashed: they were drawn."""
    return not manifest["data_sha256"]


def _taught(kept: dict[str, Any]) -> str:
    manifest, epochs = kept["manifest"], kept["epoch"] + 1
    if _drawn(manifest):
        return f"{manifest['data']}: {manifest['train_captures'] * epochs} captures, each drawn once"
    return f"{manifest['data']}: {manifest['train_captures']} captures, {epochs} epochs"


def _validated_on(manifest: dict[str, Any], captures: int, people: int) -> str:
    if not captures:
        return ""
    if _drawn(manifest):
        return f"{manifest['data']}: {captures} captures of another seed"
    notice = manifest.get("patients_notice", "")
    told = f"{manifest['data']}: {captures} captures of {people} patients, kept out of training"
    return f"{told} ({notice})" if notice else told


def _validated_with(validated: dict[str, Any]) -> tuple[int, int]:
    """People and captures: the most of any sign, on usual and on clipped scalps, of which one may be all there is."""
    people, captures = 0, 0
    for sign in validated.values():
        clipped = sign.get("clipped")
        parts = [sign] if not clipped or clipped["figures"] == sign["figures"] else [sign, clipped]
        told = [(part["figures"], part.get("presence") or part["figures"]) for part in parts]
        people = max(people, *(figures["patients"] for both in told for figures in both))
        captures = max(captures, sum(max(figures["captures"] for figures in both) for both in told))
    return people, captures


def _known_of_captures_alone(validated: dict[str, Any]) -> str:
    """Which signs no labelled structure spoke for, so that their marks were never compared with any."""
    told = []
    for chosen_by, what in (("count", "number"), ("presence", "presence")):
        names = [name for name, sign in validated.items() if sign.get("chosen_by") == chosen_by]
        if names:
            told.append(f"only the {what} of {', '.join(names)} was known, so its marks are unchecked")
    return f" ({'; '.join(told)})" if told else ""


def _sign_spec(sign: dict[str, Any], validated: dict[str, Any] | None) -> SignSpec:
    values = {**sign, "colour": tuple(sign["colour"])}
    values["width_um"] = tuple(sign["width_um"]) if sign["width_um"] else None
    if not validated:
        return SignSpec(Sign(**values), DEFAULT_THRESHOLD)
    clipped = validated.get("clipped")
    return SignSpec(Sign(**values), **_at(validated), clipped=OnClipped(**_at(clipped)) if clipped else None)


def _at(validated: dict[str, Any]) -> dict[str, Any]:
    """The threshold, and what was measured at it."""
    figures = validated["figures"]
    return {
        "threshold": validated["threshold"],
        "recall": figures["recall"]["value"],
        "recall_se": figures["recall_se"],
        "false_positives_per_cm2": figures["false_positives_per_cm2"]["value"],
        "false_positives_per_cm2_se": figures["false_positives_per_cm2_se"],
    }


def write_graph(graph: Exported, path: Path) -> None:
    """The graph alone as ONNX, for images of any height and width that are multiples of the total stride."""
    rows = torch.export.Dim("rows", min=2, max=4096)
    columns = torch.export.Dim("columns", min=2, max=4096)
    image = torch.zeros(1, 10 * TOTAL_STRIDE, 12 * TOTAL_STRIDE, 3, dtype=torch.uint8)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            graph,
            (image,),
            dynamic_shapes={"image": {1: TOTAL_STRIDE * rows, 2: TOTAL_STRIDE * columns}},
            input_names=["image"],
            output_names=list(graph.outputs),
            dynamo=True,
            verbose=False,
        )
    program.save(path, external_data=False)


def _add_metadata(path: Path, spec: ModelSpec, graph: Exported) -> None:
    model = onnx.load(path)
    onnx.helper.set_model_props(model, {METADATA_KEY: spec.to_json(), SELFTEST_KEY: _selftest(spec, graph)})
    model.doc_string = spec.intended_use
    model.producer_name = "trichotrack"
    # Node-by-node traces of this machine's source files; of no use to anyone who runs the model.
    del model.graph.metadata_props[:]
    for node in model.graph.node:
        node.doc_string = ""
        del node.metadata_props[:]
    for value in [*model.graph.value_info, *model.graph.input, *model.graph.output, *model.graph.initializer]:
        del value.metadata_props[:]
    onnx.checker.check_model(model)
    onnx.save(model, path)


def _selftest(spec: ModelSpec, graph: Exported) -> str:
    # A synthetic scalp: no patient's picture ever travels in a model.
    for number in range(SELFTEST_TRIES):
        image = _scalp(SELFTEST_PX, spec, number)
        found = detections_of(_run_torch(graph, image), spec)
        if len(found):
            return make_selftest(spec, image, found)
    raise InputError(
        f"the model finds nothing in {SELFTEST_TRIES} synthetic scalps, so it cannot test itself, and would count "
        "nothing in a clinic either. Train it longer."
    )


def _scalp(size_px: tuple[int, int], spec: ModelSpec, number: int) -> NDArray[np.uint8]:
    rng = capture_rng(EXPORT_SEED, 0, number)
    um_per_px = spec.um_per_px or DRAWN_UM_PER_PX[number % len(DRAWN_UM_PER_PX)]
    return np.array(render_capture(rng, size_px=size_px, um_per_px=um_per_px).image)


def check_parity(graph: Exported, path: Path, spec: ModelSpec) -> None:
    """Raises InputError unless ONNX Runtime and PyTorch give the same tensors and detections on PARITY_SHAPES."""
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    for number, (height, width) in enumerate(PARITY_SHAPES):
        image = _scalp((width, height), spec, number)
        expected = _run_torch(graph, image)
        got = session.run(list(spec.outputs), {"image": image[None]})
        for output, ours, theirs in zip(spec.outputs, expected, got, strict=True):
            worst = float(np.max(np.abs(_off_peaks(output, ours, theirs)) / np.maximum(np.abs(ours), 1.0)))
            allowed = SHAFT_TOLERANCE if output == "shaft" else TENSOR_TOLERANCE
            if not worst <= allowed:
                raise InputError(
                    f"on {height}x{width} px, `{output}` of ONNX Runtime differs from PyTorch by {worst:.2g}; "
                    f"{allowed:g} is allowed. Nothing was written."
                )
        result = compare_detections(
            spec,
            detections_of(expected, spec),
            detections_of(tuple(got), spec),
            tolerance_px=PARITY_PX,
            tolerance_score=TENSOR_TOLERANCE,
        )
        if not result.passed:
            raise InputError(
                f"on {height}x{width} px, ONNX Runtime and PyTorch disagree: {result} Nothing was written."
            )


def _off_peaks(output: str, ours: NDArray[np.float32], theirs: NDArray[np.float32]) -> NDArray[np.float32]:
    # A tie within rounding may move a peak to the next cell: that is judged on the detections.
    both = (ours > 0) & (theirs > 0) if output == "peaks" else np.ones(ours.shape, np.bool_)
    return np.where(both, ours - theirs, 0)


def detections_of(outputs: tuple[NDArray[np.float32], ...], spec: ModelSpec) -> Detections:
    """Outputs of the graph for one image, decoded as the runtime does; canonical px."""
    heads = {name: output[0] for name, output in zip(spec.outputs, outputs, strict=True)}
    height, width = (cells * spec.stride for cells in heads["peaks"].shape[-2:])
    found = decode(
        heads["peaks"],
        heads["offset"],
        heads.get("shaft"),
        stride=spec.stride,
        thresholds=[channel.threshold for channel in spec.signs],
        groups=[channel.sign.group for channel in spec.signs],
        min_distance_px=spec.suppression_px,
        valid=heads["scalp"][0] >= MIN_SCALP_P if "scalp" in heads else None,
    )
    return Detections(np.clip(found.xy, 0, (width, height)), found.sign, found.score, found.shaft)


def _run_torch(graph: Exported, image: NDArray[np.uint8]) -> tuple[NDArray[np.float32], ...]:
    with torch.no_grad():
        return tuple(output.numpy() for output in graph(torch.from_numpy(image)[None]))

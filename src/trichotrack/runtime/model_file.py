"""An exported model opened: checked before it is used, run by ONNX Runtime on the CPU."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trichotrack.problems import InputError, Problem
from trichotrack.runtime.spec import METADATA_KEY, ModelSpec

SELFTEST_KEY = "trichotrack.selftest"
DECODED = ("peaks", "offset", "shaft", "scalp")
"""The outputs that a reading needs."""

MAX_MODEL_BYTES = 2**31
"""An ONNX file is one protobuf message, which cannot be larger."""

_EXPORT_REMEDY = "Give a model that trichotrack's export wrote."


@dataclass(frozen=True, eq=False)
class ModelFile:
    """file: the path as given. sha256: of the file's bytes. metadata: what the file says of itself, as text by key."""

    file: str
    sha256: str
    spec: ModelSpec
    metadata: Mapping[str, str]
    session: Any

    def run(self, image: NDArray[np.uint8], outputs: Sequence[str] = DECODED) -> dict[str, NDArray[np.float32]]:
        """The graph's heads for image uint8 (H, W, 3), sides multiples of the total stride: each (channels, h, w).

        outputs: those wanted; the model may lack some, and only these are computed. Raises InputError where the graph
        fails or does not keep to its spec.
        """
        wanted = [name for name in outputs if name in self.spec.outputs]
        try:
            given = self.session.run(wanted, {"image": np.ascontiguousarray(image)[None]})
        except Exception as error:  # noqa: BLE001 (ONNX Runtime has exception classes of its own)
            raise self.refused(f"fails on an image of {image.shape[1]}×{image.shape[0]} px ({_brief(error)})") from None
        heads = dict(zip(wanted, given, strict=True))
        grid = (image.shape[0] // self.spec.stride, image.shape[1] // self.spec.stride)
        channels = {"peaks": len(self.spec.signs), "offset": 2, "shaft": 5, "scalp": 1}
        for name, head in heads.items():
            shape = (1, channels.get(name, head.shape[1] if head.ndim > 1 else 1), *grid)
            if head.shape != shape:
                raise self.refused(f"gives {name} of shape {head.shape} instead of {shape}")
        if not all(np.isfinite(head).all() for head in heads.values()):
            raise self.refused("gives values that are no numbers")
        return {name: np.asarray(head[0], np.float32) for name, head in heads.items()}

    def refused(self, message: str) -> InputError:
        return InputError(Problem(self.file, f"the model {message}", _EXPORT_REMEDY))


def open_model(path: str | Path, *, threads: int | None = None) -> ModelFile:
    """Opens and checks an exported model. threads: of one inference; None: one per physical core that may be used.

    Raises InputError for a file that is absent, no ONNX model, without a valid spec, or with other inputs and outputs
    than its spec says.
    """
    import onnxruntime as ort

    path = Path(path)
    name = path.as_posix()
    data = _bytes(path, name)
    options = ort.SessionOptions()
    options.intra_op_num_threads = _threads(threads)
    options.inter_op_num_threads = 1
    options.log_severity_level = 4
    # Idle workers would otherwise spin and take the processor from the rest of a clinic's computer.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.inter_op.allow_spinning", "0")
    try:
        session = ort.InferenceSession(data, options, providers=["CPUExecutionProvider"])
        metadata = dict(session.get_modelmeta().custom_metadata_map)
    except Exception as error:  # noqa: BLE001
        raise InputError(Problem(name, f"is no model that can be opened ({_brief(error)})", _EXPORT_REMEDY)) from None
    if METADATA_KEY not in metadata:
        message = "is an ONNX model without trichotrack's metadata, so its scale, signs and thresholds are unknown"
        raise InputError(Problem(name, message, _EXPORT_REMEDY))
    try:
        spec = ModelSpec.from_json(metadata[METADATA_KEY])
    except InputError as error:
        raise InputError(Problem(name, str(error).rstrip("."), _EXPORT_REMEDY)) from None
    model = ModelFile(name, hashlib.sha256(data).hexdigest(), spec, metadata, session)
    _check_graph(model)
    return model


def _check_graph(model: ModelFile) -> None:
    inputs = model.session.get_inputs()
    if [value.name for value in inputs] != ["image"] or inputs[0].type != "tensor(uint8)" or len(inputs[0].shape) != 4:
        got = ", ".join(f"{value.name} {value.type} {value.shape}" for value in inputs)
        raise model.refused(f"takes {got} instead of image, uint8, 1×H×W×3")
    missing = set(model.spec.outputs) - {value.name for value in model.session.get_outputs()}
    if missing:
        raise model.refused(f"lacks the outputs {', '.join(sorted(missing))} that its metadata promises")


def _bytes(path: Path, name: str) -> bytes:
    try:
        if not path.is_file():
            what = "is a folder, not a model file" if path.is_dir() else "does not exist"
            raise InputError(Problem(name, what, "Give the path of an .onnx file."))
        if path.stat().st_size > MAX_MODEL_BYTES:
            raise InputError(Problem(name, "is larger than any ONNX model", _EXPORT_REMEDY))
        return path.read_bytes()
    except OSError as error:
        raise InputError(Problem(name, f"cannot be opened ({error.strerror})", "Check its rights.")) from None


def _threads(threads: int | None) -> int:
    if threads is not None:
        if threads < 1:
            raise InputError(f"{threads} threads were asked for; give at least 1.")
        return threads
    # 0 lets ONNX Runtime count physical cores; where the process may use only some, it would still count all.
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None
    return usable if usable is not None and usable < (os.cpu_count() or 1) else 0


def _brief(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return (lines[0] if lines else type(error).__name__)[:200].rstrip(". ")

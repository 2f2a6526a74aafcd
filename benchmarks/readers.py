"""A model opened for an exam, an exported .onnx or a .ckpt of a training, behind the Counter that `analyze` uses."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from drawn_marks import unmeasured
from numpy.typing import NDArray

from trichotrack.detect.decode import LOWEST_SCORE
from trichotrack.detect.detections import Detections
from trichotrack.evaluate.points import DEFAULT_THRESHOLD
from trichotrack.model.export import Exported, spec_of
from trichotrack.model.network import halo_px
from trichotrack.model.plan import PAD_VALUE, STRIDE, TOTAL_STRIDE
from trichotrack.model.task import SignTask, load_task
from trichotrack.runtime.counter import Counter
from trichotrack.runtime.model_file import DECODED, ModelFile, open_model
from trichotrack.runtime.spec import ModelSpec, SignSpec
from trichotrack.signs import DOTS

__all__ = ["LOWEST_SCORE", "OpenCounter", "counter_of", "open_counter"]


class OpenCounter(Counter):
    """A Counter of a model file that is open already."""

    def __init__(self, model_file: ModelFile) -> None:
        self.model_file = model_file

    def changed(self, change: Callable[[SignSpec], SignSpec]) -> OpenCounter:
        """The same graph, each sign's spec changed."""
        spec = dataclasses.replace(self.spec, signs=tuple(map(change, self.spec.signs)))
        return OpenCounter(dataclasses.replace(self.model_file, spec=spec))

    def at_threshold(self, threshold: float) -> OpenCounter:
        """Every sign decoded at threshold."""
        return self.changed(lambda channel: dataclasses.replace(channel, threshold=threshold, clipped=None))

    def unrefusing(self) -> OpenCounter:
        """No sign refused for what its model missed in validation: an exam measures these too."""
        return self.changed(unmeasured)

    def missed(self, preparation: str) -> frozenset[str]:
        """Its signs that it refuses on a scalp so prepared for what it missed in validation."""
        return frozenset(channel.sign.name for channel in self.spec.signs if channel.on(preparation).missed)

    @property
    def hairs(self) -> tuple[str, ...]:
        """Its signs that are hairs."""
        return tuple(name for name in self.spec.sign_names if name not in DOTS)

    def of_signs(self, found: Detections, names: tuple[str, ...]) -> Detections:
        """The detections of the signs called names."""
        wanted = [index for index, name in enumerate(self.spec.sign_names) if name in names]
        return found.take(np.isin(found.sign, wanted))


class Remembering:
    """A session that keeps its last answer, so that one capture is decoded at several thresholds for one inference."""

    def __init__(self, session: Any) -> None:
        self.session = session
        self.last: tuple[list[str], NDArray[np.uint8], Any] | None = None

    def run(self, wanted: list[str], feeds: dict[str, NDArray[np.uint8]]) -> Any:
        image = feeds["image"]
        if self.last is None or self.last[0] != wanted or not np.array_equal(self.last[1], image):
            self.last = (wanted, image.copy(), self.session.run(wanted, feeds))
        return self.last[2]


class TorchSession:
    """The graph that an export would write, run by PyTorch in float32: for checkpoints of a training."""

    def __init__(self, graph: Any) -> None:
        self.graph = graph

    def run(self, wanted: list[str], feeds: dict[str, NDArray[np.uint8]]) -> list[NDArray[np.float32]]:
        with torch.inference_mode():
            outputs = self.graph(torch.from_numpy(feeds["image"]))
        by_name = dict(zip(self.graph.outputs, outputs, strict=True))
        return [by_name[name].float().numpy() for name in wanted]


def open_counter(path: Path, *, threads: int | None = 1) -> OpenCounter:
    """The Counter of an exported model or of a checkpoint. Raises InputError where path is neither."""
    model = _of_checkpoint(path, threads) if path.suffix == ".ckpt" else open_model(path, threads=threads)
    return OpenCounter(dataclasses.replace(model, session=Remembering(model.session)))


def _of_checkpoint(path: Path, threads: int | None) -> ModelFile:
    torch.set_num_threads(threads or torch.get_num_threads())
    task, kept = load_task(path)
    # A checkpoint between two validations is measured at the thresholds of the last one.
    manifest = {"teaches_scalp": False, **kept["manifest"]}
    kept = {**kept, "validated_epoch": kept["epoch"], "manifest": manifest}
    spec = spec_of(task, kept, name=path.stem, licence="", notes="")
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    return ModelFile(str(path), sha256, spec, {}, TorchSession(Exported(task, spec.outputs).eval()))


def counter_of(task: SignTask, name: str, *, threads: int = 2) -> OpenCounter:
    """The Counter of a task that was just trained, every sign at the default threshold. threads: of PyTorch.

    One validation is read in less time than an export takes.
    """
    torch.set_num_threads(threads)
    plan = task.plan
    spec = ModelSpec(
        name=name,
        signs=tuple(SignSpec(sign, DEFAULT_THRESHOLD) for sign in task.signs),
        um_per_px=plan.um_per_px,
        stride=STRIDE,
        total_stride=TOTAL_STRIDE,
        halo_px=halo_px(task.network),
        pad_value=PAD_VALUE,
        min_distance_um=plan.min_distance_um,
        outputs=DECODED[:3],  # no label taught it what is scalp
        trained_on="",
        validated_on="",
    )
    session = Remembering(TorchSession(Exported(task, spec.outputs).eval()))
    return OpenCounter(ModelFile(name, "", spec, {}, session))

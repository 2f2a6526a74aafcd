"""A hand-built ONNX model that finds discs by colour: black ones are black dots, blue ones broken hairs.

What is green is no scalp. It keeps to the whole contract of an exported model, so that the runtime is tested without
training anything.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from trichotrack.runtime.spec import METADATA_KEY, ModelSpec, SignSpec
from trichotrack.signs import SIGN, Sign

STRIDE, TOTAL_STRIDE, HALO_PX = 4, 16, 16
SKIN, BLACK, BLUE, NO_SCALP = (230, 215, 205), (20, 20, 20), (20, 20, 205), (0, 255, 0)
COLOUR = {"black_dot": BLACK, "broken_hair": BLUE}
DISC_UM = 54.0
"""Radius of a disc on the scalp; three cells of the model across at 6 µm per px and stride 4."""


def tiny_spec(**changes: object) -> ModelSpec:
    """The spec of the tiny model, fields replaced by changes."""
    spec = ModelSpec(
        name="tiny",
        signs=(
            SignSpec(SIGN["black_dot"], 0.5, recall=0.8, recall_se=0.05, false_positives_per_cm2=2.0),
            SignSpec(SIGN["broken_hair"], 0.5),
        ),
        um_per_px=6.0,
        stride=STRIDE,
        total_stride=TOTAL_STRIDE,
        halo_px=HALO_PX,
        pad_value=128,
        min_distance_um=60.0,
        outputs=("peaks", "offset"),
        trained_on="drawn discs",
        validated_on="nothing",
    )
    return dataclasses.replace(spec, **changes)


def scaleless_spec() -> ModelSpec:
    """As a model trained without scales: the long side is 400 px."""
    return tiny_spec(um_per_px=None, min_distance_um=None, long_side_px=400, min_distance_px=10.0)


def build_tiny_model(
    path: Path,
    spec: ModelSpec | None = None,
    *,
    metadata: Mapping[str, str] | None = None,
    offset: tuple[float, float] = (0.0, 0.0),
    shaft: Sequence[float] = (0.0, 1.0, math.log(300.0), math.log(70.0), math.log(50.0)),
) -> Path:
    """Writes the model to path. metadata: added to, or in place of, the spec's own. offset, shaft: given everywhere."""
    import onnx

    spec = spec or tiny_spec()
    model = onnx.load_from_string(_graph(spec.outputs, tuple(offset), tuple(shaft)))
    onnx.helper.set_model_props(model, {METADATA_KEY: spec.to_json(), **(metadata or {})})
    onnx.save(model, path)
    return path


@functools.cache
def _graph(outputs: tuple[str, ...], offset: tuple[float, ...], shaft: tuple[float, ...]) -> bytes:
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    constants: dict[str, np.ndarray] = {}
    nodes = []

    def node(kind: str, inputs: Sequence[str], output: str, **attributes: object) -> str:
        nodes.append(helper.make_node(kind, inputs, [output], **attributes))
        return output

    def constant(name: str, value: object, dtype: type = np.float32) -> str:
        constants[name] = np.asarray(value, dtype)
        return name

    node("Cast", ["image"], "float", to=TensorProto.FLOAT)
    node("Transpose", ["float"], "planes", perm=[0, 3, 1, 2])
    node("AveragePool", ["planes"], "cells", kernel_shape=[STRIDE, STRIDE], strides=[STRIDE, STRIDE])
    # Darkness of blue, and blue above red; then a bell of 5×5 cells, so that a disc has one maximum.
    weights = np.array([[0, 0, -1], [-1, 0, 1]], np.float32).reshape(2, 3, 1, 1) / 255
    node("Conv", ["cells", constant("colours", weights), constant("lift", [1.0, 0.0])], "colour")
    bell = np.outer(*[np.exp(-0.5 * np.arange(-2, 3) ** 2 / 1.2**2)] * 2)
    kernel = np.stack([bell / bell.sum()] * 2)[:, None]
    node("Conv", ["colour", constant("bell", kernel)], "smooth", group=2, pads=[2, 2, 2, 2])
    node("Mul", ["smooth", constant("gain", 20.0)], "scaled")
    node("Sub", ["scaled", constant("shift", 9.0)], "logits")
    node("Pad", ["logits", constant("margin", [0, 0, 1, 1, 0, 0, 1, 1], np.int64), constant("low", -1e9)], "padded")
    peak = ""
    for dy, dx in ((-1, -1), (-1, 0), (-1, 1), (0, -1), (0, 1), (1, -1), (1, 0), (1, 1)):
        name = f"n{dy + 1}{dx + 1}"
        starts = constant(f"{name}_from", [1 + dy, 1 + dx], np.int64)
        ends = constant(f"{name}_to", [d - 1 if d < 1 else 2**62 for d in (dy, dx)], np.int64)
        neighbour = node("Slice", ["padded", starts, ends, constant(f"{name}_axes", [2, 3], np.int64)], name)
        before = (dy, dx) < (0, 0)
        above = node("Greater" if before else "GreaterOrEqual", ["logits", neighbour], f"{name}_above")
        peak = node("And", [peak, above], f"{name}_and") if peak else above
    node("Cast", [peak], "mask", to=TensorProto.FLOAT)
    node("Sigmoid", ["logits"], "score")
    node("Mul", ["score", "mask"], "peaks")
    for name, values in (("offset", offset), ("shaft", shaft)):
        zeros = np.zeros((len(values), 2, 1, 1), np.float32)
        node("Conv", ["logits", constant(f"{name}_none", zeros), constant(f"{name}_is", values)], name)
    # Green above red, in the mean of 9×9 cells (as far as the halo reaches): a disc on green is no scalp either.
    less_red = constant("less_red", np.array([-1, 1, 0], np.float32).reshape(1, 3, 1, 1) / 255)
    node("Conv", ["cells", less_red], "green")
    pool = {"kernel_shape": [9, 9], "pads": [4, 4, 4, 4], "count_include_pad": 0}
    node("AveragePool", ["green"], "greens", **pool)
    node("Sub", [constant("half", 0.5), "greens"], "not_green")
    node("Mul", ["not_green", constant("steep", 40.0)], "scalp_logit")
    node("Sigmoid", ["scalp_logit"], "scalp")
    node("Div", ["cells", constant("full", 255.0)], "features")
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("image", TensorProto.UINT8, [1, "height", "width", 3])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, None, "h", "w"]) for name in outputs],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    return model.SerializeToString()


def scalp(
    width: int, height: int, points: Mapping[str, Sequence[tuple[float, float]]], *, um_per_px: float = 6.0
) -> np.ndarray:
    """A capture, uint8 (height, width, 3): skin with a disc at each point (x, y) of each sign, drawn 4× and shrunk."""
    image = Image.new("RGB", (width * 4, height * 4), SKIN)
    draw = ImageDraw.Draw(image)
    radius = 4 * DISC_UM / um_per_px
    for sign, places in points.items():
        for x, y in places:
            draw.ellipse((4 * x - radius, 4 * y - radius, 4 * x + radius, 4 * y + radius), fill=COLOUR.get(sign, BLACK))
    return np.asarray(image.resize((width, height), Image.Resampling.BOX))


def plain_sign(name: str, **changes: object) -> Sign:
    """A sign beyond the vocabulary."""
    words = name.replace("_", " ")
    return dataclasses.replace(Sign(name, words, words + "s", "", role="context"), **changes)

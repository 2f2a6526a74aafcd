"""What is exported gives what PyTorch gives, or is not written."""

import json

import numpy as np
import onnx
import pytest
import torch

from trichotrack.model import export as exporting
from trichotrack.model.plan import Plan
from trichotrack.model.seen import NOTHING, UNKNOWN
from trichotrack.model.task import SignTask
from trichotrack.problems import InputError
from trichotrack.runtime.counter import Counter
from trichotrack.runtime.selftest import compare_detections, run_selftest
from trichotrack.synth.render import capture_rng, render_capture


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    """Of a network with random weights and a bias that lets some peaks through."""
    torch.manual_seed(3)
    task = SignTask(Plan(), backbone="mobilenetv4_conv_small", width=16, start="scratch")
    torch.nn.init.normal_(task.network.logits.weight, std=2.0)
    torch.nn.init.constant_(task.network.logits.bias, -1.0)
    torch.nn.init.constant_(task.network.scalp.bias, 1.0)  # what is not scalp is not read
    torch.nn.init.normal_(task.network.along.signs.weight, std=0.3)
    task.manifest = {
        "data": "random weights", "train_captures": 0, "start": "scratch", "um_per_px": [3.0, 8.0], "measures": ["tip"],
        "data_sha256": "0" * 64, "commit": "", "teaches_scalp": True,
    }  # fmt: skip
    kept = {"state_dict": task.state_dict(), "hyper_parameters": dict(task.hparams), "epoch": 0}
    task.validated_epoch = 0
    task.on_save_checkpoint(kept)
    path = tmp_path_factory.mktemp("checkpoint") / "random.ckpt"
    torch.save(kept, path)
    return path


@pytest.fixture(scope="module")
def model(checkpoint, tmp_path_factory):
    out = tmp_path_factory.mktemp("model") / "random.onnx"
    exporting.export(checkpoint, out, notes="for a test")
    return out


@pytest.mark.parametrize("size_px", [(320, 256), (512, 512), (48, 1008)])
def test_the_exported_model_detects_what_pytorch_detects_at_any_size(checkpoint, model, size_px):
    counter = Counter(model)
    task, _ = exporting.load_task(checkpoint)
    image = np.array(render_capture(capture_rng(5, 0, 0), size_px=size_px, um_per_px=6.0).image)
    outputs = exporting._run_torch(exporting.Exported(task, counter.spec.outputs).eval(), image)
    expected = exporting.detections_of(outputs, counter.spec)
    assert len(expected)
    result = compare_detections(counter.spec, expected, counter.detect(image), tolerance_px=0.05)
    assert result.passed, str(result)


def test_a_model_whose_labels_taught_no_scalp_does_not_tell_it(checkpoint):
    task, kept = exporting.load_task(checkpoint)
    for taught in (True, False):
        kept["manifest"]["teaches_scalp"] = taught
        spec = exporting.spec_of(task, kept, name="m", licence="", notes="")
        assert ("scalp" in spec.outputs) is taught


def test_only_drawn_captures_and_a_start_that_saw_nobody_make_a_model_of_synthesis_alone(checkpoint):
    task, kept = exporting.load_task(checkpoint)
    for data_sha256, captures, expected in (
        ("", NOTHING, True),
        ("0" * 64, NOTHING, False),
        ("", {**NOTHING, "train": ["a"]}, False),  # by what it started from
        ("", {**NOTHING, "val": ["a"]}, False),
        ("", UNKNOWN, False),
    ):
        kept["manifest"].update(data_sha256=data_sha256, captures=captures)
        spec = exporting.spec_of(task, kept, name="m", licence="", notes="")
        assert spec.trained_on_synthesis is expected, (data_sha256, captures)
    del kept["manifest"]["captures"]
    assert not exporting.spec_of(task, kept, name="m", licence="", notes="").trained_on_synthesis


def test_a_model_tells_what_it_has_seen_where_its_training_did(checkpoint):
    task, kept = exporting.load_task(checkpoint)
    assert exporting.spec_of(task, kept, name="x", licence="", notes="").seen is None
    kept["manifest"]["captures"] = {"train": ["a"], "val": ["b", "a"], "complete": True}
    spec = exporting.spec_of(task, kept, name="x", licence="", notes="")
    assert (spec.seen, spec.seen_wholly) == ({"a": "train", "b": "val"}, True)


def test_the_file_carries_spec_selftest_and_nothing_of_this_machine(model):
    counter = Counter(model)
    assert run_selftest(counter).passed
    assert counter.spec.sign_names == Plan().signs
    assert counter.spec.validated_on_people is None
    assert counter.spec.training_um_per_px == (3.0, 8.0)
    drawn = render_capture(capture_rng(6, 0, 0), size_px=(320, 256), um_per_px=6.0)
    marks = [mark for mark in counter.read(drawn.image, um_per_px=6.0).objects if mark.sign != "black_dot"]
    assert marks
    assert all(mark.tip_x is not None and mark.root_width_um is None for mark in marks)
    raw = onnx.load(model)
    assert {item.key for item in raw.metadata_props} == {"trichotrack", "trichotrack.selftest"}
    text = model.read_bytes()
    assert b"site-packages" not in text
    assert b"/network.py" not in text


def test_a_broken_self_test_is_noticed(model, tmp_path):
    raw = onnx.load(model)
    for item in raw.metadata_props:
        if item.key == "trichotrack.selftest":
            test = json.loads(item.value)
            test["detections"][0]["x"] += 3
            item.value = json.dumps(test)
    onnx.save(raw, tmp_path / "moved.onnx")
    assert not run_selftest(Counter(tmp_path / "moved.onnx")).passed


def test_a_graph_that_differs_from_pytorch_is_not_written(checkpoint, tmp_path, monkeypatch):
    write = exporting.write_graph

    def write_another(graph, path):
        changed = exporting.copy.deepcopy(graph)
        torch.nn.init.constant_(changed.network.logits.bias, -0.9)
        write(changed, path)

    monkeypatch.setattr(exporting, "write_graph", write_another)
    with pytest.raises(InputError, match="differs from PyTorch"):
        exporting.export(checkpoint, tmp_path / "model.onnx")
    assert list(tmp_path.iterdir()) == []


def test_a_model_that_finds_nothing_is_not_written(checkpoint, tmp_path):
    kept = torch.load(checkpoint, weights_only=True)
    kept["state_dict"]["network.logits.bias"].fill_(-100.0)
    torch.save(kept, tmp_path / "silent.ckpt")
    with pytest.raises(InputError, match="finds nothing"):
        exporting.export(tmp_path / "silent.ckpt", tmp_path / "out" / "model.onnx")
    assert list((tmp_path / "out").iterdir()) == []


def test_only_onnx_names_and_real_checkpoints_are_taken(tmp_path):
    with pytest.raises(InputError, match=r"\.onnx"):
        exporting.export(tmp_path / "a.ckpt", tmp_path / "model.pt")
    with pytest.raises(InputError, match="no such checkpoint"):
        exporting.export(tmp_path / "a.ckpt", tmp_path / "model.onnx")

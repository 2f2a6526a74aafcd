"""The network sees no farther than its halo, and its peaks are the decoder's."""

import hashlib
import re

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from trichotrack.detect.decode import local_maxima
from trichotrack.model.network import SignNetwork, halo_px, normalise
from trichotrack.model.plan import STRIDE, TOTAL_STRIDE, Plan
from trichotrack.model.task import SignTask, peak_scores
from trichotrack.model.weights import load_start, save_weights
from trichotrack.problems import InputError

BACKBONES = ("tf_efficientnet_lite0", "mobilenetv4_conv_small")


def network(backbone="mobilenetv4_conv_small", signs=3, seed=0):
    torch.manual_seed(seed)
    made = SignNetwork(signs, backbone, width=16).eval()
    torch.nn.init.normal_(made.logits.weight, std=1.0)
    torch.nn.init.normal_(made.shaft.weight, std=1.0)
    torch.nn.init.normal_(made.along.signs.weight, std=0.3)
    return made


@pytest.mark.parametrize("backbone", BACKBONES)
def test_a_tile_with_its_halo_gives_what_the_whole_image_gives(backbone):
    made = network(backbone)
    halo = halo_px(made)
    assert halo % TOTAL_STRIDE == 0
    core, side = 2 * TOTAL_STRIDE, 2 * halo + 6 * TOTAL_STRIDE
    image = torch.randint(0, 256, (1, side, side, 3), dtype=torch.uint8)
    first = halo + TOTAL_STRIDE
    cut = slice(first - halo, first + core + halo)
    with torch.no_grad():
        whole = made(normalise(image))["logits"]
        tile = made(normalise(image[:, cut, cut]))["logits"]
    a, b, n = first // STRIDE, halo // STRIDE, core // STRIDE
    assert torch.allclose(whole[..., a : a + n, a : a + n], tile[..., b : b + n, b : b + n], atol=1e-4)


@pytest.mark.parametrize("backbone", BACKBONES)
def test_nothing_in_the_network_looks_at_the_whole_image(backbone):
    kinds = {type(module).__name__ for module in network(backbone).modules()}
    assert not {kind for kind in kinds if "SqueezeExcite" in kind or "AdaptiveAvgPool" in kind}


def test_what_lies_along_a_shaft_is_looked_up_where_the_shaft_goes_and_nowhere_else():
    made = network()
    along = made.along
    for parameter in along.parameters():
        torch.nn.init.zeros_(parameter)
    along.seen.weight.data[0, 0] = 1.0  # sees feature 0
    along.there[3].weight.data[0, 0] = 1.0  # 40 px away, 10 cells
    along.mixed[1].weight.data[0, 0] = along.signs.weight.data[1, 0] = 1.0  # tells it of sign 1
    features = torch.zeros(1, 16, 24, 24)
    features[0, 0, 12, 15] = 5.0
    right = torch.tensor([3.0, 0.0])[None, :, None].expand(1, 2, 24 * 24)
    with torch.no_grad():
        found = along(features, right, None)[0].reshape(1, -1, 24, 24)
        some, _ = along(features, right[..., :2], torch.tensor([[12 * 24 + 5, 12 * 24 + 6]]))
    # A direction is followed a ten-thousandth less far than it says.
    assert torch.nonzero(found.abs() > 0.01).tolist() == [[0, 1, 12, 5]]
    assert found[0, 1, 12, 5] == pytest.approx(5.0, rel=1e-3)
    assert some[0, 1].tolist() == pytest.approx([5.0, 0.0], abs=0.01)


def test_following_some_shafts_gives_what_following_all_of_them_gives():
    made = network()
    torch.nn.init.normal_(made.along.signs.weight)
    torch.nn.init.normal_(made.along.length_and_widths.weight)
    image = normalise(torch.randint(0, 256, (2, 96, 128, 3), dtype=torch.uint8))
    cells = torch.tensor([[0, 5, 700], [33, 767, 2]])
    with torch.no_grad():
        heads = made.at_first_sight(image)
        logits, shaft = made.looked_along(heads, cells)
        everywhere = made(image)
    for some, grid in ((logits, everywhere["logits"]), (shaft, everywhere["shaft"])):
        expected = torch.stack([grid[i].flatten(1)[:, cells[i]] for i in range(2)])
        assert torch.allclose(some, expected, atol=1e-5)
    assert not torch.allclose(heads["logits"], everywhere["logits"], atol=1e-2)


@given(st.integers(0, 2**32 - 1), st.integers(2, 5))
@settings(deadline=None)
def test_peaks_in_torch_are_peaks_in_numpy_ties_included(seed, levels):
    logits = np.random.default_rng(seed).integers(-levels, levels, (2, 7, 9)).astype(np.float32)
    scores = peak_scores(torch.from_numpy(logits)[None])[0].numpy()
    expected = np.where(local_maxima(logits), 1 / (1 + np.exp(-logits.astype(np.float64))), 0)
    assert np.allclose(scores, expected, atol=1e-6)


def test_imagenet_weights_come_from_the_package_without_a_hub():
    made = SignNetwork(2, "tf_efficientnet_lite0", width=16)
    before = made.backbone.conv_stem.weight.clone()
    assert "ImageNet" in load_start(made, "imagenet", "tf_efficientnet_lite0", "ab")
    assert not torch.equal(before, made.backbone.conv_stem.weight)


def test_a_model_of_other_signs_keeps_the_channels_it_knows_by_name(tmp_path):
    old, new = network(signs=3), network(signs=4, seed=1)
    fresh = new.logits.weight[1].clone()
    save_weights(old, ["black_dot", "broken_hair", "tapering_hair"], tmp_path / "old.safetensors")
    signs = ["tapering_hair", "yellow_dot", "black_dot", "broken_hair"]
    told = load_start(new, str(tmp_path / "old.safetensors"), "mobilenetv4_conv_small", signs)
    digest = hashlib.sha256((tmp_path / "old.safetensors").read_bytes()).hexdigest()
    assert told == f"old.safetensors (SHA-256 {digest[:16]}), with new channels for yellow_dot"
    assert torch.allclose(new.offset.weight, old.offset.weight, atol=1e-3)
    assert torch.allclose(new.logits.weight[[2, 3, 0]], old.logits.weight, atol=1e-2)
    assert torch.equal(new.logits.weight[1], fresh)


@pytest.mark.parametrize("signs", [["tapering_hair", "yellow_dot", "black_dot"], ["yellow_dot", "tapering_hair"]])
def test_what_tells_whose_shaft_lies_in_a_cell_goes_by_the_name_of_the_sign_too(tmp_path, signs):
    known = ["black_dot", "broken_hair", "tapering_hair"]
    old, new = network(signs=3), network(signs=len(signs), seed=1)
    fresh = new.strands.weight[1 + signs.index("yellow_dot")].clone()
    save_weights(old, known, tmp_path / "old.safetensors")
    load_start(new, str(tmp_path / "old.safetensors"), "mobilenetv4_conv_small", signs)
    assert torch.allclose(new.strands.weight[0], old.strands.weight[0], atol=1e-3), "hair without a root"
    for i, sign in enumerate(signs):
        expected = old.strands.weight[1 + known.index(sign)] if sign in known else fresh
        assert torch.allclose(new.strands.weight[1 + i], expected, atol=1e-3), sign


def test_weights_of_another_network_are_refused(tmp_path):
    signs = ["a", "b", "c"]
    save_weights(network(), signs, tmp_path / "w.safetensors")
    with pytest.raises(InputError, match="another backbone"):
        load_start(network("tf_efficientnet_lite0"), str(tmp_path / "w.safetensors"), "tf_efficientnet_lite0", signs)
    with pytest.raises(InputError, match="another backbone or width"):
        load_start(SignNetwork(3, "mobilenetv4_conv_small", 24), str(tmp_path / "w.safetensors"), "", signs)
    with pytest.raises(InputError, match="no such weights"):
        load_start(network(), str(tmp_path / "none.safetensors"), "mobilenetv4_conv_small", signs)
    for name in ("text.safetensors", "text.ckpt"):
        (tmp_path / name).write_text("hello")
        with pytest.raises(InputError, match="not a weights file"):
            load_start(network(), str(tmp_path / name), "mobilenetv4_conv_small", signs)
    with pytest.raises(InputError, match="ends in"):
        save_weights(network(), signs, tmp_path / "w.pt")


def test_statistics_too_large_for_half_precision_survive_in_the_weights_file(tmp_path):
    old, new = network(), network(seed=1)
    old.tower[0][1].running_var.fill_(1e6)
    save_weights(old, ["a", "b", "c"], tmp_path / "old.safetensors")
    load_start(new, str(tmp_path / "old.safetensors"), "mobilenetv4_conv_small", ["a", "b", "c"])
    assert torch.equal(new.tower[0][1].running_var, old.tower[0][1].running_var)


def test_a_new_sign_begins_as_the_one_named_for_it(tmp_path):
    old, new = network(signs=2), network(signs=2, seed=1)
    save_weights(old, ["terminal_hair", "black_dot"], tmp_path / "old.safetensors")
    start_as = {"hair": "terminal_hair", "black_dot": "terminal_hair"}
    told = load_start(new, str(tmp_path / "old.safetensors"), "mobilenetv4_conv_small", ["black_dot", "hair"], start_as)
    assert re.fullmatch(r"old\.safetensors \(SHA-256 [0-9a-f]{16}\)", told)
    # What the file knows keeps its own channel.
    assert torch.allclose(new.logits.weight, old.logits.weight[[1, 0]], atol=1e-2)
    with pytest.raises(InputError, match=r"start_as names yellow_dot; .* knows terminal_hair, black_dot"):
        load_start(new, str(tmp_path / "old.safetensors"), "mobilenetv4_conv_small", ["hair"], {"hair": "yellow_dot"})


@pytest.mark.parametrize("backbone", BACKBONES)
def test_frozen_stages_stay_as_they_start(backbone):
    task = SignTask(Plan(("black_dot",)), backbone=backbone, width=16, start="scratch", frozen=2).train()
    before = {name: value.clone() for name, value in task.network.state_dict().items()}
    optimizer = torch.optim.AdamW([p for p in task.parameters() if p.requires_grad], lr=0.1)
    task.network(torch.randn(2, 3, 64, 64))["logits"].sum().backward()
    optimizer.step()
    changed = {name for name, value in task.network.state_dict().items() if not torch.equal(value, before[name])}
    frozen = ("backbone.conv_stem", "backbone.bn1", "backbone.blocks.0.", "backbone.blocks.1.")
    assert not {name for name in changed if name.startswith(frozen)}
    assert {name.split(".")[0] for name in changed} >= {"backbone", "context", "pyramid", "tower", "logits"}

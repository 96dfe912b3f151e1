"""ResNet-50 and ResNet-18 with the paper's strides and Table 1's sizes (Sec. 3.1; SPEC Sec. 5).

Every map is centred: paddings are 2 in conv1, 0 in the max-pool and 0 where conv3_1 strides, which gives 127, 63, 63,
31, 31, 31 from 255. Modules and parameters carry torchvision's names, so its state dicts load as they are.
"""

from __future__ import annotations

from typing import ClassVar

import torch.nn.functional as F
from torch import Tensor, nn

from rartrack.config import NetworkConfig
from rartrack.errors import InputError, nearest
from rartrack.network.base import Backbone, width
from rartrack.network.deformable import DeformableConv2d

_STAGE_OF_LEVEL = {2: "layer1", 3: "layer2", 4: "layer3", 5: "layer4"}


class ResNet(Backbone):
    """Stem and stages conv2_x to conv5_x; the taps are the last blocks' outputs (SPEC Sec. 2, item 4).

    conv4_x and conv5_x keep conv3_x's stride: their own stride is removed, and with ``dilate`` replaced by dilations,
    which keeps the pre-trained function (SPEC Sec. 5.0).
    """

    block: ClassVar[type[BasicBlock | Bottleneck]]
    depths: ClassVar[tuple[int, ...]]

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__(config)
        base = width(64, config)
        self.conv1 = nn.Conv2d(3, base, 7, stride=2, padding=2, bias=False)
        self.bn1 = nn.BatchNorm2d(base)
        channels, dilation, built, widths = base, 1, ["layer1"], {}
        for level in range(2, max(self.levels) + 1):
            name, mid = _STAGE_OF_LEVEL[level], width(64 << level - 2, config)
            first, dilation = self._dilations(level, dilation, config)
            blocks: list[BasicBlock | Bottleneck] = []
            for index in range(self.depths[level - 2]):
                blocks.append(
                    self.block(
                        channels,
                        mid,
                        stride=2 if level == 3 and index == 0 else 1,
                        dilations=(first if index == 0 else dilation, dilation),
                        stride_place=config.stage_stride,
                        deformable=f"{name}.{index}" in config.deformable,
                    )
                )
                channels = mid * self.block.expansion
            self.add_module(name, nn.Sequential(*blocks))
            built.append(name)
            widths[level] = channels
        self.channels = {level: widths[level] for level in self.levels}
        self.taps = {level: f"{_STAGE_OF_LEVEL[level]}.{self.depths[level - 2] - 1}" for level in self.levels}
        self.early = ("conv1", "bn1", "layer1")
        self.unused = ("fc.", *(f"{name}." for name in _STAGE_OF_LEVEL.values() if name not in built))
        self._check_deformable(config)
        _initialise(self)

    def forward(self, crops: Tensor) -> dict[int, Tensor]:
        x = F.relu(self.bn1(self.conv1(crops)), inplace=True)
        x = F.max_pool2d(x, 3, stride=2)
        taps = {}
        for level in range(2, max(self.levels) + 1):
            x = self.get_submodule(_STAGE_OF_LEVEL[level])(x)
            if level in self.channels:
                taps[level] = x
        return taps

    def _dilations(self, level: int, before: int, config: NetworkConfig) -> tuple[int, int]:
        """Dilation of a stage's first 3x3 and of its others, given the stage before."""
        if level < 4 or not config.dilate:
            return 1, 1
        # In a 1x1 the removed stride stood before the stage's first 3x3, in a 3x3 it stood within it.
        strides_in_1x1 = config.stage_stride == "1x1" and self.block is Bottleneck
        return (2 * before if strides_in_1x1 else before), 2 * before

    def _check_deformable(self, config: NetworkConfig) -> None:
        """Refuse names of blocks that do not exist; blocks of stages that were not built are passed over."""
        known = [f"{_STAGE_OF_LEVEL[i + 2]}.{k}" for i, depth in enumerate(self.depths) for k in range(depth)]
        for name in config.deformable:
            if name not in known:
                raise InputError(f"network.deformable: no block {name!r} in {config.backbone}{nearest(name, known)}")


class Bottleneck(nn.Module):
    """1x1, 3x3, 1x1 and a shortcut; the stride sits in the 3x3 (torchvision) or in the first 1x1 (Caffe)."""

    expansion: ClassVar[int] = 4

    def __init__(
        self,
        channels: int,
        mid: int,
        *,
        stride: int,
        dilations: tuple[int, int],
        stride_place: str,
        deformable: bool,
    ) -> None:
        super().__init__()
        out = mid * self.expansion
        self.stride = stride
        self.early_stride = stride > 1 and stride_place == "1x1"
        late_stride = 1 if self.early_stride else stride
        dilation = dilations[0]
        self.conv1 = nn.Conv2d(channels, mid, 1, stride=stride if self.early_stride else 1, bias=False)
        self.bn1 = nn.BatchNorm2d(mid)
        self.conv2 = _conv3x3(mid, mid, late_stride, dilation, deformable)
        self.bn2 = nn.BatchNorm2d(mid)
        self.conv3 = nn.Conv2d(mid, out, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(out)
        self.downsample = _shortcut(channels, out, stride)

    def forward(self, x: Tensor) -> Tensor:
        inner = without_border(x) if self.stride > 1 else x
        y = inner if self.early_stride else x
        y = F.relu(self.bn1(self.conv1(y)), inplace=True)
        y = F.relu(self.bn2(self.conv2(y)), inplace=True)
        y = self.bn3(self.conv3(y))
        shortcut = inner if self.downsample is None else self.downsample(inner)
        return F.relu(y + shortcut, inplace=True)


class BasicBlock(nn.Module):
    """Two 3x3 and a shortcut; the stride sits in the first 3x3. A deformable block's second 3x3 is deformable."""

    expansion: ClassVar[int] = 1

    def __init__(
        self,
        channels: int,
        mid: int,
        *,
        stride: int,
        dilations: tuple[int, int],
        stride_place: str,  # noqa: ARG002  the same for every block; a basic block has but one place
        deformable: bool,
    ) -> None:
        super().__init__()
        self.stride = stride
        self.conv1 = _conv3x3(channels, mid, stride, dilations[0], False)
        self.bn1 = nn.BatchNorm2d(mid)
        self.conv2 = _conv3x3(mid, mid, 1, dilations[1], deformable)
        self.bn2 = nn.BatchNorm2d(mid)
        self.downsample = _shortcut(channels, mid, stride)

    def forward(self, x: Tensor) -> Tensor:
        inner = without_border(x) if self.stride > 1 else x
        y = F.relu(self.bn1(self.conv1(x)), inplace=True)
        y = self.bn2(self.conv2(y))
        shortcut = inner if self.downsample is None else self.downsample(inner)
        return F.relu(y + shortcut, inplace=True)


class ResNet50(ResNet):
    """Table 1: 3, 4, 6, 3 bottlenecks (SPEC Sec. 2, item 3)."""

    block = Bottleneck
    depths = (3, 4, 6, 3)


class ResNet18(ResNet):
    """Two basic blocks a stage, cut after the third stage (level 4): the fast model's trunk."""

    block = BasicBlock
    depths = (2, 2, 2)
    deepest = 4


def _conv3x3(channels: int, out: int, stride: int, dilation: int, deformable: bool) -> nn.Conv2d:
    """A 3x3 that keeps the size, or halves 2 n + 1 to n: unpadded where it strides, so that its cells stay centred."""
    padding = dilation if stride == 1 else 0
    kind = DeformableConv2d if deformable else nn.Conv2d
    return kind(channels, out, 3, stride=stride, padding=padding, dilation=dilation, bias=False)


def _shortcut(channels: int, out: int, stride: int) -> nn.Sequential | None:
    if stride == 1 and channels == out:
        return None
    return nn.Sequential(nn.Conv2d(channels, out, 1, stride=stride, bias=False), nn.BatchNorm2d(out))


def without_border(x: Tensor) -> Tensor:
    """Drop one cell a side, so that a strided 1x1 samples the centres 1, 3, 5, ... that an unpadded 3x3 has."""
    return x[:, :, 1:-1, 1:-1]


def _initialise(backbone: nn.Module) -> None:
    """He's initialisation for convolutions that no weights are loaded into."""
    for name, module in backbone.named_modules():
        if isinstance(module, nn.Conv2d) and not name.endswith(".offset"):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

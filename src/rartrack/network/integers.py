"""A ResNet in eight-bit integers, on processors: weights by channel to signed integers, maps to unsigned ones.

What a map's integers stand for was measured on crops (``rartrack.backends.quantize``). A block's sum is taken in the
pass of its last convolution, in 32 bits, and rounded once. In floats are the first convolution, what a shortcut's
convolution gives, the last level, and all behind the backbone.

The calls used here are those that torch's own compiler emits. They are not a documented interface: ``available`` says
whether they are there and compute.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rartrack.errors import InputError
from rartrack.network.deformable import DeformableConv2d
from rartrack.network.inference import pick_precision
from rartrack.network.layout import LaidOut
from rartrack.network.resnet import BasicBlock, Bottleneck, ResNet, without_border

Scales = Mapping[str, Sequence[Any]]
"""Place of a map -> (scale, zero point): its values are scale (integer - zero point), behind a ReLU that point is 0.
A place names what computes the map, a convolution by its weight: ``Relu(network.backbone.layer1.0.conv1.weight)``."""
_BACKBONE = "network.backbone"
_LARGEST, _LARGEST_WEIGHT = 255, 127


@cache
def available() -> bool:
    """Whether this torch and this processor convolve integers, and add to the result, rightly."""
    here = torch.device("cpu")
    maps = torch.arange(96, dtype=torch.uint8, device=here).reshape(2, 3, 4, 4)
    maps = maps.contiguous(memory_format=torch.channels_last)
    conv = nn.Conv2d(3, 3, 3, padding=1, bias=False, dtype=torch.float32, device=here).requires_grad_(False)
    conv.weight.copy_((torch.arange(81, device=here).reshape(3, 3, 3, 3) % 15 - 7) / 7)
    expected = F.relu(conv(maps.float() / 64) + maps.float() / 64)
    try:
        ours = IntegerConv2d(conv, maps.shape, 1 / 64, into=1 / 16, relu=True)
        found = ours.plus(maps.clone(), 1 / 64, maps)
    except (AttributeError, RuntimeError, TypeError):
        return False
    return found.dtype == torch.uint8 and bool(((found.float() / 16 - expected).abs() < 1 / 8).all())


def serve() -> bool:
    """Whether integers are what this processor is quickest with: one of x86-64 that does not compute in bfloat16."""
    quick = torch.backends.cpu.get_cpu_capability() in ("AVX2", "AVX512")
    return quick and pick_precision("auto", torch.device("cpu")) == torch.float32 and available()


class IntegerConv2d(LaidOut):
    """A convolution of integers whose weights are laid out for the maps that it meets.

    Args:
        conv: in floats.
        shape: (B, C, h, w) of those maps.
        scale: of their integers.
        into: scale of what is given; None gives floats.
        relu: whether ReLU follows.
    """

    def __init__(
        self, conv: nn.Conv2d, shape: Sequence[int], scale: float, into: float | None = None, relu: bool = False
    ) -> None:
        super().__init__()
        weight = conv.weight.detach().float()
        self._steps = (weight.abs().amax(dim=(1, 2, 3)) / _LARGEST_WEIGHT).clamp(min=1e-12)
        self._integers = (weight / self._steps.reshape(-1, 1, 1, 1)).round().to(torch.int8)
        self._zeros = torch.zeros(len(weight), dtype=torch.int64, device=weight.device)
        self._bias = None if conv.bias is None else conv.bias.detach().float()
        self._geometry = ([*conv.stride], [*cast(Sequence[int], conv.padding)], [*conv.dilation], conv.groups)
        self._shape, self._scale = [*shape], scale
        self._into = (1.0, 0, torch.float32) if into is None else (into, 0, torch.uint8)
        self._after = "relu" if relu else "none"
        self._keep(self._integers)

    def _lay_out(self, weight: Tensor) -> Tensor:
        library: Any = torch.ops.onednn
        return cast(Tensor, library.qconv_prepack(weight, self._steps, self._scale, 0, *self._geometry, self._shape))

    def _plain(self) -> Tensor:
        return self._integers

    def _maps_and_weight(self, x: Tensor) -> tuple[Any, ...]:
        return x, self._scale, 0, self._weight, self._steps, self._zeros

    def forward(self, x: Tensor) -> Tensor:
        call: Any = torch.ops.onednn.qconv2d_pointwise
        given = (*self._maps_and_weight(x), self._bias, *self._geometry, *self._into, self._after, [], "")
        return cast(Tensor, call(*given))

    def plus(self, other: Tensor, scale: float, x: Tensor) -> Tensor:
        """The convolution of x plus another map, which is overwritten: integers of that scale, or floats where this
        gives floats."""
        call: Any = torch.ops.onednn.qconv2d_pointwise.binary
        given = (*self._maps_and_weight(x), other, self._bias, *self._geometry, *self._into)
        return cast(Tensor, call(*given, scale, 0, "sum", 1.0, self._after, [], ""))


class IntegerResNet(nn.Module):
    """A backbone in integers. It takes and gives what the one in floats does, up to rounding.

    Args:
        backbone: prepared for inference, on the processor; left as it is.
        crops: some, normalised, for whose shape the weights are laid out.
        scales: of its maps.

    Raises:
        InputError: not a ResNet, one with trained offsets of deformable convolutions, or another one's scales.
    """

    def __init__(self, backbone: nn.Module, crops: Tensor, scales: Scales) -> None:
        super().__init__()
        if not isinstance(backbone, ResNet) or any(isinstance(part, DeformableConv2d) for part in backbone.modules()):
            raise InputError("torch computes in eight-bit integers for ResNets without trained offsets alone")
        self.levels = backbone.levels
        try:
            self.stem = _Stem(backbone.conv1, scales)
            x, known = self.stem(crops), self.stem.given
            for level in range(2, max(self.levels) + 1):
                name, stage = f"layer{level - 1}", nn.Sequential()
                for index, block in enumerate(cast(nn.Sequential, backbone.get_submodule(name))):
                    made = _Block(block, f"{_BACKBONE}.{name}.{index}", x, known, scales)
                    x, known = made(x), made.given
                    stage.append(made)
                self.add_module(name, stage)
        except KeyError as error:
            raise InputError(f"no scale of eight-bit integers for the map {error}; measure them again") from None

    def forward(self, crops: Tensor) -> dict[int, Tensor]:
        x, taps = self.stem(crops), {}
        for level in range(2, max(self.levels) + 1):
            stage = cast(nn.Sequential, self.get_submodule(f"layer{level - 1}"))
            x = stage(x)
            if level in self.levels:
                taps[level] = cast(_Block, stage[-1]).given.floats(x).to(crops.dtype)
        return taps


class _Map:
    """What is known of a map: its place, and the scale of its integers, None of floats."""

    def __init__(self, place: str, scale: float | None) -> None:
        self.place, self.scale = place, scale

    def floats(self, x: Tensor) -> Tensor:
        return x if self.scale is None else x * self.scale


class _Stem(nn.Module):
    """conv1, in floats, ReLU and max-pooling, of normalised crops.

    Processors without instructions for eight-bit integers (VNNI, AMX) add pairs of products in sixteen bits. That
    overflows where both are large, which is the rule in crops, whose zero is in the middle of their integers, and rare
    behind a ReLU.
    """

    def __init__(self, conv: nn.Conv2d, scales: Scales) -> None:
        super().__init__()
        place = f"MaxPool(Relu({_BACKBONE}.conv1.weight))"
        self.conv, self.given = conv, _Map(place, float(scales[place][0]))

    def forward(self, crops: Tensor) -> Tensor:
        assert self.given.scale is not None
        return _integers(F.max_pool2d(F.relu(self.conv(crops), inplace=True), 3, stride=2), self.given.scale)


class _Block(nn.Module):
    """A block of integers, which gives floats where nothing is known of its sum.

    Args:
        x: a map that it meets.
        taken: what is known of that.
    """

    def __init__(self, block: nn.Module, name: str, x: Tensor, taken: _Map, scales: Scales) -> None:
        super().__init__()
        assert isinstance(block, (BasicBlock, Bottleneck))
        if taken.scale is None:
            raise KeyError(taken.place)
        self._scale, self._strides = taken.scale, block.stride > 1
        self._early = isinstance(block, Bottleneck) and block.early_stride
        inner = without_border(x) if self._strides else x
        self.shortcut: IntegerConv2d | None = None
        shortcut = taken.place
        if block.downsample is not None:
            self.shortcut = IntegerConv2d(cast(nn.Conv2d, block.downsample[0]), inner.shape, self._scale)
            shortcut = f"{name}.downsample.0.weight"
        convolutions = [block.conv1, block.conv2, *([block.conv3] if isinstance(block, Bottleneck) else [])]
        *places, last = (f"{name}.conv{number}.weight" for number in range(1, len(convolutions) + 1))
        scale, x, layers = self._scale, inner if self._early else x, nn.Sequential()
        for conv, place in zip(convolutions[:-1], places, strict=True):
            into = float(scales[f"Relu({place})"][0])
            made = IntegerConv2d(conv, x.shape, scale, into=into, relu=True)
            x, scale = made(x), into
            layers.append(made)
        self.layers = layers
        place = f"Relu(Add({', '.join(sorted((shortcut, last)))}))"
        # Where the next block drops the border before all else, what is known is of the map without it.
        known = scales.get(place, scales.get(f"Slice(Slice({place}))"))
        self.given = _Map(place, None if known is None else float(known[0]))
        gives = self.given.scale if self.shortcut is None else None
        self.last = IntegerConv2d(convolutions[-1], x.shape, scale, into=gives, relu=True)

    def forward(self, x: Tensor) -> Tensor:
        inner = without_border(x) if self._strides else x
        y = self.layers(inner if self._early else x)
        if self.shortcut is None:
            if self.given.scale is None:
                return self.last.plus(x * self._scale, 1.0, y)
            return self.last.plus(x, self._scale, y)
        total = self.last.plus(self.shortcut(inner), 1.0, y)
        if self.given.scale is None:
            return total
        return _integers(total, self.given.scale)


def _integers(x: Tensor, scale: float) -> Tensor:
    """Of a map without negative values."""
    return x.mul(1 / scale).round_().clamp_(max=_LARGEST).to(torch.uint8)

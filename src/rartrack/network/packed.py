"""Convolutions on processors with weights laid out once, and what follows them done in the same pass.

torch lays a convolution's weights out for oneDNN anew at every call, and walks over each map again for its ReLU and its
shortcut; on crops this small that is a tenth of the time. The calls used here are those that torch's own compiler
emits. They are not a documented interface: where they are missing or refuse, the network is left as it is.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any, cast

import torch
from torch import Tensor, nn

from rartrack.errors import InputError
from rartrack.network.attention import ChannelAttention
from rartrack.network.deformable import DeformableConv2d
from rartrack.network.integers import IntegerResNet, Scales
from rartrack.network.layout import LaidOut
from rartrack.network.rar import RAR
from rartrack.network.refinement import ResidualBlock
from rartrack.network.resnet import BasicBlock, Bottleneck, without_border

_PRECISIONS = (torch.float32, torch.bfloat16)


def packed(network: RAR, scales: Scales | None = None) -> RAR:
    """A copy for this kind of processor alone, not to be moved or exported. Features agree up to rounding.

    Args:
        network: prepared for inference; given back as it is on other devices, or where torch cannot do it.
        scales: of its maps; the backbone computes in eight-bit integers then, which is an error where torch cannot.

    Raises:
        InputError: as ``IntegerResNet``, or torch cannot compute in integers.
    """
    available: Any = torch.backends.mkldnn.is_available
    if network.device.type != "cpu" or network.dtype not in _PRECISIONS or not available():
        return _left(network, scales)
    size = network.config.input_size
    crop = torch.zeros(1, 3, size, size, dtype=torch.uint8)
    try:
        result = copy.deepcopy(network)
        with torch.inference_mode():
            if scales is not None:
                given = network.normalised(crop).to(network.dtype)
                result.add_module("backbone", IntegerResNet(network.backbone, given, scales))
            _replace_children(result, _Lay(result, crop))
            _two_looks(result, crop)
    except (AttributeError, RuntimeError, TypeError):
        return _left(network, scales)
    return result


def _left(network: RAR, scales: Scales | None) -> RAR:
    if scales is not None:
        raise InputError(f"torch {torch.__version__} does not compute in eight-bit integers here")
    return network


class PackedConv2d(LaidOut):
    """A convolution whose weights are laid out, followed by ReLU if wanted."""

    def __init__(self, conv: nn.Conv2d, shape: Sequence[int], relu: bool = False) -> None:
        """``shape`` (B, C, h, w): of the maps the layout is chosen for. Others are right too, but where they want
        another one the weights are laid out at every call."""
        super().__init__()
        self._geometry = ([*conv.padding], [*conv.stride], [*conv.dilation], conv.groups)
        self._shape = [*shape]
        self._keep(conv.weight.detach())
        self._bias, self._after = conv.bias, "relu" if relu else "none"

    def _lay_out(self, weight: Tensor) -> Tensor:
        library: Any = torch._C._nn
        return cast(Tensor, library.mkldnn_reorder_conv2d_weight(weight.to_mkldnn(), *self._geometry, self._shape))

    def _plain(self) -> Tensor:
        return self._laid.to_dense()

    def forward(self, x: Tensor) -> Tensor:
        call: Any = torch.ops.mkldnn._convolution_pointwise
        return cast(Tensor, call(x, self._weight, self._bias, *self._geometry, self._after, [], ""))

    def plus(self, other: Tensor, x: Tensor, relu: bool) -> Tensor:
        """The convolution of x plus another map, then ReLU if wanted."""
        call: Any = torch.ops.mkldnn._convolution_pointwise.binary
        after = "relu" if relu else None
        return cast(Tensor, call(x, other, self._weight, self._bias, *self._geometry, "add", 1.0, after, [], ""))


class _Lay:
    """Lays a network's convolutions out, each for the maps that it meets when a crop is looked at."""

    def __init__(self, network: RAR, crop: Tensor) -> None:
        self._shapes: dict[nn.Module, torch.Size] = {}
        hooks = [module.register_forward_pre_hook(self._met) for module in network.modules() if _is_plain(module)]
        _two_looks(network, crop)
        for hook in hooks:
            hook.remove()

    def _met(self, module: nn.Module, given: tuple[Tensor]) -> None:
        self._shapes[module] = given[0].shape

    def __call__(self, conv: nn.Conv2d, relu: bool = False) -> PackedConv2d:
        return PackedConv2d(conv, self._shapes[conv], relu)


class _PackedBasicBlock(nn.Module):
    def __init__(self, block: BasicBlock, lay: _Lay) -> None:
        super().__init__()
        self.stride = block.stride
        self.first, self.last = lay(block.conv1, relu=True), lay(block.conv2)
        self.shortcut = _shortcut(block, lay)

    def forward(self, x: Tensor) -> Tensor:
        inner = without_border(x) if self.stride > 1 else x
        shortcut = inner if self.shortcut is None else self.shortcut(inner)
        return self.last.plus(shortcut, self.first(x), relu=True)


class _PackedBottleneck(nn.Module):
    def __init__(self, block: Bottleneck, lay: _Lay) -> None:
        super().__init__()
        self.stride, self.early_stride = block.stride, block.early_stride
        self.first, self.last = lay(block.conv1, relu=True), lay(block.conv3)
        self.middle: nn.Module
        if isinstance(block.conv2, DeformableConv2d):
            self.middle = nn.Sequential(block.conv2, nn.ReLU())
        else:
            self.middle = lay(block.conv2, relu=True)
        self.shortcut = _shortcut(block, lay)

    def forward(self, x: Tensor) -> Tensor:
        inner = without_border(x) if self.stride > 1 else x
        shortcut = inner if self.shortcut is None else self.shortcut(inner)
        return self.last.plus(shortcut, self.middle(self.first(inner if self.early_stride else x)), relu=True)


class _PackedResidualBlock(nn.Module):
    def __init__(self, block: ResidualBlock, lay: _Lay) -> None:
        super().__init__()
        self.first, self.last = lay(block.first, relu=True), lay(block.last)

    def forward(self, x: Tensor) -> Tensor:
        return self.last.plus(x, self.first(x), relu=False)


def _shortcut(block: BasicBlock | Bottleneck, lay: _Lay) -> PackedConv2d | None:
    return None if block.downsample is None else lay(cast(nn.Conv2d, block.downsample[0]))


def _replace_children(module: nn.Module, lay: _Lay) -> None:
    for name, child in module.named_children():
        if isinstance(child, BasicBlock) and not isinstance(child.conv2, DeformableConv2d):
            setattr(module, name, _PackedBasicBlock(child, lay))
        elif isinstance(child, Bottleneck):
            setattr(module, name, _PackedBottleneck(child, lay))
        elif isinstance(child, ResidualBlock):
            setattr(module, name, _PackedResidualBlock(child, lay))
        elif _is_plain(child):
            setattr(module, name, lay(cast(nn.Conv2d, child)))
        elif not isinstance(child, (ChannelAttention, DeformableConv2d)):  # whose weights are used in other ways
            _replace_children(child, lay)


def _two_looks(network: RAR, crop: Tensor) -> None:
    """The first gives the memory that the box head reads."""
    _, memory, _ = network.look(crop, network.initial_memory(1))
    network.look(crop, memory)


def _is_plain(module: nn.Module) -> bool:
    return type(module) is nn.Conv2d

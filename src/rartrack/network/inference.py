"""A copy of the network made for tracking: same function, fewer operations."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from typing import cast

import torch
from torch import Tensor, nn

from rartrack.errors import InputError, nearest
from rartrack.network.attention import ChannelAttention, LevelAttention, SpatialAttention
from rartrack.network.deformable import DeformableConv2d
from rartrack.network.rar import RAR
from rartrack.network.refinement import Refinement, ResidualBlock

PRECISIONS = ("auto", "int8", "float32", "bfloat16", "float16")
"""Of the network's weights and maps; the filter has single or double precision always."""


def pick_precision(name: str, device: torch.device) -> torch.dtype:
    """Of the network's floats. ``auto``: bfloat16 where the device computes in it, float16 on older GPUs, else float32;
    ``int8`` has the same beside its integers.

    Raises:
        InputError: no such precision.
    """
    if name not in PRECISIONS:
        raise InputError(f"precision {name!r}: expected {', '.join(PRECISIONS)}{nearest(name, PRECISIONS)}")
    if name not in ("auto", "int8"):
        return cast(torch.dtype, getattr(torch, name))
    if device.type == "cuda":
        with torch.cuda.device(device):  # the question is about the current one
            native = torch.cuda.is_bf16_supported(including_emulation=False)
        return torch.bfloat16 if native else torch.float16
    native = getattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)()
    return torch.bfloat16 if native else torch.float32


def frozen_taps(network: RAR, precision: torch.dtype = torch.float32) -> Callable[[Tensor], dict[int, Tensor]]:
    """``network.taps`` of a backbone that no longer changes, prepared as for tracking: faster, without gradients.

    Args:
        network: its backbone is copied as it is now.
        precision: of the copy and of what it returns.
    """
    backbone = copy.deepcopy(network.backbone).eval().requires_grad_(False)
    for module in backbone.modules():
        _fold_children(module)
    backbone.to(dtype=precision, memory_format=torch.channels_last)  # type: ignore[call-overload]

    def taps(crops: Tensor) -> dict[int, Tensor]:
        with torch.no_grad(), torch.autocast(crops.device.type, enabled=False):
            return cast(dict[int, Tensor], backbone(network.normalised(crops).to(precision)))

    return taps


def prepare_for_inference(network: RAR, precision: torch.dtype = torch.float32) -> RAR:
    """Return a copy in evaluation mode, without gradients, whose batch norms are folded into the convolutions.

    A deformable convolution whose offsets are exactly zero becomes the plain convolution it equals, and what is not
    trained yet, and so computes nothing, is not computed: attention at its neutral start (with its memory, which is
    then empty), residual blocks that are the identity, the deepest levels where their laterals are zero. Features
    agree with the network's own in evaluation mode to 1e-5 relative in float32. The copy's state dict has other names;
    save the original.

    Args:
        network: left as it is.
        precision: of the copy's weights, maps and memory; crops are normalised in float32.
    """
    prepared = copy.deepcopy(network).eval().requires_grad_(False)
    for module in prepared.modules():
        _fold_children(module)
    _drop_neutral_attention(prepared)
    for part in prepared.attention.modules():
        if isinstance(part, (ChannelAttention, SpatialAttention)):
            part.join_memory()
    _drop_identities(prepared.refinement)
    _drop_silent_levels(prepared)
    # Channels last is a third faster on CPU and takes tensor cores on GPU; kernels in this order pull the maps along.
    prepared.to(dtype=precision, memory_format=torch.channels_last)  # type: ignore[call-overload]
    prepared.mean, prepared.std = network.mean, network.std
    return prepared


@torch.no_grad()
def _drop_neutral_attention(network: RAR) -> None:
    """Move the factor of attention that is neutral on every level into the laterals."""
    gains = {level: cast(LevelAttention, part).neutral_gain() for level, part in network.attention.items()}
    if not gains or None in gains.values():
        return
    for level, gain in gains.items():
        cast(nn.Conv2d, network.refinement.laterals[level]).weight.mul_(cast(float, gain))
    network.attention = nn.ModuleDict()
    network.config = replace(network.config, attention=False)


@torch.no_grad()
def _drop_identities(refinement: Refinement) -> None:
    """Skip blocks that are the identity; where all are, laterals and output are one linear map a level."""
    for level, block in refinement.blocks.items():
        if cast(ResidualBlock, block).is_identity():
            refinement.blocks[level] = nn.Identity()
    if not all(isinstance(block, nn.Identity) for block in refinement.blocks.values()):
        return
    output = refinement.output
    first = str(refinement.order[-1])
    for level, lateral in refinement.laterals.items():
        weight = output.weight[:, :, 0, 0].double() @ cast(nn.Conv2d, lateral).weight[:, :, 0, 0].double()
        joined = nn.Conv2d(weight.shape[1], weight.shape[0], 1, bias=level == first).requires_grad_(False)
        joined.weight.copy_(weight[:, :, None, None])
        if joined.bias is not None:
            joined.bias.copy_(cast(Tensor, output.bias))
        refinement.laterals[level] = joined.to(output.weight.device)
    refinement.add_module("output", nn.Identity())


def _drop_silent_levels(network: RAR) -> None:
    """Compute no stage deeper than the deepest level that has a part in the features."""
    refinement, backbone = network.refinement, network.backbone
    if network.box is not None:  # which reads them all
        return
    for level in refinement.order[:-1]:
        lateral = cast(nn.Conv2d, refinement.laterals[str(level)])
        silent = not bool(lateral.weight.any()) and isinstance(refinement.blocks[str(level)], nn.Identity)
        if not silent or str(level) in network.attention:
            return
        refinement.order = refinement.order[1:]
        del refinement.laterals[str(level)], refinement.blocks[str(level)]
        backbone.levels = tuple(kept for kept in backbone.levels if kept != level)
        del backbone.channels[level]


def _fold_children(module: nn.Module) -> None:
    """Fold ``bn1`` into ``conv1`` and so on, and a shortcut's ``1`` into its ``0``."""
    children = dict(module.named_children())
    for name, norm in children.items():
        if not isinstance(norm, nn.BatchNorm2d):
            continue
        before = name.replace("bn", "conv") if name.startswith("bn") else str(int(name) - 1)
        conv = children[before]
        assert isinstance(conv, nn.Conv2d)
        setattr(module, before, _folded(conv, norm))
        setattr(module, name, nn.Identity())


@torch.no_grad()
def _folded(conv: nn.Conv2d, norm: nn.BatchNorm2d) -> nn.Conv2d:
    """One convolution equal to ``conv`` followed by ``norm`` in evaluation mode; products in double precision."""
    assert norm.running_mean is not None
    assert norm.running_var is not None
    plain = conv.plain() if isinstance(conv, DeformableConv2d) else None
    result = plain if plain is not None else conv
    scale = norm.weight.double() / (norm.running_var.double() + norm.eps).sqrt()
    bias = norm.running_mean.new_zeros(()).double() if conv.bias is None else conv.bias.double()
    weight = conv.weight.double() * scale[:, None, None, None]
    result.weight = nn.Parameter(weight.to(conv.weight.dtype), requires_grad=False)
    shifted = (bias - norm.running_mean.double()) * scale + norm.bias.double()
    result.bias = nn.Parameter(shifted.to(conv.weight.dtype), requires_grad=False)
    return result

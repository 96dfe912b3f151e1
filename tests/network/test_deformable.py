"""Deformable convolution: plain at zero offset, exact where the offset is known (SPEC Sec. 11, item 7)."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from rartrack.network.backbone import build_backbone
from rartrack.network.deformable import DeformableConv2d, sample_taps


def bilinear(image: Tensor, y: float, x: float) -> float:
    """One sample of a map (H, W), zero outside."""
    total = 0.0
    for row in (math.floor(y), math.floor(y) + 1):
        for column in (math.floor(x), math.floor(x) + 1):
            if 0 <= row < image.shape[0] and 0 <= column < image.shape[1]:
                total += float(image[row, column]) * (1 - abs(y - row)) * (1 - abs(x - column))
    return total


@pytest.mark.parametrize(("stride", "padding", "dilation"), [(1, 1, 1), (1, 2, 2), (2, 0, 1), (1, 4, 4)])
@pytest.mark.parametrize("bias", [True, False])
def test_equals_the_plain_convolution_at_zero_offset(stride, padding, dilation, bias):
    layer = DeformableConv2d(4, 6, 3, stride, padding, dilation, bias=bias)
    x = torch.randn(2, 4, 17, 13)
    plain = F.conv2d(x, layer.weight, layer.bias, stride, padding, dilation)
    assert torch.allclose(layer(x), plain, atol=1e-5)


def test_a_whole_shift_moves_every_tap():
    """Offsets of (y, x) = (2, -3) cells sample the map two rows lower and three columns to the left."""
    layer = DeformableConv2d(4, 6, padding=1)
    with torch.no_grad():
        layer.offset.bias.copy_(torch.tensor([2.0, -3.0]).repeat(9))
    x = torch.randn(1, 4, 16, 16)
    plain = F.conv2d(x, layer.weight, layer.bias, padding=1)
    assert torch.allclose(layer(x)[..., 1:12, 4:15], plain[..., 3:14, 1:12], atol=1e-5)


def test_fractions_are_bilinear_and_zero_outside():
    x, offsets = torch.randn(1, 1, 5, 7), 3 * torch.randn(1, 18, 5, 7)
    samples = sample_taps(x, offsets, kernel=3, stride=1, padding=2, dilation=2)
    for tap in range(9):
        for row in range(5):
            for column in range(7):
                y = row - 2 + 2 * (tap // 3) + float(offsets[0, 2 * tap, row, column])
                x_at = column - 2 + 2 * (tap % 3) + float(offsets[0, 2 * tap + 1, row, column])
                assert float(samples[0, 0, tap, row, column]) == pytest.approx(bilinear(x[0, 0], y, x_at), abs=1e-5)


def test_positions_are_exact_in_bfloat16():
    """There 30.3 cells would be 30.25."""
    line = torch.arange(40.0)[None, None, None].expand(1, 1, 40, 40)
    offsets = torch.full((1, 18, 40, 40), 0.3)
    samples = sample_taps(line.bfloat16(), offsets.bfloat16(), kernel=3, stride=1, padding=1, dilation=1)
    assert samples.dtype == torch.bfloat16
    shift = float(torch.tensor(0.3).bfloat16())
    assert float(samples[0, 0, 4, 20, 30]) == pytest.approx(float(torch.tensor(30 + shift).bfloat16()), abs=0)


def test_gradients_are_exact_in_map_weight_and_offsets():
    layer = DeformableConv2d(2, 3, padding=1).double()
    with torch.no_grad():
        layer.offset.weight.normal_(0, 0.1)
        layer.offset.bias.fill_(0.37)
    x = torch.randn(1, 2, 5, 5, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(layer, (x,))
    layer(x).square().sum().backward()
    assert layer.weight.grad is not None


def test_offsets_learn_from_zero():
    layer = DeformableConv2d(2, 3, padding=1)
    layer(torch.randn(1, 2, 9, 9)).square().sum().backward()
    assert layer.offset.weight.grad.abs().sum() > 0


@pytest.mark.parametrize("stage_stride", ["3x3", "1x1"])
@pytest.mark.parametrize("blocks", [("layer3.0",), ("layer2.0", "layer4.2")])
def test_a_fresh_deformable_backbone_equals_the_plain_one(small, stage_stride, blocks):
    deformable = build_backbone(small(stage_stride=stage_stride, deformable=blocks)).eval()
    plain = build_backbone(small(stage_stride=stage_stride, deformable=())).eval()
    kinds = {name for name, module in deformable.named_modules() if isinstance(module, DeformableConv2d)}
    assert kinds == {f"{block}.conv2" for block in blocks}
    plain.load_state_dict({k: v for k, v in deformable.state_dict().items() if ".offset." not in k})
    crops = torch.randn(1, 3, 127, 127)
    for ours, theirs in zip(deformable(crops).values(), plain(crops).values(), strict=True):
        assert (ours - theirs).norm() < 1e-5 * theirs.norm()


def test_a_plain_twin_exists_only_at_zero_offset():
    layer = DeformableConv2d(2, 3, padding=2, dilation=2, bias=False)
    x = torch.randn(1, 2, 9, 9)
    assert torch.allclose(layer.plain()(x), layer(x), atol=1e-6)
    layer.offset.bias.data[3] = 1e-3
    assert layer.plain() is None

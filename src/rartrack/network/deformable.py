"""Deformable convolution, first version: each kernel tap is displaced by a learned offset (Dai et al. 2017).

Offsets start at zero, where the layer equals the plain convolution of the same weight (SPEC Sec. 2, item 6).
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class DeformableConv2d(nn.Conv2d):
    """A square convolution whose taps sample at ``place + offset``, bilinearly, zero outside the map.

    Its ``weight`` has a plain convolution's name and shape, so pre-trained weights load into it; ``offset`` is a
    convolution of the same geometry that predicts 2 k k numbers per place: for each tap, row by row, a shift in y and
    in x, in cells. One offset group, no modulation.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int = 3,
        stride: int = 1,
        padding: int = 0,
        dilation: int = 1,
        bias: bool = True,
    ) -> None:
        super().__init__(in_channels, out_channels, kernel_size, stride, padding, dilation, bias=bias)
        self.offset = nn.Conv2d(in_channels, 2 * kernel_size**2, kernel_size, stride, padding, dilation)
        nn.init.zeros_(self.offset.weight)
        assert self.offset.bias is not None
        nn.init.zeros_(self.offset.bias)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to (B, O, H', W') with a plain convolution's H', W'."""
        kernel, stride, padding = self.kernel_size[0], self.stride[0], int(self.padding[0])
        samples = sample_taps(x, self.offset(x), kernel, stride, padding, self.dilation[0])
        batch, channels, taps, rows, columns = samples.shape
        flat = samples.reshape(batch, channels * taps, rows * columns)
        out = (self.weight.flatten(1) @ flat).reshape(batch, self.out_channels, rows, columns)
        return out if self.bias is None else out + self.bias[:, None, None]

    def plain(self) -> nn.Conv2d | None:
        """The plain convolution this layer equals while its offsets are all zero, or None once they are not."""
        assert self.offset.bias is not None
        if bool(self.offset.weight.any()) or bool(self.offset.bias.any()):
            return None
        conv = nn.Conv2d(
            self.in_channels,
            self.out_channels,
            self.kernel_size[0],
            self.stride[0],
            int(self.padding[0]),
            self.dilation[0],
            bias=self.bias is not None,
        )
        conv.weight, conv.bias = self.weight, self.bias
        return conv.train(self.training)


def sample_taps(x: Tensor, offsets: Tensor, kernel: int, stride: int, padding: int, dilation: int) -> Tensor:
    """Sample ``x`` (B, C, H, W) at every tap of every output place.

    Args:
        x: the map.
        offsets: (B, 2 k k, H', W') shifts in cells, tap by tap, y before x.
        kernel, stride, padding, dilation: of the convolution.

    Returns:
        (B, C, k k, H', W'), bilinear, zero outside the map, differentiable in ``x`` and ``offsets``.
    """
    batch, channels, height, width = x.shape
    rows, columns = offsets.shape[-2:]
    # Positions of sixteen cells and more have steps of an eighth of a cell in bfloat16.
    exact = torch.promote_types(x.dtype, torch.float32)
    shift = offsets.reshape(batch, kernel * kernel, 2, rows, columns).to(exact)
    steps = torch.arange(kernel, device=x.device, dtype=exact) * dilation - padding
    tap_y, tap_x = steps.repeat_interleave(kernel), steps.repeat(kernel)
    place_y = torch.arange(rows, device=x.device, dtype=exact)[:, None] * stride
    place_x = torch.arange(columns, device=x.device, dtype=exact) * stride
    y = shift[:, :, 0] + tap_y[:, None, None] + place_y  # (B, k k, H', W')
    x_at = shift[:, :, 1] + tap_x[:, None, None] + place_x
    # grid_sample counts from -1 at the left edge of cell 0 to 1 at the right edge of the last cell.
    grid = torch.stack([(2 * x_at + 1) / width - 1, (2 * y + 1) / height - 1], dim=-1)
    grid = grid.reshape(batch, kernel * kernel * rows, columns, 2)
    samples = F.grid_sample(x.to(exact), grid, mode="bilinear", padding_mode="zeros", align_corners=False)
    return samples.to(x.dtype).reshape(batch, channels, kernel * kernel, rows, columns)

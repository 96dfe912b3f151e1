"""Coarse-to-fine refinement: attentional features of all levels to the D channels the filter sees (paper, Fig. 7).

Fig. 7 is a picture without numbers. From the deepest level up, each level enters by a 1x1 lateral and is added to the
running sum; a residual block s + conv3x3(relu(conv3x3(s))) refines each sum; a 1x1 gives D channels. All levels share
one grid, so nothing is resampled. The block's last convolution starts at zero, in place of a plain 3x3 with
batch norm (SPEC Sec. 7.5): an untrained refinement is then a linear projection of the levels and nothing else, which
can be set (``set_projection``), and a level that is not trained yet cannot spoil the others.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class ResidualBlock(nn.Module):
    """s + conv3x3(relu(conv3x3(s))); the identity until its last convolution is trained."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, padding=1)
        self.last = nn.Conv2d(channels, channels, 3, padding=1)
        nn.init.kaiming_normal_(self.first.weight, nonlinearity="relu")
        nn.init.zeros_(cast(Tensor, self.first.bias))
        self.reset()

    def reset(self) -> None:
        """Make the block the identity."""
        nn.init.zeros_(self.last.weight)
        nn.init.zeros_(cast(Tensor, self.last.bias))

    def is_identity(self) -> bool:
        """Whether the block is still the identity it starts as."""
        return not bool(self.last.weight.any()) and not bool(cast(Tensor, self.last.bias).any())

    def forward(self, x: Tensor) -> Tensor:
        return x + cast(Tensor, self.last(F.relu(self.first(x), inplace=True)))


class Refinement(nn.Module):
    """Level -> a_l (B, C_l, n, n) to one map (B, D, n, n).

    Args:
        channels: level -> C_l.
        width: F, channels of the running sum.
        out: D, channels of the result.
    """

    def __init__(self, channels: Mapping[int, int], width: int, out: int) -> None:
        super().__init__()
        self.order = tuple(sorted(channels, reverse=True))
        self.laterals = nn.ModuleDict(
            {str(level): nn.Conv2d(channels[level], width, 1, bias=False) for level in self.order}
        )
        self.blocks = nn.ModuleDict({str(level): ResidualBlock(width) for level in self.order})
        self.output = nn.Conv2d(width, out, 1)
        nn.init.zeros_(cast(Tensor, self.output.bias))

    def forward(self, features: Mapping[int, Tensor]) -> Tensor:
        running: Tensor | None = None
        for level in self.order:
            lateral = self.laterals[str(level)](features[level])
            running = self.blocks[str(level)](lateral if running is None else running + lateral)
        assert running is not None
        return cast(Tensor, self.output(running))

    @torch.no_grad()
    def set_projection(self, level_weights: Mapping[int, Tensor], means: Mapping[int, Tensor] | None = None) -> None:
        """Make the refinement compute exactly sum_l W_l (a_l - m_l), and nothing else, until it is trained further.

        The first D channels of the running sum carry the projections; the others keep the laterals' initial weights
        for the levels that are named, and wait, unread, for training. A level not named gets zero throughout, from
        which its first D channels can still learn.

        Args:
            level_weights: level -> W_l (D, C_l).
            means: level -> m_l (C_l,); 0 where nothing is said.

        Raises:
            ValueError: F < D, a level that is not tapped, or a weight of another shape.
        """
        out, width = self.output.weight.shape[:2]
        if width < out:
            raise ValueError(f"refinement of {width} channels cannot carry a projection to {out}")
        unknown = set(level_weights) - set(self.order)
        if unknown:
            raise ValueError(f"levels {sorted(unknown)} are not tapped; {sorted(self.order)} are")
        for level in self.order:
            lateral = cast(nn.Conv2d, self.laterals[str(level)])
            cast(ResidualBlock, self.blocks[str(level)]).reset()
            if level not in level_weights:
                lateral.weight.zero_()
                continue
            weight = level_weights[level]
            if weight.shape != (out, lateral.in_channels):
                expected = (out, lateral.in_channels)
                raise ValueError(f"projection of level {level} is {tuple(weight.shape)}, {expected} expected")
            lateral.weight[:out] = weight.to(lateral.weight)[:, :, None, None]
        self.output.weight.zero_()
        self.output.weight[:, :out, 0, 0] = torch.eye(out)
        cast(Tensor, self.output.bias).zero_()
        for level, mean in (means or {}).items():
            cast(Tensor, self.output.bias).sub_(level_weights[level] @ mean)

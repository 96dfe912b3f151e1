"""Inter-frame attention (Eq. 1) and intra-frame attention (Eqs. 2 to 4) of one level (paper, Sec. 3.2; SPEC Sec. 7).

A fresh module has a neutral gain: the last convolution of every Psi is zero, so Psi is one half everywhere and Eq. 4
multiplies the features by 1 + 1/2 * 1/2 = 1.25.
"""

from __future__ import annotations

import math
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rartrack.config import NetworkConfig

State = tuple[Tensor, Tensor]


class ConvLSTMCell(nn.Module):
    """Eq. 1 in the standard form of Shi et al. 2015: each gate has its own 3x3 kernels and bias, no peepholes.

    The forget gate's bias starts at 1, recurrent kernels start orthogonal.
    """

    def __init__(self, channels: int, hidden: int) -> None:
        super().__init__()
        self.gates = nn.Conv2d(channels + hidden, 4 * hidden, 3, padding=1)
        bias = cast(Tensor, self.gates.bias)
        nn.init.zeros_(bias)
        with torch.no_grad():
            bias[hidden : 2 * hidden] = 1.0
        for gate in self.gates.weight.detach().chunk(4):
            nn.init.xavier_uniform_(gate[:, :channels])
            nn.init.orthogonal_(gate[:, channels:])

    def forward(self, x: Tensor, state: State) -> State:
        """x (B, C, n, n), state (h, c) each (B, C_h, n, n) of time t - 1; returns (h, c) of time t."""
        hidden, cell = state
        enter, forget, leave, candidate = self.gates(torch.cat([x, hidden], dim=1)).chunk(4, dim=1)
        cell = torch.sigmoid(forget) * cell + torch.sigmoid(enter) * torch.tanh(candidate)
        return torch.sigmoid(leave) * torch.tanh(cell), cell


class InterFrame(nn.Module):
    """The memory of one level: features, narrowed to C_h channels and normalised, drive a ConvLSTM."""

    def __init__(self, channels: int, hidden: int) -> None:
        super().__init__()
        self.hidden = hidden
        self.reduce = nn.Conv2d(channels, hidden, 1, bias=False)
        self.norm = nn.GroupNorm(math.gcd(8, hidden), hidden)
        self.cell = ConvLSTMCell(hidden, hidden)

    def forward(self, features: Tensor, state: State) -> State:
        """phi (B, C, n, n) and state (h, c), each (B, C_h, n, n), of time t - 1 to (h, c) of time t."""
        # Group norm takes several times as long on maps with channels last.
        return cast(State, self.cell(self.norm(self.reduce(features).contiguous()), state))


class ChannelAttention(nn.Module):
    """Eq. 2: Psi^c = sigmoid(W_o tanh(W_Phi Phi^c + W_h h^c + b) + b_o), with Phi^c = GAP + GMP of the features.

    h^c = W GAP(h), a 1x1 convolution without bias, so that an empty memory adds nothing (SPEC Sec. 7, vi).
    """

    def __init__(self, channels: int, reduction: int, hidden: int | None) -> None:
        super().__init__()
        narrow = max(1, channels // reduction)
        self.features = nn.Conv2d(channels, narrow, 1)
        self.out = _zero(nn.Conv2d(narrow, channels, 1))
        self.head = nn.Conv2d(hidden, channels, 1, bias=False) if hidden else None
        self.memory = nn.Conv2d(channels, narrow, 1, bias=False) if hidden else None

    def forward(self, features: Tensor, hidden: Tensor | None) -> Tensor:
        """features (B, C, n, n), hidden (B, C_h, n, n) or None; returns Psi^c (B, C, 1, 1) in (0, 1)."""
        theta = _on_vector(self.features, features.mean(dim=(2, 3)) + features.amax(dim=(2, 3)))
        if self.memory is not None and hidden is not None:
            pooled = hidden.mean(dim=(2, 3))
            theta = theta + _on_vector(self.memory, pooled if self.head is None else _on_vector(self.head, pooled))
        return torch.sigmoid(_on_vector(self.out, torch.tanh(theta)))[..., None, None]

    @torch.no_grad()
    def join_memory(self) -> None:
        """Make one linear map of the two that lead from the memory to theta."""
        if self.head is None or self.memory is None:
            return
        weight = self.memory.weight.flatten(1).double() @ self.head.weight.flatten(1).double()
        self.memory.weight = nn.Parameter(weight[..., None, None].to(self.memory.weight), requires_grad=False)
        self.head = None


class SpatialAttention(nn.Module):
    """Eq. 3: Psi^s = sigmoid(W_o tanh(W_Phi * Phi^s + W_h * h^s + b) + b_o), Phi^s = mean + maximum over channels.

    7x7 kernels (CBAM's), hence equivariant to shifts up to the border; h^s is a 3x3 convolution of h to one map.
    """

    def __init__(self, maps: int, hidden: int | None) -> None:
        super().__init__()
        self.features = nn.Conv2d(1, maps, 7, padding=3)
        self.out = _zero(nn.Conv2d(maps, 1, 1))
        self.head = nn.Conv2d(hidden, 1, 3, padding=1) if hidden else None
        self.memory = nn.Conv2d(1, maps, 7, padding=3, bias=False) if hidden else None

    def forward(self, features: Tensor, hidden: Tensor | None) -> Tensor:
        """features (B, C, n, n), hidden (B, C_h, n, n) or None; returns Psi^s (B, 1, n, n) in (0, 1)."""
        maps = features.mean(dim=1, keepdim=True) + features.amax(dim=1, keepdim=True)
        if self.head is None or hidden is None:
            theta = self.features(maps)
        elif self.memory is None:
            theta = self.features(torch.cat([maps, self.head(hidden)], 1))
        else:
            theta = self.features(maps) + self.memory(self.head(hidden))
        return torch.sigmoid(self.out(torch.tanh(theta)))

    @torch.no_grad()
    def join_memory(self) -> None:
        """Make one convolution of two maps of the two convolutions that are added."""
        if self.memory is None:
            return
        weight = torch.cat([self.features.weight, self.memory.weight], 1)
        joined = nn.Conv2d(2, len(weight), 7, padding=3).requires_grad_(False).to(weight)
        joined.weight.copy_(weight)
        cast(Tensor, joined.bias).copy_(cast(Tensor, self.features.bias))
        self.features, self.memory = joined, None


class LevelAttention(nn.Module):
    """Eqs. 1 to 4 on one level, with the parts that ``config`` leaves on (the variants NTA, NCA, NSA).

    The spatial map reads the memory h_t, which the current crop has entered; the channel weights read h_{t-1} as
    printed, or h_t with ``channel_memory: current`` (SPEC Sec. 2, item 10).
    """

    def __init__(self, channels: int, config: NetworkConfig) -> None:
        super().__init__()
        hidden = config.hidden_channels if config.inter_frame else None
        self.inter_frame = InterFrame(channels, hidden) if hidden else None
        self.channel = ChannelAttention(channels, config.reduction, hidden) if config.channel else None
        self.spatial = SpatialAttention(config.spatial_channels, hidden) if config.spatial else None
        self.channel_memory = config.channel_memory

    def forward(self, features: Tensor, state: State | None) -> tuple[Tensor, State | None]:
        """phi (B, C, n, n) and (h, c) of time t - 1 to phi^a (B, C, n, n) and (h, c) of time t.

        ``state`` is None, in and out, without inter-frame attention.

        Raises:
            ValueError: ``state`` is None with it.
        """
        before = after = None
        if self.inter_frame is not None:
            if state is None:
                raise ValueError("inter-frame attention needs a memory; start from RAR.initial_memory")
            # In one layout, whether a convolution left it or a file: others are rounded otherwise.
            before = state = (state[0].contiguous(), state[1].contiguous())
            after = cast(State, self.inter_frame(features, state))
        weighted, spatial = features, None
        if self.channel is not None:
            read = before if self.channel_memory == "previous" else after
            weighted = features * self.channel(features, read[0] if read else None)
        if self.spatial is not None:
            spatial = self.spatial(features, after[0] if after else None)
        # Eq. 4; the product of both Psi, a map of all channels of its own, is never made.
        return features + weighted if spatial is None else torch.addcmul(features, weighted, spatial), after

    def neutral_gain(self) -> float | None:
        """The one factor Eq. 4 comes to while no Psi is trained, 1.25 with both; None once one is."""
        maps = [part.out for part in (self.channel, self.spatial) if part is not None]
        if any(bool(out.weight.any()) or bool(cast(Tensor, out.bias).any()) for out in maps):
            return None
        return 1 + 0.5 ** len(maps)


def _on_vector(conv: nn.Conv2d, values: Tensor) -> Tensor:
    """A 1x1 convolution of maps of one cell, (B, C) to (B, C_out), without a convolution's overhead."""
    return F.linear(values, conv.weight.flatten(1), conv.bias)


def _zero(conv: nn.Conv2d) -> nn.Conv2d:
    nn.init.zeros_(conv.weight)
    nn.init.zeros_(cast(Tensor, conv.bias))
    return conv

"""Eqs. 1 to 4 against a plain transcription, their switches, and the neutral start (SPEC Secs. 7 and 11, item 9)."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from rartrack.network.attention import ConvLSTMCell, LevelAttention

CHANNELS, HIDDEN, SIDE = 24, 8, 9


def equation_1(w: dict[str, Tensor], phi: Tensor, h: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
    """i, f, o = sigmoid(W_i u + W_h h + b), c = f c + i tanh(...), h = o tanh(c): own kernels for each gate."""
    u = F.conv2d(phi, w["inter_frame.reduce.weight"])
    u = F.group_norm(u, 8, w["inter_frame.norm.weight"], w["inter_frame.norm.bias"])
    kernels, bias = w["inter_frame.cell.gates.weight"], w["inter_frame.cell.gates.bias"]
    i, f, o, g = (
        F.conv2d(u, kernels[k : k + HIDDEN, :HIDDEN], padding=1)
        + F.conv2d(h, kernels[k : k + HIDDEN, HIDDEN:], padding=1)
        + bias[k : k + HIDDEN].view(-1, 1, 1)
        for k in range(0, 4 * HIDDEN, HIDDEN)
    )
    c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
    return torch.sigmoid(o) * torch.tanh(c), c


def equation_2(w: dict[str, Tensor], phi: Tensor, h: Tensor | None) -> Tensor:
    """Psi^c (B, C): pooled features and memory through one perceptron, written as matrix products."""
    matrix = lambda name: w[f"channel.{name}.weight"].flatten(1).T  # noqa: E731
    pooled = phi.mean(dim=(2, 3)) + phi.flatten(2).max(dim=2).values
    theta = pooled @ matrix("features") + w["channel.features.bias"]
    if h is not None:
        theta = theta + h.mean(dim=(2, 3)) @ matrix("head") @ matrix("memory")
    return torch.sigmoid(torch.tanh(theta) @ matrix("out") + w["channel.out.bias"])


def equation_3(w: dict[str, Tensor], phi: Tensor, h: Tensor | None) -> Tensor:
    """Psi^s (B, 1, n, n)."""
    pooled = phi.mean(dim=1, keepdim=True) + phi.max(dim=1, keepdim=True).values
    theta = F.conv2d(pooled, w["spatial.features.weight"], w["spatial.features.bias"], padding=3)
    if h is not None:
        h_s = F.conv2d(h, w["spatial.head.weight"], w["spatial.head.bias"], padding=1)
        theta = theta + F.conv2d(h_s, w["spatial.memory.weight"], padding=3)
    return torch.sigmoid(F.conv2d(torch.tanh(theta), w["spatial.out.weight"], w["spatial.out.bias"]))


@pytest.fixture
def phi() -> Tensor:
    return torch.relu(torch.randn(2, CHANNELS, SIDE, SIDE))


@pytest.fixture
def state() -> tuple[Tensor, Tensor]:
    return torch.tanh(torch.randn(2, HIDDEN, SIDE, SIDE)), torch.randn(2, HIDDEN, SIDE, SIDE)


class TestEquations:
    @pytest.mark.parametrize("channel_memory", ["previous", "current"])
    @pytest.mark.parametrize("channel", [True, False])
    @pytest.mark.parametrize("spatial", [True, False])
    @pytest.mark.parametrize("inter_frame", [True, False])
    def test_equal_a_plain_transcription(
        self, small, perturb, phi, state, channel_memory, channel, spatial, inter_frame
    ):
        """NCA is Psi^c = 1, NSA is Psi^s = 1, NTA drops the terms in h; the rest stays."""
        config = small(channel_memory=channel_memory, channel=channel, spatial=spatial, inter_frame=inter_frame)
        attention = perturb(LevelAttention(CHANNELS, config))
        w = attention.state_dict()
        h, c = equation_1(w, phi, *state) if inter_frame else (None, None)
        read = h if channel_memory == "current" else state[0]
        psi_c = equation_2(w, phi, read if inter_frame else None)[:, :, None, None] if channel else 1.0
        psi_s = equation_3(w, phi, h) if spatial else 1.0
        expected = phi * psi_s * psi_c + phi  # Eq. 4

        attended, after = attention(phi, state if inter_frame else None)
        assert torch.allclose(attended, expected, atol=1e-5)
        if inter_frame:
            assert torch.allclose(after[0], h, atol=1e-6)
            assert torch.allclose(after[1], c, atol=1e-6)
        else:
            assert after is None

    def test_frame_1_has_no_memory_in_its_channel_weights(self, small, perturb, phi):
        """With h_0 = 0 the channel attention is purely intra-frame (SPEC Sec. 7, vi)."""
        attention = perturb(LevelAttention(CHANNELS, small()))
        empty = torch.zeros(2, HIDDEN, SIDE, SIDE)
        assert torch.equal(attention.channel(phi, empty), attention.channel(phi, None))

    def test_a_memory_is_required_where_one_is_used(self, small, phi):
        with pytest.raises(ValueError, match="initial_memory"):
            LevelAttention(CHANNELS, small())(phi, None)


class TestStart:
    @pytest.mark.parametrize(
        ("changes", "gain"),
        [({}, 1.25), ({"inter_frame": False}, 1.25), ({"channel": False}, 1.5), ({"spatial": False}, 1.5)],
    )
    def test_the_gain_is_the_same_everywhere(self, small, phi, state, changes, gain):
        attention = LevelAttention(CHANNELS, small(**changes))
        attended, _ = attention(phi, state if attention.inter_frame else None)
        assert torch.equal(attended, gain * phi)

    def test_every_parameter_learns_within_two_steps(self, small, phi, state):
        """The last convolutions learn at once, all others as soon as those have left zero."""
        attention = LevelAttention(CHANNELS, small())
        for _ in range(2):
            attention.zero_grad()
            attended, after = attention(phi, state)
            (attended.square().sum() + after[0].sum()).backward()
            with torch.no_grad():
                for parameter in attention.parameters():
                    parameter -= 0.1 * parameter.grad
        idle = [name for name, p in attention.named_parameters() if p.grad is None or not p.grad.any()]
        assert idle == []

    def test_the_forget_gate_starts_open(self):
        cell = ConvLSTMCell(4, HIDDEN)
        assert torch.equal(cell.gates.bias, torch.cat([torch.zeros(8), torch.ones(8), torch.zeros(16)]))
        recurrent = cell.gates.weight[:HIDDEN, 4:].flatten(1)
        assert torch.allclose(recurrent @ recurrent.T, torch.eye(HIDDEN), atol=1e-5)


class TestEquivariance:
    def test_the_spatial_map_moves_with_the_features(self, small, perturb):
        """Convolutions, not a dense layer over places: the correlation filter needs it (SPEC Sec. 2, item 12)."""
        attention = perturb(LevelAttention(CHANNELS, small(inter_frame=False)))
        scene = torch.randn(1, CHANNELS, 24, 24)
        here = attention.spatial(scene[..., :20, :20], None)
        there = attention.spatial(scene[..., 4:, 4:], None)
        assert torch.allclose(here[..., 7:17, 7:17], there[..., 3:13, 3:13], atol=1e-6)


def test_a_memory_is_read_alike_in_any_layout(small) -> None:
    torch.manual_seed(0)
    config = small()
    level = LevelAttention(32, config).eval()
    for parameter in level.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    features, hidden, cell = (torch.randn(2, count, 15, 15) for count in (32, *[config.hidden_channels] * 2))
    other = [maps.contiguous(memory_format=torch.channels_last) for maps in (hidden, cell)]
    with torch.inference_mode():
        found, after = level(features, (hidden, cell))
        again, after_again = level(features, (other[0], other[1]))
    assert torch.equal(found, again)
    assert all(map(torch.equal, after, after_again))

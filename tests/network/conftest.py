"""A small network of the real geometry, so that tests take milliseconds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import nn

from rartrack.config import NetworkConfig

SMALL = NetworkConfig(
    width_divisor=8, input_size=127, hidden_channels=8, reduction=4, refinement_channels=16, feature_channels=8
)


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


@pytest.fixture
def small() -> Callable[..., NetworkConfig]:
    """The small profile (width / 8, crops of 127 pixels, 15 cells), with changes."""
    return lambda **changes: replace(SMALL, **changes)


@pytest.fixture
def perturb() -> Callable[[nn.Module], nn.Module]:
    """Give a network the look of a trained one: nothing at zero, batch norms with statistics of their own."""

    def change(network: nn.Module) -> nn.Module:
        with torch.no_grad():
            for parameter in network.parameters():
                parameter.add_(0.05 * torch.randn_like(parameter))
            for module in network.modules():
                if isinstance(module, nn.BatchNorm2d):
                    module.running_mean.normal_(0, 0.3)
                    module.running_var.uniform_(0.5, 2)
        return network

    return change

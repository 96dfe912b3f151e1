"""The settings of a network small enough for tests, and a checkpoint of it."""

from __future__ import annotations

import torch

from rartrack.checkpoints import Checkpoint
from rartrack.config import ModelConfig, NetworkConfig
from rartrack.network.rar import RAR

SMALL = NetworkConfig(
    backbone="resnet18",
    width_divisor=8,
    deformable=(),
    levels=(3, 4),
    input_size=95,
    hidden_channels=8,
    refinement_channels=32,
    feature_channels=32,
)


def untrained() -> Checkpoint:
    """A checkpoint with weights drawn from one seed, whose attention is neutral."""
    torch.manual_seed(0)
    return Checkpoint(ModelConfig(SMALL), RAR(SMALL).state_dict())

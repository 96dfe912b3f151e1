"""A model small enough for commands to be tested with."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from rartrack import checkpoints
from rartrack.config import ModelConfig, NetworkConfig
from rartrack.network.rar import RAR


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The checkpoint of a small network with random weights."""
    torch.manual_seed(0)
    network = NetworkConfig(
        backbone="resnet18",
        width_divisor=8,
        deformable=(),
        levels=(3, 4),
        input_size=95,
        hidden_channels=8,
        refinement_channels=16,
        feature_channels=16,
    )
    path = tmp_path_factory.mktemp("model") / "small.safetensors"
    checkpoints.save(path, checkpoints.Checkpoint(ModelConfig(network), RAR(network).state_dict()))
    return path

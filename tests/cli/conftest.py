"""A model small enough for commands to be tested with."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from rartrack import checkpoints
from rartrack.config import ModelConfig
from rartrack.network.rar import RAR
from small_network import SMALL


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The checkpoint of a small network with random weights."""
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("model") / "small.safetensors"
    checkpoints.save(path, checkpoints.Checkpoint(ModelConfig(SMALL), RAR(SMALL).state_dict()))
    return path

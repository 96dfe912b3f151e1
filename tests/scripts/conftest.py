"""What the tests of several scripts use."""

from __future__ import annotations

from pathlib import Path

import pytest

from rartrack import checkpoints
from rartrack.config import ModelConfig
from rartrack.network.rar import RAR
from small_network import SMALL


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A small untrained model's file."""
    path = tmp_path / "small.safetensors"
    checkpoints.save(path, checkpoints.Checkpoint(ModelConfig(SMALL), RAR(SMALL).state_dict()))
    return path

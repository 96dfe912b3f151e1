"""A model small enough for commands to be tested with, and signals as they were."""

from __future__ import annotations

import signal
from collections.abc import Iterator
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


@pytest.fixture
def handlers() -> Iterator[None]:
    """Signals answered as before, whatever a test makes of them."""
    before = [(number, signal.getsignal(number)) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)]
    yield
    for number, handler in before:
        signal.signal(number, handler)

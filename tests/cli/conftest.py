"""A model small enough for commands to be tested with, and signals as they were."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from rartrack import checkpoints
from small_network import untrained


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The checkpoint of a small network with random weights."""
    path = tmp_path_factory.mktemp("model") / "small.safetensors"
    checkpoints.save(path, untrained())
    return path


@pytest.fixture
def handlers() -> Iterator[None]:
    """Signals answered as before, whatever a test makes of them."""
    before = [(number, signal.getsignal(number)) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)]
    yield
    for number, handler in before:
        signal.signal(number, handler)

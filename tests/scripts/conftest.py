"""What the tests of several scripts use."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from rartrack import checkpoints
from small_network import untrained


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], ModuleType]:
    """Import a script by its name, to call its parts."""
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "scripts"))
    return importlib.import_module


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A small untrained model's file."""
    path = tmp_path / "small.safetensors"
    checkpoints.save(path, untrained())
    return path

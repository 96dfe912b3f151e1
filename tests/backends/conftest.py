"""A model on disk, and a folder of one's own for exported networks that are kept."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from small_models import trained

from rartrack import checkpoints


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of a trained checkpoint."""
    path = tmp_path_factory.mktemp("model") / "trained.safetensors"
    checkpoints.save(path, trained())
    return path


@pytest.fixture(scope="session")
def shared_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def cache(shared_cache: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache folder that tests share, so that a model is exported for them once."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(shared_cache))
    return shared_cache / "rartrack" / "onnx"


@pytest.fixture
def without(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Make a package look as if it were not installed."""
    return lambda package: monkeypatch.setitem(sys.modules, package, None)

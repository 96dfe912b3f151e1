"""Tiny trees of each published layout."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np
import pytest

from rartrack.datasets import registry


@pytest.fixture(autouse=True)
def _no_places(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """What the person at this machine has configured plays no part."""
    monkeypatch.delenv(registry.VARIABLE, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path_factory.mktemp("config")))


class Tree:
    """Writes images whose grey level is their number, and text files, under one folder."""

    def __init__(self, root: Path):
        self.root = root

    def images(self, folder: str, names: Iterable[str]) -> Path:
        place = self.root / folder
        place.mkdir(parents=True, exist_ok=True)
        for number, name in enumerate(names):
            encoded = cv2.imencode(".png", np.full((6, 8, 3), number % 256, dtype=np.uint8))[1]
            (place / name).write_bytes(encoded.tobytes())
        return place

    def text(self, name: str, content: str) -> Path:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8", newline="")
        return path

    def boxes(self, name: str, count: int) -> Path:
        return self.text(name, "".join(f"{index + 1},2,3,4\n" for index in range(count)))


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return Tree(tmp_path)

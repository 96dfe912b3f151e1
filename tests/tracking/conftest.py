"""A tracker small enough for tests, and a video whose truth is known."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from rartrack.config import FilterConfig, ModelConfig, TrackingConfig
from rartrack.network.rar import RAR
from rartrack.tracking.tracker import Tracker
from small_network import SMALL


def _small_tracker(filter: FilterConfig | None = None, **tracking: object) -> Tracker:
    torch.manual_seed(0)
    own = replace(SMALL, box_channels=8) if tracking.get("scale_search") == "box" else SMALL
    network = RAR(own)
    if network.box is not None:
        torch.nn.init.normal_(network.box.output.weight, std=0.1)
    for attention in network.attention.values():  # away from the neutral start, so that the memory matters
        for module in attention.modules():
            if isinstance(module, torch.nn.Conv2d):
                torch.nn.init.normal_(module.weight, std=0.1)
    settings = TrackingConfig(**tracking)  # type: ignore[arg-type]
    return Tracker(network.eval(), ModelConfig(own, filter or FilterConfig(), settings))


@pytest.fixture
def small_tracker() -> Callable[..., Tracker]:
    """Build a tracker with random weights; keyword arguments are settings of the filter, and of the loop."""
    return _small_tracker


class Scene:
    """A textured square that slides over a smooth background; ``hidden`` frames do not show it."""

    def __init__(self, size: tuple[int, int] = (240, 180), side: int = 30) -> None:
        draw = np.random.default_rng(0)
        width, height = size
        noise = draw.integers(0, 255, (height, width, 3), dtype=np.uint8)
        self.background = cv2.GaussianBlur(noise, (0, 0), 5)
        patch = draw.integers(0, 255, (6, 6, 3), dtype=np.uint8)
        self.patch = cv2.resize(patch, (side, side), interpolation=cv2.INTER_NEAREST)
        self.side = side

    def box(self, index: int) -> tuple[float, float, float, float]:
        return (40.0 + 2 * index, 60.0 + index, float(self.side), float(self.side))

    def frame(self, index: int, hidden: bool = False) -> NDArray[np.uint8]:
        image = self.background.copy()
        if not hidden:
            x, y = (int(value) for value in self.box(index)[:2])
            image[y : y + self.side, x : x + self.side] = self.patch
        return image


@pytest.fixture
def scene() -> Scene:
    return Scene()

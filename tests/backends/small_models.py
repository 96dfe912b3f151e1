"""Networks small enough to be exported in a test, and something to track with them."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import torch
from torch import nn

from rartrack.checkpoints import Checkpoint
from rartrack.config import ModelConfig
from rartrack.network.rar import RAR
from small_network import SMALL

BOX = (40.0, 60.0, 30.0, 30.0)
"""Of the square in the first ``picture``."""


def picture(index: int) -> np.ndarray:
    """A textured square that slides over a smooth background."""
    draw = np.random.default_rng(0)
    image = cv2.GaussianBlur(draw.integers(0, 255, (180, 240, 3), dtype=np.uint8), (0, 0), 5)
    patch = cv2.resize(draw.integers(0, 255, (6, 6, 3), dtype=np.uint8), (30, 30), interpolation=cv2.INTER_NEAREST)
    image[60 + index : 90 + index, 40 + 2 * index : 70 + 2 * index] = patch
    return image


def trained(**changes: object) -> Checkpoint:
    """A checkpoint whose attention and offsets are away from their neutral start, so that they and the memory count."""
    torch.manual_seed(0)
    config = ModelConfig(replace(SMALL, **changes))  # type: ignore[arg-type]
    network = RAR(config.network)
    with torch.no_grad():
        for name, module in network.named_modules():
            if isinstance(module, nn.Conv2d) and (name.startswith("attention.") or name.endswith(".offset")):
                nn.init.normal_(module.weight, std=0.3)
        if network.box is not None:
            nn.init.normal_(network.box.output.weight, std=0.03)
            network.box.output.bias[4] = -1.5  # a little doubtful
    return Checkpoint(config, network.state_dict(), {"licence": "none"})

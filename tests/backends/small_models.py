"""Networks small enough to be exported in a test."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import nn

from rartrack.checkpoints import Checkpoint
from rartrack.config import ModelConfig
from rartrack.network.rar import RAR
from small_network import SMALL


def trained(**changes: object) -> Checkpoint:
    """A checkpoint whose attention and offsets are away from their neutral start, so that they and the memory count."""
    torch.manual_seed(0)
    config = ModelConfig(replace(SMALL, **changes))  # type: ignore[arg-type]
    network = RAR(config.network)
    with torch.no_grad():
        for name, module in network.named_modules():
            if isinstance(module, nn.Conv2d) and (name.startswith("attention.") or name.endswith(".offset")):
                nn.init.normal_(module.weight, std=0.3)
    return Checkpoint(config, network.state_dict(), {"licence": "none"})


def untrained() -> Checkpoint:
    """A checkpoint whose attention is neutral, and which so has no memory once it is prepared."""
    torch.manual_seed(0)
    return Checkpoint(ModelConfig(SMALL), RAR(SMALL).state_dict())

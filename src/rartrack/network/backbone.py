"""The trunk of the network, chosen by its settings (paper, Sec. 3.1 and Table 1)."""

from __future__ import annotations

from rartrack.config import NetworkConfig
from rartrack.network.base import Backbone, cells
from rartrack.network.resnet import ResNet18, ResNet50
from rartrack.network.vggm import VGGM

__all__ = ["Backbone", "build_backbone", "cells"]

_KINDS: dict[str, type[Backbone]] = {"resnet50": ResNet50, "resnet18": ResNet18, "vggm": VGGM}


def build_backbone(config: NetworkConfig) -> Backbone:
    """Build the backbone that ``config`` describes, with random weights.

    Raises:
        InputError: a level, block, divisor or input size that this backbone does not have.
    """
    return _KINDS[config.backbone](config)

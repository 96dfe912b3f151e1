"""The settings of a network small enough for tests."""

from __future__ import annotations

from rartrack.config import NetworkConfig

SMALL = NetworkConfig(
    backbone="resnet18",
    width_divisor=8,
    deformable=(),
    levels=(3, 4),
    input_size=95,
    hidden_channels=8,
    refinement_channels=32,
    feature_channels=32,
)

"""What every backbone is: a trunk tapped at levels 3, 4 and 5, all on one grid of stride 8."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from torch import Tensor, nn

from rartrack.config import ModelConfig, NetworkConfig
from rartrack.errors import InputError

STRIDE = 8
"""Pixels of a crop between neighbouring cells, at every level (paper, Table 1)."""
FIRST_CENTRE = 7
"""Pixel at which cell 0 is centred: cell i looks at pixel 7 + 8 i, 0-based (SPEC Sec. 5)."""


class Backbone(nn.Module):
    """Crops (B, 3, S, S) to one feature map per tapped level, for any S = 8 n + 7.

    ``forward`` takes normalised float crops, ``(pixel - mean) / std``, and returns level -> (B, C_l, n, n), where cell
    (i, j) is centred on pixel (7 + 8 i, 7 + 8 j). Stages deeper than the deepest tap are not built.

    Attributes:
        channels: level -> C_l.
        taps: level -> the module whose output is tapped.
        mean, std: of RGB in 0..255; pre-trained weights must expect this, see ``as_expected``.
        early: modules of the paper's frozen part, conv1 and conv2_x (Sec. 3.4).
        unused: prefixes of a complete checkpoint's keys that have no place here (classifier, stages not built).
    """

    mean: ClassVar[tuple[float, float, float]] = (123.675, 116.28, 103.53)
    std: ClassVar[tuple[float, float, float]] = (58.395, 57.12, 57.375)
    deepest: ClassVar[int] = 5

    channels: dict[int, int]
    taps: dict[int, str]
    early: tuple[str, ...]
    unused: tuple[str, ...]

    def __init__(self, config: NetworkConfig) -> None:
        """Check the settings that all backbones share.

        Raises:
            InputError: levels that do not exist or come twice, or an input size off the grid.
        """
        super().__init__()
        wrong = [level for level in config.levels if not 3 <= level <= self.deepest]
        if wrong or not config.levels:
            known = ", ".join(map(str, range(3, self.deepest + 1)))
            raise InputError(f"network.levels: {list(config.levels)} not in {config.backbone}, which has {known}")
        if len(set(config.levels)) != len(config.levels):
            raise InputError(f"network.levels: {list(config.levels)} names a level twice")
        cells(config.input_size)
        self.levels = tuple(sorted(config.levels))

    def as_expected(self, weights: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        """Published weights by name, changed where they expect another input than ``mean`` and ``std`` make."""
        return weights

    def forward(self, crops: Tensor) -> dict[int, Tensor]:
        raise NotImplementedError


def target_cells(config: ModelConfig) -> float:
    """Cells a side of a target that fits its window, which is 1 + padding times as large (SPEC Sec. 6)."""
    return config.network.input_size / (1 + config.tracking.padding) / STRIDE


def cells(input_size: int) -> int:
    """Cells a side of a crop of ``input_size`` = 8 n + 7 pixels: 255 gives 31, 127 gives 15.

    Raises:
        InputError: the size is not on the grid.
    """
    if input_size < FIRST_CENTRE + STRIDE or input_size % STRIDE != FIRST_CENTRE:
        below = max(1, (input_size - FIRST_CENTRE) // STRIDE) * STRIDE + FIRST_CENTRE
        raise InputError(f"network.input_size: {input_size} is not 8n + 7; {below} and {below + STRIDE} are")
    return (input_size - FIRST_CENTRE) // STRIDE


def width(channels: int, config: NetworkConfig) -> int:
    """``channels`` divided by the profile's divisor.

    Raises:
        InputError: the divisor does not divide the width.
    """
    if config.width_divisor < 1 or channels % config.width_divisor:
        raise InputError(f"network.width_divisor: {config.width_divisor} does not divide {channels} channels")
    return channels // config.width_divisor

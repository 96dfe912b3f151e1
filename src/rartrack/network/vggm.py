"""VGG-M (Chatfield et al. 2014) on the same grid as the ResNets: the variant RAR_VGG (SPEC Sec. 10)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

import torch
from torch import Tensor, nn

from rartrack.config import NetworkConfig
from rartrack.errors import InputError
from rartrack.network.base import Backbone, width

_CONV_OF_LEVEL = {3: 8, 4: 10, 5: 12}
_PUBLISHED_MEAN = (123.68, 116.779, 103.939)
"""Of red, green and blue, as Cadene's pretrained-models.pytorch states it beside the converted weights."""


class VGGM(Backbone):
    """Five convolutions, tapped after the rectifiers of conv3, conv4 and conv5.

    Paddings conv1 2, pool1 0, conv2 1 and stride 1 in pool2 give 255 -> 127 -> 63 -> 31 with cell i at pixel 7 + 8 i;
    with ``dilate`` conv3 to conv5 are dilated by 2, which keeps the pre-trained function. Layers stand at their usual
    places in one sequence, so parameters are called ``features.0``, ``.4``, ``.8``, ``.10`` and ``.12``.
    """

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__(config)
        if config.deformable not in ((), NetworkConfig.deformable):
            raise InputError("network.deformable: vggm has no residual blocks; leave it empty")
        first, second, deep = width(96, config), width(256, config), width(512, config)
        dilation = 2 if config.dilate else 1
        layers: list[nn.Module] = [
            nn.Conv2d(3, first, 7, stride=2, padding=2),
            nn.ReLU(inplace=True),
            _normalisation(),
            nn.MaxPool2d(3, stride=2),
            nn.Conv2d(first, second, 5, stride=2, padding=1),
            nn.ReLU(inplace=True),
            _normalisation(),
            nn.MaxPool2d(3, stride=1, padding=1),
        ]
        channels = second
        for _ in range(3, max(self.levels) + 1):
            layers += [nn.Conv2d(channels, deep, 3, padding=dilation, dilation=dilation), nn.ReLU(inplace=True)]
            channels = deep
        self.features = nn.Sequential(*layers)
        self.channels = dict.fromkeys(self.levels, deep)
        self.taps = {level: f"features.{_CONV_OF_LEVEL[level] + 1}" for level in self.levels}
        self.early = ("features.0", "features.4")
        absent = (f"features.{index}." for level, index in _CONV_OF_LEVEL.items() if level > max(self.levels))
        self.unused = ("classif.", "classifier.", *absent)
        for module in self.features:
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
                nn.init.zeros_(cast(Tensor, module.bias))

    def as_expected(self, weights: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        """As published, in Caffe, they expect blue, green, red in 0..255 less ``_PUBLISHED_MEAN``: that goes into
        conv1."""
        mean, std = (torch.tensor(values).reshape(1, 3, 1, 1) for values in (self.mean, self.std))
        kernel = weights["features.0.weight"].float().flip(1)
        brighter = (kernel * (mean - torch.tensor(_PUBLISHED_MEAN).reshape(1, 3, 1, 1))).sum((1, 2, 3))
        bias = weights["features.0.bias"].float() + brighter
        return {**weights, "features.0.weight": kernel * std, "features.0.bias": bias}

    def forward(self, crops: Tensor) -> dict[int, Tensor]:
        x, taps = crops, {}
        ends = {index + 1: level for level, index in _CONV_OF_LEVEL.items()}
        for index, layer in enumerate(self.features):
            x = layer(x)
            if ends.get(index) in self.channels:
                taps[ends[index]] = x
        return taps


class _Normalisation(nn.LocalResponseNorm):
    """In float32: processors have no 16-bit kernel for it."""

    def forward(self, input: Tensor) -> Tensor:
        return super().forward(input.float()).to(input.dtype)


def _normalisation() -> nn.LocalResponseNorm:
    """Over five neighbouring channels, with the constants the network was published with."""
    return _Normalisation(5, alpha=5e-4, beta=0.75, k=2.0)

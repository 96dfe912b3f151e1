"""From a batch of clips to each clip's loss: the network over time, the filter, Eq. 8 (SPEC Sec. 9)."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from rartrack.config import ModelConfig
from rartrack.filter.context import respond, solve_training
from rartrack.filter.fourier import gaussian_label
from rartrack.network.backbone import cells
from rartrack.network.inference import frozen_taps
from rartrack.network.rar import RAR
from rartrack.tracking.localize import STRIDE


class ClipLoss(nn.Module):
    """The network as a function of clips; what is trained, and what processes share.

    Args:
        network: trained in place.
        config: the filter's settings and the crops' geometry.
        precision: of a backbone that is wholly frozen; it then runs as it would for tracking.
    """

    def __init__(self, network: RAR, config: ModelConfig, precision: torch.dtype = torch.float32) -> None:
        super().__init__()
        learns = any(parameter.requires_grad for parameter in network.backbone.parameters())
        self._taps = network.taps if learns else frozen_taps(network, precision)
        self.network = network
        self.config = config
        self.cells = cells(config.network.input_size)
        self.sigma = label_sigma(config)

    def forward(self, inputs: Tensor | Mapping[int, Tensor], peak: Tensor) -> Tensor:
        """Losses (N,) float32 of N clips.

        Args:
            inputs: (N, T (1 + k) + 1, 3, S, S) RGB in 0..255, as ``Batch.crops``; or their features by level,
                (N, T (1 + k) + 1, C_l, n, n), where they are remembered.
            peak: (N, 3) of the search labels, as of ``Batch``.
        """
        taps = self.taps(inputs) if isinstance(inputs, Tensor) else inputs
        return squared_error(self.respond(taps), search_label(self.cells, self.sigma, peak))

    def taps(self, crops: Tensor) -> dict[int, Tensor]:
        """Level -> (N, T (1 + k) + 1, C_l, n, n): all crops of all clips pass the backbone together."""
        clips, count = crops.shape[:2]
        taps = self._taps(crops.flatten(0, 1))
        return {level: tap.reshape(clips, count, *tap.shape[1:]) for level, tap in taps.items()}

    def respond(self, taps: Mapping[int, Tensor]) -> Tensor:
        """Responses g (N, n, n) float32 in the search crops of filters solved on the exemplars (Eqs. 5 to 7)."""
        device = next(iter(taps.values())).device.type
        dtype = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else self.network.dtype
        taps = {level: tap.to(dtype) for level, tap in taps.items()}
        any_level = next(iter(taps.values()))
        clips, count = any_level.shape[:2]
        around = 1 + self.config.filter.contexts
        exemplars = (count - 1) // around
        memory = self.network.initial_memory(clips, any_level.device)
        templates, contexts = [], []
        for t in range(exemplars):
            part = {level: tap[:, t * around : (t + 1) * around].flatten(0, 1) for level, tap in taps.items()}
            features, after = self.network.attend(part, memory.repeat(around))
            features = features.reshape(clips, around, *features.shape[1:])
            templates.append(features[:, 0])
            contexts.append(features[:, 1:])
            # Only the template's memory goes on; its contexts read the same and leave nothing (SPEC Sec. 7, ii).
            memory = after[::around]
        search, _ = self.network.attend({level: tap[:, -1] for level, tap in taps.items()}, memory)
        label = gaussian_label(self.cells, self.sigma).to(any_level.device)
        filter = solve_training(torch.stack(templates, 1), torch.stack(contexts, 1), label, self.config.filter)
        return respond(filter, search[:, None])[:, 0]


def label_sigma(config: ModelConfig) -> float:
    """Standard deviation of the label in cells: its share of the target's size in a crop."""
    return config.filter.label_sigma * config.network.input_size / (1 + config.tracking.padding) / STRIDE


def search_label(cells: int, sigma: float, peak: Tensor) -> Tensor:
    """Labels (N, n, n) of search crops.

    Args:
        cells: n.
        sigma: see ``label_sigma``.
        peak: (N, 3), x, y in cells, and height.
    """
    return gaussian_label(cells, sigma, peak[:, :2]) * peak[:, 2, None, None]


def squared_error(response: Tensor, label: Tensor) -> Tensor:
    """Eq. 8: the sum over cells of (g - y)^2, (N,) from (N, n, n)."""
    return (response - label).square().sum((1, 2))

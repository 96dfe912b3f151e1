"""The network and the filter on crops of a frame: what the online loop is made of, without any state."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rartrack.boxes import Boxes
from rartrack.config import ModelConfig
from rartrack.errors import InputError
from rartrack.filter.context import Statistics, learn, respond
from rartrack.filter.fourier import displacement_window, gaussian_label, subcell_peak
from rartrack.network.backbone import cells
from rartrack.network.interface import Network
from rartrack.network.memory import Memory
from rartrack.network.rar import RAR
from rartrack.tracking.crops import AROUND, Image, cut, window_size
from rartrack.tracking.localize import STRIDE


class Model:
    """A network and its settings, ready to run on one device.

    Args:
        network: in evaluation mode; see ``rartrack.network.inference.prepare_for_inference``, ``rartrack.backends``.
        config: the filter's and the loop's settings; ``config.network`` is the network's own.

    Raises:
        InputError: settings that a network outside torch cannot follow.
    """

    def __init__(self, network: Network, config: ModelConfig) -> None:
        if config.tracking.shared_context and not isinstance(network, RAR):
            raise InputError("tracking.shared_context: only the backend torch takes crops of two sizes")
        self.network = network
        self.config = config
        self.device = network.device
        self.side = config.network.input_size
        self.cells = cells(self.side)
        target_cells = self.side / (1 + config.tracking.padding) / STRIDE
        self.label = gaussian_label(self.cells, config.filter.label_sigma * target_cells).to(self.device)
        self.prior: Tensor | None = None
        """Weight of displacements; None is 1 everywhere."""
        if weight := config.tracking.displacement_window:
            self.prior = (1 - weight) + weight * displacement_window(self.cells, device=self.device)

    def windows(self, size: Boxes) -> Boxes:
        """(B, 2) windows in pixels around targets of (B, 2) width and height."""
        return window_size(size, self.config.tracking.padding, self.config.tracking.crop)

    def features(self, image: Image, centre: Boxes, size: Boxes, memory: Memory) -> tuple[Tensor, Memory]:
        """Features (B, D, n, n) and new memory of the windows around B places of a frame.

        Args:
            image: RGB uint8 (H, W, 3).
            centre, size: (B, 2) of the targets sought there, in pixels.
            memory: of the B crops.
        """
        features, after = self.network(self._upload(cut(image, centre, self.windows(size), self.side)), memory)
        return features, after

    def _upload(self, crops: Image) -> Tensor:
        """Crops (B, S, S, 3) as (B, 3, S, S) on the device, where there is one without waiting for it."""
        found = torch.from_numpy(crops)
        if self.device.type == "cuda":
            found = found.pin_memory().to(self.device, non_blocking=True)
        return found.permute(0, 3, 1, 2)

    def learn(self, image: Image, centre: Boxes, size: Boxes, memory: Memory) -> tuple[Statistics, Memory]:
        """The template step for N targets: statistics of this frame, and the memory that the templates alone leave.

        Template and contexts are one batch and read the same memory (SPEC Sec. 7, state rules i and ii).
        """
        crops = 1 + self.config.filter.contexts
        if self.config.tracking.shared_context and crops > 1:
            features, after = self._share(image, centre, size, memory.repeat(crops))
        else:
            centres = centre[:, None] + AROUND[:crops] * size[:, None]
            sizes = np.repeat(size, crops, axis=0)
            features, after = self.features(image, centres.reshape(-1, 2), sizes, memory.repeat(crops))
        per_target = features.reshape(len(centre), crops, *features.shape[1:])
        statistics = learn(per_target[:, 0], per_target[:, 1:], self.label, self.config.filter)
        if crops > 1:
            after = after[torch.arange(0, len(centre) * crops, crops, device=self.device)]
        return statistics, after

    def _share(self, image: Image, centre: Boxes, size: Boxes, memory: Memory) -> tuple[Tensor, Memory]:
        """Template and contexts as parts of one crop that holds them all (SPEC Sec. 5.1): 431 pixels for 255.

        The parts lie a whole number of cells apart, so they are the same windows but for a rounded distance; their
        borders see what lies beyond instead of padding.
        """
        apart = round(self.side / (1 + self.config.tracking.padding) / STRIDE)
        side = self.side + 2 * apart * STRIDE
        network = self.network
        assert isinstance(network, RAR)
        whole = network.taps(self._upload(cut(image, centre, self.windows(size) * side / self.side, side)))
        starts = [(apart * (1 + int(x)), apart * (1 + int(y))) for x, y in AROUND]
        n = self.cells
        parts = {
            level: torch.stack([tap[:, :, y : y + n, x : x + n] for x, y in starts], 1).flatten(0, 1)
            for level, tap in whole.items()
        }
        features, after = network.attend(parts, memory)
        return features, after

    def search(
        self, image: Image, centre: Boxes, size: Boxes, filter: Tensor, memory: Memory
    ) -> tuple[NDArray[np.float64], Boxes, Tensor]:
        """Height and place of the response's peak in each of B windows.

        Args:
            filter: (B, D, n, n // 2 + 1), the filter applied in each window.

        Returns:
            peaks (B,), shifts (B, 2) as (x, y) in cells, and the responses (B, n, n) on the device.
        """
        features, _ = self.features(image, centre, size, memory)
        response = respond(filter, features[:, None])[:, 0]
        # The one place in a frame where the host waits for the device.
        value, shift = subcell_peak((response if self.prior is None else response * self.prior).double().cpu())
        return value.numpy(), shift.numpy(), response

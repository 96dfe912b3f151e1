"""What tracking needs of a network, whichever library runs it."""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor

from rartrack.network.memory import Memory


class Network(Protocol):
    """Crops and memory to features and memory. ``RAR`` is one itself; ``rartrack.backends`` holds the others."""

    @property
    def device(self) -> torch.device:
        """Where features and memory are."""

    def __call__(self, crops: Tensor, memory: Memory) -> tuple[Tensor, Memory]:
        """Crops (B, 3, S, S) RGB uint8, memory of batch B; gives (B, D, n, n) float32 and the memory of time t."""

    def initial_memory(self, batch: int) -> Memory:
        """The empty memory of ``batch`` targets."""

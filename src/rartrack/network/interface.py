"""What tracking needs of a network, whichever library runs it."""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor

from rartrack.network.memory import Memory


class Network(Protocol):
    """Crops and memory to features, memory and boxes. ``RAR`` is one itself; ``rartrack.backends`` holds the others."""

    @property
    def device(self) -> torch.device:
        """Where features and memory are."""

    @property
    def dtype(self) -> torch.dtype:
        """Precision of the memory's maps."""

    @property
    def gives_boxes(self) -> bool:
        """Whether it has a box head (``rartrack.network.box``)."""

    def look(self, crops: Tensor, memory: Memory) -> tuple[Tensor, Memory, Tensor | None]:
        """Crops (B, 3, S, S) RGB uint8, memory of batch B; gives (B, D, n, n) float32 and the memory of time t.

        Third come the box head's maps (B, 5, n, n) float32, where there is one; they mean something only if the memory
        has a template.
        """

    def initial_memory(self, batch: int) -> Memory:
        """The empty memory of ``batch`` targets."""

    def memory_shapes(self) -> dict[str, tuple[int, ...]]:
        """Of the memory that crops leave: name, as in ``Memory.tensors``, to shape without the batch."""

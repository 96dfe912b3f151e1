"""What the network remembers of targets as a value, never changed in place: the ConvLSTM's memory (Eq. 1), one hidden
and one cell map per level, and what the box head saw of the first crop and of the last one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

TEMPLATE, RECENT, OWN = SEEN = "template", "recent", "own"
"""Names of what the box head saw, as attributes and in the flat form."""


@dataclass(frozen=True)
class Memory:
    """What the network remembers of B targets (or crops).

    Attributes:
        levels: level -> (hidden h, cell c), each (B, C_h, n, n). Empty when the network has no inter-frame attention.
        template: (B, W, m, m), the box head's view of the first crop; None without a box head, and before that crop.
        recent: (B, W, m, m), its view of the crop that left this memory; None as ``template`` is.
        own: (B, 4, 1, 1), the box it sees in the first, see ``rartrack.network.box.own_box``; None as ``template`` is.
    """

    levels: Mapping[int, tuple[Tensor, Tensor]] = field(default_factory=dict)
    template: Tensor | None = None
    recent: Tensor | None = None
    own: Tensor | None = None

    def __getitem__(self, index: slice | Sequence[int] | Tensor) -> Memory:
        """Select along the batch by a slice, a list of indices, or a tensor of indices or booleans."""
        return self._map(lambda tensor: tensor[index])

    def repeat(self, times: int) -> Memory:
        """Give each of B targets ``times`` crops in a row: (B, ...) to (B * times, ...), target by target."""
        return self._map(lambda tensor: tensor.repeat_interleave(times, dim=0))

    def to(self, device: torch.device | str, precision: torch.dtype | None = None) -> Memory:
        """The same values on another device; in another precision too if wanted, but for the own boxes."""
        own = None if self.own is None else self.own.to(device)
        return replace(self._map(lambda tensor: tensor.to(device, precision)), own=own)

    def tensors(self) -> dict[str, Tensor]:
        """Flat form for files: ``"3.hidden"``, ``"3.cell"``, ..., ``"template"``, ``"recent"``, ``"own"``."""
        seen = {name: getattr(self, name) for name in SEEN}
        flat = {name: tensor.contiguous() for name, tensor in seen.items() if tensor is not None}
        for level, (hidden, cell) in self.levels.items():
            flat[f"{level}.hidden"], flat[f"{level}.cell"] = hidden.contiguous(), cell.contiguous()
        return flat

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, Tensor]) -> Memory:
        """The reverse of ``tensors``."""
        levels = sorted({int(name.partition(".")[0]) for name in tensors if name not in SEEN})
        maps = {level: (tensors[f"{level}.hidden"], tensors[f"{level}.cell"]) for level in levels}
        return cls(maps, *(tensors.get(name) for name in SEEN))

    @classmethod
    def stack(cls, memories: Sequence[Memory]) -> Memory:
        """Join the memories of several targets along the batch."""
        return cls(
            {
                level: (
                    torch.cat([memory.levels[level][0] for memory in memories]),
                    torch.cat([memory.levels[level][1] for memory in memories]),
                )
                for level in memories[0].levels
            },
            *(_joined([getattr(memory, name) for memory in memories]) for name in SEEN),
        )

    def _map(self, change: Callable[[Tensor], Tensor]) -> Memory:
        levels = {level: (change(h), change(c)) for level, (h, c) in self.levels.items()}
        seen = (None if tensor is None else change(tensor) for tensor in (getattr(self, name) for name in SEEN))
        return Memory(levels, *seen)


def _joined(parts: Sequence[Tensor | None]) -> Tensor | None:
    known = [part for part in parts if part is not None]
    return torch.cat(known) if len(known) == len(parts) else None

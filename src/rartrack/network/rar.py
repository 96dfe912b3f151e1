"""The whole network: crops and memory in, features, memory and boxes out (paper, Fig. 2; SPEC Sec. 7)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Self, cast

import torch
from torch import Tensor, nn

from rartrack.config import NetworkConfig
from rartrack.network.attention import LevelAttention
from rartrack.network.backbone import build_backbone, cells
from rartrack.network.box import BoxHead
from rartrack.network.memory import Memory
from rartrack.network.refinement import Refinement


class RAR(nn.Module):
    """Backbone, attention on every level, refinement; beside them a head for boxes where the settings have one.

    The network holds no state between calls. ``forward`` returns the memory that each crop would leave behind; the
    caller commits that of the template alone and drops those of contexts and search crops (SPEC Sec. 7, i and ii).

    Raises:
        InputError: settings that name a level, block, divisor or size that does not exist.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.config = config
        self.backbone = build_backbone(config)
        channels = self.backbone.channels
        attended = channels.items() if config.attention else ()
        self.attention = nn.ModuleDict({str(level): LevelAttention(width, config) for level, width in attended})
        self.refinement = Refinement(channels, config.refinement_channels, config.feature_channels)
        self.box = BoxHead(channels, width, cells(config.input_size)) if (width := config.box_channels) else None
        self.register_buffer("mean", torch.tensor(self.backbone.mean).reshape(3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(self.backbone.std).reshape(3, 1, 1), persistent=False)
        self._frozen = False

    @property
    def remembers(self) -> bool:
        """Whether there is a memory at all (not in the variants NAA and NTA)."""
        return self.config.attention and self.config.inter_frame

    @property
    def gives_boxes(self) -> bool:
        """Whether there is a box head."""
        return self.box is not None

    @property
    def device(self) -> torch.device:
        """Where the weights are, and so features and memory."""
        return self.mean.device

    @property
    def dtype(self) -> torch.dtype:
        """Precision of the weights, and so of taps and memory; features are float32 all the same."""
        return next(self.parameters()).dtype

    def forward(self, crops: Tensor, memory: Memory) -> tuple[Tensor, Memory]:
        """Features of B crops.

        Args:
            crops: (B, 3, S, S) RGB in 0..255, uint8 or float, S = 8 n + 7 pixels (255 gives n = 31).
            memory: of time t - 1, its batch B; ``Memory.repeat`` gives several crops the memory of one target.

        Returns:
            (B, D, n, n) float32 features for the filter, cell i at pixel 7 + 8 i, and the memory of time t.
        """
        return self.attend(self.taps(crops), memory)

    def look(self, crops: Tensor, memory: Memory) -> tuple[Tensor, Memory, Tensor | None]:
        """``forward``, and the box head's maps where there is one and the memory has its template."""
        taps = self.taps(crops)
        seen = self.seen(taps)
        boxes = None if seen is None or memory.template is None else self.boxes(seen, memory)
        return *self.attend(taps, memory, seen), boxes

    def taps(self, crops: Tensor) -> dict[int, Tensor]:
        """The backbone's part of ``forward``: crops to level -> (B, C_l, n, n); reads no memory."""
        return cast(dict[int, Tensor], self.backbone(self.normalised(crops).to(self.dtype)))

    def normalised(self, crops: Tensor) -> Tensor:
        """Crops in 0..255 as the backbone's weights want them, in ``mean``'s precision."""
        return (crops - self.mean).div_(self.std)

    def attend(self, taps: Mapping[int, Tensor], memory: Memory, seen: Tensor | None = None) -> tuple[Tensor, Memory]:
        """The rest of ``forward``: taps and memory of time t - 1 to features and memory of time t.

        What the box head sees goes into the memory; of the first crops, which come with a memory without its template,
        as that too.

        Args:
            taps: level -> (B, C_l, n, n).
            memory: of time t - 1, its batch B.
            seen: of ``seen``, where it is known already.
        """
        attended, levels = {}, {}
        for level, features in taps.items():
            if self.config.attention:
                attended[level], state = self.attention[str(level)](features, memory.levels.get(level))
                if state is not None:
                    levels[level] = state
            else:
                attended[level] = features
        after = Memory(levels)
        if self.box is not None:
            seen = self.box.features(taps) if seen is None else seen
            template, own = memory.template, memory.own
            if template is None:
                template, own = self.box.given(seen)
            after = Memory(levels, template, self.box.middle(seen), own)
        return self.refinement(attended).float(), after

    def seen(self, taps: Mapping[int, Tensor]) -> Tensor | None:
        """What the box head sees of crops, (B, W, n, n); None without one."""
        return None if self.box is None else self.box.features(taps)

    def boxes(self, seen: Tensor, memory: Memory) -> Tensor:
        """The box head's maps (B, 5, n, n), see ``BoxHead.forward``, of ``seen`` and a memory with a template."""
        assert self.box is not None
        assert memory.template is not None
        assert memory.recent is not None
        return cast(Tensor, self.box(seen, memory.template, memory.recent))

    def initial_memory(self, batch: int, device: torch.device | str | None = None) -> Memory:
        """The empty memory, h = c = 0, for ``batch`` targets at the configured input size.

        Args:
            batch: number of targets (or crops).
            device: where; the network's own device by default.
        """
        if not self.remembers:
            return Memory()
        side = cells(self.config.input_size)
        zeros = torch.zeros(
            batch,
            self.config.hidden_channels,
            side,
            side,
            dtype=self.dtype,
            device=self.mean.device if device is None else device,
        )
        return Memory({level: (zeros, zeros.clone()) for level in self.backbone.levels})

    def memory_shapes(self) -> dict[str, tuple[int, ...]]:
        """Of the memory that crops leave: name, as in ``Memory.tensors``, to shape without the batch."""
        shapes = {name: tuple(tensor.shape[1:]) for name, tensor in self.initial_memory(1).tensors().items()}
        return shapes if self.box is None else shapes | self.box.memory_shapes()

    def frozen_parameters(self) -> list[str]:
        """Names of the parameters of conv1 and conv2_x, which the paper's training leaves alone (Sec. 3.4)."""
        parts = tuple(f"backbone.{name}." for name in self.backbone.early)
        return [name for name, _ in self.named_parameters() if name.startswith(parts)]

    def freeze_early_stages(self) -> None:
        """Freeze conv1 and conv2_x: no gradients, and their batch norms keep their statistics in ``train()`` too."""
        names = set(self.frozen_parameters())
        for name, parameter in self.named_parameters():
            if name in names:
                parameter.requires_grad_(False)
        self._frozen = True
        self.train(self.training)

    def train(self, mode: bool = True) -> Self:
        """As of every module; stages that ``freeze_early_stages`` froze stay in evaluation mode."""
        super().train(mode)
        if self._frozen:
            for name in self.backbone.early:
                self.backbone.get_submodule(name).eval()
        return self

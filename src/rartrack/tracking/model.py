"""The network and the filter on crops of a frame: what the online loop is made of, without any state."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rartrack.boxes import Boxes
from rartrack.config import ModelConfig
from rartrack.errors import InputError
from rartrack.filter.context import Statistics, learn, respond
from rartrack.filter.fourier import displacement_window, gaussian_label, subcell_peak
from rartrack.network.base import STRIDE, cells, target_cells
from rartrack.network.box import boxes_at
from rartrack.network.interface import Network
from rartrack.network.memory import Memory
from rartrack.network.rar import RAR
from rartrack.tracking.crops import AROUND, Crops, cut, window_size
from rartrack.video.images import Image

_UNLIKELY = 0.05
"""What the box head's probability of 0 counts as: where it sees the target nowhere, differences say nothing. So does
the weight 0 of a displacement."""


class Pass(Protocol):
    """B crops that went through the backbone."""

    def __call__(self, memory: Memory, /) -> tuple[Tensor, Memory]:
        """B memories to features (B, D, n, n) and new memories."""

    def maps(self, memory: Memory) -> Tensor:
        """After a call: the box head's maps (B, 5, n, n), by the same memory."""


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
        remembers = network.gives_boxes or bool(network.initial_memory(1).levels)
        if config.tracking.delayed_update and not isinstance(network, RAR) and remembers:
            raise InputError("tracking.delayed_update: of networks with a memory only the backend torch can do it")
        if config.tracking.scale_search == "box" and not network.gives_boxes:
            raise InputError("tracking.scale_search: the network has no box head; use pyramid")
        if config.tracking.scale_search == "box" and config.tracking.crop != "stretch":
            raise InputError("tracking.crop: the box head tells sides by windows of the target's aspect; use stretch")
        self._shares = config.tracking.shared_context and config.filter.contexts > 0
        if self._shares and config.tracking.crop != "stretch":
            raise InputError(
                "tracking.crop: contexts lie in the shared crop where windows have the target's aspect; use stretch"
            )
        if self._shares and config.tracking.delayed_update:
            raise InputError("tracking.delayed_update, tracking.shared_context: crops of two sizes are not one batch")
        self._turns = 1 if self._shares else config.tracking.context_turns
        self._apart = round(target_cells(config))
        self.network = network
        self.config = config
        self.device = network.device
        self.side = config.network.input_size
        self.cells = cells(self.side)
        self.label = gaussian_label(self.cells, config.filter.label_sigma * target_cells(config)).to(self.device)
        self.prior: Tensor | None = None
        """Weight of displacements, above 0; None is 1 everywhere."""
        if weight := config.tracking.displacement_window:
            prior = (1 - weight) + weight * displacement_window(self.cells, device=self.device)
            self.prior = prior.clamp(min=_UNLIKELY)

    def windows(self, size: Boxes) -> Boxes:
        """(B, 2) windows in pixels around targets of (B, 2) width and height."""
        return window_size(size, self.config.tracking.padding, self.config.tracking.crop)

    @property
    def learned_crops(self) -> tuple[int, int]:
        """Crops of a target that an update learns from, and their side in pixels; see ``template_crops``."""
        if self._shares:
            return 1, self.side + 2 * self._apart * STRIDE
        return 1 + self.config.filter.contexts // self._turns, self.side

    def search_crops(self, image: Image, centre: Boxes, size: Boxes) -> Crops:
        """Crops (B, S, S, 3) of the windows around B places, (B, 2) centres and sizes of targets in pixels."""
        return cut(image, centre, self.windows(size), self.side)

    def template_crops(self, image: Image, centre: Boxes, size: Boxes, turn: int | None = None) -> Crops:
        """What a frame is learned from, (N c, S, S, 3): the template and contexts of each of N targets in turn.

        With ``shared_context`` one larger crop a target, which holds them all (SPEC Sec. 5.1): 431 pixels for 255.

        Args:
            image: RGB uint8 (H, W, 3).
            centre: (N, 2) in pixels.
            size: (N, 2) in pixels.
            turn: number of the update, of whose contexts the crops are (``context_turns``); None takes all.
        """
        if self._shares:
            _, side = self.learned_crops
            return cut(image, centre, self.windows(size) * side / self.side, side)
        contexts = AROUND[1 : 1 + self.config.filter.contexts]
        if turn is not None:  # above and below, or left and right, are two apart
            contexts = contexts[turn % self._turns :: self._turns]
        offsets = np.concatenate([AROUND[:1], contexts])
        centres = centre[:, None] + offsets * size[:, None]
        return self.search_crops(image, centres.reshape(-1, 2), np.repeat(size, len(offsets), axis=0))

    def passes(self, *batches: Crops) -> list[Pass]:
        """Run batches of crops through the backbone together; each then meets a memory of its own.

        Args:
            batches: (B, S, S, 3) RGB uint8, B of each its own.

        Returns:
            for each batch what takes its B memories and gives features (B, D, n, n) and new memories; where the network
            is not torch's, that runs it whole.
        """
        counts = [len(batch) for batch in batches]
        crops = self.on_device(batches[0] if len(batches) == 1 else np.concatenate(batches))
        crops, network = crops.permute(0, 3, 1, 2), self.network
        if not isinstance(network, RAR):
            if len(batches) == 1:
                return [_WholePass(network, crops)]
            features, _, _ = network.look(crops, Memory())
            return [_KnownPass(part) for part in torch.split(features, counts)]
        taps = network.taps(crops)
        parts = {level: torch.split(tap, counts) for level, tap in taps.items()}
        return [
            _TorchPass(network, {level: part[number] for level, part in parts.items()})
            for number in range(len(batches))
        ]

    def on_device(self, values: NDArray[Any]) -> Tensor:
        """An array of any shape and type on the device, without waiting for what that has yet to do."""
        tensor = torch.from_numpy(values)
        return tensor.pin_memory().to(self.device, non_blocking=True) if self.device.type == "cuda" else tensor

    def learn(self, template: Pass, memory: Memory, in_turn: bool = False) -> tuple[Statistics, Memory]:
        """Statistics of a frame for N targets, and the memory that the templates alone leave.

        Template and contexts read the same memory (SPEC Sec. 7, state rules i and ii).

        Args:
            template: of ``template_crops``.
            memory: of the N targets.
            in_turn: whether the crops are of one turn's contexts, which weigh as much as all (``context_turns``).
        """
        if self._shares:
            template = self._parted(template)
        turns = self._turns if in_turn else 1
        crops = 1 + self.config.filter.contexts // turns
        features, after = template(memory.repeat(crops))
        per_target = features.reshape(-1, crops, *features.shape[1:])
        config = replace(self.config.filter, context_weight=turns * self.config.filter.context_weight)
        statistics = learn(per_target[:, 0], per_target[:, 1:], self.label, config)
        if crops > 1:
            after = after[torch.arange(0, len(features), crops, device=self.device)]
        return statistics, after

    def _parted(self, whole: Pass) -> Pass:
        """Template and contexts as parts of the one crop that holds them.

        The parts lie a whole number of cells apart, so they are the same windows but for a rounded distance; their
        borders see what lies beyond instead of padding.
        """
        assert isinstance(whole, _TorchPass)
        n, starts = self.cells, [(self._apart * (1 + int(x)), self._apart * (1 + int(y))) for x, y in AROUND]
        parts = {
            level: torch.stack([tap[:, :, y : y + n, x : x + n] for x, y in starts], 1).flatten(0, 1)
            for level, tap in whole.taps.items()
        }
        return _TorchPass(whole.network, parts)

    def search(self, crops: Pass, filter: Tensor, memory: Memory) -> Sighting:
        """What is seen in each of B windows.

        Args:
            crops: of ``search_crops``.
            filter: (B, D, n, n // 2 + 1), the filter applied in each window.
            memory: of the B windows.
        """
        features, _ = crops(memory)
        response = respond(filter, features[:, None])[:, 0]
        likely, boxes, tracking = torch.ones_like(response), None, self.config.tracking
        if tracking.scale_search == "box":
            maps = crops.maps(memory)
            assert memory.own is not None
            boxes = (maps[:, :4] - memory.own).to(response)
            # Its middle is no motion, which in a response comes first.
            likely = torch.roll(maps[:, 4], (-(self.cells // 2),) * 2, (1, 2)).sigmoid().to(response)
        weight = (_UNLIKELY + (1 - _UNLIKELY) * likely).pow(tracking.classification)
        weight = weight if self.prior is None else weight * self.prior
        weighted = response * weight
        said = torch.stack([weighted, weight, likely], 1)
        # Here, and nowhere else in a frame, the host waits for the device: once for the windows that are searched, and
        # once for each second look.
        said = (said if boxes is None else torch.cat([said, boxes], 1)).cpu()
        weighted, weight, likely = said[:, :3].double().unbind(1)
        rank, shift = (np.nan_to_num(found.numpy()) for found in subcell_peak(weighted))
        column, row = shift.round().astype(int).T % self.cells
        there = np.arange(len(rank)), row, column
        peak = np.nan_to_num(rank / weight.numpy()[there])
        if boxes is not None and tracking.doubted_below:
            sure = np.nan_to_num(np.minimum(likely.numpy()[there] / tracking.doubted_below, 1))
            peak, rank = peak * sure, rank * sure
        return Sighting(peak, rank, shift, response, None if boxes is None else said[:, 3:])


@dataclass(frozen=True)
class Sighting:
    """What is seen in B windows.

    Attributes:
        peak: (B,) height of the filter's response where the target seems to be, less where the box head doubts it
            (``tracking.doubted_below``); 0 where it is not a number.
        rank: (B,) the same with more of the head's say in it (``tracking.classification``) and less for what is far
            (``tracking.displacement_window``), by which windows compare.
        shift: (B, 2) that place, x and y in cells from the middle: the weighted response's peak.
        response: (B, n, n) on the device, with no motion first.
        maps: (B, 4, n, n) on the host, what the box head says of boxes, relative to the given one; None without it.
    """

    peak: NDArray[np.float64]
    rank: NDArray[np.float64]
    shift: Boxes
    response: Tensor
    maps: Tensor | None

    def boxes(self, chosen: NDArray[np.int_]) -> NDArray[np.float64] | None:
        """(M, 4) boxes seen from the peaks of M of the windows; None without a box head."""
        if self.maps is None:
            return None
        maps = self.maps[torch.from_numpy(chosen)]
        return np.asarray(boxes_at(maps, torch.from_numpy(self.shift[chosen])).double().numpy())


@dataclass(frozen=True)
class _TorchPass:
    """What the backbone gave; attention, refinement and boxes follow when they are asked for."""

    network: RAR
    taps: Mapping[int, Tensor]

    @cached_property
    def seen(self) -> Tensor | None:
        return self.network.seen(self.taps)

    def __call__(self, memory: Memory, /) -> tuple[Tensor, Memory]:
        return self.network.attend(self.taps, memory, self.seen)

    def maps(self, memory: Memory) -> Tensor:
        assert self.seen is not None
        return self.network.boxes(self.seen, memory)


class _WholePass:
    """A network that runs as a whole, when it gets its memory."""

    def __init__(self, network: Network, crops: Tensor) -> None:
        self.network, self.crops = network, crops
        self._maps: Tensor | None = None

    def __call__(self, memory: Memory, /) -> tuple[Tensor, Memory]:
        features, after, self._maps = self.network.look(self.crops, memory)
        return features, after

    def maps(self, memory: Memory) -> Tensor:  # noqa: ARG002
        assert self._maps is not None
        return self._maps


@dataclass(frozen=True)
class _KnownPass:
    """A network without memory that was run already."""

    features: Tensor

    def __call__(self, memory: Memory, /) -> tuple[Tensor, Memory]:
        return self.features, memory

    def maps(self, memory: Memory) -> Tensor:
        raise NotImplementedError

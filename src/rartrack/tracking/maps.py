"""What the network looks at in one frame: the maps that the paper's Figs. 1, 2 and 4 show."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from rartrack.errors import InputError
from rartrack.network.rar import RAR
from rartrack.results import Result
from rartrack.tracking.crops import AROUND, Crops, cut
from rartrack.tracking.tracker import Tracker
from rartrack.video.images import Image

Map = NDArray[np.float32]


@dataclass
class LevelMaps:
    """One level of the network in the search crop; None where the network has no such part.

    Attributes:
        features: (n, n) mean of |phi| over channels.
        memory: (n, n) mean of |h_t| over channels (Eq. 1).
        channel: (C,) weights Psi^c (Eq. 2).
        spatial: (n, n) weights Psi^s (Eq. 3).
        attended: (n, n) mean of |phi^a| over channels (Eq. 4).
    """

    features: Map
    memory: Map | None = None
    channel: Map | None = None
    spatial: Map | None = None
    attended: Map | None = None


@dataclass(frozen=True)
class FrameMaps:
    """One target in one frame.

    Attributes:
        frame: its number.
        image: RGB uint8.
        result: what the tracker said.
        crop: (S, S, 3) RGB uint8, the search crop at the last place and the current scale.
        levels: level -> its maps.
        response: (n, n) response g (Eq. 5) with no motion in the middle; above 0 where the target may be.
        template, contexts: (S, S, 3) and (k, S, S, 3) RGB uint8, what the filter learns from at the new place.
    """

    frame: int
    image: Image
    result: Result
    crop: Image
    levels: dict[int, LevelMaps]
    response: Map
    template: Image
    contexts: Crops = field(repr=False)


@torch.inference_mode()
def update_with_maps(tracker: Tracker, image: Image, frame: int) -> FrameMaps:
    """Track one frame, as ``Tracker.update`` does, and keep what the network saw of the first target.

    Args:
        tracker: with one target or more.
        image: RGB uint8, the next frame.
        frame: its number, kept in the result.
    """
    model, before, image = tracker.model, tracker.settle(), np.ascontiguousarray(image)
    crop = model.search_crops(image, before.centre[:1], before.size[:1])
    with _watched(tracker) as seen:
        (search,) = model.passes(crop)
        response = model.search(search, before.filter[:1], before.memory[:1]).response
    found = tracker.update(image)
    result = found if isinstance(found, Result) else next(iter(found.values() if isinstance(found, dict) else found))
    after = tracker.state
    places = after.centre[0] + AROUND[: 1 + tracker.config.filter.contexts] * after.size[0]
    around = cut(image, places, np.repeat(model.windows(after.size[:1]), len(places), axis=0), model.side)
    half = model.cells // 2
    return FrameMaps(
        frame,
        image,
        result,
        crop[0],
        seen,
        torch.roll(response[0].float(), (half, half), (0, 1)).cpu().numpy(),
        around[0],
        around[1:],
    )


@contextmanager
def _watched(tracker: Tracker) -> Iterator[dict[int, LevelMaps]]:
    """Level -> maps of the network's next pass, filled while it runs."""
    network = tracker.model.network
    if not isinstance(network, RAR):
        raise InputError("only the backend torch shows what the network looks at")
    seen: dict[int, LevelMaps] = {}
    hooks = []
    taps = network.taps

    def watch_taps(crops: Tensor) -> dict[int, Tensor]:
        found = taps(crops)
        seen.update({level: LevelMaps(_strength(tap)) for level, tap in found.items()})
        return found

    def keep(level: int, name: str) -> Any:
        def hook(_module: object, _inputs: object, output: Any) -> None:
            value = output[0] if isinstance(output, tuple) else output
            kept = value[0].flatten().float().cpu().numpy() if name == "channel" else _strength(value)
            setattr(seen[level], name, kept)

        return hook

    network.taps = watch_taps  # type: ignore[method-assign]
    try:
        for level, attention in network.attention.items():
            parts = {"memory": attention.inter_frame, "channel": attention.channel, "spatial": attention.spatial}
            for name, part in {**parts, "attended": attention}.items():
                if part is not None:
                    hooks.append(cast(nn.Module, part).register_forward_hook(keep(int(level), name)))
        yield seen
    finally:
        del network.taps
        for hook in hooks:
            hook.remove()


def _strength(value: Tensor) -> Map:
    """(n, n) mean of the first crop's absolute values over channels."""
    strength: Map = value[0].float().abs().mean(0).cpu().numpy()
    return strength

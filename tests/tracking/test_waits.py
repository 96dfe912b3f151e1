"""How often a frame makes the host wait for the device that the network is on, told on the processor."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves

from rartrack.tracking.tracker import Tracker

_WAITING = frozenset(
    {Tensor.cpu, Tensor.item, Tensor.tolist, Tensor.__bool__, Tensor.__float__, Tensor.__int__, Tensor.__index__}
)
"""Not ``numpy``, which refuses what is not on the host."""


class Waits(TorchFunctionMode):
    """Counts values asked of tensors, but of those that came to the host before, and what the host made of them."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0
        self._here: dict[int, Tensor] = {}  # held, so that no other gets its number

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        asked = [value for value in tree_leaves((args, kwargs)) if isinstance(value, Tensor)]
        here = all(id(value) in self._here for value in asked)
        self.count += func in _WAITING and not here
        if func is Tensor.cpu or here:
            self._here |= {id(value): value for value in tree_leaves(result) if isinstance(value, Tensor)}
        return result


@pytest.mark.parametrize("search", ["box", "pyramid"])
def test_a_frame_waits_for_the_device_once(small_tracker: Callable[..., Tracker], scene, search: str) -> None:
    tracker = small_tracker(scale_search=search, look_again_below=0.0, uncertain_below=0.0, lost_below=0.0)
    tracker.init(scene.frame(0), {"a": scene.box(0), "b": (150.0, 20.0, 20.0, 40.0)})
    before = tracker.state.statistics
    with Waits() as waits:
        tracker.update(scene.frame(1))
    assert waits.count == 1
    assert not torch.equal(tracker.state.statistics.cross, before.cross)  # it has learned


def test_second_looks_wait_once_each(small_tracker: Callable[..., Tracker], scene) -> None:
    tracker = small_tracker(scale_search="box", look_again_below=2.0, uncertain_below=2.0, camera_below=0.0)
    tracker.init(scene.frame(0), scene.box(0))
    with Waits() as waits:
        tracker.update(scene.frame(1))
    assert waits.count == 3

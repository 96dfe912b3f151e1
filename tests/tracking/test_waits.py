"""How often a frame makes the host wait for the device that the network is on, told on the processor."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves

from rartrack.results import Status
from rartrack.tracking import template
from rartrack.tracking.tracker import Tracker

_WAITING = frozenset(
    {Tensor.cpu, Tensor.item, Tensor.tolist, Tensor.__bool__, Tensor.__float__, Tensor.__int__, Tensor.__index__}
)
"""Not ``numpy``, which refuses what is not on the host."""


class Waits(TorchFunctionMode):
    """Counts values asked of tensors and numbers of the host given to them (by ``x[0] = 1``, or which to take by a
    list), but of tensors that came to the host before, and what the host made of them."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0
        self._here: dict[int, Tensor] = {}  # held, so that no other gets its number

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        asked = [value for value in tree_leaves((args, kwargs)) if isinstance(value, Tensor)]
        # What is made of no tensor is the host's, unless it is made on a device.
        here = all(id(value) in self._here for value in asked) and (bool(asked) or "device" not in (kwargs or {}))
        self.count += (func in _WAITING or _sends(func, args)) and not here
        if func is Tensor.cpu or here:
            self._here |= {id(value): value for value in tree_leaves(result) if isinstance(value, Tensor)}
        return result


def _sends(func: Any, args: Any) -> bool:
    """Whether numbers go to the device one by one, not by ``Model.on_device``."""
    if func is Tensor.__setitem__:
        return not isinstance(args[2], Tensor)
    if func is not Tensor.__getitem__:
        return False
    index = args[1] if isinstance(args[1], tuple) else (args[1],)
    return any(isinstance(part, (list, np.ndarray)) for part in index)


@pytest.mark.parametrize("search", ["box", "pyramid"])
def test_a_frame_waits_for_the_device_once(small_tracker: Callable[..., Tracker], scene, search: str) -> None:
    tracker = small_tracker(scale_search=search, look_again_below=0.0, uncertain_below=0.0, lost_below=0.0)
    tracker.init(scene.frame(0), {"a": scene.box(0), "b": (150.0, 20.0, 20.0, 40.0)})
    before = tracker.state.statistics
    with Waits() as waits:
        tracker.update(scene.frame(1))
    assert waits.count == 1
    assert not torch.equal(tracker.state.statistics.cross, before.cross)  # it has learned


def test_where_some_of_several_targets_learn_the_frame_waits_once_too(
    small_tracker: Callable[..., Tracker], scene, monkeypatch
) -> None:
    tracker = small_tracker(scale_search="box", look_again_below=0.0, uncertain_below=0.0, lost_below=0.0)
    tracker.init(scene.frame(0), {"a": scene.box(0), "b": (150.0, 20.0, 20.0, 40.0)})
    before = tracker.state.statistics
    cut = template.wait

    def one_waits(model, state, image):
        return cut(model, replace(state, status=(Status.TRACKED, Status.UNCERTAIN)), image)

    monkeypatch.setattr("rartrack.tracking.tracker.wait", one_waits)
    with Waits() as waits:
        tracker.update(scene.frame(1))
    assert waits.count == 1
    changed = (tracker.state.statistics.cross != before.cross).flatten(1).any(1)
    assert changed.tolist() == [True, False]


def test_second_looks_wait_once_each(small_tracker: Callable[..., Tracker], scene) -> None:
    tracker = small_tracker(scale_search="box", look_again_below=2.0, uncertain_below=2.0, camera_below=0.0)
    tracker.init(scene.frame(0), scene.box(0))
    with Waits() as waits:
        tracker.update(scene.frame(1))
    assert waits.count == 3

"""Learning with the next frame's search: the same results, one pass a frame, and what waits is part of the state."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal

from rartrack.config import FilterConfig
from rartrack.errors import InputError
from rartrack.network.memory import Memory
from rartrack.tracking.model import Model
from rartrack.tracking.state import TrackerState
from rartrack.tracking.tracker import Tracker

Make = Callable[..., Tracker]
BOXES = {"stays": (150.0, 20.0, 30.0, 30.0), "ground": (120.0, 40.0, 40.0, 30.0), "gone": (40.0, 60.0, 30.0, 30.0)}


def started(make: Make, scene, **tracking: object) -> Tracker:
    tracker = make(uncertain_below=0.3, lost_below=0.0, **tracking)
    tracker.init(scene.frame(0), BOXES)
    return tracker


def frame(scene, index: int) -> np.ndarray:
    """One target is not to be seen from the second frame on, so that it does not learn while the others do."""
    return scene.frame(0, hidden=index > 1)


@pytest.mark.parametrize("interval", [1, 2])
def test_results_and_what_is_learned_are_those_of_learning_at_once(small_tracker: Make, scene, interval: int) -> None:
    at_once = started(small_tracker, scene, update_interval=interval)
    delayed = started(small_tracker, scene, update_interval=interval, delayed_update=True)
    for index in range(1, 7):
        found, expected = delayed.update(frame(scene, index)), at_once.update(frame(scene, index))
        for name in BOXES:
            assert_allclose(found[name].box, expected[name].box, atol=1e-3)
            assert_allclose(found[name].score, expected[name].score, atol=1e-4)
            assert found[name].status == expected[name].status
        assert (delayed.state.waiting is None) == bool(index % interval)
        assert at_once.state.waiting is None
    settled = delayed.settle()
    assert settled.waiting is None
    assert (settled.filter - at_once.state.filter).norm() < 1e-4 * settled.filter.norm()
    for name, value in settled.memory.tensors().items():
        assert_allclose(value.numpy(), at_once.state.memory.tensors()[name].numpy(), atol=1e-4)


def test_a_target_that_is_not_sure_does_not_wait(small_tracker: Make, scene) -> None:
    tracker = started(small_tracker, scene, delayed_update=True)
    for index in range(1, 4):
        tracker.update(frame(scene, index))
    assert tracker.state.waiting.targets == (True, True, False)
    assert len(tracker.state.waiting.crops) == 2 * 5


def test_one_pass_of_the_backbone_a_frame(small_tracker: Make, scene, monkeypatch: pytest.MonkeyPatch) -> None:
    tracker = started(small_tracker, scene, delayed_update=True)
    network, batches = tracker.model.network, []
    taps = network.taps
    monkeypatch.setattr(network, "taps", lambda crops: batches.append(len(crops)) or taps(crops))
    for index in range(2):
        tracker.update(frame(scene, index))
    assert batches == [3 * 3, 3 * 3 + 3 * 5]  # scales of three targets; then their templates and contexts, too


def test_what_waits_is_saved_stacked_and_selected(small_tracker: Make, scene, tmp_path: Path) -> None:
    one, other = (started(small_tracker, scene, delayed_update=True) for _ in range(2))
    for index in range(1, 4):
        one.update(frame(scene, index))
    one.state.save(tmp_path / "state")
    restored = TrackerState.load(tmp_path / "state")
    assert_array_equal(restored.waiting.crops, one.state.waiting.crops)
    other.state = TrackerState.stack([restored.select([index]) for index in (2, 0, 1)])
    assert other.state.waiting.targets == (False, True, True)
    assert restored.select([2]).waiting is None
    found, expected = other.update(frame(scene, 4)), one.update(frame(scene, 4))
    for name in BOXES:
        assert_allclose(found[name].box, expected[name].box, atol=1e-3)


def test_a_kept_state_gives_the_same_again(small_tracker: Make, scene) -> None:
    tracker = started(small_tracker, scene, delayed_update=True)
    tracker.update(frame(scene, 1))
    kept = tracker.state
    first = tracker.update(frame(scene, 2))
    tracker.state = kept
    assert tracker.update(frame(scene, 2)) == first


def waiting(make: Make, scene, **tracking: object) -> TrackerState:
    tracker = started(make, scene, delayed_update=True, **tracking)
    tracker.update(frame(scene, 1))
    return tracker.state


@pytest.mark.parametrize(
    ("filter", "tracking"),
    [
        (FilterConfig(contexts=0), {"delayed_update": True}),
        (None, {"delayed_update": True, "context_turns": 2}),
        (None, {"context_turns": 2}),
        (None, {"shared_context": True}),
    ],
    ids=["other contexts", "other turns", "other turns, at once", "one larger crop"],
)
def test_what_waits_of_other_settings_is_refused(small_tracker: Make, scene, filter, tracking) -> None:
    tracker, state = small_tracker(filter, **tracking), waiting(small_tracker, scene)
    with pytest.raises(InputError, match=r"of other settings .* while crops wait .* filter\.contexts"):
        tracker.state = state
    tracker.state = replace(state, waiting=None)


@pytest.mark.parametrize("turns", [1, 2])
def test_what_waits_is_learned_where_nothing_else_does(small_tracker: Make, scene, monkeypatch, turns: int) -> None:
    state = waiting(small_tracker, scene, context_turns=turns)
    tracker, expected = (
        started(small_tracker, scene, delayed_update=delayed, context_turns=turns) for delayed in (False, True)
    )
    expected.state = tracker.state = state
    passes, batches = tracker.model.passes, []
    monkeypatch.setattr(tracker.model, "passes", lambda *crops: batches.append(len(crops)) or passes(*crops))
    found = tracker.update(frame(scene, 2))
    assert set(batches) == {1}  # a network that is not torch's learns and searches apart
    for name, result in expected.update(frame(scene, 2)).items():
        assert_allclose(found[name].box, result.box, atol=1e-3)


class Elsewhere:
    """A network that another library runs: whole or not at all."""

    device = torch.device("cpu")
    dtype, gives_boxes = torch.float32, False

    def __init__(self, network, remembers: bool) -> None:
        self._network, self._remembers, self.batches = network, remembers, []

    def initial_memory(self, batch: int) -> Memory:
        return self._network.initial_memory(batch) if self._remembers else Memory()

    def look(self, crops: torch.Tensor, _: Memory) -> tuple[torch.Tensor, Memory, None]:
        self.batches.append(len(crops))
        features, after = self._network(crops, self._network.initial_memory(len(crops)))
        return features, after if self._remembers else Memory(), None


def test_a_network_without_memory_needs_no_parts(small_tracker: Make, scene) -> None:
    results = []
    for delayed in (False, True):
        tracker = small_tracker(delayed_update=delayed)
        network = Elsewhere(tracker.model.network, remembers=False)
        tracker.model = Model(network, tracker.config)
        tracker.init(scene.frame(0), scene.box(0))
        results.append([tracker.update(scene.frame(index)) for index in range(1, 4)])
    assert network.batches == [5, 3, 8, 8]
    for found, expected in zip(*results, strict=True):
        assert_allclose(found.box, expected.box, atol=1e-3)


def test_what_cannot_be_one_batch_is_refused(small_tracker: Make) -> None:
    with pytest.raises(InputError, match="two sizes"):
        small_tracker(delayed_update=True, shared_context=True)
    tracker = small_tracker()
    config = replace(tracker.config, tracking=replace(tracker.config.tracking, delayed_update=True))
    with pytest.raises(InputError, match="only the backend torch"):
        Model(Elsewhere(tracker.model.network, remembers=True), config)

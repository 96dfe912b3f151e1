"""Contexts in turns: fewer crops an update, the same sums over a round of updates."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal

from rartrack.tracking.tracker import Tracker

Make = Callable[..., Tracker]
CENTRE, SIZE = np.array([[100.0, 90.0]]), np.array([[30.0, 20.0]])


def crops(tracker: Tracker, scene, turn: int | None) -> np.ndarray:
    return tracker.model.template_crops(scene.frame(0), CENTRE, SIZE, turn)


def test_two_turns_are_above_and_below_then_left_and_right(small_tracker: Make, scene) -> None:
    tracker = small_tracker(context_turns=2)
    template, above, left, below, right = crops(tracker, scene, None)
    assert_array_equal(crops(tracker, scene, 0), [template, above, below])
    assert_array_equal(crops(tracker, scene, 1), [template, left, right])
    assert_array_equal(crops(tracker, scene, 2), crops(tracker, scene, 0))


@pytest.mark.parametrize("turns", [1, 2, 4])
def test_a_round_of_turns_learns_as_much_as_all_at_once(small_tracker: Make, scene, turns: int) -> None:
    tracker = small_tracker(context_turns=turns)
    model, memory = tracker.model, tracker.model.network.initial_memory(1)
    with torch.inference_mode():
        (whole,) = model.passes(crops(tracker, scene, None))
        expected, left = model.learn(whole, memory)
        parts = [model.passes(crops(tracker, scene, turn))[0] for turn in range(turns)]
        found = [model.learn(part, memory, in_turn=True) for part in parts]
    for name in ("gram", "cross", "energy"):
        mean = torch.stack([getattr(statistics, name) for statistics, _ in found]).mean(0)
        one = getattr(expected, name)
        assert (mean - one).norm() <= 1e-5 * one.norm()  # of features in single precision, in batches of other sizes
    for _, after in found:
        for name, value in after.tensors().items():
            assert_allclose(value.numpy(), left.tensors()[name].numpy(), atol=1e-5)


@pytest.mark.parametrize("delayed", [False, True])
def test_each_update_takes_its_turn(small_tracker: Make, scene, delayed: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    tracker = small_tracker(context_turns=4, update_interval=2, delayed_update=delayed)
    cut, turns = tracker.model.template_crops, []
    monkeypatch.setattr(tracker.model, "template_crops", lambda *values: turns.append(values[3:]) or cut(*values))
    tracker.init(scene.frame(0), [scene.box(0), scene.box(1)])
    for index in range(1, 7):
        tracker.update(scene.frame(index))
    assert turns == [(), (1,), (2,), (3,)]
    if delayed:
        assert len(tracker.state.waiting.crops) == 2 * 2


def test_one_crop_that_holds_all_contexts_has_no_turns(small_tracker: Make, scene) -> None:
    results = []
    for turns in (1, 4):
        tracker = small_tracker(context_turns=turns, shared_context=True)
        tracker.init(scene.frame(0), scene.box(0))
        results.append([tracker.update(scene.frame(index)) for index in range(1, 4)])
    assert results[0] == results[1]

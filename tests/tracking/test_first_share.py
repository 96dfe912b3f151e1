"""The first frame's share in the filter: exact, kept for good, and part of the state."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from rartrack.config import FilterConfig
from rartrack.errors import InputError
from rartrack.filter.context import blend, solve
from rartrack.tracking.state import TrackerState
from rartrack.tracking.tracker import Tracker

Make = Callable[..., Tracker]
BOX, OTHER = (40.0, 60.0, 30.0, 30.0), (120.0, 40.0, 40.0, 30.0)


def started(make: Make, scene, share: float, rate: float, **tracking: object) -> Tracker:
    tracker = make(FilterConfig(first_share=share, learning_rate=rate), lost_below=0.0, uncertain_below=0.0, **tracking)
    tracker.init(scene.frame(0), {"a": BOX, "b": OTHER})
    return tracker


@pytest.mark.parametrize("delayed", [False, True])
def test_the_filter_is_solved_from_what_was_learned_and_the_first_frame(
    small_tracker: Make, scene, delayed: bool
) -> None:
    tracker = started(small_tracker, scene, 0.25, 0.5, delayed_update=delayed)
    first = tracker.state.statistics
    for index in range(1, 4):
        tracker.update(scene.frame(index))
    state = tracker.settle()
    assert state.first is not None
    assert torch.equal(state.first.gram, first.gram)
    mixed = blend(state.statistics, first, 0.25)
    assert torch.equal(state.filter, solve(mixed, tracker.config.filter))
    assert not torch.equal(state.filter, solve(state.statistics, tracker.config.filter))


def test_a_share_of_one_keeps_the_first_filter_and_none_keeps_nothing(small_tracker: Make, scene) -> None:
    tracker = started(small_tracker, scene, 1.0, 1.0)
    before = tracker.state.filter
    tracker.update(scene.frame(5))
    assert torch.equal(tracker.state.filter, before)
    assert started(small_tracker, scene, 0.0, 1.0).state.first is None


def test_it_is_saved_stacked_and_selected(small_tracker: Make, scene, tmp_path: Path) -> None:
    tracker = started(small_tracker, scene, 0.25, 0.5)
    tracker.update(scene.frame(1))
    tracker.state.save(tmp_path / "state")
    other = started(small_tracker, scene, 0.25, 0.5)
    other.state = TrackerState.stack([TrackerState.load(tmp_path / "state").select([index]) for index in (0, 1)])
    assert other.state == tracker.state
    assert other.update(scene.frame(2)) == tracker.update(scene.frame(2))
    assert other.state == tracker.state


def test_a_state_without_it_is_another_models(small_tracker: Make, scene) -> None:
    tracker = started(small_tracker, scene, 0.25, 0.5)
    with pytest.raises(InputError, match="first_share"):
        tracker.state = started(small_tracker, scene, 0.0, 0.5).state

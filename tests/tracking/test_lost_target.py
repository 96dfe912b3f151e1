"""A lost target: where and as large as what it is sought, and found again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose

from rartrack.boxes import iou
from rartrack.results import Status
from rartrack.tracking.tracker import Tracker

Make = Callable[..., Tracker]


def test_a_target_that_disappears_is_lost_and_found_where_it_reappears(small_tracker: Make, scene) -> None:
    tracker = small_tracker(uncertain_below=0.3, lost_below=0.3, lost_after=3, found_above=0.4, scales=1)
    tracker.init(scene.frame(0), scene.box(0))
    seen = [tracker.update(scene.frame(0, hidden=True)) for _ in range(4)]
    assert [result.status for result in seen] == [Status.UNCERTAIN] * 2 + [Status.LOST] * 2
    assert seen[-1].box == seen[-2].box
    for _ in range(40):  # it comes back 100 pixels to the right, outside the window searched while tracked
        result = tracker.update(scene.frame(50))
        if result.status is Status.TRACKED:
            break
    assert result.status is Status.TRACKED
    for _ in range(3):
        result = tracker.update(scene.frame(50))
    assert iou(result.box, scene.box(50)) > 0.7


def test_a_lost_target_is_sought_at_its_last_size_and_as_it_was_given(
    small_tracker: Make, scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    tracker = small_tracker(lost_below=1.1, lost_after=1, found_above=1.1, search_windows=4)
    tracker.init(scene.frame(0), scene.box(0))
    tracker.state = replace(tracker.state, size=tracker.state.size * 0.5)
    cut, sought = tracker.model.search_crops, []
    monkeypatch.setattr(
        tracker.model,
        "search_crops",
        lambda frame, centre, size: sought.append((centre, size)) or cut(frame, centre, size),
    )
    for _ in range(5):
        tracker.update(scene.frame(0))
    places, sizes = zip(*sought[1:], strict=True)  # in the first frame it is not lost yet
    assert [tuple(np.unique(size)) for size in sizes] == [(15.0,), (30.0,)] * 2
    for place, size in zip(places, sizes, strict=True):  # a window is three sizes, so neighbours lie half of that apart
        steps = np.abs(place[2:] - place[1]) / (1.5 * size[0])
        assert_allclose(steps, steps.round(), atol=1e-9)
    assert not np.isin(places[0][2:].sum(1), places[2][2:].sum(1)).all(), "the next turn looks elsewhere"


@pytest.mark.parametrize(("factor", "alike"), [((1.2, 1.0), True), ((1.3, 1.0), False), ((1.0, 0.7), False)])
def test_a_lost_target_as_large_as_it_was_given_is_sought_elsewhere_in_every_frame(
    small_tracker: Make, scene, monkeypatch: pytest.MonkeyPatch, factor: tuple[float, float], alike: bool
) -> None:
    tracker = small_tracker(lost_below=1.1, lost_after=1, found_above=1.1, search_windows=4)
    tracker.init(scene.frame(0), scene.box(0))
    tracker.state = replace(tracker.state, size=tracker.state.size * factor)
    tracker.update(scene.frame(0))  # now it is lost, and stays where it is
    last, cut, sought = tracker.state.centre[0], tracker.model.search_crops, []
    monkeypatch.setattr(
        tracker.model,
        "search_crops",
        lambda frame, centre, size: sought.append((centre[2:], size[0])) or cut(frame, centre, size),
    )
    for _ in range(2):
        tracker.update(scene.frame(0))
    (places, size), (after, size_after) = sought
    assert np.array_equal(size, size_after) is alike
    steps = {tuple(step) for step in np.concatenate([(places - last) / size, (after - last) / size_after]).round(9)}
    assert (len(steps) == 2 * 4) is alike


@pytest.mark.parametrize(("count", "windows"), [(1, 4), (4, 4), (5, 3), (16, 1), (40, 1)])
def test_many_lost_targets_share_the_windows_of_four(
    small_tracker: Make, scene, monkeypatch: pytest.MonkeyPatch, count: int, windows: int
) -> None:
    tracker = small_tracker(lost_below=1.1, lost_after=1, found_above=1.1, search_windows=4)
    tracker.init(scene.frame(0), [scene.box(0)] * count)
    tracker.update(scene.frame(0))
    cut, sought = tracker.model.search_crops, []
    monkeypatch.setattr(
        tracker.model,
        "search_crops",
        lambda frame, centre, size: sought.append(len(centre)) or cut(frame, centre, size),
    )
    tracker.update(scene.frame(0))
    assert sought == [count * (2 + windows)], "besides the last place and the hint"


@pytest.mark.parametrize("rate", [0.5, 1.0])
def test_a_target_found_again_is_as_large_as_it_was_found(small_tracker: Make, scene, rate: float) -> None:
    tracker = small_tracker(scales=1, scale_rate=rate, lost_after=1, found_above=0.3)
    tracker.init(scene.frame(0), scene.box(0))
    state = tracker.state  # sought as it was given, in the second frame after it was called lost
    tracker.state = replace(state, size=state.size / 2, status=(Status.LOST,), unseen=np.array([2]))
    result = tracker.update(scene.frame(0))
    assert result.status is Status.TRACKED
    assert_allclose(result.box, scene.box(0), atol=0.5)

"""How the camera moved, and what is looked at because of it."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
import pytest
from numpy.testing import assert_allclose
from numpy.typing import NDArray

from rartrack.boxes import iou
from rartrack.tracking.camera import camera_motion, thumbnail
from rartrack.tracking.state import TrackerState
from rartrack.tracking.tracker import Tracker

Make = Callable[..., Tracker]


def seen(width: int, height: int, x: int, y: int) -> NDArray[np.uint8]:
    """What a camera of some pixels sees of a wide scene, turned by (x, y) pixels."""
    draw = np.random.default_rng(0)
    coarse = draw.integers(0, 255, (height // 4, width // 4, 3), dtype=np.uint8)
    scene = cv2.resize(coarse, (2 * width, 2 * height), interpolation=cv2.INTER_CUBIC)
    left, top = width // 2 + x, height // 2 + y
    return np.ascontiguousarray(scene[top : top + height, left : left + width])


@pytest.mark.parametrize(("width", "height"), [(640, 360), (200, 120), (1920, 1080), (101, 333)])
def test_a_turn_of_the_camera_is_seen_to_a_pixel_of_the_thumbnail(width: int, height: int) -> None:
    turn = np.array([width // 16, -height // 20])
    before, after = thumbnail(seen(width, height, 0, 0)), thumbnail(seen(width, height, *turn))
    assert before.dtype == np.uint8
    assert max(before.shape) == min(240, max(width, height))
    assert_allclose(camera_motion(before, after, (width, height)), -turn, atol=max(1, max(width, height) / 240))


@pytest.mark.parametrize(
    ("width", "height"),
    [(1920, 1080), (1280, 720), (640, 360), (135, 135), (101, 333), (2, 3), (500, 1), (1, 1), (1, 9)],
)
def test_where_nothing_moved_nothing_is_said_to_have(width: int, height: int) -> None:
    frame = seen(max(width, 8), max(height, 8), 0, 0)[:height, :width]
    assert_allclose(camera_motion(thumbnail(frame), thumbnail(frame), (width, height)), 0, atol=0.01)


def test_pictures_with_nothing_in_common_say_nothing() -> None:
    draw = np.random.default_rng(1)
    one, other = draw.integers(0, 255, (2, 135, 240), dtype=np.uint8)
    plain = np.full((135, 240), 7, np.uint8)
    for before, after in ((one, other), (plain, one), (one, plain)):
        assert not camera_motion(before, after, (240, 135)).any()
    assert np.abs(camera_motion(plain, plain, (240, 135))).max() < 1


@pytest.mark.parametrize("side", [30, 60])
def test_a_target_that_the_camera_carries_out_of_its_window_is_found_at_once(small_tracker: Make, side: int) -> None:
    width, height = 480, 360
    turn = np.array([2 * side, side])
    box = (240.0, 180.0, float(side), float(side))
    carried = (box[0] - turn[0], box[1] - turn[1], box[2], box[3])
    found = []
    for below in (0.0, 1.0):
        tracker = small_tracker(scales=1, camera_below=below)
        tracker.init(seen(width, height, 0, 0), box)
        found.append(iou(tracker.update(seen(width, height, *turn)).box, carried))
        assert (tracker.state.thumbnail is None) == (not below)
    assert found[0] < 0.1 < 0.8 < found[1]


def test_where_the_camera_rests_no_window_is_looked_at_for_it(small_tracker: Make, scene, monkeypatch) -> None:
    tracker = small_tracker(scales=1, camera_below=1.0, update_interval=9)
    tracker.init(scene.frame(0), scene.box(0))
    counts, cut = [], tracker.model.search_crops
    monkeypatch.setattr(tracker.model, "search_crops", lambda *a: counts.append(len(a[1])) or cut(*a))
    assert tracker.update(scene.frame(3)).score < 1
    assert counts == [1]


def test_targets_apart_and_together_know_the_frame_that_the_camera_moved_from(small_tracker: Make, scene) -> None:
    tracker = small_tracker(camera_below=1.0)
    tracker.init(scene.frame(0), [scene.box(0), (120, 40, 40, 30)])
    kept = tracker.state
    parts = [kept.select([0]), kept.select([1])]
    for state in (*parts, TrackerState.stack(parts)):
        assert state.thumbnail is not None
        np.testing.assert_array_equal(state.thumbnail, thumbnail(scene.frame(0)))

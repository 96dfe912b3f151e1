"""Tracked, uncertain, lost; and where a lost target is looked for."""

from __future__ import annotations

import math
import tracemalloc

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from rartrack.config import TrackingConfig
from rartrack.results import Status
from rartrack.tracking.status import next_status, score_of, search_places

CONFIG = TrackingConfig(uncertain_below=0.4, lost_below=0.2, lost_after=3, found_above=0.6)


@pytest.mark.parametrize(("peak", "score"), [(0.3, 0.3), (-0.1, 0.0), (1.7, 1.0), (math.nan, 0.0)])
def test_the_score_is_the_peak_within_bounds(peak: float, score: float) -> None:
    assert score_of(peak) == score


def test_a_low_score_is_uncertain_and_a_high_one_tracked() -> None:
    assert next_status(Status.TRACKED, 0, 0.39, CONFIG) == (Status.UNCERTAIN, 0)
    assert next_status(Status.UNCERTAIN, 0, 0.4, CONFIG) == (Status.TRACKED, 0)


def test_lost_only_after_so_many_frames_in_a_row() -> None:
    status, unseen, history = Status.TRACKED, 0, []
    for score in (0.1, 0.1, 0.3, 0.1, 0.1, 0.1):
        status, unseen = next_status(status, unseen, score, CONFIG)
        history.append(status)
    assert history[:5] == [Status.UNCERTAIN] * 5
    assert history[5] is Status.LOST


def test_a_lost_target_needs_a_high_score_to_be_found() -> None:
    assert next_status(Status.LOST, 5, 0.59, CONFIG) == (Status.LOST, 6)
    assert next_status(Status.LOST, 5, 0.6, CONFIG) == (Status.TRACKED, 0)


def test_what_is_not_seen_is_not_tracked_whatever_the_thresholds() -> None:
    config = TrackingConfig(uncertain_below=0.1, lost_below=0.4, lost_after=3, found_above=0.05)
    assert next_status(Status.TRACKED, 0, 0.39, config) == (Status.UNCERTAIN, 1)
    assert next_status(Status.TRACKED, 0, 0.4, config) == (Status.TRACKED, 0)
    assert next_status(Status.LOST, 5, 0.39, config) == (Status.LOST, 6)
    config = TrackingConfig(uncertain_below=0.4, lost_below=0.1, found_above=0.05)
    assert next_status(Status.LOST, 5, 0.39, config) == (Status.LOST, 6)
    assert next_status(Status.LOST, 5, 0.4, config) == (Status.TRACKED, 0)


def test_of_a_target_smaller_than_a_pixel_places_are_a_pixel_apart() -> None:
    places = search_places(np.array([50.0, 40.0]), np.array([1e-6, 3e-6]), 0, 8, (100, 80))
    assert np.abs(places - [50, 40]).max() == 1


def test_the_search_reaches_every_part_of_the_frame() -> None:
    frame, window, centre = (320, 240), np.array([60.0, 60.0]), np.array([40.0, 30.0])
    places = np.concatenate([search_places(centre, window, step, 4, frame) for step in range(60)])
    grid = np.stack(np.meshgrid(np.arange(0, 321, 20), np.arange(0, 241, 20)), axis=-1).reshape(-1, 1, 2)
    assert (np.abs(grid - places).max(axis=2).min(axis=1) <= 30).all()


def test_the_search_starts_near_and_widens() -> None:
    centre = np.array([160.0, 120.0])
    distances = [
        np.abs(search_places(centre, np.array([60.0, 60.0]), step, 4, (320, 240)) - centre).max() for step in range(8)
    ]
    assert distances[0] == 30
    assert distances == sorted(distances)


def listed(centre: np.ndarray, window: np.ndarray, frame: tuple[int, int]) -> np.ndarray:
    """All places of a grid of half windows inside the frame, but the middle: by distance, then from left to right."""
    low, high = np.ceil(-centre / (window / 2)).astype(int), np.floor((frame - centre) / (window / 2)).astype(int)
    places = [(x, y) for y in range(low[1], high[1] + 1) for x in range(low[0], high[0] + 1) if x or y]
    return np.array(sorted(places, key=lambda place: max(map(abs, place)))).reshape(-1, 2) * (window / 2) + centre


def test_the_search_takes_the_places_by_distance_and_starts_over() -> None:
    draw = np.random.default_rng(0)
    for _ in range(200):
        frame, count = tuple(draw.integers(1, 200, 2).tolist()), int(draw.integers(0, 30))
        centre, window = draw.uniform(-30, 230, 2), draw.uniform(9, 100, 2)
        places, turn = listed(centre, window, frame), int(draw.integers(0, 40))
        expected = places[(turn * count + np.arange(min(count, len(places)))) % max(1, len(places))]
        assert_array_equal(search_places(centre, window, turn, count, frame), expected)


def test_a_small_target_in_a_large_frame_costs_little() -> None:
    tracemalloc.start()
    for turn in (0, 1000):
        search_places(np.array([1000.0, 900.0]), np.array([3.0, 3.0]), turn, 10, (3840, 2160))
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 1 << 20  # there are 3.7 million places


def test_a_frame_smaller_than_the_window_has_nowhere_else_to_look() -> None:
    assert len(search_places(np.array([5.0, 5.0]), np.array([60.0, 60.0]), 0, 4, (10, 10))) == 0

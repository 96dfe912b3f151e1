"""From windows and peaks to places and sizes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.testing import assert_allclose

from rartrack.config import TrackingConfig
from rartrack.tracking.localize import (
    Candidates,
    Found,
    at_scales,
    best_of,
    boxed,
    exponents_searched,
    limited,
    look_around,
    moved,
    scale_exponents,
)

FRAME = (320, 240)
MIDDLE = np.array([[50.0, 50.0]])


def test_scale_exponents_are_centred_and_hold_zero() -> None:
    assert scale_exponents(3).tolist() == [-1, 0, 1]
    assert scale_exponents(5).tolist() == [-2, -1, 0, 1, 2]
    assert scale_exponents(1).tolist() == [0]


@pytest.mark.parametrize(
    ("settings", "searched"),
    [
        ({}, [[-1, 0, 1]] * 6),
        ({"scale_interval": 3}, [[0], [0], [-1, 0, 1], [0], [0], [-1, 0, 1]]),
        ({"alternate_scales": True}, [[0, 1], [-1, 0], [0, 1], [-1, 0], [0, 1], [-1, 0]]),
        ({"alternate_scales": True, "scale_interval": 2}, [[0], [0, 1], [0], [-1, 0], [0], [0, 1]]),
        ({"alternate_scales": True, "scales": 5, "scale_interval": 3}, [[0], [0], [0, 1, 2], [0], [0], [-2, -1, 0]]),
        ({"scale_search": "dsst"}, [[0]] * 6),
        ({"scale_search": "box"}, [[0]] * 6),
    ],
)
def test_scales_searched_in_the_first_six_frames(settings: dict[str, Any], searched: list[list[int]]) -> None:
    config = TrackingConfig(**settings)
    assert [exponents_searched(frame, config).tolist() for frame in range(1, 7)] == searched


def test_windows_of_one_target() -> None:
    config = TrackingConfig(scale_step=1.1, scale_penalty=0.9)
    found = at_scales(2, np.array([50.0, 40.0]), np.array([20.0, 10.0]), config, scale_exponents(3))
    assert_allclose(found.size, [[20 / 1.1, 10 / 1.1], [20, 10], [22, 11]])
    assert_allclose(found.weight, [0.9, 1, 0.9])
    assert found.target.tolist() == [2, 2, 2]


def test_each_target_takes_its_own_best_weighted_window() -> None:
    candidates = Candidates(np.array([0, 0, 1, 1]), np.zeros((4, 2)), np.ones((4, 2)), np.array([1.0, 0.5, 1.0, 1.0]))
    assert best_of(candidates, np.array([0.5, 0.9, 0.1, 0.2])).tolist() == [0, 3]


def test_targets_without_windows_are_passed_over() -> None:
    candidates = Candidates(np.array([1, 3, 3]), np.zeros((3, 2)), np.ones((3, 2)), np.ones(3))
    assert best_of(candidates, np.array([0.5, 0.1, 0.2])).tolist() == [0, 2]


def test_a_last_look_is_one_target_around() -> None:
    size = np.array([[20.0, 10.0], [2.0, 4.0]])
    around = look_around([1, 3], np.array([[50.0, 40.0], [7.0, 9.0]]), size, 3 * size)
    assert around.target.tolist() == [1] * 8 + [3] * 8
    expected = {(50.0 + x, 40.0 + y) for x in (-20, 0, 20) for y in (-10, 0, 10)} - {(50.0, 40.0)}
    assert {tuple(centre) for centre in np.round(around.centre[:8], 9)} == expected
    assert_allclose(around.size, np.repeat(size, 8, axis=0))


def test_an_image_displacement_survives_crop_and_cells() -> None:
    """A target that moved by d pixels shows d * side / window / 8 cells away, and comes back as d (SPEC Sec. 6)."""
    side, window, distance = 255, np.array([90.0, 300.0]), np.array([7.0, -11.0])
    cells = distance * side / window / 8
    assert_allclose(moved(np.array([100.0, 100.0]), window, cells, side), [107, 89], atol=1e-12)


def test_sizes_stay_within_limits_and_keep_their_aspect() -> None:
    first = np.array([[20.0, 10.0]])
    config = TrackingConfig(size_limits=(0.5, 2.0))
    _, small = limited(MIDDLE, first * 0.1, MIDDLE, first, FRAME, config)
    _, large = limited(MIDDLE, first * 9, MIDDLE, first, FRAME, config)
    assert_allclose(small, first * 0.5)
    assert_allclose(large, first * 2)


def test_a_target_is_never_larger_than_the_frame_nor_centred_outside() -> None:
    first = np.array([[300.0, 100.0]])
    centre, size = limited(np.array([[-5.0, 900.0]]), first * 2, MIDDLE, first, FRAME, TrackingConfig())
    assert_allclose(centre, [[0, 240]])
    assert_allclose(size, [[320, 320 / 3]])


def test_a_side_that_was_given_larger_than_the_frame_may_stay_so() -> None:
    first = np.array([[200.0, 500.0]])
    _, size = limited(MIDDLE, first, MIDDLE, first, FRAME, TrackingConfig())
    assert_allclose(size, first)
    _, size = limited(MIDDLE, 2 * first, MIDDLE, first, FRAME, TrackingConfig())
    assert_allclose(size, first)


@pytest.mark.parametrize(
    ("before", "found", "expected"),
    [
        (-30, -30, -30),
        (-30, -35, -30),
        (-30, -10, -10),
        (-90, -90, -49),
        (350, 355, 350),
        (900, 900, 369),
        (10, -5, 0),
    ],
)
def test_a_centre_given_outside_the_frame_goes_no_further_out(before: float, found: float, expected: float) -> None:
    size = np.array([[100.0, 60.0]])
    x = [np.array([[place, 50.0]]) for place in (found, before)]
    centre, _ = limited(x[0], size, x[1], size, FRAME, TrackingConfig())
    assert_allclose(centre, [[expected, 50]])


def test_a_one_pixel_frame_is_no_special_case() -> None:
    centre, size = limited(*[np.array([[0.5, 0.5]]), np.ones((1, 2))] * 2, (1, 1), TrackingConfig())
    assert_allclose(centre, [[0.5, 0.5]])
    assert_allclose(size, [[1, 1]])


def test_the_box_heads_say_is_taken_over_in_part() -> None:
    config = TrackingConfig(box_rate=0.5, box_centre=0.25, uncertain_below=0.2)
    centre, size = np.array([[50.0, 40.0]] * 4), np.array([[20.0, 10.0]] * 4)
    said = np.array([[0.4, -0.2, np.log(4), np.log(1 / 4)], [0.4, -0.2, 0.3, 0.3], [5.0, -5.0, 3.0, -3.0]])
    said = np.concatenate([said, np.full((1, 4), np.nan)])
    said[0, 2:] = np.clip(said[0, 2:], -1, 1)
    moved_centre, moved_size = boxed(centre, size, said, np.array([0.2, 0.19, 0.9, 0.9]), config)
    assert_allclose(moved_centre[0], [50 + 0.25 * 0.4 * 20, 40 - 0.25 * 0.2 * 10])
    assert_allclose(moved_size[0], [20 * np.exp(0.5), 10 * np.exp(-0.5)])
    assert_allclose(moved_centre[1], centre[1])  # hardly seen: its word counts for nothing
    assert_allclose(moved_size[1], size[1])
    assert_allclose(moved_centre[2], [50 + 0.25 * 20, 40 - 0.25 * 10])  # no more than a size in one frame
    assert_allclose(moved_size[2], [20 * np.exp(0.5), 10 * np.exp(-0.5)])
    assert_allclose((moved_centre[3], moved_size[3]), (centre[3], size[3]))  # not a number: nor does this


def test_a_second_look_counts_where_it_ranks_higher() -> None:
    first = Found(np.array([0.1, 0.8, 0.2]), np.array([0.1, 0.7, 0.2]), np.zeros((3, 2)), np.ones((3, 2)))
    second = Found(np.array([0.5, 0.3]), np.array([0.4, 0.1]), np.full((2, 2), 7.0), np.full((2, 2), 9.0))
    found = first.improved([0, 2], second)
    assert_allclose(found.peak, [0.5, 0.8, 0.2])
    assert_allclose(found.rank, [0.4, 0.7, 0.2])
    assert_allclose(found.centre, [[7, 7], [0, 0], [0, 0]])
    assert_allclose(found.size, [[9, 9], [1, 1], [1, 1]])
    assert_allclose(first.peak, [0.1, 0.8, 0.2])
    assert_allclose(first.improved([0, 2], second, least=0.6).peak, first.peak)

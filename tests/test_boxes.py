"""The box convention: x, y, width, height, 0-based, measured at the edges of pixels."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from rartrack.boxes import Box, as_box, centre_size, clip, from_centre_size, iou, polygon_bounds
from rartrack.errors import InputError

NAN = (np.nan,) * 4

places = st.floats(-1e4, 1e4, allow_nan=False).map(lambda value: round(value, 3))
sides = st.floats(0.01, 1e4, allow_nan=False).map(lambda value: round(value, 3))
boxes = st.tuples(places, places, sides, sides)


@pytest.mark.parametrize(
    ("a", "b", "expected", "why"),
    [
        ((0, 0, 10, 10), (0, 0, 10, 10), 1, "the same box"),
        ((0, 0, 10, 10), (5, 0, 10, 10), 1 / 3, "half of each is shared"),
        ((0, 0, 10, 10), (10, 0, 10, 10), 0, "edges that touch share no pixel"),
        ((0, 0, 10, 10), (0, 0, 5, 5), 1 / 4, "a quarter inside"),
        ((-10, -10, 10, 10), (-5, -10, 10, 10), 1 / 3, "left of and above the frame counts as anywhere else"),
        ((-1, -1, 2, 2), (0, 0, 2, 2), 1 / 7, "one of seven pixels"),
        ((0, 0, 0, 10), (0, 0, 10, 10), 0, "no area, no overlap"),
        ((0, 0, 0, 0), (0, 0, 0, 0), 0, "no area at all, not even with itself"),
        ((0, 0, -5, 5), (-5, 0, 5, 5), 0, "a negative width is no area"),
        (NAN, (0, 0, 1, 1), np.nan, "a box that does not exist"),
    ],
)
def test_intersection_over_union(a: tuple[float, ...], b: tuple[float, ...], expected: float, why: str) -> None:
    assert_allclose(iou(a, b), expected, err_msg=why)
    assert_allclose(iou(b, a), expected, err_msg=why)


def test_overlaps_of_rows_and_of_all_pairs() -> None:
    rows = np.array([[0.0, 0, 10, 10], [5, 0, 10, 10]])
    assert_allclose(iou(rows, rows), [1, 1])
    assert_allclose(iou(rows[:, None], rows), [[1, 1 / 3], [1 / 3, 1]])


@given(boxes, boxes)
def test_overlap_is_symmetric_and_between_0_and_1(a: tuple[float, ...], b: tuple[float, ...]) -> None:
    assert iou(a, b) == iou(b, a)
    assert 0 <= iou(a, b) <= 1


@given(boxes)
def test_a_box_overlaps_itself_wholly(box: tuple[float, ...]) -> None:
    assert_allclose(iou(box, box), 1, rtol=1e-6)


@given(boxes, boxes, places, places)
def test_overlap_does_not_depend_on_where_the_origin_is(
    a: tuple[float, ...], b: tuple[float, ...], dx: float, dy: float
) -> None:
    shift = np.array([dx, dy, 0, 0])
    # Edges near 1e4 are kept to about 1e-12; of a side of 0.01 that is 1e-9.
    assert_allclose(iou(np.add(a, shift), np.add(b, shift)), iou(a, b), atol=1e-7)


@given(boxes)
def test_centre_and_size_give_the_box_back(box: tuple[float, ...]) -> None:
    assert_allclose(from_centre_size(*centre_size(box)), box, atol=1e-9)


@given(boxes)
def test_the_box_around_a_boxs_corners_is_the_box(box: tuple[float, ...]) -> None:
    x, y, w, h = box
    assert_allclose(polygon_bounds((x, y, x + w, y, x + w, y + h, x, y + h)), box, atol=1e-9)


@given(boxes, boxes)
def test_nothing_changes_its_arguments(a: tuple[float, ...], b: tuple[float, ...]) -> None:
    first, second = np.array(a), np.array(b)
    iou(first, second)
    clip(first, (100, 100))
    centre, size = centre_size(first)
    centre += 1
    size += 1
    from_centre_size(first[:2], second[2:])
    polygon_bounds(first)
    assert_array_equal(first, a)
    assert_array_equal(second, b)


def test_the_centre_of_three_pixels_is_the_middle_of_the_second() -> None:
    centre, size = centre_size((3, 0, 3, 1))
    assert_array_equal(centre, (4.5, 0.5))
    assert_array_equal(size, (3, 1))


@pytest.mark.parametrize(
    ("box", "expected"),
    [
        ((10, 10, 5, 5), (10, 10, 5, 5)),
        ((-5, -5, 10, 10), (0, 0, 5, 5)),
        ((95, 45, 10, 10), (95, 45, 5, 5)),
        ((-50, 10, 20, 20), (0, 10, 0, 20)),
        ((200, 10, 20, 20), (100, 10, 0, 20)),
    ],
)
def test_cutting_to_the_frame(box: tuple[float, ...], expected: tuple[float, ...]) -> None:
    assert_array_equal(clip(box, (100, 50)), expected)


def test_the_box_around_a_polygon() -> None:
    assert_array_equal(polygon_bounds((5, 0, 10, 5, 5, 10, 0, 5)), (0, 0, 10, 10))
    assert_array_equal(polygon_bounds(np.zeros((3, 8))), np.zeros((3, 4)))


@pytest.mark.parametrize("value", [(1, 2, 3, 4), [1, 2, 3, 4], np.array([1, 2, 3, 4]), "1,2,3,4", " 1, 2 ,3,4.0"])
def test_a_users_box_may_be_numbers_or_text(value: Any) -> None:
    box = as_box(value)
    assert box == Box(1.0, 2.0, 3.0, 4.0)
    assert [type(number) for number in box] == [float] * 4


def test_a_users_box_may_lie_partly_outside_the_frame() -> None:
    assert as_box((-5, -5, 10, 10), (100, 50)) == Box(-5, -5, 10, 10)
    assert as_box((99, 49, 10, 10), (100, 50)) == Box(99, 49, 10, 10)
    assert as_box((-900, 0, 1000, 500), (100, 50)) == Box(-900, 0, 1000, 500)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("1,2,3", "3 numbers, 4 expected"),
        ((1, 2, 3, 4, 5), "5 numbers, 4 expected"),
        ("a,b,c,d", "expected four numbers"),
        ("", "expected four numbers"),
        ("1,2,3,", "expected four numbers"),
        (7, "expected four numbers"),
        (None, "expected four numbers"),
        ((1, 2, np.nan, 4), "must be finite"),
        ("1,2,inf,4", "must be finite"),
        ((1, 2, 0, 4), "above 0"),
        ((1, 2, 3, -4), "above 0"),
        ((100, 0, 5, 5), "outside the frame, which is 100x50"),
        ((0, 50, 5, 5), "outside the frame"),
        ((-5, 0, 5, 5), "outside the frame"),
        ((0, -5, 5, 5), "outside the frame"),
        ((0, 0, 1e9, 1e9), "more than 10 times as large as the frame, which is 100x50"),
        ((0, -9, 50, 501), "more than 10 times"),
        ((0.5, 1, 0.2, 0.9), "less than a pixel; numbers are pixels of the frame, which is 100x50, not fractions"),
    ],
)
def test_a_wrong_box_is_refused_in_one_line(value: Any, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        as_box(value, (100, 50))
    assert "\n" not in str(caught.value)


def test_an_array_that_is_no_box_is_named_in_one_line() -> None:
    with pytest.raises(InputError, match=r"^box array\(\[\[\[0\., .* \.\.\.: expected four numbers") as error:
        as_box(np.zeros((2, 20, 20)))
    assert "\n" not in str(error.value)

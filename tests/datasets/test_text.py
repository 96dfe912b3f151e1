"""Annotation files: what is understood and what a bad one is told."""

from __future__ import annotations

import numpy as np
import pytest

from rartrack.datasets.text import read_boxes, read_flags, read_regions
from rartrack.errors import InputError


@pytest.mark.parametrize(
    "content",
    [
        "1,2,3,4\n5,6,7,8\n",
        "1\t2\t3\t4\n5\t6\t7\t8",
        "1 2 3 4\r\n5 6 7 8\r\n",
        " 1,\t2 , 3 4 \n5,6\t7 8\n\n  \n",
        "\ufeff1.0,2.0,3.0,4.0\n5e0,6,7,8\n",
    ],
    ids=["commas", "tabs", "spaces and CRLF", "a mixture and blank last lines", "byte order mark"],
)
def test_numbers_may_be_split_in_any_way(tree, content):
    np.testing.assert_array_equal(read_boxes(tree.text("a.txt", content)), [[1, 2, 3, 4], [5, 6, 7, 8]])


def test_one_based_boxes_move_by_one_pixel_and_keep_their_size(tree):
    np.testing.assert_array_equal(read_boxes(tree.text("a.txt", "1,2,3,4\n"), origin=1), [[0, 1, 3, 4]])


def test_a_box_with_a_nan_is_no_box(tree):
    boxes = read_boxes(tree.text("a.txt", "1,2,3,4\nNaN,NaN,NaN,NaN\n5,nan,7,8\n"), origin=1)
    assert np.isnan(boxes).all(axis=1).tolist() == [False, True, True]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("1,2,3,4\n1,2,3\n", r"a.txt: line 2 has 3 numbers, 4 expected \(x,y,w,h\)"),
        ("1,2,3,4\n\n1,2,3,4\n", "a.txt: line 2 has 0 numbers, 4 expected"),
        ("1,2,3,4,5\n", "a.txt: line 1 has 5 numbers, 4 expected"),
        ("x,y,w,h\n", "a.txt: line 1 is 'x,y,w,h', 4 expected"),
        ("1,2,inf,4\n", "a.txt: line 1 holds an infinite number"),
        ("", "a.txt: empty"),
        (" \r\n\r\n", "a.txt: empty"),
    ],
)
def test_a_bad_annotation_is_named_by_file_and_line(tree, content, problem):
    with pytest.raises(InputError, match=problem):
        read_boxes(tree.text("a.txt", content))


def test_a_file_that_is_missing_or_no_text_is_named(tree):
    with pytest.raises(InputError, match=r"b.txt: No such file"):
        read_boxes(tree.root / "b.txt")
    (tree.root / "c.txt").write_bytes(b"\x00\x81")
    with pytest.raises(InputError, match=r"c.txt: not a text file"):
        read_boxes(tree.root / "c.txt")


def test_polygons_and_boxes_may_alternate_in_a_file(tree):
    boxes, polygons = read_regions(tree.text("a.txt", "1,1,5,1,5,4,1,3\n10,20,30,40\n"))
    np.testing.assert_array_equal(boxes, [[1, 1, 4, 3], [10, 20, 30, 40]])
    np.testing.assert_array_equal(polygons[0], [1, 1, 5, 1, 5, 4, 1, 3])
    assert np.isnan(polygons[1]).all()


def test_without_a_polygon_there_are_none(tree):
    assert read_regions(tree.text("a.txt", "1,2,3,4\n"))[1] is None


def test_a_polygon_with_six_numbers_is_refused(tree):
    with pytest.raises(InputError, match=r"line 2 has 6 numbers, 4 \(x,y,w,h\) or 8"):
        read_regions(tree.text("a.txt", "1,1,5,1,5,4,1,3\n1,1,5,1,5,4\n"))


def test_flags_left_out_at_the_end_are_off(tree):
    short = tree.text("a.tag", "0\n1\n")
    assert read_flags(short, 4, shorter=True).tolist() == [False, True, False, False]
    assert not read_flags(tree.text("c.tag", ""), 3, shorter=True).any()
    assert read_flags(tree.text("b.txt", "1,0,1"), 3).tolist() == [True, False, True]
    with pytest.raises(InputError, match=r"a\.tag: 2 values for 4 annotated frames"):
        read_flags(short, 4)


def test_more_flags_than_frames_are_refused(tree):
    with pytest.raises(InputError, match="3 values for 2 annotated frames"):
        read_flags(tree.text("a.tag", "0\n1\n1\n"), 2)
    with pytest.raises(InputError, match="expected one 0 or 1 per frame"):
        read_flags(tree.text("b.tag", "yes\n"), 2)

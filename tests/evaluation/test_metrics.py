"""Overlap, distance and curves, case by case."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rartrack.boxes import Boxes, iou
from rartrack.evaluation import metrics
from rartrack.evaluation.otb import MATLAB_OVERLAPS

BOX = [10.0, 20.0, 30.0, 40.0]


def _one(*numbers: float) -> Boxes:
    return np.array([numbers])


@pytest.mark.parametrize("overlap", [metrics.overlap, metrics.pixel_overlap])
@pytest.mark.parametrize(
    ("result", "expected"),
    [
        (BOX, 1.0),
        ([25.0, 20.0, 30.0, 40.0], 1 / 3),
        ([10.0, 60.0, 30.0, 40.0], 0.0),
        ([40.0, 20.0, 30.0, 40.0], 0.0),
        ([10.0, 20.0, 0.0, 40.0], 0.0),
    ],
    ids=["the same box", "half of it shared", "touching below", "touching beside", "no area"],
)
def test_overlap_is_of_continuous_boxes(overlap: object, result: list[float], expected: float) -> None:
    assert callable(overlap)
    assert overlap(_one(*result), _one(*BOX))[0] == pytest.approx(expected, abs=1e-15)


whole = st.integers(1, 60).map(float)


@given(st.tuples(whole, whole, whole, whole), st.tuples(whole, whole, whole, whole))
def test_both_arithmetics_agree_with_the_general_overlap(a: tuple[float, ...], b: tuple[float, ...]) -> None:
    expected = iou(_one(*a), _one(*b))
    np.testing.assert_allclose(metrics.overlap(_one(*a), _one(*b)), expected, rtol=1e-14)
    np.testing.assert_allclose(metrics.pixel_overlap(_one(*a), _one(*b)), expected, rtol=1e-14)


def test_a_box_that_does_not_exist_has_no_overlap_and_no_distance() -> None:
    nothing = _one(*[np.nan] * 4)
    assert np.isnan(metrics.overlap(nothing, _one(*BOX)))[0]
    assert np.isnan(metrics.centre_error(nothing, _one(*BOX)))[0]


def test_distance_is_between_centres() -> None:
    moved_and_grown = _one(10 + 3 - 5, 20 + 4 - 5, 30 + 10, 40 + 10)
    assert metrics.centre_error(moved_and_grown, _one(*BOX)).tolist() == [5.0]


def test_normalized_distance_is_in_sides_of_the_true_box() -> None:
    assert metrics.normalized_error(_one(10 + 15, 20, 30, 40), _one(*BOX)) == pytest.approx([0.5])
    assert metrics.normalized_error(_one(10, 20 + 10, 30, 40), _one(*BOX)) == pytest.approx([0.25])


def test_exactly_at_a_threshold_is_no_success_but_is_precise() -> None:
    values = np.array([0.5])
    assert metrics.shares_above(values, [0.5]).tolist() == [0.0]
    assert metrics.shares_above(values, [0.5], strict=False).tolist() == [1.0]
    assert metrics.shares_within(values, [0.5]).tolist() == [1.0]


def test_nan_counts_as_a_frame_but_never_for_the_tracker() -> None:
    values = np.array([0.6, np.nan])
    assert metrics.shares_above(values, [0.5]).tolist() == [0.5]
    assert metrics.shares_within(values, [1.0]).tolist() == [0.5]


def test_thresholds_have_the_bits_of_matlabs_colon() -> None:
    # num2hex of 0:0.05:1 where it differs from k*0.05 and from linspace.
    assert MATLAB_OVERLAPS[3].hex() == (3 * 0.05).hex() == "0x1.3333333333334p-3"
    assert MATLAB_OVERLAPS[12] == 0.6
    assert 12 * 0.05 != 0.6
    assert MATLAB_OVERLAPS[17] == 0.85
    assert MATLAB_OVERLAPS[-1] == 1.0
    assert len(MATLAB_OVERLAPS) == 21

"""What each rule does to one frame."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from rartrack.evaluation import normalized, otb
from rartrack.evaluation.rules import Curves, Rules, measure, valid

TRUTH = np.array([[10.0, 10, 20, 20], [12, 10, 20, 20], [14, 10, 20, 20]])
NAN = [np.nan] * 4


def _with(row: int, box: list[float]) -> np.ndarray:
    boxes = TRUTH.copy()
    boxes[row] = box
    return boxes


def test_the_first_box_counts_as_right_in_the_toolkit_but_as_given_in_pysot() -> None:
    corners = _with(0, [10, 10, 30, 30])
    assert measure(corners, TRUTH, otb.TOOLKIT).overlap[0] == 1
    assert measure(corners, TRUTH, otb.GOT10K).overlap[0] == 1
    assert measure(corners, TRUTH, otb.PYSOT).overlap[0] == pytest.approx(400 / 900)


@pytest.mark.parametrize("bad", [NAN, [14, 10, 0, 20], [14, 10, 20, -1]], ids=["nan", "no width", "negative height"])
def test_a_bad_box_takes_the_one_before_in_the_toolkit_only(bad: list[float]) -> None:
    result = _with(2, bad)
    assert measure(result, TRUTH, otb.TOOLKIT).overlap[2] == pytest.approx(18 / 22)
    for rules in (otb.PYSOT, otb.GOT10K):
        assert not measure(result, TRUTH, rules).overlap[2] > 0


def test_several_bad_boxes_take_the_last_good_one() -> None:
    result = np.array([TRUTH[0], NAN, NAN])
    assert measure(result, TRUTH, otb.TOOLKIT).overlap.tolist() == pytest.approx([1, 18 / 22, 16 / 24])


def test_a_box_that_is_partly_nan_is_repaired_by_lasot_not_by_otb() -> None:
    result = _with(2, [np.nan, 10, 20, 20])
    assert np.isnan(measure(result, TRUTH, otb.TOOLKIT).overlap[2])
    assert measure(result, TRUTH, normalized.LASOT).overlap[2] == pytest.approx(18 / 22)


def test_invalid_truth_never_succeeds_and_is_always_precise() -> None:
    truth = _with(2, [0, 10, 20, 20])
    frames = measure(TRUTH, truth, otb.TOOLKIT)
    assert (frames.overlap[2], frames.error[2]) == (-1, -1)
    assert otb.TOOLKIT.curves(frames).success[0] == 2 / 3
    assert otb.TOOLKIT.curves(frames).precision[0] == 1


def test_of_a_folder_the_frames_with_a_target_count_wherever_it_lies() -> None:
    truth = np.array([[10.0, 10, 20, 20], [-15, -8, 20, 20], NAN, [5, 5, 0, 20], [30, 30, 20, 20]])
    away = np.tile([90.0, 90, 5, 5], (5, 1))
    perfect, useless = (measure(result, truth, otb.VISIBLE, origin=0) for result in (truth, away))
    assert perfect.counts.tolist() == useless.counts.tolist() == [True, True, False, False, True]
    assert otb.VISIBLE.curves(perfect).success[0] == otb.VISIBLE.curves(perfect).precision[0] == 1
    assert otb.VISIBLE.curves(useless).success[0] == pytest.approx(1 / 3)  # of the frame that was given
    assert otb.VISIBLE.curves(useless).precision[20] == pytest.approx(1 / 3)
    assert valid(truth, otb.VISIBLE, origin=0).tolist() == perfect.counts.tolist()


def test_a_box_at_the_border_is_valid_whatever_the_first_pixel_is_called() -> None:
    truth = np.array([[0.0, 10, 20, 20], [10, 0, 20, 20], [-1, 10, 20, 20]])
    for rules in (otb.TOOLKIT, otb.PYSOT):
        assert measure(truth, truth, rules, origin=0).overlap.tolist() == [1, 1, -1]
        moved = truth + np.array([1.0, 1, 0, 0])
        assert measure(moved, moved, rules).overlap.tolist() == [1, 1, -1]
        np.testing.assert_array_equal(
            measure(truth + 3, truth, rules, origin=0).error, measure(moved + 3, moved, rules, origin=1).error
        )


def test_pysot_asks_only_whether_the_centre_is_valid() -> None:
    edge, outside = _with(2, [0, 10, 20, 20]), _with(2, [-20, 10, 20, 20])
    assert measure(TRUTH, edge, otb.PYSOT).error[2] == 14
    assert measure(TRUTH, outside, otb.PYSOT).error[2] == -1
    assert measure(TRUTH, edge, otb.PYSOT).overlap[2] == -1


def test_got10k_has_no_rule_for_invalid_truth() -> None:
    assert measure(TRUTH, _with(2, [0, 10, 20, 20]), otb.GOT10K).overlap[2] == pytest.approx(6 / 34)


@pytest.mark.parametrize("rules", [normalized.LASOT, normalized.LASOT_PYSOT])
def test_frames_without_the_target_count_and_never_succeed(rules: Rules) -> None:
    """pysot takes them out too, but divides by all frames, counted before."""
    failed = measure(TRUTH, _with(2, NAN), rules)
    assert (failed.overlap[2], failed.error[2]) == (-1, np.inf)
    curves = rules.curves(failed)
    assert curves.success[0] == curves.precision[50] == curves.normalized[0] == 2 / 3


@pytest.mark.parametrize("rules", [otb.TOOLKIT, normalized.LASOT])
def test_a_bad_second_box_takes_the_trackers_own_first(rules: Rules) -> None:
    """Which in SRE is not the truth; the first line itself counts as the truth."""
    result = np.array([[12.0, 10, 20, 20], NAN, NAN])
    assert measure(result, TRUTH[[0, 0, 0]], rules).overlap == pytest.approx([1, 9 / 11, 9 / 11])


def test_lasot_repairs_boxes_while_the_target_is_away_too() -> None:
    result = np.vstack([TRUTH[0], [0, 0, 0, 0], [0, 0, 0, 0]])
    truth = np.vstack([TRUTH[0], NAN, TRUTH[0]])
    assert measure(result, truth, normalized.LASOT).overlap.tolist() == [1, -1, 1]


def test_figures_are_read_off_the_curves() -> None:
    curves = Curves(success=np.linspace(1, 0, 21), precision=np.linspace(0, 1, 51), normalized=np.linspace(0, 1, 51))
    assert otb.TOOLKIT.figures(curves) == pytest.approx({"auc": 0.5, "dp20": 0.4})
    assert normalized.LASOT.figures(curves) == pytest.approx({"auc": 0.5, "dp20": 0.4, "norm_precision": 0.4})


def test_trackingnet_takes_areas_and_whole_pixels() -> None:
    ones = Curves(*[np.ones(21)] * 3)
    assert normalized.TRACKINGNET.figures(ones) == pytest.approx({"auc": 1, "precision": 1, "norm_precision": 1})
    assert measure(TRUTH + 0.4, TRUTH, normalized.TRACKINGNET).overlap.tolist() == [1, 1, 1]


def test_a_result_of_another_length_is_refused() -> None:
    with pytest.raises(ValueError, match="differ in shape"):
        measure(TRUTH[:2], TRUTH, otb.TOOLKIT)


def test_measuring_changes_neither_argument() -> None:
    result, truth = _with(2, NAN), TRUTH.copy()
    measure(result, truth, replace(otb.TOOLKIT, rounded=True))
    np.testing.assert_array_equal(result, _with(2, NAN))
    np.testing.assert_array_equal(truth, TRUTH)

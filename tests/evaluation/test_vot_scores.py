"""Accuracy, robustness and EAO on runs small enough to score by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from rartrack.datasets.sequence import Sequence
from rartrack.errors import InputError
from rartrack.evaluation.vot import Benchmark, Trajectory, find_benchmark, find_rules, score, unsupervised
from rartrack.evaluation.vot_rules import Constants, Rules

HIT, HALF = [0.0, 0, 9, 9], [5.0, 0, 9, 9]  # overlap 1 and 50 / 150 with the truth, in pixels
STARTED, FAILED, SKIPPED = [1.0], [2.0], [0.0]
SHORT = Benchmark("short", "Short", (2, 4))


def sequence(frames: int, name: str = "a", **more: object) -> Sequence:
    return Sequence(name, np.tile(HIT, (frames, 1)), frame_size=(100, 100), **more)  # type: ignore[arg-type]


def run(*rows: list[float]) -> Trajectory:
    return Trajectory.from_rows(rows)


def failing(frames: int, *failures: int) -> Trajectory:
    """Overlap 1 throughout, but for these failures, each with its restart where there is room."""
    rows = [STARTED, *[HIT] * (frames - 1)]
    for failure in failures:
        rows[failure : failure + 6] = [FAILED, *[SKIPPED] * 4, STARTED][: frames - failure]
    return run(*rows)


class TestAccuracy:
    def test_leaves_out_the_start_and_nine_frames_after_it(self) -> None:
        scores = score(SHORT, [sequence(12)], {"a": [run(STARTED, *[HALF] * 9, HIT, HIT)]})
        assert scores.accuracy == 1
        assert np.isnan(scores.per_sequence["a"].overlaps[:10]).all()

    def test_every_start_has_its_burn_in(self) -> None:
        rows = [STARTED, *[HIT] * 9, HALF, FAILED, *[SKIPPED] * 4, STARTED, *[HIT] * 9, HALF]
        assert score(SHORT, [sequence(len(rows))], {"a": [run(*rows)]}).accuracy == pytest.approx(1 / 3)

    def test_pools_frames_after_averaging_repetitions(self) -> None:
        long, short = sequence(13), sequence(11, "b")
        results = {
            "a": [run(STARTED, *[HIT] * 12), run(STARTED, *[HIT] * 11, HALF)],
            "b": [run(STARTED, *[HALF] * 10)],
        }
        scores = score(SHORT, [long, short], results)
        assert scores.accuracy == pytest.approx((1 + 1 + (1 + 1 / 3) / 2 + 1 / 3) / 4)

    def test_python_toolkit_weighs_sequences_by_their_length(self) -> None:
        results = {"a": [run(STARTED, *[HIT] * 12)], "b": [run(STARTED, *[[50.0, 50, 9, 9]] * 10)]}
        scores = score(SHORT, [sequence(13), sequence(11, "b")], results, "vot-toolkit")
        assert scores.accuracy == pytest.approx(13 / 24)

    def test_of_an_unsupervised_run_leaves_out_the_first_frame_alone(self) -> None:
        scores = score(unsupervised(SHORT), [sequence(4)], {"a": [run(STARTED, HALF, HIT, HIT)]})
        assert scores.accuracy == pytest.approx((1 / 3 + 1 + 1) / 3)

    def test_a_result_that_is_nan_overlaps_nothing(self) -> None:
        rows = [STARTED, *[HIT] * 9, HIT, [np.nan] * 4]
        assert score(SHORT, [sequence(12)], {"a": [run(*rows)]}).accuracy == 0.5


class TestRobustness:
    def test_is_failures_per_hundred_frames_averaged_over_repetitions(self) -> None:
        scores = score(
            SHORT, [sequence(20), sequence(30, "b")], {"a": [failing(20, 3), failing(20)], "b": [failing(30, 4, 20)]}
        )
        assert scores.robustness == pytest.approx(100 * 2.5 / 50)
        assert scores.per_sequence["a"].failures == 0.5

    def test_pysot_takes_the_first_repetition_only(self) -> None:
        repetitions = [failing(20, 3), failing(20), failing(20)]
        assert score(SHORT, [sequence(20)], {"a": repetitions}, "pysot").robustness == 5
        fifteen = [*repetitions, *[failing(20)] * 12]
        assert score(SHORT, [sequence(20)], {"a": fifteen}, "pysot").robustness == pytest.approx(5 / 15)


class TestExpectedAverageOverlap:
    def test_curve_is_the_mean_overlap_up_to_each_length(self) -> None:
        scores = score(SHORT, [sequence(4)], {"a": [run(STARTED, HIT, HALF, HALF)]})
        np.testing.assert_allclose(scores.curve, [1, 1, 2 / 3, 5 / 9])

    def test_score_is_the_mean_over_lengths_both_included(self) -> None:
        scores = score(SHORT, [sequence(6)], {"a": [run(STARTED, HIT, HALF, HALF, HIT, HIT)]})
        assert scores.eao == pytest.approx(np.mean([1, 2 / 3, 5 / 9]))

    def test_after_a_failure_the_overlap_is_zero_for_ever(self) -> None:
        sequences = [sequence(20), sequence(40, "b")]
        scores = score(SHORT, sequences, {"a": [failing(20, 2)], "b": [failing(40)]})
        # Pieces: one that failed in its third frame, one of 13 frames after it, one of 40.
        assert scores.curve[1] == 1
        assert scores.curve[2] == pytest.approx((1 / 2 + 1 + 1) / 3)
        assert scores.curve[30] == pytest.approx((1 / 30 + 1) / 2)

    def test_a_failure_in_the_last_five_frames_ends_nothing(self) -> None:
        late = score(SHORT, [sequence(20)], {"a": [failing(20, 15)]})
        assert len(late.curve) == 20
        assert late.curve[14] == 1
        assert late.curve[19] == pytest.approx(14 / 19)

    def test_pysot_ends_a_piece_when_the_restart_would_follow_the_last_frame(self) -> None:
        sequences, results = [sequence(20), sequence(20, "b")], {"a": [failing(20, 15)], "b": [failing(20)]}
        weight = 20 / 21
        pysot = score(SHORT, sequences, results, "pysot").curve[19]
        assert pysot == pytest.approx((weight * 14 / 19 + 1) / (weight + 1))
        earlier = {"a": [failing(20, 16)], "b": [failing(20)]}
        np.testing.assert_allclose(
            score(SHORT, sequences, earlier, "pysot").curve, score(SHORT, sequences, earlier).curve
        )

    def test_repetitions_share_the_weight_of_their_sequence(self) -> None:
        results = {"a": [run(STARTED, HALF, HALF), run(STARTED, HALF, HALF)], "b": [run(STARTED, HIT, HIT)]}
        curve = score(SHORT, [sequence(3), sequence(3, "b")], results).curve
        np.testing.assert_allclose(curve, [1, 2 / 3, 2 / 3])

    def test_lengths_that_no_sequence_reaches_do_not_count(self) -> None:
        assert score(SHORT, [sequence(3)], {"a": [run(STARTED, HIT, HALF)]}).eao == pytest.approx((1 + 2 / 3) / 2)
        assert np.isnan(score(Benchmark("far", "Far", (9, 12)), [sequence(3)], {"a": [run(STARTED, HIT, HIT)]}).eao)


class TestTags:
    def test_only_frames_that_carry_the_tag_count(self) -> None:
        tags = {"occlusion": np.arange(14) >= 12, "size_change": np.zeros(14, dtype=bool)}
        scores = score(SHORT, [sequence(14, tags=tags)], {"a": [run(STARTED, *[HIT] * 11, HALF, HALF)]})
        assert scores.per_tag["occlusion"].accuracy == pytest.approx(1 / 3)
        assert scores.per_tag["occlusion"].frames == 2
        assert scores.per_tag["empty"].accuracy == 1
        assert scores.per_tag["empty"].frames == 12
        assert np.isnan(scores.per_tag["size_change"].accuracy)

    def test_robustness_counts_failures_in_tagged_frames(self) -> None:
        tags = {"occlusion": np.arange(20) < 10}
        scores = score(SHORT, [sequence(20, tags=tags)], {"a": [failing(20, 3, 12)]})
        assert scores.per_tag["occlusion"].robustness == 10
        assert scores.per_tag["empty"].robustness == 10

    def test_pieces_weigh_their_share_of_tagged_frames(self) -> None:
        tagged, plain = np.ones(4, dtype=bool), np.array([True, False, False, False])
        sequences = [sequence(4, tags={"occlusion": tagged}), sequence(4, "b", tags={"occlusion": plain})]
        results = {"a": [run(STARTED, HIT, HIT, HIT)], "b": [run(STARTED, HALF, HALF, HALF)]}
        assert score(SHORT, sequences, results).per_tag["occlusion"].eao == pytest.approx((1 + 0.25 / 3) / 1.25)

    def test_without_tags_there_are_none(self) -> None:
        assert score(SHORT, [sequence(3)], {"a": [run(STARTED, HIT, HIT)]}).per_tag == {}


class TestRules:
    def test_the_year_decides_how_rectangles_end_and_what_is_cut(self) -> None:
        assert find_rules("toolkit", "vot2016").accuracy_cut is None
        assert find_rules("toolkit", "vot2017").accuracy_cut is None
        assert find_rules("toolkit", "vot2018").accuracy_cut == 0
        assert find_rules("toolkit", "vot2018").grid.rectangle_end == 0
        assert find_rules("toolkit", "vot2019").grid.rectangle_end == -1
        assert find_rules("pysot", "vot2019").grid.rectangle_end == 0

    def test_ranges_of_the_years(self) -> None:
        ranges = [find_benchmark(f"vot{year}").eao_range for year in (2015, 2016, 2017, 2018, 2019)]
        assert ranges == [(108, 371), (108, 371), (100, 356), (100, 356), (46, 291)]

    def test_accuracy_of_2016_counts_pixels_outside_the_frame(self) -> None:
        outside = Sequence("a", np.tile([-5.0, 0, 9, 9], (11, 1)), frame_size=(100, 100))
        results = {"a": [run(STARTED, *[[0.0, 0, 4, 9]] * 10)]}
        assert score(find_benchmark("vot2016"), [outside], results).accuracy == pytest.approx(0.5)
        assert score(find_benchmark("vot2018"), [outside], results).accuracy == 1

    def test_rules_of_ones_own(self) -> None:
        own, impatient = Rules("own", accuracy_cut=None), replace(SHORT, constants=Constants(burn_in=1))
        plain = Sequence("a", np.tile(HIT, (3, 1)), frame_size=(100, 100))
        assert score(impatient, [plain], {"a": [run(STARTED, HALF, HALF)]}, own).accuracy == pytest.approx(1 / 3)

    def test_unknown_names_say_which_there_are(self) -> None:
        with pytest.raises(InputError, match=r"vot2012.*vot2015.*did you mean"):
            find_benchmark("vot2012")
        with pytest.raises(InputError, match=r"'pyspt'.*did you mean 'pysot'"):
            find_rules("pyspt")


class TestBadInput:
    def test_the_shorter_of_result_and_annotation_counts(self) -> None:
        longer = score(SHORT, [sequence(3)], {"a": [run(STARTED, HIT, HALF, HALF, HALF)]})
        np.testing.assert_allclose(longer.curve, [1, 1, 2 / 3])
        shorter = score(SHORT, [sequence(9)], {"a": [run(STARTED, HIT, HALF)]})
        assert shorter.per_sequence["a"].frames == 3

    def test_missing_results_are_named(self) -> None:
        with pytest.raises(InputError, match="Short: no results for sequence a"):
            score(SHORT, [sequence(3)], {"b": [run(STARTED)]})

    def test_no_sequences(self) -> None:
        with pytest.raises(InputError, match="no sequences"):
            score(SHORT, [], {})

    def test_unknown_frame_size(self) -> None:
        with pytest.raises(InputError, match="sequence a: its frame size is not known"):
            score(SHORT, [Sequence("a", np.tile(HIT, (3, 1)))], {"a": [run(STARTED, HIT, HIT)]})

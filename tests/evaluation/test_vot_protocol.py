"""Supervised, unsupervised and real-time runs, with a tracker that says what it is told to."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from rartrack.boxes import Box, polygon_bounds
from rartrack.datasets.sequence import Sequence
from rartrack.errors import InputError
from rartrack.evaluation.vot_protocol import RealTime, repeat, run_supervised, run_unsupervised
from rartrack.evaluation.vot_results import Trajectory
from rartrack.evaluation.vot_rules import Constants

TRUTH = [10.0, 10, 20, 20]
HIT, MISS = [12.0, 10, 20, 20], [60.0, 60, 5, 5]


def sequence(frames: int, **more: Any) -> Sequence:
    images = [np.full((100, 100, 3), index, dtype=np.uint8) for index in range(frames)]
    boxes = more.pop("boxes", np.tile(TRUTH, (frames, 1)))
    return Sequence("a", boxes, frames=images, **more)


class Scripted:
    """Hits, but for the frames it is told to miss; remembers what it was given."""

    def __init__(self, misses: set[int] | None = None, answer: Any = None) -> None:
        self.misses, self.answer = misses or set(), answer
        self.starts: list[tuple[int, Box]] = []
        self.seen: list[int] = []

    def init(self, frame: Any, box: Box) -> None:
        self.starts.append((int(frame[0, 0, 0]), box))

    def update(self, frame: Any) -> Any:
        self.seen.append(int(frame[0, 0, 0]))
        if self.seen[-1] in self.misses:
            return Box(*MISS)
        return Box(*HIT) if self.answer is None else self.answer


def codes(trajectory: Trajectory) -> list[int]:
    return trajectory.codes.tolist()


class TestSupervised:
    def test_starts_again_five_frames_after_a_failure(self) -> None:
        tracker = Scripted({3})
        trajectory = run_supervised(tracker, sequence(12))
        assert codes(trajectory) == [1, -1, -1, 2, 0, 0, 0, 0, 1, -1, -1, -1]
        assert [frame for frame, _ in tracker.starts] == [0, 8]
        assert tracker.starts[0][1] == Box(*TRUTH)
        assert trajectory.rows()[1] == HIT

    @pytest.mark.parametrize(("failure", "tail"), [(7, [2]), (5, [2, 0, 0]), (3, [2, 0, 0, 0, 0])])
    def test_near_the_end_there_is_no_room_for_a_start(self, failure: int, tail: list[int]) -> None:
        assert codes(run_supervised(Scripted({failure}), sequence(8)))[failure:] == tail

    def test_can_fail_right_after_a_start(self) -> None:
        assert codes(run_supervised(Scripted({1, 7}), sequence(14))) == [1, 2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 1, -1]

    def test_failure_is_no_shared_pixel_inside_the_frame(self) -> None:
        boxes = np.tile([90.0, 0, 30, 20], (3, 1))
        outside = Scripted(answer=Box(105, 0, 20, 20))
        assert codes(run_supervised(outside, sequence(3, boxes=boxes))) == [1, 2, 0]
        touching = Scripted(answer=Box(99, 0, 20, 20))
        assert codes(run_supervised(touching, sequence(3, boxes=boxes))) == [1, -1, -1]

    def test_polygons_are_held_against_polygons(self) -> None:
        """Upright boxes around them meet, they do not."""
        polygons = np.tile([0.0, 0, 40, 40, 0, 40, 0, 20], (3, 1))
        boxes = np.tile([0.0, 0, 40, 40], (3, 1))
        tracker = Scripted(answer=SimpleNamespace(box=Box(0, 0, 40, 40), region=[30, 0, 40, 0, 40, 20, 39, 20]))
        assert codes(run_supervised(tracker, sequence(3, boxes=boxes, polygons=polygons))) == [1, 2, 0]
        plain = Scripted(answer=SimpleNamespace(box=Box(0, 0, 40, 40)))
        assert codes(run_supervised(plain, sequence(3, boxes=boxes, polygons=polygons))) == [1, -1, -1]

    def test_a_glance_at_one_pixel_never_decides_otherwise_than_counting_all(self) -> None:
        """The same runs with an overlap so small that it must be counted, yet no smaller than one pixel's."""
        draw = np.random.default_rng(0)
        for _ in range(30):
            polygons = draw.uniform(-30, 110, (8, 8))
            boxes = polygon_bounds(polygons)
            told = np.concatenate([draw.uniform(-30, 90, (8, 2)), draw.uniform(1, 60, (8, 2))], axis=1)
            runs = []
            for limit in (0.0, 1e-9):
                tracker = Scripted()
                tracker.update = lambda frame, told=told: told[frame[0, 0, 0]]  # type: ignore[method-assign]
                constants = Constants(failure_overlap=limit)
                run = run_supervised(tracker, sequence(8, boxes=boxes, polygons=polygons), constants=constants)
                runs.append(codes(run))
            assert runs[0] == runs[1]

    def test_a_result_that_is_nan_is_a_failure(self) -> None:
        assert codes(run_supervised(Scripted(answer=[np.nan] * 4), sequence(3))) == [1, 2, 0]

    def test_frames_without_annotation_neither_start_nor_fail(self) -> None:
        boxes = np.tile(TRUTH, (9, 1))
        boxes[[0, 3]] = np.nan
        assert codes(run_supervised(Scripted({3}), sequence(9, boxes=boxes))) == [0, 1, *[-1] * 7]

    def test_what_is_no_box_is_named(self) -> None:
        with pytest.raises(InputError, match="the tracker returned 'no', expected x,y,w,h"):
            run_supervised(Scripted(answer="no"), sequence(3))

    def test_needs_frames(self) -> None:
        with pytest.raises(InputError, match="a: its frames are not there"):
            run_supervised(Scripted(), Sequence("a", np.tile(TRUTH, (3, 1))))
        with pytest.raises(InputError, match="a: 3 frames, 4 are annotated"):
            run_supervised(Scripted(), replace(sequence(3), boxes=np.tile(TRUTH, (4, 1))))


class TestUnsupervised:
    def test_never_starts_again(self) -> None:
        tracker = Scripted({3})
        trajectory = run_unsupervised(tracker, sequence(6))
        assert codes(trajectory) == [1, -1, -1, -1, -1, -1]
        assert trajectory.rows()[3] == MISS

    def test_starts_where_the_annotation_does(self) -> None:
        boxes = np.tile(TRUTH, (4, 1))
        boxes[:2] = np.nan
        assert codes(run_unsupervised(Scripted(), sequence(4, boxes=boxes))) == [0, 0, 1, -1]
        with pytest.raises(InputError, match="no annotated box"):
            run_unsupervised(Scripted(), sequence(2, boxes=np.full((2, 4), np.nan)))


class TestRepetitions:
    def test_a_deterministic_tracker_runs_three_times(self) -> None:
        assert len(list(repeat(lambda: run_supervised(Scripted(), sequence(4))))) == 3

    def test_another_runs_fifteen_times(self) -> None:
        misses: Iterator[set[int]] = iter([set(), set(), {2}] + [set()] * 20)
        assert len(list(repeat(lambda: run_supervised(Scripted(next(misses)), sequence(4))))) == 15


class TestRealTime:
    """At ten frames a second an interval is 0.1 s."""

    def seen(self, seconds: list[float], grace: int = 0, frames: int = 9) -> list[int]:
        tracker = Scripted()
        run_unsupervised(RealTime(tracker, 10, grace, seconds), sequence(frames))
        return tracker.seen

    def test_a_fast_tracker_sees_every_frame(self) -> None:
        assert self.seen([0.09] * 9) == [1, 2, 3, 4, 5, 6, 7, 8]

    def test_up_to_two_intervals_nothing_is_lost(self) -> None:
        assert self.seen([0.0, *[0.19] * 8]) == [1, 2, 3, 4, 5, 6, 7, 8]

    def test_of_a_slower_one_frames_pass(self) -> None:
        assert self.seen([0.0, *[0.25] * 8]) == [1, 3, 5, 7]
        assert self.seen([0.0, *[0.35] * 8]) == [1, 4, 7]

    def test_a_slow_start_costs_frames_too(self) -> None:
        assert self.seen([0.35, *[0.0] * 8]) == [3, 4, 5, 6, 7, 8]

    def test_the_first_slow_replies_are_forgiven(self) -> None:
        assert self.seen([0.9, 0.9, 0.25, *[0.25] * 8], grace=2) == [1, 2, 4, 6, 8]

    def test_grace_returns_with_each_start(self) -> None:
        tracker = Scripted({1})
        run_supervised(RealTime(tracker, 10, 1, [0.5, 0.0, 0.5, 0.0, 0.0]), sequence(9))
        assert tracker.seen == [1, 7, 8]

    def test_a_frame_that_passed_gets_the_last_box(self) -> None:
        tracker = RealTime(Scripted({1}), 10, 0, [0.0, 0.25, 0.0, 0.0])
        assert run_unsupervised(tracker, sequence(4)).rows()[1:] == [MISS, MISS, HIT]
        assert tracker.skipped == 1

    def test_before_any_reply_that_is_the_given_box(self) -> None:
        assert run_unsupervised(RealTime(Scripted(), 10, 0, [0.25, 0.0]), sequence(3)).rows()[1:] == [TRUTH, HIT]

    def test_rate_must_be_positive(self) -> None:
        with pytest.raises(InputError, match="frame rate 0"):
            RealTime(Scripted(), 0)


def test_scoring_and_protocol_load_without_torch() -> None:
    code = "import sys, rartrack.evaluation.vot_protocol, rartrack.evaluation.trax; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0

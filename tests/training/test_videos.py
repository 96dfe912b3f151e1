"""Which frames of a video make a clip."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rartrack.training.config import SourceConfig
from rartrack.training.videos import acceptable, draw_frames, runs

FRAME = (640, 480)


@pytest.mark.parametrize(
    ("box", "passes", "why"),
    [
        ((200, 150, 100, 100), True, "a middling box"),
        ((200, 150, 40, 40), False, "less than a tenth of the frame's size"),
        ((60, 40, 500, 400), False, "more than three quarters of it"),
        ((2, 150, 100, 100), False, "nearer to the border than a twentieth of its size"),
        ((6, 150, 100, 100), True, "just far enough from the border"),
        ((536, 150, 100, 100), False, "near the right border"),
        ((200, 377, 100, 100), False, "near the lower border"),
        ((np.nan, np.nan, np.nan, np.nan), False, "not visible"),
    ],
)
def test_boxes_pass_dcfnets_filters(box: tuple[float, ...], passes: bool, why: str) -> None:
    assert acceptable(np.array([box]), FRAME, SourceConfig("x"))[0] == passes, why


def test_a_box_of_few_pixels_is_refused_however_small_the_frame() -> None:
    assert not acceptable(np.array([[20.0, 20.0, 7.0, 7.0]]), (50, 50), SourceConfig("x"))[0]


def test_runs_are_stretches_without_a_gap() -> None:
    assert runs(np.array([1, 1, 0, 1, 0, 0, 1, 1, 1], dtype=bool)) == [(0, 2), (3, 4), (6, 9)]
    assert runs(np.zeros(3, dtype=bool)) == []


@given(st.lists(st.booleans(), min_size=1, max_size=60), st.integers(1, 4), st.integers(1, 10), st.integers(0, 99))
def test_frames_are_in_order_in_one_run_and_at_most_a_gap_apart(
    usable: list[bool], exemplars: int, gap: int, seed: int
) -> None:
    flags = np.array(usable)
    frames = draw_frames(flags, exemplars, gap, np.random.default_rng(seed))
    longest = max((stop - start for start, stop in runs(flags)), default=0)
    if longest <= exemplars:
        assert frames is None
        return
    assert frames is not None
    assert len(frames) == exemplars + 1
    steps = np.diff(frames)
    assert steps.min() >= 1
    assert steps.max() <= gap
    assert flags[frames[0] : frames[-1] + 1].all()


@pytest.mark.parametrize(("length", "gap"), [(500, 10), (11, 80)])
def test_gaps_are_uniform_as_far_as_there_is_room(length: int, gap: int) -> None:
    random = np.random.default_rng(0)
    gaps = [np.diff(draw_frames(np.ones(length, dtype=bool), 1, gap, random) or [0, 0])[0] for _ in range(2000)]
    counts = np.bincount(gaps, minlength=11)[1:]
    assert counts.min() > 140
    assert counts.max() < 260

"""Which trial is chosen, and when its gain counts as one."""

from __future__ import annotations

import numpy as np
import pytest

from rartrack.errors import InputError
from rartrack.tuning.choice import Limits, Standing, choose, standings, unbeaten
from rartrack.tuning.runs import Run

START = np.random.default_rng(5).uniform(0.3, 0.8, 24)


def trial(number: int, overlaps: np.ndarray, ms: float = 10.0, ratio: float = 1.0) -> Standing:
    return Standing(number, {"filter.learning_rate": number}, overlaps, ms, ratio, len(overlaps))


def test_a_gain_on_every_sequence_is_distinguishable() -> None:
    choice = choose([trial(0, START), trial(1, START - 0.02), trial(2, START + 0.02)], 24, Limits())
    assert choice.best.number == 2
    assert choice.comparison is not None
    assert choice.comparison.difference == pytest.approx(0.02)
    assert choice.comparison.wins == 24
    assert choice.elsewhere == pytest.approx(0.02)
    assert choice.distinguishable


def test_the_best_of_many_that_differ_by_chance_is_not() -> None:
    generator = np.random.default_rng(6)
    trials = [trial(number, START + generator.normal(0, 0.05, 24)) for number in range(1, 65)]
    choice = choose([trial(0, START), *trials], 24, Limits())
    # The naive interval alone would be taken in.
    assert choice.comparison is not None
    assert choice.comparison.interval.low > 0
    assert choice.chance > 0.05
    assert not choice.distinguishable
    assert choice.elsewhere < choice.comparison.difference


def test_the_current_settings_stay_where_none_is_better() -> None:
    choice = choose([trial(0, START), trial(1, START), trial(2, START - 0.1)], 24, Limits())
    assert choice.best is choice.start
    assert choice.comparison is None
    assert not choice.distinguishable


def test_one_sequence_never_decides() -> None:
    choice = choose([trial(0, START[:1]), trial(1, START[:1] + 0.1)], 1, Limits())
    assert choice.best.number == 1
    assert not choice.distinguishable
    assert np.isnan(choice.elsewhere)


def test_what_is_expected_elsewhere_leaves_each_sequence_out_of_its_own_choice() -> None:
    # Each trial is good on one sequence alone, so the others' choice is always wrong about it.
    gains = np.array([[0.3, -0.1, -0.1], [-0.1, 0.3, -0.1], [-0.1, -0.1, 0.3]])
    choice = choose([trial(0, START[:3]), *(trial(n + 1, START[:3] + gains[n]) for n in range(3))], 3, Limits())
    assert choice.comparison is not None
    assert choice.comparison.difference == pytest.approx(0.1 / 3)
    assert choice.elsewhere == pytest.approx(-0.1)


def test_sequences_by_which_trials_were_given_up_do_not_judge() -> None:
    # Given up by the first half, where what is left is good by chance; on the second half it gains nothing.
    gains = np.where(np.arange(24) < 12, 0.1, 0.0)
    found = [trial(0, START), trial(1, START + gains), trial(2, START + gains / 2)]
    assert choose(found, 24, Limits()).distinguishable
    choice = choose(found, 24, Limits(), range(12, 24))
    assert choice.comparison is not None
    assert choice.comparison.interval.low > 0
    assert choice.elsewhere == pytest.approx(0)
    assert choice.chance > 0.05
    assert not choice.distinguishable
    better = choose([trial(0, START), trial(1, START + 0.02)], 24, Limits(), range(12, 24))
    assert better.distinguishable
    assert np.isnan(choose(found, 24, Limits(), [3]).elsewhere)


def test_another_trials_gain_does_not_speak_for_the_one_that_is_chosen() -> None:
    judges = np.arange(24) >= 12
    found = [trial(0, START), trial(1, START + np.where(judges, -0.002, 0.25)), trial(2, START + 0.03 * judges)]
    choice = choose(found, 24, Limits(), range(12, 24))
    assert choice.best.number == 1
    assert choice.judged.high < 0
    assert choice.chance > 0.9
    assert not choice.distinguishable


def test_limits_keep_time_from_buying_overlap() -> None:
    found = [trial(0, START), trial(1, START + 0.1, ms=30, ratio=3), trial(2, START + 0.05, ms=11, ratio=1.1)]
    assert choose(found, 24, Limits()).best.number == 1
    assert choose(found, 24, Limits(ms=20)).best.number == 2
    assert choose(found, 24, Limits(slower=1.0)).best.number == 0
    with pytest.raises(InputError, match=r"no trial is within the time limit; the fastest, trial 0, takes 10\.00 ms"):
        choose(found, 24, Limits(ms=5))
    with pytest.raises(InputError, match="allow more by --max-ms or --slower, in another --output"):
        choose(found, 24, Limits(ms=5), range(12, 24))


def test_failed_and_given_up_trials_are_not_chosen() -> None:
    failed = Standing(1, {}, np.empty(0), np.nan, np.nan, 24, "davis_dog: ValueError")
    given_up = trial(2, START[:12] + 1)
    assert choose([trial(0, START), failed, given_up], 24, Limits()).best.number == 0


def test_a_trial_is_unbeaten_if_more_overlap_costs_time() -> None:
    found = [trial(0, START, 10), trial(1, START + 0.1, 20), trial(2, START - 0.1, 5), trial(3, START - 0.2, 6)]
    assert unbeaten(found) == {0, 1, 2}


def test_times_are_weighed_by_frames_and_compared_on_the_same_sequences() -> None:
    runs = {
        (0, "a"): Run(0.5, 10, 4.0),
        (0, "b"): Run(0.7, 30, 8.0),
        (1, "b"): Run(0.6, 30, 4.0),
        (2, "a"): Run(failure="ValueError: no"),
    }
    start, given_up, failed = standings({0: {}, 1: {}, 2: {}, 3: {}}, ["a", "b"], runs)
    assert (start.overlap, start.ms, start.ratio) == pytest.approx((0.6, 7.0, 1.0))
    assert (given_up.sequences, given_up.ms, given_up.ratio) == (1, 4.0, 0.5)
    assert failed.failure == "a: ValueError: no"


def test_what_the_limit_leaves_may_be_worse() -> None:
    choice = choose([trial(0, START, ms=20), trial(1, START - 0.05, ms=9)], 24, Limits(ms=10))
    assert choice.worse
    assert not choice.distinguishable

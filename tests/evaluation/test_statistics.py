"""Intervals and comparisons over sequences."""

from __future__ import annotations

import numpy as np
import pytest

from rartrack.evaluation.statistics import bootstrap, chance_of_best, compare

GENERATOR = np.random.default_rng(3)
FIGURES = np.clip(GENERATOR.normal(0.6, 0.2, 100), 0, 1)


def test_the_interval_holds_the_mean_and_has_the_width_theory_gives() -> None:
    interval = bootstrap(FIGURES)
    standard_error = FIGURES.std() / np.sqrt(len(FIGURES))
    assert interval.low < FIGURES.mean() < interval.high
    assert interval.high - interval.low == pytest.approx(2 * 1.96 * standard_error, rel=0.05)


def test_the_same_seed_gives_the_same_interval() -> None:
    assert bootstrap(FIGURES, seed=1) == bootstrap(FIGURES, seed=1)
    assert bootstrap(FIGURES, seed=1) != bootstrap(FIGURES, seed=2)


def test_a_small_but_constant_gain_is_told_from_chance() -> None:
    comparison = compare(FIGURES + 0.01, FIGURES)
    assert comparison.difference == pytest.approx(0.01)
    assert comparison.interval.low > 0
    assert comparison.p_value < 0.001
    assert (comparison.wins, comparison.losses) == (100, 0)


def test_noise_is_not_taken_for_a_gain() -> None:
    comparison = compare(FIGURES + GENERATOR.normal(0, 0.05, 100), FIGURES)
    assert comparison.interval.low < 0 < comparison.interval.high
    assert comparison.p_value > 0.05


def test_equal_trackers_differ_in_nothing() -> None:
    comparison = compare(FIGURES, FIGURES)
    assert (comparison.difference, comparison.p_value, comparison.wins, comparison.losses) == (0, 1, 0, 0)


def test_different_sequences_cannot_be_compared() -> None:
    with pytest.raises(ValueError, match="same sequences"):
        compare(FIGURES, FIGURES[:-1])


def test_the_chance_of_the_best_counts_the_candidates_in() -> None:
    generator = np.random.default_rng(7)
    one = generator.normal(0, 0.05, 24)
    one += 0.02 - one.mean()
    others = generator.normal(0, 0.05, (63, 24))
    others -= others.mean(axis=1, keepdims=True)
    assert chance_of_best(one[None], 0) < 0.05 < chance_of_best(np.vstack([one, others]), 0)


def test_the_chance_of_the_best_is_what_it_says() -> None:
    """Where no candidate is better, one in twenty best ones has a chance below 0.05."""
    generator = np.random.default_rng(7)
    tried = [generator.normal(0, 0.05, (16, 20)) for _ in range(400)]
    chances = [chance_of_best(each, int(each.mean(1).argmax()), draws=400) for each in tried]
    assert np.mean(np.array(chances) <= 0.05) == pytest.approx(0.05, abs=0.03)


def test_the_chance_of_the_best_of_equal_and_of_constant_differences() -> None:
    assert chance_of_best(np.zeros((3, 24)), 0) == 1.0
    rises = np.vstack([np.full(24, 0.01), np.full(24, -0.01)])
    assert chance_of_best(rises, 0) < 0.001 < 0.9 < chance_of_best(rises, 1)
    assert chance_of_best(np.full((3, 24), 0.01), 0) < 0.001


def test_weights_count_as_so_many_alike() -> None:
    a, b, weights = FIGURES[:20], FIGURES[20:40], np.arange(1.0, 21.0)
    comparison = compare(a, b, weights=weights)
    assert comparison.difference == pytest.approx(np.average(a, weights=weights) - np.average(b, weights=weights))
    assert comparison.interval.low < comparison.difference < comparison.interval.high
    alike, plain = bootstrap(a, weights=np.full(20, 7.0)), bootstrap(a)
    assert (alike.low, alike.high) == pytest.approx((plain.low, plain.high))

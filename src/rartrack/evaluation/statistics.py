"""How far a figure can be trusted: bootstrap intervals over sequences, and the paired comparison of two trackers.

A benchmark's figure is a mean over sequences, so sequences, not frames, are what is drawn anew. Where it pools the
frames of all of them, as GOT-10k's does, that mean is weighed by their frames. Everything is reproducible: the same
seed gives the same interval.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from rartrack.evaluation.metrics import Values

DRAWS = 10_000
_AT_ONCE = 2_000


@dataclass(frozen=True)
class Interval:
    """Lower and upper bound."""

    low: float
    high: float


@dataclass(frozen=True)
class Comparison:
    """Tracker A against tracker B on the same sequences.

    Attributes:
        difference: mean of A minus mean of B, weighed as they are.
        interval: bootstrap interval of the difference; wholly above 0, A is better beyond the chance of sequences.
        p_value: two-sided, of a difference this large if the two were exchangeable on every sequence.
        wins, losses: sequences on which A is above, and below, B.
    """

    difference: float
    interval: Interval
    p_value: float
    wins: int
    losses: int


def bootstrap(
    values: ArrayLike, level: float = 0.95, draws: int = DRAWS, seed: int = 0, weights: ArrayLike | None = None
) -> Interval:
    """Percentile interval of the mean of per-sequence figures (S,) (Efron, "Bootstrap methods", Ann. Statist. 1979).

    Args:
        values: (S,).
        level: share of the draws inside.
        draws, seed: how many, and of what chance.
        weights: (S,) above 0, of the sequences in the mean, drawn along with them; all alike if None.
    """
    values = np.asarray(values, dtype=np.float64)
    means = _resampled_means(values, _weights(weights, len(values)), draws, np.random.default_rng(seed))
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(low), float(high))


def compare(
    a: ArrayLike,
    b: ArrayLike,
    level: float = 0.95,
    draws: int = DRAWS,
    seed: int = 0,
    weights: ArrayLike | None = None,
) -> Comparison:
    """Compare two trackers by per-sequence figures (S,) of the same sequences in the same order.

    The p-value is that of the sign-flip permutation test on paired differences, the unpermuted sample included.

    Args:
        a, b: (S,).
        level, draws, seed, weights: as in ``bootstrap``.

    Raises:
        ValueError: the two differ in length.
    """
    a, b = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    if a.shape != b.shape:
        raise ValueError(f"{a.shape} and {b.shape}: a paired comparison needs the same sequences")
    differences, share = a - b, _weights(weights, len(a))
    share = share / share.sum()
    generator = np.random.default_rng(seed)
    observed = share @ differences
    flipped = np.concatenate(
        [
            (generator.integers(0, 2, (count, len(differences)), dtype=np.int8) * 2 - 1) @ (share * differences)
            for count in _portions(draws)
        ]
    )
    # A flip that gives the observed value back may differ from it in the last bit.
    as_large = np.abs(flipped) >= abs(observed) - 1e-12
    return Comparison(
        difference=float(observed),
        interval=bootstrap(differences, level, draws, seed, weights),
        p_value=float((as_large.sum() + 1) / (draws + 1)),
        wins=int((differences > 0).sum()),
        losses=int((differences < 0).sum()),
    )


def chance_of_best(differences: ArrayLike, chosen: int, draws: int = DRAWS, seed: int = 0) -> float:
    """p-value of the one chosen of several candidates, all compared with one tracker on the same sequences.

    The largest of many differences is above zero by chance alone. So the sign-flip permutation test, one-sided, is made
    of the largest mean: each draw flips the signs of all candidates' differences on a sequence together (single-step
    maximum test: Westfall and Young, "Resampling-Based Multiple Testing", 1993).

    Args:
        differences: (T, S) of T candidates on S sequences.
        chosen: the candidate whose mean is judged: the best, or the one that was best on other sequences.
        draws: flips, to which the unflipped sample is added.
        seed: of the flips.
    """
    differences = np.asarray(differences, dtype=np.float64)
    count = differences.shape[1]
    generator = np.random.default_rng(seed)
    flips = (generator.integers(0, 2, (portion, count), dtype=np.int8) * 2 - 1 for portion in _portions(draws))
    largest = np.concatenate([(signs @ differences.T).max(axis=1) for signs in flips]) / count
    as_large = largest >= differences[chosen].mean() - 1e-12
    return float((as_large.sum() + 1) / (draws + 1))


def _resampled_means(values: Values, weights: Values, draws: int, generator: np.random.Generator) -> Values:
    portions = [generator.integers(0, len(values), (count, len(values))) for count in _portions(draws)]
    return np.concatenate([np.average(values[chosen], axis=1, weights=weights[chosen]) for chosen in portions])


def _weights(given: ArrayLike | None, count: int) -> Values:
    return np.ones(count) if given is None else np.asarray(given, dtype=np.float64)


def _portions(draws: int) -> list[int]:
    return [_AT_ONCE] * (draws // _AT_ONCE) + ([draws % _AT_ONCE] if draws % _AT_ONCE else [])

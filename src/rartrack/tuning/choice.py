"""Which trial is best, by how much, and whether that can be told from chance."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rartrack.errors import InputError
from rartrack.evaluation.statistics import Comparison, Interval, bootstrap, chance_of_best, compare
from rartrack.tuning.runs import Runs

LEVEL = 0.05
"""Chance at which a difference counts as distinguishable from zero."""


@dataclass(frozen=True)
class Limits:
    """How long a frame may take.

    Attributes:
        ms: mean milliseconds a frame at most; None: any.
        slower: at most so many times the current settings' time on the same sequences; None: any.
    """

    ms: float | None = None
    slower: float | None = None

    def allow(self, standing: Standing) -> bool:
        """Whether a trial is fast enough."""
        return (self.ms is None or standing.ms <= self.ms) and (self.slower is None or standing.ratio <= self.slower)


@dataclass(frozen=True)
class Standing:
    """One trial over the sequences it was tracked on.

    Attributes:
        number: of the trial.
        settings: by dotted name.
        overlaps: (S,) by sequence, in the order of the sequences asked for; empty where a run failed.
        ms: mean time of a frame, in milliseconds, over all frames.
        ratio: that time over the current settings' on the same sequences.
        sequences: it was tracked on; fewer than asked for where it was given up on the way.
        failure: why a run failed, or empty.
    """

    number: int
    settings: Mapping[str, Any]
    overlaps: NDArray[np.float64]
    ms: float
    ratio: float
    sequences: int
    failure: str = ""

    @property
    def overlap(self) -> float:
        """Mean over the sequences."""
        return float(self.overlaps.mean()) if len(self.overlaps) else math.nan


@dataclass(frozen=True)
class Choice:
    """The best trial beside the start.

    Attributes:
        best, start: the two; the same where no trial is better.
        comparison: best against start over sequences, as a report compares two trackers; None where they are one.
        judged: bootstrap interval of best's mean difference on the sequences that had no part in which trials were
            given up.
        chance: its p-value there, of the best of all candidates (``chance_of_best``); 1 where best is start.
        elsewhere: what choosing gains on a sequence that had no part in the choice: for each sequence, the difference
            of the trial that is best on the others; its mean. Those that had a part in which trials were given up are
            left out; NaN for less than two.
        elsewhere_interval: bootstrap interval of that mean.
        candidates: trials compared, the start not counted.
    """

    best: Standing
    start: Standing
    comparison: Comparison | None
    judged: Interval
    chance: float
    elsewhere: float
    elsewhere_interval: Interval
    candidates: int

    @property
    def distinguishable(self) -> bool:
        """Whether the best is better beyond the chance of sequences and of having tried so many settings."""
        return self.comparison is not None and self.judged.low > 0 and self.chance <= LEVEL

    @property
    def worse(self) -> bool:
        """Whether the best that the time limit allows is worse than the start, which it rules out."""
        return self.comparison is not None and self.comparison.interval.high < 0


def standings(trials: Mapping[int, Mapping[str, Any]], sequences: Sequence[str], runs: Runs) -> list[Standing]:
    """Every trial of which at least one run is there, over the sequences it was tracked on, by number."""
    return [
        _standing(number, settings, [name for name in sequences if (number, name) in runs], runs)
        for number, settings in sorted(trials.items())
        if any((number, name) in runs for name in sequences)
    ]


def ranked(found: Sequence[Standing]) -> list[Standing]:
    """From best to worst by overlap; of equals, the earlier trial first. Failed ones are left out."""
    return sorted((each for each in found if not each.failure), key=lambda each: (-each.overlap, each.number))


def choose(found: Sequence[Standing], count: int, limits: Limits, untouched: Sequence[int] | None = None) -> Choice:
    """Choose among the trials that were tracked on all ``count`` sequences and are fast enough.

    Args:
        found: all trials, the start first.
        count: sequences.
        limits: on the time of a frame.
        untouched: positions of the sequences by which no trial was given up; None: all.

    Raises:
        InputError: none is fast enough.
    """
    start = found[0]
    complete = [each for each in found if not each.failure and each.sequences == count]
    allowed = [each for each in complete if limits.allow(each)]
    if not allowed:
        fastest = min(complete, key=lambda each: each.ms)
        raise InputError(
            f"no trial is within the time limit; the fastest, trial {fastest.number}, takes {fastest.ms:.2f} ms a "
            f"frame, {fastest.ratio:.2f} times the current settings' time; allow more by --max-ms or --slower"
            f"{'' if untouched is None else ', in another --output, for with --halvings limits decide what goes on'}"
        )
    best = ranked(allowed)[0]
    differences = np.array([each.overlaps - start.overlaps for each in allowed])
    judges = list(range(count)) if untouched is None else list(untouched)
    elsewhere = _elsewhere(differences)[judges] if len(judges) > 1 else np.empty(0)
    same, judged = best.number == start.number, differences[:, judges]
    chosen = next(place for place, each in enumerate(allowed) if each is best)
    return Choice(
        best=best,
        start=start,
        comparison=None if same else compare(best.overlaps, start.overlaps),
        judged=bootstrap(judged[chosen]),
        chance=1.0 if same else chance_of_best(judged, chosen),
        elsewhere=float(elsewhere.mean()) if len(elsewhere) else math.nan,
        elsewhere_interval=bootstrap(elsewhere) if len(elsewhere) else Interval(math.nan, math.nan),
        candidates=sum(each.number != start.number for each in allowed),
    )


def unbeaten(found: Sequence[Standing]) -> set[int]:
    """Numbers of the trials to which no other is better in overlap or time without being worse in the other."""
    return {
        each.number
        for each in found
        if not any(
            other.overlap >= each.overlap
            and other.ms <= each.ms
            and (other.overlap, other.ms) != (each.overlap, each.ms)
            for other in found
        )
    }


def _elsewhere(differences: NDArray[np.float64]) -> NDArray[np.float64]:
    """(S,) difference on each sequence of the candidate that is best on all others."""
    others = differences.sum(axis=1, keepdims=True) - differences
    chosen: NDArray[np.float64] = differences[others.argmax(axis=0), np.arange(differences.shape[1])]
    return chosen


def _standing(number: int, settings: Mapping[str, Any], names: Sequence[str], runs: Runs) -> Standing:
    mine = [runs[number, name] for name in names]
    failed = [f"{name}: {run.failure}" for name, run in zip(names, mine, strict=True) if run.failure]
    if failed:
        return Standing(number, settings, np.empty(0), math.nan, math.nan, len(names), failed[0])
    frames = np.array([run.frames for run in mine], dtype=np.float64)
    spent = frames @ np.array([run.ms for run in mine])
    before = frames @ np.array([runs[0, name].ms for name in names])
    overlaps = np.array([run.overlap for run in mine])
    return Standing(number, settings, overlaps, float(spent / frames.sum()), float(spent / before), len(names))

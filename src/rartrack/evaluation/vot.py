"""Score raw results of the VOT challenges: accuracy, robustness and expected average overlap.

>>> benchmark = find_benchmark("vot2018")
>>> results = {"bag": [read_trajectory(folder / "bag" / f"bag_{number:03d}.txt") for number in range(1, 16)], ...}
>>> scores = score(benchmark, sequences, results, rules="toolkit")
>>> scores.eao, scores.accuracy, scores.robustness
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from collections.abc import Sequence as Many
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rartrack.datasets.sequence import Sequence
from rartrack.errors import InputError
from rartrack.evaluation.vot_overlap import Cut, Raster, overlap, rasterise
from rartrack.evaluation.vot_results import Code, Trajectory
from rartrack.evaluation.vot_rules import (
    BENCHMARKS,
    RULES,
    Benchmark,
    Rules,
    find_benchmark,
    find_rules,
    known_benchmark,
    unsupervised,
)
from rartrack.evaluation.vot_scores import Flags, Floats, Run, counted, eao, eao_curve, fragments, mean_known, share

__all__ = [
    "BENCHMARKS",
    "RULES",
    "Benchmark",
    "Rules",
    "SequenceScores",
    "TagScores",
    "Trajectory",
    "VotScores",
    "annotated",
    "annotation",
    "find_benchmark",
    "find_rules",
    "known_benchmark",
    "score",
    "unsupervised",
]

UNTAGGED = "empty"
"""The challenge's name for frames that carry no tag."""


@dataclass(frozen=True)
class SequenceScores:
    """One sequence.

    Attributes:
        accuracy: mean overlap of the frames that count, NaN where none does.
        failures: how often the tracker failed, averaged over repetitions.
        frames: T, frames scored.
        repetitions: how many were scored.
        overlaps: (T,) overlap averaged over repetitions in the frames that count for accuracy, NaN elsewhere.
    """

    accuracy: float
    failures: float
    frames: int
    repetitions: int
    overlaps: Floats


@dataclass(frozen=True)
class TagScores:
    """The frames that carry one tag; robustness is failures per 100 of them."""

    accuracy: float
    robustness: float
    eao: float
    frames: int


@dataclass(frozen=True)
class VotScores:
    """What a benchmark says of one tracker.

    Attributes:
        benchmark: the benchmark's name.
        rules: the rules' name.
        accuracy: mean overlap while tracking, in [0, 1].
        robustness: failures per 100 frames; less is better.
        eao: expected average overlap, in [0, 1].
        curve: (L,) expected average overlap of sequences of 1 to L frames, NaN beyond what is known.
        per_sequence: sequence name -> its scores.
        weights: (S,) frames that each of them has in ``accuracy``.
        per_tag: tag -> the scores of its frames; ``empty`` are frames without any. Empty where nothing is tagged.
    """

    benchmark: str
    rules: str
    accuracy: float
    robustness: float
    eao: float
    curve: Floats
    per_sequence: Mapping[str, SequenceScores]
    weights: Floats
    per_tag: Mapping[str, TagScores]


def score(
    benchmark: Benchmark,
    sequences: Iterable[Sequence],
    results: Mapping[str, Many[Trajectory]],
    rules: str | Rules = "toolkit",
) -> VotScores:
    """Score one tracker's raw results. Frames are not needed.

    Supervised and real-time runs are scored so; of unsupervised ones (``benchmark=unsupervised(...)``) accuracy alone
    means something, the average overlap.

    Args:
        benchmark: which year's; ``find_benchmark("vot2018")``, or one's own with another range of lengths.
        sequences: the annotated sequences; polygons where they have them, tags, ``frame_size``.
        results: sequence name -> repetitions (``vot_results.read_trajectory``). Where a repetition and the annotation
            differ in length, the shorter one counts.
        rules: ``toolkit``, ``pysot``, ``vot-toolkit``, or rules of one's own (see ``rartrack.evaluation.vot_rules``).

    Raises:
        InputError: no sequence, one without results or without a frame size, or unknown rules.
    """
    chosen = find_rules(rules, benchmark.name) if isinstance(rules, str) else rules
    measured = [
        (sequence, _measure(sequence, results.get(sequence.name, ()), benchmark, chosen)) for sequence in sequences
    ]
    if not measured:
        raise InputError(f"{benchmark.title}: no sequences to score")
    per_sequence = {sequence.name: _sequence_scores(runs) for sequence, runs in measured}
    curve = _curve(measured, benchmark, chosen)
    names = sorted({name for sequence, _ in measured for name in sequence.tags})
    tags = [*names, UNTAGGED] if names else []
    return VotScores(
        benchmark=benchmark.name,
        rules=chosen.name,
        accuracy=_accuracy(per_sequence, chosen),
        robustness=_robustness(per_sequence),
        eao=eao(curve, benchmark.eao_range, chosen.first_length),
        curve=curve,
        per_sequence=per_sequence,
        weights=_weights(per_sequence, chosen),
        per_tag={tag: _tag_scores(tag, measured, benchmark, chosen) for tag in tags},
    )


def annotation(sequence: Sequence) -> NDArray[np.float64]:
    """Return the annotated regions (T, 8) of a sequence, in ``rartrack.evaluation.vot_overlap``'s form."""
    regions = np.full((len(sequence), 8), np.nan)
    regions[:, :4] = sequence.boxes
    if sequence.polygons is not None:
        drawn = np.isfinite(sequence.polygons).all(axis=1)
        regions[drawn] = sequence.polygons[drawn]
    return regions


def annotated(sequence: Sequence) -> Flags:
    """Return the frames (T,) that have an annotation."""
    return np.asarray(np.isfinite(sequence.boxes).all(axis=1))


Measured = list[tuple[Sequence, list[Run]]]


def _measure(sequence: Sequence, repetitions: Many[Trajectory], benchmark: Benchmark, rules: Rules) -> list[Run]:
    if not repetitions:
        raise InputError(f"{benchmark.title}: no results for sequence {sequence.name}")
    if rules.repetitions == "first" and len(repetitions) != benchmark.constants.repetitions:
        repetitions = repetitions[:1]
    truth = rasterise(annotation(sequence), rules.grid)
    runs: list[Run] = []
    for index, trajectory in enumerate(repetitions):  # those of a deterministic tracker are measured once
        same = next((runs[other] for other in range(index) if trajectory.equals(repetitions[other])), None)
        runs.append(same or _run(sequence, truth, trajectory, benchmark, rules))
    return runs


def _run(sequence: Sequence, truth: Raster, trajectory: Trajectory, benchmark: Benchmark, rules: Rules) -> Run:
    count = min(len(sequence), len(trajectory))
    regions = np.full((len(sequence), trajectory.regions.shape[1]), np.nan)
    regions[:count] = trajectory.regions[:count]
    result = rasterise(regions, rules.grid)
    codes = trajectory.codes[:count]
    counts = counted(codes, benchmark.constants.burn_in) & annotated(sequence)[:count]
    accuracy = overlap(truth, result, _cut(sequence, rules.accuracy_cut))[:count]
    same = rules.accuracy_cut == rules.eao_cut
    whole = accuracy if same else overlap(truth, result, _cut(sequence, rules.eao_cut))[:count]
    return Run(codes, np.where(counts, accuracy, np.nan), np.where(codes == Code.REGION, whole, 0.0))


def _cut(sequence: Sequence, margin: int | None) -> Cut | None:
    if margin is None:
        return None
    if sequence.frame_size is None:
        raise InputError(f"sequence {sequence.name}: its frame size is not known, and overlaps are cut to the frame")
    width, height = sequence.frame_size
    return Cut(width + margin, height + margin)


def _sequence_scores(runs: list[Run]) -> SequenceScores:
    longest = max(len(run.codes) for run in runs)
    stacked = np.full((len(runs), longest), np.nan)
    for row, run in zip(stacked, runs, strict=True):
        row[: len(run.codes)] = run.accuracy_overlaps
    counts = (~np.isnan(stacked)).sum(axis=0)
    overlaps = np.divide(np.nansum(stacked, axis=0), counts, out=np.full(longest, np.nan), where=counts > 0)
    failures = float(np.mean([len(run.failures) for run in runs]))
    return SequenceScores(mean_known(overlaps), failures, longest, len(runs), overlaps)


def _accuracy(per_sequence: Mapping[str, SequenceScores], rules: Rules) -> float:
    entries = list(per_sequence.values())
    if rules.accuracy_mean == "sequences":  # a sequence in which no frame counts has accuracy 0 in that toolkit
        return float(np.average([np.nan_to_num(e.accuracy) for e in entries], weights=_weights(per_sequence, rules)))
    return mean_known(np.concatenate([entry.overlaps for entry in entries]))


def _weights(per_sequence: Mapping[str, SequenceScores], rules: Rules) -> Floats:
    whole = rules.accuracy_mean == "sequences"
    return np.array([e.frames if whole else (~np.isnan(e.overlaps)).sum() for e in per_sequence.values()], dtype=float)


def _robustness(per_sequence: Mapping[str, SequenceScores]) -> float:
    entries = per_sequence.values()
    return 100 * sum(entry.failures for entry in entries) / sum(entry.frames for entry in entries)


def _curve(measured: Measured, benchmark: Benchmark, rules: Rules, tag: str | None = None) -> Floats:
    """EAO by length, up to the longest run, over all of which a piece that failed is 0; by ``vot-toolkit`` up to the
    longest piece."""
    pieces, weights, longest = [], [], 0
    for sequence, runs in measured:
        flags = _flags(sequence, tag)
        for run in runs:
            for piece in fragments(run, rules, benchmark.constants):
                pieces.append(piece)
                weights.append(share(flags[: len(run.codes)], piece) / len(runs))
                length = piece.overlaps if rules.fragments == "vot-toolkit" else run.codes
                longest = max(longest, len(length))
    return eao_curve(pieces, weights, longest)


def _flags(sequence: Sequence, tag: str | None) -> Flags:
    """Return the frames (T,) that carry a tag; all for None."""
    if tag is None:
        return np.ones(len(sequence), dtype=bool)
    none = np.zeros(len(sequence), dtype=bool)
    if tag == UNTAGGED:
        return np.asarray(~np.any([none, *sequence.tags.values()], axis=0))
    return sequence.tags.get(tag, none)


def _tag_scores(tag: str, measured: Measured, benchmark: Benchmark, rules: Rules) -> TagScores:
    overlaps, failures, frames = [], 0.0, 0
    for sequence, runs in measured:
        scores, flags = _sequence_scores(runs), _flags(sequence, tag)
        overlaps.append(scores.overlaps[flags[: scores.frames]])
        failures += sum(int(flags[run.failures].sum()) for run in runs) / len(runs)
        frames += int(flags[: scores.frames].sum())
    curve = _curve(measured, benchmark, rules, tag)
    return TagScores(
        accuracy=mean_known(np.concatenate(overlaps)),
        robustness=100 * failures / frames if frames else float("nan"),
        eao=eao(curve, benchmark.eao_range, rules.first_length),
        frames=frames,
    )

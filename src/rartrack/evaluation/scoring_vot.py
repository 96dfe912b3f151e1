"""Score one tracker's VOT runs, read in any of the spellings in use: supervised, in real time, unsupervised."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from rartrack.datasets.dataset import Dataset
from rartrack.datasets.sequence import Sequence
from rartrack.errors import InputError
from rartrack.evaluation import raw, vot
from rartrack.evaluation.beside import Reading
from rartrack.evaluation.scoring import Score, missing_remark, strangers_remark
from rartrack.evaluation.vot_results import read_trajectory

EXPERIMENTS = {"vot": "", "vot-realtime": "realtime", "vot-unsupervised": "unsupervised"}
"""Protocol -> the folder in a tracker's that holds its runs."""


@dataclass
class Runs(Reading):
    """One tracker's repetitions by sequence, and what was wrong with the rest."""

    repetitions: dict[str, list[vot.Trajectory]] = field(default_factory=dict)


def benchmark_of(dataset: Dataset) -> vot.Benchmark:
    """The challenge that a data set is, by its name in any spelling; VOT2018's constants under its own name for any
    other, which ``fallback_remark`` says."""
    return vot.known_benchmark(dataset.name) or replace(
        vot.BENCHMARKS["vot2018"], name=dataset.name, title=dataset.name
    )


def fallback_remark(dataset: Dataset) -> list[str]:
    """A line where a data set is no challenge that is known, and so is scored by another's constants."""
    if vot.known_benchmark(dataset.name):
        return []
    return [f"{dataset.name}: none of {', '.join(vot.BENCHMARKS)}; scored by VOT2018's lengths and toolkit"]


def read_runs(
    folder: Path, dataset: Dataset, sequences: Mapping[str, Sequence], protocol: str = "vot", cut: bool = False
) -> Runs:
    """Read one tracker's runs; files that are missing, short or wrong make remarks, never an error.

    Args:
        folder: the tracker's.
        dataset: whose spellings count.
        sequences: name -> sequence, those wanted.
        protocol: one of ``EXPERIMENTS``.
        cut: the sequences were cut at their ends, so that longer results need no remark.
    """
    read = Runs(folder.name, remarks=fallback_remark(dataset))
    try:
        found = raw.find_results(folder / EXPERIMENTS[protocol], dataset)
    except InputError as error:
        read.refuse(str(error))
        read.missing.extend(sequences)
        return read
    read.remarks += [*missing_remark(read.tracker, found, sequences), *strangers_remark(read.tracker, found, dataset)]
    for name, sequence in sequences.items():
        files = raw.repetitions(found.files.get(name, ()))
        try:
            runs = [read_trajectory(path) for path in files]
        except InputError as error:
            read.refuse(str(error))
            runs = []
        lengths = sorted({len(run) for run in runs} - {len(sequence)})
        remark = f"{read.tracker}/{name}: {lengths[0]} lines for {len(sequence)} frames" if lengths else ""
        if not runs:
            read.missing.append(name)
            continue
        said, *_ = map(read.beside, files)
        lacking = 0 if said is not None and lengths and said.asked_for(lengths[0]) else raw.LACKING
        if lengths and lengths[0] < len(sequence) - lacking:
            read.refuse_short(said, lengths[0], remark)
            read.missing.append(name)
        else:
            if lengths and not (cut and lengths[0] > len(sequence)):
                read.remarks.append(remark)
            read.repetitions[name] = runs
    return read


def score_vot(
    read: Runs, benchmark: vot.Benchmark, sequences: Mapping[str, Sequence], rules: str, protocol: str = "vot"
) -> Score:
    """Score one tracker's runs: EAO, accuracy, robustness (failures per 100 frames) and failures.

    Of unsupervised runs, the average overlap over all frames but the first. Where all runs are too short for EAO, it
    is NaN, and a remark is added that says so.

    Raises:
        InputError: a frame's size is not known.
    """
    chosen = [_sized(sequence) for name, sequence in sequences.items() if name in read.repetitions]
    experiment = EXPERIMENTS[protocol]
    title = f"{benchmark.name}-{experiment}" if experiment else benchmark.name
    if experiment == "unsupervised":
        return _score_unsupervised(read, vot.score(vot.unsupervised(benchmark), chosen, read.repetitions, rules), title)
    found = vot.score(benchmark, chosen, read.repetitions, rules)
    read.remarks += _eao_remark(read.tracker, found, benchmark)
    each = found.per_sequence.values()
    return Score(
        benchmark=title,
        tracker=read.tracker,
        rules=rules,
        sequences=tuple(found.per_sequence),
        figures={
            "eao": found.eao,
            "accuracy": found.accuracy,
            "robustness": found.robustness,
            "failures": float(sum(one.failures for one in each)),
        },
        by_sequence={
            "accuracy": np.array([one.accuracy for one in each]),
            "failures": np.array([one.failures for one in each]),
        },
        missing=tuple(read.missing),
        challenge=found,
    )


def _eao_remark(tracker: str, found: vot.VotScores, benchmark: vot.Benchmark) -> list[str]:
    """A line on the lengths that EAO averages over where no run reaches them."""
    if not np.isnan(found.eao):
        return []
    least = benchmark.eao_range[0] + 1 - vot.find_rules(found.rules, benchmark.name).first_length
    longest = max(one.frames for one in found.per_sequence.values())
    if longest < least:
        return [f"{benchmark.title}: EAO needs runs of at least {least} frames, the longest here has {longest}"]
    return [f"{tracker}: EAO needs {least} frames from a start to the next, the longest here has {len(found.curve)}"]


def _score_unsupervised(read: Runs, found: vot.VotScores, title: str) -> Score:
    return Score(
        benchmark=title,
        tracker=read.tracker,
        rules=found.rules,
        sequences=tuple(found.per_sequence),
        figures={"ao": found.accuracy},
        by_sequence={"ao": np.array([one.accuracy for one in found.per_sequence.values()])},
        weights=found.weights,
        missing=tuple(read.missing),
    )


def _sized(sequence: Sequence) -> Sequence:
    if sequence.frame_size is not None or sequence.frames is None:
        return sequence
    height, width = sequence.frames[0].shape[:2]
    return replace(sequence, frame_size=(width, height))

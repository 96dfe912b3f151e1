"""The search: the current settings and drawn ones, tracked on the same frames of the same videos; resumable.

``OUTPUT/search.json`` says what was asked for, ``OUTPUT/runs/trial-NNN/`` holds raw results as ``evaluate`` writes
them, and ``OUTPUT/results.csv`` what each trial reached on each sequence. The raw results are what a search that was
killed goes on from; the tables are made of them.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from rartrack.checkpoints import Checkpoint
from rartrack.datasets.sequence import Sequence as Video
from rartrack.errors import InputError
from rartrack.evaluation.jobs import Job, Outcome
from rartrack.evaluation.provenance import code_version, difference, machine, sequence_digest
from rartrack.evaluation.run import Observer, Settings, evaluate
from rartrack.outputs import replace_file
from rartrack.tuning.choice import Limits, Standing, ranked, standings
from rartrack.tuning.runs import RESULTS, Run, check_visible, read_run, write_runs
from rartrack.tuning.space import Dimension, current, draw
from rartrack.tuning.trial import TrialTracker, describe_model, trial_name

ABOUT, RUNS = "search.json", "runs"


@dataclass(frozen=True)
class Search:
    """What is asked for.

    Attributes:
        model: built-in name or path.
        before: its checkpoint.
        space: the settings varied.
        videos: sequences with frames.
        trials: settings tried besides the current ones.
        frames: of each sequence, its first included; None: all.
        seed: of the settings drawn and of the order in which halvings take the sequences.
        halvings: how often the worse half of the trials is given up; 0: each is tracked on every sequence.
        limits: on the time of a frame.
        device: ``auto``, ``cpu``, ``cuda``, ...
        backend: which library runs the network, see ``rartrack.backends``.
        threads: of each process.
        test: the sequences are a benchmark's test set.
    """

    model: str
    before: Checkpoint
    space: tuple[Dimension, ...]
    videos: Sequence[Video]
    trials: int
    frames: int | None = None
    seed: int = 0
    halvings: int = 0
    limits: Limits = field(default_factory=Limits)
    device: str = "auto"
    backend: str = "torch"
    threads: int = 1
    test: bool = False

    @property
    def names(self) -> list[str]:
        """Of the sequences."""
        return [video.name for video in self.videos]

    @property
    def untouched(self) -> list[int] | None:
        """Positions of the sequences of the last stage alone, by which no trial is given up; None without halvings."""
        if not self.halvings:
            return None
        *_, before, _ = ({video.name for video in videos} for videos in _stages(self))
        return [position for position, name in enumerate(self.names) if name not in before]


def search(wanted: Search, output: Path, workers: int = 1, observer: Observer | None = None) -> list[Standing]:
    """Track every trial and write down what it reached; what is there already is not repeated.

    Every trial is tracked on the same frames. With halvings, all are tracked on a part of the sequences first, the
    better half of them and trial 0 go on to twice as many, and so on; what they were tracked on counts on.

    Args:
        wanted: the search.
        output: its folder.
        workers: processes; more than one spoils the times.
        observer: is told how it goes on.

    Returns:
        All trials by number; 0 has the current settings.

    Raises:
        InputError: too few trials, sequences or frames for what is asked, a sequence cannot be tracked by the current
            settings, the folder holds another search, or the disk refuses. What was done is kept.
    """
    _check(wanted)
    drawn = draw(wanted.space, current(wanted.before.config, wanted.space), wanted.trials, wanted.seed)
    _claim(output, wanted)
    trials = dict(enumerate(drawn))
    recorder = _Recorder(wanted, output, observer or Observer())
    going, found = trials, []
    for videos in _stages(wanted):
        trackers = [
            TrialTracker(number, wanted.model, wanted.device, tuple(settings.items()), wanted.backend)
            for number, settings in going.items()
        ]
        how = Settings(first=wanted.frames, seed=wanted.seed, threads=wanted.threads)
        recorder.expected = {(number, video.name): video for number in going for video in videos}
        evaluate(videos, trackers, output / RUNS, how, workers=workers, observer=recorder)
        found = standings(trials, wanted.names, recorder.runs)
        going = {number: trials[number] for number in _better_half(found, going, wanted.limits)}
    return found


def _check(wanted: Search) -> None:
    if wanted.trials < 1:
        raise InputError(f"--trials {wanted.trials}: at least 1 besides the current settings")
    if wanted.frames is not None and wanted.frames < 2:
        raise InputError(f"--first {wanted.frames}: at least 2, the given one and one that is tracked")
    if wanted.halvings < 0 or 2**wanted.halvings > min(wanted.trials, len(wanted.videos)):
        raise InputError(
            f"--halvings {wanted.halvings}: 0, or as many as trials ({wanted.trials}) and sequences "
            f"({len(wanted.videos)}) can be halved"
        )
    for video in wanted.videos:
        check_visible(video, wanted.frames)


def _stages(wanted: Search) -> list[list[Video]]:
    """The sequences of each stage, which are all of the stage before and as many more; the last has all."""
    order = np.random.default_rng(wanted.seed).permutation(len(wanted.videos))
    counts = [math.ceil(len(order) / 2 ** (wanted.halvings - stage)) for stage in range(wanted.halvings + 1)]
    return [[wanted.videos[index] for index in sorted(order[:count])] for count in counts]


def _better_half(found: Sequence[Standing], going: Mapping[int, Any], limits: Limits) -> list[int]:
    """Trial 0 and, of the others still going, the better half of those that did not fail; the too slow come last."""
    others = [each for each in ranked(found) if each.number in going and each.number != 0]
    others.sort(key=lambda each: not limits.allow(each))
    return [0, *sorted(each.number for each in others[: math.ceil((len(going) - 1) / 2)])]


def _claim(output: Path, wanted: Search) -> None:
    """Write what the folder's search is, or check that it is this one."""
    halving = {"trials": wanted.trials, "max_ms": wanted.limits.ms, "slower": wanted.limits.slower}
    about = {
        "code": code_version(),
        "model": describe_model(wanted.model, wanted.device, wanted.backend),
        "space": {dimension.key: str(dimension) for dimension in wanted.space},
        "seed": wanted.seed,
        "frames": wanted.frames,
        "threads": wanted.threads,
        "halvings": wanted.halvings,
        # Without halvings, more trials lengthen a search, and limits only choose among its trials.
        "stages": halving if wanted.halvings else None,
        "test_sequences": wanted.test,
        "sequences": {video.name: sequence_digest(video) for video in wanted.videos},
        "machine": machine(),
    }
    path = output / ABOUT
    try:
        before: Any = json.loads(path.read_text(encoding="utf-8")) if path.exists() else None
        occupied = before is None and output.exists() and (not output.is_dir() or any(output.iterdir()))
    except (OSError, ValueError):
        raise InputError(f"{path}: damaged; give another --output") from None
    if occupied:
        raise InputError(f"{output}: holds something else than a search; give another --output")
    if before is None:
        replace_file(path, (json.dumps(about, indent=1) + "\n").encode())
    elif changed := difference(before, json.loads(json.dumps(about))):
        raise InputError(f"{output}: holds another search: {changed}; give another --output")


class _Recorder(Observer):
    """Keeps the table of runs while they are made.

    Attributes:
        runs: of the trials and sequences so far.
        expected: the jobs of this stage, those done already included, by trial and sequence.
    """

    def __init__(self, wanted: Search, output: Path, observer: Observer) -> None:
        self.runs: dict[tuple[int, str], Run] = {}
        self.expected: dict[tuple[int, str], Video] = {}
        self._wanted, self._output, self._observer = wanted, output, observer

    def begin(self, jobs: list[Job], kept: int) -> None:
        """Read what is there already."""
        left = {(_number(job), job.sequence.name) for job in jobs}
        for (number, name), video in self.expected.items():
            if (number, name) not in left and (number, name) not in self.runs:
                self._read(number, video)
        write_runs(self._output / RESULTS, self.runs)
        self._observer.begin(jobs, kept)

    def finished(self, job: Job, outcome: Outcome) -> None:
        """Note one run; without the current settings' result there is nothing to compare with."""
        number = _number(job)
        if outcome.failure is None:
            self._read(number, job.sequence)
        elif number:
            self.runs[number, job.sequence.name] = Run(failure=outcome.failure.reason)
        else:
            raise InputError(
                f"{job.sequence.name}: the current settings fail on it: {outcome.failure.reason}; "
                "mend that, or leave it out by --sequences"
            )
        write_runs(self._output / RESULTS, self.runs)
        self._observer.finished(job, outcome)

    def _read(self, number: int, video: Video) -> None:
        folder = self._output / RUNS / trial_name(number)
        self.runs[number, video.name] = read_run(folder, video, self._wanted.frames)


def _number(job: Job) -> int:
    assert isinstance(job.tracker, TrialTracker)
    return job.tracker.number

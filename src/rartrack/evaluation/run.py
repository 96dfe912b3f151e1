"""Run trackers over sequences: resumable, on any ``concurrent.futures`` executor, every result with what made it."""

from __future__ import annotations

import re
import uuid
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from rartrack.datasets.sequence import Sequence
from rartrack.errors import InputError
from rartrack.evaluation import store
from rartrack.evaluation.executors import PROCESSES, open_executor
from rartrack.evaluation.jobs import Failure, Job, Outcome
from rartrack.evaluation.processes import describe, run_job
from rartrack.evaluation.protocols import OPE, Protocol, starts
from rartrack.evaluation.provenance import code_version, sequence_digest
from rartrack.evaluation.trackers import TrackerSpec, uses_gpu
from rartrack.evaluation.vot_rules import Constants
from rartrack.processors import available_processors

TIME_LIMIT = 300.0
"""Seconds one frame may take unless something else is said: far above any tracker's, short enough for a night's run."""

_LISTEN = 0.2
"""Seconds after which a wait begins anew: on Windows Ctrl-C is heard between waits alone."""


@dataclass(frozen=True)
class Settings:
    """How runs are done.

    Attributes:
        protocol: how trackers are started.
        first: frames of a run at most, for a quick look; None: all.
        seed: of all random numbers.
        threads: of one tracker.
        time_limit: seconds one frame may take before the run is given up; None: any.
        origin: what the result files call the first pixel; those of VOT's protocols call it 0 always.
        benchmark: the data set's name, by which VOT's rules differ.
    """

    protocol: Protocol = OPE
    first: int | None = None
    seed: int = 0
    threads: int = 1
    time_limit: float | None = TIME_LIMIT
    origin: int = 0
    benchmark: str = ""


@dataclass
class Summary:
    """What a call of ``evaluate`` did.

    Attributes:
        done: runs made now.
        kept: runs that were there already.
        failed: runs without a result, each with its reason.
    """

    done: list[Job] = field(default_factory=list)
    kept: list[Job] = field(default_factory=list)
    failed: list[tuple[Job, Failure]] = field(default_factory=list)


class Observer:
    """Is told how a run goes on; this one says nothing."""

    def begin(self, jobs: list[Job], kept: int) -> None:
        """Runs to be made, and how many were there already."""

    def finished(self, job: Job, outcome: Outcome) -> None:
        """One run is over, with a result or a failure."""


def evaluate(
    sequences: Iterable[Sequence],
    trackers: Iterable[TrackerSpec],
    results: Path,
    settings: Settings | None = None,
    *,
    executor: str | Executor = PROCESSES,
    workers: int | None = None,
    overwrite: bool = False,
    observer: Observer | None = None,
) -> Summary:
    """Run every tracker over every sequence and keep the results in a folder.

    Results that are there and were made in the same way are kept; one killed at any moment goes on where it was.

    Args:
        sequences: with frames.
        trackers: from ``parse_tracker``; their names differ.
        results: the folder; see ``store`` for the files.
        settings: protocol, seed and so on.
        executor: ``processes``, ``dask://HOST:PORT``, or any ``concurrent.futures`` executor.
        workers: processes on this machine; default: one per processor, at most one per run; one for real-time runs,
            whose results depend on the time they take, and for trackers on a GPU, which all would share.
        overwrite: redo what is there.
        observer: is told how it goes on.

    Raises:
        InputError: nothing to do, a tracker cannot be loaded, results are there that were made otherwise, another run
            writes into the folder, or the disk refuses. What was done is kept.
    """
    settings, observer = settings or Settings(), observer or Observer()
    jobs = plan(sequences, trackers, settings)
    with store.locked(results):
        if not isinstance(executor, str):
            return _run(executor, jobs, results, overwrite, observer, cluster=True)
        here = executor == PROCESSES
        count = min(workers or _usual(settings, jobs), len(jobs)) if here else 1  # a cluster has its own
        with open_executor(executor, count) as opened:
            return _run(opened, jobs, results, overwrite, observer, cluster=not here)


def _usual(settings: Settings, jobs: Iterable[Job]) -> int:
    """Processes on this machine where nobody says how many."""
    trackers = {job.tracker.name: job.tracker for job in jobs}.values()
    alone = settings.protocol.vot == "realtime" or any(map(uses_gpu, trackers))
    return 1 if alone else available_processors()


def plan(sequences: Iterable[Sequence], trackers: Iterable[TrackerSpec], settings: Settings) -> list[Job]:
    """All runs, one tracker after the other so that each worker loads each model once.

    Raises:
        InputError: no sequences, frames or trackers, a name that cannot be a folder's, or two of one name.
    """
    sequences, trackers = list(sequences), list(trackers)
    if not sequences or not trackers:
        raise InputError("nothing to evaluate: give at least one sequence and one tracker")
    names = [tracker.name for tracker in trackers]
    folders = Counter(name.casefold() for name in names)  # as file systems may take them
    for name in names:
        if not re.fullmatch(r"[\w+-]([\w.+-]*[\w+-])?", name) or name.startswith("_"):
            raise InputError(
                f"tracker name {name!r}: it names a folder; use letters, digits and . _ + -, no . or _ first, no . last"
            )
        if folders[name.casefold()] > 1:
            raise InputError(f"two trackers are named {name!r}: name them, --tracker NAME=SPEC")
    counts = Counter(sequence.name for sequence in sequences)
    for sequence in sequences:
        if counts[sequence.name] > 1:
            raise InputError(f"two sequences are named {sequence.name!r}: their results would be one file")
        if f"{sequence.name}_time" in counts:
            raise InputError(f"{sequence.name}_time is a sequence, and where {sequence.name}'s times go; rename one")
        if sequence.frames is None:
            raise InputError(f"{sequence.name}: only its annotation is there, no frames; evaluating needs both")
    runs = [(sequence, start) for sequence in sequences for start in starts(settings.protocol, sequence)]
    origin = settings.origin if settings.protocol.vot is None else 0
    return [
        Job(
            tracker,
            sequence,
            settings.protocol,
            start,
            origin,
            first=settings.first,
            seed=settings.seed,
            threads=settings.threads,
            time_limit=settings.time_limit,
            benchmark=settings.benchmark,
        )
        for tracker in trackers
        for sequence, start in runs
    ]


def new_token() -> str:
    """A word no other call of ``evaluate`` has."""
    return uuid.uuid4().hex


def _run(
    executor: Executor,
    jobs: list[Job],
    results: Path,
    overwrite: bool,
    observer: Observer,
    cluster: bool,
) -> Summary:
    token = new_token()
    jobs = [replace(job, token=token) for job in jobs]
    described = _describe(executor, jobs)
    summary = Summary()
    for tracker in described:
        own = [job for job in jobs if job.tracker == tracker]
        store.refuse_other(results, own, _made_by(own[0], described[tracker]))
    if overwrite:
        for job in jobs:
            store.remove(results, job)
    todo: list[Job] = []
    for job in jobs:
        found = described[job.tracker]
        # A cluster's machines differ, also from this one; each result says which it was made on.
        machine = None if cluster else found["machine"]
        there = store.is_finished(results, job, _made_by(job, found), machine)
        (summary.kept if there else todo).append(job)
    observer.begin(todo, len(summary.kept))
    try:
        for job, outcome in _outcomes(executor, todo):
            store.write(results, job, outcome, _made_by(job, described[job.tracker]))
            if outcome.failure is None:
                summary.done.append(job)
            else:
                summary.failed.append((job, outcome.failure))
            observer.finished(job, outcome)
    except BaseException:
        with suppress(InputError):  # on a full disk, that of the result is the one to say
            _write_speeds(results, jobs)
        raise
    _write_speeds(results, jobs)
    return summary


def _write_speeds(results: Path, jobs: Iterable[Job]) -> None:
    for name in dict.fromkeys(job.tracker.name for job in jobs):
        store.write_speed(results / name)


def _describe(executor: Executor, jobs: list[Job]) -> dict[TrackerSpec, dict[str, Any]]:
    """Ask a worker what makes each tracker's results."""
    described = {}
    for tracker, job in {job.tracker: job for job in jobs}.items():
        future = executor.submit(describe, tracker, job.threads, job.token)
        while not future.done():
            wait([future], _LISTEN)
        found = future.result()
        if found["code"] != code_version():
            raise InputError(f"the workers run rartrack {found['code']}, this is {code_version()}; install the same")
        described[tracker] = found
    return described


def _made_by(job: Job, found: dict[str, Any]) -> dict[str, Any]:
    """What makes a run's result, but for the machine."""
    return {
        "tracker": found["tracker"],
        "code": found["code"],
        "protocol": job.protocol.name,
        "first": job.first,
        "seed": job.seed,
        "threads": job.threads,
        "sequence": sequence_digest(job.sequence),
        "boxes": f"{job.origin}-based",
        **({} if job.protocol.vot is None else {"benchmark": job.benchmark}),
        **({"rate": Constants().rate} if job.protocol.vot == "realtime" else {}),
    }


def _outcomes(executor: Executor, jobs: list[Job]) -> Iterable[tuple[Job, Outcome]]:
    """Submit all runs and give each as it ends; a run whose worker is lost for good gives a failure."""
    waiting: dict[Future[Outcome], Job] = {executor.submit(run_job, job): job for job in jobs}
    while waiting:
        for future in wait(waiting, _LISTEN, FIRST_COMPLETED).done:
            job = waiting.pop(future)
            try:
                outcome = future.result()
            except Exception as error:
                line = " ".join(str(error).split()) or "lost"
                outcome = Outcome(failure=Failure(f"its worker was lost: {type(error).__name__}: {line}"))
            yield job, outcome

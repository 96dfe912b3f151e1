"""One run of one tracker over one sequence: what is asked for and what comes back."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

from rartrack.datasets.sequence import Sequence
from rartrack.evaluation.protocols import Protocol, Start
from rartrack.evaluation.trackers import TrackerSpec


@dataclass(frozen=True)
class Job:
    """One run.

    Attributes:
        tracker: which tracker.
        sequence: which sequence; frames are read where the job runs.
        protocol: how it is run.
        start: where it starts and with what box.
        origin: what the result files call the first pixel.
        first: frames to run at most, or None.
        seed: of all random numbers.
        threads: the tracker may use.
        time_limit: seconds one frame may take, or None.
        benchmark: the data set's name, by which VOT's rules differ.
        token: the same for all jobs of one call; a process keeps what it has loaded for one call only.
    """

    tracker: TrackerSpec
    sequence: Sequence
    protocol: Protocol
    start: Start
    origin: int
    first: int | None = None
    seed: int = 0
    threads: int = 1
    time_limit: float | None = None
    benchmark: str = ""
    token: str = ""

    @property
    def stop(self) -> int:
        """Index of the frame after the last one."""
        end = len(self.sequence)
        return end if self.first is None else min(end, self.start.frame + self.first)

    @property
    def frames(self) -> int:
        """How many frames it runs over."""
        return self.stop - self.start.frame

    def __str__(self) -> str:
        run = f" {self.protocol.name} {self.start.number}" if self.start.number else ""
        return f"{self.tracker.name} {self.sequence.name}{run}"


@dataclass(frozen=True)
class Failure:
    """Why a run has no result.

    Attributes:
        reason: one line.
        details: a traceback, and what the worker printed last; may be empty.
    """

    reason: str
    details: str = ""


@dataclass(frozen=True)
class Outcome:
    """What a run gave.

    Attributes:
        texts: content of its result files, one per repetition; empty if it failed.
        first_box: x, y, w, h (0-based) it started from.
        init_seconds: time of ``init``, the median of several.
        frame_seconds: time of each ``update``, in order, one repetition after the other.
        machine: what it ran on.
        failure: why there are no texts, or None.
    """

    texts: tuple[str, ...] = ()
    first_box: tuple[float, ...] = ()
    init_seconds: float = math.nan
    frame_seconds: tuple[float, ...] = ()
    machine: dict[str, Any] = field(default_factory=dict)
    failure: Failure | None = None

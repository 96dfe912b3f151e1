"""One run of one tracker over one sequence: what is asked for, what comes back, and how it is done in a worker."""

from __future__ import annotations

import math
import random
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from rartrack.boxes import Box, Boxes
from rartrack.datasets.sequence import Sequence
from rartrack.errors import InputError
from rartrack.evaluation.protocols import Protocol, Start, first_box
from rartrack.evaluation.provenance import machine
from rartrack.evaluation.trackers import Tracker, TrackerSpec


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
        token: the same for all jobs of one call; a process keeps what it has loaded for one call only.
    """

    tracker: TrackerSpec
    sequence: Sequence
    protocol: Protocol
    start: Start
    origin: Literal[0, 1]
    first: int | None = None
    seed: int = 0
    threads: int = 1
    time_limit: float | None = None
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
        details: a traceback or what the worker printed last; may be empty.
    """

    reason: str
    details: str = ""


@dataclass(frozen=True)
class Outcome:
    """What a run gave.

    Attributes:
        texts: content of its result files, one per repetition; empty if it failed.
        first_box: x, y, w, h (0-based) it started from.
        init_seconds: time of ``init``.
        frame_seconds: time of each ``update``, in order.
        machine: what it ran on.
        failure: why there are no texts, or None.
    """

    texts: tuple[str, ...] = ()
    first_box: tuple[float, ...] = ()
    init_seconds: float = math.nan
    frame_seconds: tuple[float, ...] = ()
    machine: dict[str, Any] = field(default_factory=dict)
    failure: Failure | None = None


class BadBoxError(Exception):
    """A tracker gave something that is no box."""


def execute(job: Job, tracker: Tracker, alive: Callable[[], None]) -> Outcome:
    """Run a job in this process.

    Args:
        job: the run.
        tracker: built from ``job.tracker``.
        alive: called before the tracker gets a frame, which is how a hanging tracker is noticed.
    """
    seed_everything(job.seed)
    watched = Stopwatch(tracker, alive)
    try:
        return _one_pass(job, watched)
    except InputError as error:
        return Outcome(failure=Failure(str(error)))
    except BadBoxError as error:
        return Outcome(failure=Failure(f"frame {job.start.frame + watched.calls - 1}: {error}"))
    except Exception as error:
        line = " ".join(str(error).split())
        reason = f"frame {job.start.frame + watched.calls - 1}: {type(error).__name__}: {line}"
        return Outcome(failure=Failure(reason, traceback.format_exc()))


def seed_everything(seed: int) -> None:
    """Seed the generators that trackers draw from; torch's only if the tracker has loaded it."""
    random.seed(seed)
    np.random.seed(seed)  # trackers of others draw from the global generator
    if "torch" in sys.modules:
        sys.modules["torch"].manual_seed(seed)


class Stopwatch:
    """A tracker whose calls are counted and timed and whose boxes are checked."""

    def __init__(self, tracker: Tracker, alive: Callable[[], None]) -> None:
        self._tracker, self._alive = tracker, alive
        self.calls = 0
        self.init_seconds = math.nan
        self.frame_seconds: list[float] = []

    def init(self, frame: Any, box: Box) -> None:
        """Start, as ``Tracker.init``."""
        self._alive()
        self.calls += 1
        begin = time.perf_counter()
        self._tracker.init(frame, box)
        self.init_seconds = time.perf_counter() - begin

    def update(self, frame: Any) -> Box:
        """The next box, as ``Tracker.update``.

        Raises:
            BadBoxError: it is not four finite numbers.
        """
        self._alive()
        self.calls += 1
        begin = time.perf_counter()
        result = self._tracker.update(frame)
        self.frame_seconds.append(time.perf_counter() - begin)
        return _box_of(result)


def _one_pass(job: Job, tracker: Stopwatch) -> Outcome:
    frames = job.sequence.frames
    if frames is None:
        raise InputError(f"{job.sequence.name}: its frames are not there, only its annotation")
    if len(frames) < job.stop:
        raise InputError(f"{job.sequence.name}: {len(frames)} frames, {len(job.sequence)} are annotated")
    image = frames[job.start.frame]
    begin = first_box(job.start, job.sequence, (image.shape[1], image.shape[0]))
    boxes = [begin]
    tracker.init(image, begin)
    boxes += [tracker.update(frames[index]) for index in range(job.start.frame + 1, job.stop)]
    # A file of a whole sequence has a line for every frame, also for those before the target is first seen.
    before = 0 if job.protocol.segments > 1 else job.start.frame
    written = np.vstack([np.full((before, 4), np.nan), np.array(boxes)])
    return Outcome(
        texts=(box_text(written, job.origin),),
        first_box=tuple(begin),
        init_seconds=tracker.init_seconds,
        frame_seconds=tuple(tracker.frame_seconds),
        machine=machine(),
    )


def box_text(boxes: Boxes, origin: int) -> str:
    """Lines ``x,y,w,h`` of boxes (T, 4), to twelve digits."""
    written = boxes + np.array([origin, origin, 0, 0])
    return "".join(",".join(format(value, ".12g") for value in row) + "\n" for row in written)


def _box_of(result: Any) -> Box:
    value = getattr(result, "box", result)
    try:
        box = Box(*map(float, value))
    except (TypeError, ValueError):
        raise BadBoxError(f"the tracker returned {str(value)[:60]!r}, expected four numbers x,y,w,h") from None
    if not all(map(math.isfinite, box)):
        raise BadBoxError(f"the tracker returned a box that is not finite: {','.join(map(str, box))}")
    return box

"""Do one run in this process: give the tracker its frames, time it, check its boxes, write down what it says."""

from __future__ import annotations

import math
import random
import statistics
import sys
import time
import traceback
from collections.abc import Callable
from typing import Any

import numpy as np

from rartrack.boxes import Box, Boxes
from rartrack.errors import InputError, brief
from rartrack.evaluation.jobs import Failure, Job, Outcome
from rartrack.evaluation.protocols import first_box
from rartrack.evaluation.provenance import machine
from rartrack.evaluation.trackers import Tracker
from rartrack.evaluation.vot_protocol import RealTime, region_numbers, repeat, run_supervised, run_unsupervised
from rartrack.evaluation.vot_results import Trajectory, trajectory_text
from rartrack.evaluation.vot_rules import Constants, find_rules
from rartrack.video.images import Image


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
    watched = Stopwatch(tracker, alive, polygons=job.protocol.vot is not None)
    try:
        texts, begin = _one_pass(job, watched) if job.protocol.vot is None else _vot(job, watched)
    except InputError as error:
        return Outcome(failure=Failure(str(error)))
    except BadBoxError as error:
        return Outcome(failure=Failure(f"{_where(job, watched)}: {error}"))
    except Exception as error:
        line = " ".join(str(error).split())
        reason = f"{_where(job, watched)}: {type(error).__name__}: {line}"
        return Outcome(failure=Failure(reason, traceback.format_exc()))
    return Outcome(
        texts=texts,
        first_box=begin,
        init_seconds=statistics.median(watched.init_seconds),
        frame_seconds=tuple(watched.frame_seconds),
        machine=machine(),
    )


def seed_everything(seed: int) -> None:
    """Seed the generators that trackers of any kind draw from; those of libraries only where they are loaded."""
    random.seed(seed)
    np.random.seed(seed)
    if "torch" in sys.modules:
        sys.modules["torch"].manual_seed(seed)
    if "cv2" in sys.modules:
        sys.modules["cv2"].setRNGSeed(seed)


class Stopwatch:
    """A tracker whose calls are counted and timed and whose boxes are checked.

    Args:
        tracker: the tracker; ``synchronize``, where it has that, waits for a device that goes on after a call.
        alive: called before the tracker gets a frame.
        polygons: take a result's polygon, where there is one, rather than the box around it.

    Attributes:
        calls: of ``init`` and ``update`` that were begun.
        init_seconds: of each call of ``init``.
        frame_seconds: of each call of ``update``.
    """

    def __init__(self, tracker: Tracker, alive: Callable[[], None], polygons: bool = False) -> None:
        self._tracker, self._alive, self._polygons = tracker, alive, polygons
        self._finish: Callable[[], None] = getattr(tracker, "synchronize", lambda: None)
        self.calls = 0
        self.init_seconds: list[float] = []
        self.frame_seconds: list[float] = []

    def init(self, frame: Image, box: Box, /) -> None:
        """Start, as ``Tracker.init``."""
        self._alive()
        self.calls += 1
        begin = time.perf_counter()
        self._tracker.init(frame, box)
        self._finish()
        self.init_seconds.append(time.perf_counter() - begin)

    def update(self, frame: Image, /) -> tuple[float, ...]:
        """The box in the next frame, or the corners of a polygon where the tracker gives one; four NaN are no box.

        Raises:
            BadBoxError: it is none of these, not finite, or of negative width or height.
        """
        self._alive()
        self.calls += 1
        begin = time.perf_counter()
        result = self._tracker.update(frame)
        self._finish()
        self.frame_seconds.append(time.perf_counter() - begin)
        return _checked(result if self._polygons else getattr(result, "box", result))


def _checked(result: Any) -> tuple[float, ...]:
    try:
        row = region_numbers(result)
    except InputError as error:
        raise BadBoxError(str(error)) from None
    if len(row) == 4 and all(map(math.isnan, row)):
        return tuple(row)
    if not all(map(math.isfinite, row)):
        raise BadBoxError(f"the tracker returned a box that is not finite: {brief(result)}; four NaN are no box")
    if len(row) == 4 and min(row[2:]) < 0:
        raise BadBoxError(f"the tracker returned a box of negative width or height: {brief(result)}")
    return tuple(row)


def _where(job: Job, watched: Stopwatch) -> str:
    if job.protocol.vot is not None:
        return f"call {watched.calls}"
    return f"frame {job.start.frame + watched.calls - 1}"


def _one_pass(job: Job, tracker: Stopwatch) -> tuple[tuple[str, ...], tuple[float, ...]]:
    frames = job.sequence.frames
    if frames is None:
        raise InputError(f"{job.sequence.name}: its frames are not there, only its annotation")
    if len(frames) < job.stop:
        raise InputError(f"{job.sequence.name}: {len(frames)} frames, {len(job.sequence)} are annotated")
    image = frames[job.start.frame]
    begin = first_box(job.start, job.sequence, (image.shape[1], image.shape[0]))
    boxes: list[tuple[float, ...]] = [begin]
    tracker.init(image, begin)
    for index in range(job.start.frame + 1, job.stop):
        row = tracker.update(frames[index])
        if len(row) != 4:
            raise BadBoxError(f"the tracker returned {len(row)} numbers, expected four: x,y,w,h")
        boxes.append(row)
    # A file of a whole sequence has a line for every frame, also for those before the target is first seen.
    before = job.start.frame if job.start.number == 0 else 0
    written = np.vstack([np.full((before, 4), np.nan), np.array(boxes)])
    return (box_text(written, job.origin),), tuple(begin)


def _vot(job: Job, tracker: Stopwatch) -> tuple[tuple[str, ...], tuple[float, ...]]:
    sequence = job.sequence.beginning(job.stop)
    constants, rules = Constants(), find_rules("toolkit", job.benchmark)
    if job.protocol.vot == "realtime":
        runs = [run_supervised(RealTime(tracker, constants.rate), sequence, rules, constants)]
    else:
        seeds = iter(range(job.seed, job.seed + constants.repetitions))

        def once() -> Trajectory:
            seed_everything(next(seeds))
            if job.protocol.vot == "unsupervised":
                return run_unsupervised(tracker, sequence)
            return run_supervised(tracker, sequence, rules, constants)

        runs = list(repeat(once, constants))
    return tuple(trajectory_text(run) for run in runs), tuple(map(float, sequence.boxes[job.start.frame]))


def box_text(boxes: Boxes, origin: int) -> str:
    """Lines ``x,y,w,h`` of boxes (T, 4), to twelve digits."""
    written = boxes + np.array([origin, origin, 0, 0])
    return "".join(",".join(format(value, ".12g") for value in row) + "\n" for row in written)

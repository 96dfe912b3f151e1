"""Run a tracker as the VOT challenges do: supervised with restarts, unsupervised, or in real time.

Source: M. Kristan et al., "A Novel Performance Evaluation Methodology for Single-Target Trackers", PAMI 2016, and "The
Visual Object Tracking VOT2017 Challenge Results", ICCV workshops 2017 (real time). The numbers are in
``rartrack.evaluation.vot_rules.Constants``.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np

from rartrack.boxes import Box
from rartrack.datasets.sequence import Frames, Sequence
from rartrack.errors import InputError, brief
from rartrack.evaluation.trackers import Tracker
from rartrack.evaluation.vot import annotated, annotation
from rartrack.evaluation.vot_overlap import Cut, overlap, rasterise
from rartrack.evaluation.vot_results import Code, Trajectory
from rartrack.evaluation.vot_rules import TOOLKIT, Constants, Rules
from rartrack.video.images import Image

Row = list[float]


def run_supervised(
    tracker: Tracker, sequence: Sequence, rules: Rules = TOOLKIT, constants: Constants | None = None
) -> Trajectory:
    """Run once over a sequence; after a failure the tracker starts again five frames later.

    Args:
        tracker: gets the annotated box (around the polygon, where there is one) when it starts.
        sequence: with frames.
        rules: what an overlap is; it is cut to the frame as for EAO.
        constants: of the protocol.

    Raises:
        InputError: the sequence has no frames.
    """
    constants = constants or Constants()
    frames, known = _frames(sequence), annotated(sequence)
    judge = _Judge(sequence, rules)
    rows: list[Row] = []
    tracking = False
    while len(rows) < len(sequence):
        index = len(rows)
        if not tracking and not known[index]:
            rows.append([float(Code.SKIPPED)])
            continue
        frame = frames[index]
        if not tracking:
            tracker.init(frame, Box(*map(float, sequence.boxes[index])))
            rows.append([float(Code.STARTED)])
            tracking = True
            continue
        row = region_row(tracker.update(frame))
        if known[index] and judge.has_failed(index, row, frame, constants.failure_overlap):
            waiting = min(constants.restart_after - 1, len(sequence) - index - 1)
            rows += [[float(Code.FAILED)], *[[float(Code.SKIPPED)]] * waiting]
            tracking = False
        else:
            rows.append(row)
    return Trajectory.from_rows(rows)


def run_unsupervised(tracker: Tracker, sequence: Sequence) -> Trajectory:
    """Run once over a sequence without looking at its annotation again after the start.

    Raises:
        InputError: the sequence has no frames, or no box to start from.
    """
    frames = _frames(sequence)
    known = np.flatnonzero(annotated(sequence))
    if not len(known):
        raise InputError(f"{sequence.name}: no annotated box to start from")
    start = int(known[0])
    tracker.init(frames[start], Box(*map(float, sequence.boxes[start])))
    rows: list[Row] = [*[[float(Code.SKIPPED)]] * start, [float(Code.STARTED)]]
    rows += [region_row(tracker.update(frames[index])) for index in range(start + 1, len(sequence))]
    return Trajectory.from_rows(rows)


def repeat(run: Callable[[], Trajectory], constants: Constants | None = None) -> Iterator[Trajectory]:
    """Yield the repetitions of a run: 15, or 3 where those are equal (the tracker is deterministic)."""
    constants = constants or Constants()
    first, equal = None, True
    for repetition in range(1, constants.repetitions + 1):
        trajectory = run()
        yield trajectory
        first = first or trajectory
        equal = equal and trajectory.equals(first)
        if equal and repetition == constants.deterministic_after:
            return


class RealTime:
    """A tracker that gets frames at a camera's pace: those that pass while it is busy get its last box.

    A reply that takes up to two frame intervals costs nothing: one interval is the frame's own, and the next frame is
    taken up late. Of a longer one every further whole interval costs a frame. The first ``grace`` slow replies after a
    start are forgiven. Wrap a tracker and give it to ``run_supervised`` or ``run_unsupervised``.

    Args:
        tracker: the tracker.
        rate: frames a second.
        grace: slow replies forgiven after each start (3 in the challenges of 2017 to 2019).
        seconds: the time each call takes, in order; measured where it is None.
    """

    def __init__(self, tracker: Tracker, rate: float, grace: int = 3, seconds: Iterable[float] | None = None) -> None:
        if not rate > 0:
            raise InputError(f"frame rate {rate:g}: must be above 0")
        self._tracker, self._interval, self._grace = tracker, 1 / rate, grace
        self._seconds = None if seconds is None else iter(seconds)
        self._patience, self._behind = grace, 0.0
        self._last: Any = None
        self.skipped = 0
        """Frames the tracker never saw, since it was made."""

    def init(self, frame: Image, box: Box) -> None:
        """Start, as ``Tracker.init``."""
        self._patience, self._behind = self._grace, 0.0
        self._timed(lambda: self._tracker.init(frame, box))
        self._last = box

    def update(self, frame: Image) -> Any:
        """Return the tracker's result, or its last one where it is still busy."""
        if self._behind > self._interval:
            self._behind -= self._interval
            self.skipped += 1
            return self._last
        self._last = self._timed(lambda: self._tracker.update(frame))
        return self._last

    def _timed(self, call: Callable[[], Any]) -> Any:
        begin = time.perf_counter()
        result = call()
        taken = time.perf_counter() - begin if self._seconds is None else next(self._seconds)
        late = taken > self._interval
        if late and self._patience > 0:
            self._patience -= 1
            late = False
        self._behind = taken - self._interval if late else 0.0
        return result


def region_row(result: Any) -> Row:
    """Return the numbers of a tracker's result: its ``region`` (a polygon) if it has one, else its ``box``, or itself.

    Raises:
        InputError: it is neither four numbers nor the corners of a polygon. NaN is taken as no region.
    """
    row = region_numbers(result)
    return row if all(map(math.isfinite, row)) else [math.nan] * 4


def region_numbers(result: Any) -> Row:
    """As ``region_row``, with NaN and infinite numbers as they are."""
    value = next((found for name in ("region", "box") if (found := getattr(result, name, None)) is not None), result)
    try:
        row = [float(number) for number in value]
    except (TypeError, ValueError):
        row = []
    if len(row) < 4 or len(row) % 2:
        raise InputError(f"the tracker returned {brief(value)}, expected x,y,w,h or the corners of a polygon")
    return row


class _Judge:
    """Says whether a result has failed; exactly, but without counting pixels where one look settles it."""

    def __init__(self, sequence: Sequence, rules: Rules) -> None:
        self._truth, self._rules = annotation(sequence), rules
        raster = rasterise(self._truth, rules.grid)
        rows = (raster.top + raster.bottom) // 2
        first, last = raster.runs(np.arange(len(rows)), rows.clip(raster.top, np.maximum(raster.top, raster.bottom)))
        exists = (raster.top <= raster.bottom) & (first[0] <= last[0])
        pixels = np.stack([(first[0] + last[0]) // 2, rows], axis=1)
        self._pixel: list[tuple[int, int] | None] = [
            (int(x), int(y)) if found else None for (x, y), found in zip(pixels, exists, strict=True)
        ]
        """A pixel in the middle of each annotated region."""

    def has_failed(self, index: int, row: Row, frame: Image, failure_overlap: float) -> bool:
        height, width = frame.shape[:2]
        pixel = self._pixel[index]
        if failure_overlap == 0 and len(row) == 4 and pixel is not None:
            inside = 0 <= pixel[0] < width - 1 and 0 <= pixel[1] < height - 1
            x, y, w, h = row
            if inside and x + 1 <= pixel[0] <= x + w - 2 and y + 1 <= pixel[1] <= y + h - 2:
                return False
        margin = self._rules.eao_cut
        cut = None if margin is None else Cut(width + margin, height + margin)
        truth, result = (rasterise(region, self._rules.grid) for region in (self._truth[index : index + 1], [row]))
        return bool(overlap(truth, result, cut)[0] <= failure_overlap)


def _frames(sequence: Sequence) -> Frames:
    if sequence.frames is None:
        raise InputError(f"{sequence.name}: its frames are not there, only its annotation")
    if len(sequence.frames) < len(sequence):
        raise InputError(f"{sequence.name}: {len(sequence.frames)} frames, {len(sequence)} are annotated")
    return sequence.frames

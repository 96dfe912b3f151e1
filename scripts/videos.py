"""Which videos the scripts measure on, which models they compare, and what a tracker does after a start."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rartrack.boxes import Box, iou
from rartrack.config import parse_settings
from rartrack.datasets import load_dataset
from rartrack.datasets.sequence import Sequence as Video
from rartrack.errors import InputError
from rartrack.evaluation.trackers import Tracker
from rartrack.results import Result, Status
from rartrack.tracking.load import load
from rartrack.tracking.tracker import Tracker as OurTracker
from rartrack.training.split import HELD_OUT, matches, refuse_tests, without_copies


def held_out(folder: Path) -> list[Video]:
    """The folder's held-out sequences.

    Raises:
        InputError: it holds a benchmark for testing, or none that is held out.
    """
    found = [video for video in annotated(folder) if matches(video.name, HELD_OUT)]
    if not found:
        raise InputError(f"{folder}: none of its sequences is held out from training ({', '.join(HELD_OUT)})")
    return found


def annotated(folder: Path) -> list[Video]:
    """All of the folder's sequences that show their target after the first frame and are no copies of test sequences.

    Raises:
        InputError: it holds a benchmark for testing.
    """
    dataset = load_dataset(folder)
    refuse_tests(dataset, "choosing settings", "give the folder of training videos")
    return [video for video in without_copies(dataset).sequences if video.visible[1:].any()]


def parse_model(text: str) -> OurTracker:
    """Load ``NAME|PATH[,KEY=VALUE...]``.

    Raises:
        InputError: as of ``load``.
    """
    model, *settings = text.split(",")
    return load(model, settings=parse_settings(settings))


@dataclass(frozen=True)
class Followed:
    """What came of the frames after a start.

    Attributes:
        overlaps: (N,) with the annotation, NaN where that hides the target.
        seconds: (N,) that the tracker took.
        claimed: (N,) bool, whether the target was said to be tracked; always, by trackers that have no status.
    """

    overlaps: NDArray[np.float64]
    seconds: NDArray[np.float64]
    claimed: NDArray[np.bool_]

    @property
    def seen(self) -> NDArray[np.float64]:
        """Overlaps of the frames that show the target."""
        return self.overlaps[~np.isnan(self.overlaps)]

    @property
    def believed(self) -> NDArray[np.bool_]:
        """``claimed`` of the frames that hide it."""
        return self.claimed[np.isnan(self.overlaps)]


def followed(tracker: Tracker, video: Video, start: int, count: int | None = None) -> Followed:
    """Let a tracker begin at a frame, and follow for ``count`` frames or to the end."""
    assert video.frames is not None
    finish = getattr(tracker, "synchronize", lambda: None)
    tracker.init(video.frames[start], Box(*video.boxes[start].tolist()))
    end = len(video) if count is None else min(len(video), start + 1 + count)
    overlaps, seconds, claimed = [], [], []
    for index in range(start + 1, end):
        frame = video.frames[index]
        begin = time.perf_counter()
        found = tracker.update(frame)
        finish()
        seconds.append(time.perf_counter() - begin)
        box = found.box if isinstance(found, Result) else found
        overlaps.append(float(iou(box, video.boxes[index])) if video.visible[index] else np.nan)
        claimed.append(not isinstance(found, Result) or found.status is Status.TRACKED)
    return Followed(np.array(overlaps), np.array(seconds), np.array(claimed, dtype=bool))

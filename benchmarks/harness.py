"""What running a tracker through the harness costs beside the tracker and the reading of frames.

    python benchmarks/harness.py

Timed: (1) the loop a worker runs, with a tracker that returns its box and frames that lie in memory, without the
tracker's own time, best of five; (2) a whole ``evaluate`` of short sequences in one process, per sequence: the message
to the worker, the loop, three files written and synced; (3) what precedes the first frame: the worker's start and the
tracker's description.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from rartrack.datasets.sequence import Sequence
from rartrack.evaluation.execute import execute
from rartrack.evaluation.jobs import Job
from rartrack.evaluation.protocols import OPE, starts
from rartrack.evaluation.run import Observer, evaluate
from rartrack.evaluation.trackers import parse_tracker
from rartrack.video.images import Image

FRAMES, SHORT, SEQUENCES = 20_000, 100, 20


class Still:
    """Does nothing."""

    def init(self, _: Image, box: Any) -> None:
        """Keep the box."""
        self.box = box

    def update(self, _: Image) -> Any:
        """Return it."""
        return self.box


class Begin(Observer):
    """Notes when the first run is handed out."""

    def begin(self, *_: object) -> None:
        """Note the time."""
        self.at = time.perf_counter()


def sequence(name: str, frames: int) -> Sequence:
    """A sequence that needs no reading."""
    return Sequence(name, np.tile([1.0, 2, 3, 4], (frames, 1)), np.zeros((frames, 8, 8, 3), np.uint8))


def main() -> None:
    """Print the three figures."""
    spec = parse_tracker(f"still={Path(__file__).resolve()}:Still")
    long = sequence("long", FRAMES)
    job = Job(spec, long, OPE, starts(OPE, long)[0], origin=1)
    taken = []
    for _ in range(5):
        begin = time.perf_counter()
        outcome = execute(job, Still(), lambda: None)
        taken.append(time.perf_counter() - begin - sum(outcome.frame_seconds))
    print(f"loop: {min(taken) / FRAMES * 1e6:.1f} microseconds a frame ({FRAMES} frames, best of {len(taken)})")

    with tempfile.TemporaryDirectory() as folder:
        observer = Begin()
        begin = time.perf_counter()
        summary = evaluate(
            [sequence(f"s{n}", SHORT) for n in range(SEQUENCES)], [spec], Path(folder), workers=1, observer=observer
        )
        end = time.perf_counter()
    assert len(summary.done) == SEQUENCES, summary.failed
    each = (end - observer.at) / SEQUENCES
    print(
        f"sequence: {each * 1e3:.1f} ms a sequence of {SHORT} frames, {each / SHORT * 1e6:.0f} microseconds a frame "
        f"({SEQUENCES} sequences, one process)"
    )
    print(f"start: {observer.at - begin:.2f} s before the first run")


if __name__ == "__main__":
    main()

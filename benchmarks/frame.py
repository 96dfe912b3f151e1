"""Where the time of a frame goes, end to end: decode, crop, network, filter, draw, write.

    python benchmarks/frame.py examples/coffee.mp4 --box 390,205,95,110 --model rar-fast --threads 2

Every stage is timed where the product calls it, in one run of the product's own loop; "other" is the rest. Decoding and
encoding work in threads of their own, so "decode" is the time the loop waits for a frame.
"""

from __future__ import annotations

import argparse
import functools
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from options import machine, tracking_parser, use_threads

from rartrack.boxes import as_box
from rartrack.results import Record
from rartrack.tracking import model as model_module
from rartrack.tracking import tracker as tracker_module
from rartrack.tracking.load import load
from rartrack.trajectories import open_trajectory_writer
from rartrack.video import VideoWriter, draw, open_source

STAGES = ("decode", "crop", "network", "filter", "draw", "write")


class Stopwatch:
    """Seconds per stage of the current frame; wraps functions where they are called."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)

    def around(self, stage: str, function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def timed(*args: Any, **kwargs: Any) -> Any:
            begin = time.perf_counter()
            try:
                return function(*args, **kwargs)
            finally:
                self.seconds[stage] += time.perf_counter() - begin

        return timed

    def wrap(self, stage: str, owner: object, *names: str) -> None:
        for name in names:
            setattr(owner, name, self.around(stage, getattr(owner, name)))

    def frames(self, source: Any) -> Iterator[Any]:
        following = self.around("decode", lambda: next(source, None))
        while (frame := following()) is not None:
            yield frame


def main() -> None:
    options = tracking_parser(__doc__, frames=150).parse_args()
    use_threads(options.threads)
    watch = Stopwatch()
    watch.wrap("crop", model_module, "cut")
    watch.wrap("filter", model_module, "learn", "respond", "subcell_peak")
    watch.wrap("filter", tracker_module, "blend", "solve")
    tracker = load(options.model, options.device, backend=options.backend)
    tracker.model.network.forward = watch.around("network", tracker.model.network.forward)
    rows: list[dict[str, float]] = []
    with tempfile.TemporaryDirectory() as folder, open_source(options.source) as source:
        table = open_trajectory_writer(Path(folder) / "out.csv", ["1"])
        with table, VideoWriter(Path(folder) / "out.mp4", source.rate, source.size) as film:
            begin = time.perf_counter()
            for number, frame in enumerate(watch.frames(source)):
                if number == 0:
                    tracker.init(frame.image, {"1": as_box(options.box, source.size)})
                    found = tracker.given()
                else:
                    found = tracker.update(frame.image)
                table.write(Record(frame.index, frame.time, "1", found["1"]))
                drawn = watch.around("draw", draw)(frame.image, found)
                watch.around("write", film.write)(drawn, frame.time)
                now = time.perf_counter()
                rows.append({**watch.seconds, "frame": now - begin})
                watch.seconds.clear()
                begin = now
                if number == options.frames:
                    break
    report(rows[1:], options, source.size)


def report(rows: list[dict[str, float]], options: argparse.Namespace, size: tuple[int, int]) -> None:
    """Print what was timed and the mean and median of every stage; the first frame, ``init``, is left out."""
    print(machine(options))
    print(f"{options.source.name}, {size[0]}x{size[1]}, {len(rows)} frames after the first, one target")
    print(f"{'stage':10s}{'mean ms':>10s}{'median ms':>11s}{'share':>8s}")
    whole = [row["frame"] for row in rows]
    parts = {stage: [row.get(stage, 0.0) for row in rows] for stage in STAGES}
    parts["other"] = [row["frame"] - sum(row.get(stage, 0.0) for stage in STAGES) for row in rows]
    for stage, seconds in {**parts, "frame": whole}.items():
        mean, median = statistics.fmean(seconds) * 1e3, statistics.median(seconds) * 1e3
        print(f"{stage:10s}{mean:10.1f}{median:11.1f}{sum(seconds) / sum(whole):8.0%}")
    print(f"{len(rows) / sum(whole):.1f} frames a second")


if __name__ == "__main__":
    main()

"""Frames a second of our models, presets and backends beside OpenCV's trackers, end to end, in one run.

    python benchmarks/peers.py examples/coffee.mp4 --box 398,206,88,104 --threads 2 \\
        --tracker rar-fast@fast --tracker rar-fast --tracker onnx=rar-fast --tracker opencv:csrt --tracker opencv:kcf

Timed for each tracker: decoding in its own thread, tracking, drawing, encoding; not loading, not the first frame.
``onnx=`` or ``openvino=`` before one of our models names its backend. Trackers take turns, ``--rounds`` times over the
same frames; the median round counts, and what the fastest and slowest took is printed too.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import cv2
import torch
from options import use_threads

from rartrack.backends import BACKENDS
from rartrack.boxes import Box, as_box
from rartrack.evaluation.trackers import Tracker, parse_tracker
from rartrack.results import Result, Status
from rartrack.video import VideoWriter, draw, open_source

TRACKERS = (
    "rar-fast@fast",
    "rar-fast",
    "onnx=rar-fast",
    "openvino=rar-fast",
    "opencv:csrt",
    "opencv:kcf",
    "opencv:mil",
)


def main() -> None:
    """Print a line for each tracker."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path)
    parser.add_argument("--box", required=True)
    parser.add_argument("--tracker", action="append", help=f"as of rartrack evaluate (default: {', '.join(TRACKERS)})")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--frames", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    trackers = {text: build(text, options.threads) for text in options.tracker or TRACKERS}
    use_threads(options.threads)
    seconds: dict[str, list[float]] = {text: [] for text in trackers}
    for _ in range(options.rounds):
        for text, tracker in trackers.items():
            seconds[text].append(run(tracker, options.source, options.box, options.frames))
    with open_source(options.source) as source:
        size = source.size
    print(f"torch {torch.__version__}, OpenCV {cv2.__version__}, {options.threads} threads")
    print(f"{options.source.name}, {size[0]}x{size[1]}, {options.frames} frames, one target, {options.rounds} rounds")
    width = max(map(len, trackers))
    print(
        f"{'tracker':{width}s}{'ms a frame':>12s}{'fastest':>9s}{'slowest':>9s}{'frames/s':>10s}{'to the first':>14s}"
    )
    first = 0.0
    for text, rounds in seconds.items():
        middle = statistics.median(rounds)
        first = first or middle
        low, high = min(rounds) * 1e3, max(rounds) * 1e3
        print(f"{text:{width}s}{middle * 1e3:12.1f}{low:9.1f}{high:9.1f}{1 / middle:10.1f}{first / middle:14.2f}")


def build(text: str, threads: int) -> Tracker:
    """A tracker from its words; ``onnx=`` and the like name the backend."""
    backend, sign, rest = text.partition("=")
    if sign and backend in BACKENDS:
        return parse_tracker(rest, backend=backend).build(threads)
    return parse_tracker(text).build(threads)


def run(tracker: Tracker, path: Path, text: str, count: int) -> float:
    """Seconds a frame, from decoding to the written overlay, over ``count`` frames after the first."""
    with tempfile.TemporaryDirectory() as folder, open_source(path) as source:
        box = as_box(text, source.size)
        with VideoWriter(Path(folder) / "out.mp4", source.rate, source.size) as film:
            tracker.init(next(source).image, box)
            begin = time.perf_counter()
            done = 0
            for done, frame in enumerate(source, start=1):
                found = tracker.update(frame.image)
                result = found if isinstance(found, Result) else Result(Box(*found), 1.0, Status.TRACKED)
                film.write(draw(frame.image, {"1": result}), frame.time)
                if done == count:
                    break
            return (time.perf_counter() - begin) / done


if __name__ == "__main__":
    main()

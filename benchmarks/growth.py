"""How the cost of a frame grows: with targets, with the frame's size, with the length of the video.

Timed is the tracker alone (crops, network, filter), on frames that lie in memory; nothing is decoded or drawn.
"""

from __future__ import annotations

import itertools
import statistics
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace

import cv2
import numpy as np

from rartrack.tracking.tracker import Tracker
from rartrack.video.images import Image

TARGETS = (1, 2, 4, 8, 16, 32)
HEIGHTS = (360, 720, 1080, 2160)
PLACES = 6
"""Places of further targets, in a row and in a column."""

BoxLike = tuple[float, ...]


def with_targets(tracker: Tracker, images: Sequence[Image], box: BoxLike) -> None:
    """Print the cost by number of targets: boxes of the given size, spread over the frame.

    No second looks, and no target is given up: what plain ground costs more than the given target is another matter.
    """
    same = replace(tracker.config.tracking, look_again_below=0.0, lost_below=-1.0)
    tracker = Tracker(tracker.model.network, replace(tracker.config, tracking=same))
    print(f"\n{'targets':>8s}{'ms a frame':>12s}{'ms a target':>13s}{'to one target':>15s}")
    one = 0.0
    for count in TARGETS:
        taken = seconds_a_frame(tracker, images, places(box, count, images[0].shape)) * 1e3
        one = one or taken
        print(f"{count:8d}{taken:12.1f}{taken / count:13.1f}{taken / one:15.2f}", flush=True)


def with_size(tracker: Tracker, images: Sequence[Image], box: BoxLike) -> None:
    """Print the cost by size of the frame: the same frames enlarged, the box with them."""
    print(f"\n{'frame':>12s}{'ms a frame':>12s}{'to the first':>14s}")
    first = 0.0
    for height in HEIGHTS:
        factor = height / images[0].shape[0]
        size = (round(images[0].shape[1] * factor), height)
        large = [cv2.resize(image, size, interpolation=cv2.INTER_LINEAR) for image in images[:21]]
        taken = seconds_a_frame(tracker, large, [tuple(factor * side for side in box)]) * 1e3
        first = first or taken
        print(f"{size[0]:>7d}x{size[1]:<4d}{taken:12.1f}{taken / first:14.2f}", flush=True)


def with_length(tracker: Tracker, images: Sequence[Image], box: BoxLike, count: int) -> None:
    """Print the process's largest resident size while the frames are played to and fro, without jumps."""
    try:
        import resource
    except ModuleNotFoundError:
        raise SystemExit("--long: this system does not say how much memory a process takes") from None

    unit = 2**20 if sys.platform == "darwin" else 2**10  # bytes there, else kilobytes
    print(f"\n{'frames':>8s}{'peak MB':>10s}")
    tracker.init(images[0], box)
    endless = itertools.cycle([*images[1:], *images[-2::-1]])
    for number, image in zip(range(1, count + 1), endless, strict=False):
        tracker.update(image)
        if number % max(1, count // 5) == 0 or number == 100:
            print(f"{number:8d}{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit:10.1f}", flush=True)


def places(box: BoxLike, count: int, shape: tuple[int, ...]) -> list[BoxLike]:
    """``count`` boxes of one size: the given one, then others spread over the frame."""
    x, y, w, h = box
    columns, rows = (np.linspace(0, side - length, PLACES) for side, length in zip(shape[1::-1], (w, h), strict=True))
    others: Iterator[BoxLike] = ((float(column), float(row), w, h) for row in rows for column in columns)
    return [(x, y, w, h), *others][:count]


def seconds_a_frame(tracker: Tracker, images: Sequence[Image], boxes: Sequence[BoxLike]) -> float:
    """Mean seconds of ``update``: frames on which scales are searched or the filter is updated cost more."""
    tracker.init(images[0], [*boxes])
    taken = []
    for image in images[1:]:
        begin = time.perf_counter()
        tracker.update(image)
        taken.append(time.perf_counter() - begin)
    return statistics.fmean(taken)

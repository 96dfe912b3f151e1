"""How the cost of a frame grows: with the number of targets, with the size of the frame, with the length of the video.

    python benchmarks/growth.py examples/coffee.mp4 --box 398,206,88,104 --threads 2

Timed is the tracker alone (crops, network, filter), on frames that lie in memory; nothing is decoded or drawn.
Targets: boxes of the given size, spread over the frame. Sizes: the same frames enlarged, the box with them. Memory: the
process's largest resident size while the video is played to and fro.
"""

from __future__ import annotations

import itertools
import resource
import statistics
import time
from collections.abc import Iterator, Sequence

import cv2
import numpy as np
from options import machine, tracking_parser, use_threads

from rartrack.boxes import as_box
from rartrack.tracking.crops import Image
from rartrack.tracking.load import load
from rartrack.tracking.tracker import Tracker
from rartrack.video import open_source

TARGETS = (1, 2, 4, 8, 16, 32)
HEIGHTS = (360, 720, 1080, 2160)
PLACES = 6
"""Places of further targets, in a row and in a column."""


def main() -> None:
    """Print the three tables."""
    parser = tracking_parser(__doc__, frames=60)
    parser.add_argument("--long", type=int, default=10_000, help="frames over which memory is watched; 0 leaves it out")
    options = parser.parse_args()
    use_threads(options.threads)
    tracker = load(options.model, options.device, backend=options.backend)
    with open_source(options.source) as source:
        images = [frame.image for frame in itertools.islice(source, options.frames + 1)]
        x, y, w, h = as_box(options.box, source.size)
    print(machine(options))
    print(f"{options.source.name}, {len(images) - 1} frames a row; the tracker alone, means")

    print(f"\n{'targets':>8s}{'ms a frame':>12s}{'ms a target':>13s}{'to one target':>15s}")
    one = 0.0
    for count in TARGETS:
        taken = seconds_a_frame(tracker, images, places((x, y, w, h), count, images[0].shape)) * 1e3
        one = one or taken
        print(f"{count:8d}{taken:12.1f}{taken / count:13.1f}{taken / one:15.2f}")

    print(f"\n{'frame':>12s}{'ms a frame':>12s}{'to the first':>14s}")
    first = 0.0
    for height in HEIGHTS:
        factor = height / images[0].shape[0]
        size = (round(images[0].shape[1] * factor), height)
        large = [cv2.resize(image, size, interpolation=cv2.INTER_LINEAR) for image in images]
        box = tuple(factor * side for side in (x, y, w, h))
        taken = seconds_a_frame(tracker, large, [box]) * 1e3
        first = first or taken
        print(f"{size[0]:>7d}x{size[1]:<4d}{taken:12.1f}{taken / first:14.2f}")

    if options.long:
        print(f"\n{'frames':>8s}{'peak MB':>10s}")
        tracker.init(images[0], (x, y, w, h))
        for number, image in zip(range(1, options.long + 1), to_and_fro(images), strict=False):
            tracker.update(image)
            if number % max(1, options.long // 5) == 0 or number == 100:
                print(f"{number:8d}{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:10.1f}", flush=True)


def places(box: tuple[float, float, float, float], count: int, shape: tuple[int, ...]) -> list[tuple[float, ...]]:
    """``count`` boxes of one size: the given one, then others spread over the frame."""
    x, y, w, h = box
    columns, rows = (np.linspace(0, side - length, PLACES) for side, length in zip(shape[1::-1], (w, h), strict=True))
    others: list[tuple[float, ...]] = [(float(column), float(row), w, h) for row in rows for column in columns]
    return [(x, y, w, h), *others][:count]


def seconds_a_frame(tracker: Tracker, images: Sequence[Image], boxes: Sequence[tuple[float, ...]]) -> float:
    """Mean seconds of ``update``: frames on which scales are searched or the filter is updated cost more."""
    tracker.init(images[0], [*boxes])
    taken = []
    for image in images[1:]:
        begin = time.perf_counter()
        tracker.update(image)
        taken.append(time.perf_counter() - begin)
    return statistics.fmean(taken)


def to_and_fro(images: Sequence[Image]) -> Iterator[Image]:
    """The frames forwards and backwards, for ever: no jumps."""
    return itertools.cycle([*images[1:], *images[-2::-1]])


if __name__ == "__main__":
    main()

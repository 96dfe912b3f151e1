"""How models see a target some frames on from the truth, on the held-out videos: less a matter of chance than runs.

    python scripts/pairs.py DIR/train --model rar-fast --model rar-fast,tracking.classification=0
    python scripts/pairs.py DIR/train --sides --first 80 --model rar-fast

The filter is learned at true places, every third frame; every second frame, ``--first`` of each video at most, the
target is looked for 1, 4 and 10 frames on in the window of its true place and size, where its centre is in the crop.
Printed for each of the three: the share of peaks within a cell and a half of the centre; and, with a box head, the mean
overlap with the truth of the size seen at the true centre, and of the box that the head's whole say makes of the peak.
With ``--sides`` instead: what the head says of width and height, mean and standard deviation of the logarithms, of
windows around the true centre that are too large or small; right would be the same with the other sign.
``fod_*`` are left out as in ``starts.py``. A model is a name or path, followed by settings.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from videos import held_out, parse_model

from rartrack.boxes import centre_size, from_centre_size, iou
from rartrack.datasets.sequence import Sequence as Video
from rartrack.errors import InputError, one_line
from rartrack.network.base import STRIDE
from rartrack.network.box import boxes_at
from rartrack.tracking.localize import boxed, moved
from rartrack.tracking.template import learn_waiting, wait
from rartrack.tracking.threads import use_threads
from rartrack.tracking.tracker import Tracker

AHEAD = (1, 4, 10)
NEAR = 1.5
"""Cells within which a peak counts as found."""
EDGE = 6 / 7
"""Share of half a crop's cells within which a centre counts as in the crop."""
TOO_LARGE = (-0.6, -0.3, 0.0, 0.3, 0.6)
"""Logarithms of both sides of a window relative to the right one, with ``--sides``."""
EVERY = 8
"""Frames from one look to the next, with ``--sides``."""


@one_line()
def main() -> None:
    """Print a line for each model and distance."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("videos", type=Path, help="folder of the training videos; the held-out ones are taken")
    parser.add_argument("--model", action="append", required=True, metavar="NAME|PATH[,KEY=VALUE...]")
    parser.add_argument("--first", type=int, default=500, metavar="N", help="frames of each video")
    parser.add_argument("--sides", action="store_true", help="what is said of windows that are too large or small")
    parser.add_argument("--threads", type=int)
    options = parser.parse_args()
    use_threads(options.threads)
    videos = [video for video in held_out(options.videos) if not video.name.startswith("fod_")]
    look, table = (sides, print_sides) if options.sides else (seen, print_pairs)
    for number, text in enumerate(options.model):
        tracker = parse_model(text)
        if options.sides and not tracker.model.network.gives_boxes:
            raise InputError(f"--sides: {text} has no box head")
        rows = np.array([row for video in videos for row in look(tracker, video, options.first)])
        if not len(rows):
            raise InputError(f"{options.videos}: no held-out video has frames to look ahead in")
        table(text, rows, head=number == 0)


def print_pairs(name: str, rows: NDArray[np.float64], head: bool) -> None:
    """A model's line for each distance, from the rows of ``seen``."""
    if head:
        print(f"{'ahead':>6s}{'pairs':>7s}{'found':>8s}{'size':>8s}{'box':>8s}")
    print(name)
    for ahead in AHEAD:
        chosen = rows[rows[:, 0] == ahead]
        print(f"{ahead:6d}{len(chosen):7d}" + "".join(f"{value:8.3f}" for value in chosen[:, 1:].mean(0)), flush=True)


def print_sides(name: str, rows: NDArray[np.float64], head: bool) -> None:
    """A model's line for each change of the window, from the rows of ``sides``."""
    if head:
        print(f"{'window':>7s}{'looks':>7s}{'width':>16s}{'height':>16s}")
    print(name)
    for change in TOO_LARGE:
        said = rows[rows[:, 0] == change, 1:]
        both = "".join(f"{mean:+9.2f} +-{sd:5.2f}" for mean, sd in zip(said.mean(0), said.std(0), strict=True))
        print(f"{change:+7.1f}{len(said):7d}{both}", flush=True)


@torch.inference_mode()
def seen(tracker: Tracker, video: Video, first: int) -> Iterator[tuple[int, float, float, float]]:
    """Of every pair: frames ahead, whether it was found, overlaps of the size and of the box (NaN without a head)."""
    assert video.frames is not None
    start = int(np.flatnonzero(video.visible)[0])
    tracker.init(video.frames[start], tuple(video.boxes[start]))
    for index in range(start + 1, min(len(video), start + first)):
        if not video.visible[index]:
            continue
        place = centre_size(video.boxes[index : index + 1])
        if (index - start) % 2 == 0:
            for ahead in AHEAD:
                other = index + ahead
                if other < len(video) and video.visible[other]:
                    truth = video.boxes[other]
                    pair = looked(tracker, video.frames[other], place, truth)
                    if pair is not None:
                        yield ahead, *pair
        if (index - start) % 3 == 0:
            due = (index - start) // 3 * tracker.config.tracking.update_interval  # contexts take their turns
            state = replace(tracker.state, frame=due, centre=place[0], size=place[1])
            tracker.state = learn_waiting(tracker.model, wait(tracker.model, state, video.frames[index]))


@torch.inference_mode()
def sides(tracker: Tracker, video: Video, first: int) -> Iterator[tuple[float, float, float]]:
    """Of every look: the window's change, and the logarithms of width and height that the head says of it."""
    assert video.frames is not None
    model, shown = tracker.model, np.flatnonzero(video.visible)
    start = int(shown[0])
    tracker.init(video.frames[start], tuple(video.boxes[start]))
    one = torch.zeros(len(TOO_LARGE), dtype=torch.int64)
    filter, memory = tracker.state.filter[one], tracker.state.memory[one]
    for index in shown[(shown > start) & (shown < start + first)][::EVERY]:
        centre, size = centre_size(video.boxes[index : index + 1])
        sizes = size * np.exp(TOO_LARGE)[:, None]
        (crops,) = model.passes(model.search_crops(video.frames[index], np.repeat(centre, len(sizes), axis=0), sizes))
        maps = model.search(crops, filter, memory).maps
        assert maps is not None
        for change, said in zip(TOO_LARGE, boxes_at(maps, torch.zeros(len(sizes), 2)).tolist(), strict=True):
            yield change, said[2], said[3]


def looked(
    tracker: Tracker,
    image: NDArray[np.uint8],
    place: tuple[NDArray[np.float64], NDArray[np.float64]],
    truth: NDArray[np.float64],
) -> tuple[float, float, float] | None:
    """One look in the window of a place, (1, 2) centre and size; None where the true centre is not in the crop."""
    model, state, (centre, size) = tracker.model, tracker.state, place
    true_centre, _ = centre_size(truth[None])
    window = model.windows(size)
    shift = (true_centre - centre) / window * model.side / STRIDE
    if np.abs(shift).max() > EDGE * (model.cells // 2):
        return None
    (crops,) = model.passes(model.search_crops(image, centre, size))
    sight = model.search(crops, state.filter, state.memory)
    found = float(np.linalg.norm(sight.shift - shift) < NEAR)
    said = sight.boxes(np.array([0]))
    if sight.maps is None or said is None:
        return found, np.nan, np.nan
    whole = replace(tracker.config.tracking, box_rate=1.0, uncertain_below=-np.inf)
    at_truth = boxes_at(sight.maps, torch.from_numpy(shift)).double().numpy()
    _, sized = boxed(true_centre, size, at_truth, sight.peak, whole)
    box = boxed(moved(centre, window, sight.shift, model.side), size, said, sight.peak, whole)
    overlaps = (float(iou(from_centre_size(*one)[0], truth)) for one in ((true_centre, sized), box))
    return found, *overlaps


if __name__ == "__main__":
    main()

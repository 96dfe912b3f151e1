"""Models compared on the held-out videos from several starts in each, the same runs for all.

    python scripts/starts.py DIR/train --model rar-fast --model runs/fast/last.safetensors,tracking.scale_step=1.03
    python scripts/starts.py DIR/train --pixels 22 --model rar-fast

More starts say more of how often a target is lost than more frames after one. Starts are spread evenly over a video,
each at the next frame that shows the target, none in its last 15. Printed for each model: mean overlap with the
annotation (mean over runs of the mean over frames), its paired difference from the first model with its standard error,
for which runs of one video count as one draw (in short videos they share most of their frames), the share of frames
whose overlap is below 0.05: lost; and how many frames hide the target, with the share of them in which it was said to
be tracked all the same. ``fod_*``, runs of objects that lie still on plain ground, are left out unless ``--all``.
``--trained`` adds the videos that were trained on: many more for what is not learned, such as where to look for a
target; of no use for what is. ``--sequences`` takes those named alone. With ``--pixels`` each video is made smaller
first, until its target has no more of them a side (the median over its frames), and coded as JPEG, as the videos of
small cameras are. A model is a name or path, followed by settings.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from videos import annotated, followed, held_out, parse_model

from rartrack.cli.names import listed
from rartrack.datasets.sequence import Frames
from rartrack.datasets.sequence import Sequence as Video
from rartrack.errors import InputError, one_line
from rartrack.tracking.threads import use_threads
from rartrack.video.images import Image

SHORTEST = 15
"""Frames a run has at least."""
LOST = 0.05
"""Overlap below which the target counts as lost."""
QUALITY = 50
"""Of JPEG, with ``--pixels``."""


@one_line()
def main() -> None:
    """Print a line for each model."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("videos", type=Path, help="folder of the training videos; the held-out ones are taken")
    parser.add_argument("--model", action="append", required=True, metavar="NAME|PATH[,KEY=VALUE...]")
    parser.add_argument("--starts", type=int, default=6, metavar="N", help="in each video, at most")
    parser.add_argument("--first", type=int, default=100, metavar="N", help="frames from each start, itself among them")
    parser.add_argument("--all", action="store_true", help="the runs of still objects too")
    parser.add_argument("--trained", action="store_true", help="the videos that were trained on too")
    parser.add_argument("--sequences", metavar="A,B", help="of these videos alone")
    parser.add_argument("--pixels", type=float, metavar="N", help="make videos smaller until targets have N a side")
    parser.add_argument("--threads", type=int)
    options = parser.parse_args()
    use_threads(options.threads)
    videos = [
        video
        for video in (annotated if options.trained else held_out)(options.videos)
        if options.all or not video.name.startswith("fod_")
    ]
    if named := listed("--sequences", options.sequences):
        videos = chosen(videos, named)
    if options.pixels is not None:
        if not options.pixels > 0:
            raise InputError(f"--pixels: expected more than 0, got {options.pixels:g}")
        videos = [smaller(video, options.pixels) for video in videos]
    first: NDArray[np.float64] | None = None
    for text in options.model:
        tracker = parse_model(text)
        every = [
            (video.name, followed(tracker, video, start, options.first - 1))
            for video in videos
            for start in starts(video.visible, options.starts, options.first)
        ]
        runs = [run.seen for _, run in every if len(run.seen)]
        hidden = [tracked for _, run in every for tracked in run.believed]
        if not runs:
            raise InputError(f"{options.videos}: no held-out video has {SHORTEST} frames after a start")
        means = np.array([run.mean() for run in runs])
        lost = np.mean([(run < LOST).mean() for run in runs])
        first = means if first is None else first
        change = means - first
        error = standard_error(change, [name for name, run in every if len(run.seen)])
        print(
            f"overlap {means.mean():.3f}  difference {change.mean():+.3f} +- {error:.3f}  lost {lost:.1%}  "
            f"runs {len(runs)}  hidden {len(hidden)}{f', tracked {np.mean(hidden):.0%}' if hidden else ''}  {text}",
            flush=True,
        )


def standard_error(values: NDArray[np.float64], videos: list[str]) -> float:
    """Standard error of the mean of values (N,), of which those of one video (N names) count as one draw; NaN for one
    video (Liang and Zeger, "Longitudinal data analysis using generalized linear models", 1986)."""
    _, owner = np.unique(videos, return_inverse=True)
    sums = np.bincount(owner, values - values.mean())
    return float(np.sqrt(len(sums) / (len(sums) - 1) * (sums**2).sum()) / len(values)) if len(sums) > 1 else np.nan


def chosen(videos: list[Video], names: list[str]) -> list[Video]:
    """Those of the videos that are named."""
    known = {video.name: video for video in videos}
    if unknown := [name for name in names if name not in known]:
        raise InputError(f"--sequences: unknown {', '.join(unknown)}; known are {', '.join(known)}")
    return [known[name] for name in names]


@dataclass(frozen=True)
class Smaller:
    """Frames made smaller by a factor and coded."""

    frames: Frames
    factor: float

    def __len__(self) -> int:
        return len(self.frames)

    def __getitem__(self, index: int) -> Image:
        frame = self.frames[index]
        height, width = (max(1, round(self.factor * side)) for side in frame.shape[:2])
        small = cv2.resize(frame, (width, height), interpolation=cv2.INTER_AREA)
        coded = cv2.imencode(".jpg", cv2.cvtColor(small, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, QUALITY])[1]
        return np.asarray(cv2.cvtColor(cv2.imdecode(coded, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB), dtype=np.uint8)

    def __iter__(self) -> Iterator[Image]:
        return (self[index] for index in range(len(self)))


def smaller(video: Video, pixels: float) -> Video:
    """A video, made smaller where the median over its frames of the root of the target's area is above ``pixels``."""
    assert video.frames is not None
    side = np.sqrt(video.boxes[video.visible, 2:].prod(axis=1))
    if not len(side) or (factor := pixels / float(np.median(side))) >= 1:
        return video
    return replace(video, boxes=video.boxes * factor, frames=Smaller(video.frames, factor))


def starts(visible: NDArray[np.bool_], count: int, first: int) -> list[int]:
    """Frames to start from, each with the target visible and ``SHORTEST`` frames of the video after it.

    ``count`` at most, spread so that the last run ends with the video; two in a video shorter than a run.
    """
    length = len(visible)
    wanted = np.linspace(0, length - first, count).astype(int) if length > first else np.array([0, length // 3])
    shown = np.flatnonzero(visible)
    begun = {int(shown[shown >= start][0]) for start in wanted if (shown >= start).any()}
    return sorted(start for start in begun if start < length - SHORTEST)


if __name__ == "__main__":
    main()

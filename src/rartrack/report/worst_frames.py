"""The frames in which a tracker did worst, with its box, the others' and the true one drawn in."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from rartrack.boxes import Box, Boxes
from rartrack.datasets.sequence import Sequence
from rartrack.errors import InputError
from rartrack.evaluation.metrics import Values
from rartrack.evaluation.scoreboard import Scoreboard
from rartrack.evaluation.scoring import Score
from rartrack.results import Result, Status
from rartrack.video.images import Image

_WIDTH = 640
_QUALITY = 78
_OTHERS = 2


@dataclass(frozen=True)
class Picture:
    """One frame as an embedded JPEG; ``number`` from 0."""

    number: int
    overlap: float
    source: str


@dataclass(frozen=True)
class Worst:
    """A sequence and the frames in which the tracker's overlap is lowest."""

    sequence: str
    tracker: str
    figure: float
    metric: str
    pictures: tuple[Picture, ...]


def collect(board: Scoreboard, sequences: int, frames: int = 3) -> list[Worst]:
    """Pictures of the sequences on which one tracker is worst: ours if it is there, else the best.

    Empty where no frames are at hand. A sequence whose frames cannot be read is passed over.

    Args:
        board: the scores.
        sequences: how many at most.
        frames: pictures of each.
    """
    score = next((each for each in board.main if each.tracker.lower().startswith("rar")), board.main[0])
    metric = board.metrics[0]
    if metric not in score.by_sequence:
        return []
    figures = zip(score.sequences, score.by_sequence[metric].tolist(), strict=True)
    values = {name: figure for name, figure in figures if np.isfinite(figure)}
    with_frames = [
        name
        for name in sorted(values, key=values.__getitem__)
        if board.sequences[name].frames is not None and name in score.overlaps
    ]
    others = [each for each in board.main if each is not score][:_OTHERS]
    found = []
    for name in with_frames[:sequences]:
        pictures = _pictures(board.sequences[name], score, others, frames)
        if pictures:
            found.append(Worst(name, score.tracker, values[name], metric, pictures))
    return found


def lowest(overlap: Values, count: int) -> list[int]:
    """Numbers of the frames of lowest overlap, in order of time, each a tenth of the sequence from the others at least.

    The first frame is passed over, and those whose truth is invalid or that do not count (-1).
    """
    apart = max(len(overlap) // 10, 1)
    chosen: list[int] = []
    for index in np.argsort(np.nan_to_num(overlap), kind="stable").tolist():
        if index > 0 and overlap[index] != -1 and all(abs(index - other) >= apart for other in chosen):
            chosen.append(index)
        if len(chosen) == count:
            break
    return sorted(chosen)


def _pictures(sequence: Sequence, score: Score, others: Iterable[Score], count: int) -> tuple[Picture, ...]:
    overlap = score.overlaps[sequence.name]
    if len(overlap) != len(sequence) or sequence.frames is None:
        return ()
    drawn = {"truth": sequence.boxes}
    drawn |= {each.tracker: each.boxes[sequence.name] for each in (score, *others) if sequence.name in each.boxes}
    pictures = []
    for number in lowest(overlap, count):
        try:
            image = sequence.frames[number]
        except (InputError, OSError, IndexError):
            return ()
        source = _jpeg(_draw(image, {name: boxes[number] for name, boxes in drawn.items()}))
        pictures.append(Picture(number, float(np.nan_to_num(overlap[number])), source))
    return tuple(pictures)


def _draw(image: Image, boxes: Mapping[str, Boxes]) -> Image:
    """The frame at the width of the page's pictures, each box with its name."""
    import cv2

    from rartrack.video.overlay import draw

    scale = _WIDTH / image.shape[1]
    kind = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    shown = np.asarray(cv2.resize(image, None, fx=scale, fy=scale, interpolation=kind), dtype=np.uint8)
    results = {
        name: Result(Box(*(float(number) * scale for number in box)), float("nan"), Status.TRACKED)
        for name, box in boxes.items()
    }
    return draw(shown, results)


def _jpeg(image: Image) -> str:
    import cv2

    _, data = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    return "data:image/jpeg;base64," + base64.b64encode(data.tobytes()).decode("ascii")

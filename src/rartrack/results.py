"""What a tracker says about one target in one frame; see ``rartrack.trajectories`` for files of it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from rartrack.boxes import Box


class Status(StrEnum):
    """How far a result can be relied on."""

    TRACKED = "tracked"
    """The target was found; the filter and the memory learn from this frame."""
    UNCERTAIN = "uncertain"
    """Something was found that resembles the target too little to learn from, or that the next frame has to confirm."""
    LOST = "lost"
    """The target was not found; the box is where it was last seen and the search widens."""


@dataclass(frozen=True, slots=True)
class Result:
    """Where one target is in one frame.

    Attributes:
        box: x, y, width, height in pixels of the frame (see ``rartrack.boxes``).
        score: in [0, 1], how much the target resembles what was learned of it (see ``rartrack.tracking.status``).
        status: tracked, uncertain or lost.
    """

    box: Box
    score: float
    status: Status


@dataclass(frozen=True, slots=True)
class Record:
    """Where one target was in one frame.

    Attributes:
        frame: index in the source, from 0.
        time: seconds since the source's first frame; NaN where the file does not tell.
        target: its name.
        result: box, score (NaN where the file does not tell) and status.
    """

    frame: int
    time: float
    target: str
    result: Result

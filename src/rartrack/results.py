"""What a tracker says about one target in one frame; see ``rartrack.trajectories`` for files of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from rartrack.boxes import Box
from rartrack.errors import InputError


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


Results = Result | Sequence[Result] | Mapping[str, Result]
"""What a tracker's ``update`` gives: of one target, of several in order, or by name."""


def by_name(results: Results) -> dict[str, Result]:
    """A copy, by name: of one target without, of several "1", "2", ... unless they have names.

    Raises:
        InputError: these are no results.
    """
    if isinstance(results, Result):
        return {"": results}
    if isinstance(results, Mapping):
        named = dict(results)
    elif isinstance(results, Sequence):
        named = {str(number): one for number, one in enumerate(results, start=1)}
    else:
        raise InputError(f"results: expected what a tracker's update gives, got {type(results).__name__}")
    for one in named.values():
        if not isinstance(one, Result):
            raise InputError(f"results: expected what a tracker's update gives, got {type(one).__name__} in it")
    return named


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

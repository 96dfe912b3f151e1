"""What a tracker did in one VOT run, and the text files it is kept in: one line a frame, a code or a region.

``<sequence>_001.txt``, ``_002.txt``, ... hold the repetitions. A line is ``1`` (started here), ``2`` (failed here),
``0`` (not tracked: waiting for the restart), or a region: ``x,y,w,h`` or ``x1,y1,...,xn,yn``, in the annotation's own
coordinates. Source: the result format of the VOT challenges 2013 to 2019.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rartrack.errors import InputError
from rartrack.evaluation.raw_text import read_rows

Regions = NDArray[np.float64]

_EXPECTED = "a code (0, 1, 2), x,y,w,h or a polygon expected"


class Code(IntEnum):
    """What a frame of a run holds."""

    REGION = -1
    SKIPPED = 0
    STARTED = 1
    FAILED = 2


@dataclass(frozen=True)
class Trajectory:
    """One repetition on one sequence.

    Attributes:
        regions: (T, 2n) float64, a rectangle or a polygon a frame as ``rartrack.evaluation.vot_overlap`` says, NaN
            where the frame holds a code.
        codes: (T,) int64, a ``Code`` a frame.
    """

    regions: Regions
    codes: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.codes)

    def equals(self, other: Trajectory) -> bool:
        """Whether the other holds the same codes and regions."""
        return np.array_equal(self.codes, other.codes) and np.array_equal(self.regions, other.regions, equal_nan=True)

    @classmethod
    def from_rows(cls, rows: Sequence[Sequence[float]]) -> Trajectory:
        """Build from one row a frame: one number is a code, four and more are a region."""
        width = max([4, *map(len, rows)])
        regions = np.full((len(rows), width), np.nan)
        codes = np.full(len(rows), Code.REGION, dtype=np.int64)
        for index, row in enumerate(rows):
            if len(row) == 1:
                codes[index] = int(row[0])
            else:
                regions[index, : len(row)] = row
        return cls(regions, codes)

    def rows(self) -> list[list[float]]:
        """Return one row a frame: ``[code]``, or the region's numbers."""
        return [
            [float(code)] if code != Code.REGION else _trimmed(region)
            for code, region in zip(self.codes, self.regions, strict=True)
        ]


def read_trajectory(path: Path) -> Trajectory:
    """Read one repetition.

    Raises:
        InputError: the file is missing, empty or not text, or a line is neither a code nor a region of 4, 6, 8, ...
            numbers; it names file and line.
    """
    rows = read_rows(path, _EXPECTED)
    return Trajectory.from_rows([_checked(row, f"{path}: line {number}") for number, row in rows])


def trajectory_text(trajectory: Trajectory) -> str:
    """Return the content of a repetition's file."""
    return "".join(",".join(_number(value) for value in row) + "\n" for row in trajectory.rows())


def _checked(row: list[float], where: str) -> list[float]:
    if len(row) == 1 and row[0] in (Code.SKIPPED, Code.STARTED, Code.FAILED):
        return row
    if len(row) < 4 or len(row) % 2:
        raise InputError(f"{where} has {len(row)} numbers, {_EXPECTED}")
    if any(map(math.isinf, row)):
        raise InputError(f"{where} holds an infinite number")
    return row


def _trimmed(region: Regions) -> list[float]:
    length = 4 if np.isnan(region[4:]).all() else int(np.flatnonzero(~np.isnan(region)).max()) + 1
    return [float(value) for value in region[:length]]


def _number(value: float) -> str:
    return f"{value:.4f}".rstrip("0").rstrip(".") if math.isfinite(value) else "nan"

"""Candidate windows, and from their responses the new place and size (SPEC Sec. 6)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rartrack.boxes import Boxes
from rartrack.config import TrackingConfig
from rartrack.network.base import STRIDE
from rartrack.tracking.status import enough

_AROUND = np.array([(x, y) for y in (-1, 0, 1) for x in (-1, 0, 1) if x or y]) / 3
"""Where a last look is taken, in windows from the last place: a third, which is one target with the usual padding."""

_LARGEST_CHANGE = 1.0
"""Largest step in target sizes, and in logarithms of a side, that the box head is believed to see in one frame."""

_SMALLEST = 1.0
"""Smallest side of a target in pixels."""


@dataclass(frozen=True)
class Candidates:
    """Windows searched in one frame, for all targets in one batch of B.

    Attributes:
        target: (B,) index of the target each window is searched for.
        centre: (B, 2) x, y of the window's centre in pixels, at the edges.
        size: (B, 2) width and height the target would have if found there, in pixels.
        weight: (B,) factor on the window's peak.
    """

    target: NDArray[np.int_]
    centre: Boxes
    size: Boxes
    weight: NDArray[np.float64]

    @staticmethod
    def join(parts: list[Candidates]) -> Candidates:
        """One batch of several."""
        return Candidates(
            np.concatenate([part.target for part in parts]),
            np.concatenate([part.centre for part in parts]),
            np.concatenate([part.size for part in parts]),
            np.concatenate([part.weight for part in parts]),
        )


@dataclass(frozen=True)
class Found:
    """Where M targets seem to be.

    Attributes:
        peak: (M,) height of the response there.
        rank: (M,) the same with the box head's say in it.
        centre: (M, 2) x, y in pixels.
        size: (M, 2) width and height in pixels.
    """

    peak: NDArray[np.float64]
    rank: NDArray[np.float64]
    centre: Boxes
    size: Boxes

    def improved(self, targets: Sequence[int], other: Found, least: float = -np.inf, most: float = np.inf) -> Found:
        """This, with what ``other`` found of some of the targets in its place where it ranks higher.

        Args:
            targets: those of ``other``, in order.
            other: of as many targets.
            least: height that a peak of ``other`` must have.
            most: height that it counts as at most.
        """
        better = np.flatnonzero((other.rank > self.rank[list(targets)]) & (other.peak >= least))
        changed = np.asarray(targets)[better]
        result = Found(self.peak.copy(), self.rank.copy(), self.centre.copy(), self.size.copy())
        result.peak[changed], result.rank[changed] = np.minimum(other.peak[better], most), other.rank[better]
        result.centre[changed], result.size[changed] = other.centre[better], other.size[better]
        return result


def scale_exponents(scales: int) -> NDArray[np.int_]:
    """Exponents s of the scales a^s, s = -(S-1)//2 .. (S-1)//2 (paper, Sec. 3.4): 3 gives -1, 0, 1."""
    return np.arange(scales) - (scales - 1) // 2


def exponents_searched(frame: int, config: TrackingConfig) -> NDArray[np.int_]:
    """Exponents of the scales that are searched in a frame, counted from 0 at ``init``: 0 alone where none is due."""
    if config.scale_search != "pyramid" or frame % config.scale_interval:
        return scale_exponents(1)
    exponents = scale_exponents(config.scales)
    if config.alternate_scales:
        sign = 1 if frame // config.scale_interval % 2 else -1
        exponents = exponents[sign * exponents >= 0]
    return exponents


def at_scales(
    target: int, centre: Boxes, size: Boxes, config: TrackingConfig, exponents: NDArray[np.int_]
) -> Candidates:
    """Windows for one target at its last place, one for each exponent of a scale."""
    factor = config.scale_step ** exponents.astype(np.float64)
    weight = config.scale_penalty ** np.abs(exponents).astype(np.float64)
    centres = np.repeat(centre[None], len(exponents), axis=0)
    return Candidates(np.full(len(exponents), target), centres, factor[:, None] * size, weight)


def one_each(targets: Sequence[int], centre: Boxes, size: Boxes) -> Candidates:
    """One window for each of M targets at (M, 2) places, of (M, 2) width and height."""
    return Candidates(np.asarray(targets), centre, size, np.ones(len(targets)))


def look_around(targets: Sequence[int], centre: Boxes, size: Boxes, window: Boxes) -> Candidates:
    """Eight windows around the last place of each of M targets.

    Args:
        targets: M indices.
        centre: (M, 2) x, y of their last places in pixels.
        size: (M, 2) width and height.
        window: (M, 2) of the search window.
    """
    count = len(_AROUND)
    places = centre[:, None] + _AROUND * window[:, None]
    owner = np.repeat(targets, count)
    return Candidates(owner, places.reshape(-1, 2), np.repeat(size, count, axis=0), np.ones(len(owner)))


def best_of(candidates: Candidates, peaks: NDArray[np.float64]) -> NDArray[np.int_]:
    """Index into the batch of the best window, that of the highest weighted peak, of each target that has windows."""
    weighted = candidates.weight * peaks
    best = []
    for target in np.unique(candidates.target):
        own = np.flatnonzero(candidates.target == target)
        best.append(own[np.argmax(weighted[own])])
    return np.array(best, dtype=int)


def moved(centre: Boxes, window: Boxes, shift: Boxes, side: int) -> Boxes:
    """Centres (..., 2) after a shift (..., 2) in cells (x, y) measured in windows (..., 2) resampled to ``side``."""
    return centre + shift * STRIDE * window / side


def boxed(
    centre: Boxes, size: Boxes, boxes: NDArray[np.float64], peak: NDArray[np.float64], config: TrackingConfig
) -> tuple[Boxes, Boxes]:
    """Centres and sizes (M, 2) after the box head's say, of targets that are seen well enough to learn from.

    Args:
        centre: (M, 2) of the peaks, in pixels.
        size: (M, 2) of the windows searched.
        boxes: (M, 4) of the head at the peaks, see ``rartrack.network.box``; what is not a number changes nothing.
        peak: (M,) heights of the peaks.
    """
    seen = (peak >= enough(config))[:, None]
    change = np.clip(np.nan_to_num(boxes), -_LARGEST_CHANGE, _LARGEST_CHANGE)
    centre = centre + seen * config.box_centre * change[:, :2] * size
    return centre, size * np.exp(seen * config.box_rate * change[:, 2:])


def limited(
    centre: Boxes, size: Boxes, before: Boxes, first_size: Boxes, frame_size: tuple[int, int], config: TrackingConfig
) -> tuple[Boxes, Boxes]:
    """Keep sizes (N, 2) within ``size_limits`` of the first and within the frame, and centres (N, 2) inside it.

    A side that was larger than the frame from the first, as that of a given box may be, may stay as large. A centre
    that lay outside ``before`` (N, 2), as that of a given box may, may stay as far out while a pixel of the box is
    inside.
    """
    frame = np.asarray(frame_size, dtype=np.float64)
    low, high = config.size_limits
    # One factor for both sides keeps the aspect.
    factor = np.sqrt((size / first_size).prod(axis=-1, keepdims=True))
    size = size * (np.clip(factor, low, high) / factor)
    shrink = np.minimum(1.0, (np.maximum(frame, first_size) / size).min(axis=-1, keepdims=True))
    size = np.maximum(size * shrink, np.minimum(_SMALLEST, frame))
    out = np.maximum(size / 2 - _SMALLEST, 0)
    return np.clip(centre, np.clip(before, -out, 0), np.clip(before, frame, frame + out)), size

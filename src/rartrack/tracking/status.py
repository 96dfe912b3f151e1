"""How sure the tracker is of a target, and where it looks for one it has lost.

The score is the height of the response's peak, cut to [0, 1]. The filter is solved to give 1, the label's peak, on the
features that it learned from (Eq. 6), so the score says how much of the learned appearance was found again. A network
with a memory looks at a search window with the memory that those features left, and so the same crop may respond with
more than 1; what is above is cut off. The score falls with change of appearance, occlusion, blur, and with the distance
moved since the last frame, because the window on the features fades out towards the border. Where a box head sees
nothing there that looks like the target did in the first frame or lately, it falls further
(``tracking.doubted_below``): by itself the filter, which learns from each frame that it is sure of, would learn what
comes before the target, too.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from rartrack.boxes import Boxes
from rartrack.config import TrackingConfig
from rartrack.results import Status

_STEP = 0.5
"""Distance between windows searched, as a fraction of the window, so that neighbours overlap by half."""

_LEAST_STEP = 1.0
"""The same in pixels, at least: of a target of less, all places in between show the same."""


def score_of(peak: float) -> float:
    """Score in [0, 1] of a response's peak; 0 where the response is not a number."""
    return 0.0 if math.isnan(peak) else float(min(max(peak, 0.0), 1.0))


def enough(config: TrackingConfig) -> float:
    """Score from which a frame is learned from: what is not seen is not, whatever ``uncertain_below`` says."""
    return max(config.uncertain_below, config.lost_below)


def next_status(status: Status, unseen: int, score: float, config: TrackingConfig) -> tuple[Status, int]:
    """Status and number of unseen frames after a frame with the given score.

    Tracked while the score is ``enough``, else uncertain; lost after ``lost_after`` frames in a row below
    ``lost_below``. A lost target is tracked again only from ``found_above`` on, if that is ``enough``.
    """
    if status is Status.LOST:
        found = score >= max(config.found_above, enough(config))
        return (Status.TRACKED, 0) if found else (Status.LOST, unseen + 1)
    unseen = unseen + 1 if score < config.lost_below else 0
    if unseen >= config.lost_after:
        return Status.LOST, unseen
    return (Status.TRACKED if score >= enough(config) else Status.UNCERTAIN), unseen


def search_places(centre: Boxes, window: Boxes, turn: int, count: int, frame_size: tuple[int, int]) -> Boxes:
    """Where to look for a lost target: on a grid around its last place, nearest first, until it fills the frame.

    Args:
        centre: (2,) x, y of the last place.
        window: (2,) width and height of the search window.
        turn: looks at the target's size since it was lost; each takes the next ``count`` places, then they start over.
        count: places wanted.
        frame_size: (width, height).

    Returns:
        (m, 2) centres inside the frame, m <= count; the last place itself is not among them.
    """
    frame, spacing = np.asarray(frame_size, dtype=np.float64), np.maximum(_STEP * window, _LEAST_STEP)
    first = np.ceil(-centre / spacing).astype(int)
    last = np.floor((frame - centre) / spacing).astype(int)
    # A small target has more places than are worth listing: only the rings that are looked at are.
    reach = np.arange(1 + max(0, np.abs([first, last]).max()))[:, None]
    inside = (np.minimum(last, reach) - np.maximum(first, -reach) + 1).clip(0).prod(axis=1)
    ends = inside - inside[0]  # places up to each ring, without the last place itself
    chosen = (turn * count + np.arange(min(count, ends[-1]))) % max(1, ends[-1])
    rings = np.searchsorted(ends, chosen, side="right")
    listed = {int(ring): _ring(int(ring), first, last) for ring in np.unique(rings)}
    offsets = [listed[ring][place - ends[ring - 1]] for ring, place in zip(rings.tolist(), chosen, strict=True)]
    places: Boxes = centre + np.reshape(offsets, (-1, 2)) * spacing
    return places


def _ring(distance: int, first: NDArray[np.int_], last: NDArray[np.int_]) -> NDArray[np.int_]:
    """(m, 2) x, y of a grid's places so many steps from its middle, row by row, from ``first`` to ``last`` (2,)."""
    low, high = np.maximum(first, -distance), np.minimum(last, distance)
    columns, rows = (np.arange(a, b + 1) for a, b in zip(low, high, strict=True))
    whole, ends = np.abs(rows) == distance, columns[np.abs(columns) == distance]
    above, below = rows[whole & (rows < 0)], rows[whole & (rows > 0)]
    parts = [np.meshgrid(columns, above), np.meshgrid(ends, rows[~whole]), np.meshgrid(columns, below)]
    return np.concatenate([np.stack([x.ravel(), y.ravel()], axis=1) for x, y in parts])

"""How the camera moved between two frames: the shift of the picture as a whole, by phase correlation.

A camera that turns carries a target out of its window within a frame, where nothing in the paper looks for it. Small
grey copies of both frames are enough to tell by how much (Kuglin and Hines, The phase correlation image alignment
method, 1975).
"""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from rartrack.video.images import Image

Thumbnail = NDArray[np.uint8]
"""(h, w) grey."""

_LONGEST = 240
"""Longest side of a thumbnail in pixels: one to four pixels of most videos, which is less than a target's size."""

_CERTAIN = 0.15
"""Least height of the phase correlation's peak, which is 1 where nothing but the place changed. Of neighbouring frames
of the training videos 99 in 100 have more; pictures with nothing in common have 0.04, the median of many."""

_SAMPLES = 2
"""Pixels of the frame averaged for one of the thumbnail, along each axis: as many whatever the frame's size."""


def thumbnail(image: Image) -> Thumbnail:
    """A small grey copy of a frame, RGB uint8 (H, W, 3); the time it takes does not depend on the frame's size."""
    size = np.array(image.shape[1::-1])
    small = np.maximum(1, np.rint(size * min(1.0, _LONGEST / size.max()))).astype(int)
    sampled = np.minimum(size, _SAMPLES * small).tolist()
    grey = cv2.cvtColor(cv2.resize(image, sampled, interpolation=cv2.INTER_NEAREST), cv2.COLOR_RGB2GRAY)
    return np.asarray(cv2.resize(grey, small.tolist(), interpolation=cv2.INTER_AREA), dtype=np.uint8)


def camera_motion(before: Thumbnail, after: Thumbnail, frame_size: tuple[int, int]) -> NDArray[np.float64]:
    """By how many pixels (2,), x and y, the picture as a whole was shifted between two frames; 0 if it is not clear.

    Args:
        before, after: thumbnails of the two frames.
        frame_size: their (width, height) in pixels.
    """
    shape = after.shape
    if min(shape) < 2:
        return np.zeros(2)
    # Of odd sides, which OpenCV takes as they are where they suit its transform, it says half a pixel too much.
    faded = [
        cv2.copyMakeBorder(image * _window(shape), 0, _more(shape[0]), 0, _more(shape[1]), cv2.BORDER_CONSTANT)
        for image in (before, after)
    ]
    shift, height = cv2.phaseCorrelate(*faded)
    moved: NDArray[np.float64] = np.array(shift) * frame_size / np.array(shape[::-1])
    return moved if height >= _CERTAIN else np.zeros(2)


def _more(side: int) -> int:
    """Pixels by which a side is made even, and one that is transformed quickly."""
    return 2 * cv2.getOptimalDFTSize((side + 1) // 2) - side


@lru_cache(maxsize=4)
def _window(shape: tuple[int, ...]) -> NDArray[np.float32]:
    """Fades the border, which the other frame does not continue."""
    rows, columns = (np.hanning(max(side, 3))[:side] if side > 2 else np.ones(side) for side in shape)
    return np.outer(rows, columns).astype(np.float32)

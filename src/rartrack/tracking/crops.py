"""Windows of a frame as square crops (the crop map of SPEC Sec. 6)."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from rartrack.boxes import Boxes
from rartrack.video.images import Image

Crops = NDArray[np.uint8]
"""RGB, uint8, (..., S, S, 3) of crops with S pixels a side; what the axes before are, each use says."""

AROUND = np.array([[0, 0], [0, -1], [-1, 0], [0, 1], [1, 0]], dtype=np.float64)
"""Offsets (x, y) of the template and its contexts in target sizes: itself, above, left, below, right (CACF)."""

_MEAN_SAMPLES = 64
"""Rows and columns read for a frame's mean colour, so that its cost does not grow with the frame."""

_LONGEST = 2**15 - 1
"""Side of an image from which OpenCV before 5.0 does not resample it: of a larger one the window's part is taken."""


def mean_colour(image: Image) -> tuple[float, float, float]:
    """Mean RGB of a frame, from a regular grid of at most 64x64 of its pixels."""
    height, width = image.shape[:2]
    rows, columns = -(-height // _MEAN_SAMPLES), -(-width // _MEAN_SAMPLES)
    red, green, blue, _ = cv2.mean(np.ascontiguousarray(image[::rows, ::columns]))
    return red, green, blue


def window_size(size: Boxes, padding: float, shape: str) -> Boxes:
    """Width and height of the search window around targets.

    Args:
        size: (..., 2) width and height of the targets in pixels.
        padding: context, the window is 1 + padding times the target (paper, Sec. 3.4: 2).
        shape: ``"stretch"`` keeps the target's aspect (the crop stretches it to a square, as DCFNet does);
            ``"square"`` takes the side of the square with the same area.
    """
    if shape == "stretch":
        return (1 + padding) * size
    side = (1 + padding) * np.sqrt(size.prod(axis=-1, keepdims=True))
    return np.broadcast_to(side, size.shape).copy()


def cut(
    image: Image,
    centres: Boxes,
    windows: Boxes,
    side: int,
    fill: tuple[float, float, float] | None = None,
) -> Crops:
    """Resample windows of a frame to square crops.

    Crop pixel u (its centre) shows image position centre + (u - (side - 1) / 2) * window / side, bilinear between
    pixel centres; what lies outside the frame has the frame's mean colour. A window at least twice as wide as the crop
    is first averaged over blocks of 2, 4, 8, ... pixels, so that fine texture does not turn into noise.

    Args:
        image: RGB uint8 (height, width, 3).
        centres: (B, 2) x, y of the windows' centres in pixels, measured at the edges (``rartrack.boxes``).
        windows: (B, 2) width and height of the windows in pixels, above 0.
        side: pixels a side of a crop.
        fill: RGB of what lies outside the frame; the frame's mean colour unless given.

    Returns:
        RGB uint8 (B, side, side, 3).
    """
    crops = np.empty((len(centres), side, side, 3), dtype=np.uint8)
    colour = mean_colour(image) if fill is None else fill
    for crop, centre, window in zip(crops, centres, windows, strict=True):
        step = window / side
        block = 2 ** np.log2(np.maximum(1, step)).astype(int)
        source, origin, block = _reduce(image, centre, window, block, colour)
        # Edge coordinates to the pixel centres that warpAffine counts in, within the (reduced) source.
        middle = (centre - origin) / block - 0.5
        scale = step / block
        corner = middle - scale * (side - 1) / 2
        matrix = np.array([[scale[0], 0, corner[0]], [0, scale[1], corner[1]]])
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        cv2.warpAffine(source, matrix, (side, side), crop, flags, cv2.BORDER_CONSTANT, colour)
    return crops


def _reduce(
    image: Image, centre: Boxes, window: Boxes, block: NDArray[np.int_], colour: tuple[float, float, float]
) -> tuple[Image, Boxes, NDArray[np.int_]]:
    """Average the part of the frame under a window over blocks (x, y) of pixels; as it is where they are of one.

    Returns the reduced image, the edge position of its first pixel in the frame, and the block size used.
    """
    height, width = image.shape[:2]
    if block.max() == 1 and max(height, width) < _LONGEST:
        return image, np.zeros(2), block
    low = np.maximum(np.floor(centre - window / 2 - block), 0).astype(int)
    high = np.minimum(np.ceil(centre + window / 2 + block), (width, height)).astype(int)
    if (high <= low).any():  # nothing of the frame is in it: any pixel will do
        return image[:1, :1], np.zeros(2), np.ones(2, dtype=int)
    cells = -(-(high - low) // block)
    high = np.minimum(low + cells * block, (width, height))  # whole blocks, where the frame has the pixels
    part = image[low[1] : high[1], low[0] : high[0]]
    missing = cells * block - (high - low)
    if missing.any():
        part = cv2.copyMakeBorder(part, 0, int(missing[1]), 0, int(missing[0]), cv2.BORDER_CONSTANT, value=colour)
    for _ in range(int(np.log2(block.min()))):  # a quarter of the time of whole blocks at once
        part = cv2.resize(part, (part.shape[1] // 2, part.shape[0] // 2), interpolation=cv2.INTER_AREA)
    if block[1] == 2 * block[0]:
        part = _halved_rows(part)
    elif block[0] == 2 * block[1]:
        part = cv2.transpose(_halved_rows(cv2.transpose(part)))
    elif block[0] != block[1]:
        part = cv2.resize(part, (int(cells[0]), int(cells[1])), interpolation=cv2.INTER_AREA)
    return np.asarray(part, dtype=np.uint8), low.astype(np.float64), block


def _halved_rows(image: Image) -> Image:
    """Means of two rows each, of an even number: as ``INTER_AREA`` gives them, in a tenth of its time (of columns,
    turned over, a fifth)."""
    return np.asarray(cv2.addWeighted(image[::2], 0.5, image[1::2], 0.5, 0), dtype=np.uint8)

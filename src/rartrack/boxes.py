"""Boxes: (x, y, width, height), 0-based, in float pixels, measured at the edges.

Pixel i of a row covers the interval [i, i + 1): a box that holds pixels 3, 4 and 5 is x = 3, width = 3, and its centre
is 4.5. Sampling functions that count pixel *centres* subtract 0.5 themselves. Arrays of boxes are float64 with shape
(..., 4); a box that does not exist is four NaN. Functions return new arrays and never change their arguments.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rartrack.errors import InputError, brief

Boxes = NDArray[np.float64]

_LARGEST = 10
"""Frames a given box may be wide or high: of what is larger, hardly anything is seen."""


class Box(NamedTuple):
    """One box: left and top edge, width and height, in pixels."""

    x: float
    y: float
    w: float
    h: float


def as_box(value: Any, frame_size: tuple[int, int] | None = None) -> Box:
    """Check one box given by a user.

    Args:
        value: four numbers (x, y, w, h), any sequence or array; or the text ``"x,y,w,h"``.
        frame_size: (width, height) of the frame in pixels; when given, the box must overlap the frame, be no
            wider or higher than ten of it, and not look like fractions of it.

    Raises:
        InputError: not four finite numbers, no area, wholly outside the frame, far larger, or fractions of the frame.
    """
    parts: Sequence[Any] = value.split(",") if isinstance(value, str) else value
    given = brief(value)
    try:
        numbers = [float(part) for part in parts]
    except (TypeError, ValueError, OverflowError):
        raise InputError(f"box {given}: expected four numbers x,y,w,h in pixels") from None
    if len(numbers) != 4:
        raise InputError(f"box {given}: {len(numbers)} numbers, 4 expected (x,y,w,h)")
    if not all(math.isfinite(number) for number in numbers):
        raise InputError(f"box {given}: every number must be finite")
    box = Box(*numbers)
    written = ",".join(f"{number:g}" for number in numbers)
    if box.w <= 0 or box.h <= 0:
        raise InputError(f"box {written}: width and height must be above 0 (the order is x,y,w,h)")
    if frame_size is not None:
        width, height = frame_size
        if max(box.w, box.h) < 1 and min(box.x, box.y) >= 0 and max(box.x, box.y) <= 1:
            raise InputError(
                f"box {written}: less than a pixel; numbers are pixels of the frame, which is {width}x{height}, not "
                "fractions of it"
            )
        if box.x >= width or box.y >= height or box.x + box.w <= 0 or box.y + box.h <= 0:
            raise InputError(f"box {written}: outside the frame, which is {width}x{height} pixels")
        if box.w > _LARGEST * width or box.h > _LARGEST * height:
            raise InputError(
                f"box {written}: more than {_LARGEST} times as large as the frame, which is {width}x{height} pixels"
            )
    return box


def as_boxes(values: Mapping[str, Any], frame_size: tuple[int, int] | None = None) -> dict[str, Box]:
    """Check one box for each target, by name, as ``as_box`` does.

    Raises:
        InputError: as ``as_box``; of several targets the message names the one.
    """
    boxes = {}
    for name, value in values.items():
        try:
            boxes[name] = as_box(value, frame_size)
        except InputError as error:
            raise InputError(f"target {name!r}: {error}" if len(values) > 1 else str(error)) from None
    return boxes


def centre_size(boxes: ArrayLike) -> tuple[Boxes, Boxes]:
    """Split boxes (..., 4) into centres (..., 2) as x, y and sizes (..., 2) as width, height."""
    boxes = np.asarray(boxes, dtype=np.float64)
    size = boxes[..., 2:].copy()
    return boxes[..., :2] + size / 2, size


def from_centre_size(centre: ArrayLike, size: ArrayLike) -> Boxes:
    """Join centres (..., 2) and sizes (..., 2) to boxes (..., 4)."""
    centre, size = np.asarray(centre, dtype=np.float64), np.asarray(size, dtype=np.float64)
    return np.concatenate([centre - size / 2, size], axis=-1)


def clip(boxes: ArrayLike, frame_size: tuple[int, int]) -> Boxes:
    """Cut boxes (..., 4) to the frame (width, height); a box wholly outside gets zero width or height."""
    boxes = np.asarray(boxes, dtype=np.float64)
    limit = np.asarray(frame_size, dtype=np.float64)
    low = np.clip(boxes[..., :2], 0, limit)
    high = np.clip(boxes[..., :2] + boxes[..., 2:], 0, limit)
    return np.concatenate([low, high - low], axis=-1)


def iou(a: ArrayLike, b: ArrayLike) -> Boxes:
    """Intersection over union of boxes (..., 4), broadcast; in [0, 1].

    Boxes without area have overlap 0 with everything; a NaN box gives NaN.
    """
    a, b = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    low = np.maximum(a[..., :2], b[..., :2])
    high = np.minimum(a[..., :2] + a[..., 2:], b[..., :2] + b[..., 2:])
    overlap = np.clip(high - low, 0, None).prod(axis=-1)
    union = np.clip(a[..., 2:], 0, None).prod(axis=-1) + np.clip(b[..., 2:], 0, None).prod(axis=-1) - overlap
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(union == 0, 0.0, np.minimum(overlap / union, 1.0))  # rounding may exceed 1


def polygon_bounds(polygons: ArrayLike) -> Boxes:
    """Axis-aligned boxes (..., 4) around polygons (..., 2n) given as x1, y1, x2, y2, ..."""
    points = np.asarray(polygons, dtype=np.float64)
    points = points.reshape(*points.shape[:-1], -1, 2)
    low, high = points.min(axis=-2), points.max(axis=-2)
    return np.concatenate([low, high - low], axis=-1)

"""Measures of one trajectory against the truth, frame by frame, and the curves drawn from them.

Nothing here knows a benchmark: which frames count, and what happens to bad boxes, is said by ``rules``. Boxes are
(T, 4) float64 x, y, width, height; result and truth in the same coordinates, whichever they are.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rartrack.boxes import Boxes

Values = NDArray[np.float64]


def overlap(result: Boxes, truth: Boxes) -> Values:
    """Intersection over union (T,) in [0, 1] of boxes given by their edges; NaN for a NaN box.

    The order of operations is that of pysot's toolkit, so that an overlap on a threshold falls on the same side.
    """
    width = np.minimum(result[:, 0] + result[:, 2], truth[:, 0] + truth[:, 2]) - np.maximum(result[:, 0], truth[:, 0])
    height = np.minimum(result[:, 1] + result[:, 3], truth[:, 1] + truth[:, 3]) - np.maximum(result[:, 1], truth[:, 1])
    return _ratio(np.maximum(0, width) * np.maximum(0, height), result, truth)


def pixel_overlap(result: Boxes, truth: Boxes) -> Values:
    """The same overlap (T,) computed through last pixels x+w-1, as OTB's MATLAB toolkit does; equal to it in bits."""
    right = np.minimum(result[:, 0] + result[:, 2] - 1, truth[:, 0] + truth[:, 2] - 1)
    bottom = np.minimum(result[:, 1] + result[:, 3] - 1, truth[:, 1] + truth[:, 3] - 1)
    width = np.maximum(0, right - np.maximum(result[:, 0], truth[:, 0]) + 1)
    height = np.maximum(0, bottom - np.maximum(result[:, 1], truth[:, 1]) + 1)
    return _ratio(width * height, result, truth)


def _ratio(inside: Values, result: Boxes, truth: Boxes) -> Values:
    union = result[:, 2] * result[:, 3] + truth[:, 2] * truth[:, 3] - inside
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(union == 0, 0.0, inside / union)


def centre_error(result: Boxes, truth: Boxes) -> Values:
    """Distance in pixels (T,) between centres x+(w-1)/2, y+(h-1)/2; NaN for a NaN box."""
    return _distance(_centre(result), _centre(truth))


def normalized_error(result: Boxes, truth: Boxes) -> Values:
    """Distance (T,) between centres, each axis in sides of the true box (TrackingNet; LaSOT)."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return _distance(_centre(result) / truth[:, 2:], _centre(truth) / truth[:, 2:])


def _centre(boxes: Boxes) -> Values:
    return boxes[:, :2] + (boxes[:, 2:] - 1) / 2


def _distance(a: Values, b: Values) -> Values:
    return np.asarray(np.sqrt(((a - b) ** 2).sum(axis=1)))


def shares_above(values: Values, thresholds: ArrayLike, *, strict: bool = True) -> Values:
    """Share of frames (N,) whose value is above each of N thresholds; at it too unless ``strict``. NaN never is."""
    known = np.sort(values[~np.isnan(values)])
    not_above = np.searchsorted(known, np.asarray(thresholds, dtype=np.float64), side="right" if strict else "left")
    return np.asarray((len(known) - not_above) / max(len(values), 1))


def shares_within(values: Values, thresholds: ArrayLike) -> Values:
    """Share of frames (N,) whose value is at or below each of N thresholds. NaN never is."""
    known = np.sort(values[~np.isnan(values)])
    within = np.searchsorted(known, np.asarray(thresholds, dtype=np.float64), side="right")
    return np.asarray(within / max(len(values), 1))

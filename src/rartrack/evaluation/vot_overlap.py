"""Overlap of rectangles and polygons as the VOT benchmark counts it: in whole pixels, row by row.

Convention: a *region* is a row of a float array (T, 2n): ``x1, y1, ..., xn, yn`` for a polygon of n corners, or
``x, y, w, h`` followed by NaN for a rectangle; a row of NaN is no region and overlaps nothing. Corners are rounded to
the nearest pixel (halves upwards). In every row the pixels between two edges belong to the region, those of the edges
included; an edge that passes between two pixels takes the left one. Level edges bound nothing, so a region without
height is empty, and so is a row whose two edges meet it in one pixel: a lone corner, a region without width. The
benchmark's Python toolkit differs in much of this (see ``Grid``).

Source: the overlap of the VOT challenges 2015 to 2019 (M. Kristan et al., "A Novel Performance Evaluation Methodology
for Single-Target Trackers", PAMI 2016, and the TraX library their toolkit uses). It is not the overlap of the exact
areas: on VOT2018 that one costs a good tracker 0.003 of EAO.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]

FARTHEST = 8_000
"""Corners beyond so many pixels are moved there: no frame is so large, and a wild region must not fill the memory."""


@dataclass(frozen=True)
class Grid:
    """How regions fall on pixels."""

    rectangle_end: int = 0
    """A rectangle's last column is that of ``x + w + rectangle_end``: 0, or -1 in the toolkit from April 2019 on."""
    halves: Literal["up", "even"] = "up"
    """Where a corner half-way between two pixels goes."""
    whole_size: bool = False
    """Round a rectangle's width and height rather than its far corner."""
    lone_corners: bool = False
    """Let level edges bound a row, and let two edges that meet a row in one pixel hold that pixel."""


@dataclass(frozen=True)
class Cut:
    """The pixels that count: columns 0 to ``right`` and rows 0 to ``bottom``, both included."""

    right: int
    bottom: int


class Raster(Protocol):
    """The pixels of T regions, as runs of pixels in rows."""

    top: Ints
    """(T,) the first row of each region."""
    bottom: Ints
    """(T,) its last row; below ``top`` where a region is empty."""

    def runs(self, frames: Ints, rows: Ints) -> tuple[Ints, Ints]:
        """Return first and last columns (k, R) of the runs in R rows, each a row of one frame's region.

        A run that ends before it begins does not exist.
        """

    def area(self, cut: Cut | None) -> Ints:
        """Return the number of pixels (T,), of those inside ``cut`` where one is given."""


def rasterise(regions: ArrayLike, grid: Grid = Grid()) -> Raster:
    """Turn regions (T, 2n) into pixels; the result serves any number of overlaps.

    Args:
        regions: (T, 2n) as this module says, n >= 2; (T, 4) holds rectangles only.
        grid: how regions fall on pixels.
    """
    values = np.asarray(regions, dtype=np.float32)  # single precision: it is what the benchmark's library rounds
    rectangles = _all_nan(values[:, 4:])
    low, high = _rectangle_corners(values, grid)
    if rectangles.all():
        return _Rectangles(low, high, grid)
    missing = max(0, 8 - values.shape[1])
    corners = np.pad(values, ((0, 0), (0, missing)), constant_values=np.nan).reshape(len(values), -1, 2)
    gaps: Flags = np.asarray(~np.isfinite(corners).all(axis=2))
    rounded = _round(np.where(gaps[..., None], corners[:, :1], corners), grid)  # a repeated corner adds no edge
    others = np.stack([low, np.stack([high[:, 0], low[:, 1]], 1), high, np.stack([low[:, 0], high[:, 1]], 1)], axis=1)
    rounded[rectangles, :4] = others[rectangles]
    rounded[rectangles, 4:] = others[rectangles, :1]
    return _Polygons(rounded, grid)


def overlap(first: Raster, second: Raster, cut: Cut | None = None) -> NDArray[np.float64]:
    """Return intersection over union (T,) in [0, 1] of two rasters of T regions, counted in pixels.

    Args:
        first: T regions.
        second: T regions.
        cut: count the pixels inside it only; None counts all.
    """
    top, bottom = np.maximum(first.top, second.top), np.minimum(first.bottom, second.bottom)
    if cut is not None:
        top, bottom = np.maximum(top, 0), np.minimum(bottom, cut.bottom)
    frames, rows = _expand(top, bottom)
    left_a, right_a = first.runs(frames, rows)
    left_b, right_b = second.runs(frames, rows)
    if cut is not None:
        left_a, right_a = np.maximum(left_a, 0), np.minimum(right_a, cut.right)
    shared = np.zeros(len(rows), dtype=np.int64)
    for a in range(len(left_a)):
        for b in range(len(left_b)):
            length = np.minimum(right_a[a], right_b[b]) - np.maximum(left_a[a], left_b[b]) + 1
            shared += np.maximum(length, 0)
    intersection = np.bincount(frames, weights=shared, minlength=len(top))
    union = first.area(cut) + second.area(cut) - intersection
    return np.asarray(np.divide(intersection, union, out=np.zeros(len(top)), where=union > 0))


class _Rectangles:
    """Upright rectangles: one run a row, the same in every row."""

    def __init__(self, low: Ints, high: Ints, grid: Grid) -> None:
        self.left, self.top = low.T
        self.right, self.bottom = high.T
        if not grid.lone_corners:
            self.right, self.bottom = self.right - (self.right == self.left), self.bottom - (self.bottom == self.top)

    def runs(self, frames: Ints, rows: Ints) -> tuple[Ints, Ints]:  # noqa: ARG002
        return self.left[None, frames], self.right[None, frames]

    def area(self, cut: Cut | None) -> Ints:
        left, top, right, bottom = self.left, self.top, self.right, self.bottom
        if cut is not None:
            left, top = np.maximum(left, 0), np.maximum(top, 0)
            right, bottom = np.minimum(right, cut.right), np.minimum(bottom, cut.bottom)
        return np.asarray(np.maximum(right - left + 1, 0) * np.maximum(bottom - top + 1, 0))


class _Polygons:
    """Polygons of n corners: up to n // 2 runs a row, computed once for every row."""

    def __init__(self, corners: Ints, grid: Grid) -> None:
        """Take integer corners (T, n, 2)."""
        self.top, self.bottom = corners[:, :, 1].min(axis=1), corners[:, :, 1].max(axis=1)
        self.frames, rows = _expand(self.top, self.bottom)
        heights = self.bottom - self.top + 1
        self.first_row = np.cumsum(heights) - heights - self.top
        self.rows = rows
        self.left, self.right = _fill(_crossings(corners, self.frames, rows, grid.lone_corners), grid.lone_corners)

    def runs(self, frames: Ints, rows: Ints) -> tuple[Ints, Ints]:
        where = self.first_row[frames] + rows
        return self.left[:, where], self.right[:, where]

    def area(self, cut: Cut | None) -> Ints:
        left, right = self.left, self.right
        if cut is not None:
            left, right = np.maximum(left, 0), np.minimum(right, cut.right)
        lengths = np.maximum(right - left + 1, 0).sum(axis=0)
        if cut is not None:
            lengths[(self.rows < 0) | (self.rows > cut.bottom)] = 0
        return np.bincount(self.frames, weights=lengths, minlength=len(self.top)).astype(np.int64)


NOTHING = np.int64(1 << 40)
"""Stands for a crossing that does not exist; larger than any column."""


def _crossings(corners: Ints, frames: Ints, rows: Ints, level_too: bool) -> Ints:
    """Return the columns (n, R), sorted, where each row meets the n edges; ``NOTHING`` where it meets fewer."""
    x, y = corners[..., 0].T, corners[..., 1].T
    origin = x.min(axis=0)  # columns are counted from the region's left edge: it decides how 11.999... is rounded
    found = np.full((len(x), len(rows)), NOTHING)
    for end in range(len(x)):
        x1, y1, x2, y2 = x[end] - origin, y[end], x[end - 1] - origin, y[end - 1]
        level = y1 == y2
        column = x1[frames] + (rows - y1[frames]) / np.where(level, 1, y2 - y1)[frames] * (x2 - x1)[frames]
        meets = (rows >= np.minimum(y1, y2)[frames]) & (rows <= np.maximum(y1, y2)[frames])
        if not level_too:
            meets &= ~level[frames]
        found[end, meets] = (column.astype(np.int64) + origin[frames])[meets]
    found.sort(axis=0)
    return found


def _fill(crossings: Ints, lone_corners: bool) -> tuple[Ints, Ints]:
    """Pair sorted crossings (n, R) to runs: first and last columns (n // 2, R), no pixel twice."""
    edges, count = crossings.shape
    left, right = np.full((2, edges // 2, count), NOTHING)
    right[:] = -NOTHING
    met = (crossings != NOTHING).sum(axis=0)
    taken = np.zeros(count, dtype=np.int64)
    open_run = np.zeros(count, dtype=bool)
    for edge in range(edges - 1):
        here, after = crossings[edge], crossings[edge + 1]
        closed = ~open_run & (after != NOTHING)
        begins = closed & (here != after)  # a corner is met twice: its first meeting opens nothing
        if lone_corners:
            begins |= closed & (edge + 2 >= met)
        index = np.flatnonzero(begins)
        left[taken[index], index], right[taken[index], index] = here[index], after[index]
        taken += begins
        open_run = begins
    for run in range(1, edges // 2):
        left[run] = np.maximum(left[run], right[run - 1] + 1)
    return left, right


def _expand(top: Ints, bottom: Ints) -> tuple[Ints, Ints]:
    """List every row from ``top`` to ``bottom`` (T,) of every frame: frame numbers (R,) and row numbers (R,)."""
    heights = np.maximum(bottom - top + 1, 0)
    frames = np.repeat(np.arange(len(heights)), heights)
    return frames, np.arange(len(frames)) - np.repeat(np.cumsum(heights) - heights - top, heights)


def _rectangle_corners(values: NDArray[np.float32], grid: Grid) -> tuple[Ints, Ints]:
    """Round x, y, w, h (T, 4 and more) to first and last pixel, each (T, 2); an absent rectangle has no height."""
    absent: Flags = np.asarray(~np.isfinite(values[:, :4]).all(axis=1))
    position, size = np.where(absent[:, None], 0, values[:, :4]).reshape(-1, 2, 2).swapaxes(0, 1)
    one = _round(position, grid)
    if grid.whole_size:
        return one, one + np.where(absent[:, None], -1, _round(size, grid) + grid.rectangle_end)
    other = _round(position + size + np.float32(grid.rectangle_end), grid)
    other[absent] = one[absent]
    return np.minimum(one, other), np.maximum(one, other)


def _all_nan(values: NDArray[np.float32]) -> Flags:
    return np.asarray(~np.isfinite(values).any(axis=1))


def _round(values: NDArray[np.float32], grid: Grid) -> Ints:
    clipped = np.clip(np.nan_to_num(values), -FARTHEST, FARTHEST)
    return (np.rint(clipped) if grid.halves == "even" else np.floor(clipped + np.float32(0.5))).astype(np.int64)

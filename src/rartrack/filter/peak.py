"""The highest point of the trigonometric interpolation of responses, in NumPy.

A response is a few hundred numbers and the answer is three; NumPy's calls cost a third of torch's on so little, and the
host needs the answer.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

_REACH = 1.0
"""Cells a sub-cell peak may lie from the largest cell, on either axis."""

_GRID = 4
"""Points a cell tried before Newton's method: a corner of four cells is out of its reach for narrow labels."""

_ROUNDING = 1e-12
"""Relative gain in height that does not count as one; without it a flat response would move."""

_NEWTON_STEPS = 3
"""From an eighth of a cell away; each step at least squares the error."""


def highest(cells: Array) -> tuple[Array, Array]:
    """Value (B,) and place (B, 2) as (row, column) of the highest points of responses (B, n, n), all of them finite.

    From the largest cell to the best point of a grid of quarter cells around it, then by Newton's method; what does
    not climb is not taken. Places are signed: they wrap at half the grid.
    """
    count, n, _ = cells.shape
    waves, batch = _waves(n), np.arange(count)
    flat = cells.reshape(count, n * n)
    index = flat.argmax(1)
    top = flat[batch, index]
    cell = np.stack(np.divmod(index, n), 1)  # (B, 2) as (row, column)
    coefficients = waves.analysis @ cells @ waves.analysis.T  # (B, 2 K, 2 K)

    around = waves.grid[(cell[..., None] * _GRID + waves.steps) % len(waves.grid)]  # (B, 2, P, 2 K)
    tried = (around[:, 0] @ coefficients @ around[:, 1].swapaxes(1, 2)).reshape(count, -1)
    index = tried.argmax(1)
    best = tried[batch, index]
    nearest = waves.steps[np.stack(np.divmod(index, len(waves.steps)), 1)] / _GRID
    start = cell + np.where((best > top + _ROUNDING * abs(top))[:, None], nearest, 0.0)
    place, low, high = start, cell - _REACH, cell + _REACH
    for _ in range(_NEWTON_STEPS):
        place = np.minimum(np.maximum(place + _newton_step(waves.derivatives(place, coefficients)), low), high)
    value = waves.derivatives(place, coefficients)[:, 0, 0]
    climbs = value > best + _ROUNDING * abs(best)
    place = np.where(climbs[:, None], place, start) - np.where(cell > (n - 1) // 2, n, 0)
    return np.where(climbs, value, best), place


def _newton_step(derivatives: Array) -> Array:
    """-H^-1 g (B, 2) as (row, column) where the Hessian is negative definite, else 0.

    Args:
        derivatives: (B, 3, 3), see ``_Waves.derivatives``.
    """
    _, across, c, down, b, _, a, _, _ = derivatives.reshape(-1, 9).T
    determinant = a * c - b * b
    peaked = (determinant > 0) & (a < 0)
    step = np.stack([b * across - c * down, b * down - a * across], 1)
    return np.where(peaked[:, None], step / np.where(peaked, determinant, 1.0)[:, None], 0.0)


class _Waves:
    """Cosines and sines of K = n // 2 + 1 frequencies, in turn: the interpolant is their sum along either axis.

    An even grid's highest frequency is its cosine alone, whose sine is 0 at every cell.

    Attributes:
        analysis: (2 K, n), values at the cells to coefficients.
        grid: (4 n, 2 K), the waves at every quarter of a cell.
        steps: (P,) the quarters of a cell tried around the largest one.
    """

    def __init__(self, n: int) -> None:
        self._rate = 2j * math.pi / n * np.arange(n // 2 + 1)  # (K,)
        self._orders = np.stack([np.ones_like(self._rate), self._rate, self._rate**2])
        weight = np.full(n // 2 + 1, 2 / n)
        weight[0] = 1 / n
        if n % 2 == 0:
            weight[-1] = 1 / n
        self.grid = _in_turn(np.exp(np.arange(_GRID * n)[:, None] / _GRID * self._rate))
        self.analysis = np.ascontiguousarray((self.grid[::_GRID] * weight.repeat(2)).T)
        reach = round(_GRID * _REACH)
        self.steps = np.arange(-reach, reach + 1)

    def derivatives(self, place: Array, coefficients: Array) -> Array:
        """(B, 3, 3) derivatives of order 0 to 2 along (rows, columns) at ``place`` (B, 2), in cells."""
        waves = _in_turn(np.exp(place[..., None] * self._rate)[:, :, None] * self._orders)  # (B, 2, 3, 2 K)
        found: Array = waves[:, 0] @ coefficients @ waves[:, 1].swapaxes(1, 2)
        return found


def _in_turn(values: NDArray[np.complex128]) -> Array:
    """Complex (..., K) to real (..., 2 K): real and imaginary parts in turn."""
    return np.ascontiguousarray(values).view(np.float64)


@lru_cache(maxsize=16)
def _waves(n: int) -> _Waves:
    return _Waves(n)

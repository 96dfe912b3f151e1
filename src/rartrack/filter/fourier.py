"""Windows, labels and peaks on the cyclic grid of cells.

Convention: cells are counted from 0; a response at index s says that the target moved by +s cells; indices above
(n - 1) // 2 mean s - n (SPEC Sec. 1). Shifts are (..., 2) as (x, y) in cells, so x runs along the last axis.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

_REACH = 1.0
"""Cells a sub-cell peak may lie from the largest cell, on either axis."""

_GRID = 4
"""Points a cell tried before Newton's method: a corner of four cells is out of its reach for narrow labels."""

_ROUNDING = 1e-12
"""Relative gain in height that does not count as one; without it a flat response would move."""

_NEWTON_STEPS = 3
"""From an eighth of a cell away; each step at least squares the error."""


def hann_window(n: int, m: int | None = None, *, device: torch.device | str | None = None) -> Tensor:
    """Hann window (n, m) float32 for features of n rows and m columns (m = n unless given), centred, 0 at the border.

    Source: KCF, DCFNet (SPEC Sec. 6).
    """
    rows, columns = (torch.hann_window(k, periodic=False, device=device) for k in (n, n if m is None else m))
    return rows[:, None] * columns


def displacement_window(n: int, *, device: torch.device | str | None = None) -> Tensor:
    """Cosine window (n, n) float32 over displacements: 1 at no motion, index (0, 0), falling off with wrapped distance.

    Source: CFNet (SPEC Sec. 6).
    """
    line = 0.5 * (1 + torch.cos(torch.arange(n, device=device) * (2 * math.pi / n)))
    return line[:, None] * line


def gaussian_label(n: int, sigma: float, shift: Tensor | None = None) -> Tensor:
    """Desired response y of Eq. 5: a Gaussian on wrapped distances whose continuous peak, at ``shift``, is 1.

    Args:
        n: cells a side.
        sigma: standard deviation in cells.
        shift: (..., 2) as (x, y) in cells, of any size (it wraps); no motion unless given.

    Returns:
        (..., n, n), dtype and device of ``shift`` (float32 on the CPU without one).
    """
    shift = torch.zeros(2) if shift is None else shift
    cells = torch.arange(n, dtype=shift.dtype, device=shift.device)
    distance = torch.remainder(cells - shift[..., None] + n / 2, n) - n / 2  # (..., 2, n)
    x, y = torch.exp(-0.5 * (distance / sigma) ** 2).unbind(-2)
    return y[..., :, None] * x[..., None, :]


@torch.no_grad()
def subcell_peak(response: Tensor) -> tuple[Tensor, Tensor]:
    """Height and place of the highest peak of the trigonometric interpolation of a response.

    From the largest cell to the best point of a grid of quarter cells around it, then by Newton's method; what does
    not climb is not taken, and the peak stays within one cell of the largest cell on either axis.

    Args:
        response: (..., n, n) real.

    Returns:
        value (...) and shift (..., 2) as signed (x, y) cells, both with the response's dtype. A response that is
        not finite has value NaN and shift 0.
    """
    *batch, n, _ = response.shape
    if response.numel() == 0:
        return response.new_zeros(batch), response.new_zeros(*batch, 2)
    flat = response.reshape(-1, n * n).double()
    finite = flat.isfinite().all(1)
    flat = torch.where(finite[:, None], flat, 0.0)
    top, index = flat.max(1)
    cell = torch.stack([index // n, index % n], 1)  # (B, 2) as (row, column)
    interpolant = _Interpolant(flat.reshape(-1, n, n))

    steps = torch.arange(-_GRID, _GRID + 1, dtype=flat.dtype, device=flat.device) * (_REACH / _GRID)
    best, index = interpolant.values(cell[..., None] + steps).flatten(1).max(1)
    nearest = steps[torch.stack([index // len(steps), index % len(steps)], 1)]
    start = cell + torch.where((best > top + _ROUNDING * top.abs())[:, None], nearest, 0.0)
    place = start
    for _ in range(_NEWTON_STEPS):
        place = torch.clamp(place + interpolant.newton_step(place), cell - _REACH, cell + _REACH)
    value = interpolant.values(place[..., None])[:, 0, 0]
    climbs = value > best + _ROUNDING * best.abs()
    place, value = torch.where(climbs[:, None], place, start), torch.where(climbs, value, best)

    signed = place - torch.where(cell > (n - 1) // 2, n, 0)
    value = torch.where(finite, value, torch.nan)
    return value.to(response.dtype).reshape(batch), signed.flip(1).to(response.dtype).reshape(*batch, 2)


class _Interpolant:
    """The trigonometric polynomials through the cells of responses (B, n, n) float64."""

    def __init__(self, cells: Tensor) -> None:
        n = cells.shape[-1]
        # An even grid's highest frequency is +n/2 and -n/2, half of it each: so the interpolant is real between cells.
        harmonics = torch.arange(-(n // 2), n // 2 + 1, device=cells.device)
        weight = torch.full((len(harmonics),), 1 / n, dtype=cells.dtype, device=cells.device)
        if n % 2 == 0:
            weight[[0, -1]] /= 2
        self.spectrum = torch.fft.fft2(cells)[:, harmonics % n][:, :, harmonics % n] * (weight[:, None] * weight)
        self.rate = 2j * math.pi / n * harmonics.to(self.spectrum.dtype)  # (K,)
        self.orders = torch.stack([torch.ones_like(self.rate), self.rate, self.rate**2])

    def values(self, places: Tensor) -> Tensor:
        """Values (B, P, P) on the grid of rows ``places[:, 0]`` and columns ``places[:, 1]``, (B, 2, P), in cells."""
        waves = torch.exp(places[..., None] * self.rate)  # (B, 2, P, K)
        values: Tensor = waves[:, 0] @ self.spectrum @ waves[:, 1].mT
        return values.real

    def newton_step(self, place: Tensor) -> Tensor:
        """-H^-1 g at ``place`` (B, 2) as (row, column) where the Hessian is negative definite, else 0."""
        waves = torch.exp(place[..., None] * self.rate)[:, :, None] * self.orders  # (B, 2, 3, K)
        derivatives = (waves[:, 0] @ self.spectrum @ waves[:, 1].mT).real  # orders along (rows, columns)
        down, across = derivatives[:, 1, 0], derivatives[:, 0, 1]
        a, b, c = derivatives[:, 2, 0], derivatives[:, 1, 1], derivatives[:, 0, 2]
        determinant = a * c - b * b
        step = torch.stack([b * across - c * down, b * down - a * across], 1) / determinant[:, None]
        return torch.where(((determinant > 0) & (a < 0))[:, None], step, 0.0)

"""Windows, labels and peaks on the cyclic grid of cells.

Convention: cells are counted from 0; a response at index s says that the target moved by +s cells; indices above
(n - 1) // 2 mean s - n (SPEC Sec. 1). Shifts are (..., 2) as (x, y) in cells, so x runs along the last axis.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

_NEWTON_STEPS = 6
"""Newton converges quadratically: from an integer peak of a label of sigma 0.8 cells, four steps reach 1e-6 cell."""

_REACH = 1.0
"""Cells a sub-cell peak may lie from the integer peak, on either axis."""


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

    Newton's method from the largest cell; a step that does not climb is not taken and the next one is halved, and the
    peak stays within one cell of the largest one, which is the answer where nothing climbs.

    Args:
        response: (..., n, m) real.

    Returns:
        value (...) and shift (..., 2) as signed (x, y) cells, both with the response's dtype. A response that is
        not finite has value NaN and shift 0.
    """
    *batch, n, m = response.shape
    flat = response.reshape(-1, n, m).double()
    finite = flat.isfinite().flatten(1).all(1)
    flat = torch.where(finite[:, None, None], flat, 0.0)
    if flat.numel() == 0:
        return response.new_zeros(batch), response.new_zeros(*batch, 2)
    index = flat.flatten(1).argmax(1)
    largest = torch.stack([index // m, index % m], 1)  # (B, 2) as (row, column)
    spectrum = torch.fft.fft2(flat)
    place = largest.double()
    value, gradient, hessian = _interpolate(spectrum, place)
    length = torch.ones_like(value)
    for _ in range(_NEWTON_STEPS):
        step = length[:, None] * _newton_step(gradient, hessian)
        candidate = torch.clamp(place + step, largest - _REACH, largest + _REACH)
        new = _interpolate(spectrum, candidate)
        climbs = new[0] >= value
        length = torch.where(climbs, 1.0, length / 2)
        place = torch.where(climbs[:, None], candidate, place)
        value = torch.where(climbs, new[0], value)
        gradient = torch.where(climbs[:, None], new[1], gradient)
        hessian = torch.where(climbs[:, None, None], new[2], hessian)
    sides = torch.tensor([n, m], device=flat.device)
    signed = place - torch.where(largest > (sides - 1) // 2, sides, 0)
    value = torch.where(finite, value, torch.nan)
    return value.to(response).reshape(batch), signed.flip(-1).to(response).reshape(*batch, 2)


def _interpolate(spectrum: Tensor, place: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Value (B,), gradient (B, 2) and Hessian (B, 2, 2) at ``place`` (B, 2) as (row, column), in cells."""
    rows = _waves(spectrum.shape[-2], place[:, 0])
    columns = _waves(spectrum.shape[-1], place[:, 1])
    derivatives = (rows @ spectrum @ columns.mT).real  # (B, 3, 3): order along rows, order along columns
    gradient = torch.stack([derivatives[:, 1, 0], derivatives[:, 0, 1]], 1)
    cross = derivatives[:, 1, 1]
    hessian = torch.stack([derivatives[:, 2, 0], cross, cross, derivatives[:, 0, 2]], 1)
    return derivatives[:, 0, 0], gradient, hessian.reshape(-1, 2, 2)


def _waves(n: int, place: Tensor) -> Tensor:
    """Inverse Fourier rows (B, 3, n) at real places (B,): the waves, their first and their second derivatives."""
    rate = 2 * math.pi * torch.fft.fftfreq(n, dtype=place.dtype, device=place.device)
    phase = place[:, None] * rate
    wave = torch.complex(phase.cos(), phase.sin()) / n
    orders = torch.stack([wave, 1j * rate * wave, -(rate**2) * wave], 1)
    if n % 2 == 0:
        # The highest frequency of an even grid has no sign: its interpolant is the real cosine.
        middle = n // 2
        turn = phase[:, middle]
        pi = math.pi
        orders[:, :, middle] = torch.stack([turn.cos(), pi * turn.sin(), -pi * pi * turn.cos()], 1) / n
    return orders


def _newton_step(gradient: Tensor, hessian: Tensor) -> Tensor:
    """-H^-1 gradient (B, 2) where H is negative definite, else 0."""
    a, b, c = hessian[:, 0, 0], hessian[:, 0, 1], hessian[:, 1, 1]
    determinant = a * c - b * b
    concave = (determinant > 0) & (a < 0)
    safe = torch.where(concave, determinant, 1.0)
    gy, gx = gradient.unbind(1)
    step = torch.stack([b * gx - c * gy, b * gy - a * gx], 1) / safe[:, None]
    return torch.where(concave[:, None], step, 0.0)

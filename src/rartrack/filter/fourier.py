"""Windows, labels and peaks on the cyclic grid of cells.

Convention: cells are counted from 0; a response at index s says that the target moved by +s cells; indices above
(n - 1) // 2 mean s - n (SPEC Sec. 1). Shifts are (..., 2) as (x, y) in cells, so x runs along the last axis.
"""

from __future__ import annotations

import math
from contextlib import nullcontext
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from rartrack.filter.peak import highest


def hann_window(n: int, m: int | None = None, *, device: torch.device | str | None = None) -> Tensor:
    """Hann window (n, m) float64 for features of n rows and m columns (m = n unless given), centred, 0 at the border.

    Source: KCF, DCFNet (SPEC Sec. 6).
    """
    return _hann(n, device)[:, None] * _hann(n if m is None else m, device)


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


def windowed_spectrum(features: Tensor) -> Tensor:
    """Half spectrum (..., n, m // 2 + 1) of features (..., n, m) under the Hann window, at least complex64.

    By two products with the transform's matrices, which hold the window: on grids this small, of odd sizes, faster than
    a fast transform, and as precise unless ``torch.set_float32_matmul_precision`` allows less. Autocast, which would
    round the real product to 16 bits, is off.
    """
    if features.dtype not in (torch.float32, torch.float64):
        features = features.float()
    rows, columns = _windowed_transforms(*features.shape[-2:], features.dtype, features.device)
    with nullcontext() if features.is_meta else torch.autocast(features.device.type, enabled=False):
        half = features @ columns  # (..., n, 2 F): real and imaginary parts in turn
    spectrum: Tensor = rows @ torch.view_as_complex(half.reshape(*half.shape[:-1], half.shape[-1] // 2, 2))
    return spectrum


def subcell_peak(response: Tensor) -> tuple[Tensor, Tensor]:
    """Height and place of the highest peak of the trigonometric interpolation of a response.

    From the largest cell to the best point of a grid of quarter cells around it, then by Newton's method; what does
    not climb is not taken, and the peak stays within one cell of the largest cell on either axis. Computed on the host,
    whatever device the response is on; without gradients.

    Args:
        response: (..., n, n) real.

    Returns:
        value (...) and shift (..., 2) as signed (x, y) cells, both with the response's dtype. A response that is
        not finite has value NaN and shift 0.
    """
    *batch, n, _ = response.shape
    if response.numel() == 0:
        return response.new_zeros(batch), response.new_zeros(*batch, 2)
    cells = response.detach().reshape(-1, n, n).double().cpu().numpy()
    finite = np.isfinite(cells).all((1, 2))
    if not finite.all():
        cells = np.where(finite[:, None, None], cells, 0.0)
    value, place = highest(cells)
    if not finite.all():
        value, place = np.where(finite, value, np.nan), np.where(finite[:, None], place, 0.0)
    values, shifts = torch.from_numpy(value), torch.from_numpy(np.ascontiguousarray(place[:, ::-1]))
    return values.to(response).reshape(batch), shifts.to(response).reshape(*batch, 2)


@lru_cache(maxsize=16)
@torch.inference_mode(False)  # what is kept for tracking must serve training too
def _windowed_transforms(n: int, m: int, dtype: torch.dtype, device: torch.device) -> tuple[Tensor, Tensor]:
    """The unnormalised transform of the Hann window times a map: rows (n, n) complex, columns (m, 2 (m // 2 + 1))."""
    rows, columns = torch.fft.fft(_hann(n).diag(), dim=0), torch.fft.rfft(_hann(m).diag(), dim=1)
    return rows.to(device, dtype.to_complex()), torch.view_as_real(columns).flatten(1).to(device, dtype)


def _hann(n: int, device: torch.device | str | None = None) -> Tensor:
    return torch.hann_window(n, periodic=False, dtype=torch.float64, device=device)

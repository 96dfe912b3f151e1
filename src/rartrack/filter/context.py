"""The contextual correlation filter: learned in closed form, updated on line, applied by one product (Eqs. 5-7).

Convention: F is the unnormalised transform, h = conj(F w) is stored as "the filter", and the response is
F^-1(sum_d h_d F x_d) (SPEC Sec. 1). Everything is done per frequency of the half spectrum ``rfft2`` gives. Dimensions:
N targets, D channels, n rows, m columns, k contexts, T exemplars, S searches. All features are given *without* window:
``windowed_spectrum`` alone applies it, to templates, contexts and searches alike. Labels lie on the features' device.
Under autocast nothing here drops below single precision.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from rartrack.config import FilterConfig
from rartrack.errors import InputError
from rartrack.filter.fourier import hann_window, windowed_spectrum

_AT_ONCE = 32
"""Frequencies solved together on a processor: 32 systems of 32 channels take half a megabyte."""


@dataclass(frozen=True)
class Statistics:
    """Running sums of Eq. 7 for N targets: a value, never changed in place; every tensor's first axis is the target.

    Attributes:
        gram: (N, *F, D, D) complex128, A without lambda1 (form "exact"); or (N, *F) float64, the denominator shared by
            all channels (form "shared"). F are the frequencies, (n, m // 2 + 1) in the plane.
        cross: (N, *F, D) complex128, r: label times template.
        energy: (N,) float64, e: the windowed template's sum of squares, the unit of lambda1.

    Double precision because the lowest frequencies of A outweigh lambda1 by so much that single precision rounding
    alone would leave A without its positive definiteness.
    """

    gram: Tensor
    cross: Tensor
    energy: Tensor

    def __len__(self) -> int:
        return len(self.energy)

    def __getitem__(self, index: slice | Tensor | Sequence[int]) -> Statistics:
        """The targets of a slice, a list or a mask."""
        return self._map(lambda tensor: tensor[index])

    def to(self, device: torch.device | str) -> Statistics:
        """The same on another device."""
        return self._map(lambda tensor: tensor.to(device))

    @staticmethod
    def stack(parts: Sequence[Statistics]) -> Statistics:
        """The targets of several statistics of one form and size, in order."""
        return Statistics(
            torch.cat([part.gram for part in parts]),
            torch.cat([part.cross for part in parts]),
            torch.cat([part.energy for part in parts]),
        )

    def _map(self, change: Callable[[Tensor], Tensor]) -> Statistics:
        return Statistics(change(self.gram), change(self.cross), change(self.energy))


def learn(template: Tensor, contexts: Tensor, label: Tensor, config: FilterConfig) -> Statistics:
    """Statistics of one frame (SPEC Sec. 3.1, one exemplar; Eq. 7's sums).

    Args:
        template: (N, D, n, m) features of the target's own crop, z_0.
        contexts: (N, k, D, n, m) features of the crops around it, z_i; k may be 0.
        label: (n, m) or (N, n, m), y: see ``gaussian_label``.
        config: ``form`` and ``context_weight`` (lambda2) are read.
    """
    crops = torch.cat([template[:, None], contexts], 1)
    spectrum = windowed_spectrum(crops)  # (N, 1 + k, D, n, F)
    vectors = spectrum.movedim((1, 2), (-1, -2)).to(torch.complex128).contiguous()  # (N, n, F, D, 1 + k)
    weights = _crop_weights(crops.shape[1], config.context_weight, vectors)
    cross = _label_spectrum(label, vectors.dtype)[..., None] * vectors[..., 0].conj()
    if config.form == "exact":
        scaled = vectors * weights.sqrt()
        # The left factor is conjugated in memory: the batched product would do so to both, and transpose one.
        gram = scaled.conj().resolve_conj() @ scaled.mT
    else:
        gram = (_power(vectors).sum(-2) * weights).sum(-1)
    return Statistics(gram, cross.expand_as(vectors[..., 0]), _energy(template.double()))


def blend(old: Statistics, new: Statistics, rate: float | Tensor) -> Statistics:
    """(1 - eta) old + eta new (SPEC Sec. 3.6): the batch solution whose weights fall off as (1 - eta)^age.

    Args:
        rate: eta, one for all targets or (N,); exactly 0 keeps ``old``, exactly 1 gives ``new``.
    """

    def mix(a: Tensor, b: Tensor) -> Tensor:
        if not isinstance(rate, Tensor):
            return torch.lerp(a, b, rate)
        return torch.lerp(a, b, rate.to(a).reshape(-1, *[1] * (a.ndim - 1)))

    return Statistics(mix(old.gram, new.gram), mix(old.cross, new.cross), mix(old.energy, new.energy))


def solve(statistics: Statistics, config: FilterConfig, dtype: torch.dtype = torch.complex64) -> Tensor:
    """The filter h = (A + lambda1 e I)^-1 r per frequency (SPEC Eq. (b); form "shared": Eq. (a), Eq. 7 as printed).

    Args:
        statistics: of either form.
        config: ``regularization`` (lambda1, relative to the template's energy) is read.
        dtype: of the result; the system is solved in complex128.

    Returns:
        (N, D, n, m // 2 + 1). A target whose template is blank has the filter 0; one with NaN features has NaN.

    Raises:
        InputError: ``regularization`` is not above 0.
    """
    cross = statistics.cross
    ridge = relative_ridge(statistics.energy, config.regularization)
    ridge = ridge.reshape(-1, *[1] * (cross.ndim - 2))
    if statistics.gram.ndim < cross.ndim:
        return (cross / (statistics.gram + ridge)[..., None]).movedim(-1, 1).to(dtype).contiguous()
    gram, right = statistics.gram.flatten(1, -3), cross.flatten(1, -2)  # (N, frequencies, ...)
    diagonal = torch.diag_embed(ridge.reshape(-1, 1, 1).to(gram.dtype).expand(-1, 1, gram.shape[-1]))
    # On a processor a few at a time, which stay in its cache; as one batch they take twice as long.
    count = _AT_ONCE if gram.device.type == "cpu" else gram.shape[1]
    parts = [
        _solve(gram[:, first : first + count] + diagonal, right[:, first : first + count]).to(dtype)
        for first in range(0, gram.shape[1], count)
    ]
    return torch.cat(parts, 1).reshape(cross.shape).movedim(-1, 1).contiguous()


def _solve(system: Tensor, right: Tensor) -> Tensor:
    """Hermitian positive definite systems (..., D, D) with right sides (..., D)."""
    factor = torch.linalg.cholesky_ex(system)[0]  # L, A = L L^H
    half = torch.linalg.solve_triangular(factor, right[..., None], upper=False)
    # L^H h = half, written as h^H L = half^H, spares a conjugated copy of L.
    full = torch.linalg.solve_triangular(factor, half.mH, upper=False, left=False)
    solution: Tensor = full[..., 0, :].conj().resolve_conj()
    return solution


def respond(filter: Tensor, search: Tensor) -> Tensor:
    """Response g of Eq. 5, corrected: F^-1(sum_d h_d F x_d).

    Args:
        filter: (N, D, n, m // 2 + 1), h.
        search: (N, S, D, n, m) features x of S search crops a target (scales).

    Returns:
        (N, S, n, m) float32 (float64 for float64 features); the peak at index s says motion by +s cells.
    """
    product = (filter[:, None] * windowed_spectrum(search)).sum(2)
    if product.numel() == 0:
        return search.new_zeros(*search.shape[:2], *search.shape[3:])
    # The size is given because irfft2 would drop the last column of an odd width.
    response: Tensor = torch.fft.irfft2(product, s=search.shape[-2:])
    return response


def solve_training(
    templates: Tensor,
    contexts: Tensor,
    label: Tensor,
    config: FilterConfig,
    weights: Tensor | None = None,
) -> Tensor:
    """The filter of T exemplars, differentiable (SPEC Eq. (b*), the Woodbury form of (b); form "shared": Eq. (a)).

    Args:
        templates: (N, T, D, n, m) features, z_0t.
        contexts: (N, T, k, D, n, m) features, z_ti; k may be 0.
        label: (n, m) or (N, n, m), the templates' label, centred on no motion.
        config: ``form``, ``regularization`` and ``context_weight`` are read.
        weights: (T,), beta_t; equal unless given. Only their ratios matter, since lambda1's unit grows with them.

    Returns:
        (N, D, n, m // 2 + 1) complex64 (complex128 for float64 features), as ``respond`` takes it. Gradients flow into
        templates and contexts, also through lambda1's unit.

    Raises:
        InputError: ``regularization`` is not above 0.
    """
    count = templates.shape[1]
    spectrum = windowed_spectrum(torch.cat([templates[:, :, None], contexts], 2))  # (N, T, 1 + k, D, n, F)
    power = _energy(templates)  # (N, T)
    beta = power.new_ones(count) if weights is None else weights.to(power)
    energy = (power * beta).sum(1)
    ridge = relative_ridge(energy, config.regularization)[:, None, None, None]  # (N, 1, 1, 1)
    vectors = spectrum.movedim((1, 2, 3), (-2, -1, -3))  # (N, n, F, D, T, 1 + k)
    scale = beta[:, None] * _crop_weights(spectrum.shape[2], config.context_weight, vectors)  # (T, 1 + k)
    target = _label_spectrum(label, vectors.dtype)
    if config.form == "shared":
        cross = target[..., None] * (vectors[..., 0].conj() * beta).sum(-1)
        denominator = (_power(vectors) * scale).sum((-3, -2, -1))[..., None] + ridge
        return (cross / denominator).movedim(-1, 1)
    vectors = (vectors * scale.sqrt()).flatten(-2).contiguous()  # (N, n, F, D, M), M = T (1 + k); V
    wanted = torch.zeros_like(scale)
    wanted[:, 0] = beta.sqrt()
    right = (target[..., None] * wanted.flatten()).expand(*vectors.shape[:-2], -1)  # (N, n, F, M), c
    small = vectors.mT @ vectors.conj()
    system = small + ridge[..., None] * torch.eye(small.shape[-1], dtype=small.dtype, device=small.device)
    filter: Tensor = vectors.conj() @ torch.linalg.solve(system, right[..., None])
    return filter[..., 0].movedim(-1, 1)


def _energy(features: Tensor) -> Tensor:
    """(...,) sum of squares of windowed features (..., D, n, m), in at least single precision."""
    features = features if features.dtype == torch.float64 else features.float()
    window = hann_window(*features.shape[-2:], device=features.device).to(features.dtype)
    return (features * window).square().sum((-3, -2, -1))


def _label_spectrum(label: Tensor, dtype: torch.dtype) -> Tensor:
    """Half spectrum of a label (n, m) or (N, n, m), with a leading axis that broadcasts over targets."""
    label = label if label.ndim == 3 else label[None]
    spectrum: Tensor = torch.fft.rfft2(label.to(dtype.to_real()))
    return spectrum.to(dtype)


def _crop_weights(crops: int, context_weight: float, like: Tensor) -> Tensor:
    """(1 + k,): 1 for the template, lambda2 for each context."""
    weights = torch.full((crops,), context_weight, dtype=like.dtype.to_real(), device=like.device)
    weights[:1].fill_(1)  # not by an index, which would wait for a GPU
    return weights


def _power(values: Tensor) -> Tensor:
    """|z|^2, differentiable at 0."""
    return values.real.square() + values.imag.square()


def relative_ridge(energy: Tensor, regularization: float) -> Tensor:
    """lambda1 in the features' own units (SPEC Sec. 3.5); 1 where the template is blank, whose filter is then 0.

    Raises:
        InputError: ``regularization`` is not above 0.
    """
    if not regularization > 0:
        raise InputError(f"filter.regularization: must be above 0, got {regularization}")
    return torch.where(energy > 0, regularization * energy, torch.ones_like(energy))

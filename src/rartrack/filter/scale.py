"""DSST's scale filter: a one-dimensional correlation over crops of one target at many scales (Danelljan et al. 2014).

It is the ablation RAR_DSST's answer to "how large is the target now?" (SPEC Sec. 10). A target is sampled at S scales,
smallest first, each sample turned into d numbers; the filter correlates along the S samples, all d channels sharing one
denominator, as in ``context`` (Eq. (a) with no context). Its label is highest in the middle, at factor 1.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from rartrack.filter.context import Statistics, relative_ridge


@dataclass(frozen=True)
class ScaleConfig:
    """Settings of the scale filter; the values are DSST's."""

    scales: int = 33
    """Samples S; odd, so that one has factor 1."""
    step: float = 1.02
    """Ratio between neighbouring scales."""
    label_sigma: float = 0.25
    """Standard deviation of the label as a fraction of sqrt(S) samples."""
    learning_rate: float = 0.025
    """eta of the running update."""
    regularization: float = 1e-2
    """lambda; here relative to the features' energy, so that their scale does not matter (SPEC Sec. 3.5)."""


def scale_factors(config: ScaleConfig) -> Tensor:
    """Factors (S,) float64 on the target's size, rising; the middle one is 1."""
    exponents = torch.arange(config.scales, dtype=torch.float64) - config.scales // 2
    return config.step**exponents


def learn_scale(features: Tensor, config: ScaleConfig) -> Statistics:
    """Numerator and denominator of one frame, for ``context.blend`` to run on with ``config.learning_rate``.

    Args:
        features: (N, S, d) of N targets sampled at ``scale_factors`` times their size. The window over scales is
            applied here.
    """
    windowed, spectrum = _spectrum(features)  # (N, S, d), (N, F, d)
    offsets = torch.arange(config.scales, device=features.device) - config.scales // 2
    sigma = config.label_sigma * math.sqrt(config.scales)
    label = torch.fft.rfft(torch.exp(-0.5 * (offsets / sigma).double() ** 2))
    power = spectrum.real.square() + spectrum.imag.square()
    return Statistics(power.sum(-1), label[:, None] * spectrum.conj(), windowed.square().sum((1, 2)))


def respond_scale(statistics: Statistics, features: Tensor, config: ScaleConfig) -> Tensor:
    """Response (N, S) float64 over scales: the largest is at the factor that the target's size changed by.

    Args:
        statistics: of ``learn_scale``.
        features: (N, S, d) of the new frame, sampled at ``scale_factors`` times the last size.

    Raises:
        InputError: ``config.regularization`` is not above 0.
    """
    _, spectrum = _spectrum(features)
    denominator = statistics.gram + relative_ridge(statistics.energy, config.regularization)[:, None]
    product = (statistics.cross * spectrum).sum(-1) / denominator
    if product.numel() == 0:
        return features.new_zeros(features.shape[:2], dtype=torch.float64)
    response: Tensor = torch.fft.irfft(product, n=features.shape[1])
    return response


def best_scale(response: Tensor, config: ScaleConfig) -> Tensor:
    """Factor (N,) float64 on the size where the response (N, S) is highest; 1 where it is not finite."""
    response = torch.where(response.isfinite().all(1, keepdim=True), response, 0.0)
    middle = torch.zeros_like(response)
    middle[:, config.scales // 2] = torch.finfo(response.dtype).tiny  # A response without a peak changes nothing.
    return scale_factors(config).to(response.device)[(response + middle).argmax(1)]


def _spectrum(features: Tensor) -> tuple[Tensor, Tensor]:
    """Windowed samples (N, S, d) float64 and their half spectrum (N, S // 2 + 1, d) along the scales."""
    count = features.shape[1]
    window = torch.hann_window(count, periodic=False, dtype=torch.float64, device=features.device)
    windowed = features.double() * window[:, None]
    if windowed.numel() == 0:  # The CPU transform refuses an empty batch.
        shape = (len(features), count // 2 + 1, features.shape[2])
        return windowed, windowed.new_zeros(shape, dtype=torch.complex128)
    return windowed, torch.fft.rfft(windowed, dim=1)

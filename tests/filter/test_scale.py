"""DSST's scale filter."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from rartrack.filter.context import Statistics, blend
from rartrack.filter.scale import ScaleConfig, best_scale, learn_scale, respond_scale, scale_factors

CONFIG = ScaleConfig()


def sampled(target: float, seed: int = 0, noise: float = 0.0) -> Tensor:
    """Features (1, S, d) of a random fine texture enlarged ``target`` times, sampled at every scale."""
    generator = torch.Generator().manual_seed(seed)
    waves, phase = 100 * torch.rand(20, generator=generator).double(), 2 * math.pi * torch.rand(20, generator=generator)
    places = torch.linspace(-1, 1, 61, dtype=torch.float64)
    read = scale_factors(CONFIG)[:, None] * places / target
    values = torch.cos(read[..., None] * waves + phase).sum(-1)
    return (values + noise * torch.randn(values.shape, generator=generator))[None]


def found(statistics: Statistics, features: Tensor) -> Tensor:
    return best_scale(respond_scale(statistics, features, CONFIG), CONFIG)


class TestScaleFactors:
    def test_thirty_three_rising_by_two_per_cent_around_one(self) -> None:
        factors = scale_factors(CONFIG)
        assert len(factors) == 33
        assert factors[16] == 1
        torch.testing.assert_close(factors[1:] / factors[:-1], torch.full((32,), 1.02).double())


class TestScaleFilter:
    @pytest.mark.parametrize("steps", [-6, -2, -1, 0, 1, 3, 6])
    def test_finds_how_much_the_target_grew(self, steps: int) -> None:
        statistics = learn_scale(sampled(1.0), CONFIG)
        factor = found(statistics, sampled(1.02**steps, noise=0.1))
        torch.testing.assert_close(factor, torch.tensor([1.02**steps]).double())

    def test_response_to_its_own_samples_is_the_label(self) -> None:
        """At zero regularization and one frame, where numerator over denominator is the label itself."""
        weak = ScaleConfig(regularization=1e-12)
        features = sampled(1.0, noise=1.0)
        response = respond_scale(learn_scale(features, weak), features, weak)[0]
        sigma = math.sqrt(33) / 4
        label = torch.exp(-0.5 * ((torch.arange(33) - 16).double() / sigma) ** 2)
        torch.testing.assert_close(response, label, rtol=1e-6, atol=1e-6)

    def test_running_update_is_the_average_of_numerators_and_denominators(self) -> None:
        first, second = sampled(1.0, seed=1), sampled(1.0, seed=2)
        statistics = blend(learn_scale(first, CONFIG), learn_scale(second, CONFIG), CONFIG.learning_rate)
        window = torch.hann_window(33, periodic=False, dtype=torch.float64)[:, None]
        label = torch.fft.fft(torch.exp(-0.5 * ((torch.arange(33) - 16).double() / (math.sqrt(33) / 4)) ** 2))
        numerator, denominator = torch.zeros(()), torch.zeros(())
        for features, weight in ((first, 0.975), (second, 0.025)):
            values = torch.fft.fft(features[0] * window, dim=0)
            numerator = numerator + weight * label[:, None] * values.conj()
            ridge = CONFIG.regularization * (features * window).square().sum()
            denominator = denominator + weight * (values.abs().square().sum(1) + ridge)
        search = sampled(1.05, seed=1)
        product = (numerator * torch.fft.fft(search[0] * window, dim=0)).sum(1) / denominator
        torch.testing.assert_close(respond_scale(statistics, search, CONFIG)[0], torch.fft.ifft(product).real)

    def test_does_not_depend_on_the_scale_of_the_features(self) -> None:
        features, search = sampled(1.0), sampled(1.04)
        response = respond_scale(learn_scale(1e3 * features, CONFIG), 1e3 * search, CONFIG)
        torch.testing.assert_close(response, respond_scale(learn_scale(features, CONFIG), search, CONFIG))

    def test_targets_in_a_batch_equal_targets_alone(self) -> None:
        features = torch.cat([sampled(1.0, seed=seed) for seed in range(3)])
        search = torch.cat([sampled(1.02**seed, seed=seed) for seed in range(3)])
        together = respond_scale(learn_scale(features, CONFIG), search, CONFIG)
        for target in range(3):
            one = slice(target, target + 1)
            alone = respond_scale(learn_scale(features[one], CONFIG), search[one], CONFIG)
            torch.testing.assert_close(together[one], alone)
        torch.testing.assert_close(best_scale(together, CONFIG), 1.02 ** torch.arange(3).double())

    def test_without_targets(self) -> None:
        none = torch.empty(0, 33, 5)
        response = respond_scale(learn_scale(none, CONFIG), none, CONFIG)
        assert response.shape == (0, 33)
        assert best_scale(response, CONFIG).shape == (0,)

    @pytest.mark.parametrize("value", [0.0, math.nan])
    def test_blank_and_nan_features_change_nothing(self, value: float) -> None:
        features = torch.full((1, 33, 5), value)
        assert found(learn_scale(features, CONFIG), features) == 1

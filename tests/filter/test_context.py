"""The contextual correlation filter against a dense ridge regression, and what follows from its objective."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from rartrack.config import FilterConfig
from rartrack.errors import InputError
from rartrack.filter.context import Statistics, blend, learn, respond, solve, solve_training
from rartrack.filter.fourier import gaussian_label, hann_window, subcell_peak

EXACT = FilterConfig()
SHARED = FilterConfig(form="shared")
BOTH = pytest.mark.parametrize("config", [EXACT, SHARED], ids=["exact", "shared"])
SIGMA = 1.0625


def features(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def relative(found: Tensor, expected: Tensor) -> float:
    return float((found - expected).norm() / expected.norm())


def cyclic_shifts(crop: Tensor) -> Tensor:
    """Row s holds the windowed crop (D, n, m) moved so that cell p + s stands at p, all channels in a line."""
    n, m = crop.shape[-2:]
    crop = crop * hann_window(n, m)
    return torch.stack([crop.roll((-row, -column), (1, 2)).flatten() for row in range(n) for column in range(m)])


def dense_ridge(templates: Tensor, contexts: Tensor, label: Tensor, weights: Tensor, config: FilterConfig) -> Tensor:
    """Eq. 6 solved as one linear system over explicit matrices; templates (T, D, n, m), contexts (T, k, D, n, m)."""
    d, n, m = templates.shape[1:]
    left, right = torch.zeros(d * n * m, d * n * m).double(), torch.zeros(d * n * m).double()
    energy = 0.0
    for template, around, weight in zip(templates, contexts, weights, strict=True):
        matrix = cyclic_shifts(template)
        left += weight * matrix.T @ matrix
        right += weight * matrix.T @ label.flatten()
        energy += weight * matrix[0].square().sum()
        for context in around:
            matrix = cyclic_shifts(context)
            left += weight * config.context_weight * matrix.T @ matrix
    left += config.regularization * energy * torch.eye(len(left)).double()
    return torch.fft.rfft2(torch.linalg.solve(left, right).reshape(d, n, m)).conj()


def running(templates: Tensor, contexts: Tensor, label: Tensor, config: FilterConfig, rate: float) -> Statistics:
    """Statistics after T frames; templates (N, T, D, n, m), contexts (N, T, k, D, n, m)."""
    statistics = learn(templates[:, 0], contexts[:, 0], label, config)
    for t in range(1, templates.shape[1]):
        statistics = blend(statistics, learn(templates[:, t], contexts[:, t], label, config), rate)
    return statistics


def running_weights(count: int, rate: float) -> Tensor:
    """beta_1 = (1 - eta)^(T-1), beta_t = eta (1 - eta)^(T-t)."""
    weights = rate * (1 - rate) ** torch.arange(count - 1, -1, -1, dtype=torch.float64)
    weights[0] /= rate
    return weights


class TestClosedForm:
    """The filter is the minimiser of Eq. 6, whose label may have its peak anywhere and no symmetry at all."""

    @pytest.mark.parametrize(
        ("exemplars", "contexts", "channels", "size"),
        [(3, 2, 3, (5, 6)), (1, 4, 2, (7, 5)), (1, 0, 3, (6, 6)), (2, 0, 2, (4, 5)), (1, 1, 1, (5, 5))],
    )
    @pytest.mark.parametrize("regularization", [1e-4, 1e-1])
    def test_exact_form_is_the_dense_ridge_regression(
        self, exemplars: int, contexts: int, channels: int, size: tuple[int, int], regularization: float
    ) -> None:
        config = replace(EXACT, regularization=regularization)
        templates = features(1, exemplars, channels, *size, seed=1)
        around = features(1, exemplars, contexts, channels, *size, seed=2)
        label = features(*size, seed=3)
        weights = running_weights(exemplars, 0.3)
        expected = dense_ridge(templates[0], around[0], label, weights, config)
        woodbury = solve_training(templates, around, label, config, weights)[0]
        primal = solve(running(templates, around, label, config, 0.3), config, torch.complex128)[0]
        assert relative(woodbury, expected) < 1e-10
        assert relative(primal, expected) < 1e-10

    @pytest.mark.parametrize(
        ("exemplars", "contexts", "channels"), [(3, 2, 1), (1, 0, 3)], ids=["one channel", "one crop"]
    )
    def test_shared_form_is_exact_for_one_channel_and_for_one_crop(
        self, exemplars: int, contexts: int, channels: int
    ) -> None:
        templates = features(1, exemplars, channels, 5, 6, seed=1)
        around = features(1, exemplars, contexts, channels, 5, 6, seed=2)
        label = features(5, 6, seed=3)
        weights = running_weights(exemplars, 0.3)
        expected = dense_ridge(templates[0], around[0], label, weights, SHARED)
        assert relative(solve_training(templates, around, label, SHARED, weights)[0], expected) < 1e-10
        statistics = running(templates, around, label, SHARED, 0.3)
        assert relative(solve(statistics, SHARED, torch.complex128)[0], expected) < 1e-10

    def test_shared_form_is_eq_7_with_one_denominator(self) -> None:
        template, around, label = features(1, 3, 5, 6, seed=1), features(1, 2, 3, 5, 6, seed=2), features(5, 6, seed=3)
        window = hann_window(5, 6)
        z0, zi = torch.fft.rfft2(template[0] * window), torch.fft.rfft2(around[0] * window)
        ridge = SHARED.regularization * (template * window).square().sum()
        denominator = z0.abs().square().sum(0) + 0.1 * zi.abs().square().sum((0, 1)) + ridge
        expected = torch.fft.rfft2(label) * z0.conj() / denominator
        found = solve(learn(template, around, label, SHARED), SHARED, torch.complex128)[0]
        assert relative(found, expected) < 1e-12

    def test_forms_differ_where_channels_and_contexts_meet(self) -> None:
        template, around, label = features(1, 3, 5, 6, seed=1), features(1, 2, 3, 5, 6, seed=2), features(5, 6, seed=3)
        exact = solve(learn(template, around, label, EXACT), EXACT)
        assert relative(solve(learn(template, around, label, SHARED), SHARED), exact) > 0.2

    @BOTH
    @pytest.mark.parametrize(("mean", "primal_error", "training_error"), [(0, 1e-6, 1e-6), (5, 1e-5, 1e-3)])
    def test_single_precision_features_suffice(
        self, config: FilterConfig, mean: float, primal_error: float, training_error: float
    ) -> None:
        """Also where the mean, so the lowest frequency, holds nearly all energy."""
        template, around = features(1, 16, 15, 15, seed=1) + mean, features(1, 4, 16, 15, 15, seed=2) + mean
        label = gaussian_label(15, SIGMA).double()
        expected = solve(learn(template, around, label, config), config, torch.complex128)
        found = solve(learn(template.float(), around.float(), label, config), config)
        trained = solve_training(template[:, None].float(), around[:, None].float(), label, config)
        assert found.dtype == trained.dtype == torch.complex64
        assert relative(found, expected) < primal_error
        assert relative(trained, expected) < training_error


class TestRunningUpdate:
    @BOTH
    @pytest.mark.parametrize("rate", [0.01, 0.3])
    def test_running_statistics_are_the_batch_solution(self, config: FilterConfig, rate: float) -> None:
        templates, around = features(2, 6, 3, 7, 7, seed=1), features(2, 6, 2, 3, 7, 7, seed=2)
        label = gaussian_label(7, SIGMA).double()
        expected = solve_training(templates, around, label, config, running_weights(6, rate))
        found = solve(running(templates, around, label, config, rate), config, torch.complex128)
        assert relative(found, expected) < 1e-10

    @BOTH
    def test_rate_may_differ_between_targets_and_is_exact_at_its_ends(self, config: FilterConfig) -> None:
        label = gaussian_label(7, SIGMA)
        old = learn(features(3, 2, 7, 7, seed=1), features(3, 1, 2, 7, 7, seed=2), label, config)
        new = learn(features(3, 2, 7, 7, seed=3), features(3, 1, 2, 7, 7, seed=4), label, config)
        mixed = blend(old, new, torch.tensor([0.0, 1.0, 0.25]))
        for name in ("gram", "cross", "energy"):
            before, after, found = getattr(old, name), getattr(new, name), getattr(mixed, name)
            assert torch.equal(found[0], before[0])
            assert torch.equal(found[1], after[1])
            torch.testing.assert_close(found[2], 0.75 * before[2] + 0.25 * after[2])

    @BOTH
    def test_equal_frames_change_nothing(self, config: FilterConfig) -> None:
        old = learn(features(1, 2, 7, 7), features(1, 1, 2, 7, 7), gaussian_label(7, SIGMA), config)
        torch.testing.assert_close(solve(blend(old, old, 0.3), config), solve(old, config))


class TestStatisticsAreValues:
    @pytest.fixture(params=[EXACT, SHARED], ids=["exact", "shared"])
    def statistics(self, request: pytest.FixtureRequest) -> Statistics:
        config: FilterConfig = request.param
        return learn(features(3, 2, 5, 5, seed=1), features(3, 1, 2, 5, 5, seed=2), gaussian_label(5, 1), config)

    def test_index_and_stack_are_inverse(self, statistics: Statistics) -> None:
        assert len(statistics) == 3
        parts = [statistics[[2]], statistics[0:1], statistics[torch.tensor([False, True, False])]]
        back = Statistics.stack(parts)[[1, 2, 0]]
        assert torch.equal(back.gram, statistics.gram)
        assert torch.equal(back.cross, statistics.cross)
        assert torch.equal(back.energy, statistics.energy)

    def test_blend_and_solve_leave_their_arguments_alone(self, statistics: Statistics) -> None:
        before = deepcopy(statistics)
        blend(statistics, statistics[[1, 2, 0]], 0.5)
        solve(statistics, EXACT)
        assert torch.equal(before.gram, statistics.gram)
        assert torch.equal(before.cross, statistics.cross)
        assert torch.equal(before.energy, statistics.energy)


class TestResponse:
    @BOTH
    @pytest.mark.parametrize("size", [31, 24])
    def test_peak_is_the_motion(self, config: FilterConfig, size: int) -> None:
        template = features(1, 16, size, size, seed=1, dtype=torch.float32)
        around = features(1, 4, 16, size, size, seed=2, dtype=torch.float32)
        filter = solve(learn(template, around, gaussian_label(size, SIGMA), config), config)
        response = respond(filter, template.roll((2, -3), (2, 3))[:, None])
        assert response.shape == (1, 1, size, size)
        torch.testing.assert_close(subcell_peak(response)[1][0, 0], torch.tensor([-3.0, 2.0]), atol=0.02, rtol=0)

    def test_on_its_own_template_the_response_is_the_label_wherever_its_peak_lies(self) -> None:
        template, around = features(1, 16, 31, 31, seed=1), features(1, 4, 16, 31, 31, seed=2)
        shift = torch.tensor([3.3, -5.6], dtype=torch.float64)
        label = gaussian_label(31, SIGMA, shift)
        response = respond(solve(learn(template, around, label, EXACT), EXACT, torch.complex128), template[:, None])
        assert relative(response[0, 0], label) < 0.02
        assert torch.dist(subcell_peak(response)[1][0, 0], shift) < 0.02

    def test_exact_form_silences_contexts_and_the_shared_one_does_not(self) -> None:
        template, around = features(1, 32, 31, 31, seed=1), features(1, 4, 32, 31, 31, seed=2)
        label = gaussian_label(31, SIGMA)

        def context_over_peak(config: FilterConfig) -> float:
            filter = solve(learn(template, around, label, config), config)
            return float(respond(filter, around).abs().max() / respond(filter, template[:, None]).max())

        assert context_over_peak(EXACT) < 0.02
        assert context_over_peak(SHARED) > 0.02

    @BOTH
    @pytest.mark.parametrize("scale", [1e-3, 1e4])
    def test_does_not_depend_on_the_scale_of_the_features(self, config: FilterConfig, scale: float) -> None:
        template, around = features(1, 4, 9, 9, seed=1), features(1, 2, 4, 9, 9, seed=2)
        search, label = features(1, 3, 4, 9, 9, seed=3), gaussian_label(9, SIGMA)

        def responses(factor: float) -> tuple[Tensor, Tensor]:
            z, c, x = factor * template, factor * around, factor * search
            primal = solve(learn(z, c, label, config), config, torch.complex128)
            return respond(primal, x), respond(solve_training(z[:, None], c[:, None], label, config), x)

        for found, expected in zip(responses(scale), responses(1.0), strict=True):
            assert relative(found, expected) < 1e-9

    @BOTH
    def test_targets_in_a_batch_equal_targets_alone(self, config: FilterConfig) -> None:
        templates, around = features(3, 2, 4, 9, 9, seed=1), features(3, 2, 2, 4, 9, 9, seed=2)
        search = features(3, 2, 4, 9, 9, seed=3)
        labels = gaussian_label(9, SIGMA, features(3, 2, seed=4))

        def both(index: slice) -> list[Tensor]:
            z, c, x, y = templates[index], around[index], search[index], labels[index]
            primal = solve(learn(z[:, 0], c[:, 0], y, config), config, torch.complex128)
            return [respond(primal, x), respond(solve_training(z, c, y, config), x)]

        together = both(slice(None))
        for target in range(3):
            for batch, single in zip(together, both(slice(target, target + 1)), strict=True):
                torch.testing.assert_close(batch[target], single[0], rtol=1e-10, atol=1e-12)

    def test_equal_weights_are_the_default_and_only_ratios_of_weights_matter(self) -> None:
        templates, around, label = features(1, 2, 3, 7, 7), features(1, 2, 1, 3, 7, 7), gaussian_label(7, SIGMA)
        default = solve_training(templates, around, label, EXACT)
        assert relative(solve_training(templates, around, label, EXACT, torch.tensor([4.0, 4.0])), default) < 1e-12

    def test_half_precision_and_autocast_do_not_reach_the_filter(self) -> None:
        template, around = features(1, 4, 9, 9, seed=1).bfloat16(), features(1, 2, 4, 9, 9, seed=2).bfloat16()
        label = gaussian_label(9, SIGMA)

        def run(z: Tensor, c: Tensor) -> list[Tensor]:
            primal = respond(solve(learn(z, c, label, EXACT), EXACT), z[:, None])
            return [primal, respond(solve_training(z[:, None], c[:, None], label, EXACT), z[:, None])]

        expected = run(template.float(), around.float())
        with torch.autocast("cpu", dtype=torch.bfloat16):
            found = run(template, around)
        for low, full in zip(found, expected, strict=True):
            assert low.dtype == torch.float32
            torch.testing.assert_close(low, full)


class TestEdges:
    @BOTH
    def test_without_contexts(self, config: FilterConfig) -> None:
        template, none, label = features(1, 3, 7, 7), torch.empty(1, 0, 3, 7, 7).double(), gaussian_label(7, SIGMA)
        primal = solve(learn(template, none, label, config), config, torch.complex128)
        assert relative(solve_training(template[:, None], none[:, None], label, config), primal) < 1e-10
        unweighted = replace(config, context_weight=0.0)
        around = features(1, 2, 3, 7, 7, seed=2)
        assert relative(solve(learn(template, around, label, unweighted), config, torch.complex128), primal) < 1e-12

    @BOTH
    def test_without_targets_or_searches(self, config: FilterConfig) -> None:
        label = gaussian_label(7, SIGMA)
        filter = solve(learn(torch.empty(0, 3, 7, 7), torch.empty(0, 4, 3, 7, 7), label, config), config)
        assert filter.shape == (0, 3, 7, 4)
        assert respond(filter, torch.empty(0, 3, 3, 7, 7)).shape == (0, 3, 7, 7)
        assert respond(torch.zeros(2, 3, 7, 4), torch.empty(2, 0, 3, 7, 7)).shape == (2, 0, 7, 7)
        none = solve_training(torch.empty(0, 2, 3, 7, 7), torch.empty(0, 2, 4, 3, 7, 7), label, config)
        assert none.shape == (0, 3, 7, 4)

    @BOTH
    def test_blank_template_gives_a_filter_of_zeros(self, config: FilterConfig) -> None:
        blank, label = torch.zeros(1, 3, 7, 7), gaussian_label(7, SIGMA)
        assert not solve(learn(blank, torch.zeros(1, 4, 3, 7, 7), label, config), config).any()
        assert not solve_training(blank[:, None], torch.zeros(1, 1, 4, 3, 7, 7), label, config).any()

    @BOTH
    def test_nan_features_of_one_target_spare_the_others(self, config: FilterConfig) -> None:
        template, around, label = features(2, 3, 7, 7), features(2, 2, 3, 7, 7), gaussian_label(7, SIGMA)
        expected = solve(learn(template, around, label, config), config)
        template[0, 1, 3, 3] = torch.nan
        found = solve(learn(template, around, label, config), config)
        assert found[0].isnan().all()
        torch.testing.assert_close(found[1], expected[1])
        value, shift = subcell_peak(respond(found, template[:, None]))
        assert value[0].isnan()
        assert torch.equal(shift[0, 0], torch.zeros(2).double())

    @BOTH
    @pytest.mark.parametrize("regularization", [0.0, -1.0, float("nan")])
    def test_regularization_must_be_above_zero(self, config: FilterConfig, regularization: float) -> None:
        config = replace(config, regularization=regularization)
        template, around, label = features(1, 3, 7, 7), features(1, 2, 3, 7, 7), gaussian_label(7, SIGMA)
        with pytest.raises(InputError, match=r"filter\.regularization: must be above 0"):
            solve(learn(template, around, label, config), config)
        with pytest.raises(InputError, match=r"filter\.regularization: must be above 0"):
            solve_training(template[:, None], around[:, None], label, config)

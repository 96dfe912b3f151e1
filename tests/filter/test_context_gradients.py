"""Gradients of the filter layer: finite differences, and the corrected Eq. 9 written out."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from rartrack.config import FilterConfig
from rartrack.filter.context import blend, learn, respond, solve, solve_training
from rartrack.filter.fourier import gaussian_label, hann_window

N, T, K, D, SIZE = 1, 2, 2, 3, (5, 6)
BETA = torch.tensor([0.3, 0.7], dtype=torch.float64)
EXACT = FilterConfig(regularization=1e-2)
SHARED = replace(EXACT, form="shared")
BOTH = pytest.mark.parametrize("config", [EXACT, SHARED], ids=["exact", "shared"])


def features(*shape: int, seed: int) -> Tensor:
    values = torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return values.requires_grad_()


def loss_and_gradients(config: FilterConfig, channels: int, exemplars: int, beta: Tensor) -> dict[str, Tensor]:
    """Eq. 8 for random features through the layer, its gradients by autograd, and what went in."""
    z0, zi = features(N, exemplars, channels, *SIZE, seed=1), features(N, exemplars, K, channels, *SIZE, seed=2)
    x = features(N, 1, channels, *SIZE, seed=3)
    label, wanted = features(*SIZE, seed=4).detach(), features(*SIZE, seed=5).detach()
    response = respond(solve_training(z0, zi, label, config, beta), x)
    (response - wanted).square().sum().backward()
    assert z0.grad is not None
    assert zi.grad is not None
    assert x.grad is not None
    found = {"z0": z0.grad[0], "zi": zi.grad[0], "x": x.grad[0, 0]}
    given = {"a": z0[0], "b": zi[0], "search": x[0, 0]}
    return {**found, **{name: value.detach() for name, value in given.items()}, "label": label, "wanted": wanted}


def spectrum(values: Tensor) -> Tensor:
    """Full spectrum of windowed features (..., n, m)."""
    return torch.fft.fft2(values * hann_window(*SIZE))


def back(gradient: Tensor) -> Tensor:
    """A gradient in the spectrum, G = F(dL/du), as one of the features, whose window it passes."""
    return torch.fft.ifft2(gradient).real * hann_window(*SIZE)


def assert_equal(found: Tensor, expected: Tensor) -> None:
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-11)


class TestGradcheck:
    @BOTH
    @pytest.mark.parametrize("contexts", [0, 1])
    def test_training_form(self, config: FilterConfig, contexts: int) -> None:
        label = gaussian_label(5, 1.0, torch.tensor([0.4, -0.3], dtype=torch.float64))

        def layer(templates: Tensor, around: Tensor, search: Tensor) -> Tensor:
            return respond(solve_training(templates, around, label, config, BETA), search)

        inputs = (
            features(N, T, 2, 5, 5, seed=1),
            features(N, T, contexts, 2, 5, 5, seed=2),
            features(N, 1, 2, 5, 5, seed=3),
        )
        assert torch.autograd.gradcheck(layer, inputs, fast_mode=True)

    @BOTH
    def test_running_form(self, config: FilterConfig) -> None:
        label = gaussian_label(5, 1.0).double()

        def layer(first: Tensor, second: Tensor, around: Tensor, search: Tensor) -> Tensor:
            statistics = blend(learn(first, around, label, config), learn(second, around, label, config), 0.3)
            return respond(solve(statistics, config, torch.complex128), search)

        crops = [features(N, 2, 5, 5, seed=1), features(N, 2, 5, 5, seed=2), features(N, 1, 2, 5, 5, seed=3)]
        assert torch.autograd.gradcheck(layer, [*crops, features(N, 1, 2, 5, 5, seed=4)], fast_mode=True)

    def test_blank_crops_have_finite_gradients(self) -> None:
        z0, zi, x = (torch.zeros(1, 1, *rest, 2, 5, 5, requires_grad=True) for rest in ((), (2,), ()))
        for config in (EXACT, SHARED):
            respond(solve_training(z0, zi, gaussian_label(5, 1.0), config), x).sum().backward()
        for values in (z0, zi, x):
            assert values.grad is not None
            assert values.grad.isfinite().all()


class TestFormulas:
    """SPEC Sec. 4. The unit of lambda1 depends on the templates, which the formulas leave out: it is added to them."""

    def test_exact_form(self) -> None:
        given = loss_and_gradients(EXACT, D, T, BETA)
        a, b, x = (spectrum(given[name]) for name in ("a", "b", "search"))  # (T, D, n, m), (T, K, D, n, m), (D, n, m)
        label, wanted = torch.fft.fft2(given["label"]), torch.fft.fft2(given["wanted"])
        energy = (BETA * (given["a"] * hann_window(*SIZE)).square().sum((1, 2, 3))).sum()
        lambda1, lambda2 = EXACT.regularization * energy, EXACT.context_weight
        system = lambda1 * torch.eye(D, dtype=a.dtype).expand(*SIZE, D, D)
        system = system + torch.einsum("t,tcnm,tdnm->nmcd", BETA.to(a.dtype), a.conj(), a)
        system = system + lambda2 * torch.einsum("t,tkcnm,tkdnm->nmcd", BETA.to(a.dtype), b.conj(), b)

        def solved(right: Tensor) -> Tensor:
            return torch.linalg.solve(system, right.permute(1, 2, 0)).permute(2, 0, 1)

        h = solved(label * torch.einsum("t,tdnm->dnm", BETA.to(a.dtype), a.conj()))
        error = 2 * ((h * x).sum(0) - wanted)
        q = solved(error * x.conj())

        def dot(filter: Tensor, values: Tensor) -> Tensor:
            return (filter * values).sum(-3)

        assert_equal(given["x"], back(error * h.conj()))
        for t in range(T):
            expected = back(BETA[t] * (q.conj() * (label - dot(h, a[t])) - h.conj() * dot(q, a[t])))
            # dL/dlambda1 by Parseval, times d(lambda1)/dz0.
            slope = -(q.conj() * h).sum().real / label.numel()
            unit = EXACT.regularization * 2 * BETA[t] * given["a"][t] * hann_window(*SIZE).double() ** 2
            assert_equal(given["z0"][t], expected + slope * unit)
            for i in range(K):
                g = -BETA[t] * lambda2 * (q.conj() * dot(h, b[t, i]) + h.conj() * dot(q, b[t, i]))
                assert_equal(given["zi"][t, i], back(g))

    def test_shared_form(self) -> None:
        given = loss_and_gradients(SHARED, D, T, BETA)
        a, b, x = (spectrum(given[name]) for name in ("a", "b", "search"))
        label, wanted = torch.fft.fft2(given["label"]), torch.fft.fft2(given["wanted"])
        weights = BETA[:, None, None, None]
        energy = (BETA * (given["a"] * hann_window(*SIZE)).square().sum((1, 2, 3))).sum()
        lambda1, lambda2 = SHARED.regularization * energy, SHARED.context_weight
        power = (weights * a.abs() ** 2).sum((0, 1)) + lambda2 * (weights[..., None] * b.abs() ** 2).sum((0, 1, 2))
        denominator = power + lambda1
        h = label * (weights * a.conj()).sum(0) / denominator
        response = (h * x).sum(0)
        error = 2 * (response - wanted)
        pull = 2 * (error.conj() * response).real / denominator

        assert_equal(given["x"], back(error * h.conj()))
        for t in range(T):
            expected = back(BETA[t] * (error.conj() * label * x / denominator - pull * a[t]))
            slope = -pull.sum() / 2 / label.numel()
            unit = SHARED.regularization * 2 * BETA[t] * given["a"][t] * hann_window(*SIZE).double() ** 2
            assert_equal(given["z0"][t], expected + slope * unit)
            for i in range(K):
                assert_equal(given["zi"][t, i], back(-BETA[t] * lambda2 * pull * b[t, i]))

    @BOTH
    def test_corrected_eq_9(self, config: FilterConfig) -> None:
        """One channel and one exemplar, as the paper prints it."""
        given = loss_and_gradients(config, 1, 1, torch.ones(1).double())
        z0, zi, x = spectrum(given["a"])[0, 0], spectrum(given["b"])[0, :, 0], spectrum(given["search"])[0]
        label, wanted = torch.fft.fft2(given["label"]), torch.fft.fft2(given["wanted"])
        lambda1 = config.regularization * (given["a"] * hann_window(*SIZE)).square().sum()
        s = z0.abs() ** 2 + lambda1 + config.context_weight * (zi.abs() ** 2).sum(0)
        h = z0.conj() * label / s
        g = h * x
        e = g - wanted

        assert_equal(given["x"][0], back(2 * e * h.conj()))
        expected = back((2 * e.conj() * x * (label - h * z0) - 2 * e * g.conj() * z0) / s)
        slope = -(2 * (e.conj() * g).real / s).sum() / label.numel()
        unit = config.regularization * 2 * given["a"][0, 0] * hann_window(*SIZE).double() ** 2
        assert_equal(given["z0"][0, 0], expected + slope * unit)
        for i in range(K):
            expected = back(-4 * config.context_weight * (e.conj() * g).real * zi[i] / s)
            assert_equal(given["zi"][0, i, 0], expected)

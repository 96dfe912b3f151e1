"""Windows, labels and sub-cell peaks."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from rartrack.filter.fourier import displacement_window, gaussian_label, hann_window, subcell_peak

SIGMA = 1.0625  # cells: 0.1 of a target that takes a third of a 255-pixel crop, at stride 8
steady = settings(deadline=None, max_examples=40, derandomize=True)
sizes = st.integers(7, 33)


def moved_by_fourier(response: Tensor, shift: Tensor) -> Tensor:
    """The interpolant of an odd-sized response read ``shift`` (x, y) cells further on."""
    n = response.shape[-1]
    rate = 2j * math.pi * torch.fft.fftfreq(n, dtype=torch.float64)
    phase = torch.exp(rate[:, None] * shift[1] + rate * shift[0])
    return torch.fft.ifft2(torch.fft.fft2(response.double()) * phase).real


def noise(n: int, seed: int) -> Tensor:
    return torch.randn(n, n, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


class TestHannWindow:
    @pytest.mark.parametrize("n", [7, 8, 31])
    def test_is_symmetric_zero_at_the_border_and_highest_in_the_middle(self, n: int) -> None:
        window = hann_window(n)
        assert window.shape == (n, n)
        assert torch.equal(window, window.T)
        torch.testing.assert_close(window, window.flip(0, 1))
        assert window[0].abs().max() == 0
        torch.testing.assert_close(window.max(), window[n // 2, n // 2])

    def test_is_the_raised_cosine(self) -> None:
        expected = [math.sin(math.pi * i / 4) ** 2 for i in range(5)]
        torch.testing.assert_close(hann_window(5)[2], torch.tensor(expected, dtype=torch.float64))

    def test_may_be_rectangular(self) -> None:
        assert hann_window(5, 6).shape == (5, 6)


class TestDisplacementWindow:
    @pytest.mark.parametrize("n", [6, 31])
    def test_is_one_at_no_motion_and_falls_off_alike_in_every_direction(self, n: int) -> None:
        window = displacement_window(n)
        assert window[0, 0] == 1
        torch.testing.assert_close(window[0, 1:], window[0, 1:].flip(0))
        torch.testing.assert_close(window, window.T)
        assert bool((window[0, 1 : n // 2 + 1] < window[0, : n // 2]).all())


class TestGaussianLabel:
    def test_is_one_at_no_motion_by_default(self) -> None:
        label = gaussian_label(31, SIGMA)
        assert label.shape == (31, 31)
        assert label[0, 0] == label.max() == 1
        torch.testing.assert_close(label[0, 1], torch.tensor(math.exp(-0.5 / SIGMA**2)))
        torch.testing.assert_close(label[30, 30], label[1, 1])

    def test_shift_is_x_then_y_and_signed(self) -> None:
        label = gaussian_label(31, SIGMA, torch.tensor([3.0, -2.0]))
        assert divmod(int(label.argmax()), 31) == (29, 3)
        assert label[29, 3] == 1

    @pytest.mark.parametrize("n", [30, 31])
    def test_wraps(self, n: int) -> None:
        shift = torch.tensor([0.3, -0.7], dtype=torch.float64)
        torch.testing.assert_close(gaussian_label(n, SIGMA, shift), gaussian_label(n, SIGMA, shift + n))

    def test_shifts_may_be_batched(self) -> None:
        shifts = torch.rand(2, 3, 2)
        labels = gaussian_label(9, SIGMA, shifts)
        assert labels.shape == (2, 3, 9, 9)
        torch.testing.assert_close(labels[1, 2], gaussian_label(9, SIGMA, shifts[1, 2]))

    def test_sum_of_squares_is_that_of_the_continuous_gaussian(self) -> None:
        total = gaussian_label(31, SIGMA).square().sum()
        torch.testing.assert_close(total, torch.tensor(math.pi * SIGMA**2), rtol=1e-3, atol=0)


class TestSubcellPeak:
    @steady
    @given(x=st.floats(-15, 15.4), y=st.floats(-15, 15.4), sigma=st.floats(SIGMA, 3))
    def test_finds_a_labels_shift_to_a_hundredth_of_a_cell(self, x: float, y: float, sigma: float) -> None:
        shift = torch.tensor([x, y])
        value, found = subcell_peak(gaussian_label(31, sigma, shift))
        assert torch.dist(found, shift, p=math.inf) < 0.01
        assert value == pytest.approx(1, abs=0.01)

    @steady
    @given(n=st.integers(16, 33), x=st.floats(-7, 7), y=st.floats(-7, 7))
    def test_odd_and_even_sizes(self, n: int, x: float, y: float) -> None:
        shift = torch.tensor([x, y])
        assert torch.dist(subcell_peak(gaussian_label(n, SIGMA, shift))[1], shift, p=math.inf) < 0.01

    @pytest.mark.parametrize(
        ("index", "shift"),
        [((0, 0), (0, 0)), ((2, 28), (-3, 2)), ((15, 16), (-15, 15))],
        ids=["no motion", "up to (n-1)//2 positive, beyond negative", "both ends"],
    )
    def test_indices_are_signed_as_x_y(self, index: tuple[int, int], shift: tuple[int, int]) -> None:
        response = torch.zeros(31, 31)
        response[index] = 1
        value, found = subcell_peak(response)
        torch.testing.assert_close(found, torch.tensor(shift, dtype=torch.float32))
        assert value == pytest.approx(1)

    def test_half_of_an_even_size_is_negative(self) -> None:
        response = gaussian_label(8, SIGMA, torch.tensor([4.0, 4.0]))
        torch.testing.assert_close(subcell_peak(response)[1], torch.tensor([-4.0, -4.0]))

    @pytest.mark.parametrize("shift", [(0.5, 0.5), (5.45, -3.55)])
    def test_narrow_label_between_four_cells(self, shift: tuple[float, float]) -> None:
        """DSST's label, 1/16 of the target, is undersampled, so less exact; but its corner is not lost."""
        label = gaussian_label(31, SIGMA / 1.6, torch.tensor(shift))
        torch.testing.assert_close(subcell_peak(label)[1], torch.tensor(shift), atol=0.03, rtol=0)

    @pytest.mark.parametrize("n", [8, 9])
    def test_never_below_the_largest_cell_nor_more_than_one_cell_from_it(self, n: int) -> None:
        """Noise, some of which sends Newton's method far off."""
        responses = torch.stack([noise(n, seed) for seed in range(3100)])
        value, shift = subcell_peak(responses)
        top, index = responses.flatten(1).max(1)
        assert bool((value >= top - 1e-9).all())
        cell = torch.stack([index % n, index // n], 1)
        cell = cell - n * (cell > (n - 1) // 2)
        assert (shift - cell).abs().max() <= 1

    @steady
    @given(n=st.integers(8, 16).map(lambda half: 2 * half + 1), seed=st.integers(0, 10**6))
    def test_value_is_the_interpolant_there_and_no_place_nearby_is_higher(self, n: int, seed: int) -> None:
        label = torch.fft.fft2(gaussian_label(n, SIGMA).double())
        response = torch.fft.ifft2(torch.fft.fft2(noise(n, seed)) * label).real
        value, shift = subcell_peak(response)
        torch.testing.assert_close(moved_by_fourier(response, shift)[0, 0], value)
        for nudge in torch.tensor([[1.0, 0], [-1, 0], [0, 1], [0, -1], [1, 1], [-1, 1]]) * 1e-3:
            assert moved_by_fourier(response, shift + nudge)[0, 0] <= value + 1e-12

    @steady
    @given(n=sizes, seed=st.integers(0, 10**6), rows=st.integers(0, 32), columns=st.integers(0, 32))
    def test_moves_with_the_response(self, n: int, seed: int, rows: int, columns: int) -> None:
        response = noise(n, seed)
        value, shift = subcell_peak(response)
        other, moved = subcell_peak(response.roll((rows, columns), (0, 1)))
        torch.testing.assert_close(other, value)
        difference = moved - shift - torch.tensor([columns, rows])
        torch.testing.assert_close(difference, n * (difference / n).round())

    def test_batch_equals_singles(self) -> None:
        responses = torch.stack([noise(15, seed) for seed in range(6)]).reshape(2, 3, 15, 15).float()
        value, shift = subcell_peak(responses)
        assert value.shape == (2, 3)
        assert shift.shape == (2, 3, 2)
        assert value.dtype == shift.dtype == torch.float32
        one_value, one_shift = subcell_peak(responses[1, 2])
        torch.testing.assert_close(value[1, 2], one_value)
        torch.testing.assert_close(shift[1, 2], one_shift)

    @pytest.mark.parametrize("n", [9, 31])
    @pytest.mark.parametrize("height", [0.0, 5.3, -0.7])
    def test_flat_response_means_no_motion(self, n: int, height: float) -> None:
        value, shift = subcell_peak(torch.full((n, n), height))
        assert value == pytest.approx(height)
        assert torch.equal(shift, torch.zeros(2))

    @pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
    def test_what_is_not_finite_has_no_value_and_no_motion_and_spares_its_neighbours(self, bad: float) -> None:
        responses = gaussian_label(9, SIGMA, torch.tensor([[2.0, 1.0], [2.0, 1.0]]))
        responses[0, 4, 4] = bad
        value, shift = subcell_peak(responses)
        assert value[0].isnan()
        assert torch.equal(shift[0], torch.zeros(2))
        torch.testing.assert_close(shift[1], torch.tensor([2.0, 1.0]), atol=0.01, rtol=0)

    def test_empty_batch(self) -> None:
        value, shift = subcell_peak(torch.zeros(0, 3, 9, 9))
        assert value.shape == (0, 3)
        assert shift.shape == (0, 3, 2)

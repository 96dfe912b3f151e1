"""GOT-10k's figures: frames pooled, first frames left out."""

from __future__ import annotations

import numpy as np
import pytest

from rartrack.evaluation import got10k

TRUTH = np.array([[10.0, 10, 20, 20], [10, 10, 20, 20], [10, 10, 20, 20]])


def test_the_first_frame_does_not_count() -> None:
    wrong_at_first = TRUTH.copy()
    wrong_at_first[0] = [100, 100, 5, 5]
    assert got10k.overlaps(wrong_at_first, TRUTH).tolist() == [-1, 1, 1]


def test_frames_where_the_target_is_not_visible_do_not_count() -> None:
    truth = TRUTH.copy()
    truth[1] = np.nan
    assert got10k.overlaps(TRUTH, truth).tolist() == [-1, -1, 1]
    assert got10k.counted(got10k.overlaps(TRUTH, truth)).tolist() == [1]


def test_a_nan_result_counts_as_no_overlap() -> None:
    result = TRUTH.copy()
    result[2] = np.nan
    assert got10k.overlaps(result, TRUTH).tolist() == [-1, 1, 0]


def test_rates_are_shares_strictly_above() -> None:
    assert got10k.figures(np.array([0.4, 0.5, 0.75, 0.95])) == pytest.approx({"ao": 0.65, "sr50": 0.5, "sr75": 0.25})


def test_agrees_with_the_got10k_package() -> None:
    package = pytest.importorskip("got10k.utils.metrics")
    generator = np.random.default_rng(0)
    truth = generator.uniform(-20, 300, (200, 4))
    truth[:, 2:] = generator.uniform(5, 120, (200, 2))
    result = truth + generator.normal(0, 15, truth.shape)
    expected = package.rect_iou(result[1:].copy(), truth[1:].copy(), bound=(320, 240))
    np.testing.assert_allclose(got10k.overlaps(result, truth, (320, 240))[1:], expected, atol=1e-12)
    curve = (expected[:, None] > np.linspace(0, 1, 101)).mean(axis=0)
    np.testing.assert_allclose(got10k.success_curve([expected]), curve)

"""The crop map: crop pixel u shows image position centre + (u - (S - 1) / 2) * window / S."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.testing import assert_allclose

from rartrack.tracking import crops
from rartrack.tracking.crops import cut, mean_colour, window_size


def ramp(width: int, height: int) -> np.ndarray:
    """An image whose red is the column and whose green is the row."""
    image = np.zeros((height, width, 3), dtype=np.uint8)
    image[..., 0] = np.arange(width)
    image[..., 1] = np.arange(height)[:, None]
    return image


def test_the_middle_pixel_of_a_crop_shows_the_centre() -> None:
    crop = cut(ramp(200, 150), np.array([[80.5, 60.5]]), np.array([[31.0, 31.0]]), 31)[0]
    assert tuple(crop[15, 15, :2]) == (80, 60)  # pixel 80 covers [80, 81), its centre is 80.5


def test_a_window_of_the_crops_size_is_copied_pixel_by_pixel() -> None:
    image = np.random.default_rng(0).integers(0, 255, (100, 120, 3), dtype=np.uint8)
    crop = cut(image, np.array([[60.5, 50.5]]), np.array([[31.0, 31.0]]), 31)[0]
    np.testing.assert_array_equal(crop, image[35:66, 45:76])


@pytest.mark.parametrize("window", [(20.0, 45.0), (60.0, 31.0), (90.0, 120.0)])
def test_positions_follow_the_map(window: tuple[float, float]) -> None:
    side, centre = 31, np.array([110.0, 75.0])
    crop = cut(ramp(220, 150), centre[None], np.array([window]), side)[0].astype(float)
    u = np.arange(side)
    expected_x = centre[0] + (u - 15) * window[0] / side - 0.5
    expected_y = centre[1] + (u - 15) * window[1] / side - 0.5
    inside = slice(2, -2)
    assert_allclose(crop[15, inside, 0], expected_x[inside], atol=1.1)
    assert_allclose(crop[inside, 15, 1], expected_y[inside], atol=1.1)


def test_shrinking_averages_instead_of_picking_pixels() -> None:
    checkers = np.indices((400, 400)).sum(axis=0) % 2 * 255
    image = np.repeat(checkers[..., None], 3, axis=2).astype(np.uint8)
    crop = cut(image, np.array([[200.0, 200.0]]), np.array([[310.0, 310.0]]), 31)[0]
    assert np.ptp(crop[3:-3, 3:-3]) < 60
    assert abs(crop.mean() - 127.5) < 5


@pytest.mark.parametrize("window", [(70.0, 70.0), (310.0, 130.0), (40.0, 260.0), (555.0, 555.0)])
def test_large_windows_are_means_of_blocks(window: tuple[float, float]) -> None:
    """Within the rounding of each halving what bilinear sampling of exact means gives."""
    image = cv2.GaussianBlur(np.random.default_rng(0).integers(0, 255, (640, 640, 3), dtype=np.uint8), (0, 0), 3)
    side, centre = 31, np.array([320.0, 320.0])
    crop = cut(image, centre[None], np.array([window]), side)[0].astype(float)
    block = [2 ** int(np.log2(max(1, edge / side))) for edge in window]
    means = image.astype(float).reshape(640 // block[1], block[1], 640 // block[0], block[0], 3).mean((1, 3))
    x, y = ((320 + (np.arange(side) - 15) * edge / side) / b - 0.5 for edge, b in zip(window, block, strict=True))
    grid = np.meshgrid(x, y)
    expected = cv2.remap(means.astype(np.float32), *(one.astype(np.float32) for one in grid), cv2.INTER_LINEAR)
    # Blocks start at the window's own corner: half a block away at most.
    assert np.abs(crop - expected)[2:-2, 2:-2].mean() < 3


@pytest.mark.parametrize("window", [(40.0, 70.0), (70.0, 40.0), (130.0, 70.0), (70.0, 130.0)])
def test_blocks_twice_as_long_as_wide_are_what_opencv_averages(
    window: tuple[float, float], monkeypatch: pytest.MonkeyPatch
) -> None:
    image = np.random.default_rng(0).integers(0, 256, (200, 240, 3), dtype=np.uint8)
    crop = cut(image, np.array([[120.3, 100.8]]), np.array([window]), 31)

    def by_area(rows: np.ndarray) -> np.ndarray:
        size = rows.shape[1], rows.shape[0] // 2
        return cv2.resize(np.ascontiguousarray(rows), size, interpolation=cv2.INTER_AREA)

    monkeypatch.setattr(crops, "_halved_rows", by_area)
    np.testing.assert_array_equal(crop, cut(image, np.array([[120.3, 100.8]]), np.array([window]), 31))


def test_of_a_frame_longer_than_opencv_resamples_the_windows_part_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    image = np.random.default_rng(0).integers(0, 256, (120, 240, 3), dtype=np.uint8)
    centres, windows = np.array([[100.3, 60.6], [3.0, 118.0], [-40.0, 20.0]]), np.array([[40.0, 25.0]] * 3)
    whole = cut(image, centres, windows, 31)
    sizes: list[tuple[int, ...]] = []
    warp = cv2.warpAffine
    monkeypatch.setattr(cv2, "warpAffine", lambda source, *rest: sizes.append(source.shape) or warp(source, *rest))
    monkeypatch.setattr(crops, "_LONGEST", 240)
    assert_allclose(cut(image, centres, windows, 31).astype(int), whole.astype(int), atol=1)  # the last bit's rounding
    assert max(size for shape in sizes for size in shape) < 50


def test_outside_the_frame_is_the_mean_colour() -> None:
    image = np.full((50, 50, 3), (200, 100, 50), dtype=np.uint8)
    crops = cut(image, np.array([[0.0, 0.0], [-500.0, 900.0]]), np.array([[60.0, 60.0], [60.0, 60.0]]), 15)
    assert_allclose(crops.reshape(-1, 3), np.broadcast_to([200, 100, 50], (450, 3)), atol=1)


@pytest.mark.parametrize("centre", [(0.0, 0.0), (49.0, 30.0), (1e5, -1e5)])
@pytest.mark.parametrize("window", [(1e-3, 1e-3), (5000.0, 7000.0)])
def test_extreme_windows_give_crops(centre: tuple[float, float], window: tuple[float, float]) -> None:
    crop = cut(ramp(50, 60), np.array([centre]), np.array([window]), 31)
    assert crop.shape == (1, 31, 31, 3)


def test_mean_colour_of_a_large_frame_is_that_of_all_its_pixels() -> None:
    image = cv2.resize(np.random.default_rng(0).integers(0, 255, (9, 12, 3), dtype=np.uint8), (1200, 900))
    assert_allclose(mean_colour(image), image.reshape(-1, 3).mean(axis=0), atol=2)


def test_window_shapes() -> None:
    size = np.array([[10.0, 40.0]])
    assert_allclose(window_size(size, 2.0, "stretch"), [[30, 120]])
    assert_allclose(window_size(size, 2.0, "square"), [[60, 60]])

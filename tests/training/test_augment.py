"""Changes of look: the same for all frames of a clip."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from rartrack.training.augment import augment, blur_kernel, coarse, colour_matrix, recolour
from rartrack.training.clips import Clip
from rartrack.training.config import AugmentConfig

NOTHING = AugmentConfig(0, 0, 0, 0, 0, 0, 0, 0)


def clip(exemplars: int = 2) -> Clip:
    """The same picture in every crop."""
    picture = np.random.default_rng(1).integers(30, 220, (31, 31, 3), dtype=np.uint8)
    contexts = np.broadcast_to(picture, (exemplars, 4, 31, 31, 3))
    label = np.array([2.0, 1, 1, 5, 6])
    return Clip(np.broadcast_to(picture, (exemplars, 31, 31, 3)), contexts, picture, label, "made")


def test_nothing_asked_nothing_done() -> None:
    before, after = clip(), augment(clip(), NOTHING, np.random.default_rng(0))
    np.testing.assert_array_equal(after.crops(), before.crops())
    np.testing.assert_array_equal(after.label, before.label)


def test_colour_and_mirror_are_one_draw_for_the_whole_clip() -> None:
    config = AugmentConfig(blur=0, drift=0)
    for seed in range(10):
        crops = augment(clip(), config, np.random.default_rng(seed)).crops()
        assert (crops == crops[0]).all()
        assert (crops[0] != clip().search).any()


def test_pseudo_clips_may_drift_in_brightness_frame_by_frame_with_their_contexts() -> None:
    crops = augment(clip(), replace(NOTHING, drift=0.3), np.random.default_rng(0), drift=True).crops()
    first, second, search = crops[[0, 2, 3, 4, 5]], crops[[1, 6, 7, 8, 9]], crops[10]
    assert (first == first[0]).all()
    assert (second == second[0]).all()
    assert first[0].mean() != second[0].mean() != search.mean()


def test_a_grey_clip_has_no_colour_left() -> None:
    matrix = colour_matrix(replace(NOTHING, grey=1.0), np.random.default_rng(0))
    grey = recolour(clip().crops(), matrix)
    assert np.ptp(grey, axis=-1).max() == 0
    luma = clip().search.astype(float) @ (0.299, 0.587, 0.114)
    np.testing.assert_allclose(grey[-1, ..., 0], luma, atol=1)


def test_a_quarter_of_the_clips_is_grey() -> None:
    random = np.random.default_rng(0)
    grey = [np.ptp(colour_matrix(AugmentConfig(), random)[:, 0]) < 1e-9 for _ in range(2000)]
    assert 0.21 < np.mean(grey) < 0.29


def test_blur_keeps_brightness_and_touches_one_frame_with_its_contexts() -> None:
    for seed in range(20):
        kernel = blur_kernel(np.random.default_rng(seed), 255)
        np.testing.assert_allclose(kernel.sum(), 1, atol=1e-5)
        np.testing.assert_allclose(kernel, kernel[::-1, ::-1], atol=1e-6)  # no shift
    crops = augment(clip(), replace(NOTHING, blur=1.0), np.random.default_rng(0)).crops()
    touched = [bool((crop != clip().search).any()) for crop in crops]
    frames = [touched[:1] + touched[2:6], touched[1:2] + touched[6:10], touched[10:]]
    assert sorted(all(frame) for frame in frames) == [False, False, True]
    assert sorted(any(frame) for frame in frames) == [False, False, True]


def test_a_coarse_clip_is_seen_through_few_pixels_in_every_frame() -> None:
    crops = augment(clip(), replace(NOTHING, coarse=1.0), np.random.default_rng(0), padding=0.0).crops()
    assert (crops == crops[0]).all()
    assert (crops[0] != clip().search).any()


def test_pixels_fewer_than_asked_for_are_not_made_more() -> None:
    picture = np.repeat(np.repeat(clip().search[:8, :8], 8, axis=0), 8, axis=1)
    assert np.abs(coarse(picture, 64, 100).astype(int) - picture).mean() < 8  # JPEG alone
    assert np.abs(coarse(picture, 200, 100).astype(int) - coarse(picture, 64, 100)).max() == 0
    few = coarse(picture, 4, 100).astype(float)
    assert few.std() < 0.8 * picture.std()
    assert abs(few.mean() - picture.mean()) < 3

"""A clip's geometry: what a label says is where the target is."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from rartrack.config import ModelConfig, TrackingConfig
from rartrack.tracking.crops import cut, window_size
from rartrack.training.clips import ASPECT_SLACK, Clip, Jitter, Shot, cut_clip, steady_sizes
from rartrack.training.config import DataConfig

SIDE = 255
BOX = np.array([150.0, 110.0, 60.0, 40.0])


def spot(box: np.ndarray, at: tuple[float, float] = (0, 0)) -> Shot:
    """A dark frame with a soft bright spot, ``at`` target sizes off the target's centre."""
    x, y = box[:2] + box[2:] * (0.5 + np.array(at))
    columns, rows = np.arange(400) + 0.5, np.arange(300) + 0.5
    bump = np.exp(-((columns - x) ** 2 + (rows[:, None] - y) ** 2) / (2 * 5.0**2))
    return Shot(np.repeat((250 * bump).astype(np.uint8)[..., None], 3, axis=2), box)


def centroid(crop: np.ndarray) -> np.ndarray:
    """Where the brightness of a crop lies, (x, y) in pixels from the crop's centre pixel."""
    weight = crop[..., 0].astype(float)
    weight[weight < 20] = 0
    grid = np.arange(len(crop)) - (len(crop) - 1) / 2
    return np.array([(weight.sum(0) * grid).sum(), (weight.sum(1) * grid).sum()]) / weight.sum()


def clip(
    shift: tuple[float, float] = (0, 0),
    zoom: float = 0.0,
    model: ModelConfig | None = None,
    at: tuple[float, float] = (0, 0),
) -> Clip:
    moved = BOX + np.array([7, -5, 0, 0])
    jitter = Jitter(np.array(shift), np.full(2, zoom))
    return cut_clip([spot(BOX, at), spot(moved, at)], jitter, model or ModelConfig(), "made")


@pytest.mark.parametrize("shift", [(0, 0), (48, -48), (-13.7, 29.2)])
@pytest.mark.parametrize("zoom", [-0.05, 0.0, 0.05])
@pytest.mark.parametrize("crop", ["stretch", "square"])
def test_the_target_lies_at_the_labels_peak(shift: tuple[float, float], zoom: float, crop: str) -> None:
    drawn = clip(shift, zoom, ModelConfig(tracking=TrackingConfig(crop=crop)))  # type: ignore[arg-type]
    np.testing.assert_allclose(centroid(drawn.search), 8 * drawn.label[:2], atol=0.1)
    np.testing.assert_allclose(8 * drawn.label[:2], shift)


@pytest.mark.parametrize(("place", "inside"), [((200.0, 120.0), True), ((330.0, 125.0), False)])
def test_a_window_elsewhere_says_where_the_target_is_from_there(place: tuple[float, float], inside: bool) -> None:
    jitter = Jitter(np.array([6.0, -9.0]), np.zeros(2))
    drawn = cut_clip([spot(BOX), spot(BOX)], jitter, ModelConfig(), "made", np.array(place))
    window = 3 * BOX[2:]
    expected = jitter.shift + (BOX[:2] + BOX[2:] / 2 - place) / window * SIDE
    np.testing.assert_allclose(8 * drawn.label[:2], expected)
    assert drawn.label[2] == inside
    if inside:
        np.testing.assert_allclose(centroid(drawn.search), expected, atol=0.1)
    else:
        assert drawn.search.max() < 20


def test_the_label_says_how_large_the_target_is() -> None:
    moved = BOX + np.array([7, -5, 4, -3])
    jitter = Jitter(np.zeros(2), np.array([0.2, -0.1]))
    drawn = cut_clip([spot(BOX), spot(moved)], jitter, ModelConfig(), "made")
    fitting = SIDE / 3 / 8  # cells a side of a target that fits its window
    aspect = np.sqrt((BOX[2] / BOX[3]) / (moved[2] / moved[3]))  # the window keeps the first box's
    expected = fitting * np.exp([-0.2, 0.1]) * [1 / aspect, aspect]
    np.testing.assert_allclose(drawn.label[3:], expected)
    np.testing.assert_array_equal(drawn.flipped().label[3:], drawn.label[3:])


def test_the_label_falls_with_the_windows_misfit() -> None:
    random, fitting = np.random.default_rng(0), np.array([90.0, 60.0])
    assert Jitter.draw(random, DataConfig(zoom=0.3), SIDE).height(2 * fitting, fitting) == 1
    drawn = [Jitter.draw(random, DataConfig(zoom=0.3, aspect=0.2, fit=0.1), SIDE) for _ in range(200)]
    width, height = np.array([jitter.zoom for jitter in drawn]).T
    assert 0.25 < np.abs(width + height).max() / 2 <= 0.3
    assert 0.15 < np.abs(width - height).max() <= 0.2
    expected = np.exp(-(width**2 + height**2) / 2 / (2 * 0.1**2))  # a misfit of 0.1 on both sides: exp(-1/2)
    found = [jitter.height(fitting * np.exp(jitter.zoom), fitting) for jitter in drawn]
    np.testing.assert_allclose(found, expected)


def test_windows_that_keep_the_first_aspect_misfit_too() -> None:
    image = np.zeros((200, 300, 3), np.uint8)
    first, last = Shot(image, np.array([100.0, 80, 40, 40])), Shot(image, np.array([100.0, 80, 48, 36]))
    jitter = Jitter(np.zeros(2), np.zeros(2), fit=0.1)
    made = cut_clip([first, last], jitter, ModelConfig(), "made")
    window = SIDE / 8 / made.label[3:]  # in targets, of which there are three where it fits
    misfit = np.log(window / 3)
    assert made.label[2] == pytest.approx(np.exp(-(misfit @ misfit) / 4 / 0.1**2), rel=1e-6)
    assert made.label[2] < 0.6


def test_the_mirror_image_moves_the_label_along() -> None:
    drawn = clip((31.0, -12.0))
    mirrored = drawn.flipped()
    np.testing.assert_allclose(centroid(mirrored.search), 8 * mirrored.label[:2], atol=0.1)
    assert mirrored.label[0] == -drawn.label[0]
    assert mirrored.label[1] == drawn.label[1]
    again = mirrored.flipped()
    np.testing.assert_array_equal(again.contexts, drawn.contexts)
    np.testing.assert_array_equal(again.label, drawn.label)


@pytest.mark.parametrize("quarters", [1, 2, 3])
def test_a_turned_search_crop_moves_the_label_along(quarters: int) -> None:
    drawn = clip((31.0, -12.0))
    turned = drawn.turned(quarters)
    np.testing.assert_allclose(centroid(turned.search), 8 * turned.label[:2], atol=0.1)
    np.testing.assert_array_equal(turned.label[3:], drawn.label[3:] if quarters == 2 else drawn.label[:2:-1])
    np.testing.assert_array_equal(turned.exemplars, drawn.exemplars)
    back = turned.turned(-quarters)
    np.testing.assert_array_equal(back.search, drawn.search)
    np.testing.assert_array_equal(back.label, drawn.label)


def test_exemplars_are_centred() -> None:
    np.testing.assert_allclose(centroid(clip((40, 40)).exemplars[0]), 0, atol=0.1)


@pytest.mark.parametrize(("context", "at"), [(0, (0, -1)), (1, (-1, 0)), (2, (0, 1)), (3, (1, 0))])
def test_contexts_are_centred_one_target_size_above_left_below_and_right(context: int, at: tuple[int, int]) -> None:
    drawn = clip(at=at)
    np.testing.assert_allclose(centroid(drawn.contexts[0, context]), 0, atol=0.1)
    mirrored = drawn.flipped()
    np.testing.assert_allclose(centroid(mirrored.contexts[0, {1: 3, 3: 1}.get(context, context)]), 0, atol=0.1)


def test_no_contexts_without_them_in_the_filter() -> None:
    model = replace(ModelConfig(), filter=replace(ModelConfig().filter, contexts=0))
    assert clip(model=model).contexts.shape == (1, 0, SIDE, SIDE, 3)


def test_crops_are_the_trackers_own() -> None:
    shot = Shot(np.random.default_rng(0).integers(0, 255, (300, 400, 3), dtype=np.uint8), BOX)
    drawn = cut_clip([shot, shot], Jitter(np.zeros(2), np.zeros(2)), ModelConfig(), "made")
    window = window_size(BOX[None, 2:], 2.0, "stretch")
    expected = cut(shot.image, BOX[None, :2] + BOX[None, 2:] / 2, window, SIDE)[0]
    np.testing.assert_array_equal(drawn.exemplars[0], expected)
    np.testing.assert_array_equal(drawn.search, expected)


def test_a_resampled_part_of_the_frame_gives_the_same_crop_as_the_frame() -> None:
    frame = spot(BOX)
    part = Shot(frame.image[20:, 30:], BOX, origin=(30.0, 20.0), scale=(1.0, 1.0), fill=(0.0, 0.0, 0.0))
    centre, window = BOX[None, :2] + BOX[None, 2:] / 2, 2 * BOX[None, 2:]
    difference = frame.crops(centre, window, SIDE).astype(int) - part.crops(centre, window, SIDE)
    assert np.abs(difference).max() <= 1


def test_windows_keep_the_first_aspect_and_each_frames_area() -> None:
    sizes = np.array([[40.0, 20.0], [36.0, 22.0], [20.0, 40.0]])
    steady = steady_sizes(sizes)
    np.testing.assert_allclose(steady.prod(axis=1), sizes.prod(axis=1))
    np.testing.assert_allclose(steady[1, 0] / steady[1, 1], 2.0)
    np.testing.assert_allclose(np.abs(np.log(steady / sizes)).max(), np.log(ASPECT_SLACK))


def test_pictures_taken_out_and_put_back_are_the_same_clip() -> None:
    drawn = clip()
    back = drawn.with_crops(drawn.crops())
    np.testing.assert_array_equal(back.contexts, drawn.contexts)
    np.testing.assert_array_equal(back.exemplars, drawn.exemplars)
    np.testing.assert_array_equal(back.search, drawn.search)

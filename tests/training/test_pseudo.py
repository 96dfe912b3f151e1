"""Photographs as small videos: the box stays on the object."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest

from rartrack.boxes import iou
from rartrack.training.clips import Shot
from rartrack.training.config import PseudoConfig
from rartrack.training.pseudo import (
    CutOut,
    Pose,
    another_view,
    camera_shots,
    composed_shots,
    cut_out,
    draw,
    occlude,
    outline_of,
    part_of,
)

BOX = np.array([70.0, 50.0, 40.0, 28.0])


def photograph() -> tuple[np.ndarray, np.ndarray]:
    """A red rectangle on grey, and its mask."""
    image = np.full((160, 220, 3), 90, np.uint8)
    mask = np.zeros((160, 220), bool)
    mask[50:78, 70:110] = True
    image[mask] = (250, 20, 20)
    return image, mask


def cut(image: np.ndarray, mask: np.ndarray) -> CutOut:
    found = cut_out(image, mask)
    assert found is not None
    return found


def made(image: np.ndarray, alpha: np.ndarray) -> CutOut:
    """A cut-out that is painted to its edge."""
    return CutOut(image, alpha, alpha, outline_of(alpha > 0.5))


def red_box(image: np.ndarray) -> np.ndarray:
    """Bounds of what is red."""
    red = (image[..., 0].astype(int) - image[..., 1]) > 110
    rows, columns = np.flatnonzero(red.any(1)), np.flatnonzero(red.any(0))
    return np.array([columns[0], rows[0], columns[-1] + 1 - columns[0], rows[-1] + 1 - rows[0]], dtype=float)


@pytest.mark.parametrize("seed", range(6))
def test_the_box_follows_what_a_moving_camera_sees(seed: int) -> None:
    config = PseudoConfig(zoom=0.15, aspect=0.1, turn=0.0, mirror_border=0.0)
    for shot in camera_shots(photograph()[0], BOX, 4, config, np.random.default_rng(seed)):
        assert iou(red_box(shot.image), shot.box) > 0.93


@pytest.mark.parametrize("seed", range(6))
def test_other_objects_are_where_the_moving_camera_sees_them(seed: int) -> None:
    config = PseudoConfig(zoom=0.15, aspect=0.1, turn=10.0, mirror_border=0.0)
    away = np.array([120.0, 90.0, 40.0, 28.0])  # the target, of the photograph's grey; the red rectangle is the other
    other = BOX[:2] + BOX[2:] / 2
    for shot in camera_shots(photograph()[0], away, 3, config, np.random.default_rng(seed), other[None]):
        seen = red_box(shot.image)
        np.testing.assert_allclose(shot.others, [seen[:2] + seen[2:] / 2], atol=1.5)


@pytest.mark.parametrize("seed", range(6))
def test_the_box_follows_an_object_moved_over_another_background(seed: int) -> None:
    image, mask = photograph()
    background = np.full((200, 260, 3), 140, np.uint8)
    config = PseudoConfig(zoom=0.15, aspect=0.1, turn=0.0, speed=0.4, size=(0.2, 0.3), mirror_border=0.0)
    shots = composed_shots(cut(image, mask), background, None, 4, config, np.random.default_rng(seed))
    for shot in shots:
        inside = np.clip(shot.box[:2] + shot.box[2:], 0, (260, 200)) - np.maximum(shot.box[:2], 0)
        if (inside < shot.box[2:]).any():
            continue  # partly out of the frame
        assert iou(red_box(shot.image), shot.box) > 0.8  # its outermost pixel is given up with the old background


@pytest.mark.parametrize("seed", range(8))
def test_the_box_lies_around_another_view(seed: int) -> None:
    image, mask = photograph()
    background = np.full((200, 260, 3), 140, np.uint8)
    config = PseudoConfig(
        zoom=0, aspect=0, turn=0, speed=0, size=(0.2, 0.3), mirror_border=0, view=1, view_turn=180, view_bend=0.15
    )
    first, last = composed_shots(cut(image, mask), background, None, 2, config, np.random.default_rng(seed))
    assert iou(red_box(first.image), first.box) > 0.8
    low, high = np.maximum(last.box[:2], 0), np.minimum(last.box[:2] + last.box[2:], (260, 200))
    assert iou(red_box(last.image), np.concatenate([low, high - low])) > 0.8  # as much of the box as is in the frame
    assert np.isclose(first.box[2] / first.box[3], BOX[2] / BOX[3])
    assert not np.allclose(last.box[2:], first.box[2:], rtol=0.02)


def ell() -> np.ndarray:
    """The mask of an L, whose box turned is not its box's box turned."""
    mask = np.zeros((160, 220), bool)
    mask[40:100, 90:102] = True
    mask[88:100, 90:150] = True
    return mask


@pytest.mark.parametrize("turn", [0.0, 12.0, -25.0, 90.0])
def test_the_box_lies_around_what_is_drawn_turned(turn: float) -> None:
    cutout = cut(np.full((160, 220, 3), 255, np.uint8), ell())
    canvas = np.zeros((200, 260, 3), np.uint8)
    pose = Pose(np.array([120.0, 90.0]), cutout.box[2:] * (1.3, 0.9), turn)
    draw(canvas, replace(cutout, alpha=cutout.mask), pose)
    drawn = np.array(cv2.boundingRect((canvas[..., 0] > 127).astype(np.uint8)), dtype=float)
    np.testing.assert_allclose(cutout.box_at(pose), drawn, atol=1.5)


@pytest.mark.parametrize("seed", range(6))
def test_the_box_lies_around_the_outline_that_a_turning_camera_sees(seed: int) -> None:
    mask = ell()
    image = np.where(mask[..., None], np.uint8((250, 20, 20)), np.uint8(90))
    config = PseudoConfig(zoom=0.05, aspect=0.1, turn=8.0, mirror_border=0.0)
    outline = outline_of(mask)
    box = np.array([90.0, 40.0, 60.0, 60.0])
    for shot in camera_shots(image, box, 3, config, np.random.default_rng(seed), None, outline):
        np.testing.assert_allclose(shot.box, red_box(shot.image), atol=2)


@pytest.mark.parametrize("seed", range(6))
def test_without_an_outline_the_camera_hardly_turns(seed: int) -> None:
    config = PseudoConfig(zoom=0.0, aspect=0.0, turn=40.0, mirror_border=0.0)
    for shot in camera_shots(photograph()[0], BOX, 3, config, np.random.default_rng(seed)):
        assert iou(red_box(shot.image), shot.box) > 0.85


def test_an_empty_mask_cuts_nothing_out() -> None:
    assert cut_out(photograph()[0], np.zeros((160, 220), bool)) is None


def test_another_view_by_nothing_is_the_same_view() -> None:
    image, mask = photograph()
    before, after = np.zeros((2, 120, 120, 3), np.uint8)
    cutout = cut(image, mask)
    same = another_view(cutout, PseudoConfig(view_turn=0, view_bend=0), np.random.default_rng(0))
    np.testing.assert_array_equal(same.box[2:], BOX[2:])
    draw(before, cutout, Pose(np.array([60.0, 60.0]), cutout.box[2:], 0.0))
    draw(after, same, Pose(np.array([60.0, 60.0]), same.box[2:], 0.0))
    np.testing.assert_array_equal(before, after)


def test_another_view_of_what_cannot_be_seen_changes_nothing() -> None:
    whole = made(np.zeros((9, 9, 3), np.uint8), np.ones((9, 9), np.float32))
    faint = replace(whole, mask=0.4 * whole.mask)
    assert another_view(faint, PseudoConfig(), np.random.default_rng(0)) is faint


def test_the_path_is_smooth_and_starts_with_the_object_as_it_is() -> None:
    shots = camera_shots(photograph()[0], BOX, 5, PseudoConfig(mirror_border=0.0), np.random.default_rng(3))
    np.testing.assert_allclose(shots[0].box, BOX)
    growth = np.abs(np.diff(np.log([shot.box[2:].prod() ** 0.5 for shot in shots])))
    assert growth.max() <= PseudoConfig().zoom + 1e-9


def test_a_mirrored_border_leaves_no_end_of_the_frame_near_the_target() -> None:
    shots = camera_shots(photograph()[0], BOX, 2, PseudoConfig(mirror_border=1.0), np.random.default_rng(3))
    assert shots[0].image.shape[:2] == (320, 440)
    assert iou(red_box(shots[0].image[80:240, 110:330]), BOX) > 0.95
    np.testing.assert_allclose(shots[0].box, BOX + np.array([110, 80, 0, 0]))


@pytest.mark.parametrize("seed", range(6))
def test_a_part_lies_inside_its_object(seed: int) -> None:
    x, y, width, height = part_of(BOX, np.random.default_rng(seed))
    assert BOX[0] <= x < x + width <= BOX[0] + BOX[2] + 1e-9
    assert BOX[1] <= y < y + height <= BOX[1] + BOX[3] + 1e-9
    assert 0.3 <= width / BOX[2] <= 0.8
    assert 0.3 <= height / BOX[3] <= 0.8


@pytest.mark.parametrize("seed", range(8))
def test_an_occluder_hides_a_part_but_never_all(seed: int) -> None:
    image, _ = photograph()
    picture = np.full((30, 30, 3), (10, 10, 240), np.uint8)
    blue = made(picture, np.ones((30, 30), np.float32))
    hidden = occlude(Shot(image, BOX), blue, PseudoConfig(covered=0.4), np.random.default_rng(seed))
    part = hidden.image[50:78, 70:110].astype(int)
    share = (part[..., 2] > 120).mean()
    assert 0 < share <= 0.6
    np.testing.assert_array_equal(image, photograph()[0])


def test_a_cut_out_is_drawn_where_its_pose_says_turned_about_its_centre() -> None:
    canvas = np.zeros((200, 200, 3), np.uint8)
    alpha = np.zeros((50, 70), np.float32)
    alpha[10:30, 20:60] = 1
    cutout = made(np.full((50, 70, 3), 255, np.uint8), alpha)
    draw(canvas, cutout, Pose(np.array([90.0, 110.0]), np.array([80.0, 40.0]), 90.0))
    rows, columns = np.nonzero(canvas[..., 0] > 127)
    np.testing.assert_allclose([columns.min(), columns.max() + 1], [70, 110], atol=1)
    np.testing.assert_allclose([rows.min(), rows.max() + 1], [70, 150], atol=1)


def test_drawing_outside_the_image_changes_nothing() -> None:
    canvas = np.zeros((20, 20, 3), np.uint8)
    cutout = made(np.full((9, 9, 3), 255, np.uint8), np.ones((9, 9), np.float32))
    draw(canvas, cutout, Pose(np.array([200.0, 5.0]), np.array([9.0, 9.0]), 0.0))
    assert canvas.max() == 0


def test_a_cut_outs_edge_is_soft() -> None:
    image, mask = photograph()
    alpha = cut(image, mask).alpha
    assert ((alpha > 0.05) & (alpha < 0.95)).any()
    assert cv2.erode((alpha > 0.5).astype(np.uint8), np.ones((9, 9))).any()

"""Photographs turned into short videos: the camera moves, or a cut-out object moves over another photograph."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from rartrack.boxes import Boxes, centre_size, from_centre_size
from rartrack.training.clips import Shot
from rartrack.training.config import PseudoConfig
from rartrack.video.images import Image

Alpha = NDArray[np.float32]
"""(height, width) in [0, 1]."""

_ERODED = 1
"""Pixels given up along a cut-out's edge, which show the old background; its box is the whole object's."""

_TURN_OF_BOXES = 4.0
"""Largest turn in degrees of what has no mask: the box around it then is not known, and is taken to be the same."""

_FEATHER = 1.0
"""Standard deviation in pixels of the blur of a cut-out's edge, so that the edge itself is not what is learned."""

_MARGIN = 0.08
"""Room around a cut-out, as a fraction of its box, so that feathering and turning are not cut off."""

_KNOTS = 4
"""Knots along each axis of the grid whose displacements bend a cut-out."""

_INSIDE = 0.5
"""Least share of a pixel that the object covers where it is in its box."""

_PART = (0.3, 0.8)
"""Sides of a part of an object relative to the object's: a head, a wheel, an upper body."""


@dataclass(frozen=True)
class Pose:
    """Where a cut-out is drawn: centre (2,) and size (2,) in pixels of its box before it is turned, by degrees."""

    centre: NDArray[np.float64]
    size: NDArray[np.float64]
    turn: float


@dataclass(frozen=True)
class CutOut:
    """An object on its own.

    Attributes:
        image: RGB uint8, (height, width, 3), the object and what is around it.
        alpha: (height, width) in [0, 1], by which it is painted.
        mask: (height, width) in [0, 1], the whole object, to its edge.
        outline: (P, 2), see ``outline_of``, of the mask.
    """

    image: Image
    alpha: Alpha
    mask: Alpha
    outline: Boxes

    @property
    def box(self) -> Boxes:
        """(4,) x, y, w, h of the object in the image."""
        return box_around(self.outline)

    def box_at(self, pose: Pose) -> Boxes:
        """(4,) x, y, w, h of the object where it is drawn."""
        centre, size = centre_size(self.box)
        return box_around(_placed(self.outline, centre, pose.centre, pose.size / size, pose.turn))


def outline_of(mask: NDArray[np.bool_]) -> Boxes | None:
    """(P, 2) x, y at edges: corners of a mask (height, width), whose box is the mask's however they are turned and
    stretched together; None of an empty one."""
    found = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)[0]
    if not found:
        return None
    pixels = cv2.convexHull(np.concatenate(found))[:, 0].astype(np.float64)
    return np.asarray(pixels[:, None] + ((0, 0), (1, 0), (0, 1), (1, 1))).reshape(-1, 2)


def box_around(points: Boxes) -> Boxes:
    """(4,) x, y, w, h of points (P, 2)."""
    low = points.min(axis=0)
    return np.concatenate([low, points.max(axis=0) - low])


def cut_out(image: Image, mask: NDArray[np.bool_]) -> CutOut | None:
    """Take an object out of a photograph by its mask (height, width); None if that is empty."""
    height, width = mask.shape
    outline = outline_of(mask)
    if outline is None:
        return None
    box = box_around(outline)
    margin = np.ceil(_MARGIN * box[2:]) + 2
    low = np.clip(np.floor(box[:2] - margin), 0, (width - 1, height - 1)).astype(int)
    high = np.clip(np.ceil(box[:2] + box[2:] + margin), low + 1, (width, height)).astype(int)
    part = np.s_[low[1] : high[1], low[0] : high[0]]
    hard = mask[part].astype(np.float32)
    alpha = cv2.GaussianBlur(cv2.erode(hard, np.ones((2 * _ERODED + 1,) * 2)), (0, 0), _FEATHER)
    return CutOut(image[part], np.asarray(alpha, dtype=np.float32), hard, outline - low)


def part_of(box: Boxes, random: np.random.Generator) -> Boxes:
    """A box (4,) inside another one, each side ``_PART`` of its own."""
    size = random.uniform(*_PART, 2) * box[2:]
    return np.concatenate([box[:2] + random.uniform(0, 1, 2) * (box[2:] - size), size])


def camera_shots(
    image: Image,
    box: Boxes,
    count: int,
    config: PseudoConfig,
    random: np.random.Generator,
    others: Boxes | None = None,
    outline: Boxes | None = None,
) -> list[Shot]:
    """A photograph seen by a camera that zooms, turns and changes the target's aspect along a smooth path.

    The target stays where it is, since crops follow it anyway. Its box is the one around its outline; where there is
    none the camera hardly turns.

    Args:
        image: RGB uint8.
        box: (4,) of the target, where it has no outline.
        count: frames.
        config: rates of change.
        random: where chance comes from.
        others: (M, 2) centres of other objects.
        outline: (P, 2) of the target, see ``outline_of``.
    """
    image, offset = _widened(image, config, random)
    height, width = image.shape[:2]
    centre, size = centre_size(box if outline is None else box_around(outline))
    centre += offset
    others = (np.empty((0, 2)) if others is None else others) + offset
    zooms = _path(config.zoom, count, random)
    aspects = _path(config.aspect, count, random)
    turns = _path(config.turn, count, random)
    if outline is None and (most := abs(turns).max()) > _TURN_OF_BOXES:
        turns = turns * _TURN_OF_BOXES / most
    shots = []
    for zoom, aspect, turn in zip(zooms, aspects, turns, strict=True):
        factor = np.exp([zoom + aspect / 2, zoom - aspect / 2])
        matrix = _placement(centre, centre, factor, turn)
        frame = cv2.warpAffine(image, matrix, (width, height), None, cv2.INTER_LINEAR, cv2.BORDER_REFLECT_101)
        moved = (others - 0.5) @ matrix[:, :2].T + matrix[:, 2] + 0.5
        seen = from_centre_size(centre, size * factor)
        if outline is not None:
            seen = box_around(_placed(outline + offset, centre, centre, factor, turn))
        shots.append(Shot(np.asarray(frame, dtype=np.uint8), seen, others=moved))
    return shots


def composed_shots(
    target: CutOut,
    background: Image,
    distractor: CutOut | None,
    count: int,
    config: PseudoConfig,
    random: np.random.Generator,
) -> list[Shot]:
    """A cut-out moving over another photograph, which a moving camera sees; another object may move beside it."""
    frame = np.array(background.shape[1::-1], dtype=np.float64)
    background, offset = _widened(background, config, random)
    height, width = background.shape[:2]
    middle = np.array([width, height]) / 2
    _, size = centre_size(target.box)
    side = random.uniform(*config.size) * np.sqrt(frame.prod())
    size = size * side / np.sqrt(size.prod())
    size = size * min(1.0, float((0.8 * frame / size).min()))
    start = offset + random.uniform(0.5 * size, frame - 0.5 * size)
    poses = _poses(start, size, count, config, random, (offset, offset + frame))
    views = [target] * count
    if config.view and random.random() < config.view:
        views[-1] = another_view(target, config, random)
        poses[-1] = replace(poses[-1], size=poses[-1].size * views[-1].box[2:] / target.box[2:])
    beside = None
    if distractor is not None:
        angle, distance = random.uniform(0, 2 * np.pi), random.uniform(1.1, 2.2)
        apart = start + distance * side * np.array([np.cos(angle), np.sin(angle)])
        own = distractor.box[2:]
        scaled = own * side * np.exp(random.uniform(-0.3, 0.3)) / np.sqrt(own.prod())
        beside = _poses(apart, scaled, count, config, random, None)
    pans = np.stack([_path(config.speed * side / 2, count, random) for _ in range(2)], axis=1)
    zooms = _path(config.zoom / 2, count, random)
    shots = []
    for index, pose in enumerate(poses):
        matrix = _placement(middle, middle + pans[index], np.exp([zooms[index]] * 2), 0)
        canvas = cv2.warpAffine(background, matrix, (width, height), None, cv2.INTER_LINEAR, cv2.BORDER_REFLECT_101)
        canvas = np.asarray(canvas, dtype=np.uint8)
        if beside is not None and distractor is not None:
            draw(canvas, distractor, beside[index])
        draw(canvas, views[index], pose)
        others = np.empty((0, 2)) if beside is None else beside[index].centre[None]
        shots.append(Shot(canvas, views[index].box_at(pose), others=others))
    return shots


def occlude(shot: Shot, occluder: CutOut, config: PseudoConfig, random: np.random.Generator) -> Shot:
    """Hide a part of the target, ``covered`` of its box at most, under a pasted object that comes in from one side."""
    centre, size = centre_size(shot.box)
    own = occluder.box[2:]
    pasted = own * np.sqrt(size.prod() / own.prod()) * random.uniform(0.6, 1.2)
    axis, sign = int(random.integers(2)), random.choice([-1.0, 1.0])
    covered = random.uniform(0.1, config.covered)
    offset = random.uniform(-0.3, 0.3, 2) * size
    offset[axis] = sign * ((size[axis] + pasted[axis]) / 2 - covered * size[axis])
    canvas = shot.image.copy()
    draw(canvas, occluder, Pose(centre + offset, pasted, random.uniform(-30, 30)))
    return replace(shot, image=canvas)


def another_view(cutout: CutOut, config: PseudoConfig, random: np.random.Generator) -> CutOut:
    """A cut-out turned by up to ``view_turn`` degrees and bent by up to ``view_bend`` of its size."""
    centre, size = centre_size(cutout.box)
    half = float(np.hypot(*cutout.alpha.shape)) * (0.5 + config.view_bend)
    side = 2 * int(np.ceil(half)) + 1
    line = np.arange(side, dtype=np.float64) - side // 2
    angle = np.deg2rad(random.uniform(-config.view_turn, config.view_turn))
    # Around the pixel in the middle, so that what is neither turned nor bent is not resampled.
    x = np.cos(angle) * line + np.sin(angle) * line[:, None] + np.floor(centre[0])
    y = -np.sin(angle) * line + np.cos(angle) * line[:, None] + np.floor(centre[1])
    bends = random.uniform(-config.view_bend, config.view_bend, (2, _KNOTS, _KNOTS)) * np.sqrt(size.prod())
    x, y = (
        np.asarray(place + cv2.resize(bend, (side, side), interpolation=cv2.INTER_CUBIC), dtype=np.float32)
        for place, bend in zip((x, y), bends, strict=True)
    )
    mask = cv2.remap(cutout.mask, x, y, cv2.INTER_LINEAR, None, cv2.BORDER_CONSTANT)
    outline = outline_of(mask > _INSIDE)
    if outline is None:
        return cutout
    image = cv2.remap(cutout.image, x, y, cv2.INTER_LINEAR, None, cv2.BORDER_REPLICATE)
    alpha = cv2.remap(cutout.alpha, x, y, cv2.INTER_LINEAR, None, cv2.BORDER_CONSTANT)
    return CutOut(np.asarray(image, np.uint8), np.asarray(alpha, np.float32), np.asarray(mask, np.float32), outline)


def draw(canvas: Image, cutout: CutOut, pose: Pose) -> None:
    """Paint a cut-out onto an image, in place; what falls outside is cut off."""
    centre, size = centre_size(cutout.box)
    factor = pose.size / size
    extent = np.array(cutout.alpha.shape[::-1]) * factor
    radius = np.ceil(np.hypot(*extent) / 2 + np.abs((centre - np.array(cutout.alpha.shape[::-1]) / 2) * factor).max())
    limit = np.array(canvas.shape[1::-1])
    low = np.clip(np.floor(pose.centre - radius), 0, limit).astype(int)
    high = np.clip(np.ceil(pose.centre + radius), 0, limit).astype(int)
    if (high <= low).any():
        return
    matrix = _placement(centre, pose.centre - low, factor, pose.turn)
    shape = (int(high[0] - low[0]), int(high[1] - low[1]))
    shrinks = factor.min() < 0.5
    source, alpha = cutout.image, cutout.alpha
    if shrinks:  # average before sampling sparsely
        sigma = float(0.4 / factor.min())
        source, alpha = cv2.GaussianBlur(source, (0, 0), sigma), cv2.GaussianBlur(alpha, (0, 0), sigma)
    colour = cv2.warpAffine(source, matrix, shape, None, cv2.INTER_LINEAR, cv2.BORDER_REPLICATE)
    weight = cv2.warpAffine(alpha, matrix, shape, None, cv2.INTER_LINEAR, cv2.BORDER_CONSTANT)[..., None]
    part = canvas[low[1] : high[1], low[0] : high[0]]
    part[:] = np.round(part + weight * (colour.astype(np.float32) - part)).astype(np.uint8)


def _poses(
    start: NDArray[np.float64],
    size: NDArray[np.float64],
    count: int,
    config: PseudoConfig,
    random: np.random.Generator,
    limits: tuple[NDArray[np.float64], NDArray[np.float64]] | None,
) -> list[Pose]:
    """A smooth path from ``start``; centres stay between ``limits`` (low, high) where they are given."""
    zooms, aspects, turns = (_path(most, count, random) for most in (config.zoom, config.aspect, config.turn))
    moves = np.stack([_path(config.speed * np.sqrt(size.prod()), count, random) for _ in range(2)], axis=1)
    poses = []
    for index in range(count):
        factor = np.exp([zooms[index] + aspects[index] / 2, zooms[index] - aspects[index] / 2])
        centre = start + moves[index]
        if limits is not None:
            centre = np.clip(centre, limits[0] + 0.3 * size, limits[1] - 0.3 * size)
        poses.append(Pose(centre, size * factor, turns[index]))
    return poses


def _widened(image: Image, config: PseudoConfig, random: np.random.Generator) -> tuple[Image, NDArray[np.float64]]:
    """A photograph continued by its mirror image, or as it is; and where its corner came to lie.

    Photographs frame their objects tightly: most of a context crop would be beyond the border.
    """
    if random.random() >= config.mirror_border:
        return image, np.zeros(2)
    height, width = image.shape[:2]
    across, down = width // 2, height // 2
    wide = cv2.copyMakeBorder(image, down, down, across, across, cv2.BORDER_REFLECT_101)
    return np.asarray(wide, dtype=np.uint8), np.array([across, down], dtype=np.float64)


def _path(most: float, count: int, random: np.random.Generator) -> NDArray[np.float64]:
    """(count,) values from 0 whose steps are a steady rate plus a smaller change of it, each at most ``most``."""
    rate = random.uniform(-most, most)
    steps = np.clip(rate + random.uniform(-most / 2, most / 2, count - 1), -most, most)
    return np.concatenate([[0.0], np.cumsum(steps)])


def _placed(
    points: Boxes,
    source: NDArray[np.float64],
    target: NDArray[np.float64],
    factor: NDArray[np.float64],
    turn: float,
) -> Boxes:
    """Points (P, 2) at edges after ``_placement``."""
    return np.asarray((points - source) @ _linear(factor, turn).T + target)


def _linear(factor: Sequence[float] | NDArray[np.float64], turn: float) -> NDArray[np.float64]:
    """2x2 that scales by ``factor``, then turns by degrees."""
    angle = np.deg2rad(turn)
    rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return rotation @ np.diag(np.asarray(factor, dtype=np.float64))


def _placement(
    source: Sequence[float] | NDArray[np.float64],
    target: Sequence[float] | NDArray[np.float64],
    factor: Sequence[float] | NDArray[np.float64],
    turn: float,
) -> NDArray[np.float64]:
    """Affine 2x3 that scales by ``factor``, turns by degrees, takes ``source`` to ``target`` (positions at edges)."""
    linear = _linear(factor, turn)
    # warpAffine counts pixel centres: half a pixel off the edges on both sides.
    shift = np.asarray(target) - 0.5 - linear @ (np.asarray(source) - 0.5)
    return np.concatenate([linear, shift[:, None]], axis=1)

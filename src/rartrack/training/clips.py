"""A clip: T exemplars in time order with their contexts, one search crop, and the target's box in it (SPEC Sec. 9)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from rartrack.boxes import Boxes, centre_size
from rartrack.config import ModelConfig
from rartrack.network.base import STRIDE
from rartrack.tracking.crops import AROUND, Crops, cut, window_size
from rartrack.training.config import DataConfig
from rartrack.video.images import Image

ASPECT_SLACK = 1.15
"""A clip's windows keep the first box's aspect, as the tracker's do where scales are searched, unless a side would
change by more than this."""


@dataclass(frozen=True)
class Shot:
    """One frame of a clip, or the part of it around the target.

    Attributes:
        image: RGB uint8, the frame or a resampled part of it.
        box: (4,) x, y, w, h of the target in the frame (see ``rartrack.boxes``).
        origin: (2,) x, y in the frame of the image's left and top edge.
        scale: (2,) pixels of the image per pixel of the frame, along x and y.
        fill: RGB beyond the frame; None: the image's mean colour.
        others: (M, 2) centres of other objects in the frame, as far as they are known.
    """

    image: Image
    box: Boxes
    origin: tuple[float, float] = (0.0, 0.0)
    scale: tuple[float, float] = (1.0, 1.0)
    fill: tuple[float, float, float] | None = None
    others: Boxes = field(default_factory=lambda: np.empty((0, 2)))

    def crops(self, centres: Boxes, windows: Boxes, side: int) -> Crops:
        """Windows (B, 2) around centres (B, 2), both in pixels of the frame, as crops (B, side, side, 3)."""
        scale = np.asarray(self.scale)
        return cut(self.image, (centres - self.origin) * scale, windows * scale, side, self.fill)


@dataclass(frozen=True)
class Clip:
    """One training example.

    Attributes:
        exemplars: (T, S, S, 3) RGB uint8, the target's own crops in time order.
        contexts: (T, k, S, S, 3) RGB uint8, the crops around it: above, left, below, right.
        search: (S, S, 3) RGB uint8, the crop of a later frame in which the target is looked for.
        label: (5,) float64: x, y in cells, where the target's centre is from the search crop's; the height that the
            response shall have there, 1 where the window fits the target and 0 where the centre is outside; and the
            target's width and height in cells.
        name: which source, sequence and frames it comes from.
        skipped: what could not be used while this clip was drawn, a reason each.
    """

    exemplars: Crops
    contexts: Crops
    search: Image
    label: NDArray[np.float64]
    name: str
    skipped: tuple[str, ...] = ()

    def flipped(self) -> Clip:
        """The mirror image, left for right."""
        order = list(range(self.contexts.shape[1]))
        if len(order) == 4:
            order = [0, 3, 2, 1]
        return replace(
            self,
            exemplars=self.exemplars[:, :, ::-1],
            contexts=self.contexts[:, order, :, ::-1],
            search=self.search[:, ::-1],
            label=self.label * (-1, 1, 1, 1, 1),
        )

    def turned(self, quarters: int) -> Clip:
        """The search crop turned against the clock by quarters of a turn, as if target and camera had turned."""
        x, y, height, *size = self.label
        for _ in range(quarters % 4):
            x, y, size = y, -x, size[::-1]
        label = np.array([x, y, height, *size])
        return replace(self, search=np.ascontiguousarray(np.rot90(self.search, quarters)), label=label)

    def crops(self) -> Crops:
        """All crops in one new array (T + T k + 1, S, S, 3): exemplars, contexts, search."""
        side = self.search.shape[0]
        return np.concatenate([self.exemplars, self.contexts.reshape(-1, side, side, 3), self.search[None]])

    def with_crops(self, crops: Crops) -> Clip:
        """This clip with other pictures, given as ``crops`` returns them."""
        count = len(self.exemplars)
        contexts = crops[count:-1].reshape(self.contexts.shape)
        return replace(self, exemplars=crops[:count], contexts=contexts, search=crops[-1])


@dataclass(frozen=True)
class Jitter:
    """How the search window departs from the target.

    Attributes:
        shift: (2,) x, y in pixels of the search crop: where the target's centre lies off the crop's.
        zoom: (2,) log of the window's width and height relative to the target's own window.
        fit: see ``DataConfig.fit``.
    """

    shift: NDArray[np.float64]
    zoom: NDArray[np.float64]
    fit: float = 0.0

    @staticmethod
    def draw(random: np.random.Generator, data: DataConfig, side: int) -> Jitter:
        """Uniform on +-``zoom``, +-``aspect`` and +-``shift`` of the crop's side along each axis."""
        zoom, aspect = random.uniform(-data.zoom, data.zoom), random.uniform(-data.aspect, data.aspect)
        both = np.array([zoom + aspect / 2, zoom - aspect / 2])
        return Jitter(random.uniform(-data.shift, data.shift, 2) * side, both, data.fit)

    def height(self, window: Boxes, fitting: Boxes) -> float:
        """Of the label's peak, for a window (2,) where one (2,) would fit the target."""
        misfit = np.log(window / fitting)
        return math.exp(-0.25 * float(misfit @ misfit) / self.fit**2) if self.fit else 1.0


def cut_clip(shots: Sequence[Shot], jitter: Jitter, model: ModelConfig, name: str, place: Boxes | None = None) -> Clip:
    """Cut a clip's crops by the tracker's own crop map.

    Args:
        shots: T exemplars and the search frame, in time order.
        jitter: of the search window; exemplars are centred.
        model: its input size, padding, window shape and number of contexts are read.
        name: kept in the clip.
        place: (2,) in pixels of the search frame, where the window is placed instead of at the target.
    """
    side, padding, shape = model.network.input_size, model.tracking.padding, model.tracking.crop
    sizes = steady_sizes(np.stack([shot.box[2:] for shot in shots]))
    exemplars, contexts = [], []
    for shot, size in zip(shots[:-1], sizes[:-1], strict=True):
        centres = centre_size(shot.box)[0] + AROUND[: 1 + model.filter.contexts] * size
        windows = np.repeat(window_size(size, padding, shape)[None], len(centres), axis=0)
        crops = shot.crops(centres, windows, side)
        exemplars.append(crops[0])
        contexts.append(crops[1:])
    window = window_size(sizes[-1], padding, shape) * np.exp(jitter.zoom)
    target, shift = centre_size(shots[-1].box)[0], jitter.shift
    if place is not None:
        shift = shift + (target - place) * side / window
    centre = target - shift * window / side
    search = shots[-1].crops(centre[None], window[None], side)[0]
    cells = shots[-1].box[2:] / window * side / STRIDE
    fitting = window_size(shots[-1].box[2:], padding, shape)
    height = jitter.height(window, fitting) if np.abs(shift).max() < side / 2 else 0.0
    label = np.concatenate([shift / STRIDE, [height], cells])
    return Clip(np.stack(exemplars), np.stack(contexts), search, label, name)


def steady_sizes(sizes: Boxes) -> Boxes:
    """Sizes (T, 2) of the same area but with the first one's aspect, as far as ``ASPECT_SLACK`` lets them change."""
    aspect = np.log(sizes[:, 0] / sizes[:, 1])
    change = np.clip((aspect[0] - aspect) / 2, -np.log(ASPECT_SLACK), np.log(ASPECT_SLACK))
    return np.asarray(sizes * np.exp(np.stack([change, -change], axis=1)))

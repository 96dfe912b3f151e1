"""One annotated sequence, whatever layout it came from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from rartrack.boxes import Boxes
from rartrack.video.images import Image


class Frames(Protocol):
    """The frames of a sequence, read when asked for; picklable, so that a worker process can open them itself."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> Image: ...

    def __iter__(self) -> Iterator[Image]: ...


@dataclass(frozen=True)
class Sequence:
    """A video with one annotated target.

    Attributes:
        name: the benchmark's own name for it.
        boxes: (T, 4) float64, x, y, width, height, 0-based (see ``rartrack.boxes``), as the benchmark annotates them;
            four NaN where nothing is annotated. Some benchmarks write boxes without area instead: see ``visible``.
        frames: T frames, or None where only annotations are at hand (enough to score raw results).
        polygons: (T, 8) float64 corners x1, y1, ..., x4, y4 as VOT publishes them; a row is NaN where a frame is
            annotated by a box instead; None where no frame has a polygon.
        attributes: names of the attributes the whole sequence has, such as ``"OCC"``.
        tags: name of a per-frame tag -> (T,) bool; ``"absent"`` where the annotators saw no target.
        frame_size: (width, height) in pixels where known without reading a frame.
        rate: frames a second where known.
    """

    name: str
    boxes: Boxes
    frames: Frames | None = None
    polygons: Boxes | None = None
    attributes: frozenset[str] = frozenset()
    tags: Mapping[str, NDArray[np.bool_]] = field(default_factory=dict)
    frame_size: tuple[int, int] | None = None
    rate: float | None = None

    def __len__(self) -> int:
        return len(self.boxes)

    @property
    def visible(self) -> NDArray[np.bool_]:
        """(T,) bool: the frames with a box that has an area and is not tagged ``"absent"``."""
        has_area = np.asarray((self.boxes[:, 2:] > 0).all(axis=1) & np.isfinite(self.boxes).all(axis=1))
        absent = self.tags.get("absent")
        return has_area if absent is None else has_area & ~absent

    def beginning(self, frames: int | None) -> Sequence:
        """The annotation of so many frames from the start, or of all if None; ``frames`` stays as it is."""
        polygons = None if self.polygons is None else self.polygons[:frames]
        tags = {tag: flags[:frames] for tag, flags in self.tags.items()}
        return replace(self, boxes=self.boxes[:frames], polygons=polygons, tags=tags)

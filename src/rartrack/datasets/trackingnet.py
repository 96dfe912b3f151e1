"""TrackingNet: ``TRAIN_0`` to ``TRAIN_11`` and ``TEST``, each with ``anno/NAME.txt`` and ``frames/NAME/0.jpg``.

Source: M. Muller et al., "TrackingNet", ECCV 2018. The test split publishes the first box alone. Boxes are x,y,w,h in
fractions of pixels; they come from YouTube-BoundingBoxes, whose coordinates are fractions of the frame, so that 0 is
the frame's left edge and nothing is subtracted here (the data set's own pages do not say).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import partial
from pathlib import Path

from rartrack.datasets.dataset import Entry
from rartrack.datasets.images import padded_images
from rartrack.datasets.sequence import Sequence
from rartrack.datasets.text import read_boxes

ORIGIN = 0


def recognise(folder: Path) -> bool:
    """Whether a folder is the data set or one of its chunks."""
    return any(next(place.glob("anno/[!.]*.txt"), None) is not None for place in _chunks(folder))


def entries(folder: Path, names: Iterable[str] | None = None, split: str | None = None) -> list[Entry]:
    """The sequences of ``train`` or ``test``, or all."""
    chunks = [place for place in _chunks(folder) if split is None or place.name.lower().startswith(split)]
    found = [path for place in chunks for path in sorted(place.glob("anno/[!.]*.txt"))]
    if names is not None:
        wanted = set(names)
        found = [path for path in found if path.stem in wanted]
    return [Entry(path.stem, partial(_read, path)) for path in found]


def _chunks(folder: Path) -> list[Path]:
    inside = (
        [path for path in folder.iterdir() if re.fullmatch(r"TRAIN_\d+|TEST", path.name)] if folder.is_dir() else []
    )
    return sorted(inside, key=_order) if inside else [folder]


def _order(chunk: Path) -> tuple[bool, int]:
    return chunk.name == "TEST", int(chunk.name.removeprefix("TRAIN_")) if chunk.name != "TEST" else 0


def _read(annotation: Path) -> Sequence:
    images = annotation.parents[1] / "frames" / annotation.stem
    frames, boxes = padded_images(images, read_boxes(annotation, origin=ORIGIN), annotation)
    return Sequence(annotation.stem, boxes, frames)

"""Need for Speed: ``NAME/30/NAME/*.jpg`` and ``NAME/30/NAME.txt``, the same under ``240``.

Source: H. K. Galoogahi et al., "Need for Speed", ICCV 2017. A line is VATIC's: track, left, top, right, bottom,
frame, lost, occluded, generated, label; coordinates are taken as edges, 0-based, as VATIC writes them (the data set
does not say). The annotation under ``30`` is that of 240 frames a second, of which every eighth line belongs to an
image; the lengths may then differ by one, and the shorter counts (so the got10k toolkit does).
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from pathlib import Path

import numpy as np

from rartrack.datasets.dataset import Entry
from rartrack.datasets.images import image_frames, same_length
from rartrack.datasets.sequence import Frames, Sequence
from rartrack.datasets.text import read_lines
from rartrack.errors import InputError
from rartrack.video.images import image_names

RATES = (30, 240)

_STEP = 240 // 30


def recognise(folder: Path) -> bool:
    """Whether a folder holds sequences in this layout."""
    return any(next(folder.glob(f"*/{rate}/[!.]*.txt"), None) is not None for rate in RATES)


def entries(folder: Path, names: Iterable[str] | None = None, rate: int = 30) -> list[Entry]:
    """The sequences at 30 or 240 frames a second."""
    if names is None:
        names = sorted(path.stem for path in folder.glob(f"*/{rate}/[!.]*.txt"))
    return [Entry(name, partial(_read, folder / name / str(rate), name, rate)) for name in names]


def _read(folder: Path, name: str, rate: int) -> Sequence:
    annotation = folder / f"{name}.txt"
    rows = np.asarray([_row(annotation, number, line) for number, line in enumerate(read_lines(annotation), start=1)])
    if not len(rows):
        raise InputError(f"{annotation}: empty; one line per frame expected")
    images = image_names(folder / name) if (folder / name).is_dir() else []
    if rate == 30 and (not images or len(rows) > len(images) + 1):
        rows = rows[::_STEP]
    frames: Frames | None = None
    if images:
        if abs(len(rows) - len(images)) > 1:
            same_length(len(rows), annotation, len(images), f"images in {folder / name}")
        rows = rows[: len(images)]
        frames = image_frames(folder / name, images[: len(rows)])
    boxes = np.concatenate([rows[:, :2], rows[:, 2:4] - rows[:, :2]], axis=1)
    return Sequence(name, boxes, frames, tags={"absent": rows[:, 4] > 0}, rate=float(rate))


def _row(annotation: Path, number: int, line: str) -> list[float]:
    """Left, top, right, bottom and lost."""
    parts = line.split(maxsplit=9)
    try:
        return [float(part) for part in (*parts[1:5], parts[6])]
    except (IndexError, ValueError):
        raise InputError(
            f"{annotation}: line {number} is {line[:60]!r}, expected track left top right bottom frame lost ..."
        ) from None

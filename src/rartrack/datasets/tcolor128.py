"""TColor-128: ``NAME/img/0001.jpg``, ``NAME/NAME_gt.txt`` (x,y,w,h) and ``NAME/NAME_frames.txt`` (first,last image).

Source: P. Liang, E. Blasch, H. Ling, "Encoding Color Information for Visual Tracking", TIP 2015. Its annotation follows
OTB's, 1-based.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from pathlib import Path

from rartrack.datasets.dataset import Entry
from rartrack.datasets.images import numbered_images, same_length
from rartrack.datasets.sequence import Sequence
from rartrack.datasets.text import read_boxes, read_text
from rartrack.errors import InputError

ORIGIN = 1


def recognise(folder: Path) -> bool:
    """Whether a folder holds sequences in this layout."""
    return next(folder.glob("*/[!.]*_gt.txt"), None) is not None


def entries(folder: Path, names: Iterable[str] | None = None) -> list[Entry]:
    """The sequences that are there, or the named ones."""
    if names is None:
        names = sorted(path.parent.name for path in folder.glob("*/[!.]*_gt.txt"))
    return [Entry(name, partial(_read, folder / name)) for name in names]


def _read(folder: Path) -> Sequence:
    annotation = folder / f"{folder.name}_gt.txt"
    boxes = read_boxes(annotation, origin=ORIGIN)
    if not (folder / "img").is_dir():
        return Sequence(folder.name, boxes)
    first, last = _range(folder / f"{folder.name}_frames.txt")
    same_length(len(boxes), annotation, last - first + 1, f"images {first} to {last}")
    return Sequence(folder.name, boxes, numbered_images(folder / "img", range(first, last + 1)))


def _range(path: Path) -> tuple[int, int]:
    parts = read_text(path).replace(",", " ").split()
    if len(parts) != 2 or not all(part.isdecimal() for part in parts):
        raise InputError(f"{path}: expected the numbers of the first and the last image, got {' '.join(parts)[:60]!r}")
    return int(parts[0]), int(parts[1])

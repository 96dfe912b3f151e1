"""LaSOT: ``CLASS/CLASS-N/`` (or ``CLASS-N/``) with ``img/``, ``groundtruth.txt`` and two files of flags.

Source: H. Fan et al., "LaSOT", CVPR 2019. Boxes are 1-based x,y,w,h (so its author in the toolkit's issue 14). Of the
20 videos of each of 70 classes, ``tables/lasot.csv`` names the four of the test set (protocol II); the rest is for
training. Frames that ``full_occlusion.txt`` or ``out_of_view.txt`` marks are tagged ``absent``.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rartrack.datasets.dataset import Entry
from rartrack.datasets.images import all_images
from rartrack.datasets.sequence import Sequence
from rartrack.datasets.text import read_boxes, read_flags, read_table
from rartrack.errors import InputError

VIDEOS_A_CLASS = 20
ORIGIN = 1

_FLAGS = ("full_occlusion", "out_of_view")


def members(split: str) -> tuple[str, ...]:
    """Names of the 280 sequences of ``test`` or the 1,120 of ``train``."""
    names = []
    for row in read_table("datasets", "lasot"):
        test = {int(number) for number in row["test"].split()}
        numbers = [number for number in range(1, VIDEOS_A_CLASS + 1) if (number in test) == (split == "test")]
        names += [f"{row['class']}-{number}" for number in numbers]
    return tuple(names)


def recognise(folder: Path) -> bool:
    """Whether a folder holds sequences in this layout."""
    return any(_has_flags(path.parent) for path in _annotations(folder))


def entries(folder: Path, names: Iterable[str] | None = None) -> list[Entry]:
    """The sequences that are there, or the named ones."""
    if names is None:
        return [
            Entry(path.parent.name, partial(_read, path.parent)) for path in sorted(_annotations(folder), key=_order)
        ]
    return [Entry(name, partial(_read_named, folder, name)) for name in names]


def _annotations(folder: Path) -> Iterable[Path]:
    yield from folder.glob("*/groundtruth.txt")
    yield from folder.glob("*/*/groundtruth.txt")


def _has_flags(folder: Path) -> bool:
    return any((folder / f"{flag}.txt").is_file() for flag in _FLAGS)


def _order(annotation: Path) -> tuple[str, int]:
    name, _, number = annotation.parent.name.rpartition("-")
    return name, int(number) if number.isdecimal() else -1


def _read_named(folder: Path, name: str) -> Sequence:
    nested, flat = folder / name.rpartition("-")[0] / name, folder / name
    found = next((place for place in (nested, flat) if place.is_dir()), None)
    if found is None:
        raise InputError(f"{folder}: {name} is missing; {nested} and {flat} were looked for")
    return _read(found)


def _read(folder: Path) -> Sequence:
    annotation = folder / "groundtruth.txt"
    boxes = read_boxes(annotation, origin=ORIGIN)
    images = folder / "img"
    frames = all_images(images, len(boxes), annotation) if images.is_dir() else None
    return Sequence(folder.name, boxes, frames, tags=_tags(folder, len(boxes)))


def _tags(folder: Path, frames: int) -> dict[str, NDArray[np.bool_]]:
    found = {flag: folder / f"{flag}.txt" for flag in _FLAGS}
    tags = {flag: read_flags(path, frames) for flag, path in found.items() if path.is_file()}
    if tags:
        tags["absent"] = np.logical_or.reduce(list(tags.values()))
    return tags

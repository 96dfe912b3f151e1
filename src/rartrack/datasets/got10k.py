"""GOT-10k: ``train|val|test/GOT-10k_Train_000001/`` with images, boxes, labels and ``meta_info.ini``.

Source: L. Huang, X. Zhao, K. Huang, "GOT-10k", TPAMI 2021. Boxes are 1-based x,y,w,h (so its author in the toolkit's
issue 6); the test split publishes the first box alone. Frames are tagged ``absent`` (absence.label), ``cut_by_image``
and ``covered`` (cover.label above 0: the target is at least partly in view; the toolkit scores those frames alone).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rartrack.datasets.dataset import Entry
from rartrack.datasets.images import padded_images
from rartrack.datasets.sequence import Sequence
from rartrack.datasets.text import read_boxes, read_flags, read_lines
from rartrack.errors import InputError

SPLITS = ("train", "val", "test")
ORIGIN = 1

_LABELS = {"absence": "absent", "cut_by_image": "cut_by_image", "cover": "covered"}


def recognise(folder: Path) -> bool:
    """Whether a folder is the data set or one of its splits."""
    return any(next(place.glob("GOT-10k_*"), None) is not None for place in (folder, *_splits(folder)))


def entries(folder: Path, names: Iterable[str] | None = None, split: str | None = None) -> list[Entry]:
    """The sequences of a split, or of every split that is there."""
    places = _splits(folder)
    if split is not None:
        places = [place for place in places if place.name == split]
    found = [(place, name) for place in places for name in _listed(place)]
    if not places:  # the folder is a split itself, which its sequences' names say
        own = "" if split is None else f"GOT-10k_{split.capitalize()}_"
        found = [(folder, name) for name in _listed(folder) if name.startswith(own)]
    if names is not None:
        wanted = set(names)
        found = [(place, name) for place, name in found if name in wanted]
    return [Entry(name, partial(_read, place / name)) for place, name in found]


def _splits(folder: Path) -> list[Path]:
    return [folder / split for split in SPLITS if (folder / split).is_dir()]


def _listed(folder: Path) -> list[str]:
    listed = folder / "list.txt"
    if listed.is_file():
        return [line for line in read_lines(listed) if line]
    return sorted(path.name for path in folder.glob("GOT-10k_*") if path.is_dir())


def _read(folder: Path) -> Sequence:
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder; sequence {folder.name} was looked for there")
    annotation = folder / "groundtruth.txt"
    frames, boxes = padded_images(folder, read_boxes(annotation, origin=ORIGIN), annotation)
    about = _describe(folder / "meta_info.ini")
    size = re.findall(r"\d+", about.get("resolution", ""))
    rate = re.findall(r"\d+(?:\.\d+)?", about.get("anno_fps", ""))
    return Sequence(
        folder.name,
        boxes,
        frames,
        tags=_tags(folder, len(boxes)),
        frame_size=(int(size[0]), int(size[1])) if len(size) == 2 else None,
        rate=float(rate[0]) if rate else None,
    )


def _describe(path: Path) -> dict[str, str]:
    lines = read_lines(path) if path.is_file() else []
    return {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in lines)}


def _tags(folder: Path, frames: int) -> dict[str, NDArray[np.bool_]]:
    found = {tag: folder / f"{label}.label" for label, tag in _LABELS.items()}
    return {tag: read_flags(path, frames) for tag, path in found.items() if path.is_file()}

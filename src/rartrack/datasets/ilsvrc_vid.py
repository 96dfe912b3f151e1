"""ILSVRC VID: ``Data/VID/train|val/.../VIDEO/000000.JPEG`` and ``Annotations/VID/train|val/.../VIDEO/000000.xml``.

Source: O. Russakovsky et al., "ImageNet Large Scale Visual Recognition Challenge", IJCV 2015, and the readme of its
2015 development kit. A video holds several tracks; each that lasts two frames or more becomes the sequence
VIDEO-TRACK, from its first frame to its last, NaN and tagged ``absent`` between, its category (such as n01674464) as
an attribute. Coordinates are taken as edges, 0-based (the kit does not say). Naming the tracks takes reading every XML
file once: minutes for the whole training set.
"""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

import numpy as np

from rartrack.datasets.dataset import Entry
from rartrack.datasets.images import numbered_images
from rartrack.datasets.sequence import Sequence
from rartrack.errors import InputError

SPLITS = ("train", "val")

_CORNERS = ("xmin", "ymin", "xmax", "ymax")

Track = dict[int, tuple[float, ...]]
"""Frame -> left, top, right, bottom."""


def recognise(folder: Path) -> bool:
    """Whether a folder is the data set (the one that holds ``Annotations/VID``)."""
    return (folder / "Annotations" / "VID").is_dir()


def entries(folder: Path, names: Iterable[str] | None = None, split: str | None = None) -> list[Entry]:
    """The tracks of ``train`` or ``val``, or all."""
    found = []
    for part in SPLITS if split is None else (split,):
        root = folder / "Annotations" / "VID" / part
        for video in sorted({path.parent for path in root.rglob("[!.]*.xml")}):
            images = folder / "Data" / "VID" / part / video.relative_to(root)
            for number, track in _tracks(video).items():
                name = f"{video.name}-{number}"
                found.append(Entry(name, partial(_sequence, name, track, images, partial(_category, video, number))))
    if names is not None:
        wanted = set(names)
        found = [entry for entry in found if entry.name in wanted]
    return found


def _tracks(video: Path) -> dict[str, Track]:
    tracks: dict[str, Track] = {}
    for path in sorted(video.glob("[!.]*.xml")):
        if not path.stem.isdecimal():
            raise InputError(f"{path}: no frame's number, such as 000000.xml; remove the file")
        for number, box in _objects(path):
            tracks.setdefault(number, {})[int(path.stem)] = box
    return {number: track for number, track in sorted(tracks.items()) if len(track) > 1}


def _category(video: Path, number: str, frame: int) -> frozenset[str]:
    """The WordNet number of what a track shows, as its first frame says it, such as ``n01674464``."""
    root = ElementTree.parse(video / f"{frame:06d}.xml").getroot()
    found = [item.findtext("name", "") for item in root.findall("object") if _text(item, "trackid") == number]
    return frozenset(name.strip() for name in found[:1] if name)


def _objects(path: Path) -> list[tuple[str, tuple[float, ...]]]:
    try:
        found = ElementTree.parse(path).getroot().findall("object")
        return [
            (_text(item, "trackid"), tuple(float(_text(item, f"bndbox/{side}")) for side in _CORNERS)) for item in found
        ]
    except (ElementTree.ParseError, ValueError) as error:
        raise InputError(f"{path}: {error}; expected <object> with <trackid> and <bndbox>") from None


def _text(item: ElementTree.Element, path: str) -> str:
    found = item.findtext(path)
    if found is None:
        raise ValueError(f"no <{path}>")
    return found.strip()


def _sequence(name: str, track: Track, images: Path, category: Callable[[int], frozenset[str]]) -> Sequence:
    first, last = min(track), max(track)
    boxes = np.full((last - first + 1, 4), np.nan)
    for frame, (left, top, right, bottom) in track.items():
        boxes[frame - first] = left, top, right - left, bottom - top
    frames = numbered_images(images, range(first, last + 1)) if images.is_dir() else None
    return Sequence(name, boxes, frames, attributes=category(first), tags={"absent": np.isnan(boxes[:, 0])})

"""VOT-2016 to 2019: ``NAME/groundtruth.txt`` (a polygon or a box a frame) beside images and per-frame tags, 0-based.

The images are ``NAME/color/*.jpg``, as a ``sequence`` file of keys and values says (``channels.color``), or lie in
``NAME/`` itself; ``list.txt`` names the sequences; ``NAME/<tag>.tag`` holds 0 or 1 a frame.
Source: M. Kristan et al., "The Visual Object Tracking VOT2016 Challenge Results", ECCV workshops 2016, and the formats
of the challenge's toolkit. ``tables/vot.csv`` names the 60 sequences of each year; VOT-2017 and VOT-2018 have the same
sequences and annotation.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rartrack.datasets.dataset import Entry
from rartrack.datasets.images import all_images
from rartrack.datasets.sequence import Frames, Sequence
from rartrack.datasets.text import read_flags, read_lines, read_regions, read_table
from rartrack.errors import InputError
from rartrack.video.images import image_names

TAGS = ("camera_motion", "illum_change", "motion_change", "occlusion", "size_change")
"""The challenge's per-frame tags; a frame with none of them counts as ``empty`` in its reports."""


def members(benchmark: str) -> tuple[str, ...]:
    """Names of the 60 sequences of ``vot2016``, ``vot2017``, ``vot2018`` or ``vot2019``."""
    year = "vot2018" if benchmark == "vot2017" else benchmark
    return tuple(row["name"] for row in read_table("datasets", "vot") if row[year] == "1")


def recognise(folder: Path) -> bool:
    """Whether a folder holds sequences in this layout."""
    return next(folder.glob("*/groundtruth.txt"), None) is not None


def entries(folder: Path, names: Iterable[str] | None = None) -> list[Entry]:
    """The sequences that ``list.txt`` names, or, without that file, every folder with a ``groundtruth.txt``."""
    listed = folder / "list.txt"
    if names is None and listed.is_file():
        names = [line for line in read_lines(listed) if line]
    if names is None:
        names = sorted(item.parent.name for item in folder.glob("*/groundtruth.txt"))
    return [Entry(name, partial(_read, folder / name)) for name in names]


def _read(folder: Path) -> Sequence:
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder; sequence {folder.name} was looked for there")
    annotation = folder / "groundtruth.txt"
    boxes, polygons = read_regions(annotation)
    about = _describe(folder)
    width, height, rate = (_number(about, key, folder) for key in ("width", "height", "fps"))
    return Sequence(
        folder.name,
        boxes,
        _frames(folder, about, len(boxes), annotation),
        polygons,
        tags=_tags(folder, len(boxes)),
        frame_size=(int(width), int(height)) if width and height else None,
        rate=rate,
    )


def _describe(folder: Path) -> dict[str, str]:
    path = folder / "sequence"
    lines = read_lines(path) if path.is_file() else []
    return {key.strip(): value.strip() for key, _, value in (line.partition("=") for line in lines if "=" in line)}


def _number(about: dict[str, str], key: str, folder: Path) -> float | None:
    if key not in about:
        return None
    try:
        return float(about[key])
    except ValueError:
        raise InputError(f"{folder / 'sequence'}: {key}={about[key]}: a number expected") from None


def _frames(folder: Path, about: dict[str, str], annotated: int, annotation: Path) -> Frames | None:
    named = folder / Path(about["channels.color"]).parent if "channels.color" in about else None
    candidates = [named] if named is not None else [folder / "color", folder]
    for candidate in candidates:
        if candidate.is_dir() and image_names(candidate):
            return all_images(candidate, annotated, annotation)
    return None


def _tags(folder: Path, frames: int) -> dict[str, NDArray[np.bool_]]:
    found = {path.stem: path for path in sorted(folder.glob("[!.]*.tag")) + sorted(folder.glob("[!.]*.label"))}
    return {name: read_flags(path, frames, shorter=True) for name, path in found.items()}

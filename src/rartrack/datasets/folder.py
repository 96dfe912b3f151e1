"""The folder layout, for one's own data: ``NAME.mp4`` or images in ``NAME/``, beside ``NAME.txt`` and ``NAME.json``.

``NAME.txt`` has x,y,w,h a frame, 0-based, ``nan,nan,nan,nan`` where the target is not visible. ``NAME.json`` is
optional; of what it says, ``attributes`` (a list of names), ``frames`` (their number), ``width``, ``height`` and
``rate`` (frames a second) are used.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Any

from rartrack.datasets.dataset import Entry
from rartrack.datasets.images import all_images, same_length
from rartrack.datasets.sequence import Frames, Sequence
from rartrack.datasets.text import holds_numbers, read_boxes, read_json
from rartrack.errors import InputError
from rartrack.video import VideoFrames
from rartrack.video.images import image_names

_READ_SUFFIXES = (".avi", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".webm")
"""Endings of the videos that are looked for; those that can be written are ``rartrack.video.VIDEO_SUFFIXES``."""

_NUMBERS: tuple[tuple[str, Any, str], ...] = (
    ("frames", int, "a whole number"),
    ("width", int, "a whole number"),
    ("height", int, "a whole number"),
    ("rate", (int, float), "a number"),
)
"""Keys of ``NAME.json`` whose values are numbers, their types, and what they are called."""


def recognise(folder: Path) -> bool:
    """Whether a folder holds sequences in this layout."""
    return any((folder / path.stem).is_dir() or _beside(folder, path.stem) for path in folder.glob("[!.]*.txt"))


def entries(folder: Path, names: Iterable[str] | None = None) -> list[Entry]:
    """Every NAME that has a ``NAME.txt``, a video or a folder of images; of a text that is no annotation, a warning."""
    if names is None:
        texts = [path for path in sorted(folder.glob("[!.]*.txt")) if path.name != "list.txt"]
        stems = {path.stem for path in texts if not _is_stray(path)}
        stems |= {path.stem for path in folder.glob("[!.]*") if path.suffix.lower() in _READ_SUFFIXES}
        stems |= {path.name for path in folder.iterdir() if path.is_dir() and image_names(path)}
        names = sorted(stems)
    return [Entry(name, partial(_read, folder, name)) for name in names]


def _is_stray(path: Path) -> bool:
    """Whether a text belongs to no sequence: nothing lies beside it, and none of its lines is of numbers."""
    if (path.parent / path.stem).is_dir() or _beside(path.parent, path.stem) or holds_numbers(path):
        return False
    warnings.warn(
        f"{path}: left out: it holds no boxes, and neither {path.stem}.mp4 nor {path.stem}/ lies beside it",
        stacklevel=2,
    )
    return True


def _read(folder: Path, name: str) -> Sequence:
    annotation = folder / f"{name}.txt"
    if not annotation.is_file():
        raise InputError(f"{annotation}: no such file; it should hold the boxes (x,y,w,h a frame) of {name}")
    boxes = read_boxes(annotation)
    about = _about(folder / f"{name}.json")
    size = (about.get("width"), about.get("height"))
    return Sequence(
        name,
        boxes,
        _frames(folder, name, len(boxes), annotation, about.get("frames")),
        attributes=frozenset(about.get("attributes") or ()),
        frame_size=(int(size[0]), int(size[1])) if size[0] and size[1] else None,
        rate=about.get("rate"),
    )


def _about(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    about = read_json(path)
    if not isinstance(about, dict):
        raise InputError(f'{path}: expected an object such as {{"attributes": []}}')
    attributes = about.get("attributes")
    named = isinstance(attributes, list) and all(isinstance(one, str) for one in attributes)
    if attributes is not None and not named:
        raise InputError(f"{path}: attributes: expected a list of names, got {attributes!r}")
    for key, kind, what in _NUMBERS:
        value = about.get(key)
        if value is not None and (isinstance(value, bool) or not isinstance(value, kind) or not 0 < value < math.inf):
            raise InputError(f"{path}: {key}: expected {what} above 0, got {value!r}")
    return about


def _frames(folder: Path, name: str, annotated: int, annotation: Path, counted: int | None) -> Frames | None:
    if (folder / name).is_dir():
        return all_images(folder / name, annotated, annotation)
    video = _video(folder, name)
    if video is None:
        return None
    frames = VideoFrames(video)
    said = f", as {name}.json counts them" if counted is not None else ""
    same_length(annotated, annotation, len(frames) if counted is None else counted, f"frames of {video.name}{said}")
    return frames


def _video(folder: Path, name: str) -> Path | None:
    videos = _beside(folder, name)
    if len(videos) > 1:
        raise InputError(f"{folder}: {name} has several videos ({', '.join(path.name for path in videos)}); keep one")
    return videos[0] if videos else None


def _beside(folder: Path, name: str) -> list[Path]:
    # Cameras write endings in capitals, too.
    beside = (folder / f"{name}{ending}" for suffix in _READ_SUFFIXES for ending in (suffix, suffix.upper()))
    found = [path for path in beside if path.is_file()]
    # On a disk that takes both for one, one name is enough.
    return [path for place, path in enumerate(found) if not any(path.samefile(other) for other in found[:place])]

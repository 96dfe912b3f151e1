"""Where files named in a config lie, and what tells files apart."""

from __future__ import annotations

import os
from pathlib import Path

from rartrack.datasets.registry import VARIABLE
from rartrack.datasets.sequence import Frames


def find(path: str, data: str | Path | None = None) -> Path:
    """A path as it is if something is there, else in the data folder: ``data``, or the one that the environment names.

    So one config serves every machine: it says ``stills``, and ``RARTRACK_DATA`` says where that lies.
    """
    place = Path(path).expanduser()
    data = os.environ.get(VARIABLE) if data is None else data
    if data and not place.is_absolute() and not place.exists():
        inside = Path(data).expanduser() / place
        return inside if inside.exists() else place
    return place


def frame_files(frames: Frames) -> list[Path]:
    """The files that a sequence's frames are read from: a video's one, or the images in their order."""
    images: list[Path] | None = getattr(frames, "paths", None)
    video: Path | None = getattr(frames, "path", None)
    return images if images is not None else [] if video is None else [video]


def size_and_time(path: Path) -> tuple[int, int]:
    """Bytes of a file and when it was changed, in nanoseconds; -1 both where it cannot be looked at."""
    try:
        found = path.stat()
    except OSError:
        return -1, -1
    return found.st_size, found.st_mtime_ns

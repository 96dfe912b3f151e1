"""Files: where those named in a config lie, and how a run's own are replaced."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from rartrack.datasets.registry import VARIABLE
from rartrack.errors import InputError


def find(path: str) -> Path:
    """A path as it is if something is there, else in the data folder that the environment names.

    So one config serves every machine: it says ``stills``, and ``RARTRACK_DATA`` says where that lies.
    """
    place = Path(path).expanduser()
    data = os.environ.get(VARIABLE)
    if data and not place.is_absolute() and not place.exists():
        inside = Path(data).expanduser() / place
        return inside if inside.exists() else place
    return place


def replace_file(path: Path, content: bytes) -> None:
    """Write a file in one step, with its folder: a crash at any moment leaves the old file or the new one.

    Raises:
        InputError: the disk refuses, as when it is full; the old file stays.
    """
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with partial.open("wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        partial.replace(path)
    except OSError as error:
        with suppress(OSError):
            partial.unlink(missing_ok=True)
        raise InputError(f"{path}: cannot write: {error.strerror}; what was there before is kept") from None

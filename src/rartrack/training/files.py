"""Where files named in a config lie."""

from __future__ import annotations

import os
from pathlib import Path

from rartrack.datasets.registry import VARIABLE


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

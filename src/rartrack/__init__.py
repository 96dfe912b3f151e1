"""Follow objects through video, given only a box in the first frame.

import rartrack

for result in rartrack.track("video.mp4", (x, y, w, h)):
    print(result.box, result.score, result.status)
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from rartrack.errors import InputError

if TYPE_CHECKING:
    from rartrack.results import Result, Status
    from rartrack.tracking.load import load, track
    from rartrack.tracking.state import TrackerState
    from rartrack.tracking.tracker import Tracker

__version__ = "0.1.0.dev0"

__all__ = ["InputError", "Result", "Status", "Tracker", "TrackerState", "load", "track"]

# What needs torch or NumPy is imported when first used, so that the command line answers at once, to Ctrl-C too.
_LATE = {
    "Result": "rartrack.results",
    "Status": "rartrack.results",
    "Tracker": "rartrack.tracking.tracker",
    "TrackerState": "rartrack.tracking.state",
    "load": "rartrack.tracking.load",
    "track": "rartrack.tracking.load",
}


def __getattr__(name: str) -> Any:
    if name in _LATE:
        return getattr(importlib.import_module(_LATE[name]), name)
    raise AttributeError(f"module 'rartrack' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})

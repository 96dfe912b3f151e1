"""What made a result: code, weights, settings, machine; and what differs between two of them."""

from __future__ import annotations

import hashlib
import importlib.metadata
import platform
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from rartrack import __version__
from rartrack.config import flat
from rartrack.datasets.sequence import Sequence

_LIBRARIES = ("numpy", "opencv-contrib-python-headless", "opencv-python", "av", "torch")
_GPUS = Path("/proc/driver/nvidia/gpus")
_ABSENT = object()


def machine() -> dict[str, Any]:
    """The processor, the GPUs, the system and the libraries of this process; no host name, so that results can be
    published."""
    return {
        "processor": _processor(),
        **({"gpus": gpus} if (gpus := _gpus()) else {}),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        **{name: version for name in _LIBRARIES if (version := _version(name)) is not None},
    }


def code_version() -> str:
    """The package's version; works without git."""
    return __version__


def sequence_digest(sequence: Sequence) -> dict[str, Any]:
    """A sequence's length and the hash of its annotation, which gives the first boxes."""
    boxes = np.ascontiguousarray(sequence.boxes, dtype="<f8")
    return {"frames": len(sequence), "annotation": hashlib.sha256(boxes.tobytes()).hexdigest()}


def difference(before: dict[str, Any], now: dict[str, Any]) -> str | None:
    """Name the first thing in which two descriptions differ, or None if there is none."""
    old, new = _flat(before), _flat(now)
    for key in sorted(old.keys() | new.keys()):
        if old.get(key, _ABSENT) != new.get(key, _ABSENT):
            return f"{key} was {_short(old.get(key, _ABSENT))}, is now {_short(new.get(key, _ABSENT))}"
    return None


def _flat(values: dict[str, Any]) -> dict[str, Any]:
    """By dotted names, and as a file in JSON gives them back."""
    return {key: list(value) if isinstance(value, tuple) else value for key, value in flat(values).items()}


def _short(value: Any) -> str:
    if value is _ABSENT:
        return "not there"
    text = str(value)
    return text if len(text) <= 40 else f"{text[:12]}..."


@cache
def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _gpus() -> list[str]:
    """NVIDIA's, by their driver: asked without the libraries that only some trackers load."""
    lines = [line for path in sorted(_GPUS.glob("*/information")) for line in path.read_text().splitlines()]
    return [line.partition(":")[2].strip() for line in lines if line.startswith("Model:")]


@cache
def cpuinfo() -> dict[str, str]:
    """What Linux says of the first processor, such as its ``model name``; nothing elsewhere."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return {}
    found: dict[str, str] = {}
    for key, _, value in (line.partition(":") for line in lines):
        found.setdefault(key.strip(), value.strip())
    return found


def _processor() -> str:
    return cpuinfo().get("model name") or platform.processor() or platform.machine()

"""``rartrack doctor``: what this machine can do, and whether everything the package needs works."""

from __future__ import annotations

import argparse
import os
import platform
import tempfile
import time
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from rartrack.errors import InputError

_PACKAGES = ("rartrack", "torch", "numpy", "opencv-contrib-python-headless", "av", "safetensors")
_EXTRAS = {
    "matplotlib": "report",
    "vot-trax": "vot",
    "distributed": "cluster",
    "tensorboard": "train",
    "onnxruntime": "export",
    "openvino": "openvino",
}

_TOLERANCE = 8
"""Levels of 255 by which the coding of a video may change a plain colour."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command has no options."""


def run(options: argparse.Namespace) -> int:  # noqa: ARG001 every command takes them
    """Print one line a fact; exit status 2 when something that tracking needs does not work."""
    _say("python", f"{platform.python_version()} on {platform.system()} {platform.machine()}")
    for package in _PACKAGES:
        _say(package, _version(package) or "not installed")
    for package, extra in _EXTRAS.items():
        _say(package, _version(package) or f'not installed; pip install "rartrack[{extra}]" brings it')
    checks: dict[str, Callable[[], str]] = {
        "processor": _processor,
        "cuda": _cuda,
        "video": _video,
        "screen": _screen,
    }
    from rartrack.checkpoints import BUILT_IN

    checks.update({f"model {name}": lambda name=name: _model(name) for name in BUILT_IN})  # type: ignore[misc]
    wrong = 0
    for name, check in checks.items():
        try:
            _say(name, check())
        except (InputError, ImportError, OSError, RuntimeError) as error:
            _say(name, f"DOES NOT WORK: {error}")
            wrong += 1
    return 2 if wrong else 0


def _say(name: str, what: str) -> None:
    print(f"{name:32s}{what}", flush=True)


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _processor() -> str:
    import torch

    return f"{os.cpu_count()} cores, torch uses {torch.get_num_threads()}, {torch.backends.cpu.get_cpu_capability()}"


def _cuda() -> str:
    import torch

    if not torch.cuda.is_available():
        return "none; tracking runs on the processor"
    return ", ".join(torch.cuda.get_device_name(number) for number in range(torch.cuda.device_count()))


def _video() -> str:
    import av

    codecs = av.codecs_available
    missing = [name for name in ("libx264", "h264", "hevc", "vp9", "av1") if name not in codecs]
    if "libx264" in missing:
        raise InputError("FFmpeg was built without libx264, overlay videos cannot be written")
    _written_and_read()
    return "reads and writes H.264" + (f"; without {', '.join(missing)}" if missing else ", reads HEVC, VP9, AV1")


def _written_and_read() -> None:
    """Write a short film and look at what comes back.

    Raises:
        InputError: frames are missing, or their colours are others.
    """
    import numpy as np

    from rartrack.video import VideoWriter, open_source

    colours = np.array([[230, 40, 40], [40, 200, 60], [50, 60, 220]] * 4, dtype=np.uint8)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "film.mp4"
        with VideoWriter(path, 25, (96, 64)) as writer:
            for colour in colours:
                writer.write(np.broadcast_to(colour, (64, 96, 3)).copy())
        with open_source(path) as source:
            found = np.array([frame.image.mean((0, 1)) for frame in source])
    if found.shape != colours.shape or np.abs(found - colours).max() > _TOLERANCE:
        raise InputError("a film that was written is read back otherwise; bring av up to date: pip install -U av")


def _screen() -> str:
    from rartrack.video.select import screen_available

    return "a box can be drawn in a window" if screen_available() else "none; pass --box to rartrack track"


def _model(name: str) -> str:
    """Track a few frames of a still scene."""
    import numpy as np

    from rartrack.boxes import iou
    from rartrack.tracking.load import load

    frame = np.random.default_rng(0).integers(0, 255, (36, 64, 3), dtype=np.uint8).repeat(10, 0).repeat(10, 1)
    tracker, box = load(name), (250.0, 120.0, 90.0, 70.0)
    tracker.init(frame, box)
    tracker.update(frame)
    begin = time.perf_counter()
    result = tracker.update(frame)
    seconds = time.perf_counter() - begin
    if iou(result.box, box) < 0.5:
        raise InputError("does not find a target that has not moved; install rartrack again")
    return f"works, {seconds * 1e3:.0f} ms a frame"

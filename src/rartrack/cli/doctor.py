"""``rartrack doctor``: what this machine can do, and whether everything the package needs works."""

from __future__ import annotations

import argparse
import os
import platform
import tempfile
import time
from collections.abc import Callable
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
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

_BACKENDS = {"onnx": (), "openvino": ("openvino",)}
"""Backends besides torch, and what each wants beside the packages that export."""

_TOLERANCE = 8
"""Levels of 255 by which the coding of a video may change a plain colour."""

_TARGET = (250, 120, 90, 70)
"""Box in the scene that models are tried on."""


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
    from rartrack.tracking.load import DEFAULT_MODEL
    from rartrack.tracking.threads import use_threads

    use_threads(None)  # as for tracking
    checks.update({f"model {name}": partial(_model, name) for name in BUILT_IN})
    for backend, packages in _BACKENDS.items():
        if all(map(find_spec, ("onnx", "onnxscript", "onnxruntime", *packages))):
            checks[f"model {DEFAULT_MODEL}, {backend}"] = partial(_model, DEFAULT_MODEL, backend)
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

    return f"{os.cpu_count()} cores, tracking uses {torch.get_num_threads()}, {torch.backends.cpu.get_cpu_capability()}"


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


def _model(name: str, backend: str = "torch") -> str:
    """Track a few frames of a still scene: those between two that are learned, and one of these."""
    import cv2
    import numpy as np

    from rartrack.boxes import iou
    from rartrack.tracking.load import load, pick_device, precision_of

    random, (x, y, w, h) = np.random.default_rng(0), _TARGET
    frame = cv2.resize(random.integers(60, 200, (9, 16, 3), dtype=np.uint8), (640, 360), interpolation=cv2.INTER_CUBIC)
    target = cv2.resize(random.integers(0, 255, (7, 9, 3), dtype=np.uint8), (w, h), interpolation=cv2.INTER_NEAREST)
    frame[y : y + h, x : x + w] = target
    tracker = load(name, backend=backend)
    tracker.init(frame, _TARGET)
    tracker.update(frame)
    tracker.synchronize()
    count = tracker.config.tracking.update_interval
    begin = time.perf_counter()
    for _ in range(count):
        result = tracker.update(frame)
    tracker.synchronize()
    seconds = (time.perf_counter() - begin) / count
    if iou(result.box, _TARGET) < 0.5:
        raise InputError("does not find a target that has not moved; install rartrack again")
    precision = precision_of(name, tracker.config, backend, pick_device("auto", backend))
    return f"works, {seconds * 1e3:.0f} ms a frame ({precision})"

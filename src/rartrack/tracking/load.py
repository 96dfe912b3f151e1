"""From a model's name or file to a tracker, and from a video to results."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch

from rartrack import checkpoints
from rartrack.config import override
from rartrack.errors import InputError
from rartrack.network.inference import prepare_for_inference
from rartrack.network.rar import RAR
from rartrack.tracking.tracker import Tracker
from rartrack.video import open_source

DEFAULT_MODEL = "rar-fast"


def load(model: str | Path = DEFAULT_MODEL, device: str = "auto", settings: Mapping[str, Any] | None = None) -> Tracker:
    """Make a tracker from a built-in model's name or a checkpoint's path.

    Args:
        model: ``"rar-fast"``, ``"rar-resnet50"``, or a path.
        device: ``"auto"`` (CUDA where there is one, else the CPU), ``"cpu"``, ``"cuda"`` or ``"cuda:1"``.
        settings: changes to the checkpoint's settings by dotted name, such as ``{"tracking.update_interval": 5}``;
            the network's own shape cannot be changed.

    Raises:
        InputError: an unknown model, a damaged checkpoint, a device that is not there, or an unknown setting.
    """
    place = pick_device(device)
    checkpoint = checkpoints.load(model)
    network = RAR(checkpoint.config.network)
    try:
        network.load_state_dict(checkpoint.weights)
    except RuntimeError as error:
        reason = " ".join(str(error).split())[:200]
        raise InputError(f"{model}: the weights do not fit the checkpoint's own settings: {reason}") from None
    config = override(checkpoint.config, settings or {}, where="settings")
    if config.network != checkpoint.config.network:
        raise InputError("settings: the network's shape is fixed by its weights; change filter.* or tracking.* instead")
    return Tracker(prepare_for_inference(network).to(place), config)


def track(
    source: str | Path | int,
    boxes: Any,
    model: str | Path = DEFAULT_MODEL,
    device: str = "auto",
    start: int = 0,
    settings: Mapping[str, Any] | None = None,
) -> Iterator[Any]:
    """Follow objects through a video.

    Args:
        source: a video file, a folder of images, a camera's number, or a url.
        boxes: (x, y, w, h) in the first frame, or a list of boxes, or a mapping of names to boxes.
        start: the frame, counted from 0, in which the boxes are.
        model, device, settings: see ``load``.

    Yields:
        For every frame from ``start`` on a ``Result`` (a list or a mapping for several targets); the first is the given
        box with score 1.

    Raises:
        InputError: as ``load``, ``Tracker.init`` and the reader of the source.
    """
    tracker = load(model, device, settings)
    with open_source(source, start=start) as frames:
        for number, frame in enumerate(frames):
            if number == 0:
                tracker.init(frame.image, boxes)
                yield tracker.given()
            else:
                yield tracker.update(frame.image)


def pick_device(name: str) -> torch.device:
    """The device ``name`` stands for; ``"auto"`` is CUDA where there is one, else the CPU.

    Raises:
        InputError: no such device on this machine.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        raise InputError(f"device {name!r}: expected auto, cpu, cuda or cuda:NUMBER") from None
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise InputError(f"device {name!r}: not on this machine, which has {torch.cuda.device_count()} CUDA devices")
    return device

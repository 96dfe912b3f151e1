"""From a model's name or file to a tracker, and from a video to results."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch

from rartrack import checkpoints
from rartrack.backends import backend_version, check_backend, onnx_file
from rartrack.backends.cache import exported
from rartrack.backends.prepared import prepared_network
from rartrack.backends.runtimes import backend_precision, open_exported
from rartrack.config import ModelConfig, change_model, preset_settings
from rartrack.errors import InputError, brief
from rartrack.network import integers
from rartrack.network.packed import packed
from rartrack.tracking.tracker import Tracker
from rartrack.video import FrameSource, open_source

DEFAULT_MODEL = "rar-fast"


def load(
    model: str | Path = DEFAULT_MODEL,
    device: str | None = "auto",
    settings: Mapping[str, Any] | None = None,
    backend: str = "torch",
    preset: str | None = None,
) -> Tracker:
    """Make a tracker from a built-in model's name, a checkpoint's path or that of an exported network.

    Args:
        model: ``"rar-fast"``, ``"rar-resnet50"``, or a path.
        device: ``"auto"`` or None (CUDA where there is one, else the CPU), ``"cpu"``, ``"cuda"`` or ``"cuda:1"``.
        settings: changes to the checkpoint's settings by dotted name, such as ``{"tracking.update_interval": 5}``;
            the network's own shape cannot be changed, nor a section as a whole.
        backend: what runs the network: ``"torch"``, ``"onnx"`` (onnxruntime) or ``"openvino"``. The last two run on the
            CPU with as many threads as torch has; a model is exported for them once and kept in the user's cache.
        preset: ``"quality"``, ``"balanced"`` (the model as it is) or ``"fast"``, see ``rartrack.config.PRESETS``;
            ``settings`` go before it.

    Raises:
        InputError: an unknown model, a damaged checkpoint, a device that is not there, an unknown setting or a value
            out of its range, an unknown preset or backend, a backend whose package is not installed, or a precision it
            does not have.
    """
    if not isinstance(model, (str, Path)):
        raise InputError(f"model {brief(model)}: expected a name or a path")
    place = pick_device(device, backend)
    changes = preset_settings(preset, settings)
    if backend != "torch":
        backend_version(backend)  # says so early where its package is missing
    if is_exported(model):
        if backend == "torch":
            raise InputError(f"{model}: an exported network; run it by the backend onnx or openvino, not torch")
        stored = onnx_file.read(model)
        config = _changed(stored.config, changes)
        if config.tracking.precision == "int8" and stored.quantized is None:
            raise InputError(f"{model}: tracking.precision int8: an exported network in floats; export it in integers")
        precision = backend_precision(config.tracking.precision, backend, place)
        return Tracker(open_exported(stored.content, backend, model, precision), config)
    checkpoint = checkpoints.load(model)
    config = _changed(checkpoint.config, changes)
    precision = backend_precision(config.tracking.precision, backend, place)
    about = integers_of(model, config, backend, place)
    if backend == "torch":
        scales = None if about is None else about["scales"]
        network = prepared_network(checkpoint, model, precision).to(place)
        try:
            return Tracker(packed(network, scales), config)
        except InputError as error:
            raise InputError(f"{model}: {error}; set tracking.precision to float32") from None
    content = exported(checkpoint, model, lambda: prepared_network(checkpoint, model), about)
    return Tracker(open_exported(content, backend, model, precision), config)


def _changed(own: ModelConfig, changes: Mapping[str, Any]) -> ModelConfig:
    config = change_model(own, changes)
    if config.network != own.network:
        raise InputError("settings: the network's shape is fixed by its weights; change filter.* or tracking.* instead")
    return config


def track(
    source: str | Path | int,
    boxes: Any,
    model: str | Path = DEFAULT_MODEL,
    device: str | None = "auto",
    start: int = 0,
    settings: Mapping[str, Any] | None = None,
    backend: str = "torch",
    preset: str | None = None,
) -> Iterator[Any]:
    """Follow objects through a video.

    Args:
        source: a video file, a folder of images, a camera's number, or a url.
        boxes: (x, y, w, h) in the first frame, or a list of boxes, or a mapping of names to boxes.
        start: the frame, counted from 0, in which the boxes are.
        model, device, settings, backend, preset: see ``load``.

    Returns:
        An iterator over the frames from ``start`` on: a ``Result`` each (a list or a mapping for several targets), the
        first the given box with score 1.

    Raises:
        InputError: at once, as ``load``, ``Tracker.init`` and the opening of the source; later, where the source cannot
            be read on.
    """
    tracker = load(model, device, settings, backend, preset)
    frames = open_source(source, start=start)
    try:
        tracker.init(next(frames).image, boxes)
    except BaseException:
        frames.close()
        raise
    return _followed(tracker, frames)


def _followed(tracker: Tracker, frames: FrameSource) -> Iterator[Any]:
    with frames:
        yield tracker.given()
        for frame in frames:
            yield tracker.update(frame.image)


def settings_of(model: str | Path) -> ModelConfig:
    """The settings that a model carries, by name or path.

    Raises:
        InputError: as ``load``.
    """
    return onnx_file.read(model).config if is_exported(model) else checkpoints.load(model).config


def integers_of(model: str | Path, config: ModelConfig, backend: str, device: torch.device) -> dict[str, Any] | None:
    """What a checkpoint's network in eight-bit integers is made by, where it tracks in them.

    Returns:
        ``rartrack.checkpoints.calibration``, or None: floats.

    Raises:
        InputError: they were asked for (``tracking.precision``) and cannot be had; as ``rartrack.checkpoints.load``.
    """
    wanted = config.tracking.precision
    if wanted == "auto":
        if backend != "torch" or device.type != "cpu" or not integers.serve():
            return None
        about = checkpoints.calibration(model)
        return about if about and about.get("torch", True) else None
    if wanted != "int8":
        return None
    if device.type != "cpu":
        raise InputError(f"tracking.precision int8: is for processors, not for {device}; take auto, or device cpu")
    if backend == "torch" and not integers.available():
        raise InputError(
            f"tracking.precision int8: torch {torch.__version__} cannot here; take float32, or the backend onnx"
        )
    about = checkpoints.calibration(model)
    if about is None:
        stale = checkpoints.calibration_path(model).is_file()
        what, add = ("was measured on other weights", " --overwrite") if stale else ("is not known", "")
        raise InputError(
            f"{model}: tracking.precision int8: what its maps' integers stand for {what}; measure it by "
            f"`rartrack export {model} --format scales --calibrate VIDEOS{add}`"
        )
    return about


def arithmetic_of(model: str | Path, config: ModelConfig, backend: str, device: torch.device) -> dict[str, str]:
    """What results depend on besides weights and settings: ``precision_of``, of a checkpoint in integers also a digest
    of what these stand for.

    Raises:
        InputError: as ``load``.
    """
    found = {"precision": precision_of(model, config, backend, device)}
    about = None if is_exported(model) else integers_of(model, config, backend, device)
    if about is not None:
        found["integers"] = hashlib.sha256(json.dumps(about["scales"], sort_keys=True).encode()).hexdigest()
    return found


def precision_of(model: str | Path, config: ModelConfig, backend: str, device: torch.device) -> str:
    """In what a model's network computes, such as ``"float32"``, or ``"int8, bfloat16"`` of a quantised file.

    Raises:
        InputError: as ``load``.
    """
    floats = str(backend_precision(config.tracking.precision, backend, device)).removeprefix("torch.")
    if is_exported(model):
        whole = onnx_file.read(model).quantized is None
    else:
        whole = integers_of(model, config, backend, device) is None
    return floats if whole else f"int8, {floats}"


def is_exported(model: str | Path) -> bool:
    """Whether a model is the path of an exported network."""
    return Path(model).suffix.lower() == onnx_file.SUFFIX


def pick_device(name: torch.device | str | None, backend: str = "torch") -> torch.device:
    """The device ``name`` stands for; ``"auto"``, or None, is CUDA where there is one and the backend can use it, else
    the CPU.

    Raises:
        InputError: no such device on this machine, or not for this backend; no such backend.
    """
    usable = check_backend(backend) == "torch" and torch.cuda.is_available()
    if name is None or (isinstance(name, str) and name == "auto"):
        return torch.device("cuda" if usable else "cpu")
    try:
        device = torch.device(name) if isinstance(name, (str, int, torch.device)) else None
    except RuntimeError:
        device = None
    if device is None or device.type not in ("cpu", "cuda") or (device.type == "cpu" and device.index):
        raise InputError(f"device {brief(name)}: expected auto, cpu, cuda or cuda:NUMBER")
    there = torch.cuda.device_count() if torch.cuda.is_available() else 0  # a driver that is too old counts its own
    if device.type == "cuda" and (device.index or 0) >= there:
        raise InputError(f"device {name!r}: not on this machine, where {there} CUDA devices can be used")
    if backend != "torch" and device.type != "cpu":
        raise InputError(f"device {name!r}: the backend {backend} runs on cpu; pass that, or the backend torch")
    return device

"""A model as one safetensors file: weights, settings and where they come from. Never a pickle.

Kernels are stored as 16-bit floats, or, where that loses nothing, as 8-bit integers times a power of two per output
channel; vectors (biases, statistics) as 32-bit floats. A file whose name ends in ``.xz`` is compressed as a whole. The
header's ``__metadata__`` holds ``rartrack`` (the format's version), ``config`` and ``provenance`` as JSON.
"""

from __future__ import annotations

import hashlib
import json
import lzma
import math
import os
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import Tensor

from rartrack.config import ModelConfig, from_dict, to_dict
from rartrack.errors import InputError, nearest
from rartrack.outputs import replace_file

FORMAT = "1"
_MANTISSA, _EXPONENT, _DIGEST = ".int8", ".exponent", "digest"

BUILT_IN = {
    "rar-fast": "1692cecb355b7bee8d96a2c44b478f5b60618259d5a1a3895c701360bf743a29",
    "rar-resnet50": "f7bfcec0da4ff076eeac5adc30881c19f1d392dfd931fb36958483eb7ed30ac2",
}
"""Name of a built-in model -> SHA-256 of its file in ``rartrack/models``."""


@dataclass(frozen=True)
class Checkpoint:
    """A model's settings, its weights by name, and where they come from (free-form, JSON-like)."""

    config: ModelConfig
    weights: dict[str, Tensor]
    provenance: dict[str, Any] = field(default_factory=dict)


def save(path: str | Path, checkpoint: Checkpoint) -> str:
    """Write a checkpoint; an existing file is replaced in one step, never left half written.

    Returns the SHA-256 of the file.

    Raises:
        InputError: the folder is missing, or the disk refuses (full, not writable).
    """
    path = Path(path)
    tensors = _pack(checkpoint.weights)
    metadata = {
        "rartrack": FORMAT,
        "config": json.dumps(to_dict(checkpoint.config)),
        "provenance": json.dumps(checkpoint.provenance),
        _DIGEST: _digest(save_tensors(tensors)),
    }
    content = save_tensors(tensors, metadata=metadata)
    if path.suffix == ".xz":
        content = lzma.compress(content, preset=9 | lzma.PRESET_EXTREME)
    if not path.parent.is_dir():
        raise InputError(f"{path}: cannot write the checkpoint: {path.parent} is not a folder; make it first")
    replace_file(path, content)
    return hashlib.sha256(content).hexdigest()


def load(model: str | Path) -> Checkpoint:
    """Read a checkpoint by path, or a built-in model by name.

    Raises:
        InputError: no such name or file, or a damaged, foreign or newer file.
    """
    path, expected = locate(model)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot read the checkpoint: {error.strerror}") from None
    if expected is not None and hashlib.sha256(content).hexdigest() != expected:
        raise InputError(f"{path}: the built-in model {model!r} is damaged; install rartrack again")
    try:
        if path.suffix == ".xz":
            content = lzma.decompress(content)
        tensors = load_tensors(content)
        metadata = _metadata(content)
    except (lzma.LZMAError, EOFError, SafetensorError, ValueError) as error:
        raise InputError(f"{path}: not a complete checkpoint ({error}); fetch or train it again") from None
    if "rartrack" not in metadata:
        raise InputError(f"{path}: safetensors weights without rartrack's settings; a rartrack checkpoint is expected")
    if metadata["rartrack"] != FORMAT:
        raise InputError(
            f"{path}: checkpoint format {metadata['rartrack']}, this version reads {FORMAT}; update rartrack"
        )
    if _DIGEST in metadata and metadata[_DIGEST] != _digest(content):
        raise InputError(f"{path}: a damaged checkpoint: its weights are not those written; fetch or train it again")
    try:
        settings, provenance = json.loads(metadata["config"]), json.loads(metadata["provenance"])
        weights = _unpack(tensors)
    except (KeyError, ValueError) as error:
        raise InputError(f"{path}: a damaged checkpoint ({error!r}); fetch or train it again") from None
    return Checkpoint(from_dict(ModelConfig, settings, where=f"{path}: config"), weights, provenance)


def locate(model: str | Path) -> tuple[Path, str | None]:
    """Path of a model given by name or path, and the SHA-256 it must have (None for a user's own file).

    Raises:
        InputError: neither a built-in model nor a file.
    """
    if str(model) in BUILT_IN:
        return Path(str(resources.files("rartrack") / "models" / f"{model}.safetensors.xz")), BUILT_IN[str(model)]
    path = Path(model)
    if not os.path.isfile(path):  # noqa: PTH113 - Path.is_file raises for a name that is too long
        known = ", ".join(BUILT_IN)
        raise InputError(
            f"model {str(model)!r}: neither a built-in model ({known}) nor a file{nearest(str(model), BUILT_IN)}"
        )
    return path, None


def fingerprint(model: str | Path) -> str:
    """SHA-256 of the file of a model given by name or path.

    Raises:
        InputError: as ``locate``.
    """
    return hashlib.sha256(locate(model)[0].read_bytes()).hexdigest()


def calibration(model: str | Path) -> dict[str, Any] | None:
    """What is known of a model's maps in eight-bit integers, see ``rartrack.backends.quantize``.

    Returns:
        ``scales``, ``error``, ``data``, ``crops``, ``sequences`` and ``seed``; ``torch``, False, where that does not
        compute in them. None where nothing is known, or of other weights.

    Raises:
        InputError: as ``locate``, or a damaged file.
    """
    path = calibration_path(model)
    if not path.is_file():
        return None
    try:
        about: dict[str, Any] = json.loads(path.read_text("utf-8"))
        of = about.pop("model")
        about["scales"] = {place: _scale(*given) for place, given in about["scales"].items()}
        if not (math.isfinite(about["error"]) and {"data", "crops", "sequences"} <= about.keys()):
            raise ValueError("not what `rartrack export` writes")
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{path}: not a whole calibration ({error!r}); make it again, or remove it") from None
    return about if of == fingerprint(model) else None


def _scale(scale: float, zero: int) -> list[float | int]:
    if not (math.isfinite(scale) and scale > 1e-12 and 0 <= zero <= 255):
        raise ValueError(f"scale {scale}, zero point {zero}")
    return [float(scale), int(zero)]


def calibration_path(model: str | Path) -> Path:
    """Where ``calibration`` looks: beside the model, ``NAME.int8.json``.

    Raises:
        InputError: as ``locate``.
    """
    path = locate(model)[0]
    return path.with_name(path.name.removesuffix(".xz").removesuffix(".safetensors") + ".int8.json")


def _metadata(content: bytes) -> dict[str, str]:
    """The ``__metadata__`` of safetensors bytes: a length of 8 bytes, then a JSON header."""
    header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    found = header.get("__metadata__", {})
    return {str(key): str(value) for key, value in found.items()}


def _digest(content: bytes) -> str:
    """SHA-256 of all tensors of safetensors bytes, which stand behind the header."""
    return hashlib.sha256(memoryview(content)[8 + int.from_bytes(content[:8], "little") :]).hexdigest()


def _pack(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    packed = {}
    for name, weight in weights.items():
        value = weight.detach().cpu()
        if value.dim() < 2 or not value.is_floating_point():
            packed[name] = value.contiguous()
            continue
        exact = _to_int8(value.float())
        if exact is None:
            packed[name] = value.half().contiguous()
        else:
            packed[name + _MANTISSA], packed[name + _EXPONENT] = exact
    return packed


def _to_int8(value: Tensor) -> tuple[Tensor, Tensor] | None:
    """Integers in [-128, 127] and a power of two per output channel that give ``value`` exactly, or None."""
    rows = value.reshape(len(value), -1)
    # The smallest exponent that brings a row into [-128, 127]; -128 itself needs a second look.
    exponent = torch.frexp(torch.maximum(rows.amax(dim=1) / 127, -rows.amin(dim=1) / 128)).exponent
    lower = torch.ldexp(rows, 1 - exponent[:, None])
    exponent = torch.where((lower.amax(dim=1) <= 127) & (lower.amin(dim=1) >= -128), exponent - 1, exponent)
    mantissa = torch.ldexp(rows, -exponent[:, None])
    if not torch.equal(mantissa, mantissa.round()):
        return None
    return mantissa.to(torch.int8).reshape(value.shape).contiguous(), exponent.to(torch.int8)


def _unpack(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    weights = {}
    for name, value in tensors.items():
        if name.endswith(_EXPONENT):
            continue
        if name.endswith(_MANTISSA):
            base = name.removesuffix(_MANTISSA)
            exponent = tensors[base + _EXPONENT].to(torch.int32)
            shape = (-1,) + (1,) * (value.dim() - 1)
            weights[base] = torch.ldexp(value.float(), exponent.reshape(shape))
        else:
            weights[name] = value.float() if value.is_floating_point() else value
    return weights

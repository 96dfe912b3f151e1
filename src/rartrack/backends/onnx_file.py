"""The network as an ONNX file: how it is made, what it holds, and whether it computes what torch does.

Inputs are ``crops`` (B, 3, S, S) and, where the network has a memory, ``memory.LEVEL.hidden`` and
``memory.LEVEL.cell`` (B, C_h, n, n); outputs are ``features`` (B, D, n, n) and ``next.LEVEL.hidden``,
``next.LEVEL.cell``. With a box head there are ``memory.template``, ``memory.recent`` (B, W, m, m), ``boxes``
(B, 5, n, n) and ``next.recent`` too; that of the first crop is the template, which goes into every later call. B is
free, the rest is fixed. The file's metadata hold ``rartrack`` (the format's version), ``fingerprint`` (SHA-256 of the
checkpoint's file), ``config`` and ``provenance`` as JSON.
"""

from __future__ import annotations

import json
import logging
import math
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn

from rartrack import __version__
from rartrack.backends.runtimes import OnnxNetwork
from rartrack.checkpoints import Checkpoint
from rartrack.config import ModelConfig, from_dict, to_dict
from rartrack.errors import InputError
from rartrack.extras import need
from rartrack.network.memory import RECENT, TEMPLATE, Memory
from rartrack.network.rar import RAR

FORMAT = "3"
SUFFIX = ".onnx"
OPSET = 20
QUANTIZED = "quantized"
"""Key of the metadata that says what a quantised file was calibrated on, and its error, JSON."""
TOLERANCE = 1e-3
"""Largest difference from torch, by the largest value, at which an export is accepted; usually 1e-6 to 1e-5."""
CropType = Literal["uint8", "float32"]


@dataclass(frozen=True)
class OnnxFile:
    """An exported network: the file's content and what its metadata say.

    Attributes:
        quantized: what a file in eight-bit integers was calibrated on, see ``rartrack.backends.quantize``; else None.
    """

    content: bytes
    config: ModelConfig
    fingerprint: str
    quantized: dict[str, Any] | None = None


def export(network: RAR, checkpoint: Checkpoint, fingerprint: str, crops: CropType = "uint8") -> tuple[bytes, float]:
    """Export a network prepared for inference, and run it once beside torch.

    Args:
        network: see ``rartrack.network.inference.prepare_for_inference``; on the CPU.
        checkpoint: what it was made from.
        fingerprint: of the checkpoint's file.
        crops: type of the input; values are 0 to 255 in both.

    Returns:
        the file's content, and the largest difference from torch relative to the largest value.

    Raises:
        InputError: a package of the extra ``export`` is missing, or the export does not compute what torch does.
    """
    for package in ("onnx", "onnxscript", "onnxruntime"):
        need(package, "export")
    model = _converted(network, crops)
    model.producer_name, model.producer_version = "rartrack", __version__
    about = {
        "rartrack": FORMAT,
        "fingerprint": fingerprint,
        "config": json.dumps(to_dict(checkpoint.config)),
        "provenance": json.dumps(checkpoint.provenance),
    }
    del model.metadata_props[:]
    for key, value in about.items():
        model.metadata_props.add(key=key, value=value)
    content: bytes = model.SerializeToString()
    difference = largest_difference(network, content)
    if not difference < TOLERANCE:
        version = need("onnxruntime", "export").__version__
        raise InputError(f"the exported network differs from torch's by {difference:.1e} in onnxruntime {version}")
    return content, difference


def largest_difference(network: RAR, content: bytes) -> float:
    """Two steps of three made crops by torch and by onnxruntime: the largest difference relative to the largest value.

    Features count, boxes, and the memory, which the second step reads. Infinite where a difference is no number.
    """
    exported = OnnxNetwork(content, torch.get_num_threads())
    side, worst = network.config.input_size, 0.0
    crops = torch.randint(0, 256, (2, 3, 3, side, side), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    ours, theirs = exported.initial_memory(3), network.initial_memory(3)
    with torch.no_grad():
        for step in crops:
            features, after, boxes = exported.look(step, ours)
            expected, later, wanted = network.look(step, theirs)
            pairs = [(features, expected), *zip(after.tensors().values(), later.tensors().values(), strict=True)]
            if boxes is not None and wanted is not None:
                pairs.append((boxes, wanted))
            ours, theirs = after, later
            for found, wanted in pairs:
                difference = _relative(found, wanted)
                if not math.isfinite(difference):  # no maximum is of anything that is not a number
                    return math.inf
                worst = max(worst, difference)
    return worst


def read(path: str | Path) -> OnnxFile:
    """Read an exported network.

    Raises:
        InputError: the file is missing or damaged, was not exported by rartrack, or is of a newer format.
    """
    onnx = need("onnx", "export")
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot read the network: {error.strerror}") from None
    try:
        about = {entry.key: entry.value for entry in onnx.load_model_from_string(content).metadata_props}
    except Exception as error:  # protobuf's DecodeError, which is not part of onnx's interface
        reason = " ".join(str(error).split())
        raise InputError(f"{path}: not a complete ONNX file ({reason}); export it again") from None
    if "rartrack" not in about:
        raise InputError(f"{path}: an ONNX file without rartrack's settings; one of `rartrack export` is expected")
    if about["rartrack"] != FORMAT:
        raise InputError(f"{path}: export format {about['rartrack']}, this version reads {FORMAT}; export it again")
    try:
        settings, fingerprint = json.loads(about["config"]), about["fingerprint"]
        quantized = json.loads(about[QUANTIZED]) if QUANTIZED in about else None
    except (KeyError, ValueError) as error:
        raise InputError(f"{path}: its metadata are not whole ({error!r}); export it again") from None
    return OnnxFile(content, from_dict(ModelConfig, settings, where=f"{path}: config"), fingerprint, quantized)


def _converted(network: RAR, crops: CropType) -> Any:
    """The network as an ``onnx.ModelProto``."""
    side = network.config.input_size
    # Copies: levels may share one tensor of zeros, and the exporter takes inputs that are one object for one input.
    memory = {name: tensor.clone() for name, tensor in network.initial_memory(2).tensors().items()}
    example = torch.zeros(2, 3, side, side, dtype=torch.uint8 if crops == "uint8" else torch.float32)
    outputs = ["features", *(f"next.{name}" for name in memory)]
    if network.box is not None:
        with torch.no_grad():
            _, after = network(example, network.initial_memory(2))
        memory |= {name: tensor.clone() for name, tensor in after.tensors().items() if name in (TEMPLATE, RECENT)}
        outputs += [f"next.{RECENT}", "boxes"]
    batch = {0: torch.export.Dim("batch")}
    shapes: dict[str, Any] = {"crops": batch, "flat": (batch,) * len(memory)} if memory else {"crops": batch}
    try:
        with torch.no_grad(), _quiet():
            program = torch.onnx.export(
                _Flat(network, tuple(memory)).eval(),
                (example, *memory.values()),
                dynamo=True,
                opset_version=OPSET,
                dynamic_shapes=shapes,
                input_names=["crops", *(f"memory.{name}" for name in memory)],
                output_names=outputs,
                verbose=False,
            )
    except torch.onnx.OnnxExporterError as error:
        reason = " ".join(str(error.__cause__ or error).split())[:300]
        raise InputError(f"torch {torch.__version__} cannot export this network: {reason}") from error
    assert program is not None
    return program.model_proto


class _Flat(nn.Module):
    """A network whose memory is a list of tensors, of which the box head's template stays."""

    def __init__(self, network: RAR, names: tuple[str, ...]) -> None:
        super().__init__()
        self.network, self.names = network, names

    def forward(self, crops: Tensor, *flat: Tensor) -> tuple[Tensor, ...]:
        memory = Memory.from_tensors(dict(zip(self.names, flat, strict=True)))
        features, after, boxes = self.network.look(crops, memory)
        named = after.tensors()
        kept = [named[name] for name in self.names if name != TEMPLATE]
        return (features, *kept) if boxes is None else (features, *kept, boxes)


def _relative(found: Tensor, expected: Tensor) -> float:
    return float((found - expected).abs().max() / expected.abs().max().clamp(min=1e-12))


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the exporter's remarks on packages that are not needed here from the user."""
    logger: Any = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)

"""An exported network in eight-bit integers: calibrated on crops, and compared with the one it was made from.

Quantised are the backbone's convolutions (with the ReLU or pooling behind them): weights by channel to signed integers,
maps to unsigned ones. The rest stays in single precision: the sums between blocks, whose range grows from block to
block; the offsets of deformable convolutions, where an error moves the samples; attention, its memory, which errors
would pile up in, and the refinement, which are a hundredth of the work.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rartrack.backends.onnx_file import QUANTIZED
from rartrack.backends.runtimes import OnnxNetwork
from rartrack.errors import InputError
from rartrack.extras import need

LIMIT = 0.25
"""Largest relative error of the features at which a quantised network is accepted. The built-in models have a few
hundredths; where quantisation goes wrong as a whole it is 0.5 and more."""
GROUP = 4
"""Crops whose extremes count together. A map's range is the mean over groups of these: one crop is too few to show it,
and the extremes over all, which a few bright cells set, leave the others fewer steps."""
WEIGHT_BITS = (8, 7)
"""Bits that weights may have. Processors without instructions for such integers (VNNI, AMX) add pairs of products in
sixteen bits, which overflow with eight."""
CHECKED = 16
"""Crops that the error is measured on, besides those that calibrate."""


def quantize(
    content: bytes, crops: NDArray[np.uint8], about: Mapping[str, Any], weight_bits: int | None = None
) -> tuple[bytes, dict[str, Any]]:
    """Quantise an exported network, and run it beside the one it was made from.

    Args:
        content: of the ONNX file in single precision, see ``rartrack.backends.onnx_file``.
        crops: (N, 3, S, S) RGB uint8 as the tracker cuts them. The last 16 only measure the error; N is above that.
        about: what the crops are, JSON-like; kept in the file's metadata together with what is found.
        weight_bits: one of ``WEIGHT_BITS``; None takes what errs less on this processor.

    Returns:
        the quantised file's content, and about it ``weight_bits`` and the ``error`` of its features: root of the summed
        squares of the differences relative to that of the features, over the 16 crops and two steps of the memory.

    Raises:
        InputError: a package of the extra ``export`` is missing, or the error is ``LIMIT`` or more.
    """
    for package in ("onnx", "onnxruntime"):
        need(package, "export")
    if len(crops) <= CHECKED:
        raise InputError(f"{len(crops)} calibration crops: at least {CHECKED + 1} are needed")
    tried = []
    for bits in WEIGHT_BITS if weight_bits is None else (weight_bits,):
        model = _quantized(content, crops[:-CHECKED], bits)
        error = feature_error(content, model.SerializeToString(), torch.from_numpy(crops[-CHECKED:]))
        tried.append((error, bits, model))
    error, bits, model = min(tried, key=lambda one: one[0])
    if not error < LIMIT:
        raise InputError(
            f"the quantised network's features are off by {error:.0%}, {LIMIT:.0%} is the limit; "
            "calibrate on videos like those it shall track, or stay with --precision float32"
        )
    found = {"weight_bits": bits, "error": round(error, 4)}
    model.metadata_props.add(key=QUANTIZED, value=json.dumps({**about, **found}))
    return model.SerializeToString(), found


def feature_error(reference: bytes, content: bytes, crops: Tensor) -> float:
    """Error of one file's features against another's on crops (N, 3, S, S) and again on the memory they leave."""
    networks = [OnnxNetwork(each, torch.get_num_threads()) for each in (reference, content)]
    memories = [network.initial_memory(len(crops)) for network in networks]
    wrong = whole = 0.0
    for _ in range(2):
        expected, memories[0] = networks[0](crops, memories[0])
        found, memories[1] = networks[1](crops, memories[1])
        wrong += float((found - expected).square().sum())
        whole += float(expected.square().sum())
    return float(np.sqrt(wrong / max(whole, 1e-12)))


def _quantized(content: bytes, crops: NDArray[np.uint8], weight_bits: int) -> Any:
    """The quantised network as an ``onnx.ModelProto`` with the metadata of the one it was made from."""
    import onnx
    from onnxruntime import quantization
    from onnxruntime.quantization.shape_inference import quant_pre_process

    with TemporaryDirectory() as folder, _quiet():
        source, prepared, output = (Path(folder) / f"{name}.onnx" for name in ("source", "prepared", "output"))
        source.write_bytes(content)
        quant_pre_process(str(source), str(prepared), skip_symbolic_shape=True)
        quantization.quantize_static(
            str(prepared),
            str(output),
            _Reader(content, crops),
            quant_format=quantization.QuantFormat.QDQ,
            op_types_to_quantize=["Conv", "Relu", "MaxPool"],
            nodes_to_exclude=_kept_in_floats(onnx.load(prepared)),
            per_channel=True,
            reduce_range=weight_bits == 7,
            activation_type=quantization.QuantType.QUInt8,
            weight_type=quantization.QuantType.QInt8,
            calibrate_method=quantization.CalibrationMethod.MinMax,
            extra_options={"CalibMovingAverage": True},
        )
        model = onnx.load(output)
    del model.metadata_props[:]
    model.metadata_props.extend(onnx.load_model_from_string(content).metadata_props)
    return model


def _kept_in_floats(model: Any) -> list[str]:
    """Convolutions that are not quantised; a ReLU or pooling follows the one before it."""
    convolutions = [node for node in model.graph.node if node.op_type == "Conv"]
    return [node.name for node in convolutions if not _is_backbones(node.input[1])]


def _is_backbones(weight: str) -> bool:
    return weight.startswith("network.backbone.") and not weight.endswith(".offset.weight")


class _Reader:
    """Gives groups of crops, each with an empty memory, to onnxruntime's calibration."""

    def __init__(self, content: bytes, crops: NDArray[np.uint8]) -> None:
        network = OnnxNetwork(content, 1)
        self._groups = iter(
            network.inputs(torch.from_numpy(group), network.initial_memory(len(group)))
            for group in np.split(crops, range(GROUP, len(crops), GROUP))
        )

    def get_next(self) -> dict[str, NDArray[Any]] | None:
        """The next group, None after the last."""
        return next(self._groups, None)


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep onnxruntime's remarks (a pre-processing that was done, say) from the user."""
    logger = logging.getLogger()
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)

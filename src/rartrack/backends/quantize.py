"""An exported network in eight-bit integers: calibrated on crops, and compared with the one it was made from.

Quantised are the backbone's convolutions but the first (with the ReLU or pooling behind them): weights by channel to
signed integers, maps to unsigned ones. The rest stays in single precision: the sums between blocks, whose range grows
from block to block; the offsets of deformable convolutions, where an error moves the samples; attention, its memory,
which errors would pile up in, and the refinement, which are a hundredth of the work. The first convolution does, too:
processors without instructions for such integers (VNNI, AMX) add pairs of products in sixteen bits, which overflow
where both are large, the rule in crops, whose zero is in the middle of their integers, and rare behind a ReLU.

What a map's integers stand for, its scale and zero point, is measured on crops and kept in the file. It is all that is
needed to quantise the same network again: built-in models come with theirs.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast

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
_STEPS, _KINDS = ("scale", "zero_point"), (np.float32, np.uint8)
"""What a map's integers stand for, in onnxruntime's words."""
CHECKED = 16
"""Crops that the error is measured on, besides those that calibrate."""


def quantize(content: bytes, crops: NDArray[np.uint8], about: Mapping[str, Any]) -> tuple[bytes, dict[str, Any]]:
    """Quantise an exported network, and run it beside the one it was made from.

    Args:
        content: of the ONNX file in single precision, see ``rartrack.backends.onnx_file``.
        crops: (N, 3, S, S) RGB uint8 as the tracker cuts them. The last 16 only measure the error; N is above that.
        about: what the crops are, JSON-like; kept in the file's metadata together with the error and the scales.

    Returns:
        the quantised file's content, and what its metadata say: ``about``, the maps' ``scales``, and ``error``, that of
        its features on this processor: root of the summed squares of the differences relative to that of the features,
        over the 16 crops and two steps of the memory.

    Raises:
        InputError: a package of the extra ``export`` is missing, or the error is ``LIMIT`` or more.
    """
    for package in ("onnx", "onnxruntime"):
        need(package, "export")
    if len(crops) <= CHECKED:
        raise InputError(f"{len(crops)} calibration crops: at least {CHECKED + 1} are needed")
    model, scales = _quantized(content, _Reader(content, crops[:-CHECKED]))
    error = feature_error(content, model.SerializeToString(), torch.from_numpy(crops[-CHECKED:]))
    if not error < LIMIT:
        raise InputError(
            f"the quantised network's features are off by {error:.0%}, {LIMIT:.0%} is the limit; "
            "calibrate on videos like those it shall track, or stay with --precision float32"
        )
    known = {**about, "error": round(error, 4), "scales": scales}
    _note(model, known)
    return model.SerializeToString(), known


def quantize_again(content: bytes, about: Mapping[str, Any]) -> bytes:
    """Quantise an exported network by what was measured on it before, without crops.

    Args:
        content: as of ``quantize``.
        about: what a file of ``quantize`` says of it (``rartrack.backends.onnx_file.OnnxFile.quantized``).

    Raises:
        InputError: a package of the extra ``export`` is missing, or it was measured on another network.
    """
    for package in ("onnx", "onnxruntime"):
        need(package, "export")
    import onnx

    scales: dict[str, list[Any]] = about["scales"]
    (crops,) = (entry for entry in onnx.load_model_from_string(content).graph.input if entry.name == "crops")
    blank = np.zeros([1, *(side.dim_value for side in crops.type.tensor_type.shape.dim[1:])], np.uint8)
    model, found = _quantized(content, _Reader(content, blank), scales)
    if found != scales:
        raise InputError(
            "this network's maps are not those calibrated; measure them again, rartrack export --calibrate DIR"
        )
    _note(model, about)
    return cast(bytes, model.SerializeToString())


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


def _quantized(
    content: bytes, reader: _Reader, scales: Mapping[str, list[Any]] | None = None
) -> tuple[Any, dict[str, list[Any]]]:
    """Quantise.

    Args:
        reader: gives what calibrates.
        scales: scale and zero point of maps by place, which count in place of what calibration says.

    Returns:
        the network as an ``onnx.ModelProto`` with the metadata of the one it was made from, and its maps' scales.
    """
    import onnx
    from onnxruntime import quantization
    from onnxruntime.quantization.shape_inference import quant_pre_process

    with TemporaryDirectory() as folder, _quiet():
        source, prepared, output = (Path(folder) / f"{name}.onnx" for name in ("source", "prepared", "output"))
        source.write_bytes(content)
        quant_pre_process(str(source), str(prepared), skip_symbolic_shape=True)
        network = onnx.load(prepared)
        places = _places(network.graph)
        known = {
            name: [{key: np.array(value, kind) for key, value, kind in zip(_STEPS, scales[place], _KINDS, strict=True)}]
            for name, place in places.items()
            if scales and place in scales
        }
        quantization.quantize_static(
            str(prepared),
            str(output),
            reader,
            quant_format=quantization.QuantFormat.QDQ,
            op_types_to_quantize=["Conv", "Relu", "MaxPool"],
            nodes_to_exclude=_kept_in_floats(network),
            per_channel=True,
            activation_type=quantization.QuantType.QUInt8,
            weight_type=quantization.QuantType.QInt8,
            calibrate_method=quantization.CalibrationMethod.MinMax,
            extra_options={"CalibMovingAverage": True, "TensorQuantOverrides": known},
        )
        model = onnx.load(output)
    del model.metadata_props[:]
    model.metadata_props.extend(onnx.load_model_from_string(content).metadata_props)
    values = {one.name: onnx.numpy_helper.to_array(one) for one in model.graph.initializer}
    found = {
        places[name]: [float(values[scale]), int(values[zero])]
        for name, scale, zero in (node.input for node in model.graph.node if node.op_type == "QuantizeLinear")
    }
    return model, found


def _note(model: Any, about: Mapping[str, Any]) -> None:
    model.metadata_props.add(key=QUANTIZED, value=json.dumps(about))


def _places(graph: Any) -> dict[str, str]:
    """Names of a network's maps, which the exporter chose, to their places, which it did not: what a convolution gives
    has its weight's name, ``Relu(network.backbone.conv1.weight)`` is what follows it."""
    made = {output: node for node in graph.node for output in node.output}
    places: dict[str, str] = {entry.name: entry.name for entry in graph.input}

    def place(name: str) -> str:
        if name not in places:
            node = made[name]
            parts = sorted(place(part) for part in node.input if part in made or part in places)
            inside = ", ".join(parts)
            places[name] = node.input[1] if node.op_type == "Conv" else f"{node.op_type}({inside})"
            if node.op_type == "Cast":  # of crops of another type
                places[name] = inside
        return places[name]

    return {name: place(name) for name in made}


def _kept_in_floats(model: Any) -> list[str]:
    """Convolutions that are not quantised; a ReLU or pooling follows the one before it."""
    convolutions = [node for node in model.graph.node if node.op_type == "Conv"]
    first = next(node for node in convolutions if _is_backbones(node.input[1]))
    return [node.name for node in convolutions if node is first or not _is_backbones(node.input[1])]


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

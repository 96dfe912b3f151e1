"""The exported network run by onnxruntime or by OpenVINO, on the processor."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rartrack.backends import backend_version, check_backend, need
from rartrack.errors import InputError
from rartrack.network.memory import Memory

Arrays = dict[str, NDArray[Any]]


class Runtime(ABC):
    """A ``rartrack.network.interface.Network`` made from an ONNX file's content.

    Args:
        inputs: name -> shape without the batch, see ``rartrack.backends.onnx_file``.
        crops: type of the crops that the file takes.
    """

    device = torch.device("cpu")

    def __init__(self, inputs: Mapping[str, tuple[int, ...]], crops: type[np.generic]) -> None:
        self._memory = {
            name.removeprefix("memory."): shape for name, shape in inputs.items() if name.startswith("memory.")
        }
        self._crops = crops

    @abstractmethod
    def _run(self, inputs: Arrays) -> Arrays:
        """Name -> array to name -> array of the caller's own."""

    def __call__(self, crops: Tensor, memory: Memory) -> tuple[Tensor, Memory]:
        """As ``RAR.forward``: crops (B, 3, S, S) in 0..255 and the memory of B to features (B, D, n, n) and memory."""
        return self.forward(crops, memory)

    def forward(self, crops: Tensor, memory: Memory) -> tuple[Tensor, Memory]:
        """See ``__call__``."""
        known = memory.tensors()
        inputs = {"crops": np.ascontiguousarray(crops.numpy(), dtype=self._crops)}
        inputs |= {f"memory.{name}": np.ascontiguousarray(known[name].numpy()) for name in self._memory}
        outputs = self._run(inputs)
        after = {name: torch.from_numpy(outputs[f"next.{name}"]) for name in self._memory}
        return torch.from_numpy(outputs["features"]), Memory.from_tensors(after)

    def initial_memory(self, batch: int) -> Memory:
        """The empty memory of ``batch`` targets."""
        return Memory.from_tensors({name: torch.zeros(batch, *shape) for name, shape in self._memory.items()})


class OnnxNetwork(Runtime):
    """Run by onnxruntime.

    Args:
        content: of the ONNX file.
        threads: that it may use.
    """

    def __init__(self, content: bytes, threads: int) -> None:
        runtime = need("onnxruntime", "export")
        options = runtime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        # Between two frames torch has the processor; threads that wait busily would take it from it.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        options.log_severity_level = 3
        self._session = runtime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        inputs = {entry.name: entry for entry in self._session.get_inputs()}
        self._names = [entry.name for entry in self._session.get_outputs()]
        crops = np.uint8 if inputs["crops"].type == "tensor(uint8)" else np.float32
        super().__init__({name: tuple(entry.shape[1:]) for name, entry in inputs.items()}, crops)

    def _run(self, inputs: Arrays) -> Arrays:
        return dict(zip(self._names, self._session.run(self._names, inputs), strict=True))


class OpenvinoNetwork(Runtime):
    """Run by OpenVINO, in 32-bit floats.

    Args:
        content: of the ONNX file.
        threads: that it may use.
    """

    def __init__(self, content: bytes, threads: int) -> None:
        openvino = need("openvino", "openvino")
        model = openvino.Core().read_model(content)
        settings = {
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_NUM_THREADS": threads,
            "INFERENCE_PRECISION_HINT": "f32",
            "ENABLE_CPU_PINNING": False,  # torch shares the process
        }
        self._request = openvino.Core().compile_model(model, "CPU", settings).create_infer_request()
        shapes = {entry.get_any_name(): entry.partial_shape for entry in model.inputs}
        self._names = [entry.get_any_name() for entry in model.outputs]
        crops = np.uint8 if model.input("crops").element_type == openvino.Type.u8 else np.float32
        inputs = {name: tuple(side.get_length() for side in list(shape)[1:]) for name, shape in shapes.items()}
        super().__init__(inputs, crops)

    def _run(self, inputs: Arrays) -> Arrays:
        found = self._request.infer(inputs, share_inputs=True)
        return {name: np.array(found[name]) for name in self._names}


_RUNTIMES: dict[str, type[OnnxNetwork] | type[OpenvinoNetwork]] = {"onnx": OnnxNetwork, "openvino": OpenvinoNetwork}


def open_exported(content: bytes, backend: str, model: str | Path) -> Runtime:
    """Make an ONNX file's content ready to run, with as many threads as torch has.

    Args:
        content: see ``rartrack.backends.onnx_file``.
        backend: ``"onnx"`` or ``"openvino"``.
        model: name or path, for messages.

    Raises:
        InputError: the library is not installed, or cannot run this network.
    """
    runtime = _RUNTIMES[check_backend(backend)]
    backend_version(backend)  # says so where its package is missing
    try:
        return runtime(content, torch.get_num_threads())
    except Exception as error:  # each library has its own, without a common base
        reason = " ".join(str(error).split())[:300]
        raise InputError(f"{model}: backend {backend} cannot run this network: {reason}; use --backend torch") from None

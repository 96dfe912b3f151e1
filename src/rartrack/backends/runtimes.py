"""The exported network run by onnxruntime or by OpenVINO, on the processor."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from rartrack.backends import backend_version, check_backend
from rartrack.errors import InputError
from rartrack.extras import need
from rartrack.network.box import OWN_SHAPE, own_box
from rartrack.network.inference import pick_precision
from rartrack.network.memory import OWN, RECENT, TEMPLATE, Memory

Arrays = dict[str, NDArray[Any]]
_PRECISIONS = {"onnx": (torch.float32,), "openvino": (torch.float32, torch.bfloat16)}
"""What the backends but torch compute floats in, on the processor."""


class Runtime(ABC):
    """A ``rartrack.network.interface.Network`` made from an ONNX file's content.

    Args:
        inputs: name -> shape without the batch, see ``rartrack.backends.onnx_file``.
        crops: type of the crops that the file takes.
    """

    device = torch.device("cpu")
    dtype = torch.float32

    def __init__(self, inputs: Mapping[str, tuple[int, ...]], crops: type[np.generic]) -> None:
        self._memory = {
            name.removeprefix("memory."): shape for name, shape in inputs.items() if name.startswith("memory.")
        }
        self._crops = crops

    @property
    def gives_boxes(self) -> bool:
        """Whether the file has a box head."""
        return TEMPLATE in self._memory

    @abstractmethod
    def _run(self, inputs: Arrays) -> Arrays:
        """Name -> array to name -> array of the caller's own."""

    def __getstate__(self) -> NoReturn:
        """No library's session can be copied or pickled."""
        raise InputError(
            "a tracker of the backend onnx or openvino cannot be copied or pickled; keep tracker.state, and give it to "
            "a tracker that rartrack.load makes anew"
        )

    def __call__(self, crops: Tensor, memory: Memory) -> tuple[Tensor, Memory]:
        """As ``RAR.forward``: crops (B, 3, S, S) in 0..255 and the memory of B to features (B, D, n, n) and memory."""
        return self.forward(crops, memory)

    def forward(self, crops: Tensor, memory: Memory) -> tuple[Tensor, Memory]:
        """See ``__call__``."""
        features, after, _ = self.look(crops, memory)
        return features, after

    def look(self, crops: Tensor, memory: Memory) -> tuple[Tensor, Memory, Tensor | None]:
        """As ``forward``, and the box head's maps (B, 5, n, n) where there is one, for a memory with a template."""
        outputs = self._run(self.inputs(crops, memory))
        left = {name: torch.from_numpy(outputs[f"next.{name}"]) for name in self._memory if name != TEMPLATE}
        after = Memory.from_tensors(left)
        boxes = torch.from_numpy(outputs["boxes"]) if self.gives_boxes else None
        if memory.template is not None:
            after = replace(after, template=memory.template, own=memory.own)
        elif boxes is not None:  # the first crops: once more, for the head to see its own template
            first = replace(memory, template=after.recent, recent=after.recent)
            again = self._run(self.inputs(crops, first))
            after = replace(after, template=after.recent, own=own_box(torch.from_numpy(again["boxes"])))
        return torch.from_numpy(outputs["features"]), after, boxes

    def inputs(self, crops: Tensor, memory: Memory) -> Arrays:
        """The file's inputs by name; what they are made from is as of ``__call__``, the memory in any precision."""
        known = memory.tensors()
        inputs = {"crops": np.ascontiguousarray(crops.numpy(), dtype=self._crops)}
        if self.gives_boxes and TEMPLATE not in known:  # the first crops: what is said of boxes means nothing yet
            known[TEMPLATE] = known[RECENT] = torch.zeros(len(crops), *self._memory[TEMPLATE])
        return inputs | {f"memory.{name}": np.ascontiguousarray(known[name].float().numpy()) for name in self._memory}

    def initial_memory(self, batch: int) -> Memory:
        """The empty memory of ``batch`` targets."""
        shapes = {name: shape for name, shape in self._memory.items() if name not in (TEMPLATE, RECENT)}
        return Memory.from_tensors({name: torch.zeros(batch, *shape) for name, shape in shapes.items()})

    def memory_shapes(self) -> dict[str, tuple[int, ...]]:
        """Of the memory that crops leave: name, as in ``Memory.tensors``, to shape without the batch."""
        return self._memory | {OWN: OWN_SHAPE} if self.gives_boxes else dict(self._memory)


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
    """Run by OpenVINO.

    Args:
        content: of the ONNX file.
        threads: that it may use.
        precision: float32, or bfloat16; of what the file does not hold in integers. Inputs and outputs are float32.
    """

    def __init__(self, content: bytes, threads: int, precision: torch.dtype) -> None:
        openvino = need("openvino", "openvino")
        model = openvino.Core().read_model(content)
        settings = {
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_NUM_THREADS": threads,
            "INFERENCE_PRECISION_HINT": "bf16" if precision == torch.bfloat16 else "f32",
            "ENABLE_CPU_PINNING": False,  # torch shares the process
        }
        compiled = openvino.Core().compile_model(model, "CPU", settings)
        if precision == torch.bfloat16 and compiled.get_property("INFERENCE_PRECISION_HINT") != openvino.Type.bf16:
            raise InputError("this processor has no bfloat16; set tracking.precision to auto")
        self._request = compiled.create_infer_request()
        shapes = {entry.get_any_name(): entry.partial_shape for entry in model.inputs}
        self._names = [entry.get_any_name() for entry in model.outputs]
        crops = np.uint8 if model.input("crops").element_type == openvino.Type.u8 else np.float32
        inputs = {name: tuple(side.get_length() for side in list(shape)[1:]) for name, shape in shapes.items()}
        super().__init__(inputs, crops)

    def _run(self, inputs: Arrays) -> Arrays:
        found = self._request.infer(inputs, share_inputs=True)
        return {name: np.array(found[name]) for name in self._names}


def open_exported(
    content: bytes, backend: str, model: str | Path, precision: torch.dtype = torch.float32
) -> OnnxNetwork | OpenvinoNetwork:
    """Make an ONNX file's content ready to run, with as many threads as torch has.

    Args:
        content: see ``rartrack.backends.onnx_file``.
        backend: ``"onnx"`` or ``"openvino"``.
        model: name or path, for messages.
        precision: one that ``backend_precision`` gave for this backend.

    Raises:
        InputError: the library is not installed, or cannot run this network.
    """
    check_backend(backend)
    backend_version(backend)  # says so where its package is missing
    try:
        if backend == "onnx":
            return OnnxNetwork(content, torch.get_num_threads())
        return OpenvinoNetwork(content, torch.get_num_threads(), precision)
    except Exception as error:  # each library has its own, without a common base
        reason = " ".join(str(error).split())[:300]
        raise InputError(f"{model}: backend {backend} cannot run this network: {reason}; use --backend torch") from None


def backend_precision(name: str, backend: str, device: torch.device) -> torch.dtype:
    """The precision of a network's floats: what ``tracking.precision`` stands for in a backend.

    Args:
        name: one of ``rartrack.network.inference.PRECISIONS``. ``auto`` is float32 in onnxruntime; in OpenVINO, as in
            torch, bfloat16 where the processor computes in it. ``int8`` has the same floats beside its integers.
        backend: see ``rartrack.backends``.
        device: that it runs on.

    Raises:
        InputError: no such precision, or not in this backend.
    """
    wanted = pick_precision(name, device)
    able = _PRECISIONS.get(check_backend(backend))
    if able is None or wanted in able:
        return wanted
    if name in ("auto", "int8"):
        return torch.float32
    known = ", ".join(["auto, int8", *(str(each).removeprefix("torch.") for each in able)])
    raise InputError(f"tracking.precision {name!r}: the backend {backend} computes in {known}; take one, or torch")

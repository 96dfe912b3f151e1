"""Which library runs the network: torch, or onnxruntime or OpenVINO on the exported one; filter and loop stay torch."""

from __future__ import annotations

from rartrack.errors import InputError, brief, nearest
from rartrack.extras import need

BACKENDS = {"torch": ("torch", None), "onnx": ("onnxruntime", "export"), "openvino": ("openvino", "openvino")}
"""Name of a backend -> the package that runs it, and the extra that brings that."""


def check_backend(name: str) -> str:
    """Give the name back.

    Raises:
        InputError: no backend has it.
    """
    if not (isinstance(name, str) and name in BACKENDS):
        hint = nearest(name, BACKENDS) if isinstance(name, str) else ""
        raise InputError(f"backend {brief(name)}: expected {', '.join(BACKENDS)}{hint}")
    return name


def backend_version(name: str) -> str:
    """The package behind a backend and its version, such as ``"onnxruntime 1.20.0"``.

    Raises:
        InputError: no such backend, or its package is not installed.
    """
    package, extra = BACKENDS[check_backend(name)]
    return f"{package} {need(package, extra).__version__}"

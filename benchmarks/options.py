"""What speed.py has apart from its tables: options, trackers, and a line on the machine."""

from __future__ import annotations

import argparse
import os
import platform
from importlib import metadata

import cv2
import torch

from rartrack import __version__
from rartrack.backends import BACKENDS, backend_version
from rartrack.cli.numbers import threads
from rartrack.config import parse_settings
from rartrack.evaluation.provenance import cpuinfo
from rartrack.evaluation.trackers import Tracker, parse_tracker
from rartrack.tracking.threads import usual_threads

PACKAGES = ("numpy", "av", "onnxruntime", "openvino")


def tracker_parser(description: str | None) -> argparse.ArgumentParser:
    """Options of a benchmark that runs trackers."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=threads, default=usual_threads(), help="default: as rartrack track")
    parser.add_argument("--device", default="auto")
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="a setting of our models, filter.contexts=0"
    )
    return parser


def build(text: str, options: argparse.Namespace) -> Tracker:
    """A tracker from its words, as of ``rartrack evaluate``; ``onnx=`` or ``openvino=`` before a model is its backend.

    Raises:
        InputError: it cannot be understood or found, or its package is not installed.
    """
    backend, sign, rest = text.partition("=")
    if not sign or backend not in BACKENDS:
        backend, rest = "torch", text
    backend_version(backend)
    spec = parse_tracker(rest, options.device, parse_settings(options.set), backend=backend)
    return spec.build(options.threads)


def machine(options: argparse.Namespace) -> str:
    """What runs, on what, with how many threads."""
    versions = [f"rartrack {__version__}", f"torch {torch.__version__}", f"OpenCV {cv2.__version__}"]
    for package in PACKAGES:
        try:
            versions.append(f"{package} {metadata.version(package)}")
        except metadata.PackageNotFoundError:
            continue
    load = f", load {os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else ""
    gpu = f"; {torch.cuda.get_device_name()}" if torch.cuda.is_available() else ""
    return (
        f"{_processor()}, {os.cpu_count()} cores{load}, {torch.backends.cpu.get_cpu_capability()}{gpu}\n"
        f"{', '.join(versions)}; Python {platform.python_version()}\n"
        f"{options.threads} threads, device {options.device}{', ' + ', '.join(options.set) if options.set else ''}"
    )


def _processor() -> str:
    """The processor's name and model number, where the system tells: names alone are shared by generations."""
    known = cpuinfo()
    if "model name" not in known:
        return platform.processor() or platform.machine()
    return f"{known['model name']} (family {known.get('cpu family', '?')}, model {known.get('model', '?')})"

"""What the benchmarks that track a video have in common: their options, and a line on the machine."""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import torch

from rartrack.backends import BACKENDS


def tracking_parser(description: str | None, frames: int) -> argparse.ArgumentParser:
    """Options of a benchmark that tracks; ``frames`` are timed unless the user says otherwise."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path)
    parser.add_argument("--box", required=True)
    parser.add_argument("--model", default="rar-fast")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--backend", choices=BACKENDS, default="torch")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--frames", type=int, default=frames)
    return parser


def use_threads(count: int) -> None:
    """Let torch and OpenCV have so many."""
    torch.set_num_threads(count)
    cv2.setNumThreads(count)


def machine(options: argparse.Namespace) -> str:
    """What ran, on what."""
    capability = torch.backends.cpu.get_cpu_capability()
    return (
        f"torch {torch.__version__}, {options.threads} threads, {capability}, device {options.device}, "
        f"{options.model}, backend {options.backend}"
    )

"""``rartrack train CONFIG key=value``: train a model, or go on with a run that was stopped."""

from __future__ import annotations

import argparse
import signal
from pathlib import Path
from types import FrameType
from typing import Any

import yaml

from rartrack.config import load_yaml
from rartrack.errors import InputError
from rartrack.training.config import TrainingConfig


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.add_argument("config", metavar="CONFIG", type=Path, help="a YAML file such as configs/fast.yaml")
    parser.add_argument(
        "changes",
        metavar="KEY=VALUE",
        nargs="*",
        help="settings changed, such as optimization.steps=2000 or output=runs/second",
    )
    parser.add_argument(
        "--minutes",
        type=float,
        metavar="M",
        help="stop after so long, with everything kept; the same command goes on from there",
    )


def run(options: argparse.Namespace) -> None:
    """Run the command; SIGTERM stops it as --minutes does."""
    from rartrack.training.loop import train

    config = load_yaml(TrainingConfig, options.config, parse_changes(options.changes))
    asked: list[int] = []

    def remember(number: int, _: FrameType | None) -> None:
        asked.append(number)

    before = signal.signal(signal.SIGTERM, remember)
    try:
        train(config, options.minutes, lambda line: print(line, flush=True), lambda: bool(asked))
    finally:
        signal.signal(signal.SIGTERM, before)


def parse_changes(changes: list[str]) -> dict[str, Any]:
    """``["a.b=1", "c=[x, y]"]`` to ``{"a.b": 1, "c": ["x", "y"]}``; values are read as YAML.

    Raises:
        InputError: one has no ``=``, or its value is not YAML.
    """
    parsed = {}
    for change in changes:
        key, equals, value = change.partition("=")
        if not equals or not key:
            raise InputError(f"{change!r}: expected KEY=VALUE, such as optimization.steps=2000")
        try:
            parsed[key] = yaml.safe_load(value)
        except yaml.YAMLError:
            raise InputError(f"{change!r}: {value!r} is not a YAML value") from None
    return parsed

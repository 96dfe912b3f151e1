"""Which model, and how it runs: options that several commands have in common, worded once."""

from __future__ import annotations

import argparse
from typing import Any

from rartrack.backends import BACKENDS
from rartrack.cli.numbers import threads
from rartrack.config import PRESETS


def add_model_options(parser: argparse.ArgumentParser, *names: str) -> None:
    """Declare the options named, or all; ``rartrack.config.parse_settings`` reads what ``--set`` collects."""

    def add(name: str, help: str, **about: Any) -> None:
        if not names or name in names:
            parser.add_argument(name, help=help, **about)

    model = "a built-in model, a checkpoint or an exported .onnx file (default: rar-fast)"
    add("--model", model, default="rar-fast", metavar="NAME|PATH")
    add("--preset", "accuracy against time (default: balanced; docs/speed.md)", choices=PRESETS, default="balanced")
    changed = "change a setting of our models, such as filter.form=shared; may be repeated"
    add("--set", changed, action="append", default=[], metavar="KEY=VALUE")
    add("--device", "where our models run: auto, cpu, cuda or cuda:1 (default: auto)", default="auto", metavar="DEVICE")
    add("--backend", "what runs their network (default: torch; docs/export.md)", choices=BACKENDS, default="torch")
    add("--threads", "processor threads (default: one a core, 4 at most; docs/speed.md)", type=threads, metavar="N")

"""``rartrack trax``: our tracker as a TraX tracker, for the VOT toolkit."""

from __future__ import annotations

import argparse
import os
import sys

from rartrack.backends import BACKENDS
from rartrack.cli.numbers import threads
from rartrack.cli.settings import add_set
from rartrack.config import PRESETS, parse_settings
from rartrack.errors import InputError

_EXAMPLES = """
in the toolkit's trackers.ini:
  [rartrack]
  label = RAR
  protocol = trax
  command = rartrack trax --model rar-resnet50
  timeout = 60
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the command's options."""
    parser.epilog, parser.formatter_class = _EXAMPLES, argparse.RawDescriptionHelpFormatter
    parser.add_argument("--model", default="rar-fast", metavar="NAME|PATH", help="a built-in model or a checkpoint")
    parser.add_argument(
        "--preset", choices=PRESETS, default="balanced", help="accuracy against time (default: balanced; docs/speed.md)"
    )
    parser.add_argument("--device", default="auto", metavar="DEVICE", help="auto, cpu or cuda (default: auto)")
    parser.add_argument(
        "--backend", choices=BACKENDS, default="torch", help="what runs the network (default: torch; docs/export.md)"
    )
    parser.add_argument(
        "--threads", type=threads, metavar="N", help="processor threads (default: one a core, 4 at most)"
    )
    add_set(parser)


def run(options: argparse.Namespace) -> int:
    """Load the model, then answer the client until it quits."""
    if sys.stdin.isatty() and "TRAX_SOCKET" not in os.environ:
        raise InputError("trax is started by a TraX client, not by hand; see rartrack trax --help for trackers.ini")
    settings = parse_settings(options.set)
    from rartrack.evaluation.trax import library

    library()  # says so early where it is missing
    from rartrack.evaluation.trax_server import serve
    from rartrack.tracking.load import load
    from rartrack.tracking.threads import use_threads

    use_threads(options.threads)
    tracker = load(options.model, options.device, settings, options.backend, options.preset)
    serve(tracker, name="rartrack", description=str(options.model))
    return 0

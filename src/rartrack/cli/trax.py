"""``rartrack trax``: our tracker as a TraX tracker, for the VOT toolkit."""

from __future__ import annotations

import argparse
import os
import sys

from rartrack.cli.model_options import add_model_options
from rartrack.config import parse_settings
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
    add_model_options(parser)


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

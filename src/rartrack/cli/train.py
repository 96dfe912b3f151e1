"""``rartrack train CONFIG key=value``: train a model, or go on with a run that was stopped."""

from __future__ import annotations

import argparse
from pathlib import Path

from rartrack.cli.numbers import amount
from rartrack.cli.stopping import ENDING, when_asked_to_stop
from rartrack.config import parse_settings
from rartrack.config_files import load_yaml
from rartrack.training.config import TrainingConfig


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.add_argument("config", metavar="CONFIG", type=Path, help="a YAML file such as configs/fast.yaml")
    parser.add_argument(
        "changes",
        metavar="KEY=VALUE",
        nargs="*",
        default=[],
        help="settings changed, such as optimization.steps=2000 or output=runs/second",
    )
    parser.add_argument(
        "--minutes",
        type=amount,
        metavar="M",
        help="stop after so long, with everything kept; the same command goes on from there",
    )


def run(options: argparse.Namespace) -> None:
    """Run the command; Ctrl-C, SIGTERM and SIGHUP stop it where --minutes would, a second Ctrl-C at once."""
    from rartrack.training.loop import train

    config = load_yaml(TrainingConfig, options.config, parse_settings(options.changes))
    with when_asked_to_stop(names=("SIGINT", *ENDING), insist=True) as came:
        outcome = train(config, options.minutes, lambda line: print(line, flush=True), lambda: bool(came))
    if not outcome.finished and came:
        raise KeyboardInterrupt

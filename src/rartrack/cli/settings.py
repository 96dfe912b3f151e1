"""``--set KEY=VALUE``, which ``track``, ``trax`` and ``evaluate`` have in common."""

from __future__ import annotations

import argparse


def add_set(parser: argparse.ArgumentParser) -> None:
    """Declare ``--set``; ``rartrack.config.parse_settings`` reads what it collects."""
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="change a setting of our models, such as filter.form=shared; may be repeated",
    )

"""``rartrack models``: the models that come with the package."""

from __future__ import annotations

import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command has no options."""


def run(options: argparse.Namespace) -> int:  # noqa: ARG001 every command takes them
    """Print a row per built-in model: size, network, data, licence."""
    from rich.table import Table

    from rartrack import checkpoints
    from rartrack.report.table import open_console

    table = Table(box=None, pad_edge=False)
    for heading in ("model", "file", "network", "trained", "licence"):
        table.add_column(heading, overflow="fold")
    for name in checkpoints.BUILT_IN:
        path, _ = checkpoints.locate(name)
        checkpoint = checkpoints.load(name)
        network, about = checkpoint.config.network, checkpoint.provenance
        levels = ", ".join(f"conv{level}" for level in network.levels)
        table.add_row(
            name,
            f"{path.stat().st_size / 1e6:.1f} MB",
            f"{network.backbone} at {network.input_size} px, {levels}",
            str(about.get("trained", "")),
            str(about.get("licence", "")),
        )
    open_console().print(table)
    return 0

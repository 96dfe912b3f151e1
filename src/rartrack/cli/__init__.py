"""The command line, one small file per command."""

from rartrack.cli.main import main

__all__ = ["main"]

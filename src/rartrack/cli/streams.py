"""The standard streams as a shell may hand them over: closed, full, or with nobody left to read them."""

from __future__ import annotations

import io
import os
import sys
from typing import TextIO


def say(line: str) -> None:
    """Print a line on stderr; where it cannot be written, it and all that follow are dropped, and the work goes on."""
    try:
        print(line, file=sys.stderr, flush=True)
    except OSError:
        _divert(sys.stderr)


def open_closed_streams() -> None:
    """Lead streams that were closed (``2>&-``) to nowhere, so that no file that is written is given their number."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(os.open(os.devnull, os.O_RDWR), mode))


def print_any_name() -> None:
    """Have stdout take names that its encoding has no letters for, as files' may be; stderr does by itself."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def drop_unread_output() -> None:
    """Let go of what stdout cannot take, so that it is not tried again, with words of its own, when Python ends."""
    try:
        sys.stdout.flush()
    except OSError:
        _divert(sys.stdout)


def _divert(stream: TextIO) -> None:
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)

"""How far tracking is and how fast: a bar on a terminal, a line every few seconds elsewhere; on stderr."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from types import TracebackType
from typing import Any, Self

from rartrack.cli.streams import say
from rartrack.results import Result, Status

_LINE_EVERY = 5.0
"""Seconds between lines where there is no terminal."""


class Pace:
    """Shows frames done, frames a second, and which targets are not tracked; a context manager.

    Args:
        total: frames expected, or None where the source does not say.
    """

    def __init__(self, total: int | None) -> None:
        self._total, self._done, self._shown = total, 0, 0
        self._begin = self._said = time.monotonic()
        self._bar: Any = None
        self._task: Any = None

    def __enter__(self) -> Self:
        if sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

            said = TextColumn("{task.description}", markup=False)  # names of targets are anything
            columns = (BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), said)
            console = Console(stderr=True)
            if not console.is_dumb_terminal:  # where no line can be written anew
                self._bar = Progress(*columns, console=console)
                self._bar.start()
                self._task = self._bar.add_task("", total=self._total)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            with suppress(OSError):  # the terminal is gone
                self._bar.stop()
        elif self._shown < self._done:
            self._tell("")

    def step(self, results: Mapping[str, Result]) -> None:
        """Count one frame and its results."""
        self._done += 1
        doubtful = [f"{name} {found.status}" for name, found in results.items() if found.status is not Status.TRACKED]
        note = "".join(f"; {word}" for word in doubtful)
        if self._bar is not None:
            self._bar.update(self._task, completed=self._done, description=f"{self._rate():.1f} frames/s{note}")
        elif time.monotonic() - self._said >= _LINE_EVERY:
            self._said = time.monotonic()
            self._tell(note)

    def _rate(self) -> float:
        return self._done / max(time.monotonic() - self._begin, 1e-9)

    def _tell(self, note: str) -> None:
        self._shown = self._done
        of = f" of {self._total}" if self._total is not None else ""
        say(f"frame {self._done}{of}, {self._rate():.1f} frames/s{note}")

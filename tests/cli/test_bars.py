"""The bars on a terminal: names and failures are shown as they are, whatever rich would read in them."""

from __future__ import annotations

import io
import sys
from types import SimpleNamespace

import pytest

from rartrack.boxes import Box
from rartrack.cli.pace import Pace
from rartrack.cli.progress import Progress
from rartrack.evaluation.jobs import Failure, Outcome
from rartrack.results import Result, Status


class Terminal(io.StringIO):
    """Standard error that is a terminal."""

    def isatty(self) -> bool:
        return True


def terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """Called in the test itself, since pytest puts its own standard error in place before each."""
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setattr(sys, "stderr", Terminal())
    return sys.stderr


def test_a_target_may_have_any_name(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = terminal(monkeypatch)
    with Pace(2) as pace:
        pace.step({"[/cup]": Result(Box(1, 2, 3, 4), 0.0, Status.LOST)})
    assert "frames/s; [/cup] lost" in shown.getvalue()


def test_a_failure_may_have_any_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = terminal(monkeypatch)

    class Job(SimpleNamespace):
        tracker, frames = SimpleNamespace(name="[b]"), 3

        def __str__(self) -> str:
            return "[b] Basketball"

    with Progress() as progress:
        progress.begin([Job()], 0)
        progress.finished(Job(), Outcome(failure=Failure("no [/file]", "")))
    assert shown.getvalue().count("[b] Basketball: FAILED: no [/file]") >= 2  # its line, and the bar's

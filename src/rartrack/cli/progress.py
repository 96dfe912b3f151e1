"""How far an evaluation is and how long it will take: a bar on a terminal, a line a run elsewhere; on stderr."""

from __future__ import annotations

import statistics
import sys
import time
from contextlib import suppress
from types import TracebackType
from typing import Any, Self

from rartrack.cli.streams import say
from rartrack.evaluation.jobs import Job, Outcome
from rartrack.evaluation.run import Observer


class Progress(Observer):
    """Shows an evaluation's progress; a context manager."""

    def __init__(self) -> None:
        self._left: dict[str, int] = {}
        self._paces: dict[str, list[float]] = {}
        self._total, self._over, self._worked, self._begin = 0, 0, 0.0, 0.0
        self._bar: Any = None
        self._task: Any = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            with suppress(OSError):  # the terminal is gone
                self._bar.stop()

    def begin(self, jobs: list[Job], kept: int) -> None:
        """Show what is to be done; once more where a search goes on in rounds, each counted by itself."""
        self._total, self._begin = len(jobs), time.monotonic()
        self._over, self._worked, self._left = 0, 0.0, {}
        for job in jobs:
            self._left[job.tracker.name] = self._left.get(job.tracker.name, 0) + job.frames
        if not sys.stderr.isatty():
            say(f"to do: {len(jobs)}, there already: {kept}")
            return
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
        from rich.progress import Progress as Bar

        if self._bar is not None:
            self._bar.stop()
        said = TextColumn("{task.description}", markup=False)  # names and failures are anything
        columns = (BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), said)
        self._bar = Bar(*columns, console=Console(stderr=True))
        self._bar.start()
        self._task = self._bar.add_task("", total=len(jobs))

    def finished(self, job: Job, outcome: Outcome) -> None:
        """Show a run that is over and the time left."""
        self._over += 1
        self._left[job.tracker.name] -= job.frames
        said = self._count(job, outcome)
        left = self._seconds_left()
        if self._bar is None:
            say(f"{self._over}/{self._total} {job}: {said}{_left(left)}")
            return
        if outcome.failure is not None:
            self._bar.console.print(f"{job}: {said}", style="red", markup=False, highlight=False)
        self._bar.update(self._task, completed=self._over, description=f"{job}: {said}{_left(left)}")

    def _count(self, job: Job, outcome: Outcome) -> str:
        if outcome.failure is not None:
            return f"FAILED: {outcome.failure.reason}"
        if not outcome.frame_seconds:
            return f"{job.frames} frames"
        pace = (outcome.init_seconds + sum(outcome.frame_seconds)) / (1 + len(outcome.frame_seconds))
        self._paces.setdefault(job.tracker.name, []).append(pace)
        self._worked += pace * job.frames
        return f"{job.frames} frames, {1 / max(statistics.median(outcome.frame_seconds), 1e-9):.1f} a second"

    def _seconds_left(self) -> float | None:
        """Frames left at each tracker's own pace, against the wall time that what is done has taken."""
        known = {name: statistics.fmean(paces) for name, paces in self._paces.items()}
        if not known or not self._worked:
            return None
        typical = statistics.fmean(known.values())
        work = sum(frames * known.get(name, typical) for name, frames in self._left.items())
        return work / self._worked * (time.monotonic() - self._begin)


def _left(seconds: float | None) -> str:
    if seconds is None:
        return ""
    if seconds < 90:
        return f"; {seconds:.0f} s left"
    return f"; {seconds / 60:.0f} min left" if seconds < 5400 else f"; {seconds / 3600:.1f} h left"

"""A process of its own for a tracker, so that one that hangs or crashes takes nothing with it.

``run_job`` is what every executor is given: it hands the job to a process that belongs to the calling thread and keeps
its tracker loaded from job to job, waits for signs of life, and ends the process when there are none for longer than
the job allows. ``rartrack.evaluation.worker`` is what runs there.
"""

from __future__ import annotations

import contextlib
import math
import os
import pickle
import queue
import signal
import subprocess
import sys
import tempfile
import threading
import weakref
from dataclasses import replace
from typing import IO, Any

from rartrack.errors import InputError
from rartrack.evaluation.jobs import Failure, Job, Outcome
from rartrack.evaluation.messages import send, take
from rartrack.evaluation.trackers import TrackerSpec

LOAD_LIMIT = 600.0
"""Seconds a tracker may take to load, and a worker to start."""
_GRACE = 1.0
"""Seconds more than the limit before a process is ended: a TraX program that hangs is first ended by its own client."""
_PRINTED = 4000
"""Bytes of what a process printed that are kept."""
_THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")

_of_this_thread = threading.local()


def run_job(job: Job) -> Outcome:
    """Run a job in this thread's worker process; a tracker that fails in any way gives an outcome that says so."""
    host = _host(job.threads, job.token)
    try:
        outcome = host.ask(job, job.time_limit)
    except _SilentError as silent:
        failure = Failure(f"no answer for {silent} s; its process was ended")
    except _DiedError as died:
        failure = Failure(f"its process ended ({died})")
    else:
        assert isinstance(outcome, Outcome)
        if outcome.failure is None:
            return outcome
        failure = outcome.failure
    printed = host.printed()
    details = [failure.details.rstrip(), printed and f"It printed last:\n\n{printed}"]
    return Outcome(failure=replace(failure, details="\n\n".join(filter(None, details))))


def describe(spec: TrackerSpec, threads: int, token: str) -> dict[str, Any]:
    """What makes this tracker's results where the jobs run: ``tracker``, ``code`` and ``machine``.

    Args:
        spec: the tracker.
        threads, token: as the jobs that follow have them.

    Raises:
        InputError: the tracker cannot be found or loaded.
    """
    try:
        answer = _host(threads, token).ask(spec, None)
    except _SilentError:
        raise InputError(f"tracker {spec.name}: did not load within {LOAD_LIMIT:g} s") from None
    except _DiedError as died:
        raise InputError(f"tracker {spec.name}: its process ended while loading ({died})") from None
    if isinstance(answer, Failure):
        raise InputError(answer.reason)
    assert isinstance(answer, dict)
    return answer


class Group:
    """The worker processes of an executor's threads, which can be ended at once, whatever they are doing."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._hosts: list[_Host] | None = []

    def join(self) -> None:
        """Count this thread's worker process in; called once in each thread."""
        _of_this_thread.group = self

    def add(self, host: _Host) -> None:
        """Count a worker process in, or end it if the group has ended."""
        with self._lock:
            if self._hosts is None:
                host.end()
            else:
                self._hosts = [*(each for each in self._hosts if each.end.alive), host]

    def end(self) -> None:
        """End them all, and those that come late."""
        with self._lock:
            hosts, self._hosts = self._hosts or [], None
        for host in hosts:
            host.end()


class _SilentError(Exception):
    """No sign of life for too long; its text is the number of seconds."""


class _DiedError(Exception):
    """The process ended; its text says how."""


def _host(threads: int, token: str) -> _Host:
    """This thread's process: a new one for every call of ``evaluate``, whose code and weights may have changed."""
    host: _Host | None = getattr(_of_this_thread, "host", None)
    if host is None or host.made_for != (threads, token) or not host.running:
        if host is not None:
            host.end()
        host = _of_this_thread.host = _Host(threads, token)
        group: Group | None = getattr(_of_this_thread, "group", None)
        if group is not None:
            group.add(host)
    return host


class _Host:
    """The parent's side of one worker process."""

    def __init__(self, threads: int, token: str) -> None:
        self.made_for = (threads, token)
        self._printed: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 lives as long as the process
        environment = os.environ | dict.fromkeys(_THREAD_VARIABLES, str(threads)) | {"PYTHONHASHSEED": "0"}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "rartrack.evaluation.worker", str(threads)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._printed,
            env=environment,
        )
        self._answers: queue.SimpleQueue[Any] = queue.SimpleQueue()
        threading.Thread(target=_receive, args=(self._process.stdout, self._answers), daemon=True).start()
        self.end = weakref.finalize(self, _end, self._process)

    @property
    def running(self) -> bool:
        return self._process.poll() is None and self.end.alive

    def ask(self, request: Job | TrackerSpec, limit: float | None) -> Any:
        self._printed.seek(0)  # the process writes at the same place
        self._printed.truncate()
        assert self._process.stdin is not None
        try:
            send(self._process.stdin, request)
        except OSError:
            raise self._died() from None
        loading = True
        while True:
            allowed = LOAD_LIMIT if loading else math.inf if limit is None else limit + _GRACE
            try:
                kind, value = self._answers.get(timeout=min(allowed, threading.TIMEOUT_MAX))
            except queue.Empty:
                self.end()
                raise _SilentError(f"{LOAD_LIMIT if loading else limit:g}") from None
            if kind == "done":
                return value
            if kind == "unreadable":
                return Outcome(failure=value) if isinstance(request, Job) else value
            if kind == "ended":
                raise self._died()
            loading = False

    def _died(self) -> _DiedError:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=10)
        code = self._process.returncode
        self.end()
        how = f"signal {signal.Signals(-code).name}" if code is not None and code < 0 else f"exit status {code}"
        return _DiedError(how)

    def printed(self) -> str:
        """The end of what the process printed since it was asked last."""
        self._printed.seek(max(0, self._printed.seek(0, os.SEEK_END) - _PRINTED))
        return self._printed.read().decode(errors="replace")


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()
    for stream in (process.stdin, process.stdout):
        if stream is not None:
            with contextlib.suppress(OSError):
                stream.close()


def _receive(stream: IO[bytes], answers: queue.SimpleQueue[Any]) -> None:
    while True:
        try:
            answers.put(pickle.loads(take(stream)))
        except (EOFError, OSError, ValueError):
            answers.put(("ended", None))
            return

"""What runs in a worker process: ``python -m rartrack.evaluation.worker THREADS``.

It reads requests from its standard input (a job to run, a tracker to describe), answers on its standard output, and
ends with its parent, however that ends. A tracker stays loaded from job to job.
"""

from __future__ import annotations

import faulthandler
import io
import os
import pickle
import queue
import signal
import sys
import threading
import time
import traceback
from typing import IO, Any

from rartrack.errors import InputError
from rartrack.evaluation.execute import execute, seed_everything
from rartrack.evaluation.jobs import Failure, Job, Outcome
from rartrack.evaluation.messages import send, take
from rartrack.evaluation.provenance import code_version, machine
from rartrack.evaluation.trackers import Tracker, TrackerSpec

_BEAT = 0.1
"""Seconds between two signs of life."""


def main(threads: int) -> None:
    """Answer requests from standard input until it closes; what trackers print goes to standard error."""
    _leave_stopping_to_the_parent()
    faulthandler.enable()
    output = os.fdopen(os.dup(1), "wb")
    commands = os.fdopen(os.dup(0), "rb")
    os.dup2(2, 1)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(line_buffering=True)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    requests: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(commands, requests), daemon=True).start()
    loaded: tuple[TrackerSpec, int, Tracker] | None = None
    while True:
        try:
            request = pickle.loads(requests.get())
        except Exception as error:
            # Such as a class of the parent's script, which only the parent knows.
            reason = f"cannot be sent to another process: {type(error).__name__}: {error}"
            send(output, ("unreadable", Failure(reason, traceback.format_exc())))
            continue
        if not isinstance(request, Job):
            send(output, ("done", _describe(request)))
            continue
        if loaded is None or loaded[:2] != (request.tracker, request.seed):
            loaded = None  # one model in memory at a time
            try:
                seed_everything(request.seed)
                loaded = (request.tracker, request.seed, request.tracker.build(threads))
            except Exception as error:
                send(output, ("done", Outcome(failure=_cannot_load(request.tracker, error))))
                continue
        outcome = execute(request, loaded[2], _Pulse(output))
        if outcome.failure is not None:
            loaded = None  # what is left of it may be broken, or have ended: the next run begins with another
        send(output, ("done", outcome))


def _leave_stopping_to_the_parent() -> None:
    worker = os.getpid()

    def pass_over(number: int, _: object) -> None:
        if os.getpid() != worker:  # a process that a tracker started by fork
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for name in ("SIGTERM", "SIGHUP"):  # sent to whole groups of processes, too
        if hasattr(signal, name) and signal.getsignal(getattr(signal, name)) is not signal.SIG_IGN:
            # Not ignored: programs that trackers start would ignore it as well.
            signal.signal(getattr(signal, name), pass_over)


class _Pulse:
    """Tells the parent now and then that the tracker is still being given frames."""

    def __init__(self, output: IO[bytes]) -> None:
        self._output, self._last = output, -_BEAT

    def __call__(self) -> None:
        now = time.monotonic()
        if now - self._last >= _BEAT:
            self._last = now
            send(self._output, ("alive", None))


def _describe(spec: TrackerSpec) -> dict[str, Any] | Failure:
    try:
        return {"tracker": spec.describe(), "code": code_version(), "machine": machine()}
    except Exception as error:
        return _cannot_load(spec, error)


def _cannot_load(spec: TrackerSpec, error: Exception) -> Failure:
    if isinstance(error, InputError):
        return Failure(str(error))
    line = " ".join(str(error).split())
    return Failure(f"tracker {spec.name}: cannot be loaded: {type(error).__name__}: {line}", traceback.format_exc())


def _listen(stream: IO[bytes], requests: queue.SimpleQueue[bytes]) -> None:
    """Pass requests on; the end of the stream is the end of the parent, and so of this process, busy or not."""
    try:
        while True:
            requests.put(take(stream))
    except BaseException:
        os._exit(1)


if __name__ == "__main__":
    main(int(sys.argv[1]))

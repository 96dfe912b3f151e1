"""Run an iterator ahead of its reader, or one call beside it, in a thread of its own."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Generic, TypeVar

T = TypeVar("T")

_CLOSE_SECONDS = 2.0
_POLL_SECONDS = 0.1


class ReadAhead(Generic[T]):
    """An iterator that keeps up to ``depth`` items of another one ready.

    What the other iterator raises is raised here, after the items before it.

    Args:
        items: the other one.
        depth: items kept.
        newest: where they are not taken in time, the oldest of them make way for newer ones; else these wait.
    """

    def __init__(self, items: Iterator[T], depth: int, newest: bool = False) -> None:
        self._newest = newest
        self._ready: queue.Queue[tuple[T | None, BaseException | None]] = queue.Queue(depth)
        self._stop = threading.Event()
        self._over = False
        self._thread = threading.Thread(target=self._run, args=(items,), name="rartrack-read-ahead", daemon=True)
        self._thread.start()

    def __iter__(self) -> Iterator[T]:
        return self

    def __next__(self) -> T:
        while not self._over:  # which another thread may set while this one waits
            try:
                item, error = self._ready.get(timeout=_POLL_SECONDS)
            except queue.Empty:
                continue
            if error is not None:
                self._over = True
                raise error
            return item  # type: ignore[return-value]
        raise StopIteration

    def close(self) -> bool:
        """Stop reading; returns whether the thread has ended (a read from a dead network may still hold it)."""
        self.stop()
        self._thread.join(_CLOSE_SECONDS)
        return not self._thread.is_alive()

    def stop(self) -> None:
        """Tell the thread to end, without waiting for it."""
        self._stop.set()
        self._over = True

    def _run(self, items: Iterator[T]) -> None:
        try:
            for item in items:
                if not self._put(item, None):
                    return
            self._put(None, StopIteration())
        except BaseException as error:
            self._put(None, error)

    def _put(self, item: T | None, error: BaseException | None) -> bool:
        waits = not self._newest or error is not None
        while not self._stop.is_set():
            try:
                self._ready.put((item, error), block=waits, timeout=_POLL_SECONDS)
            except queue.Full:
                if not waits:
                    with suppress(queue.Empty):
                        self._ready.get_nowait()
                continue
            return True
        return False


def in_thread(call: Callable[[], T]) -> T:
    """What ``call`` returns or raises; it runs in a thread, so that Ctrl-C ends the wait where a read does not end."""
    return next(ReadAhead((call() for _ in range(1)), 1))
